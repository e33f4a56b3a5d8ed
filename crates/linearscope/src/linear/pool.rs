//! Average pooling. Max pooling selects, see [`Pick`](super::Pick).

use burn_backend::{Backend, Shape, tensor::FloatTensor};

use super::{LinearMap, batch};

macro_rules! pool {
    ($name:ident, $label:literal, $apply:ident, $adjoint:ident { $($field:ident : $ty:ty),* }) => {
        #[doc = concat!("`", $label, "`; input `[n, c, ..]`.")]
        #[derive(Debug)]
        pub(crate) struct $name {
            pub input: Shape,
            $(pub $field: $ty,)*
        }

        impl<B: Backend> LinearMap<B> for $name {
            fn name(&self) -> &'static str {
                $label
            }
            fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
                let (x, k) = batch::merge::<B>(x);
                batch::split::<B>(B::$apply(x, $(self.$field),*), k)
            }
            fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
                let (y, k) = batch::merge::<B>(y);
                let like = batch::shape_only::<B>(&y, k, &self.input);
                batch::split::<B>(B::$adjoint(like, y, $(self.$field),*), k)
            }
        }
    };
}

macro_rules! adaptive {
    ($name:ident, $label:literal, $apply:ident, $adjoint:ident, $size:ty) => {
        #[doc = concat!("`", $label, "`; input `[n, c, ..]`.")]
        #[derive(Debug)]
        pub(crate) struct $name {
            pub input: Shape,
            pub output_size: $size,
        }

        impl<B: Backend> LinearMap<B> for $name {
            fn name(&self) -> &'static str {
                $label
            }
            fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
                let (x, k) = batch::merge::<B>(x);
                batch::split::<B>(B::$apply(x, self.output_size), k)
            }
            fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
                let (y, k) = batch::merge::<B>(y);
                let like = batch::shape_only::<B>(&y, k, &self.input);
                batch::split::<B>(B::$adjoint(like, y), k)
            }
        }
    };
}

pool!(
    AvgPool1d,
    "avg_pool1d",
    avg_pool1d,
    avg_pool1d_backward {
        kernel_size: usize,
        stride: usize,
        padding: usize,
        count_include_pad: bool,
        ceil_mode: bool
    }
);
pool!(
    AvgPool2d,
    "avg_pool2d",
    avg_pool2d,
    avg_pool2d_backward {
        kernel_size: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
        count_include_pad: bool,
        ceil_mode: bool
    }
);
adaptive!(
    AdaptiveAvgPool1d,
    "adaptive_avg_pool1d",
    adaptive_avg_pool1d,
    adaptive_avg_pool1d_backward,
    usize
);
adaptive!(
    AdaptiveAvgPool2d,
    "adaptive_avg_pool2d",
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_backward,
    [usize; 2]
);
adaptive!(
    AdaptiveAvgPool3d,
    "adaptive_avg_pool3d",
    adaptive_avg_pool3d,
    adaptive_avg_pool3d_backward,
    [usize; 3]
);
