//! The promises on the CPU, in both precisions: 200 random networks each, and the bundled graphs.

use burn_backend::DType;
use burn_flex::{Flex, FlexDevice};
use linearscope::RuleSet;
use linearscope_tests::{BUNDLED, assets, network, promises::Platform, pseudo_input};

fn flex(dtype: DType, limit: f64) -> Platform<Flex> {
    Platform {
        device: FlexDevice,
        dtype,
        bitwise: true,
        limit,
    }
}

fn bundled(on: &Platform<Flex>) {
    for (file, shape) in BUNDLED {
        let network = network(&assets().join(file), shape);
        on.keeps(
            file,
            &network,
            &pseudo_input(shape, 1.0, 0),
            RuleSet::default(),
        );
    }
}

#[test]
fn random_networks_in_f32() {
    flex(DType::F32, 1e-4).keeps_on_random_networks(0, 200);
}

#[test]
fn random_networks_in_f64() {
    flex(DType::F64, 1e-12).keeps_on_random_networks(1000, 200);
}

#[test]
fn bundled_networks_in_f32() {
    bundled(&flex(DType::F32, 1e-4));
}

#[test]
fn bundled_networks_in_f64() {
    bundled(&flex(DType::F64, 1e-12));
}
