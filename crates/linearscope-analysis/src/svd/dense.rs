//! Small dense matrices on the host, and their SVD by one-sided Jacobi rotations.
//!
//! Our own on purpose: burn-linalg's bidiagonal QR does not converge on the projected matrices of
//! clustered spectra, and a dense library costs a newcomer minutes of compiling for matrices of 60
//! columns. Jacobi always converges, to high relative accuracy (Demmel and Veselić, 1992).

use std::ops::Range;

use super::result::{GoOn, SvdError};
use crate::{
    error::Error,
    vectors::{dot, power_of_two},
};

/// A small matrix, row-major, f64.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Dense {
    pub rows: usize,
    pub columns: usize,
    values: Vec<f64>,
}

/// [a b] ← [a b] · rotation
fn rotate(a: &mut [f64], b: &mut [f64], cosine: f64, sine: f64) {
    for (a, b) in a.iter_mut().zip(b) {
        (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
    }
}

/// Two different elements, mutably.
fn pair<T>(all: &mut [T], i: usize, j: usize) -> (&mut T, &mut T) {
    let (left, right) = all.split_at_mut(j);
    (&mut left[i], &mut right[0])
}

impl Dense {
    pub(super) fn zeros(rows: usize, columns: usize) -> Self {
        Self {
            rows,
            columns,
            values: vec![0.0; rows * columns],
        }
    }

    pub(super) fn diagonal(values: &[f64]) -> Self {
        let mut diagonal = Self::zeros(values.len(), values.len());
        for (i, &value) in values.iter().enumerate() {
            diagonal.set(i, i, value);
        }
        diagonal
    }

    pub(super) fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.columns + column]
    }

    pub(super) fn set(&mut self, row: usize, column: usize, value: f64) {
        self.values[row * self.columns + column] = value;
    }

    pub(super) fn add(&mut self, row: usize, column: usize, value: f64) {
        self.values[row * self.columns + column] += value;
    }

    /// Put the entries of another matrix in, from (row, column) on.
    pub(super) fn copy(&mut self, other: &Self, row: usize, column: usize) {
        for i in 0..other.rows {
            for j in 0..other.columns {
                self.set(row + i, column + j, other.at(i, j));
            }
        }
    }

    /// The same entries in a larger matrix, zeros elsewhere.
    pub(super) fn grown(&self, rows: usize, columns: usize) -> Self {
        let mut grown = Self::zeros(rows, columns);
        grown.copy(self, 0, 0);
        grown
    }

    /// Some of the rows.
    pub(super) fn rows(&self, rows: Range<usize>) -> Self {
        let mut some = Self::zeros(rows.len(), self.columns);
        for (i, row) in rows.enumerate() {
            for j in 0..self.columns {
                some.set(i, j, self.at(row, j));
            }
        }
        some
    }

    /// Symmetric, by the upper triangle.
    pub(super) fn mirrored(&self) -> Self {
        let mut mirrored = self.clone();
        for i in 0..self.rows {
            for j in 0..i {
                mirrored.set(i, j, self.at(j, i));
            }
        }
        mirrored
    }

    /// The first columns one after the other.
    pub(super) fn columns_as_rows(&self, columns: usize) -> Vec<f64> {
        let column = |j| (0..self.rows).map(move |i| self.at(i, j));
        (0..columns).flat_map(column).collect()
    }

    fn from_columns(columns: &[Vec<f64>], rows: usize) -> Self {
        let mut matrix = Self::zeros(rows, columns.len());
        for (j, column) in columns.iter().enumerate() {
            for (i, &value) in column.iter().enumerate() {
                matrix.set(i, j, value);
            }
        }
        matrix
    }

    /// P, σ, Q with self = P diag(σ) Qᵀ, largest first; columns of P and Q are orthonormal, as many
    /// as the smaller side. Whether to go on is asked at every column: of 800 columns it takes seconds.
    pub(super) fn svd(&self, go_on: GoOn<'_>) -> Result<(Dense, Vec<f64>, Dense), SvdError> {
        if self.values.iter().any(|x| !x.is_finite()) {
            return Err(Error::overflow("Uᵀ F V").into());
        }
        // In units of the largest entry: rotations square twice.
        let largest = self
            .values
            .iter()
            .fold(0.0, |most: f64, x| most.max(x.abs()));
        let unit = if largest > 0.0 {
            power_of_two(largest)
        } else {
            1.0
        };
        let wide = self.columns > self.rows;
        let (rows, columns) = if wide {
            (self.columns, self.rows)
        } else {
            (self.rows, self.columns)
        };
        // A Q = P diag(σ): rotate the columns of A until all are orthogonal.
        let entry = |i, j| if wide { self.at(j, i) } else { self.at(i, j) } / unit;
        let column = |j| (0..rows).map(|i| entry(i, j)).collect();
        let mut a: Vec<Vec<f64>> = (0..columns).map(column).collect();
        let mut q: Vec<Vec<f64>> = (0..columns)
            .map(|j| (0..columns).map(|i| f64::from(i == j)).collect())
            .collect();
        // Six to ten sweeps in practice; convergence is quadratic at the end.
        for _ in 0..60 {
            let mut rotated = false;
            for j in 1..columns {
                go_on()?;
                for i in 0..j {
                    let (alpha, beta) = (dot(&a[i], &a[i]), dot(&a[j], &a[j]));
                    let gamma = dot(&a[i], &a[j]);
                    if gamma.abs() <= f64::EPSILON * (alpha * beta).sqrt() {
                        continue;
                    }
                    rotated = true;
                    let zeta = (beta - alpha) / (2.0 * gamma);
                    let tangent = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
                    let cosine = 1.0 / tangent.hypot(1.0);
                    let sine = cosine * tangent;
                    let (x, y) = pair(&mut a, i, j);
                    rotate(x, y, cosine, sine);
                    let (x, y) = pair(&mut q, i, j);
                    rotate(x, y, cosine, sine);
                }
            }
            if !rotated {
                break;
            }
        }
        let norms: Vec<f64> = a.iter().map(|x| dot(x, x).sqrt()).collect();
        let mut order: Vec<usize> = (0..columns).collect();
        order.sort_by(|&i, &j| norms[j].total_cmp(&norms[i]));
        let scaled: Vec<f64> = order.iter().map(|&j| norms[j]).collect();
        let sigma: Vec<f64> = scaled.iter().map(|norm| norm * unit).collect();
        let mut p: Vec<Vec<f64>> = Vec::new();
        for &j in &order {
            let unit = if norms[j] > f64::EPSILON * scaled[0] {
                a[j].iter().map(|x| x / norms[j]).collect()
            } else {
                another(&p, rows)
            };
            p.push(unit);
        }
        let q: Vec<Vec<f64>> = order.iter().map(|&j| q[j].clone()).collect();
        let (p, q) = (
            Self::from_columns(&p, rows),
            Self::from_columns(&q, columns),
        );
        Ok(if wide { (q, sigma, p) } else { (p, sigma, q) })
    }
}

/// A unit vector orthogonal to fewer than `len` orthonormal ones: what is left of the axis they
/// leave most of.
fn another(vectors: &[Vec<f64>], len: usize) -> Vec<f64> {
    let left = |axis: usize| 1.0 - vectors.iter().map(|v| v[axis] * v[axis]).sum::<f64>();
    let axis = (0..len)
        .max_by(|&i, &j| left(i).total_cmp(&left(j)))
        .expect("vectors have entries");
    let mut vector: Vec<f64> = (0..len).map(|i| f64::from(i == axis)).collect();
    for _ in 0..2 {
        for other in vectors {
            let overlap = dot(&vector, other);
            for (x, y) in vector.iter_mut().zip(other) {
                *x -= overlap * y;
            }
        }
        let norm = dot(&vector, &vector).sqrt();
        vector.iter_mut().for_each(|x| *x /= norm);
    }
    vector
}

#[cfg(test)]
mod tests {
    use super::{super::result::to_the_end, Dense, dot};
    use crate::{error::Error, svd::SvdError};

    fn pseudo(i: usize) -> f64 {
        let hash = (i as u64 + 1).wrapping_mul(2_654_435_761) % (1 << 32);
        2.0 * hash as f64 / (1u64 << 32) as f64 - 1.0
    }

    fn assert_svd(a: &Dense) {
        let (p, sigma, q) = a.svd(&to_the_end).unwrap();
        let rank = a.rows.min(a.columns);
        assert_eq!((p.rows, p.columns), (a.rows, rank));
        assert_eq!((q.rows, q.columns), (a.columns, rank));
        assert!(sigma.windows(2).all(|pair| pair[0] >= pair[1]));
        let scale = sigma[0].max(1e-300);
        for i in 0..a.rows {
            for j in 0..a.columns {
                let sum: f64 = (0..rank).map(|k| p.at(i, k) * sigma[k] * q.at(j, k)).sum();
                assert!((sum - a.at(i, j)).abs() <= 1e-13 * scale, "entry {i}, {j}");
            }
        }
        for side in [&p, &q] {
            let column = |j| (0..side.rows).map(|i| side.at(i, j)).collect::<Vec<_>>();
            for i in 0..rank {
                for j in 0..=i {
                    let gram = dot(&column(i), &column(j));
                    assert!((gram - f64::from(i == j)).abs() < 1e-13, "{i}, {j}: {gram}");
                }
            }
        }
    }

    #[test]
    fn factors_give_the_matrix_back() {
        for (rows, columns) in [(1, 1), (7, 3), (3, 7), (24, 24), (40, 39)] {
            let mut a = Dense::zeros(rows, columns);
            for i in 0..rows * columns {
                a.set(i / columns, i % columns, pseudo(i));
            }
            assert_svd(&a);
            // The same with equal rows: half the rank.
            for i in 0..rows * columns {
                a.set(
                    i / columns,
                    i % columns,
                    pseudo(i % columns + i / columns / 2),
                );
            }
            assert_svd(&a);
        }
    }

    #[test]
    fn repeated_tiny_and_zero_values() {
        assert_svd(&Dense::zeros(4, 3));
        assert_svd(&Dense::diagonal(&[1.0, 1.0, 1.0, 1e-12, 0.0, 1e-200]));
        assert_svd(&Dense::diagonal(&[3e-200, 2e-200, 0.0]));
        assert_svd(&Dense::diagonal(&[3e200, 2e200, 1.0]));
        // The form after a restart: a diagonal with a spike, and a bidiagonal tail.
        let mut a = Dense::diagonal(&[2.0, 2.0, 2.0, 1.0, 1.0, 0.3, 0.2, 0.1]);
        for i in 0..4 {
            a.set(i, 4, 1e-9 * pseudo(i));
        }
        for i in 4..7 {
            a.set(i, i + 1, 0.25);
        }
        assert_svd(&a);
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        let a = Dense::diagonal(&[1.0, f64::NAN]);
        assert!(matches!(
            a.svd(&to_the_end),
            Err(SvdError::Failed(Error::NotFinite { .. }))
        ));
    }
}
