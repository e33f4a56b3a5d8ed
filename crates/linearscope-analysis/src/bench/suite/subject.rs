//! A network on the device, and the rows that are about it.

use std::{sync::Arc, time::Instant};

use burn::tensor::{FloatDType, TensorData};
use burn_dispatch::{Dispatch, DispatchTensor};
use linearscope::{Interrupt, Loaded, RuleSet};

use super::{
    clock::Clock,
    config::SuiteConfig,
    row::{Figures, Measure, Status},
};
use crate::{
    bench::{networks::Architecture, synced, tensor, values},
    error::{Error, Result},
    frozen::FrozenNetwork,
    operator::LinearOperator,
    progress::Progress,
    projection,
    svd::{Svd, SvdConfig, SvdError, svd},
    vectors::{norm, read},
    votes::{self, VoteConfig},
};

/// A network of the suite, and what is measured of it.
pub(super) struct Plan {
    pub(super) architecture: Architecture,
    /// Of its pictures, where nothing is scaled.
    pub(super) size: usize,
    /// Scaled sizes are multiples of this.
    pub(super) multiple: usize,
    /// Vectors side by side: few where pictures are large.
    pub(super) k: usize,
    pub(super) measures: &'static [Measure],
}

impl Plan {
    /// The size of its pictures.
    pub(super) fn size(&self, scale: usize) -> usize {
        (self.size / scale / self.multiple).max(1) * self.multiple
    }
}

/// Singular triplets that are requested.
const TRIPLETS: usize = 8;
/// Classes that votes are counted among, if there is time.
const CLASSES: usize = 32;
/// Classes heard side by side: few, since between these chunks it is seen that time is over.
const CHUNK: usize = 4;

/// A network that is loaded, and frozen where a row was about that.
pub(super) struct Subject {
    k: usize,
    config: SuiteConfig,
    /// One input, and what is frozen of it; and k inputs as one batch. Each has an interrupt of its own, so that a
    /// forward that took too long does not cost what is frozen.
    single: Arc<Loaded<Dispatch>>,
    frozen: Option<FrozenNetwork>,
    batch: Arc<Loaded<Dispatch>>,
}

impl Subject {
    pub(super) fn load(plan: &Plan, config: &SuiteConfig) -> Result<Self> {
        let load = |n| -> Result<_> {
            let size = plan.size(config.scale);
            let network = plan.architecture.network(n, size, config.scale)?;
            FrozenNetwork::load(network, &config.device, FloatDType::F32)
        };
        let single = load(1)?;
        let batch = match plan.k {
            1 => renewed(&single),
            k => load(k)?,
        };
        synced(&config.device)?;
        Ok(Self {
            k: plan.k,
            config: config.clone(),
            single,
            frozen: None,
            batch,
        })
    }

    /// What stops a row about it.
    pub(super) fn interrupt(&self, measure: Measure) -> &Interrupt {
        match measure {
            Measure::Forward => self.batch.interrupt(),
            _ => self.single.interrupt(),
        }
    }

    /// Begin again where a row was stopped: an interrupt stays raised, and whatever carries it is of no use any more.
    pub(super) fn renew(&mut self) {
        if self.batch.interrupt().is_stopped() {
            self.batch = renewed(&self.batch);
        }
        if self.single.interrupt().is_stopped() {
            self.single = renewed(&self.single);
            self.frozen = None;
        }
    }

    fn freeze(&self) -> Result<FrozenNetwork> {
        let shape = self.single.network().inputs()[0].shape.to_vec();
        let x0 = TensorData::new(values(&shape, 1), shape);
        let frozen = FrozenNetwork::new(Arc::clone(&self.single), x0, RuleSet::default())?;
        frozen.recorded_for("a row about the frozen network")?;
        synced(&self.config.device)?;
        Ok(frozen)
    }

    fn frozen(&mut self) -> Result<&FrozenNetwork> {
        let frozen = match self.frozen.take() {
            Some(frozen) => frozen,
            None => self.freeze()?,
        };
        Ok(self.frozen.insert(frozen))
    }

    /// A row's figures. `peak`: operations a second.
    pub(super) fn measure(
        &mut self,
        measure: Measure,
        clock: &Clock,
        rounds: usize,
        peak: Option<f64>,
    ) -> Result<(Figures, Status)> {
        let figures = match measure {
            Measure::Freeze => self.freezing(clock, rounds)?,
            Measure::Forward => {
                // Counted of the frozen network, whose products are the plain one's.
                let flops = self.flops();
                let shape = self.batch.network().inputs()[0].shape.to_vec();
                let x = tensor(&shape, 2, &self.config.device, FloatDType::F32);
                let forward = || Ok(self.batch.forward(vec![x.clone()])?.remove(0));
                let figures = self.timed(clock, rounds, forward)?;
                match flops {
                    Some(flops) => figures.at_rate(flops, peak),
                    None => figures,
                }
            }
            Measure::Replay | Measure::Adjoint => {
                self.frozen()?;
                self.products(measure, clock, rounds)?
                    .at_rate(self.flops().unwrap_or(f64::NAN), peak)
            }
            Measure::Rows => self.rows(clock, rounds)?,
            Measure::Svd => return triplets(self.frozen()?, clock),
            Measure::Votes => return self.votes(clock),
            // Rows that need no network, or have none yet.
            Measure::Peak | Measure::Convolution | Measure::Load => {
                unreachable!("no row about a loaded network")
            }
        };
        Ok((figures, Status::Ok))
    }

    /// Operations of k products, of a network that is frozen.
    fn flops(&self) -> Option<f64> {
        let recorded = self.frozen.as_ref()?.recorded()?;
        Some(self.k as f64 * recorded.program().account().flops as f64)
    }

    /// Rounds of what ends on the device.
    fn timed(
        &self,
        clock: &Clock,
        rounds: usize,
        work: impl Fn() -> Result<DispatchTensor>,
    ) -> Result<Figures> {
        let times = clock.rounds(rounds, || {
            let made = work()?;
            synced(&self.config.device)?;
            drop(made);
            Ok(())
        })?;
        Ok(times.figures())
    }

    fn freezing(&mut self, clock: &Clock, rounds: usize) -> Result<Figures> {
        let mut last = None;
        let times = clock.rounds(rounds, || {
            // Two at once would take twice the memory.
            last = None;
            last = Some(self.freeze()?);
            Ok(())
        });
        self.frozen = last;
        let times = times?;
        let y0 = read(self.frozen()?.reference())?;
        Ok(Figures {
            reference_norm: Some(norm(&y0)),
            ..times.figures()
        })
    }

    fn products(&self, measure: Measure, clock: &Clock, rounds: usize) -> Result<Figures> {
        let frozen = self.frozen.as_ref().expect("it was frozen for this");
        let recorded = frozen.recorded_for("products")?;
        let end = match measure {
            Measure::Replay => frozen.input_shape(),
            _ => frozen.output_shape(),
        };
        let shape = [&[self.k], end].concat();
        let x = [tensor(&shape, 3, &self.config.device, FloatDType::F32)];
        self.timed(clock, rounds, || {
            let mut made = match measure {
                Measure::Replay => recorded.apply(&x)?,
                _ => recorded.adjoint(&x)?,
            };
            Ok(made.remove(0))
        })
    }

    fn rows(&mut self, clock: &Clock, rounds: usize) -> Result<Figures> {
        let k = self.k;
        let frozen = self.frozen()?;
        let n = frozen.output_len();
        let count = (2 * k).min(n);
        let positions: Vec<usize> = (0..count).map(|i| (2 * i + 1) * n / (2 * count)).collect();
        let times = clock.rounds(rounds, || {
            read(projection::rows(frozen, &positions)?)?;
            Ok(())
        })?;
        let figures = times.figures();
        Ok(Figures {
            rows: Some(count),
            rows_per_second: figures.ms.map(|ms| 1e3 * count as f64 / ms),
            ..figures
        })
    }

    fn votes(&mut self, clock: &Clock) -> Result<(Figures, Status)> {
        let frozen = self.frozen()?;
        let of = votes::classes(frozen)?;
        let among = |count: usize| {
            VoteConfig::default()
                .with_chunk(CHUNK)
                .with_classes(Some((0..count.min(of)).collect()))
        };
        let observer = |_: &Progress| clock.goes_on();
        // Kernels are compiled for a whole chunk.
        votes::votes(frozen, &among(CHUNK), observer)?;
        let start = Instant::now();
        let found = votes::votes(frozen, &among(CLASSES), observer)?;
        let seconds = start.elapsed().as_secs_f64();
        let heard = found.heard.as_ref().map_or(of, Vec::len);
        let a_class = seconds / heard as f64;
        let figures = Figures {
            ms: Some(1e3 * seconds),
            classes: Some(heard),
            classes_of: Some(of),
            ms_per_class: Some(1e3 * a_class),
            extrapolated_seconds: Some(of as f64 * a_class),
            ..Figures::default()
        };
        // Fewer classes than planned are a figure all the same: each takes as long.
        Ok((figures, Status::Ok))
    }
}

/// The same weights with an interrupt that nobody has stopped.
fn renewed(loaded: &Loaded<Dispatch>) -> Arc<Loaded<Dispatch>> {
    Arc::new(loaded.with_interrupt(Interrupt::new()))
}

/// The largest singular triplets, or as many as there was time for.
fn triplets(f: &FrozenNetwork, clock: &Clock) -> Result<(Figures, Status)> {
    let config = SvdConfig::new(TRIPLETS);
    let start = Instant::now();
    let found = svd(f, &config, |_| clock.goes_on());
    let ms = Figures::ms(start);
    let of = |found: &Svd| {
        let good: Vec<f64> = (found.sigma.iter().zip(&found.residuals))
            .filter(|(_, residual)| residual.worst() <= config.tolerance)
            .map(|(&sigma, _)| sigma)
            .collect();
        Figures {
            triplets: Some(good.len()),
            triplets_wanted: Some(TRIPLETS),
            tolerance: Some(config.tolerance),
            products: Some(found.products),
            sigma: Some(good),
            ..ms
        }
    };
    match found {
        Ok(found) => Ok((of(&found), Status::Ok)),
        Err(SvdError::Failed(error)) => Err(error),
        Err(SvdError::Unconverged { partial, .. } | SvdError::Unconfirmed { partial })
            if partial.estimated =>
        {
            Ok((of(&partial), Status::Time))
        }
        Err(error) => Err(Error::Operator(Box::new(error))),
    }
}
