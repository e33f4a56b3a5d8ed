//! One thing is prepared while the one before it is worked on.

use std::{panic, sync::mpsc, thread};

use crate::error::Result;

/// `prepare` each item and `work` on it, in order; where `overlapping`, the next is prepared on another thread
/// meanwhile, never more than one. The first failure ends it, and what was prepared by then is dropped.
///
/// # Errors
/// What `work` ends with.
pub(crate) fn one_ahead<I: Send, P: Send>(
    items: impl Iterator<Item = I> + Send,
    overlapping: bool,
    mut prepare: impl FnMut(&I) -> P + Send,
    mut work: impl FnMut(I, P) -> Result<()>,
) -> Result<()> {
    if !overlapping {
        for item in items {
            let prepared = prepare(&item);
            work(item, prepared)?;
        }
        return Ok(());
    }
    // Without room: what is prepared waits with the thread that prepared it.
    let (sender, receiver) = mpsc::sync_channel(0);
    thread::scope(|scope| {
        let preparing = scope.spawn(move || {
            for item in items {
                let prepared = prepare(&item);
                if sender.send((item, prepared)).is_err() {
                    return;
                }
            }
        });
        // The receiver is dropped before the thread is waited for, which then stops sending.
        let done = receiver
            .into_iter()
            .try_for_each(|(item, prepared)| work(item, prepared));
        match preparing.join() {
            Ok(()) => done,
            // With its own words, and not those of a thread that is waited for.
            Err(panic) => panic::resume_unwind(panic),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::error::Failure;

    #[test]
    fn order_is_kept_and_never_more_than_one_waits() {
        for overlapping in [false, true] {
            let (prepared, worked) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let mut seen = Vec::new();
            let prepare = |item: &usize| {
                let ahead = prepared.fetch_add(1, Ordering::SeqCst) - worked.load(Ordering::SeqCst);
                assert!(ahead <= 2, "{ahead} at once");
                item * 10
            };
            one_ahead(0..50, overlapping, prepare, |item, tens| {
                seen.push((item, tens));
                worked.fetch_add(1, Ordering::SeqCst);
                Ok(())
            })
            .unwrap();
            let expected: Vec<_> = (0..50).map(|item| (item, item * 10)).collect();
            assert_eq!(seen, expected);
        }
    }

    #[test]
    fn a_panic_keeps_its_words() {
        for overlapping in [false, true] {
            let caught = panic::catch_unwind(|| {
                let prepare = |item: &u8| assert!(*item < 2, "the third");
                one_ahead(0..9, overlapping, prepare, |_, ()| Ok(()))
            });
            let message = linearscope::panic_message(caught.unwrap_err().as_ref());
            assert!(message.contains("the third"), "{message}");
        }
    }

    #[test]
    fn a_failure_ends_it() {
        for overlapping in [false, true] {
            let mut worked = 0;
            let ended = one_ahead(
                0..,
                overlapping,
                |_| (),
                |item: u64, ()| {
                    worked += 1;
                    match item {
                        3 => Err(Failure::input("the fourth")),
                        _ => Ok(()),
                    }
                },
            );
            assert_eq!(
                (ended.unwrap_err().message.as_str(), worked),
                ("the fourth", 4)
            );
        }
    }
}
