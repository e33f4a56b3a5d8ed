//! Any bytes: a model or an error, and a network or an error; never a panic, never a hang.
//! `corpus/load` holds files to begin with, of one trick each; `make_corpus.py` made them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use linearscope_onnx::Model;

fuzz_target!(|bytes: &[u8]| {
    let Ok(model) = Model::from_bytes(bytes, "fuzzed.onnx") else {
        return;
    };
    let shapes: Vec<Vec<usize>> = model
        .inputs()
        .iter()
        .map(|input| {
            let size = |dim: &Result<usize, String>| dim.as_ref().map_or(8, |&dim| dim.min(64));
            input.dims.iter().map(size).collect()
        })
        .collect();
    let _ = model.network(&shapes);
});
