//! The training examples, in a short form: the loss and the penalty fall.

use std::sync::{Mutex, PoisonError};

use linearscope_examples::training::{classifier, upscaler, write};

/// Both seed the device's one generator; they take turns.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn a_classifier_learns_and_leaves_less_to_its_residual() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let plain = classifier::train("plain", 0.0, 160).expect("trains");
    let penalised = classifier::train("penalised", 0.3, 160).expect("trains");
    let ends = |values: &[f64]| (values[0], *values.last().expect("values"));
    let (before, after) = ends(penalised.values("accuracy"));
    assert!(after > before + 0.4, "accuracy {before} to {after}");
    let share = "share of the residual";
    let (before, after) = ends(penalised.values(share));
    let (_, without) = ends(plain.values(share));
    assert!(after < 0.8 * before, "share {before} to {after}");
    assert!(after < 0.8 * without, "share {after}, plainly {without}");

    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "c", "Title", &[], &[plain, penalised]).expect("writes");
    let csv = std::fs::read_to_string(folder.path().join("c.csv")).expect("a file");
    assert!(csv.starts_with("step,accuracy (plain),share of the residual (plain),"));
    assert_eq!(csv.lines().count(), 22);
    for name in ["c.png", "c.svg"] {
        assert!(folder.path().join(name).is_file());
    }
}

#[test]
fn an_upscaler_learns_and_gets_compact_columns() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let plain = upscaler::train("plain", 0.0, 100).expect("trains");
    let penalised = upscaler::train("penalised", 0.1, 100).expect("trains");
    let ends = |values: &[f64]| (values[0], *values.last().expect("values"));
    let (before, after) = ends(penalised.values("PSNR, dB"));
    assert!(after > before + 6.0, "PSNR {before} to {after}");
    let spread = "spread of columns, px²";
    let (_, after) = ends(penalised.values(spread));
    let (_, without) = ends(plain.values(spread));
    assert!(after < 0.85 * without, "spread {after}, plainly {without}");
}
