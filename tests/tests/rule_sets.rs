//! Rule sets on whole networks: which entry an op takes, presets, and rules of the user's.

use std::sync::Arc;

use burn::{
    nn::{Linear, LinearConfig},
    tensor::{DType, Device, Tensor, activation},
};
use burn_backend::{Shape, TensorData, ops::FloatTensorOps};
use burn_dispatch::Dispatch;
use burn_flex::{Flex, FlexDevice};
use linearscope::{
    Entry, Error, Loaded, Network, Pointwise, Recorded, Rule, RuleSet, host, linear,
};
use linearscope_tests::*;

/// A network of two dense layers with `unit` between them; nodes are named "0", "1".
fn network(unit: impl Fn(Tensor<2>) -> Tensor<2>) -> Network {
    let device = Device::flex();
    let layers: Vec<Linear> = seeded(&device, 11, || {
        [(3, 5), (5, 4)]
            .map(|(i, o)| LinearConfig::new(i, o).init(&device))
            .to_vec()
    });
    Network::capture(&layers, |layers, ports| {
        let x = ports.input("x", [1, 3]);
        ports.output("y", layers[1].forward(unit(layers[0].forward(x))));
    })
    .expect("captures")
}

fn x0() -> burn_flex::FlexTensor {
    let data = TensorData::new(vec![0.4f64, -1.1, 0.9], [1, 3]);
    Flex::float_from_data(data, &FlexDevice)
}

fn freeze(network: Network, rules: RuleSet) -> Result<Recorded<Flex>, Error> {
    let loaded = Loaded::<Flex>::new(Arc::new(network), FlexDevice, DType::F64).expect("loads");
    Recorded::new(Arc::new(loaded), vec![x0()], rules)
}

/// F as [3, 4] columns, and the largest distance of F x₀ + r from y₀.
fn matrix(frozen: &Recorded<Flex>) -> Vec<f64> {
    let batch = |x| Flex::float_reshape(x, Shape::from(vec![1, 1, 3]));
    let y1 = host::<Flex>(frozen.affine(&[batch(x0())]).expect("replays").remove(0)).unwrap();
    let y0 = host::<Flex>(frozen.reference()[0].clone()).unwrap();
    assert!(
        relative(&y1, &y0) < 1e-14,
        "not exact at x0: {y1:?}, {y0:?}"
    );
    let eye: Vec<f64> = (0..9).map(|i| f64::from(u8::from(i % 4 == 0))).collect();
    let eye = Flex::float_from_data(TensorData::new(eye, [3, 1, 3]), &FlexDevice);
    host::<Flex>(frozen.apply(&[eye]).expect("replays").remove(0)).unwrap()
}

fn parsed(text: &str) -> RuleSet {
    text.parse().expect("a rule set")
}

fn close(a: &[f64], b: &[f64]) -> bool {
    relative(a, b) < 1e-12
}

#[test]
fn a_refused_op_takes_the_rule_its_entry_names() {
    let rounded = || network(|x| x.mul_scalar(3.0).round());
    let plain = matrix(&freeze(network(|x| x.mul_scalar(3.0)), RuleSet::default()).unwrap());
    let Err(Error::NoRule { place, .. }) = freeze(rounded(), RuleSet::default()) else {
        panic!("rounding has a rule");
    };
    assert_eq!(place.op, "float_round");
    // Straight through: the F of the network without the rounding; y₀ is the rounded one's.
    let through = freeze(rounded(), parsed("round=straight-through")).expect("freezes");
    assert!(close(&matrix(&through), &plain));
    // Constant: nothing passes, so that the output has no linear part at all.
    let constant = freeze(rounded(), parsed("round=constant"));
    assert!(
        matches!(constant, Err(Error::LostTrace { .. })),
        "{constant:?}"
    );
    // Beside a path that does depend on the input it is a source.
    let both = || network(|x| x.clone() + x.mul_scalar(3.0).round());
    let constant = freeze(both(), parsed("round=constant")).expect("freezes");
    let identity = matrix(&freeze(network(|x| x), RuleSet::default()).unwrap());
    assert!(close(&matrix(&constant), &identity));
}

#[test]
fn a_rule_of_ones_own() {
    let smooth = || network(activation::sigmoid);
    let own =
        |name| Rule::custom::<Flex>(name, |at| linear::gain(Flex::float_div(at.y0(), at.x0())));
    let rules = RuleSet::default().with(Entry::new(own("share kept")).op("sigmoid"));
    let frozen = freeze(smooth(), rules).expect("freezes");
    assert!(close(
        &matrix(&frozen),
        &matrix(&freeze(smooth(), RuleSet::of(Pointwise::Mask)).unwrap())
    ));
    assert!(frozen.unused_rules().is_empty());
    // Where two fit, the one above wins; a name that fits nothing is told.
    let zero = Rule::custom::<Flex>("nothing", |_| linear::multiple(0.0));
    let rules = RuleSet::default()
        .with(Entry::new(own("elsewhere")).op("tanh"))
        .with(Entry::new(own("share kept")).op("Sigmoid"))
        .with(Entry::new(zero).op("sigmoid"));
    let frozen_too = freeze(smooth(), rules).expect("freezes");
    assert!(close(&matrix(&frozen_too), &matrix(&frozen)));
    assert_eq!(frozen_too.unused_rules(), ["op:tanh=elsewhere"]);
    // A rule for another backend, and one whose map does not fit.
    let other = Rule::custom::<Dispatch>("strange", |_| linear::multiple(1.0));
    let rules = RuleSet::default().with(Entry::new(other).op("sigmoid"));
    let Err(Error::RuleMisfit { because, .. }) = freeze(smooth(), rules) else {
        panic!("it was written for a different backend");
    };
    assert!(because.contains("a different backend"), "{because}");
    let rules = parsed("op:sumdim=straight-through");
    let Err(Error::RuleMisfit { because, .. }) =
        freeze(network(|x| x.clone() + x.sum_dim(1)), rules)
    else {
        panic!("a sum does not have its operand's shape");
    };
    assert!(
        because.contains("[1, 5]") && because.contains("[1, 1]"),
        "{because}"
    );
}

#[test]
fn entries_fit_by_op_node_and_position() {
    // A mean between them, or they would be recognised as one function.
    let two_units = || {
        network(|x| {
            let x = activation::sigmoid(x);
            (x.clone() - x.mean_dim(1)).tanh()
        })
    };
    let with = |text: &str| matrix(&freeze(two_units(), parsed(text)).expect(text));
    let (secant, taylor) = (with("secant"), with("pointwise=taylor"));
    assert!(!close(&secant, &taylor));
    let mixed = with("tanh=taylor");
    assert!(!close(&mixed, &secant) && !close(&mixed, &taylor));
    assert!(close(&with("tanh=taylor, sigmoid=taylor"), &taylor));
    assert!(close(&with("node:nowhere*=taylor"), &secant));
    assert!(close(&with("node:*=taylor"), &taylor));
    assert!(close(&with("at:0..99=taylor"), &taylor));
    assert!(close(&with("at:90..99=taylor"), &secant));
    assert!(close(
        &with("tanh=secant, taylor, secant"),
        &with("sigmoid=taylor")
    ));
}

/// With `taylor` everywhere F is the Jacobian, and Burn's autodiff has it too.
#[test]
fn the_preset_taylor_is_the_jacobian() {
    let unit = |x: Tensor<2>| {
        let gate = activation::sigmoid(x.clone());
        let product = x.clone().tanh() * gate.clone() * x.clone();
        product / (x.clone().powi_scalar(2) + 1.5) + x.exp() * gate
    };
    let found = matrix(&freeze(network(unit), parsed("taylor")).expect("freezes"));
    // Finite differences of the plain network, f64.
    let loaded = Loaded::<Flex>::new(Arc::new(network(unit)), FlexDevice, DType::F64).unwrap();
    let plain = |x: [f64; 3]| {
        let x = Flex::float_from_data(TensorData::new(x.to_vec(), [1, 3]), &FlexDevice);
        host::<Flex>(loaded.forward(vec![x]).expect("runs").remove(0)).unwrap()
    };
    let step = 1e-6;
    for column in 0..3 {
        let at = |sign: f64| {
            let mut x = [0.4, -1.1, 0.9];
            x[column] += sign * step;
            plain(x)
        };
        let (up, down) = (at(1.0), at(-1.0));
        for (row, (up, down)) in up.iter().zip(&down).enumerate() {
            let slope = (up - down) / (2.0 * step);
            let f = found[4 * column + row];
            assert!(
                (f - slope).abs() < 1e-8,
                "F[{row}, {column}] is {f}, not {slope}"
            );
        }
    }
    // And by default it is not.
    let default = matrix(&freeze(network(unit), RuleSet::default()).expect("freezes"));
    assert!(!close(&default, &found));
}

#[test]
fn a_mask_is_refused_where_it_has_no_gain() {
    // The layer's output is exactly 0 where its weights are masked out.
    let smooth = || network(|x| activation::sigmoid(x.mul_scalar(0.0)));
    let Err(Error::MaskAtZero {
        place,
        count,
        of,
        at_zero,
        ..
    }) = freeze(smooth(), parsed("paper"))
    else {
        panic!("0.5/0 is no gain");
    };
    assert_eq!((count, of, at_zero), (5, 5, 0.5));
    assert!(!place.node.is_empty());
    // tanh(0) = 0: its mask is its secant.
    let odd = || network(|x| x.mul_scalar(0.0).tanh());
    let by_mask = matrix(&freeze(odd(), parsed("mask")).expect("freezes"));
    let by_secant = matrix(&freeze(odd(), RuleSet::default()).expect("freezes"));
    assert_eq!(by_mask, by_secant);
}
