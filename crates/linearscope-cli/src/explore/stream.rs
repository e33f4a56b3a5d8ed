//! How an answer comes back: whole, or for a job line by line.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper::body::{Body, Bytes, Frame};
use linearscope::Interrupt;
use linearscope_analysis::Progress;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::{answer::Answer, refusal::Refusal};

/// How often a job speaks.
const EVERY: Duration = Duration::from_millis(100);

/// Where an answer goes.
pub(crate) enum Reply {
    Whole(oneshot::Sender<Result<Answer, Refusal>>),
    Lines(Lines),
}

impl Reply {
    /// Say why there is no answer.
    pub(crate) fn refuse(self, refusal: Refusal) {
        self.finish(Err(refusal));
    }

    /// The end of it. Nobody may be there to hear it.
    pub(crate) fn finish(self, answer: Result<Answer, Refusal>) {
        match self {
            Self::Whole(sender) => drop(sender.send(answer)),
            Self::Lines(mut lines) => {
                lines.line(&match answer {
                    // What is JSON already goes in as it is: its numbers keep their bits.
                    Ok(answer) => format!("{{\"done\":{}}}", String::from_utf8_lossy(&answer.body)),
                    Err(refusal) => refusal.to_json().to_string(),
                });
            }
        }
    }

    /// How far a job is.
    pub(crate) fn tell(&mut self, at: &Progress) {
        if let Self::Lines(lines) = self {
            lines.tell(at);
        }
    }
}

/// The lines of a job.
pub(crate) struct Lines {
    sender: mpsc::UnboundedSender<Bytes>,
    told: Option<Instant>,
}

impl Lines {
    /// Lines, and the body that they make. The body's end raises the interrupt: so does a client that leaves.
    pub(crate) fn new(interrupt: Interrupt) -> (Self, LineBody) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let lines = Self { sender, told: None };
        (
            lines,
            LineBody {
                receiver,
                interrupt,
            },
        )
    }

    fn line(&mut self, text: &str) {
        let _ = self.sender.send(format!("{text}\n").into());
    }

    fn tell(&mut self, at: &Progress) {
        if self.told.is_some_and(|told| told.elapsed() < EVERY) {
            return;
        }
        self.told = Some(Instant::now());
        self.line(&progress(at).to_string());
    }
}

/// One line of progress.
fn progress(at: &Progress) -> Value {
    let part = match at.of {
        0 => 0.0,
        of => at.done.min(of) as f64 / of as f64,
    };
    let mut said = format!("{}: {} of {}", at.doing, at.done, at.of);
    if at.products > 0 {
        said += &format!(", {} products", at.products);
    }
    json!({ "progress": part, "said": said })
}

/// A body that grows line by line.
pub(crate) struct LineBody {
    receiver: mpsc::UnboundedReceiver<Bytes>,
    interrupt: Interrupt,
}

impl Body for LineBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let line = self.receiver.poll_recv(context);
        line.map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}

impl Drop for LineBody {
    fn drop(&mut self) {
        self.interrupt.stop();
    }
}

/// Raises an interrupt when whoever waits goes.
pub(crate) struct Waiting(pub Interrupt);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.stop();
    }
}
