//! What the person before the terminal sees while the program works, and how they stop it.
//!
//! A terminal gets a line that moves, with rate and time left; anything else gets a plain line every half a
//! minute. Results go to stdout, everything here to stderr.

use std::{
    io::{IsTerminal, Write},
    ops::ControlFlow,
    sync::{LazyLock, Mutex},
    time::{Duration, Instant},
};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
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

/// The folder job's "picture 3 of 26", before whatever is being done.
static WHOLE: Mutex<String> = Mutex::new(String::new());

/// How often a long computation speaks where nobody sees a line move.
const EVERY: Duration = Duration::from_secs(30);

fn style(counts: bool) -> ProgressStyle {
    let template = match counts {
        true => {
            "{spinner} {msg} {bar:24} {human_pos}/{human_len} · {per_sec:0} · {eta} left{prefix}"
        }
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
        said("stopping, writing what is finished; Ctrl-C again to quit at once");
    };
    // Without a handler Ctrl-C ends the program, as it would any other.
    let _ = ctrlc::set_handler(asked);
}

/// Whether Ctrl-C was pressed.
pub(crate) fn stopped() -> bool {
    INTERRUPT.is_stopped()
}

/// What a network is loaded with so that Ctrl-C stops it.
pub(crate) fn interrupt() -> Interrupt {
    INTERRUPT.clone()
}

fn prefixed(text: &str) -> String {
    let whole = WHOLE
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    match whole.is_empty() {
        true => text.into(),
        false => format!("{whole}: {text}"),
    }
}

/// Which picture of a folder everything from here on is about.
pub(crate) fn picture(number: usize, of: usize, name: &str) {
    *WHOLE
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner()) =
        format!("picture {number} of {of}, {name}");
}

/// What is being done from here on.
pub(crate) fn step(text: &str) {
    if let Some(bar) = &*BAR {
        bar.set_style(style(false));
        bar.set_message(prefixed(text));
        bar.reset_elapsed();
    }
}

/// Nothing is being done any more.
pub(crate) fn clear() {
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

/// An observer of long computations that says how far they are, and stops them on Ctrl-C.
pub(crate) fn observer() -> impl FnMut(&Progress) -> ControlFlow<()> {
    let (mut told, mut began) = (Instant::now(), Instant::now());
    let mut doing = "";
    move |at| {
        if doing != at.doing {
            (doing, began) = (at.doing, Instant::now());
            if let Some(bar) = &*BAR {
                bar.reset();
                bar.set_style(style(true));
                bar.set_message(prefixed(doing));
            }
        }
        if let Some(bar) = &*BAR {
            bar.set_length(at.of as u64);
            bar.set_position(at.done as u64);
            bar.set_prefix(details(at));
        } else if told.elapsed() > EVERY {
            told = Instant::now();
            said(&plain(at, began.elapsed()));
        }
        match stopped() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
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
fn plain(at: &Progress, since: Duration) -> String {
    let mut text = prefixed(&format!("{}: {} of {}", at.doing, at.done, at.of));
    if at.done > 0 && at.of > at.done {
        let left = since.mul_f64((at.of - at.done) as f64 / at.done as f64);
        text += &format!(", about {} left", HumanDuration(left));
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
            plain(&at, Duration::from_secs(60)),
            "counting votes: 25 of 100, about 3 minutes left · 50 products"
        );
        // Nothing done yet tells no time.
        let line = plain(&Progress::new("counting votes", 0, 100), Duration::ZERO);
        assert_eq!(line, "counting votes: 0 of 100");
        for counts in [true, false] {
            style(counts);
        }
    }
}
