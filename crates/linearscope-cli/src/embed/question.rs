//! What can be asked of a frozen network, each by the functions of the command of that name.

use std::{ops::ControlFlow, path::Path, time::Instant};

use burn::tensor::{DType, Tensor, TensorData};
use clap::ValueEnum;
use linearscope::delivered;
use linearscope_analysis::{
    FrozenNetwork, LinearOperator, Progress,
    attribution::{self, Attribution},
    certificate::{Certificate, certificate},
    contribution,
    matrix::MatrixPlan,
    operator::Field,
    svd::Svd,
    validity::{self, Validity},
    vectors,
};
use linearscope_picture::{Array, Overlay};
use serde_json::Value;

use super::{Point, Result, Shaped, words};
use crate::{
    baseline::Baseline,
    commands::{
        attribute::{Attribute, Signs, Target, targets},
        contributions, fields, svd as svd_command,
    },
    console,
    error::Failure,
    results::Results,
    session::Session,
    subject::Subject,
};

/// A frozen network in the hands of one who asks.
pub struct Question<'a> {
    pub(super) point: &'a Point,
    pub(super) subject: Subject,
}

/// A place of an output or an input.
#[derive(Clone, Debug)]
pub struct Place {
    /// As the program writes it.
    pub text: String,
    /// Flat positions, in the engine's order; several whose fields add up.
    pub positions: Vec<usize>,
    /// Its name, where it has one.
    pub label: Option<String>,
}

/// Singular triplets.
pub struct Solved {
    /// What was found, converged or not.
    pub found: Svd,
    /// Eigen-outputs, one after the other, and the shape of one.
    pub u: (Vec<f64>, Vec<usize>),
    /// Eigen-inputs.
    pub v: (Vec<f64>, Vec<usize>),
    /// Why it is not all that was requested.
    pub failure: Option<Failure>,
}

/// An attribution of a target.
pub struct Attributed {
    /// What is attributed.
    pub target: Place,
    /// The map, channels where the file has them.
    pub map: Vec<f64>,
    /// Method, sums, notes.
    pub found: Attribution,
}

/// F by rows (CSR).
pub struct Sparse {
    /// Rows and columns.
    pub shape: [usize; 2],
    /// Where each row begins, and the end.
    pub pointers: Vec<i64>,
    /// The column of each entry.
    pub columns: Vec<i64>,
    /// Its value.
    pub values: Vec<f64>,
}

/// What a command wrote and said.
pub struct Report {
    /// Where its files are.
    pub folder: std::path::PathBuf,
    /// Lines for the person who asked.
    pub summary: Vec<String>,
    /// What was found, in numbers.
    pub found: Value,
    /// What did not hold, though there are results.
    pub failure: Option<Failure>,
    /// The certificate, where it was measured.
    pub certificate: Option<Certificate>,
}

/// Which way vectors go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// F x.
    Apply,
    /// F x + r.
    Affine,
    /// Fᵀ y.
    Adjoint,
}

/// An observer that lets the listener hear.
pub(super) fn observer() -> impl FnMut(&Progress) -> ControlFlow<()> {
    console::observer()
}

impl Question<'_> {
    /// The engine underneath.
    pub fn frozen(&self) -> &FrozenNetwork {
        &self.subject.frozen
    }

    fn y0(&self) -> Result<Vec<f64>> {
        self.subject.numbers(self.subject.frozen.reference())
    }

    /// x₀, as it was read.
    pub fn x0(&self) -> Vec<f64> {
        self.point.outward(Shaped::Input, &self.point.x0, 1).0
    }

    /// f(x₀).
    ///
    /// # Errors
    /// Those of a device.
    pub fn reference(&self) -> Result<Vec<f64>> {
        Ok(self.point.outward(Shaped::Output, &self.y0()?, 1).0)
    }

    /// r = f(x₀) − F x₀. Cost: one replay.
    ///
    /// # Errors
    /// An interruption.
    pub fn residual(&self) -> Result<Vec<f64>> {
        let residual = self.subject.numbers(self.subject.frozen.residual()?)?;
        Ok(self.point.outward(Shaped::Output, &residual, 1).0)
    }

    /// How exact the interpreter is. Cost: four products.
    ///
    /// # Errors
    /// An interruption.
    pub fn certificate(&self) -> Result<Certificate> {
        Ok(certificate(&self.subject.frozen)?)
    }

    /// A product with k vectors `[k, n]`, in any float dtype; the result has the network's.
    ///
    /// # Errors
    /// Vectors of the wrong length; an interruption.
    pub fn product(&self, product: Product, x: TensorData) -> Result<TensorData> {
        let f = &self.subject.frozen;
        let [from, to] = match product {
            Product::Adjoint => [Shaped::Output, Shaped::Input],
            _ => [Shaped::Input, Shaped::Output],
        };
        let turned = self.point.is_turned();
        let dtype: DType = f.dtype().into();
        let x = match turned {
            // Nothing is copied where the dtype is the network's.
            false => Tensor::<2>::from_data(x.convert_dtype(dtype), (f.device(), dtype)),
            true => {
                let len = x.shape()[1];
                f.upload(self.point.inward(from, vectors::numbers(x)?), len)
            }
        };
        let k = x.dims()[0];
        let y = match product {
            Product::Apply => f.apply(x)?,
            Product::Affine => f.affine(x)?,
            Product::Adjoint => f.apply_adjoint(x)?,
        };
        let y = delivered(y.try_into_data())?;
        match turned {
            false => Ok(y),
            true => {
                let (values, shape) = self.point.outward(to, &vectors::numbers(y)?, k);
                let len = shape.iter().product::<usize>();
                Ok(TensorData::new(values, [k, len]).convert_dtype(dtype))
            }
        }
    }

    /// The places that words name in the output (rows) or the input (columns), as the commands' `--at` does.
    ///
    /// # Errors
    /// Words that name none.
    pub fn places(&self, field: Field, texts: &[String]) -> Result<Vec<Place>> {
        let frozen = &self.subject.frozen;
        let y0 = self.y0()?;
        let (flag, values, shape) = match field {
            Field::Row => ("--target", &y0, frozen.output_shape()),
            Field::Column => ("--at", &self.point.x0, frozen.input_shape()),
        };
        let found = fields::places(&self.subject, field, flag, texts, (values, shape))?;
        Ok(found
            .into_iter()
            .map(|at| self.place(field, at.text, at.positions))
            .collect())
    }

    fn place(&self, field: Field, text: String, positions: Vec<usize>) -> Place {
        let label = match (field, &positions[..]) {
            (Field::Row, &[one]) => self.subject.named(one),
            _ => None,
        };
        Place {
            text,
            positions,
            label,
        }
    }

    /// The rows or columns of places, one after the other.
    ///
    /// # Errors
    /// An interruption; no places.
    pub fn fields(&self, field: Field, places: &[Vec<usize>]) -> Result<Vec<f64>> {
        let found = self.subject.frozen.fields(field, places, &mut observer())?;
        let found = self.subject.numbers(found)?;
        let shaped = match field {
            Field::Row => Shaped::Input,
            Field::Column => Shaped::Output,
        };
        Ok(self.point.outward(shaped, &found, places.len()).0)
    }

    fn ends(&self) -> [&Path; 2] {
        [&self.point.common.model, &self.point.common.input]
    }

    /// The flags of a command of the program about this network.
    fn words(&self, own: &[String]) -> Vec<String> {
        [&self.point.flags, own].concat()
    }

    /// Singular triplets by the flags of `svd`.
    ///
    /// # Errors
    /// Flags that mean nothing; an interruption. Triplets that did not converge are no error here.
    pub fn svd(&self, flags: &[String]) -> Result<Solved> {
        let command: svd_command::Svd = words::command("svd", self.ends(), &self.words(flags))?;
        let between = &command.between;
        let part = (self.subject.frozen).between(between.from.as_deref(), between.to.as_deref())?;
        let rank = part.input_len().min(part.output_len());
        let config = command.config(rank)?;
        let (found, failure) = svd_command::solve(&part, &config)?;
        let shapes = [part.output_shape().to_vec(), part.input_shape().to_vec()];
        let [of_v, of_u] = between.shaped();
        let side = |values: &TensorData, shape: &[usize], shaped| {
            let values = vectors::numbers(values.clone())?;
            Ok::<_, Failure>(match shaped {
                Shaped::Within => (values, shape.to_vec()),
                end => self.point.outward(end, &values, found.sigma.len()),
            })
        };
        Ok(Solved {
            u: side(&found.u, &shapes[0], of_u)?,
            v: side(&found.v, &shapes[1], of_v)?,
            found,
            failure,
        })
    }

    /// A score taken apart, as `contributions` writes it.
    ///
    /// # Errors
    /// A target that is no single score; an interruption.
    pub fn contributions(&self, target: &str) -> Result<Value> {
        let subject = &self.subject;
        let target = contributions::one_score(subject, "--target", target, &self.y0()?)?;
        let found = contribution::contributions(&subject.frozen, target)?;
        Ok(contributions::told(subject, &found))
    }

    /// Attributions by the flags of `attribute`, target by target.
    ///
    /// # Errors
    /// Targets that are none; methods that cannot be had here; an interruption.
    pub fn attribute(&self, flags: &[String]) -> Result<Vec<Attributed>> {
        let command: Attribute = words::command("attribute", self.ends(), &self.words(flags))?;
        let subject = &self.subject;
        let targets = targets(subject, &command.target, &self.y0()?)?;
        let methods = command.methods();
        let (around, _) = command.how(&methods).surroundings(subject)?;
        let positions: Vec<Vec<usize>> = targets.iter().map(|one| one.positions.clone()).collect();
        let mut by_method = Vec::new();
        for method in &methods {
            let found =
                attribution::attribute(&subject.frozen, &positions, method, &around, observer())?;
            by_method.push(found.into_iter());
        }
        let mut all = Vec::new();
        for Target {
            text,
            label,
            positions,
        } in targets
        {
            for found in &mut by_method {
                let found = found.next().expect("one a target");
                let map = self.point.outward(Shaped::Input, &found.map, 1).0;
                let target = Place {
                    text: text.clone(),
                    positions: positions.clone(),
                    label: label.clone(),
                };
                all.push(Attributed { target, map, found });
            }
        }
        Ok(all)
    }

    /// How far the decisions of x₀ hold along directions, one after the other.
    ///
    /// # Errors
    /// A network that is not piecewise linear; an interruption.
    pub fn validity(&self, directions: Vec<f64>) -> Result<Validity> {
        let f = &self.subject.frozen;
        let directions = self.point.inward(Shaped::Input, directions);
        Ok(validity::radii(f, f.upload(directions, f.input_len()))?)
    }

    /// ‖f(x₀ + t d) − F (x₀ + t d) − r‖ over ‖f(x₀ + t d)‖ for each t.
    ///
    /// # Errors
    /// An interruption.
    pub fn growth(&self, direction: Vec<f64>, steps: &[f64]) -> Result<Vec<f64>> {
        let f = &self.subject.frozen;
        let direction = self.point.inward(Shaped::Input, direction);
        Ok(validity::growth(
            f,
            f.upload(direction, f.input_len()),
            steps,
        )?)
    }

    /// A picture that says nothing: black, white, mean, blur, zeros, or a file.
    ///
    /// # Errors
    /// Names and files that are none.
    pub fn baseline(&self, name: &str) -> Result<Vec<f64>> {
        let baseline: Baseline = name.parse().map_err(Failure::input)?;
        let values = baseline.values(&self.subject)?;
        Ok(self.point.outward(Shaped::Input, &values, 1).0)
    }

    /// All of F, with the entries that its fields allow, zeros among them.
    ///
    /// # Errors
    /// More entries than `most`; an interruption.
    pub fn matrix(&self, most: usize) -> Result<Sparse> {
        if self.point.is_turned() {
            return Err(Failure::input(
                "F of a network with channels last cannot be written as a matrix here",
            )
            .hint("use the matrix command, which counts channels first, or ask for rows"));
        }
        let frozen = &self.subject.frozen;
        let plan = MatrixPlan::new(frozen)?;
        let [rows, columns] = plan.shape();
        let entries = plan.entries();
        if entries > most {
            return Err(Failure::input(format!(
                "F is {rows} × {columns} with {entries} entries, above the limit of {most}"
            ))
            .hint(
                "ask for single rows or columns, use the operator, or raise the limit with `most`",
            ));
        }
        let budget = frozen.frozen().budget() / 4;
        let mut values = vec![0.0; entries];
        let mut indices = vec![0; entries];
        let stripe = plan.stripe_within(64 << 20).max(1);
        let mut tell = observer();
        let stripes = plan.stripes();
        for start in (0..stripes).step_by(stripe) {
            if tell(&Progress::new("computing F", start, stripes)).is_break() {
                return Err(Failure::interrupted("interrupted while computing F"));
            }
            let part = plan.part(start..(start + stripe).min(stripes), budget)?;
            for segment in part.segments {
                let numbers = vectors::numbers(segment.values)?;
                let runs = numbers.chunks_exact(part.columns.len().max(1));
                for (run, numbers) in runs.enumerate() {
                    let at = segment.first + run * part.columns.len();
                    values[at..at + numbers.len()].copy_from_slice(numbers);
                    for (index, column) in indices[at..].iter_mut().zip(&part.columns) {
                        *index = *column as i64;
                    }
                }
            }
        }
        let ends = plan.row_lengths().scan(0, |end, length| {
            *end += length as i64;
            Some(*end)
        });
        Ok(Sparse {
            shape: [rows, columns],
            pointers: std::iter::once(0).chain(ends).collect(),
            columns: indices,
            values,
        })
    }

    /// A map of the input's shape over x₀ as a picture: three bytes a dot, and `[h, w]`. `None` where x₀ is no picture.
    ///
    /// # Errors
    /// A sign or a percentile that is none.
    pub fn overlay(
        &self,
        map: &[f64],
        sign: &str,
        percentile: f64,
    ) -> Result<Option<(Vec<u8>, [usize; 2])>> {
        let sign = Signs::from_str(sign, false).map_err(|_| {
            Failure::input(format!("sign {sign}"))
                .hint("must be both, positive, negative or absolute")
        })?;
        let sign = sign.drawn();
        let frozen = &self.subject.frozen;
        let map = self.point.inward(Shaped::Input, map.to_vec());
        let shape = frozen.input_shape();
        let photograph = (self.subject.painter).input_where(&self.point.x0, shape, |_| true);
        let over = photograph.zip(Array::new(&map, shape));
        let overlay = Overlay { sign, percentile };
        Ok(over
            .and_then(|(photograph, map)| overlay.over(&photograph, &map))
            .map(|raster| raster.dots()))
    }

    /// x₀ as a picture, as [`overlay`](Self::overlay) has it.
    pub fn picture(&self) -> Option<(Vec<u8>, [usize; 2])> {
        let shape = self.subject.frozen.input_shape();
        let raster = self
            .subject
            .painter
            .input_where(&self.point.x0, shape, |_| true)?;
        Some(raster.dots())
    }

    /// Let a command of the program write its arrays, tables and pictures into the folder `out`/`name`.
    ///
    /// # Errors
    /// A command that is none, or that freezes for itself; its own.
    pub fn command(&self, name: &str, flags: &[String], out: &Path) -> Result<Report> {
        let (started, since) = (jiff::Timestamp::now(), Instant::now());
        let entry = words::entry(name)?;
        let Some(carry_out) = entry.on_frozen else {
            return Err(
                Failure::input(format!("{name} does not work on a single frozen network"))
                    .hint("run the `linearscope` program"),
            );
        };
        let words = self.words(flags);
        let matches = words::matches(entry, self.ends(), &words)?;
        let line = words.iter().map(|word| crate::args::quoted(word));
        let line: Vec<String> = [
            "linearscope".into(),
            name.into(),
            self.subject.model.clone(),
        ]
        .into_iter()
        .chain(line)
        .collect();
        let precision = self.subject.precision;
        let session = Session {
            subject: self.subject.with_interrupt(&console::interrupt()),
            results: Results::new(&out.join(name), entry.about, precision)?,
            check_decisions: self.point.common.freezing.check_decisions,
            certificate: None,
            manifest: self.point.facts.clone(),
            typed: line.join(" "),
            started,
            since,
        };
        let done = carry_out(&matches, session.with_x0(&self.point.x0)?)?;
        Ok(Report {
            folder: done.path,
            summary: done.told.summary,
            found: done.told.found,
            failure: done.told.failure,
            certificate: done.certificate,
        })
    }
}
