//! Matrix products with one frozen side.

use std::sync::Arc;

use burn_backend::{Backend, Shape, TensorMetadata, tensor::FloatTensor};

use super::{LinearMap, Stored, batch};

fn transposed<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let rank = x.shape().num_dims();
    B::float_swap_dims(x, rank - 2, rank - 1)
}

/// y = x W for x `[.., m, p]` and a frozen W `[.., p, q]`.
///
/// A W without batch axes makes one product of k·…·m rows.
#[derive(Debug)]
pub(crate) struct MatmulRight<B: Backend> {
    weight: FloatTensor<B>,
    input: Shape,
}

impl<B: Backend> MatmulRight<B> {
    pub(crate) fn new(input: &Shape, weight: FloatTensor<B>) -> Self {
        Self {
            weight,
            input: input.clone(),
        }
    }

    fn product(x: FloatTensor<B>, weight: FloatTensor<B>) -> FloatTensor<B> {
        let shape = x.shape();
        let w = weight.shape();
        let rank = shape.num_dims();
        if w.iter().take(w.num_dims() - 2).any(|&size| size != 1) {
            return B::float_matmul(x, batch::of_one::<B>(weight));
        }
        let (p, q) = (w[w.num_dims() - 2], w[w.num_dims() - 1]);
        let rows = shape.iter().take(rank - 1).product();
        let x = B::float_reshape(x, Shape::from(vec![rows, p]));
        let y = B::float_matmul(x, B::float_reshape(weight, Shape::from(vec![p, q])));
        let mut dims = shape.to_vec();
        dims[rank - 1] = q;
        B::float_reshape(y, Shape::from(dims))
    }
}

impl<B: Backend> LinearMap<B> for MatmulRight<B> {
    fn name(&self) -> &'static str {
        "matmul"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        Self::product(x, self.weight.clone())
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        let x = Self::product(y, transposed::<B>(self.weight.clone()));
        // Batch axes of W that x lacked were broadcast.
        batch::sum_to::<B>(x, &self.input)
    }
    fn magnitudes(&self) -> Option<Arc<dyn LinearMap<B>>> {
        Some(Arc::new(Self {
            weight: B::float_abs(self.weight.clone()),
            input: self.input.clone(),
        }))
    }
    fn stored(&self) -> Stored {
        Stored::tensor(&self.weight)
    }
    fn flops(&self, input: &Shape, output: &Shape) -> u64 {
        2 * (output.num_elements() * input[input.num_dims() - 1]) as u64
    }
}

/// y = W x for a frozen W `[.., m, p]` and x `[.., p, q]`.
#[derive(Debug)]
pub(crate) struct MatmulLeft<B: Backend> {
    weight: FloatTensor<B>,
    input: Shape,
}

impl<B: Backend> MatmulLeft<B> {
    pub(crate) fn new(input: &Shape, weight: FloatTensor<B>) -> Self {
        Self {
            weight: batch::of_one::<B>(weight),
            input: input.clone(),
        }
    }
}

impl<B: Backend> LinearMap<B> for MatmulLeft<B> {
    fn name(&self) -> &'static str {
        "matmul"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_matmul(self.weight.clone(), x)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        let x = B::float_matmul(transposed::<B>(self.weight.clone()), y);
        batch::sum_to::<B>(x, &self.input)
    }
    fn magnitudes(&self) -> Option<Arc<dyn LinearMap<B>>> {
        Some(Arc::new(Self {
            weight: B::float_abs(self.weight.clone()),
            input: self.input.clone(),
        }))
    }
    fn stored(&self) -> Stored {
        Stored::tensor(&self.weight)
    }
    fn flops(&self, input: &Shape, output: &Shape) -> u64 {
        2 * (output.num_elements() * input[input.num_dims() - 2]) as u64
    }
}
