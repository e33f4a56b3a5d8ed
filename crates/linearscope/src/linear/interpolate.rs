//! Interpolation in every mode Burn has. All are separable: Y = A_h X A_wᵀ.
//!
//! `apply` is the backend's own kernel. The adjoint is A_hᵀ Y A_w with the two small matrices
//! read off that kernel by interpolating unit vectors: cubecl's backward knows nearest only.

use burn_backend::{
    Backend, Shape, TensorData, TensorMetadata, ops::InterpolateOptions, tensor::FloatTensor,
};

use super::{LinearMap, batch};

/// `interpolate`; input `[n, c, h, w]`.
#[derive(Debug)]
pub(crate) struct Interpolate<B: Backend> {
    output_size: [usize; 2],
    options: InterpolateOptions,
    /// A_hᵀ as `[1, 1, h, h_out]`.
    rows: FloatTensor<B>,
    /// A_w as `[1, 1, w_out, w]`.
    columns: FloatTensor<B>,
}

impl<B: Backend> Interpolate<B> {
    /// `like` lends its device and dtype.
    pub(crate) fn new(
        like: &FloatTensor<B>,
        input: &Shape,
        output_size: [usize; 2],
        options: InterpolateOptions,
    ) -> Self {
        let (h, w) = (input[2], input[3]);
        let unit = |size: usize| {
            let mut eye = vec![0f32; size * size];
            eye.iter_mut().step_by(size + 1).for_each(|v| *v = 1.0);
            let eye = B::float_from_data(TensorData::new(eye, [1, size, size, 1]), &like.device());
            B::float_cast(eye, like.dtype().into())
        };
        // Channel i holds the unit vector i; its interpolation is column i of A.
        let rows = B::interpolate(unit(h), [output_size[0], 1], options.clone());
        let rows = B::float_reshape(rows, Shape::from(vec![1, 1, h, output_size[0]]));
        let columns = B::float_reshape(unit(w), Shape::from(vec![1, w, 1, w]));
        let columns = B::interpolate(columns, [1, output_size[1]], options.clone());
        let columns = B::float_reshape(columns, Shape::from(vec![1, 1, w, output_size[1]]));
        Self {
            output_size,
            options,
            rows,
            columns: B::float_swap_dims(columns, 2, 3),
        }
    }
}

impl<B: Backend> LinearMap<B> for Interpolate<B> {
    fn name(&self) -> &'static str {
        "interpolate"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let (x, k) = batch::merge::<B>(x);
        batch::split::<B>(B::interpolate(x, self.output_size, self.options.clone()), k)
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        let (y, k) = batch::merge::<B>(y);
        let x = B::float_matmul(B::float_matmul(self.rows.clone(), y), self.columns.clone());
        batch::split::<B>(x, k)
    }
}
