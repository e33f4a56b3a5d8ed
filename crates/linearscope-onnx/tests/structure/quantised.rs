//! Quantisers, frozen; weights of few bits.

use std::sync::Arc;

use burn_backend::{DType, TensorData, ops::FloatTensorOps};
use burn_flex::{Flex, FlexDevice};
use linearscope::{Loaded, Recorded, RuleSet, host};
use linearscope_onnx::Model;
use onnx_ir::TensorProto;

use crate::made::*;

fn frozen(model: &Model, x0: &[f32], rules: &str) -> linearscope::Result<Recorded<Flex>> {
    let network = model.network(&[vec![x0.len()]]).expect("captures");
    let loaded = Loaded::<Flex>::new(Arc::new(network), FlexDevice, DType::F32)?;
    let x0 = Flex::float_from_data(TensorData::new(x0.to_vec(), [x0.len()]), &FlexDevice);
    let rules: RuleSet = rules.parse()?;
    Recorded::new(Arc::new(loaded), vec![x0], rules)
}

/// A quantiser's rounding is straight-through: y₁ = x₁ + (y₀ − x₀) inside the range, the plateau
/// beyond it. Round by itself stays refused, and a rule set's word counts for more.
#[test]
fn quantisers_round_straight_through() {
    let nodes = vec![
        node("QuantizeLinear", &["x", "scale", "zero"], "q", vec![]),
        node("DequantizeLinear", &["q", "scale", "zero"], "d", vec![]),
        node("Sub", &["d", "x"], "y", vec![]),
    ];
    let mut zero = TensorProto::new();
    zero.name = "zero".into();
    zero.data_type = 3;
    zero.raw_data = vec![2].into();
    let weights = vec![floats("scale", &[], vec![0.5]), zero];
    let quantised = model(&[4], nodes, weights);
    // In steps of a half from −65 to 62.5, the last beyond.
    let x0 = [0.6, -1.3, 30.26, 90.0];
    let x1 = [1.0f32; 4];
    let probe = || Flex::float_from_data(TensorData::new(x1.to_vec(), [1, 4]), &FlexDevice);
    let affine = |rules: &str| {
        let frozen = frozen(&quantised, &x0, rules).expect("freezes");
        assert!(frozen.unused_rules().is_empty(), "{rules}");
        host::<Flex>(frozen.affine(&[probe()]).expect("applies").remove(0)).expect("reads")
    };
    // What is dequantised at x₀; y is that less x.
    let d0 = [0.5f64, -1.5, 30.5, 62.5];
    let straight: Vec<f64> = (0..3).map(|i| d0[i] - f64::from(x0[i])).collect();
    let straight = [&straight[..], &[61.5]].concat();
    for (got, wanted) in affine("").iter().zip(&straight) {
        assert!((got - wanted).abs() < 1e-5, "{got} for {wanted}");
    }
    for (got, d0) in affine("round=constant").iter().zip(&d0) {
        assert!((got - (d0 - 1.0)).abs() < 1e-5, "{got} for {d0} - 1");
    }
    let said = frozen(&quantised, &x0, "")
        .expect("freezes")
        .rules()
        .to_string();
    assert!(
        said.contains("op:round&node:the_quantizelinear=straight-through"),
        "{said}"
    );

    let plain = model(&[4], vec![node("Round", &["x"], "y", vec![])], vec![]);
    let error = frozen(&plain, &x0, "").expect_err("refused").to_string();
    assert!(error.contains("the_round"), "{error}");
}

/// Four-bit weights, two in a byte, at a scale.
#[test]
fn weights_of_four_bits() {
    let mut packed = TensorProto::new();
    packed.name = "w".into();
    packed.data_type = 22;
    packed.dims = vec![3];
    packed.raw_data = vec![0xe1, 0x08].into();
    let nodes = vec![
        node("DequantizeLinear", &["w", "scale"], "d", vec![]),
        node("Mul", &["x", "d"], "y", vec![]),
    ];
    let weights = vec![packed, floats("scale", &[], vec![0.5])];
    let y = run(&[3], nodes, weights, vec![1.0, 1.0, 1.0]);
    assert_eq!(y, [0.5, -1.0, -4.0]);
}
