//! What a device can do, in a few minutes and without a file: published architectures with seeded weights
//! ([`networks`](super::networks)), a figure a row.
//!
//! Rows come one by one, and each has a time limit. One that ran out of time or memory says so and the rest go on, so
//! that a small card or a busy one has a table too. The device's f32 peak is measured first, as the rate of its
//! largest matrix product in the same run: `peak_share` is a share of that, not of a data sheet.

mod clock;
mod config;
mod convolution;
mod peak;
mod row;
mod subject;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

use linearscope::{Interrupt, Kernels, panic_message};

pub use config::SuiteConfig;
pub use row::{Figures, Measure, Row, Status};

use self::{
    clock::{Clock, watched},
    subject::{Plan, Subject},
};
use super::networks::Architecture;
use crate::{
    error::{Error, Result},
    progress::Progress,
};

/// What happens while a suite runs.
#[derive(Debug)]
pub enum Event<'a> {
    /// A row begins.
    Begins {
        /// What is measured.
        row: Measure,
        /// Of which network.
        network: Option<Architecture>,
        /// How many rows are done.
        done: usize,
        /// Of how many.
        of: usize,
    },
    /// It ended, with a figure or without.
    Ended(&'a Row),
}

/// Networks in the order they are measured: those that take longest come last, where the time may be used up.
const PLANS: [Plan; 4] = [
    Plan {
        architecture: Architecture::SqueezeNet,
        size: 224,
        multiple: 32,
        k: 8,
        measures: Measure::OF_AN_OPERATOR,
    },
    Plan {
        architecture: Architecture::CycleGan,
        size: 256,
        multiple: 16,
        k: 4,
        measures: Measure::OF_AN_OPERATOR,
    },
    Plan {
        architecture: Architecture::Vgg19,
        size: 224,
        multiple: 32,
        k: 1,
        measures: Measure::OF_VOTES,
    },
    Plan {
        architecture: Architecture::Edsr,
        size: 128,
        multiple: 4,
        k: 1,
        measures: Measure::OF_AN_OPERATOR,
    },
];

/// What goes on from row to row.
struct Run<'a, O> {
    config: &'a SuiteConfig,
    began: Instant,
    /// Floating-point operations a second, once they are measured.
    peak: Option<f64>,
    done: usize,
    of: usize,
    observer: O,
}

/// Measure all rows, telling the observer of each.
///
/// Memory: one network at a time; VGG-19's weights are 0.57 GB on the device and several times as much on the host while
/// they are made.
///
/// # Errors
/// [`Error::Setting`] for a scale or rounds of 0; [`Error::Stopped`] once [`SuiteConfig::interrupt`] is. What goes wrong
/// within a row is that row's [`Status`].
pub fn suite(config: &SuiteConfig, observer: impl FnMut(Event<'_>)) -> Result<()> {
    for (what, value) in [("the scale", config.scale), ("rounds", config.rounds)] {
        if value == 0 {
            return Err(Error::Setting {
                what,
                got: "0".into(),
                allowed: "the smallest is 1".into(),
            });
        }
    }
    let measures = PLANS.iter().map(|plan| 1 + plan.measures.len());
    let mut run = Run {
        config,
        began: Instant::now(),
        peak: None,
        done: 0,
        of: 1 + measures.sum::<usize>(),
        observer,
    };
    let alone = Interrupt::new();
    run.row(Row::of(Measure::Peak), &alone, |clock| {
        Ok((peak::peak(config, clock)?, Status::Ok))
    })?;
    for plan in &PLANS {
        let mut subject = None;
        let row = |measure: Measure| Row {
            network: Some(plan.architecture),
            input: Some(vec![1, 3, plan.size(config.scale), plan.size(config.scale)]),
            k: Some(plan.k).filter(|_| measure.is_batched()),
            ..Row::of(measure)
        };
        let loaded = run.row(row(Measure::Load), &Interrupt::new(), |_| {
            let start = Instant::now();
            subject = Some(Subject::load(plan, config)?);
            Ok((Figures::ms(start), Status::Ok))
        })?;
        for &measure in plan.measures {
            let Some(subject) = &mut subject else {
                let because = format!("the network was not loaded: {}", loaded.said());
                run.skipped(row(measure), loaded.status, because);
                continue;
            };
            subject.renew();
            let interrupt = subject.interrupt(measure).clone();
            let peak = run.peak;
            run.row(row(measure), &interrupt, |clock| {
                subject.measure(measure, clock, config.rounds, peak)
            })?;
        }
    }
    Ok(())
}

/// Two rates of a device, for a list of devices: of a matrix product (`peak`) and of a 3×3 convolution (`convolution`), both f32,
/// a row each. The convolution is a plain forward pass by these kernels, of more and more pictures until one takes 100 ms.
///
/// Rows are those of [`suite`], with its limits; `scale` divides the largest product that is tried. Memory: 0.8 GB at scale
/// 1. Time: a few seconds.
///
/// # Errors
/// [`Error::Stopped`] once [`SuiteConfig::interrupt`] is. What goes wrong within a row, a panic of the backend too, is that
/// row's [`Status`].
pub fn rates(
    config: &SuiteConfig,
    kernels: Kernels,
    observer: impl FnMut(Event<'_>),
) -> Result<Vec<Row>> {
    let mut run = Run {
        config,
        began: Instant::now(),
        peak: None,
        done: 0,
        of: 2,
        observer,
    };
    let alone = Interrupt::new();
    let product = run.row(Row::of(Measure::Peak), &alone, |clock| {
        Ok((peak::peak(config, clock)?, Status::Ok))
    })?;
    let row = Row {
        input: Some(convolution::SHAPE.to_vec()),
        ..Row::of(Measure::Convolution)
    };
    let convolution = run.row(row, &alone, |clock| {
        let figures = convolution::convolution(config, kernels, clock)?;
        Ok((figures, Status::Ok))
    })?;
    Ok(vec![product, convolution])
}

impl<O: FnMut(Event<'_>)> Run<'_, O> {
    /// A row that cannot be measured.
    fn skipped(&mut self, row: Row, status: Status, because: String) {
        self.ended(Row {
            status,
            because: Some(because),
            ..row
        });
    }

    fn ended(&mut self, row: Row) -> Row {
        self.done += 1;
        (self.observer)(Event::Ended(&row));
        row
    }

    /// Measure one: within its time, which ends with `interrupt` being stopped, and whatever happens below.
    fn row(
        &mut self,
        row: Row,
        interrupt: &Interrupt,
        work: impl FnOnce(&Clock) -> Result<(Figures, Status)>,
    ) -> Result<Row> {
        let config = self.config;
        let progress = Progress::new("measuring the device", self.done, self.of);
        if config.interrupt.is_stopped() {
            return Err(Error::Stopped(progress));
        }
        let left = config.limit.saturating_sub(self.began.elapsed());
        if left.is_zero() {
            let all = config.limit.as_secs_f64();
            return Ok(self.ended(Row {
                status: Status::Time,
                because: Some(format!(
                    "not started: the {all} s for the whole suite are used up"
                )),
                ..row
            }));
        }
        let limit = config.row_limit.min(left);
        (self.observer)(Event::Begins {
            row: row.row,
            network: row.network,
            done: self.done,
            of: self.of,
        });
        let clock = Clock::new(limit, &config.interrupt);
        let found = watched(&clock, interrupt, || {
            catch_unwind(AssertUnwindSafe(|| work(&clock)))
        });
        // What was cut short by hand is not a figure of this device.
        if config.interrupt.is_stopped() {
            return Err(Error::Stopped(progress));
        }
        let mut row = Row {
            seconds: clock.elapsed().as_secs_f64(),
            ..row
        };
        match found {
            Ok(Ok((figures, status))) => (row.figures, row.status) = (figures, status),
            Ok(Err(error)) => row.fails(&error.to_string(), error.is_stopped()),
            Err(panic) => row.fails(&panic_message(panic.as_ref()), false),
        }
        if row.status == Status::Time {
            row.because = Some(format!(
                "stopped after {:.1} s; the limit for a row is {:.1} s",
                row.seconds,
                limit.as_secs_f64()
            ));
        }
        if row.row == Measure::Peak {
            self.peak = row.figures.gflops.map(|gflops| 1e9 * gflops);
        }
        Ok(self.ended(row))
    }
}

#[cfg(test)]
mod tests;
