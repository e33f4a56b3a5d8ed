//! The interpreter in a loss under Burn's `Learner`.

use linearscope_test_support::needs;

/// Without the feature nothing of the `Learner` is compiled.
fn feature() -> Result<(), String> {
    match cfg!(feature = "learner") {
        true => Ok(()),
        false => Err("needs --features linearscope-examples/learner, a hundred more crates".into()),
    }
}

#[cfg(feature = "learner")]
fn train() {
    use burn::{module::Module, tensor::Device};
    use linearscope_examples::training::learner::{Penalised, judged, train};

    let folder = tempfile::tempdir().expect("a folder");
    let fresh = Penalised::new(&Device::flex().autodiff(), 0.5).expect("captures");
    let before = judged(&fresh.valid()).expect("runs");
    let trained = train(folder.path(), 0.5, 150).expect("trains");
    let after = judged(&trained).expect("runs");
    assert!(after < 0.8 * before, "cross entropy {before} to {after}");
}

fn main() -> std::process::ExitCode {
    let name = "the_learner_trains_with_the_residual_in_the_loss";
    needs::run(vec![needs::trial(name, feature, |()| {
        #[cfg(feature = "learner")]
        train();
    })])
}
