//! What probes cost against plain forwards of the same batch, for networks given on the command
//! line or bundled with the project.
//!
//! ```text
//! cargo bench -p linearscope-benches --bench replay -- net.onnx 1,3,224,224 …
//! ```

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use linearscope_analysis::{
    bench::{BenchConfig, bench},
    progress::unobserved,
};
use linearscope_onnx::Model;

const K: usize = 8;
const ROUNDS: usize = 15;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let given: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let mut networks: Vec<(PathBuf, Vec<usize>)> = Vec::new();
    for pair in given.chunks(2) {
        let [model, shape] = pair else {
            return Err("give MODEL n,c,h,w, any number of times".into());
        };
        let shape = shape.split(',').map(str::parse).collect::<Result<_, _>>()?;
        networks.push((model.into(), shape));
    }
    if networks.is_empty() {
        let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets");
        for (name, shape) in [
            ("vgg/vgg", vec![1, 3, 48, 48]),
            ("vgg_bn/vgg_bn", vec![1, 3, 48, 48]),
            ("pixelshuffle/pixelshuffle", vec![1, 1, 64, 64]),
            ("edsr/edsr", vec![1, 3, 48, 48]),
            ("facade/facade", vec![1, 3, 64, 64]),
        ] {
            networks.push((assets.join(format!("{name}.onnx")), shape));
        }
    }
    let config = BenchConfig::new(&Device::flex())
        .with_k(K)
        .with_rounds(ROUNDS);
    println!("medians of {ROUNDS} rounds, {K} probes, over a plain forward of {K}");
    for (path, shape) in networks {
        let model = Model::load(&path)?;
        let mut many = shape.clone();
        many[0] *= K;
        let (single, many) = (
            model.network(std::slice::from_ref(&shape))?,
            model.network(&[many])?,
        );
        let found = bench(single, many, &config, unobserved)?;
        println!(
            "{:40} {shape:?}: forward {:.1} ms · paired {:.2} · replay {:.2} · adjoint {:.2}",
            path.file_name().unwrap_or_default().display(),
            found.forward_ms,
            found.paired_over_forward,
            found.replay_over_forward,
            found.adjoint_over_forward,
        );
    }
    Ok(())
}
