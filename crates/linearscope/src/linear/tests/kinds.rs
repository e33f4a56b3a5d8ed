//! One of each map.

use std::{fmt::Debug, sync::Arc};

use burn_backend::{
    Backend, FloatDType, Shape, Slice as Range, TensorData, TensorMetadata,
    get_or_init_device_settings,
    ops::{ConvOptions, ConvTransposeOptions, InterpolateMode, InterpolateOptions, PadMode},
    tensor::{BoolTensor, Device, FloatTensor, IntTensor},
};

use super::super::*;
use crate::coefficient::{Coefficient, Origin};

/// A map with its shapes.
#[derive(Debug)]
pub(super) struct Kind<B: Backend> {
    pub map: Arc<dyn LinearMap<B>>,
    pub input: Shape,
    pub output: Shape,
}

/// The name of a type, from how it prints itself.
pub(super) fn name_of(map: &impl Debug) -> String {
    let text = format!("{map:?}");
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    text[..end.unwrap_or(text.len())].to_string()
}

impl<B: Backend> Kind<B> {
    pub(super) fn of(map: Arc<dyn LinearMap<B>>, input: &Shape, output: &Shape) -> Self {
        Self {
            map,
            input: input.clone(),
            output: output.clone(),
        }
    }

    pub(super) fn name(&self) -> String {
        name_of(&self.map)
    }

    /// Its adjoint.
    pub(super) fn transposed(&self) -> Self {
        Self::of(
            Arc::new(Transpose(self.map.clone())),
            &self.output,
            &self.input,
        )
    }
}

struct Maker<'a, B: Backend> {
    device: &'a Device<B>,
    origin: Origin,
    seed: usize,
    made: Vec<Kind<B>>,
}

impl<B: Backend> Maker<'_, B> {
    fn of<T>(&self, value: T) -> Coefficient<T> {
        match self.origin {
            Origin::Weight => Coefficient::weight(value),
            Origin::Decision => Coefficient::carried(value),
        }
    }

    /// Numbers of either sign, none of them 0.
    fn floats(&mut self, shape: &[usize]) -> Coefficient<FloatTensor<B>> {
        self.seed += 1;
        let values: Vec<f64> = (0..shape.iter().product())
            .map(|i| ((i * 37 + self.seed * 11) % 19) as f64 / 9.0 - 1.03)
            .collect();
        let data = TensorData::new(values, shape.to_vec());
        self.of(B::float_from_data(data, self.device))
    }

    fn ints(&self, values: &[i64], shape: &[usize]) -> Coefficient<IntTensor<B>> {
        let dtype = get_or_init_device_settings::<B>(self.device).int_dtype;
        let data = TensorData::new(values.to_vec(), shape.to_vec()).convert_dtype(dtype.into());
        self.of(B::int_from_data(data, self.device))
    }

    fn bools(&self, shape: &[usize]) -> Coefficient<BoolTensor<B>> {
        let values: Vec<bool> = (0..shape.iter().product())
            .map(|i: usize| (i * i / 3 + i / 5) % 2 == 1)
            .collect();
        let dtype = get_or_init_device_settings::<B>(self.device).bool_dtype;
        let data = TensorData::new(values, shape.to_vec()).convert_dtype(dtype.into());
        self.of(B::bool_from_data(data, self.device))
    }

    /// The output's shape is asked of the map.
    fn push(&mut self, map: impl LinearMap<B> + 'static, input: &[usize]) {
        let input = Shape::from(input.to_vec());
        let x = B::float_zeros(batch::shape_of(1, &input), self.device, FloatDType::F64);
        let output = Shape::from(map.apply(x).shape()[1..].to_vec());
        self.made.push(Kind::of(Arc::new(map), &input, &output));
    }

    fn diagonal(&mut self) {
        let shape = [2, 3, 4];
        let f64 = FloatDType::F64;
        self.push(Multiple(1.0), &shape);
        self.push(Multiple(-1.5), &shape);
        self.push(
            Cast {
                from: f64,
                to: FloatDType::F32,
            },
            &shape,
        );
        self.push(Detach, &shape);
        for gain in [[2, 3, 4], [1, 3, 1]] {
            let gain = self.floats(&gain);
            self.push(Diagonal::new(gain.clone()), &shape);
            self.push(Divide::new(gain), &shape);
        }
        let like = self.floats(&[1]).into_value();
        let alpha = Left::Tensor(self.floats(&[1, 3, 1]));
        for (right, left) in [
            (1.0, Left::Number(0.0)),
            (1.0, Left::Number(-1.0)),
            (0.2, Left::Number(0.0)),
            (1.0, alpha),
        ] {
            let mask = self.bools(&shape);
            self.push(SlopeMask::new(mask, right, left, &like), &shape);
        }
        self.push(Mask::new(self.bools(&shape)), &shape);
        self.push(Mask::new(self.bools(&[1, 3, 1])), &shape);
    }

    fn shapes(&mut self) {
        let of = |dims: &[usize]| Shape::from(dims.to_vec());
        self.push(Zero::new(&of(&[2, 3]), &of(&[4])), &[2, 3]);
        self.push(Reshape::new(&of(&[2, 6]), &of(&[3, 4])), &[2, 6]);
        self.push(Permute::new(&[2, 0, 1]), &[2, 3, 4]);
        self.push(Permute::new(&[0, 3, 4, 1, 2]), &[1, 2, 2, 3, 2]);
        self.push(SwapDims(0, 2), &[2, 3, 4]);
        self.push(Flip::new(&[0, 2]), &[2, 3, 4]);
        self.push(Expand::new(&of(&[2, 1, 3]), &of(&[2, 4, 3])), &[2, 1, 3]);
        self.push(Expand::new(&of(&[3]), &of(&[2, 3])), &[3]);
        self.push(RepeatDim::new(&of(&[2, 3]), 0, 2), &[2, 3]);
        let ranges = [Range::from(1..3), Range::from(0..4)];
        self.push(Slice::new(&of(&[4, 5]), &ranges), &[4, 5]);
        let stepped = [Range::new(0, Some(4), 2), Range::from(1..3)];
        self.push(Slice::new(&of(&[4, 5]), &stepped), &[4, 5]);
        self.push(Embed::new(&of(&[4, 5]), &ranges), &[2, 4]);
        self.push(Embed::new(&of(&[4, 5]), &stepped), &[2, 2]);
        let (from, to) = (Region(vec![1..3, 2..5]), Region(vec![0..2, 3..7]));
        self.push(Adapt::new(&from, &to), &[2, 3]);
        for mode in [PadMode::Constant(0.0), PadMode::Reflect, PadMode::Edge] {
            let pad = Pad::new(&of(&[2, 4, 3]), &[(0, 0), (1, 2), (2, 0)], &mode);
            self.push(pad, &[2, 4, 3]);
        }
    }

    fn selections(&mut self) {
        let of = |dims: &[usize]| Shape::from(dims.to_vec());
        let columns = self.ints(&[2, 0, 2], &[3]);
        self.push(Select::new(&of(&[3, 4]), 1, columns), &[3, 4]);
        let places = self.ints(&[5, 0, 3, 3], &[4]);
        self.push(Pick::new(&of(&[2, 3]), &of(&[2, 2]), places), &[2, 3]);
        let won = self.ints(&[0, 7, 8, 10, 5, 2, 12, 15], &[1, 2, 2, 2]);
        let (input, output) = (of(&[1, 2, 4, 4]), of(&[1, 2, 2, 2]));
        let windows = Windows {
            kernel: vec![2; 2],
            stride: vec![2; 2],
            padding: vec![0; 2],
            dilation: vec![1; 2],
        };
        self.push(Switches::new(&input, &output, &windows, won), &[1, 2, 4, 4]);
    }

    fn sums(&mut self) {
        let input = Shape::from(vec![2, 3, 4]);
        self.push(Sum::new(&input), &input);
        self.push(SumDim::new(&input, 1), &input);
        self.push(MeanDim::new(&input, 2), &input);
        self.push(CumSum(1), &input);
        let line = Shape::from(vec![1, 2, 7]);
        let pool = AvgPool1d {
            input: line.clone(),
            kernel_size: 3,
            stride: 2,
            padding: 1,
            count_include_pad: false,
            ceil_mode: false,
        };
        self.push(pool, &line);
        let plane = Shape::from(vec![1, 2, 5, 6]);
        let pool = AvgPool2d {
            input: plane.clone(),
            kernel_size: [2, 3],
            stride: [1, 2],
            padding: [0, 1],
            count_include_pad: true,
            ceil_mode: false,
        };
        self.push(pool, &plane);
        let pool = AdaptiveAvgPool1d {
            input: line.clone(),
            output_size: 3,
        };
        self.push(pool, &line);
        let pool = AdaptiveAvgPool2d {
            input: plane.clone(),
            output_size: [2, 4],
        };
        self.push(pool, &plane);
        let space = Shape::from(vec![1, 1, 3, 4, 2]);
        let pool = AdaptiveAvgPool3d {
            input: space.clone(),
            output_size: [2, 2, 1],
        };
        self.push(pool, &space);
        let like = self.floats(&[1]).into_value();
        let plane = Shape::from(vec![1, 2, 3, 4]);
        for (mode, size) in [
            (InterpolateMode::Nearest, [6, 3]),
            (InterpolateMode::Bilinear, [5, 7]),
            (InterpolateMode::Bicubic, [5, 6]),
        ] {
            let options = InterpolateOptions::new(mode);
            self.push(Interpolate::new(&like, &plane, size, options), &plane);
        }
    }

    fn products(&mut self) {
        let of = |dims: &[usize]| Shape::from(dims.to_vec());
        for weight in [&[3, 4][..], &[2, 3, 4], &[1, 3, 4]] {
            let weight = self.floats(weight);
            let map = MatmulRight::new(&of(&[2, 2, 3]), weight);
            self.push(map, &[2, 2, 3]);
        }
        for weight in [&[1, 4, 2][..], &[2, 4, 2]] {
            let weight = self.floats(weight);
            let map = MatmulLeft::new(&of(&[2, 2, 3]), weight);
            self.push(map, &[2, 2, 3]);
        }
        let other = self.floats(&[2, 3, 2]);
        self.push(Cross::new(other, 1), &[2, 3, 2]);
        // Four points, two pixels each; one of them weighs nothing.
        let corner = |map: &mut Self, at: &[i64], none: bool| {
            let weights = map.floats(&[1, 4]);
            let zero = |w: FloatTensor<B>| {
                let first = Range::from(0..1);
                let zeros = B::float_zeros(of(&[1, 1]), map.device, FloatDType::F64);
                B::float_slice_assign(w, &[first, first], zeros)
            };
            Corner {
                indices: map.ints(at, &[4]),
                weights: if none { weights.map(zero) } else { weights },
            }
        };
        let corners = vec![
            corner(self, &[0, 4, 8, 1], false),
            corner(self, &[0, 5, 7, 3], true),
        ];
        let (input, output) = (of(&[1, 2, 3, 3]), of(&[1, 2, 4]));
        self.push(Sample::new(&input, &output, 1, corners), &input);
    }
}

/// Convolutions of `$dims` dimensions, by pictures and by weights, and transposed.
macro_rules! convolutions {
    ($maker:ident, $dims:literal, $conv:ident, $weight:ident, $back:ident, $back_weight:ident) => {
        let picture = |channels: usize| {
            let sizes = [5, 4, 3];
            let pictures = if $dims > 2 { 1 } else { 2 };
            [&[pictures, channels], &sizes[..$dims]].concat()
        };
        let window = |a: usize, b: usize| {
            let sizes = [3, 2, 2];
            [&[a, b], &sizes[..$dims]].concat()
        };
        for (groups, stride, padding, dilation) in [(1, 1, 1, 1), (2, 2, 1, 1), (1, 1, 0, 2)] {
            if dilation > 1 && $dims > 2 {
                continue;
            }
            let options = ConvOptions::<$dims>::new(
                [stride; $dims],
                [padding; $dims],
                [dilation; $dims],
                groups,
            );
            let shape = window(4, 4 / groups);
            let weight = $maker.floats(&shape);
            let input = picture(4);
            let map = $conv {
                weight,
                options: options.clone(),
                input: input.clone().into(),
                direct: Default::default(),
            };
            $maker.push(map, &input);
            let x = $maker.floats(&input);
            let map = $weight {
                x,
                options,
                weight: shape.clone().into(),
            };
            $maker.push(map, &shape);
            let options = ConvTransposeOptions::<$dims>::new(
                [stride; $dims],
                [padding; $dims],
                [stride - 1; $dims],
                [dilation; $dims],
                groups,
            );
            let weight = $maker.floats(&shape);
            let map = $back {
                weight,
                options: options.clone(),
                direct: Default::default(),
            };
            $maker.push(map, &input);
            let x = $maker.floats(&input);
            let map = $back_weight {
                x,
                options,
                weight: shape.clone().into(),
            };
            $maker.push(map, &shape);
        }
    };
}

/// One of each map, with coefficients of one origin, in f64.
pub(super) fn every_kind<B: Backend>(device: &Device<B>, origin: Origin) -> Vec<Kind<B>> {
    let mut maker = Maker::<B> {
        device,
        origin,
        seed: 0,
        made: Vec::new(),
    };
    maker.diagonal();
    maker.shapes();
    maker.selections();
    maker.sums();
    maker.products();
    convolutions!(
        maker,
        1,
        Conv1d,
        Conv1dWeight,
        ConvTranspose1d,
        ConvTranspose1dWeight
    );
    convolutions!(
        maker,
        2,
        Conv2d,
        Conv2dWeight,
        ConvTranspose2d,
        ConvTranspose2dWeight
    );
    convolutions!(
        maker,
        3,
        Conv3d,
        Conv3dWeight,
        ConvTranspose3d,
        ConvTranspose3dWeight
    );
    // Few outputs of many channels: the turned kernels are the faster ones.
    let wide = maker.floats(&[2, 16, 3, 3]);
    let input = [1, 16, 4, 4];
    let convolution = Conv2d {
        weight: wide,
        options: ConvOptions::new([1, 1], [1, 1], [1, 1], 1),
        input: Shape::from(input.to_vec()),
        direct: Default::default(),
    };
    let turned = convolution_kernel::ConvolutionKernels::new(convolution);
    maker.push(turned.expect("a turned form"), &input);
    let strided = Conv2d {
        weight: maker.floats(&[4, 2, 3, 2]),
        options: ConvOptions::new([2, 3], [1, 1], [2, 1], 2),
        input: Shape::from(vec![1, 4, 7, 6]),
        direct: Default::default(),
    };
    let phases = convolution_phases::ConvolutionPhases::new(strided);
    maker.push(phases, &[1, 4, 7, 6]);
    maker.made
}
