//! A program on boxes of its nodes is the whole program, cut.

use burn_backend::Shape;
use burn_flex::{Flex, FlexTensor};

use super::{Frozen, Random, assert_close, numbers, tensor};
use crate::linear::{Adapt, LinearMap, Region, batch};

fn random_box(shape: &Shape, random: &mut Random) -> Region {
    Region(
        shape
            .iter()
            .map(|&size| {
                let start = random.below(size);
                start..start + 1 + random.below(size - start)
            })
            .collect(),
    )
}

fn random_batch(k: usize, shape: &Shape, random: &mut Random) -> FlexTensor {
    let values = random.vector(k * shape.num_elements());
    tensor(&values, &batch::shape_of(k, shape).to_vec())
}

fn cut(x: &FlexTensor, from: &Region, to: &Region) -> FlexTensor {
    LinearMap::<Flex>::apply(&Adapt::new(from, to), x.clone())
}

/// Outputs of a box from the inputs they need, both ways; and what inputs of a box reach.
pub(super) fn windows_agree(what: &str, frozen: &Frozen, random: &mut Random) {
    let program = &frozen.program;
    let (input, output) = (program.inputs()[0], program.outputs()[0]);
    let shape = |id| program.shape(id).unwrap().clone();
    let (in_shape, out_shape) = (shape(input), shape(output));
    let (all_in, all_out) = (Region::full(&in_shape), Region::full(&out_shape));
    let limit = 1e-12;
    for round in 0..3 {
        let what = format!("{what}, window {round}");
        let to = random_box(&out_shape, random);
        let regions = program.fields(&[(output, to.clone())]).unwrap();
        let window = program.window(&regions, &[output]).unwrap();
        let x = random_batch(2, &in_shape, random);
        let whole = program
            .forward(&[(input, x.clone())], &[output], true)
            .unwrap()
            .remove(0);
        let part = &window.program;
        let starts: Vec<_> = match &window.inputs[0] {
            Some(from) if !from.is_empty() && !part.inputs().is_empty() => {
                vec![(part.inputs()[0], cut(&x, &all_in, from))]
            }
            _ => continue,
        };
        let from = window.inputs[0].clone().expect("it has a start");
        let made = part
            .forward(&starts, part.outputs(), true)
            .unwrap()
            .remove(0);
        let expected = cut(&whole, &all_out, &to);
        assert_close(
            &format!("{what}, of {to:?}"),
            &numbers(made),
            &numbers(expected),
            limit,
        );

        let y = random_batch(2, &to.shape(), random);
        let seeds = [(output, cut(&y, &to, &all_out))];
        let whole = program.backward(&seeds, &[input]).unwrap().remove(0);
        let seeds = [(part.outputs()[0], y)];
        let made = part.backward(&seeds, part.inputs()).unwrap().remove(0);
        let whole = whole.map_or(vec![0.0; 2 * in_shape.num_elements()], numbers);
        let made = match made {
            Some(made) => numbers(cut(&made, &from, &all_in)),
            None => vec![0.0; whole.len()],
        };
        assert_close(&format!("{what}, adjoint of {to:?}"), &made, &whole, limit);

        let from = random_box(&in_shape, random);
        let x = random_batch(2, &from.shape(), random);
        let start = [(input, cut(&x, &from, &all_in))];
        let whole = numbers(program.forward(&start, &[output], false).unwrap().remove(0));
        let regions = program.reaches(&[(input, from.clone())]).unwrap();
        let made = match regions.of(output).unwrap() {
            Some(reached) if !reached.is_empty() => {
                let window = program.window(&regions, &[output]).unwrap();
                let part = &window.program;
                let start = [(part.inputs()[0], x)];
                let made = part
                    .forward(&start, part.outputs(), false)
                    .unwrap()
                    .remove(0);
                numbers(cut(&made, reached, &all_out))
            }
            _ => vec![0.0; whole.len()],
        };
        assert_close(&format!("{what}, from {from:?}"), &made, &whole, limit);
    }
}
