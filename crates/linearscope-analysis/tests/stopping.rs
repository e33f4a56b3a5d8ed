//! A stop is answered at once: not one product more, and what was finished comes back.

use std::{cell::Cell, ops::ControlFlow, sync::Arc};

use burn::{
    nn::LinearConfig,
    tensor::{Device, FloatDType, Tensor, TensorData, activation::relu},
};
use burn_dispatch::Dispatch;
use linearscope::{Interrupt, Loaded, Network, RuleSet};
use linearscope_analysis::{
    Dense, Error, FrozenNetwork, LinearOperator, Progress, Result, SplitMix64,
    attack::{AttackConfig, Ball, Goal, attack},
    certificate::certificate,
    comparison::{
        self, Comparison, ComparisonConfig, ComparisonSummary, ComparisonTotals, compare,
    },
    contribution::{ContributionTotals, contributions, contributions_of_all, top1},
    difference::{DifferenceConfig, difference},
    discussion::{Propagation, discussions},
    maps::{Grid, column_maps, energies, row_maps, shift},
    matrix::MatrixPlan,
    operator::{Composed, Field, Scaled, Sum, Transposed},
    progress::unobserved,
    projection::{columns, rows},
    ranking,
    spectrum::{DensityConfig, MomentsConfig, density, moments},
    svd::{Momentum, Solver, Svd, SvdConfig, SvdError, svd},
    validity::{growth, radii},
    vectors::read,
    votes::{ABSTAINS, VoteConfig, Votes, discussed, votes},
};

/// When a stop is raised in a product: while it goes on, so that nothing comes of it, or at its very end.
#[derive(Clone, Copy, Debug)]
enum Raised {
    Within,
    AtTheEnd,
}

/// An operator that counts its products and stops its interrupt in one of them.
struct Counted<F> {
    f: F,
    made: Cell<usize>,
    last: usize,
    raised: Raised,
    interrupt: Interrupt,
}

impl<F: LinearOperator> Counted<F> {
    fn new(f: F, last: usize, raised: Raised) -> Self {
        Self {
            f,
            made: Cell::new(0),
            last,
            raised,
            interrupt: Interrupt::new(),
        }
    }

    fn count(&self, product: Result<Tensor<2>>) -> Result<Tensor<2>> {
        self.made.set(self.made.get() + 1);
        if self.made.get() != self.last {
            return product;
        }
        self.interrupt.stop();
        match self.raised {
            Raised::Within => Err(linearscope::Error::Interrupted.into()),
            Raised::AtTheEnd => product,
        }
    }
}

impl<F: LinearOperator> LinearOperator for Counted<F> {
    fn input_shape(&self) -> &[usize] {
        self.f.input_shape()
    }
    fn output_shape(&self) -> &[usize] {
        self.f.output_shape()
    }
    fn device(&self) -> &Device {
        self.f.device()
    }
    fn dtype(&self) -> FloatDType {
        self.f.dtype()
    }
    fn apply(&self, x: Tensor<2>) -> Result<Tensor<2>> {
        self.count(self.f.apply(x))
    }
    fn apply_adjoint(&self, y: Tensor<2>) -> Result<Tensor<2>> {
        self.count(self.f.apply_adjoint(y))
    }
    fn check_interrupt(&self) -> Result<()> {
        Ok(self.interrupt.check()?)
    }
}

/// Random numbers with a decaying scale of columns.
fn matrix(rows: usize, columns: usize, decay: f64, dtype: FloatDType) -> Dense {
    let mut random = SplitMix64::new(7);
    let values: Vec<f64> = (0..rows * columns)
        .map(|i| random.next_uniform() * decay.powi((i % columns) as i32))
        .collect();
    Dense::new(values, [rows], [columns], &Device::flex(), dtype).expect("numbers of both")
}

fn solvers() -> [Solver; 6] {
    [
        Solver::Lanczos {
            block: 1,
            basis: None,
        },
        Solver::Lanczos {
            block: 1,
            basis: Some(7),
        },
        Solver::Lanczos {
            block: 2,
            basis: Some(9),
        },
        Solver::Subspace { extra: 2 },
        Solver::Power {
            momentum: Momentum::Off,
        },
        Solver::Power {
            momentum: Momentum::Adaptive,
        },
    ]
}

/// max |X Xᵀ − 1|
fn skew(x: &TensorData) -> f64 {
    let k = x.shape()[0];
    let x = Tensor::<2>::from_data(x.clone(), (&Device::flex(), x.dtype()));
    let gram = read(x.clone().matmul(x.transpose())).expect("reads");
    (0..k * k)
        .map(|i| (gram[i] - f64::from(i / k == i % k)).abs())
        .fold(0.0, f64::max)
}

/// Orthonormal vectors, and residuals no larger than what is said of them.
fn assert_honest(f: &Dense, partial: &Svd, what: &str) {
    let near = if f.dtype() == FloatDType::F64 {
        1e-12
    } else {
        1e-5
    };
    assert!(partial.estimated, "{what}");
    assert!(skew(&partial.u) < near && skew(&partial.v) < near, "{what}");
    assert!(
        partial.sigma.windows(2).all(|pair| pair[0] >= pair[1]),
        "{what}"
    );
    let tensor = |x: &TensorData| Tensor::<2>::from_data(x.clone(), (&Device::flex(), x.dtype()));
    let (u, v) = (tensor(&partial.u), tensor(&partial.v));
    let (fv, fu) = (
        f.apply(v.clone()).unwrap(),
        f.apply_adjoint(u.clone()).unwrap(),
    );
    let off = |made: Tensor<2>, of: Tensor<2>, row: usize| -> f64 {
        let rest = made.narrow(0, row, 1) - of.narrow(0, row, 1) * partial.sigma[row];
        let squares: f64 = read(rest).unwrap().iter().map(|x| x * x).sum();
        squares.sqrt() / partial.sigma[0]
    };
    for (row, residual) in partial.residuals.iter().enumerate() {
        let (right, left) = (
            off(fv.clone(), u.clone(), row),
            off(fu.clone(), v.clone(), row),
        );
        assert!(
            right <= residual.right,
            "{what}: {row}: {right:e} {residual:?}"
        );
        assert!(
            left <= residual.left,
            "{what}: {row}: {left:e} {residual:?}"
        );
    }
}

/// The partial triplets of a stop, which is no other error; none before the first step.
fn stopped(found: std::result::Result<Svd, SvdError>, what: &str) -> Option<Svd> {
    let error = found.expect_err(what);
    assert!(error.is_stopped(), "{what}: {error}");
    if let SvdError::Unconverged { converged, .. } = &error {
        let good = |svd: &Svd| svd.residuals.iter().filter(|r| r.worst() <= 1e-6).count();
        assert_eq!(error.partial().map(good), Some(*converged), "{what}");
        assert!(error.to_string().contains("estimated"), "{error}");
    }
    error.partial().cloned()
}

/// Wherever in a decomposition the stop comes, in its products, restarts, confirmation or measuring.
#[test]
fn a_decomposition_makes_no_product_more() {
    let mut partials = 0;
    for dtype in [FloatDType::F32, FloatDType::F64] {
        for solver in solvers() {
            let config = SvdConfig::new(3).with_tolerance(1e-6).with_solver(solver);
            let f = matrix(40, 30, 0.8, dtype);
            let whole = Counted::new(f.clone(), 0, Raised::Within);
            svd(&whole, &config, unobserved).expect("it converges");
            let all = whole.made.get();
            assert!(all > 10, "{solver:?}");
            // All near both ends, some between.
            let at = (1..=all).filter(|n| *n < 40 || *n + 8 > all || n % 7 == 0);
            for last in at {
                for raised in [Raised::Within, Raised::AtTheEnd] {
                    let what = format!("{solver:?} {dtype:?}: {last} of {all} {raised:?}");
                    let counted = Counted::new(f.clone(), last, raised);
                    let found = svd(&counted, &config, unobserved);
                    assert_eq!(counted.made.get(), last, "{what}");
                    if matches!(raised, Raised::AtTheEnd) && last == all {
                        assert!(found.is_ok(), "{what}: nothing was left to stop");
                        continue;
                    }
                    if let Some(partial) = stopped(found, &what) {
                        assert_honest(&f, &partial, &what);
                        assert_eq!(partial.residuals.len(), partial.sigma.len());
                        partials += 1;
                    } else {
                        assert!(last <= 4, "{what}: nothing came of it");
                    }
                }
            }
        }
    }
    assert!(partials > 300, "{partials}");
}

/// The observer's word, and an interrupt that another thread stops while the observer looks.
#[test]
fn a_decomposition_is_stopped_by_its_observer() {
    for solver in solvers() {
        let f = matrix(40, 30, 0.8, FloatDType::F64);
        let config = SvdConfig::new(3).with_tolerance(1e-6).with_solver(solver);
        let mut steps = 0;
        svd(&f, &config, |_| {
            steps += 1;
            ControlFlow::Continue(())
        })
        .expect("it converges");
        for at in 1..=steps {
            for word in [true, false] {
                let what = format!("{solver:?}: {at} of {steps}, {word}");
                let counted = Counted::new(f.clone(), 0, Raised::Within);
                let (mut told, mut products) = (0, 0);
                let found = svd(&counted, &config, |_| {
                    told += 1;
                    products = counted.made.get();
                    if told < at {
                        return ControlFlow::Continue(());
                    }
                    if word {
                        return ControlFlow::Break(());
                    }
                    let interrupt = counted.interrupt.clone();
                    let other = std::thread::spawn(move || interrupt.stop());
                    other.join().expect("it only stops");
                    ControlFlow::Continue(())
                });
                assert_eq!(counted.made.get(), products, "{what}");
                // An interrupt is looked at before the next product, of which the observer may be told.
                assert!(
                    told == at || (!word && told == at + 1),
                    "{what}: told {told} times"
                );
                let partial = stopped(found, &what).expect("after a step there is something");
                assert_honest(&f, &partial, &what);
            }
        }
    }
}

/// The same data, to the last digit that a JSON file keeps.
fn assert_same<T: serde::Serialize>(found: &T, expected: &T) {
    fn same(a: &serde_json::Value, b: &serde_json::Value) -> bool {
        use serde_json::Value::{Array, Number, Object};
        match (a, b) {
            (Array(a), Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
            (Object(a), Object(b)) => {
                a.len() == b.len()
                    && a.iter()
                        .all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
            }
            (Number(a), Number(b)) => {
                let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
                (a - b).abs() <= 4.0 * f64::EPSILON * b.abs()
            }
            _ => a == b,
        }
    }
    let [found, expected] = [found, expected].map(|x| serde_json::to_value(x).expect("plain data"));
    assert!(same(&found, &expected), "{found} and {expected}");
}

#[test]
fn estimates_are_said_to_be_estimates() {
    let f = matrix(20, 20, 0.9, FloatDType::F64);
    let whole = svd(&f, &SvdConfig::new(2), unobserved).expect("it converges");
    let text = serde_json::to_string(&whole).expect("plain data");
    assert!(!text.contains("estimated"), "{text}");
    let found = svd(&f, &SvdConfig::new(2), |_| ControlFlow::Break(()));
    let partial = stopped(found, "one step").expect("a step");
    let text = serde_json::to_string(&partial).expect("plain data");
    let back: Svd = serde_json::from_str(&text).expect("plain data");
    assert!(text.contains("\"estimated\":true") && back.estimated);
    assert_same(&back, &partial);
}

/// Operators made of others are stopped with any of them.
#[test]
fn made_operators_ask_all_they_are_made_of() {
    let counted = || Counted::new(matrix(6, 6, 1.0, FloatDType::F64), 1, Raised::Within);
    let (stopped, free) = (counted(), counted());
    stopped.interrupt.stop();
    let scaled = Scaled {
        operator: &stopped,
        by: 2.0,
    };
    let made: [Box<dyn LinearOperator + '_>; 6] = [
        Box::new(&stopped),
        Box::new(Transposed(&stopped)),
        Box::new(scaled),
        Box::new(Sum::new(&free, &stopped).unwrap()),
        Box::new(Composed::new(&stopped, &free).unwrap()),
        Box::new(linearscope_analysis::operator::ByProducts(&stopped)),
    ];
    for f in made {
        assert!(f.check_interrupt().is_err_and(|error| error.is_stopped()));
        let found = f.fields(Field::Row, &[vec![0]], &mut unobserved);
        assert!(found.is_err_and(|error| error.is_stopped()));
    }
    assert_eq!((stopped.made.get(), free.made.get()), (0, 0));
    let error = Error::Operator(Box::new(linearscope::Error::Interrupted));
    assert!(error.is_stopped());
    assert!(Error::Operator(Box::new(error)).is_stopped());
    assert!(!Error::Operator("another".into()).is_stopped());
    assert!(!Error::Empty { what: "it" }.is_stopped());
}

#[test]
fn spectra_are_those_of_the_finished_probes() {
    let f = || matrix(30, 20, 0.9, FloatDType::F64);
    let few = MomentsConfig::default().with_probes(8);
    let many = few.with_probes(24);
    for (last, finished) in [(1, 0), (2, 0), (3, 8), (4, 8), (5, 16)] {
        let counted = Counted::new(f(), last, Raised::Within);
        let found = moments(&counted, &many, unobserved);
        assert_eq!(counted.made.get(), last);
        if finished == 0 {
            assert!(found.is_err_and(|error| error.is_stopped()));
            continue;
        }
        let found = found.expect("a batch is finished");
        let expected = moments(&f(), &few.with_probes(finished), unobserved).unwrap();
        assert!(found.is_partial() && !expected.is_partial());
        assert_eq!(
            (found.probes, found.frobenius),
            (finished, expected.frobenius)
        );
        assert_eq!(found.effective_rank, expected.effective_rank);
    }
    let few = DensityConfig::default().with_probes(8).with_steps(5);
    let many = few.with_probes(16);
    for (last, finished) in [(1, 0), (10, 0), (11, 8), (19, 8)] {
        let counted = Counted::new(f(), last, Raised::Within);
        let found = density(&counted, &many, unobserved);
        assert_eq!(counted.made.get(), last);
        if finished == 0 {
            assert!(found.is_err_and(|error| error.is_stopped()));
            continue;
        }
        let found = found.expect("a batch is finished");
        let expected = density(&f(), &few, unobserved).unwrap();
        assert_eq!((found.finished, expected.finished), (Some(finished), None));
        assert_eq!(
            (found.sigma, found.density),
            (expected.sigma, expected.density)
        );
    }
    // The observer's word is the same.
    let found = moments(&f(), &many_moments(), |progress| match progress.done {
        0 => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    });
    assert!(found.expect("a batch").is_partial());
}

fn many_moments() -> MomentsConfig {
    MomentsConfig::default().with_probes(24)
}

/// y = 2 x on pictures that are read in several parts.
struct Twice([usize; 4], Device);

impl LinearOperator for Twice {
    fn input_shape(&self) -> &[usize] {
        &self.0
    }
    fn output_shape(&self) -> &[usize] {
        &self.0
    }
    fn device(&self) -> &Device {
        &self.1
    }
    fn dtype(&self) -> FloatDType {
        FloatDType::F32
    }
    fn apply(&self, x: Tensor<2>) -> Result<Tensor<2>> {
        Ok(x * 2.0)
    }
    fn apply_adjoint(&self, y: Tensor<2>) -> Result<Tensor<2>> {
        Ok(y * 2.0)
    }
}

#[test]
fn maps_are_those_of_the_places_that_were_read() {
    const SIZE: usize = 40;
    let f = || Twice([1, 3, SIZE, SIZE], Device::flex());
    let grid = Grid::every(1, [SIZE, SIZE]);
    // 1600 places of 3 rows, 8 at a time, in two parts.
    let (half, whole) = (800, 1600);
    for raised in [Raised::Within, Raised::AtTheEnd] {
        let early = Counted::new(f(), 20, raised);
        assert!(row_maps(&early, &grid, 1.0, unobserved).is_err_and(|e| e.is_stopped()));
        assert!(column_maps(&early, &grid, 9.0, 4, unobserved).is_err_and(|e| e.is_stopped()));
        assert_eq!(early.made.get(), 20);

        let rows = Counted::new(f(), 310, raised);
        let found = row_maps(&rows, &grid, 1.0, unobserved).expect("the first part");
        assert_eq!((rows.made.get(), found.finished), (310, Some(half)));
        let read = |energy: &[f64]| energy.iter().filter(|e| **e == 12.0).count();
        let none = |energy: &[f64]| energy.iter().filter(|e| e.is_nan()).count();
        assert_eq!(
            (read(&found.energy), none(&found.energy)),
            (half, whole - half)
        );
        assert_eq!(none(&found.off_diagonal), whole - half);
        assert_eq!(found.feeds.share, 0.0);

        let columns = Counted::new(f(), 310, raised);
        let found = column_maps(&columns, &grid, 9.0, 4, unobserved).expect("the first part");
        assert_eq!((columns.made.get(), found.finished), (310, Some(half)));
        assert_eq!(
            (read(&found.energy), none(&found.area)),
            (half, whole - half)
        );

        let places: Vec<[usize; 2]> = grid.places().collect();
        let all = Counted::new(f(), 310, raised);
        assert!(energies(&all, Field::Row, &places, unobserved).is_err_and(|e| e.is_stopped()));
        assert_eq!(all.made.get(), 310);

        let pairs = Counted::new(f(), 500, raised);
        let found = shift::variance(&pairs, &grid, 1, unobserved).expect("some parts");
        assert_eq!(pairs.made.get(), 500);
        let finished = found.finished.expect("stopped");
        assert!(finished > 0 && finished < whole, "{finished}");
        assert_eq!(found.whole, 0.0, "a convolution");
        // The last place has no neighbour below or beside.
        assert!((finished - 1..=finished).contains(&(whole - none(&found.values))));
    }
    let found = row_maps(&f(), &grid, 1.0, unobserved).expect("nobody stops it");
    assert!(!found.is_partial() && found.energy.iter().all(|e| *e == 12.0));
}

const CLASSES: usize = 10;
const SHAPE: [usize; 4] = [1, 3, 4, 4];

fn loaded() -> (Arc<Loaded<Dispatch>>, Interrupt) {
    let device = Device::flex();
    device.seed(3);
    let layers = vec![
        LinearConfig::new(48, 24).init(&device),
        LinearConfig::new(24, CLASSES).init(&device),
    ];
    let network = Network::capture(&layers, |layers, ports| {
        let x = ports.input("x", SHAPE).flatten::<2>(1, 3);
        ports.output("y", layers[1].forward(relu(layers[0].forward(x))));
    });
    let network = network.expect("captures");
    let loaded = FrozenNetwork::load(network, &device, FloatDType::F64).expect("loads");
    let interrupt = Interrupt::new();
    (
        Arc::new(loaded.with_interrupt(interrupt.clone())),
        interrupt,
    )
}

fn picture(seed: u64) -> TensorData {
    let mut random = SplitMix64::new(seed);
    TensorData::new(random.uniform(SHAPE.iter().product()), SHAPE)
}

fn frozen(loaded: &Arc<Loaded<Dispatch>>, seed: u64) -> FrozenNetwork {
    FrozenNetwork::new(loaded.clone(), picture(seed), RuleSet::default()).expect("freezes")
}

/// Stops at the n-th call, by its word or by the interrupt; no call may follow.
fn stops<'a>(
    at: usize,
    interrupt: Option<&'a Interrupt>,
    told: &'a Cell<usize>,
) -> impl FnMut(&Progress) -> ControlFlow<()> + 'a {
    move |_| {
        told.set(told.get() + 1);
        assert!(told.get() <= at, "told after the stop");
        match interrupt {
            _ if told.get() < at => ControlFlow::Continue(()),
            None => ControlFlow::Break(()),
            Some(interrupt) => {
                interrupt.stop();
                ControlFlow::Continue(())
            }
        }
    }
}

/// Votes among some classes, by definition.
fn by_definition(f: &FrozenNetwork, classes: &[usize]) -> (Vec<i32>, Vec<f64>) {
    let mut sorted = classes.to_vec();
    sorted.sort_unstable();
    let (said, _) = discussed(f, &sorted, &VoteConfig::default()).expect("discussions");
    let pixel = |i: usize| {
        let of: Vec<f64> = said.iter().map(|d| d[i]).collect();
        let order = ranking(&of);
        let margin = of[order[0]] - of[order[1]];
        match of.iter().all(|x| *x == of[0]) {
            true => (ABSTAINS, margin),
            false => (sorted[order[0]] as i32, margin),
        }
    };
    (0..said[0].len()).map(pixel).unzip()
}

#[test]
fn votes_are_those_of_the_classes_that_were_heard() {
    let (loaded, _) = loaded();
    let f = frozen(&loaded, 1);
    let all: Vec<usize> = (0..CLASSES).collect();
    let order = ranking(&read(f.reference()).unwrap());
    assert_ne!(order, all, "or the order says nothing");
    let whole = |chunk: usize| votes(&f, &VoteConfig::default().with_chunk(chunk), unobserved);
    let full: Votes = whole(16).expect("votes");
    let (of, margin) = by_definition(&f, &all);
    assert_eq!(
        (&full.of, &full.margin, full.is_partial()),
        (&of, &margin, false)
    );
    for chunk in [1, 3, 4] {
        assert_eq!(whole(chunk).expect("votes"), full);
    }
    assert!(!serde_json::to_string(&full).unwrap().contains("heard"));
    for interrupted in [false, true] {
        for (chunk, at, heard) in [
            (1, 1, 0),
            (1, 2, 1),
            (1, 3, 2),
            (3, 2, 3),
            (3, 4, 9),
            (4, 3, 8),
        ] {
            let (loaded, interrupt) = self::loaded();
            let f = frozen(&loaded, 1);
            let told = Cell::new(0);
            let observer = stops(at, interrupted.then_some(&interrupt), &told);
            let found = votes(&f, &VoteConfig::default().with_chunk(chunk), observer);
            assert_eq!(told.get(), at);
            if heard < 2 {
                assert!(found.is_err_and(|error| error.is_stopped()));
                continue;
            }
            let found = found.expect("some were heard");
            assert_eq!(found.heard.as_deref(), Some(&order[..heard]));
            let (of, margin) = by_definition(&self::frozen(&self::loaded().0, 1), &order[..heard]);
            assert_eq!((&found.of, &found.margin), (&of, &margin));
            assert_eq!(found.scores, full.scores);
            for class in 0..CLASSES {
                let heard = order[..heard].contains(&class);
                let expected = if heard { full.gaps[class] } else { f64::NAN };
                assert_eq!(found.gaps[class].to_bits(), expected.to_bits());
                assert!(heard || found.counts[class] == 0);
            }
        }
    }
}

#[test]
fn an_attack_gives_the_best_picture_so_far() {
    let (loaded, _) = loaded();
    let f = frozen(&loaded, 2);
    let ball = Ball::of(0.5, 48);
    let goal = Goal::From(top1(&f).unwrap());
    let config = AttackConfig::pgd(goal, 6).with_step(Some(0.3));
    let whole = attack(&f, &ball, &config, unobserved).expect("an attack");
    assert!(!whole.is_partial() && whole.steps.len() == 7);
    for interrupted in [false, true] {
        for at in 1..=6 {
            let (loaded, interrupt) = self::loaded();
            let f = frozen(&loaded, 2);
            let told = Cell::new(0);
            let observer = stops(at, interrupted.then_some(&interrupt), &told);
            let found = attack(&f, &ball, &config, observer);
            assert_eq!(told.get(), at);
            if at < 3 {
                assert!(found.is_err_and(|error| error.is_stopped()), "{at}");
                continue;
            }
            let found = found.expect("a picture was looked at");
            // The best of those that were looked at, but x₀.
            let looked = &whole.steps[1..at - 1];
            let most = looked
                .iter()
                .map(|s| s.loss)
                .fold(f64::NEG_INFINITY, f64::max);
            let taken = 1 + looked.iter().position(|s| s.loss == most).unwrap();
            assert!(found.is_partial());
            assert_eq!(found.steps, whole.steps[..taken + 1]);
            let shorter = attack(
                &self::frozen(&self::loaded().0, 2),
                &ball,
                &config.with_steps(taken),
                unobserved,
            );
            assert_eq!(found.x, shorter.expect("an attack").x);
        }
    }
}

/// What has nothing finished to give says so at once.
#[test]
fn all_else_is_an_error_that_says_stopped() {
    let (loaded, interrupt) = loaded();
    let (f, other) = (frozen(&loaded, 3), frozen(&loaded, 4));
    let paired = FrozenNetwork::within(loaded.clone(), picture(3), RuleSet::default(), 1).unwrap();
    assert!(paired.recorded().is_none());
    let plan = MatrixPlan::new(&f).expect("a plan");
    let x = || f.x0();
    let y = || f.reference();
    let asked = || -> Vec<Result<()>> {
        vec![
            f.apply(x()).map(drop),
            f.apply_adjoint(y()).map(drop),
            f.affine(x()).map(drop),
            f.residual().map(drop),
            rows(&f, &[1]).map(drop),
            columns(&f, &[1]).map(drop),
            f.between(None, None)
                .and_then(|part| part.apply(x()))
                .map(drop),
            paired.apply(x()).map(drop),
            paired.apply_adjoint(y()).map(drop),
            FrozenNetwork::forward(&loaded, picture(5)).map(drop),
            FrozenNetwork::new(loaded.clone(), picture(5), RuleSet::default()).map(drop),
            contributions(&f, 0).map(drop),
            contributions_of_all(&f).map(drop),
            discussions(&f, &[0, 1], Propagation::Conserving).map(drop),
            certificate(&f).map(drop),
            radii(&f, x()).map(drop),
            growth(&f, x(), &[0.5]).map(drop),
            plan.part(0..3, 1 << 20).map(drop),
            difference(&f, &other, 0, &DifferenceConfig::default(), unobserved).map(drop),
            compare(&f, &other, &ComparisonConfig::default(), unobserved).map(drop),
        ]
    };
    for (number, found) in asked().into_iter().enumerate() {
        assert!(found.is_ok(), "{number}: {found:?}");
    }
    let mut told = 0;
    let found = compare(&f, &other, &ComparisonConfig::default(), |progress| {
        told += 1;
        match progress.done > 0 || progress.doing == "comparing F" {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    assert!(told > 0 && found.is_err_and(|error| error.is_stopped()));
    // Votes that were stopped are not compared.
    let by_fives = ComparisonConfig::default().with_votes(VoteConfig::default().with_chunk(5));
    let told = Cell::new(0);
    let found = compare(&f, &other, &by_fives, stops(2, None, &told));
    assert!(matches!(found, Err(Error::Stopped(at)) if (at.done, at.of) == (5, 10)));
    interrupt.stop();
    for (number, found) in asked().into_iter().enumerate() {
        assert!(found.is_err_and(|error| error.is_stopped()), "{number}");
    }
}

/// Statistics of pictures that come one by one are those of the set, through a file half way too.
#[test]
fn totals_need_no_set() {
    let (loaded, _) = loaded();
    let config = ComparisonConfig::default();
    let pair = |seed: u64| {
        let (f, g) = (frozen(&loaded, seed), frozen(&loaded, seed + 100));
        compare(&f, &g, &config, unobserved).expect("a comparison")
    };
    let set: Vec<Comparison> = (10..15).map(pair).collect();
    let (mut totals, mut contributions) =
        (ComparisonTotals::default(), ContributionTotals::default());
    assert!(totals.finish().is_err() && contributions.finish().is_err());
    for one in &set {
        let text = serde_json::to_string(&one.summary()).expect("plain data");
        let summary: ComparisonSummary = serde_json::from_str(&text).expect("plain data");
        assert_same(&summary, &one.summary());
        totals.add(&one.summary()).expect("one network");
        contributions.add(&one.before).expect("one network");
        let text = serde_json::to_string(&totals).expect("plain data");
        let back: ComparisonTotals = serde_json::from_str(&text).expect("plain data");
        assert_same(&back, &totals);
    }
    let over = totals.finish().expect("a set");
    assert_eq!((totals.pictures(), contributions.pictures()), (5, 5));
    assert_eq!(over.before, contributions.finish().expect("a set"));
    let equal = |a: f64, b: f64| assert!((a - b).abs() <= 1e-12 * b.abs().max(1e-3), "{a} {b}");
    let two_pass = |number: &dyn Fn(&Comparison) -> f64| -> [f64; 2] {
        let all: Vec<f64> = set.iter().map(number).collect();
        let mean = all.iter().sum::<f64>() / 5.0;
        let squares: f64 = all.iter().map(|x| (x - mean).powi(2)).sum();
        [mean, (squares / 4.0).sqrt()]
    };
    for (found, [mean, std]) in [
        (over.before.score, two_pass(&|one| one.before.score)),
        (
            over.after.layers[1].value,
            two_pass(&|one| one.after.layers[1].value),
        ),
        (over.f_change, two_pass(&|one| one.difference.f_change())),
        (over.row, two_pass(&|one| one.difference.row)),
        (
            over.moved.expect("votes"),
            two_pass(&|one| one.moved().expect("votes")),
        ),
        (
            over.share.expect("votes")[1],
            two_pass(&|one| one.share().expect("votes")[1]),
        ),
        (
            over.flips[0].share,
            two_pass(&|one| one.difference.flips[0].share),
        ),
    ] {
        equal(found.mean, mean);
        equal(found.std, std);
    }
    assert_eq!(over.changed, set.iter().filter(|one| one.changed()).count());
    assert_eq!(comparison::aggregate(&set).expect("a set"), over);
    // Another network is refused, and changes nothing.
    let mut other = set[0].summary();
    other.after.layers.pop();
    let before = totals.clone();
    assert!(matches!(totals.add(&other), Err(Error::Different { .. })));
    other = set[0].summary();
    other.flips.clear();
    assert!(matches!(totals.add(&other), Err(Error::Different { .. })));
    assert_eq!(totals, before);
}
