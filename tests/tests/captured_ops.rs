//! Ops of every family through Burn's own tensor API: captured, frozen, and held to the promises.

use std::sync::Arc;

use burn::{
    nn::{Linear, LinearConfig},
    tensor::{
        DType, Device, Int, Tensor, TensorData,
        module::{attention, conv2d, deform_conv2d, unfold4d},
        ops::{AttentionModuleOptions, DeformConvOptions, GridSampleOptions, UnfoldOptions},
    },
};
use burn_backend::{Shape, TensorMetadata, ops::FloatTensorOps};
use burn_flex::{Flex, FlexDevice, FlexTensor};
use linearscope::{Loaded, Network, Recorded, RuleSet, host, survey::Standing};
use linearscope_tests::*;

const SHAPE: [usize; 4] = [2, 3, 4, 5];

/// A fixed tensor on the device of x.
fn fixed(x: &Tensor<4>, shape: [usize; 4], offset: usize) -> Tensor<4> {
    Tensor::from_data(pseudo_input(&shape, 1.0, offset), &x.device()) - 0.5
}

/// What is computed of the input, by name; each is an output of its own.
fn outputs(layer: &Linear, x: Tensor<4>) -> Vec<(&'static str, Tensor<4>)> {
    let rows = |values: Vec<i32>| {
        let count = values.len();
        Tensor::<1, Int>::from_data(TensorData::new(values, [count]), &x.device())
    };
    let best = x.clone().max_dim(3);
    let (top, at) = x.clone().topk_with_indices(2, 3);
    let gathered = x.clone().gather(3, at);
    let heads = layer.forward(x.clone());
    let options = AttentionModuleOptions::default();
    let offset = conv2d(
        x.clone(),
        fixed(&x, [8, 3, 2, 2], 20),
        None,
        burn::tensor::ops::ConvOptions::new([1, 1], [0, 0], [1, 1], 1),
    );
    let deformed = deform_conv2d(
        x.clone(),
        offset,
        fixed(&x, [2, 3, 2, 2], 40),
        None,
        None,
        DeformConvOptions::new([1, 1], [0, 0], [1, 1], 1, 1),
    );
    let blocks = UnfoldOptions::new([1, 1], [1, 0], [1, 1]);
    let grid = fixed(&x, [2, 3, 3, 2], 60) * 2.4;
    // Weights that the network makes of the picture.
    let weights = x
        .clone()
        .mean_dim(0)
        .mean_dim(2)
        .mean_dim(3)
        .repeat(&[2, 1, 1, 1]);
    let by_itself = burn::tensor::ops::ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
    vec![
        ("maximum", x.clone() - best),
        ("top", top),
        ("gathered", gathered),
        ("sorted", x.clone().sort_descending(2)),
        ("running", x.clone().cummax(3)),
        ("pair", x.clone().max_pair(x.clone().neg() * 0.5)),
        ("written", {
            let rows = rows(vec![3, 0]);
            let picked = x.clone().select(2, rows.clone());
            x.clone()
                .select_assign(2, rows, picked, burn::tensor::IndexingUpdateOp::Add)
        }),
        (
            "attended",
            attention(
                heads.clone(),
                heads.clone().neg(),
                heads,
                None,
                None,
                options,
            ),
        ),
        ("deformed", deformed),
        (
            "blocks",
            unfold4d(x.clone(), [2, 2], blocks).unsqueeze_dim(1),
        ),
        (
            "sampled",
            x.clone().grid_sample_2d(grid, GridSampleOptions::default()),
        ),
        ("by itself", conv2d(x, weights, None, by_itself)),
    ]
}

#[test]
fn ops_of_burns_tensor_api_are_frozen() {
    let device = Device::flex();
    let layer = seeded(&device, 8, || LinearConfig::new(5, 5).init(&device));
    let mut count = 0;
    let network = Network::capture(&layer, |layer, ports| {
        let x = ports.input("x", SHAPE);
        for (name, y) in outputs(layer, x) {
            ports.output(name, y);
            count += 1;
        }
    })
    .expect("captures");
    let network = Arc::new(network);

    // f32: the reference is what the module itself gives, bit by bit.
    let data = pseudo_input(&SHAPE, 2.0, 0);
    let x = Tensor::<4>::from_data(data.clone(), &device) - 0.9;
    let x_data = x.to_data();
    let load =
        |dtype| Arc::new(Loaded::<Flex>::new(network.clone(), FlexDevice, dtype).expect("loads"));
    let x0 = upload::<Flex>(&x_data, &FlexDevice, DType::F32);
    let frozen = Recorded::new(load(DType::F32), vec![x0], RuleSet::default()).expect("freezes");
    for ((name, plain), y0) in outputs(&layer, x).into_iter().zip(frozen.reference()) {
        let plain: Vec<f32> = plain.into_data().try_to_vec().expect("floats");
        let y0 = host::<Flex>(y0.clone()).expect("reads");
        let same = plain
            .iter()
            .zip(&y0)
            .all(|(a, b)| f64::from(*a).to_bits() == b.to_bits());
        assert!(same && plain.len() == y0.len(), "{name}: y0 changed");
    }

    // f64: exact at x₀, and the adjoint is one.
    let x0 = upload::<Flex>(&x_data, &FlexDevice, DType::F64);
    let loaded = load(DType::F64);
    let frozen =
        Recorded::new(loaded.clone(), vec![x0.clone()], RuleSet::default()).expect("freezes");
    let batch = |x: FlexTensor| {
        let shape = [&[1], &x.shape().to_vec()[..]].concat();
        Flex::float_reshape(x, Shape::from(shape))
    };
    let at_x0 = frozen.affine(&[batch(x0.clone())]).expect("replays");
    assert_eq!(at_x0.len(), count);
    for (y1, y0) in at_x0.into_iter().zip(frozen.reference()) {
        let (y1, y0) = (host::<Flex>(y1).unwrap(), host::<Flex>(y0.clone()).unwrap());
        assert!(relative(&y1, &y0) < 1e-13, "{y1:?} {y0:?}");
    }
    let v = [upload::<Flex>(
        &pseudo_input(&[&[1], &SHAPE[..]].concat(), 1.0, 7),
        &FlexDevice,
        DType::F64,
    )];
    let fv = frozen.apply(&v).expect("applies");
    let numbers = |x: &[FlexTensor]| -> Vec<f64> {
        x.iter()
            .flat_map(|x| host::<Flex>(x.clone()).unwrap())
            .collect()
    };
    let u: Vec<FlexTensor> = fv
        .iter()
        .enumerate()
        .map(|(i, y)| {
            let data = pseudo_input(&y.shape().to_vec(), 1.0, 90 + 10 * i);
            upload::<Flex>(&data, &FlexDevice, DType::F64)
        })
        .collect();
    let fu = frozen.adjoint(&u).expect("applies");
    let (there, back) = (
        dot(&numbers(&fv), &numbers(&u)),
        dot(&numbers(&v), &numbers(&fu)),
    );
    assert!(
        (there - back).abs() < 1e-12 * there.abs().max(1.0),
        "{there} {back}"
    );

    // And a survey says what was frozen.
    let survey = loaded
        .survey(vec![x0], RuleSet::default())
        .expect("surveys");
    let words: Vec<&str> = survey
        .iter()
        .filter_map(|op| match op.standing {
            Standing::Ruled(word) => Some(word),
            _ => None,
        })
        .collect();
    for word in [
        "switches",
        "order",
        "pick",
        "weights",
        "offsets",
        "half of each",
    ] {
        assert!(words.contains(&word), "{word} is not in {words:?}");
    }
}
