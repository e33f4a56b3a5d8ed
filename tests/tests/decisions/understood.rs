//! Every op that decides and has a kink: the radius is exact, and a unit of that op ends it.
//!
//! Decisions are added to x, so that a network is its decisions and little else.

use burn::tensor::{
    Tensor, activation,
    module::{max_pool1d, max_pool2d, max_pool2d_with_indices},
    ops::MaxPoolOptions,
};
use linearscope::RuleSet;
use linearscope_tests::certified::captured;

use crate::{
    Answer,
    data::{fixed, flat, holds_at, start, weighed},
};

const FLAT: [usize; 2] = [3, 4];

networks! { Exact, FLAT, "";
    greater_than_a_number by ["Greater"]: |x| x.clone() + x.greater_scalar(0.2).float();
    greater_or_equal_to_a_number by ["Greater"]: |x| x.clone() + x.greater_equal_scalar(-0.4).float();
    lower_than_a_number by ["Lower"]: |x| x.clone() - x.lower_scalar(0.2).float();
    lower_or_equal_to_a_number by ["Lower"]: |x| x.clone() + x.lower_equal_scalar(0.3).float() * 0.5;
    greater_of_two by ["Greater"]: |x| {
        let other = x.clone().flip([1]) * 0.7;
        x.clone() + x.greater(other).float()
    };
    greater_or_equal_of_two by ["Greater"]: |x| {
        let other = x.clone().swap_dims(0, 1).reshape(FLAT) + 0.05;
        x.clone() + x.greater_equal(other).float()
    };
    lower_of_two by ["Lower"]: |x| {
        let mean = x.clone().mean_dim(1).expand(FLAT);
        x.clone() + x.lower(mean).float()
    };
    lower_or_equal_of_two by ["Lower"]: |x| {
        let other = fixed(&x, FLAT, 5);
        x.clone() + x.lower_equal(other).float()
    };
    a_number_of_bits by ["Greater"]: |x| {
        let count = x.clone().greater_scalar(0.2).int().sum_dim(1).float();
        x + count
    };

    argmax by ["ArgMax"]: |x| x.clone() + x.argmax(1).float();
    argmax_along_rows by ["ArgMax"]: |x| x.clone() + x.argmax(0).float();
    argmin by ["ArgMin"]: |x| x.clone() + x.argmin(1).float();
    argsort by ["ArgSort", "Sort"]: |x| x.clone() + x.argsort(1).float();
    argsort_descending by ["ArgSort", "Sort"]: |x| x.clone() + x.argsort_descending(1).float();
    argtopk by ["ArgTopK", "ArgTopk", "TopK"]: |x| {
        x.clone().narrow(1, 0, 2) + x.argtopk(2, 1).float()
    };
    indices_of_a_sort by ["Sort"]: |x| {
        let (sorted, at) = x.clone().sort_with_indices(1);
        x + weighed(sorted) + at.float()
    };
    indices_of_a_topk by ["TopK", "Topk"]: |x| {
        let (_, at) = x.clone().topk_with_indices(2, 1);
        x.narrow(1, 1, 2) + at.float()
    };
    index_of_a_maximum by ["MaxDim"]: |x| {
        let (best, at) = x.clone().max_dim_with_indices(1);
        x - best + at.float()
    };
    index_of_a_minimum by ["MinDim"]: |x| {
        let (_, at) = x.clone().min_dim_with_indices(1);
        x + at.float()
    };

    maximum_of_all by ["Max"]: |x| x.clone() - x.max().unsqueeze();
    minimum_of_all by ["Min"]: |x| x.clone() * 0.5 - x.min().unsqueeze();
    maximum_along_an_axis by ["MaxDim"]: |x| x.clone() - x.max_dim(1);
    minimum_along_an_axis by ["MinDim"]: |x| x.clone() - x.min_dim(0);
    maximum_of_two by ["Lower", "MaskWhere"]: |x| {
        let other = x.clone().flip([1]) * 0.7 + 0.1;
        x.max_pair(other)
    };
    minimum_of_two by ["Lower", "Greater", "MaskWhere"]: |x| {
        let other = x.clone().flip([0]) * -0.3;
        x.min_pair(other)
    };
    choice_of_two by ["Greater"]: |x| {
        let other = x.clone() * -0.5 + 0.3;
        let chosen = x.clone().greater_scalar(0.4);
        x.mask_where(chosen, other)
    };
    /// A sign that is chosen, in a unit that passes x elsewhere.
    choice_of_a_sign by ["Greater", "Sign"]: |x| {
        let chosen = x.clone().greater_scalar(-0.3);
        x.clone().mask_where(chosen, x.sign() * 0.5)
    };
    fill by ["Lower"]: |x| x.clone().mask_fill(x.lower_scalar(-0.3), 0.7);

    sort by ["Sort"]: |x| weighed(x.sort(1));
    sort_descending by ["Sort"]: |x| weighed(x.sort_descending(1));
    topk by ["TopK", "Topk"]: |x| weighed(x.topk(2, 1));
    topk_of_all by ["TopK", "Topk"]: |x| weighed(x.topk(4, 1));
    running_maximum by ["CumMax", "Cummax"]: |x| weighed(x.cummax(1));
    running_minimum by ["CumMin", "Cummin"]: |x| weighed(x.cummin(1));

    truncation by ["IntoInt"]: |x| x.clone() + (x * 3.0).int().float();
    parity by ["IntoInt"]: |x| x.clone() + (x * 3.0).int().remainder_scalar(2).float();

    relu by ["Relu"]: |x| activation::relu(x);
    leaky_relu by ["LeakyRelu"]: |x| activation::leaky_relu(x, 0.2);
    prelu by ["PRelu", "Prelu"]: |x| {
        let slope = fixed(&x, [4], 3);
        activation::prelu(x, slope)
    };
    abs by ["Abs"]: |x| x.abs();
    clip by ["Clamp"]: |x| x.clamp(-0.6, 0.9);
    clip_from_below by ["Clamp"]: |x| x.clamp_min(-0.3);
    clip_from_above by ["Clamp"]: |x| x.clamp_max(0.4);
    relu6 by ["Clamp"]: |x| activation::relu6(x * 5.0);
    hard_sigmoid by ["HardSigmoid", "Clamp"]: |x| activation::hard_sigmoid(x, 0.4, 0.5);
    thresholded_relu by ["Lower"]: |x| activation::thresholded_relu(x, 0.4);
    threshold by ["Lower"]: |x| activation::threshold(x, 0.3, -1.0);
    /// What stands at the kink because a relu holds it there flips with the relu.
    a_comparison_behind_a_relu by ["Relu", "Greater"]: |x| {
        let y = activation::relu(x);
        y.clone() + y.greater_scalar(0.0).float()
    };
}

networks! { Exact, [1, 2, 5, 6], "";
    max_pool by ["MaxPool"]: |x| max_pool2d(x, MaxPoolOptions::new([2, 2]));
    max_pool_with_overlap by ["MaxPool"]: |x| {
        max_pool2d(x, MaxPoolOptions::new([3, 2]).with_stride([1, 2]).with_padding([1, 0]))
    };
    max_pool_dilated by ["MaxPool"]: |x| {
        max_pool2d(x, MaxPoolOptions::new([2, 2]).with_stride([1, 1]).with_dilation([2, 3]))
    };
    max_pool_with_unequal_pads by ["MaxPool"]: |x| {
        let options = MaxPoolOptions::new([2, 3]).with_stride([1, 1]);
        max_pool2d(x, options.with_padding_pairs([(0, 1), (1, 0)]))
    };
    max_pool_of_a_larger_window by ["MaxPool"]: |x| {
        max_pool2d(x, MaxPoolOptions::new([2, 4]).with_stride([2, 4]).with_ceil_mode(true))
    };
    indices_of_a_max_pool by ["MaxPool"]: |x| {
        let (y, at) = max_pool2d_with_indices(x, MaxPoolOptions::new([2, 2]));
        y + at.float()
    };
    max_pool_1d by ["MaxPool"]: |x| {
        max_pool1d(x.reshape([2, 5, 6]), MaxPoolOptions::new([3]).with_stride([1]))
    };
}

// A flip need not be heard: the median looks at one entry of a sort, a shrink at |x| near 0, a dead relu at
// nothing, and an equality holds at single points.
networks! { Radii, FLAT, "";
    equal_to_a_number by ["Equal"]: |x| x.clone() + x.equal_scalar(0.3).float();
    not_equal_to_a_number by ["NotEqual"]: |x| x.clone() + x.not_equal_scalar(0.3).float();
    equal_of_two by ["Equal"]: |x| x.clone() + x.clone().equal(x.flip([1])).float();
    not_equal_of_two by ["NotEqual"]: |x| x.clone() + x.clone().not_equal(x.flip([1])).float();
    as_bool by ["NotEqual"]: |x| x.clone() + x.bool().float();
    close_to_another by ["Lower", "Greater", "Equal", "NotEqual", "Abs"]: |x| {
        let other = x.clone().flip([1]);
        x.clone() + x.is_close(other, Some(0.1), Some(0.4)).float()
    };
    one_of_several_numbers by ["IntoInt"]: |x| x.clone() + (x * 3.0).int().equal_scalar(1).float();
    median by ["Sort"]: |x| x.clone() - x.median(1);
    hard_shrink by ["Abs", "Lower"]: |x| activation::hard_shrink(x, 0.5);
    soft_shrink by ["Abs", "Sign", "Lower"]: |x| activation::soft_shrink(x, 0.5);
    shrink by ["Abs", "Sign", "Lower"]: |x| activation::shrink(x, 0.5, 0.2);
    /// |x| = ∞: the size flips at 0, where nobody hears it.
    infinite by ["Abs"]: |x| x.clone() + x.is_inf().float();
    finite by ["Abs"]: |x| x.clone() + x.is_finite().float();
    some_entry by ["Any", "Relu"]: |x| {
        let y = activation::relu(x);
        y.clone() + y.any_dim(1).float()
    };
    every_entry by ["All", "Relu"]: |x| {
        let y = activation::relu(x + 1.0);
        y.clone() + y.all_dim(1).float()
    };
    /// Who wins a row that loses to another.
    maximum_over_two_axes by ["MaxDim"]: |x| x.clone() - x.max_dims(&[0, 1]);
    relu_of_relu by ["Relu"]: |x| {
        let y = activation::relu(x.clone() - 0.2);
        activation::relu(y - x.flip([1]) * 0.4)
    };
    largest_size_near_zero by ["MaxAbs"]: |x| x.clone() + x.max_abs().unsqueeze();
    largest_size_along_an_axis_near_zero by ["MaxAbs"]: |x| x.clone() + x.max_abs_dim(1);
    at_least_a_relu by ["Relu", "Greater"]: |x| {
        let y = activation::relu(x);
        y.clone() + y.greater_equal_scalar(0.0).float()
    };
    /// The only kinks are the bits': a sum of them stands still in between.
    a_comparison_of_bits by ["Greater"]: |x| {
        let count = x.clone().greater_scalar(0.2).float().sum_dim(1);
        x + count.greater_scalar(1.5).float()
    };
}

networks! { Endless, FLAT, "";
    /// x ≠ x.
    not_a_number by []: |x| x.clone() + x.is_nan().float();
    some_not_a_number by []: |x| x.clone() + x.contains_nan().float().unsqueeze();
    /// x ≥ x: at its kink, where it stands still.
    at_least_itself by []: |x| x.clone() + x.clone().greater_equal(x).float();
    equal_to_itself by []: |x| x.clone() + x.clone().equal(x).float();
    linear by []: |x| weighed(x) + 1.0;
}

// What has no rule of its own is a decision where the user says so.
const CONSTANT: &str =
    "sign=constant, floor=constant, ceil=constant, round=constant, trunc=constant";

networks! { Exact, FLAT, CONSTANT;
    sign by ["Sign"]: |x| x.clone() + x.sign();
    floor by ["Floor"]: |x| x.clone() + (x * 3.0).floor();
    ceil by ["Ceil"]: |x| x.clone() + (x * 3.0).ceil();
    round by ["Round"]: |x| x.clone() + (x * 3.0).round();
    trunc by ["Trunc"]: |x| x.clone() + (x * 3.0).trunc();
    floor_of_a_relu by ["Floor", "Relu"]: |x| {
        let y = activation::relu(x * 2.0);
        y.clone() + y.floor()
    };
}

/// x₀ far from 0: no size changes its sign before another is the largest.
fn far_from_zero(len: usize) -> Vec<f64> {
    let sign = |i: usize| if i.is_multiple_of(3) { -1.0 } else { 1.0 };
    let sizes = start(len).into_iter().enumerate();
    sizes.map(|(i, x)| sign(i) * (20.0 + x)).collect()
}

/// Kind A: a size has two decisions, its sign and who is the largest.
#[test]
fn largest_size_of_all() {
    let network = captured(FLAT, |x| x.clone() + x.max_abs().unsqueeze());
    let x0 = far_from_zero(12);
    holds_at(
        "largest size of all",
        network,
        x0,
        RuleSet::default(),
        Answer::Exact,
        &["MaxAbs"],
    );
}

#[test]
fn largest_size_along_an_axis() {
    for axis in [0, 1] {
        let network = captured(FLAT, |x| x.clone() + x.max_abs_dim(axis));
        let name = format!("largest size along axis {axis}");
        let x0 = far_from_zero(12);
        holds_at(
            &name,
            network,
            x0,
            RuleSet::default(),
            Answer::Exact,
            &["MaxAbs"],
        );
    }
}

#[test]
fn largest_size_over_two_axes() {
    let network = captured([2, 3, 4], |x| flat(x.max_abs_dims(&[0, 2])));
    let x0 = far_from_zero(24);
    holds_at(
        "largest size over two axes",
        network,
        x0,
        RuleSet::default(),
        Answer::Radii,
        &["MaxAbs"],
    );
}

/// Among one entry there is no other winner: the sign alone decides.
#[test]
fn largest_size_of_one_entry() {
    let network = captured([3, 1], |x| x.max_abs_dim(1));
    holds_at(
        "largest size of one entry",
        network,
        start(3),
        RuleSet::default(),
        Answer::Exact,
        &["MaxAbs"],
    );
}

/// Noise around 0 and a truncation: −1 < x < 1 is one step.
#[test]
fn a_truncation_passes_zero() {
    let network = captured(FLAT, |x: Tensor<2>| x.clone() + x.int().float());
    let x0: Vec<f64> = start(12).iter().map(|x| 0.4 * x).collect();
    holds_at(
        "a truncation passes zero",
        network,
        x0,
        RuleSet::default(),
        Answer::Exact,
        &["IntoInt"],
    );
}
