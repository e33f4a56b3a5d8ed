//! `inspect` and `bench`.

use serde_json::Value;

use crate::folder::{Folder, sr};

#[test]
fn inspect_shows_every_op() {
    let folder = Folder::new();
    let text = folder.ok(&["inspect", &sr()]);
    assert!(
        text.contains("it can be frozen") && text.contains("3316 parameters"),
        "{text}"
    );
    let json: Value = serde_json::from_str(&folder.ok(&["inspect", &sr(), "--json"])).unwrap();
    assert_eq!(
        (&json["schema"], &json["can_be_frozen"]),
        (&2.into(), &true.into())
    );
    assert_eq!(json["input"]["shape"], serde_json::json!([1, 1, 64, 64]));
    let ops = json["ops"].as_array().unwrap();
    let of = |node: &str| ops.iter().find(|op| op["node"] == node).unwrap();
    assert_eq!(of("conv1")["role"], "linear");
    assert_eq!(of("conv1")["parameters"], 416);
    // 16 channels of 64×64, each 25 multiply-adds and a bias.
    assert_eq!(of("conv1")["flops"], 16 * 64 * 64 * 51);
    assert_eq!(
        (&of("relu1")["role"], &of("relu1")["rule"]),
        (&"rule".into(), &"slope".into())
    );
    // 5×5, then 3×3, then 3×3.
    for (node, size) in [("conv1", 5), ("relu2", 7), ("conv3", 9)] {
        assert_eq!(of(node)["node_field"]["h"], size, "{node}");
        assert_eq!(of(node)["node_field"]["reaches_the_border"], false);
    }
    let small = folder.ok(&["inspect", &sr(), "--shape", "1,1,8,8", "--json"]);
    let small: Value = serde_json::from_str(&small).unwrap();
    let last = small["ops"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["node_field"]["reaches_the_border"], true);
    let error = folder.fails(2, &["inspect", &sr(), "--shape", "1,3,8,8"]);
    assert!(error.contains("[1, 3, 8, 8]"), "{error}");
}

#[test]
fn bench_says_what_probes_cost() {
    let folder = Folder::new();
    let text = folder.ok(&[
        "bench",
        &sr(),
        "--shape",
        "1,1,16,16",
        "-k",
        "2",
        "--rounds",
        "3",
        "--json",
        "--nodes",
    ]);
    let found: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(found["schema"], 2);
    for field in [
        "forward_ms",
        "paired_over_forward",
        "replay_over_forward",
        "adjoint_over_forward",
    ] {
        assert!(
            found[field].as_f64().is_some_and(|v| v > 0.0),
            "{field}: {text}"
        );
    }
    assert!(!found["nodes"].as_array().expect("nodes").is_empty());
    folder.fails(2, &["bench", &sr(), "--shape", "1,1,16,16", "-k", "0"]);
}
