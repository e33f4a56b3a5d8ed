//! Doors: every operand through which a decision can enter an op, in place of a constant. It is data
//! there, and flips where the comparison that made it does.
//!
//! Read off the rows of `crates/linearscope/src/ops/{float,module,activation}.rs`, in their order. An op
//! whose only float operand is traced has no door, and is in `moved.rs`, applied to a decision alone.
//!
//! | row | doors here |
//! | --- | --- |
//! | add, sub | either side, broadcast or not |
//! | mul, div, cross, matmul | either side of mul, cross, matmul; the divisor |
//! | gather, gather_nd, select, embedding | indices; the table, with fixed indices; a fixed table, with decided ones |
//! | scatter, scatter_nd, select_assign | indices; values; data; Add and Assign each |
//! | slice_assign | value; what it is written into |
//! | mask_where, mask_fill | mask; value; what it is written into |
//! | cat | every part |
//! | grid_sample_2d | grid; picture |
//! | batch_norm | γ, β, mean, variance; the same of a constant picture |
//! | layer_norm | γ and β, of a constant picture (of a traced one it is curved) |
//! | conv1d, 2d, 3d, conv_transpose1d, 2d, 3d | weight, bias; the picture, with a traced weight or bias |
//! | linear | weight, bias |
//! | deform_conv2d | offsets, mask, weight, bias |
//! | attention | mask, bias, query, key |
//! | prelu | slope; x, with a traced slope |
//! | conv2d_weight_backward, x and bias backward | the operand that is not the gradient |
//! | hypot | curved where traced: a decided side, in `curved.rs` |
//! | powf, powi, atan2, remainder, cumprod | refused where traced: decisions alone, in `moved.rs` |
//! | float_random, float_zeros…, to_device, cast, detach | no second operand |

use burn::tensor::{
    Tensor, activation,
    module::{
        attention, batch_norm, conv_transpose1d, conv_transpose2d, conv_transpose3d, conv1d,
        conv2d, conv2d_weight_backward, conv3d, deform_conv2d, embedding, layer_norm, linear,
    },
    ops::{
        AttentionModuleOptions, ConvOptions, ConvTransposeOptions, DeformConvOptions,
        GridSampleOptions, IndexingUpdateOp, InterpolateMode,
    },
};

use crate::data::{COMPARED, beside, bits, fixed, flat, lit, mask, picks, whole};

const PICTURE: [usize; 4] = [1, 2, 4, 4];
const TABLE: [usize; 2] = [8, 4];

fn same<const N: usize>() -> ConvOptions<N> {
    ConvOptions::new([1; N], [0; N], [1; N], 1)
}

fn transposed<const N: usize>() -> ConvTransposeOptions<N> {
    ConvTransposeOptions::new([1; N], [0; N], [0; N], [1; N], 1)
}

fn bent() -> DeformConvOptions<2> {
    DeformConvOptions::new([1, 1], [0, 0], [1, 1], 1, 1)
}

const ADD: IndexingUpdateOp = IndexingUpdateOp::Add;
const ASSIGN: IndexingUpdateOp = IndexingUpdateOp::Assign;

// Sums, products.
networks! { Exact, PICTURE, "";
    add_on_the_right by COMPARED: |x| x.clone() + bits(&x, PICTURE);
    add_on_the_left by COMPARED: |x| bits(&x, PICTURE) + x;
    add_broadcast by COMPARED: |x| x.clone() + bits(&x, [1, 2, 1, 4]);
    added_to_a_broadcast by COMPARED: |x| x.clone().mean_dim(3) + bits(&x, PICTURE);
    sub_on_the_right by COMPARED: |x| x.clone() - bits(&x, PICTURE);
    sub_on_the_left by COMPARED: |x| bits(&x, [1, 2, 4, 1]) - x;
    mul_on_the_right by COMPARED: |x| x.clone() * (bits(&x, PICTURE) + 0.5);
    mul_on_the_left by COMPARED: |x| (bits(&x, [1, 2, 1, 4]) + 0.5) * x;
    mask_by_mul by COMPARED: |x| x.clone() * bits(&x, PICTURE);
    divisor by COMPARED: |x| x.clone() / (bits(&x, PICTURE) + 1.0);
    divisor_broadcast by COMPARED: |x| x.clone() / (bits(&x, [1, 1, 1, 4]) + 1.0);
}

networks! { Exact, TABLE, "";
    matmul_on_the_right by COMPARED: |x| x.clone().matmul(bits(&x, [4, 3]));
    matmul_on_the_left by COMPARED: |x| bits(&x, [3, 8]).matmul(x);
    linear_weight by COMPARED: |x| linear(x.clone(), bits(&x, [4, 3]), Some(fixed(&x, [3], 2)));
    linear_bias by COMPARED: |x| linear(x.clone(), fixed(&x, [4, 3], 2), Some(bits(&x, [3])));
    linear_picture by COMPARED: |x| {
        let weight = x.clone().narrow(0, 0, 4);
        linear(bits(&x, [3, 4]), weight, None)
    };
}

networks! { Exact, [4, 3], "";
    cross_on_the_right by COMPARED: |x| x.clone().cross(bits(&x, [4, 3]) + 0.2, 1);
    cross_on_the_left by COMPARED: |x| (bits(&x, [4, 3]) + 0.2).cross(x, 1);
}

// Reading by indices.
networks! { Exact, TABLE, "";
    gather_indices by COMPARED: |x| x.clone().gather(1, picks(&x, [8, 2]));
    gather_from_a_decision by COMPARED: |x| {
        let read = bits(&x, TABLE).gather(1, whole(&x, [8, 2], &[0, 3, 1, 2]));
        beside(x, read)
    };
    gather_from_a_constant by COMPARED: |x| {
        let read = fixed(&x, TABLE, 8).gather(1, picks(&x, [8, 2]));
        beside(x, read)
    };
    gather_nd_indices by COMPARED: |x| x.clone().gather_nd::<2, 2>(picks(&x, [5, 1]));
    gather_nd_from_a_decision by COMPARED: |x| {
        let read: Tensor<2> = bits(&x, TABLE).gather_nd::<2, 2>(whole(&x, [3, 1], &[1, 7, 2]));
        beside(x, read)
    };
    gather_nd_from_a_constant by COMPARED: |x| {
        let read: Tensor<2> = fixed(&x, TABLE, 8).gather_nd::<2, 2>(picks(&x, [5, 1]));
        beside(x, read)
    };
    select_indices by COMPARED: |x| x.clone().select(0, picks(&x, [5]));
    select_from_a_decision by COMPARED: |x| {
        let read = bits(&x, TABLE).select(0, whole(&x, [2], &[6, 1]));
        beside(x, read)
    };
    select_from_a_constant by COMPARED: |x| {
        let read = fixed(&x, TABLE, 8).select(0, picks(&x, [5]));
        beside(x, read)
    };
    embedding_indices by COMPARED: |x| embedding(x.clone(), picks(&x, [1, 5]));
    embedding_in_a_decision by COMPARED: |x| {
        let read = embedding(bits(&x, TABLE), whole(&x, [1, 3], &[6, 1]));
        beside(x, read)
    };
    embedding_in_a_constant by COMPARED: |x| {
        let read = embedding(fixed(&x, TABLE, 8), picks(&x, [1, 5]));
        beside(x, read)
    };
}

// Writing by indices, ranges, masks.
networks! { Exact, TABLE, "";
    scatter_indices_add by COMPARED: |x| {
        x.clone().scatter(1, picks(&x, [8, 1]), x.narrow(1, 2, 1) * 0.5, ADD)
    };
    scatter_indices_assign by COMPARED: |x| {
        x.clone().scatter(1, picks(&x, [8, 1]), x.narrow(1, 2, 1) * 0.5, ASSIGN)
    };
    scatter_values_add by COMPARED: |x| {
        x.clone().scatter(1, whole(&x, [8, 2], &[0, 3, 2]), bits(&x, [8, 2]), ADD)
    };
    scatter_values_assign by COMPARED: |x| {
        x.clone().scatter(1, whole(&x, [8, 2], &[0, 3, 2, 1]), bits(&x, [8, 2]), ASSIGN)
    };
    scatter_into_a_decision_add by COMPARED: |x| {
        let at = whole(&x, [8, 2], &[0, 3, 2]);
        bits(&x, TABLE).scatter(1, at, x.narrow(1, 0, 2), ADD)
    };
    scatter_into_a_decision_assign by COMPARED: |x| {
        let at = whole(&x, [8, 1], &[0, 3, 2]);
        bits(&x, TABLE).scatter(1, at, x.narrow(1, 0, 1), ASSIGN)
    };
    scatter_constant_values_at_decided_indices by COMPARED: |x| {
        x.clone().scatter(1, picks(&x, [8, 1]), fixed(&x, [8, 1], 4), ADD)
    };
    scatter_nd_indices_add by COMPARED: |x| {
        x.clone().scatter_nd(picks(&x, [3, 1]), x.narrow(0, 0, 3) * 0.5, ADD)
    };
    scatter_nd_values_add by COMPARED: |x| {
        x.clone().scatter_nd(whole(&x, [3, 1], &[5, 2, 7]), bits(&x, [3, 4]), ADD)
    };
    scatter_nd_values_assign by COMPARED: |x| {
        x.clone().scatter_nd(whole(&x, [3, 1], &[5, 2, 7]), bits(&x, [3, 4]), ASSIGN)
    };
    scatter_nd_into_a_decision_add by COMPARED: |x| {
        bits(&x, TABLE).scatter_nd(whole(&x, [3, 1], &[5, 2, 7]), x.narrow(0, 0, 3), ADD)
    };
    scatter_nd_into_a_decision_assign by COMPARED: |x| {
        bits(&x, TABLE).scatter_nd(whole(&x, [3, 1], &[5, 2, 7]), x.narrow(0, 0, 3), ASSIGN)
    };
    select_assign_indices_add by COMPARED: |x| {
        x.clone().select_assign(0, picks(&x, [3]), x.narrow(0, 4, 3) * 0.5, ADD)
    };
    select_assign_values_add by COMPARED: |x| {
        x.clone().select_assign(0, whole(&x, [3], &[5, 2, 7]), bits(&x, [3, 4]), ADD)
    };
    select_assign_values_assign by COMPARED: |x| {
        x.clone().select_assign(0, whole(&x, [3], &[5, 2, 7]), bits(&x, [3, 4]), ASSIGN)
    };
    select_assign_into_a_decision_add by COMPARED: |x| {
        bits(&x, TABLE).select_assign(0, whole(&x, [3], &[5, 2, 7]), x.narrow(0, 0, 3), ADD)
    };
    select_assign_into_a_decision_assign by COMPARED: |x| {
        bits(&x, TABLE).select_assign(0, whole(&x, [3], &[5, 2, 7]), x.narrow(0, 0, 3), ASSIGN)
    };
    slice_assign_value by COMPARED: |x| x.clone().slice_assign([4..6, 0..4], bits(&x, [2, 4]));
    slice_assign_into_a_decision by COMPARED: |x| {
        bits(&x, TABLE).slice_assign([4..6, 0..4], x.narrow(0, 0, 2))
    };
    mask_where_mask by COMPARED: |x| {
        let other = x.clone() * 0.5 + 0.3;
        x.clone().mask_where(lit(&x, TABLE), other)
    };
    mask_where_value by COMPARED: |x| x.clone().mask_where(mask(&x, TABLE), bits(&x, TABLE));
    mask_where_into_a_decision by COMPARED: |x| bits(&x, TABLE).mask_where(mask(&x, TABLE), x);
    mask_where_mask_of_constants by COMPARED: |x| {
        let chosen = fixed(&x, TABLE, 8).mask_where(lit(&x, TABLE), fixed(&x, TABLE, 9));
        beside(x, chosen)
    };
    mask_fill_mask by COMPARED: |x| x.clone().mask_fill(lit(&x, TABLE), 0.7);
    mask_fill_mask_with_zero by COMPARED: |x| x.clone().mask_fill(lit(&x, TABLE), 0.0);
    mask_fill_a_constant by COMPARED: |x| {
        let filled = fixed(&x, TABLE, 8).mask_fill(lit(&x, TABLE), 0.7);
        beside(x, filled)
    };
    cat_last by COMPARED: |x| Tensor::cat(vec![x.clone(), bits(&x, TABLE)], 1);
    cat_first by COMPARED: |x| Tensor::cat(vec![bits(&x, TABLE), x.clone()], 0);
    cat_in_the_middle by COMPARED: |x| {
        Tensor::cat(vec![x.clone(), bits(&x, [2, 4]), x.clone() * 2.0, fixed(&x, [1, 4], 1)], 0)
    };
    stack by COMPARED: |x| Tensor::stack::<3>(vec![x.clone(), bits(&x, TABLE)], 1);
}

// Convolutions.
networks! { Exact, PICTURE, "";
    conv2d_weight by COMPARED: |x| conv2d(x.clone(), bits(&x, [3, 2, 2, 2]), None, same());
    conv2d_bias by COMPARED: |x| {
        conv2d(x.clone(), fixed(&x, [4, 2, 2, 2], 6), Some(bits(&x, [4])), same())
    };
    conv2d_weight_and_bias by COMPARED: |x| {
        conv2d(x.clone(), bits(&x, [4, 2, 2, 2]), Some(bits(&x, [4])), same())
    };
    conv2d_picture_under_a_traced_weight by COMPARED: |x| {
        let weight = x.clone().reshape([4, 2, 2, 2]);
        conv2d(bits(&x, PICTURE), weight, None, same())
    };
    conv2d_picture_under_a_traced_bias by COMPARED: |x| {
        let bias = flat(x.clone()).narrow(1, 8, 3).reshape([3]);
        conv2d(bits(&x, PICTURE), fixed(&x, [3, 2, 2, 2], 6), Some(bias), same())
    };
    conv2d_weight_under_a_traced_bias by COMPARED: |x| {
        let bias = flat(x.clone()).narrow(1, 8, 3).reshape([3]);
        conv2d(fixed(&x, PICTURE, 7), bits(&x, [3, 2, 2, 2]), Some(bias), same())
    };
    conv2d_bias_under_a_traced_weight by COMPARED: |x| {
        let weight = x.clone().reshape([4, 2, 2, 2]);
        conv2d(fixed(&x, PICTURE, 7), weight, Some(bits(&x, [4])), same())
    };
    conv1d_weight by COMPARED: |x| {
        conv1d(x.clone().reshape([1, 4, 8]), bits(&x, [3, 4, 2]), None, same())
    };
    conv1d_bias by COMPARED: |x| {
        let picture = x.clone().reshape([1, 4, 8]);
        conv1d(picture, fixed(&x, [4, 4, 2], 6), Some(bits(&x, [4])), same())
    };
    conv3d_weight by COMPARED: |x| {
        conv3d(x.clone().reshape([1, 2, 4, 2, 2]), bits(&x, [3, 2, 2, 1, 2]), None, same())
    };
    conv3d_bias by COMPARED: |x| {
        let picture = x.clone().reshape([1, 2, 4, 2, 2]);
        conv3d(picture, fixed(&x, [4, 2, 2, 1, 2], 6), Some(bits(&x, [4])), same())
    };
    conv_transpose1d_weight by COMPARED: |x| {
        let picture = x.clone().reshape([1, 4, 8]);
        conv_transpose1d(picture, bits(&x, [4, 3, 2]), None, transposed())
    };
    conv_transpose1d_bias by COMPARED: |x| {
        let picture = x.clone().reshape([1, 4, 8]);
        conv_transpose1d(picture, fixed(&x, [4, 4, 2], 6), Some(bits(&x, [4])), transposed())
    };
    conv_transpose2d_weight by COMPARED: |x| {
        conv_transpose2d(x.clone(), bits(&x, [2, 3, 2, 2]), None, transposed())
    };
    conv_transpose2d_bias by COMPARED: |x| {
        conv_transpose2d(x.clone(), fixed(&x, [2, 4, 2, 2], 6), Some(bits(&x, [4])), transposed())
    };
    conv_transpose2d_picture_under_a_traced_bias by COMPARED: |x| {
        let bias = flat(x.clone()).narrow(1, 8, 3).reshape([3]);
        conv_transpose2d(bits(&x, PICTURE), fixed(&x, [2, 3, 2, 2], 6), Some(bias), transposed())
    };
    conv_transpose3d_weight by COMPARED: |x| {
        let picture = x.clone().reshape([1, 2, 4, 2, 2]);
        conv_transpose3d(picture, bits(&x, [2, 3, 2, 1, 2]), None, transposed())
    };
    conv_transpose3d_bias by COMPARED: |x| {
        let picture = x.clone().reshape([1, 2, 4, 2, 2]);
        let weight = fixed(&x, [2, 4, 2, 1, 2], 6);
        conv_transpose3d(picture, weight, Some(bits(&x, [4])), transposed())
    };
    picture_of_a_gradient_of_a_weight by COMPARED: |x| {
        let (picture, weight) = (bits(&x, PICTURE), fixed(&x, [2, 2, 1, 1], 6));
        conv2d_weight_backward(picture, weight, x, same())
    };
}

// Norms with given statistics, slopes.
fn channels(x: &Tensor<4>, seed: u64) -> Tensor<1> {
    fixed(x, [2], seed)
}

networks! { Exact, PICTURE, "";
    batch_norm_gamma by COMPARED: |x| {
        let [beta, mean, variance] = [1, 2, 3].map(|seed| channels(&x, seed));
        batch_norm(x.clone(), bits(&x, [2]) + 0.5, beta, mean, variance.abs() + 0.5, 1e-5)
    };
    batch_norm_beta by COMPARED: |x| {
        let [gamma, mean, variance] = [1, 2, 3].map(|seed| channels(&x, seed));
        batch_norm(x.clone(), gamma, bits(&x, [2]), mean, variance.abs() + 0.5, 1e-5)
    };
    batch_norm_mean by COMPARED: |x| {
        let [gamma, beta, variance] = [1, 2, 3].map(|seed| channels(&x, seed));
        batch_norm(x.clone(), gamma, beta, bits(&x, [2]), variance.abs() + 0.5, 1e-5)
    };
    batch_norm_variance by COMPARED: |x| {
        let [gamma, beta, mean] = [1, 2, 3].map(|seed| channels(&x, seed));
        batch_norm(x.clone(), gamma, beta, mean, bits(&x, [2]) + 0.5, 1e-5)
    };
    batch_norm_gamma_of_a_constant by COMPARED: |x| {
        let [beta, mean, variance] = [1, 2, 3].map(|seed| channels(&x, seed));
        let picture = fixed(&x, PICTURE, 7);
        let y = batch_norm(picture, bits(&x, [2]), beta, mean, variance.abs() + 0.5, 1e-5);
        x + y
    };
    batch_norm_beta_of_a_constant by COMPARED: |x| {
        let [gamma, mean, variance] = [1, 2, 3].map(|seed| channels(&x, seed));
        let picture = fixed(&x, PICTURE, 7);
        let y = batch_norm(picture, gamma, bits(&x, [2]), mean, variance.abs() + 0.5, 1e-5);
        x + y
    };
    batch_norm_statistics_of_a_constant by COMPARED: |x| {
        let [gamma, beta] = [1, 2].map(|seed| channels(&x, seed));
        let picture = fixed(&x, PICTURE, 7);
        let y = batch_norm(picture, gamma, beta, bits(&x, [2]), bits(&x, [2]) + 0.5, 1e-5);
        x + y
    };
    layer_norm_gamma_of_a_constant by COMPARED: |x| {
        let picture = fixed(&x, PICTURE, 7);
        let y = layer_norm(picture, bits(&x, [4]), Some(fixed(&x, [4], 1)), 1e-5);
        x + y
    };
    layer_norm_beta_of_a_constant by COMPARED: |x| {
        let picture = fixed(&x, PICTURE, 7);
        let y = layer_norm(picture, fixed(&x, [4], 1), Some(bits(&x, [4])), 1e-5);
        x + y
    };
    prelu_slope by ["Greater", "PRelu", "Prelu"]: |x| {
        activation::prelu(x.clone(), bits(&x, [2]) * 0.5)
    };
    /// All of x is far left of the kink: the slope flips long before.
    prelu_slope_alone by ["Greater", "PRelu", "Prelu"]: |x| {
        activation::prelu(x.clone() - 1000.0, bits(&x, [2]) * 0.5)
    };
    prelu_of_a_decision by COMPARED: |x| {
        let slope = flat(x.clone()).narrow(1, 8, 2).reshape([2]);
        activation::prelu(bits(&x, PICTURE) * 2.0 - 1.0, slope)
    };
}

// Sampling.
networks! { Exact, PICTURE, "";
    grid by COMPARED: |x| {
        let grid = fixed(&x, [1, 3, 3, 2], 4) * 0.5 + bits(&x, [1, 3, 3, 2]) * 0.3;
        x.grid_sample_2d(grid, GridSampleOptions::default())
    };
    grid_of_nearest by COMPARED: |x| {
        let grid = fixed(&x, [1, 3, 3, 2], 4) * 0.3 + bits(&x, [1, 3, 3, 2]) * 0.6;
        x.grid_sample_2d(grid, GridSampleOptions::new(InterpolateMode::Nearest))
    };
    picture_of_a_grid by COMPARED: |x| {
        let grid = fixed(&x, [1, 3, 3, 2], 4) * 0.5;
        let sampled = bits(&x, PICTURE).grid_sample_2d(grid, GridSampleOptions::default());
        beside(x, sampled)
    };
    grid_of_a_constant by COMPARED: |x| {
        let grid = fixed(&x, [1, 3, 3, 2], 4) * 0.5 + bits(&x, [1, 3, 3, 2]) * 0.3;
        let sampled = fixed(&x, PICTURE, 7).grid_sample_2d(grid, GridSampleOptions::default());
        beside(x, sampled)
    };
    deformable_offsets by COMPARED: |x| {
        let offset = bits(&x, [1, 8, 3, 3]) * 0.4 - 0.1;
        deform_conv2d(x.clone(), offset, fixed(&x, [3, 2, 2, 2], 6), None, None, bent())
    };
    deformable_mask by COMPARED: |x| {
        let (offset, share) = (fixed(&x, [1, 8, 3, 3], 5), bits(&x, [1, 4, 3, 3]) + 0.5);
        deform_conv2d(x.clone(), offset, fixed(&x, [3, 2, 2, 2], 6), Some(share), None, bent())
    };
    deformable_weight by COMPARED: |x| {
        let (offset, weight) = (fixed(&x, [1, 8, 3, 3], 5), bits(&x, [3, 2, 2, 2]));
        deform_conv2d(x.clone(), offset, weight, None, None, bent())
    };
    deformable_bias by COMPARED: |x| {
        let (offset, weight) = (fixed(&x, [1, 8, 3, 3], 5), fixed(&x, [4, 2, 2, 2], 6));
        deform_conv2d(x.clone(), offset, weight, None, Some(bits(&x, [4])), bent())
    };
    deformable_picture by COMPARED: |x| {
        let (offset, weight) = (fixed(&x, [1, 8, 3, 3], 5), fixed(&x, [3, 2, 2, 2], 6));
        let y = deform_conv2d(bits(&x, PICTURE), offset, weight, None, None, bent());
        beside(x, y)
    };
}

// Attention's weights are made of what is not traced, here and there of decisions: linear in the values
// between flips. A refusal is right as well: in general they change by degrees.
networks! { Either, [1, 2, 4, 4], "";
    attention_mask by ["Greater", "Attention"]: |x| {
        let [query, key] = [1, 2].map(|seed| fixed(&x, PICTURE, seed));
        let off = lit(&x, [1, 2, 4, 4]);
        attention(query, key, x, Some(off), None, AttentionModuleOptions::default())
    };
    attention_bias by ["Greater", "Attention"]: |x| {
        let [query, key] = [1, 2].map(|seed| fixed(&x, PICTURE, seed));
        let bias = bits(&x, [1, 2, 4, 4]);
        attention(query, key, x, None, Some(bias), AttentionModuleOptions::default())
    };
    attention_query_and_key by ["Greater", "Attention"]: |x| {
        let [query, key] = [0.3, -0.2].map(|shift| bits(&x, PICTURE) + shift);
        attention(query, key, x, None, None, AttentionModuleOptions::default())
    };
    attention_of_constants by ["Greater", "Attention"]: |x| {
        let [query, key] = [1, 2].map(|seed| fixed(&x, PICTURE, seed));
        attention(query, key, x, None, None, AttentionModuleOptions::default())
    };
    attention_of_decisions by COMPARED: |x| {
        let values = bits(&x, PICTURE);
        let y = attention(
            fixed(&x, PICTURE, 1), fixed(&x, PICTURE, 2), values, None, None,
            AttentionModuleOptions::default(),
        );
        beside(x, y)
    };
}
