//! Ways: what is made of a decision before it enters, by concatenation. A function of decisions is a
//! decision; between flips it stands still, however curved the function.
//!
//! Then decisions of other kinds, and decisions of decisions.

use burn::tensor::{
    DType, FloatDType, IndexingUpdateOp, Int, Tensor, activation,
    module::{
        adaptive_avg_pool2d, attention, avg_pool2d, conv2d, deform_conv2d, interpolate, layer_norm,
        max_pool2d, max_pool2d_with_indices, unfold4d,
    },
    ops::{
        AttentionModuleOptions, AvgPoolOptions, ConvOptions, DeformConvOptions, InterpolateMode,
        InterpolateOptions, MaxPoolOptions, PadMode, UnfoldOptions,
    },
};

use crate::data::{COMPARED, beside, bits, fixed, lit, picks, whole};

const PICTURE: [usize; 4] = [1, 2, 4, 4];

/// The network x beside T(a decision of x's shape).
macro_rules! ways {
    ($($name:ident: |$m:ident| $body:expr;)*) => { networks! { Radii, PICTURE, "";
        $($name by COMPARED: |x| {
            let $m = bits(&x, PICTURE);
            beside(x, $body)
        };)*
    } };
}

ways! {
    reshaped: |m| m.reshape([4, 8]);
    swapped: |m| m.swap_dims(2, 3);
    permuted: |m| m.permute([3, 0, 1, 2]);
    flipped: |m| m.flip([3]);
    rolled: |m| m.roll_dim(1, 3);
    expanded: |m| m.narrow(1, 0, 1).expand([1, 5, 4, 4]);
    repeated: |m| m.repeat(&[1, 1, 2, 1]);
    cut: |m| m.slice([0..1, 0..2, 1..3, 0..4]);
    padded_by_zeros: |m| m.pad([(1, 0), (0, 1)], 0.0);
    padded_by_ones: |m| m.pad([(1, 0), (0, 1)], 1.0);
    padded_by_reflection: |m| m.pad([(1, 0), (0, 1)], PadMode::Reflect);
    padded_by_edges: |m| m.pad([(1, 0), (0, 1)], PadMode::Edge);
    windows: |m| m.unfold::<5, _>(2, 2, 1);
    blocks: |m| unfold4d(m, [2, 2], UnfoldOptions::new([1, 1], [0, 0], [1, 1]));
    resized_to_the_nearest: |m| {
        interpolate(m, InterpolateOptions::new(InterpolateMode::Nearest).with_output_size([7, 5]))
    };
    resized_between: |m| {
        interpolate(m, InterpolateOptions::new(InterpolateMode::Bilinear).with_output_size([7, 5]))
    };
    averaged: |m| avg_pool2d(m, AvgPoolOptions::new([2, 2]));
    averaged_adaptively: |m| adaptive_avg_pool2d(m, [3, 2]);
    pooled: |m| max_pool2d(m, MaxPoolOptions::new([1, 2]));
    running_sums: |m| m.cumsum(3);
    running_products: |m| (m + 0.5).cumprod(3);
    running_maxima: |m| m.cummax(3);
    sums: |m| m.sum_dim(3);
    sums_over_axes: |m| m.sum_dims(&[1, 2]);
    sum_of_all: |m| m.sum();
    means: |m| m.mean_dim(1);
    mean_of_all: |m| m.mean();
    products: |m| (m + 0.5).prod_dim(3);
    product_of_all: |m| (m + 0.9).prod();
    maxima: |m| m.max_dim(3);
    largest: |m| m.max();
    largest_size: |m| m.max_abs();
    sorted: |m| m.sort(3);
    top: |m| m.topk(2, 3);
    median: |m| m.median(3);
    negated: |m| -m;
    scaled: |m| m * 3.0 + 0.25;
    divided: |m| m / 3.0;
    remainders: |m| (m + 0.7).remainder_scalar(0.6);
    reciprocals: |m| (m + 1.0).recip();
    roots: |m| (m + 1.0).sqrt();
    powers: |m| (m + 1.0).powf_scalar(1.7);
    squares: |m| (m + 1.0).square();
    powers_of_a_constant: |m| fixed(&m, PICTURE, 3).abs().powf(m + 0.5);
    angles: |m| (m.clone() + 0.5).atan2(m + 1.0);
    hypotenuses: |m| (m.clone() + 0.5).hypot(m + 1.0);
    exponentials: |m| m.exp();
    logarithms: |m| (m + 1.0).log();
    sines: |m| m.sin();
    signs: |m| (m - 0.5).sign();
    rounded: |m| (m * 1.7).round();
    floors: |m| (m * 1.7).floor();
    clipped: |m| m.clamp(0.2, 0.8);
    sizes: |m| (m - 0.3).abs();
    relus: |m| activation::relu(m - 0.3);
    leaky_relus: |m| activation::leaky_relu(m - 0.3, 0.1);
    sigmoids: |m| activation::sigmoid(m);
    gelus: |m| activation::gelu(m);
    tanhs: |m| m.tanh();
    softpluses: |m| activation::softplus(m, 1.0);
    mishes: |m| activation::mish(m);
    hard_swishes: |m| activation::hard_swish(m);
    softmaxes: |m| activation::softmax(m, 3);
    log_softmaxes: |m| activation::log_softmax(m, 3);
    prelus: |m| {
        let slope = m.clone().narrow(2, 0, 1).narrow(3, 0, 1).reshape([2]);
        activation::prelu(m - 0.3, slope)
    };
    normed: |m| layer_norm(m.clone(), fixed(&m, [4], 2), None, 1e-5);
    normed_by_hand: |m| {
        let centred = m.clone() - m.mean_dim(3);
        let spread = (centred.clone().square().mean_dim(3) + 1e-3).sqrt();
        centred / spread
    };
    products_of_two: |m| m.clone() * (m + 0.5);
    quotients_of_two: |m| m.clone() / (m + 0.5);
    matrix_products: |m| m.clone().matmul(m);
    convolved: |m| {
        let weight = fixed(&m, [2, 2, 2, 2], 3);
        conv2d(m, weight, None, ConvOptions::new([1, 1], [0, 0], [1, 1], 1))
    };
    convolved_by_itself: |m| {
        let weight = m.clone().reshape([4, 2, 2, 2]);
        conv2d(m, weight, None, ConvOptions::new([1, 1], [0, 0], [1, 1], 1))
    };
    deformed: |m| {
        let (offset, weight) = (bits(&m, [1, 8, 3, 3]) * 0.3, fixed(&m, [2, 2, 2, 2], 3));
        deform_conv2d(m, offset, weight, None, None, DeformConvOptions::new([1, 1], [0, 0], [1, 1], 1, 1))
    };
    attended: |m| {
        attention(m.clone(), m.clone() * 2.0, m, None, None, AttentionModuleOptions::default())
    };
    sampled: |m| {
        let grid = m.clone().reshape([1, 4, 4, 2]) - 0.5;
        m.grid_sample_2d(grid, InterpolateMode::Bilinear)
    };
    detached: |m| m.detach();
    narrowed: |m| m.cast(FloatDType::F16).cast(DType::F32);
    truncated: |m| (m * 2.7).int().float();
}

/// The network x beside T(decided integers of x's shape).
macro_rules! numbers {
    ($($name:ident: |$m:ident| $body:expr;)*) => { networks! { Radii, PICTURE, "";
        $($name by COMPARED: |x| {
            let $m: Tensor<4, Int> = picks(&x, PICTURE);
            let made = $body;
            beside(x, made.float())
        };)*
    } };
}

numbers! {
    int_sum: |m| m.sum_dim(3);
    int_mean: |m| (m * 6).mean_dim(3);
    int_product: |m| (m + 1).prod_dim(3);
    int_running_sum: |m| m.cumsum(3);
    int_arithmetic: |m| (m.clone() + 3) * (m - 2);
    int_division: |m| (m * 7 + 5) / 3;
    int_remainder: |m| (m * 7 + 5).remainder_scalar(4);
    int_power: |m| (m + 2).powi_scalar(3);
    int_bits: |m| (m.clone() + 5).bitwise_and((m + 6).bitwise_xor_scalar(1));
    int_shift: |m| m.bitwise_left_shift_scalar(2);
    int_negative: |m| m.neg().abs() + 1;
    int_clip: |m| (m * 5).clamp(1, 3);
    int_maximum: |m| m.max_dim(3);
    int_argmax: |m| m.argmax(3);
    int_sort: |m| m.sort(3);
    int_top: |m| m.topk(2, 3);
    int_matmul: |m| m.clone().matmul(m);
    int_cat: |m| Tensor::cat(vec![m.clone(), m + 1], 2);
    int_gather: |m| m.clone().gather(3, whole(&bits(&m.clone().float(), [1, 2, 4, 2]), [1, 2, 4, 2], &[0, 3]));
    int_select: |m| { let at = whole(&m.clone().float(), [3], &[1, 0, 3]); m.select(2, at) };
    int_scatter: |m| {
        let at = whole(&m.clone().float(), [1, 2, 4, 1], &[1, 0, 3]);
        let value = m.clone().narrow(3, 0, 1);
        m.scatter(3, at, value, IndexingUpdateOp::Add)
    };
    int_slice_assign: |m| m.clone().slice_assign([0..1, 0..1, 0..4, 0..4], m.narrow(1, 1, 1) + 2);
    int_where: |m| { let low = m.clone().lower_scalar(1); m.clone().mask_where(low, m + 4) };
    int_fill: |m| { let low = m.clone().lower_scalar(1); m.mask_fill(low, 9) };
    int_moved: |m| m.permute([0, 2, 1, 3]).flip([1]).expand([3, 4, 2, 4]).repeat(&[1, 1, 1, 2]);
    int_padded: |m| m.pad([(1, 0), (0, 1)], 2);
    int_compared: |m| m.clone().equal(m.flip([3])).int();
    int_sign: |m| (m - 1).sign();
}

// Booleans.
networks! { Radii, PICTURE, "";
    bool_not by COMPARED: |x| { let m = lit(&x, PICTURE); beside(x, m.bool_not().float()) };
    bool_and by COMPARED: |x| {
        let (a, b) = (lit(&x, PICTURE), x.clone().greater_scalar(-0.3));
        beside(x, a.bool_and(b).float())
    };
    bool_or by ["Greater", "Lower"]: |x| {
        let (a, b) = (lit(&x, PICTURE), x.clone().lower_scalar(-0.3));
        beside(x, a.bool_or(b).float())
    };
    bool_xor by COMPARED: |x| {
        let (a, b) = (lit(&x, PICTURE), x.clone().greater_scalar(-0.3));
        beside(x, a.bool_xor(b).float())
    };
    bool_equal by COMPARED: |x| {
        let m = lit(&x, PICTURE);
        beside(x, m.clone().equal(m.flip([3])).float())
    };
    bool_moved by COMPARED: |x| {
        let m = lit(&x, PICTURE);
        beside(x, m.permute([0, 2, 3, 1]).flip([1]).repeat(&[1, 2, 1, 1]).float())
    };
    bool_cat by COMPARED: |x| {
        let m = lit(&x, PICTURE);
        beside(x, Tensor::cat(vec![m.clone(), m.bool_not()], 1).float())
    };
    bool_any by COMPARED: |x| { let m = lit(&x, PICTURE); beside(x, m.any_dim(3).float()) };
    bool_any_of_all by COMPARED: |x| { let m = lit(&x, PICTURE); beside(x, m.any().float()) };
    bool_all by COMPARED: |x| { let m = lit(&x, PICTURE); beside(x, m.all_dim(3).float()) };
    bool_all_of_all by COMPARED: |x| { let m = lit(&x, PICTURE); beside(x, m.all().float()) };
    bool_where by COMPARED: |x| {
        let (m, k) = (lit(&x, PICTURE), x.clone().greater_scalar(-0.3));
        beside(x, m.clone().mask_where(k, m.flip([3])).float())
    };
    bool_select by COMPARED: |x| {
        let m = lit(&x, PICTURE).select(2, whole(&x, [2], &[3, 1]));
        beside(x, m.float())
    };
    bool_gather by COMPARED: |x| {
        let m = lit(&x, PICTURE).gather(3, picks(&x, [1, 2, 4, 2]));
        beside(x, m.float())
    };
    bool_slice_assign by COMPARED: |x| {
        let m = lit(&x, PICTURE);
        let part = m.clone().narrow(1, 1, 1).bool_not();
        beside(x, m.slice_assign([0..1, 0..1, 0..4, 0..4], part).float())
    };
    bool_as_int by COMPARED: |x| { let m = lit(&x, PICTURE); beside(x, m.int().float()) };
}

// Decisions of other kinds, as data.
networks! { Exact, [3, 4], "";
    an_argmax by ["ArgMax"]: |x| beside(x.clone(), x.argmax(1).float());
    an_argmin by ["ArgMin"]: |x| beside(x.clone(), x.argmin(0).float());
    an_order by ["ArgSort", "Sort"]: |x| beside(x.clone(), x.argsort(1).float());
    the_best_two by ["ArgTopK", "ArgTopk", "TopK"]: |x| beside(x.clone(), x.argtopk(2, 1).float());
    the_indices_of_a_sort by ["Sort"]: |x| beside(x.clone(), x.sort_with_indices(1).1.float());
    the_indices_of_a_topk by ["TopK", "Topk"]: |x| beside(x.clone(), x.topk_with_indices(2, 1).1.float());
    the_index_of_a_maximum by ["MaxDim"]: |x| beside(x.clone(), x.max_dim_with_indices(1).1.float());
    the_index_of_a_minimum by ["MinDim"]: |x| beside(x.clone(), x.min_dim_with_indices(1).1.float());
    a_truncation by ["IntoInt"]: |x| beside(x.clone(), (x * 3.0).int().float());
    a_comparison_of_two by ["Lower"]: |x| beside(x.clone(), x.clone().lower(x.flip([1]) * 0.5).float());
    a_one_hot by ["ArgMax"]: |x| {
        let places = whole(&x, [3, 4], &[0, 1, 2, 3]);
        let hot = x.clone().argmax(1).expand([3, 4]).equal(places);
        beside(x, hot.float())
    };
    rows_by_an_argmax by ["ArgMax"]: |x| {
        let best = x.clone().argmax(0).reshape([4]);
        x.select(0, best)
    };
    entries_by_an_order by ["ArgSort", "Sort"]: |x| {
        let order = x.clone().argsort(1);
        x.flip([0]).gather(1, order)
    };
    a_decided_branch by ["Greater"]: |x| {
        // Mean above 0: one network, else another.
        let which = x.clone().mean().greater_scalar(0.0).unsqueeze::<2>().expand([3, 4]);
        (x.clone() * 2.0).mask_where(which, x * -1.0 + 0.5)
    };
}

networks! { Exact, [1, 2, 4, 6], "";
    the_indices_of_a_pool by ["MaxPool"]: |x| {
        let (_, at) = max_pool2d_with_indices(x.clone(), MaxPoolOptions::new([2, 2]));
        beside(x, at.float())
    };
}

networks! { Radii, [3, 4], "";
    an_equality by ["Equal"]: |x| beside(x.clone(), x.equal_scalar(0.25).float());
    a_decision_of_a_decision by COMPARED: |x| {
        let count = x.clone().greater_scalar(0.2).float().sum_dim(1);
        beside(x, count.greater_scalar(1.5).float())
    };
    a_decision_of_an_int by COMPARED: |x| {
        let count = x.clone().greater_scalar(0.2).int().sum_dim(1);
        beside(x, count.greater_scalar(1).float())
    };
    an_argmax_of_decisions by COMPARED: |x| {
        let lit = x.clone().greater_scalar(0.2).float();
        beside(x, lit.argmax(1).float())
    };
    /// A decision beside x in one comparison.
    a_comparison_with_a_decision by COMPARED: |x| {
        let level = x.clone().greater_scalar(0.2).float().mean_dim(1);
        beside(x.clone(), x.greater(level.expand([3, 4])).float())
    };
    a_relu_after_a_decision by ["Greater", "Relu"]: |x| {
        let level = x.clone().greater_scalar(0.2).float().mean_dim(1);
        activation::relu(x - level)
    };
    a_decision_after_a_relu by ["Greater", "Relu"]: |x| {
        let y = activation::relu(x);
        beside(y.clone(), y.sum_dim(1).greater_scalar(1.5).float())
    };
    a_decision_after_a_decided_factor by COMPARED: |x| {
        let y = x.clone() * (x.clone().greater_scalar(0.2).float() + 0.5);
        beside(y.clone(), y.sum_dim(1).greater_scalar(0.5).float())
    };
    not_a_number_as_data by []: |x| beside(x.clone(), x.is_nan().float());
}
