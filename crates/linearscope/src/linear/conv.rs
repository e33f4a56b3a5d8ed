//! Convolutions and transposed convolutions in one to three dimensions: y = W ∗ x, without bias.
//!
//! The probe axis is merged into the batch axis, so k probes cost one convolution of batch k·n.
//! The adjoint is Burn's backward convolution with respect to the input.

use burn_backend::{
    Backend, Shape,
    ops::{ConvOptions, ConvTransposeOptions},
    tensor::FloatTensor,
};

use super::{LinearMap, batch};

macro_rules! conv {
    ($name:ident, $dims:literal, $label:literal, $apply:ident, $adjoint:ident) => {
        #[doc = concat!("`", $label, "` with frozen weights; input `[n, c, ..]`.")]
        #[derive(Debug)]
        pub(crate) struct $name<B: Backend> {
            pub weight: FloatTensor<B>,
            pub options: ConvOptions<$dims>,
            pub input: Shape,
        }

        impl<B: Backend> LinearMap<B> for $name<B> {
            fn name(&self) -> &'static str {
                $label
            }

            fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
                let (x, k) = batch::merge::<B>(x);
                let y = B::$apply(x, self.weight.clone(), None, self.options.clone());
                batch::split::<B>(y, k)
            }

            fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
                let (y, k) = batch::merge::<B>(y);
                let like = batch::shape_only::<B>(&y, k, &self.input);
                let x = B::$adjoint(like, self.weight.clone(), y, self.options.clone());
                batch::split::<B>(x, k)
            }
        }
    };
}

macro_rules! conv_transpose {
    ($name:ident, $dims:literal, $label:literal, $apply:ident, $adjoint:ident) => {
        #[doc = concat!("`", $label, "` with frozen weights; input `[n, c, ..]`.")]
        #[derive(Debug)]
        pub(crate) struct $name<B: Backend> {
            pub weight: FloatTensor<B>,
            pub options: ConvTransposeOptions<$dims>,
        }

        impl<B: Backend> LinearMap<B> for $name<B> {
            fn name(&self) -> &'static str {
                $label
            }

            fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
                let (x, k) = batch::merge::<B>(x);
                let y = B::$apply(x, self.weight.clone(), None, self.options.clone());
                batch::split::<B>(y, k)
            }

            fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
                let (y, k) = batch::merge::<B>(y);
                let x = B::$adjoint(self.weight.clone(), y, self.options.clone());
                batch::split::<B>(x, k)
            }
        }
    };
}

conv!(Conv1d, 1, "conv1d", conv1d, conv1d_x_backward);
conv!(Conv2d, 2, "conv2d", conv2d, conv2d_x_backward);
conv!(Conv3d, 3, "conv3d", conv3d, conv3d_x_backward);
conv_transpose!(
    ConvTranspose1d,
    1,
    "conv_transpose1d",
    conv_transpose1d,
    conv_transpose1d_x_backward
);
conv_transpose!(
    ConvTranspose2d,
    2,
    "conv_transpose2d",
    conv_transpose2d,
    conv_transpose2d_x_backward
);
conv_transpose!(
    ConvTranspose3d,
    3,
    "conv_transpose3d",
    conv_transpose3d,
    conv_transpose3d_x_backward
);
