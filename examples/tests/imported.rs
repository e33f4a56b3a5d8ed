//! A graph imported at build time and the same file loaded at run time are the same affine map.

use burn::tensor::{Device, FloatDType, TensorData};
use linearscope::{Network, Ports, RuleSet};
use linearscope_analysis::{
    FrozenNetwork, LinearOperator, certificate::certificate, contribution, noise, projection,
    vectors::read,
};
use linearscope_examples::{cyclegan, edsr, vgg};
use linearscope_onnx::Model;
use linearscope_test_support::{assets, numbers::relative};

fn freeze(network: Network, shape: [usize; 4]) -> FrozenNetwork {
    let loaded = FrozenNetwork::load(network, &Device::flex(), FloatDType::F32).expect("loads");
    let values = noise(shape.iter().product(), 7);
    let x0: Vec<f32> = values.iter().map(|v| (0.5 + 0.5 * v) as f32).collect();
    FrozenNetwork::new(loaded, TensorData::new(x0, shape), RuleSet::default()).expect("freezes")
}

/// Columns, rows, residual and contributions of both agree.
fn assert_same<M: burn::module::Module>(
    name: &str,
    module: &M,
    shape: [usize; 4],
    forward: impl FnOnce(&M, &mut Ports),
) {
    let imported = Network::capture(module, forward).expect("captures");
    let path = assets().join(format!("graphs/{name}.onnx"));
    let loaded = Model::load(path).expect("the file reads");
    let loaded = loaded.network(&[shape.to_vec()]).expect("runs");
    assert_eq!(
        imported.recognised_norms(),
        loaded.recognised_norms(),
        "norms"
    );
    let (a, b) = (freeze(imported, shape), freeze(loaded, shape));
    assert!(certificate(&a).expect("measures").holds(), "{name}");
    let close = |what: &str, a: Vec<f64>, b: Vec<f64>| {
        let error = relative(&a, &b);
        println!("{name} {what}: {error:.1e}");
        assert!(error <= 1e-5, "{name} {what}: {error:.1e}");
    };
    let both = |f: &dyn Fn(&FrozenNetwork) -> Vec<f64>| (f(&a), f(&b));
    let (x, y) = both(&|f| read(f.reference()).unwrap());
    close("y₀", x, y);
    let (x, y) = both(&|f| read(f.residual().unwrap()).unwrap());
    close("r", x, y);
    let pixels: Vec<usize> = (0..8).map(|i| i * a.input_len() / 8 + 5).collect();
    let (x, y) = both(&|f| read(projection::columns(f, &pixels).unwrap()).unwrap());
    close("columns", x, y);
    let outputs: Vec<usize> = (0..8).map(|i| i * a.output_len() / 8).collect();
    let (x, y) = both(&|f| read(projection::rows(f, &outputs).unwrap()).unwrap());
    close("rows", x, y);
    let target = contribution::top1(&b).unwrap();
    let (x, y) = both(&|f| {
        let found = contribution::contributions(f, target).unwrap();
        found.layers.iter().map(|layer| layer.value).collect()
    });
    close("contributions", x, y);
}

#[test]
fn vgg() {
    let model = vgg::Model::default();
    assert_same("vgg", &model, [1, 3, 32, 32], |model, ports| {
        let x = ports.input("image", [1, 3, 32, 32]);
        ports.output("scores", model.forward(x));
    });
}

#[test]
fn edsr() {
    let model = edsr::Model::default();
    assert_same("edsr", &model, [1, 3, 20, 20], |model, ports| {
        let x = ports.input("low", [1, 3, 20, 20]);
        ports.output("high", model.forward(x));
    });
}

#[test]
fn cyclegan() {
    let model = cyclegan::Model::default();
    assert_same("cyclegan", &model, [1, 3, 32, 32], |model, ports| {
        let x = ports.input("image", [1, 3, 32, 32]);
        ports.output("translated", model.forward(x));
    });
}
