//! Stopping a computation from outside, in the middle of a product.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::error::{Error, Result};

/// A flag that stops computations. Clones share it: keep one where the stop is requested (another
/// thread, a signal handler), and give another to a network by
/// [`Loaded::with_interrupt`](crate::Loaded::with_interrupt).
///
/// Once stopped, it stays stopped: whatever carries it then refuses with [`Error::Interrupted`]. The flag
/// is checked between any two nodes of a network and within the convolution and matrix kernels of the host,
/// so that a stop takes effect there within a fraction of a second. Ops of a backend (those of a freeze or
/// a paired run, and all ops on a GPU) run to completion. Results are the same bits with and without it.
///
/// ```
/// use linearscope::{Error, Interrupt};
///
/// let interrupt = Interrupt::new();
/// let elsewhere = interrupt.clone();
/// assert!(interrupt.check().is_ok());
/// std::thread::spawn(move || elsewhere.stop()).join().unwrap();
/// assert_eq!(interrupt.check(), Err(Error::Interrupted));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// An interrupt that nobody has stopped yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stop whatever carries this interrupt or a clone of it. This is a single store, so a signal handler
    /// may call it.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody has stopped it.
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// # Errors
    /// [`Error::Interrupted`] once it is stopped.
    pub fn check(&self) -> Result<()> {
        match self.is_stopped() {
            true => Err(Error::Interrupted),
            false => Ok(()),
        }
    }
}
