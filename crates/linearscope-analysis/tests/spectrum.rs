//! Error bars against the truth: known spectra, many seeds.

mod operators;

use burn::tensor::FloatDType;
use linearscope_analysis::{
    Dense, Estimate, noise,
    progress::unobserved,
    spectrum::{DensityConfig, MomentsConfig, density, moments},
};
use operators::{between, matrix};

/// U diag(σ) Vᵀ between `[1, 1, N]` and `[1, 1, n]`, U and V from Householder mirrors.
fn with_spectrum(rows: usize, columns: usize, sigma: &[f64]) -> Dense {
    let turned = |size: usize, seed: u64| -> Vec<Vec<f64>> {
        let mut q: Vec<Vec<f64>> = (0..size)
            .map(|i| (0..size).map(|j| f64::from(u8::from(i == j))).collect())
            .collect();
        for mirror in 0..3 {
            let w = noise(size, 100 * seed + mirror);
            let square: f64 = w.iter().map(|x| x * x).sum();
            for row in &mut q {
                let dot: f64 = row.iter().zip(&w).map(|(a, b)| a * b).sum();
                for (a, b) in row.iter_mut().zip(&w) {
                    *a -= 2.0 * dot / square * b;
                }
            }
        }
        q
    };
    let (u, v) = (turned(rows, 1), turned(columns, 2));
    between([1, 1, columns], [1, 1, rows], |p, q| {
        sigma
            .iter()
            .enumerate()
            .map(|(i, s)| s * u[i][p[2]] * v[i][q[2]])
            .sum()
    })
}

fn spectra() -> Vec<(&'static str, usize, usize, Vec<f64>)> {
    let geometric: Vec<f64> = (0..40).map(|i| 3.0 * 0.9f64.powi(i)).collect();
    let flat: Vec<f64> = (0..60).map(|i| 1.0 - 0.005 * f64::from(i)).collect();
    let two: Vec<f64> = (0..50).map(|i| if i < 15 { 2.0 } else { 0.5 }).collect();
    vec![
        ("geometric", 50, 60, geometric),
        ("flat", 70, 60, flat),
        ("two levels", 64, 50, two),
        ("rank 3", 40, 45, vec![5.0, 4.0, 3.0]),
    ]
}

/// How many of the estimates cover the truth, and their root mean square in units of the bar.
fn held(estimates: &[Estimate], truth: f64) -> (usize, f64) {
    let inside = estimates.iter().filter(|e| e.covers(truth)).count();
    let square = |e: &Estimate| ((e.value - truth) / e.error).powi(2);
    let mean = estimates.iter().map(square).sum::<f64>() / estimates.len() as f64;
    (inside, mean.sqrt())
}

/// 60 seeds each. At 95 %, 57 are to be expected; 52 or fewer have a chance of 1 %. Found: 54 to 60. Bars
/// far too wide would show in the root mean square, which is to be ½ (1/1.96); found: 0.41 to 0.61.
#[test]
fn bars_of_the_moments_cover_the_truth_as_often_as_they_say() {
    for (name, rows, columns, sigma) in spectra() {
        let f = with_spectrum(rows, columns, &sigma);
        let found: Vec<_> = (0..60)
            .map(|seed| {
                moments(
                    &f,
                    &MomentsConfig::default().with_probes(24).with_seed(seed),
                    unobserved,
                )
                .unwrap()
            })
            .collect();
        let second: f64 = sigma.iter().map(|s| s * s).sum();
        let fourth: f64 = sigma.iter().map(|s| s.powi(4)).sum();
        for (what, truth, of) in [
            (
                "Σσ²",
                second,
                (|m| m.squares) as fn(&linearscope_analysis::spectrum::Moments) -> Estimate,
            ),
            ("Σσ⁴", fourth, |m| m.fourths),
            ("‖F‖", second.sqrt(), |m| m.frobenius),
            ("effective rank", second * second / fourth, |m| {
                m.effective_rank
            }),
        ] {
            let estimates: Vec<Estimate> = found.iter().map(of).collect();
            let (inside, spread) = held(&estimates, truth);
            eprintln!("{name}, {what}: {inside} of 60, {spread:.2} bars");
            assert!(inside >= 53, "{name}, {what}: {inside} of 60");
            assert!((0.3..0.8).contains(&spread), "{name}, {what}: {spread}");
        }
        assert_eq!(found[0].products, 48);
    }
}

/// Found: 95, 98, 100 and 99 %.
#[test]
fn bars_of_the_density_cover_the_truth_as_often_as_they_say() {
    for (name, rows, columns, sigma) in spectra() {
        let f = with_spectrum(rows, columns, &sigma);
        let mut all = sigma.clone();
        all.resize(rows.min(columns), 0.0);
        let (mut inside, mut asked) = (0, 0);
        for seed in 0..20 {
            let config = DensityConfig::default().with_seed(seed).with_points(22);
            let found = density(&f, &config, unobserved).unwrap();
            assert!((found.largest / sigma[0] - 1.0).abs() < 1e-6, "{name}");
            for (i, &at) in found.sigma.iter().enumerate() {
                let bell = |t: f64| {
                    let t = t / found.width;
                    (-t * t / 2.0).exp() / (found.width * std::f64::consts::TAU.sqrt())
                };
                // What a Gaussian puts below 0 is folded up.
                let truth: f64 = all.iter().map(|s| bell(at - s) + bell(at + s)).sum();
                // Far from every singular value both are nothing.
                let negligible = 1e-9 * all.len() as f64 / found.width;
                asked += 1;
                if found.density[i].covers(truth)
                    || (found.density[i].value - truth).abs() < negligible
                {
                    inside += 1;
                }
            }
            let zero = found.above[0];
            // At 0 it is the rank, where no value lies so near 0 that the quadrature does not tell it from 0.
            let positive = all.iter().filter(|s| **s > 0.0).count() as f64;
            if name != "geometric" {
                assert!(
                    (zero.value - positive).abs() <= 3.0 * zero.error + 1e-3,
                    "{name}: {zero:?} {positive}"
                );
            }
        }
        let share = f64::from(inside) / f64::from(asked);
        eprintln!("{name}: {inside} of {asked}");
        assert!(share >= 0.93, "{name}: {inside} of {asked}");
    }
}

/// For equal singular values every probe sees the same.
#[test]
fn the_identity_has_no_error_and_zero_no_rank() {
    let f = between([1, 4, 5], [1, 4, 5], |p, q| f64::from(u8::from(p == q)));
    let found = moments(
        &f,
        &MomentsConfig::default().with_probes(4).with_seed(9),
        unobserved,
    )
    .unwrap();
    assert!((found.effective_rank.value - 20.0).abs() < 1e-9 && found.effective_rank.error < 1e-9);
    assert!((found.frobenius.value - 20f64.sqrt()).abs() < 1e-9);
    let spread = density(&f, &DensityConfig::default(), unobserved).unwrap();
    assert_eq!(spread.largest, 1.0);
    // One step ends it: 16 probes in two batches.
    assert_eq!(spread.products, 32);
    let zero = between([1, 4, 5], [1, 2, 2], |_, _| 0.0);
    let found = moments(
        &zero,
        &MomentsConfig::default().with_probes(4).with_seed(9),
        unobserved,
    )
    .unwrap();
    assert_eq!(
        (found.effective_rank.value, found.frobenius.value),
        (0.0, 0.0)
    );
    assert_eq!(
        density(&zero, &DensityConfig::default(), unobserved)
            .unwrap()
            .largest,
        0.0
    );
    let error = moments(
        &f,
        &MomentsConfig::default().with_probes(3).with_seed(0),
        unobserved,
    )
    .unwrap_err()
    .to_string();
    assert!(
        error.contains("probes is 3, but error bars need at least 4"),
        "{error}"
    );
}

/// Every number of F = 0 is 0, and none lies above 0.
#[test]
fn zero_has_no_direction() {
    let zero = between([1, 4, 5], [1, 2, 2], |_, _| 0.0);
    let found = density(&zero, &DensityConfig::default(), unobserved).unwrap();
    assert!(
        found
            .above
            .iter()
            .all(|above| above.value == 0.0 && above.error == 0.0)
    );
    assert!(found.sigma.iter().all(|sigma| *sigma == 0.0));
    let found = moments(&zero, &MomentsConfig::default(), unobserved).unwrap();
    assert_eq!(found.effective_rank.value, 0.0);
    assert_eq!(found.effective_rank.error, 0.0);
}

/// Sizes scale with F, ranks and counts do not: in f32, whose squares leave its range beyond 1e±19.
#[test]
fn sizes_from_tiny_to_huge() {
    let values: Vec<f64> = noise(12 * 9, 4);
    let at = |scale: f64| {
        let values = values.iter().map(|v| v * scale).collect();
        let f = matrix(values, 12, 9, FloatDType::F32);
        (
            moments(&f, &MomentsConfig::default(), unobserved).unwrap(),
            density(&f, &DensityConfig::default(), unobserved).unwrap(),
        )
    };
    let (moment, spread) = at(1.0);
    for scale in [1e-30, 1e-22, 1e-12, 1e12, 1e22, 1e30] {
        let (found, found_spread) = at(scale);
        let same = |a: f64, b: f64| (a - b).abs() <= 1e-5 * b.abs();
        assert!(
            same(found.frobenius.value, scale * moment.frobenius.value),
            "{scale}"
        );
        assert!(
            same(found.frobenius.error, scale * moment.frobenius.error),
            "{scale}"
        );
        assert!(same(
            found.squares.value,
            scale * scale * moment.squares.value
        ));
        assert!(
            same(found.effective_rank.value, moment.effective_rank.value),
            "{scale}"
        );
        assert!(
            same(found_spread.largest, scale * spread.largest),
            "{scale}"
        );
        assert!(same(found_spread.width, scale * spread.width), "{scale}");
        for (a, b) in found_spread.above.iter().zip(&spread.above) {
            assert!((a.value - b.value).abs() < 1e-3, "{scale}: {a:?} {b:?}");
        }
    }
}
