//! Layer-wise relevance propagation: a backward sweep in which each layer shares out what it got among its inputs.
//!
//! With a layer z = W a + b, the relevance R of its outputs and a stabiliser ε, LRP-ε gives input i
//! aᵢ (Wᵀ R / (z + ε sign z))ᵢ (Bach et al., *On pixel-wise explanations for non-linear classifier decisions by
//! layer-wise relevance propagation*, 2015); other rules put other weights in place of W. All divide by what came
//! forth at x₀, so that such a sweep is no adjoint, and no part of F.
//!
//! Of a program's nodes a *layer* is a map with weights together with what follows it before anything is decided or
//! joined: biases, and gains that do not depend on x₀ (a batch norm after a convolution is merged with it). What else
//! there is needs no choice: where each output has one input, relevance goes there whole (units, masks, pooling by
//! maximum, reshaping, norms on their own); sums, averages and interpolations share it out in proportion to what they
//! add, as LRP-ε does.

use std::sync::Arc;

use burn_backend::{
    Backend, Scalar, Shape, TensorMetadata, get_or_init_device_settings, tensor::FloatTensor,
};

use super::{
    NodeId, NodeIndex, Operation, Program, SourceKind,
    replay::part_of,
    traverse::{Along, Backwards, Constant, Here},
};
use crate::{
    coefficient::{Coefficient, Origin},
    error::{Error, Result},
    interrupt::Interrupt,
    linear::{Arrangement, LinearMap, Structure, Transform, batch},
};

/// How a layer z = W a + b shares out its relevance R among its inputs. w⁺ and w⁻ are the weights above and below 0,
/// a⁺ and a⁻ likewise; s divides R by what stands behind it, stabilised.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RelevanceRule {
    /// a ⊙ Wᵀ s(z) with a stabiliser of its own; 0 is LRP-0.
    Epsilon(f64),
    /// Weights w + γ w⁺ for outputs above 0 and w + γ w⁻ for those below, for inputs of either sign (Montavon et al.,
    /// 2019; Andéol et al., 2021).
    Gamma(f64),
    /// α times what raises z less β times what lowers it, α − β = 1 (Bach et al., 2015). α = 1 is LRP-z⁺.
    AlphaBeta(f64, f64),
    /// The same to every input, whatever the weights (Lapuschkin et al., 2019).
    Flat,
    /// In proportion to w² (Montavon et al., 2017).
    WSquare,
    /// For inputs between bounds: a ⊙ Wᵀs − l ⊙ W⁺ᵀs − h ⊙ W⁻ᵀs, s of the same difference (LRP-z-box, Montavon et al.,
    /// 2017). The bounds are the program's input's, and brought to the layer through what stands between them: a
    /// normalisation, padding, reshaping, averages.
    Box {
        /// l, a number a channel (axis 1) of the program's input, or one for all.
        low: Vec<f64>,
        /// h.
        high: Vec<f64>,
    },
}

/// A layer that a [`RelevanceRule`] is chosen for.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RelevanceLayer<'a> {
    /// The network node of its weights.
    pub name: &'a str,
    /// Its number among such layers, in order.
    pub number: usize,
    /// Whether its weights are filters: a convolution, transposed or not.
    pub convolution: bool,
    /// Whether a map with weights comes before it. Layers that have none are first.
    pub first: bool,
}

/// A weighted map, the gains and sources after it, and where they end.
#[derive(Debug)]
struct Layer<B: Backend> {
    /// The map with its gains in it.
    map: Arc<dyn LinearMap<B>>,
    input: NodeIndex,
    end: NodeIndex,
    rule: RelevanceRule,
    /// Of the layer's input, for the box: the least and the largest values, `[1, ..shape]`.
    bounds: Option<[FloatTensor<B>; 2]>,
}

impl<B: Backend> Program<B> {
    /// What relevances are swept back with: all layers with the rules that `rule` chooses, and their values at `x0`, the
    /// inputs at which the program was recorded, without a probe axis. Divisions are stabilised with `stabiliser`.
    ///
    /// Cost: a replay at x₀; memory: the values at x₀ of all layers' ends and inputs.
    ///
    /// # Errors
    /// As [`forward`](Self::forward); [`Error::Shape`] for bounds of a box that are not of the input;
    /// [`Error::NoBounds`] for a box before a layer that does not read the input.
    pub fn relevance(
        &self,
        x0: &[FloatTensor<B>],
        stabiliser: f64,
        rule: impl Fn(&RelevanceLayer<'_>) -> RelevanceRule,
    ) -> Result<Relevance<'_, B>> {
        let inputs = self.indices(&self.inputs)?;
        let passes = self.dependants(&inputs);
        let (mut layers, role) = self.relevance_layers(rule)?;
        for layer in &mut layers {
            if let RelevanceRule::Box { low, high } = &layer.rule {
                let found = self.bounds(layer.end, layer.input, [low, high], x0)?;
                layer.bounds = Some(found);
            }
        }
        let values = self.relevance_values(x0, &layers, &passes)?;
        Ok(Relevance {
            program: self,
            inputs,
            passes,
            layers,
            role,
            values,
            stabiliser,
        })
    }

    /// All layers with their rules, and of each node which layer it is a part of.
    #[allow(clippy::type_complexity)]
    fn relevance_layers(
        &self,
        rule: impl Fn(&RelevanceLayer<'_>) -> RelevanceRule,
    ) -> Result<(Vec<Layer<B>>, Vec<Option<usize>>)> {
        let mut readers: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            node.operation
                .operands()
                .for_each(|of| readers[of.0].push(index));
        }
        let outputs = self.indices(&self.outputs)?;
        let mut layers: Vec<Layer<B>> = Vec::new();
        let mut role = vec![None; self.nodes.len()];
        // Whether a node depends on any layer.
        let mut behind = vec![false; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            behind[index] |= node.operation.operands().any(|of| behind[of.0]);
            let Operation::Map { map, input } = &node.operation else {
                continue;
            };
            let Structure::Weighted(weights) = map.structure() else {
                continue;
            };
            let arrangement = weights.filters().map(|filters| filters.arrangement);
            let convolution = matches!(
                arrangement,
                Some(Arrangement::OutIn { .. } | Arrangement::InOut { .. })
            );
            let rule = rule(&RelevanceLayer {
                name: &node.name,
                number: layers.len(),
                convolution,
                first: !behind[index],
            });
            behind[index] = true;
            let (mut map, mut end) = (map.clone(), index);
            role[index] = Some(layers.len());
            while !outputs.contains(&NodeIndex(end)) {
                let [next] = readers[end][..] else { break };
                match &self.nodes[next].operation {
                    Operation::Source {
                        kind: SourceKind::Bias,
                        ..
                    } => {}
                    Operation::Map { map: gain, .. } => {
                        let Some(gain) = gain.structure().gain().filter(is_weight) else {
                            break;
                        };
                        let Some(merged) = map.structure().then_gain(&gain) else {
                            break;
                        };
                        map = merged;
                    }
                    _ => break,
                }
                role[next] = Some(layers.len());
                end = next;
            }
            layers.push(Layer {
                map: map.structure().prepared().unwrap_or(map),
                input: *input,
                end: NodeIndex(end),
                rule,
                bounds: None,
            });
        }
        Ok((layers, role))
    }

    /// Bounds of what node `at` computes, of those of the program's input, for the layer that ends at `end`.
    fn bounds(
        &self,
        end: NodeIndex,
        at: NodeIndex,
        sides: [&[f64]; 2],
        x0: &[FloatTensor<B>],
    ) -> Result<[FloatTensor<B>; 2]> {
        let refused = |because: String| {
            let node = self.at(end).name.to_string();
            Error::NoBounds { node, because }
        };
        let [x0_of_one] = x0 else {
            return Err(refused("the network has several inputs".into()));
        };
        // What keeps the order of values, or turns it round.
        let monotone = match &self.at(at).operation {
            Operation::Input(_) => {
                let [low, high] = sides.map(|values| self.side(values, x0_of_one));
                return Ok([low?, high?]);
            }
            Operation::Source { kind, .. } => *kind == SourceKind::Bias,
            Operation::Sum(terms) => terms.len() == 1,
            Operation::Concat { .. } => true,
            Operation::Map { map, .. } => match map.structure() {
                Structure::Zero(_)
                | Structure::Identity(_)
                | Structure::Multiple(..)
                | Structure::Reshape(_)
                | Structure::View(_)
                | Structure::Selection(_)
                | Structure::Placement(_)
                | Structure::Spread(_)
                | Structure::NonNegative(_) => true,
                structure @ Structure::Diagonal(_) => {
                    structure.gain().is_some_and(|gain| is_weight(&gain))
                }
                Structure::General
                | Structure::SlopeMask(_)
                | Structure::Mask(_)
                | Structure::Interpolation(_)
                | Structure::Weighted(_) => false,
            },
        };
        if !monotone {
            let (node, word) = (&self.at(at).name, self.at(at).operation.name());
            return Err(refused(format!(
                "\"{node}\" ({word}) lies between the input and this layer"
            )));
        }
        let mut starts = [Vec::new(), Vec::new()];
        for of in self.at(at).operation.operands() {
            let found = self.bounds(end, of, sides, x0)?;
            for (starts, side) in starts.iter_mut().zip(found) {
                starts.push((self.tag.id(of), side));
            }
        }
        let [low, high] = starts.map(|starts| {
            let found = self.forward(&starts, &[self.tag.id(at)], true)?;
            Ok::<_, Error>(found.into_iter().next().expect("one stop"))
        });
        let (low, high) = (low?, high?);
        let bool_dtype = get_or_init_device_settings::<B>(&low.device()).bool_dtype;
        let turned = B::float_greater(low.clone(), high.clone(), bool_dtype);
        Ok([
            B::float_mask_where(low.clone(), turned.clone(), high.clone()),
            B::float_mask_where(high, turned, low),
        ])
    }

    /// A number a channel, or one for all, as the program's input, `[1, ..shape]`.
    fn side(&self, values: &[f64], x0: &FloatTensor<B>) -> Result<FloatTensor<B>> {
        let shape = x0.shape();
        let channels = shape.get(1).copied().unwrap_or(1);
        if values.len() != channels && values.len() != 1 {
            return Err(Error::Shape {
                what: "the bounds of the box".into(),
                got: vec![values.len()],
                expected: vec![channels],
                hint: "; give one number per input channel, or one for all".into(),
            });
        }
        let mut dims = vec![1; shape.num_dims() + 1];
        if values.len() == channels && shape.num_dims() > 1 {
            dims[2] = channels;
        }
        let data = burn_backend::TensorData::new(values.to_vec(), dims);
        let side = B::float_from_data(data.convert_dtype(x0.dtype()), &x0.device());
        Ok(B::float_expand(side, batch::shape_of(1, &shape)))
    }

    /// The values at x₀ that rules divide by and multiply with, each `[1, ..shape]`.
    fn relevance_values(
        &self,
        x0: &[FloatTensor<B>],
        layers: &[Layer<B>],
        passes: &[bool],
    ) -> Result<Vec<Option<FloatTensor<B>>>> {
        let mut needed = vec![false; self.nodes.len()];
        for layer in layers {
            (needed[layer.input.0], needed[layer.end.0]) = (true, true);
        }
        for (index, node) in self.nodes.iter().enumerate() {
            let shares = match &node.operation {
                Operation::Sum(terms) => terms.len() > 1,
                Operation::Map { map, .. } => shares_out(map.structure()),
                _ => false,
            };
            if shares && passes[index] {
                needed[index] = true;
                node.operation.operands().for_each(|of| needed[of.0] = true);
            }
        }
        self.values_at(x0, &needed)
    }
}

fn is_weight<T>(gain: &Coefficient<T>) -> bool {
    gain.origin() == Origin::Weight
}

/// Whether an output may have several inputs, and fixed weights.
fn shares_out<B: Backend>(structure: Structure<'_, B>) -> bool {
    match structure {
        Structure::NonNegative(_) | Structure::Interpolation(_) | Structure::Spread(_) => true,
        Structure::General
        | Structure::Zero(_)
        | Structure::Identity(_)
        | Structure::Multiple(..)
        | Structure::Diagonal(_)
        | Structure::SlopeMask(_)
        | Structure::Mask(_)
        | Structure::Reshape(_)
        | Structure::View(_)
        | Structure::Selection(_)
        | Structure::Placement(_)
        | Structure::Weighted(_) => false,
    }
}

/// A program's layers with their rules and values at x₀, which relevances go back through. Made by
/// [`Program::relevance`].
#[derive(Debug)]
pub struct Relevance<'a, B: Backend> {
    program: &'a Program<B>,
    inputs: Vec<NodeIndex>,
    /// The nodes that depend on an input.
    passes: Vec<bool>,
    layers: Vec<Layer<B>>,
    /// The layer that a node is part of.
    role: Vec<Option<usize>>,
    /// At x₀, of the nodes whose values are asked for.
    values: Vec<Option<FloatTensor<B>>>,
    stabiliser: f64,
}

impl<B: Backend> Relevance<'_, B> {
    /// The relevance of each input for `seeds`, relevances `[k, ..shape]` of nodes; `None` where no seed depends on
    /// it.
    ///
    /// Σ over the inputs misses Σ over the seeds by what biases and stabilisers take; it is the caller's to tell.
    ///
    /// Cost: a sweep of one adjoint a layer for [`RelevanceRule::Epsilon`], 2 for z⁺, 4 for other rules, of k relevances
    /// each.
    ///
    /// # Errors
    /// As [`Program::backward`]; [`Error::GeneralMap`] for a map of which nothing is known.
    pub fn of(&self, seeds: &[(NodeId, FloatTensor<B>)]) -> Result<Vec<Option<FloatTensor<B>>>> {
        let seeds = self.program.batches("the relevance", seeds)?;
        let mut sweep = Sweep(self);
        self.program
            .backwards(seeds, &self.inputs, &self.passes, &mut sweep)
    }

    fn interrupt(&self) -> &Interrupt {
        &self.program.interrupt
    }

    fn value(&self, of: NodeIndex) -> FloatTensor<B> {
        let value = self.values[of.0].clone();
        value.expect("values of layers and of what shares out are kept")
    }

    /// R / (z + ε sign z), where the sign of 0 is 1. Without a stabiliser nothing is said where z is 0.
    fn over(&self, r: FloatTensor<B>, z: FloatTensor<B>, stabiliser: f64) -> FloatTensor<B> {
        let bool_dtype = get_or_init_device_settings::<B>(&z.device()).bool_dtype;
        let zero = B::float_equal_elem(z.clone(), Scalar::Float(0.0), bool_dtype);
        let sign = B::float_sign(z.clone());
        let sign = B::float_mask_fill(sign, zero.clone(), Scalar::Float(1.0));
        let z = B::float_add(z, B::float_mul_scalar(sign, Scalar::Float(stabiliser)));
        if stabiliser > 0.0 {
            return B::float_div(r, z);
        }
        let z = B::float_mask_fill(z, zero.clone(), Scalar::Float(1.0));
        let quotient = B::float_div(r, z);
        let zero = B::bool_expand(zero, quotient.shape());
        B::float_mask_fill(quotient, zero, Scalar::Float(0.0))
    }

    /// R of a layer's end as that of its input.
    fn through(&self, layer: &Layer<B>, from: &Shape, r: FloatTensor<B>) -> Result<FloatTensor<B>> {
        let (a, z) = (self.value(layer.input), self.value(layer.end));
        let apply = |map: &Arc<dyn LinearMap<B>>, x: &FloatTensor<B>| {
            map.apply_until(x.clone(), self.interrupt())
        };
        let back = |map: &Arc<dyn LinearMap<B>>, s: &FloatTensor<B>| {
            map.adjoint_until(s.clone(), self.interrupt())
        };
        let with = |transform| match layer.map.structure().weights() {
            Some(weights) => {
                let made = weights.with_weights(transform);
                Ok(made.structure().prepared().unwrap_or(made))
            }
            None => Err(self.program.at(layer.end).unknown("a relevance")),
        };
        let above = |x: FloatTensor<B>| B::float_clamp_min(x, Scalar::Float(0.0));
        let below = |x: FloatTensor<B>| B::float_clamp_max(x, Scalar::Float(0.0));
        let times = |a: FloatTensor<B>, c: FloatTensor<B>| B::float_mul(c, a);
        let scaled = batch::scaled::<B>;
        // What the biases add: the rest of z.
        let bias = || B::float_sub(z.clone(), apply(&layer.map, &a));
        Ok(match &layer.rule {
            RelevanceRule::Epsilon(epsilon) => {
                let s = self.over(r, z, *epsilon);
                times(a, back(&layer.map, &s))
            }
            RelevanceRule::AlphaBeta(alpha, beta) => {
                let (up, down) = (with(Transform::Positive)?, with(Transform::Negative)?);
                let b = bias();
                let signs = [above(a.clone()), below(a)];
                let half = |b, maps| self.by_sign(&signs, maps, (apply, back), b, r.clone());
                let raised = scaled(half(above(b.clone()), [&up, &down]), *alpha);
                match *beta {
                    0.0 => raised,
                    beta => B::float_sub(raised, scaled(half(below(b), [&down, &up]), beta)),
                }
            }
            RelevanceRule::Gamma(gamma) => {
                let (up, down) = (with(Transform::Positive)?, with(Transform::Negative)?);
                let b = bias();
                let signs = [above(a.clone()), below(a)];
                let bool_dtype = get_or_init_device_settings::<B>(&z.device()).bool_dtype;
                let kept = |r: &FloatTensor<B>, where_not| {
                    let where_not = B::bool_expand(where_not, r.shape());
                    B::float_mask_fill(r.clone(), where_not, Scalar::Float(0.0))
                };
                // (W + γ W′) x, and its adjoint.
                let apply_both = |first: &Arc<dyn LinearMap<B>>, x: &FloatTensor<B>| {
                    B::float_add(apply(&layer.map, x), scaled(apply(first, x), *gamma))
                };
                let back_both = |first: &Arc<dyn LinearMap<B>>, s: &FloatTensor<B>| {
                    B::float_add(back(&layer.map, s), scaled(back(first, s), *gamma))
                };
                let half = |b, maps, r| self.by_sign(&signs, maps, (apply_both, back_both), b, r);
                let zero = Scalar::Float(0.0);
                let not_above = B::float_lower_equal_elem(z.clone(), zero, bool_dtype);
                let not_below = B::float_greater_equal_elem(z.clone(), zero, bool_dtype);
                let more = |b: FloatTensor<B>| scaled(b, *gamma);
                let b_up = B::float_add(b.clone(), more(above(b.clone())));
                let b_down = B::float_add(b.clone(), more(below(b)));
                B::float_add(
                    half(b_up, [&up, &down], kept(&r, not_above)),
                    half(b_down, [&down, &up], kept(&r, not_below)),
                )
            }
            rule @ (RelevanceRule::Flat | RelevanceRule::WSquare) => {
                let squared = *rule == RelevanceRule::WSquare;
                let map = with(if squared {
                    Transform::Squared
                } else {
                    Transform::Ones
                })?;
                let ones = B::float_ones(batch::shape_of(1, from), &a.device(), a.dtype().into());
                let mut z = apply(&map, &ones);
                if squared {
                    let b = bias();
                    z = B::float_add(z, B::float_mul(b.clone(), b));
                }
                back(&map, &self.over(r, z, self.stabiliser))
            }
            RelevanceRule::Box { .. } => {
                let (up, down) = (with(Transform::Positive)?, with(Transform::Negative)?);
                let bounds = layer.bounds.clone();
                let [low, high] = bounds.expect("every box has its bounds");
                let z = B::float_sub(
                    B::float_sub(apply(&layer.map, &a), apply(&up, &low)),
                    apply(&down, &high),
                );
                let s = self.over(r, z, self.stabiliser);
                B::float_sub(
                    B::float_sub(times(a, back(&layer.map, &s)), times(low, back(&up, &s))),
                    times(high, back(&down, &s)),
                )
            }
        })
    }

    /// a⁺ ⊙ W₁ᵀs + a⁻ ⊙ W₂ᵀs with s of W₁a⁺ + W₂a⁻ + b, for two maps and what applies them, forth and back.
    fn by_sign(
        &self,
        [high, low]: &[FloatTensor<B>; 2],
        [first, second]: [&Arc<dyn LinearMap<B>>; 2],
        (apply, back): (
            impl Fn(&Arc<dyn LinearMap<B>>, &FloatTensor<B>) -> FloatTensor<B>,
            impl Fn(&Arc<dyn LinearMap<B>>, &FloatTensor<B>) -> FloatTensor<B>,
        ),
        b: FloatTensor<B>,
        r: FloatTensor<B>,
    ) -> FloatTensor<B> {
        let z = B::float_add(apply(first, high), apply(second, low));
        let s = self.over(r, B::float_add(z, b), self.stabiliser);
        B::float_add(
            B::float_mul(back(first, &s), high.clone()),
            B::float_mul(back(second, &s), low.clone()),
        )
    }
}

/// k relevances on their way back.
struct Sweep<'a, B: Backend>(&'a Relevance<'a, B>);

impl<B: Backend> Backwards<B> for Sweep<'_, B> {
    type Value = FloatTensor<B>;

    fn map(
        &mut self,
        here: &Here<'_, B>,
        map: &Arc<dyn LinearMap<B>>,
        from: &Shape,
        r: FloatTensor<B>,
    ) -> Result<FloatTensor<B>> {
        let relevance = self.0;
        if let Some(number) = relevance.role[here.index.0] {
            return match map.structure() {
                Structure::Weighted(_) => relevance.through(&relevance.layers[number], from, r),
                // A gain that is in the weights before it.
                _ => Ok(r),
            };
        }
        let input = || {
            here.node
                .operation
                .operands()
                .next()
                .expect("a map has one")
        };
        Ok(match map.structure() {
            Structure::General => return Err(here.node.unknown("a relevance")),
            // A unit, a norm on its own: one input an output.
            Structure::Multiple(..)
            | Structure::Diagonal(_)
            | Structure::SlopeMask(_)
            | Structure::Mask(_) => r,
            Structure::Zero(_)
            | Structure::Identity(_)
            | Structure::Reshape(_)
            | Structure::View(_)
            | Structure::Selection(_)
            | Structure::Placement(_) => map.adjoint_until(r, relevance.interrupt()),
            Structure::Spread(_) | Structure::NonNegative(_) | Structure::Interpolation(_) => {
                let s = relevance.over(r, relevance.value(here.index), relevance.stabiliser);
                B::float_mul(
                    map.adjoint_until(s, relevance.interrupt()),
                    relevance.value(input()),
                )
            }
            Structure::Weighted(_) => unreachable!("every map with weights is in a layer"),
        })
    }

    fn source(
        &mut self,
        _here: &Here<'_, B>,
        _b: &Constant<B>,
        r: FloatTensor<B>,
    ) -> Result<FloatTensor<B>> {
        Ok(r)
    }

    fn term(
        &mut self,
        here: &Here<'_, B>,
        of: NodeIndex,
        c: f64,
        _size: f64,
        r: FloatTensor<B>,
    ) -> FloatTensor<B> {
        let relevance = self.0;
        // Of one term alone.
        let Some(z) = relevance.values[here.index.0].clone() else {
            return r;
        };
        let s = relevance.over(r, z, relevance.stabiliser);
        batch::scaled::<B>(B::float_mul(s, relevance.value(of)), c)
    }

    fn part(
        &mut self,
        here: &Here<'_, B>,
        along: Along,
        r: FloatTensor<B>,
    ) -> Option<FloatTensor<B>> {
        Some(part_of::<B>(here, along, r))
    }

    fn add(&mut self, sum: FloatTensor<B>, r: FloatTensor<B>) -> FloatTensor<B> {
        B::float_add(sum, r)
    }
}
