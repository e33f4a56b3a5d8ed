//! DeepLift against Captum on four small networks (`reference/attribution/make.py` says how), and the sum it promises on
//! random ones.

use burn::tensor::{Device, FloatDType};
use linearscope::RuleSet;
use linearscope_analysis::{
    FrozenNetwork,
    attribution::{Attribution, Surroundings, attribute},
    progress::unobserved,
};
use linearscope_tests::{
    pseudo_input,
    random::{Head, Layer, Recipe},
};
use serde_json::Value;

use super::{SIDE, frozen_at, picture};

/// The numbers of `make.py`: its picture and its baseline.
fn pictures() -> [Vec<f64>; 2] {
    let baseline = |at: usize| ((at * 53) % 89) as f64 / 89.0 * 0.6 - 0.2;
    [picture(), (0..3 * SIDE * SIDE).map(baseline).collect()]
}

fn frozen(name: &str, x0: Vec<f64>) -> FrozenNetwork {
    frozen_at(name, FloatDType::F64, x0)
}

fn lifted(f: &FrozenNetwork, targets: &[Vec<usize>], baseline: Vec<f64>) -> Vec<Attribution> {
    let method = "deep-lift".parse().expect("a method");
    let around = Surroundings::default().with_baseline(Some(baseline));
    attribute(f, targets, &method, &around, unobserved).expect("attributes")
}

fn norm(map: &[f64]) -> f64 {
    map.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// How far the map and its promise are from the golden ones, over the golden norm.
fn distance(found: &Attribution, golden: &Value) -> f64 {
    let number = |value: &Value| value.as_f64().expect("a number");
    let list = |key: &str| golden[key].as_array().expect("a list").iter();
    let at = list("at").map(|at| at.as_u64().expect("a place") as usize);
    let mut off: Vec<f64> = (at.zip(list("values")))
        .map(|(at, v)| found.map[at] - number(v))
        .collect();
    off.push(norm(&found.map) - number(&golden["norm"]));
    off.push(found.sum - number(&golden["sum"]));
    off.push(found.promised.expect("a promise") - number(&golden["promised"]));
    let largest = off.iter().map(|v| v.abs()).fold(0.0, f64::max);
    match off.iter().all(|v| v.is_finite()) {
        true => largest / number(&golden["norm"]),
        false => f64::NAN,
    }
}

#[test]
fn maps_are_those_of_captum() {
    let golden: Value =
        serde_json::from_str(include_str!("../../reference/attribution/golden.json"))
            .expect("the golden file");
    let [x0, baseline] = pictures();
    for name in ["lenet", "vgg", "resnet", "mobilenet"] {
        let golden = &golden[name];
        let target = golden["target"].as_u64().expect("a class") as usize;
        let f = frozen(name, x0.clone());
        let found = lifted(&f, &[vec![target]], baseline.clone()).remove(0);
        let off = distance(&found, &golden["deep-lift"]);
        println!("{name}: {off:.1e}");
        assert!(off <= 1e-8, "{name}: {off}");
    }
}

/// Of a baseline that is x₀ itself nothing is left; of two classes each is as alone, and their sum the sum.
#[test]
fn targets_are_independent() {
    let [x0, baseline] = pictures();
    let f = frozen("lenet", x0.clone());
    let nothing = lifted(&f, &[vec![0]], x0);
    assert_eq!(norm(&nothing[0].map), 0.0);
    let both = lifted(&f, &[vec![0], vec![1], vec![0, 1]], baseline.clone());
    let alone = lifted(&f, &[vec![1]], baseline);
    let off = |a: &[f64], b: &[f64]| norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>());
    let scale = norm(&both[2].map);
    assert!(off(&both[1].map, &alone[0].map) <= 1e-14 * scale);
    let sum: Vec<f64> = (both[0].map.iter().zip(&both[1].map))
        .map(|(a, b)| a + b)
        .collect();
    assert!(off(&both[2].map, &sum) <= 1e-12 * scale);
}

/// How far Σ map is from f(x₀) − f(x′), over Σ |map|.
fn missed(recipe: &Recipe) -> f64 {
    let (network, x0) = recipe.network();
    let shape = x0.shape().to_vec();
    let loaded = FrozenNetwork::load(network, &Device::flex(), FloatDType::F64).expect("loads");
    let f = FrozenNetwork::new(loaded, x0, RuleSet::default()).expect("freezes");
    let baseline = pseudo_input(&shape, 1.0, 100 * recipe.seed + 17);
    let baseline: Vec<f64> = baseline.iter::<f64>().collect();
    let targets = [vec![0], vec![3], vec![1, 2]];
    let each = lifted(&f, &targets, baseline).into_iter().map(|one| {
        let size: f64 = one.map.iter().map(|v| v.abs()).sum();
        (one.sum - one.promised.expect("a promise")).abs() / size.max(1e-300)
    });
    each.fold(0.0, f64::max)
}

/// Units, winners of overlapping windows, norms by their std, products of two branches: all keep the sum.
#[test]
fn sums_are_kept_on_random_networks() {
    let alone = [
        Layer::Relu,
        Layer::LeakyRelu,
        Layer::Tanh,
        Layer::Gelu,
        Layer::BatchNorm,
        Layer::InstanceNorm,
        Layer::GroupNorm,
        Layer::MaxPool,
        Layer::Skip,
        Layer::Concat,
        Layer::Resized,
        Layer::Pooled,
        Layer::Excited,
    ];
    let alone = alone.into_iter().map(|layer| Recipe {
        batch: 1,
        layers: vec![(Layer::Conv, 1), (layer, 2), (Layer::Conv, 3), (layer, 4)],
        head: Head::Scores,
        seed: 5,
    });
    for recipe in alone.chain((0..40).map(Recipe::number)) {
        let missed = missed(&recipe);
        println!("{missed:.1e} {recipe:?}");
        assert!(missed <= 1e-9, "{missed} of {recipe:?}");
    }
}
