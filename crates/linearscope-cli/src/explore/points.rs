//! The frozen networks of a session: those of the command line, and those that requests make of them by other rules or
//! up to another node.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use linearscope::Interrupt;
use serde_json::{Map, Value};

use super::{asked::Of, compute::jobs::Kept, refusal::Refusal};
use crate::{
    args::Common,
    command::About,
    console,
    error::Result,
    model,
    opened::{Looked, Opened},
    results::sha256,
    subject::Subject,
};

/// Other freezings that are kept, the last used first. Each takes the memory of its decisions, those up to another node
/// that of the weights too.
const KEPT: usize = 3;

/// A network frozen at x₀, with the numbers of both ends at hand.
pub(crate) struct Point {
    pub subject: Subject,
    /// Flat, in the precision of the run.
    pub x0: Vec<f64>,
    pub y0: Vec<f64>,
    /// What a manifest would say.
    pub facts: Map<String, Value>,
}

impl Point {
    fn of(subject: Subject, facts: Map<String, Value>) -> Result<Self> {
        Ok(Self {
            x0: subject.numbers(subject.frozen.x0())?,
            y0: subject.numbers(subject.frozen.reference())?,
            subject,
            facts,
        })
    }

    /// What one question has frozen, for those that come after it: they outlive its interrupt.
    fn lasting(subject: Subject, facts: Map<String, Value>) -> Result<Self> {
        Self::of(subject.with_interrupt(&console::interrupt()), facts)
    }
}

/// One of the networks, or pictures, that were given.
struct Net {
    common: Common,
    opened: Mutex<Opened>,
    first: Arc<Point>,
}

/// All of them.
pub(crate) struct Points {
    about: &'static About,
    nets: Vec<Net>,
    key: String,
    /// The last used first.
    others: Mutex<Vec<(Of, Arc<Point>)>>,
    /// Networks up to another node, the last used first: other rules freeze them again without another look at the file.
    ended: Mutex<Vec<(usize, String, Opened)>>,
}

impl Points {
    /// Open and freeze what the command line names: one network at one picture, or two to compare.
    pub(crate) fn new(about: &'static About, all: &[Common]) -> Result<Self> {
        let mut nets = Vec::new();
        let mut keys = String::new();
        for common in all {
            let mut opened = Opened::new(about, common, Value::Null)?;
            // Beside all that may be kept.
            opened.share_of(all.len() + KEPT);
            let Looked { subject, facts, .. } = opened.look_at(&common.input)?;
            let first = Arc::new(Point::of(subject, facts)?);
            keys += &opened.key(&common.input)?;
            let mut common = common.clone();
            // What `auto` has become: for another node it is not to become another.
            common.freezing.device = opened.device_name().into();
            nets.push(Net {
                common,
                opened: Mutex::new(opened),
                first,
            });
        }
        Ok(Self {
            about,
            nets,
            key: sha256(keys.as_bytes())[..16].into(),
            others: Mutex::default(),
            ended: Mutex::default(),
        })
    }

    /// What tells this session from others: the models, the pictures, and every flag that decides a number.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn len(&self) -> usize {
        self.nets.len()
    }

    /// The network as the command line has it.
    pub(crate) fn first(&self, net: usize) -> &Arc<Point> {
        &self.nets[net].first
    }

    pub(crate) fn common(&self, net: usize) -> &Common {
        &self.nets[net].common
    }

    /// Whether there is such a network, without any work.
    pub(crate) fn check(&self, of: &Of) -> Result<(), Refusal> {
        let Some(net) = self.nets.get(of.net) else {
            return Err(Refusal::new(
                StatusCode::NOT_FOUND,
                format!("net={}: no such network", of.net),
            )
            .hint("pass a second one with --compare-model or --compare-input"));
        };
        if let Some(node) = &of.to {
            if model::is_zoo(&net.common.model) {
                let said = format!("to={node}: networks of the zoo have one output");
                return Err(Refusal::new(StatusCode::NOT_FOUND, said)
                    .hint("export the network to .onnx to read up to a node"));
            }
            let recorded = net.first.subject.frozen.recorded_for("another output")?;
            recorded.node(node).map_err(|_| {
                Refusal::new(StatusCode::NOT_FOUND, format!("to={node}: no such node"))
                    .hint("/api/session lists the nodes")
            })?;
        }
        Ok(())
    }

    /// The frozen network that is asked about; made where it is not there, unless `interrupt` is raised meanwhile: then
    /// nothing is kept but the file, if it was read. Cost: then a freezing, and up to another node the model read once
    /// more.
    pub(crate) fn get(
        &self,
        of: &Of,
        jobs: &Kept,
        interrupt: &Interrupt,
    ) -> Result<Arc<Point>, Refusal> {
        let net = &self.nets[of.net];
        let first = Of {
            net: of.net,
            ..Of::default()
        };
        if *of == first {
            return Ok(net.first.clone());
        }
        if let Some(found) = self.known(of) {
            return Ok(found);
        }
        if let Some(eps) = of.attacked {
            let before = Of {
                attacked: None,
                ..of.clone()
            };
            let x = jobs.attacked(&before, eps)?.x.clone();
            let before = self.get(&before, jobs, interrupt)?;
            let subject = before.subject.with_interrupt(interrupt).at(x)?;
            return self.keep(of, Point::lasting(subject, before.facts.clone())?);
        }
        let made = match &of.to {
            None => {
                let mut opened = net.opened.lock().unwrap_or_else(PoisonError::into_inner);
                by_rules(&mut opened, &net.common, of, interrupt)?
            }
            Some(node) => {
                let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
                let at = ended
                    .iter()
                    .position(|(net, to, _)| (net, to) == (&of.net, node));
                let (_, _, mut opened) = match at {
                    Some(at) => ended.remove(at),
                    None => {
                        let mut common = net.common.clone();
                        common.ends.output = Some(node.clone());
                        let mut opened = Opened::new(self.about, &common, Value::Null)?;
                        opened.share_of(self.nets.len() + KEPT);
                        (of.net, node.clone(), opened)
                    }
                };
                let made = by_rules(&mut opened, &net.common, of, interrupt);
                ended.insert(0, (of.net, node.clone(), opened));
                ended.truncate(KEPT);
                made?
            }
        };
        for what in ["model", "input"] {
            if made.facts[what]["sha256"] == net.first.facts[what]["sha256"] {
                continue;
            }
            return Err(changed(&made.facts[what]["file"].to_string(), self));
        }
        let made = Point::lasting(made.subject, made.facts)?;
        if made.x0 != net.first.x0 {
            return Err(changed("the preprocessing", self));
        }
        self.keep(of, made)
    }

    fn keep(&self, of: &Of, made: Point) -> Result<Arc<Point>, Refusal> {
        let made = Arc::new(made);
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        others.insert(0, (of.clone(), made.clone()));
        others.truncate(KEPT);
        Ok(made)
    }

    fn known(&self, of: &Of) -> Option<Arc<Point>> {
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let at = others.iter().position(|(known, _)| known == of)?;
        let found = others.remove(at);
        let point = found.1.clone();
        others.insert(0, found);
        Some(point)
    }
}

/// What was there when the explorer began is there no more. What was opened since then is forgotten, so that it is read
/// once more when it is requested again.
fn changed(what: &str, points: &Points) -> Refusal {
    let mut ended = points.ended.lock().unwrap_or_else(PoisonError::into_inner);
    ended.clear();
    Refusal::new(
        StatusCode::CONFLICT,
        format!("{what} has changed since the explorer started"),
    )
    .hint("restart the explorer")
}

/// Frozen at x₀ by the rules of the request, or those of the command line.
fn by_rules(
    opened: &mut Opened,
    common: &Common,
    of: &Of,
    interrupt: &Interrupt,
) -> Result<Looked> {
    let own = common.freezing.rules.clone();
    opened.set_rules(of.rules.clone().map_or(own, |name| vec![name]))?;
    opened.look_at_until(&common.input, interrupt)
}

#[cfg(test)]
mod tests {
    use std::{ops::ControlFlow, rc::Rc};

    use clap::Parser;
    use linearscope_analysis::Progress;
    use linearscope_test_support::assets;

    use super::*;
    use crate::{
        commands::maps::ABOUT,
        console::{Listener, heard_by},
        explore::{
            asked::{Asked, Eps, What},
            compute,
            desk::Desk,
        },
    };

    /// What every command takes.
    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        common: Common,
    }

    /// The desk of the network with all kinds of ops.
    fn desk() -> Desk {
        let path = |name: &str| assets().join(name).display().to_string();
        let words = [
            "linearscope".into(),
            path("tiny_ops/tiny_ops.onnx"),
            "--input".into(),
            path("tiny_ops/input.npy"),
        ];
        let common = Line::try_parse_from(words).expect("a command line").common;
        Desk::new(Points::new(ABOUT, &[common]).expect("frozen"))
    }

    /// Who leaves as soon as the network is run.
    struct Leaves(Interrupt);

    impl Listener for Leaves {
        fn interrupt(&self) -> Interrupt {
            Interrupt::new()
        }

        fn step(&self, text: &str) {
            if text == "freezing" {
                self.0.stop();
            }
        }

        fn notice(&self, _: &str) {}

        fn progress(&self, _: &Progress) -> ControlFlow<()> {
            ControlFlow::Continue(())
        }
    }

    /// Refused as a question that nobody waits for, and not kept.
    fn is_stopped(desk: &Desk, of: &Of, interrupt: &Interrupt) {
        let refused = desk.points.get(of, &desk.jobs, interrupt).map(|_| ());
        let refused = refused.expect_err("nobody waits for it");
        let status = StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(refused.status, status, "{of:?}: {}", refused.message);
        assert!(desk.points.known(of).is_none(), "{of:?} is kept");
    }

    /// It is made for the next one who asks, and stays good when that one has left, too.
    fn is_made(desk: &Desk, of: &Of) {
        let interrupt = Interrupt::new();
        let made = desk.points.get(of, &desk.jobs, &interrupt);
        let made = made.unwrap_or_else(|refused| panic!("{of:?}: {}", refused.message));
        interrupt.stop();
        let residual = made.subject.frozen.residual();
        assert!(residual.is_ok(), "{of:?}: {:?}", residual.err());
        let again = desk.points.get(of, &desk.jobs, &interrupt);
        let again = again.unwrap_or_else(|refused| panic!("{of:?}: {}", refused.message));
        assert!(Arc::ptr_eq(&made, &again), "{of:?} was frozen again");
    }

    #[test]
    fn freezings_stop_with_their_question() {
        let desk = desk();
        let frozen = &desk.points.first(0).subject.frozen;
        let program = frozen.recorded().expect("recorded").program();
        let names: Vec<&str> = program.place_names().collect();
        let middle = Some(names[names.len() / 2].to_string());
        for (rules, to) in [
            (Some("taylor"), None),
            (None, middle.clone()),
            (Some("paper"), middle),
        ] {
            let of = Of {
                rules: rules.map(String::from),
                to,
                ..Of::default()
            };
            let interrupt = Interrupt::new();
            heard_by(Rc::new(Leaves(interrupt.clone())), || {
                is_stopped(&desk, &of, &interrupt);
            });
            assert!(interrupt.is_stopped(), "{of:?} was never run");
            is_made(&desk, &of);
        }
    }

    #[test]
    fn freezings_after_an_attack_stop_with_their_question() {
        let desk = desk();
        let eps = Eps::new(0.01).expect("an ε");
        let attack = Asked {
            of: Of::default(),
            what: What::Attack { eps },
        };
        let made = compute::ask(&desk, &attack, &mut |_| ControlFlow::Continue(()));
        assert!(made.is_ok(), "{:?}", made.err());
        let of = Of {
            attacked: Some(eps),
            ..Of::default()
        };
        let left = Interrupt::new();
        left.stop();
        is_stopped(&desk, &of, &left);
        is_made(&desk, &of);
    }
}
