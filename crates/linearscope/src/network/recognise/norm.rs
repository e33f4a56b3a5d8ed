//! Norms that Burn and exporters decompose: y = (x − m)/q, or x/q, with statistics m and q of x.
//!
//! ```text
//! m = mean(x)      d = x − m      q = √(mean(d²) + ε)      y = d / q
//! ```
//!
//! in any of its spellings: sums over n for means, one or several axes, E[x²] − m² for the variance,
//! a power of ½ or −½ for the root, a reciprocal and a product for the quotient, γ multiplied into
//! it first, y = x s + (β − m s). Without m it is an RMS norm; with a sum for the mean and max(·, ε)
//! for + ε, an L2 or Lp norm's quotient; with a pool over channels, a local response norm.
//!
//! Freezing a norm means reading m and q (or q alone) at x₀; so the ops that begin their computation
//! get a [`Role`] and run on the reference only. Everything else is linear then, by the ordinary rows
//! of the decorator: subtracting m, dividing by q, the affine part, the reshapes around.
//!
//! An Lp norm that divides nothing, (Σ |x|ᵖ)^(1/p), is an output of its own, as in Lp pooling: its
//! ops take their tangents, which make Σ ∂‖x₀‖/∂x₀ · x₁ together, 0 at 0.

use burn_ir::{
    BaseOperationIr, ModuleOperationIr, NumericOperationIr, OperationIr, TensorId, TensorIr,
};

use super::{
    Role,
    entrywise::{Entrywise, Function},
    graph::Graph,
};
use crate::smooth::Smooth;

/// The steps of one norm, found backwards from where it is applied.
#[derive(Default)]
struct Norm {
    /// Every step of its statistics.
    members: Vec<usize>,
    /// Those that begin the means it subtracts.
    means: Vec<usize>,
    /// Those that first take a power or a size of what it measures.
    powers: Vec<usize>,
    /// m · s, where it is applied as x s + (β − m s).
    shift: Option<usize>,
}

/// What a measure is made of: a root (or a reciprocal one) of a mean of powers.
struct Measure {
    /// The tensor it measures, [`Graph::root`]ed.
    of: TensorId,
    /// The product of all powers taken, 1 for a norm, −1 for its reciprocal.
    exponent: f64,
    /// Whether something was added inside.
    shifted: bool,
}

impl Graph<'_> {
    /// The tensor this one is a rearrangement of.
    fn root(&self, id: TensorId) -> TensorId {
        match self
            .maker(id)
            .and_then(|(_, operation)| rearranged(operation))
        {
            Some(input) => self.root(input.id),
            None => id,
        }
    }

    /// The same, noting the steps that rearrange.
    fn through(&self, id: TensorId, steps: &mut Vec<usize>) -> TensorId {
        match self.maker(id) {
            Some((index, operation)) => match rearranged(operation) {
                Some(input) => {
                    steps.push(index);
                    self.through(input.id, steps)
                }
                None => id,
            },
            None => id,
        }
    }

    /// The one operand of an op that depends on the input.
    fn only_dependent<'b>(&self, operation: &'b OperationIr) -> Option<&'b TensorIr> {
        let mut reads = operation.inputs().filter(|t| self.depends(t.id));
        let first = reads.next()?;
        reads.all(|t| t.id == first.id).then_some(first)
    }

    /// Skip rearrangements, reductions and constant factors; whether there was a reduction, and the
    /// last step that reduced.
    fn through_reductions(&self, id: TensorId, norm: &mut Norm) -> (TensorId, Option<usize>) {
        let (mut id, mut reduced) = (id, None);
        while let Some((index, operation)) = self.maker(id) {
            let next = match rearranged(operation) {
                Some(input) => input.id,
                None if self.scales(operation) => match self.only_dependent(operation) {
                    Some(input) => input.id,
                    None => break,
                },
                None => match reduction(operation) {
                    Some(input) => {
                        reduced = Some(index);
                        input.id
                    }
                    None => break,
                },
            };
            norm.members.push(index);
            id = next;
        }
        (id, reduced)
    }

    /// Whether an op multiplies one dependent operand by constants.
    fn scales(&self, operation: &OperationIr) -> bool {
        match Entrywise::of(operation).map(|op| op.function) {
            Some(Function::Scale(_)) => true,
            Some(Function::Product) => self.only_dependent(operation).is_some_and(|dependent| {
                operation.inputs().filter(|t| t.id == dependent.id).count() == 1
            }),
            Some(Function::Quotient) => {
                let mut inputs = operation.inputs();
                let first = inputs.next().is_some_and(|t| self.depends(t.id));
                first && inputs.all(|t| !self.depends(t.id))
            }
            _ => false,
        }
    }

    /// If `id` is the mean of a tensor: that tensor's root, and the step that begins the mean.
    fn mean(&self, id: TensorId, norm: &mut Norm) -> Option<(TensorId, usize)> {
        let (of, begins) = self.through_reductions(id, norm);
        Some((self.root(of), begins?))
    }

    /// If `id` is x − mean(x): x's root.
    fn centred(&self, id: TensorId, norm: &mut Norm) -> Option<TensorId> {
        let mut found = Norm::default();
        let id = self.through(id, &mut found.members);
        let (index, OperationIr::NumericFloat(_, NumericOperationIr::Sub(op))) = self.maker(id)?
        else {
            return None;
        };
        let (of, begins) = self.mean(op.rhs.id, &mut found)?;
        if of != self.root(op.lhs.id) {
            return None;
        }
        norm.members.push(index);
        norm.members.extend(found.members);
        norm.means.push(begins);
        Some(of)
    }

    /// If `id` is a power of a tensor's size: that tensor and the exponent.
    fn power(&self, id: TensorId, norm: &mut Norm) -> Option<(TensorId, f64)> {
        let (index, operation) = self.maker(id)?;
        let (of, exponent) = match operation {
            OperationIr::NumericFloat(_, NumericOperationIr::Mul(op)) if op.lhs.id == op.rhs.id => {
                (op.lhs.id, 2.0)
            }
            // x − m twice, as two ops.
            OperationIr::NumericFloat(_, NumericOperationIr::Mul(op)) => {
                let (mut left, mut right) = (Norm::default(), Norm::default());
                let x = self.centred(op.lhs.id, &mut left)?;
                if self.centred(op.rhs.id, &mut right)? != x {
                    return None;
                }
                norm.members.extend(right.members);
                norm.means.extend(right.means);
                (op.lhs.id, 2.0)
            }
            operation => match Entrywise::of(operation)? {
                Entrywise {
                    function: Function::Smooth(Smooth::Power(c)),
                    operands,
                    ..
                } if c > 0.0 => (operands[0].id, c),
                Entrywise {
                    function: Function::Abs,
                    operands,
                    ..
                } => (operands[0].id, 1.0),
                _ => return None,
            },
        };
        norm.members.push(index);
        // |x|ᵖ is a power of a size.
        let mut inner = Norm::default();
        if let Some((deeper, more)) = self.power(of, &mut inner) {
            norm.members.extend(inner.members);
            norm.powers.extend(inner.powers);
            return Some((deeper, exponent * more));
        }
        norm.powers.push(index);
        Some((of, exponent))
    }

    /// If `id` is E[x²] − E[x]²: x's root.
    fn difference_of_squares(&self, id: TensorId, norm: &mut Norm) -> Option<TensorId> {
        let (index, OperationIr::NumericFloat(_, NumericOperationIr::Sub(op))) = self.maker(id)?
        else {
            return None;
        };
        let mut found = Norm::default();
        found.members.push(index);
        let (squares, reduced) = self.through_reductions(op.lhs.id, &mut found);
        reduced?;
        let (x, 2.0) = self.power(squares, &mut found)? else {
            return None;
        };
        let square = self.through(op.rhs.id, &mut found.members);
        let (mean, 2.0) = self.power(square, &mut found)? else {
            return None;
        };
        let (of, begins) = self.mean(mean, &mut found)?;
        if of != self.root(x) {
            return None;
        }
        norm.members.extend(found.members);
        norm.powers.extend(found.powers);
        norm.means.push(begins);
        Some(of)
    }

    /// If `id` is a measure of a tensor: of which, and how.
    fn measure(&self, id: TensorId, norm: &mut Norm) -> Option<Measure> {
        let (mut id, mut exponent, mut shifted) = (id, 1.0, false);
        loop {
            if let Some(of) = self.difference_of_squares(id, norm) {
                exponent *= 2.0;
                return Some(Measure {
                    of,
                    exponent,
                    shifted,
                });
            }
            // A reduction ends the outer part.
            let mut found = Norm::default();
            let (inner, reduced) = self.through_reductions(id, &mut found);
            if reduced.is_some() {
                norm.members.extend(found.members);
                let (of, power) = self.power(inner, norm)?;
                let of = self.centred(of, norm).unwrap_or_else(|| self.root(of));
                return Some(Measure {
                    of,
                    exponent: exponent * power,
                    shifted,
                });
            }
            let (index, operation) = self.maker(id)?;
            let next = match rearranged(operation) {
                Some(input) => input,
                None => {
                    let next = self.only_dependent(operation)?;
                    match Entrywise::of(operation)?.function {
                        Function::Shift(_) | Function::Sum(_) => shifted = true,
                        Function::Clamp(..) | Function::Scale(_) => {}
                        Function::Product if self.scales(operation) => {}
                        Function::Quotient if self.scales(operation) => {}
                        // A constant over it.
                        Function::Quotient => exponent = -exponent,
                        Function::Smooth(h) => exponent *= power(h)?,
                        _ => return None,
                    }
                    next
                }
            };
            norm.members.push(index);
            id = next.id;
        }
    }

    /// The norm that is applied at a step, if one is: x − m or x divided by its measure, or multiplied
    /// by the reciprocal.
    fn norm(&self, index: usize) -> Option<Norm> {
        let (sides, wanted): (Vec<(TensorId, TensorId)>, f64) = match &self.steps[index].operation {
            OperationIr::NumericFloat(_, NumericOperationIr::Div(op)) => {
                (vec![(op.lhs.id, op.rhs.id)], 1.0)
            }
            OperationIr::NumericFloat(_, NumericOperationIr::Mul(op)) => {
                (vec![(op.lhs.id, op.rhs.id), (op.rhs.id, op.lhs.id)], -1.0)
            }
            _ => return None,
        };
        sides.into_iter().find_map(|(applied, by)| {
            let mut norm = Norm::default();
            let measure = self.measure(by, &mut norm)?;
            if measure.exponent * wanted <= 0.0 {
                return None;
            }
            let centred = self.centred(applied, &mut norm);
            let x = centred.unwrap_or_else(|| self.root(applied));
            if x != measure.of {
                return None;
            }
            norm.shift = self.folded_shift(by, &norm);
            let own = |reader: usize| {
                reader == index || norm.shift == Some(reader) || norm.members.contains(&reader)
            };
            let private = norm.members.iter().all(|&member| self.private(member, own));
            private.then_some(norm)
        })
    }

    /// m · s, in y = x s + (β − m s): it reads nothing but the norm's own statistics, and one op reads
    /// it.
    fn folded_shift(&self, by: TensorId, norm: &Norm) -> Option<usize> {
        let inside = |id: TensorId| {
            self.maker(id)
                .is_some_and(|(step, _)| norm.members.contains(&step))
        };
        self.readers(by).iter().copied().find(|&reader| {
            let operation = &self.steps[reader].operation;
            matches!(
                operation,
                OperationIr::NumericFloat(_, NumericOperationIr::Mul(op))
                    if inside(op.lhs.id) && inside(op.rhs.id) && op.lhs.id != op.rhs.id
            ) && operation
                .outputs()
                .all(|out| self.readers(out.id).len() == 1)
        })
    }

    /// The Lp norm that ends in a step, if one does: a root of a sum of powers whose exponents cancel.
    fn lp_norm(&self, index: usize) -> Option<Norm> {
        let out = self.steps[index].operation.outputs().next()?;
        let exponent = match Entrywise::of(&self.steps[index].operation)?.function {
            Function::Smooth(h) => power(h)?,
            _ => return None,
        };
        let mut norm = Norm::default();
        let measure = self.measure(out.id, &mut norm)?;
        let homogeneous = (measure.exponent - 1.0).abs() < 1e-6 && !measure.shifted;
        let own = |reader: usize| norm.members.contains(&reader);
        let mut inner = norm.members.iter().filter(|&&member| member != index);
        let private = inner.all(|&member| self.private(member, own));
        (exponent > 0.0 && homogeneous && private).then_some(norm)
    }
}

/// What an op rearranges, if that is all it does.
fn rearranged(operation: &OperationIr) -> Option<&TensorIr> {
    use BaseOperationIr as B;
    match operation {
        OperationIr::BaseFloat(B::Reshape(op) | B::Expand(op)) => Some(&op.input),
        OperationIr::BaseFloat(B::SwapDims(op)) => Some(&op.input),
        OperationIr::BaseFloat(B::Permute(op)) => Some(&op.input),
        OperationIr::BaseFloat(B::Cast(op)) => Some(&op.input),
        _ => None,
    }
}

/// What an op takes sums or means of.
fn reduction(operation: &OperationIr) -> Option<&TensorIr> {
    use NumericOperationIr as N;
    match operation {
        OperationIr::NumericFloat(_, N::MeanDim(op) | N::SumDim(op)) => Some(&op.input),
        OperationIr::NumericFloat(_, N::Mean(op) | N::Sum(op)) => Some(&op.input),
        OperationIr::NumericFloat(_, N::SumDims(op)) => Some(&op.input),
        // Padding before a pool.
        OperationIr::NumericFloat(_, N::Pad(op)) => Some(&op.input),
        OperationIr::Module(ModuleOperationIr::AvgPool1d(op)) => Some(&op.x),
        OperationIr::Module(ModuleOperationIr::AvgPool2d(op)) => Some(&op.x),
        OperationIr::Module(ModuleOperationIr::AdaptiveAvgPool1d(op)) => Some(&op.x),
        OperationIr::Module(ModuleOperationIr::AdaptiveAvgPool2d(op)) => Some(&op.x),
        _ => None,
    }
}

/// The exponent of a power, √x and 1/x among them.
fn power(h: Smooth) -> Option<f64> {
    match h {
        Smooth::Power(c) => Some(c),
        Smooth::Sqrt => Some(0.5),
        Smooth::Recip => Some(-1.0),
        _ => None,
    }
}

/// Give the ops of norms their roles; how many norms there are.
pub(super) fn norms(graph: &Graph<'_>, roles: &mut [Role]) -> usize {
    let mut count = 0;
    for index in 0..graph.steps.len() {
        let Some(norm) = graph.norm(index) else {
            continue;
        };
        if norm
            .members
            .iter()
            .any(|&member| roles[member] != Role::Plain)
        {
            continue;
        }
        count += 1;
        for &part in norm.members.iter().chain(&norm.shift).chain([&index]) {
            roles[part] = Role::NormPart;
        }
        for power in norm.powers {
            roles[power] = Role::NormSpread;
        }
        for mean in norm.means {
            roles[mean] = Role::NormMean;
        }
    }
    for index in 0..graph.steps.len() {
        if let Some(norm) = graph.lp_norm(index)
            && norm
                .members
                .iter()
                .all(|&member| roles[member] == Role::Plain)
        {
            for member in norm.members {
                roles[member] = Role::Tangent;
            }
        }
    }
    count
}
