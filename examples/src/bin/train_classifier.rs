//! Train a classifier twice, plainly and with its residual's share in the loss, and draw both.
//! About a minute and a half on two cores.
//!
//! ```text
//! cargo run --release -p linearscope-examples --bin train_classifier -- [FOLDER] [STEPS]
//! ```

use std::path::PathBuf;

use linearscope_examples::training::{Any, classifier, write};

/// Weight of the residual's share.
const WEIGHT: f64 = 0.3;

fn main() -> Any<()> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().unwrap_or_else(|| "training-out".into()));
    let steps = args.next().map_or(Ok(800), |steps| steps.parse())?;
    let runs = [
        classifier::train("plain", 0.0, steps)?,
        classifier::train("penalised", WEIGHT, steps)?,
    ];
    let last = |run: usize, name: &str| runs[run].values(name).last().copied().unwrap_or(0.0);
    let share = "share of the residual";
    let result = format!(
        "Accuracy {:.1} % plainly, {:.1} % with the share in the loss; the residual's share of the \
         true class's score {:.1} % and {:.1} %.",
        100.0 * last(0, "accuracy"),
        100.0 * last(1, "accuracy"),
        100.0 * last(0, share),
        100.0 * last(1, share),
    );
    println!("{result}");
    let [plain, reference, residual] = classifier::overhead(21)?;
    let cost = format!(
        "A step takes {plain:.1} ms plainly, {:.2} times that with y0 from the interpreter, {:.2} \
         times with the residual in the loss.",
        reference / plain,
        residual / plain
    );
    println!("{cost}");
    let title = "A classifier with its residual in the loss";
    write(&folder, "classifier", title, &[result, cost], &runs)
}
