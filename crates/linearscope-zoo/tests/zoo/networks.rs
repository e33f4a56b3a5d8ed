//! Every network of the table.

use std::collections::BTreeSet;

use burn::tensor::{Device, FloatDType};
use linearscope::RuleSet;
use linearscope_analysis::{FrozenNetwork, LinearOperator, certificate::certificate, contribution};
use linearscope_zoo::Architecture;

use crate::made_up::{error, expected, fill, fnv, picture};

/// Outputs are PyTorch's (in f64) to this. Measured: see `equal_pytorchs`.
const LIMIT: f64 = 1e-5;

fn check(name: &str) {
    let case = &expected().networks[name];
    let mut model = Architecture::named(name)
        .expect("in the table")
        .init(&Device::flex());
    let names = case.parameters.as_ref().expect("names of a network");
    let mut lines: Vec<String> = model
        .parameters()
        .iter()
        .map(|found| format!("{} {:?}", found.name, found.shape))
        .collect();
    lines.sort();
    assert_eq!(lines.len(), names.count, "{name}: number of parameters");
    let hash = format!("{:016x}", fnv(&lines.join("\n")));
    assert_eq!(hash, names.hash, "{name}: names and shapes are PyTorch's");
    fill(&mut model);
    let error = error(&model, name, case);
    println!("{name}: {error:.1e}");
    assert!(error <= LIMIT, "{name}: {error:e} from PyTorch's output");
}

/// One test a network, so that a failure names it and tests share the cores.
macro_rules! equal_pytorchs {
    ($($name:ident),+ $(,)?) => {
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })+

        #[test]
        fn every_network_of_the_table_is_compared() {
            let compared = BTreeSet::from([$(stringify!($name)),+]);
            let table = Architecture::all().iter().map(|known| known.name).collect();
            assert_eq!(compared, table);
        }
    };
}

equal_pytorchs!(
    alexnet,
    squeezenet1_0,
    squeezenet1_1,
    vgg11,
    vgg13,
    vgg16,
    vgg19,
    vgg11_bn,
    vgg13_bn,
    vgg16_bn,
    vgg19_bn,
    resnet18,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
    densenet121,
    densenet161,
    inception_v3,
    edsr_baseline_x2,
    edsr_baseline_x3,
    edsr_baseline_x4,
    edsr_x2,
    edsr_x3,
    edsr_x4,
    super_resolution_x3,
    srresnet_x4,
    srgan_x4_leftthomas,
    cyclegan_6blocks,
    cyclegan_9blocks,
    bicubic_x2,
    bicubic_x3,
    bicubic_x4,
);

/// One network of each family, frozen: the certificate holds and the parts sum to the score.
#[test]
fn a_network_of_each_family_freezes() {
    for name in [
        "alexnet",
        "squeezenet1_0",
        "vgg11_bn",
        "resnet18",
        "densenet121",
        "inception_v3",
        "edsr_baseline_x3",
        "super_resolution_x3",
        "srgan_x4_leftthomas",
        "cyclegan_6blocks",
        "bicubic_x3",
    ] {
        let case = &expected().networks[name];
        let mut model = Architecture::named(name)
            .expect("in the table")
            .init(&Device::flex());
        fill(&mut model);
        let [_, c, h, w] = case.shape;
        let shape = [1, c, h, w];
        let network = model.network(shape).expect("a graph");
        let loaded = FrozenNetwork::load(network, &Device::flex(), FloatDType::F32).expect(name);
        let x0 = picture(name, shape);
        let frozen = FrozenNetwork::new(loaded, x0, RuleSet::default()).expect(name);
        let certificate = certificate(&frozen).expect(name);
        assert!(certificate.holds(), "{name}: {certificate:?}");
        let target = case.output.at[case.output.at.len() / 2] % frozen.output_len();
        let parts = contribution::contributions(&frozen, target).expect(name);
        let sum: f64 = parts.layers.iter().map(|layer| layer.value).sum();
        let size: f64 = parts.layers.iter().map(|layer| layer.value.abs()).sum();
        assert!(
            (sum - parts.score).abs() <= 1e-5 * size,
            "{name}: parts sum to {sum}, the score is {}",
            parts.score
        );
        println!("{name}: exact to {:.1e}", certificate.exactness);
    }
}

#[test]
fn nodes_are_called_as_pytorch_calls_them() {
    for (name, wanted) in [
        ("vgg11_bn", "features.25"),
        ("resnet18", "layer3.0.downsample.1"),
        ("densenet121", "features.denseblock3.denselayer24.conv2"),
        ("cyclegan_6blocks", "model.12.conv_block.5"),
    ] {
        let known = Architecture::named(name).expect("in the table");
        let [c, _, _] = known.input;
        let network = known.init(&Device::flex()).network([1, c, 40, 40]);
        let network = network.expect("a graph");
        let found = network.nodes().iter().any(|(node, _)| &**node == wanted);
        assert!(found, "{name} has no node {wanted}: {:?}", network.nodes());
    }
}

#[test]
fn smallest_pictures_run_and_smaller_ones_are_refused() {
    for known in Architecture::all() {
        // One of each family is enough.
        let kin = [
            "vgg13",
            "vgg16",
            "vgg19",
            "resnet3",
            "resnet5",
            "resnet1",
            "densenet161",
            "edsr_x",
        ];
        if kin.iter().any(|kin| known.name.starts_with(kin)) && known.name != "resnet18" {
            continue;
        }
        let model = known.init(&Device::flex());
        let square = |side| model.network([1, known.input[0], side, side]);
        let smallest = square(known.smallest);
        assert!(smallest.is_ok(), "{}: {:?}", known.name, smallest.err());
        if known.smallest > 1 {
            let smaller = square(known.smallest - 1);
            assert!(smaller.is_err(), "{} takes smaller pictures", known.name);
        }
    }
}
