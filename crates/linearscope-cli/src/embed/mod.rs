//! The program's machinery for a host process that keeps networks and arrays in memory, such as Python.
//!
//! A [`Net`] is a model with the program's flags, a [`Point`] is it frozen at one x₀, and a [`Question`] is what is asked of
//! it, with somebody who listens. Everything goes through the functions of the program's commands, so that both give the same
//! bits.

mod question;
mod words;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    rc::Rc,
    sync::{Mutex, PoisonError},
};

use linearscope_analysis::LinearOperator;
use linearscope_onnx::Signature;
use serde_json::{Map, Value};

pub use crate::{
    console::{Deaf, Listener},
    error::{Cause, Failure, Result},
};
pub use question::{Attributed, Place, Product, Question, Report, Solved, Sparse};

use crate::{
    args::{Common, Precision},
    command::{About, Group, Pictures},
    console::heard_by,
    ends::{Layouts, Shaped, to_first},
    input::Input,
    opened::{Looked, Opened},
    subject::Subject,
};

/// What a manifest would say of the command; no command is asked yet.
const ABOUT: &About = &About {
    name: "embedded",
    group: Group::Start,
    summary: "",
    details: "",
    example: "",
    pictures: Pictures::One,
    files: &[],
    tables: &[],
    includes: &[],
};

/// Let this process compute: buffers are kept by the allocator (glibc), and panics of this library are silent. Once is enough.
pub fn prepare() {
    crate::prepare();
}

/// Work whose panics are errors: bugs of ours, with what a report needs.
///
/// # Errors
/// Those of the work; a panic.
pub fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(crate::bug(&linearscope::panic_message(panic.as_ref()))))
}

/// Where a model comes from.
#[derive(Clone, Copy, Debug)]
pub enum ModelFrom<'a> {
    /// An `.onnx` file; a recipe may lie alongside it.
    File(&'a Path),
    /// Its bytes, and what it is called.
    Bytes(&'a [u8], &'a str),
}

/// Where x₀ comes from.
#[derive(Clone, Copy, Debug)]
pub enum From<'a> {
    /// A picture, which goes through the recipe, or an `.npy` array, which goes in as it is.
    File(&'a Path),
    /// Numbers, flat in C order, and their shape. They go in as they are.
    Array(&'a [f64], &'a [usize]),
}

impl<'a> From<'a> {
    fn input(self) -> Input<'a> {
        match self {
            From::File(path) => Input::File(path),
            From::Array(values, shape) => Input::Array(values, shape),
        }
    }
}

/// A model with the flags it was opened with.
pub struct Net {
    opened: Mutex<Opened>,
    model: PathBuf,
}

impl Net {
    /// Read a model. `flags` are those that every command about a picture takes, as words of a command line.
    ///
    /// # Errors
    /// Flags that mean nothing; a file that cannot be read; ops that are not supported.
    pub fn open(
        model: ModelFrom<'_>,
        flags: &[String],
        listener: Rc<dyn Listener>,
    ) -> Result<Self> {
        let (name, bytes) = match model {
            ModelFrom::File(path) => (path, None),
            ModelFrom::Bytes(bytes, name) => (Path::new(name), Some(bytes)),
        };
        let common = words::common(name, flags)?;
        let opened = heard_by(listener, || Opened::of(ABOUT, &common, Value::Null, bytes))?;
        Ok(Self {
            opened: Mutex::new(opened),
            model: name.into(),
        })
    }

    fn opened(&self) -> std::sync::MutexGuard<'_, Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of the device that everything is computed on, which `auto` has become.
    pub fn device(&self) -> String {
        self.opened().device_name().into()
    }

    /// The SHA-256 of the model's file.
    pub fn sha256(&self) -> String {
        self.opened().model_hash().into()
    }

    /// Name and shape of the input, then of the output that is read, channels where the file has them.
    pub fn signatures(&self) -> [Signature; 2] {
        self.opened().signatures()
    }

    /// Freeze at x₀. `flags` replace those the model was opened with, as far as they say how pictures are read and by which
    /// rules units are frozen. Cost: one forward pass and the rules' decisions; for a new input shape the graph is captured first.
    ///
    /// # Errors
    /// An input that does not fit; rules that do not; ops without a rule.
    pub fn freeze(
        &self,
        x: From<'_>,
        flags: &[String],
        listener: Rc<dyn Listener>,
    ) -> Result<Point> {
        let common = words::common(&self.model, flags)?;
        let mut opened = self.opened();
        opened.set_recipe(common.recipe.clone())?;
        opened.set_rules(common.freezing.rules.clone())?;
        let Looked { subject, x0, facts } = heard_by(listener, || opened.look_at(x.input()))?;
        let common = Common {
            input: x.input().name().into(),
            ..common
        };
        Ok(Point {
            subject,
            x0,
            facts,
            common,
            flags: flags.to_vec(),
        })
    }
}

/// A network frozen at x₀.
pub struct Point {
    subject: Subject,
    /// As it was read, flat.
    x0: Vec<f64>,
    facts: Map<String, Value>,
    common: Common,
    flags: Vec<String>,
}

impl Point {
    /// Ask something. What stops it is the listener's interrupt.
    ///
    /// # Errors
    /// Those of the question.
    pub fn ask<T>(
        &self,
        listener: Rc<dyn Listener>,
        question: impl FnOnce(&Question<'_>) -> Result<T>,
    ) -> Result<T> {
        let subject = self.subject.with_interrupt(&listener.interrupt());
        let asked = Question {
            point: self,
            subject,
        };
        heard_by(listener, || question(&asked))
    }

    /// Shape of the input, channels where the file has them.
    pub fn input_shape(&self) -> Vec<usize> {
        self.outward(Shaped::Input, &[], 0).1
    }

    /// Shape of the output, channels where the file has them.
    pub fn output_shape(&self) -> Vec<usize> {
        self.outward(Shaped::Output, &[], 0).1
    }

    /// Whether channels are elsewhere than the engine has them, so that flat vectors are in another order.
    pub fn is_turned(&self) -> bool {
        let Layouts { input, output } = self.subject.layouts;
        input || output
    }

    /// Whether numbers are f32.
    pub fn is_single(&self) -> bool {
        self.subject.precision == Precision::F32
    }

    /// Class names.
    pub fn labels(&self) -> Option<&[String]> {
        self.subject.labels.as_ref().map(|labels| &labels[..])
    }

    /// What the network does, where that is known.
    pub fn task(&self) -> Option<String> {
        self.subject.task.map(|task| task.name())
    }

    /// What a manifest would say: model, input, rules, device, precision.
    pub fn facts(&self) -> Value {
        Value::Object(self.facts.clone())
    }

    fn shape(&self, shaped: Shaped) -> &[usize] {
        match shaped {
            Shaped::Input => self.subject.frozen.input_shape(),
            _ => self.subject.frozen.output_shape(),
        }
    }

    /// Vectors of one end behind an axis of `k`, channels where the file has them; without values their shape.
    fn outward(&self, shaped: Shaped, values: &[f64], k: usize) -> (Vec<f64>, Vec<usize>) {
        let shape = self.shape(shaped);
        let dims = [&[k], shape].concat();
        let (values, dims) = match self.subject.layouts.last(shaped) {
            // Shapes alone turn, too.
            true if k == 0 => (Vec::new(), [&[k], &turned(shape)[..]].concat()),
            _ => {
                let (values, dims) = self.subject.layouts.in_file(shaped, values, &dims, 1);
                (values.into_owned(), dims.into_owned())
            }
        };
        (values, dims[1..].to_vec())
    }

    /// Vectors of one end as the engine has them.
    fn inward(&self, shaped: Shaped, values: Vec<f64>) -> Vec<f64> {
        if !self.subject.layouts.last(shaped) {
            return values;
        }
        let shape = turned(self.shape(shaped));
        let k = values.len() / shape.iter().product::<usize>().max(1);
        to_first(&values, &[&[k], &shape[..]].concat(), 2).0
    }
}

/// `[n, c, …]` as `[n, …, c]`.
fn turned(shape: &[usize]) -> Vec<usize> {
    let mut shape = shape.to_vec();
    shape[1..].rotate_left(1);
    shape
}
