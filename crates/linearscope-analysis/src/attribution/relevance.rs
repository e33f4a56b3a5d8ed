//! Layer-wise relevance propagation by a composite: the layers it chooses among, and the sweep.

use std::{cell::RefCell, collections::HashMap};

use burn_backend::Backend;
use linearscope::{
    linear::Structure,
    program::{NodeId, Operation, Program},
};

use super::{
    composite::{Composite, Said, Site},
    map::{Surroundings, inputs},
};
use crate::{
    error::Result,
    frozen::FrozenNetwork,
    operator::{LinearOperator, indicators},
    vectors::{batched, flat, read, shaped},
};

/// A map a target, relevance beginning as the score itself; and what there is to say of all: entries that had no say.
///
/// Cost: a replay at x₀, and 1 to 4 adjoints a target.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) for numbers that mean nothing and a box without bounds;
/// [`linearscope::Error::Memory`] where nothing was recorded; as [`linearscope::Recorded::relevance`].
pub(super) fn maps(
    f: &FrozenNetwork,
    targets: &[Vec<usize>],
    composite: &Composite,
    around: &Surroundings,
) -> Result<(Vec<Vec<f64>>, Option<String>)> {
    composite.check()?;
    composite.check_bounds(around.bounds.is_some())?;
    let y0 = read(f.reference())?;
    let seeds = indicators(targets, y0.len()).into_iter();
    let scored = seeds
        .enumerate()
        .map(|(i, on)| on * y0[i % y0.len()])
        .collect();
    let y = batched(f.upload(scored, y0.len()), f.output_shape());
    let x0 = shaped(f.x0(), f.input_shape());
    let recorded = f.recorded_for("a relevance")?;
    let kinds = kinds(recorded.program())?;
    let network = f.frozen().loaded().network();
    let said = RefCell::new(Said::nothing(composite));
    let found = recorded.relevance(&x0, &y, composite.stabiliser(), |layer| {
        let kind = &kinds[layer.number];
        let site = Site {
            name: layer.name,
            alias: network.alias(layer.name).map(|alias| &**alias),
            op: kind.op,
            number: layer.number,
            convolution: layer.convolution,
            first: layer.first,
            last: kind.last,
        };
        composite.rule(&site, around.bounds.as_ref(), &mut said.borrow_mut())
    })?;
    let note = composite.idle(&said.into_inner());
    Ok((inputs(f, &read(flat(found))?), note))
}

/// What is asked of a layer besides what a [`RelevanceLayer`](linearscope::program::RelevanceLayer) says.
struct Kind {
    op: &'static str,
    /// Whether no layer comes behind it.
    last: bool,
}

/// Of each map with weights, in the order in which layers are numbered.
fn kinds<B: Backend>(program: &Program<B>) -> Result<Vec<Kind>> {
    let weighted = |operation: &Operation<B>| match operation {
        Operation::Map { map, .. } => matches!(map.structure(), Structure::Weighted(_)),
        _ => false,
    };
    let ids: Vec<NodeId> = program.ids().collect();
    let mut kinds = Vec::new();
    // Whether a layer comes behind a node.
    let mut followed: HashMap<NodeId, bool> = HashMap::new();
    for &id in ids.iter().rev() {
        let operation = &program.node(id)?.operation;
        let (layer, last) = (
            weighted(operation),
            !followed.get(&id).copied().unwrap_or(false),
        );
        if layer {
            kinds.push(Kind {
                op: operation.name(),
                last,
            });
        }
        for of in program.operands(id)? {
            *followed.entry(of).or_default() |= layer || !last;
        }
    }
    kinds.reverse();
    Ok(kinds)
}
