//! A network frozen at one picture, and what is known of both: what questions are asked about.

use std::{path::Path, sync::Arc};

use burn::tensor::Tensor;
#[cfg(feature = "explore")]
use burn::tensor::TensorData;
use linearscope::Interrupt;
use linearscope_analysis::{FrozenNetwork, LinearOperator, vectors::read};
use linearscope_onnx::Signature;
use linearscope_picture::Band;
use linearscope_preprocess::Limits;

use crate::{
    args::Precision,
    boxes::Boxes,
    commands::position::Look,
    ends::{Layouts, Shaped, to_first},
    error::{Failure, Result},
    input::{check_finite, read_input},
    npy,
    picture::Painter,
    task::Task,
};

/// A frozen network with the names of things.
pub(crate) struct Subject {
    pub frozen: FrozenNetwork,
    pub painter: Painter,
    /// The model's file name, for titles.
    pub model: String,
    /// Which arrays have their channels last in files.
    pub layouts: Layouts,
    /// What the network does, where that is known.
    pub task: Option<Task>,
    /// How boxes lie in the output of a detector.
    pub boxes: Option<Boxes>,
    /// The model and the flags that it was made with.
    pub line: String,
    pub labels: Option<Arc<Vec<String>>>,
    /// x₀ is an array, without a recipe.
    pub from_array: bool,
    /// How much another picture or array may take.
    pub limits: Limits,
    /// Precision of everything.
    pub precision: Precision,
}

impl Subject {
    /// The same network by the same rules, frozen at another x, flat.
    #[cfg(feature = "explore")]
    pub(crate) fn at(&self, x: Vec<f64>) -> Result<Self> {
        let engine = self.frozen.frozen();
        let x = TensorData::new(x, self.frozen.input_shape().to_vec());
        let (loaded, rules) = (engine.loaded().clone(), engine.rules().clone());
        let frozen = FrozenNetwork::within(loaded, x, rules, engine.budget())?;
        Ok(self.with(frozen))
    }

    /// The same, stopped by an interrupt of its own.
    pub(crate) fn with_interrupt(&self, interrupt: &Interrupt) -> Self {
        self.with(self.frozen.with_interrupt(interrupt))
    }

    fn with(&self, frozen: FrozenNetwork) -> Self {
        Self {
            frozen,
            painter: self.painter.clone(),
            model: self.model.clone(),
            line: self.line.clone(),
            labels: self.labels.clone(),
            layouts: self.layouts,
            task: self.task,
            boxes: self.boxes,
            from_array: self.from_array,
            limits: self.limits,
            precision: self.precision,
        }
    }

    /// Read a probe the way x₀ was read.
    pub(crate) fn read_probe(
        &self,
        path: &Path,
        shape: &[usize],
        shaped: Shaped,
    ) -> Result<Tensor<2>> {
        let dims = shape.iter().map(|&d| Ok(d)).collect();
        let signature = Signature::new("the probe", dims);
        let read = read_input(
            path,
            self.painter.recipe.as_ref(),
            &signature,
            self.layouts.last(shaped),
            &self.limits,
        )?;
        self.checked(path, read.values, read.shape, shape)
    }

    /// Read an array of exactly `shape`.
    pub(crate) fn read_array(
        &self,
        path: &Path,
        shape: &[usize],
        shaped: Shaped,
    ) -> Result<Tensor<2>> {
        let (mut values, mut got) = npy::read(path, &self.limits)?;
        if self.layouts.last(shaped) {
            let mut takes = shape.to_vec();
            takes[1..].rotate_left(1);
            if !is_shape(&got, &takes) {
                return Err(Failure::input(format!(
                    "{} has shape {got:?}, but {takes:?} is needed, channels last",
                    path.display()
                )));
            }
            (values, got) = to_first(&values, &got, usize::from(got.len() == shape.len()));
        }
        self.checked(path, values, got, shape)
    }

    fn checked(
        &self,
        path: &Path,
        values: Vec<f64>,
        got: Vec<usize>,
        shape: &[usize],
    ) -> Result<Tensor<2>> {
        if !is_shape(&got, shape) {
            return Err(Failure::input(format!(
                "{} has shape {got:?}, but {shape:?} is needed",
                path.display()
            )));
        }
        check_finite(path, &values)?;
        let len = values.len();
        Ok(self.frozen.upload(values, len))
    }

    /// Numbers of a one-row tensor on the host.
    pub(crate) fn numbers(&self, x: Tensor<2>) -> Result<Vec<f64>> {
        Ok(read(x)?)
    }

    /// x₀ and f(x₀), as far as they are pictures.
    pub(crate) fn reference_band(&self) -> Result<Band> {
        let (x0, y0) = (
            self.numbers(self.frozen.x0())?,
            self.numbers(self.frozen.reference())?,
        );
        let panels = self.painter.reference(
            (&x0, self.frozen.input_shape()),
            (&y0, self.frozen.output_shape()),
            (Vec::new(), Vec::new()),
        );
        Ok(Band {
            heading: "Frozen at".into(),
            panels,
        })
    }

    /// The class name of output `k`, if there are labels.
    pub(crate) fn label(&self, k: usize) -> Option<&str> {
        self.labels.as_ref()?.get(k).map(String::as_str)
    }

    /// What a place of the output stands for in words, if that is known: a class's name, a segmenter's class there, a
    /// number of a box.
    pub(crate) fn named(&self, position: usize) -> Option<String> {
        let label = |class| self.label(class).map(String::from);
        match (self.task, self.boxes, self.frozen.output_shape()) {
            (_, Some(boxes), _) => Some(boxes.name(self, position)),
            (Some(Task::Segmenter), _, &[_, _, h, w]) => label(position / (h * w)),
            (Some(Task::Classifier), ..) => label(position),
            _ => None,
        }
    }

    /// How places of the output are chosen.
    pub(crate) fn look(&self) -> Look {
        match (self.task, self.boxes) {
            (_, Some(boxes)) => Look::Boxes(boxes),
            (Some(Task::Segmenter), _) => Look::Classes,
            _ => Look::Plain,
        }
    }
}

/// Whether an array is of a shape; a batch axis of size 1 may be left out.
pub(crate) fn is_shape(got: &[usize], shape: &[usize]) -> bool {
    got == shape || shape.split_first() == Some((&1, got))
}
