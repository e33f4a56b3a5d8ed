//! What counts as a decision: what x₀ chose, and nothing that is there whatever x₀ is. And lists that
//! do not depend on the memory there is.

use std::sync::Arc;

use burn::{
    nn::Sigmoid,
    tensor::{
        Device, FloatDType, IndexingUpdateOp, Tensor, TensorData, activation,
        module::{batch_norm, conv2d, deform_conv2d, layer_norm},
        ops::{ConvOptions, DeformConvOptions},
    },
};
use linearscope::{Network, Normalisation, RuleSet};
use linearscope_analysis::FrozenNetwork;
use linearscope_tests::certified::captured;

use crate::data::{bits, fixed, mask, start, whole};

/// Bytes of one number in these runs.
const NUMBER: usize = 8;

fn within(network: Network, rules: RuleSet, budget: usize) -> FrozenNetwork {
    let shape = network.inputs()[0].shape.to_vec();
    let x0 = TensorData::new(start(shape.iter().product()), shape);
    let loaded = FrozenNetwork::load(network, &Device::flex(), FloatDType::F64).expect("loads");
    FrozenNetwork::within(loaded, x0, rules, budget).expect("freezes")
}

/// Decisions and bytes of constants of a network frozen at x₀.
fn account(network: Network, rules: impl Into<RuleSet>) -> (usize, usize) {
    let f = within(network, rules.into(), usize::MAX);
    let account = f.recorded().expect("recorded").program().account();
    (account.decisions, account.constant_bytes)
}

/// Kind C. x₀ chooses a row's mean and standard deviation; γ and β are weights. By the tangent it
/// chooses d₀, d₀/σ₀² and d₀ v₀/σ₀² entry by entry and σ₀ row by row.
#[test]
fn a_layer_norms_weights_are_no_decisions() {
    let (rows, width) = (5, 7);
    let network = |shifted: bool| {
        captured([rows, width], |x| {
            let beta = shifted.then(|| fixed(&x, [width], 2));
            layer_norm(x.clone(), fixed(&x, [width], 1), beta, 1e-3)
        })
    };
    for (rule, decisions) in [
        (Normalisation::MeanAndStd, 2 * rows),
        (Normalisation::StdOnly, rows),
        (Normalisation::Taylor, 3 * rows * width + rows),
    ] {
        for (shifted, weights) in [(true, 2 * width), (false, width)] {
            let found = account(network(shifted), rule);
            let expected = (decisions, weights * NUMBER);
            assert_eq!(
                found, expected,
                "{rule:?}, beta {shifted}: (decisions, bytes of constants)"
            );
        }
    }
}

/// Kind C. A deformable convolution with as many outputs again has the same points.
#[test]
fn a_deformable_weight_is_no_decision() {
    let (input, points) = ([1, 2, 5, 5], 4 * 4 * 4);
    let network = |outputs: usize, bias: bool, moved: bool| {
        captured(input, |x| {
            let options = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
            let kernel = fixed(&x, [8, 2, 2, 2], 1);
            let offset = match moved {
                true => conv2d(x.clone(), kernel, None, options),
                false => fixed(&x, [1, 8, 4, 4], 1),
            };
            let weight = fixed(&x, [outputs, 2, 2, 2], 2);
            let bias = bias.then(|| fixed(&x, [outputs], 3));
            let options = DeformConvOptions::new([1, 1], [0, 0], [1, 1], 1, 1);
            deform_conv2d(x, offset, weight, None, bias, options)
        })
    };
    let rules = RuleSet::default;
    let (few, few_constants) = account(network(3, false, true), rules());
    let (many, many_constants) = account(network(6, false, true), rules());
    let (biased, biased_constants) = account(network(6, true, true), rules());
    assert_eq!([few, many], [biased; 2], "outputs choose no points");
    assert_eq!(few_constants, 3 * 8 * NUMBER, "the weight of 3 outputs");
    assert_eq!(many_constants, 6 * 8 * NUMBER, "the weight of 6 outputs");
    assert_eq!(
        biased_constants,
        6 * 8 * NUMBER + 6 * NUMBER,
        "weight and bias"
    );
    // What x₀ does choose: four pixels' weights a point.
    assert!(few >= points, "{few} decisions for {points} points");
    let (fixed_points, _) = account(network(3, false, false), rules());
    assert_eq!(fixed_points, 0, "offsets that do not depend on the input");
}

/// Kind C. A gain is chosen by x₀, h(0) is not.
#[test]
fn a_units_value_at_zero_is_no_decision() {
    let sigmoid = || captured([3, 4], |x| Sigmoid::new().forward(x));
    let (decisions, constants) = account(sigmoid(), RuleSet::default());
    assert_eq!(decisions, 12);
    assert!(constants > 0, "h(0) = 1/2 is stored somewhere");
}

/// What enters as data is chosen by x₀ as well, whatever it enters through.
#[test]
fn decisions_as_data_are_counted() {
    const PICTURE: [usize; 4] = [1, 2, 4, 4];
    type Door = fn(Tensor<4>) -> Tensor<4>;
    let same = || ConvOptions::<2>::new([1, 1], [0, 0], [1, 1], 1);
    let doors: [(&str, Door, Option<usize>); 12] = [
        (
            "cat",
            |x| Tensor::cat(vec![x.clone(), bits(&x, PICTURE)], 1),
            Some(32),
        ),
        ("add", |x| x.clone() + bits(&x, PICTURE), Some(32)),
        ("mul", |x| x.clone() * bits(&x, PICTURE), Some(32)),
        ("div", |x| x.clone() / (bits(&x, PICTURE) + 1.0), Some(32)),
        (
            "slice_assign",
            |x| {
                x.clone()
                    .slice_assign([0..1, 0..1, 0..4, 0..4], bits(&x, [1, 1, 4, 4]))
            },
            None,
        ),
        (
            "mask_where's value",
            |x| x.clone().mask_where(mask(&x, PICTURE), bits(&x, PICTURE)),
            None,
        ),
        (
            "mask_where's target",
            |x| bits(&x, PICTURE).mask_where(mask(&x, PICTURE), x),
            None,
        ),
        (
            "select_assign, add",
            |x| {
                let value = bits(&x, [1, 2, 2, 4]);
                x.clone()
                    .select_assign(2, whole(&x, [2], &[3, 1]), value, IndexingUpdateOp::Add)
            },
            None,
        ),
        (
            "select_assign, assign",
            |x| {
                let value = bits(&x, [1, 2, 2, 4]);
                x.clone()
                    .select_assign(2, whole(&x, [2], &[3, 1]), value, IndexingUpdateOp::Assign)
            },
            None,
        ),
        (
            "a convolution's bias",
            |x| {
                let options = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
                conv2d(
                    x.clone(),
                    fixed(&x, [4, 2, 2, 2], 1),
                    Some(bits(&x, [4])),
                    options,
                )
            },
            Some(4),
        ),
        (
            "a batch norm's beta",
            |x| {
                let [gamma, mean] = [1, 2].map(|seed| fixed(&x, [2], seed));
                let variance = fixed(&x, [2], 3).abs() + 0.5;
                batch_norm(x.clone(), gamma, bits(&x, [2]), mean, variance, 1e-5)
            },
            Some(2),
        ),
        (
            "a deformable weight",
            |x| {
                let (offset, weight) = (fixed(&x, [1, 8, 3, 3], 5), bits(&x, [3, 2, 2, 2]));
                let options = DeformConvOptions::new([1, 1], [0, 0], [1, 1], 1, 1);
                deform_conv2d(x, offset, weight, None, None, options)
            },
            Some(24),
        ),
    ];
    let mut wrong = Vec::new();
    for (name, door, expected) in doors {
        let (found, constants) = account(captured(PICTURE, door), RuleSet::default());
        if found == 0 || expected.is_some_and(|expected| expected != found) {
            wrong.push(format!(
                "{name}: {found} decisions and {constants} bytes of constants, expected {expected:?} decisions"
            ));
        }
    }
    // A weight is none, with the same units around it.
    let plain = captured(PICTURE, |x| {
        let weight = fixed(&x, [4, 2, 2, 2], 1);
        activation::relu(conv2d(x.clone(), weight, Some(fixed(&x, [4], 2)), same()))
    });
    let (found, constants) = account(plain, RuleSet::default());
    if (found, constants) != (36, (32 + 4) * NUMBER) {
        wrong.push(format!(
            "a plain layer: {found} decisions, {constants} bytes of constants"
        ));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Decisions in front, in the middle and at the end, and units that rules speak of.
fn mixed() -> Network {
    captured([1, 2, 4, 4], |x| {
        let x = activation::relu(x);
        let lit = x.clone().greater_scalar(0.3).float();
        let x = Tensor::cat(vec![x, lit], 1).tanh();
        let weight = fixed(&x, [3, 4, 2, 2], 1);
        let x = conv2d(x, weight, None, ConvOptions::new([1, 1], [0, 0], [1, 1], 1));
        let best = x.clone().argmax(1).float();
        let x = activation::sigmoid(x + best);
        let last = x.clone().lower_scalar(0.5).float();
        x * 2.0 + last
    })
}

/// Kind D. A recording that outgrows its memory is thrown away, and so are its lists.
#[test]
fn lists_do_not_depend_on_memory() {
    let rules: RuleSet =
        "tanh=taylor, sigmoid=taylor, node:nothing*=mask, gelu=taylor, Relu=secant"
            .parse()
            .expect("a rule set");
    let lists = |f: &FrozenNetwork| -> (Vec<String>, Vec<Arc<str>>) {
        let frozen = f.frozen();
        (
            frozen.unused_rules().to_vec(),
            frozen.decision_sources().to_vec(),
        )
    };
    let whole = within(mixed(), rules.clone(), usize::MAX);
    assert!(whole.recorded().is_some());
    let expected = lists(&whole);
    let named = |word: &str| expected.0.iter().any(|rule| rule.contains(word));
    assert_eq!(expected.0.len(), 2, "unused: {:?}", expected.0);
    assert!(
        named("nothing") && named("gelu"),
        "unused: {:?}",
        expected.0
    );
    assert_eq!(expected.1.len(), 3, "decisions: {:?}", expected.1);

    let needed = whole
        .recorded()
        .expect("recorded")
        .program()
        .decision_bytes();
    let (mut wrong, mut unrecorded) = (Vec::new(), 0);
    for budget in [1, 8, needed / 4, needed / 2, needed - 1, needed] {
        let f = within(mixed(), rules.clone(), budget);
        unrecorded += usize::from(f.recorded().is_none());
        let found = lists(&f);
        if found != expected {
            wrong.push(format!(
                "budget {budget} of {needed} bytes, recorded {}: unused rules and decisions {found:?}, \
                 with all memory {expected:?}",
                f.recorded().is_some()
            ));
        }
    }
    assert!(unrecorded >= 4, "only {unrecorded} budgets were too small");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
