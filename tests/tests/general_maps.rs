//! A map of a user's own that says nothing of itself: it replays as any other, and whoever has to know more
//! refuses it by name.

use std::sync::Arc;

use burn::{
    module::Module,
    nn::{Linear, LinearConfig},
    tensor::{DType, Device, FloatDType, Tensor, TensorData, activation},
};
use burn_backend::{TensorMetadata, ops::FloatTensorOps, tensor::FloatTensor};
use burn_dispatch::Dispatch;
use linearscope::{
    Entry, Error, Network, Ports, Rule, RuleSet,
    linear::{self, LinearMap, Region, Structure},
    program::Clip,
    training::Traced,
};
use linearscope_analysis::{
    Error as AnalysisError, FrozenNetwork, LinearOperator,
    contribution::contributions,
    difference::flips,
    discussion::{Propagation, discussions},
    operator::{ByProducts, Field},
    progress::unobserved,
    projection,
    vectors::read,
};
use linearscope_tests::*;

/// y = 2 x, last entry first.
#[derive(Debug)]
struct Reversed;

fn reversed(x: FloatTensor<Dispatch>) -> FloatTensor<Dispatch> {
    let last = x.shape().num_dims() - 1;
    Dispatch::float_mul_scalar(Dispatch::float_flip(x, &[last]), 2.0.into())
}

impl LinearMap<Dispatch> for Reversed {
    fn name(&self) -> &'static str {
        "reversed"
    }
    fn apply(&self, x: FloatTensor<Dispatch>) -> FloatTensor<Dispatch> {
        reversed(x)
    }
    fn adjoint(&self, y: FloatTensor<Dispatch>) -> FloatTensor<Dispatch> {
        reversed(y)
    }
    fn structure(&self) -> Structure<'_, Dispatch> {
        Structure::General
    }
}

/// Dense, rounding, ReLU, dense.
#[derive(Module, Debug)]
struct Rounding {
    first: Linear,
    last: Linear,
}

impl Rounding {
    fn new(device: &Device) -> Self {
        seeded(device, 31, || Self {
            first: LinearConfig::new(6, 5).init(device),
            last: LinearConfig::new(5, 4).init(device),
        })
    }

    fn forward(&self, ports: &mut Ports) {
        let x = ports.input::<2>("x", [1, 6]);
        let hidden = self.first.forward(x).mul_scalar(4.0).round();
        ports.output("y", self.last.forward(activation::relu(hidden)));
    }
}

fn network() -> Network {
    let module = Rounding::new(&Device::flex());
    Network::capture(&module, Rounding::forward).expect("captures")
}

fn of_rounding(map: impl Fn() -> Box<dyn LinearMap<Dispatch>> + Send + Sync + 'static) -> RuleSet {
    let rule = Rule::custom::<Dispatch>("reversing", move |_| map());
    RuleSet::default().with(Entry::new(rule).op("round"))
}

fn general() -> RuleSet {
    of_rounding(|| Box::new(Reversed))
}

fn x0(seed: usize) -> TensorData {
    pseudo_input(&[1, 6], 2.0, seed)
}

fn frozen(rules: RuleSet, seed: usize) -> FrozenNetwork {
    let loaded = FrozenNetwork::load(network(), &Device::flex(), FloatDType::F64);
    FrozenNetwork::new(loaded.expect("loads"), x0(seed), rules).expect("freezes")
}

/// The error names the node, the map, what was asked, and what to do.
fn refused<T: std::fmt::Debug, E: Into<AnalysisError>>(found: Result<T, E>, asked: &str) {
    let error = found.map(drop).map_err(Into::into);
    let AnalysisError::Engine(error) = error.expect_err("nothing is known of the map") else {
        panic!("not an error of the engine");
    };
    let Error::GeneralMap {
        node,
        map,
        asked: said,
    } = &error
    else {
        panic!("{error}");
    };
    assert!(!node.is_empty() && map == "reversed", "{error}");
    assert!(said.contains(asked), "{error}");
    assert!(error.to_string().contains("linear::gain"), "{error}");
}

#[test]
fn what_needs_no_more_than_products_is_exact() {
    let f = frozen(general(), 3);
    let (n, m) = (f.input_len(), f.output_len());
    let at_x0 = read(f.affine(f.x0()).unwrap()).unwrap();
    let y0 = read(f.reference()).unwrap();
    assert!(relative(&at_x0, &y0) < 1e-12, "{at_x0:?} {y0:?}");
    // F is the twin's, whose layers are plain tensors.
    let module = Rounding::new(&Device::flex());
    let double =
        |x: Tensor<2>| -> Vec<f64> { x.into_data().iter::<f32>().map(f64::from).collect() };
    let (a, b) = (
        double(module.first.weight.val()),
        double(module.last.weight.val()),
    );
    let bias = double(
        module
            .first
            .bias
            .as_ref()
            .expect("a bias")
            .val()
            .unsqueeze(),
    );
    let x: Vec<f64> = x0(3).iter::<f64>().collect();
    let hidden: Vec<f64> = (0..5)
        .map(|j| (4.0 * (bias[j] + (0..6).map(|i| x[i] * a[i * 5 + j]).sum::<f64>())).round())
        .collect();
    let twin = |o: usize, i: usize| -> f64 {
        let through = |j: usize| 2.0 * 4.0 * a[i * 5 + (4 - j)];
        let open = (0..5).filter(|&j| hidden[j] > 0.0);
        open.map(|j| through(j) * b[j * 4 + o]).sum()
    };
    let all: Vec<usize> = (0..n).collect();
    let columns = read(projection::columns(&f, &all).unwrap()).unwrap();
    let outputs: Vec<usize> = (0..m).collect();
    let rows = read(projection::rows(&f, &outputs).unwrap()).unwrap();
    for o in 0..m {
        for i in 0..n {
            assert!((columns[i * m + o] - twin(o, i)).abs() < 1e-12);
            assert!((rows[o * n + i] - twin(o, i)).abs() < 1e-12);
        }
    }
    // Where it reaches nobody knows: everywhere.
    let program = f.recorded().expect("recorded").program();
    let (input, output) = (program.inputs()[0], program.outputs()[0]);
    let fields = program
        .fields(&[(output, Region(vec![0..1, 0..1]))])
        .unwrap();
    let whole = Region(vec![0..1, 0..6]);
    assert_eq!(fields.of(input).unwrap(), Some(&whole));
    let places = [vec![0], vec![3, 1]];
    let found = f.fields(Field::Row, &places, &mut unobserved).unwrap();
    let plain = ByProducts(&f)
        .fields(Field::Row, &places, &mut unobserved)
        .unwrap();
    assert!(relative(&read(found).unwrap(), &read(plain).unwrap()) < 1e-12);
    // Contributions, and the readings that carry by Wᵀ alone.
    let made = contributions(&f, 1).unwrap();
    assert!(made.gap < 1e-12, "{}", made.gap);
    assert_eq!(made.score, y0[1]);
    for reading in [Propagation::Scored, Propagation::Paper] {
        discussions(&f, &[1], reading).expect("no shares are asked for");
    }
    // An account says what is not in it.
    assert_eq!(program.account().general_maps, 1);
    assert_eq!(
        frozen(of_rounding(|| linear::multiple(2.0)), 3)
            .recorded()
            .expect("recorded")
            .program()
            .account()
            .general_maps,
        0
    );
}

#[test]
fn comparisons_of_decisions_refuse_it() {
    let (f, g) = (frozen(general(), 3), frozen(general(), 4));
    refused(flips(&f, &g), "comparison of decisions");
    // What the helpers make is known: no choice.
    let known = |seed| frozen(of_rounding(|| linear::multiple(2.0)), seed);
    let found = flips(&known(3), &known(4)).expect("known");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].kind, "slope_mask");
}

#[test]
fn conserving_discussions_refuse_it() {
    let f = frozen(general(), 3);
    refused(
        discussions(&f, &[1], Propagation::Conserving),
        "conserving discussion",
    );
    let known = frozen(of_rounding(|| linear::multiple(2.0)), 3);
    discussions(&known, &[1], Propagation::Conserving).expect("known");
}

#[test]
fn deconvolution_refuses_it_where_it_meets_it() {
    let f = frozen(general(), 3);
    let seed = || f.upload(vec![1.0; f.output_len()], f.output_len());
    refused(
        f.between(None, None)
            .unwrap()
            .clipped(seed(), Clip::Deconvolution),
        "a clipped sweep",
    );
    // Behind it there is nothing to refuse.
    let program = f.recorded().expect("recorded").program();
    let general = program
        .nodes()
        .iter()
        .find(|node| node.operation.name() == "reversed");
    let behind = general.expect("it is there").name.to_string();
    let part = f.between(Some(&behind), None).expect("a part");
    part.clipped(seed(), Clip::Deconvolution)
        .expect("the map is not in it");
    let known = frozen(of_rounding(|| linear::multiple(2.0)), 3);
    known
        .between(None, None)
        .unwrap()
        .clipped(seed(), Clip::Deconvolution)
        .expect("known");
}

#[test]
fn gradients_through_rows_refuse_it() {
    let module = Rounding::new(&Device::flex().autodiff());
    let traced = Traced::capture(&module, Rounding::forward).expect("captures");
    let x0 = || Tensor::<2>::from_data(x0(3).convert_dtype(DType::F32), &Device::flex());
    let step = traced.bind(&module).expect("binds").freeze(x0(), general());
    let step = step.expect("freezes");
    refused(step.rows::<3>(&[&[1]]), "gradient through rows");
    // Columns are products of what the user wrote.
    let columns = step.columns::<3>(&[&[2]]).expect("columns");
    // Without a tape there is nothing to differentiate.
    let plain = traced
        .bind(&module.valid())
        .expect("binds")
        .freeze(x0(), general());
    let rows = plain.expect("freezes").rows::<3>(&[&[1]]).expect("no tape");
    let one = |x: Tensor<3>, at: usize| x.into_data().iter::<f64>().nth(at).expect("a number");
    assert!((one(rows, 2) - one(columns, 1)).abs() < 1e-5);
    let known = traced
        .bind(&module)
        .unwrap()
        .freeze(x0(), of_rounding(|| linear::multiple(2.0)));
    known.expect("freezes").rows::<3>(&[&[1]]).expect("known");
}

/// A user's map may say what it is, and is then refused nowhere.
#[test]
fn a_map_of_ones_own_may_say_what_it_is() {
    #[derive(Debug)]
    struct Doubled(Box<dyn LinearMap<Dispatch>>);

    impl LinearMap<Dispatch> for Doubled {
        fn name(&self) -> &'static str {
            "doubled"
        }
        fn apply(&self, x: FloatTensor<Dispatch>) -> FloatTensor<Dispatch> {
            self.0.apply(x)
        }
        fn adjoint(&self, y: FloatTensor<Dispatch>) -> FloatTensor<Dispatch> {
            self.0.adjoint(y)
        }
        fn structure(&self) -> Structure<'_, Dispatch> {
            self.0.structure()
        }
    }

    let rules = || of_rounding(|| Box::new(Doubled(linear::multiple(2.0))));
    let (f, g) = (frozen(rules(), 3), frozen(rules(), 4));
    flips(&f, &g).expect("known");
    discussions(&f, &[0], Propagation::Conserving).expect("known");
    let _: Arc<dyn LinearMap<Dispatch>> = Arc::new(linear::multiple::<Dispatch>(1.0));
}
