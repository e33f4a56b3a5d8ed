//! What is refused, and what a decision becomes.

use super::*;

/// Ops without a rule refuse by name, and the error survives everything after it.
#[test]
fn ops_without_a_rule_refuse_by_name() {
    let refused = |op: Op| {
        let frozen = Frozen::new(&[0.5, 1.5], &[2], rules(), |x| S::relu(S::float_neg(op(x))));
        match frozen {
            Err(Error::NoRule { place, shape, .. }) => {
                assert_eq!(shape, [2]);
                place.op
            }
            Err(other) => panic!("another error: {other}"),
            Ok(_) => panic!("not refused"),
        }
    };
    assert_eq!(refused(S::float_round), "float_round");
    assert_eq!(refused(S::float_sign), "float_sign");
    assert_eq!(refused(|x| S::float_cumprod(x, 0)), "float_cumprod");
    assert_eq!(refused(|x| S::float_atan2(x.clone(), x)), "float_atan2");
    // Reading the data of a probed tensor would hide a dependence.
    let read = Frozen::new(&[0.5], &[1], rules(), |x| {
        let data = burn_backend::read_sync(S::float_into_data(x.clone())).expect("reads");
        assert_eq!(data.num_elements(), 1);
        x
    });
    assert!(matches!(read, Err(Error::DataRead { .. })));
}

/// A window that lies wholly in the padding takes no cell: no panic, no made-up switch.
#[test]
fn a_window_of_padding_is_an_error() {
    let frozen = Frozen::new(&[1.0, 2.0], &[1, 1, 2], rules(), |x| {
        S::max_pool1d(x, 2, 1, 1, 3, false)
    });
    let Err(Error::Data(why)) = frozen else {
        panic!("not refused");
    };
    assert!(why.contains("padding"), "{why}");
}

/// Tensors of two runs that meet in one op are an error of both.
#[test]
fn runs_that_meet_are_an_error() {
    let probed = || {
        let run = crate::run::Run::<Flex>::recording(rules());
        let x0 = tensor(&[1.0, 2.0], &[2]);
        let tracer = run.input(0, &x0);
        (run, ScopeTensor::traced(x0, tracer))
    };
    type Two = fn(ScopeTensor<Flex>, ScopeTensor<Flex>) -> ScopeTensor<Flex>;
    let ops: [Two; 3] = [S::float_add, S::float_mul, S::float_div];
    for op in ops {
        let ((a, x), (b, y)) = (probed(), probed());
        op(x, y);
        assert!(matches!(a.error(), Some(Error::RunsMeet { .. })));
        assert!(matches!(b.error(), Some(Error::RunsMeet { .. })));
    }
    // Also where only the reference is read.
    let ((a, x), (b, y)) = (probed(), probed());
    S::float_greater(x, y, BoolDType::Native);
    assert!(matches!(a.error(), Some(Error::RunsMeet { .. })));
    assert!(matches!(b.error(), Some(Error::RunsMeet { .. })));
}

/// A float made of a decision is a constant of the affine system, and is noted.
#[test]
fn decisions_become_sources() {
    let frozen = Frozen::new(&[0.5, -0.5], &[2], rules(), |x| {
        let sign = S::float_greater_elem(x.clone(), scalar(0.0), BoolDType::Native);
        let sign = S::bool_into_float(sign, burn_backend::FloatDType::F64);
        S::float_add(x, sign)
    })
    .expect("freezes");
    assert_close(
        "decision",
        &frozen.apply(&[2.0, 3.0], true),
        &[3.0, 3.0],
        0.0,
    );
    assert_close(
        "homogeneous",
        &frozen.apply(&[2.0, 3.0], false),
        &[2.0, 3.0],
        0.0,
    );
}
