//! docs/book/src/zoo.md lists what the crate has.

use std::fmt::Write;

use burn::tensor::Device;
use linearscope_test_support::root;
use linearscope_zoo::{Architecture, Model};

const BEGIN: &str = "<!-- networks -->\n";
const END: &str = "<!-- /networks -->";

/// Learned numbers, without the running statistics of batch norms.
fn learned(model: &Model) -> usize {
    let all = model.parameters();
    let learned = all.iter().filter(|known| !known.name.contains("running_"));
    learned
        .map(|known| known.shape.iter().product::<usize>())
        .sum()
}

fn table() -> String {
    let mut rows = String::from(
        "\n| name | paper | made for | smallest side | parameters | weights (unverified) | SHA-256 begins |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for known in Architecture::all() {
        let [c, h, w] = known.input;
        let weights = known.weights.map_or("–".into(), |url| format!("<{url}>"));
        let parameters = match learned(&known.init(&Device::flex())) {
            0 => "–".into(),
            count => count.to_string(),
        };
        writeln!(
            rows,
            "| `{}` | {} | {c}×{h}×{w} | {} | {parameters} | {weights} | {} |",
            known.name,
            known.paper,
            known.smallest,
            known.hash().unwrap_or("–"),
        )
        .expect("a string");
    }
    rows + "\n"
}

/// Write it anew with `LINEARSCOPE_BLESS=1`.
#[test]
fn the_table_of_docs_is_the_crates() {
    let path = root().join("docs/book/src/zoo.md");
    let text = std::fs::read_to_string(&path).expect("docs/book/src/zoo.md");
    let (head, rest) = text.split_once(BEGIN).expect("where the table begins");
    let (_, tail) = rest.split_once(END).expect("where the table ends");
    let fresh = format!("{head}{BEGIN}{}{END}{tail}", table());
    if std::env::var_os("LINEARSCOPE_BLESS").is_some() {
        std::fs::write(&path, &fresh).expect("docs/book/src/zoo.md is writable");
    } else {
        assert_eq!(text, fresh, "run with LINEARSCOPE_BLESS=1 to write it anew");
    }
}

/// The papers' and torchvision's counts.
#[test]
fn numbers_of_parameters_are_the_published_ones() {
    for (name, published) in [
        ("alexnet", 61_100_840),
        ("squeezenet1_1", 1_235_496),
        ("vgg19_bn", 143_678_248),
        ("resnet152", 60_192_808),
        ("densenet161", 28_681_000),
        // 27 161 264 with the auxiliary classifier.
        ("inception_v3", 23_834_568),
    ] {
        let model = Architecture::named(name)
            .expect("known")
            .init(&Device::flex());
        assert_eq!(learned(&model), published, "{name}");
    }
}
