//! Multiples of what comes in: y = 0, y = x in one sense or another, y = c x.

use burn_backend::{Backend, FloatDType, Shape, TensorMetadata, tensor::FloatTensor};

use super::{Cut, LinearMap, Locality, Region, Restricted, Structure, batch, locality::entrywise};

/// y = 0: what a constant operand passes of the input.
#[derive(Debug)]
pub(crate) struct Zero {
    input: Shape,
    output: Shape,
}

impl Zero {
    pub(crate) fn new(input: &Shape, output: &Shape) -> Self {
        Self {
            input: input.clone(),
            output: output.clone(),
        }
    }
}

impl<B: Backend> LinearMap<B> for Zero {
    fn name(&self) -> &'static str {
        "zero"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        batch::zeros::<B>(&x, x.shape()[0], &self.output)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        batch::zeros::<B>(&y, y.shape()[0], &self.input)
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::Zero(self)
    }
}

impl<B: Backend> Locality<B> for Zero {
    fn flops(&self, _input: &Shape, _output: &Shape) -> u64 {
        0
    }
    fn reach(&self, _input: &Shape, output: &Shape, _from: &Region) -> Region {
        Region(output.iter().map(|_| 0..0).collect())
    }
    fn field(&self, input: &Shape, _output: &Shape, _to: &Region) -> Region {
        Region(input.iter().map(|_| 0..0).collect())
    }
    fn restrict(&self, _cut: &Cut<'_>) -> Option<Restricted<B>> {
        None
    }
}

/// y = c x.
#[derive(Debug)]
pub(crate) struct Multiple(pub f64);

impl<B: Backend> LinearMap<B> for Multiple {
    fn name(&self) -> &'static str {
        "multiple"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        batch::scaled::<B>(x, self.0)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        batch::scaled::<B>(y, self.0)
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::Multiple(self.0, self)
    }
}

impl<B: Backend> Locality<B> for Multiple {
    fn flops(&self, _input: &Shape, output: &Shape) -> u64 {
        output.num_elements() as u64
    }
    entrywise!(|map: &Self, _: &Region| Self(map.0));
}

/// A change of float dtype; exact when it widens.
#[derive(Debug)]
pub(crate) struct Cast {
    pub from: FloatDType,
    pub to: FloatDType,
}

impl<B: Backend> LinearMap<B> for Cast {
    fn name(&self) -> &'static str {
        "cast"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_cast(x, self.to)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        B::float_cast(y, self.from)
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::Identity(self)
    }
}

impl<B: Backend> Locality<B> for Cast {
    fn flops(&self, _input: &Shape, _output: &Shape) -> u64 {
        0
    }
    entrywise!(|map: &Self, _: &Region| Self {
        from: map.from,
        to: map.to,
    });
}

/// y = x, cut off from the autodiff tape as the value is.
#[derive(Debug)]
pub(crate) struct Detach;

impl<B: Backend> LinearMap<B> for Detach {
    fn name(&self) -> &'static str {
        "detach"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_detach(x)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        B::float_detach(y)
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::Identity(self)
    }
}

impl<B: Backend> Locality<B> for Detach {
    fn flops(&self, _input: &Shape, _output: &Shape) -> u64 {
        0
    }
    entrywise!(|_: &Self, _: &Region| Self);
}
