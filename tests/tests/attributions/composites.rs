//! Composites: which layers an entry means.

use burn::tensor::FloatDType;
use linearscope_analysis::{
    attribution::{Composite, LayerEntry, LayerRule, Method, Position, SweepMethod, attribute},
    progress::unobserved,
};

use super::{around, dense, frozen, one};

/// `last` is the layer that nothing with weights comes behind, whatever its number; ops are called as they are shown.
#[test]
fn layers_are_named_by_place_op_and_number_alike() {
    // Numbers of their last layers.
    for (name, last) in [("lenet", 3), ("vgg", 4), ("resnet", 6), ("mobilenet", 7)] {
        let f = frozen(name, FloatDType::F64);
        let beyond = format!("at:{}=flat", last + 1);
        let note = one(&f, 1, &format!("lrp-{beyond},epsilon")).note;
        assert_eq!(note, Some(format!("no layer matches {beyond}")), "{name}");
        let map = |method: &str| one(&f, 1, method).map;
        // Maps are too long to be printed.
        let same = |one: &str, other: &str| map(one) == map(other);
        let by_number = format!("lrp-at:{last}=w-square,epsilon");
        assert!(same("lrp-last=w-square,epsilon", &by_number), "{name}");
        assert!(!same("lrp-epsilon", &by_number), "{name}");
        let convolutions = "lrp-op:Conv2d=plus,epsilon";
        assert!(same(convolutions, "lrp-epsilon-plus"), "{name}");
        let first = "lrp-first&conv=flat,epsilon-plus";
        assert!(same(first, "lrp-epsilon-plus-flat"), "{name}");
    }
}

/// A layer is called after its module, or as the file calls it.
#[test]
fn layers_are_named_either_way() {
    let f = frozen("lenet", FloatDType::F64);
    let program = f.recorded().expect("recorded").program();
    let network = f.frozen().loaded().network();
    let mut aliased = program.nodes().iter().filter_map(|node| {
        let alias = network.alias(&node.name)?;
        (node.operation.name() == "conv2d").then(|| (node.name.clone(), alias.clone()))
    });
    let (name, alias) = aliased.next().expect("a convolution with two names");
    assert_ne!(name, alias);
    let map = |called: &str| one(&f, 0, &format!("lrp-node:{called}=flat,epsilon"));
    assert_eq!(map(&alias).note, None);
    assert!(map(&alias).map == map(&name).map);
    assert!(map(&alias).map != one(&f, 0, "lrp-epsilon").map);
}

/// From code as in words, checked alike.
#[test]
fn a_composite_from_code_is_the_one_in_words() {
    let (f, layers, x0) = dense(3, true);
    let of = |composite: Composite| {
        let method = Method::Sweep(SweepMethod::Lrp(composite));
        attribute(&f, &[vec![2]], &method, &around(), unobserved).map(|mut found| found.remove(0))
    };
    let own = Composite::default()
        .with(LayerEntry::new(LayerRule::WSquare).position(Position::Last))
        .with(LayerEntry::new(LayerRule::Flat).at(0..1))
        .with(LayerEntry::new(LayerRule::Gamma(0.25)).op("dense"));
    let found = of(own).expect("a map");
    assert_eq!(found.method, "lrp-last=w-square,at:0=flat,dense=gamma");
    assert_eq!(found.map, one(&f, 2, &found.method).map);
    // And the one of the formulas.
    let (mut inputs, mut y) = (vec![x0], Vec::new());
    for layer in &layers {
        y = layer.at(inputs.last().expect("one"));
        inputs.push(y.iter().map(|z| z.max(0.0)).collect());
    }
    let mut r = vec![0.0; y.len()];
    r[2] = y[2];
    for (number, rule) in [(2, "w-square"), (1, "gamma"), (0, "flat")] {
        r = layers[number].relevance(rule, &inputs[number], &r, [-1.0, 1.5]);
    }
    let norm = r.iter().map(|v| v * v).sum::<f64>().sqrt();
    for (a, b) in found.map.iter().zip(&r) {
        assert!((a - b).abs() <= 1e-10 * norm, "{a} for {b}");
    }
    let wrong = Composite::default().with(LayerEntry::new(LayerRule::Gamma(f64::NAN)));
    let refused = of(wrong).expect_err("refused").to_string();
    assert!(
        refused.contains("NaN") && refused.contains("0 or above"),
        "{refused}"
    );
}
