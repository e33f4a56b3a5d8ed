//! Capture code that burn-onnx generated, freeze it, and ask what it did.
//!
//! ```text
//! cargo run --release -p linearscope-examples --bin freeze_imported
//! ```
//!
//! `build.rs` imported the graphs; nothing of the generated source was changed. The same three
//! lines do for any `Module`: device, capture, freeze.

use burn::tensor::{Device, FloatDType, TensorData};
use linearscope::{Network, RuleSet};
use linearscope_analysis::{
    FrozenNetwork, LinearOperator, certificate::certificate, contribution, noise,
};
use linearscope_examples::{cyclegan, edsr, vgg};

/// A picture of noise in 0..1.
fn picture(shape: [usize; 4]) -> TensorData {
    let values = noise(shape.iter().product(), 1);
    let values: Vec<f32> = values.iter().map(|v| (0.5 + 0.5 * v) as f32).collect();
    TensorData::new(values, shape)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex();
    let (classifier, upscaler, translator) = (
        vgg::Model::default(),
        edsr::Model::default(),
        cyclegan::Model::default(),
    );
    let networks = [
        (
            "VGG",
            [1, 3, 32, 32],
            Network::capture(&classifier, |model, ports| {
                let x = ports.input("image", [1, 3, 32, 32]);
                ports.output("scores", model.forward(x));
            })?,
        ),
        (
            "EDSR",
            [1, 3, 20, 20],
            Network::capture(&upscaler, |model, ports| {
                let x = ports.input("low", [1, 3, 20, 20]);
                ports.output("high", model.forward(x));
            })?,
        ),
        (
            "CycleGAN",
            [1, 3, 32, 32],
            Network::capture(&translator, |model, ports| {
                let x = ports.input("image", [1, 3, 32, 32]);
                ports.output("translated", model.forward(x));
            })?,
        ),
    ];
    for (name, shape, network) in networks {
        let loaded = FrozenNetwork::load(network, &device, FloatDType::F32)?;
        let frozen = FrozenNetwork::new(loaded, picture(shape), RuleSet::default())?;
        println!(
            "{name}: F is {} × {}",
            frozen.output_len(),
            frozen.input_len()
        );
        println!("  {:?}", certificate(&frozen)?);
        let score = contribution::contributions(&frozen, contribution::top1(&frozen)?)?;
        println!(
            "  largest output {:.4} = {:.4} from the pixels + {:.4} from biases + {:.4} from constants of units",
            score.score, score.input, score.biases, score.units
        );
    }
    Ok(())
}
