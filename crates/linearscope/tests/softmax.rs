//! Softmax written out is softmax; a classifier's final one can be left out.

mod captured;

use burn::{
    nn::Relu,
    tensor::{Tensor, activation},
};
use burn_backend::DType;
use captured::*;
use linearscope::{Network, RuleSet};

type Forward = fn(Tensor<2>) -> Tensor<2>;

/// Written out, with and without the maximum, it is recognised, and frozen as the one op is.
#[test]
fn written_out_it_is_the_same() {
    let spellings: [(&str, Forward, Forward); 3] = [
        (
            "softmax",
            |x| {
                let e = (x.clone() - x.max_dim(1)).exp();
                e.clone() / e.sum_dim(1)
            },
            |x| activation::softmax(x, 1),
        ),
        (
            "softmax without the maximum",
            |x| {
                let e = x.exp();
                e.clone() / e.sum_dim(1)
            },
            |x| activation::softmax(x, 1),
        ),
        (
            "log softmax",
            |x| {
                let z = x.clone() - x.max_dim(1);
                z.clone() - z.exp().sum_dim(1).log()
            },
            |x| activation::log_softmax(x, 1),
        ),
    ];
    let x0: Vec<f64> = pseudo(8, 2).iter().map(|x| 3.0 * x).collect();
    let x1 = pseudo(8, 50);
    for (name, written, op) in spellings {
        assert_eq!(network([2, 4], written).recognised_functions(), 1, "{name}");
        let frozen = Frozen::new(
            network([2, 4], written),
            &x0,
            RuleSet::default(),
            DType::F64,
        );
        frozen.keeps_promises(name, 1e-12);
        let one = Frozen::new(network([2, 4], op), &x0, RuleSet::default(), DType::F64);
        close(name, &frozen.affine(&x1), &one.affine(&x1), 1e-13);
        close(name, &frozen.apply(&x1), &one.apply(&x1), 1e-13);
    }
    // Read from inside it is none.
    let shared = network([2, 4], |x| {
        let e = x.exp();
        e.clone() / e.clone().sum_dim(1) + e
    });
    assert_eq!(shared.recognised_functions(), 0);
}

/// It is a gate: what it weighs passes, as with the one op.
#[test]
fn written_out_it_is_a_gate() {
    let written = |x: Tensor<2>| {
        let e = x.clone().exp();
        (e.clone() / e.sum_dim(1)) * x
    };
    let (x0, x1) = (pseudo(8, 2), pseudo(8, 50));
    let frozen = Frozen::new(
        network([2, 4], written),
        &x0,
        RuleSet::default(),
        DType::F64,
    );
    let twin: Vec<f64> = (0..8)
        .map(|i| {
            let row = i / 4 * 4..i / 4 * 4 + 4;
            let sum: f64 = x0[row].iter().map(|x| x.exp()).sum();
            x0[i].exp() / sum * x1[i]
        })
        .collect();
    close("gate", &frozen.affine(&x1), &twin, 1e-13);
}

#[test]
fn a_final_softmax_can_be_left_out() {
    let scores: Forward = |x| x * 2.0 + 1.0;
    let x0 = pseudo(8, 2);
    let y0 = |network| Frozen::new(network, &x0, RuleSet::default(), DType::F64).y0();
    let expected = y0(network([2, 4], scores));
    for forward in [
        (|x| activation::softmax(x * 2.0 + 1.0, 1)) as Forward,
        |x| activation::log_softmax(x * 2.0 + 1.0, 1),
        // Through reshapes.
        |x| activation::softmax((x * 2.0 + 1.0).reshape([2, 4, 1, 1]), 1).reshape([2, 4]),
    ] {
        let (without, dropped) = network([2, 4], forward).without_final_softmax();
        assert_eq!(dropped.len(), 1);
        assert!(dropped[0].contains("oftmax"), "{dropped:?}");
        assert_eq!(y0(without), expected);
    }
    let stays = |network: Network| network.without_final_softmax().1.is_empty();
    // No softmax at the end; one in every pixel; one that another output reads.
    assert!(stays(network([2, 4], scores)));
    assert!(stays(
        network([2, 4], |x| activation::softmax(x * 2.0, 1) * 3.0)
    ));
    assert!(stays(network([1, 4, 3, 3], |x: Tensor<4>| {
        activation::softmax(x * 2.0, 1)
    })));
    assert!(stays(
        Network::capture(&Relu::new(), |_, ports| {
            let y = activation::softmax(ports.input::<2>("x", [1, 4]) * 2.0, 1);
            let twice = y.clone() * 2.0;
            ports.output("y", y);
            ports.output("twice", twice);
        })
        .expect("captures")
    ));
    // Nothing but a softmax keeps it.
    assert!(stays(network([2, 4], |x| activation::softmax(x, 1))));
}
