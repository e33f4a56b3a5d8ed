//! Imports the ONNX assets as Burn source with burn-onnx.
fn main() {
    let _ = burn_onnx::ModelGen::new();
}
