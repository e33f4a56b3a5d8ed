//! Work off Python's thread: the GIL is released, Ctrl-C and exceptions of callbacks stop it, and who asked hears how far it is.

use std::{
    cell::Cell,
    ops::ControlFlow,
    process,
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use linearscope::Interrupt;
use linearscope_analysis::Progress;
use linearscope_cli::embed::{Deaf, Failure, Listener, Result, caught};
use pyo3::{exceptions::PyRuntimeError, prelude::*};
use rayon::ThreadPool;

use crate::error::raised;

/// How often Python's signals are looked at, and progress is told.
const EVERY: Duration = Duration::from_millis(50);

/// The main thread's usual stack.
const STACK: usize = 8 << 20;

/// The process that first computed. Threads do not survive a fork, so that a child would wait for ever.
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// What is heard on Python's thread.
enum Heard {
    Notice(String),
    Step(String),
    Progress(Progress),
}

/// Passes on what is heard.
struct Ear {
    interrupt: Interrupt,
    sender: Sender<Heard>,
    /// When progress was last told.
    told: Cell<Option<Instant>>,
}

impl Listener for Ear {
    fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }

    fn step(&self, text: &str) {
        let _ = self.sender.send(Heard::Step(text.into()));
    }

    fn notice(&self, text: &str) {
        let _ = self.sender.send(Heard::Notice(text.into()));
    }

    fn progress(&self, at: &Progress) -> ControlFlow<()> {
        let late = self.told.get().is_none_or(|told| told.elapsed() > EVERY);
        if late || at.done == at.of {
            self.told.set(Some(Instant::now()));
            let _ = self.sender.send(Heard::Progress(*at));
        }
        match self.interrupt.is_stopped() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

/// Tell Python's callback, `hear(kind, text, done, of)`.
fn tell(hear: &Py<PyAny>, heard: Heard) -> PyResult<()> {
    let (kind, text, done, of) = match heard {
        Heard::Notice(text) => ("notice", text, 0, 0),
        Heard::Step(text) => ("step", text, 0, 0),
        Heard::Progress(at) => ("progress", at.doing.to_string(), at.done, at.of),
    };
    Python::attach(|py| hear.call1(py, (kind, text, done, of)).map(|_| ()))
}

/// A fork after the first computation left no threads to compute with.
fn check_fork() -> PyResult<()> {
    let here = process::id();
    match PROCESS.compare_exchange(0, here, Ordering::Relaxed, Ordering::Relaxed) {
        Err(first) if first != here => Err(PyRuntimeError::new_err(
            "this process was forked from one in which linearscope had computed, and threads do not survive a fork; start \
             workers by multiprocessing.get_context(\"spawn\"), or compute nothing before the fork",
        )),
        _ => Ok(()),
    }
}

/// Threads of one's own, as many as asked for.
pub(crate) fn pool(threads: Option<usize>) -> PyResult<Option<Arc<ThreadPool>>> {
    let Some(threads) = threads else {
        return Ok(None);
    };
    check_fork()?;
    let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
    let pool = builder.stack_size(STACK).build();
    let pool = pool.map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
    Ok(Some(Arc::new(pool)))
}

/// Look something up without the GIL: what takes no time to compute.
pub(crate) fn looked<T: Send>(
    py: Python<'_>,
    work: impl FnOnce(Rc<dyn Listener>) -> Result<T> + Send,
) -> PyResult<T> {
    check_fork()?;
    let found = py.detach(|| caught(|| work(Rc::new(Deaf(Interrupt::new())))));
    found.map_err(|failure| raised(py, failure))
}

/// Compute without the GIL, on `pool` or on all cores. Ctrl-C, or an exception of `hear`, stops it and is raised.
pub(crate) fn computed<T: Send>(
    py: Python<'_>,
    pool: Option<&ThreadPool>,
    hear: Option<Py<PyAny>>,
    work: impl FnOnce(Rc<dyn Listener>) -> Result<T> + Send,
) -> PyResult<T> {
    in_turn(py, &Mutex::new(()), pool, hear, work)
}

/// The same, one after the other of those that have one `turn`: work that locks something must not begin on a thread of the pool
/// that waits within other work which holds the lock.
pub(crate) fn in_turn<T: Send>(
    py: Python<'_>,
    turn: &Mutex<()>,
    pool: Option<&ThreadPool>,
    hear: Option<Py<PyAny>>,
    work: impl FnOnce(Rc<dyn Listener>) -> Result<T> + Send,
) -> PyResult<T> {
    check_fork()?;
    let interrupt = Interrupt::new();
    let stop = interrupt.clone();
    let (sender, receiver) = mpsc::channel();
    let work = move || {
        caught(|| {
            work(Rc::new(Ear {
                interrupt,
                sender,
                told: Cell::new(None),
            }))
        })
    };
    let (found, stopped) = py.detach(move || {
        thread::scope(|scope| {
            let worker = thread::Builder::new().stack_size(STACK);
            let worker = worker.spawn_scoped(scope, || {
                let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
                match pool {
                    Some(pool) => pool.install(work),
                    None => work(),
                }
            });
            let worker = match worker {
                Ok(worker) => worker,
                Err(error) => return (Err(Failure::input(error.to_string())), None),
            };
            // The first exception is the one that is raised.
            let mut stopped: Option<PyErr> = None;
            loop {
                let told = match receiver.recv_timeout(EVERY) {
                    Ok(heard) => match &hear {
                        Some(hear) if stopped.is_none() => tell(hear, heard),
                        _ => Ok(()),
                    },
                    Err(RecvTimeoutError::Timeout) => Ok(()),
                    Err(RecvTimeoutError::Disconnected) => break,
                };
                let told = told.and_then(|()| Python::attach(|py| py.check_signals()));
                if let Err(error) = told {
                    stop.stop();
                    stopped.get_or_insert(error);
                }
            }
            let found = worker.join();
            let found =
                found.unwrap_or_else(|_| Err(Failure::internal("a thread of its own panicked")));
            (found, stopped)
        })
    });
    match (stopped, found) {
        (Some(error), _) => Err(error),
        (None, Ok(found)) => {
            // Pressed in the last moment.
            py.check_signals()?;
            Ok(found)
        }
        (None, Err(failure)) => Err(raised(py, failure)),
    }
}
