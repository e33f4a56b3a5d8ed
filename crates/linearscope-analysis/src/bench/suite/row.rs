//! A row of the suite's table, as it is written.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::bench::networks::Architecture;

/// What a row measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// The rate of the device's largest f32 matrix product, the best of all rounds.
    Peak,
    /// The rate of a plain 3×3 convolution of 64 to 64 channels at 64², the best of all rounds. No row of the suite: see
    /// [`rates`](super::rates).
    Convolution,
    /// Make the weights, capture the network, upload.
    Load,
    /// Freeze at x₀; the first time apart, which compiles kernels on a GPU.
    Freeze,
    /// The plain network on k inputs as one batch.
    Forward,
    /// F x for k probes.
    Replay,
    /// Fᵀ y for k dense cotangents.
    Adjoint,
    /// Rows of F, on the host in the end.
    Rows,
    /// Eight singular triplets.
    Svd,
    /// Pixel votes among some classes, and from these for all.
    Votes,
}

impl Measure {
    /// Of a network as an operator.
    pub(super) const OF_AN_OPERATOR: &'static [Self] = &[
        Self::Freeze,
        Self::Forward,
        Self::Replay,
        Self::Adjoint,
        Self::Rows,
        Self::Svd,
    ];
    /// Of a classifier that is asked for its votes.
    pub(super) const OF_VOTES: &'static [Self] = &[Self::Freeze, Self::Forward, Self::Votes];

    /// The name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Peak => "peak",
            Self::Convolution => "convolution",
            Self::Load => "load",
            Self::Freeze => "freeze",
            Self::Forward => "forward",
            Self::Replay => "replay",
            Self::Adjoint => "adjoint",
            Self::Rows => "rows",
            Self::Svd => "svd",
            Self::Votes => "votes",
        }
    }

    /// Whether it is of k vectors side by side.
    pub(super) fn is_batched(self) -> bool {
        matches!(self, Self::Forward | Self::Replay | Self::Adjoint)
    }
}

/// How a row ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// With its figures.
    Ok,
    /// Out of time; what it had by then is there.
    Time,
    /// Out of memory.
    Memory,
    /// Otherwise; see [`Row::because`].
    Failed,
}

/// A row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What was measured.
    pub row: Measure,
    /// Of which network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Architecture>,
    /// The shape of one input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Vec<usize>>,
    /// Vectors side by side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k: Option<usize>,
    /// How it ended.
    pub status: Status,
    /// Why it did not end well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// What the whole row took, warming up and all.
    pub seconds: f64,
    /// What was found.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Figures of a row: those that it has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    /// Milliseconds, the median of the rounds; of all k vectors together. Of `peak` and `convolution` the best round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ms: Option<f64>,
    /// Milliseconds of the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_ms: Option<f64>,
    /// Rounds that count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rounds: Option<usize>,
    /// 10⁹ floating-point operations of a round, a multiply-add counted as two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gflop: Option<f64>,
    /// 10⁹ floating-point operations a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gflops: Option<f64>,
    /// `gflops` over that of the row `peak`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_share: Option<f64>,
    /// Rows and columns of the matrices of `peak`; pictures side by side of `convolution`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<usize>,
    /// ‖f(x₀)‖: two programs that have the same are measuring the same network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference_norm: Option<f64>,
    /// Rows that were requested together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<usize>,
    /// Rows a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows_per_second: Option<f64>,
    /// Singular triplets within the tolerance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub triplets: Option<usize>,
    /// Of how many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub triplets_wanted: Option<usize>,
    /// Both residuals over σ₁ that they were to reach.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
    /// Products with F and Fᵀ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub products: Option<usize>,
    /// The singular values of these triplets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigma: Option<Vec<f64>>,
    /// Classes that were heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<usize>,
    /// Milliseconds a class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ms_per_class: Option<f64>,
    /// Classes there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes_of: Option<usize>,
    /// Seconds for the votes of all classes, extrapolated from `ms_per_class`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extrapolated_seconds: Option<f64>,
}

impl Figures {
    /// Milliseconds since.
    pub(super) fn ms(start: Instant) -> Self {
        Self {
            ms: Some(1e3 * start.elapsed().as_secs_f64()),
            ..Self::default()
        }
    }

    /// With the rate of `flops` operations in `ms`, and its share of the peak.
    pub(super) fn at_rate(self, flops: f64, peak: Option<f64>) -> Self {
        let rate = self.ms.map(|ms| 1e3 * flops / ms);
        Self {
            gflop: Some(flops / 1e9),
            gflops: rate.map(|rate| rate / 1e9),
            peak_share: rate.zip(peak).map(|(rate, peak)| rate / peak),
            ..self
        }
    }
}

impl Row {
    /// One that is yet to be measured.
    pub(super) fn of(row: Measure) -> Self {
        Self {
            row,
            network: None,
            input: None,
            k: None,
            status: Status::Ok,
            because: None,
            seconds: 0.0,
            figures: Figures::default(),
        }
    }

    /// What went wrong, by what was said of it: backends have no error of their own for a full memory.
    pub(super) fn fails(&mut self, said: &str, stopped: bool) {
        let lower = said.to_lowercase();
        self.status = match stopped {
            true => Status::Time,
            false
                if ["memory", "allocat"]
                    .iter()
                    .any(|word| lower.contains(word)) =>
            {
                Status::Memory
            }
            false => Status::Failed,
        };
        self.because = Some(said.into());
    }

    /// Why it did not end well, or nothing.
    pub fn said(&self) -> &str {
        self.because.as_deref().unwrap_or_default()
    }
}
