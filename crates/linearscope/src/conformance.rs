//! Measures the promises that every interpreter keeps: one implementation for networks, single ops
//! and reports, with the allowed errors as data.

use std::{fmt, sync::Arc};

use burn_backend::{Backend, Shape, TensorData, TensorMetadata, tensor::FloatTensor};

use crate::{
    driver::Loaded,
    error::{Error, Result},
    frozen::{Paired, Recorded},
    host::host,
    interpreter::check_ports,
    random::noise,
};

/// What an interpreter y₁ = F x₁ + r of f at x₀ must provide. Vectors are on the host, in f64, and flat,
/// with several probes one after the other.
pub trait Interpreted {
    /// Its error type.
    type Error: From<Error>;

    /// x₀.
    ///
    /// # Errors
    /// When it cannot be read back, as for all others.
    fn x0(&self) -> Result<Vec<f64>, Self::Error>;

    /// f(x₀) by the network alone, without the interpreter.
    ///
    /// # Errors
    /// When the network does not run.
    fn plain(&self) -> Result<Vec<f64>, Self::Error>;

    /// y₀ of the run that decided.
    ///
    /// # Errors
    /// When it cannot be read back.
    fn reference(&self) -> Result<Vec<f64>, Self::Error>;

    /// F x.
    ///
    /// # Errors
    /// When x does not fit.
    fn apply(&self, x: &[f64]) -> Result<Vec<f64>, Self::Error>;

    /// F x + r.
    ///
    /// # Errors
    /// When x does not fit.
    fn affine(&self, x: &[f64]) -> Result<Vec<f64>, Self::Error>;

    /// Fᵀ y.
    ///
    /// # Errors
    /// When y does not fit, or there is no adjoint.
    fn adjoint(&self, y: &[f64]) -> Result<Vec<f64>, Self::Error>;

    /// F x, with `sources` F x + r, from a run of the network alongside x₀, with no program.
    ///
    /// # Errors
    /// When x does not fit.
    fn paired(&self, x: &[f64], sources: bool) -> Result<Vec<f64>, Self::Error>;
}

/// What an error is divided by: the larger norm of what is compared, but at least …
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Floor {
    /// Nothing more.
    Zero,
    /// … ‖F x₀‖ + ‖r‖: where these cancel, what is left of them cannot be held to its own size.
    Terms,
    /// … this, for networks of weights and inputs of about 1, whose output may vanish.
    Size(f64),
}

/// The allowed errors of [`promises`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allowed {
    /// y₀ against a plain run. 0 is bit by bit.
    pub reference: f64,
    /// y₁ at x₁ = x₀.
    pub exact: f64,
    /// All others.
    pub other: f64,
    /// What they are relative to.
    pub floor: Floor,
}

impl Allowed {
    /// Compare y₀ bit by bit, and the others to within `limit` of the larger norm.
    pub fn bitwise(limit: f64) -> Self {
        Self {
            reference: 0.0,
            exact: limit,
            other: limit,
            floor: Floor::Zero,
        }
    }
}

/// One promise, and how far an interpreter is from keeping it exactly.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The promise in words.
    pub promise: &'static str,
    /// The relative error.
    pub error: f64,
    /// The largest allowed error.
    pub limit: f64,
}

impl Check {
    /// Whether the error is within the limit. NaN is not.
    pub fn holds(&self) -> bool {
        self.error <= self.limit
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            promise,
            error,
            limit,
        } = self;
        write!(f, "{promise}: off by {error:.1e}, allowed is {limit:.0e}")
    }
}

/// Fail if any check does not hold. The error lists those, one per line.
///
/// # Errors
/// If any check does not hold.
pub fn all_hold(checks: &[Check]) -> std::result::Result<(), String> {
    let broken = checks.iter().filter(|check| !check.holds());
    let lines: Vec<String> = broken.map(Check::to_string).collect();
    match lines.is_empty() {
        true => Ok(()),
        false => Err(lines.join("\n")),
    }
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|v| v * v).sum::<f64>().sqrt()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// ‖a − b‖ over the larger of `floor` and both norms; 0 where a = b, NaN where a or b has one, ∞ for
/// vectors of different length.
pub fn gap(a: &[f64], b: &[f64], floor: f64) -> f64 {
    if a.len() != b.len() {
        return f64::INFINITY;
    }
    let difference: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    match norm(&difference) {
        0.0 => 0.0,
        error => error / norm(a).max(norm(b)).max(floor),
    }
}

/// The larger error; NaN is the largest.
fn worst(a: f64, b: f64) -> f64 {
    if a.is_nan() || b <= a { a } else { b }
}

/// The promises at x₀ and along one random direction v, with random u:
///
/// * the reference equals that of a plain run, y₀ = f(x₀);
/// * x₁ = x₀ gives y₁ = y₀, replayed and paired;
/// * y₁ is affine: y₁((x₀ + v)/2) = (y₁(x₀) + y₁(v))/2;
/// * ⟨F v, u⟩ = ⟨v, Fᵀ u⟩, relative to ‖F v‖ ‖u‖;
/// * a paired run gives the same F v and F v + r as a replay.
///
/// The analysis crate checks that contributions sum to the output. Cost: one plain forward pass, two
/// paired runs of three probes together, five products (six with [`Floor::Terms`]), and one adjoint
/// product.
///
/// # Errors
/// The interpreter's own errors.
pub fn promises<F: Interpreted>(f: &F, allowed: &Allowed) -> Result<Vec<Check>, F::Error> {
    let (x0, y0) = (f.x0()?, f.reference()?);
    let floor = match allowed.floor {
        Floor::Zero => 0.0,
        // Not r = y₀ − F x₀, which would take exactness for granted.
        Floor::Terms => norm(&f.apply(&x0)?) + norm(&f.affine(&vec![0.0; x0.len()])?),
        Floor::Size(size) => size,
    };
    let mut checks = Vec::new();
    let mut check = |promise, error, limit| {
        checks.push(Check {
            promise,
            error,
            limit,
        });
    };

    let plain = f.plain()?;
    let bits = |v: &[f64]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    let off = match (allowed.reference, bits(&plain) == bits(&y0)) {
        (_, true) => 0.0,
        // A zero's sign differs, or two NaNs.
        (0.0, false) => worst(gap(&plain, &y0, 0.0), f64::MIN_POSITIVE),
        _ => gap(&plain, &y0, 0.0),
    };
    check(
        "the reference is that of a plain run",
        off,
        allowed.reference,
    );

    let v = noise(x0.len(), 3);
    let beside = f.paired(&[&x0[..], &v].concat(), true)?;
    let (paired_at_x0, paired_at_v) = beside.split_at(beside.len() / 2);
    let at_x0 = f.affine(&x0)?;
    let off = worst(gap(&at_x0, &y0, floor), gap(paired_at_x0, &y0, floor));
    check("x₁ = x₀ gives y₁ = y₀", off, allowed.exact);

    let at_v = f.affine(&v)?;
    let middle = |a: &[f64], b: &[f64]| -> Vec<f64> {
        a.iter().zip(b).map(|(a, b)| 0.5 * (a + b)).collect()
    };
    let size = floor.max(norm(&at_v));
    let off = gap(&f.affine(&middle(&x0, &v))?, &middle(&at_x0, &at_v), size);
    check("y₁ is affine in x₁", off, allowed.other);

    let fv = f.apply(&v)?;
    let u = noise(y0.len(), 4);
    let along = match allowed.floor {
        Floor::Size(size) => norm(&fv).max(size),
        Floor::Zero | Floor::Terms => norm(&fv),
    };
    let off = match (dot(&fv, &u) - dot(&v, &f.adjoint(&u)?)).abs() {
        // F = 0 has both products 0.
        0.0 => 0.0,
        error => error / (along * norm(&u)),
    };
    check("⟨F v, u⟩ = ⟨v, Fᵀ u⟩", off, allowed.other);

    let whole = gap(paired_at_v, &at_v, size);
    let linear = gap(&f.paired(&v, false)?, &fv, size);
    check(
        "a paired run gives what a replay gives",
        worst(whole, linear),
        allowed.other,
    );
    Ok(checks)
}

/// Check that Fᵀ is the transpose of F, entry by entry, relative to the largest entry and to 1. Meant for
/// small networks: it takes a product for every input, and an adjoint product for every output.
///
/// # Errors
/// As [`promises`].
pub fn transposed<F: Interpreted>(f: &F, limit: f64) -> Result<Check, F::Error> {
    let (n, m) = (f.x0()?.len(), f.reference()?.len());
    let identity = |n: usize| {
        let mut eye = vec![0.0; n * n];
        eye.iter_mut().step_by(n + 1).for_each(|v| *v = 1.0);
        eye
    };
    let (columns, rows) = (f.apply(&identity(n))?, f.adjoint(&identity(m))?);
    let largest = columns.iter().fold(1.0f64, |most, v| most.max(v.abs()));
    let error = match columns.len() == n * m && rows.len() == n * m {
        true => (0..m * n)
            .map(|i| (rows[i] - columns[(i % n) * m + i / n]).abs() / largest)
            .fold(0.0, worst),
        false => f64::INFINITY,
    };
    Ok(Check {
        promise: "Fᵀ is the transpose of F",
        error,
        limit,
    })
}

/// A recorded network with one input and one output, to be checked for its [`promises`].
#[derive(Debug)]
pub struct OneToOne<'a, B: Backend> {
    recorded: &'a Recorded<B>,
    x0: FloatTensor<B>,
}

impl<'a, B: Backend> OneToOne<'a, B> {
    /// The network frozen at x₀, `[..input]`.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] with several inputs or outputs.
    pub fn new(recorded: &'a Recorded<B>, x0: FloatTensor<B>) -> Result<Self> {
        check_ports(recorded.loaded().network())?;
        Ok(Self { recorded, x0 })
    }

    fn loaded(&self) -> &Arc<Loaded<B>> {
        self.recorded.loaded()
    }

    /// `[k, ..shape]` of one after the other.
    fn probes(&self, values: &[f64], shape: &Shape) -> FloatTensor<B> {
        let k = values.len() / shape.num_elements().max(1);
        let data = TensorData::new(values.to_vec(), [&[k], &shape.to_vec()[..]].concat());
        let data = data.convert_dtype(self.loaded().dtype());
        B::float_from_data(data, self.loaded().device())
    }

    fn input(&self, x: &[f64]) -> FloatTensor<B> {
        self.probes(x, &self.x0.shape())
    }
}

/// The one result, read back.
fn only<B: Backend>(results: Vec<FloatTensor<B>>) -> Result<Vec<f64>> {
    host::<B>(results.into_iter().next().expect("the ports were checked"))
}

impl<B: Backend> Interpreted for OneToOne<'_, B> {
    type Error = Error;

    fn x0(&self) -> Result<Vec<f64>> {
        host::<B>(self.x0.clone())
    }

    fn plain(&self) -> Result<Vec<f64>> {
        only::<B>(self.loaded().forward(vec![self.x0.clone()])?)
    }

    fn reference(&self) -> Result<Vec<f64>> {
        only::<B>(self.recorded.reference().to_vec())
    }

    fn apply(&self, x: &[f64]) -> Result<Vec<f64>> {
        only::<B>(self.recorded.apply(&[self.input(x)])?)
    }

    fn affine(&self, x: &[f64]) -> Result<Vec<f64>> {
        only::<B>(self.recorded.affine(&[self.input(x)])?)
    }

    fn adjoint(&self, y: &[f64]) -> Result<Vec<f64>> {
        let shape = self.recorded.reference()[0].shape();
        only::<B>(self.recorded.adjoint(&[self.probes(y, &shape)])?)
    }

    fn paired(&self, x: &[f64], sources: bool) -> Result<Vec<f64>> {
        let (x0, rules) = (vec![self.x0.clone()], self.recorded.rules().clone());
        let beside = Paired::beside(self.loaded(), x0, vec![self.input(x)], rules, sources)?;
        only::<B>(beside.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_relative_and_nan_holds_nothing() {
        assert_eq!(gap(&[3.0, 4.0], &[3.0, 4.0], 0.0), 0.0);
        assert_eq!(gap(&[0.0, 0.0], &[0.0, 0.0], 0.0), 0.0);
        assert_eq!(gap(&[3.0, 4.0], &[3.0, 3.0], 0.0), 0.2);
        assert_eq!(gap(&[3.0, 4.0], &[3.0, 3.0], 100.0), 0.01);
        assert_eq!(gap(&[3.0], &[3.0, 3.0], 0.0), f64::INFINITY);
        let check = |error| Check {
            promise: "a promise",
            error,
            limit: 1e-4,
        };
        assert!(check(gap(&[1.0], &[1.00001], 0.0)).holds());
        assert!(!check(gap(&[1.0], &[1.001], 0.0)).holds());
        assert!(!check(gap(&[f64::NAN], &[1.0], 0.0)).holds());
        assert!(worst(f64::NAN, 1.0).is_nan() && worst(1.0, f64::NAN).is_nan());
        let said = all_hold(&[check(0.0), check(1e-2)]).expect_err("one does not hold");
        assert_eq!(said, "a promise: off by 1.0e-2, allowed is 1e-4");
    }

    /// y = 2 x + 1 with one promise broken, if any.
    struct Broken(Option<usize>);

    impl Broken {
        fn unless(&self, broken: usize, x: &[f64], scale: f64, shift: f64) -> Result<Vec<f64>> {
            let extra = f64::from(u8::from(self.0 == Some(broken))) * 1e-3;
            Ok(x.iter()
                .map(|x| scale * x + shift + extra * (1.0 + x * x))
                .collect())
        }
    }

    impl Interpreted for Broken {
        type Error = Error;

        fn x0(&self) -> Result<Vec<f64>> {
            Ok(vec![0.5, -2.0, 1.0])
        }
        fn plain(&self) -> Result<Vec<f64>> {
            self.unless(0, &self.x0()?, 2.0, 1.0)
        }
        fn reference(&self) -> Result<Vec<f64>> {
            let extra = f64::from(u8::from(matches!(self.0, Some(0 | 1)))) * 1e-3;
            let y0 = self.x0()?.iter().map(|x| 2.0 * x + 1.0 + extra).collect();
            Ok(y0)
        }
        fn apply(&self, x: &[f64]) -> Result<Vec<f64>> {
            Ok(x.iter().map(|x| 2.0 * x).collect())
        }
        fn affine(&self, x: &[f64]) -> Result<Vec<f64>> {
            self.unless(2, x, 2.0, 1.0)
        }
        fn adjoint(&self, y: &[f64]) -> Result<Vec<f64>> {
            self.unless(3, y, 2.0, 0.0)
        }
        fn paired(&self, x: &[f64], sources: bool) -> Result<Vec<f64>> {
            self.unless(4, x, 2.0, f64::from(u8::from(sources)))
        }
    }

    /// Each promise is told when it is broken, and none when none is.
    #[test]
    fn a_broken_promise_is_told() {
        for floor in [Floor::Zero, Floor::Terms, Floor::Size(1.0)] {
            let allowed = Allowed {
                floor,
                ..Allowed::bitwise(1e-12)
            };
            let checks = promises(&Broken(None), &allowed).expect("is asked");
            assert_eq!(checks.len(), 5);
            all_hold(&checks).expect("nothing is broken");
            for broken in 0..5 {
                let checks = promises(&Broken(Some(broken)), &allowed).expect("is asked");
                assert!(!checks[broken].holds(), "{broken}: {checks:?}");
            }
        }
        let transpose = |broken| transposed(&Broken(broken), 1e-12).expect("is asked");
        assert!(transpose(None).holds());
        assert!(!transpose(Some(3)).holds());
    }
}
