//! What a validity radius claims, held against the network itself.
//!
//! A radius t along d says: f(x₀ + s d) = F (x₀ + s d) + r for every 0 ≤ s < t. Here f is run, not read,
//! at many s of several directions, so that a claim that is false is seen whatever the network is made
//! of. Just beyond the radius something has to differ where a network's every flip is heard in its
//! output.

use burn::{
    module::Module,
    tensor::{Device, FloatDType, Tensor, TensorData},
};
use linearscope::{Error, Network, RuleSet};
use linearscope_analysis::{
    Error as AnalysisError, FrozenNetwork, LinearOperator, noise, validity::radii, vectors::read,
};

/// What |f − (F x + r)| may be within a radius, of the size of what is compared.
const WITHIN: f64 = 1e-11;

/// What it has to be a thousandth beyond.
const BEYOND: f64 = 1e-8;

/// Where between x₀ and the radius the network is run, in parts of the radius.
const PARTS: [f64; 15] = [
    1e-6, 1e-3, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99, 0.999,
];

/// Where it is run if nothing is said to flip ever.
const FOR_EVER: [f64; 13] = [
    1e-6, 1e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0,
];

/// A module without parameters.
#[derive(Module, Debug)]
struct Nothing {}

/// A network of one tensor.
///
/// # Panics
/// When it is not captured, which is a mistake.
pub fn captured<const D: usize, const E: usize>(
    shape: [usize; D],
    f: impl FnOnce(Tensor<D>) -> Tensor<E>,
) -> Network {
    let network = Network::capture(&Nothing {}, |_, ports| {
        let x = ports.input("x", shape);
        ports.output("y", f(x));
    });
    network.expect("captures")
}

/// What is the right answer to the question for a network's radii.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Radii, some of them finite, and every flip is heard: just beyond f is another.
    Exact,
    /// Radii; a flip need not be heard.
    Radii,
    /// Radii, all infinite.
    Endless,
    /// A refusal that names an op that decides.
    Refusal,
    /// Radii or a refusal.
    Either,
}

/// A network frozen at x₀, and what it should say of itself.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// What failures call it.
    pub name: &'a str,
    /// The network.
    pub network: Network,
    /// x₀, flat.
    pub x0: Vec<f64>,
    /// What it is frozen by.
    pub rules: RuleSet,
    /// The right answer.
    pub answer: Answer,
    /// How the names of the nodes begin that may flip first, or be why there is no radius.
    pub deciders: &'a [&'a str],
}

/// What a network said of itself, and it was true.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// No radius.
    Refused {
        /// Which node's fault it is.
        node: String,
    },
    /// Radii.
    Radii(Vec<f64>),
}

/// |f(x) − (F x + r)|, the largest entry, and the size of what is compared.
#[derive(Clone, Copy, Debug)]
struct Gap {
    gap: f64,
    size: f64,
}

fn largest(values: impl IntoIterator<Item = f64>) -> f64 {
    // NaN is the largest of all.
    values.into_iter().fold(0.0, |most, v| match v.abs() {
        v if v > most || v.is_nan() => v,
        _ => most,
    })
}

impl Case<'_> {
    fn directions(&self) -> Vec<(String, Vec<f64>)> {
        let n = self.x0.len();
        let random = (0..6).map(|seed| (format!("noise {seed}"), noise(n, 700 + seed)));
        let along = [("x0", 1.0), ("-x0", -1.0)].map(|(name, sign)| {
            let d = self.x0.iter().map(|x| sign * x).collect();
            (name.to_string(), d)
        });
        random.chain(along).collect()
    }

    /// Hold what the network says of itself against what it does.
    ///
    /// # Errors
    /// What is wrong: network, direction, t, and by how much.
    ///
    /// # Panics
    /// When the network cannot be run at all.
    pub fn holds(&self) -> Result<Said, String> {
        let name = self.name;
        let shape = self.network.inputs()[0].shape.to_vec();
        let (device, n) = (Device::flex(), self.x0.len());
        let data = |x: Vec<f64>| TensorData::new(x, shape.clone());
        let loaded = FrozenNetwork::load(self.network.clone(), &device, FloatDType::F64)
            .map_err(|error| format!("{name}: does not load: {error}"))?;
        let frozen = FrozenNetwork::new(loaded.clone(), data(self.x0.clone()), self.rules.clone());
        let f = match frozen {
            Ok(f) => f,
            Err(AnalysisError::Engine(Error::NoRule { place, .. }))
                if self.answer == Answer::Either =>
            {
                return Ok(Said::Refused { node: place.node });
            }
            Err(error) => return Err(format!("{name}: does not freeze: {error}")),
        };
        let gap = |d: &[f64], t: f64| -> Gap {
            let x: Vec<f64> = self.x0.iter().zip(d).map(|(x, d)| x + t * d).collect();
            let there = FrozenNetwork::forward(&loaded, data(x.clone())).expect("runs");
            let there: Vec<f64> = there.iter::<f64>().collect();
            let affine = f.affine(f.upload(x.clone(), n)).expect("replays");
            let affine = read(affine).expect("reads back");
            let size = largest(there.iter().chain(&affine).chain(&x).copied());
            Gap {
                gap: largest(there.iter().zip(&affine).map(|(a, b)| a - b)),
                size: 1.0 + size,
            }
        };
        let at_x0 = gap(&vec![0.0; n], 0.0);
        if at_x0.gap.is_nan() || at_x0.gap > WITHIN * at_x0.size {
            return Err(format!("{name}: not exact at x0: {at_x0:?}"));
        }

        let directions = self.directions();
        let all: Vec<f64> = directions.iter().flat_map(|(_, d)| d.clone()).collect();
        let found = match radii(&f, f.upload(all, n)) {
            Ok(found) => found,
            Err(AnalysisError::Engine(Error::NotPiecewise { node, .. })) => {
                return self.refused(node);
            }
            Err(error) => return Err(format!("{name}: no radii: {error}")),
        };
        if self.answer == Answer::Refusal {
            let radii = &found.radii;
            return Err(format!(
                "{name}: it is curved, and radii are claimed: {radii:?}"
            ));
        }
        for (j, (along, d)) in directions.iter().enumerate() {
            let (t, by) = (found.radii[j], &found.by[j]);
            if t.is_nan() || t <= 0.0 {
                return Err(format!("{name}, direction {along}: a radius of {t}"));
            }
            let claim = match t.is_finite() {
                true => format!("nothing flips before t = {t:.6e}, then a unit of {by}"),
                false => "nothing ever flips".to_string(),
            };
            let within: Vec<f64> = match t.is_finite() {
                true => PARTS.iter().map(|part| part * t).collect(),
                false => FOR_EVER.to_vec(),
            };
            for s in within {
                let Gap { gap, size } = gap(d, s);
                if gap.is_nan() || gap > WITHIN * size {
                    return Err(format!(
                        "{name}, direction {along}: \"{claim}\" is false: at t = {s:.6e} the reading \
                         is {gap:.3e} off, at size {size:.3}"
                    ));
                }
            }
            if t.is_finite() && !self.decides(by) {
                return Err(format!(
                    "{name}, direction {along}: \"{claim}\", but what decides is {:?}",
                    self.deciders
                ));
            }
            if t.is_finite() && self.answer == Answer::Exact {
                let s = 1.001 * t;
                let Gap { gap, size } = gap(d, s);
                if !gap.is_nan() && gap < BEYOND * size {
                    return Err(format!(
                        "{name}, direction {along}: \"{claim}\", but at t = {s:.6e} the reading is \
                         {gap:.3e} off, at size {size:.3}: the radius ends too early"
                    ));
                }
            }
        }
        let finite = found.radii.iter().filter(|t| t.is_finite()).count();
        match self.answer {
            Answer::Exact if finite == 0 => Err(format!("{name}: nothing flips in any direction")),
            Answer::Endless if finite > 0 => Err(format!(
                "{name}: nothing ever flips, but radii are {:?} by {:?}",
                found.radii, found.by
            )),
            _ => Ok(Said::Radii(found.radii)),
        }
    }

    fn decides(&self, node: &str) -> bool {
        self.deciders.iter().any(|name| node.starts_with(name))
    }

    fn refused(&self, node: String) -> Result<Said, String> {
        let name = self.name;
        if !matches!(self.answer, Answer::Refusal | Answer::Either) {
            return Err(format!(
                "{name}: every decision has its kink, and a radius is refused because of {node}"
            ));
        }
        match self.decides(&node) {
            true => Ok(Said::Refused { node }),
            false => Err(format!(
                "{name}: a radius is refused because of {node}, but what decides is {:?}",
                self.deciders
            )),
        }
    }
}
