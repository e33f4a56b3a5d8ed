//! What may be asked, read from a path and its parameters. An equal question has an equal answer, bit by bit.

use linearscope_analysis::{attribution::Method, operator::Field};

use serde::Serialize;

use super::{params::Params, refusal::Refusal};

/// A question: about which network, frozen how, and what.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    pub of: Of,
    pub what: What,
}

/// Which frozen network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Of {
    /// The first, or the one it is compared with.
    pub net: usize,
    /// A node that is made the output.
    pub to: Option<String>,
    /// A preset of rules; `None`: those of the command line.
    pub rules: Option<String>,
    /// At the picture that an attack of this ε has made, instead of x₀.
    pub attacked: Option<Eps>,
}

/// ε, greater than 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Eps(f64);

// No NaN is an ε.
impl Eq for Eps {}

impl Eps {
    pub(super) fn new(eps: f64) -> Result<Self, Refusal> {
        match eps > 0.0 && eps <= 255.0 {
            true => Ok(Self(eps)),
            false => Err(Refusal::bad(format!(
                "{eps}: ε must be greater than 0 and at most 255"
            ))),
        }
    }

    pub(crate) fn get(self) -> f64 {
        self.0
    }
}

/// An array of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    X0,
    Y0,
    Residual,
    /// Of a segmenter: the class that wins at each place.
    Classes,
}

/// A picture that says nothing, to go towards.
const TOWARDS: &[&str] = &["black", "white", "mean", "blur", "zeros", "noise", "other"];
/// Those that an attribution may be measured from; files are for the command line alone.
const BASELINES: &[&str] = &["black", "white", "mean", "blur", "zeros"];

/// A map of what each pixel adds to a score.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Map {
    pub target: String,
    pub method: Method,
    /// What scores are measured from; `None`: the usual.
    pub baseline: Option<String>,
}

impl Map {
    fn of(params: &mut Params) -> Result<Self, Refusal> {
        let text = params.text("method");
        let method = text.as_deref().unwrap_or("conserving");
        Ok(Self {
            target: target(params),
            method: method
                .parse()
                .map_err(|why: String| Refusal::bad(format!("method={method}: {why}")))?,
            baseline: match params.text("baseline") {
                Some(text) => Some(one_of("baseline", text, BASELINES)?),
                None => None,
            },
        })
    }
}

/// What is asked of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    Session,
    Array(Known),
    /// x₀ or f(x₀) as a PNG.
    Picture(Known),
    Field {
        field: Field,
        at: String,
    },
    Attribution(Map),
    /// The same, told line by line; the map is there afterwards.
    Attributing(Map),
    Contributions {
        target: String,
    },
    Layer {
        name: String,
        target: String,
    },
    Svd {
        k: usize,
    },
    /// u or v of one triplet.
    Vector {
        k: usize,
        side: Field,
        i: usize,
    },
    /// What the first pairs let through of x₀.
    SvdSum {
        k: usize,
        pairs: usize,
    },
    Votes,
    /// The class of each pixel.
    VoteMap,
    Fields {
        step: Option<usize>,
    },
    Validity {
        towards: String,
    },
    Along {
        towards: String,
        t: f64,
    },
    Attack {
        eps: Eps,
    },
    AttackPicture {
        eps: Eps,
    },
}

impl What {
    /// Whether it may take long, and is answered line by line.
    pub(crate) fn is_job(&self) -> bool {
        matches!(
            self,
            Self::Attributing(_)
                | Self::Svd { .. }
                | Self::Votes
                | Self::Fields { .. }
                | Self::Validity { .. }
                | Self::Attack { .. }
        )
    }
}

/// The most triplets, of which the bases are kept.
const TRIPLETS: usize = 64;

/// The presets that a request may name. Files and entries are for the command line alone.
fn rules(text: Option<String>) -> Result<Option<String>, Refusal> {
    let known: Vec<&str> = linearscope::PRESETS.iter().map(|(name, _)| *name).collect();
    match text {
        Some(text) if text == "default" => Ok(None),
        Some(text) if !known.contains(&&text[..]) => {
            Err(Refusal::bad(format!("rules={text}: no such preset"))
                .hint(format!("default, {}", known.join(", "))))
        }
        text => Ok(text),
    }
}

/// A place: `c,y,x`, or with `region=y0,x0,y1,x1` the channel alone.
fn place(params: &mut Params) -> Result<String, Refusal> {
    let Some(region) = params.text("region") else {
        return params.needed("at", "all,40,40");
    };
    let channel = params
        .text("at")
        .or(params.text("c"))
        .unwrap_or_else(|| "all".into());
    let ends: Vec<usize> = region
        .split(',')
        .filter_map(|part| part.parse().ok())
        .collect();
    match (&ends[..], region.split(',').count(), channel.contains(',')) {
        (&[y0, x0, y1, x1], 4, false) => Ok(format!("{channel},{y0}..{y1},{x0}..{x1}")),
        _ => Err(Refusal::bad(format!("region={region}: not a valid region"))
            .hint("give region=y0,x0,y1,x1 with c=CHANNEL or c=all")),
    }
}

fn target(params: &mut Params) -> String {
    params.text("target").unwrap_or_else(|| "top1".into())
}

fn triplets(params: &mut Params) -> Result<usize, Refusal> {
    let k = params.number::<u32>("k")?.unwrap_or(8) as usize;
    match (1..=TRIPLETS).contains(&k) {
        true => Ok(k),
        false => Err(Refusal::bad(format!("k={k}: must be from 1 to {TRIPLETS}"))
            .hint("use linearscope svd, which has no such limit")),
    }
}

/// Towards what; `to=black` is as good as `towards=black`, as no node is asked for besides.
fn towards(params: &mut Params, of: &mut Of) -> Result<String, Refusal> {
    let text = params.text("towards").or_else(|| of.to.take());
    one_of("towards", text.unwrap_or_else(|| "black".into()), TOWARDS)
}

fn one_of(name: &str, text: String, known: &[&str]) -> Result<String, Refusal> {
    match known.contains(&&text[..]) {
        true => Ok(text),
        false => {
            Err(Refusal::bad(format!("{name}={text}: no such picture")).hint(known.join(", ")))
        }
    }
}

fn eps(params: &mut Params) -> Result<Eps, Refusal> {
    Eps::new(params.number("eps")?.unwrap_or(2.0))
}

impl Asked {
    /// The question of a path below `/api/`; what it does not take stays in the parameters.
    pub(crate) fn of(path: &str, params: &mut Params) -> Result<Self, Refusal> {
        let mut of = Of {
            net: params.number::<u32>("net")?.unwrap_or(0) as usize,
            rules: rules(params.text("rules"))?,
            to: params.text("to"),
            attacked: params.number("attacked")?.map(Eps::new).transpose()?,
        };
        let what = match path {
            "session" => What::Session,
            "array/x0" => What::Array(Known::X0),
            "array/y0" => What::Array(Known::Y0),
            "array/residual" => What::Array(Known::Residual),
            "array/classes" => What::Array(Known::Classes),
            "picture/x0.png" => What::Picture(Known::X0),
            "picture/y0.png" => What::Picture(Known::Y0),
            "row" | "column" => What::Field {
                field: match path {
                    "row" => Field::Row,
                    _ => Field::Column,
                },
                at: place(params)?,
            },
            "attribution" | "attribution/job" => {
                let map = Map::of(params)?;
                match path {
                    "attribution" => What::Attribution(map),
                    _ => What::Attributing(map),
                }
            }
            "contributions" => What::Contributions {
                target: target(params),
            },
            "layer" => What::Layer {
                name: params.needed("name", "features.0")?,
                target: target(params),
            },
            "svd" => What::Svd {
                k: triplets(params)?,
            },
            "svd/u" | "svd/v" => {
                let (k, i) = (triplets(params)?, params.number::<u32>("i")?.unwrap_or(0));
                if i as usize >= k {
                    return Err(Refusal::bad(format!(
                        "i={i}: with k={k}, must be from 0 to {}",
                        k - 1
                    )));
                }
                let side = match path {
                    "svd/u" => Field::Column,
                    _ => Field::Row,
                };
                What::Vector {
                    k,
                    side,
                    i: i as usize,
                }
            }
            "svd/sum" => {
                let k = triplets(params)?;
                let pairs = params
                    .number::<u32>("pairs")?
                    .map_or(k, |pairs| pairs as usize);
                if pairs > k {
                    return Err(Refusal::bad(format!(
                        "pairs={pairs}: out of range for k={k}"
                    )));
                }
                What::SvdSum { k, pairs }
            }
            "votes" => What::Votes,
            "votes/map" => What::VoteMap,
            "fields" => What::Fields {
                step: match params.number::<u32>("step")? {
                    Some(0) => return Err(Refusal::bad("step=0: must be at least 1")),
                    step => step.map(|step| step as usize),
                },
            },
            "validity" => What::Validity {
                towards: towards(params, &mut of)?,
            },
            "along" => What::Along {
                towards: towards(params, &mut of)?,
                t: match params.number::<f64>("t")?.unwrap_or(1.0) {
                    t if (0.0..=1.0).contains(&t) => t,
                    t => {
                        return Err(Refusal::bad(format!(
                            "t={t}: must be from 0 (at x₀) to 1 (at the end)"
                        )));
                    }
                },
            },
            "attack" => What::Attack { eps: eps(params)? },
            "attack/picture" => What::AttackPicture { eps: eps(params)? },
            _ => {
                return Err(Refusal::new(
                    axum::http::StatusCode::NOT_FOUND,
                    format!("no such endpoint: /api/{path}"),
                )
                .hint("see docs/book/src/explorer.md for a list"));
            }
        };
        Ok(Self { of, what })
    }

    /// Its name in the cache.
    pub(crate) fn key(&self) -> String {
        format!("{self:?}")
    }
}
