//! Weights exist once: shared by the model, its networks and (on Flex) the device.
//!
//! A test binary of its own, since the peak is the process's. `LINEARSCOPE_MEASURE_MB=500` measures
//! a larger model.

#![cfg(target_os = "linux")]

mod made;

use std::{sync::Arc, time::Instant};

use burn_backend::DType;
use burn_flex::{Flex, FlexDevice};
use linearscope::Loaded;
use linearscope_onnx::Model;
use made::{node, proto};
use onnx_ir::{Message, TensorProto};

/// A line of `/proc/self/status`, in MiB: VmRSS now, VmHWM at the peak.
fn status(key: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("a status");
    let line = text
        .lines()
        .find(|line| line.starts_with(key))
        .expect("a line");
    let kib = line.split_whitespace().nth(1).expect("a number");
    kib.parse::<f64>().expect("a number") / 1024.0
}

/// Dense layers of 1024², 4 MiB each.
fn write_model(path: &std::path::Path, layers: usize) {
    let side = 1024i64;
    let mut weights = Vec::new();
    let mut nodes = Vec::new();
    let mut last = "x".to_string();
    for layer in 0..layers {
        let mut weight = TensorProto::new();
        weight.name = format!("w{layer}");
        weight.data_type = 1;
        weight.dims = vec![side, side];
        let numbers = (0..side * side).map(|i| ((i * 7919 + layer as i64) % 1009) as f32 * 1e-5);
        let raw: Vec<u8> = numbers.flat_map(f32::to_le_bytes).collect();
        weight.raw_data = raw.into();
        let next = if layer + 1 == layers {
            "y".into()
        } else {
            format!("h{layer}")
        };
        nodes.push(node("MatMul", &[&last, &weight.name], &next, vec![]));
        last = next;
        weights.push(weight);
    }
    let bytes = proto(&[1, side], nodes, weights).write_to_bytes();
    std::fs::write(path, bytes.expect("a protobuf")).expect("is written");
}

#[test]
fn weights_exist_once() {
    let size = std::env::var("LINEARSCOPE_MEASURE_MB").ok();
    let size: usize = size.and_then(|text| text.parse().ok()).unwrap_or(128);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("large.onnx");
    // Written by a process of its own: the peak is measured in this one.
    if std::env::var_os("LINEARSCOPE_WRITE_LARGE").is_some() {
        let path = std::env::var_os("LINEARSCOPE_WRITE_LARGE").expect("just looked");
        write_model(std::path::Path::new(&path), size / 4);
        return;
    }
    let me = std::env::current_exe().expect("this program");
    let written = std::process::Command::new(me)
        .args(["--exact", "weights_exist_once"])
        .env("LINEARSCOPE_WRITE_LARGE", &path)
        .output()
        .expect("starts");
    assert!(written.status.success(), "{written:?}");
    let size = std::fs::metadata(&path).expect("is there").len() as f64 / 1048576.0;

    let before = status("VmRSS");
    let begun = Instant::now();
    let model = Model::load(&path).expect("loads");
    let seconds = begun.elapsed().as_secs_f64();
    let (loaded, peak) = (status("VmRSS") - before, status("VmHWM") - before);
    let network = model.network(&[vec![1, 1024]]).expect("captures");
    let on_device = Loaded::<Flex>::new(Arc::new(network), FlexDevice, DType::F32).expect("loads");
    let all = status("VmRSS") - before;
    println!(
        "{size:.0} MiB of weights: loaded in {seconds:.2} s; {loaded:.0} MiB held by the model, \
         {peak:.0} MiB at the peak; with a network on Flex {all:.0} MiB, {:.0} MiB at the peak",
        status("VmHWM") - before
    );
    drop((model, on_device));
    assert!(
        loaded < 1.15 * size + 16.0,
        "the model holds {loaded:.0} MiB"
    );
    assert!(peak < 1.15 * size + 16.0, "{peak:.0} MiB at the peak");
    assert!(all < 1.15 * size + 16.0, "with a network {all:.0} MiB");
}
