//! Questions that wait for the thread that computes.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use linearscope::Interrupt;

use super::{asked::Asked, refusal::Refusal, stream::Reply};

/// How many may wait.
pub(crate) const LONGEST: usize = 32;

/// One question on its way.
pub(crate) struct Ticket {
    pub asked: Asked,
    pub reply: Reply,
    /// Raised when nobody waits any more.
    pub interrupt: Interrupt,
    /// Whose pointer it follows: a later one of the same takes its place.
    pub hover: Option<String>,
}

/// The queue. Questions under a pointer come before others, the newest first; jobs come last.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Default)]
struct Waiting {
    tickets: VecDeque<Ticket>,
    closed: bool,
}

/// What became of a ticket that was not taken.
pub(crate) enum Full {
    /// So many wait already.
    Full,
    /// The server ends.
    Closed,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Let a question wait. A waiting one under the same pointer is told that it is superseded.
    pub(crate) fn push(&self, ticket: Ticket) -> Result<(), Full> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(Full::Closed);
        }
        waiting.tickets.retain(|one| !one.interrupt.is_stopped());
        if let Some(client) = &ticket.hover {
            let same = |one: &Ticket| one.hover.as_ref() == Some(client);
            if let Some(old) = waiting.tickets.iter().position(same)
                && let Some(old) = waiting.tickets.remove(old)
            {
                old.reply.refuse(superseded());
            }
        }
        if waiting.tickets.len() >= LONGEST {
            return Err(Full::Full);
        }
        match ticket.hover {
            Some(_) => waiting.tickets.push_front(ticket),
            None => waiting.tickets.push_back(ticket),
        }
        self.wake.notify_one();
        Ok(())
    }

    /// The next question; waits for one. `None` when the server ends.
    pub(crate) fn next(&self) -> Option<Ticket> {
        let mut waiting = self.lock();
        loop {
            if waiting.closed {
                return None;
            }
            if let Some(ticket) = waiting.take(true) {
                return Some(ticket);
            }
            waiting = (self.wake.wait(waiting)).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The next question that is no job, if there is one: what a job makes way for between two steps.
    pub(crate) fn next_short(&self) -> Option<Ticket> {
        self.lock().take(false)
    }

    /// Nothing is taken any more; those that wait are told.
    pub(crate) fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.tickets.clear();
        self.wake.notify_all();
    }
}

impl Waiting {
    /// The first that somebody waits for, jobs after all others.
    fn take(&mut self, jobs: bool) -> Option<Ticket> {
        self.tickets.retain(|one| !one.interrupt.is_stopped());
        let short = |one: &Ticket| !one.asked.what.is_job();
        match self.tickets.iter().position(short) {
            Some(at) => self.tickets.remove(at),
            None if jobs => self.tickets.pop_front(),
            None => None,
        }
    }
}

fn superseded() -> Refusal {
    Refusal::new(axum::http::StatusCode::CONFLICT, "superseded")
        .hint("the pointer has moved on: a newer request replaced this one")
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot::{self, Receiver, error::TryRecvError};

    use super::*;
    use crate::explore::{
        answer::Answer,
        asked::{Known, Of, What},
    };

    type Heard = Receiver<Result<Answer, Refusal>>;

    fn ticket(what: What, hover: Option<&str>) -> (Ticket, Heard) {
        let (sender, receiver) = oneshot::channel();
        let ticket = Ticket {
            asked: Asked {
                of: Of::default(),
                what,
            },
            reply: Reply::Whole(sender),
            interrupt: Interrupt::new(),
            hover: hover.map(String::from),
        };
        (ticket, receiver)
    }

    fn push(queue: &Queue, what: What, hover: Option<&str>) -> Heard {
        let (ticket, heard) = ticket(what, hover);
        assert!(queue.push(ticket).is_ok());
        heard
    }

    fn next(queue: &Queue) -> What {
        queue.next().expect("one waits").asked.what
    }

    const X0: What = What::Array(Known::X0);
    const Y0: What = What::Array(Known::Y0);

    #[test]
    fn pointers_come_first_and_jobs_last() {
        let queue = Queue::default();
        let _kept = [
            push(&queue, What::Votes, None),
            push(&queue, X0, None),
            push(&queue, Y0, None),
            push(&queue, What::Session, Some("a")),
            push(&queue, What::VoteMap, Some("b")),
        ];
        assert_eq!(
            queue.next_short().expect("one waits").asked.what,
            What::VoteMap
        );
        assert_eq!(
            [next(&queue), next(&queue), next(&queue)],
            [What::Session, X0, Y0]
        );
        assert!(queue.next_short().is_none(), "a job is not short");
        assert_eq!(next(&queue), What::Votes);
    }

    #[test]
    fn a_later_question_under_a_pointer_takes_the_place_of_an_earlier_one() {
        let queue = Queue::default();
        let mut first = push(&queue, X0, Some("a"));
        let mut other = push(&queue, X0, Some("b"));
        let mut second = push(&queue, Y0, Some("a"));
        let refusal = first.try_recv().expect("told").expect_err("superseded");
        assert_eq!(refusal.status.as_u16(), 409);
        assert_eq!([next(&queue), next(&queue)], [Y0, X0]);
        // Nobody told these two anything: their tickets went with their replies.
        for heard in [&mut other, &mut second] {
            assert_eq!(heard.try_recv().map(|_| ()), Err(TryRecvError::Closed));
        }
    }

    #[test]
    fn who_left_takes_no_place() {
        let queue = Queue::default();
        let mut waiting = Vec::new();
        for _ in 0..LONGEST {
            let (ticket, heard) = ticket(X0, None);
            waiting.push((ticket.interrupt.clone(), heard));
            assert!(queue.push(ticket).is_ok());
        }
        let (one_more, _heard) = ticket(Y0, None);
        assert!(matches!(queue.push(one_more), Err(Full::Full)));
        for (interrupt, _) in &waiting {
            interrupt.stop();
        }
        let _heard = push(&queue, Y0, None);
        assert_eq!(next(&queue), Y0, "what nobody waits for is not begun");
        queue.close();
        assert!(queue.next().is_none());
        assert!(matches!(queue.push(ticket(X0, None).0), Err(Full::Closed)));
    }
}
