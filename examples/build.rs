//! Imports ONNX graphs as Burn source with burn-onnx, as any Burn user does.

fn main() {
    let mut models = burn_onnx::ModelGen::new();
    for name in ["vgg", "edsr", "cyclegan"] {
        let path = format!("../assets/graphs/{name}.onnx");
        println!("cargo:rerun-if-changed={path}");
        models.input(&path);
    }
    models.out_dir("imported/").run_from_script();
}
