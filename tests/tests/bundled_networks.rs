//! The promises on the project's own networks: what a clean clone can show without other data.

use std::{ops::ControlFlow, path::Path, sync::Arc};

use burn::{
    nn::{GroupNormConfig, InstanceNormConfig, LinearConfig},
    tensor::{DType, Device, FloatDType, Tensor, TensorData},
};
use burn_backend::{Shape, TensorMetadata, ops::FloatTensorOps};
use burn_flex::{Flex, FlexDevice};
use linearscope::{
    Entry, Loaded, Network, Normalisation, Paired, Recorded, RuleSet, host, one_hot,
};
use linearscope_analysis::{
    FrozenNetwork, LinearOperator,
    certificate::certificate,
    contribution::{self, PartKind},
    projection,
    svd::{Solver, SvdConfig, svd},
};
use linearscope_onnx::Model;
use linearscope_tests::{overview::sketch_is_the_run, rows::rows_equal_autodiff, *};

const OPS: [usize; 4] = [1, 3, 11, 13];

fn tiny_ops() -> std::path::PathBuf {
    assets().join("tiny_ops/tiny_ops.onnx")
}

fn npy(path: &Path) -> (Vec<f32>, Vec<usize>) {
    let bytes = std::fs::read(path).expect("an asset");
    let file = npyz::NpyFile::new(&bytes[..]).expect("an npy");
    let shape = file.shape().iter().map(|&d| d as usize).collect();
    (file.into_vec().expect("floats"), shape)
}

fn picture() -> TensorData {
    let (values, shape) = npy(&assets().join("tiny_ops/input.npy"));
    TensorData::new(values, shape)
}

fn frozen(dtype: FloatDType, rules: RuleSet) -> FrozenNetwork {
    let network = network(&tiny_ops(), &OPS);
    let loaded = FrozenNetwork::load(network, &Device::flex(), dtype).expect("loads");
    FrozenNetwork::new(loaded, picture(), rules).expect("freezes")
}

#[test]
fn plain_output_equals_onnxruntime() {
    let (expected, _) = npy(&assets().join("tiny_ops/expected.npy"));
    let expected: Vec<f64> = expected.into_iter().map(f64::from).collect();
    let loaded = load::<Flex>(&tiny_ops(), &OPS, &FlexDevice, DType::F32);
    let x = upload::<Flex>(&picture(), &FlexDevice, DType::F32);
    let y = host::<Flex>(loaded.forward(vec![x]).expect("runs").remove(0)).expect("reads");
    assert!(relative(&y, &expected) < 1e-5, "{y:?} is not {expected:?}");
}

/// Kernels without zeros fill the fields that shapes and strides allow.
#[test]
fn a_sketch_is_what_a_run_shows() {
    for &(name, shape) in BUNDLED {
        let x0 = pseudo_input(shape, 1.0, 5);
        let network = network(&assets().join(name), shape);
        let (fields, filled) = sketch_is_the_run(name, network, x0);
        println!("{name}: {filled} of {fields} fields are filled");
        assert!(fields > 0, "{name}");
        assert_eq!(filled, fields, "{name}");
    }
}

#[test]
fn sketches_of_random_networks_are_what_runs_show() {
    for seed in 0..40 {
        let (network, x0) = random::Recipe::number(seed).network();
        sketch_is_the_run(&format!("random network {seed}"), network, x0);
    }
}

#[test]
fn the_certificate_holds_in_both_precisions_and_under_every_rule() {
    for dtype in [FloatDType::F32, FloatDType::F64] {
        for pointwise in [
            linearscope::Pointwise::Secant,
            linearscope::Pointwise::Taylor,
        ] {
            for normalisation in [Normalisation::MeanAndStd, Normalisation::StdOnly] {
                let rules = RuleSet::of(pointwise).with(Entry::new(normalisation));
                let found = certificate(&frozen(dtype, rules.clone())).expect("measures");
                assert!(found.holds(), "{dtype:?}, {rules}: {found:?}");
            }
        }
    }
}

/// ◆ y₀ of recording and paired runs is bit-equal to the ops run on the bare backend, on Flex and
/// through Dispatch.
#[test]
fn the_reference_is_untouched() {
    let model = Model::load(tiny_ops()).expect("loads");
    let x = || upload::<Flex>(&picture(), &FlexDevice, DType::F32);
    let plain = model
        .run::<Flex>(vec![x()], &FlexDevice)
        .expect("runs")
        .remove(0);
    let bits = |v: Vec<f64>| v.into_iter().map(f64::to_bits).collect::<Vec<_>>();
    let plain = bits(host::<Flex>(plain).expect("reads"));
    let loaded = load::<Flex>(&tiny_ops(), &OPS, &FlexDevice, DType::F32);
    let recorded = Recorded::new(loaded.clone(), vec![x()], RuleSet::default()).expect("freezes");
    assert_eq!(
        bits(host::<Flex>(recorded.reference()[0].clone()).unwrap()),
        plain
    );
    let probes = Flex::float_reshape(x(), Shape::from(vec![1, 1, 3, 11, 13]));
    let (y0, _) =
        Paired::beside(&loaded, vec![x()], vec![probes], RuleSet::default(), true).expect("runs");
    assert_eq!(bits(host::<Flex>(y0[0].clone()).unwrap()), plain);
    let dispatched = frozen(FloatDType::F32, RuleSet::default());
    assert_eq!(
        bits(linearscope_analysis::vectors::read(dispatched.reference()).unwrap()),
        plain
    );
}

#[test]
fn rows_by_adjoints_equal_rows_by_autodiff() {
    rows_equal_autodiff(&tiny_ops(), &picture(), 3);
    let sr = assets().join("tiny_sr/tiny_sr.onnx");
    rows_equal_autodiff(&sr, &pseudo_input(&[1, 1, 9, 8], 1.0, 0), 100);
}

#[test]
fn rows_and_columns_are_the_same_matrix() {
    let frozen = frozen(FloatDType::F64, RuleSet::default());
    let all: Vec<usize> = (0..frozen.output_len()).collect();
    let rows =
        linearscope_analysis::vectors::read(projection::rows(&frozen, &all).unwrap()).unwrap();
    let picked = [0, 77, 200, 428];
    let columns = projection::columns(&frozen, &picked).unwrap();
    let columns = linearscope_analysis::vectors::read(columns).unwrap();
    for (j, &pixel) in picked.iter().enumerate() {
        for k in all.iter().copied() {
            let (row, column) = (rows[k * 429 + pixel], columns[j * all.len() + k]);
            assert!(
                (row - column).abs() < 1e-13,
                "F[{k}, {pixel}]: {row} and {column}"
            );
        }
    }
    assert!(projection::columns(&frozen, &[429]).is_err());
    assert!(projection::rows(&frozen, &[5]).is_err());
}

/// Theorem 1: contributions sum to the score; their residual part is r.
#[test]
fn contributions_sum_to_the_score() {
    let frozen = frozen(FloatDType::F64, RuleSet::default());
    let residual = linearscope_analysis::vectors::read(frozen.residual().unwrap()).unwrap();
    for (target, r) in residual.into_iter().enumerate() {
        let found = contribution::contributions(&frozen, target).expect("contributions");
        assert!(found.gap < 1e-13, "class {target}: {:e}", found.gap);
        assert!((found.residual - r).abs() < 1e-12);
        assert_eq!(found.score_not_positive, found.score <= 0.0);
        let of = |kind: PartKind| -> Vec<(usize, &str)> {
            let parts = found.layers.iter().filter(|part| part.kind == kind);
            parts.map(|part| (part.layer, &part.name[..])).collect()
        };
        assert_eq!(of(PartKind::Input), [(0, "input")]);
        let layers = ["conv1", "conv2", "conv3", "up", "fc1", "fc2"];
        let layers: Vec<(usize, &str)> = (1..).zip(layers).collect();
        assert_eq!(of(PartKind::Bias), layers);
        // −μ of the picture, the plateaus of a clip, σ(0): of no layer's bias.
        let units = [(1, "norm"), (3, "clip"), (4, "sigmoid")];
        assert_eq!(of(PartKind::Unit), units);
        assert!((found.biases + found.units - found.residual).abs() < 1e-12);
        let by_layer = (0..=6).map(|layer| found.of_layer(layer));
        let (biases, units) = by_layer.fold((0.0, 0.0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
        assert!((biases - found.biases).abs() < 1e-12 && (units - found.units).abs() < 1e-12);
    }
}

/// Sources ahead of the first weighted op are no part of what the pixels add.
#[test]
fn sources_before_the_first_layer_stand_apart() {
    let layer = LinearConfig::new(3, 2).init(&Device::flex());
    let network = Network::capture(&layer, |layer, ports| {
        let x = ports.input::<2>("x", [1, 3]);
        ports.output("y", layer.forward(x.sub_scalar(0.5)));
    })
    .expect("captures");
    let loaded = FrozenNetwork::load(network, &Device::flex(), FloatDType::F64).expect("loads");
    let x0 = TensorData::new(vec![0.9, 0.1, 0.4], [1, 3]);
    let frozen = FrozenNetwork::new(loaded, x0, RuleSet::default()).expect("freezes");
    let found = contribution::contributions(&frozen, 0).expect("contributions");
    let names: Vec<&str> = found.layers.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names[..2], ["input", "before the first layer"]);
    assert_eq!(found.layers[0].value, found.input);
    let rest: f64 = found.layers[1..].iter().map(|l| l.value).sum();
    assert!((rest - found.residual).abs() < 1e-14);
}

/// Sub-networks compose: from the input to a node, and from there to the output, is the whole.
#[test]
fn sub_networks_compose() {
    let frozen = frozen(FloatDType::F64, RuleSet::default());
    let head = frozen.between(None, Some("concat")).expect("a place");
    let tail = frozen.between(Some("concat"), None).expect("a place");
    assert_eq!(head.output_shape(), tail.input_shape());
    let x = frozen.x0();
    let whole = linearscope_analysis::vectors::read(frozen.apply(x.clone()).unwrap()).unwrap();
    let parts = tail.apply(head.apply(x.clone()).unwrap()).unwrap();
    assert!(relative(&linearscope_analysis::vectors::read(parts).unwrap(), &whole) < 1e-13);
    // The affine map of the tail, at what the head gives for x₀, is f(x₀).
    let y0 = linearscope_analysis::vectors::read(frozen.reference()).unwrap();
    let parts = tail.affine(head.affine(x).unwrap()).unwrap();
    assert!(relative(&linearscope_analysis::vectors::read(parts).unwrap(), &y0) < 1e-13);
    // `conv2` is bypassed by the skip: set to its own value, the network gives f(x₀) all the same.
    let branch = frozen.between(Some("conv2"), None).expect("a place");
    let at_conv2 = frozen
        .between(None, Some("conv2"))
        .unwrap()
        .affine(frozen.x0())
        .unwrap();
    let y = linearscope_analysis::vectors::read(branch.affine(at_conv2).unwrap()).unwrap();
    assert!(relative(&y, &y0) < 1e-13);

    let missing = frozen
        .between(Some("nowhere"), None)
        .unwrap_err()
        .to_string();
    assert!(
        missing.contains("\"nowhere\"") && missing.contains("concat"),
        "{missing}"
    );
    let backwards = frozen.between(Some("fc1"), Some("conv1")).expect("places");
    let message = backwards
        .apply(frozen.upload(vec![0.0; backwards.input_len()], backwards.input_len()))
        .unwrap_err()
        .to_string();
    assert!(message.contains("does not depend"), "{message}");
}

/// A probe's answer does not depend on the probes beside it, and batch > 1 has its own decisions.
#[test]
fn batches_of_references_are_independent() {
    let rules = RuleSet::default();
    let pair = load::<Flex>(&tiny_ops(), &[2, 3, 11, 13], &FlexDevice, DType::F64);
    let x = pseudo_input(&[2, 3, 11, 13], 1.0, 50);
    let x = upload::<Flex>(&x, &FlexDevice, DType::F64);
    let both = Recorded::new(pair, vec![x], rules.clone()).expect("freezes");
    let shape = both.reference()[0].shape();
    let rows = |at: usize| {
        let y = one_hot::<Flex>(&[at], &shape, &FlexDevice, DType::F64).unwrap();
        host::<Flex>(both.adjoint(&[y]).unwrap().remove(0)).unwrap()
    };
    let (first, second) = (rows(1), rows(6));
    assert_eq!(
        norm(&first[429..]),
        0.0,
        "picture 1 shows in the row of picture 0"
    );
    assert_eq!(
        norm(&second[..429]),
        0.0,
        "picture 0 shows in the row of picture 1"
    );
    // The second picture alone has the same row.
    let single = load::<Flex>(&tiny_ops(), &OPS, &FlexDevice, DType::F64);
    let alone = pseudo_input(&OPS, 1.0, 50 + 429);
    let alone = upload::<Flex>(&alone, &FlexDevice, DType::F64);
    let alone = Recorded::new(single, vec![alone], rules).expect("freezes");
    let y = one_hot::<Flex>(&[1], &alone.reference()[0].shape(), &FlexDevice, DType::F64).unwrap();
    let row = host::<Flex>(alone.adjoint(&[y]).unwrap().remove(0)).unwrap();
    assert!(relative(&second[429..], &row) < 1e-12);
}

/// An instance norm gives y₁ = γ(x₁ − μ₀)/σ₀ + β, a group norm the same per group, by Burn's own
/// modules as Burn decomposes them; `std only` keeps the mean a linear map.
#[test]
fn instance_and_group_norms_freeze_their_statistics() {
    let (gamma, beta) = ([1.5f32, -0.5, 2.0, 0.7], [0.1f32, 0.2, -0.3, 0.4]);
    let parameter = |values: [f32; 4], device: &Device| {
        burn::module::Param::from_tensor(Tensor::<1>::from_data(values, device))
    };
    let device = Device::flex();
    let mut norm = InstanceNormConfig::new(4).with_epsilon(1e-3).init(&device);
    norm.gamma = Some(parameter(gamma, &device));
    norm.beta = Some(parameter(beta, &device));
    let instance = Network::capture(&norm, |norm, ports| {
        let x = ports.input("x", [1, 4, 3, 2]);
        ports.output("y", norm.forward::<4>(x));
    });
    let mut norm = GroupNormConfig::new(2, 4).with_epsilon(1e-3).init(&device);
    norm.gamma = Some(parameter(gamma, &device));
    norm.beta = Some(parameter(beta, &device));
    let group = Network::capture(&norm, |norm, ports| {
        let x = ports.input("x", [1, 4, 3, 2]);
        ports.output("y", norm.forward::<4>(x));
    });
    let (instance, group) = (instance.expect("captures"), group.expect("captures"));
    for (network, per_group) in [(instance, 6), (group, 12)] {
        assert_eq!(network.recognised_norms(), 1);
        let loaded = Arc::new(
            Loaded::<Flex>::new(Arc::new(network), FlexDevice, DType::F64).expect("loads"),
        );
        let (x0, x1) = (
            pseudo_input(&[1, 4, 3, 2], 1.0, 0),
            pseudo_input(&[1, 4, 3, 2], 1.0, 99),
        );
        let flat = |data: &TensorData| -> Vec<f64> {
            data.clone().convert_dtype(DType::F64).try_to_vec().unwrap()
        };
        let (v0, v1) = (flat(&x0), flat(&x1));
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        for (normalisation, keep_mean) in [
            (Normalisation::MeanAndStd, false),
            (Normalisation::StdOnly, true),
        ] {
            let rules = RuleSet::of(normalisation);
            let tensor = upload::<Flex>(&x0, &FlexDevice, DType::F64);
            let frozen = Recorded::new(loaded.clone(), vec![tensor], rules).expect("freezes");
            let probe = upload::<Flex>(&x1, &FlexDevice, DType::F64);
            let probe = Flex::float_reshape(probe, Shape::from(vec![1, 1, 4, 3, 2]));
            let y1 = host::<Flex>(frozen.affine(&[probe]).unwrap().remove(0)).unwrap();
            let expected: Vec<f64> = (0..24)
                .map(|i| {
                    let group = i / per_group * per_group..(i / per_group + 1) * per_group;
                    let mu0 = mean(&v0[group.clone()]);
                    let var = v0[group.clone()]
                        .iter()
                        .map(|v| (v - mu0).powi(2))
                        .sum::<f64>()
                        / per_group as f64;
                    let mu = if keep_mean { mean(&v1[group]) } else { mu0 };
                    let c = i / 6;
                    f64::from(gamma[c]) * (v1[i] - mu) / (var + 1e-3).sqrt() + f64::from(beta[c])
                })
                .collect();
            assert!(
                relative(&y1, &expected) < 1e-12,
                "{normalisation:?}, groups of {per_group}: {:e}",
                relative(&y1, &expected)
            );
        }
    }
}

/// Inputs an interpreter cannot be made for are errors that name the numbers.
#[test]
fn bad_inputs_are_named() {
    let message = |data: TensorData| {
        let network = network(&tiny_ops(), &OPS);
        let loaded = FrozenNetwork::load(network, &Device::flex(), FloatDType::F32).unwrap();
        FrozenNetwork::new(loaded, data, RuleSet::default())
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    let wrong = message(TensorData::zeros::<f32, _>([1, 3, 12, 13]));
    assert!(
        wrong.contains("[1, 3, 12, 13]") && wrong.contains("[1, 3, 11, 13]"),
        "{wrong}"
    );
    let mut values = vec![0.5f32; 429];
    values[7] = f32::NAN;
    values[9] = f32::INFINITY;
    let nan = message(TensorData::new(values, OPS));
    assert!(
        nan.contains("2 values that are not finite") && nan.contains("index 7"),
        "{nan}"
    );
}

/// All triplets of a network give its dense F back. The bicubic upscaler of a square picture has
/// most singular values twice: a Krylov method from one start must find both copies.
#[test]
fn all_triplets_give_f_back() {
    let bicubic = assets().join("graphs/bicubic.onnx");
    for (path, shape) in [(tiny_ops(), OPS), (bicubic, [1, 1, 6, 6])] {
        let network = network(&path, &shape);
        let loaded = FrozenNetwork::load(network, &Device::flex(), FloatDType::F64).expect("loads");
        let x0 = match shape {
            OPS => picture(),
            shape => pseudo_input(&shape, 1.0, 0),
        };
        let f = FrozenNetwork::new(loaded, x0, RuleSet::default()).expect("freezes");
        let (n, outputs) = (f.input_len(), f.output_len());
        let positions: Vec<usize> = (0..n).collect();
        let columns = projection::columns(&f, &positions).expect("columns");
        let columns = linearscope_analysis::vectors::read(columns).unwrap();
        for block in [1, 3] {
            let config = SvdConfig::new(n.min(outputs))
                .with_tolerance(1e-11)
                .with_solver(Solver::Lanczos { block, basis: None });
            let found = svd(&f, &config, |_| ControlFlow::Continue(())).expect("converges");
            let u = linearscope_analysis::vectors::numbers(found.u).unwrap();
            let v = linearscope_analysis::vectors::numbers(found.v).unwrap();
            let product: Vec<f64> = (0..n * outputs)
                .map(|i| {
                    let (column, row) = (i / outputs, i % outputs);
                    let terms = found.sigma.iter().enumerate();
                    terms
                        .map(|(k, sigma)| sigma * u[k * outputs + row] * v[k * n + column])
                        .sum()
                })
                .collect();
            let error = relative(&product, &columns);
            assert!(error < 1e-10, "{path:?}, block {block}: {error:e}");
        }
    }
}
