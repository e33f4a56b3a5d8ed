//! The interpreter in Burn's tensors says what the engine on primitives says, and refuses by name what it
//! cannot take.

use burn::{
    module::Module,
    nn::{
        Linear, LinearConfig, Relu,
        conv::{Conv2d, Conv2dConfig},
        pool::{AvgPool2d, AvgPool2dConfig},
    },
    tensor::{Device, Distribution, FloatDType, Tensor, activation::relu},
};
use linearscope::{
    Error, Frozen, Interpreter, Interrupt, Network, Paired, Ports, Recorded, RuleSet,
    program::{Carry, Clip},
    training::Traced,
};
use std::sync::Arc;

#[derive(Module, Debug)]
struct Net {
    pool: AvgPool2d,
    conv: Conv2d,
    dense: Linear,
}

impl Net {
    fn new(device: &Device) -> Self {
        Self {
            pool: AvgPool2dConfig::new([2, 2]).init(),
            conv: Conv2dConfig::new([1, 2], [3, 3]).init(device),
            dense: LinearConfig::new(32, 3).init(device),
        }
    }

    fn forward(&self, ports: &mut Ports) {
        let x = ports.input("picture", [2, 1, 12, 12]);
        let x = relu(self.conv.forward(self.pool.forward(x)));
        ports.output("scores", self.dense.forward(x.flatten::<2>(1, 3)));
    }
}

fn noise<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex())
}

fn frozen() -> (Interpreter, Tensor<4>) {
    let network = Network::capture(&Net::new(&Device::flex()), Net::forward).expect("captures");
    let loaded = Interpreter::load(network, &Device::flex(), FloatDType::F32).expect("loads");
    let x0 = noise([2, 1, 12, 12]);
    let frozen = Interpreter::freeze(loaded, x0.clone(), RuleSet::default()).expect("freezes");
    (frozen, x0)
}

fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().try_to_vec().expect("f32")
}

#[test]
fn it_says_what_the_engine_says() {
    let (f, x0) = frozen();
    let engine = f.recorded();
    let (x, y) = (noise([3, 2, 1, 12, 12]), noise([3, 2, 3]));
    let (of_x, of_y) = ([x.clone().into_dispatch()], [y.clone().into_dispatch()]);
    let at = engine.node("conv").expect("a node");
    let hidden = noise([3, 2, 2, 4, 4]);
    let of_hidden = || hidden.clone().into_dispatch();
    let only = |mut found: Vec<_>| numbers(Tensor::<3>::from_dispatch(found.remove(0)));
    let back = |found| numbers(Tensor::<5>::from_dispatch(found));

    assert_eq!(
        numbers(f.reference::<2>().unwrap()),
        numbers(Tensor::<2>::from_dispatch(engine.reference()[0].clone()))
    );
    assert_eq!(
        numbers(f.apply::<5, 3>(x.clone()).unwrap()),
        only(engine.apply(&of_x).unwrap())
    );
    assert_eq!(
        numbers(f.affine::<5, 3>(x.clone()).unwrap()),
        only(engine.affine(&of_x).unwrap())
    );
    assert_eq!(
        numbers(f.adjoint::<3, 5>(y.clone()).unwrap()),
        back(engine.adjoint(&of_y).unwrap().remove(0))
    );
    let (row, shares) = f.contributions::<3, 5>(y.clone()).unwrap();
    let (engine_row, engine_shares) = engine.contributions(&of_y).unwrap();
    assert_eq!(numbers(row), back(engine_row[0].clone()));
    assert_eq!(shares, engine_shares);
    let conv = Some("conv");
    let found = f.apply_between::<5, 3>(hidden.clone(), conv, None);
    let [y_of, x_of] = [
        engine.apply_between(of_hidden(), Some(at), None),
        engine.adjoint_between(of_y[0].clone(), Some(at), None),
    ];
    assert_eq!(numbers(found.unwrap()), only(vec![y_of.unwrap()]));
    let found = f.adjoint_between::<3, 5>(y, conv, None);
    assert_eq!(numbers(found.unwrap()), back(x_of.unwrap()));
    let found = f.affine_between::<5, 3>(hidden.clone(), conv, None);
    let x0 = [x0.into_dispatch()];
    let expected = engine.affine_between(of_hidden(), Some(at), None, &x0);
    assert_eq!(numbers(found.unwrap()), only(vec![expected.unwrap()]));
}

/// What keeps no program gives the same forwards. There is no adjoint on it to call.
#[test]
fn paired_it_says_the_same() {
    let (f, x0) = frozen();
    let x0 = vec![x0.into_dispatch()];
    let paired = Paired::new(f.loaded().clone(), x0, RuleSet::default()).expect("freezes");
    let x = noise([3, 2, 1, 12, 12]);
    let x_of = [x.clone().into_dispatch()];
    let of = |mut found: Vec<_>| Tensor::<3>::from_dispatch(found.remove(0));
    let near = |a: Tensor<3>, b: Tensor<3>| {
        let gap: f32 = (a - b).abs().max().into_scalar();
        assert!(gap < 1e-5, "{gap}");
    };
    near(
        f.apply(x.clone()).unwrap(),
        of(paired.apply(&x_of).unwrap()),
    );
    near(f.affine(x).unwrap(), of(paired.affine(&x_of).unwrap()));
    let r = Tensor::<2>::from_dispatch(paired.residual().unwrap().remove(0));
    near(f.residual::<2>().unwrap().unsqueeze(), r.unsqueeze());
    let y0 = Tensor::<2>::from_dispatch(paired.reference()[0].clone());
    assert_eq!(numbers(y0), numbers(f.reference::<2>().unwrap()));
}

#[test]
fn several_ports_are_refused_and_the_engine_is_named() {
    let network = Network::capture(&Relu::new(), |relu, ports| {
        let (a, b) = (ports.input("a", [1, 2]), ports.input("b", [1, 2]));
        ports.output("y", relu.forward(a + b));
    });
    let found = Interpreter::load(network.expect("captures"), &Device::flex(), FloatDType::F32);
    let error = found.expect_err("two inputs");
    assert!(matches!(&error, Error::Shape { got, .. } if *got == [2]));
    assert!(
        error.to_string().contains("linearscope::Recorded"),
        "{error}"
    );
}

#[test]
fn what_does_not_fit_is_an_error() {
    let (f, _) = frozen();
    let two = f.reference::<3>().expect_err("a rank").to_string();
    assert!(two.contains("rank 3") && two.contains("rank 2"), "{two}");
    let shape = f.apply::<5, 3>(noise([1, 2, 1, 12, 11]));
    assert!(matches!(shape.expect_err("a shape"), Error::Shape { .. }));
    let none = f.apply::<5, 3>(noise([0, 2, 1, 12, 12]));
    assert!(matches!(
        none.expect_err("no probes"),
        Error::NoProbes { .. }
    ));
    let double = noise([1, 2, 1, 12, 12]).cast(FloatDType::F64);
    let error = f.apply::<5, 3>(double).expect_err("a dtype").to_string();
    assert!(error.contains("F64") && error.contains("F32"), "{error}");
    let foreign = f.apply_between::<5, 3>(noise([1, 2, 2, 4, 4]), Some("convolution"), None);
    let error = foreign.expect_err("a name");
    assert!(matches!(&error, Error::NoSuchNode { nodes, .. } if nodes.iter().any(|n| n == "conv")));
}

/// Behind the pool, which Burn's backward cannot be differentiated through, a loss on rows is possible.
#[test]
fn gradients_of_parts_are_refused_for_what_is_in_them_only() {
    let net = Net::new(&Device::flex().autodiff());
    let traced = Traced::capture(&net, Net::forward).expect("captures");
    let bound = traced.bind(&net).expect("binds");
    let f = bound.freeze(noise([2, 1, 12, 12]), RuleSet::default());
    let f = f.expect("freezes");
    let whole = f.adjoint::<3, 5>(noise([1, 2, 3]));
    let refused = whole.expect_err("the pool");
    assert!(matches!(refused, Error::NoGradient { .. }), "{refused}");
    let part = f.adjoint_between::<3, 5>(noise([1, 2, 3]), Some("conv"), None);
    let gradients = part.expect("no pool in it").square().sum().backward();
    assert!(net.dense.weight.val().grad(&gradients).is_some());
}

/// Everything that is made from a network whose interrupt is stopped refuses, whenever it was made.
#[test]
fn what_carries_a_stopped_interrupt_refuses() {
    let network = Network::capture(&Net::new(&Device::flex()), Net::forward).expect("captures");
    let loaded = Interpreter::load(network, &Device::flex(), FloatDType::F32).expect("loads");
    let interrupt = Interrupt::new();
    let loaded = Arc::new(loaded.with_interrupt(interrupt.clone()));
    let (x0, x, y) = (
        noise([2, 1, 12, 12]),
        noise([3, 2, 1, 12, 12]),
        noise([3, 2, 3]),
    );
    let frozen = Interpreter::freeze(loaded.clone(), x0.clone(), RuleSet::default());
    let frozen = frozen.expect("nobody stopped it");
    let (x0, x, y) = (x0.into_dispatch(), x.into_dispatch(), y.into_dispatch());
    let rules = RuleSet::default;
    let paired = Paired::new(loaded.clone(), vec![x0.clone()], rules()).expect("nobody stopped it");
    let engine = frozen.recorded();
    let at = engine.node("conv").expect("a node");
    let asked = || {
        let ends = [x.clone()];
        let seeds = [y.clone()];
        [
            loaded.forward(vec![x0.clone()]).map(|_| ()),
            loaded.survey(vec![x0.clone()], rules()).map(|_| ()),
            Recorded::new(loaded.clone(), vec![x0.clone()], rules()).map(|_| ()),
            Recorded::near_kinks(&loaded, std::slice::from_ref(&x0), rules()).map(|_| ()),
            Paired::new(loaded.clone(), vec![x0.clone()], rules()).map(|_| ()),
            // Without memory it would be a paired one.
            Frozen::within(loaded.clone(), vec![x0.clone()], rules(), 1).map(|_| ()),
            Paired::beside(&loaded, vec![x0.clone()], vec![x.clone()], rules(), true).map(|_| ()),
            Paired::first_flips(&loaded, vec![x0.clone()], vec![x.clone()], rules()).map(|_| ()),
            paired.apply(&ends).map(|_| ()),
            paired.residual().map(|_| ()),
            engine.apply(&ends).map(|_| ()),
            engine.affine(&ends).map(|_| ()),
            engine.residual().map(|_| ()),
            engine.adjoint(&seeds).map(|_| ()),
            engine.contributions(&seeds).map(|_| ()),
            engine.contributions_of_all().map(|_| ()),
            engine.apply_between(x.clone(), None, Some(at)).map(|_| ()),
            engine
                .adjoint_between(y.clone(), Some(at), None)
                .map(|_| ()),
            engine
                .clipped_between(y.clone(), Some(at), None, Clip::Guided)
                .map(|_| ()),
            engine
                .affine_between(x.clone(), None, Some(at), std::slice::from_ref(&x0))
                .map(|_| ()),
            engine.carried(&y, Carry::Conserving, None).map(|_| ()),
        ]
    };
    for (number, found) in asked().into_iter().enumerate() {
        assert_eq!(found, Ok(()), "{number}");
    }
    interrupt.clone().stop();
    for (number, found) in asked().into_iter().enumerate() {
        assert_eq!(found, Err(Error::Interrupted), "{number}");
    }
    // The same weights under another interrupt go on.
    let fresh = loaded.with_interrupt(Interrupt::new());
    assert!(fresh.forward(vec![x0]).is_ok());
}
