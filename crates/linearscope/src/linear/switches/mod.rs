//! Max pooling with frozen switches: y[o] = x[s(o)], s(o) the cell that won at x₀ (Zeiler's word).
//!
//! An op's switches are Burn's indices, of which flat ones are made when they are first used. A program keeps a byte a
//! cell instead where the host computes, see `packed`. Elsewhere it keeps the indices: reading them would wait for
//! the device, and the backend's own way back through a pool wants them. A selection's way back adds up cell after cell there,
//! which took a hundred times the way forward.

mod packed;
mod windows;

use std::sync::{Arc, OnceLock};

use burn_backend::{
    Backend, Shape, TensorMetadata, get_or_init_device_settings,
    tensor::{FloatTensor, IntTensor},
};

use self::packed::PackedSwitches;
pub(crate) use self::windows::Windows;
use super::{
    AxisPlace, Choice, Chosen, Cut, LinearMap, Locality, Pick, Pooling, Region, Restricted,
    Storage, Stored, Stride, Structure, batch, elsewhere, expansion::made_once, integers,
    locality::everywhere,
};
use crate::{coefficient::Coefficient, error::Result};

/// Max pooling with frozen switches; input `[n, c, ..]`.
#[derive(Debug)]
pub(crate) struct Switches<B: Backend> {
    input: Shape,
    output: Shape,
    /// The windows of the pool, axis by axis of a plane.
    windows: Windows,
    /// Each into its own plane of the input, `[n, c, ..output]`.
    indices: Coefficient<IntTensor<B>>,
    /// The same by flat indices, from the first use on.
    pick: OnceLock<Pick<B>>,
}

impl<B: Backend> Switches<B> {
    /// From Burn's indices, each into its own plane of the input, `[n, c, ..output]`.
    pub(crate) fn new(
        input: &Shape,
        output: &Shape,
        windows: &Windows,
        indices: Coefficient<IntTensor<B>>,
    ) -> Self {
        Self {
            input: input.clone(),
            output: output.clone(),
            windows: windows.clone(),
            indices,
            pick: OnceLock::new(),
        }
    }

    fn pick(&self) -> &Pick<B> {
        made_once(&self.pick, || {
            let flat = self.indices.clone().map(|indices| self.flat(indices));
            Pick::new(&self.input, &self.output, flat)
        })
    }

    /// Indices into planes as flat indices into the whole tensor.
    fn flat(&self, indices: IntTensor<B>) -> IntTensor<B> {
        let planes = self.input[0] * self.input[1];
        let plane: usize = self.input.iter().skip(2).product();
        let cells: usize = self.output.iter().skip(2).product();
        let device = indices.device();
        let dtype = get_or_init_device_settings::<B>(&device).int_dtype;
        let starts = B::int_arange_step(0..(planes * plane) as i64, plane, &device, dtype);
        let starts = B::int_expand(
            B::int_reshape(starts, Shape::from(vec![planes, 1])),
            Shape::from(vec![planes, cells]),
        );
        let indices = integers::cast::<B>(indices, dtype);
        let indices = B::int_reshape(indices, Shape::from(vec![planes, cells]));
        B::int_reshape(
            B::int_add(indices, starts),
            Shape::from(vec![planes * cells]),
        )
    }
}

impl<B: Backend> Switches<B> {
    /// Fᵀ of a pool over one axis or two by the backend, which gathers for each cell what its windows have.
    fn back(&self, y: FloatTensor<B>, pooling: &Pooling) -> FloatTensor<B> {
        let k = y.shape()[0];
        // A signal is a picture of one line.
        let picture = |shape: &Shape, k: usize| {
            let lines = if shape.num_dims() == 3 { 1 } else { shape[2] };
            let across = shape[shape.num_dims() - 1];
            Shape::from(vec![k * shape[0], shape[1], lines, across])
        };
        let indices = batch::of_one_int::<B>(self.indices.value().clone());
        let mut each = indices.shape().to_vec();
        each[0] = k;
        let indices = B::int_expand(indices, Shape::from(each));
        let indices = B::int_reshape(indices, picture(&self.output, k));
        let x = B::float_empty(picture(&self.input, k), &y.device(), y.dtype().into());
        let y = B::float_reshape(y, picture(&self.output, k));
        let back = B::max_pool2d_with_indices_backward(
            x,
            pooling.kernel,
            pooling.stride,
            pooling.padding,
            pooling.dilation,
            pooling.ceil,
            y,
            indices,
        );
        B::float_reshape(back.x_grad, batch::shape_of(k, &self.input))
    }
}

/// The window of a pool is its place, whichever cell of it won.
fn places(windows: &[Stride]) -> Vec<AxisPlace> {
    let mut places = AxisPlace::entrywise(2);
    let axes = windows.iter().enumerate();
    places.extend(axes.map(|(axis, window)| window.place(axis + 2)));
    places
}

impl<B: Backend> LinearMap<B> for Switches<B> {
    fn name(&self) -> &'static str {
        "switches"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        self.pick().apply(x)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        match self.windows.two() {
            Some(pooling) if elsewhere::<B>(&y.device()) => self.back(y, &pooling),
            _ => self.pick().adjoint(y),
        }
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::Selection(self)
    }
}

impl<B: Backend> Storage<B> for Switches<B> {
    fn stored(&self) -> Stored {
        Stored::of(&self.indices)
    }
}

impl<B: Backend> Choice<B> for Switches<B> {
    fn chosen(&self) -> Result<Option<Chosen<'_>>> {
        self.pick().chosen()
    }
    fn largest(&self) -> [f64; 2] {
        [1.0, 1.0]
    }
    fn keep_expanded(&self, _keep: bool) {}
    fn packed(&self) -> Result<Option<Arc<dyn LinearMap<B>>>> {
        let planes = [&self.input[2..], &self.output[2..]];
        if elsewhere::<B>(&self.indices.value().device()) && self.windows.all_hold_cells(planes) {
            return Ok(None);
        }
        let windows = self.windows.strides();
        let packed = PackedSwitches::new(&self.input, &self.output, &windows, &self.indices)?;
        Ok(Some(Arc::new(packed)))
    }
}

impl<B: Backend> Locality<B> for Switches<B> {
    fn flops(&self, _input: &Shape, _output: &Shape) -> u64 {
        0
    }
    everywhere!();
    fn places(&self, _input: &Shape, _output: &Shape) -> Option<Vec<AxisPlace>> {
        Some(places(&self.windows.strides()))
    }
}
