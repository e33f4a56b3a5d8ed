//! What holds of real trained networks. They come with the shared data: without, every test is ignored.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use burn::tensor::{Device, FloatDType};
use burn_backend::{DType, TensorMetadata, ops::FloatTensorOps};
use burn_flex::{Flex, FlexDevice};
use linearscope::{
    Kernels, Loaded, Paired, Recorded, RuleSet,
    conformance::{Allowed, OneToOne, all_hold, promises},
    host, one_hot,
};
use linearscope_analysis::{
    FrozenNetwork, noise,
    svd::{Momentum, Solver, SvdConfig, svd},
};
use linearscope_onnx::Model;
use linearscope_test_support::{
    machine,
    needs::{self, Trial, trial},
    networks::model,
};
use linearscope_tests::{
    certified::{Answer, Case},
    overview::sketch_is_the_run,
    risk::on_inputs,
    rows::rows_equal_autodiff,
    *,
};
use serde::Deserialize;

const DEVICE: FlexDevice = FlexDevice;

/// Rows that autodiff gives, too: network, shape, range of x₀ and the row.
const ROWS: [(&str, [usize; 4], f64, usize); 3] = [
    ("squeezenet1.1", [1, 3, 224, 224], 1.0, 292),
    ("tiny_style_bedroom", [1, 3, 32, 32], 255.0, 1500),
    ("srgan_x4_leftthomas", [1, 3, 8, 8], 1.0, 700),
];

/// Networks whose decisions are compared between f32 and f64.
const RISKY: [&str; 11] = [
    "tiny_darknet",
    "squeezenet1.1",
    "resnet20_cifar10",
    "resnet56_cifar10",
    "mnist_cnn",
    "super_resolution_x3_dyn",
    "edsr_small_d8_w32_x4",
    "carn_m_x4",
    "fsrcnn_x3",
    "srgan_x4_leftthomas",
    "style_lengstrom_wave",
];

/// Numbers another program gave, sampled.
#[derive(Deserialize)]
struct Sampled {
    size: usize,
    norm: f64,
    at: Vec<usize>,
    values: Vec<f64>,
}

impl Sampled {
    /// ‖x − reference‖ / ‖reference‖ on the samples, also holding the full norm to it.
    fn error(&self, x: &[f64]) -> f64 {
        assert_eq!(x.len(), self.size, "size");
        let picked: Vec<f64> = self.at.iter().map(|&i| x[i]).collect();
        relative(&picked, &self.values).max((norm(x) - self.norm).abs() / self.norm)
    }
}

fn reference<T: for<'a> Deserialize<'a>>(file: &str) -> BTreeMap<String, T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("reference")
        .join(file);
    serde_json::from_str(&std::fs::read_to_string(path).expect("reference")).expect("reference")
}

/// A check of every real network, a test each.
fn on_every_network(
    test: &str,
    check: fn(&RealNetwork, &Path) -> Result<String, String>,
) -> impl Iterator<Item = Trial> {
    REAL_NETWORKS.iter().map(move |net| {
        let name = format!("{test}::{}", net.name);
        let run = {
            let name = name.clone();
            move |path: PathBuf| match check(net, &path) {
                Ok(line) => println!("{name}: {line}"),
                Err(line) => panic!("{name}: {line}"),
            }
        };
        trial(name, || net.file(), run)
    })
}

/// The networks whose names are looked at.
fn named() -> Result<PathBuf, String> {
    model("squeezenet1.1")?;
    model("fns_mosaic")?;
    machine::shared_data()
}

/// The files of all networks that a reference file has numbers for.
fn of_reference(file: &str) -> Result<PathBuf, String> {
    for name in reference::<serde_json::Value>(file).keys() {
        model(name)?;
    }
    machine::shared_data()
}

/// A check of one network; what it says of it.
type OfNetwork = fn(&RealNetwork, &Path) -> Result<String, String>;

fn main() -> ExitCode {
    let mut trials = needing!(named => nodes_keep_their_names);
    trials.extend(
        needing!(|| machine::shared("cases/cat-of-decision/model.onnx") => cat_of_decision),
    );
    trials.extend(needing!(|| of_reference("twin.json") =>
        rows_columns_and_residuals_equal_the_twin));
    trials.extend(needing!(|| of_reference("svd.json") => singular_values_equal_scipys));
    for (name, shape, scale, at) in ROWS {
        let test = format!("rows_by_adjoints_equal_rows_by_autodiff::{name}");
        trials.push(trial(
            test,
            || model(name),
            move |path| rows_equal_autodiff(&path, &pseudo_input(&shape, scale, 0), at),
        ));
    }
    let every: [(&str, OfNetwork); 6] = [
        ("plain_outputs_equal_onnxruntime", equals_onnxruntime),
        ("the_reference_is_untouched", is_untouched),
        ("a_sketch_is_what_a_run_shows", |net, path| {
            let x0 = pseudo_input(&net.shape, net.scale, 5);
            let (fields, filled) = sketch_is_the_run(net.name, network(path, &net.shape), x0);
            Ok(format!("{filled} of {fields} fields are filled"))
        }),
        ("own_kernels_are_burns_to_rounding", kernels_agree),
        ("promises_f32", |net, path| keeps(net, path, DType::F32)),
        ("promises_f64", |net, path| keeps(net, path, DType::F64)),
    ];
    for (test, check) in every {
        trials.extend(on_every_network(test, check));
    }
    for net in REAL_NETWORKS.iter().filter(|net| RISKY.contains(&net.name)) {
        let name = format!("decisions_differ_only_within_the_band::{}", net.name);
        let run = |path: PathBuf| println!("{}", on_inputs(net.name, &path, &net.shape, net.scale));
        trials.push(trial(name, || net.file(), run));
    }
    needs::run(trials)
}

fn within(what: &str, error: f64, limit: f64) -> Result<String, String> {
    let line = format!("{what} {error:.1e}");
    // NaN fails too.
    if error <= limit {
        Ok(line)
    } else {
        Err(format!("{line} > {limit:.0e}"))
    }
}

fn values(x: burn_flex::FlexTensor) -> Vec<f64> {
    host::<Flex>(x).expect("readable")
}

fn equals_onnxruntime(net: &RealNetwork, path: &Path) -> Result<String, String> {
    let expected: BTreeMap<String, Sampled> = reference("onnxruntime.json");
    let loaded = load::<Flex>(path, &net.shape, &DEVICE, DType::F32);
    let x = upload::<Flex>(&pseudo_input(&net.shape, net.scale, 0), &DEVICE, DType::F32);
    let y = loaded.forward(vec![x]).map_err(|e| e.to_string())?;
    let y = values(y.into_iter().next().expect("an output"));
    within("relative error", expected[net.name].error(&y), 1e-4)
}

/// ◆ y₀ is bit-equal to the same ops run directly on the backend, without network or decorator.
fn is_untouched(net: &RealNetwork, path: &Path) -> Result<String, String> {
    let data = pseudo_input(&net.shape, net.scale, 0);
    let x = || upload::<Flex>(&data, &DEVICE, DType::F32);
    let model = Model::load(path).map_err(|e| e.to_string())?;
    let plain = model
        .run::<Flex>(vec![x()], &DEVICE)
        .map_err(|e| e.to_string())?
        .remove(0);
    let loaded = load::<Flex>(path, &net.shape, &DEVICE, DType::F32);
    let recorded =
        Recorded::new(loaded.clone(), vec![x()], RuleSet::default()).map_err(|e| e.to_string())?;
    let batch = [&[1], &net.shape[..]].concat();
    let batch = Flex::float_reshape(x(), batch.into());
    let (paired, _) = Paired::beside(&loaded, vec![x()], vec![batch], RuleSet::default(), true)
        .map_err(|e| e.to_string())?;
    let bits = |x: burn_flex::FlexTensor| -> Vec<u64> {
        values(x).into_iter().map(f64::to_bits).collect()
    };
    let plain = bits(plain);
    if bits(recorded.reference()[0].clone()) != plain {
        return Err("the recording run changed y0".into());
    }
    if bits(paired[0].clone()) != plain {
        return Err("the paired run changed y0".into());
    }
    Ok(format!("{} values bit-equal", plain.len()))
}

/// ◆ With kernels of our own f(x₀) is Burn's to 1e-5 in f32 and 1e-12 in f64, and y₀ is, bit for bit, a plain run's.
fn kernels_agree(net: &RealNetwork, path: &Path) -> Result<String, String> {
    let data = pseudo_input(&net.shape, net.scale, 0);
    let mut said = Vec::new();
    for (dtype, limit) in [(DType::F32, 1e-5), (DType::F64, 1e-12)] {
        let x = || upload::<Flex>(&data, &DEVICE, dtype);
        let forward = |loaded: &Loaded<Flex>| {
            let y = loaded.forward(vec![x()]).map_err(|e| e.to_string())?;
            Ok::<_, String>(values(y.into_iter().next().expect("an output")))
        };
        let burn = load::<Flex>(path, &net.shape, &DEVICE, dtype);
        let own = Arc::new(burn.with_kernels(Kernels::Own).map_err(|e| e.to_string())?);
        let (by_own, by_burn) = (forward(&own)?, forward(&burn)?);
        let frozen =
            Recorded::new(own, vec![x()], RuleSet::default()).map_err(|e| e.to_string())?;
        if values(frozen.reference()[0].clone()) != by_own {
            return Err("freezing changed y0".into());
        }
        said.push(within("apart", relative(&by_own, &by_burn), limit)?);
    }
    Ok(said.join(", "))
}

/// ◆ All promises, exactness the most closely.
fn keeps(net: &RealNetwork, path: &Path, dtype: DType) -> Result<String, String> {
    let (exact, other) = match dtype {
        DType::F64 => (1e-12, 1e-10),
        _ => (1e-5, 1e-4),
    };
    let allowed = Allowed {
        exact,
        ..Allowed::bitwise(other)
    };
    let loaded = load::<Flex>(path, &net.shape, &DEVICE, dtype);
    let x0 = upload::<Flex>(&pseudo_input(&net.shape, net.scale, 0), &DEVICE, dtype);
    let checks = || {
        let frozen = Recorded::new(loaded, vec![x0.clone()], RuleSet::default())?;
        promises(&OneToOne::new(&frozen, x0)?, &allowed)
    };
    let checks = checks().map_err(|error| error.to_string())?;
    all_hold(&checks)?;
    let said = checks[1..]
        .iter()
        .map(|check| format!("{:.1e}", check.error));
    Ok(said.collect::<Vec<_>>().join(", "))
}

/// Every convolution keeps the file's own name: weights of that name are what it convolves with.
fn nodes_keep_their_names(data: PathBuf) {
    let network = network(&data.join("models/squeezenet1.1.onnx"), &[1, 3, 224, 224]);
    let names: Vec<String> = network.nodes().iter().map(|(n, _)| n.to_string()).collect();
    assert_eq!(names[0], "squeezenet0_conv0");
    assert!(names.contains(&"MaxPool_4".to_string()), "{names:?}");
    let network = linearscope_tests::network(&data.join("models/fns_mosaic.onnx"), &[1, 3, 32, 32]);
    assert_eq!(network.recognised_norms(), 15);
    let names: Vec<String> = network.nodes().iter().map(|(n, _)| n.to_string()).collect();
    assert_eq!(names[..4], ["Pad_2", "conv1.conv2d", "in1", "Relu_7"]);
}

/// Rows, columns and residuals of three networks as an independent f64 implementation has them.
fn rows_columns_and_residuals_equal_the_twin(data: PathBuf) {
    #[derive(Deserialize)]
    struct Twin {
        shape: [usize; 4],
        scale: f64,
        column_at: usize,
        row_at: usize,
        reference: Sampled,
        residual: Sampled,
        column: Sampled,
        row: Sampled,
    }
    for (name, twin) in reference::<Twin>("twin.json") {
        let path = data.join("models").join(format!("{name}.onnx"));
        let loaded: Arc<Loaded<Flex>> = load(&path, &twin.shape, &DEVICE, DType::F64);
        let x0 = upload::<Flex>(
            &pseudo_input(&twin.shape, twin.scale, 0),
            &DEVICE,
            DType::F64,
        );
        let input = x0.shape();
        let interpreter = Recorded::new(loaded, vec![x0], RuleSet::default()).expect("freezes");
        let y0 = interpreter.reference()[0].clone();
        let delta = one_hot::<Flex>(&[twin.column_at], &input, &DEVICE, DType::F64).unwrap();
        let picked = one_hot::<Flex>(&[twin.row_at], &y0.shape(), &DEVICE, DType::F64).unwrap();
        let found = [
            ("reference", values(y0), &twin.reference),
            (
                "residual",
                values(interpreter.residual().unwrap().remove(0)),
                &twin.residual,
            ),
            (
                "column",
                values(interpreter.apply(&[delta]).unwrap().remove(0)),
                &twin.column,
            ),
            (
                "row",
                values(interpreter.adjoint(&[picked]).unwrap().remove(0)),
                &twin.row,
            ),
        ];
        for (what, values, expected) in found {
            let error = expected.error(&values);
            println!("twin: {name:26} {what:10} {error:.1e}");
            assert!(error < 1e-9, "{name} {what}: {error:e}");
        }
    }
}

/// Top eight singular values by another program (scipy's ARPACK on a PyTorch implementation, f64),
/// in f32 by both solvers: σ to 1e-3, residuals of both sides to 1e-4 of σ₁.
fn singular_values_equal_scipys(data: PathBuf) {
    #[derive(Deserialize)]
    struct Expected {
        shape: [usize; 4],
        scale: f64,
        sigma: Vec<f64>,
    }
    for (name, expected) in reference::<Expected>("svd.json") {
        let path = data.join("models").join(format!("{name}.onnx"));
        let network = network(&path, &expected.shape);
        let loaded = FrozenNetwork::load(network, &Device::flex(), FloatDType::F32).expect("loads");
        let x0 = pseudo_input(&expected.shape, expected.scale, 0);
        let frozen = FrozenNetwork::new(loaded, x0, RuleSet::default()).expect("freezes");
        for (k, solver) in [
            (
                8,
                Solver::Lanczos {
                    block: 1,
                    basis: None,
                },
            ),
            (
                8,
                Solver::Lanczos {
                    block: 4,
                    basis: None,
                },
            ),
            // One triplet at a time, each slower than the last where values cluster.
            (
                1,
                Solver::Power {
                    momentum: Momentum::Adaptive,
                },
            ),
        ] {
            let config = SvdConfig::new(k).with_tolerance(1e-4).with_solver(solver);
            let found = svd(&frozen, &config, |_| ControlFlow::Continue(()))
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            for (got, sigma) in found.sigma.iter().zip(&expected.sigma) {
                let error = (got - sigma).abs() / sigma;
                assert!(error <= 1e-3, "{name}, {solver:?}: {got}, not {sigma}");
            }
            let worst = found
                .residuals
                .iter()
                .map(|r| r.worst())
                .fold(0.0, f64::max);
            assert!(worst <= 1e-4, "{name}, {solver:?}: residual {worst:e}");
            println!(
                "svd: {name:26} {solver:?}: {} products, residual {worst:.1e}",
                found.products
            );
        }
    }
}

/// x beside x > 0 as floats, which was once certified without a radius.
fn cat_of_decision(path: PathBuf) {
    let model = Model::load(path).expect("reads");
    let shape = model.inputs()[0].fixed().expect("a fixed shape");
    let case = Case {
        name: "cat-of-decision",
        x0: noise(shape.iter().product(), 41)
            .iter()
            .map(|x| 2.0 * x)
            .collect(),
        network: model.network(&[shape]).expect("is captured"),
        rules: RuleSet::default(),
        answer: Answer::Either,
        deciders: &[""],
    };
    if let Err(wrong) = case.holds() {
        panic!("{wrong}");
    }
}
