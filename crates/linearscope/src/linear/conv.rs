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
    Adapt, Amount, Arrangement, AxisPlace, Cut, Filters, LinearMap, Locality, Region, Restricted,
    Storage, Stored, Structure, Transform, Weighted, batch,
    convolution_kernel::ConvolutionKernels,
    convolution_phases::ConvolutionPhases,
    direct::{self, Form, OnHost, Shared},
    locality::{as_plain, everywhere},
    region::Stride,
    structure::weighted_as_plain,
    unstopped,
};
use crate::{coefficient::Coefficient, interrupt::Interrupt};

/// A convolution, transposed or not, by its weights.
pub(super) trait Convolution<B: Backend>: LinearMap<B> + Weighted<B> {
    /// The weights.
    fn weight(&self) -> &Coefficient<FloatTensor<B>>;

    /// The same convolution with other weights of the same shape.
    fn with_weight(&self, weight: Coefficient<FloatTensor<B>>) -> Self;

    /// Which axis of the weights is what.
    fn arrangement(&self) -> Arrangement;
}

/// A convolution with transformed weights.
fn transformed<B: Backend, M: Convolution<B>>(map: &M, transform: Transform) -> M {
    let weight = map.weight().clone();
    map.with_weight(weight.map(|weight| transform.of::<B>(weight)))
}

/// A convolution whose weights take up a gain `[1, n, c, ..]` that differs by channel only, if its output
/// channels are an axis of them.
fn scaled<B: Backend, M: Convolution<B>>(map: &M, gain: &Coefficient<FloatTensor<B>>) -> Option<M> {
    let axis = match map.arrangement() {
        Arrangement::OutIn { .. } => 0,
        Arrangement::InOut { groups: 1 } => 1,
        Arrangement::InOut { .. } | Arrangement::Right { .. } | Arrangement::Left => return None,
    };
    let shape = gain.value().shape();
    let by_channel = |(at, &size): (usize, &usize)| at == 2 || size == 1;
    if shape.num_dims() < 4 || !shape.iter().enumerate().all(by_channel) {
        return None;
    }
    let mut dims = vec![1; shape.num_dims() - 1];
    dims[axis] = shape[2];
    let gain = gain.clone();
    let gain = gain.map(|gain| B::float_reshape(gain, Shape::from(dims)));
    Some(map.with_weight(map.weight().clone().join(gain, B::float_mul)))
}

/// A box cut out of what a convolution makes, in whatever form that is.
#[derive(Debug)]
struct Cropped<B: Backend> {
    map: Arc<dyn LinearMap<B>>,
    crop: Adapt,
}

impl<B: Backend> Cropped<B> {
    fn weights(&self) -> &dyn Weighted<B> {
        let weights = self.map.structure().weights();
        weights.expect("a convolution has weights")
    }

    fn cropping(&self, map: Arc<dyn LinearMap<B>>) -> Arc<dyn LinearMap<B>> {
        let crop = self.crop.clone();
        Arc::new(Self { map, crop })
    }
}

impl<B: Backend> LinearMap<B> for Cropped<B> {
    fn name(&self) -> &'static str {
        self.map.name()
    }
    unstopped!();
    fn apply_until(&self, x: FloatTensor<B>, interrupt: &Interrupt) -> FloatTensor<B> {
        LinearMap::<B>::apply(&self.crop, self.map.apply_until(x, interrupt))
    }
    fn adjoint_until(&self, y: FloatTensor<B>, interrupt: &Interrupt) -> FloatTensor<B> {
        let y = LinearMap::<B>::adjoint(&self.crop, y);
        self.map.adjoint_until(y, interrupt)
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::Weighted(self)
    }
}

impl<B: Backend> Storage<B> for Cropped<B> {
    fn stored(&self) -> Stored {
        self.weights().stored()
    }
}

impl<B: Backend> Weighted<B> for Cropped<B> {
    fn with_weights(&self, transform: Transform) -> Arc<dyn LinearMap<B>> {
        self.cropping(self.weights().with_weights(transform))
    }
    fn prepared(&self) -> Option<Arc<dyn LinearMap<B>>> {
        Some(self.cropping(self.weights().prepared()?))
    }
    fn filters(&self) -> Option<Filters<'_, B>> {
        self.weights().filters()
    }
    fn adjoint_has_gradient(&self) -> bool {
        self.weights().adjoint_has_gradient()
    }
}

impl<B: Backend> Locality<B> for Cropped<B> {
    fn flops(&self, input: &Shape, output: &Shape) -> u64 {
        self.weights().flops(input, output)
    }
    everywhere!();
}

/// Whether a part of a convolution in so many dimensions sums as the whole does. On the host those that
/// `direct` has no kernel for are the backend's, which sums in the order that suits the size.
fn restricts<B: Backend>(dims: usize, weight: &FloatTensor<B>) -> bool {
    dims < 3 || !direct::on_host::<B>(&weight.device())
}

/// No form of a convolution that replays faster.
fn no_faster<B: Backend, M: Convolution<B>>(_: &M) -> Option<Arc<dyn LinearMap<B>>> {
    None
}

/// What is asked of maps with weights, of a convolution either way.
macro_rules! by_weight {
    ($name:ident, $prepared:expr) => {
        impl<B: Backend> Storage<B> for $name<B> {
            fn stored(&self) -> Stored {
                Stored::of(&self.weight)
            }
        }

        impl<B: Backend> Weighted<B> for $name<B> {
            fn with_weights(&self, transform: Transform) -> Arc<dyn LinearMap<B>> {
                Arc::new(transformed(self, transform))
            }

            fn then_gain(
                &self,
                gain: &Coefficient<FloatTensor<B>>,
            ) -> Option<Arc<dyn LinearMap<B>>> {
                Some(Arc::new(scaled(self, gain)?))
            }

            fn prepared(&self) -> Option<Arc<dyn LinearMap<B>>> {
                $prepared(self)
            }

            fn filters(&self) -> Option<Filters<'_, B>> {
                Some(Filters {
                    weight: self.weight.value(),
                    arrangement: self.arrangement(),
                })
            }

            fn adjoint_has_gradient(&self) -> bool {
                true
            }
        }
    };
}

macro_rules! conv {
    (
        $name:ident, $dims:literal, $label:literal, $apply:ident, $adjoint:ident,
        $prepared:expr
    ) => {
        #[doc = concat!("`", $label, "` with frozen weights; input `[n, c, ..]`.")]
        #[derive(Clone, Debug)]
        pub(crate) struct $name<B: Backend> {
            pub weight: Coefficient<FloatTensor<B>>,
            pub options: ConvOptions<$dims>,
            pub input: Shape,
            pub direct: Shared,
        }

        impl<B: Backend> $name<B> {
            fn stride(&self, axis: usize) -> Stride {
                Stride {
                    down: self.options.stride[axis],
                    before: self.options.padding[axis].0,
                    width: self.options.dilation[axis]
                        * (self.weight.value().shape()[axis + 2] - 1)
                        + 1,
                }
            }
        }

        impl<B: Backend> LinearMap<B> for $name<B> {
            fn name(&self) -> &'static str {
                $label
            }

            fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
                let (x, k) = batch::merge::<B>(x);
                let weight = self.weight.value().clone();
                let y = B::$apply(x, weight, None, self.options.clone());
                batch::split::<B>(y, k)
            }

            fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
                let (y, k) = batch::merge::<B>(y);
                let like = batch::shape_only::<B>(&y, k, &self.input);
                let weight = self.weight.value().clone();
                let x = B::$adjoint(like, weight, y, self.options.clone());
                batch::split::<B>(x, k)
            }

            fn structure(&self) -> Structure<'_, B> {
                Structure::Weighted(self)
            }
        }

        impl<B: Backend> Convolution<B> for $name<B> {
            fn weight(&self) -> &Coefficient<FloatTensor<B>> {
                &self.weight
            }

            fn with_weight(&self, weight: Coefficient<FloatTensor<B>>) -> Self {
                Self {
                    weight,
                    options: self.options.clone(),
                    input: self.input.clone(),
                    direct: Shared::default(),
                }
            }

            fn arrangement(&self) -> Arrangement {
                Arrangement::OutIn {
                    groups: self.options.groups,
                }
            }
        }

        by_weight!($name, $prepared);

        impl<B: Backend> Locality<B> for $name<B> {
            fn flops(&self, _input: &Shape, output: &Shape) -> u64 {
                let weight = self.weight.value().shape();
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

            fn places(&self, _input: &Shape, _output: &Shape) -> Option<Vec<AxisPlace>> {
                let mut places = vec![AxisPlace::same(0), AxisPlace::Any];
                places.extend((0..$dims).map(|axis| self.stride(axis).place(axis + 2)));
                Some(places)
            }

            /// The same convolution; what the box cuts off inside the picture is padding.
            fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
                if !restricts::<B>($dims, self.weight.value()) {
                    return None;
                }
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
    (
        $name:ident, $dims:literal, $label:literal, $apply:ident, $adjoint:ident,
        $prepared:expr
    ) => {
        #[doc = concat!("`", $label, "` with frozen weights; input `[n, c, ..]`.")]
        #[derive(Clone, Debug)]
        pub(crate) struct $name<B: Backend> {
            pub weight: Coefficient<FloatTensor<B>>,
            pub options: ConvTransposeOptions<$dims>,
            pub direct: Shared,
        }

        impl<B: Backend> $name<B> {
            fn stride(&self, axis: usize) -> Stride {
                Stride {
                    down: self.options.stride[axis],
                    before: self.options.padding[axis],
                    width: self.options.dilation[axis]
                        * (self.weight.value().shape()[axis + 2] - 1)
                        + 1,
                }
            }
        }

        impl<B: Backend> LinearMap<B> for $name<B> {
            fn name(&self) -> &'static str {
                $label
            }

            fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
                let (x, k) = batch::merge::<B>(x);
                let weight = self.weight.value().clone();
                let y = B::$apply(x, weight, None, self.options.clone());
                batch::split::<B>(y, k)
            }

            fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
                let (y, k) = batch::merge::<B>(y);
                let weight = self.weight.value().clone();
                let x = B::$adjoint(weight, y, self.options.clone());
                batch::split::<B>(x, k)
            }

            fn structure(&self) -> Structure<'_, B> {
                Structure::Weighted(self)
            }
        }

        impl<B: Backend> Convolution<B> for $name<B> {
            fn weight(&self) -> &Coefficient<FloatTensor<B>> {
                &self.weight
            }

            fn with_weight(&self, weight: Coefficient<FloatTensor<B>>) -> Self {
                Self {
                    weight,
                    options: self.options.clone(),
                    direct: Shared::default(),
                }
            }

            fn arrangement(&self) -> Arrangement {
                Arrangement::InOut {
                    groups: self.options.groups,
                }
            }
        }

        by_weight!($name, $prepared);

        impl<B: Backend> Locality<B> for $name<B> {
            fn flops(&self, input: &Shape, _output: &Shape) -> u64 {
                let weight = self.weight.value().shape();
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

            fn places(&self, _input: &Shape, _output: &Shape) -> Option<Vec<AxisPlace>> {
                let mut places = vec![AxisPlace::same(0), AxisPlace::Any];
                places.extend((0..$dims).map(|axis| self.stride(axis).place_back(axis + 2)));
                Some(places)
            }

            /// The same transposed convolution without padding, of which the box is cut out.
            fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
                if !restricts::<B>($dims, self.weight.value()) {
                    return None;
                }
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
                        map: Arc::new(whole),
                        crop: Adapt::new(&made, &cropped),
                    }),
                };
                Some(Restricted { map, from, to })
            }
        }
    };
}

conv!(
    Conv1d,
    1,
    "conv1d",
    conv1d,
    conv1d_x_backward,
    Conv1d::kernels
);
conv!(
    Conv2d,
    2,
    "conv2d",
    conv2d,
    conv2d_x_backward,
    Conv2d::kernels
);
conv!(Conv3d, 3, "conv3d", conv3d, conv3d_x_backward, no_faster);
conv_transpose!(
    ConvTranspose1d,
    1,
    "conv_transpose1d",
    conv_transpose1d,
    conv_transpose1d_x_backward,
    ConvTranspose1d::kernels
);
conv_transpose!(
    ConvTranspose2d,
    2,
    "conv_transpose2d",
    conv_transpose2d,
    conv_transpose2d_x_backward,
    ConvTranspose2d::kernels
);
conv_transpose!(
    ConvTranspose3d,
    3,
    "conv_transpose3d",
    conv_transpose3d,
    conv_transpose3d_x_backward,
    no_faster
);

/// The host's form of a convolution over pictures, and the value of one.
macro_rules! on_host {
    ($name:ident) => {
        impl<B: Backend> $name<B> {
            fn on_host(&self) -> Option<OnHost<Self>> {
                let form = Form {
                    groups: self.options.groups,
                    stride: self.options.stride,
                    dilation: self.options.dilation,
                };
                let ways = self.direct.ways::<B>(self.weight.value(), form)?;
                Some(OnHost::new(self.clone(), ways))
            }

            /// What it makes of x `[n, c, h, w]`, the bias `[c]` added, by the host's kernel; `None` where there is none
            /// for it. Numbers that mean nothing once `interrupt` is stopped.
            pub(crate) fn value(
                &self,
                x: &FloatTensor<B>,
                bias: Option<&FloatTensor<B>>,
                interrupt: &Interrupt,
            ) -> Option<FloatTensor<B>> {
                Some(self.on_host()?.value(x, bias, interrupt))
            }
        }
    };
}

on_host!(Conv2d);
on_host!(ConvTranspose2d);

/// The most phases by which the adjoint of a strided convolution is taken: a stride of 4 has 16.
const MOST_PHASES: usize = 16;

impl<B: Backend> Conv2d<B> {
    /// Its memory with that of a turned copy of its weights, which has no coefficients of its own.
    pub(super) fn stored_twice(&self) -> Stored {
        let turned = Amount {
            bytes: self.weight.bytes(),
            coefficients: 0,
        };
        let turned = Stored::amount(self.weight.origin(), turned);
        self.stored().and(turned)
    }

    fn kernels(&self) -> Option<Arc<dyn LinearMap<B>>> {
        if let Some(direct) = self.on_host() {
            return Some(Arc::new(direct));
        }
        let plain = self.with_weight(self.weight.clone());
        let phases = self.options.stride.iter().product::<usize>();
        // Each phase is a launch or several: of the 256 of a patch embedding the backend's one kernel is better.
        if phases > MOST_PHASES {
            return None;
        }
        if phases > 1 || self.options.groups != 1 {
            return Some(Arc::new(ConvolutionPhases::new(plain)));
        }
        Some(Arc::new(ConvolutionKernels::new(plain)?))
    }
}

impl<B: Backend> ConvTranspose2d<B> {
    fn kernels(&self) -> Option<Arc<dyn LinearMap<B>>> {
        Some(Arc::new(self.on_host()?))
    }
}

/// A convolution in one dimension as one in two, of pictures one cell high.
#[derive(Debug)]
struct Flat<M, P> {
    plain: M,
    picture: P,
}

/// An axis of size 1 before the last one.
fn raised<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let mut dims = x.shape().to_vec();
    dims.insert(dims.len() - 1, 1);
    B::float_reshape(x, Shape::from(dims))
}

/// Undo [`raised`].
fn lowered<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let mut dims = x.shape().to_vec();
    dims.remove(dims.len() - 2);
    B::float_reshape(x, Shape::from(dims))
}

impl<B: Backend, M: Convolution<B>, P: LinearMap<B>> LinearMap<B> for Flat<M, P> {
    fn name(&self) -> &'static str {
        self.plain.name()
    }
    unstopped!();
    fn apply_until(&self, x: FloatTensor<B>, interrupt: &Interrupt) -> FloatTensor<B> {
        lowered::<B>(self.picture.apply_until(raised::<B>(x), interrupt))
    }
    fn adjoint_until(&self, y: FloatTensor<B>, interrupt: &Interrupt) -> FloatTensor<B> {
        lowered::<B>(self.picture.adjoint_until(raised::<B>(y), interrupt))
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::Weighted(self)
    }
}

impl<B: Backend, M: Convolution<B>, P: LinearMap<B>> Storage<B> for Flat<M, P> {
    /// The picture's weights are the plain ones in another shape.
    fn stored(&self) -> Stored {
        let of = self.picture.structure().stored();
        of.unwrap_or_else(|| self.plain.stored())
    }
}

impl<B: Backend, M: Convolution<B>, P: LinearMap<B>> Weighted<B> for Flat<M, P> {
    weighted_as_plain!();

    fn adjoint_has_gradient(&self) -> bool {
        false
    }
}

impl<B: Backend, M: Convolution<B>, P: LinearMap<B>> Locality<B> for Flat<M, P> {
    as_plain!();
}

/// The same of a convolution over one axis, by its `picture`.
macro_rules! by_picture {
    ($name:ident) => {
        impl<B: Backend> $name<B> {
            /// As [`Conv2d::value`], of x `[n, c, l]`.
            pub(crate) fn value(
                &self,
                x: &FloatTensor<B>,
                bias: Option<&FloatTensor<B>>,
                interrupt: &Interrupt,
            ) -> Option<FloatTensor<B>> {
                let made = self
                    .picture()
                    .value(&raised::<B>(x.clone()), bias, interrupt)?;
                Some(lowered::<B>(made))
            }

            fn kernels(&self) -> Option<Arc<dyn LinearMap<B>>> {
                let (plain, picture) = (self.clone(), self.picture().on_host()?);
                Some(Arc::new(Flat { plain, picture }))
            }
        }
    };
}

by_picture!(Conv1d);
by_picture!(ConvTranspose1d);

impl<B: Backend> Conv1d<B> {
    /// The same over pictures one cell high.
    fn picture(&self) -> Conv2d<B> {
        let [stride, dilation] = [self.options.stride[0], self.options.dilation[0]];
        let mut options = ConvOptions::new([1, stride], [0, 0], [1, dilation], self.options.groups);
        options.padding = [(0, 0), self.options.padding[0]];
        let mut input = self.input.to_vec();
        input.insert(2, 1);
        Conv2d {
            weight: self.weight.clone().map(raised::<B>),
            options,
            input: Shape::from(input),
            direct: self.direct.clone(),
        }
    }
}

impl<B: Backend> ConvTranspose1d<B> {
    /// The same over pictures one cell high.
    fn picture(&self) -> ConvTranspose2d<B> {
        let options = ConvTransposeOptions::new(
            [1, self.options.stride[0]],
            [0, self.options.padding[0]],
            [0, self.options.padding_out[0]],
            [1, self.options.dilation[0]],
            self.options.groups,
        );
        ConvTranspose2d {
            weight: self.weight.clone().map(raised::<B>),
            options,
            direct: self.direct.clone(),
        }
    }
}
