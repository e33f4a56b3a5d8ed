//! A convolution of stride 1 two ways, in both directions: the measurement behind the choice in
//! `crates/linearscope/src/linear/convolution_kernel.rs`.
//!
//! ```text
//! cargo bench -p linearscope-benches --bench kernels
//! ```

use std::time::Instant;

use burn_backend::{
    Shape, TensorData,
    ops::{ConvOptions, ConvTransposeOptions, FloatTensorOps, ModuleOps},
};
use burn_flex::{Flex, FlexDevice, FlexTensor};

const K: usize = 8;
const ROUNDS: usize = 7;

/// Channels in and out, window, side of the picture: layers of the networks that are measured.
const LAYERS: &[[usize; 4]] = &[
    [1, 64, 5, 64],
    [64, 64, 3, 64],
    [64, 32, 3, 64],
    [32, 9, 3, 64],
    [3, 32, 3, 48],
    [32, 32, 3, 48],
    [32, 3, 3, 192],
    [64, 64, 1, 32],
    [128, 64, 1, 32],
    [64, 128, 1, 32],
    [16, 64, 1, 55],
    [512, 1000, 1, 13],
    [3, 4, 9, 128],
    [4, 3, 9, 128],
    [16, 16, 3, 32],
    [8, 4, 3, 128],
    [3, 32, 9, 64],
    [32, 3, 9, 64],
    [64, 3, 9, 96],
    [128, 128, 3, 16],
    [56, 1, 9, 64],
];

fn tensor(shape: &[usize]) -> FlexTensor {
    let len = shape.iter().product();
    let values: Vec<f32> = (0..len)
        .map(|i| (i * 7919 % 1000) as f32 / 1000.0 - 0.5)
        .collect();
    Flex::float_from_data(TensorData::new(values, shape.to_vec()), &FlexDevice)
}

fn main() {
    println!(
        "{:>22} {:>18} {:>18}   ms; own, turned",
        "c_in c_out k side", "forward", "adjoint"
    );
    for &[c_in, c_out, k, side] in LAYERS {
        let pad = k / 2;
        let weight = tensor(&[c_out, c_in, k, k]);
        let turned = tensor(&[c_in, c_out, k, k]);
        let x = tensor(&[K, c_in, side, side]);
        let y = tensor(&[K, c_out, side, side]);
        let conv = ConvOptions::new([1, 1], [pad, pad], [1, 1], 1);
        let back = ConvTransposeOptions::new([1, 1], [pad, pad], [0, 0], [1, 1], 1);
        let like = || {
            Flex::float_empty(
                Shape::from(vec![K, c_in, side, side]),
                &FlexDevice,
                burn_backend::FloatDType::F32,
            )
        };
        let ways: [&dyn Fn() -> FlexTensor; 4] = [
            &|| Flex::conv2d(x.clone(), weight.clone(), None, conv.clone()),
            &|| Flex::conv_transpose2d(x.clone(), turned.clone(), None, back.clone()),
            &|| Flex::conv2d_x_backward(like(), weight.clone(), y.clone(), conv.clone()),
            &|| Flex::conv2d(y.clone(), turned.clone(), None, conv.clone()),
        ];
        let mut times: [Vec<f64>; 4] = Default::default();
        for round in 0..=ROUNDS {
            for (way, times) in ways.iter().zip(&mut times) {
                let start = Instant::now();
                drop(way());
                if round > 0 {
                    times.push(1e3 * start.elapsed().as_secs_f64());
                }
            }
        }
        let [a, b, c, d] = times.map(|mut all| {
            all.sort_by(f64::total_cmp);
            all[ROUNDS / 2]
        });
        println!(
            "{:>22} {a:8.2} {b:8.2}  {c:8.2} {d:8.2}",
            format!("{c_in} {c_out} {k} {side}")
        );
    }
}
