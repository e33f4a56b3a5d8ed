//! Burn modules, captured as they are.

use std::sync::Arc;

use burn::{
    module::Module,
    nn::{
        BatchNorm, BatchNormConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig,
        PaddingConfig2d,
        conv::{Conv2d, Conv2dConfig},
        pool::{MaxPool2d, MaxPool2dConfig},
    },
    tensor::{DType, Device, FloatDType, Tensor, activation},
};
use burn_backend::{Shape, ops::FloatTensorOps};
use burn_flex::{Flex, FlexDevice};
use linearscope::{Error, Loaded, Network, Recorded, RuleSet, host, survey::Standing};
use linearscope_analysis::{FrozenNetwork, certificate::certificate, contribution};
use linearscope_tests::*;

#[derive(Module, Debug)]
struct Classifier {
    first: Conv2d,
    norm: BatchNorm,
    pool: MaxPool2d,
    second: Conv2d,
    layer_norm: LayerNorm,
    head: Linear,
}

impl Classifier {
    fn new(device: &Device) -> Self {
        seeded(device, 5, || Self {
            first: Conv2dConfig::new([2, 6], [3, 3])
                .with_padding(PaddingConfig2d::Same)
                .init(device),
            norm: BatchNormConfig::new(6).init(device),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            second: Conv2dConfig::new([6, 4], [3, 3]).init(device),
            layer_norm: LayerNormConfig::new(16).init(device),
            head: LinearConfig::new(16, 3).init(device),
        })
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = activation::relu(self.norm.forward(self.first.forward(x)));
        let x = activation::leaky_relu(self.second.forward(self.pool.forward(x)), 0.1);
        let x = self.layer_norm.forward(x.flatten(1, 3));
        self.head.forward(x)
    }
}

const SHAPE: [usize; 4] = [1, 2, 8, 8];

#[test]
fn a_module_runs_unchanged_and_keeps_its_names() {
    let device = Device::flex();
    let module = Classifier::new(&device);
    let network = Network::capture(&module, |module, ports| {
        let x = ports.input("image", SHAPE);
        ports.output("scores", module.forward(x));
    })
    .expect("captures");
    assert_eq!(network.inputs()[0].name, "image");
    assert_eq!(network.outputs()[0].shape.to_vec(), [1, 3]);
    let names: Vec<String> = network.nodes().iter().map(|(n, _)| n.to_string()).collect();
    for name in ["first", "norm", "second", "layer_norm", "head"] {
        assert!(
            names.iter().any(|n| n == name),
            "{name} is not in {names:?}"
        );
    }

    let data = pseudo_input(&SHAPE, 1.0, 0);
    let plain: Vec<f32> = module
        .forward(Tensor::from_data(data.clone(), &device))
        .into_data()
        .try_to_vec()
        .unwrap();
    let loaded = FrozenNetwork::load(network, &device, FloatDType::F32).expect("loads");
    let frozen = FrozenNetwork::new(loaded, data, RuleSet::default()).expect("freezes");
    let y0 = linearscope_analysis::vectors::read(frozen.reference()).unwrap();
    let bits = |v: f64| v.to_bits();
    assert!(
        plain
            .iter()
            .zip(&y0)
            .all(|(a, b)| bits(f64::from(*a)) == bits(*b)),
        "y0 changed"
    );
    let found = certificate(&frozen).expect("measures");
    assert!(found.holds(), "{found:?}");
    let shares = contribution::contributions(&frozen, 1).expect("contributions");
    assert!(shares.gap < 1e-6);
    let names: Vec<&str> = shares.layers.iter().map(|l| l.name.as_str()).collect();
    // The layer norm adds −μ of the picture: of no layer's bias.
    assert_eq!(names, ["input", "first", "second", "layer_norm", "head"]);
}

/// A module that trains is captured in its validation form.
#[test]
fn a_module_on_an_autodiff_device_is_captured() {
    let device = Device::flex().autodiff();
    let module = Classifier::new(&device);
    let capture = |module: &Classifier| {
        Network::capture(module, |module, ports| {
            let x = ports.input("image", SHAPE);
            ports.output("scores", module.forward(x));
        })
    };
    let network = capture(&module).expect("captures");
    let data = pseudo_input(&SHAPE, 1.0, 0);
    let plain = module
        .valid()
        .forward(Tensor::from_data(data.clone(), &Device::flex()));
    let plain: Vec<f32> = plain.into_data().try_to_vec().unwrap();
    let loaded = Loaded::<Flex>::new(Arc::new(network), FlexDevice, DType::F32).expect("loads");
    let x = upload::<Flex>(&data, &FlexDevice, DType::F32);
    let y = host::<Flex>(loaded.forward(vec![x]).expect("runs").remove(0)).unwrap();
    let plain: Vec<f64> = plain.into_iter().map(f64::from).collect();
    assert!(relative(&y, &plain) < 1e-6);
    // And it can be captured again: the first capture took nothing from it.
    capture(&module).expect("captures again");
}

/// Several inputs and outputs, batch > 1: F is one matrix over all of them.
#[test]
fn several_inputs_and_outputs() {
    let device = Device::flex();
    let (left, right) = seeded(&device, 6, || {
        (
            LinearConfig::new(3, 4).init(&device),
            LinearConfig::new(2, 4).init(&device),
        )
    });
    let network = Network::capture(&vec![left, right], |layers, ports| {
        let a = ports.input("a", [2, 3]);
        let b = ports.input("b", [2, 2]);
        let both = activation::relu(layers[0].forward(a) + layers[1].forward(b.clone()));
        ports.output("sum", both.sum_dim(1));
        ports.output("b", b.neg());
    })
    .expect("captures");
    let loaded = Loaded::<Flex>::new(Arc::new(network), FlexDevice, DType::F64).expect("loads");
    let tensor = |shape: &[usize], offset| {
        upload::<Flex>(&pseudo_input(shape, 1.0, offset), &FlexDevice, DType::F64)
    };
    let x0 = vec![tensor(&[2, 3], 0), tensor(&[2, 2], 50)];
    let frozen = Recorded::new(Arc::new(loaded), x0.clone(), RuleSet::default()).expect("freezes");
    let batch = |x: burn_flex::FlexTensor, shape: [usize; 3]| {
        Flex::float_reshape(x, Shape::from(shape.to_vec()))
    };
    let probes = [
        batch(x0[0].clone(), [1, 2, 3]),
        batch(x0[1].clone(), [1, 2, 2]),
    ];
    for (y1, y0) in frozen
        .affine(&probes)
        .unwrap()
        .into_iter()
        .zip(frozen.reference())
    {
        let (y1, y0) = (host::<Flex>(y1).unwrap(), host::<Flex>(y0.clone()).unwrap());
        assert!(relative(&y1, &y0) < 1e-14, "{y1:?} {y0:?}");
    }
    let (v, u) = (
        [tensor(&[1, 2, 3], 7), tensor(&[1, 2, 2], 8)],
        [tensor(&[1, 2, 1], 9), tensor(&[1, 2, 2], 10)],
    );
    let numbers = |x: &[burn_flex::FlexTensor]| -> Vec<f64> {
        x.iter()
            .flat_map(|x| host::<Flex>(x.clone()).unwrap())
            .collect()
    };
    let (fv, fu) = (frozen.apply(&v).unwrap(), frozen.adjoint(&u).unwrap());
    let gap = dot(&numbers(&fv), &numbers(&u)) - dot(&numbers(&v), &numbers(&fu));
    assert!(gap.abs() < 1e-13, "{gap:e}");
}

/// x / std(x), with the mean also used elsewhere: freezing it would freeze the other use too, so
/// this is no norm. The quotient's own rule freezes the divisor and keeps the mean linear.
#[test]
fn shared_statistics_are_no_norm() {
    let layer = LinearConfig::new(2, 2).init(&Device::flex());
    let capture = |shared: bool| {
        Network::capture(&layer, |_, ports| {
            let x = ports.input::<2>("x", [3, 4]);
            let mean = x.clone().mean_dim(1);
            let centred = x - mean.clone();
            let variance = centred.clone().square().mean_dim(1);
            let y = centred / variance.add_scalar(1e-5).sqrt();
            ports.output("y", if shared { y + mean } else { y });
        })
        .expect("captures")
    };
    assert_eq!(capture(false).recognised_norms(), 1);
    let shared = capture(true);
    assert_eq!(shared.recognised_norms(), 0);
    let loaded = Loaded::<Flex>::new(Arc::new(shared), FlexDevice, DType::F64).expect("loads");
    let data = pseudo_input(&[3, 4], 1.0, 0);
    let x0 = upload::<Flex>(&data, &FlexDevice, DType::F64);
    let frozen = Recorded::new(Arc::new(loaded), vec![x0], RuleSet::default()).expect("freezes");
    let numbers: Vec<f64> = data.convert_dtype(DType::F64).try_to_vec().unwrap();
    let probe = upload::<Flex>(&pseudo_input(&[1, 3, 4], 1.0, 77), &FlexDevice, DType::F64);
    let x1 = host::<Flex>(probe.clone()).unwrap();
    let y1 = host::<Flex>(frozen.affine(&[probe]).unwrap().remove(0)).unwrap();
    let expected: Vec<f64> = (0..12)
        .map(|i| {
            let row = i / 4 * 4..i / 4 * 4 + 4;
            let mean = |x: &[f64]| x[row.clone()].iter().sum::<f64>() / 4.0;
            let squares = numbers[row.clone()]
                .iter()
                .map(|v| (v - mean(&numbers)).powi(2));
            let std = (squares.sum::<f64>() / 4.0 + 1e-5).sqrt();
            (x1[i] - mean(&x1)) / std + mean(&x1)
        })
        .collect();
    assert!(relative(&y1, &expected) < 1e-12, "{y1:?} {expected:?}");
}

#[test]
fn what_cannot_be_captured_is_an_error_that_says_why() {
    let device = Device::flex();
    let layer = LinearConfig::new(2, 2).init(&device);
    let message = |result: linearscope::Result<Network>| match result {
        Err(Error::Capture(message)) => message,
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("captured"),
    };
    let nothing = message(Network::capture(&layer, |layer, ports| {
        let _ = layer.forward(ports.input::<2>("x", [1, 2]));
    }));
    assert!(nothing.contains("no output"), "{nothing}");
    let elsewhere = message(Network::capture(&layer, |layer, ports| {
        let x = ports.input::<2>("x", [1, 2]);
        let _ = layer.forward(x);
        ports.output("y", Tensor::<2>::zeros([1, 2], &device));
    }));
    assert!(
        elsewhere.contains("\"y\"") && elsewhere.contains("capture device"),
        "{elsewhere}"
    );
    let read = message(Network::capture(&layer, |layer, ports| {
        let x = ports.input::<2>("x", [1, 2]);
        let y = layer.forward(x);
        let first: f32 = y.clone().into_data().try_to_vec::<f32>().unwrap()[0];
        ports.output("y", if first > 0.0 { y } else { y.neg() });
    }));
    assert!(read.contains("stopped with"), "{read}");
    // Random numbers are captured, but refused before anything runs.
    let random = Network::capture(&layer, |layer, ports| {
        let x = ports.input::<2>("x", [1, 2]);
        let noise = Tensor::random([1, 2], burn::tensor::Distribution::Default, &x.device());
        ports.output("y", layer.forward(x) + noise);
    })
    .expect("captures");
    let refused = Loaded::<Flex>::new(Arc::new(random), FlexDevice, DType::F32).unwrap_err();
    assert!(refused.to_string().contains("random"), "{refused}");
}

/// A survey says what every op is, goes on after a refused one, and names it.
#[test]
fn a_survey_goes_past_what_is_refused() {
    #[derive(Module, Debug)]
    struct Gated {
        first: Linear,
        second: Linear,
    }
    let device = Device::flex();
    let module = Gated {
        first: LinearConfig::new(3, 4).init(&device),
        second: LinearConfig::new(4, 2).init(&device),
    };
    let network = Network::capture(&module, |module, ports| {
        let x = ports.input("x", [1, 3]);
        let x = activation::relu(module.first.forward(x));
        let x = x.floor();
        let x = activation::relu(module.second.forward(x));
        ports.output("y", x.clone() / x.round());
    })
    .expect("captures");
    let loaded = Loaded::<Flex>::new(Arc::new(network), FlexDevice, DType::F64).expect("loads");
    let x0 = upload::<Flex>(&pseudo_input(&[1, 3], 1.0, 0), &FlexDevice, DType::F64);
    let survey = loaded
        .survey(vec![x0], RuleSet::default())
        .expect("surveys");
    let seen: Vec<(&str, &str)> = survey
        .iter()
        .map(|op| (op.op.as_str(), op.standing.word()))
        .collect();
    // Burn's Linear is a product and a sum in the graph.
    let expected = [
        ("Matmul", "linear"),
        ("Reshape", "constant"),
        ("Add", "linear"),
        ("Relu", "rule"),
        ("Floor", "refused"),
        ("Matmul", "linear"),
        ("Reshape", "constant"),
        ("Add", "linear"),
        ("Relu", "rule"),
        ("Round", "refused"),
        ("Div", "rule"),
    ];
    assert_eq!(seen, expected);
    assert_eq!(survey[3].standing, Standing::Ruled("slope"));
    assert_eq!(survey[10].standing, Standing::Ruled("divisor"));
    assert_eq!(survey[4].standing, Standing::Refused("no rule yet".into()));
    // 3·4 and 4 numbers, 4·2 and 2; 2·3 flop an output and one, 2·4 and one.
    let parameters: Vec<usize> = survey.iter().map(|op| op.parameters).collect();
    assert_eq!(parameters, [12, 0, 4, 0, 0, 8, 0, 2, 0, 0, 0]);
    let flops: Vec<u64> = survey.iter().take(9).map(|op| op.flops).collect();
    assert_eq!(flops, [24, 0, 4, 4, 4, 16, 0, 2, 2]);
    assert_eq!(survey[0].shape.to_vec(), [1, 4]);
}
