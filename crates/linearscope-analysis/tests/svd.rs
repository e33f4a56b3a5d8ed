//! The solvers on matrices whose singular values are known by construction.

mod operators;

use std::ops::ControlFlow;

use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData};
use linearscope_analysis::{
    Dense, Error, LinearOperator, SplitMix64,
    operator::Scaled,
    svd::{Momentum, Solver, Svd, SvdConfig, SvdError, svd},
    vectors::{norm, read},
};
use linearscope_test_support::numbers::signed;
use operators::matrix;

/// Number i of the fixed sequence, in [−1, 1).
fn pseudo(i: usize) -> f64 {
    signed(1, i)[0]
}

/// Reflect the columns of a row-major `[rows, columns]` matrix at a few mirrors: orthonormal
/// columns stay so, to rounding, and no entry stays zero.
fn reflected(mut a: Vec<f64>, rows: usize, columns: usize, seed: usize) -> Vec<f64> {
    for mirror in 0..3 {
        let w: Vec<f64> = (0..rows)
            .map(|i| pseudo(i * 7 + mirror * 1009 + seed * 100_003))
            .collect();
        let square: f64 = w.iter().map(|x| x * x).sum();
        for column in 0..columns {
            let dot: f64 = (0..rows).map(|i| w[i] * a[i * columns + column]).sum();
            for i in 0..rows {
                a[i * columns + column] -= 2.0 * dot / square * w[i];
            }
        }
    }
    a
}

/// U diag(σ) Vᵀ with orthonormal U and V.
fn with_spectrum(rows: usize, columns: usize, sigma: &[f64], dtype: FloatDType) -> Dense {
    let mut s = vec![0.0; rows * columns];
    for (i, &value) in sigma.iter().enumerate() {
        s[i * columns + i] = value;
    }
    let us = reflected(s, rows, columns, 1);
    let transposed = |a: &[f64], rows: usize, columns: usize| -> Vec<f64> {
        (0..rows * columns)
            .map(|i| a[(i % rows) * columns + i / rows])
            .collect()
    };
    let f = transposed(
        &reflected(transposed(&us, rows, columns), columns, rows, 2),
        columns,
        rows,
    );
    matrix(f, rows, columns, dtype)
}

fn quiet(f: &Dense, config: &SvdConfig) -> Result<Svd, SvdError> {
    svd(f, config, |_| ControlFlow::Continue(()))
}

fn lanczos(block: usize, basis: Option<usize>) -> Solver {
    Solver::Lanczos { block, basis }
}

/// max |X Xᵀ − 1|
fn skew(x: &TensorData) -> f64 {
    let k = x.shape()[0];
    let x = Tensor::<2>::from_data(x.clone(), (&Device::flex(), x.dtype()));
    let gram = read(x.clone().matmul(x.clone().transpose())).unwrap();
    (0..k * k)
        .map(|i| (gram[i] - f64::from(i / k == i % k)).abs())
        .fold(0.0, f64::max)
}

fn assert_found(found: &Svd, sigma: &[f64], tolerance: f64, what: &str) {
    let largest = sigma[0].max(f64::MIN_POSITIVE);
    for (i, (got, expected)) in found.sigma.iter().zip(sigma).enumerate() {
        assert!(
            (got - expected).abs() <= tolerance * largest,
            "{what}: σ{i} is {got}, not {expected}"
        );
    }
    for residual in &found.residuals {
        assert!(residual.worst() <= tolerance, "{what}: {residual:?}");
    }
    assert!(skew(&found.u) <= 10.0 * tolerance, "{what}: U is skew");
    assert!(skew(&found.v) <= 10.0 * tolerance, "{what}: V is skew");
}

#[test]
fn lanczos_finds_known_spectra() {
    let geometric: Vec<f64> = (0..30).map(|i| 3.0 * 0.8f64.powi(i)).collect();
    let slow: Vec<f64> = (0..60).map(|i| 1.0 / (1.0 + 0.02 * f64::from(i))).collect();
    let mut cluster = vec![2.0, 1.0, 1.0, 1.0, 1.0, 0.999];
    cluster.extend((0..40).map(|i| 0.9 - 0.01 * f64::from(i)));
    let deficient = vec![5.0, 4.0, 3.0];
    for (name, sigma) in [
        ("geometric", &geometric),
        ("slow", &slow),
        ("cluster", &cluster),
        ("rank 3", &deficient),
    ] {
        for (rows, columns) in [(90, 70), (70, 90), (64, 64)] {
            for (k, block) in [(1, 1), (6, 1), (6, 3), (12, 4)] {
                let f = with_spectrum(rows, columns, sigma, FloatDType::F64);
                let mut expected = sigma.clone();
                expected.resize(70, 0.0);
                // A small basis, so that restarts happen.
                let config = SvdConfig::new(k)
                    .with_tolerance(1e-9)
                    .with_solver(lanczos(block, Some(k + 10 + 2 * block)));
                let what = format!("{name} {rows}×{columns}, k = {k}, block = {block}");
                let found = quiet(&f, &config).unwrap_or_else(|e| panic!("{what}: {e}"));
                assert_found(&found, &expected[..k], 1e-9, &what);
            }
        }
    }
}

/// A repeated σ needs its whole space: one copy of each of three equal values is not enough.
#[test]
fn repeated_values_come_with_their_multiplicity() {
    let sigma = [3.0, 3.0, 3.0, 1.0, 1.0, 0.5, 0.25];
    let f = with_spectrum(40, 50, &sigma, FloatDType::F64);
    let config = SvdConfig::new(5)
        .with_tolerance(1e-9)
        .with_solver(lanczos(3, None));
    assert_found(&quiet(&f, &config).unwrap(), &sigma[..5], 1e-9, "block 3");
}

/// Cubic interpolation ×3 of n pixels (a = −0.75, half-pixel, edges repeated), `[3 n, n]`.
fn cubic(n: usize) -> Vec<f64> {
    let a = -0.75;
    let weight = |x: f64| match x.abs() {
        x if x <= 1.0 => (a + 2.0) * x.powi(3) - (a + 3.0) * x.powi(2) + 1.0,
        x if x < 2.0 => a * x.powi(3) - 5.0 * a * x.powi(2) + 8.0 * a * x - 4.0 * a,
        _ => 0.0,
    };
    let mut matrix = vec![0.0; 3 * n * n];
    for out in 0..3 * n {
        let at = (out as f64 + 0.5) / 3.0 - 0.5;
        for tap in -1..=2 {
            let source = at.floor() + f64::from(tap);
            let clamped = source.clamp(0.0, (n - 1) as f64) as usize;
            matrix[out * n + clamped] += weight(at - source);
        }
    }
    matrix
}

fn in_f64(values: Vec<f64>, rows: usize, columns: usize) -> Dense {
    matrix(values, rows, columns, FloatDType::F64)
}

/// The bicubic upscaler of a square picture: F = A ⊗ A has every σᵢσⱼ twice, in clusters a part in
/// 10⁴ wide. One starting vector sees one copy of each; all must be found.
#[test]
fn no_copy_is_missing_in_clusters() {
    for n in [9, 16, 20] {
        let a = cubic(n);
        let all = SvdConfig::new(n).with_tolerance(1e-12);
        let sigma = quiet(&in_f64(a.clone(), 3 * n, n), &all).unwrap().sigma;
        let mut expected: Vec<f64> = (0..n * n).map(|i| sigma[i / n] * sigma[i % n]).collect();
        expected.sort_by(|a, b| b.total_cmp(a));
        let rows = 9 * n * n;
        let kronecker = (0..rows * n * n).map(|i| {
            let (row, column) = (i / (n * n), i % (n * n));
            a[row / (3 * n) * n + column / n] * a[row % (3 * n) * n + column % n]
        });
        let f = in_f64(kronecker.collect(), rows, n * n);
        for k in [1, 2, 3, 5, 8, 13, 20] {
            for seed in 0..3 {
                let config = SvdConfig::new(k).with_seed(seed);
                let what = format!("{n}×{n}, k = {k}, seed {seed}");
                let found = quiet(&f, &config).unwrap_or_else(|e| panic!("{what}: {e}"));
                assert_found(&found, &expected[..k], 1e-5, &what);
                if seed == 0 {
                    println!("{what}: {} products", found.products);
                }
            }
        }
    }
}

/// Every solver, wide and tall: a ratio of a million, clusters, copies, a rank below K.
#[test]
fn every_solver_on_hard_spectra() {
    let million: Vec<f64> = (0..7).map(|i| 10f64.powi(-i)).collect();
    let mut copies = vec![3.0, 3.0, 2.0, 2.0, 2.0, 1.0];
    copies.extend((0..20).map(|i| 0.5 - 0.01 * f64::from(i)));
    let spectra = [
        ("a million", million, 7),
        ("copies", copies, 6),
        ("rank 3 of 5", vec![5.0, 4.0, 1.0], 5),
        ("zero", vec![0.0], 2),
    ];
    let solvers = [
        Solver::Lanczos {
            block: 1,
            basis: None,
        },
        Solver::Lanczos {
            block: 3,
            basis: None,
        },
        Solver::Subspace { extra: 8 },
        Solver::Power {
            momentum: Momentum::Adaptive,
        },
    ];
    for (name, sigma, k) in &spectra {
        let mut expected = sigma.clone();
        expected.resize(expected.len().max(*k), 0.0);
        for (rows, columns) in [(60, 40), (40, 60)] {
            let f = with_spectrum(rows, columns, sigma, FloatDType::F64);
            for solver in solvers {
                let config = SvdConfig::new(*k).with_tolerance(1e-10).with_solver(solver);
                let what = format!("{name}, {rows}×{columns}, {solver:?}");
                let found = quiet(&f, &config).unwrap_or_else(|e| panic!("{what}: {e}"));
                assert_found(&found, &expected[..*k], 1e-10, &what);
            }
        }
    }
}

/// Copies of wanted values hide in spectra of every kind: flat, dense, steep, one far above the rest.
#[test]
fn copies_are_found_in_every_kind_of_spectrum() {
    type Value = Box<dyn Fn(f64) -> f64>;
    let n = 90;
    let mut random = SplitMix64::new(99);
    let mut missed = Vec::new();
    let mut products = 0;
    let (mut runs, mut most) = (0, 0);
    for round in 0..12 {
        let kinds: [(&str, Value); 6] = [
            ("dense", Box::new(|i| 1.0 - 0.004 * i)),
            ("linear", Box::new(|i| 1.0 - i / 100.0)),
            ("steep", Box::new(|i| 0.8f64.powf(i))),
            ("power", Box::new(|i| 1.0 / (1.0 + i))),
            (
                "bulk",
                Box::new(|i| if i < 6.0 { 1.0 - 0.05 * i } else { 0.5 }),
            ),
            (
                "top",
                Box::new(|i| if i < 3.0 { 10.0 - i } else { 1.0 - 0.004 * i }),
            ),
        ];
        for (kind, value) in kinds {
            for k in [1, 3, 8] {
                let mut sigma: Vec<f64> = (0..n).map(|i| value(i as f64)).collect();
                // One to three values of the first ten stand twice or three times.
                for _ in 0..1 + round % 3 {
                    let at = ((random.next_uniform() + 1.0) * 5.0) as usize;
                    sigma[10 + at] = sigma[at];
                    if round % 2 == 1 {
                        sigma[25 + at] = sigma[at];
                    }
                }
                sigma.sort_by(|a, b| b.total_cmp(a));
                let f = with_spectrum(110, n, &sigma, FloatDType::F64);
                for seed in 0..3 {
                    let config = SvdConfig::new(k).with_seed(1000 * round as u64 + seed);
                    let found = quiet(&f, &config).expect("converges");
                    runs += 1;
                    products += found.products;
                    most = most.max(found.products);
                    let far = found
                        .sigma
                        .iter()
                        .zip(&sigma)
                        .any(|(a, b)| (a - b).abs() > 1e-5 * sigma[0]);
                    if far {
                        missed.push(format!("{kind}, k = {k}, round {round}, seed {seed}"));
                    }
                }
            }
        }
    }
    println!("{runs} runs, {products} products, {most} at most");
    // The second look is a random one: of 2160 such runs it missed a copy in 9. (scipy's ARPACK missed
    // 359 of as many, with more products.)
    assert!(
        100 * missed.len() <= runs,
        "{} of {runs}: {missed:?}",
        missed.len()
    );
}

/// A budget that ends between convergence and its confirmation is an error too.
#[test]
fn unconfirmed_is_no_success() {
    let sigma: Vec<f64> = (0..30).map(|i| 0.7f64.powi(i)).collect();
    let f = with_spectrum(60, 50, &sigma, FloatDType::F64);
    let mut converged_at = None;
    let full = svd(&f, &SvdConfig::new(2), |progress| {
        if progress.done == 2 {
            converged_at.get_or_insert(progress.products);
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    let config = SvdConfig::new(2).with_max_products(converged_at.unwrap());
    let error = quiet(&f, &config).unwrap_err();
    let SvdError::Unconfirmed { partial } = error else {
        panic!("{error}")
    };
    assert_found(&partial, &full.sigma, 1e-5, "unconfirmed");
}

#[test]
fn all_triplets_of_small_matrices() {
    for (rows, columns) in [(1, 1), (1, 9), (9, 1), (5, 8), (8, 5), (7, 7)] {
        let rank = rows.min(columns);
        let sigma: Vec<f64> = (0..rank).map(|i| 1.0 / (1.0 + i as f64)).collect();
        for block in [1, 2, 4] {
            let f = with_spectrum(rows, columns, &sigma, FloatDType::F64);
            let config = SvdConfig::new(rank)
                .with_tolerance(1e-10)
                .with_solver(lanczos(block, None));
            let what = format!("{rows}×{columns}, block {block}");
            let found = quiet(&f, &config).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_found(&found, &sigma, 1e-10, &what);
        }
    }
}

#[test]
fn nothing_is_the_svd_of_nothing() {
    for solver in [
        lanczos(2, None),
        Solver::Power {
            momentum: Momentum::Adaptive,
        },
    ] {
        let f = with_spectrum(12, 9, &[0.0], FloatDType::F64);
        let config = SvdConfig::new(3).with_solver(solver);
        let found = quiet(&f, &config).unwrap();
        assert_found(&found, &[0.0; 3], 1e-9, "zero");
    }
}

/// f32 reaches what f32 can.
#[test]
fn single_precision() {
    let sigma: Vec<f64> = (0..200).map(|i| 4.0 / (1.0 + 0.1 * f64::from(i))).collect();
    let f = with_spectrum(400, 300, &sigma, FloatDType::F32);
    for block in [1, 4] {
        let config = SvdConfig::new(8).with_solver(lanczos(block, None));
        assert_found(&quiet(&f, &config).unwrap(), &sigma[..8], 1e-5, "f32");
    }
}

/// Both of the paper's variants agree with the block method, and momentum pays.
#[test]
fn power_iteration_agrees_and_momentum_pays() {
    let sigma: Vec<f64> = (0..40).map(|i| 0.93f64.powi(i)).collect();
    let f = with_spectrum(60, 50, &sigma, FloatDType::F64);
    let run = |momentum| {
        let config = SvdConfig::new(4)
            .with_tolerance(1e-8)
            .with_solver(Solver::Power { momentum });
        quiet(&f, &config).unwrap_or_else(|e| panic!("{momentum:?}: {e}"))
    };
    let (plain, with) = (run(Momentum::Off), run(Momentum::Adaptive));
    assert_found(&plain, &sigma[..4], 1e-7, "plain");
    assert_found(&with, &sigma[..4], 1e-7, "momentum");
    eprintln!(
        "products: plain {}, momentum {}",
        plain.products, with.products
    );
    assert!(2 * with.products < plain.products);
}

/// What did converge is handed over, and said to be so.
#[test]
fn unconverged_is_an_error_with_what_there_is() {
    let sigma: Vec<f64> = (0..60).map(|i| 1.0 - 1e-4 * f64::from(i)).collect();
    let f = with_spectrum(80, 80, &sigma, FloatDType::F64);
    for solver in [
        lanczos(1, Some(14)),
        Solver::Power {
            momentum: Momentum::Adaptive,
        },
    ] {
        let config = SvdConfig::new(6)
            .with_tolerance(1e-12)
            .with_max_products(60)
            .with_solver(solver);
        let Err(SvdError::Unconverged {
            partial,
            converged,
            wanted,
            worst,
            ..
        }) = quiet(&f, &config)
        else {
            panic!("60 products cannot do it")
        };
        assert!(converged < wanted && worst > 1e-12 && !partial.sigma.is_empty());
        // Rayleigh quotients of unit vectors stay below σ₁.
        assert!(partial.sigma.iter().all(|s| *s <= 1.0 + 1e-12));
    }
}

/// Whatever share of σ₁ the smallest wanted value is, in f32 too: H, which is σ squared, is left where it is too coarse.
#[test]
fn shares_of_the_largest_in_single_precision() {
    for share in [0.5f64, 0.1, 0.03, 1e-2, 1e-3] {
        let sigma: Vec<f64> = (0..24).map(|i| share.powf(f64::from(i) / 5.0)).collect();
        for (rows, columns) in [(200, 50), (50, 200), (60, 60)] {
            let f = with_spectrum(rows, columns, &sigma, FloatDType::F32);
            let found = quiet(&f, &SvdConfig::new(6)).unwrap_or_else(|e| panic!("{share}: {e}"));
            let what = format!("{share}, {rows}×{columns}");
            assert_found(&found, &sigma[..6], 1e-5, &what);
        }
    }
}

/// What is there when a chain is stopped or used up is what it is said to be, of a rank below K in f32 too; and a change of
/// chains keeps what had converged.
#[test]
fn what_is_stopped_is_what_it_is_said_to_be() {
    let sigma = [5.0, 4.0, 1.0, 0.5];
    let f = with_spectrum(300, 200, &sigma, FloatDType::F32);
    let config = SvdConfig::new(8);
    let whole = quiet(&f, &config).unwrap();
    assert_found(
        &whole,
        &[5.0, 4.0, 1.0, 0.5, 0.0, 0.0, 0.0, 0.0],
        1e-5,
        "to its end",
    );
    let mut best = 0;
    for most in (4..whole.products).step_by(2) {
        let stopped = svd(&f, &config, |at| match at.products < most {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        });
        let used_up = quiet(&f, &config.clone().with_max_products(most));
        for (what, found) in [("stopped", stopped), ("used up", used_up)] {
            let what = format!("{what} at {most}");
            let found = match found {
                Ok(found) => found,
                Err(error) => error.partial().expect("triplets").clone(),
            };
            let k = found.sigma.len();
            let rows = |x: &TensorData| {
                let x = x.clone().convert_dtype(DType::F64);
                x.try_to_vec::<f64>().unwrap()
            };
            let (u, v) = (rows(&found.u), rows(&found.v));
            for i in 0..k {
                let side = |x: &[f64], len: usize| x[i * len..(i + 1) * len].to_vec();
                let (u, v) = (side(&u, 300), side(&v, 200));
                for side in [&u, &v] {
                    assert!((norm(side) - 1.0).abs() < 1e-4, "{what}: {}", norm(side));
                }
                let device = f.device().clone();
                let on = |x: Vec<f64>, len| {
                    let data = TensorData::new(x, [1, len]).convert_dtype(DType::F32);
                    Tensor::<2>::from_data(data, (&device, DType::F32))
                };
                let fv = read(f.apply(on(v, 200)).unwrap()).unwrap();
                let right: Vec<f64> = (fv.iter().zip(&u))
                    .map(|(a, b)| a - found.sigma[i] * b)
                    .collect();
                // Said with room for rounding.
                let said = found.residuals[i].right.max(2e-5);
                assert!(
                    norm(&right) / 5.0 <= said,
                    "{what}: {} of {said}",
                    norm(&right) / 5.0
                );
            }
            let good = found.residuals.iter().filter(|r| r.worst() <= 1e-5).count();
            if what.starts_with("used up") {
                assert!(good + 1 >= best, "{what}: {good} after {best}");
                best = best.max(good);
            }
        }
    }
}

/// Where memory holds fewer vectors, restarts come sooner; where it does not hold those that are needed, it is said
/// how much would.
#[test]
fn bases_stay_within_their_memory() {
    let sigma: Vec<f64> = (0..80).map(|i| 1.0 - 1e-2 * f64::from(i)).collect();
    let f = with_spectrum(120, 80, &sigma, FloatDType::F64);
    let config = SvdConfig::new(4).with_tolerance(1e-10);
    let vector = 8 * (120 + 80);
    let free = quiet(&f, &config).unwrap();
    // Twice a basis, a block, and 13 vectors of what confirms it.
    let wide = quiet(&f, &config.clone().with_max_memory(Some(70 * vector))).unwrap();
    assert_eq!((&free.sigma, free.products), (&wide.sigma, wide.products));
    let narrow = quiet(&f, &config.clone().with_max_memory(Some(34 * vector))).unwrap();
    assert_found(&narrow, &sigma[..4], 1e-10, "ten vectors");
    assert!(narrow.products > free.products);
    let ten = quiet(&f, &config.clone().with_solver(lanczos(1, Some(10)))).unwrap();
    assert_eq!(narrow.products, ten.products);
    let error = quiet(&f, &config.with_max_memory(Some(25 * vector))).unwrap_err();
    let needed = format!("{}", 26 * vector);
    assert!(error.to_string().contains(&needed), "{error}");
}

#[test]
fn the_observer_can_stop() {
    let sigma: Vec<f64> = (0..60).map(|i| 1.0 - 1e-2 * f64::from(i)).collect();
    let f = with_spectrum(80, 80, &sigma, FloatDType::F64);
    let mut steps = 0;
    let found = svd(&f, &SvdConfig::new(4), |_| {
        steps += 1;
        if steps == 5 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    let Err(SvdError::Unconverged { partial, .. }) = found else {
        panic!("five steps cannot do it")
    };
    assert_eq!((steps, partial.sigma.len()), (5, 4));
}

#[test]
fn same_seed_same_bits() {
    let sigma: Vec<f64> = (0..30).map(|i| 0.9f64.powi(i)).collect();
    let f = with_spectrum(50, 40, &sigma, FloatDType::F32);
    let config = SvdConfig::new(3);
    let (a, b) = (quiet(&f, &config).unwrap(), quiet(&f, &config).unwrap());
    assert_eq!(a.sigma, b.sigma);
    assert_eq!(a, b);
    let other = quiet(&f, &config.with_seed(1)).unwrap();
    assert!((other.sigma[0] - a.sigma[0]).abs() < 1e-5);
}

#[test]
fn settings_that_mean_nothing_are_refused() {
    let f = with_spectrum(5, 7, &[1.0], FloatDType::F32);
    for (config, what) in [
        (SvdConfig::new(0), "number of triplets"),
        (SvdConfig::new(6), "number of triplets"),
        (SvdConfig::new(1).with_tolerance(0.0), "tolerance"),
        (SvdConfig::new(1).with_tolerance(f64::NAN), "tolerance"),
        (
            SvdConfig::new(1).with_solver(lanczos(0, None)),
            "block size",
        ),
        (
            SvdConfig::new(2).with_solver(lanczos(1, Some(2))),
            "basis size",
        ),
    ] {
        let error = quiet(&f, &config).expect_err(what);
        assert!(error.to_string().contains(what), "{error}");
    }
}

#[test]
fn overflow_is_an_error() {
    let f = with_spectrum(9, 9, &[f64::INFINITY], FloatDType::F64);
    for solver in [
        lanczos(1, None),
        Solver::Power {
            momentum: Momentum::Off,
        },
    ] {
        let config = SvdConfig::new(1).with_solver(solver);
        let error = quiet(&f, &config).expect_err("infinite entries");
        assert!(
            matches!(error, SvdError::Failed(Error::NotFinite { .. })),
            "{error}"
        );
    }
}

/// σ and vectors of F over a power of ten are those of F: in f32 too, whose squares leave its range beyond
/// 1e±19.
#[test]
fn singular_values_from_tiny_to_huge() {
    let sigma = [1.0, 0.7, 0.5, 0.2, 0.1, 0.01];
    let power = |momentum| Solver::Power { momentum };
    for dtype in [FloatDType::F32, FloatDType::F64] {
        for scale in [1e-30, 1e-25, 1e-20, 1e-10, 1e10, 1e19, 1e25, 1e30] {
            let scaled: Vec<f64> = sigma.iter().map(|s| s * scale).collect();
            let f = with_spectrum(12, 9, &scaled, dtype);
            for solver in [
                lanczos(1, None),
                lanczos(3, None),
                Solver::Subspace { extra: 3 },
                power(Momentum::Off),
                power(Momentum::Adaptive),
            ] {
                let what = format!("{dtype:?} {scale:e} {solver:?}");
                let config = SvdConfig::new(4).with_solver(solver);
                let found = quiet(&f, &config).unwrap_or_else(|e| panic!("{what}: {e}"));
                assert_found(&found, &scaled, 2e-5, &what);
            }
        }
    }
}

/// ◆ σ = 0 with residual 0 is looked at: F = 0 is one, a product that vanished is none.
#[test]
fn residuals_of_exactly_zero_are_looked_at() {
    // Products of ordinary probes vanish below the range of f32 on their way, those of larger ones do not.
    let plain: Box<dyn LinearOperator> =
        Box::new(with_spectrum(6, 6, &[3.0, 2.0, 1.0], FloatDType::F32));
    let f = [1e-24, 1e-24, 1e24, 1e24]
        .into_iter()
        .fold(plain, |operator, by| Box::new(Scaled { operator, by }));
    let found = svd(&f, &SvdConfig::new(2), |_| ControlFlow::Continue(()));
    let Err(SvdError::Unconverged { partial, .. }) = found else {
        panic!("{found:?}");
    };
    assert!(
        partial
            .residuals
            .iter()
            .all(|residual| residual.worst() > 0.0)
    );
    let zero = with_spectrum(6, 6, &[], FloatDType::F32);
    assert_eq!(quiet(&zero, &SvdConfig::new(2)).unwrap().sigma, [0.0, 0.0]);
    let diagonal = matrix(vec![2.0, 0.0, 0.0, 1.0], 2, 2, FloatDType::F32);
    let found = quiet(&diagonal, &SvdConfig::new(2)).unwrap().sigma;
    assert!((found[0] - 2.0).abs() < 1e-6 && (found[1] - 1.0).abs() < 1e-6);
}
