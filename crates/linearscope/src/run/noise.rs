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
//! would put every decision at risk. What a map without a known filters passes on is unknown, and is counted
//! so.

use burn_backend::{Backend, DType, Shape, TensorData, TensorMetadata, tensor::FloatTensor};

use crate::{
    coefficient::Coefficient,
    error::Result,
    host,
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
    let values = host::<B>(B::float_detach(x.clone()))?;
    let varies = own.num_dims() == shape.num_dims() && channels(&own) == channels(shape);
    let (count, inner): (usize, usize) = match varies && own.num_dims() > 1 {
        true => (own[1], own[2..].iter().product()),
        false => (1, values.len().max(1)),
    };
    let mut sizes = vec![0f64; count];
    for (row, part) in values.chunks(inner.max(1)).enumerate() {
        let size = &mut sizes[row % count];
        *size = part.iter().fold(*size, |size, v| size.max(v.abs()));
    }
    Ok(sizes)
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
            if values.len() == 1 || from == 1 {
                return vec![largest(values)];
            }
            let channel = |c: usize| {
                let mut region = Region::full(output);
                if region.0.len() > 1 {
                    region.0[1] = c..c + 1;
                }
                let field = map.field(input, output, &region);
                largest(values.get(field.0[1].clone()).unwrap_or(values))
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
        let data = B::float_detach(kernel.weight.clone());
        let data = burn_backend::read_sync(B::float_into_data(data))
            .map_err(|error| crate::Error::Data(format!("{error:?}")))?;
        let noise = |terms: f64, [passed, own]: [Vec<f64>; 2]| Self {
            variance: zipped(&passed, &own, |v, x2| v + u2 * terms * x2),
            // Of sums so long few are larger.
            size: own.iter().map(|x2| 4.0 * x2.sqrt()).collect(),
            terms,
        };
        let x2 = squares(&self.size);
        let rank = shape.num_dims();
        Ok(match kernel.arrangement {
            Arrangement::OutIn { groups } => {
                let (out, share) = (shape[0], shape[1]);
                let cells: usize = shape[2..].iter().product();
                let per = out / groups;
                let of = |o: usize, c: usize| (o * share + c, o / per * share + c);
                let sums = weighed(&data, out, share, cells, of, &self.variance, &x2);
                noise((share * cells) as f64, sums)
            }
            Arrangement::InOut { groups } => {
                let (all, out) = (shape[0], shape[1]);
                let cells: usize = shape[2..].iter().product();
                let share = all / groups;
                let of = |o: usize, c: usize| {
                    let (group, o) = (o / out, o % out);
                    ((group * share + c) * out + o, group * share + c)
                };
                let sums = weighed(&data, out * groups, share, cells, of, &self.variance, &x2);
                noise((share * cells) as f64, sums)
            }
            // Of a matrix product channels are entries of the last axis only where x has no other.
            Arrangement::Right { .. } | Arrangement::Left => {
                let (rows, columns) = (shape[rank - 2], shape[rank - 1]);
                let (out, terms, flat) = match kernel.arrangement {
                    Arrangement::Right { flat } => (columns, rows, flat),
                    _ => (rows, columns, false),
                };
                let features = flat && shape.num_elements() == rows * columns;
                let channelled = |v: &[f64]| match features && v.len() == terms {
                    true => v.to_vec(),
                    false => vec![largest(v)],
                };
                let (variance, x2) = (channelled(&self.variance), channelled(&x2));
                let of = |o: usize, c: usize| match kernel.arrangement {
                    Arrangement::Right { .. } => (c * columns + o, c),
                    _ => (o * columns + c, c),
                };
                // Of several matrices the one with the largest squares stands for all.
                let matrices = shape.num_elements() / (rows * columns).max(1);
                let [passed, own] = (0..matrices)
                    .map(|matrix| {
                        let of = |o: usize, c: usize| {
                            let (at, channel) = of(o, c);
                            (matrix * rows * columns + at, channel)
                        };
                        weighed(&data, out, terms, 1, of, &variance, &x2)
                    })
                    .reduce(|[a, b], [c, d]| [zipped(&a, &c, f64::max), zipped(&b, &d, f64::max)])
                    .unwrap_or_default();
                match features {
                    true => noise(terms as f64, [passed, own]),
                    false => noise(terms as f64, [vec![largest(&passed)], vec![largest(&own)]]),
                }
            }
        })
    }
}

/// Σ W² v and Σ W² x² for each output, where `of` gives the block of `cells` weights between an output
/// and its input c, and that input's channel.
fn weighed(
    data: &TensorData,
    out: usize,
    inputs: usize,
    cells: usize,
    of: impl Fn(usize, usize) -> (usize, usize) + Sync,
    variance: &[f64],
    x2: &[f64],
) -> [Vec<f64>; 2] {
    use rayon::prelude::*;
    let square = |block: usize| -> f64 {
        let range = block * cells..(block + 1) * cells;
        match data.as_slice::<f32>() {
            Ok(w) => w[range].iter().map(|w| f64::from(w * w)).sum(),
            Err(_) => match data.as_slice::<f64>() {
                Ok(w) => w[range].iter().map(|w| w * w).sum(),
                Err(_) => data
                    .iter::<f64>()
                    .skip(range.start)
                    .take(cells)
                    .map(|w| w * w)
                    .sum(),
            },
        }
    };
    let both: Vec<[f64; 2]> = (0..out)
        .into_par_iter()
        .map(|o| {
            (0..inputs).fold([0.0; 2], |[passed, own], c| {
                let (block, channel) = of(o, c);
                let w2 = square(block);
                [
                    passed + w2 * at(variance, channel),
                    own + w2 * at(x2, channel),
                ]
            })
        })
        .collect();
    [0, 1].map(|i| both.iter().map(|sums| sums[i]).collect())
}

#[cfg(test)]
mod tests {
    use burn_backend::ops::FloatTensorOps;
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
