//! Long vectors, many of them one matrix on the device; and orthonormal ones.

use std::ops::Range;

use burn::tensor::{FloatDType, Tensor};
use linearscope::SplitMix64;

use super::{
    dense::Dense,
    result::{GoOn, SvdError},
};
use crate::{
    error::{Error, Result},
    operator::LinearOperator,
    vectors::{read, root, row_norms, squares},
};

/// How many entries of a vector are combined at a time: few enough that the sums of all columns stay in a cache.
const PIECE: usize = 1 << 15;

/// Vectors that there is room for at first.
const AT_FIRST: usize = 64;

/// Where no more than this share of a vector is left outside a basis, it is looked at again in units of its own:
/// what two passes leave inside are roundings of the whole vector.
const LITTLE: f64 = 1e-2;

/// Vectors of length `len`, orthonormal where they are to be projected on: the first rows of a matrix that has
/// room for more. One matrix, so that a pass over all vectors is two products and one transfer.
#[derive(Debug)]
pub(super) struct Basis {
    /// `[room, len]`, nothing before the first vector. Not shared, so that rows are written in place.
    vectors: Option<Tensor<2>>,
    len: usize,
    room: usize,
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

/// Below this share of its length a remainder is rounding, not direction.
fn noise(dtype: FloatDType) -> f64 {
    match dtype {
        FloatDType::F64 => 1e-14,
        _ => 1e-6,
    }
}

impl Basis {
    /// No vectors, with room for so many.
    pub(super) fn new(len: usize, room: usize) -> Self {
        Self {
            vectors: None,
            len,
            room,
            count: 0,
        }
    }

    /// These rows, without room for more.
    pub(super) fn of(vectors: Tensor<2>) -> Self {
        let [count, len] = vectors.dims();
        Self {
            vectors: Some(vectors),
            len,
            room: count,
            count,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Some of the vectors, as a view: gone before the next one is written.
    fn rows(&self, range: Range<usize>) -> Tensor<2> {
        let vectors = self.vectors.clone().expect("a basis with vectors");
        vectors.slice([range])
    }

    /// Write rows from `first` on, from the column `column` on.
    fn write(&mut self, first: usize, column: usize, block: Tensor<2>) {
        let [rows, columns] = block.dims();
        let vectors = self.vectors.take().expect("a basis with room");
        let at = [first..first + rows, column..column + columns];
        self.vectors = Some(vectors.slice_assign(at, block));
    }

    pub(super) fn push(&mut self, block: Tensor<2>) {
        let (first, rows) = (self.count, block.dims()[0]);
        self.count += rows;
        if self.vectors.is_none() && rows == self.room {
            self.vectors = Some(block);
            return;
        }
        let there = self.vectors.as_ref().map_or(0, |vectors| vectors.dims()[0]);
        if self.count > there {
            // Not all the room at once: thousands of triplets may be asked for, and a few be found.
            let size = self.room.min(self.count.max(2 * there).max(AT_FIRST));
            let options = (&block.device(), block.dtype());
            let larger = Tensor::zeros([size, self.len], options);
            let before = self.vectors.replace(larger);
            if let Some(before) = before {
                self.write(0, 0, before);
            }
        }
        self.write(first, 0, block);
    }

    /// Take away the part of each row of `x` that lies in the basis, twice, adding the coefficients to the
    /// given columns. Once is not enough in floating point, not even where it leaves more than half of a
    /// row: in f32 the bases of an EDSR lost their orthogonality so, and nothing converged.
    fn project(
        &self,
        x: Tensor<2>,
        coefficients: &mut Dense,
        column: usize,
        go_on: GoOn<'_>,
    ) -> Result<Tensor<2>> {
        if self.count == 0 {
            return Ok(x);
        }
        let (x, overlaps) = self.passes(x, go_on)?;
        for overlap in overlaps {
            for (index, value) in read(overlap)?.into_iter().enumerate() {
                let (i, j) = (index / self.count, index % self.count);
                coefficients.add(j, column + i, value);
            }
        }
        Ok(x)
    }

    /// The two passes of [`project`](Self::project) on the device: what is left of x, and the overlaps that each took away.
    fn passes(&self, mut x: Tensor<2>, go_on: GoOn<'_>) -> Result<(Tensor<2>, Vec<Tensor<2>>)> {
        let mut overlaps = Vec::new();
        for _ in 0..2 {
            go_on()?;
            let vectors = self.rows(0..self.count);
            let overlap = x.clone().matmul(vectors.clone().transpose());
            x = x - overlap.clone().matmul(vectors);
            overlaps.push(overlap);
        }
        Ok((x, overlaps))
    }

    /// Make the rows of `x` orthonormal against the basis and each other, and against `apart`, whose
    /// part of them is dropped. A row that has nothing new gives a random new vector, with
    /// coefficient zero. Whether F's computations go on is asked at every pass.
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
        if let (1, 1, None) = (rows, room, apart)
            && let Some(one) = self.at_one_look(f, &x)?
        {
            return Ok(one);
        }
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
        let noise = noise(f.dtype());
        let mut found = Basis::new(self.len, room);
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
                let unit = vector / norm;
                match norm < LITTLE * before {
                    true => self.apart_from(f, unit, &found, apart, 1)?,
                    false => unit,
                }
            } else {
                let vector = f.upload(random.uniform(self.len), self.len);
                self.apart_from(f, vector, &found, apart, 3)?
            };
            found.push(unit);
        }
        Ok(Orthonormal {
            vectors: found.vectors,
            coefficients,
        })
    }

    /// The same of one row that leaves plenty outside, with the same bits and one read-back: its lengths before and after and
    /// what it has in the basis come to the host together. `None` for any other, which is looked at step by step.
    fn at_one_look(
        &self,
        f: &(impl LinearOperator + ?Sized),
        x: &Tensor<2>,
    ) -> Result<Option<Orthonormal>, SvdError> {
        let mut told = vec![squares(x)];
        let mut rest = x.clone();
        if self.count > 0 {
            let (left, overlaps) = self.passes(rest, &|| f.check_interrupt())?;
            told.extend(overlaps);
            told.push(squares(&left));
            rest = left;
        }
        let told = read(Tensor::cat(told, 1))?;
        let ends = [told[0], *told.last().expect("a length")];
        let [Some(before), Some(norm)] = ends.map(|square| root(square, x.dtype())) else {
            return Ok(None);
        };
        if norm <= noise(f.dtype()) * before || norm < LITTLE * before {
            return Ok(None);
        }
        let mut coefficients = Dense::zeros(self.count + 1, 1);
        for pass in told[1..].chunks_exact(self.count.max(1)).take(2) {
            for (i, &value) in pass.iter().enumerate().take(self.count) {
                coefficients.add(i, 0, value);
            }
        }
        coefficients.set(self.count, 0, norm);
        Ok(Some(Orthonormal {
            vectors: Some(rest / norm),
            coefficients,
        }))
    }

    /// A unit vector of what is left of one outside this basis and others, `[1, len]`. Scaled between passes, so
    /// that what is left is accurate however little it is.
    fn apart_from(
        &self,
        f: &(impl LinearOperator + ?Sized),
        mut vector: Tensor<2>,
        other: &Basis,
        apart: Option<&Basis>,
        passes: usize,
    ) -> Result<Tensor<2>, SvdError> {
        let go_on: GoOn<'_> = &|| f.check_interrupt();
        for _ in 0..passes {
            for basis in [Some(self), Some(other), apart].into_iter().flatten() {
                vector = basis.project(vector, &mut Dense::zeros(basis.count, 1), 0, go_on)?;
            }
            let norm = row_norms(&vector)?[0];
            vector = vector / norm;
        }
        Ok(vector)
    }

    /// Combinations Σⱼ weights[j, i] basisⱼ for the first `columns` columns, `[columns, len]`. There may be
    /// weights for the first vectors only.
    pub(super) fn combine(
        &self,
        f: &(impl LinearOperator + ?Sized),
        weights: &Dense,
        columns: usize,
        go_on: GoOn<'_>,
    ) -> Result<Tensor<2>> {
        let rows = f.upload(weights.columns_as_rows(columns), weights.rows);
        let mut pieces = Vec::new();
        for at in pieces_of(self.len) {
            go_on()?;
            pieces.push(rows.clone().matmul(self.piece(weights.rows, at)));
        }
        Ok(match pieces.len() {
            1 => pieces.remove(0),
            _ => Tensor::cat(pieces, 1),
        })
    }

    /// Those combinations in place of the basis, without a second copy of it. Not to be stopped halfway.
    pub(super) fn turn(
        &mut self,
        f: &(impl LinearOperator + ?Sized),
        weights: &Dense,
        columns: usize,
    ) {
        let rows = f.upload(weights.columns_as_rows(columns), weights.rows);
        for at in pieces_of(self.len) {
            let start = at.start;
            let made = rows.clone().matmul(self.piece(weights.rows, at));
            self.write(0, start, made);
        }
        self.count = columns;
    }

    /// Some entries of the first `count` vectors.
    fn piece(&self, count: usize, at: Range<usize>) -> Tensor<2> {
        self.rows(0..count).slice([0..count, at])
    }
}

/// The entries of long vectors, some at a time.
fn pieces_of(len: usize) -> impl Iterator<Item = Range<usize>> {
    let starts = (0..len).step_by(PIECE);
    starts.map(move |start| start..(start + PIECE).min(len))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use burn::tensor::{Device, FloatDType};

    use super::{super::result::to_the_end, *};
    use crate::{Dense as Matrix, vectors::READ};

    /// One row is one read-back, wherever the basis stands, with the bits of the slow way; what is nearly inside goes that way.
    #[test]
    fn a_row_is_read_back_once() {
        let len = 40;
        for dtype in [FloatDType::F32, FloatDType::F64] {
            let f = Matrix::new(vec![0.0; len], [1], [len], &Device::flex(), dtype).unwrap();
            let mut random = SplitMix64::new(2);
            let (mut basis, nothing) = (Basis::new(len, len), Basis::new(len, 1));
            for count in 0..20 {
                let row = f.upload(random.uniform(len), len);
                let reads = READ.get();
                let made = basis
                    .orthonormalise(&f, row.clone(), None, &mut random)
                    .unwrap();
                assert_eq!(READ.get() - reads, 1, "{count}");
                let slow = basis
                    .orthonormalise(&f, row.clone(), Some(&nothing), &mut random)
                    .unwrap();
                assert!(READ.get() - reads > 2);
                let bits = |made: &Orthonormal| {
                    let vectors = read(made.vectors.clone().expect("a vector")).unwrap();
                    let column = (0..=count).map(|i| made.coefficients.at(i, 0));
                    column.chain(vectors).map(f64::to_bits).collect::<Vec<_>>()
                };
                assert_eq!(bits(&made), bits(&slow));
                basis.push(made.vectors.expect("a vector"));
                // Inside but for rounding, and nothing at all.
                for little in [basis.rows(count..count + 1), row.clone() * 0.0] {
                    let reads = READ.get();
                    basis.orthonormalise(&f, little, None, &mut random).unwrap();
                    assert!(READ.get() - reads > 2);
                }
            }
        }
    }

    /// A combination, piece by piece, is that of whole vectors, in place or not; at each piece and each pass it is
    /// asked whether to go on.
    #[test]
    fn dense_work_asks_whether_to_go_on() {
        let len = 2 * PIECE + 5;
        let f = Matrix::new(vec![0.0; len], [1], [len], &Device::flex(), FloatDType::F64).unwrap();
        let mut random = SplitMix64::new(1);
        let mut basis = Basis::new(len, 5);
        let mut rows: Vec<Vec<f64>> = Vec::new();
        for size in [1, 2, 1] {
            let values = random.uniform(size * len);
            rows.extend(values.chunks(len).map(<[f64]>::to_vec));
            basis.push(f.upload(values, len));
        }
        // Of the first three vectors.
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
        assert_eq!(asked.get(), 2);
        let copied = basis.combine(&f, &weights, 2, &to_the_end).unwrap();
        basis.turn(&f, &weights, 2);
        assert_eq!(basis.count(), 2);
        let turned = basis.rows(0..2).into_data();
        assert_eq!(turned, copied.into_data());
    }
}
