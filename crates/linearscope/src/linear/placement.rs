//! Entries put in places of their own among zeros.

use std::sync::Arc;

use burn_backend::{
    Backend, Shape, Slice as Range, TensorMetadata, ops::PadMode, tensor::FloatTensor,
};

use super::{
    AxisPlace, Cut, LinearMap, Locality, Multiple, Region, Restricted, Slice, Structure, batch,
    locality::everywhere,
};

/// A small tensor written into zeros of shape `output`: the transpose of [`Slice`].
#[derive(Debug)]
pub(crate) struct Embed {
    slice: Slice,
}

impl Embed {
    pub(crate) fn new(output: &Shape, ranges: &[Range]) -> Self {
        Self {
            slice: Slice::new(output, ranges),
        }
    }
}

impl<B: Backend> LinearMap<B> for Embed {
    fn name(&self) -> &'static str {
        "embed"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        LinearMap::<B>::adjoint(&self.slice, x)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        LinearMap::<B>::apply(&self.slice, y)
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::Placement(self)
    }
}

// The transpose of a slice: what that reads, this reaches.
impl<B: Backend> Locality<B> for Embed {
    fn flops(&self, _input: &Shape, _output: &Shape) -> u64 {
        0
    }
    fn reach(&self, _input: &Shape, _output: &Shape, from: &Region) -> Region {
        self.slice.read(from)
    }
    fn field(&self, input: &Shape, _output: &Shape, to: &Region) -> Region {
        self.slice.reached(input, to)
    }
    fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
        let (to, from) = self.slice.boxes(&Cut {
            input: cut.output,
            output: cut.input,
            from: cut.to,
            to: cut.from,
        })?;
        let map = Arc::new(Multiple(1.0));
        Some(Restricted { map, from, to })
    }
    fn places(&self, _input: &Shape, output: &Shape) -> Option<Vec<AxisPlace>> {
        AxisPlace::transposed(&self.slice.places()?, output.num_dims())
    }
}

/// From one box to another of the same tensor: what both hold stays, the rest is zero.
#[derive(Clone, Debug)]
pub(crate) struct Adapt {
    from: Region,
    to: Region,
}

impl Adapt {
    pub(crate) fn new(from: &Region, to: &Region) -> Self {
        Self {
            from: from.clone(),
            to: to.clone(),
        }
    }

    fn carry<B: Backend>(x: FloatTensor<B>, from: &Region, to: &Region) -> FloatTensor<B> {
        let k = x.shape()[0];
        let common = from.intersection(to);
        if common.is_empty() {
            return batch::zeros::<B>(&x, k, &to.shape());
        }
        let mut x = x;
        if common != *from {
            let mut ranges = vec![Range::from(0..k)];
            let axes = common.0.iter().zip(&from.0);
            ranges.extend(axes.map(|(c, f)| Range::from(c.start - f.start..c.end - f.start)));
            x = B::float_slice(x, &ranges);
        }
        if common != *to {
            let mut padding = vec![(0, 0)];
            let axes = common.0.iter().zip(&to.0);
            padding.extend(axes.map(|(c, t)| (c.start - t.start, t.end - c.end)));
            x = B::float_pad(x, &padding, PadMode::Constant(0.0));
        }
        x
    }
}

impl<B: Backend> LinearMap<B> for Adapt {
    fn name(&self) -> &'static str {
        "adapt"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        Self::carry::<B>(x, &self.from, &self.to)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        Self::carry::<B>(y, &self.to, &self.from)
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::Placement(self)
    }
}

impl<B: Backend> Locality<B> for Adapt {
    fn flops(&self, _input: &Shape, _output: &Shape) -> u64 {
        0
    }
    everywhere!();
    fn places(&self, _input: &Shape, _output: &Shape) -> Option<Vec<AxisPlace>> {
        let axes = self.from.0.iter().zip(&self.to.0).enumerate();
        let moved =
            |(axis, (from, to)): (usize, (&std::ops::Range<usize>, &std::ops::Range<usize>))| {
                AxisPlace::moved(axis, to.start as f64 - from.start as f64)
            };
        Some(axes.map(moved).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adapting_cuts_and_embeds() {
        use burn_backend::{TensorData, ops::FloatTensorOps};
        use burn_flex::{Flex, FlexDevice};
        let x = Flex::float_from_data(
            TensorData::new((1..=6).map(f64::from).collect::<Vec<_>>(), [1, 2, 3]),
            &FlexDevice,
        );
        let adapt = Adapt::new(&Region(vec![1..3, 2..5]), &Region(vec![0..2, 3..7]));
        let y = LinearMap::<Flex>::apply(&adapt, x);
        assert_eq!(
            crate::host::<Flex>(y.clone()).expect("reads"),
            [0., 0., 0., 0., 2., 3., 0., 0.]
        );
        let back = LinearMap::<Flex>::adjoint(&adapt, y);
        assert_eq!(
            crate::host::<Flex>(back).expect("reads"),
            [0., 2., 3., 0., 0., 0.]
        );
        let apart = Adapt::new(&Region(vec![0..2, 0..3]), &Region(vec![2..3, 0..3]));
        let zero = LinearMap::<Flex>::apply(
            &apart,
            Flex::float_ones(
                vec![1, 2, 3].into(),
                &FlexDevice,
                burn_backend::FloatDType::F64,
            ),
        );
        assert_eq!(crate::host::<Flex>(zero).expect("reads"), [0.; 3]);
    }
}
