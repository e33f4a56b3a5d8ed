//! Chains: maximal runs of entrywise ops from one tensor x to one tensor y = h(x).
//!
//! A chain has one entry and one exit; other operands are constants of one number. Leading and
//! trailing ops that are piecewise linear stay outside: tanh(relu(x)) and tanh(2x + 1) are a tanh by
//! its own rule, after a relu or a linear map by theirs. What is left becomes a
//! [`Composite`](super::Composite) if
//!
//! - it is more than one op and not piecewise linear, and
//! - the ops' own rules would not already give the line through (0, h(0)) and (x₀, h(x₀)), as they do
//!   for x · sigmoid(x), elu, softsign or x + sin²(x).
//!
//! sign has no rule of its own. In a chain that stays outside it reads the reference only, so that
//! soft shrink, x − λ sign(x), keeps its slope and its plateau.

use std::collections::{HashMap, HashSet};

use burn_ir::{TensorId, TensorIr};

use super::{
    Composite, Role, Whole,
    entrywise::{Dual, Entrywise, Function},
    graph::Graph,
};
use crate::rules::composite;

/// How a tensor of a chain depends on the chain's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Constant,
    /// A mask, a sign: piecewise constant.
    Decision,
    Affine,
    Piecewise,
    Smooth,
}

/// The steps of a chain, in order, between entry and exit.
#[derive(Clone, Debug)]
struct Chain<'a> {
    entry: &'a TensorIr,
    steps: Vec<usize>,
    exit: TensorId,
}

/// What the ops' own rules make of a tensor: whether their line passes through (0, its value there).
#[derive(Clone, Copy, Debug)]
struct Line {
    kind: Kind,
    zero: f64,
    anchored: bool,
    gate: bool,
}

/// Steps of a chain are few; longer runs are cut by what they read.
const LONGEST: usize = 200;

/// Find the chains of a network; they never overlap.
pub(super) fn chains(graph: &Graph<'_>, roles: &mut [Role], composites: &mut Vec<Composite>) {
    let mut taken: HashSet<usize> = HashSet::new();
    for exit in (0..graph.steps.len()).rev() {
        let free = |step: usize| roles[step] == Role::Plain && !taken.contains(&step);
        let Some(chain) = free(exit).then(|| graph.chain(exit, &free)).flatten() else {
            continue;
        };
        taken.extend(&chain.steps);
        let core = graph.core(&chain).filter(|core| graph.worth(core));
        let inside: &[usize] = core.as_ref().map_or(&[], |core| &core.steps);
        let passes = graph.kinds(&chain)[&chain.exit] > Kind::Decision;
        for &step in chain.steps.iter().filter(|step| !inside.contains(step)) {
            if passes && matches!(graph.entrywise(step).function, Function::Sign) {
                roles[step] = Role::Decision;
            }
        }
        if let Some(core) = core {
            for &step in &core.steps {
                roles[step] = Role::Member(composites.len());
            }
            composites.push(graph.composite(&core));
        }
    }
}

impl<'g> Graph<'g> {
    fn entrywise(&self, step: usize) -> Entrywise<'g> {
        Entrywise::of(&self.steps[step].operation).expect("a chain's ops are entrywise")
    }

    /// Whether a step can be part of a chain: entrywise, no broadcast, constants of one number.
    fn fits(&self, step: usize) -> bool {
        let Some(op) = Entrywise::of(&self.steps[step].operation) else {
            return false;
        };
        self.depends(op.out.id)
            && op.operands.iter().all(|operand| {
                if self.depends(operand.id) {
                    operand.shape == op.out.shape
                } else {
                    self.constant(operand).is_some()
                }
            })
    }

    /// The longest chain that ends in a step.
    fn chain(&self, exit: usize, free: &impl Fn(usize) -> bool) -> Option<Chain<'g>> {
        if !self.fits(exit) {
            return None;
        }
        let out = self.entrywise(exit).out;
        if !out.dtype.is_float() {
            return None;
        }
        // Everything upstream whose readers all lead here.
        let mut steps = vec![exit];
        loop {
            let operands = steps.iter().flat_map(|&step| self.entrywise(step).operands);
            let makers = operands.filter_map(|operand| Some(self.maker(operand.id)?.0));
            let next = makers.into_iter().find(|&maker| {
                !steps.contains(&maker)
                    && free(maker)
                    && self.fits(maker)
                    && self.private(maker, |reader| steps.contains(&reader))
            });
            match next {
                Some(maker) if steps.len() < LONGEST => steps.push(maker),
                _ => break,
            }
        }
        steps.sort_unstable();
        // The earliest tensor through which everything passes.
        let mut entries: Vec<&TensorIr> = Vec::new();
        for &step in &steps {
            for operand in self.entrywise(step).operands {
                if operand.dtype.is_float()
                    && self.depends(operand.id)
                    && entries.iter().all(|entry| entry.id != operand.id)
                {
                    entries.push(operand);
                }
            }
        }
        let chains = entries.into_iter().filter_map(|entry| {
            let chain = self.after(entry, &steps, out.id)?;
            (chain.steps.last() == Some(&exit)).then_some(chain)
        });
        chains.max_by_key(|chain| chain.steps.len())
    }

    /// The steps after `entry`, if they read nothing else but constants.
    fn after(&self, entry: &'g TensorIr, steps: &[usize], exit: TensorId) -> Option<Chain<'g>> {
        let mut inside: HashSet<TensorId> = [entry.id].into();
        let mut after = Vec::new();
        for &step in steps {
            let op = self.entrywise(step);
            let reads = op.operands.iter().filter(|t| self.depends(t.id));
            let known: Vec<bool> = reads.map(|t| inside.contains(&t.id)).collect();
            // Made before the entry, or the entry itself.
            if op.out.id == entry.id || !known.contains(&true) {
                continue;
            }
            if known.contains(&false) {
                return None;
            }
            inside.insert(op.out.id);
            after.push(step);
        }
        inside.contains(&exit).then_some(Chain {
            entry,
            steps: after,
            exit,
        })
    }

    fn kinds(&self, chain: &Chain<'_>) -> HashMap<TensorId, Kind> {
        let lines = self.lines(chain);
        lines
            .into_iter()
            .map(|(id, line)| (id, line.kind))
            .collect()
    }

    /// The chain without piecewise-linear ends.
    fn core(&self, chain: &Chain<'g>) -> Option<Chain<'g>> {
        let mut core = chain.clone();
        let kinds = self.kinds(&core);
        let waists = |chain: &Chain<'g>| -> Vec<&'g TensorIr> {
            let outs = chain.steps.iter().map(|&step| self.entrywise(step).out);
            outs.filter(|out| out.dtype.is_float() && out.id != chain.exit)
                .collect()
        };
        for waist in waists(&core) {
            if kinds[&waist.id] <= Kind::Piecewise
                && let Some(rest) = self.after(waist, &chain.steps, chain.exit)
                && rest.steps.len() < core.steps.len()
            {
                core = rest;
            }
        }
        for waist in waists(&core) {
            if let Some(tail) = self.after(waist, &core.steps, core.exit)
                && self.kinds(&tail)[&tail.exit] <= Kind::Piecewise
            {
                let steps = core.steps.iter().copied();
                core.steps = steps.filter(|step| !tail.steps.contains(step)).collect();
                core.exit = waist.id;
                break;
            }
        }
        (!core.steps.is_empty()).then_some(core)
    }

    /// Whether a chain is a composite: its own rules miss the secant of the whole.
    fn worth(&self, chain: &Chain<'_>) -> bool {
        let line = self.lines(chain)[&chain.exit];
        chain.steps.len() > 1 && line.kind == Kind::Smooth && !line.anchored
    }

    /// h and h′ at x, with the pieces taken.
    fn at(&self, chain: &Chain<'_>, x: f64, pieces: &mut Vec<u8>) -> HashMap<TensorId, Dual> {
        let mut made: HashMap<TensorId, Dual> = HashMap::new();
        made.insert(
            chain.entry.id,
            Dual {
                value: x,
                slope: 1.0,
            },
        );
        for &step in &chain.steps {
            let op = self.entrywise(step);
            let operands: Vec<Dual> = op
                .operands
                .iter()
                .map(|operand| match made.get(&operand.id) {
                    Some(dual) => *dual,
                    None => Dual::constant(self.constant(operand).expect("a chain's constant")),
                })
                .collect();
            made.insert(op.out.id, op.function.at(&operands, pieces));
        }
        made
    }

    /// What the ops' own rules make of every tensor of a chain.
    fn lines(&self, chain: &Chain<'_>) -> HashMap<TensorId, Line> {
        let zeros = self.at(chain, 0.0, &mut Vec::new());
        let mut lines = HashMap::new();
        lines.insert(
            chain.entry.id,
            Line {
                kind: Kind::Affine,
                zero: 0.0,
                anchored: true,
                gate: false,
            },
        );
        for &step in &chain.steps {
            let op = self.entrywise(step);
            let operands: Vec<Line> = op
                .operands
                .iter()
                .map(|operand| match lines.get(&operand.id) {
                    Some(line) => *line,
                    None => Line {
                        kind: Kind::Constant,
                        zero: self.constant(operand).expect("a chain's constant"),
                        anchored: true,
                        gate: false,
                    },
                })
                .collect();
            let zero = zeros[&op.out.id].value;
            let line = op.function.line(&operands, zero);
            lines.insert(op.out.id, line);
        }
        lines
    }

    fn composite(&self, chain: &Chain<'_>) -> Composite {
        let mut constants: Vec<(TensorIr, f64)> = Vec::new();
        let mut inside: HashSet<TensorId> = [chain.entry.id].into();
        let mut operations = Vec::new();
        for &step in &chain.steps {
            let op = self.entrywise(step);
            for operand in op.operands.iter().filter(|t| !inside.contains(&t.id)) {
                if constants.iter().all(|(known, _)| known.id != operand.id) {
                    let value = self.constant(operand).expect("a chain's constant");
                    constants.push(((*operand).clone(), value));
                }
            }
            inside.insert(op.out.id);
            operations.push(self.steps[step].operation.clone());
        }
        let h = |x: f64| {
            let mut pieces = Vec::new();
            let at = self.at(chain, x, &mut pieces)[&chain.exit];
            composite::Sample {
                value: at.value,
                slope: at.slope,
                pieces,
            }
        };
        Composite {
            entry: chain.entry.clone(),
            exit: chain.exit,
            operations,
            weights: constants
                .iter()
                .flat_map(|(ir, _)| self.weights_of(ir.id))
                .collect(),
            constants,
            whole: Whole::Pointwise(composite::Function::of(h)),
        }
    }
}

impl Function {
    /// What the op's own rule makes of its operands' lines; `zero` is its value at x = 0.
    fn line(&self, x: &[Line], zero: f64) -> Line {
        let a = x[0];
        let probed = |line: &Line| line.kind > Kind::Decision;
        // A line through the origin stays one under a frozen gain.
        let through_origin = |line: &Line| line.anchored && line.zero == 0.0;
        let make = |kind, anchored, gate| Line {
            kind,
            zero,
            anchored,
            gate,
        };
        let join = |lines: &[Line]| {
            let kind = lines.iter().map(|line| line.kind).max().expect("operands");
            let decided = lines.iter().any(|line| line.kind == Kind::Decision);
            match kind {
                Kind::Affine if decided => Kind::Piecewise,
                kind => kind,
            }
        };
        if x.iter().all(|line| line.kind == Kind::Constant) {
            return make(Kind::Constant, true, false);
        }
        match *self {
            Function::Scale(_) => make(a.kind, a.anchored, a.gate),
            Function::Shift(_) => make(a.kind, a.anchored, false),
            Function::Sign | Function::Compare(..) | Function::Logic(_) | Function::Float => {
                make(Kind::Decision, false, false)
            }
            // A function of a decision is one.
            Function::Smooth(_)
            | Function::Leaky(_)
            | Function::Abs
            | Function::Clamp(..)
            | Function::HardSigmoid(..)
                if !probed(&a) =>
            {
                make(Kind::Decision, false, false)
            }
            Function::Smooth(h) => {
                let anchored = h.has_secant() && through_origin(&a);
                make(Kind::Smooth, anchored, h.is_gate())
            }
            Function::Leaky(_) | Function::Abs => {
                make(a.kind.max(Kind::Piecewise), through_origin(&a), false)
            }
            Function::Clamp(low, high) => {
                let both = low.is_finite() && high.is_finite();
                let at_origin =
                    (low == 0.0 && high.is_infinite()) || (high == 0.0 && low.is_infinite());
                let anchored = at_origin && through_origin(&a);
                make(a.kind.max(Kind::Piecewise), anchored, both)
            }
            Function::HardSigmoid(..) => make(a.kind.max(Kind::Piecewise), false, true),
            Function::Sum(_) => {
                let anchored = x.iter().all(|line| line.anchored);
                make(join(x), anchored, false)
            }
            Function::Product => {
                let b = x[1];
                match (probed(&a), probed(&b)) {
                    (true, true) => {
                        let anchored = match (a.gate, b.gate) {
                            (true, false) => through_origin(&b),
                            (false, true) => through_origin(&a),
                            _ => through_origin(&a) && through_origin(&b),
                        };
                        make(Kind::Smooth, anchored, false)
                    }
                    (false, false) => make(Kind::Decision, false, false),
                    (passes, _) => {
                        let (line, factor) = if passes { (a, b) } else { (b, a) };
                        let anchored = match factor.kind {
                            Kind::Constant => line.anchored,
                            _ => through_origin(&line),
                        };
                        make(join(x), anchored, false)
                    }
                }
            }
            Function::Quotient => {
                let b = x[1];
                match (probed(&a), probed(&b), b.kind) {
                    (true, false, Kind::Constant) => make(a.kind, a.anchored, false),
                    (true, false, _) => make(join(x), through_origin(&a), false),
                    (true, true, _) => make(Kind::Smooth, through_origin(&a), false),
                    (false, true, _) => make(Kind::Smooth, false, false),
                    (false, false, _) => make(Kind::Decision, false, false),
                }
            }
            Function::Fill(c) => {
                let anchored = a.anchored && a.zero == c;
                make(
                    join(&x[..1]).max(Kind::Decision).max(piecewise(&a)),
                    anchored,
                    false,
                )
            }
            Function::Where => {
                let branches = [a, x[2]];
                let anchored = branches
                    .iter()
                    .all(|branch| branch.anchored && branch.zero == zero);
                let kind = join(&branches).max(Kind::Decision);
                let kind = branches.iter().map(piecewise).fold(kind, Kind::max);
                make(kind, anchored, false)
            }
        }
    }
}

/// The least kind of a choice with this branch.
fn piecewise(branch: &Line) -> Kind {
    match branch.kind {
        Kind::Constant | Kind::Decision => Kind::Decision,
        Kind::Affine | Kind::Piecewise => Kind::Piecewise,
        Kind::Smooth => Kind::Smooth,
    }
}
