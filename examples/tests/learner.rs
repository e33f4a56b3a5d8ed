//! The interpreter in a loss under Burn's `Learner`.
#![cfg(feature = "learner")]

use burn::module::Module;
use burn::tensor::Device;
use linearscope_examples::training::learner::{Penalised, judged, train};

#[test]
fn the_learner_trains_with_the_residual_in_the_loss() {
    let folder = tempfile::tempdir().expect("a folder");
    let fresh = Penalised::new(&Device::flex().autodiff(), 0.5).expect("captures");
    let before = judged(&fresh.valid()).expect("runs");
    let trained = train(folder.path(), 0.5, 150).expect("trains");
    let after = judged(&trained).expect("runs");
    assert!(after < 0.8 * before, "cross entropy {before} to {after}");
}
