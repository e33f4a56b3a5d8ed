//! Entries that are infinite at x₀ in a network whose output is finite.

use super::*;

const INF: f64 = f64::INFINITY;

/// −∞ added to some of three entries a row: a mask as attention has it.
fn mask_added(x: ScopeTensor<Flex>) -> ScopeTensor<Flex> {
    S::float_add(x, constant(&[0.0, -INF, 0.0, 0.0, 0.0, -INF], &[2, 3]))
}

/// Every rule: finite, exact at x₀, the adjoint the transpose, sources of nodes nobody selects finite.
fn under_every_rule(what: &str, shape: &[usize], op: Op) {
    let n = shape.iter().product();
    let mut x0 = Random(3).vector(n);
    x0.iter_mut().for_each(|x| *x = 0.2 + x.abs());
    for rules in [rules(), RuleSet::of(Rule::Taylor)] {
        let what = format!("{what}, {rules:?}");
        let frozen = keeps_promises(&what, &x0, shape, rules, op);
        let r = frozen.apply(&vec![0.0; n], true);
        assert!(r.iter().all(|r| r.is_finite()), "{what}: r = {r:?}");
        // Contributions: ⟨q, b⟩ of each source, as they are summed.
        let outputs = frozen.y0.len();
        let seed = tensor(&vec![1.0; outputs], &[&[1], &frozen.output[..]].concat());
        let seeds = [(frozen.program.outputs()[0], seed)];
        let mut sum = 0.0;
        let program = &frozen.program;
        let found = program.contributions(&seeds, program.inputs(), |_, b, q| {
            let q = numbers(batch::sum_to::<Flex>(q.clone(), &b.shape()));
            let b = numbers(b.clone());
            assert!(q.iter().all(|q| q.is_finite()), "{what}: q = {q:?}");
            // An infinite source must be one that nobody selects.
            let heard = |(q, b): (&f64, &f64)| if *q == 0.0 { 0.0 } else { q * b };
            sum += q.iter().zip(&b).map(heard).sum::<f64>();
            Ok(())
        });
        found.expect("a sweep");
        let total: f64 = r.iter().sum();
        assert!(
            (sum - total).abs() < 1e-12 * (1.0 + total.abs()),
            "{what}: {sum} for {total}"
        );
    }
}

#[test]
fn masks_under_a_softmax() {
    under_every_rule("softmax", &[2, 3], |x| S::softmax(mask_added(x), 1));
    under_every_rule("attention", &[2, 3], |x| {
        let weights = S::softmax(mask_added(x.clone()), 1);
        S::float_matmul(weights, S::float_swap_dims(x, 0, 1))
    });
    under_every_rule("softmin", &[2, 3], |x| {
        S::softmin(S::float_neg(mask_added(x)), 1)
    });
}

/// log softmax is −∞ where the mask is; a selection leaves that out.
#[test]
fn masks_under_a_log_softmax() {
    under_every_rule("log softmax", &[2, 3], |x| {
        let log = S::log_softmax(mask_added(x), 1);
        S::float_max_dim(log, 1)
    });
}

#[test]
fn masks_filled_and_chosen() {
    under_every_rule("mask_fill", &[2, 3], |x| {
        let mask = S::float_greater_elem(x.clone(), scalar(0.7), BoolDType::Native);
        let x = S::float_mask_fill(x, mask, scalar(-INF));
        S::softmax(S::float_cat(vec![x, constant(&[0.5, 0.1], &[2, 1])], 1), 1)
    });
}

/// The border of a pool, running and whole extremes, clips.
#[test]
fn borders_that_never_win() {
    under_every_rule("max pool", &[1, 1, 4, 4], |x| {
        let x = S::float_pad(
            x,
            &[(0, 0), (0, 0), (1, 1), (1, 1)],
            PadMode::Constant(f32::NEG_INFINITY),
        );
        S::max_pool2d(x, [2, 2], [2, 2], [0, 0], [1, 1], false)
    });
    under_every_rule("max", &[2, 3], |x| S::float_max_dim(mask_added(x), 1));
    under_every_rule("min", &[2, 3], |x| {
        S::float_min_dim(S::float_neg(mask_added(x)), 1)
    });
    under_every_rule("clip", &[2, 3], |x| {
        S::float_clamp(mask_added(x), scalar(-1.0), scalar(INF))
    });
    under_every_rule("hard_sigmoid", &[2, 3], |x| {
        S::hard_sigmoid(mask_added(x), scalar(0.2), scalar(0.5))
    });
    under_every_rule("relu", &[2, 3], |x| S::relu(mask_added(x)));
}

/// Smooth functions with a limit at infinity keep it.
#[test]
fn smooth_functions_at_infinity() {
    under_every_rule("exp", &[2, 3], |x| S::float_exp(mask_added(x)));
    under_every_rule("sigmoid", &[2, 3], |x| S::sigmoid(mask_added(x)));
    under_every_rule("tanh", &[2, 3], |x| S::float_tanh(mask_added(x)));
    under_every_rule("erf", &[2, 3], |x| S::float_erf(mask_added(x)));
    under_every_rule("log of 0, not chosen", &[2, 3], |x| {
        let x = S::float_log(S::relu(S::float_sub_scalar(x, scalar(0.6))));
        S::float_max(S::float_cat(vec![x, constant(&[-3.0, -2.0], &[2, 1])], 1))
    });
}
