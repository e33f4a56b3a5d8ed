//! A rule of one's own, in a few lines: rounding that passes what it is given.
//!
//! A network that rounds its activations, as quantised networks do, has no linear reading: the
//! derivative of rounding is 0, so Burn's op is refused. Here its probe passes unchanged; and the
//! same for a tanh that is read as the share it keeps, tanh(x₀)/x₀.
//!
//! ```text
//! cargo run --release -p linearscope-examples --bin own_rule
//! ```

use burn::{
    nn::{Linear, LinearConfig},
    tensor::{Device, FloatDType, TensorData},
};
use burn_backend::ops::FloatTensorOps;
use burn_dispatch::Dispatch;
use linearscope::{Entry, Error, Network, Rule, RuleSet, linear};
use linearscope_analysis::{FrozenNetwork, certificate::certificate, projection, vectors::read};

fn quantised(device: &Device) -> Result<Network, Error> {
    device.seed(3);
    let layers: [Linear; 2] = [(4, 6), (6, 2)].map(|(i, o)| LinearConfig::new(i, o).init(device));
    Network::capture(&layers.to_vec(), |layers, ports| {
        let x = ports.input("x", [1, 4]);
        let hidden = layers[0].forward(x).tanh().mul_scalar(8.0).round();
        ports.output("y", layers[1].forward(hidden));
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex();
    let x0 = TensorData::new(vec![0.3f32, -1.2, 0.7, 2.0], [1, 4]);
    let freeze = |rules: RuleSet| {
        let loaded = FrozenNetwork::load(quantised(&device)?, &device, FloatDType::F32)?;
        FrozenNetwork::new(loaded, x0.clone(), rules)
    };
    let refused = freeze(RuleSet::default()).expect_err("rounding has no rule");
    println!("without a rule: {refused}");

    let rules = RuleSet::default()
        .with(
            Entry::new(Rule::custom::<Dispatch>("passes", |_| {
                linear::multiple(1.0)
            }))
            .op("round"),
        )
        .with(
            Entry::new(Rule::custom::<Dispatch>("share kept", |at| {
                linear::gain(Dispatch::float_div(at.y0(), at.x0()))
            }))
            .op("tanh"),
        );
    println!("with {rules}:");
    let frozen = freeze(rules)?;
    println!(
        "row of output 0: {:.3?}",
        read(projection::rows(&frozen, &[0])?)?
    );
    let found = certificate(&frozen)?;
    println!("{found:?}");
    assert!(found.holds());
    Ok(())
}
