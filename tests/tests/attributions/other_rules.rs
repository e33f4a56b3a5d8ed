//! What other rules for smooth units make of a row, against their formulas.

use burn::tensor::{
    DType, Device, FloatDType, Tensor, TensorData,
    activation::{relu, sigmoid},
};
use linearscope::{Error as Refused, Network, RuleSet};
use linearscope_analysis::{
    Error, FrozenNetwork,
    validity::{Apart, under_rules},
};

use super::noise_of;

const IN: usize = 5;
const WIDE: usize = 7;
const OUT: usize = 3;

fn tensor(values: &[f64], shape: [usize; 2]) -> Tensor<2> {
    Tensor::from_data(
        TensorData::new(values.to_vec(), shape),
        (&Device::flex(), DType::F32),
    )
}

/// W₂ h(W₁ x), and both weights.
fn units(
    seed: u64,
    x0: &[f64],
    unit: impl Fn(Tensor<2>) -> Tensor<2>,
) -> (FrozenNetwork, Vec<f64>, Vec<f64>) {
    let mut numbers = noise_of(seed);
    let mut some = |len| -> Vec<f64> { (0..len).map(|_| numbers()).collect() };
    let (first, second) = (some(IN * WIDE), some(WIDE * OUT));
    let weights = (tensor(&first, [IN, WIDE]), tensor(&second, [WIDE, OUT]));
    let network = Network::capture(&weights, |(first, second), ports| {
        let x = ports.input::<2>("x", [1, IN]);
        ports.output("y", unit(x.matmul(first.clone())).matmul(second.clone()));
    });
    let loaded = FrozenNetwork::load(network.expect("captures"), &Device::flex(), FloatDType::F64);
    let data = TensorData::new(x0.to_vec(), [1, IN]);
    let frozen = FrozenNetwork::new(loaded.expect("loads"), data, RuleSet::default());
    (frozen.expect("freezes"), first, second)
}

/// The row of an output with a gain for each unit, in plain sums.
fn row(first: &[f64], second: &[f64], output: usize, gains: &[f64]) -> Vec<f64> {
    let entry = |i: usize| -> f64 {
        let one = |j: usize| first[i * WIDE + j] * gains[j] * second[j * OUT + output];
        (0..WIDE).map(one).sum()
    };
    (0..IN).map(entry).collect()
}

fn apart(a: &[f64], b: &[f64]) -> Apart {
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let gap: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    Apart {
        cosine: dot(a, b) / (dot(a, a) * dot(b, b)).sqrt(),
        distance: (dot(&gap, &gap) / dot(b, b)).sqrt(),
    }
}

#[test]
fn rows_under_other_rules_are_those_of_the_formulas() {
    let x0: Vec<f64> = (0..IN).map(|i| 0.9 - 0.37 * i as f64).collect();
    for seed in 0..6 {
        let (f, first, second) = units(seed, &x0, sigmoid);
        let at = |j: usize| -> f64 { (0..IN).map(|i| x0[i] * first[i * WIDE + j]).sum() };
        let h = |z: f64| 1.0 / (1.0 + (-z).exp());
        let gains =
            |gain: &dyn Fn(f64) -> f64| -> Vec<f64> { (0..WIDE).map(|j| gain(at(j))).collect() };
        let secant = gains(&|z| (h(z) - 0.5) / z);
        for (rules, gains) in [
            ("taylor", gains(&|z| h(z) * (1.0 - h(z)))),
            ("mask", gains(&|z| h(z) / z)),
            ("secant", secant.clone()),
        ] {
            let set: RuleSet = rules.parse().expect("rules");
            let found = under_rules(&f, &[vec![0], vec![2]], &set).expect("found");
            for (found, output) in found.iter().zip([0, 2]) {
                let own = row(&first, &second, output, &secant);
                let other = row(&first, &second, output, &gains);
                let times =
                    |row: &[f64]| -> Vec<f64> { row.iter().zip(&x0).map(|(a, x)| a * x).collect() };
                for (found, expected) in [
                    (found.row, apart(&other, &own)),
                    (found.row_input, apart(&times(&other), &times(&own))),
                ] {
                    assert!(
                        (found.cosine - expected.cosine).abs() < 1e-10,
                        "{rules}: {found:?}"
                    );
                    let scale = expected.distance.max(1.0);
                    assert!(
                        (found.distance - expected.distance).abs() < 1e-10 * scale,
                        "{rules}: {found:?} for {expected:?}"
                    );
                }
                assert_eq!(
                    found.row.distance == 0.0,
                    rules == "secant",
                    "{rules}: {found:?}"
                );
            }
        }
    }
}

/// Every rule reads a piecewise-linear network alike, to the bit; and *mask* has nothing to divide where x₀ is 0.
#[test]
fn nothing_differs_without_smooth_units_and_a_refusal_names_its_op() {
    let x0: Vec<f64> = (0..IN).map(|i| 0.5 - 0.3 * i as f64).collect();
    let (f, ..) = units(1, &x0, relu);
    for rules in ["taylor", "mask", "std-only"] {
        let set = RuleSet::preset(rules).expect("a preset");
        let found = under_rules(&f, &[vec![1]], &set).expect("found")[0];
        assert_eq!(
            (found.row.distance, found.row_input.distance),
            (0.0, 0.0),
            "{rules}"
        );
    }
    let (f, ..) = units(1, &[0.0; IN], sigmoid);
    let mask = RuleSet::preset("mask").expect("a preset");
    let refused = under_rules(&f, &[vec![1]], &mask);
    assert!(
        matches!(refused, Err(Error::Engine(Refused::MaskAtZero { .. }))),
        "{refused:?}"
    );
    let taylor = RuleSet::preset("taylor").expect("a preset");
    assert!(under_rules(&f, &[vec![1]], &taylor).is_ok());
    assert!(matches!(
        under_rules(&f, &[vec![9]], &taylor),
        Err(Error::OutOfRange { .. })
    ));
}
