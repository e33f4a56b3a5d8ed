//! `ModuleOps`: convolutions, pooling, norms, resampling, attention.

use burn_backend::{
    Backend, IntDType, Shape,
    ops::{
        AttentionModuleOptions, BatchNormTrain, BatchNormTrainBackward, ConvOptions,
        ConvTransposeOptions, DeformConv2dBackward, DeformConvOptions, InterpolateOptions,
        MaxPool1dBackward, MaxPool1dWithIndices, MaxPool2dBackward, MaxPool2dWithIndices,
        ModuleOps, UnfoldOptions,
    },
    tensor::{BoolTensor, FloatTensor, IntTensor},
};

use super::classes::Raise;
use crate::{
    LinearScope,
    linear::{self as map, Transpose},
    rules::{
        self, attention,
        gradient::{by, over_channels},
        indexing, max_pool, normalisation, resampling, sampling, unfold,
    },
    run::{Tracked, open::Opened},
};

/// Results that are structs of floats: no part of them has a rule.
macro_rules! struct_results {
    ($($name:ident { $($field:ident),* };)*) => {$(
        impl<B: Backend> Raise<B, $name<B>> for $name<LinearScope<B>> {
            fn fixed(inner: $name<B>, op: &Opened<B>) -> Self {
                Self { $($field: Raise::<B, _>::fixed(inner.$field, op)),* }
            }
            fn refused(inner: $name<B>, op: &Opened<B>, name: &str, because: &str) -> Self {
                Self { $($field: Raise::<B, _>::refused(inner.$field, op, name, because)),* }
            }
        }
    )*};
}

struct_results! {
    BatchNormTrain { output, mean, variance };
    BatchNormTrainBackward { x_grad, gamma_grad, beta_grad };
    DeformConv2dBackward { x_grad, offset_grad, weight_grad, mask_grad, bias_grad };
    MaxPool1dBackward { x_grad };
    MaxPool2dBackward { x_grad };
}

impl<B: Backend> ModuleOps<Self> for LinearScope<B> {
    fn batch_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        normalisation::batch_norm(x, [gamma, beta, mean, variance], epsilon)
    }

    refused! {
        fn batch_norm_train(x: FloatTensor<Self>, gamma: FloatTensor<Self>, beta: FloatTensor<Self>, epsilon: f64) -> BatchNormTrain<Self>
            => "it normalises by its own batch and updates running statistics; freeze the module's validation form";
        fn batch_norm_train_backward(x: FloatTensor<Self>, gamma: FloatTensor<Self>, mean: FloatTensor<Self>, variance: FloatTensor<Self>, epsilon: f64, output_grad: FloatTensor<Self>) -> BatchNormTrainBackward<Self>
            => "it belongs to a training step";
    }

    fn embedding(weights: FloatTensor<Self>, indices: IntTensor<Self>) -> FloatTensor<Self> {
        indexing::embedding(weights, indices)
    }

    gradient! {
        fn embedding_backward(weights: FloatTensor<Self>, output_grad: FloatTensor<Self>, indices: IntTensor<Self>) -> FloatTensor<Self>
            => output_grad: indexing::table_of(output_grad.shape(), indices);
    }

    fn conv1d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        options: ConvOptions<1>,
    ) -> FloatTensor<Self> {
        rules::weighted::conv1d(x, weight, bias, options, None)
    }

    gradient! {
        fn conv1d_x_backward(x: FloatTensor<Self>, weight: FloatTensor<Self>, output_grad: FloatTensor<Self>, options: ConvOptions<1>) -> FloatTensor<Self>
            => output_grad: by(Transpose(map::Conv1d { weight, options, input: x.shape(), direct: Default::default() }));
        fn conv1d_weight_backward(x: FloatTensor<Self>, weight: FloatTensor<Self>, output_grad: FloatTensor<Self>, options: ConvOptions<1>) -> FloatTensor<Self>
            => output_grad: by(Transpose(map::Conv1dWeight { x, options, weight: weight.shape() }));
        fn conv1d_bias_backward(x: FloatTensor<Self>, bias: FloatTensor<Self>, output_grad: FloatTensor<Self>) -> FloatTensor<Self>
            => output_grad: over_channels(output_grad.shape());
    }

    fn conv2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        rules::weighted::conv2d(x, weight, bias, options, None)
    }

    gradient! {
        fn conv2d_x_backward(x: FloatTensor<Self>, weight: FloatTensor<Self>, output_grad: FloatTensor<Self>, options: ConvOptions<2>) -> FloatTensor<Self>
            => output_grad: by(Transpose(map::Conv2d { weight, options, input: x.shape(), direct: Default::default() }));
        fn conv2d_weight_backward(x: FloatTensor<Self>, weight: FloatTensor<Self>, output_grad: FloatTensor<Self>, options: ConvOptions<2>) -> FloatTensor<Self>
            => output_grad: by(Transpose(map::Conv2dWeight { x, options, weight: weight.shape() }));
        fn conv2d_bias_backward(x: FloatTensor<Self>, bias: FloatTensor<Self>, output_grad: FloatTensor<Self>) -> FloatTensor<Self>
            => output_grad: over_channels(output_grad.shape());
    }

    fn deform_conv2d(
        x: FloatTensor<Self>,
        offset: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        mask: Option<FloatTensor<Self>>,
        bias: Option<FloatTensor<Self>>,
        options: DeformConvOptions<2>,
    ) -> FloatTensor<Self> {
        sampling::deform_conv2d(x, offset, weight, mask, bias, options)
    }

    refused! {
        fn deform_conv2d_backward(x: FloatTensor<Self>, offset: FloatTensor<Self>, weight: FloatTensor<Self>, mask: Option<FloatTensor<Self>>, bias: Option<FloatTensor<Self>>, output_grad: FloatTensor<Self>, options: DeformConvOptions<2>) -> DeformConv2dBackward<Self>
            => "it belongs to a training step";
    }

    fn conv3d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        options: ConvOptions<3>,
    ) -> FloatTensor<Self> {
        rules::weighted::convolution(
            x,
            weight,
            bias,
            |x, weight, bias| B::conv3d(x, weight, bias, options.clone()),
            |weight, input| map::Conv3d {
                weight,
                options: options.clone(),
                input,
                direct: Default::default(),
            },
            |x, weight| map::Conv3dWeight {
                x,
                options: options.clone(),
                weight,
            },
        )
    }

    gradient! {
        fn conv3d_x_backward(x: FloatTensor<Self>, weight: FloatTensor<Self>, output_grad: FloatTensor<Self>, options: ConvOptions<3>) -> FloatTensor<Self>
            => output_grad: by(Transpose(map::Conv3d { weight, options, input: x.shape(), direct: Default::default() }));
        fn conv3d_weight_backward(x: FloatTensor<Self>, weight: FloatTensor<Self>, output_grad: FloatTensor<Self>, options: ConvOptions<3>) -> FloatTensor<Self>
            => output_grad: by(Transpose(map::Conv3dWeight { x, options, weight: weight.shape() }));
        fn conv3d_bias_backward(x: FloatTensor<Self>, bias: FloatTensor<Self>, output_grad: FloatTensor<Self>) -> FloatTensor<Self>
            => output_grad: over_channels(output_grad.shape());
    }

    fn conv_transpose1d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        options: ConvTransposeOptions<1>,
    ) -> FloatTensor<Self> {
        rules::weighted::conv_transpose1d(x, weight, bias, options, None)
    }

    gradient! {
        fn conv_transpose1d_x_backward(weight: FloatTensor<Self>, output_grad: FloatTensor<Self>, options: ConvTransposeOptions<1>) -> FloatTensor<Self>
            => output_grad: by(Transpose(map::ConvTranspose1d { weight, options, direct: Default::default() }));
        fn conv_transpose1d_weight_backward(x: FloatTensor<Self>, weight: FloatTensor<Self>, output_grad: FloatTensor<Self>, options: ConvTransposeOptions<1>) -> FloatTensor<Self>
            => output_grad: by(Transpose(map::ConvTranspose1dWeight { x, options, weight: weight.shape() }));
        fn conv_transpose1d_bias_backward(x: FloatTensor<Self>, bias: FloatTensor<Self>, output_grad: FloatTensor<Self>) -> FloatTensor<Self>
            => output_grad: over_channels(output_grad.shape());
    }

    fn conv_transpose2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        options: ConvTransposeOptions<2>,
    ) -> FloatTensor<Self> {
        rules::weighted::conv_transpose2d(x, weight, bias, options, None)
    }

    gradient! {
        fn conv_transpose2d_x_backward(weight: FloatTensor<Self>, output_grad: FloatTensor<Self>, options: ConvTransposeOptions<2>) -> FloatTensor<Self>
            => output_grad: by(Transpose(map::ConvTranspose2d { weight, options, direct: Default::default() }));
        fn conv_transpose2d_weight_backward(x: FloatTensor<Self>, weight: FloatTensor<Self>, output_grad: FloatTensor<Self>, options: ConvTransposeOptions<2>) -> FloatTensor<Self>
            => output_grad: by(Transpose(map::ConvTranspose2dWeight { x, options, weight: weight.shape() }));
        fn conv_transpose2d_bias_backward(x: FloatTensor<Self>, bias: FloatTensor<Self>, output_grad: FloatTensor<Self>) -> FloatTensor<Self>
            => output_grad: over_channels(output_grad.shape());
    }

    fn conv_transpose3d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        options: ConvTransposeOptions<3>,
    ) -> FloatTensor<Self> {
        rules::weighted::convolution(
            x,
            weight,
            bias,
            |x, weight, bias| B::conv_transpose3d(x, weight, bias, options.clone()),
            |weight, _| map::ConvTranspose3d {
                weight,
                options: options.clone(),
                direct: Default::default(),
            },
            |x, weight| map::ConvTranspose3dWeight {
                x,
                options: options.clone(),
                weight,
            },
        )
    }

    gradient! {
        fn conv_transpose3d_x_backward(weight: FloatTensor<Self>, output_grad: FloatTensor<Self>, options: ConvTransposeOptions<3>) -> FloatTensor<Self>
            => output_grad: by(Transpose(map::ConvTranspose3d { weight, options, direct: Default::default() }));
        fn conv_transpose3d_weight_backward(x: FloatTensor<Self>, weight: FloatTensor<Self>, output_grad: FloatTensor<Self>, options: ConvTransposeOptions<3>) -> FloatTensor<Self>
            => output_grad: by(Transpose(map::ConvTranspose3dWeight { x, options, weight: weight.shape() }));
        fn conv_transpose3d_bias_backward(x: FloatTensor<Self>, bias: FloatTensor<Self>, output_grad: FloatTensor<Self>) -> FloatTensor<Self>
            => output_grad: over_channels(output_grad.shape());
    }

    fn unfold4d(
        x: FloatTensor<Self>,
        kernel_size: [usize; 2],
        options: UnfoldOptions,
    ) -> FloatTensor<Self> {
        unfold::unfold4d(x, kernel_size, options)
    }

    linear! {
        fn avg_pool1d(x: FloatTensor<Self>, kernel_size: usize, stride: usize, padding: usize, count_include_pad: bool, ceil_mode: bool) -> FloatTensor<Self>
            => |input: &Shape| map::AvgPool1d { input: input.clone(), kernel_size, stride, padding, count_include_pad, ceil_mode };
    }
    gradient! {
        fn avg_pool1d_backward(x: FloatTensor<Self>, grad: FloatTensor<Self>, kernel_size: usize, stride: usize, padding: usize, count_include_pad: bool, ceil_mode: bool) -> FloatTensor<Self>
            => grad: by(Transpose(map::AvgPool1d { input: x.shape(), kernel_size, stride, padding, count_include_pad, ceil_mode }));
    }
    linear! {
        fn avg_pool2d(x: FloatTensor<Self>, kernel_size: [usize; 2], stride: [usize; 2], padding: [usize; 2], count_include_pad: bool, ceil_mode: bool) -> FloatTensor<Self>
            => |input: &Shape| map::AvgPool2d { input: input.clone(), kernel_size, stride, padding, count_include_pad, ceil_mode };
    }
    gradient! {
        fn avg_pool2d_backward(x: FloatTensor<Self>, grad: FloatTensor<Self>, kernel_size: [usize; 2], stride: [usize; 2], padding: [usize; 2], count_include_pad: bool, ceil_mode: bool) -> FloatTensor<Self>
            => grad: by(Transpose(map::AvgPool2d { input: x.shape(), kernel_size, stride, padding, count_include_pad, ceil_mode }));
    }
    linear! {
        fn adaptive_avg_pool2d(x: FloatTensor<Self>, output_size: [usize; 2]) -> FloatTensor<Self>
            => |input: &Shape| map::AdaptiveAvgPool2d { input: input.clone(), output_size };
    }
    gradient! {
        fn adaptive_avg_pool2d_backward(x: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self>
            => grad: by(Transpose(map::AdaptiveAvgPool2d { input: x.shape(), output_size: [2, 3].map(|dim| grad.shape()[dim]) }));
    }
    linear! {
        fn adaptive_avg_pool3d(x: FloatTensor<Self>, output_size: [usize; 3]) -> FloatTensor<Self>
            => |input: &Shape| map::AdaptiveAvgPool3d { input: input.clone(), output_size };
    }
    gradient! {
        fn adaptive_avg_pool3d_backward(x: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self>
            => grad: by(Transpose(map::AdaptiveAvgPool3d { input: x.shape(), output_size: [2, 3, 4].map(|dim| grad.shape()[dim]) }));
    }
    linear! {
        fn adaptive_avg_pool1d(x: FloatTensor<Self>, output_size: usize) -> FloatTensor<Self>
            => |input: &Shape| map::AdaptiveAvgPool1d { input: input.clone(), output_size };
    }
    gradient! {
        fn adaptive_avg_pool1d_backward(x: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self>
            => grad: by(Transpose(map::AdaptiveAvgPool1d { input: x.shape(), output_size: grad.shape()[2] }));
    }

    fn max_pool1d(
        x: FloatTensor<Self>,
        kernel_size: usize,
        stride: usize,
        padding: usize,
        dilation: usize,
        ceil_mode: bool,
    ) -> FloatTensor<Self> {
        max_pool::max_pool(
            x,
            &map::Windows {
                kernel: vec![kernel_size],
                stride: vec![stride],
                padding: vec![padding],
                dilation: vec![dilation],
            },
            |x| B::max_pool1d(x, kernel_size, stride, padding, dilation, ceil_mode),
            |x, dtype| {
                B::max_pool1d_with_indices(
                    x,
                    kernel_size,
                    stride,
                    padding,
                    dilation,
                    ceil_mode,
                    dtype,
                )
                .indices
            },
        )
    }

    fn max_pool1d_with_indices(
        x: FloatTensor<Self>,
        kernel_size: usize,
        stride: usize,
        padding: usize,
        dilation: usize,
        ceil_mode: bool,
        indices_dtype: IntDType,
    ) -> MaxPool1dWithIndices<Self> {
        let origin = x.lineage().run().cloned();
        let plain = B::max_pool1d_with_indices(
            x.value.clone(),
            kernel_size,
            stride,
            padding,
            dilation,
            ceil_mode,
            indices_dtype,
        );
        let indices = plain.indices.clone();
        let output = max_pool::max_pool(
            x,
            &map::Windows {
                kernel: vec![kernel_size],
                stride: vec![stride],
                padding: vec![padding],
                dilation: vec![dilation],
            },
            |_| plain.output,
            |_, _| plain.indices,
        );
        MaxPool1dWithIndices {
            output,
            indices: Tracked {
                value: indices,
                origin,
            },
        }
    }

    refused! {
        fn max_pool1d_with_indices_backward(x: FloatTensor<Self>, kernel_size: usize, stride: usize, padding: usize, dilation: usize, ceil_mode: bool, output_grad: FloatTensor<Self>, indices: IntTensor<Self>) -> MaxPool1dBackward<Self>
            => "it belongs to a training step";
    }

    fn max_pool2d(
        x: FloatTensor<Self>,
        kernel_size: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
        dilation: [usize; 2],
        ceil_mode: bool,
    ) -> FloatTensor<Self> {
        let pooling = map::Pooling {
            kernel: kernel_size,
            stride,
            padding,
            dilation,
            ceil: ceil_mode,
        };
        // On the host values and switches are one pass, bit by bit what the backend's two are.
        let traced = x.tracer().is_some();
        let (own, switches) = match map::max_pool::<B>(&x.value, &pooling, traced) {
            Some((own, switches)) => (Some(own), switches),
            None => (None, None),
        };
        max_pool::max_pool(
            x,
            &pooling.into(),
            |x| match own {
                Some(own) => own,
                None => B::max_pool2d(x, kernel_size, stride, padding, dilation, ceil_mode),
            },
            |x, dtype| match switches {
                Some(switches) => switches,
                None => {
                    let pooled = B::max_pool2d_with_indices(
                        x,
                        kernel_size,
                        stride,
                        padding,
                        dilation,
                        ceil_mode,
                        dtype,
                    );
                    pooled.indices
                }
            },
        )
    }

    fn max_pool2d_with_indices(
        x: FloatTensor<Self>,
        kernel_size: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
        dilation: [usize; 2],
        ceil_mode: bool,
        indices_dtype: IntDType,
    ) -> MaxPool2dWithIndices<Self> {
        let origin = x.lineage().run().cloned();
        let plain = B::max_pool2d_with_indices(
            x.value.clone(),
            kernel_size,
            stride,
            padding,
            dilation,
            ceil_mode,
            indices_dtype,
        );
        let indices = plain.indices.clone();
        let output = max_pool::max_pool(
            x,
            &map::Pooling {
                kernel: kernel_size,
                stride,
                padding,
                dilation,
                ceil: ceil_mode,
            }
            .into(),
            |_| plain.output,
            |_, _| plain.indices,
        );
        MaxPool2dWithIndices {
            output,
            indices: Tracked {
                value: indices,
                origin,
            },
        }
    }

    refused! {
        fn max_pool2d_with_indices_backward(x: FloatTensor<Self>, kernel_size: [usize; 2], stride: [usize; 2], padding: [usize; 2], dilation: [usize; 2], ceil_mode: bool, output_grad: FloatTensor<Self>, indices: IntTensor<Self>) -> MaxPool2dBackward<Self>
            => "it belongs to a training step";
    }

    fn interpolate(
        x: FloatTensor<Self>,
        output_size: [usize; 2],
        options: InterpolateOptions,
    ) -> FloatTensor<Self> {
        resampling::interpolate(x, output_size, options)
    }

    gradient! {
        fn interpolate_backward(x: FloatTensor<Self>, grad: FloatTensor<Self>, output_size: [usize; 2], options: InterpolateOptions) -> FloatTensor<Self>
            => grad: by(Transpose(map::Interpolate::new(x.value(), &x.shape(), output_size, options)));
    }

    fn attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        mask: Option<BoolTensor<Self>>,
        attn_bias: Option<FloatTensor<Self>>,
        options: AttentionModuleOptions,
    ) -> FloatTensor<Self> {
        attention::attention([query, key, value], mask, attn_bias, options)
    }

    fn layer_norm(
        tensor: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: Option<FloatTensor<Self>>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        normalisation::layer_norm(tensor, gamma, beta, epsilon)
    }

    refused! {
        fn ctc_loss(log_probs: FloatTensor<Self>, targets: IntTensor<Self>, input_lengths: IntTensor<Self>, target_lengths: IntTensor<Self>, blank: usize) -> FloatTensor<Self>
            => "a sum over alignments has no linear reading";
    }

    fn has_ctc_loss_backward() -> bool {
        B::has_ctc_loss_backward()
    }

    refused! {
        fn ctc_loss_backward(log_probs: FloatTensor<Self>, targets: IntTensor<Self>, input_lengths: IntTensor<Self>, target_lengths: IntTensor<Self>, grad_loss: FloatTensor<Self>, blank: usize) -> FloatTensor<Self>
            => "a sum over alignments has no linear reading";
    }

    // inherited: linear and its backward ops (a matmul and an add, which no backend but autodiff
    // overrides) and fold4d (a transposed convolution); all go through the ops above
}
