//! Real classifiers on real pictures.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use burn::tensor::{Device, FloatDType, TensorData};
use linearscope::{Kernels, RuleSet};
use linearscope_analysis::{
    FrozenNetwork,
    contribution::{self, aggregate, contributions},
    vectors::read,
};
use linearscope_onnx::Model;
use linearscope_preprocess::Recipe;
use serde_json::Value;

/// The labelled pictures, the class of each, and its probability.
fn curated(data: &Path) -> Vec<(PathBuf, usize, f64)> {
    let folder = data.join("images/imagenet_curated");
    let text = std::fs::read_to_string(folder.join("labels.json")).expect("labels");
    let labels: BTreeMap<String, serde_json::Value> = serde_json::from_str(&text).expect("labels");
    labels
        .iter()
        .map(|(name, of)| {
            let class = of["class"].as_u64().expect("a class") as usize;
            let probability = of["squeezenet1.1_p"].as_f64().expect("a probability");
            (folder.join(name), class, probability)
        })
        .collect()
}

/// What the program prints and writes of a folder of pictures, with a recipe as its user would write it.
fn from_the_command_line(model: &Path, pictures: &Path) -> (String, Value) {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path().join("squeezenet1.1.onnx");
    std::fs::copy(model, &here).expect("a model");
    let recipe = "# As torchvision's ImageNet classifiers are tested.\nresize = 256\ncrop = 224\n\
                  mean = [0.485, 0.456, 0.406]\nstd = [0.229, 0.224, 0.225]\n";
    std::fs::write(folder.path().join("squeezenet1.1.toml"), recipe).expect("writes");
    let out = folder.path().join("out");
    let run = Command::new(env!("CARGO_BIN_EXE_linearscope"))
        .arg("contributions")
        .arg(&here)
        .arg("--input")
        .arg(pictures)
        .arg("--out")
        .arg(&out)
        .output()
        .expect("runs");
    let told = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{told}");
    let summary = std::fs::read_to_string(out.join("imagenet_curated/contributions/summary.json"))
        .expect("a summary");
    (
        String::from_utf8(run.stdout).expect("text"),
        serde_json::from_str(&summary).expect("JSON"),
    )
}

/// squeezenet1.1's residual share of the best score over 26 labelled pictures: PyTorch's, and the same digits from the
/// library, from the program and in docs/book/src/contributions.md, which has them from `linearscope-trainer -- shares`. The sum of
/// contributions is the score, picture by picture.
pub(crate) fn residual_shares_are_the_same_everywhere(data: PathBuf) {
    let path = data.join("models/squeezenet1.1.onnx");
    let model = Model::load(&path).expect("reads");
    let network = model.network(&[vec![1, 3, 224, 224]]).expect("is captured");
    let (network, _) = network.without_final_softmax();
    let loaded = FrozenNetwork::load(network, &Device::flex(), FloatDType::F32).expect("loads");
    // The program's kernels, so that its digits are these.
    let loaded = Arc::new(loaded.with_kernels(Kernels::Own).expect("on the CPU"));
    let preprocess = Recipe::imagenet().for_channels(3).expect("a recipe");
    let (mut set, mut off) = (Vec::new(), 0.0);
    for (path, class, stated) in curated(&data) {
        let input = preprocess.read(&path).expect("a picture").to_f32();
        let input = TensorData::new(input, [1, 3, 224, 224]);
        let f = FrozenNetwork::new(loaded.clone(), input, RuleSet::default()).expect("freezes");
        let best = contribution::top1(&f).expect("scores");
        assert_eq!(best, class, "{}", path.display());
        let y = read(f.reference()).expect("scores");
        let sum: f64 = y.iter().map(|v| (v - y[best]).exp()).sum();
        off += (1.0 / sum - stated).abs();
        let found = contributions(&f, best).expect("contributions");
        let sum: f64 = found.layers.iter().map(|layer| layer.value).sum();
        assert!(
            (sum - found.score).abs() < 1e-4 * found.score.abs(),
            "{}: {sum} and {}",
            path.display(),
            found.score
        );
        set.push(found);
    }
    let over = aggregate(&set).expect("a set");
    let share = over.residual_share;
    println!(
        "squeezenet1.1: residual share {:.2} ± {:.2} % over {} pictures, gap {:.1e}, p off by {:.4}",
        100.0 * share.mean,
        100.0 * share.std,
        over.pictures,
        over.gap,
        off / 26.0
    );
    assert_eq!((over.pictures, over.not_positive), (26, 0));
    // tests/reference/residual_share.py: 88.47 ± 9.71 by torchvision and autograd. On the pixels of this library PyTorch
    // finds 88.45 ± 9.72: what is left is JPEG decoding, a level here and there.
    assert!((100.0 * share.mean - 88.47).abs() < 0.03, "{}", share.mean);
    assert!((100.0 * share.std - 9.71).abs() < 0.03, "{}", share.std);
    // The probabilities stated beside the pictures are another program's; torchvision's own are 0.0047 off them.
    assert!(
        off / 26.0 < 0.01,
        "probabilities are off by {:.4}",
        off / 26.0
    );

    let (printed, summary) = from_the_command_line(&path, &data.join("images/imagenet_curated"));
    let line = format!("residual share {},", share.percent());
    assert!(printed.contains(&line), "{line} is not in\n{printed}");
    // Not only as printed: the same pixels, the same arithmetic.
    let theirs = &summary["over"]["residual_share"];
    assert_eq!(theirs["mean"].as_f64(), Some(share.mean));
    assert_eq!(theirs["std"].as_f64(), Some(share.std));
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/book/src/contributions.md");
    let docs = std::fs::read_to_string(docs).expect("the documentation");
    let row = format!("| squeezenet1.1 | 26 | {} |", share.percent());
    assert!(
        docs.contains(&row),
        "{row} is not in docs/book/src/contributions.md"
    );
}
