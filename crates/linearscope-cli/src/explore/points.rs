//! The frozen networks of a session: those of the command line, and those that requests make of them by other rules or
//! up to another node.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use serde_json::{Map, Value};

use super::{asked::Of, compute::jobs::Kept, refusal::Refusal};
use crate::{
    args::Common,
    command::About,
    error::Result,
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
            nets.push(Net {
                common: common.clone(),
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
            let recorded = net.first.subject.frozen.recorded_for("another output")?;
            recorded.node(node).map_err(|_| {
                Refusal::new(StatusCode::NOT_FOUND, format!("to={node}: no such node"))
                    .hint("/api/session lists the nodes")
            })?;
        }
        Ok(())
    }

    /// The frozen network that is asked about; made where it is not there. Cost: then a freezing, and up to another node
    /// the model read once more.
    pub(crate) fn get(&self, of: &Of, jobs: &Kept) -> Result<Arc<Point>, Refusal> {
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
            let before = self.get(&before, jobs)?;
            let subject = before.subject.at(x)?;
            return self.keep(of, Point::of(subject, before.facts.clone())?);
        }
        let made = match &of.to {
            None => {
                let mut opened = net.opened.lock().unwrap_or_else(PoisonError::into_inner);
                by_rules(&mut opened, &net.common, of)?
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
                let made = by_rules(&mut opened, &net.common, of);
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
        let made = Point::of(made.subject, made.facts)?;
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
fn by_rules(opened: &mut Opened, common: &Common, of: &Of) -> Result<Looked> {
    let own = common.freezing.rules.clone();
    opened.set_rules(of.rules.clone().map_or(own, |name| vec![name]))?;
    opened.look_at(&common.input)
}
