//! The promises on real trained networks (skipped, aloud, without the shared data).

use std::{collections::BTreeMap, ops::ControlFlow, path::Path, sync::Arc};

use burn::tensor::{Device, FloatDType};
use burn_backend::{Backend, DType, TensorMetadata};
use burn_flex::{Flex, FlexDevice};
use linearscope::{Loaded, Paired, Recorded, RuleSet, host, one_hot};
use linearscope_analysis::{
    FrozenNetwork,
    svd::{Momentum, Solver, SvdConfig, svd},
};
use linearscope_onnx::Model;
use linearscope_tests::*;
use serde::Deserialize;

const DEVICE: FlexDevice = FlexDevice;

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

/// Run `check` on every real network; report all failures, not the first.
fn on_every_network(test: &str, check: impl Fn(&RealNetwork, &Path) -> Result<String, String>) {
    let Some(data) = shared_data() else {
        return skipped(test);
    };
    let mut failures = Vec::new();
    for net in REAL_NETWORKS {
        let path = data.join("models").join(format!("{}.onnx", net.name));
        match check(net, &path) {
            Ok(line) => println!("{test}: {:34} {line}", net.name),
            Err(line) => failures.push(format!("{}: {line}", net.name)),
        }
    }
    assert!(failures.is_empty(), "{test}:\n{}", failures.join("\n"));
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

fn frozen(net: &RealNetwork, path: &Path, dtype: DType) -> Recorded<Flex> {
    let loaded = load::<Flex>(path, &net.shape, &DEVICE, dtype);
    let x0 = upload::<Flex>(&pseudo_input(&net.shape, net.scale, 0), &DEVICE, dtype);
    Recorded::new(loaded, vec![x0], RuleSet::default()).expect("the network freezes")
}

fn values(x: burn_flex::FlexTensor) -> Vec<f64> {
    host::<Flex>(x).expect("readable")
}

#[test]
fn plain_outputs_equal_onnxruntime() {
    let expected: BTreeMap<String, Sampled> = reference("onnxruntime.json");
    on_every_network("onnxruntime", |net, path| {
        let loaded = load::<Flex>(path, &net.shape, &DEVICE, DType::F32);
        let x = upload::<Flex>(&pseudo_input(&net.shape, net.scale, 0), &DEVICE, DType::F32);
        let y = loaded
            .forward(vec![x])
            .map_err(|e| e.to_string())?
            .remove(0);
        within("relative error", expected[net.name].error(&values(y)), 1e-4)
    });
}

/// ◆ y₀ is bit-equal to the same ops run directly on the backend, without the decorator.
#[test]
fn the_reference_is_untouched() {
    on_every_network("untouched", |net, path| {
        let data = pseudo_input(&net.shape, net.scale, 0);
        let x = || upload::<Flex>(&data, &DEVICE, DType::F32);
        let model = Model::load(path).map_err(|e| e.to_string())?;
        let plain = model
            .run::<Flex>(vec![x()], &DEVICE)
            .map_err(|e| e.to_string())?
            .remove(0);
        let loaded = load::<Flex>(path, &net.shape, &DEVICE, DType::F32);
        let recorded = Recorded::new(loaded.clone(), vec![x()], RuleSet::default())
            .map_err(|e| e.to_string())?;
        let batch = Flex::float_reshape_to_batch(x());
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
    });
}

/// `[..shape] → [1, ..shape]`.
trait ToBatch: Backend {
    fn float_reshape_to_batch(x: Self::FloatTensorPrimitive) -> Self::FloatTensorPrimitive {
        let mut dims = vec![1];
        dims.extend(x.shape().iter());
        Self::float_reshape(x, dims.into())
    }
}
impl<B: Backend> ToBatch for B {}

/// ◆ x₁ = x₀ ⇒ y₁ = y₀, in the paired run and the replay. f32 and f64.
fn probe_at_the_reference(dtype: DType, limit: f64) {
    on_every_network(&format!("x1 = x0, {dtype:?}"), |net, path| {
        let interpreter = frozen(net, path, dtype);
        let x0 = || upload::<Flex>(&pseudo_input(&net.shape, net.scale, 0), &DEVICE, dtype);
        let y0 = values(interpreter.reference()[0].clone());
        let batch = Flex::float_reshape_to_batch(x0());
        let replayed = interpreter
            .affine(std::slice::from_ref(&batch))
            .map_err(|e| e.to_string())?;
        let loaded: &Loaded<Flex> = interpreter.loaded();
        let (_, paired) = Paired::beside(loaded, vec![x0()], vec![batch], RuleSet::default(), true)
            .map_err(|e| e.to_string())?;
        let replayed = relative(&values(replayed[0].clone()), &y0);
        let paired = relative(&values(paired[0].clone()), &y0);
        within("replayed", replayed, limit)?;
        within("replayed and paired", replayed.max(paired), limit)
    });
}

#[test]
fn probe_at_the_reference_f32() {
    probe_at_the_reference(DType::F32, 1e-5);
}

#[test]
fn probe_at_the_reference_f64() {
    probe_at_the_reference(DType::F64, 1e-12);
}

/// F x₀ + r = f(x₀) and ⟨F v, u⟩ = ⟨v, Fᵀ u⟩, by the definitions of the certificate.
fn exact_and_adjoint(dtype: DType, limit: f64) {
    on_every_network(&format!("exact and adjoint, {dtype:?}"), |net, path| {
        let interpreter = frozen(net, path, dtype);
        let y0 = values(interpreter.reference()[0].clone());
        let batch = |offset: usize, shape: &[usize], scale: f64| {
            let data = pseudo_input(shape, scale, offset);
            Flex::float_reshape_to_batch(upload::<Flex>(&data, &DEVICE, dtype))
        };
        let apply = |x| values(interpreter.apply(&[x]).expect("applies").remove(0));
        let fx0 = apply(batch(0, &net.shape, net.scale));
        let r = values(interpreter.residual().expect("residual").remove(0));
        let gap: Vec<f64> = (0..y0.len()).map(|i| fx0[i] + r[i] - y0[i]).collect();
        let exact = norm(&gap) / norm(&y0).max(norm(&fx0) + norm(&r));

        let out: Vec<usize> = interpreter.reference()[0].shape().to_vec();
        let (v, u) = (batch(1000, &net.shape, 1.0), batch(5000, &out, 1.0));
        let fv = apply(v.clone());
        let fu = values(
            interpreter
                .adjoint(std::slice::from_ref(&u))
                .expect("adjoint")
                .remove(0),
        );
        let (v, u) = (values(v), values(u));
        let adjoint = (dot(&fv, &u) - dot(&v, &fu)).abs() / (norm(&fv) * norm(&u));
        within("exactness", exact, limit)?;
        within("adjoint", adjoint, limit)?;
        Ok(format!("exactness {exact:.1e}, adjoint {adjoint:.1e}"))
    });
}

#[test]
fn exact_and_adjoint_f32() {
    exact_and_adjoint(DType::F32, 1e-4);
}

#[test]
fn exact_and_adjoint_f64() {
    exact_and_adjoint(DType::F64, 1e-10);
}

/// Every convolution keeps the file's own name: weights of that name are what it convolves with.
#[test]
fn nodes_keep_their_names() {
    let Some(data) = shared_data() else {
        return skipped("nodes_keep_their_names");
    };
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
#[test]
fn rows_columns_and_residuals_equal_the_twin() {
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
    let Some(data) = shared_data() else {
        return skipped("rows_columns_and_residuals_equal_the_twin");
    };
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
#[test]
fn singular_values_equal_scipys() {
    #[derive(Deserialize)]
    struct Expected {
        shape: [usize; 4],
        scale: f64,
        sigma: Vec<f64>,
    }
    let Some(data) = shared_data() else {
        return skipped("singular_values_equal_scipys");
    };
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
