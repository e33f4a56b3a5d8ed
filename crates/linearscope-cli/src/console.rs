//! What the person before the terminal sees while the program works, and how they stop it.
//!
//! A terminal gets a line that moves, with rate and time left; anything else gets a plain line every half a
//! minute. Results go to stdout, everything here to stderr.

use std::{
    cell::RefCell,
    io::{IsTerminal, Write},
    ops::ControlFlow,
    rc::Rc,
    sync::{
        LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use linearscope::Interrupt;
use linearscope_analysis::Progress;

/// Set by Ctrl-C; the engine looks at it within every product.
static INTERRUPT: LazyLock<Interrupt> = LazyLock::new(Interrupt::new);

/// The line that moves, on a terminal.
static BAR: LazyLock<Option<ProgressBar>> = LazyLock::new(|| {
    std::io::stderr().is_terminal().then(|| {
        let bar = ProgressBar::new_spinner().with_style(style(false));
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    })
});

thread_local! {
    /// The folder job's "picture 3 of 26", before whatever this thread does about it.
    static WHOLE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Whether pictures are worked on side by side: the line is then about all of them.
static SEVERAL: AtomicBool = AtomicBool::new(false);

/// Who hears instead of the person before the terminal, where the program's machinery works for a host process.
pub trait Listener {
    /// What stops the work.
    fn interrupt(&self) -> Interrupt;

    /// What is being done from here on.
    fn step(&self, text: &str);

    /// What the user should know though nothing failed.
    fn notice(&self, text: &str);

    /// How far a long computation is.
    fn progress(&self, at: &Progress) -> ControlFlow<()>;
}

/// A listener that hears nothing. What stops the work is its interrupt.
pub struct Deaf(pub Interrupt);

impl Listener for Deaf {
    fn interrupt(&self) -> Interrupt {
        self.0.clone()
    }

    fn step(&self, _: &str) {}

    fn notice(&self, _: &str) {}

    fn progress(&self, _: &Progress) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

thread_local! {
    /// Who hears what this thread says.
    static LISTENER: RefCell<Option<Rc<dyn Listener>>> = const { RefCell::new(None) };
}

/// Do something while `listener` hears what this thread says.
pub(crate) fn heard_by<T>(listener: Rc<dyn Listener>, work: impl FnOnce() -> T) -> T {
    /// Puts the one before back, whatever comes of it.
    struct Before(Option<Rc<dyn Listener>>);
    impl Drop for Before {
        fn drop(&mut self) {
            LISTENER.set(self.0.take());
        }
    }
    let _before = Before(LISTENER.replace(Some(listener)));
    work()
}

fn listener() -> Option<Rc<dyn Listener>> {
    LISTENER.with_borrow(Clone::clone)
}

/// Whether somebody hears what this thread says instead of the person before the terminal.
pub(crate) fn is_heard() -> bool {
    listener().is_some()
}

/// How often a long computation speaks where nobody sees a line move.
const EVERY: Duration = Duration::from_secs(30);

fn style(counts: bool) -> ProgressStyle {
    let template = match counts {
        true => "{spinner} {msg} {bar:24} {human_pos}/{human_len} · {per_sec:0}{prefix}",
        false => "{spinner} {msg} · {elapsed}",
    };
    ProgressStyle::with_template(template).expect("a template that a test renders")
}

/// Let Ctrl-C stop what runs and keep what is finished; a second one quits at once.
pub(crate) fn answer_ctrl_c() {
    let asked = || {
        if INTERRUPT.is_stopped() {
            std::process::exit(i32::from(crate::error::INTERRUPTED));
        }
        INTERRUPT.stop();
        said("stopping and writing finished results; press Ctrl-C again to quit immediately");
    };
    // Without a handler Ctrl-C ends the program, as it would any other.
    let _ = ctrlc::set_handler(asked);
}

/// Whether Ctrl-C was pressed, or the listener's interrupt raised.
pub(crate) fn stopped() -> bool {
    interrupt().is_stopped()
}

/// What a network is loaded with so that Ctrl-C stops it.
pub(crate) fn interrupt() -> Interrupt {
    match listener() {
        Some(listener) => listener.interrupt(),
        None => INTERRUPT.clone(),
    }
}

fn prefixed(text: &str) -> String {
    WHOLE.with_borrow(|whole| match whole.is_empty() {
        true => text.into(),
        false => format!("{whole}: {text}"),
    })
}

/// Which picture of a folder everything on this thread is about from here on.
pub(crate) fn picture(number: usize, of: usize, name: &str) {
    WHOLE.set(format!("picture {number} of {of}, {name}"));
}

/// How many pictures of a folder are done, where several are worked on at once.
pub(crate) fn pictures(done: usize, of: usize) {
    let first = !SEVERAL.swap(true, Ordering::Relaxed);
    let Some(bar) = &*BAR else { return };
    if first {
        bar.reset();
        bar.set_style(style(true));
        bar.set_message("pictures");
        bar.set_length(of as u64);
    }
    let left = left(bar.elapsed(), done, of);
    bar.set_prefix(left.map_or(String::new(), |left| format!(" · {left}")));
    bar.set_position(done as u64);
}

/// The line that moves, for one thing that is being done at a time.
fn bar() -> Option<&'static ProgressBar> {
    BAR.as_ref().filter(|_| !SEVERAL.load(Ordering::Relaxed))
}

/// What is being done from here on.
pub(crate) fn step(text: &str) {
    if let Some(listener) = listener() {
        return listener.step(text);
    }
    if let Some(bar) = bar() {
        bar.set_style(style(false));
        bar.set_message(prefixed(text));
        bar.reset_elapsed();
    }
}

/// Nothing is being done any more.
pub(crate) fn clear() {
    if listener().is_some() {
        return;
    }
    SEVERAL.store(false, Ordering::Relaxed);
    if let Some(bar) = &*BAR {
        bar.finish_and_clear();
    }
}

fn said(text: &str) {
    let write = || {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    };
    match &*BAR {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// What the user should know though nothing failed.
pub(crate) fn notice(text: &str) {
    if let Some(listener) = listener() {
        return listener.notice(text);
    }
    said(&format!("notice: {text}"));
}

/// A line of results.
pub(crate) fn print(line: &str) {
    let write = || println!("{line}");
    match &*BAR {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Since when something is being done, and from where.
struct Pace {
    doing: &'static str,
    began: Instant,
    /// How many were done then, and when it was told last.
    first: usize,
    last: usize,
}

impl Pace {
    /// Whether `at` goes on with what was told last; else it begins here.
    fn goes_on(&mut self, at: &Progress) -> bool {
        let goes_on = self.doing == at.doing && self.last <= at.done;
        if !goes_on {
            (self.doing, self.began, self.first) = (at.doing, Instant::now(), at.done);
        }
        self.last = at.done;
        goes_on
    }

    /// The time left after so much, where steps are alike: those of a solver that works until a residual is small are not.
    fn left(&self, at: &Progress, elapsed: Duration) -> Option<String> {
        let since = |count: usize| count.saturating_sub(self.first);
        match at.residual > 0.0 {
            true => None,
            false => left(elapsed, since(at.done), since(at.of)),
        }
    }
}

/// An observer of long computations that says how far they are, and stops them on Ctrl-C.
pub(crate) fn observer() -> impl FnMut(&Progress) -> ControlFlow<()> {
    let mut told = Instant::now();
    let mut pace = Pace {
        doing: "",
        began: told,
        first: 0,
        last: 0,
    };
    let listener = listener();
    move |at| {
        if let Some(listener) = &listener {
            return listener.progress(at);
        }
        let goes_on = pace.goes_on(at);
        if let Some(bar) = bar() {
            if !goes_on {
                bar.reset();
                bar.set_style(style(true));
                bar.set_message(prefixed(at.doing));
            }
            let left = pace.left(at, pace.began.elapsed());
            let left = left.map_or(String::new(), |left| format!(" · {left}"));
            bar.set_length(at.of as u64);
            bar.set_position(at.done as u64);
            bar.set_prefix(left + &details(at));
        } else if BAR.is_none() && told.elapsed() > EVERY {
            told = Instant::now();
            said(&plain(at, pace.left(at, pace.began.elapsed())));
        }
        match stopped() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

/// About how long the rest takes, at the rate so far: `done` of `of` in `elapsed`. Nothing in the first three seconds, where
/// only a few are left, and where it is not known of how many.
fn left(elapsed: Duration, done: usize, of: usize) -> Option<String> {
    const FEW: f64 = 3.0;
    if done == 0 || done >= of || elapsed.as_secs_f64() < FEW {
        return None;
    }
    let seconds = elapsed.as_secs_f64() * (of - done) as f64 / done as f64;
    let about = match seconds {
        ..=FEW => return None,
        ..57.5 => format!("{:.0} s", 5.0 * (seconds / 5.0).round().max(1.0)),
        ..3570.0 => format!("{:.0} min", seconds / 60.0),
        // Half an hour is too much to round away where few are left.
        ..34200.0 => format!("{} h", (seconds / 1800.0).round() / 2.0),
        _ => format!("{:.0} h", seconds / 3600.0),
    };
    Some(format!("about {about} left"))
}

/// What an iteration counts besides its steps.
fn details(at: &Progress) -> String {
    let mut text = String::new();
    if at.products > 0 {
        text += &format!(" · {} products", at.products);
    }
    if at.residual > 0.0 && at.residual.is_finite() {
        text += &format!(" · worst residual {:.1e}", at.residual);
    }
    text
}

/// One line for a log.
fn plain(at: &Progress, left: Option<String>) -> String {
    let mut text = prefixed(&format!("{}: {} of {}", at.doing, at.done, at.of));
    if let Some(left) = left {
        text += &format!(", {left}");
    }
    text + &details(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_has_count_and_time_left() {
        let mut at = Progress::new("counting votes", 25, 100);
        at.products = 50;
        assert_eq!(
            plain(&at, left(Duration::from_secs(60), at.done, at.of)),
            "counting votes: 25 of 100, about 3 min left · 50 products"
        );
        let line = plain(&Progress::new("counting votes", 0, 100), None);
        assert_eq!(line, "counting votes: 0 of 100");
        for counts in [true, false] {
            style(counts);
        }
    }

    #[test]
    fn the_time_left_is_that_of_the_rate_so_far() {
        let of = |elapsed: f64, done, of| left(Duration::from_secs_f64(elapsed), done, of);
        for (elapsed, done, all, expected) in [
            (4.0, 1, 2, Some("5 s")),
            (10.0, 1, 5, Some("40 s")),
            (10.0, 20, 100, Some("40 s")),
            (29.0, 1, 3, Some("1 min")),
            (30.0, 1, 4, Some("2 min")),
            (60.0, 25, 100, Some("3 min")),
            (60.0, 1, 61, Some("1 h")),
            (60.0, 1, 91, Some("1.5 h")),
            (600.0, 1, 121, Some("20 h")),
            // Too early, too little left, nothing done, all done, of an unknown number.
            (2.9, 1, 1000, None),
            (10.0, 8, 10, None),
            (100.0, 0, 10, None),
            (100.0, 10, 10, None),
            (100.0, 12, 10, None),
            (100.0, 7, 0, None),
        ] {
            let expected = expected.map(|about| format!("about {about} left"));
            assert_eq!(of(elapsed, done, all), expected, "{elapsed} {done} {all}");
        }
    }

    #[test]
    fn a_pace_is_that_of_what_is_being_done() {
        let mut pace = Pace {
            doing: "reading rows",
            began: Instant::now(),
            first: 10,
            last: 20,
        };
        // 10 of 40 in a minute.
        let minute = Duration::from_secs(60);
        let mut at = Progress::new("reading rows", 20, 50);
        assert!(pace.goes_on(&at));
        assert_eq!(pace.left(&at, minute).as_deref(), Some("about 3 min left"));
        at.residual = f64::INFINITY;
        assert_eq!(pace.left(&at, minute), None);
        // The same once more, or something else, begins anew.
        assert!(!pace.goes_on(&Progress::new("reading rows", 5, 50)));
        assert_eq!((pace.first, pace.last), (5, 5));
        assert!(!pace.goes_on(&Progress::new("reading columns", 7, 50)));
        assert_eq!((pace.first, pace.last), (7, 7));
    }
}
