//! The interpreter in the loss: y₀, y₁, r, columns and rows of a live module have the gradients
//! that finite differences and Burn's own autodiff give.

use std::collections::BTreeMap;

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    nn::{
        BatchNorm, BatchNormConfig, Dropout, DropoutConfig, InstanceNorm, InstanceNormConfig,
        Linear, LinearConfig, PaddingConfig2d,
        conv::{Conv2d, Conv2dConfig},
        pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig, MaxPool2d, MaxPool2dConfig},
    },
    optim::{GradientsParams, SgdConfig},
    tensor::{DType, Device, Gradients, Tensor, TensorData, activation},
};
use burn_backend::ops::FloatTensorOps;
use burn_dispatch::Dispatch;
use linearscope::{
    Entry, Error, Normalisation, Paired, Pointwise, RuleSet, program::Clip, training::Traced,
};
use linearscope_tests::{pseudo_input, relative, seeded};

/// Scores of a picture: batch norm, max pool, ReLU, a gate, a global mean, dropout.
#[derive(Module, Debug)]
struct Classifier {
    first: Conv2d,
    norm: BatchNorm,
    pool: MaxPool2d,
    squeeze: Linear,
    second: Conv2d,
    mean: AdaptiveAvgPool2d,
    dropout: Dropout,
    head: Linear,
}

const CLASSIFIER: [usize; 4] = [2, 2, 6, 6];

impl Classifier {
    fn new(device: &Device) -> Self {
        seeded(device, 5, || Self {
            first: Conv2dConfig::new([2, 4], [3, 3])
                .with_padding(PaddingConfig2d::Same)
                .init(device),
            norm: BatchNormConfig::new(4).init(device),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            squeeze: LinearConfig::new(4, 4).init(device),
            second: Conv2dConfig::new([4, 5], [2, 2]).init(device),
            mean: AdaptiveAvgPool2dConfig::new([1, 1]).init(),
            dropout: DropoutConfig::new(0.5).init(),
            head: LinearConfig::new(5, 3).init(device),
        })
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = activation::relu(self.norm.forward(self.first.forward(x)));
        let x = self.pool.forward(x);
        let pooled = self.mean.forward(x.clone()).flatten::<2>(1, 3);
        let gate = activation::sigmoid(self.squeeze.forward(pooled));
        let x = x * gate.unsqueeze_dims::<4>(&[2, 3]);
        let x = activation::relu(self.second.forward(x));
        let x = self.mean.forward(x).flatten::<2>(1, 3);
        self.head.forward(self.dropout.forward(x))
    }
}

/// A picture of a picture: instance norm, smooth units, a skip. Every adjoint is differentiable.
#[derive(Module, Debug)]
struct Filter {
    first: Conv2d,
    norm: InstanceNorm,
    pool: MaxPool2d,
    second: Conv2d,
    last: Conv2d,
}

const FILTER: [usize; 4] = [2, 1, 5, 6];

impl Filter {
    fn new(device: &Device) -> Self {
        let conv = |from, to| {
            Conv2dConfig::new([from, to], [3, 3])
                .with_padding(PaddingConfig2d::Same)
                .init(device)
        };
        seeded(device, 7, || Self {
            first: conv(1, 3),
            norm: InstanceNormConfig::new(3).init(device),
            pool: MaxPool2dConfig::new([3, 3])
                .with_strides([1, 1])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(),
            second: conv(3, 3),
            last: conv(3, 2),
        })
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = activation::tanh(self.norm.forward(self.first.forward(x)));
        let y = activation::leaky_relu(self.second.forward(self.pool.forward(x.clone())), 0.1);
        self.last.forward(activation::sigmoid(y) + x)
    }
}

fn device() -> Device {
    Device::flex().autodiff()
}

fn on<const D: usize>(data: TensorData, device: &Device) -> Tensor<D> {
    let data = data.convert_dtype(DType::F64);
    Tensor::from_dispatch(Dispatch::float_from_data(data, device.as_dispatch()))
}

fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    let data = x.detach().into_data().convert_dtype(DType::F64);
    data.try_to_vec().expect("floats")
}

/// Every parameter in f64 on the autodiff device; `moved` gets a step at one place.
struct Double<'a> {
    path: Vec<String>,
    moved: Option<(&'a str, usize, f64)>,
}

impl ModuleMapper for Double<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| {
            let shape = tensor.shape();
            let mut values = numbers(tensor);
            if let Some((path, at, by)) = self.moved
                && self.path.join(".") == path
            {
                values[at] += by;
            }
            on(TensorData::new(values, shape), &device()).require_grad()
        })
    }
}

fn moved<M: Module>(module: &M, moved: Option<(&str, usize, f64)>) -> M {
    // `valid` copies the running statistics, which a clone would share.
    module.valid().map(&mut Double {
        path: vec![],
        moved,
    })
}

/// Gradients by parameter path.
struct Gradient<'a> {
    path: Vec<String>,
    gradients: &'a Gradients,
    found: BTreeMap<String, Vec<f64>>,
}

impl ModuleVisitor for Gradient<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            self.found.insert(self.path.join("."), numbers(gradient));
        }
    }
}

fn gradients<M: Module>(module: &M, loss: Tensor<1>) -> BTreeMap<String, Vec<f64>> {
    let gradients = loss.backward();
    let mut visitor = Gradient {
        path: vec![],
        gradients: &gradients,
        found: BTreeMap::new(),
    };
    module.visit(&mut visitor);
    visitor.found
}

/// The mean of wᵢ xᵢ + ½ xᵢ² with fixed weights: every entry counts, differently.
fn mixed<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let weights = on::<D>(pseudo_input(&x.dims(), 1.0, 400), &x.device());
    (x.clone() * weights).mean() + x.square().mean() * 0.5
}

fn trace_classifier(module: &Classifier) -> Traced {
    Traced::capture(module, |module, ports| {
        let x = ports.input("picture", CLASSIFIER);
        ports.output("scores", module.forward(x));
    })
    .expect("captures")
}

fn trace_filter(module: &Filter) -> Traced {
    Traced::capture(module, |module, ports| {
        let x = ports.input("picture", FILTER);
        ports.output("picture", module.forward(x));
    })
    .expect("captures")
}

fn x0(shape: &[usize]) -> Tensor<4> {
    on(pseudo_input(shape, 1.0, 3), &Device::flex()) - 0.5
}

/// The gradient of `loss` at every parameter, at up to three places of each, against a central
/// difference of fourth order: with a step of 10⁻⁴ both its errors are below 10⁻¹⁰ of the loss.
fn gradients_are_right<M: Module>(what: &str, module: &M, loss: impl Fn(&M) -> Tensor<1>) {
    const STEP: f64 = 1e-4;
    let module = moved(module, None);
    let found = gradients(&module, loss(&module));
    assert!(!found.is_empty(), "{what}: no gradient at all");
    let size = numbers(loss(&module))[0].abs();
    let value = |at| numbers(loss(&moved(&module, Some(at))))[0];
    let mut largest = 0f64;
    for (path, gradient) in &found {
        for at in [0, gradient.len() / 2, gradient.len() - 1] {
            let across = |by| value((path, at, by)) - value((path, at, -by));
            let difference = (8.0 * across(STEP) - across(2.0 * STEP)) / (12.0 * STEP);
            let error = (gradient[at] - difference).abs();
            assert!(
                error < 1e-8 * (size + difference.abs()),
                "{what}, {path}[{at}]: {} by autodiff, {difference} by a difference, loss {size}",
                gradient[at]
            );
            largest = largest.max(difference.abs());
        }
    }
    assert!(largest > 0.01 * size, "{what}: gradients as good as zero");
}

fn rules() -> [RuleSet; 2] {
    let other = RuleSet::of(Pointwise::Taylor).with(Entry::new(Normalisation::StdOnly));
    [RuleSet::default(), other]
}

#[test]
fn gradients_of_a_classifier_equal_finite_differences() {
    let module = Classifier::new(&device());
    let traced = trace_classifier(&module);
    let freeze = |module: &Classifier| {
        let bound = traced.bind(module).expect("binds");
        bound
            .freeze(x0(&CLASSIFIER), RuleSet::default())
            .expect("freezes")
    };
    gradients_are_right("y0", &module, |m| {
        mixed(freeze(m).reference::<2>().unwrap())
    });
    gradients_are_right("r", &module, |m| mixed(freeze(m).residual::<2>().unwrap()));
    gradients_are_right("columns", &module, |m| {
        let columns = freeze(m).columns::<3>(&[&[0, 1, 2], &[1, 5, 5]]);
        mixed(columns.unwrap())
    });
    gradients_are_right("F x1 + r", &module, |m| {
        let probes = on::<5>(pseudo_input(&[2, 2, 2, 6, 6], 1.0, 90), &Device::flex());
        mixed(freeze(m).affine::<5, 3>(probes).unwrap())
    });
}

#[test]
fn gradients_of_a_filter_equal_finite_differences_under_either_rule() {
    let module = Filter::new(&device());
    let traced = trace_filter(&module);
    for rules in rules() {
        let freeze = |module: &Filter| {
            let bound = traced.bind(module).expect("binds");
            bound.freeze(x0(&FILTER), rules.clone()).expect("freezes")
        };
        gradients_are_right("y0", &module, |m| {
            mixed(freeze(m).reference::<4>().unwrap())
        });
        gradients_are_right("r", &module, |m| mixed(freeze(m).residual::<4>().unwrap()));
        gradients_are_right("columns", &module, |m| {
            let columns = freeze(m).columns::<5>(&[&[0, 1, 2], &[0, 4, 5]]);
            mixed(columns.unwrap())
        });
        gradients_are_right("rows", &module, |m| {
            let rows = freeze(m).rows::<5>(&[&[0, 1, 2], &[1, 4, 5]]);
            mixed(rows.unwrap())
        });
    }
}

/// The paper's mode gives the same gradients as the recorded one.
#[test]
fn paired_gradients_equal_recorded_ones() {
    let module = moved(&Filter::new(&device()), None);
    let step = trace_filter(&module)
        .bind(&module)
        .expect("binds")
        .freeze(x0(&FILTER), RuleSet::default())
        .expect("freezes");
    let probes = on::<5>(pseudo_input(&[2, 2, 1, 5, 6], 1.0, 90), &Device::flex());
    let recorded = mixed(step.affine::<5, 5>(probes.clone()).expect("replays"));
    let (_, paired) = Paired::beside(
        step.loaded(),
        vec![x0(&FILTER).autodiff().into_dispatch()],
        vec![probes.into_dispatch()],
        RuleSet::default(),
        true,
    )
    .expect("runs");
    let paired = mixed(Tensor::<5>::from_dispatch(paired[0].clone()));
    let (recorded, paired) = (gradients(&module, recorded), gradients(&module, paired));
    assert_eq!(recorded.len(), 8);
    for (path, gradient) in &recorded {
        assert!(relative(&paired[path], gradient) < 1e-12, "{path}");
    }
}

/// Instance norm has no training form, so the module's own backward is comparable.
#[test]
fn gradients_of_y0_equal_burns_own() {
    let module = moved(&Filter::new(&device()), None);
    let step = trace_filter(&module)
        .bind(&module)
        .expect("binds")
        .freeze(x0(&FILTER), RuleSet::default())
        .expect("freezes");
    let y0 = step.reference::<4>().expect("a picture");
    let own = module.forward(x0(&FILTER));
    assert_eq!(numbers(y0.clone()), numbers(own.clone()));
    let found = gradients(&module, mixed(y0));
    let own = gradients(&module, mixed(own));
    assert_eq!(found.len(), own.len());
    for (path, gradient) in &own {
        assert!(relative(&found[path], gradient) < 1e-12, "{path}");
    }
}

/// y₀ and r after a step of the optimiser, and after a forward that moved running statistics, are
/// those of a fresh capture.
#[test]
fn parameters_stay_live() {
    // `train`, since `moved` leaves a module as `valid` does.
    let module = moved(&Classifier::new(&device()), None).train();
    let traced = trace_classifier(&module);
    let results = |traced: &Traced, module: &Classifier| {
        let step = traced
            .bind(module)
            .expect("binds")
            .freeze(x0(&CLASSIFIER), RuleSet::default())
            .expect("freezes");
        let (y0, r) = (
            step.reference::<2>().unwrap(),
            step.residual::<2>().unwrap(),
        );
        (y0, r)
    };
    let (y0, r) = results(&traced, &module);
    let before = [numbers(y0.clone()), numbers(r.clone())];
    let loss = mixed(y0) + mixed(r);
    let gradients = GradientsParams::from_grads(loss.backward(), &module);
    let module = SgdConfig::new().init().step(0.01, module, gradients);

    let (y0, r) = results(&traced, &module);
    let stepped = [numbers(y0), numbers(r)];
    let (y0, r) = results(&trace_classifier(&module), &module);
    assert_eq!(stepped, [numbers(y0), numbers(r)]);
    assert!(relative(&stepped[0], &before[0]) > 1e-3, "y0 did not move");
    assert!(relative(&stepped[1], &before[1]) > 1e-3, "r did not move");

    let running = |path: &&str| path.starts_with("norm.running");
    assert_eq!(traced.parameters().filter(running).count(), 2);
    // A training forward: on an autodiff device batch norm updates its statistics.
    let input = on::<4>(pseudo_input(&CLASSIFIER, 1.0, 3), &device());
    module.forward(input);
    let (y0, _) = results(&traced, &module);
    let (fresh, _) = results(&trace_classifier(&module), &module);
    assert_eq!(numbers(y0.clone()), numbers(fresh));
    assert!(relative(&numbers(y0), &stepped[0]) > 1e-4, "not updated");
}

#[test]
fn rows_through_average_pools_are_refused_by_name_where_gradients_are_wanted() {
    let module = moved(&Classifier::new(&device()), None);
    let traced = trace_classifier(&module);
    let step = |bound: linearscope::training::Bound| {
        bound
            .freeze(x0(&CLASSIFIER), RuleSet::default())
            .expect("freezes")
    };
    let error = step(traced.bind(&module).unwrap())
        .rows::<5>(&[&[1]])
        .expect_err("no gradient");
    assert!(matches!(&error, Error::NoGradient { place, .. } if place.op.contains("avg_pool")));
    assert!(error.to_string().contains("bind module.valid()"), "{error}");

    // The advice works, and the numbers are those of the transposed columns.
    let plain = step(traced.bind(&module.valid()).expect("binds"));
    let row = numbers(plain.rows::<5>(&[&[1]]).expect("no tape"));
    let column = numbers(plain.columns::<3>(&[&[1, 2, 3]]).expect("a column"));
    // Picture 1, channel 1, (2, 3) of the row; picture 1, score 1 of the column.
    let at = 72 + 36 + 2 * 6 + 3;
    assert!((row[at] - column[3 + 1]).abs() < 1e-12);
    assert!(row[at].abs() > 1e-6);
}

#[test]
fn what_training_leaves_out_is_said() {
    let traced = trace_classifier(&Classifier::new(&device()));
    let [norm, dropout] = traced.notices() else {
        panic!("{:?}", traced.notices());
    };
    assert!(norm.starts_with("batch norm (norm) is in inference form"));
    assert_eq!(dropout, "dropout (dropout) is absent");
    assert!(trace_filter(&Filter::new(&device())).notices().is_empty());
}

#[test]
fn a_module_that_does_not_fit_is_an_error() {
    let traced = trace_filter(&Filter::new(&device()));
    let error = traced
        .bind(&Classifier::new(&device()))
        .expect_err("another module")
        .to_string();
    assert!(error.contains("parameter \""), "{error}");

    let mut other = Filter::new(&device());
    other.last = Conv2dConfig::new([3, 4], [3, 3]).init(&device());
    let error = traced.bind(&other).expect_err("a shape").to_string();
    assert!(
        error.contains("[4, 3, 3, 3]") || error.contains("[4]"),
        "{error}"
    );

    let mut mixed_dtypes = moved(&Filter::new(&device()), None);
    mixed_dtypes.last = Filter::new(&device()).last;
    let error = traced.bind(&mixed_dtypes).expect_err("dtypes").to_string();
    assert!(error.contains("F32") && error.contains("F64"), "{error}");

    let module = Filter::new(&device());
    let bound = traced.bind(&module).expect("binds");
    let error = bound.freeze(x0(&FILTER), RuleSet::default());
    let error = error.expect_err("f64 for f32").to_string();
    assert!(error.contains("F64"), "{error}");

    let bound = traced.bind(&moved(&module, None)).expect("binds");
    let error = bound.freeze(x0(&[1, 1, 5, 6]), RuleSet::default());
    assert!(matches!(error.expect_err("a shape"), Error::Shape { .. }));
    let step = bound.freeze(x0(&FILTER), RuleSet::default()).expect("fits");
    assert!(matches!(
        step.reference::<2>().expect_err("a rank"),
        Error::Shape { .. }
    ));
    assert!(matches!(
        step.columns::<5>(&[&[0, 9, 0]]).expect_err("outside"),
        Error::OutOfRange { .. }
    ));
}

/// Units at exactly 0, where the secant is a limit: gradients are finite.
#[test]
fn gradients_at_zero_are_finite() {
    let module = moved(&Filter::new(&device()), None);
    let traced = trace_filter(&module);
    let bound = traced.bind(&module).expect("binds");
    for rules in rules() {
        let zero = on::<4>(TensorData::zeros::<f64, _>(FILTER), &Device::flex());
        let step = bound.freeze(zero, rules).expect("freezes");
        let columns = step.columns::<5>(&[&[0, 1, 2]]).expect("a column");
        let loss = mixed(columns) + mixed(step.residual::<4>().expect("r"));
        for (path, gradient) in gradients(&module, loss) {
            assert!(gradient.iter().all(|v| v.is_finite()), "{path}");
        }
    }
}

/// On a device with a tape slopes are no bits on the host; they are slopes all the same.
#[test]
fn deconvolution_is_the_same_with_a_tape() {
    let module = moved(&Filter::new(&device()), None);
    let traced = trace_filter(&module);
    let found = |bound: linearscope::training::Bound| {
        let step = bound
            .freeze(x0(&FILTER), RuleSet::default())
            .expect("freezes");
        let shape = step.reference::<4>().expect("a picture").dims();
        let y = pseudo_input(&[&[1], &shape[..]].concat(), 1.0, 17).convert_dtype(DType::F64);
        let y = || Dispatch::float_from_data(y.clone(), step.loaded().device());
        let recorded = step.recorded();
        [
            recorded.clipped_between(y(), None, None, Clip::Deconvolution),
            recorded.adjoint_between(y(), None, None),
        ]
        .map(|x| numbers(Tensor::<5>::from_dispatch(x.expect("sweeps"))))
    };
    let [plain, adjoint] = found(traced.bind(&module.valid()).expect("binds"));
    let [taped, taped_adjoint] = found(traced.bind(&module).expect("binds"));
    assert!(relative(&taped, &plain) < 1e-12);
    assert!(relative(&taped_adjoint, &adjoint) < 1e-12);
    assert!(relative(&plain, &adjoint) > 1e-3, "it is no adjoint");
}
