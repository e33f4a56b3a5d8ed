//! Freeze an ONNX network at a picture and read a row of the affine map that is left.
//!
//! ```text
//! cargo run --release -p linearscope-examples --bin freeze_onnx
//! ```

use burn::tensor::{Device, FloatDType, TensorData};
use linearscope::RuleSet;
use linearscope_analysis::{FrozenNetwork, certificate::certificate, projection, vectors::read};
use linearscope_onnx::Model;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../assets/tiny_sr/tiny_sr.onnx"
    );
    let network = Model::load(path)?.network(&[vec![1, 1, 16, 16]])?;
    let loaded = FrozenNetwork::load(network, &Device::flex(), FloatDType::F32)?;

    // x₀: a vertical edge.
    let picture: Vec<f32> = (0..256)
        .map(|i| if i % 16 < 8 { 0.2 } else { 0.8 })
        .collect();
    let x0 = TensorData::new(picture, [1, 1, 16, 16]);
    let frozen = FrozenNetwork::new(loaded, x0, RuleSet::default())?;

    // Which pixels does the output pixel (16, 16) of the 32×32 picture use?
    let row = read(projection::rows(&frozen, &[16 * 32 + 16])?)?;
    for y in 4..13 {
        let line: Vec<String> = (4..13)
            .map(|x| format!("{:6.2}", row[y * 16 + x]))
            .collect();
        println!("{}", line.join(" "));
    }
    println!("{:?}", certificate(&frozen)?);
    Ok(())
}
