//! Train an upscaler twice, plainly and with its columns' spread in the loss, and draw both. About
//! a minute on two cores.
//!
//! ```text
//! cargo run --release -p linearscope-examples --bin train_upscaler -- [FOLDER] [STEPS]
//! ```

use std::path::PathBuf;

use linearscope_examples::training::{Any, upscaler, write};

/// Weight of the spread.
const WEIGHT: f64 = 0.1;

fn main() -> Any<()> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().unwrap_or_else(|| "training-out".into()));
    let steps = args.next().map_or(Ok(800), |steps| steps.parse())?;
    let runs = [
        upscaler::train("plain", 0.0, steps)?,
        upscaler::train("penalised", WEIGHT, steps)?,
    ];
    let last = |run: usize, name: &str| runs[run].values(name).last().copied().unwrap_or(0.0);
    let (psnr, spread) = ("PSNR, dB", "spread of columns, px²");
    let result = format!(
        "PSNR {:.2} dB plainly, {:.2} dB with the spread in the loss; spread of the columns {:.2} \
         and {:.2} px².",
        last(0, psnr),
        last(1, psnr),
        last(0, spread),
        last(1, spread),
    );
    println!("{result}");
    let [plain, columns] = upscaler::overhead(21)?;
    let cost = format!(
        "A step takes {plain:.1} ms plainly, {:.2} times that with two columns in the loss.",
        columns / plain
    );
    println!("{cost}");
    let title = "An upscaler with its columns in the loss";
    write(&folder, "upscaler", title, &[result, cost], &runs)
}
