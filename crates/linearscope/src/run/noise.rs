//! Rounding noise: how far what a run computes may be from what exact arithmetic would give.
//!
//! A decision whose operand lies within that of its kink may be another in exact arithmetic. Beside every
//! node of a recording run goes, for each channel (axis 1), an estimate of the variance σ² of its rounding
//! error, made of the sums that made it. With u the unit roundoff, X the largest |x| of a channel and
//! W²[o, c] the squared weights from channel c to o:
//!
//! | op | σ² of its result |
//! | --- | --- |
//! | x₀ | 0 |
//! | y = W x, n terms | Σ W² σ² + u² n Σ W² X²; where y is compared, u² n Y² more |
//! | y = g ⊙ x | g² σ² + u² g² X² |
//! | y = x + b, Σ cᵢ xᵢ | the sum of variances + u² Y² |
//! | slopes s, of which the mean of s² is q | (max s² + q)/2 · σ² |
//! | moved entries | the largest of the channels they come from |
//! | sums and averages with rows that sum to s | s max(1, s) σ² + 4 u² s² X² |
//! | interpolation | 2 σ² + 8 u² X² |
//!
//! Errors of different terms count as independent. That holds well enough: over 20 networks, 20 inputs each
//! and three orders of summation, errors reached 5 σ and no decision differed between f32 and f64 that lay
//! beyond σ of its kink; the band is [`BAND`] σ. Worst-case bounds grow by orders of magnitude a layer and
//! would put every decision at risk. What a map without known filters passes on is unknown, and is counted
//! so.

use burn_backend::{Backend, DType, Shape, TensorMetadata, tensor::FloatTensor};
use pulp::Arch;
use rayon::prelude::*;

use crate::{
    coefficient::Coefficient,
    error::Result,
    host::{self, host, in_own_precision},
    linear::{Arrangement, Chosen, Filters, LinearMap, Locality, Region, Structure, batch},
};

/// Half the width of the band around a kink, in σ.
pub(super) const BAND: f64 = 8.0;

/// u² of a float type.
pub(super) fn roundoff(dtype: DType) -> f64 {
    let u = match dtype {
        DType::F64 => f64::EPSILON / 2.0,
        _ => f64::from(f32::EPSILON) / 2.0,
    };
    u * u
}

/// The rounding noise of one tensor; each list has an entry for each channel, or one for all.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Noise {
    /// σ².
    pub variance: Vec<f64>,
    /// The largest |x|, or an estimate of it.
    pub size: Vec<f64>,
    /// The terms of the sums it came from, as long as u² n Y² has not been added.
    terms: f64,
}

/// How many channels a tensor has.
pub(super) fn channels(shape: &Shape) -> usize {
    if shape.num_dims() > 1 { shape[1] } else { 1 }
}

/// The entry of a channel.
fn at(values: &[f64], channel: usize) -> f64 {
    match values {
        [one] => *one,
        values => values[channel],
    }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

/// Two lists entry by entry.
fn zipped(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    match (a.len(), b.len()) {
        (n, m) if n == m || m == 1 || n == 1 => {
            (0..n.max(m)).map(|i| f(at(a, i), at(b, i))).collect()
        }
        _ => vec![f(largest(a), largest(b))],
    }
}

fn scaled(values: &[f64], c: f64) -> Vec<f64> {
    values.iter().map(|v| c * v).collect()
}

fn squares(values: &[f64]) -> Vec<f64> {
    values.iter().map(|v| v * v).collect()
}

/// The largest |x| of each channel of a tensor that broadcasts against `shape`.
fn sizes<B: Backend>(x: &FloatTensor<B>, shape: &Shape) -> Result<Vec<f64>> {
    let own = x.shape();
    let values = host::look::<B>(x)?;
    let varies = own.num_dims() == shape.num_dims() && channels(&own) == channels(shape);
    let (count, inner): (usize, usize) = match varies && own.num_dims() > 1 {
        true => (own[1], own[2..].iter().product()),
        false => (1, own.num_elements().max(1)),
    };
    Ok(in_own_precision!(values, |values| by_channel(
        values, count, inner
    )))
}

/// A float as it lies in memory.
pub(super) trait Real: num_traits::Float + Into<f64> + Send + Sync {}

impl<T: num_traits::Float + Into<f64> + Send + Sync> Real for T {}

/// How many numbers make another thread worth waking.
const WORTH: usize = 1 << 18;

/// What `of` makes of each part of `inner` numbers, with its number, on as many threads as pay off.
pub(super) fn rows<'a, T: Real, R: Send>(
    x: &'a [T],
    inner: usize,
    of: impl Fn(usize, &'a [T]) -> R + Sync,
) -> Vec<R> {
    let inner = inner.max(1);
    if x.len() <= WORTH {
        let parts = x.chunks(inner).enumerate();
        return parts.map(|(row, part)| of(row, part)).collect();
    }
    x.par_chunks(inner)
        .enumerate()
        .with_min_len(WORTH.div_ceil(inner))
        .map(|(row, part)| of(row, part))
        .collect()
}

/// The largest |x| of each of `count` channels, of which `inner` entries each lie side by side.
pub(super) fn by_channel<T: Real>(values: &[T], count: usize, inner: usize) -> Vec<f64> {
    let each: Vec<f64> = rows(values, inner, |_, part| most(part).into());
    let mut sizes = vec![0f64; count];
    for (row, size) in each.into_iter().enumerate() {
        sizes[row % count] = size.max(sizes[row % count]);
    }
    sizes
}

/// The largest |x|; what is not a number is left out.
fn most<T: Real>(x: &[T]) -> T {
    let larger = |most: T, v: T| if v > most { v } else { most };
    Arch::new().dispatch(|| {
        // So many at once as registers hold.
        let (sixteens, rest) = x.as_chunks::<16>();
        let mut lanes = [T::zero(); 16];
        for sixteen in sixteens {
            for (lane, v) in lanes.iter_mut().zip(sixteen) {
                *lane = larger(*lane, v.abs());
            }
        }
        let rest = rest.iter().map(|v| v.abs());
        lanes.into_iter().chain(rest).fold(T::zero(), larger)
    })
}

impl Noise {
    /// x₀ is exact.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data).
    pub(super) fn of_input<B: Backend>(x0: &FloatTensor<B>) -> Result<Self> {
        Ok(Self {
            variance: vec![0.0],
            size: sizes::<B>(x0, &x0.shape())?,
            terms: 0.0,
        })
    }

    /// What was read of the tensor itself: the largest |x| of each channel.
    pub(super) fn measured(&mut self, size: Vec<f64>, u2: f64) {
        let own = scaled(&squares(&size), u2 * self.terms);
        self.variance = zipped(&self.variance, &own, |a, b| a + b);
        (self.size, self.terms) = (size, 0.0);
    }

    /// y = x + b.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data).
    pub(super) fn plus<B: Backend>(
        &self,
        b: &Coefficient<FloatTensor<B>>,
        shape: &Shape,
        u2: f64,
    ) -> Result<Self> {
        let size = zipped(&self.size, &sizes::<B>(b.value(), shape)?, |x, b| x + b);
        Ok(Self {
            variance: zipped(&self.variance, &squares(&size), |v, y2| v + u2 * y2),
            size,
            terms: self.terms,
        })
    }

    /// y = Σ cᵢ xᵢ.
    pub(super) fn sum(terms: &[(f64, &Self)], u2: f64) -> Self {
        let mut sum = Self {
            variance: vec![0.0],
            size: vec![0.0],
            terms: 0.0,
        };
        for (c, x) in terms {
            let part = scaled(&x.variance, c * c);
            sum.variance = zipped(&sum.variance, &part, |a, b| a + b);
            sum.size = zipped(&sum.size, &scaled(&x.size, c.abs()), |a, b| a + b);
            sum.terms = sum.terms.max(x.terms);
        }
        sum.variance = zipped(&sum.variance, &squares(&sum.size), |v, y2| v + u2 * y2);
        sum
    }

    /// Parts side by side along an axis; `extents` are their sizes there.
    pub(super) fn concat(parts: &[&Self], dim: usize, extents: &[usize]) -> Self {
        let joined = |of: fn(&Self) -> &Vec<f64>| -> Vec<f64> {
            let all = parts.iter().zip(extents);
            match dim {
                1 => all
                    .flat_map(|(part, &extent)| {
                        let values = of(part);
                        (0..extent).map(move |i| match values.len() == extent {
                            true => values[i],
                            false => largest(values),
                        })
                    })
                    .collect(),
                _ => parts
                    .iter()
                    .map(|part| of(part).clone())
                    .reduce(|a, b| zipped(&a, &b, f64::max))
                    .unwrap_or_default(),
            }
        };
        Self {
            variance: joined(|x| &x.variance),
            size: joined(|x| &x.size),
            terms: parts.iter().map(|x| x.terms).fold(0.0, f64::max),
        }
    }

    /// y = A x; `None` where nothing is known of A.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data).
    pub(super) fn through<B: Backend>(
        &self,
        map: &dyn LinearMap<B>,
        input: &Shape,
        output: &Shape,
        u2: f64,
        like: &FloatTensor<B>,
    ) -> Result<Option<Self>> {
        let same = |variance: f64, size: f64, own: f64| Self {
            variance: zipped(&self.variance, &squares(&self.size), |v, x2| {
                variance * v + own * u2 * x2
            }),
            size: scaled(&self.size, size),
            terms: self.terms,
        };
        Ok(Some(match map.structure() {
            Structure::General => return Ok(None),
            Structure::Zero(_) => Self {
                variance: vec![0.0],
                size: vec![0.0],
                terms: 0.0,
            },
            Structure::Identity(_) => same(1.0, 1.0, 1.0),
            Structure::Multiple(c, _) => same(c * c, c.abs(), c * c),
            Structure::Diagonal(map) => {
                let gain = map.gain();
                let dims: Vec<usize> = gain.shape().iter().skip(1).copied().collect();
                let gain = B::float_reshape(gain.into_value(), Shape::from(dims));
                let gain = sizes::<B>(&gain, output)?;
                let size = zipped(&self.size, &gain, |x, g| x * g);
                let passed = zipped(&self.variance, &gain, |v, g| v * g * g);
                Self {
                    variance: zipped(&passed, &squares(&size), |v, y2| v + u2 * y2),
                    size,
                    terms: self.terms,
                }
            }
            Structure::SlopeMask(map) | Structure::Mask(map) => {
                let [set, other] = map.largest();
                let most = set.max(other);
                let passed = match map.chosen()? {
                    Some(Chosen::Sides { bits, units }) => {
                        let count: u32 = bits.iter().map(|byte| byte.count_ones()).sum();
                        let share = f64::from(count) / units.max(1) as f64;
                        share * set * set + (1.0 - share) * other * other
                    }
                    _ => most * most,
                };
                same((most * most + passed) / 2.0, most, 0.0)
            }
            Structure::Reshape(map) | Structure::View(map) | Structure::Placement(map) => {
                self.moved(map, input, output)
            }
            Structure::Selection(map) => self.moved(map, input, output),
            // Many may be added up to one.
            Structure::Spread(_) => return Ok(None),
            Structure::NonNegative(known) => {
                let ones = B::float_ones(
                    batch::shape_of(1, input),
                    &like.device(),
                    like.dtype().into(),
                );
                let row = largest(&host::<B>(map.apply(ones))?);
                let moved = self.moved(known, input, output);
                Self {
                    variance: zipped(&moved.variance, &squares(&moved.size), |v, x2| {
                        row * row.max(1.0) * v + 4.0 * u2 * row * row * x2
                    }),
                    size: scaled(&moved.size, row),
                    terms: moved.terms,
                }
            }
            Structure::Interpolation(known) => {
                let moved = self.moved(known, input, output);
                Self {
                    variance: zipped(&moved.variance, &squares(&moved.size), |v, x2| {
                        2.0 * v + 8.0 * u2 * x2
                    }),
                    size: scaled(&moved.size, 2.0),
                    terms: moved.terms,
                }
            }
            Structure::Weighted(map) => match map.filters() {
                Some(kernel) => self.summed(&kernel, u2)?,
                None => return Ok(None),
            },
        }))
    }

    /// Moved entries: each output channel is what the channels it is taken from are.
    fn moved<B: Backend>(
        &self,
        map: &(impl Locality<B> + ?Sized),
        input: &Shape,
        output: &Shape,
    ) -> Self {
        let (from, to) = (channels(input), channels(output));
        let moved = |values: &[f64]| -> Vec<f64> {
            let all = largest(values);
            if values.len() == 1 || from == 1 {
                return vec![all];
            }
            let channel = |c: usize| {
                let mut region = Region::full(output);
                if region.0.len() > 1 {
                    region.0[1] = c..c + 1;
                }
                let field = map.field(input, output, &region);
                match values.get(field.0[1].clone()) {
                    Some(read) if read.len() < values.len() => largest(read),
                    _ => all,
                }
            };
            (0..to).map(channel).collect()
        };
        Self {
            variance: moved(&self.variance),
            size: moved(&self.size),
            terms: self.terms,
        }
    }

    /// Sums with stored weights.
    fn summed<B: Backend>(&self, kernel: &Filters<'_, B>, u2: f64) -> Result<Self> {
        let shape = kernel.weight.shape();
        let weights = host::look::<B>(kernel.weight)?;
        Ok(in_own_precision!(weights, |weights| {
            self.weighed(weights, &shape, kernel.arrangement, u2)
        }))
    }

    fn weighed<T: Real>(
        &self,
        weights: &[T],
        shape: &Shape,
        arrangement: Arrangement,
        u2: f64,
    ) -> Self {
        let noise = |terms: usize, [passed, own]: [Vec<f64>; 2]| Self {
            variance: zipped(&passed, &own, |v, x2| v + u2 * terms as f64 * x2),
            // Of sums so long few are larger.
            size: own.iter().map(|x2| 4.0 * x2.sqrt()).collect(),
            terms: terms as f64,
        };
        let x2 = squares(&self.size);
        let rank = shape.num_dims();
        match arrangement {
            Arrangement::OutIn { groups } => {
                let (out, share) = (shape[0], shape[1]);
                let cells: usize = shape[2..].iter().product();
                let from = [&self.variance, &x2].map(|v| every(v, share * groups));
                let per = (out / groups).max(1);
                let first = |o: usize| o / per * share;
                let from = [&from[0][..], &from[1][..]];
                let sums = gathered(weights, [out, share, cells], first, from);
                noise(share * cells, sums)
            }
            Arrangement::InOut { groups } => {
                let (all, out) = (shape[0], shape[1]);
                let cells: usize = shape[2..].iter().product();
                let share = all / groups;
                let from = [&self.variance, &x2].map(|v| every(v, all));
                let mut sums = [Vec::new(), Vec::new()];
                for group in 0..groups {
                    let weights = &weights[group * share * out * cells..][..share * out * cells];
                    let from = [0, 1].map(|i| &from[i][group * share..(group + 1) * share]);
                    let own = scattered(weights, [share, out, cells], from);
                    sums.iter_mut()
                        .zip(own)
                        .for_each(|(all, own)| all.extend(own));
                }
                noise(share * cells, sums)
            }
            // Of a matrix product channels are entries of the last axis only where x has no other.
            Arrangement::Right { .. } | Arrangement::Left => {
                let (rows, columns) = (shape[rank - 2], shape[rank - 1]);
                let (out, terms, flat) = match arrangement {
                    Arrangement::Right { flat } => (columns, rows, flat),
                    _ => (rows, columns, false),
                };
                let features = flat && shape.num_elements() == rows * columns;
                let from = [&self.variance, &x2].map(|v| match features {
                    true => every(v, terms),
                    false => vec![largest(v); terms],
                });
                // Of several matrices the one with the largest squares stands for all.
                let sums = weights.chunks((rows * columns).max(1)).map(|weights| {
                    let from = [&from[0][..], &from[1][..]];
                    match arrangement {
                        Arrangement::Right { .. } => scattered(weights, [terms, out, 1], from),
                        _ => gathered(weights, [out, terms, 1], |_| 0, from),
                    }
                });
                let sums = sums
                    .reduce(|[a, b], [c, d]| [zipped(&a, &c, f64::max), zipped(&b, &d, f64::max)])
                    .unwrap_or_default();
                match features {
                    true => noise(terms, sums),
                    false => noise(terms, sums.map(|v| vec![largest(&v)])),
                }
            }
        }
    }
}

/// A list with an entry for each channel.
fn every(values: &[f64], channels: usize) -> Vec<f64> {
    match values.len() == channels {
        true => values.to_vec(),
        false => vec![largest(values); channels],
    }
}

/// Outputs that are summed in one go.
const TOGETHER: usize = 64;

/// Σ w², four sums at once: one alone would wait for each addition.
#[inline(always)]
fn square<T: Real>(block: &[T]) -> f64 {
    let (fours, rest) = block.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for four in fours {
        for (sum, w) in sums.iter_mut().zip(four) {
            *sum += (*w).into().powi(2);
        }
    }
    let rest: f64 = rest.iter().map(|w| (*w).into().powi(2)).sum();
    sums.iter().sum::<f64>() + rest
}

/// Σ w² a and Σ w² b, in the same way.
#[inline(always)]
fn squares_with<T: Real>(w: &[T], a: &[f64], b: &[f64]) -> [f64; 2] {
    let (fours, rest) = w.as_chunks::<4>();
    let (a, b) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    let mut sums = [[0.0; 4]; 2];
    for ((w, a), b) in fours.iter().zip(a.0).zip(b.0) {
        for i in 0..4 {
            let w2 = w[i].into().powi(2);
            sums[0][i] += w2 * a[i];
            sums[1][i] += w2 * b[i];
        }
    }
    let mut sums = sums.map(|lanes| lanes.iter().sum());
    for ((w, a), b) in rest.iter().zip(a.1).zip(b.1) {
        let w2 = (*w).into().powi(2);
        sums[0] += w2 * a;
        sums[1] += w2 * b;
    }
    sums
}

/// Σ W² v for both v, weights `[out, inputs, cells]`; `first` is the channel of an output's first input.
fn gathered<T: Real>(
    weights: &[T],
    [out, inputs, cells]: [usize; 3],
    first: impl Fn(usize) -> usize + Sync,
    from: [&[f64]; 2],
) -> [Vec<f64>; 2] {
    let of = |o: usize, row: &[T]| -> [f64; 2] {
        let [a, b] = from.map(|v| &v[first(o)..first(o) + inputs]);
        Arch::new().dispatch(|| {
            if cells == 1 {
                return squares_with(row, a, b);
            }
            let blocks = row.chunks_exact(cells.max(1)).zip(a.iter().zip(b));
            blocks.fold([0.0; 2], |[sum_a, sum_b], (block, (a, b))| {
                let w2 = square(block);
                [sum_a + w2 * a, sum_b + w2 * b]
            })
        })
    };
    let both: Vec<[f64; 2]> = match inputs * cells {
        0 => vec![[0.0; 2]; out],
        row => rows(weights, row, of),
    };
    [0, 1].map(|i| both.iter().map(|sums| sums[i]).collect())
}

/// The same of weights `[inputs, out, cells]`.
fn scattered<T: Real>(
    weights: &[T],
    [_, out, cells]: [usize; 3],
    [a, b]: [&[f64]; 2],
) -> [Vec<f64>; 2] {
    let of = |start: usize| -> Vec<[f64; 2]> {
        let end = (start + TOGETHER).min(out);
        let mut sums = vec![[0.0; 2]; end - start];
        let inputs = weights.chunks_exact((out * cells).max(1));
        for (row, (a, b)) in inputs.zip(a.iter().zip(b)) {
            let blocks = row[start * cells..end * cells].chunks_exact(cells.max(1));
            for ([sum_a, sum_b], block) in sums.iter_mut().map(|s| s.each_mut()).zip(blocks) {
                let w2 = square(block);
                *sum_a += w2 * a;
                *sum_b += w2 * b;
            }
        }
        sums
    };
    let bands: Vec<usize> = (0..out).step_by(TOGETHER).collect();
    let both: Vec<[f64; 2]> = match weights.len() <= WORTH {
        true => bands.into_iter().flat_map(of).collect(),
        false => bands.into_par_iter().flat_map_iter(of).collect(),
    };
    [0, 1].map(|i| both.iter().map(|sums| sums[i]).collect())
}

#[cfg(test)]
mod tests {
    use burn_backend::{TensorData, ops::FloatTensorOps};
    use burn_flex::{Flex, FlexDevice};

    use super::*;

    fn tensor(values: &[f64], shape: &[usize]) -> burn_flex::FlexTensor {
        Flex::float_from_data(
            TensorData::new(values.to_vec(), shape.to_vec()),
            &FlexDevice,
        )
    }

    /// The table's formulas on numbers: a grouped 1 × 2 convolution, and its transpose.
    #[test]
    fn sums_weigh_variances_by_squares() {
        let x = Noise {
            variance: vec![1.0, 10.0],
            size: vec![2.0, 3.0],
            terms: 0.0,
        };
        let weight = tensor(&[1.0, 2.0, 3.0, 4.0], &[2, 1, 1, 2]);
        let kernel = |arrangement| Filters::<'_, Flex> {
            weight: &weight,
            arrangement,
        };
        let y = x
            .summed(&kernel(Arrangement::OutIn { groups: 2 }), 0.5)
            .expect("reads");
        assert_eq!(
            y.variance,
            [5.0 + 0.5 * 2.0 * 20.0, 250.0 + 0.5 * 2.0 * 225.0]
        );
        assert_eq!(y.terms, 2.0);
        let y = x
            .summed(&kernel(Arrangement::InOut { groups: 1 }), 0.5)
            .expect("reads");
        assert_eq!(y.variance, [255.0 + 0.5 * 4.0 * 245.0]);
    }

    #[test]
    fn sizes_are_by_channel() {
        let x = tensor(&[1.0, -2.0, 3.0, 0.0, -7.0, 1.0, 2.0, 2.0], &[2, 2, 2]);
        assert_eq!(sizes::<Flex>(&x, &x.shape()).expect("reads"), [7.0, 3.0]);
        let one = tensor(&[-3.0], &[1, 1, 1]);
        assert_eq!(sizes::<Flex>(&one, &x.shape()).expect("reads"), [3.0]);
    }
}
