//! The time that a row has.

use std::{
    ops::ControlFlow,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use linearscope::Interrupt;

use super::row::Figures;
use crate::{
    error::{Error, Result, unless_stopped},
    progress::Progress,
};

/// How often the watch looks.
const POLL: Duration = Duration::from_millis(20);

/// What takes so long is large enough to be at its device's rate.
pub(super) const LONG: Duration = Duration::from_millis(100);

/// When a row began and when it has to end.
pub(super) struct Clock {
    began: Instant,
    limit: Duration,
    /// Stops the suite.
    stop: Interrupt,
}

impl Clock {
    pub(super) fn new(limit: Duration, stop: &Interrupt) -> Self {
        Self {
            began: Instant::now(),
            limit,
            stop: stop.clone(),
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Whether the row has to end.
    pub(super) fn is_over(&self) -> bool {
        self.stop.is_stopped() || self.elapsed() >= self.limit
    }

    /// The same as an observer says it.
    pub(super) fn goes_on(&self) -> ControlFlow<()> {
        match self.is_over() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    /// Time `work` once, and then up to `rounds` times while one more is likely to fit.
    ///
    /// # Errors
    /// [`Error::Stopped`] where the time is over before one round that counts; those of `work`.
    pub(super) fn rounds(
        &self,
        rounds: usize,
        mut work: impl FnMut() -> Result<()>,
    ) -> Result<Times> {
        let mut timed = || {
            let start = Instant::now();
            work().map(|()| start.elapsed())
        };
        let first = timed()?;
        let (mut last, mut all) = (first, Vec::new());
        while all.len() < rounds && self.elapsed() + last < self.limit && !self.stop.is_stopped() {
            let Some(took) = unless_stopped(timed(), !all.is_empty())? else {
                break;
            };
            last = took;
            all.push(1e3 * took.as_secs_f64());
        }
        if all.is_empty() {
            return Err(Error::Stopped(Progress::new("timing rounds", 0, rounds)));
        }
        all.sort_by(f64::total_cmp);
        Ok(Times {
            first_ms: 1e3 * first.as_secs_f64(),
            sorted_ms: all,
        })
    }

    /// Double a size within `sizes`, the first and the largest, until one piece of work takes [`LONG`]; then time rounds of it. `make`
    /// makes the work of a size. The first piece of each size does not count: it compiles kernels, or packs weights.
    ///
    /// # Errors
    /// [`Error::Stopped`], which names what was looked for as `doing`, where the time is over meanwhile; as [`rounds`](Self::rounds).
    pub(super) fn long_enough<W: FnMut() -> Result<()>>(
        &self,
        doing: &'static str,
        sizes: (usize, usize),
        rounds: usize,
        make: impl Fn(usize) -> Result<W>,
    ) -> Result<(usize, Times)> {
        let (mut size, largest) = sizes;
        loop {
            let mut work = make(size)?;
            work()?;
            let start = Instant::now();
            work()?;
            if start.elapsed() >= LONG || 2 * size > largest {
                return Ok((size, self.rounds(rounds, work)?));
            }
            if self.is_over() {
                return Err(Error::Stopped(Progress::new(doing, size, largest)));
            }
            size *= 2;
        }
    }
}

/// What rounds took.
pub(super) struct Times {
    first_ms: f64,
    sorted_ms: Vec<f64>,
}

impl Times {
    pub(super) fn best(&self) -> f64 {
        self.sorted_ms[0]
    }

    /// The median, the first time, and how many.
    pub(super) fn figures(&self) -> Figures {
        Figures {
            ms: Some(crate::bench::quantile(&self.sorted_ms, 0.5)),
            first_ms: Some(self.first_ms),
            rounds: Some(self.sorted_ms.len()),
            ..Figures::default()
        }
    }
}

/// `work` with somebody alongside it who stops `interrupt` once the row has to end. Must not panic.
pub(super) fn watched<T>(clock: &Clock, interrupt: &Interrupt, work: impl FnOnce() -> T) -> T {
    let (working, ended) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            while ended.recv_timeout(POLL) == Err(RecvTimeoutError::Timeout) {
                if clock.is_over() {
                    interrupt.stop();
                    return;
                }
            }
        });
        let made = work();
        drop(working);
        made
    })
}
