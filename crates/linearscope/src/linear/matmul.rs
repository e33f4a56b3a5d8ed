//! Matrix products with one frozen side. On the host a row of a product is the same bits alongside others as
//! alone.

use std::sync::Arc;

use burn_backend::{Backend, Shape, TensorMetadata, tensor::FloatTensor};

use super::{
    Arrangement, AxisPlace, Cut, Filters, LinearMap, Locality, Region, Restricted, Storage, Stored,
    Structure, Transform, Weighted, batch, direct, locality::everywhere, unstopped,
};
use crate::{coefficient::Coefficient, interrupt::Interrupt};

fn transposed<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let rank = x.shape().num_dims();
    B::float_swap_dims(x, rank - 2, rank - 1)
}

/// A product that reads one axis whole; batch axes that x lacks are the weights' own.
fn mixing(input: &Shape, output: &Shape, whole: usize) -> Option<Vec<AxisPlace>> {
    let new = output.num_dims().checked_sub(input.num_dims())?;
    let axes = output.iter().enumerate();
    Some(
        axes.map(|(axis, &size)| match axis.checked_sub(new) {
            Some(old) if axis != whole && input[old] == size => AxisPlace::same(old),
            _ => AxisPlace::Any,
        })
        .collect(),
    )
}

/// y = x W for x `[.., m, p]` and a frozen W `[.., p, q]`.
///
/// A W without batch axes makes one product of k·…·m rows.
#[derive(Debug)]
pub(crate) struct MatmulRight<B: Backend> {
    weight: Coefficient<FloatTensor<B>>,
    input: Shape,
}

impl<B: Backend> MatmulRight<B> {
    pub(crate) fn new(input: &Shape, weight: Coefficient<FloatTensor<B>>) -> Self {
        Self {
            weight,
            input: input.clone(),
        }
    }

    /// x W, or x Wᵀ.
    fn product(&self, x: FloatTensor<B>, turned: bool, interrupt: &Interrupt) -> FloatTensor<B> {
        let weight = self.weight.value().clone();
        let turn = |weight| match turned {
            true => transposed::<B>(weight),
            false => weight,
        };
        let shape = x.shape();
        let w = weight.shape();
        let (outer, inner) = (w.num_dims() - 2, w.num_dims() - 1);
        if w.iter().take(outer).any(|&size| size != 1) {
            return direct::right::<B>(x, &turn(batch::of_one::<B>(weight)), interrupt);
        }
        // A matrix stays as it lies.
        let weight = match outer {
            0 => weight,
            _ => B::float_reshape(weight, Shape::from(vec![w[outer], w[inner]])),
        };
        let weight = turn(weight);
        let [p, q] = [weight.shape()[0], weight.shape()[1]];
        let last = shape.num_dims() - 1;
        let rows = shape.iter().take(last).product();
        let x = B::float_reshape(x, Shape::from(vec![rows, p]));
        let y = direct::right::<B>(x, &weight, interrupt);
        let mut dims = shape.to_vec();
        dims[last] = q;
        B::float_reshape(y, Shape::from(dims))
    }
}

impl<B: Backend> LinearMap<B> for MatmulRight<B> {
    fn name(&self) -> &'static str {
        "matmul"
    }
    unstopped!();
    fn apply_until(&self, x: FloatTensor<B>, interrupt: &Interrupt) -> FloatTensor<B> {
        self.product(x, false, interrupt)
    }
    fn adjoint_until(&self, y: FloatTensor<B>, interrupt: &Interrupt) -> FloatTensor<B> {
        let x = self.product(y, true, interrupt);
        // Batch axes of W that x lacked were broadcast.
        batch::sum_to::<B>(x, &self.input)
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::Weighted(self)
    }
}

impl<B: Backend> Storage<B> for MatmulRight<B> {
    fn stored(&self) -> Stored {
        Stored::of(&self.weight)
    }
}

impl<B: Backend> Weighted<B> for MatmulRight<B> {
    fn with_weights(&self, transform: Transform) -> Arc<dyn LinearMap<B>> {
        let weight = self.weight.clone();
        Arc::new(Self {
            weight: weight.map(|weight| transform.of::<B>(weight)),
            input: self.input.clone(),
        })
    }
    fn filters(&self) -> Option<Filters<'_, B>> {
        Some(Filters {
            weight: self.weight.value(),
            arrangement: Arrangement::Right {
                flat: self.input.num_dims() == 2,
            },
        })
    }
    fn adjoint_has_gradient(&self) -> bool {
        true
    }
}

impl<B: Backend> Locality<B> for MatmulRight<B> {
    fn flops(&self, input: &Shape, output: &Shape) -> u64 {
        2 * (output.num_elements() * input[input.num_dims() - 1]) as u64
    }
    everywhere!();
    fn places(&self, input: &Shape, output: &Shape) -> Option<Vec<AxisPlace>> {
        mixing(input, output, output.num_dims() - 1)
    }
}

/// y = W x for a frozen W `[.., m, p]` and x `[.., p, q]`.
#[derive(Debug)]
pub(crate) struct MatmulLeft<B: Backend> {
    weight: Coefficient<FloatTensor<B>>,
    input: Shape,
}

impl<B: Backend> MatmulLeft<B> {
    pub(crate) fn new(input: &Shape, weight: Coefficient<FloatTensor<B>>) -> Self {
        Self {
            weight: weight.map(batch::of_one::<B>),
            input: input.clone(),
        }
    }
}

impl<B: Backend> LinearMap<B> for MatmulLeft<B> {
    fn name(&self) -> &'static str {
        "matmul"
    }
    unstopped!();
    fn apply_until(&self, x: FloatTensor<B>, interrupt: &Interrupt) -> FloatTensor<B> {
        direct::left::<B>(self.weight.value(), x, interrupt)
    }
    fn adjoint_until(&self, y: FloatTensor<B>, interrupt: &Interrupt) -> FloatTensor<B> {
        let weight = transposed::<B>(self.weight.value().clone());
        let x = direct::left::<B>(&weight, y, interrupt);
        batch::sum_to::<B>(x, &self.input)
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::Weighted(self)
    }
}

impl<B: Backend> Storage<B> for MatmulLeft<B> {
    fn stored(&self) -> Stored {
        Stored::of(&self.weight)
    }
}

impl<B: Backend> Weighted<B> for MatmulLeft<B> {
    fn with_weights(&self, transform: Transform) -> Arc<dyn LinearMap<B>> {
        let weight = self.weight.clone();
        Arc::new(Self {
            weight: weight.map(|weight| transform.of::<B>(weight)),
            input: self.input.clone(),
        })
    }
    fn filters(&self) -> Option<Filters<'_, B>> {
        Some(Filters {
            weight: self.weight.value(),
            arrangement: Arrangement::Left,
        })
    }
    fn adjoint_has_gradient(&self) -> bool {
        true
    }
}

impl<B: Backend> Locality<B> for MatmulLeft<B> {
    fn flops(&self, input: &Shape, output: &Shape) -> u64 {
        2 * (output.num_elements() * input[input.num_dims() - 2]) as u64
    }
    everywhere!();
    fn places(&self, input: &Shape, output: &Shape) -> Option<Vec<AxisPlace>> {
        mixing(input, output, output.num_dims() - 2)
    }
}
