//! Decisions of f32 held against those of f64.

use std::{collections::HashMap, path::Path, sync::Arc};

use burn_backend::{DType, TensorData};
use burn_flex::{Flex, FlexDevice};
use linearscope::{
    Loaded, NearKink, Network, Recorded, RuleSet,
    linear::Chosen,
    program::{Operation, Program},
};
use linearscope_onnx::Model;

use crate::{pseudo, upload};

const DEVICE: FlexDevice = FlexDevice;

/// What each decision of a program chose, by node, in order.
fn chosen(program: &Program<Flex>) -> Vec<(String, Chosen<'_>)> {
    let maps = program.nodes().iter().filter_map(|node| {
        let Operation::Map { map, .. } = &node.operation else {
            return None;
        };
        let chosen = map
            .structure()
            .choice()?
            .chosen()
            .expect("flex reads back")?;
        Some((node.name.to_string(), chosen))
    });
    maps.collect()
}

/// Units whose choices differ.
fn differing(a: &Chosen<'_>, b: &Chosen<'_>) -> Vec<usize> {
    match (a, b) {
        (Chosen::Sides { bits: a, units }, Chosen::Sides { bits: b, .. }) => {
            let bit = |bits: &[u8], i: usize| bits[i / 8] >> (i % 8) & 1;
            (0..*units).filter(|&i| bit(a, i) != bit(b, i)).collect()
        }
        (Chosen::Places(a), Chosen::Places(b)) => (0..a.len()).filter(|&i| a[i] != b[i]).collect(),
        _ => panic!("the same map chooses alike"),
    }
}

/// How many decisions there are, how many lie within the band, and how many differ in f64; a panic if one
/// of these lies outside.
fn measure(what: &str, network: &Arc<Network>, x0: &TensorData) -> [usize; 3] {
    let loaded = |dtype| {
        Arc::new(Loaded::<Flex>::new(network.clone(), DEVICE, dtype).expect("the network loads"))
    };
    let frozen = |dtype| {
        let x0 = upload::<Flex>(x0, &DEVICE, dtype);
        Recorded::new(loaded(dtype), vec![x0], RuleSet::default()).expect("freezes")
    };
    let (single, double) = (frozen(DType::F32), frozen(DType::F64));
    let x0 = [upload::<Flex>(x0, &DEVICE, DType::F32)];
    let near = Recorded::near_kinks(&loaded(DType::F32), &x0, RuleSet::default());
    let mut by_node: HashMap<String, Vec<NearKink>> = HashMap::new();
    for decision in near.expect("freezes") {
        by_node
            .entry(decision.node.to_string())
            .or_default()
            .push(decision);
    }
    let mut count = 0;
    let (ours, theirs) = (chosen(single.program()), chosen(double.program()));
    assert_eq!(ours.len(), theirs.len());
    for ((node, a), (_, b)) in ours.iter().zip(&theirs) {
        let differing = differing(a, b);
        count += differing.len();
        let known = by_node.get(node).map_or(&[][..], Vec::as_slice);
        for unit in differing {
            let inside = known.iter().any(|decision| {
                decision
                    .near
                    .as_ref()
                    .is_none_or(|near| near.binary_search(&unit).is_ok())
            });
            assert!(
                inside,
                "{what}: unit {unit} of {node} differs in f64, outside of the band"
            );
        }
    }
    let risk = single
        .decisions_at_risk()
        .expect("counts")
        .expect("counted")
        .clone();
    assert_eq!(risk.unknown, 0, "{what}");
    let listed: usize = by_node
        .values()
        .flatten()
        .flat_map(|d| &d.near)
        .map(Vec::len)
        .sum();
    assert_eq!(
        listed,
        risk.within + risk.ties,
        "{what}: the count is of the list"
    );
    [risk.units, risk.within, count]
}

/// Twenty inputs: noise of several ranges, ramps, waves, and noise on them.
fn input(shape: &[usize], scale: f64, number: usize) -> TensorData {
    let [c, h, w] = [shape[1], shape[2], shape[3]];
    let values = (0..c * h * w).map(|i| {
        let (x, y) = ((i % w) as f64 / w as f64, (i / w % h) as f64 / h as f64);
        let noise = pseudo(i + 7919 * number);
        let wave =
            0.5 + 0.5 * (9.0 * (x * (1 + number % 3) as f64 + y) + (i / (h * w)) as f64).sin();
        let picture = match number {
            0..8 => noise,
            8..12 => 0.7 * wave + 0.3 * noise,
            12..16 => 0.9 * wave * x + 0.1 * noise,
            16 | 17 => 0.4 + 0.05 * wave + 0.01 * noise,
            _ => 0.02 * noise,
        };
        (scale * picture) as f32
    });
    TensorData::new(values.collect::<Vec<_>>(), shape.to_vec())
}

/// Twenty inputs on one network; its line for the table.
///
/// # Panics
/// When a decision that differs in f64 lies outside of the rounding band, or the band holds more than a
/// hundredth of all.
pub fn on_inputs(name: &str, path: &Path, shape: &[usize], scale: f64) -> String {
    let model = Model::load(path).expect("the model reads");
    let network = Arc::new(model.network(&[shape.to_vec()]).expect("captured"));
    let mut sums = [0usize; 3];
    let mut worst = 0f64;
    for number in 0..20 {
        let what = format!("{name}, input {number}");
        let found = measure(&what, &network, &input(shape, scale, number));
        worst = worst.max(found[1] as f64 / found[0].max(1) as f64);
        (0..3).for_each(|i| sums[i] += found[i]);
    }
    let [units, within, differ] = sums;
    let share = within as f64 / units.max(1) as f64;
    assert!(
        share < 0.01,
        "{name}: {within} of {units} decisions lie within the band"
    );
    format!(
        "{name:28} {units:10} decisions, {differ:5} differ, {:.4} % within the band (worst input {:.4} %)",
        100.0 * share,
        100.0 * worst
    )
}
