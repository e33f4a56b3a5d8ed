//! `zoo:NAME`: the paper's networks in the place of a file, with weights that the test makes.

use std::{collections::BTreeMap, fs, path::Path};

use burn::tensor::{Device, FloatDType, TensorData};
use linearscope::RuleSet;
use linearscope_analysis::{FrozenNetwork, projection, vectors::read};
use linearscope_test_support::numbers::signed;
use linearscope_zoo::Architecture;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::folder::{Folder, assets, close, picture};

fn cat() -> String {
    assets().join("pictures/cat.png").display().to_string()
}

/// A state dict of seeded numbers for a network without norms, as safetensors: a length, JSON, and the tensors.
fn weights(folder: &Folder, name: &str, file: &str) {
    weights_and(folder, name, file, &[]);
}

/// The same, with tensors of one number besides.
fn weights_and(folder: &Folder, name: &str, file: &str, more: &[&str]) {
    let network = Architecture::named(name)
        .expect("known")
        .init(&Device::flex());
    let (mut header, mut data) = (BTreeMap::new(), Vec::new());
    for (number, parameter) in network.parameters().into_iter().enumerate() {
        let count: usize = parameter.shape.iter().product();
        let scale = match parameter.shape[..] {
            [_] => 0.05,
            [_, ref fan @ ..] => (6.0 / fan.iter().product::<usize>() as f64).sqrt(),
            [] => 1.0,
        };
        let begin = data.len();
        for value in signed(count, 1000 * number) {
            data.extend(((scale * value) as f32).to_le_bytes());
        }
        let entry = json!({ "dtype": "F32", "shape": parameter.shape, "data_offsets": [begin, data.len()] });
        header.insert(parameter.name, entry);
    }
    for name in more {
        let begin = data.len();
        data.extend(1f32.to_le_bytes());
        let entry = json!({ "dtype": "F32", "shape": [1], "data_offsets": [begin, data.len()] });
        header.insert((*name).into(), entry);
    }
    let header = serde_json::to_vec(&header).expect("JSON");
    let length = (header.len() as u64).to_le_bytes().to_vec();
    fs::write(folder.path(file), [length, header, data].concat()).expect("written");
}

/// What a row of the frozen network is by the library, with weights from the file, at an array of the program's.
fn row(
    folder: &Folder,
    name: &str,
    file: &str,
    (x, shape): (&[f64], &[usize]),
    at: usize,
) -> Vec<f64> {
    let mut network = Architecture::named(name)
        .expect("known")
        .init(&Device::flex());
    network.load(folder.path(file)).expect("its weights");
    let graph = network
        .network(shape.try_into().expect("four axes"))
        .expect("captured");
    let loaded = FrozenNetwork::load(graph, &Device::flex(), FloatDType::F64).expect("loads");
    let x0 = TensorData::new(x.to_vec(), shape.to_vec());
    let frozen = FrozenNetwork::new(loaded, x0, RuleSet::default()).expect("freezes");
    read(projection::rows(&frozen, &[at]).expect("a row")).expect("numbers")
}

/// A classifier: its recipe, its weights' hash, and a row that the library computes, too.
#[test]
fn a_classifier_of_the_zoo_is_what_the_library_makes_of_it() {
    let folder = Folder::new();
    let (name, file) = ("squeezenet1_1", "made.safetensors");
    weights(&folder, name, file);
    let model = format!("zoo:{name}@{file}");
    // The network ends in a ReLU: a row of a score that it lets through.
    let sizes = ["--resize", "72", "--crop", "64"];
    let first = ["run", &model, "--input", &cat(), "--out", "first"];
    folder.ok(&[&first[..], &sizes].concat());
    let (scores, _) = folder.npy("first/output.npy");
    let best = (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let best = best.expect("a score");
    let args = [
        "row",
        &model,
        "--input",
        &cat(),
        "--target",
        &best.to_string(),
        "--dtype",
        "f64",
        "--out",
        "o",
    ];
    let output = folder.run(&[&args[..], &sizes].concat());
    let (said, told) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    assert!(output.status.success(), "{told}");
    assert!(
        said.contains("zoo:squeezenet1_1 · cat.png 1×3×64×64 → 1×1000"),
        "{said}"
    );
    assert!(
        told.contains("mean 0.485,0.456,0.406 (zoo)") && told.contains("crop 64 (flag)"),
        "{told}"
    );
    let (x0, shape) = folder.npy("o/x0.npy");
    let known = Architecture::named(name).expect("known");
    let recipe = known.recipe().with_resize(72).with_crop(64);
    let read = recipe
        .for_channels(3)
        .expect("fits")
        .read(Path::new(&cat()))
        .expect("a picture");
    assert!(close(&x0, &read.values, 1e-12));
    let (found, _) = folder.npy("o/row.npy");
    let expected = row(&folder, name, file, (&x0, &shape), best);
    assert!(expected.iter().any(|v| *v != 0.0), "a row of zeros");
    assert!(close(&found, &expected, 1e-9));

    let manifest = folder.json("o/manifest.json");
    let bytes = fs::read(folder.path(file)).expect("there");
    let hash: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(manifest["model"]["sha256"], hash);
    assert_eq!(manifest["model"]["file"], model);
    assert_eq!(manifest["model"]["weights"], file);
    let parameters = manifest["model"]["parameters"].as_u64().unwrap() as usize;
    assert!(bytes.len() > 4 * parameters && parameters == 1_235_496);
    assert_eq!(manifest["recipe"]["from"]["mean"], "zoo");
    assert_eq!(manifest["recipe"]["from"]["crop"], "flag");
    // Without flags the recipe's own sizes.
    folder.ok(&["run", &model, "--input", &cat(), "--out", "d"]);
    assert_eq!(folder.npy("d/x0.npy").1, [1, 3, 224, 224]);
}

/// A network that makes pictures goes through the other commands, too, alone and over a folder.
#[test]
fn commands_take_networks_of_the_zoo() {
    let folder = Folder::new();
    weights(&folder, "super_resolution_x3", "sr.safetensors");
    let model = "zoo:super_resolution_x3@sr.safetensors";
    let inspected = folder.ok(&["inspect", model]);
    assert!(
        inspected.contains("1×1×224×224 → 1×1×672×672") && inspected.contains("conv4"),
        "{inspected}"
    );
    let verified = folder.ok(&["verify", model, "--shape", "1,1,12,10", "--dtype", "f64"]);
    assert!(verified.contains("zoo:super_resolution_x3"), "{verified}");
    fs::create_dir(folder.path("in")).expect("a folder");
    for name in ["a.png", "b.png"] {
        fs::copy(picture(), folder.path("in").join(name)).expect("copied");
    }
    let said = folder.ok(&[
        "mean", model, "--input", "in", "--resize", "26", "--radius", "3", "--stride", "7",
    ]);
    assert!(
        said.contains("3×3 filters") && said.contains("2 pictures"),
        "{said}"
    );
    let job = folder.json("out/in/mean/job.json");
    assert_eq!(job["model"]["file"], model);
    // Other weights are another question: nothing of before is taken.
    let mut bytes = fs::read(folder.path("sr.safetensors")).expect("there");
    let last = bytes.len() - 2;
    bytes[last] ^= 0x40;
    fs::write(folder.path("sr.safetensors"), bytes).expect("written");
    let said = folder.ok(&[
        "mean", model, "--input", "in", "--resize", "26", "--radius", "3", "--stride", "7",
    ]);
    assert!(!said.contains("earlier run"), "{said}");
    // What needs no weights needs no file.
    let args = [
        "mean",
        "zoo:bicubic_x2",
        "--input",
        &cat(),
        "--resize",
        "20",
        "--out",
        "b",
    ];
    let said = folder.ok(&args);
    assert!(
        said.contains("2×2 filters") && said.contains("100.00 %"),
        "{said}"
    );
}

#[test]
fn what_the_zoo_cannot_do_is_said_with_what_to_do() {
    let folder = Folder::new();
    fs::create_dir(folder.path("weights")).expect("a folder");
    weights(&folder, "super_resolution_x3", "sr.safetensors");
    // Where `fetch` puts files, one that is not what its name says, and one without a hash that is no state dict.
    for file in ["vgg11-8a719046.pth", "horse2zebra.pth"] {
        fs::write(folder.path("weights").join(file), "no weights").expect("written");
    }
    fs::write(folder.path("w.bin"), "no weights").expect("written");
    let more = ["conv9.weight", "conv9.running_mean"];
    weights_and(&folder, "super_resolution_x3", "more.safetensors", &more);
    let counters = [&more[1..], &["bn.num_batches_tracked"]].concat();
    weights_and(
        &folder,
        "super_resolution_x3",
        "counters.safetensors",
        &counters,
    );
    let sr = "zoo:super_resolution_x3@sr.safetensors";
    let cases: &[(&str, &[&str], &[&str])] = &[
        (
            "zoo:resnet18",
            &[],
            &[
                "weights/resnet18-f37072fd.pth is not there",
                "linearscope fetch resnet18",
                "zoo:resnet18@FILE",
            ],
        ),
        (
            "zoo:srresnet_x4",
            &[],
            &["no published ones", "zoo:srresnet_x4@FILE"],
        ),
        (
            "zoo:resnet19",
            &[],
            &["no network is named \"resnet19\"", "resnet18"],
        ),
        (
            "zoo:resnet18@nowhere.pth",
            &[],
            &["nowhere.pth", "not a file"],
        ),
        (
            "zoo:resnet18@",
            &[],
            &["names no file", "zoo:resnet18@FILE"],
        ),
        (
            "zoo:super_resolution_x3@more.safetensors",
            &[],
            &["1 of the tensors", "conv9.weight", "another network"],
        ),
        ("zoo:resnet18@w.bin", &[], &["w.bin", ".safetensors"]),
        (
            "zoo:squeezenet1_0@sr.safetensors",
            &[],
            &[
                "sr.safetensors",
                "not the weights of this network",
                "it lacks",
            ],
        ),
        (
            "zoo:vgg11",
            &[],
            &["vgg11-8a719046.pth", "8a719046…", "linearscope fetch vgg11"],
        ),
        (
            "zoo:cyclegan_9blocks",
            &[],
            &["weights/horse2zebra.pth", "PyTorch"],
        ),
        (
            "zoo:bicubic_x2@sr.safetensors",
            &[],
            &["has no parameters", "use zoo:bicubic_x2"],
        ),
        (sr, &["--set", "noise=1"], &["--set noise=1", "\"image\""]),
        (
            sr,
            &["--output", "conv1"],
            &["--output conv1", "\"picture\"", "--to"],
        ),
        (sr, &["--layout", "channels-last"], &["channels first"]),
    ];
    let input = picture();
    for (model, flags, words) in cases {
        let args = [&["run", model, "--input", &input][..], flags].concat();
        let error = folder.fails(2, &args);
        for word in *words {
            assert!(error.contains(word), "{model} {flags:?}, {word}: {error}");
        }
    }
    // Counters and statistics are said, not refused.
    let counted = "zoo:super_resolution_x3@counters.safetensors";
    let output = folder.run(&["run", counted, "--input", &input, "--out", "counted"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && told.contains("conv9.running_mean"),
        "{told}"
    );
    // A download that is not the first one any more.
    let pin = folder.path("weights").join("horse2zebra.pth.sha256");
    fs::write(pin, format!("{}  horse2zebra.pth\n", "0".repeat(64))).expect("written");
    let error = folder.fails(2, &["run", "zoo:cyclegan_9blocks", "--input", &input]);
    assert!(
        error.contains("horse2zebra.pth.sha256") && error.contains("fetch"),
        "{error}"
    );
    weights(&folder, "squeezenet1_1", "made.safetensors");
    let small = [
        "run",
        "zoo:squeezenet1_1@made.safetensors",
        "--input",
        &cat(),
        "--resize",
        "12",
        "--crop",
        "12",
    ];
    let error = folder.fails(2, &small);
    assert!(
        error.contains("1×3×12×12") && error.contains("at least 17×17"),
        "{error}"
    );
}
