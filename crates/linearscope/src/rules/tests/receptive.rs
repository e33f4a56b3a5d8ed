//! What a box of a node depends on lies in the box that shapes and strides allow.

use burn_backend::Shape;

use super::{Frozen, Random, numbers, tensor};
use crate::{
    linear::{Region, batch},
    program::NodeId,
};

/// A single place of a node, all channels.
fn place(shape: &Shape, random: &mut Random) -> Region {
    let axes = shape.iter().enumerate();
    let ranges = axes.map(|(axis, &size)| match axis {
        1 => 0..size,
        _ => {
            let at = random.below(size);
            at..at + 1
        }
    });
    Region(ranges.collect())
}

/// The bounding box of what is not zero.
fn support(values: &[f64], shape: &Shape) -> Option<Region> {
    let found = values.iter().enumerate().filter(|(_, v)| **v != 0.0);
    let boxes = found.map(|(at, _)| {
        let mut left = at;
        let mut ranges: Vec<_> = shape
            .iter()
            .rev()
            .map(|size| {
                let i = left % size;
                left /= size;
                i..i + 1
            })
            .collect();
        ranges.reverse();
        Region(ranges)
    });
    boxes.reduce(|a, b| a.hull(&b))
}

/// Fields of all nodes at once: each holds what an adjoint of random numbers finds, and is no larger than that of
/// the node alone.
pub(super) fn fields_hold(what: &str, frozen: &Frozen, random: &mut Random) {
    let program = &frozen.program;
    let input = program.inputs()[0];
    let asked: Vec<(NodeId, Region)> = program
        .ids()
        .map(|id| (id, place(program.shape(id).unwrap(), random)))
        .collect();
    let fields = program.receptive_fields(input, &asked).unwrap();
    for ((id, to), field) in asked.into_iter().zip(fields) {
        let node = program.node(id).unwrap();
        let (shape, what) = (&node.shape, format!("{what}, {} of {to:?}", node.name));
        let alone = program.fields(&[(id, to.clone())]).unwrap();
        let alone = alone.of(input).unwrap().cloned();
        let probe: Vec<f64> = (0..shape.num_elements())
            .map(|at| match lies_in(at, shape, &to) {
                true => random.unit(),
                false => 0.0,
            })
            .collect();
        let seed = tensor(&probe, &batch::shape_of(1, shape).to_vec());
        let row = program.backward(&[(id, seed)], &[input]).unwrap().remove(0);
        let found = row.and_then(|row| support(&numbers(row), &frozen.input));
        if let Some(found) = found {
            let field = field.clone().unwrap_or_else(|| panic!("{what}: no field"));
            assert_eq!(field.hull(&found), field, "{what}: {found:?} is not in it");
        }
        if let Some(field) = field {
            let alone = alone.unwrap_or_else(|| panic!("{what}: no field alone"));
            assert_eq!(alone.hull(&field), alone, "{what}: larger than alone");
        }
    }
}

/// Whether flat position `at` lies in a box.
fn lies_in(at: usize, shape: &Shape, region: &Region) -> bool {
    let mut left = at;
    let axes = shape.iter().zip(&region.0).rev();
    axes.fold(true, |inside, (size, range)| {
        let i = left % size;
        left /= size;
        inside && range.contains(&i)
    })
}
