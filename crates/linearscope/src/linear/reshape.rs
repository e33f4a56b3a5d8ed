//! The same entries in the same order, in another shape.

use std::{ops::Range, sync::Arc};

use burn_backend::{Backend, Shape, TensorMetadata, tensor::FloatTensor};

use super::{Cut, LinearMap, Locality, Region, Restricted, Structure, batch};

/// Another shape, the same entries in the same order.
#[derive(Debug)]
pub(crate) struct Reshape {
    input: Shape,
    output: Shape,
}

impl Reshape {
    pub(crate) fn new(input: &Shape, output: &Shape) -> Self {
        Self {
            input: input.clone(),
            output: output.clone(),
        }
    }
}

impl<B: Backend> LinearMap<B> for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }
    fn apply(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let k = x.shape()[0];
        B::float_reshape(x, batch::shape_of(k, &self.output))
    }
    fn adjoint(&self, y: FloatTensor<B>) -> FloatTensor<B> {
        let k = y.shape()[0];
        B::float_reshape(y, batch::shape_of(k, &self.input))
    }
    fn structure(&self) -> Structure<'_, B> {
        Structure::Reshape(self)
    }
}

impl<B: Backend> Locality<B> for Reshape {
    fn flops(&self, _input: &Shape, _output: &Shape) -> u64 {
        0
    }
    fn reach(&self, input: &Shape, output: &Shape, from: &Region) -> Region {
        rearranged(input, output, from)
    }
    fn field(&self, input: &Shape, output: &Shape, to: &Region) -> Region {
        rearranged(output, input, to)
    }
    /// The smallest pair of boxes around both that hold the same entries in the same order.
    fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
        let mut to = rearranged(cut.input, cut.output, cut.from).intersection(cut.to);
        if to.is_empty() {
            return None;
        }
        let mut from = rearranged(cut.output, cut.input, &to);
        while from.num_elements() != to.num_elements() {
            to = rearranged(cut.input, cut.output, &from);
            from = rearranged(cut.output, cut.input, &to);
        }
        Some(Restricted {
            map: Arc::new(Self::new(&from.shape(), &to.shape())),
            from,
            to,
        })
    }
}

/// Axes of two shapes with as many entries each, in groups that hold the same entries.
fn groups(a: &Shape, b: &Shape) -> Vec<(Range<usize>, Range<usize>)> {
    let (mut groups, mut i, mut j) = (Vec::new(), 0, 0);
    while i < a.num_dims() || j < b.num_dims() {
        let (start, mut m, mut n) = ((i, j), 1, 1);
        loop {
            // The side that holds less takes the next axis; both take one to begin with.
            if i < a.num_dims() && (m < n || i == start.0 || j == b.num_dims()) {
                m *= a[i];
                i += 1;
            } else if j < b.num_dims() && (n < m || j == start.1 || i == a.num_dims()) {
                n *= b[j];
                j += 1;
            }
            if m == n && (i > start.0 || i == a.num_dims()) && (j > start.1 || j == b.num_dims()) {
                break;
            }
        }
        groups.push((start.0..i, start.1..j));
    }
    groups
}

/// The shape, broadcasting against `b`, of a tensor of shape `of` that broadcasts against `a`, where
/// `b` has the entries of `a` in the same order; `None` where there is none.
pub(crate) fn regrouped(a: &Shape, b: &Shape, of: &Shape) -> Option<Shape> {
    let mut dims = vec![1; b.num_dims()];
    for (ours, theirs) in groups(a, b) {
        let all = |test: fn(usize, usize) -> bool| ours.clone().all(|axis| test(of[axis], a[axis]));
        if all(|of, _| of == 1) {
            continue;
        }
        if !all(|of, a| of == a) {
            return None;
        }
        for axis in theirs {
            dims[axis] = b[axis];
        }
    }
    Some(Shape::from(dims))
}

/// The smallest box of shape `b` that holds what is the box `from` in shape `a`, entries in the
/// same order.
fn rearranged(a: &Shape, b: &Shape, from: &Region) -> Region {
    if from.is_empty() {
        return Region(b.iter().map(|_| 0..0).collect());
    }
    let mut to = Vec::with_capacity(b.num_dims());
    for (ours, theirs) in groups(a, b) {
        // First and last entry of the group in C order.
        let flat = |at: fn(&Range<usize>) -> usize| {
            ours.clone()
                .fold(0, |flat, axis| flat * a[axis] + at(&from.0[axis]))
        };
        let (mut first, mut last) = (flat(|r| r.start), flat(|r| r.end - 1));
        let mut inner: usize = theirs.clone().map(|axis| b[axis]).product();
        for axis in theirs {
            inner /= b[axis];
            let (x, y) = (first / inner, last / inner);
            to.push(x..y + 1);
            (first, last) = match x == y {
                true => (first % inner, last % inner),
                false => (0, inner - 1),
            };
        }
    }
    Region(to)
}
