//! What the suite is told.

use std::time::Duration;

use burn::tensor::Device;
use burn_backend::Backend;
use burn_dispatch::Dispatch;
use linearscope::Interrupt;

/// What is measured, where and for how long.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SuiteConfig {
    /// The device. Everything is f32.
    pub device: Device,
    /// Divides widths and sizes: for a quick look. Default 1, the networks as published.
    pub scale: usize,
    /// Rounds that medians are of, where the row's time allows; one before them does not count. Default 15.
    pub rounds: usize,
    /// The most that a row may take. Default 30 s. It stops between two ops: what the device has begun runs to its end.
    pub row_limit: Duration,
    /// The most that all rows may take. Default 345 s: what overruns a row's limit fits into six minutes.
    pub limit: Duration,
    /// Stops the whole suite; the rows that are finished have been told by then.
    pub interrupt: Interrupt,
}

impl SuiteConfig {
    /// The suite as published tables have it.
    pub fn new(device: &Device) -> Self {
        Self {
            device: device.clone(),
            scale: 1,
            rounds: 15,
            row_limit: Duration::from_secs(30),
            limit: Duration::from_secs(345),
            interrupt: Interrupt::new(),
        }
    }

    /// The device's own name, for results.
    pub fn backend_name(&self) -> String {
        Dispatch::name(self.device.as_dispatch())
    }
}

setters!(
    SuiteConfig: with_scale scale: usize, with_rounds rounds: usize, with_row_limit row_limit: Duration,
    with_limit limit: Duration, with_interrupt interrupt: Interrupt
);
