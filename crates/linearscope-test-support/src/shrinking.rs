//! Random cases that shrink: proptest with a fixed number of cases from a fixed seed.
//!
//! The cases are the same on every machine and in every run, so a failure comes back by itself: nothing is
//! kept in a file of regressions. One that is worth keeping becomes a test of its own, with a name.

use std::fmt::Debug;

use proptest::{
    strategy::Strategy,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};

/// How often a failing case is made simpler at most.
const STEPS: u32 = 2000;

/// Try `count` cases drawn from `seed`; the smallest found that fails, and why.
///
/// A panic of the property is a failure, too, and its message is printed at every step of shrinking.
///
/// # Errors
/// A case for which the property does not hold.
pub fn smallest<S: Strategy>(
    count: u32,
    seed: u64,
    cases: S,
    property: impl Fn(&S::Value) -> Result<(), String>,
) -> Result<(), (S::Value, String)> {
    let config = Config {
        cases: count,
        failure_persistence: None,
        max_shrink_iters: STEPS,
        // No limit of time: it would make the answer depend on the machine.
        max_shrink_time: 0,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let test = |case| property(&case).map_err(TestCaseError::fail);
    match TestRunner::new_with_rng(config, rng).run(&cases, test) {
        Ok(()) => Ok(()),
        Err(TestError::Fail(because, case)) => Err((case, because.message().to_string())),
        Err(TestError::Abort(because)) => panic!("no cases: {}", because.message()),
    }
}

/// [`smallest`], where there must be none.
///
/// # Panics
/// With the smallest case found that fails.
pub fn every<S: Strategy>(
    count: u32,
    seed: u64,
    cases: S,
    property: impl Fn(&S::Value) -> Result<(), String>,
) where
    S::Value: Debug,
{
    if let Err((case, because)) = smallest(count, seed, cases, property) {
        panic!("{because}\nsmallest case found: {case:#?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;

    /// Lists that hold a number over 99: the smallest is one such number alone.
    #[test]
    fn a_failure_shrinks_and_comes_back() {
        let found = || {
            smallest(200, 7, vec(0..1000u32, 0..9), |list| {
                match list.iter().all(|n| *n < 100) {
                    true => Ok(()),
                    false => Err(format!("{} numbers", list.len())),
                }
            })
        };
        assert_eq!(found(), Err((vec![100], "1 numbers".into())));
        assert_eq!(found(), found());
    }

    #[test]
    fn the_number_of_cases_is_fixed() {
        let count = std::cell::Cell::new(0);
        every(50, 1, 0..9u32, |_| {
            count.set(count.get() + 1);
            Ok(())
        });
        assert_eq!(count.get(), 50);
    }
}
