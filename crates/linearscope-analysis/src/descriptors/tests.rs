//! Pictures whose place, direction and band are known from how they are made.

use std::f64::consts::{LN_2, PI, TAU};

use super::{
    Descriptor, describe, describe_all,
    frequency::{band, rings},
};
use crate::noise;

const N: usize = 96;

fn picture(of: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    (0..N * N)
        .map(|i| of((i / N) as f64, (i % N) as f64))
        .collect()
}

/// exp(−r²/2σ²) cos(2π f (x cos a + y sin a)) about `[y, x]`.
fn gabor([cy, cx]: [f64; 2], sigma: f64, frequency: f64, degrees: f64) -> Vec<f64> {
    let (sin, cos) = degrees.to_radians().sin_cos();
    picture(|y, x| {
        let (y, x) = (y - cy, x - cx);
        let envelope = (-(x * x + y * y) / (2.0 * sigma * sigma)).exp();
        envelope * (TAU * frequency * (x * cos + y * sin)).cos()
    })
}

fn measured(values: &[f64]) -> Descriptor {
    describe(values, &[1, N, N]).expect("a picture")
}

#[test]
fn gabor_patches_are_what_they_were_made_of() {
    for (sigma, frequency) in [(4.0, 0.15), (6.0, 0.1), (5.0, 0.22), (9.0, 0.08)] {
        for degrees in [0.0, 22.5, 45.0, 71.0, 90.0, 120.0, 157.5] {
            let at = [50.3, 41.8];
            let found = measured(&gabor(at, sigma, frequency, degrees));
            let what = format!("σ {sigma}, f {frequency}, {degrees}°: {found:?}");
            for (found, expected) in found.centroid.iter().zip(at) {
                assert!((found - expected).abs() < 0.02, "{what}");
            }
            assert!((found.spread / sigma - 1.0).abs() < 0.01, "{what}");
            // ⟨cos²⟩²/⟨cos⁴⟩ = ⅔ of the envelope's 2πσ².
            let area = 4.0 / 3.0 * PI * sigma * sigma;
            assert!((found.area / area - 1.0).abs() < 0.02, "{what}");
            assert!(
                (found.coverage - found.area / 9216.0).abs() < 1e-12,
                "{what}"
            );
            let turn = (found.angle - degrees).rem_euclid(180.0);
            assert!(turn.min(180.0 - turn) < 1.0, "{what}");
            assert!(found.coherence > 0.85, "{what}");
            assert!(
                (found.band.frequency / frequency - 1.0).abs() < 0.05,
                "{what}"
            );
            // The half-power width of a Gaussian of standard deviation 1/2πσ in amplitude.
            let half = LN_2.sqrt() / (TAU * sigma);
            let octaves = ((frequency + half) / (frequency - half)).log2();
            assert!(
                (found.band.octaves / octaves - 1.0).abs() < 0.15,
                "{what}, {octaves}"
            );
            assert!(found.band.mean < 1e-3, "{what}");
        }
    }
}

/// A cosine transform's pictures cover everything, have one frequency, and no band to speak of.
#[test]
fn pictures_of_a_cosine_transform_cover_everything() {
    let cosine = |ky: f64, kx: f64| {
        let n = N as f64;
        measured(&picture(|y, x| {
            (PI * ky * (y + 0.5) / n).cos() * (PI * kx * (x + 0.5) / n).cos()
        }))
    };
    for (ky, kx, angle) in [(0.0, 24.0, 0.0), (30.0, 0.0, 90.0)] {
        let found = cosine(ky, kx);
        // ⟨cos²⟩²/⟨cos⁴⟩ = ⅔ of all.
        assert!((found.coverage - 2.0 / 3.0).abs() < 0.01, "{found:?}");
        let turn = (found.angle - angle).rem_euclid(180.0);
        assert!(
            turn.min(180.0 - turn) < 0.1 && found.coherence > 0.999,
            "{found:?}"
        );
        assert!((found.band.frequency - ky.max(kx) / (2.0 * N as f64)).abs() < 0.003);
        assert!(found.band.octaves < 0.2, "{found:?}");
    }
    let both = cosine(20.0, 40.0);
    assert!((both.coverage - 4.0 / 9.0).abs() < 0.01, "{both:?}");
    assert!((both.spread - (2.0 * 9216.0 / 12.0f64).sqrt()).abs() < 0.5);
    let frequency = 20f64.hypot(40.0) / (2.0 * N as f64);
    assert!(
        (both.band.frequency / frequency - 1.0).abs() < 0.02,
        "{both:?}"
    );
    // The same at all four corners of the spectrum: (40² − 20²)/(40² + 20²), softened by the filters.
    assert!((0.5..0.7).contains(&both.coherence), "{both:?}");
    let alike = cosine(30.0, 30.0);
    assert!(alike.coherence < 0.01, "{alike:?}");
}

#[test]
fn a_single_pixel_is_local_and_white_and_points_nowhere() {
    let mut delta = vec![0.0; N * N];
    delta[30 * N + 60] = -2.0;
    let found = measured(&delta);
    assert_eq!(
        (found.centroid, found.spread, found.area),
        ([30.0, 60.0], 0.0, 1.0)
    );
    assert!(found.coherence < 1e-9, "{found:?}");
    // Flat to the corner of the spectrum at √½.
    let octaves = (0.8805f64 / 0.1195).log2();
    assert!((found.band.octaves - octaves).abs() < 0.05, "{found:?}");
    assert!(
        (found.band.frequency - 0.5f64.sqrt() / 2.0).abs() < 0.01,
        "{found:?}"
    );
}

#[test]
fn noise_covers_everything_and_points_nowhere() {
    for seed in 0..4 {
        let found = describe(&noise(3 * N * N, seed), &[1, 3, N, N]).unwrap();
        // Three channels of uniform numbers: (3·⅓)² / (3·⅕ + 6·⅑) = 1/1.2667.
        assert!((found.coverage - 1.0 / 1.2667).abs() < 0.02, "{found:?}");
        assert!(found.coherence < 0.05, "{found:?}");
        assert!((2.6..3.1).contains(&found.band.octaves), "{found:?}");
        let even = ((2 * N * N - 2) as f64 / 12.0).sqrt();
        assert!((found.spread / even - 1.0).abs() < 0.02);
    }
}

#[test]
fn a_constant_is_all_mean() {
    let found = measured(&vec![0.7; N * N]);
    assert!((found.coverage - 1.0).abs() < 1e-12 && (found.band.mean - 1.0).abs() < 1e-12);
    assert!((found.band.octaves - (0.8805f64 / 0.1195).log2()).abs() < 1e-6);
    assert!((found.spread - ((2 * N * N - 2) as f64 / 12.0).sqrt()).abs() < 1e-9);
    assert!(found.angle.is_nan() && found.coherence.is_nan());
}

/// Rings against the definition: every frequency by its own sum, both halves of the plane.
#[test]
fn rings_are_the_means_of_the_spectrum() {
    for (h, w) in [(6, 9), (8, 8), (7, 5), (2, 4)] {
        let values = noise(2 * h * w, 3);
        let finest = h.max(w) as f64;
        let mut sums = vec![(0.0, 0); 20];
        for u in 0..h {
            for v in 0..w {
                let signed = |k: usize, n: usize| {
                    let k = if 2 * k > n {
                        k as f64 - n as f64
                    } else {
                        k as f64
                    };
                    k / n as f64
                };
                let power: f64 = values
                    .chunks(h * w)
                    .map(|channel| {
                        let (mut re, mut im) = (0.0, 0.0);
                        for (i, value) in channel.iter().enumerate() {
                            let turns =
                                (i / w * u) as f64 / h as f64 + (i % w * v) as f64 / w as f64;
                            re += value * (TAU * turns).cos();
                            im -= value * (TAU * turns).sin();
                        }
                        re * re + im * im
                    })
                    .sum();
                let ring = (signed(u, h).hypot(signed(v, w)) * finest).round() as usize;
                sums[ring] = (sums[ring].0 + power, sums[ring].1 + 1);
            }
        }
        let found = rings(&values, [h, w]);
        for (ring, &(sum, count)) in sums.iter().enumerate() {
            let expected = if count > 0 {
                sum / f64::from(count)
            } else {
                0.0
            };
            let got = found.get(ring).copied().unwrap_or(0.0);
            assert!(
                (got - expected).abs() <= 1e-9 * (1.0 + expected),
                "{h}×{w} ring {ring}"
            );
        }
        assert!(band(&values, [h, w]).is_some());
    }
}

/// A patch may lie one way and its stripes run another.
#[test]
fn the_patch_lies_where_it_was_laid() {
    for degrees in [0.0, 30.0, 90.0, 145.0f64] {
        let (sin, cos) = degrees.to_radians().sin_cos();
        // Standard deviations 9 along and 3 across, with a checkerboard a pixel wide.
        let found = measured(&picture(|y, x| {
            let (dy, dx) = (y - 47.0, x - 46.0);
            let (along, across) = (dx * cos + dy * sin, dy * cos - dx * sin);
            let sign = if (y + x) % 2.0 == 0.0 { 1.0 } else { -1.0 };
            sign * (-(along / 9.0).powi(2) / 2.0 - (across / 3.0).powi(2) / 2.0).exp()
        }));
        let turn = (found.axis - degrees).rem_euclid(180.0);
        assert!(turn.min(180.0 - turn) < 0.5, "{degrees}: {found:?}");
        assert!((found.elongation - 0.8).abs() < 0.01, "{found:?}");
        // The corner of the spectrum.
        assert!(
            (found.band.frequency - 0.5f64.sqrt()).abs() < 0.03,
            "{found:?}"
        );
    }
}

/// What does not depend on scale, sign or place in the stack.
#[test]
fn scale_and_sign_do_not_matter_and_vectors_are_no_pictures() {
    let one = gabor([40.0, 40.0], 5.0, 0.2, 30.0);
    let other: Vec<f64> = one.iter().map(|v| -1e-30 * v).collect();
    let found = describe_all(&[one.clone(), other].concat(), &[1, 1, N, N]).unwrap();
    assert_eq!(found.len(), 2);
    assert!((found[0].spread - found[1].spread).abs() < 1e-9);
    assert!((found[0].area - found[1].area).abs() < 1e-6);
    assert!((found[0].band.octaves - found[1].band.octaves).abs() < 1e-9);
    assert_eq!(describe(&[1.0, 2.0], &[1, 2]), None);
    assert_eq!(describe(&[1.0; 4], &[4, 1, 1]), None);
    assert_eq!(describe(&vec![0.0; N * N], &[N, N]), None);
    assert_eq!(describe(&[1.0; 8], &[2, 1, 2, 2]), None);
}
