//! Where a convolution's taps lie, along one axis.
//!
//! A convolution of stride s reads its input in s interleaved parts, and each part at stride 1. A
//! transposed one writes its output in s interleaved parts, each of which is made at stride 1, of
//! some of the taps. Both are lists of (tap, part, offset): a kernel needs to know no strides.

/// One axis of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub taps: usize,
    pub stride: usize,
    pub dilation: usize,
    /// Padding before the first entry.
    pub before: usize,
}

/// A tap that a part of the output takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tap {
    /// Which of the window's.
    pub index: usize,
    /// In which part of the input.
    pub part: usize,
    /// How far behind the output's own place, in padded entries of that part.
    pub offset: usize,
}

/// A part of the output: entries first, first + step, …
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Which taps it takes: those with d i ≡ residue (mod s), or all.
    pub residue: usize,
    pub first: usize,
    pub count: usize,
    pub taps: Vec<Tap>,
}

/// One axis of a convolution, either way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    /// How many interleaved parts the input has.
    pub split: usize,
    /// Zeros before the input.
    pub before: usize,
    /// Entries of a padded part.
    pub padded: usize,
    /// From one entry of an output's part to the next.
    pub step: usize,
    /// One for each residue, empty ones included.
    pub parts: Vec<Part>,
}

impl Axis {
    /// Whether each entry of the output is made of the one entry of the input at its own place.
    pub(super) fn is_single(&self) -> bool {
        let tap = Tap {
            index: 0,
            part: 0,
            offset: 0,
        };
        self.split == 1
            && self.before == 0
            && self.step == 1
            && matches!(&self.parts[..], [part] if part.first == 0 && part.taps == [tap])
    }

    /// y[u] = Σᵢ wᵢ x[s u + d i − p] for u in 0..to, x of `from` entries.
    pub(super) fn gather(window: Window, from: usize, to: usize) -> Self {
        let Window {
            taps,
            stride,
            dilation,
            before,
        } = window;
        let taps: Vec<Tap> = (0..taps)
            .map(|index| Tap {
                index,
                part: dilation * index % stride,
                offset: dilation * index / stride,
            })
            .collect();
        let farthest = taps.iter().map(|tap| tap.offset).max().unwrap_or(0);
        Self {
            split: stride,
            before,
            padded: (to + farthest).max((before + from).div_ceil(stride)),
            step: 1,
            parts: vec![Part {
                residue: 0,
                first: 0,
                count: to,
                taps,
            }],
        }
    }

    /// The transpose: x[v] = Σᵢ wᵢ y[u] over all s u + d i − p = v, for v in 0..to, y of `from`
    /// entries.
    pub(super) fn scatter(window: Window, from: usize, to: usize) -> Self {
        let Window {
            taps,
            stride,
            dilation,
            before,
        } = window;
        // v + p = s t + ρ, and tap i with d i = s e + ρ reads u = t − e.
        let reach = dilation * (taps - 1) / stride;
        let mut parts: Vec<Part> = (0..stride)
            .map(|residue| {
                let start = before.saturating_sub(residue).div_ceil(stride);
                let first = stride * start + residue - before;
                let taps = (0..taps).filter(|i| dilation * i % stride == residue);
                Part {
                    residue,
                    first,
                    count: to.saturating_sub(first).div_ceil(stride),
                    taps: taps
                        .map(|index| Tap {
                            index,
                            part: 0,
                            // With `reach` zeros before y, entry u lies at u + reach.
                            offset: start + reach - dilation * index / stride,
                        })
                        .collect(),
                }
            })
            .collect();
        let last = |part: &Part| {
            let farthest = part.taps.iter().map(|tap| tap.offset).max();
            farthest.map_or(0, |offset| part.count + offset)
        };
        let padded = parts.iter().map(last).max().unwrap_or(0);
        // Entries that come first are written first.
        parts.sort_by_key(|part| part.first);
        Self {
            split: 1,
            before: reach,
            padded: padded.max(reach + from),
            step: stride,
            parts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The axis as a dense matrix, `[to][from]`.
    fn dense(axis: &Axis, weights: &[f64], from: usize, to: usize) -> Vec<Vec<f64>> {
        let mut matrix = vec![vec![0.0; from]; to];
        let mut written = vec![0; to];
        for part in &axis.parts {
            for t in 0..part.count {
                let row = part.first + axis.step * t;
                written[row] += 1;
                for tap in &part.taps {
                    let at = t + tap.offset;
                    assert!(at < axis.padded);
                    let entry = (axis.split * at + tap.part).checked_sub(axis.before);
                    if let Some(entry) = entry.filter(|&entry| entry < from) {
                        matrix[row][entry] += weights[tap.index];
                    }
                }
            }
        }
        assert!(written.iter().all(|&times| times == 1), "{axis:?}");
        matrix
    }

    #[test]
    fn both_ways_are_what_the_definition_says() {
        for taps in 1..=5 {
            for stride in 1..=4 {
                for dilation in 1..=3 {
                    for before in 0..=3 {
                        for (from, to) in [(1, 1), (7, 3), (12, 5), (5, 9)] {
                            let window = Window {
                                taps,
                                stride,
                                dilation,
                                before,
                            };
                            let weights: Vec<f64> = (0..taps).map(|i| 1.0 + i as f64).collect();
                            let mut expected = vec![vec![0.0; from]; to];
                            for (u, row) in expected.iter_mut().enumerate() {
                                for (i, weight) in weights.iter().enumerate() {
                                    let at = stride * u + dilation * i;
                                    if at >= before && at - before < from {
                                        row[at - before] += weight;
                                    }
                                }
                            }
                            let gather = Axis::gather(window, from, to);
                            assert_eq!(dense(&gather, &weights, from, to), expected, "{window:?}");
                            let scatter = Axis::scatter(window, to, from);
                            let transposed: Vec<Vec<f64>> = (0..from)
                                .map(|v| expected.iter().map(|row| row[v]).collect())
                                .collect();
                            assert_eq!(
                                dense(&scatter, &weights, to, from),
                                transposed,
                                "{window:?} of {to}"
                            );
                        }
                    }
                }
            }
        }
    }
}
