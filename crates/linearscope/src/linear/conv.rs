//! Convolutions and transposed convolutions in one to three dimensions: y = W ∗ x, without bias.
//!
//! The probe axis is merged into the batch axis, so k probes cost one convolution of batch k·n.
//! The adjoint is Burn's backward convolution with respect to the input.

use std::sync::Arc;

use burn_backend::{
    Backend, Shape, TensorMetadata,
    ops::{ConvOptions, ConvTransposeOptions},
    tensor::FloatTensor,
};

use super::{
    Adapt, Cut, LinearMap, Region, Restricted, Stored, batch,
    convolution_kernel::ConvolutionKernels,
    direct::{Form, OnHost, Shared},
    region::Stride,
};

/// A gain `[1, n, c, ..]` that differs by channel only, as one that broadcasts against weights
/// whose output channels are axis `axis`.
fn per_channel<B: Backend>(gain: &FloatTensor<B>, axis: usize) -> Option<FloatTensor<B>> {
    let shape = gain.shape();
    let by_channel = |(at, &size): (usize, &usize)| at == 2 || size == 1;
    if shape.num_dims() < 4 || !shape.iter().enumerate().all(by_channel) {
        return None;
    }
    let mut dims = vec![1; shape.num_dims() - 1];
    dims[axis] = shape[2];
    Some(B::float_reshape(gain.clone(), Shape::from(dims)))
}

/// A box cut out of what a map makes.
#[derive(Debug)]
struct Cropped<M> {
    map: M,
    crop: Adapt,
}

impl<B: Backend, M: LinearMap<B>> LinearMap<B> for Cropped<M> {
    fn name(&self) -> &'static str {
        self.map.name()
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        LinearMap::<B>::apply(&self.crop, self.map.apply(x))
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        self.map.adjoint(LinearMap::<B>::adjoint(&self.crop, y))
    }
    fn stored(&self) -> Stored {
        self.map.stored()
    }
    fn flops(&self, input: &Shape, output: &Shape) -> u64 {
        self.map.flops(input, output)
    }
}

macro_rules! conv {
    ($name:ident, $dims:literal, $label:literal, $apply:ident, $adjoint:ident) => {
        #[doc = concat!("`", $label, "` with frozen weights; input `[n, c, ..]`.")]
        #[derive(Debug)]
        pub(crate) struct $name<B: Backend> {
            pub weight: FloatTensor<B>,
            pub options: ConvOptions<$dims>,
            pub input: Shape,
            pub direct: Shared,
        }

        impl<B: Backend> $name<B> {
            fn stride(&self, axis: usize) -> Stride {
                Stride {
                    down: self.options.stride[axis],
                    before: self.options.padding[axis].0,
                    width: self.options.dilation[axis] * (self.weight.shape()[axis + 2] - 1) + 1,
                }
            }
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

            fn stored(&self) -> Stored {
                Stored::tensor(&self.weight)
            }

            fn magnitudes(&self) -> Option<Arc<dyn LinearMap<B>>> {
                Some(Arc::new(Self {
                    weight: B::float_abs(self.weight.clone()),
                    options: self.options.clone(),
                    input: self.input.clone(),
                    direct: Shared::default(),
                }))
            }

            fn then_gain(&self, gain: &FloatTensor<B>) -> Option<Arc<dyn LinearMap<B>>> {
                let gain = per_channel::<B>(gain, 0)?;
                Some(Arc::new(Self {
                    weight: B::float_mul(self.weight.clone(), gain),
                    options: self.options.clone(),
                    input: self.input.clone(),
                    direct: Shared::default(),
                }))
            }

            fn prepared(&self) -> Option<Arc<dyn LinearMap<B>>> {
                self.kernels()
            }

            fn flops(&self, _input: &Shape, output: &Shape) -> u64 {
                let weight = self.weight.shape();
                2 * (output.num_elements() * weight.num_elements() / weight[0]) as u64
            }

            fn reach(&self, _input: &Shape, output: &Shape, from: &Region) -> Region {
                let mut ranges = vec![from.0[0].clone(), 0..output[1]];
                ranges.extend(
                    (0..$dims)
                        .map(|axis| self.stride(axis).reach(&from.0[axis + 2], output[axis + 2])),
                );
                Region(ranges)
            }

            fn field(&self, input: &Shape, _output: &Shape, to: &Region) -> Region {
                let mut ranges = vec![to.0[0].clone(), 0..input[1]];
                ranges.extend(
                    (0..$dims)
                        .map(|axis| self.stride(axis).field(&to.0[axis + 2], input[axis + 2])),
                );
                Region(ranges)
            }

            /// The same convolution; what the box cuts off inside the picture is padding.
            fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
                let mut to = self
                    .reach(cut.input, cut.output, cut.from)
                    .intersection(cut.to);
                to.0[1] = 0..cut.output[1];
                let mut from = self
                    .field(cut.input, cut.output, &to)
                    .intersection(cut.from);
                from.0[1] = 0..cut.input[1];
                if from.is_empty() || to.is_empty() {
                    return None;
                }
                let mut options = self.options.clone();
                for axis in 0..$dims {
                    let (first, last) = self.stride(axis).reads(&to.0[axis + 2]);
                    let within = &from.0[axis + 2];
                    options.padding[axis] = (
                        (within.start as isize - first) as usize,
                        (last - within.end as isize) as usize,
                    );
                }
                // Burn's backward convolution in three dimensions pads both ends alike.
                if $dims == 3 && options.is_asymmetric() {
                    return None;
                }
                Some(Restricted {
                    map: Arc::new(Self {
                        weight: self.weight.clone(),
                        options,
                        input: from.shape(),
                        direct: self.direct.clone(),
                    }),
                    from,
                    to,
                })
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
            pub direct: Shared,
        }

        impl<B: Backend> $name<B> {
            fn stride(&self, axis: usize) -> Stride {
                Stride {
                    down: self.options.stride[axis],
                    before: self.options.padding[axis],
                    width: self.options.dilation[axis] * (self.weight.shape()[axis + 2] - 1) + 1,
                }
            }
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

            fn stored(&self) -> Stored {
                Stored::tensor(&self.weight)
            }

            fn magnitudes(&self) -> Option<Arc<dyn LinearMap<B>>> {
                Some(Arc::new(Self {
                    weight: B::float_abs(self.weight.clone()),
                    options: self.options.clone(),
                    direct: Shared::default(),
                }))
            }

            fn then_gain(&self, gain: &FloatTensor<B>) -> Option<Arc<dyn LinearMap<B>>> {
                if self.options.groups != 1 {
                    return None;
                }
                let gain = per_channel::<B>(gain, 1)?;
                Some(Arc::new(Self {
                    weight: B::float_mul(self.weight.clone(), gain),
                    options: self.options.clone(),
                    direct: Shared::default(),
                }))
            }

            fn prepared(&self) -> Option<Arc<dyn LinearMap<B>>> {
                self.kernels()
            }

            fn flops(&self, input: &Shape, _output: &Shape) -> u64 {
                let weight = self.weight.shape();
                2 * (input.num_elements() * weight.num_elements() / weight[0]) as u64
            }

            // The transpose of a strided window: what that reads, this reaches.
            fn reach(&self, _input: &Shape, output: &Shape, from: &Region) -> Region {
                let mut ranges = vec![from.0[0].clone(), 0..output[1]];
                ranges.extend(
                    (0..$dims)
                        .map(|axis| self.stride(axis).field(&from.0[axis + 2], output[axis + 2])),
                );
                Region(ranges)
            }

            fn field(&self, input: &Shape, _output: &Shape, to: &Region) -> Region {
                let mut ranges = vec![to.0[0].clone(), 0..input[1]];
                ranges.extend(
                    (0..$dims)
                        .map(|axis| self.stride(axis).reach(&to.0[axis + 2], input[axis + 2])),
                );
                Region(ranges)
            }

            /// The same transposed convolution without padding, of which the box is cut out.
            fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
                let mut from = self
                    .field(cut.input, cut.output, cut.to)
                    .intersection(cut.from);
                from.0[1] = 0..cut.input[1];
                if from.is_empty() {
                    return None;
                }
                // Outputs that stand before the first one of the whole picture are cut off.
                let mut made = vec![from.0[0].clone(), 0..cut.output[1]];
                let mut cropped = vec![from.0[0].clone(), 0..cut.output[1]];
                let mut to = cropped.clone();
                for axis in 0..$dims {
                    let (first, last) = self.stride(axis).reads(&from.0[axis + 2]);
                    let size = cut.output[axis + 2] as isize;
                    let (start, end) = (first.max(0), last.min(size));
                    to.push(start as usize..end as usize);
                    made.push(0..(last - first) as usize);
                    cropped.push((start - first) as usize..(end - first) as usize);
                }
                let (made, cropped, to) = (Region(made), Region(cropped), Region(to));
                if to.is_empty() {
                    return None;
                }
                let mut options = self.options.clone();
                options.padding = [0; $dims];
                options.padding_out = [0; $dims];
                let whole = Self {
                    weight: self.weight.clone(),
                    options,
                    direct: self.direct.clone(),
                };
                let map: Arc<dyn LinearMap<B>> = match made == cropped {
                    true => Arc::new(whole),
                    false => Arc::new(Cropped {
                        map: whole,
                        crop: Adapt::new(&made, &cropped),
                    }),
                };
                Some(Restricted { map, from, to })
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

/// Dimensions whose replays have no kernels of their own.
macro_rules! own_kernels {
    ($($name:ident)+) => {$(
        impl<B: Backend> $name<B> {
            fn kernels(&self) -> Option<Arc<dyn LinearMap<B>>> {
                None
            }
        }
    )+};
}

own_kernels!(Conv1d Conv3d ConvTranspose1d ConvTranspose3d);

impl<B: Backend> Conv2d<B> {
    fn kernels(&self) -> Option<Arc<dyn LinearMap<B>>> {
        let form = Form {
            groups: self.options.groups,
            stride: self.options.stride,
            dilation: self.options.dilation,
        };
        if let Some(ways) = self.direct.ways::<B>(&self.weight, form) {
            let own = Self {
                weight: self.weight.clone(),
                options: self.options.clone(),
                input: self.input.clone(),
                direct: self.direct.clone(),
            };
            return Some(Arc::new(OnHost::new(own, ways)));
        }
        let kernels = ConvolutionKernels::new(&self.weight, &self.options, &self.input)?;
        Some(Arc::new(kernels))
    }
}

impl<B: Backend> ConvTranspose2d<B> {
    fn kernels(&self) -> Option<Arc<dyn LinearMap<B>>> {
        let form = Form {
            groups: self.options.groups,
            stride: self.options.stride,
            dilation: self.options.dilation,
        };
        let ways = self.direct.ways::<B>(&self.weight, form)?;
        let own = Self {
            weight: self.weight.clone(),
            options: self.options.clone(),
            direct: self.direct.clone(),
        };
        Some(Arc::new(OnHost::new(own, ways)))
    }
}
