//! The promises on the CPU, in both precisions: 200 random networks each, and the bundled graphs.

use burn_backend::{DType, ops::FloatTensorOps};
use burn_flex::{Flex, FlexDevice, FlexTensor};
use linearscope::{
    Entry, Kernels, Rule, RuleSet,
    conformance::Allowed,
    linear::{LinearMap, Structure},
};
use linearscope_test_support::shrinking::smallest;
use linearscope_tests::{
    BUNDLED, assets, network,
    promises::Platform,
    pseudo_input,
    random::{Head, Layer, Recipe},
};

fn flex(dtype: DType, limit: f64) -> Platform<Flex> {
    Platform {
        device: FlexDevice,
        dtype,
        allowed: Allowed::bitwise(limit),
        kernels: Kernels::Burn,
    }
}

fn bundled(on: &Platform<Flex>) {
    for (file, shape) in BUNDLED {
        let network = network(&assets().join(file), shape);
        on.keeps(network, &pseudo_input(shape, 1.0, 0), RuleSet::default())
            .unwrap_or_else(|broken| panic!("{file}: {broken}"));
    }
}

#[test]
fn random_networks_in_f32() {
    flex(DType::F32, 1e-4).keeps_on_random_networks(200, 0);
}

#[test]
fn random_networks_in_f64() {
    flex(DType::F64, 1e-12).keeps_on_random_networks(200, 1);
}

#[test]
fn bundled_networks_in_f32() {
    bundled(&flex(DType::F32, 1e-4));
}

#[test]
fn bundled_networks_in_f64() {
    bundled(&flex(DType::F64, 1e-12));
}

/// The platform with kernels of our own.
fn own(dtype: DType, limit: f64) -> Platform<Flex> {
    Platform {
        kernels: Kernels::Own,
        ..flex(dtype, limit)
    }
}

#[test]
fn own_kernels_keep_the_promises() {
    own(DType::F32, 1e-4).keeps_on_random_networks(200, 2);
    own(DType::F64, 1e-12).keeps_on_random_networks(100, 3);
    bundled(&own(DType::F32, 1e-4));
    bundled(&own(DType::F64, 1e-12));
}

#[test]
fn own_kernels_are_burns_to_rounding() {
    for (dtype, limit) in [(DType::F32, 1e-5), (DType::F64, 1e-12)] {
        let on = flex(dtype, limit);
        for (file, shape) in BUNDLED {
            let network = network(&assets().join(file), shape);
            let x0 = pseudo_input(shape, 1.0, 0);
            let apart = on.between_kernels(network, &x0).expect("runs");
            assert!(apart <= limit, "{file}: {apart:.1e}");
        }
    }
}

/// A map that is not the transpose of its adjoint: a rule broken on purpose.
#[derive(Debug)]
struct Lopsided;

impl LinearMap<Flex> for Lopsided {
    fn name(&self) -> &'static str {
        "lopsided"
    }
    fn apply(&self, x: FlexTensor) -> FlexTensor {
        Flex::float_mul_scalar(x, 0.5.into())
    }
    fn adjoint(&self, y: FlexTensor) -> FlexTensor {
        Flex::float_mul_scalar(y, 0.25.into())
    }
    fn structure(&self) -> Structure<'_, Flex> {
        Structure::General
    }
}

/// With tanh's rule broken, the network that is shown is the smallest with a tanh.
#[test]
fn a_random_network_that_fails_shrinks() {
    let rule = Rule::custom::<Flex>("lopsided", |_| Box::new(Lopsided));
    let broken = RuleSet::default().with(Entry::new(rule).op("tanh"));
    let on = flex(DType::F64, 1e-12);
    let found = smallest(200, 0, Recipe::any(), |recipe| {
        let (network, x0) = recipe.network();
        on.keeps(network, &x0, broken.clone())
    });
    let (recipe, because) = found.expect_err("some network has a tanh");
    println!("{because}\n{recipe:?}");
    assert!(because.contains("⟨F v, u⟩"), "{because}");
    let layers: Vec<Layer> = recipe.layers.iter().map(|(layer, _)| *layer).collect();
    assert_eq!(layers, [Layer::Tanh]);
    assert_eq!((recipe.batch, recipe.head), (1, Head::Picture));
}
