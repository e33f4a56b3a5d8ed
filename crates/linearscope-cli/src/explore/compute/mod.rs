//! The thread that computes: one question at a time, on all cores.

mod along;
mod attacked;
mod fields;
pub(super) mod jobs;
mod mapped;
mod scores;
mod session;
mod triplets;
mod voted;

use std::{
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::http::StatusCode;
use linearscope::Interrupt;
use linearscope_analysis::{LinearOperator, Progress, operator::Field};

use super::{
    answer::Answer,
    asked::{Asked, Known, Of, What},
    desk::Desk,
    points::Point,
    queue::Ticket,
    refusal::Refusal,
    routes::Shared,
    stream::Reply,
};
use crate::{console, error::Failure, segments::LabelMap, subject::Subject, task::Task};

/// How long anything may take.
const LONGEST: Duration = Duration::from_secs(3600);

/// What hears how far a computation is, and may end it.
type Observed<'a> = &'a mut dyn FnMut(&Progress) -> ControlFlow<()>;

/// A question in the hands of the thread that computes.
struct Question<'a> {
    point: &'a Point,
    /// The network, stopped when nobody waits any more.
    subject: &'a Subject,
    observer: Observed<'a>,
}

/// Answer questions until the server ends.
pub(crate) fn work(shared: &Arc<Shared>) {
    // What every page asks first is ready, or on its way, when the browser is. Nobody hears this one.
    let (sender, _) = tokio::sync::oneshot::channel();
    answer(
        shared,
        Ticket {
            asked: Asked {
                of: Of::default(),
                what: What::Session,
            },
            reply: Reply::Whole(sender),
            interrupt: Interrupt::new(),
            hover: None,
        },
    );
    while let Some(ticket) = shared.queue.next() {
        answer(shared, ticket);
    }
}

fn answer(shared: &Shared, ticket: Ticket) {
    let Ticket {
        asked,
        mut reply,
        interrupt,
        ..
    } = ticket;
    let before = shared.running(Some(interrupt.clone()));
    let job = asked.what.is_job();
    let began = Instant::now();
    let observer = &mut |at: &Progress| {
        if job {
            reply.tell(at);
            // The pointer moves on while a job works.
            while let Some(short) = shared.queue.next_short() {
                answer(shared, short);
            }
        }
        let late = began.elapsed() > LONGEST;
        match interrupt.is_stopped() || console::stopped() || late {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    };
    let made = catch_unwind(AssertUnwindSafe(|| {
        kept(&shared.desk, &asked, &interrupt, observer)
    }));
    let made = made.unwrap_or_else(|panic| {
        let bug = crate::bug(&linearscope::panic_message(panic.as_ref()));
        console::notice(&bug.one_line());
        Err(bug.into())
    });
    shared.running(before);
    reply.finish(made);
}

/// The answer that is kept, or else computed and kept.
fn kept(
    desk: &Desk,
    asked: &Asked,
    interrupt: &Interrupt,
    observer: Observed<'_>,
) -> Result<Answer, Refusal> {
    let key = asked.key();
    // An equal question may have come before it in the queue.
    if desk.jobs.holds(asked)
        && let Some(answer) = desk.cached(&key)
    {
        return Ok(answer);
    }
    let began = Instant::now();
    let point = desk.points.get(&asked.of, &desk.jobs, interrupt);
    // A freezing says what it does, on a terminal.
    console::clear();
    let point = point?;
    let subject = point.subject.with_interrupt(interrupt);
    let question = Question {
        point: &point,
        subject: &subject,
        observer,
    };
    let mut made = of(desk, asked, question, interrupt)?;
    made.say(
        "linearscope-ms",
        format!("{:.1}", 1e3 * began.elapsed().as_secs_f64()),
    );
    desk.keep(key, made.clone());
    Ok(made)
}

fn of(
    desk: &Desk,
    asked: &Asked,
    question: Question<'_>,
    interrupt: &Interrupt,
) -> Result<Answer, Refusal> {
    match &asked.what {
        What::Session => session::session(desk, &asked.of, interrupt),
        What::Array(known) => question.array(*known),
        What::Picture(known) => question.picture(*known),
        What::Field { field, at } => question.field(*field, at),
        What::Attribution(map) => question.attribution(map),
        What::Attributing(map) => {
            let asked = Asked {
                of: asked.of.clone(),
                what: What::Attribution(map.clone()),
            };
            let found = match desk.cached(&asked.key()) {
                Some(found) => found,
                None => question.attribution(map)?,
            };
            desk.keep(asked.key(), found.clone());
            Ok(found.said())
        }
        What::Contributions { target } => question.contributions(target),
        What::Layer { name, target } => question.layer(name, target),
        What::Svd { k } => question.svd(asked, *k, &desk.jobs),
        What::Vector { k, side, i } => question.vector((&asked.of, *k), *side, *i, &desk.jobs),
        What::SvdSum { k, pairs } => question.sum((&asked.of, *k), *pairs, &desk.jobs),
        What::Votes => question.votes(asked, &desk.jobs),
        What::VoteMap => question.vote_map(&asked.of, &desk.jobs),
        What::Fields { step } => question.fields(*step),
        What::Validity { towards } => question.validity(desk, &asked.of, towards),
        What::Along { towards, t } => question.along(desk, &asked.of, towards, *t),
        What::Attack { eps } => question.attack(asked, *eps, &desk.jobs),
        What::AttackPicture { eps } => question.attacked(&asked.of, *eps, &desk.jobs),
    }
}

/// The answer to one question, here and now.
pub(super) fn ask(desk: &Desk, asked: &Asked, observer: Observed<'_>) -> Result<Answer, Refusal> {
    kept(desk, asked, &console::interrupt(), observer)
}

/// The rows or columns of places of the network that was started with: each the answer to its own question, bit by bit,
/// all of them computed together.
pub(super) fn fields(
    desk: &Desk,
    field: Field,
    at: &[String],
    observer: Observed<'_>,
) -> Result<Vec<Answer>, Refusal> {
    let point = desk.points.first(0);
    let question = Question {
        point,
        subject: &point.subject,
        observer,
    };
    question.fields_at(field, at)
}

impl Question<'_> {
    fn array(&self, known: Known) -> Result<Answer, Refusal> {
        let (point, frozen) = (self.point, &self.subject.frozen);
        let (input, output) = (frozen.input_shape(), frozen.output_shape());
        let precision = self.subject.precision;
        match known {
            Known::X0 => Answer::array(&point.x0, input, precision),
            Known::Y0 => Answer::array(&point.y0, output, precision),
            Known::Residual => {
                let residual = self.subject.numbers(frozen.residual()?)?;
                Answer::array(&residual, output, precision)
            }
            Known::Classes => {
                let labels = match self.subject.task {
                    Some(Task::Segmenter) => LabelMap::new(&point.y0, output),
                    _ => None,
                };
                let Some(labels) = labels else {
                    return Err(absent("only segmenters have a map of classes"));
                };
                Answer::whole(&labels.of, &labels.size)
            }
        }
    }

    fn picture(&self, known: Known) -> Result<Answer, Refusal> {
        let (point, frozen) = (self.point, &self.subject.frozen);
        let painter = &self.subject.painter;
        let raster = match known {
            Known::X0 => painter.input(&point.x0, frozen.input_shape()),
            Known::Y0 => painter.output(&point.y0, frozen.output_shape()),
            _ => None,
        };
        let raster = raster.ok_or_else(|| absent("this is not a picture"))?;
        Ok(Answer::png(raster.to_png().map_err(Failure::from)?))
    }
}

/// What this network has none of.
fn absent(message: &str) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, message)
}
