//! Tests that need what a checkout does not hold.
//!
//! Such a test takes what it needs as its argument, so that it cannot run, and so cannot pass, without
//! it. Where that is absent the runner counts the test as *ignored* and prints the reason. What is there is
//! looked up when tests run, not when they are compiled: nothing is compiled anew, and no answer is stale,
//! when data come or go. libtest cannot ignore at run time; these targets have `harness = false` and this
//! `main`:
//!
//! ```
//! use linearscope_test_support::{machine, needing, needs};
//!
//! fn rows_are_right(data: std::path::PathBuf) {
//!     assert!(data.join("models").is_dir());
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     needs::run(needing!(machine::shared_data => rows_are_right))
//! }
//! ```

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion};

pub use libtest_mimic::Trial;

use crate::machine::Found;

/// One test. `find` looks for what it needs when its turn comes; an `Err` is the reason to ignore it.
pub fn trial<T>(
    name: impl Into<String>,
    find: impl FnOnce() -> Found<T> + Send + 'static,
    test: impl FnOnce(T) + Send + 'static,
) -> Trial {
    Trial::ignorable_test(name, move || match find() {
        Ok(found) => {
            test(found);
            Ok(Completion::Completed)
        }
        Err(reason) => Ok(Completion::ignored_with(reason)),
    })
}

/// Functions as tests of their own names that all need the same: `needing!(find => this, that)` is a
/// `Vec<Trial>`; `needing!(nothing => …)` is for those beside them that need nothing.
#[macro_export]
macro_rules! needing {
    (nothing => $($test:ident),+ $(,)?) => {
        vec![$($crate::needs::trial(stringify!($test), || Ok(()), |()| $test())),+]
    };
    ($find:expr => $($test:ident),+ $(,)?) => {
        vec![$($crate::needs::trial(stringify!($test), $find, $test)),+]
    };
}

/// `main` of a test target: libtest's options and output.
pub fn run(trials: Vec<Trial>) -> ExitCode {
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
