//! ◆ How far the linear reading holds: just inside the validity radius the network and its interpreter
//! agree to rounding, just outside they do not.

use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use linearscope::{Error, RuleSet};
use linearscope_analysis::{
    FrozenNetwork, LinearOperator, noise,
    validity::{growth, radii},
};
use linearscope_tests::{assets, network, pseudo_input, random};

fn frozen(network: linearscope::Network, x0: TensorData) -> FrozenNetwork {
    let loaded = FrozenNetwork::load(network, &Device::flex(), FloatDType::F64).expect("loads");
    FrozenNetwork::new(loaded, x0, RuleSet::default()).expect("freezes")
}

fn bundled(name: &str, shape: [usize; 4]) -> FrozenNetwork {
    let path = assets().join(format!("{name}/{name}.onnx"));
    frozen(network(&path, &shape), pseudo_input(&shape, 1.0, 7))
}

/// How many units of the network frozen at x₀ + t d decided otherwise.
fn flipped(f: &FrozenNetwork, d: &Tensor<2>, t: f64) -> usize {
    let x = (f.x0() + d.clone() * t).into_data();
    let x = TensorData::new(x.iter::<f64>().collect(), f.input_shape().to_vec());
    let loaded = f.frozen().loaded().clone();
    let there = FrozenNetwork::new(loaded, x, RuleSet::default()).expect("freezes");
    let (here, there) = (
        f.recorded().expect("recorded").program(),
        there.recorded().expect("recorded").program(),
    );
    let flips = here.flips(there).expect("one network");
    flips.iter().map(|flip| flip.flipped).sum()
}

/// Along random directions: exact to rounding and no decision changed a thousandth before, one changed
/// a thousandth behind. How many of these are heard in the output a hundredth behind: a unit that loses
/// a pool, or that nobody reads, is not.
fn assert_radii(f: &FrozenNetwork, name: &str) -> usize {
    const DIRECTIONS: usize = 4;
    let n = f.input_len();
    let directions = f.upload(noise(DIRECTIONS * n, 11), n);
    let found = radii(f, directions.clone()).expect("piecewise linear");
    let mut heard = 0;
    for j in 0..DIRECTIONS {
        let t = found.radii[j];
        assert!(t.is_finite() && t > 0.0, "{name}: {t}");
        assert!(!found.by[j].is_empty());
        let d = directions.clone().narrow(0, j, 1);
        let gaps = growth(f, d.clone(), &[0.5 * t, 0.999 * t, 1.01 * t]).expect("runs");
        assert!(
            gaps[0] < 1e-13 && gaps[1] < 1e-13,
            "{name} within {t}: {gaps:?}"
        );
        heard += usize::from(gaps[2] > 100.0 * gaps[1].max(gaps[0]));
        // The decisions themselves, frozen anew on either side.
        assert_eq!(flipped(f, &d, 0.999 * t), 0, "{name} within {t}");
        assert!(flipped(f, &d, 1.001 * t) > 0, "{name} beyond {t}");
        let least = found.decisions.iter().map(|layer| layer.first[j]);
        assert_eq!(least.fold(f64::INFINITY, f64::min), t);
    }
    println!(
        "{name}: {heard} of {DIRECTIONS} first flips are heard, radii {:?}",
        found.radii
    );
    heard
}

#[test]
fn just_inside_exact_just_outside_not() {
    let mut heard = 0;
    for (name, shape) in [
        ("vgg", [1, 3, 48, 48]),
        ("vgg_bn", [1, 3, 48, 48]),
        ("pixelshuffle", [1, 1, 24, 24]),
        ("edsr", [1, 3, 16, 16]),
    ] {
        let f = bundled(name, shape);
        heard += assert_radii(&f, name);
    }
    assert!(heard >= 8, "{heard} of 16");
}

/// The refusal names the node; how the error grows is told for any network, from second order on.
#[test]
fn smooth_networks_are_refused_and_their_error_grows() {
    let f = bundled("facade", [1, 3, 32, 32]);
    let d = f.upload(noise(f.input_len(), 3), f.input_len());
    match radii(&f, d.clone()) {
        Err(linearscope_analysis::Error::Engine(Error::NotPiecewise { node, rule })) => {
            assert!(!node.is_empty() && !rule.is_empty());
        }
        other => panic!("{other:?}"),
    }
    let gaps = growth(&f, d, &[0.0, 1e-3, 1e-2, 1e-1]).expect("runs");
    assert!(gaps[0] < 1e-12, "{gaps:?}");
    assert!(
        gaps[1] > gaps[0] && gaps[2] > gaps[1] && gaps[3] > gaps[2],
        "{gaps:?}"
    );
}

/// Units exactly at their kink are counted, and what a direction pushes across has no radius.
#[test]
fn units_at_their_kink_are_counted_apart() {
    let path = assets().join("vgg/vgg.onnx");
    let shape = [1, 3, 48, 48];
    let zeros = TensorData::new(vec![0.0; 3 * 48 * 48], shape);
    let f = frozen(network(&path, &shape), zeros);
    let d = f.upload(noise(f.input_len(), 5), f.input_len());
    let found = radii(&f, d).expect("piecewise linear");
    // A picture of one colour: in a pool's window all cells of the inside are equal.
    assert!(found.at_kink > 0);
    assert_eq!(found.radii[0], 0.0);
    assert!(!found.by[0].is_empty());
    // Nor is it exact next to x₀, where without such units it would be to rounding.
    let d = f.upload(noise(f.input_len(), 5), f.input_len());
    let gap = growth(&f, d, &[1e-9]).expect("grows")[0];
    assert!(gap > 1e-14, "{gap:e}");
}

/// Random networks: the ones that are piecewise linear hold, the others refuse.
#[test]
fn random_networks_hold_or_refuse() {
    let (mut held, mut refused) = (0, 0);
    for seed in 0..120 {
        let (network, x0) = random::Recipe::number(seed).network();
        let f = frozen(network, x0);
        let n = f.input_len();
        let d = f.upload(noise(n, seed), n);
        match radii(&f, d.clone()) {
            Err(linearscope_analysis::Error::Engine(Error::NotPiecewise { .. })) => refused += 1,
            Err(error) => panic!("network {seed}: {error}"),
            Ok(found) => {
                let t = found.radii[0];
                if !t.is_finite() {
                    let gaps = growth(&f, d, &[1.0, 100.0]).expect("runs");
                    assert!(
                        gaps.iter().all(|gap| *gap < 1e-12),
                        "network {seed}: {gaps:?}"
                    );
                    continue;
                }
                held += 1;
                let gaps = growth(&f, d, &[0.999 * t]).expect("runs");
                assert!(gaps[0] < 1e-12, "network {seed} within {t}: {gaps:?}");
            }
        }
    }
    println!("{held} held, {refused} refused");
    assert!(held >= 5 && refused >= 5, "{held} held, {refused} refused");
}
