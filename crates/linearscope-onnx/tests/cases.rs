//! Small models of the shared data whose outputs onnxruntime gave: `model.onnx`, `x.npy`, `y.npy`.

use std::path::{Path, PathBuf};

use burn_backend::{TensorData, TensorMetadata, ops::FloatTensorOps};
use burn_flex::{Flex, FlexDevice};
use linearscope_onnx::{Error, Model};
use linearscope_test_support::{machine, needing, needs};

fn numbers(path: &Path) -> (Vec<f32>, Vec<usize>) {
    let file = std::fs::read(path).expect("reads");
    let array = npyz::NpyFile::new(&file[..]).expect("an array");
    let shape = array.shape().iter().map(|&size| size as usize).collect();
    (array.into_vec::<f32>().expect("floats"), shape)
}

fn right(folder: PathBuf) {
    for name in [
        "resize-align-corners",
        "pad-inf",
        "softmax-minus-inf-taylor",
        "ceil-window-larger",
        "unsorted",
    ] {
        let case = folder.join(name);
        let model = Model::load(case.join("model.onnx")).expect("opens");
        let (x, shape) = numbers(&case.join("x.npy"));
        let x = Flex::float_from_data(TensorData::new(x, shape), &FlexDevice);
        let y = model.run::<Flex>(vec![x], &FlexDevice).expect("runs");
        let y = y.into_iter().next().expect("an output");
        let (expected, shape) = numbers(&case.join("y.npy"));
        assert_eq!(y.shape().to_vec(), shape, "{name}");
        for (a, b) in linearscope::host::<Flex>(y)
            .expect("reads")
            .iter()
            .zip(&expected)
        {
            let b = f64::from(*b);
            assert!(
                (a - b).abs() <= 1e-6 * (1.0 + b.abs()),
                "{name}: {a} for {b}"
            );
        }
    }
}

fn without_elements(folder: PathBuf) {
    let case = folder.join("empty-output");
    let model = Model::load(case.join("model.onnx")).expect("opens");
    let error = model
        .network(&[numbers(&case.join("x.npy")).1])
        .unwrap_err();
    assert!(matches!(error, Error::Empty { .. }), "{error:?}");
}

fn main() -> std::process::ExitCode {
    needs::run(needing!(|| machine::shared("cases") => right, without_elements))
}
