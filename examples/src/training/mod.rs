//! Networks trained with their own interpreter in the loss: a classifier that is asked to leave
//! little to its residual, and an upscaler that is asked for compact columns.

pub mod classifier;
#[cfg(feature = "learner")]
pub mod learner;
pub mod shapes;
pub mod upscaler;

use std::{error::Error, fs, path::Path, time::Instant};

use burn::{
    module::Module,
    optim::{GradientsParams, ModuleOptimizer},
    tensor::Tensor,
};
use linearscope_picture::{Curve, CurveChart, CurvePanel};

/// What the examples return.
pub type Any<T> = Result<T, Box<dyn Error>>;

/// Named quantities over the steps of one run.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Which run it is.
    pub name: String,
    /// The steps at which it was looked at.
    pub steps: Vec<usize>,
    /// Name and values of each quantity, one value a step.
    pub quantities: Vec<(String, Vec<f64>)>,
}

impl Run {
    /// The values of a quantity.
    ///
    /// # Panics
    /// When there is no such quantity.
    pub fn values(&self, name: &str) -> &[f64] {
        let found = self.quantities.iter().find(|(other, _)| other == name);
        &found.expect("a quantity of this run").1
    }

    fn note(&mut self, step: usize, found: &[(&str, f64)]) {
        self.steps.push(step);
        for (name, value) in found {
            match self.quantities.iter_mut().find(|(other, _)| other == name) {
                Some((_, values)) => values.push(*value),
                None => self.quantities.push((name.to_string(), vec![*value])),
            }
        }
        let text: Vec<String> = found.iter().map(|(n, v)| format!("{n} {v:.4}")).collect();
        println!("{:12} step {step:5}: {}", self.name, text.join(", "));
    }
}

/// One step of the optimiser down a loss.
fn descend<M: Module>(model: M, optimiser: &mut ModuleOptimizer, rate: f64, loss: Tensor<1>) -> M {
    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    optimiser.step(rate, model, gradients)
}

/// Write runs as `NAME.csv`, one row a step, and as a chart, `NAME.svg` and `NAME.png`.
///
/// # Errors
/// When a file cannot be written.
pub fn write(folder: &Path, name: &str, title: &str, notes: &[String], runs: &[Run]) -> Any<()> {
    fs::create_dir_all(folder)?;
    let names: Vec<&str> = runs[0].quantities.iter().map(|(n, _)| n.as_str()).collect();
    let mut csv = String::from("step");
    for run in runs {
        for name in &names {
            csv += &format!(",{name} ({})", run.name);
        }
    }
    csv += "\n";
    for (row, step) in runs[0].steps.iter().enumerate() {
        csv += &step.to_string();
        for run in runs {
            for name in &names {
                csv += &format!(",{}", run.values(name)[row]);
            }
        }
        csv += "\n";
    }
    let curve = |run: &Run, name: &str| Curve {
        label: run.name.clone(),
        points: run
            .steps
            .iter()
            .zip(run.values(name))
            .map(|(step, value)| (*step as f64, *value))
            .collect(),
        band: Vec::new(),
    };
    let chart = CurveChart {
        title: title.into(),
        notes: notes.to_vec(),
        across: "step".into(),
        panels: names
            .iter()
            .map(|name| CurvePanel {
                title: name.to_string(),
                curves: runs.iter().map(|run| curve(run, name)).collect(),
            })
            .collect(),
    };
    let drawing = chart.draw();
    fs::write(folder.join(format!("{name}.csv")), csv)?;
    fs::write(folder.join(format!("{name}.svg")), drawing.to_svg())?;
    fs::write(folder.join(format!("{name}.png")), drawing.to_png()?)?;
    println!(
        "wrote {}",
        folder.join(format!("{name}.csv, .svg, .png")).display()
    );
    Ok(())
}

/// Median seconds of each kind of step over interleaved rounds, the first left out.
fn medians(rounds: usize, kinds: &mut [&mut dyn FnMut() -> Any<()>]) -> Any<Vec<f64>> {
    let mut times = vec![Vec::new(); kinds.len()];
    for round in 0..=rounds {
        for (kind, times) in kinds.iter_mut().zip(&mut times) {
            let start = Instant::now();
            kind()?;
            if round > 0 {
                times.push(start.elapsed().as_secs_f64());
            }
        }
    }
    Ok(times
        .into_iter()
        .map(|mut all| {
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        })
        .collect())
}
