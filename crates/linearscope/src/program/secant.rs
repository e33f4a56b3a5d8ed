//! DeepLift's rescale rule: a backward sweep in which each unit passes the slope between x₀ and a baseline x′.
//!
//! A unit h of one number multiplies what comes back by (h(a) − h(a′))/(a − a′), a and a′ its inputs at x₀ and x′; linear
//! maps transpose. The multiplier m that comes to the input then has Σ m ⊙ (x₀ − x′) = f(x₀) − f(x′) (Shrikumar et al.,
//! *Learning important features through propagating activation differences*, 2017).

use std::sync::Arc;

use burn_backend::{
    Backend, DType, Scalar, TensorMetadata, get_or_init_device_settings,
    tensor::{BoolTensor, FloatTensor},
};

use super::{
    Node, NodeId, NodeIndex, Operation, Program, SourceKind, flips::differ, traverse::Here,
};
use crate::{
    error::Result,
    interrupt::Interrupt,
    linear::{Choice, Chosen, LinearMap, Structure, batch},
};

/// Two programs of one network, at x₀ and at a baseline x′, with what each node passes back under DeepLift's rescale rule.
/// Made by [`Program::secant`].
///
/// | a map of the program | what it passes |
/// | --- | --- |
/// | of weights, or chosen alike at x₀ and x′ | its transpose |
/// | a gain, slope or mask that x₀ decides, with the constants that freezing left behind it | Δz/Δa, entry by entry |
/// | a winner: of a pool, of a maximum | Δz over the winner's own Δ: of a maximum that rose to the winner at x₀, of one that fell to that at x′ |
/// | one side of a product, and other maps whose weights are decided | the mean of both transposes |
///
/// The first three keep the sum, and so does a product: Δ(ab) is Δa times the mean of b and Δb times that of a. Softmax,
/// norms by their tangents and quotients of two inputs miss it by as much as they bend.
///
/// Δz/Δa is noise where Δa is tiny. Where Δz is that of the tangent at x₀ up to rounding, the tangent counts; then there
/// is no least Δa.
#[derive(Debug)]
pub struct Secant<'a, B: Backend> {
    program: &'a Program<B>,
    /// What each node's map passes.
    ways: Vec<Way<B>>,
}

/// What a map passes back.
#[derive(Debug)]
enum Way<B: Backend> {
    /// Aᵀ q.
    Own,
    /// m ⊙ q, m `[1, ..shape]`.
    Slope(FloatTensor<B>),
    /// ½(Aᵀ + A′ᵀ) q, A′ that of the baseline.
    Mean(Arc<dyn LinearMap<B>>),
    /// Sᵀ (m ⊙ q) + S′ᵀ (m′ ⊙ q), S′ what won at the baseline.
    Winners {
        other: Arc<dyn LinearMap<B>>,
        shares: [FloatTensor<B>; 2],
    },
}

/// What is needed to make a [`Way`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Linear,
    /// One number each, with the constants behind it.
    Unit {
        end: NodeIndex,
    },
    Mean,
    Winners,
}

impl<B: Backend> Program<B> {
    /// What DeepLift sweeps back with, of this program recorded at `x0` and `other` recorded at the baseline `x1`, both
    /// without a probe axis; both by the rules *taylor*, of which norms may be *std-only*.
    ///
    /// Cost: a replay of each; memory: for the time being the values of units at both inputs, then one slope an entry of
    /// each unit.
    ///
    /// # Errors
    /// [`Error::ProgramsDiffer`](crate::Error::ProgramsDiffer) where the two do not match node for node;
    /// [`Error::GeneralMap`](crate::Error::GeneralMap) for a map of which nothing is known;
    /// [`Error::Data`](crate::Error::Data); as [`forward`](Self::forward).
    pub fn secant(
        &self,
        x0: &[FloatTensor<B>],
        other: &Program<B>,
        x1: &[FloatTensor<B>],
    ) -> Result<Secant<'_, B>> {
        self.same_as(other)?;
        let inputs = self.indices(&self.inputs)?;
        let passes = self.dependants(&inputs);
        let kinds = self.kinds(other, &passes)?;
        let mut needed = vec![false; self.nodes.len()];
        for (index, kind) in kinds.iter().enumerate() {
            let end = match kind {
                Kind::Unit { end } => *end,
                Kind::Winners => NodeIndex(index),
                Kind::Linear | Kind::Mean => continue,
            };
            needed[end.0] = true;
            let operands = self.nodes[index].operation.operands();
            operands.for_each(|of| needed[of.0] = true);
        }
        let values = [self.values_at(x0, &needed)?, other.values_at(x1, &needed)?];
        let mut ways = Vec::with_capacity(kinds.len());
        for (index, kind) in kinds.into_iter().enumerate() {
            self.interrupt.check()?;
            let maps = (&self.nodes[index].operation, &other.nodes[index].operation);
            let (Operation::Map { map, input }, Operation::Map { map: there, .. }) = maps else {
                ways.push(Way::Own);
                continue;
            };
            let both = |of: NodeIndex| {
                let of = values.each_ref().map(|values| values[of.0].clone());
                of.map(|value| value.expect("values of units are kept"))
            };
            ways.push(match kind {
                Kind::Linear => Way::Own,
                Kind::Mean => Way::Mean(there.clone()),
                Kind::Unit { end } => {
                    Way::Slope(slope(&**map, both(*input), both(end), &self.interrupt))
                }
                Kind::Winners => Way::Winners {
                    other: there.clone(),
                    shares: shares(
                        [&**map, &**there],
                        both(*input),
                        both(NodeIndex(index)),
                        &self.interrupt,
                    ),
                },
            });
        }
        self.interrupt.check()?;
        Ok(Secant {
            program: self,
            ways,
        })
    }

    /// Whether the nodes of two programs match one by one.
    fn same_as(&self, other: &Self) -> Result<()> {
        self.as_long_as(other)?;
        let said = |node: &Node<B>| {
            let operands: Vec<usize> = node.operation.operands().map(|of| of.0).collect();
            let (name, shape) = (node.operation.name(), node.shape.to_vec());
            format!(
                "{name} of \"{}\" with shape {shape:?}, of nodes {operands:?}",
                node.name
            )
        };
        for (a, b) in self.nodes.iter().zip(&other.nodes) {
            let alike = a.name == b.name
                && a.shape == b.shape
                && a.operation.name() == b.operation.name()
                && a.operation.operands().eq(b.operation.operands());
            if !alike {
                let because = format!("one has {}, the other {}", said(a), said(b));
                return Err(differ(&a.name, because));
            }
        }
        Ok(())
    }

    /// What each node is to the sweep.
    fn kinds(&self, other: &Self, passes: &[bool]) -> Result<Vec<Kind>> {
        let mut readers: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            let operands = node.operation.operands();
            operands.for_each(|of| readers[of.0].push(index));
        }
        let outputs = self.indices(&self.outputs)?;
        // The only reader of a node that nobody else sees.
        let next = |of: usize| match readers[of][..] {
            [next] if !outputs.contains(&NodeIndex(of)) => Some(next),
            _ => None,
        };
        let mut kinds = Vec::with_capacity(self.nodes.len());
        for (index, (node, there)) in self.nodes.iter().zip(&other.nodes).enumerate() {
            let (Operation::Map { map, input }, Operation::Map { map: there, .. }) =
                (&node.operation, &there.operation)
            else {
                kinds.push(Kind::Linear);
                continue;
            };
            let Some(decided) = decided(&**map) else {
                return Err(node.unknown("DeepLift"));
            };
            if !decided || !passes[index] {
                kinds.push(Kind::Linear);
                continue;
            }
            let unit = || {
                let mut end = index;
                while let Some(next) = next(end)
                    && is_left_over(&self.nodes[next])
                {
                    end = next;
                }
                Kind::Unit {
                    end: NodeIndex(end),
                }
            };
            kinds.push(match map.structure() {
                Structure::Diagonal(_) if self.is_side(next(index), &next) => Kind::Mean,
                Structure::Diagonal(_) | Structure::SlopeMask(_) | Structure::Mask(_) => {
                    match self.at(*input).shape == node.shape {
                        true => unit(),
                        false => Kind::Mean,
                    }
                }
                Structure::Selection(choice) => match alike(choice, there.structure())? {
                    true => Kind::Linear,
                    false => Kind::Winners,
                },
                Structure::Spread(_)
                | Structure::NonNegative(_)
                | Structure::Interpolation(_)
                | Structure::Weighted(_) => Kind::Mean,
                Structure::General
                | Structure::Zero(_)
                | Structure::Identity(_)
                | Structure::Multiple(..)
                | Structure::Reshape(_)
                | Structure::View(_)
                | Structure::Placement(_) => Kind::Linear,
            });
        }
        Ok(kinds)
    }

    /// Whether a map with this only reader is one side of a product's tangent: both are decided, added up, and what they
    /// say twice is left over behind the sum.
    fn is_side(&self, reader: Option<usize>, next: &impl Fn(usize) -> Option<usize>) -> bool {
        let Some(sum) = reader else { return false };
        let Operation::Sum(terms) = &self.nodes[sum].operation else {
            return false;
        };
        let decided = |of: NodeIndex| match &self.at(of).operation {
            Operation::Map { map, .. } => decided(&**map) == Some(true),
            _ => false,
        };
        terms.len() > 1
            && terms.iter().all(|(_, of)| decided(*of))
            && next(sum).is_some_and(|next| is_left_over(&self.nodes[next]))
    }
}

/// Whether any coefficient of a map is a decision; `None` if unknown.
fn decided<B: Backend>(map: &dyn LinearMap<B>) -> Option<bool> {
    let stored = map.structure().stored()?;
    Some(stored.decisions.coefficients > 0)
}

/// Whether it is a constant that the freezing of a unit left over.
fn is_left_over<B: Backend>(node: &Node<B>) -> bool {
    matches!(
        node.operation,
        Operation::Source {
            kind: SourceKind::Unit,
            ..
        }
    )
}

/// Whether the same places won.
fn alike<B: Backend>(choice: &dyn Choice<B>, there: Structure<'_, B>) -> Result<bool> {
    let there = there.choice().map_or(Ok(None), Choice::chosen)?;
    Ok(match (choice.chosen()?, there) {
        (Some(here), Some(there)) => here == there,
        (None::<Chosen<'_>>, None) => true,
        _ => false,
    })
}

/// Δz/Δa where it is more than the tangent's slope and rounding, else that slope.
fn slope<B: Backend>(
    map: &dyn LinearMap<B>,
    [a, a1]: [FloatTensor<B>; 2],
    [z, z1]: [FloatTensor<B>; 2],
    interrupt: &Interrupt,
) -> FloatTensor<B> {
    let (device, dtype) = (a.device(), a.dtype());
    let bool_dtype = get_or_init_device_settings::<B>(&device).bool_dtype;
    let own = map.apply_until(B::float_ones(a.shape(), &device, dtype.into()), interrupt);
    let rounding = match dtype {
        DType::F64 => f64::EPSILON,
        _ => f64::from(f32::EPSILON),
    };
    let sizes = |x: &FloatTensor<B>, y: &FloatTensor<B>| {
        B::float_add(B::float_abs(x.clone()), B::float_abs(y.clone()))
    };
    let across = B::float_mul(B::float_abs(own.clone()), sizes(&a, &a1));
    let noise = B::float_add(sizes(&z, &z1), across);
    let (da, dz) = (B::float_sub(a, a1), B::float_sub(z, z1));
    let tangent = B::float_mul(own.clone(), da.clone());
    let missed = B::float_abs(B::float_sub(dz.clone(), tangent));
    // A replay rounds a few times: the gain, its product, the constant.
    let noise = B::float_mul_scalar(noise, Scalar::Float(4.0 * rounding));
    let more = B::float_greater(missed, noise, bool_dtype);
    let still = B::float_equal_elem(da.clone(), Scalar::Float(0.0), bool_dtype);
    let more = B::bool_and(more, B::bool_not(still));
    B::float_mask_where(own, more, B::float_div(dz, da))
}

/// What of Δz each of two winners is given, over its own Δ: all of it to one, of which it is a part of 0..1, and the
/// smaller part where it is one of both. So it is the winner at x₀ that is given what a maximum gained, and the one at the
/// baseline what it lost. Where the winner at x₀ does not differ its slope is that of x₀.
fn shares<B: Backend>(
    [map, there]: [&dyn LinearMap<B>; 2],
    [a, a1]: [FloatTensor<B>; 2],
    [z, z1]: [FloatTensor<B>; 2],
    interrupt: &Interrupt,
) -> [FloatTensor<B>; 2] {
    let bool_dtype = get_or_init_device_settings::<B>(&a.device()).bool_dtype;
    let [zero, one] = [0.0, 1.0].map(Scalar::Float);
    let (da, dz) = (B::float_sub(a, a1), B::float_sub(z, z1));
    let first = map.apply_until(da.clone(), interrupt);
    let second = there.apply_until(da, interrupt);
    let size = |x: &FloatTensor<B>| B::float_abs(x.clone());
    let still = |x: &FloatTensor<B>| B::float_equal_elem(x.clone(), zero, bool_dtype);
    // Whether Δz is a part of 0..1 of x.
    let is_part = |x: &FloatTensor<B>| {
        let signs = B::float_mul(B::float_sign(dz.clone()), B::float_sign(x.clone()));
        let same_side = B::float_greater_equal_elem(signs, zero, bool_dtype);
        let smaller = B::float_lower_equal(size(&dz), size(x), bool_dtype);
        B::bool_and(same_side, smaller)
    };
    let more = B::float_greater_equal(size(&first), size(&second), bool_dtype);
    let preferred = B::bool_or(more, B::bool_not(is_part(&second)));
    let (first_still, second_still) = (still(&first), still(&second));
    let to_first = B::bool_and(is_part(&first), preferred);
    let to_first = B::bool_or(to_first, second_still);
    let over = |by: FloatTensor<B>, not: BoolTensor<B>| {
        B::float_mask_fill(B::float_div(dz.clone(), by), not, zero)
    };
    let to_second = B::bool_not(to_first.clone());
    [
        B::float_mask_fill(over(first, to_second), first_still, one),
        over(second, to_first),
    ]
}

impl<B: Backend> Secant<'_, B> {
    /// The multipliers of each input for `seeds`, k multipliers `[k, ..shape]` of nodes; `None` where no seed depends on it.
    ///
    /// Linear in the seeds. For a seed s of the output, Σ m ⊙ (x₀ − x′) is ⟨s, f(x₀) − f(x′)⟩ but for what
    /// [`Secant`] says is missed; it is the caller's to tell. Cost: a sweep of k cotangents.
    ///
    /// # Errors
    /// As [`Program::backward`].
    pub fn adjoint(
        &self,
        seeds: &[(NodeId, FloatTensor<B>)],
    ) -> Result<Vec<Option<FloatTensor<B>>>> {
        let program = self.program;
        let through = |here: &Here<'_, B>, map: &dyn LinearMap<B>, q: FloatTensor<B>| {
            let interrupt = &program.interrupt;
            Ok(match &self.ways[here.index.0] {
                Way::Own => map.adjoint_until(q, interrupt),
                Way::Slope(slope) => B::float_mul(q, slope.clone()),
                Way::Mean(other) => {
                    let half = batch::scaled::<B>(q, 0.5);
                    B::float_add(
                        map.adjoint_until(half.clone(), interrupt),
                        other.adjoint_until(half, interrupt),
                    )
                }
                Way::Winners {
                    other,
                    shares: [first, second],
                } => B::float_add(
                    map.adjoint_until(B::float_mul(q.clone(), first.clone()), interrupt),
                    other.adjoint_until(B::float_mul(q, second.clone()), interrupt),
                ),
            })
        };
        program.backward_through(seeds, &program.inputs, through)
    }
}
