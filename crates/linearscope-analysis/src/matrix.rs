//! All of F as a sparse matrix, in parts that can be computed one by one.
//!
//! Row p of F has entries where its field lies. Shapes alone determine where that is, so that every
//! part has its place in the file before anything is computed. A part is a stripe of output rows.
//! It is computed on the window on which the stripe depends, by the cheaper of
//!
//! - *columns*: input pixels share a probe if no output sees two of them, c·d_h·d_w forward probes
//!   with d the largest field;
//! - *rows*: output pixels share a cotangent if no input reaches two of them, C·D_h·D_w adjoint
//!   ones.
//!
//! Columns of the first layers share more: see [`regroup`].
//!
//! A network without locality (a classifier) is a dense matrix, computed row by row.

mod axis;
mod columns;
mod regroup;

use std::{ops::Range, sync::OnceLock};

use burn::tensor::{Device, TensorData};
use burn_backend::{Shape, TensorMetadata, ops::FloatTensorOps};
use burn_dispatch::{Dispatch, DispatchTensor};
use linearscope::{
    Recorded,
    linear::Region,
    program::{NodeId, Window},
};
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    frozen::FrozenNetwork,
    operator::LinearOperator,
};

use self::{
    axis::{Axis, along},
    regroup::Cut,
};

/// The most probes side by side: more gains nothing on a CPU.
const BATCH: usize = 16;

/// The direction in which a part is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Forward products with probes of input pixels.
    Forward,
    /// Adjoint products with probes of output pixels.
    Adjoint,
}

/// The structure of F as a sparse matrix in rows (CSR), N × n: where its entries are, and how a
/// part of them is computed.
#[derive(Debug)]
pub struct MatrixPlan<'a> {
    f: &'a FrozenNetwork,
    recorded: &'a Recorded<Dispatch>,
    /// Channels of the input and of the output, all leading axes together.
    channels: [usize; 2],
    h: Axis,
    w: Axis,
    direction: Direction,
    /// Where columns are regrouped on their way, once somebody asks for columns.
    cut: OnceLock<Option<Cut>>,
    /// No picture comes out: rows of F are computed one by one.
    dense: bool,
}

/// The entries of one part of F.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Runs of consecutive rows, one for each output channel.
    pub segments: Vec<Segment>,
    /// The column of each entry, the same for every segment.
    pub columns: Vec<usize>,
}

/// Entries of consecutive rows of F, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Index of the first entry among all of F.
    pub first: usize,
    /// The values, in the network's dtype, one after the other.
    pub values: TensorData,
}

/// `[channels, h, w]` of a shape: pictures keep their last two axes, vectors are one row of pixels.
fn picture(shape: &[usize]) -> [usize; 3] {
    match shape {
        [outer @ .., h, w] if shape.len() >= 3 => [outer.iter().product(), *h, *w],
        _ => [1, 1, shape.iter().product()],
    }
}

impl<'a> MatrixPlan<'a> {
    /// Cost: shapes only, a few comparisons for each node and each row and column of the picture.
    ///
    /// # Errors
    /// [`linearscope::Error::Memory`] where nothing was recorded.
    pub fn new(f: &'a FrozenNetwork) -> Result<Self> {
        let recorded = f.recorded_for("the whole matrix")?;
        let program = recorded.homogeneous();
        let (input, output) = (program.inputs()[0], program.outputs()[0]);
        let ([c, h, w], [d, y, x]) = (picture(f.input_shape()), picture(f.output_shape()));
        let pictures = f.input_shape().len() == 4 && f.output_shape().len() == 4;
        let local = pictures && (y, x) != (1, 1);
        let axis = |axis: usize, size: usize, made: usize| match local {
            true => Ok::<_, Error>(Axis::new(
                along(program, [output, input], axis, true)?,
                along(program, [input, output], axis, false)?,
            )),
            false => Ok(Axis::new(vec![0..size; made], vec![0..made; size])),
        };
        let (h, w) = (axis(2, h, y)?, axis(3, w, x)?);
        let columns = c * h.columns_apart() * w.columns_apart();
        let rows = d * h.rows_apart() * w.rows_apart();
        Ok(Self {
            f,
            recorded,
            channels: [c, d],
            direction: match local && columns <= rows {
                true => Direction::Forward,
                false => Direction::Adjoint,
            },
            cut: OnceLock::new(),
            h,
            w,
            dense: !local,
        })
    }

    /// N and n.
    pub fn shape(&self) -> [usize; 2] {
        [self.f.output_len(), self.f.input_len()]
    }

    /// How many entries are stored; some of them may be zero.
    pub fn entries(&self) -> usize {
        let [c, d] = self.channels;
        c * d * self.h.all() * self.w.all()
    }

    /// The same entries, computed in another direction; dense matrices support only the adjoint.
    #[must_use]
    pub fn with_direction(mut self, direction: Direction) -> Self {
        if !self.dense {
            self.direction = direction;
        }
        self
    }

    /// The direction in which parts are computed.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// How many forward products an input channel takes where the picture's border is far: of the whole network, after those up to
    /// the node where they are regrouped, if they are. Cost: when first asked, as of `new`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn products(&self) -> Result<Vec<usize>> {
        let first = self.cut()?.map(Cut::apart);
        let whole = [self.h.columns_apart(), self.w.columns_apart()];
        let of = |[down, across]: [usize; 2]| down * across;
        Ok(first.into_iter().chain([whole]).map(of).collect())
    }

    /// Where columns are regrouped. On the host alone: elsewhere probes would be read back and sent again.
    fn cut(&self) -> Result<Option<&Cut>> {
        if let Some(known) = self.cut.get() {
            return Ok(known.as_ref());
        }
        let found = match !self.dense && *self.f.device() == Device::flex() {
            true => Cut::best(self.recorded.homogeneous(), &self.h, &self.w)?,
            false => None,
        };
        Ok(self.cut.get_or_init(|| found).as_ref())
    }

    /// How many rows of the output picture can be cut into stripes. A vector of outputs is cut into
    /// single rows of F instead.
    pub fn stripes(&self) -> usize {
        match self.dense {
            true => self.f.output_len(),
            false => self.h.fields.len(),
        }
    }

    /// The rows of a stripe that fit `bytes` with their values and columns.
    pub fn stripe_within(&self, bytes: usize) -> usize {
        let each = self.entries() * 12 / self.stripes().max(1);
        let rows = (bytes / each.max(1)).clamp(1, self.stripes().max(1));
        match self.direction {
            Direction::Forward => rows,
            // Cotangents are shared by rows this far apart: fewer would waste them.
            Direction::Adjoint if !self.dense => {
                let apart = self.h.rows_apart();
                (rows / apart).max(1) * apart
            }
            Direction::Adjoint => rows,
        }
    }

    /// How many entries each row of F has, in order.
    pub fn row_lengths(&self) -> impl Iterator<Item = usize> + '_ {
        let [c, d] = self.channels;
        let of_row = move |y: usize| {
            let h = self.h.fields[y].len();
            self.w.fields.iter().map(move |w| c * h * w.len())
        };
        (0..d).flat_map(move |_| (0..self.h.fields.len()).flat_map(of_row))
    }

    /// Entries before pixel row y of output channel `channel`.
    fn before(&self, channel: usize, y: usize) -> usize {
        let [c, _] = self.channels;
        c * self.w.all() * (channel * self.h.all() + self.h.before[y])
    }

    /// The entries of a stripe: one segment for each output channel.
    ///
    /// # Errors
    /// [`Error::Data`] if the device cannot deliver.
    pub fn part(&self, stripe: Range<usize>, budget: usize) -> Result<Part> {
        match self.f.dtype() {
            burn::tensor::FloatDType::F64 => self.part_of::<f64>(stripe, budget),
            _ => self.part_of::<f32>(stripe, budget),
        }
    }

    fn part_of<E: Number>(&self, stripe: Range<usize>, budget: usize) -> Result<Part> {
        if self.dense {
            return self.dense_rows::<E>(stripe, budget);
        }
        let [_, d] = self.channels;
        let mut values: Vec<Vec<E>> = (0..d)
            .map(|channel| {
                let len = self.before(channel, stripe.end) - self.before(channel, stripe.start);
                vec![E::default(); len]
            })
            .collect();
        match self.direction {
            Direction::Forward => self.by_columns(&stripe, budget, &mut values)?,
            Direction::Adjoint => self.by_rows(&stripe, budget, &mut values)?,
        }
        let segment = |(channel, values): (usize, Vec<E>)| {
            let len = values.len();
            Segment {
                first: self.before(channel, stripe.start),
                values: TensorData::new(values, [len]),
            }
        };
        Ok(Part {
            segments: values.into_iter().enumerate().map(segment).collect(),
            columns: self.columns(&stripe),
        })
    }

    /// The columns of the entries of a stripe, the same for every output channel.
    fn columns(&self, stripe: &Range<usize>) -> Vec<usize> {
        let [_, h, w] = picture(self.f.input_shape());
        let [c, _] = self.channels;
        let mut columns = Vec::new();
        for y in stripe.clone() {
            for across in &self.w.fields {
                for channel in 0..c {
                    for i in self.h.fields[y].clone() {
                        let row = (channel * h + i) * w;
                        columns.extend(across.clone().map(|j| row + j));
                    }
                }
            }
        }
        columns
    }

    /// Where the entries of a pixel begin in its segment.
    fn start(&self, stripe: &Range<usize>, y: usize, x: usize) -> usize {
        let [c, _] = self.channels;
        let rows = self.h.before[y] - self.h.before[stripe.start];
        c * (rows * self.w.all() + self.h.fields[y].len() * self.w.before[x])
    }

    /// The window that a stripe depends on, ending in these nodes and then in the output, with its boxes of the input and of
    /// the output.
    fn window(
        &self,
        stripe: &Range<usize>,
        ends: &[NodeId],
    ) -> Result<(Window<Dispatch>, Region, Region)> {
        let program = self.recorded.homogeneous();
        let output = program.outputs()[0];
        let mut to = Region::full(program.shape(output)?);
        to.0[2] = stripe.clone();
        let regions = program.fields(&[(output, to.clone())])?;
        let window = program.window(&regions, &[ends, &[output]].concat())?;
        let none = Region(vec![0..0; 4]);
        let from = window.inputs[0].clone().unwrap_or(none);
        Ok((window, from, to))
    }

    fn by_rows<E: Number>(
        &self,
        stripe: &Range<usize>,
        budget: usize,
        values: &mut [Vec<E>],
    ) -> Result<()> {
        let (window, from, to) = self.window(stripe, &[])?;
        if from.is_empty() {
            return Ok(());
        }
        let program = &window.program;
        let (apart_h, apart_w) = (self.h.rows_apart(), self.w.rows_apart());
        let [c, d] = self.channels;
        let mut probes = Vec::new();
        for channel in 0..d {
            for y in 0..apart_h.min(stripe.len()) {
                for x in 0..apart_w.min(self.w.fields.len()) {
                    probes.push([channel, y, x]);
                }
            }
        }
        let (rows, across) = (from.0[2].len(), from.0[3].len());
        let (made_h, made_w) = (to.0[2].len(), to.0[3].len());
        let most = program.probes_within(budget).min(BATCH);
        let compute = |some: &[[usize; 3]]| {
            let mut delta = vec![0f32; some.len() * d * made_h * made_w];
            for (k, &[channel, y, x]) in some.iter().enumerate() {
                for y in (y..made_h).step_by(apart_h) {
                    let row = ((k * d + channel) * made_h + y) * made_w;
                    for x in (x..made_w).step_by(apart_w) {
                        delta[row + x] = 1.0;
                    }
                }
            }
            let y = self.upload(delta, some.len(), &to.shape());
            let seeds = [(program.outputs()[0], y)];
            let found = program.backward(&seeds, program.inputs())?.remove(0);
            found.map(read::<E>).transpose()
        };
        let keep = |some: &[[usize; 3]], found: Option<Vec<E>>| {
            let Some(found) = found else { return };
            for (k, &[out, y, x]) in some.iter().enumerate() {
                for y in (stripe.start + y..stripe.end).step_by(apart_h) {
                    for x in (x..made_w).step_by(apart_w) {
                        let (down, right) = (&self.h.fields[y], &self.w.fields[x]);
                        let mut slot = self.start(stripe, y, x);
                        for channel in 0..c {
                            for i in down.clone() {
                                // Another output of the probe may reach what this one does not.
                                let line = self.h.reaches[i].contains(&y);
                                let row = ((k * c + channel) * rows + i - from.0[2].start) * across;
                                for j in right.clone() {
                                    if line && self.w.reaches[j].contains(&x) {
                                        values[out][slot] = found[row + j - from.0[3].start];
                                    }
                                    slot += 1;
                                }
                            }
                        }
                    }
                }
            }
        };
        overlapped(&batches(&probes, most), compute, keep)
    }

    /// Rows of a matrix without locality, one adjoint product each.
    fn dense_rows<E: Number>(&self, rows: Range<usize>, budget: usize) -> Result<Part> {
        let program = self.recorded.homogeneous();
        let n = self.f.input_len();
        let all: Vec<usize> = rows.clone().collect();
        let mut values: Vec<E> = Vec::with_capacity(rows.len() * n);
        for some in all.chunks(program.probes_within(budget).min(BATCH)) {
            let mut delta = vec![0f32; some.len() * self.f.output_len()];
            for (k, row) in some.iter().enumerate() {
                delta[k * self.f.output_len() + row] = 1.0;
            }
            let y = self.upload(delta, some.len(), program.shape(program.outputs()[0])?);
            values.extend(read::<E>(self.recorded.adjoint(&[y])?.remove(0))?);
        }
        let len = values.len();
        Ok(Part {
            segments: vec![Segment {
                first: rows.start * n,
                values: TensorData::new(values, [len]),
            }],
            columns: rows.flat_map(|_| 0..n).collect(),
        })
    }

    fn upload<E: Number>(&self, values: Vec<E>, k: usize, shape: &Shape) -> DispatchTensor {
        let dims: Vec<usize> = std::iter::once(k).chain(shape.iter().copied()).collect();
        let dtype: burn::tensor::DType = self.f.dtype().into();
        let data = TensorData::new(values, dims).convert_dtype(dtype);
        Dispatch::float_from_data(data, self.f.device().as_dispatch())
    }
}

/// Numbers of the network's dtype.
trait Number: burn_backend::Element + Default + Copy + Send + Sync {}

impl Number for f32 {}
impl Number for f64 {}

/// At most `most` probes side by side.
fn batches(probes: &[[usize; 3]], most: usize) -> Vec<&[[usize; 3]]> {
    probes.chunks(most).collect()
}

/// Compute batch after batch, and take in what each gave while the next one is computed: products keep all cores busy, and
/// taking in is a walk over memory.
fn overlapped<B: Sync + ?Sized, T: Send>(
    batches: &[&B],
    compute: impl Fn(&B) -> Result<T> + Sync,
    mut keep: impl FnMut(&B, T) + Send,
) -> Result<()> {
    let mut before: Option<(&B, T)> = None;
    for batch in batches {
        let last = before.take();
        let (made, ()) = rayon::join(
            || compute(batch),
            || {
                if let Some((batch, made)) = last {
                    keep(batch, made);
                }
            },
        );
        before = Some((batch, made?));
    }
    if let Some((batch, made)) = before {
        keep(batch, made);
    }
    Ok(())
}

/// The numbers of a tensor of the network's dtype.
fn read<E: Number>(x: DispatchTensor) -> Result<Vec<E>> {
    let shape = x.shape();
    let flat = Dispatch::float_reshape(x, Shape::from(vec![shape.num_elements()]));
    let data = burn_backend::read_sync(Dispatch::float_into_data(flat))
        .map_err(|error| Error::Data(format!("{error:?}")))?;
    data.try_to_vec::<E>()
        .map_err(|error| Error::Data(format!("{error:?}")))
}
