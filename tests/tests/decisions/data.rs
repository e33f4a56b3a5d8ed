//! What the tables share: constants, decisions of any shape, and the check itself.

use burn::tensor::{Bool, Int, Tensor, TensorData};
use linearscope::{Network, RuleSet};
use linearscope_analysis::noise;
use linearscope_tests::certified::{Answer, Case};

/// What [`lit`] and what is made of it decides by.
pub(crate) const COMPARED: [&str; 1] = ["Greater"];

/// x₀ of any length: noise in [−2, 2).
pub(crate) fn start(len: usize) -> Vec<f64> {
    noise(len, 41).iter().map(|x| 2.0 * x).collect()
}

/// Freeze at [`start`], and hold what is said against what is so.
pub(crate) fn holds(
    name: &str,
    network: Network,
    rules: RuleSet,
    answer: Answer,
    deciders: &[&str],
) {
    let x0 = start(network.inputs()[0].shape.num_elements());
    holds_at(name, network, x0, rules, answer, deciders);
}

/// The same at another x₀.
pub(crate) fn holds_at(
    name: &str,
    network: Network,
    x0: Vec<f64>,
    rules: RuleSet,
    answer: Answer,
    deciders: &[&str],
) {
    let case = Case {
        name,
        network,
        x0,
        rules,
        answer,
        deciders,
    };
    match case.holds() {
        Ok(said) => println!("{name}: {said:?}"),
        Err(wrong) => panic!("{wrong}"),
    }
}

/// Fixed numbers in [−1, 1), on the device of x.
pub(crate) fn fixed<const D: usize, const E: usize>(
    x: &Tensor<D>,
    shape: [usize; E],
    seed: u64,
) -> Tensor<E> {
    let values: Vec<f32> = noise(shape.iter().product(), seed)
        .iter()
        .map(|v| *v as f32)
        .collect();
    Tensor::from_data(TensorData::new(values, shape), &x.device())
}

/// Fixed integers, repeated.
pub(crate) fn whole<const D: usize, const E: usize>(
    x: &Tensor<D>,
    shape: [usize; E],
    values: &[i32],
) -> Tensor<E, Int> {
    let values: Vec<i32> = values
        .iter()
        .copied()
        .cycle()
        .take(shape.iter().product())
        .collect();
    Tensor::from_data(TensorData::new(values, shape), &x.device())
}

/// A fixed mask: every third entry.
pub(crate) fn mask<const D: usize, const E: usize>(
    x: &Tensor<D>,
    shape: [usize; E],
) -> Tensor<E, Bool> {
    let values: Vec<bool> = (0..shape.iter().product()).map(|i| i % 3 == 0).collect();
    Tensor::from_data(TensorData::new(values, shape), &x.device())
}

/// All entries in one row.
pub(crate) fn flat<const D: usize>(x: Tensor<D>) -> Tensor<2> {
    let len = x.dims().iter().product::<usize>();
    x.reshape([1, len])
}

/// A decision of any shape: whether the first four entries of x (fewer, if the shape has fewer) are above
/// 0.1, over and over.
pub(crate) fn lit<const D: usize, const E: usize>(
    x: &Tensor<D>,
    shape: [usize; E],
) -> Tensor<E, Bool> {
    let len: usize = shape.iter().product();
    let (count, times) = (len.min(4), len.div_ceil(4));
    flat(x.clone())
        .narrow(1, 0, count)
        .greater_scalar(0.1)
        .expand([times, count])
        .reshape([count * times])
        .narrow(0, 0, len)
        .reshape(shape)
}

/// The same as floats, 0 or 1.
pub(crate) fn bits<const D: usize, const E: usize>(x: &Tensor<D>, shape: [usize; E]) -> Tensor<E> {
    lit(x, shape).float()
}

/// The same as indices, 0 or 1.
pub(crate) fn picks<const D: usize, const E: usize>(
    x: &Tensor<D>,
    shape: [usize; E],
) -> Tensor<E, Int> {
    lit(x, shape).int()
}

/// x beside a decision, all in one row.
pub(crate) fn beside<const D: usize, const E: usize>(
    x: Tensor<D>,
    decided: Tensor<E>,
) -> Tensor<2> {
    Tensor::cat(vec![flat(x), flat(decided)], 1)
}

/// Entries of the last axis, each with a weight of its own.
pub(crate) fn weighed(x: Tensor<2>) -> Tensor<2> {
    let width = x.dims()[1];
    let weights: Vec<f32> = (0..width).map(|i| 1.0 + 0.7 * i as f32).collect();
    let weights = Tensor::from_data(TensorData::new(weights, [1, width]), &x.device());
    x * weights
}
