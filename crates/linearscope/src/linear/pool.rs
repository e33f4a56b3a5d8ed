//! Average pooling. Max pooling selects, see [`Switches`](super::Switches).

use std::sync::Arc;

use burn_backend::{Backend, Shape, tensor::FloatTensor};

use super::{
    AxisPlace, Cut, LinearMap, Locality, NonNegative, Ratio, Region, Restricted, Structure, batch,
    locality::everywhere, region::Stride,
};

macro_rules! pool {
    (
        $name:ident, $dims:literal, $label:literal, $apply:ident, $adjoint:ident
        { $($field:ident : $ty:ty),* }
    ) => {
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
            fn structure(&self) -> Structure<'_, B> {
                Structure::NonNegative(self)
            }
        }

        impl<B: Backend> NonNegative<B> for $name {
            /// Burn's backward op of a pool has none.
            fn adjoint_has_gradient(&self) -> bool {
                false
            }
        }

        impl<B: Backend> Locality<B> for $name {
            fn flops(&self, input: &Shape, output: &Shape) -> u64 {
                input.num_elements().max(output.num_elements()) as u64
            }
            fn reach(&self, _input: &Shape, output: &Shape, from: &Region) -> Region {
                let mut ranges = from.0[..2].to_vec();
                ranges.extend((0..$dims).map(|axis| {
                    self.stride(axis).reach(&from.0[axis + 2], output[axis + 2])
                }));
                Region(ranges)
            }
            fn field(&self, input: &Shape, _output: &Shape, to: &Region) -> Region {
                let mut ranges = to.0[..2].to_vec();
                ranges.extend((0..$dims).map(|axis| {
                    self.stride(axis).field(&to.0[axis + 2], input[axis + 2])
                }));
                Region(ranges)
            }
            fn places(&self, _input: &Shape, _output: &Shape) -> Option<Vec<AxisPlace>> {
                let mut places = AxisPlace::entrywise(2);
                places.extend((0..$dims).map(|axis| self.stride(axis).place(axis + 2)));
                Some(places)
            }
            /// The same pool without padding where no window of the box leaves the picture; else as
            /// it is, since a border counts in its own way.
            fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
                let to = Locality::<B>::reach(self, cut.input, cut.output, cut.from);
                let to = to.intersection(cut.to);
                if to.is_empty() {
                    return None;
                }
                let mut from = to.0[..2].to_vec();
                for axis in 0..$dims {
                    let (first, last) = self.stride(axis).reads(&to.0[axis + 2]);
                    if first < 0 || last > cut.input[axis + 2] as isize {
                        return None;
                    }
                    from.push(first as usize..last as usize);
                }
                let from = Region(from);
                Some(Restricted {
                    map: Arc::new(self.inside(from.shape())),
                    from,
                    to,
                })
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
            fn structure(&self) -> Structure<'_, B> {
                Structure::NonNegative(self)
            }
        }

        impl<B: Backend> NonNegative<B> for $name {
            /// Burn's backward op of a pool has none.
            fn adjoint_has_gradient(&self) -> bool {
                false
            }
        }

        impl<B: Backend> Locality<B> for $name {
            fn flops(&self, input: &Shape, output: &Shape) -> u64 {
                input.num_elements().max(output.num_elements()) as u64
            }
            everywhere!();
            fn places(&self, input: &Shape, output: &Shape) -> Option<Vec<AxisPlace>> {
                let mut places = AxisPlace::entrywise(2);
                for axis in 2..input.num_dims() {
                    places.push(adapted(axis, input[axis], output[axis])?);
                }
                Some(places)
            }
        }
    };
}

/// Output o of an adaptive pool reads from ⌊o·in/out⌋ to ⌈(o + 1)·in/out⌉ − 1.
fn adapted(axis: usize, input: usize, output: usize) -> Option<AxisPlace> {
    let step = Ratio::of(input, output)?;
    // The most by which rounding moves an end.
    let off = (step.under() - 1) as f64 / step.under() as f64;
    Some(AxisPlace::Window {
        axis,
        step,
        first: -off,
        last: step.value() - 1.0 + off,
    })
}

pool!(
    AvgPool1d,
    1,
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
    2,
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

impl AvgPool1d {
    fn stride(&self, _axis: usize) -> Stride {
        Stride {
            down: self.stride,
            before: self.padding,
            width: self.kernel_size,
        }
    }

    /// The same windows over a part of the input that they fill.
    fn inside(&self, input: Shape) -> Self {
        Self {
            input,
            kernel_size: self.kernel_size,
            stride: self.stride,
            padding: 0,
            count_include_pad: self.count_include_pad,
            ceil_mode: false,
        }
    }
}

impl AvgPool2d {
    fn stride(&self, axis: usize) -> Stride {
        Stride {
            down: self.stride[axis],
            before: self.padding[axis],
            width: self.kernel_size[axis],
        }
    }

    /// The same windows over a part of the input that they fill.
    fn inside(&self, input: Shape) -> Self {
        Self {
            input,
            kernel_size: self.kernel_size,
            stride: self.stride,
            padding: [0; 2],
            count_include_pad: self.count_include_pad,
            ceil_mode: false,
        }
    }
}
