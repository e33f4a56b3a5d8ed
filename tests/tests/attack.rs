//! Attacks: true gradients, the ball, flipped decisions, what changed.

use std::sync::Arc;

use burn::{
    module::Module,
    nn::{
        Linear, LinearConfig,
        conv::{Conv2d, Conv2dConfig},
        pool::MaxPool2dConfig,
    },
    tensor::{DType, Device, FloatDType, Tensor, TensorData, activation},
};
use burn_backend::{Shape, TensorMetadata, ops::FloatTensorOps};
use burn_dispatch::Dispatch;
use linearscope::{Error, Loaded, Network, RuleSet};
use linearscope_analysis::{
    FrozenNetwork,
    attack::{AttackConfig, Attacked, Ball, Goal, Loss, attack, gradient},
    comparison::{Comparison, ComparisonConfig, aggregate, compare},
    difference::{DifferenceConfig, difference, flips},
    progress::unobserved,
    projection,
    vectors::read,
};
use linearscope_tests::*;

/// Two convolutions, a pool, a dense layer; ReLU or something smooth between.
#[derive(Module, Debug)]
struct Small {
    first: Conv2d,
    second: Conv2d,
    last: Linear,
}

const SHAPE: [usize; 4] = [1, 2, 8, 8];

fn small() -> Small {
    let device = Device::flex();
    seeded(&device, 21, || Small {
        first: Conv2dConfig::new([2, 5], [3, 3]).init(&device),
        second: Conv2dConfig::new([5, 4], [2, 2]).init(&device),
        last: LinearConfig::new(16, 6).init(&device),
    })
}

fn captured(model: &Small, unit: impl Fn(Tensor<4>) -> Tensor<4>) -> Network {
    Network::capture(model, |model, ports| {
        let x = ports.input::<4>("x", SHAPE);
        let x = unit(model.first.forward(x));
        let x = MaxPool2dConfig::new([2, 2])
            .with_strides([2, 2])
            .init()
            .forward(x);
        let x = unit(model.second.forward(x)).reshape([1, 16]);
        ports.output("scores", model.last.forward(x));
    })
    .expect("captures")
}

fn relu(x: Tensor<4>) -> Tensor<4> {
    activation::relu(x)
}

/// No two of its rules agree with each other but at the tangent.
fn smooth(x: Tensor<4>) -> Tensor<4> {
    x.clone().tanh() * activation::sigmoid(x.clone()) + activation::gelu(x)
}

fn x0() -> TensorData {
    let values = noise().into_iter().map(|v| 1.4 * v);
    TensorData::new(values.collect::<Vec<f64>>(), SHAPE)
}

fn noise() -> Vec<f64> {
    linearscope_analysis::noise(128, 77)
}

fn loaded(network: Network) -> Arc<Loaded<Dispatch>> {
    FrozenNetwork::load(network, &Device::flex(), FloatDType::F64).expect("loads")
}

fn frozen(network: Network, x: TensorData) -> FrozenNetwork {
    FrozenNetwork::new(loaded(network), x, RuleSet::default()).expect("freezes")
}

fn numbers(data: &TensorData) -> Vec<f64> {
    data.iter::<f64>().collect()
}

/// The loss from plain forwards, written down once more.
fn plain_loss(loaded: &Loaded<Dispatch>, x: Vec<f64>, loss: Loss, class: usize) -> f64 {
    let y = FrozenNetwork::forward(loaded, TensorData::new(x, SHAPE)).expect("runs");
    let y = numbers(&y);
    match loss {
        Loss::Score => -y[class],
        Loss::CrossEntropy => y.iter().map(|v| v.exp()).sum::<f64>().ln() - y[class],
    }
}

/// The gradient of the loss by Burn's autodiff, through the plain network.
fn by_autodiff(network: Network, x: &TensorData, loss: Loss, class: usize) -> Vec<f64> {
    let device = Device::flex().autodiff();
    let loaded: Loaded<Dispatch> =
        Loaded::new(Arc::new(network), device.as_dispatch().clone(), DType::F64).expect("loads");
    let x = Tensor::<4>::from_data(x.clone(), (&device, DType::F64)).require_grad();
    let y = loaded
        .forward(vec![x.clone().into_dispatch()])
        .expect("runs")
        .remove(0);
    let count = y.shape().num_elements();
    let y = Tensor::<1>::from_dispatch(Dispatch::float_reshape(y, Shape::from(vec![count])));
    let y = match loss {
        Loss::Score => y,
        Loss::CrossEntropy => activation::log_softmax(y, 0),
    };
    let gradients = y.slice(class..class + 1).neg().backward();
    let gradient = x.grad(&gradients).expect("reaches the input");
    gradient.into_data().iter::<f64>().collect()
}

#[test]
fn gradients_are_true() {
    let model = small();
    type Unit = fn(Tensor<4>) -> Tensor<4>;
    let units: [(&str, Unit); 2] = [("relu", relu), ("smooth", smooth)];
    for (name, unit) in units {
        let loaded = loaded(captured(&model, unit));
        for (loss, class) in [(Loss::CrossEntropy, 2), (Loss::Score, 5)] {
            let found = gradient(&loaded, x0(), &RuleSet::default(), 1 << 30, loss, class)
                .expect("a gradient");
            assert!((found.loss - plain_loss(&loaded, numbers(&x0()), loss, class)).abs() < 1e-12);
            let taped = by_autodiff(captured(&model, unit), &x0(), loss, class);
            let error = relative(&found.slope, &taped);
            assert!(
                error < 1e-13,
                "{name}, {loss:?}: autodiff differs by {error:e}"
            );
            let differences: Vec<f64> = (0..128)
                .map(|i| {
                    let at = |step: f64| {
                        let mut x = numbers(&x0());
                        x[i] += step;
                        plain_loss(&loaded, x, loss, class)
                    };
                    (at(1e-6) - at(-1e-6)) / 2e-6
                })
                .collect();
            let error = relative(&found.slope, &differences);
            assert!(
                error < 1e-7,
                "{name}, {loss:?}: differences differ by {error:e}"
            );
        }
    }
    // The default F of a smooth network is another matrix: an attack by it would not be one.
    let f = frozen(captured(&model, smooth), x0());
    let row = read(projection::rows(&f, &[5]).unwrap()).unwrap();
    let loaded = loaded(captured(&model, smooth));
    let true_one = gradient(&loaded, x0(), &RuleSet::default(), 1 << 30, Loss::Score, 5).unwrap();
    let negated: Vec<f64> = row.iter().map(|v| -v).collect();
    assert!(relative(&negated, &true_one.slope) > 1e-2);
}

fn inside(found: &Attacked, x0: &[f64], ball: &Ball) {
    for (i, x) in found.x.iter().enumerate() {
        assert!(
            (x - x0[i]).abs() <= ball.radius[i] * (1.0 + 1e-12),
            "entry {i}"
        );
        assert!(
            *x >= ball.low[i].min(x0[i]) && *x <= ball.high[i].max(x0[i]),
            "entry {i}"
        );
        assert_eq!(found.perturbation[i], x - x0[i]);
    }
}

#[test]
fn attacks_stay_in_the_ball_and_move_the_loss() {
    let f = frozen(captured(&small(), relu), x0());
    let scores = read(f.reference()).unwrap();
    let best = (0..6)
        .max_by(|a, b| scores[*a].total_cmp(&scores[*b]))
        .unwrap();
    let other = (best + 2) % 6;
    let at = numbers(&x0());
    let mut ball = Ball::of(0.05, 128).within(-1.2, 1.2);
    ball.radius[7] = 0.0;
    let losses = |found: &Attacked| found.steps.iter().map(|s| s.loss).collect::<Vec<_>>();
    for loss in [Loss::CrossEntropy, Loss::Score] {
        for steps in [1, 8] {
            for seed in [None, Some(4)] {
                for goal in [Goal::From(best), Goal::To(other)] {
                    let config = AttackConfig::pgd(goal, steps)
                        .with_loss(loss)
                        .with_seed(seed);
                    let found = attack(&f, &ball, &config, unobserved).expect("an attack");
                    inside(&found, &at, &ball);
                    let losses = losses(&found);
                    assert_eq!(losses.len(), steps + 1);
                    let (first, last) = (losses[0], losses[steps]);
                    let raised = last > first;
                    assert_eq!(
                        raised,
                        matches!(goal, Goal::From(_)),
                        "{config:?}: {losses:?}"
                    );
                    let again = attack(&f, &ball, &config, unobserved).expect("an attack");
                    assert_eq!(again, found);
                }
            }
        }
    }
    // FGSM is x₀ + ε sign g, clipped.
    let config = AttackConfig::fgsm(Goal::From(best));
    let found = attack(&f, &ball, &config, unobserved).unwrap();
    let slope = gradient(
        f.frozen().loaded(),
        x0(),
        &RuleSet::default(),
        1 << 30,
        Loss::CrossEntropy,
        best,
    )
    .unwrap()
    .slope;
    for i in 0..128 {
        let direction = if slope[i] == 0.0 {
            0.0
        } else {
            slope[i].signum()
        };
        let (low, high) = (at[i].min(-1.2), at[i].max(1.2));
        let expected = (at[i] + ball.radius[i] * direction).clamp(low, high);
        assert!((found.x[i] - expected).abs() < 1e-15, "entry {i}");
    }
    // What makes no sense is refused, by name.
    for (ball, config, word) in [
        (Ball::of(0.1, 127), config, "127"),
        (Ball::of(f64::NAN, 128), config, "NaN"),
        (Ball::of(0.1, 128), config.with_steps(0), "step"),
        (Ball::of(0.1, 128), AttackConfig::fgsm(Goal::To(6)), "class"),
    ] {
        let error = attack(&f, &ball, &config, unobserved)
            .expect_err(word)
            .to_string();
        assert!(error.contains(word), "{error}");
    }
}

/// Means over a set are those of its pictures.
#[test]
fn comparisons_over_a_set() {
    let model = small();
    let at = |scale: f64| {
        let x: Vec<f64> = numbers(&x0()).iter().map(|x| scale * x).collect();
        frozen(captured(&model, relu), TensorData::new(x, SHAPE))
    };
    let pairs = [(at(1.0), at(-1.0)), (at(0.7), at(0.9)), (at(1.0), at(1.0))];
    let config = ComparisonConfig::default().with_difference(norms(6, 0));
    let set: Vec<_> = pairs
        .iter()
        .map(|(f, g)| compare(f, g, &config, unobserved).expect("a comparison"))
        .collect();
    let same = &set[2];
    assert!(!same.changed() && same.moved() == Some(0.0) && same.difference.flipped_share == 0.0);
    assert_eq!(same.before, same.after);
    for (one, (f, g)) in set.iter().zip(&pairs) {
        let (a, b) = (read(f.reference()).unwrap(), read(g.reference()).unwrap());
        let best = |y: &[f64]| (0..6).max_by(|i, j| y[*i].total_cmp(&y[*j])).unwrap();
        assert_eq!((one.class, one.class_after), (best(&a), best(&b)));
        assert_eq!(
            (one.before.score, one.after.score),
            (a[best(&a)], b[best(&a)])
        );
        let voted = |votes: &[i32]| votes.iter().filter(|v| **v == one.class as i32).count();
        let votes = one.votes.as_ref().expect("votes");
        let pixels = votes[0].of.len() as f64;
        let share = one.share().expect("votes")[1];
        assert_eq!(share, voted(&votes[1].of) as f64 / pixels);
    }
    let all = aggregate(&set).expect("a set");
    let mean = |number: &dyn Fn(&Comparison) -> f64| set.iter().map(number).sum::<f64>() / 3.0;
    assert_eq!(all.pictures, 3);
    assert_eq!(all.changed, set.iter().filter(|one| one.changed()).count());
    let moved = mean(&|one| one.moved().expect("votes"));
    assert!((all.moved.expect("votes").mean - moved).abs() < 1e-15);
    assert!((all.flipped_share.mean - mean(&|one| one.difference.flipped_share)).abs() < 1e-15);
    assert!((all.flips[0].share.mean - mean(&|one| one.difference.flips[0].share)).abs() < 1e-15);
    assert!((all.f_change.mean - mean(&|one| one.difference.f_change())).abs() < 1e-15);
    assert!((all.before.score.mean - mean(&|one| one.before.score)).abs() < 1e-12);
    assert!(aggregate(&[]).is_err());
}

/// Masks and winners by plain tensors, against the bits that programs keep.
#[test]
fn flips_are_those_of_the_masks() {
    let model = small();
    let other = TensorData::new(
        numbers(&x0())
            .iter()
            .zip(linearscope_analysis::noise(128, 5))
            .map(|(x, d)| x + 0.6 * d)
            .collect::<Vec<_>>(),
        SHAPE,
    );
    let (f, g) = (
        frozen(captured(&model, relu), x0()),
        frozen(captured(&model, relu), other.clone()),
    );
    // The weights are f32; so are these forwards, and no unit is that close to its kink.
    let decided = |x: &TensorData| {
        let x = x.clone().convert_dtype(DType::F32);
        let device = Device::flex();
        let a = model.first.forward(Tensor::<4>::from_data(x, &device));
        let masks = |t: &Tensor<4>| -> Vec<bool> {
            t.clone()
                .into_data()
                .iter::<f32>()
                .map(|v| v > 0.0)
                .collect()
        };
        let first = masks(&a);
        let a: Vec<f32> = relu(a).into_data().iter::<f32>().collect();
        // The first largest of every 2×2.
        let mut winners = Vec::new();
        let mut pooled = Vec::new();
        for c in 0..5 {
            for y in 0..3 {
                for x in 0..3 {
                    let cells = [(0, 0), (0, 1), (1, 0), (1, 1)];
                    let at = |(dy, dx): (usize, usize)| (c * 6 + 2 * y + dy) * 6 + 2 * x + dx;
                    let mut best = at(cells[0]);
                    for cell in cells {
                        if a[at(cell)] > a[best] {
                            best = at(cell);
                        }
                    }
                    winners.push(best);
                    pooled.push(a[best]);
                }
            }
        }
        let pooled = TensorData::new(pooled, [1, 5, 3, 3]);
        let b = model
            .second
            .forward(Tensor::<4>::from_data(pooled, &device));
        (first, winners, masks(&b))
    };
    fn count<T: PartialEq>(a: &[T], b: &[T]) -> (usize, usize) {
        (a.len(), a.iter().zip(b).filter(|(a, b)| a != b).count())
    }
    let (a, b) = (decided(&x0()), decided(&other));
    let expected = [
        ("slope_mask", count(&a.0, &b.0)),
        ("switches", count(&a.1, &b.1)),
        ("slope_mask", count(&a.2, &b.2)),
    ];
    let found = flips(&f, &g).expect("two programs of one network");
    let found: Vec<_> = found
        .iter()
        .map(|flip| (flip.kind.as_str(), (flip.units, flip.flipped)))
        .collect();
    assert_eq!(found, expected);
    assert!(
        expected.iter().all(|(_, (_, flipped))| *flipped > 0),
        "{expected:?}"
    );
    assert!(flips(&f, &f).unwrap().iter().all(|flip| flip.flipped == 0));
    // Another network is another program.
    let h = frozen(captured(&model, smooth), x0());
    let error = flips(&f, &h).expect_err("they differ");
    assert!(
        matches!(
            error,
            linearscope_analysis::Error::Engine(Error::ProgramsDiffer { .. })
        ),
        "{error}"
    );
}

/// The larger of two tensors is a choice of each entry, counted once; a choice by constants is none.
#[test]
fn flips_of_a_maximum_are_those_of_its_comparison() {
    let model = small();
    let network = || {
        Network::capture(&model, |model, ports| {
            let x = ports.input::<4>("x", SHAPE);
            let x = model.first.forward(x);
            let shifted = x.clone().flip([3]).add_scalar(0.1);
            let x = x.max_pair(shifted);
            let fixed = Tensor::<4>::ones([1, 5, 6, 6], &x.device()).cumsum(3);
            let few = fixed.lower_equal_elem(2.0);
            let x = x.clone().mask_where(few, x.mul_scalar(3.0));
            ports.output("y", x.reshape([1, 180]));
        })
        .expect("captures")
    };
    let other = TensorData::new(
        numbers(&x0()).iter().map(|x| 0.3 - x).collect::<Vec<_>>(),
        SHAPE,
    );
    let (f, g) = (frozen(network(), x0()), frozen(network(), other.clone()));
    let second = |x: &TensorData| -> Vec<bool> {
        let x = x.clone().convert_dtype(DType::F32);
        let x = model
            .first
            .forward(Tensor::<4>::from_data(x, &Device::flex()));
        let shifted = x.clone().flip([3]).add_scalar(0.1);
        let (x, shifted) = (x.into_data(), shifted.into_data());
        let pairs = x.iter::<f32>().zip(shifted.iter::<f32>());
        pairs.map(|(a, b)| a < b).collect()
    };
    let (a, b) = (second(&x0()), second(&other));
    let flipped = a.iter().zip(&b).filter(|(a, b)| a != b).count();
    let found = flips(&f, &g).expect("one network");
    let found: Vec<_> = found
        .iter()
        .map(|flip| (flip.kind.as_str(), flip.units, flip.flipped))
        .collect();
    assert!(flipped > 0 && flipped < 180, "{flipped}");
    assert_eq!(found, [("mask", 180, flipped)]);
}

/// How norms are estimated.
fn norms(probes: usize, seed: u64) -> DifferenceConfig {
    DifferenceConfig::default()
        .with_probes(probes)
        .with_seed(seed)
}

#[test]
fn what_changed_is_what_dense_matrices_say() {
    let model = small();
    let other = TensorData::new(
        numbers(&x0()).iter().map(|x| 0.5 - x).collect::<Vec<_>>(),
        SHAPE,
    );
    let (f, g) = (
        frozen(captured(&model, relu), x0()),
        frozen(captured(&model, relu), other),
    );
    let all: Vec<usize> = (0..6).collect();
    let dense = |f: &FrozenNetwork| read(projection::rows(f, &all).unwrap()).unwrap();
    let (a, b) = (dense(&f), dense(&g));
    let gap: Vec<f64> = a.iter().zip(&b).map(|(a, b)| b - a).collect();
    let found = difference(&f, &g, 3, &norms(100, 0), unobserved).expect("a difference");
    assert_eq!(found.probes, 6);
    for (of, matrix) in [
        (found.f, &a),
        (found.f_after, &b),
        (found.f_difference, &gap),
    ] {
        assert!((of.value - norm(matrix)).abs() < 1e-12 && of.error == 0.0);
    }
    let (row, other) = (&a[3 * 128..4 * 128], &b[3 * 128..4 * 128]);
    assert!((found.row - relative(other, row)).abs() < 1e-12);
    assert!((found.row_cosine - dot(row, other) / norm(row) / norm(other)).abs() < 1e-12);
    let (r, s) = (
        read(f.residual().unwrap()).unwrap(),
        read(g.residual().unwrap()).unwrap(),
    );
    assert_eq!(found.residual, [r[3], s[3]]);
    assert!((found.residual_change - relative(&s, &r)).abs() < 1e-12);
    let (flipped, units) = found
        .flips
        .iter()
        .fold((0, 0), |(a, b), flip| (a + flip.flipped, b + flip.units));
    assert_eq!(found.flipped_share, flipped as f64 / units as f64);
    // Fewer probes estimate, and say how well: over seeds, errors are of the size they claim.
    let mut within = 0;
    for seed in 0..40 {
        let found = difference(&f, &g, 3, &norms(5, seed), unobserved)
            .expect("a difference")
            .f_difference;
        within += usize::from(found.covers(norm(&gap)));
    }
    // 38 of 40 are to be expected.
    assert!(within >= 34, "{within} of 40 intervals cover the norm");
    let same = difference(&f, &f, 3, &norms(4, 0), unobserved).expect("a difference");
    assert_eq!(
        (same.f_difference.value, same.row, same.residual_change),
        (0.0, 0.0, 0.0)
    );
    assert!(
        difference(&f, &g, 6, &norms(4, 0), unobserved).is_err()
            && difference(&f, &g, 0, &norms(0, 0), unobserved).is_err()
    );
}
