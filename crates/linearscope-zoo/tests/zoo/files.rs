//! Files of weights, as PyTorch writes them.

use burn::tensor::{DType, Device, Tensor};
use linearscope_zoo::{Architecture, CycleGanConfig, DenseNetConfig, Error, Model, SrResNetConfig};

use crate::made_up::{error, expected, here, parameter, picture};

fn densenet() -> Model {
    let config = DenseNetConfig {
        blocks: [2, 1, 2, 1],
        growth: 4,
        entrance: 8,
        classes: 5,
    };
    config.init(&Device::flex()).into()
}

/// Load a file and compare the output; what was not loaded.
fn loaded(mut model: Model, file: &str, network: &str) -> Vec<String> {
    let unused = model.load(here("weights").join(file)).expect(file);
    let error = error(&model, network, &expected().files[network]);
    assert!(error <= 1e-5, "{file}: {error:e} from PyTorch's output");
    unused
}

#[test]
fn pth_files_load() {
    let unused = loaded(densenet(), "densenet.pth", "densenet");
    assert!(!unused.is_empty());
    for name in unused {
        assert!(
            name.ends_with("num_batches_tracked"),
            "{name} was not loaded"
        );
    }
}

#[test]
fn legacy_files_with_old_names_load() {
    let unused = loaded(densenet(), "densenet_old.pth", "densenet");
    assert_eq!(unused, Vec::<String>::new());
}

#[test]
fn checkpoints_of_training_scripts_load() {
    loaded(densenet(), "densenet_wrapped.pth", "densenet");
}

#[test]
fn safetensors_load() {
    let config = SrResNetConfig {
        blocks: 1,
        width: 6,
        scale: 2,
        norm_behind_blocks: true,
        bounded: false,
    };
    let model = config.init(&Device::flex()).into();
    loaded(model, "srresnet.safetensors", "srresnet");
}

#[test]
fn names_that_begin_like_a_wrapper_stay() {
    let config = CycleGanConfig {
        width: 4,
        ..CycleGanConfig::blocks(1)
    };
    let unused = loaded(
        config.init(&Device::flex()).into(),
        "cyclegan.pth",
        "cyclegan",
    );
    assert_eq!(unused, Vec::<String>::new());
}

/// Weights of other precisions are the f32 numbers they stand for.
#[test]
fn half_and_double_precision_become_f32() {
    let outputs = [DType::F32, DType::F16, DType::F64].map(|dtype| {
        let mut model = densenet();
        let made = model.parameters();
        let made = made.into_iter().map(|wanted| {
            // Of f16's numbers, so that all three hold the same.
            let data = parameter(&wanted).convert_dtype(DType::F16);
            (wanted.name, data.convert_dtype(dtype))
        });
        let made: Vec<_> = made.collect();
        model.load_tensors(made).expect("weights");
        let x = Tensor::<4>::from_data(picture("halves", [1, 3, 40, 36]), &Device::flex());
        model.forward(x).into_data()
    });
    assert_eq!(outputs[0], outputs[1]);
    assert_eq!(outputs[0], outputs[2]);
}

#[test]
fn weights_of_another_network_are_refused() {
    let mut model = Architecture::named("resnet18")
        .expect("known")
        .init(&Device::flex());
    let error = model.load(here("weights/densenet.pth")).unwrap_err();
    assert!(matches!(error, Error::Weights { .. }));
    let said = error.to_string();
    assert!(
        said.contains("it lacks bn1.bias, bn1.weight, bn1.running_mean and "),
        "{said}"
    );
    assert!(
        said.contains("more; it has instead classifier.bias"),
        "{said}"
    );
}

#[test]
fn other_sizes_are_refused() {
    let config = DenseNetConfig {
        blocks: [2, 1, 2, 1],
        growth: 4,
        entrance: 8,
        classes: 6,
    };
    let mut model: Model = config.init(&Device::flex()).into();
    let said = model
        .load(here("weights/densenet.pth"))
        .unwrap_err()
        .to_string();
    assert!(said.contains("these do not fit"), "{said}");
    assert!(
        said.contains("classifier.bias") && said.contains('6') && said.contains('5'),
        "{said}"
    );
}

#[test]
fn what_is_no_file_of_weights_is_refused() {
    let mut model = densenet();
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    };
    let cut = std::fs::read(here("weights/densenet.pth")).expect("a file");
    let cut = &cut[..cut.len() / 2];
    let page = b"<!doctype html><title>404</title>";
    for (name, bytes) in [
        ("cut.pth", cut),
        ("page.pth", page),
        ("empty.pt", b"" as &[u8]),
        ("page.safetensors", page),
        ("empty.safetensors", b""),
    ] {
        let error = model.load(at(name, bytes)).unwrap_err();
        assert!(matches!(error, Error::Unreadable { .. }), "{name}: {error}");
    }
    let missing = model.load(folder.path().join("none.pth")).unwrap_err();
    assert!(matches!(missing, Error::Unreadable { .. }), "{missing}");
    let unknown = model.load(at("weights.bin", page)).unwrap_err();
    assert!(matches!(unknown, Error::Format { .. }), "{unknown}");
}
