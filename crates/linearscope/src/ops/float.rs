//! `FloatTensorOps`: the ops that can carry a probe.

use burn_backend::{
    Backend, BoolDType, Distribution, ExecutionError, FloatDType, IntDType, Scalar, Shape, Slice,
    TensorData, TensorMetadata,
    ops::{FloatTensorOps, GridSampleOptions, PadMode},
    tensor::{BoolTensor, Device, FloatTensor, IndexingUpdateOp, IntTensor},
};

use super::classes::{Lower, float};
use crate::{
    LinearScope,
    error::Error,
    linear::{
        self as map, CumSum, Detach, Expand, Flip, MeanDim, Permute, RepeatDim, Reshape, Sum,
        SumDim, SwapDims,
    },
    rules::{
        arithmetic,
        extremes::{self, End},
        hypot,
        indexing::{self, Scatter, ScatterNd, SelectAssign},
        order, padding, pointwise, product, reduction, sampling, selection, slope, transfer,
        unfold,
    },
    run::{
        Lineage, ScopeTensor, Tracked,
        kinks::{Decides, Read, Stairs, Test},
        open::Opened,
    },
    smooth::Smooth,
};

/// Each entry of x against a number.
fn level<B: Backend>(x: Read<'_, B>, test: Test, c: Scalar) -> Option<Decides<'_, B>> {
    Some(Decides::Levels(x, vec![(test, float(c))]))
}

/// All entries of each line, in order.
fn sorted<B: Backend>(x: Read<'_, B>, dim: usize, descending: bool) -> Option<Decides<'_, B>> {
    let all = x.value.shape()[dim];
    Some(Decides::Order(x, dim, all, descending))
}

impl<B: Backend> FloatTensorOps<Self> for LinearScope<B> {
    inert! {
        fn float_from_data(data: TensorData, device: &Device<Self>) -> FloatTensor<Self>;
        fn float_random(shape: Shape, distribution: Distribution, device: &Device<Self>, dtype: FloatDType) -> FloatTensor<Self>;
        fn float_zeros(shape: Shape, device: &Device<Self>, dtype: FloatDType) -> FloatTensor<Self>;
        fn float_ones(shape: Shape, device: &Device<Self>, dtype: FloatDType) -> FloatTensor<Self>;
        fn float_full(shape: Shape, fill_value: Scalar, device: &Device<Self>, dtype: FloatDType) -> FloatTensor<Self>;
    }

    fn float_into_data(
        tensor: FloatTensor<Self>,
    ) -> impl Future<Output = Result<TensorData, ExecutionError>> + Send {
        if let Lineage::Traced(tracer) = tensor.lineage() {
            let run = tracer.run();
            run.fail(Error::DataRead {
                place: run.place("float_into_data"),
            });
        }
        B::float_into_data(tensor.into_value())
    }

    fn float_to_device(tensor: FloatTensor<Self>, device: &Device<Self>) -> FloatTensor<Self> {
        transfer::to_device(tensor, device)
    }

    reads! {
        fn float_into_int(tensor: FloatTensor<Self>, out_dtype: IntDType) -> IntTensor<Self>
            => "cast": |x| Some(Decides::Stairs(x, Stairs::Trunc));
    }
    inert! {
        fn float_empty(shape: Shape, device: &Device<Self>, dtype: FloatDType) -> FloatTensor<Self>;
    }
    linear! {
        fn float_repeat_dim(tensor: FloatTensor<Self>, dim: usize, times: usize) -> FloatTensor<Self>
            => |input: &Shape| RepeatDim::new(input, dim, times);
    }

    fn float_add(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        arithmetic::add(lhs, rhs, 1.0, B::float_add)
    }

    fn float_add_scalar(lhs: FloatTensor<Self>, rhs: Scalar) -> FloatTensor<Self> {
        arithmetic::shift(lhs, float(rhs), |x| B::float_add_scalar(x, rhs))
    }

    fn float_clamp_min(tensor: FloatTensor<Self>, min: Scalar) -> FloatTensor<Self> {
        slope::clamp(tensor, Some(min), None, |x| B::float_clamp_min(x, min))
    }

    fn float_clamp_max(tensor: FloatTensor<Self>, max: Scalar) -> FloatTensor<Self> {
        slope::clamp(tensor, None, Some(max), |x| B::float_clamp_max(x, max))
    }

    fn float_clamp(tensor: FloatTensor<Self>, min: Scalar, max: Scalar) -> FloatTensor<Self> {
        slope::clamp(tensor, Some(min), Some(max), |x| {
            B::float_clamp(x, min, max)
        })
    }

    fn float_sub(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        arithmetic::add(lhs, rhs, -1.0, B::float_sub)
    }

    fn float_sub_scalar(lhs: FloatTensor<Self>, rhs: Scalar) -> FloatTensor<Self> {
        arithmetic::shift(lhs, -float(rhs), |x| B::float_sub_scalar(x, rhs))
    }

    fn float_mul(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        product::mul(lhs, rhs)
    }

    linear! {
        fn float_mul_scalar(lhs: FloatTensor<Self>, rhs: Scalar) -> FloatTensor<Self>
            => |_: &Shape| map::Multiple(float(rhs));
    }

    fn float_div(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        product::div(lhs, rhs)
    }

    fn float_div_scalar(lhs: FloatTensor<Self>, rhs: Scalar) -> FloatTensor<Self> {
        arithmetic::div_scalar(lhs, rhs)
    }

    refused! {
        fn float_remainder(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self>;
        fn float_remainder_scalar(lhs: FloatTensor<Self>, rhs: Scalar) -> FloatTensor<Self>;
    }

    fn float_matmul(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        product::matmul(lhs, rhs)
    }

    fn float_cross(
        lhs: FloatTensor<Self>,
        rhs: FloatTensor<Self>,
        dim: usize,
    ) -> FloatTensor<Self> {
        product::cross(lhs, rhs, dim)
    }

    linear! {
        fn float_neg(tensor: FloatTensor<Self>) -> FloatTensor<Self>
            => |_: &Shape| map::Multiple(-1.0);
    }

    fn float_recip(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        pointwise::freeze(tensor, Smooth::Recip)
    }

    linear! {
        fn float_transpose(tensor: FloatTensor<Self>) -> FloatTensor<Self>
            => |input: &Shape| SwapDims(input.num_dims() - 2, input.num_dims() - 1);
        fn float_swap_dims(tensor: FloatTensor<Self>, dim1: usize, dim2: usize) -> FloatTensor<Self>
            => |_: &Shape| SwapDims(dim1, dim2);
        fn float_permute(tensor: FloatTensor<Self>, axes: &[usize]) -> FloatTensor<Self>
            => |_: &Shape| Permute::new(axes);
        fn float_flip(tensor: FloatTensor<Self>, axes: &[usize]) -> FloatTensor<Self>
            => |_: &Shape| Flip::new(axes);
        fn float_reshape(tensor: FloatTensor<Self>, shape: Shape) -> FloatTensor<Self>
            => |input: &Shape| Reshape::new(input, &shape);
    }

    fn float_gather(
        dim: usize,
        tensor: FloatTensor<Self>,
        indices: IntTensor<Self>,
    ) -> FloatTensor<Self> {
        indexing::gather(dim, tensor, indices)
    }

    fn float_scatter(
        dim: usize,
        tensor: FloatTensor<Self>,
        indices: IntTensor<Self>,
        value: FloatTensor<Self>,
        update: IndexingUpdateOp,
    ) -> FloatTensor<Self> {
        let by = |indices| Scatter(dim, indices);
        indexing::update(tensor, by, indices, value, update)
    }

    fn float_scatter_nd(
        data: FloatTensor<Self>,
        indices: IntTensor<Self>,
        values: FloatTensor<Self>,
        reduction: IndexingUpdateOp,
    ) -> FloatTensor<Self> {
        indexing::update(data, ScatterNd, indices, values, reduction)
    }

    fn float_gather_nd(data: FloatTensor<Self>, indices: IntTensor<Self>) -> FloatTensor<Self> {
        indexing::gather_nd(data, indices)
    }

    fn float_select(
        tensor: FloatTensor<Self>,
        dim: usize,
        indices: IntTensor<Self>,
    ) -> FloatTensor<Self> {
        selection::select(tensor, dim, indices)
    }

    fn float_select_assign(
        tensor: FloatTensor<Self>,
        dim: usize,
        indices: IntTensor<Self>,
        value: FloatTensor<Self>,
        update: IndexingUpdateOp,
    ) -> FloatTensor<Self> {
        let by = |indices| SelectAssign(dim, indices);
        indexing::update(tensor, by, indices, value, update)
    }

    linear! {
        fn float_slice(tensor: FloatTensor<Self>, slices: &[Slice]) -> FloatTensor<Self>
            => |input: &Shape| map::Slice::new(input, slices);
    }

    fn float_slice_assign(
        tensor: FloatTensor<Self>,
        slices: &[Slice],
        value: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        selection::slice_assign(tensor, slices, value)
    }

    fn float_mask_where(
        tensor: FloatTensor<Self>,
        mask: BoolTensor<Self>,
        value: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        selection::mask_where(tensor, mask, value)
    }

    fn float_mask_fill(
        tensor: FloatTensor<Self>,
        mask: BoolTensor<Self>,
        value: Scalar,
    ) -> FloatTensor<Self> {
        selection::mask_fill(tensor, mask, value)
    }

    fn float_mask_select(
        tensor: FloatTensor<Self>,
        mask: BoolTensor<Self>,
    ) -> impl Future<Output = FloatTensor<Self>> + 'static + Send {
        let mut op = Opened::<B>::default();
        let tensor = Lower::<B>::lower(tensor, &mut op);
        let mask = Lower::<B>::lower(mask, &mut op);
        let because = ": the number of entries is itself a decision, so that there is no shape to \
                       map to; use mask_where or mask_fill";
        let selected = B::float_mask_select(tensor, mask);
        async move { op.refused(selected.await, "float_mask_select", because) }
    }

    compares! {
        fn float_equal(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>, out_dtype: BoolDType) -> BoolTensor<Self> => Test::Equal;
        fn float_not_equal(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>, out_dtype: BoolDType) -> BoolTensor<Self> => Test::Equal;
    }
    reads! {
        fn float_equal_elem(lhs: FloatTensor<Self>, rhs: Scalar, out_dtype: BoolDType) -> BoolTensor<Self>
            => "comparison": |x| level(x, Test::Equal, rhs);
        fn float_not_equal_elem(lhs: FloatTensor<Self>, rhs: Scalar, out_dtype: BoolDType) -> BoolTensor<Self>
            => "comparison": |x| level(x, Test::Equal, rhs);
    }
    compares! {
        fn float_greater(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>, out_dtype: BoolDType) -> BoolTensor<Self> => Test::Greater;
    }
    reads! {
        fn float_greater_elem(lhs: FloatTensor<Self>, rhs: Scalar, out_dtype: BoolDType) -> BoolTensor<Self>
            => "comparison": |x| level(x, Test::Greater, rhs);
    }
    compares! {
        fn float_greater_equal(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>, out_dtype: BoolDType) -> BoolTensor<Self> => Test::GreaterEqual;
    }
    reads! {
        fn float_greater_equal_elem(lhs: FloatTensor<Self>, rhs: Scalar, out_dtype: BoolDType) -> BoolTensor<Self>
            => "comparison": |x| level(x, Test::GreaterEqual, rhs);
    }
    compares! {
        fn float_lower(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>, out_dtype: BoolDType) -> BoolTensor<Self> => Test::Greater, swapped;
    }
    reads! {
        // x < c where x ≥ c is not.
        fn float_lower_elem(lhs: FloatTensor<Self>, rhs: Scalar, out_dtype: BoolDType) -> BoolTensor<Self>
            => "comparison": |x| level(x, Test::GreaterEqual, rhs);
    }
    compares! {
        fn float_lower_equal(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>, out_dtype: BoolDType) -> BoolTensor<Self> => Test::GreaterEqual, swapped;
    }
    reads! {
        fn float_lower_equal_elem(lhs: FloatTensor<Self>, rhs: Scalar, out_dtype: BoolDType) -> BoolTensor<Self>
            => "comparison": |x| level(x, Test::Greater, rhs);
    }
    linear! {
        fn float_detach(tensor: FloatTensor<Self>) -> FloatTensor<Self>
            => |_: &Shape| Detach;
    }

    fn float_set_require_grad(tensor: FloatTensor<Self>, require_grad: bool) -> FloatTensor<Self> {
        let ScopeTensor { value, lineage } = tensor;
        let value = B::float_set_require_grad(value, require_grad);
        ScopeTensor { value, lineage }
    }

    fn float_is_require_grad(tensor: &FloatTensor<Self>) -> bool {
        B::float_is_require_grad(&tensor.value)
    }

    linear! {
        fn float_sum(tensor: FloatTensor<Self>) -> FloatTensor<Self>
            => |input: &Shape| Sum::new(input);
        fn float_sum_dim(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self>
            => |input: &Shape| SumDim::new(input, dim);
    }

    fn float_sum_dims(tensor: FloatTensor<Self>, dims: &[usize]) -> FloatTensor<Self> {
        reduction::sum_dims(tensor, dims)
    }

    refused! {
        fn float_prod(tensor: FloatTensor<Self>) -> FloatTensor<Self>;
        fn float_prod_dim(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self>;
    }

    fn float_mean(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        reduction::mean(tensor)
    }

    linear! {
        fn float_mean_dim(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self>
            => |input: &Shape| MeanDim::new(input, dim);
        fn float_cumsum(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self>
            => |_: &Shape| CumSum(dim);
    }
    refused! {
        fn float_cumprod(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self>;
    }

    fn float_cummin(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        extremes::running(tensor, dim, End::Smallest, |x| B::float_cummin(x, dim))
    }

    fn float_cummax(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        extremes::running(tensor, dim, End::Largest, |x| B::float_cummax(x, dim))
    }

    fn float_cast(tensor: FloatTensor<Self>, dtype: FloatDType) -> FloatTensor<Self> {
        transfer::cast(tensor, dtype)
    }

    fn float_exp(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        pointwise::freeze(tensor, Smooth::Exp)
    }

    fn float_log(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        pointwise::freeze(tensor, Smooth::Log)
    }

    fn float_log1p(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        pointwise::freeze(tensor, Smooth::Log1p)
    }

    fn float_powi_scalar(lhs: FloatTensor<Self>, rhs: Scalar) -> FloatTensor<Self> {
        pointwise::power(lhs, float(rhs), |x| B::float_powi_scalar(x, rhs))
    }

    fn float_powi_scalar_impl(lhs: FloatTensor<Self>, rhs: Scalar) -> FloatTensor<Self> {
        pointwise::power(lhs, float(rhs), |x| B::float_powi_scalar_impl(x, rhs))
    }

    fn float_powf_scalar(tensor: FloatTensor<Self>, value: Scalar) -> FloatTensor<Self> {
        pointwise::power(tensor, float(value), |x| B::float_powf_scalar(x, value))
    }

    fn float_powf_scalar_impl(tensor: FloatTensor<Self>, value: Scalar) -> FloatTensor<Self> {
        pointwise::power(tensor, float(value), |x| {
            B::float_powf_scalar_impl(x, value)
        })
    }

    fn float_sqrt(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        pointwise::freeze(tensor, Smooth::Sqrt)
    }

    refused! {
        fn float_powf(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self>;
        fn float_powi(lhs: FloatTensor<Self>, rhs: IntTensor<Self>) -> FloatTensor<Self>;
    }

    fn float_hypot(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        hypot::hypot(lhs, rhs)
    }

    fn float_abs(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        slope::abs(tensor)
    }

    fn float_cos(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        pointwise::freeze(tensor, Smooth::Cos)
    }

    fn float_sin(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        pointwise::freeze(tensor, Smooth::Sin)
    }

    fn float_tan(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        pointwise::freeze(tensor, Smooth::Tan)
    }

    fn float_cosh(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        pointwise::freeze(tensor, Smooth::Cosh)
    }

    fn float_sinh(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        pointwise::freeze(tensor, Smooth::Sinh)
    }

    fn float_tanh(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        pointwise::freeze(tensor, Smooth::Tanh)
    }

    fn float_acos(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        pointwise::freeze(tensor, Smooth::Acos)
    }

    fn float_acosh(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        pointwise::freeze(tensor, Smooth::Acosh)
    }

    fn float_asin(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        pointwise::freeze(tensor, Smooth::Asin)
    }

    fn float_asinh(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        pointwise::freeze(tensor, Smooth::Asinh)
    }

    fn float_atan(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        pointwise::freeze(tensor, Smooth::Atan)
    }

    fn float_atanh(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        pointwise::freeze(tensor, Smooth::Atanh)
    }

    refused! {
        fn float_atan2(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self>;
    }
    steps! {
        fn float_round(tensor: FloatTensor<Self>) -> FloatTensor<Self> => Stairs::Round;
        fn float_floor(tensor: FloatTensor<Self>) -> FloatTensor<Self> => Stairs::Floor;
        fn float_ceil(tensor: FloatTensor<Self>) -> FloatTensor<Self> => Stairs::Ceil;
        fn float_trunc(tensor: FloatTensor<Self>) -> FloatTensor<Self> => Stairs::Trunc;
    }

    fn float_erf(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        pointwise::freeze(tensor, Smooth::Erf)
    }

    fn float_cat(tensors: Vec<FloatTensor<Self>>, dim: usize) -> FloatTensor<Self> {
        selection::cat(tensors, dim)
    }

    reads! {
        fn float_argmax(tensor: FloatTensor<Self>, dim: usize, out_dtype: IntDType) -> IntTensor<Self>
            => "switches": |x| Some(Decides::Extreme(x, Some(dim), 1.0));
        fn float_argtopk(tensor: FloatTensor<Self>, dim: usize, k: usize, out_dtype: IntDType) -> IntTensor<Self>
            => "order": |x| Some(Decides::Order(x, dim, k, true));
    }

    fn float_topk(tensor: FloatTensor<Self>, dim: usize, k: usize) -> FloatTensor<Self> {
        order::sorted(tensor, dim, true, |x| (B::float_topk(x, dim, k), ())).0
    }

    fn float_topk_with_indices(
        tensor: FloatTensor<Self>,
        dim: usize,
        k: usize,
        out_dtype: IntDType,
    ) -> (FloatTensor<Self>, IntTensor<Self>) {
        order::sorted(tensor, dim, true, |x| {
            B::float_topk_with_indices(x, dim, k, out_dtype)
        })
    }

    reads! {
        fn float_argmin(tensor: FloatTensor<Self>, dim: usize, out_dtype: IntDType) -> IntTensor<Self>
            => "switches": |x| Some(Decides::Extreme(x, Some(dim), -1.0));
    }

    fn float_max(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        extremes::extreme(tensor, None, End::Largest, B::float_max)
    }

    fn float_max_dim(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        extremes::extreme(tensor, Some(dim), End::Largest, |x| {
            B::float_max_dim(x, dim)
        })
    }

    fn float_max_dim_with_indices(
        tensor: FloatTensor<Self>,
        dim: usize,
        indices_dtype: IntDType,
    ) -> (FloatTensor<Self>, IntTensor<Self>) {
        let origin = tensor.lineage().run().cloned();
        let (values, value) =
            B::float_max_dim_with_indices(tensor.value.clone(), dim, indices_dtype);
        let values = extremes::extreme(tensor, Some(dim), End::Largest, |_| values);
        (values, Tracked { value, origin })
    }

    fn float_min(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        extremes::extreme(tensor, None, End::Smallest, B::float_min)
    }

    fn float_min_dim(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        extremes::extreme(tensor, Some(dim), End::Smallest, |x| {
            B::float_min_dim(x, dim)
        })
    }

    fn float_min_dim_with_indices(
        tensor: FloatTensor<Self>,
        dim: usize,
        indices_dtype: IntDType,
    ) -> (FloatTensor<Self>, IntTensor<Self>) {
        let origin = tensor.lineage().run().cloned();
        let (values, value) =
            B::float_min_dim_with_indices(tensor.value.clone(), dim, indices_dtype);
        let values = extremes::extreme(tensor, Some(dim), End::Smallest, |_| values);
        (values, Tracked { value, origin })
    }

    fn float_max_abs(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        extremes::extreme_abs(tensor, None, B::float_max_abs)
    }

    fn float_max_abs_dim(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        extremes::extreme_abs(tensor, Some(dim), |x| B::float_max_abs_dim(x, dim))
    }

    reads! {
        fn float_any(tensor: FloatTensor<Self>, out_dtype: BoolDType) -> BoolTensor<Self>
            => "comparison": |x| level(x, Test::Equal, Scalar::Float(0.0));
        fn float_any_dim(tensor: FloatTensor<Self>, dim: usize, out_dtype: BoolDType) -> BoolTensor<Self>
            => "comparison": |x| level(x, Test::Equal, Scalar::Float(0.0));
        fn float_all(tensor: FloatTensor<Self>, out_dtype: BoolDType) -> BoolTensor<Self>
            => "comparison": |x| level(x, Test::Equal, Scalar::Float(0.0));
        fn float_all_dim(tensor: FloatTensor<Self>, dim: usize, out_dtype: BoolDType) -> BoolTensor<Self>
            => "comparison": |x| level(x, Test::Equal, Scalar::Float(0.0));
    }
    steps! {
        fn float_sign(tensor: FloatTensor<Self>) -> FloatTensor<Self> => Stairs::Sign;
    }
    linear! {
        fn float_expand(tensor: FloatTensor<Self>, shape: Shape) -> FloatTensor<Self>
            => |input: &Shape| Expand::new(input, &shape);
    }

    fn float_sort(tensor: FloatTensor<Self>, dim: usize, descending: bool) -> FloatTensor<Self> {
        order::sorted(tensor, dim, descending, |x| {
            (B::float_sort(x, dim, descending), ())
        })
        .0
    }

    fn float_sort_with_indices(
        tensor: FloatTensor<Self>,
        dim: usize,
        descending: bool,
        indices_dtype: IntDType,
    ) -> (FloatTensor<Self>, IntTensor<Self>) {
        order::sorted(tensor, dim, descending, |x| {
            B::float_sort_with_indices(x, dim, descending, indices_dtype)
        })
    }

    reads! {
        fn float_argsort(tensor: FloatTensor<Self>, dim: usize, descending: bool, out_dtype: IntDType) -> IntTensor<Self>
            => "order": |x| sorted(x, dim, descending);
    }

    fn float_grid_sample_2d(
        tensor: FloatTensor<Self>,
        grid: FloatTensor<Self>,
        options: GridSampleOptions,
    ) -> FloatTensor<Self> {
        sampling::grid_sample(tensor, grid, options)
    }

    fn float_unfold(
        tensor: FloatTensor<Self>,
        dim: usize,
        size: usize,
        step: usize,
    ) -> FloatTensor<Self> {
        unfold::unfold(tensor, dim, size, step)
    }

    reads! {
        // Finite numbers stay finite.
        fn float_is_nan(tensor: FloatTensor<Self>, out_dtype: BoolDType) -> BoolTensor<Self>
            => "comparison": |x| Some(Decides::Levels(x, Vec::new()));
        // Finite numbers stay finite.
        fn float_is_inf(tensor: FloatTensor<Self>, out_dtype: BoolDType) -> BoolTensor<Self>
            => "comparison": |x| Some(Decides::Levels(x, Vec::new()));
    }

    fn float_pad(
        tensor: FloatTensor<Self>,
        padding: &[(usize, usize)],
        mode: PadMode,
    ) -> FloatTensor<Self> {
        padding::pad(tensor, padding, mode)
    }
}
