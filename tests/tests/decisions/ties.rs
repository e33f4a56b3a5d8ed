//! Units exactly at their kink may flip at once: no radius counts them, so they are told apart, or the
//! radius is refused. Never nothing.

use burn::tensor::{
    Device, FloatDType, Tensor, TensorData, activation, module::max_pool2d, ops::MaxPoolOptions,
};
use linearscope::{Error, Network, RuleSet};
use linearscope_analysis::{FrozenNetwork, LinearOperator, noise, validity::radii};
use linearscope_tests::certified::captured;

use crate::data::beside;

/// Frozen at x₀, where something is at its kink: units are counted there, or a radius is refused.
fn tells(name: &str, network: Network, x0: &[f64], rules: &str) {
    let shape = network.inputs()[0].shape.to_vec();
    let loaded = FrozenNetwork::load(network, &Device::flex(), FloatDType::F64).expect("loads");
    let data = TensorData::new(x0.to_vec(), shape);
    let rules: RuleSet = rules.parse().expect("a rule set");
    let f = FrozenNetwork::new(loaded, data, rules).expect("freezes");
    let d = f.upload(noise(x0.len(), 5), x0.len());
    match radii(&f, d) {
        Ok(found) => assert!(
            found.at_kink > 0,
            "{name}: at x0 {x0:?} units are at their kink, and none is counted; radii {:?}",
            found.radii
        ),
        Err(linearscope_analysis::Error::Engine(Error::NotPiecewise { .. })) => {}
        Err(error) => panic!("{name}: {error}"),
    }
}

macro_rules! ties {
    ($($name:ident at $x0:expr, $rules:expr, |$x:ident| $body:expr;)*) => {$(
        #[test]
        fn $name() {
            let network = captured([1, 4], |$x: Tensor<2>| $body);
            tells(stringify!($name), network, &$x0, $rules);
        }
    )*};
}

ties! {
    relu_at_zero at [0.0, 1.0, -1.0, 2.0], "", |x| activation::relu(x);
    clip_at_its_bound at [0.5, 1.0, -1.0, 2.0], "", |x| x.clamp(-0.5, 0.5);
    a_size_at_zero at [0.0, 1.0, -1.0, 2.0], "", |x| x.abs();
    greater_at_its_number at [0.5, 1.0, -1.0, 2.0], "", |x| beside(x.clone(), x.greater_scalar(0.5).float());
    lower_or_equal_at_its_number at [0.5, 1.0, -1.0, 2.0], "", |x| x.clone() * x.lower_equal_scalar(0.5).float();
    equal_at_its_number at [0.5, 1.0, -1.0, 2.0], "", |x| beside(x.clone(), x.equal_scalar(0.5).float());
    equal_of_two at [0.5, 1.0, 0.5, 2.0], "", |x| {
        let (a, b) = (x.clone().narrow(1, 0, 2), x.clone().narrow(1, 2, 2));
        beside(x, a.equal(b).float())
    };
    greater_of_two at [0.5, 1.0, 0.5, 2.0], "", |x| {
        let (a, b) = (x.clone().narrow(1, 0, 2), x.clone().narrow(1, 2, 2));
        a.max_pair(b)
    };
    argmax_of_equals at [2.0, 1.0, -1.0, 2.0], "", |x| beside(x.clone(), x.argmax(1).float());
    maximum_of_equals at [2.0, 1.0, -1.0, 2.0], "", |x| x.max_dim(1);
    largest_of_equal_sizes at [2.0, 1.0, -1.0, -2.0], "", |x| x.max_abs_dim(1);
    largest_size_of_nothing at [0.0, 0.0, 0.0, 0.0], "", |x| x.max_abs();
    order_of_equals at [2.0, 1.0, -1.0, 2.0], "", |x| {
        let rank = x.clone().argsort(1).float();
        x + rank
    };
    sort_of_equals at [2.0, 1.0, -1.0, 2.0], "", |x| {
        let weights = Tensor::<2>::from_data([[1.0f32, 2.0, 3.0, 4.0]], &x.device());
        x.sort(1) * weights
    };
    topk_of_equals at [1.0, 1.0, -1.0, 2.0], "", |x| x.topk(2, 1);
    running_maximum_of_equals at [1.0, 1.0, -1.0, 2.0], "", |x| x.cummax(1);
    truncation_at_a_whole_number at [1.0, 0.3, -1.4, 2.5], "", |x| beside(x.clone(), x.int().float());
    sign_at_zero at [0.0, 0.3, -1.4, 2.5], "sign=constant", |x| x.clone() + x.sign();
    floor_at_a_whole_number at [2.0, 0.3, -1.4, 2.5], "floor=constant", |x| x.clone() + x.floor();
    round_at_a_half at [1.5, 0.3, -1.4, 2.2], "round=constant", |x| x.clone() + x.round();
    pool_of_equals at [1.0, 1.0, -1.4, 2.5], "", |x| {
        max_pool2d(x.reshape([1, 1, 1, 4]), MaxPoolOptions::new([1, 2]))
    };
    as_bool_at_zero at [0.0, 0.3, -1.4, 2.5], "", |x| x.clone() + x.bool().float();
}
