//! The homogeneous form of a program: F alone, in fewer and cheaper maps.
//!
//! Without sources, what stands between a convolution and a norm's division by σ₀ or a batch
//! norm's γ/√(σ² + ε) is gone, and a gain per channel goes into the weights. With sources none of
//! this is done: they keep their places, so that contributions keep their names.
//!
//! In order, until nothing changes: a gain moves before a reshape; reshapes join; gains join; a
//! gain per output channel goes into the convolution before it. Exact to rounding.

use std::{collections::BTreeMap, sync::Arc};

use burn_backend::{Backend, Shape};

use super::{Node, NodeIndex, Operation, Program};
use crate::linear::{Diagonal, LinearMap, Reshape, batch, regrouped};

impl<B: Backend> Program<B> {
    /// F without r: the same linear map with fewer nodes, which have ids of their own. Named places are
    /// not kept.
    ///
    /// Cost: a pass over the nodes and over the weights of convolutions that take up a gain, of
    /// which the result holds copies; everything else is shared.
    pub fn homogeneous(&self) -> Program<B> {
        let mut nodes: Vec<Node<B>> = Vec::with_capacity(self.nodes.len());
        let mut at: Vec<NodeIndex> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            if let Operation::Source { input, .. } = &node.operation {
                at.push(at[input.0]);
            } else {
                at.push(NodeIndex(nodes.len()));
                nodes.push(Node {
                    operation: node.operation.with_operands(|of| at[of.0]),
                    name: node.name.clone(),
                    shape: node.shape.clone(),
                    layer: node.layer,
                });
            }
        }
        let outputs = self.indices(&self.outputs).expect("its own outputs");
        let fold = Fold {
            outputs: outputs.into_iter().map(|of| at[of.0]).collect(),
        };
        while fold.pass(&mut nodes) {}
        nodes.iter_mut().for_each(prepare);
        let outputs = fold.outputs;
        let (layers, dtype) = (self.layers.clone(), self.dtype);
        Program::new(nodes, outputs, layers, dtype, BTreeMap::new()).with_interrupt(&self.interrupt)
    }

    /// The same program, node for node and by the same ids, with each map in the form that replays
    /// faster. Coefficients are shared, with [`homogeneous`](Self::homogeneous) too; packed weights come
    /// on top.
    pub(crate) fn prepared(&self) -> Program<B> {
        let mut nodes = self.copied_nodes();
        nodes.iter_mut().for_each(prepare);
        self.copy_of(nodes)
    }
}

fn prepare<B: Backend>(node: &mut Node<B>) {
    if let Operation::Map { map, .. } = &mut node.operation
        && let Some(prepared) = map.structure().prepared()
    {
        *map = prepared;
    }
}

struct Fold {
    outputs: Vec<NodeIndex>,
}

/// Two maps in a row, the first read by nobody else.
struct Pair<B: Backend> {
    first: Arc<dyn LinearMap<B>>,
    second: Arc<dyn LinearMap<B>>,
    input: NodeIndex,
    from: Shape,
    middle: Shape,
    to: Shape,
}

impl Fold {
    /// Rewrite what can be rewritten at every node; whether anything was.
    fn pass<B: Backend>(&self, nodes: &mut [Node<B>]) -> bool {
        let mut readers = vec![0; nodes.len()];
        for node in nodes.iter() {
            node.operation.operands().for_each(|of| readers[of.0] += 1);
        }
        self.outputs.iter().for_each(|of| readers[of.0] += 1);
        let mut changed = false;
        for id in 0..nodes.len() {
            let Operation::Map { map, input } = &nodes[id].operation else {
                continue;
            };
            let (middle_id, second) = (*input, map.clone());
            let Operation::Map { map, input } = &nodes[middle_id.0].operation else {
                continue;
            };
            if readers[middle_id.0] != 1 {
                continue;
            }
            let pair = Pair {
                first: map.clone(),
                second,
                input: *input,
                from: nodes[input.0].shape.clone(),
                middle: nodes[middle_id.0].shape.clone(),
                to: nodes[id].shape.clone(),
            };
            let Some((first, second, middle)) = rewritten(&pair) else {
                continue;
            };
            changed = true;
            // The first of two maps takes the middle's place; the middle is dead if there is one.
            match second {
                None => {
                    readers[middle_id.0] = 0;
                    nodes[id].operation = Operation::Map {
                        map: first,
                        input: pair.input,
                    };
                    // Nothing reads it any more: nor may it count as a reader.
                    nodes[middle_id.0].operation = Operation::Sum(Vec::new());
                }
                Some(second) => {
                    nodes[middle_id.0].operation = Operation::Map {
                        map: first,
                        input: pair.input,
                    };
                    nodes[middle_id.0].shape = middle;
                    nodes[id].operation = Operation::Map {
                        map: second,
                        input: middle_id,
                    };
                }
            }
        }
        changed
    }
}

type Maps<B> = (Arc<dyn LinearMap<B>>, Option<Arc<dyn LinearMap<B>>>, Shape);

/// A pair of maps as one, or as two with the gain in front.
fn rewritten<B: Backend>(pair: &Pair<B>) -> Option<Maps<B>> {
    let shape = || pair.to.clone();
    let (before, after) = (pair.first.structure(), pair.second.structure());
    if before.reshapes() && after.reshapes() {
        let map: Arc<dyn LinearMap<B>> = Arc::new(Reshape::new(&pair.from, &pair.to));
        return Some((map, None, shape()));
    }
    let gain = after.gain()?;
    if before.reshapes() {
        // g ⊙ reshape(x) = reshape(g′ ⊙ x), where g′ has the entries of g.
        let dims = Shape::from(gain.shape()[1..].to_vec());
        let regrouped = regrouped(&pair.middle, &pair.from, &dims)?;
        let gain = gain.map(|gain| B::float_reshape(gain, batch::shape_of(1, &regrouped)));
        let first: Arc<dyn LinearMap<B>> = Arc::new(Diagonal::of_batched(gain));
        let second: Arc<dyn LinearMap<B>> = Arc::new(Reshape::new(&pair.from, &pair.to));
        return Some((first, Some(second), pair.from.clone()));
    }
    Some((before.then_gain(&gain)?, None, shape()))
}
