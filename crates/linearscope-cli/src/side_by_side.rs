//! Things that have nothing to do with each other, several at once, each on its share of the cores.
//!
//! A picture seldom keeps all cores busy: kernels wait for each other at the end of every op, and decoding, drawing and
//! writing run on one. Pictures beside each other do, without waiting at all where each has one core.

use std::{
    collections::BTreeMap,
    panic,
    sync::{
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::Result;

/// What a thread of a pool gets, as the main thread has it: drawings and deep graphs recurse.
const STACK: usize = 8 << 20;

/// A pool of so many threads. `None` where the system has none to give; the work is then done on one.
fn pool(threads: usize) -> Option<ThreadPool> {
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads)
        .stack_size(STACK);
    pool.build().ok()
}

/// `work` on items by number, `workers` at once, each in a pool of its own with an equal share of the cores; then `done`
/// with what came of it, on this thread, in the order of the items. With one worker everything happens here, on all cores.
///
/// The items that would leave workers idle at the end are done by fewer workers with more cores. The first failure of
/// `done` ends it: what is being worked on is finished and dropped, nothing new is begun.
///
/// # Errors
/// What `done` ends with.
///
/// # Panics
/// As `work` does, with its words.
pub(crate) fn side_by_side<D: Send>(
    items: usize,
    workers: usize,
    work: impl Fn(usize) -> D + Sync,
    mut done: impl FnMut(usize, D) -> Result<()>,
) -> Result<()> {
    if workers <= 1 {
        return (0..items).try_for_each(|item| done(item, work(item)));
    }
    let cores = rayon::current_num_threads();
    let even = items - items % workers;
    for (from, to, workers) in [(0, even, workers), (even, items, items - even)] {
        if from < to {
            beside((from, to), workers, cores / workers, &work, &mut done)?;
        }
    }
    Ok(())
}

/// Ends the work of all where one panics: nobody waits for hours for its words.
struct Fallen<'a>(&'a AtomicBool);

impl Drop for Fallen<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(true, Ordering::SeqCst);
        }
    }
}

/// The items `from..to`, by so many workers of so many threads.
fn beside<D: Send>(
    (from, to): (usize, usize),
    workers: usize,
    threads: usize,
    work: &(impl Fn(usize) -> D + Sync),
    done: &mut impl FnMut(usize, D) -> Result<()>,
) -> Result<()> {
    let (next, ended) = (&AtomicUsize::new(from), &AtomicBool::new(false));
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        let mut at_work = Vec::new();
        for _ in 0..workers {
            let sender = sender.clone();
            let one = move || {
                let _fallen = Fallen(ended);
                loop {
                    let item = next.fetch_add(1, Ordering::SeqCst);
                    if item >= to || ended.load(Ordering::SeqCst) {
                        return;
                    }
                    if sender.send((item, work(item))).is_err() {
                        return;
                    }
                }
            };
            at_work.push(scope.spawn(move || match pool(threads.max(1)) {
                Some(pool) => pool.install(one),
                None => one(),
            }));
        }
        drop(sender);
        let (mut waiting, mut turn) = (BTreeMap::new(), from);
        let mut tell = |(item, found)| -> Result<()> {
            waiting.insert(item, found);
            while let Some(found) = waiting.remove(&turn) {
                done(turn, found)?;
                turn += 1;
            }
            Ok(())
        };
        let told = receiver.into_iter().try_for_each(&mut tell);
        if told.is_err() {
            ended.store(true, Ordering::SeqCst);
        }
        for one in at_work {
            if let Err(panic) = one.join() {
                // With its own words, and not those of a thread that is waited for.
                panic::resume_unwind(panic);
            }
        }
        told
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::Failure;

    #[test]
    fn order_is_kept_and_no_more_than_the_workers_are_at_it() {
        for workers in [1, 2, 3, 7] {
            let (at_it, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let mut seen = Vec::new();
            let work = |item: usize| {
                most.fetch_max(1 + at_it.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
                // The first of each few takes longest.
                thread::sleep(Duration::from_micros(200 * (7 - item as u64 % 7)));
                at_it.fetch_sub(1, Ordering::SeqCst);
                item * 10
            };
            side_by_side(50, workers, work, |item, tens| {
                seen.push((item, tens));
                Ok(())
            })
            .unwrap();
            let expected: Vec<_> = (0..50).map(|item| (item, item * 10)).collect();
            assert_eq!(seen, expected);
            assert!(most.into_inner() <= workers);
        }
    }

    #[test]
    fn the_last_have_the_cores_of_those_that_have_nothing_to_do() {
        let cores = rayon::current_num_threads();
        let mut seen = Vec::new();
        let threads = |_| rayon::current_num_threads();
        side_by_side(5, 2, threads, |_, threads| {
            seen.push(threads);
            Ok(())
        })
        .unwrap();
        let half = (cores / 2).max(1);
        assert_eq!(seen, [half, half, half, half, cores]);
    }

    #[test]
    fn a_panic_keeps_its_words() {
        for workers in [1, 2] {
            let begun = AtomicUsize::new(0);
            let work = |item| {
                begun.fetch_add(1, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(1));
                assert!(item != 2, "the third");
            };
            let caught = panic::catch_unwind(panic::AssertUnwindSafe(|| {
                side_by_side(10_000, workers, work, |_, ()| Ok(()))
            }));
            assert!(begun.into_inner() < 10_000);
            let message = linearscope::panic_message(caught.unwrap_err().as_ref());
            assert!(message.contains("the third"), "{message}");
        }
    }

    #[test]
    fn a_failure_ends_it() {
        for workers in [1, 2] {
            let begun = AtomicUsize::new(0);
            let mut told = 0;
            let work = |_| {
                begun.fetch_add(1, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(1));
            };
            let ended = side_by_side(10_000, workers, work, |item, ()| {
                told += 1;
                match item {
                    3 => Err(Failure::input("the fourth")),
                    _ => Ok(()),
                }
            });
            assert_eq!(
                (ended.unwrap_err().message.as_str(), told),
                ("the fourth", 4)
            );
            assert!(begun.into_inner() < 10_000);
        }
    }
}
