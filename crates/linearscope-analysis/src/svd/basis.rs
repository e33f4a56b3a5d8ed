//! Orthonormal bases of long vectors, in blocks.

use burn::tensor::{FloatDType, Tensor};
use linearscope::SplitMix64;

use super::{
    dense::Dense,
    result::{GoOn, SvdError},
};
use crate::{
    error::{Error, Result},
    operator::LinearOperator,
    vectors::{read, row_norms},
};

/// How many entries of a vector are combined at a time: few enough that the sums of all columns stay in a cache.
const PIECE: usize = 1 << 15;

/// Orthonormal vectors of length `len`, as blocks of rows.
#[derive(Clone, Debug)]
pub(super) struct Basis {
    blocks: Vec<Tensor<2>>,
    len: usize,
    count: usize,
}

/// Rows made orthonormal, and how the given ones are made of them.
pub(super) struct Orthonormal {
    /// `[b′, len]`; b′ < b where the space was used up.
    pub vectors: Option<Tensor<2>>,
    /// (count + b′) × b: the given rows are the combinations, of the basis and the new vectors,
    /// that the columns say.
    pub coefficients: Dense,
}

impl Basis {
    pub(super) fn new(len: usize) -> Self {
        Self {
            blocks: Vec::new(),
            len,
            count: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn push(&mut self, block: Tensor<2>) {
        self.count += block.dims()[0];
        self.blocks.push(block);
    }

    /// Take away the part of each row of `x` that lies in the basis, twice, adding the coefficients to the
    /// given columns. Once is not enough in floating point, not even where it leaves more than half of a
    /// row: in f32 the bases of an EDSR lost their orthogonality so, and nothing converged.
    fn project(
        &self,
        mut x: Tensor<2>,
        coefficients: &mut Dense,
        column: usize,
        go_on: GoOn<'_>,
    ) -> Result<Tensor<2>> {
        let rows = x.dims()[0];
        for _ in 0..2 {
            let mut row = 0;
            for block in &self.blocks {
                go_on()?;
                let overlap = x.clone().matmul(block.clone().transpose());
                x = x - overlap.clone().matmul(block.clone());
                let size = block.dims()[0];
                for (index, value) in read(overlap)?.into_iter().enumerate() {
                    let (i, j) = (index / size, index % size);
                    let at = (row + j, column + i);
                    coefficients.set(at.0, at.1, coefficients.at(at.0, at.1) + value);
                }
                row += size;
            }
            debug_assert_eq!(row, self.count);
            debug_assert!(column + rows <= coefficients.columns);
        }
        Ok(x)
    }

    /// Make the rows of `x` orthonormal against the basis and each other, and against `apart`, whose
    /// part of them is dropped. A row that has nothing new gives a random new vector, with
    /// coefficient zero. Whether F's computations go on is asked at every block.
    pub(super) fn orthonormalise(
        &self,
        f: &(impl LinearOperator + ?Sized),
        x: Tensor<2>,
        apart: Option<&Basis>,
        random: &mut SplitMix64,
    ) -> Result<Orthonormal, SvdError> {
        let go_on: GoOn<'_> = &|| f.check_interrupt();
        let rows = x.dims()[0];
        let taken = self.count + apart.map_or(0, Basis::count);
        let room = (self.len - taken).min(rows);
        let before = row_norms(&x)?;
        if before.iter().any(|norm| !norm.is_finite()) {
            return Err(Error::overflow("a product with F").into());
        }
        let x = match apart {
            Some(apart) => apart.project(x, &mut Dense::zeros(apart.count, rows), 0, go_on)?,
            None => x,
        };
        let mut coefficients = Dense::zeros(self.count + room, rows);
        let x = self.project(x, &mut coefficients, 0, go_on)?;
        // Below this share of its length a remainder is rounding, not direction.
        let noise = match f.dtype() {
            FloatDType::F64 => 1e-14,
            _ => 1e-6,
        };
        let mut found = Basis::new(self.len);
        for (row, &before) in before.iter().enumerate() {
            let vector = x.clone().narrow(0, row, 1);
            let mut inner = Dense::zeros(found.count, 1);
            let vector = found.project(vector, &mut inner, 0, go_on)?;
            for i in 0..found.count {
                coefficients.set(self.count + i, row, inner.at(i, 0));
            }
            if found.count == room {
                continue;
            }
            let norm = row_norms(&vector)?[0];
            let unit = if norm > noise * before {
                coefficients.set(self.count + found.count, row, norm);
                vector / norm
            } else {
                self.fresh(f, &found, apart, random)?
            };
            found.push(unit);
        }
        let vectors = (!found.blocks.is_empty()).then(|| Tensor::cat(found.blocks, 0));
        Ok(Orthonormal {
            vectors,
            coefficients,
        })
    }

    /// A random unit vector orthogonal to this basis and others, `[1, len]`.
    fn fresh(
        &self,
        f: &(impl LinearOperator + ?Sized),
        other: &Basis,
        apart: Option<&Basis>,
        random: &mut SplitMix64,
    ) -> Result<Tensor<2>, SvdError> {
        let go_on: GoOn<'_> = &|| f.check_interrupt();
        let mut vector = f.upload(random.uniform(self.len), self.len);
        // Scaled between passes, so that what is left is accurate however little it is.
        for _ in 0..3 {
            for basis in [Some(self), Some(other), apart].into_iter().flatten() {
                vector = basis.project(vector, &mut Dense::zeros(basis.count, 1), 0, go_on)?;
            }
            let norm = row_norms(&vector)?[0];
            vector = vector / norm;
        }
        Ok(vector)
    }

    /// Combinations Σⱼ weights[j, i] basisⱼ for the first `columns` columns, `[columns, len]`. There may be
    /// weights for the first blocks only.
    pub(super) fn combine(
        &self,
        f: &(impl LinearOperator + ?Sized),
        weights: &Dense,
        columns: usize,
        go_on: GoOn<'_>,
    ) -> Result<Tensor<2>> {
        let mut parts = Vec::new();
        let mut row = 0;
        for block in &self.blocks {
            if row == weights.rows {
                break;
            }
            let size = block.dims()[0];
            let part: Vec<f64> = (0..columns)
                .flat_map(|i| (row..row + size).map(move |j| weights.at(j, i)))
                .collect();
            parts.push((f.upload(part, size), block));
            row += size;
        }
        let mut pieces = Vec::new();
        for start in (0..self.len).step_by(PIECE) {
            go_on()?;
            let some = PIECE.min(self.len - start);
            let terms = parts.iter().map(|(part, block)| {
                let piece = match some == self.len {
                    true => (*block).clone(),
                    false => (*block).clone().narrow(1, start, some),
                };
                part.clone().matmul(piece)
            });
            let sum = terms.reduce(|sum, term| sum + term);
            pieces.push(sum.expect("a basis with vectors"));
        }
        Ok(match pieces.len() {
            1 => pieces.remove(0),
            _ => Tensor::cat(pieces, 1),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use burn::tensor::{Device, FloatDType};

    use super::{super::result::to_the_end, *};
    use crate::Dense as Matrix;

    /// A sum over blocks, piece by piece, is that of whole vectors; in each piece and at each block it is asked
    /// whether to go on.
    #[test]
    fn dense_work_asks_whether_to_go_on() {
        let len = 2 * PIECE + 5;
        let f = Matrix::new(vec![0.0; len], [1], [len], &Device::flex(), FloatDType::F64).unwrap();
        let mut random = SplitMix64::new(1);
        let mut basis = Basis::new(len);
        let mut rows: Vec<Vec<f64>> = Vec::new();
        for size in [1, 2, 1] {
            let values = random.uniform(size * len);
            rows.extend(values.chunks(len).map(<[f64]>::to_vec));
            basis.push(f.upload(values, len));
        }
        // Of the first two blocks.
        let mut weights = Dense::zeros(3, 2);
        for (i, weight) in [2.0, -1.0, 0.5, 3.0, -0.25, 1.0].into_iter().enumerate() {
            weights.set(i / 2, i % 2, weight);
        }
        let asked = Cell::new(0);
        let until = |last: usize| {
            let asked = &asked;
            asked.set(0);
            move || {
                asked.set(asked.get() + 1);
                match asked.get() < last {
                    true => Ok(()),
                    false => Err(linearscope::Error::Interrupted.into()),
                }
            }
        };
        let found = basis.combine(&f, &weights, 2, &until(9)).unwrap();
        assert_eq!((asked.get(), found.dims()), (3, [2, len]));
        for (i, found) in read(found).unwrap().chunks(len).enumerate() {
            for (at, found) in found.iter().enumerate() {
                let sum: f64 = (0..3).map(|j| weights.at(j, i) * rows[j][at]).sum();
                assert!((found - sum).abs() < 1e-14);
            }
        }
        let stopped = |error: Error| error.is_stopped() && asked.get() == 2;
        assert!(
            basis
                .combine(&f, &weights, 2, &until(2))
                .is_err_and(stopped)
        );
        let x = f.upload(random.uniform(len), len);
        let mut coefficients = Dense::zeros(4, 1);
        let projected = basis.project(x.clone(), &mut coefficients, 0, &until(2));
        assert!(projected.is_err_and(stopped));
        basis.project(x, &mut coefficients, 0, &until(9)).unwrap();
        assert_eq!(asked.get(), 6);
        assert!(basis.combine(&f, &weights, 2, &to_the_end).is_ok());
    }
}
