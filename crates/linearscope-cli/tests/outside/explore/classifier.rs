//! Scores, attributions and layers of a classifier.

use linearscope_test_support::browser::Held;

use super::{
    Chromium,
    stage::{Stage, same, says},
};

/// Scores are those of `run`; hovering a class shows its attribution, of the chosen method; the input's column.
pub(crate) fn classes_show_their_scores_and_attributions(chromium: Chromium) {
    let mut stage = Stage::classifier(&chromium);
    let (scores, _) = stage.command("run", &[], "output");
    let shown = stage.browser.numbers(
        "[...document.querySelectorAll('ol.scores button')].flatMap(b => [Number(b.dataset.k), Number(b.dataset.value)])");
    assert_eq!(shown.len(), 2 * scores.len().min(10));
    for pair in shown.chunks(2) {
        assert_eq!(pair[1], scores[pair[0] as usize], "class {}", pair[0]);
    }
    assert!(
        shown.chunks(2).is_sorted_by(|a, b| a[1] >= b[1]),
        "{shown:?}"
    );
    let said = stage
        .browser
        .text("document.querySelector('ol.scores button b').textContent");
    says(&said, shown[1]);

    let second = shown[2] as usize;
    for method in ["conserving", "gradient-input"] {
        stage.open(&format!("method={method}"));
        let place = stage
            .browser
            .place(&format!("ol.scores [data-k=\"{second}\"]"), [0.5, 0.5]);
        stage.browser.hover(place);
        stage.browser.until(&format!(
            "linearscope.flashlight.field?.address.includes('target={second}') && linearscope.flashlight.field.address.includes({method:?})"));
        let (map, _) = stage.command(
            "attribute",
            &["--target", &second.to_string(), "--method", method],
            "attribution",
        );
        same(&stage.field("linearscope.flashlight.field"), &map, method);
        // Colours are full from the 99th percentile of what is not 0, channels summed.
        let [h, w] = stage.size("in");
        let mut sizes: Vec<f64> = (0..h * w)
            .map(|at| map.chunks(h * w).map(|plane| plane[at]).sum::<f64>().abs())
            .filter(|size| *size > 0.0)
            .collect();
        sizes.sort_by(f64::total_cmp);
        let expected = sizes[(0.99 * sizes.len() as f64).ceil() as usize - 1];
        let full = stage.browser.numbers("[linearscope.sides.in.full]");
        assert_eq!(full, [expected], "full colour of {method}");
        // When nothing else is asked, the other classes of the list come ahead.
        stage.browser.until(
            "[...document.querySelectorAll('ol.scores button')].every(({ dataset: { k } }) => \
             linearscope.api.held(linearscope.flashlight.ask({ side: 'out', k: Number(k) }).address))",
        );
    }
    // The weights themselves, and pinned.
    stage.open("method=weights");
    let place = stage
        .browser
        .place(&format!("ol.scores [data-k=\"{second}\"]"), [0.5, 0.5]);
    stage.browser.click(place, Held::Nothing);
    stage.until_shown_class(second);
    let (row, _) = stage.command("row", &["--target", &second.to_string()], "row");
    same(&stage.field("linearscope.flashlight.field"), &row, "row");
    stage.browser.key("Escape", Held::Nothing);

    // By keys from class to class.
    stage.browser.until("!linearscope.flashlight.pinned");
    stage.browser.key("o", Held::Nothing);
    stage.browser.key("ArrowDown", Held::Nothing);
    stage.browser.key("ArrowDown", Held::Nothing);
    stage.until_shown_class(shown[4] as usize);

    let [h, w] = stage.size("in");
    stage.hover("in", [h / 2, w / 2]);
    stage.until_shown(&format!("all,{},{}", h / 2, w / 2));
    let (column, _) = stage.command(
        "column",
        &["--at", &format!("all,{},{}", h / 2, w / 2)],
        "column",
    );
    stage
        .browser
        .until("document.querySelector('ol.scores').classList.contains('signed')");
    let shown = stage.browser.numbers(
        "[...document.querySelectorAll('ol.scores button')].flatMap(b => [Number(b.dataset.k), Number(b.dataset.value)])");
    for pair in shown.chunks(2) {
        assert_eq!(
            pair[1], column[pair[0] as usize],
            "column of class {}",
            pair[0]
        );
    }
    stage.no_complaints();
}

/// Contributions are those of the command, and a layer's map sums to what it adds.
pub(crate) fn layers_sum_to_the_score(chromium: Chromium) {
    let mut stage = Stage::classifier(&chromium);
    stage.open("panel=layers");
    let rows = "[...document.querySelectorAll('td[data-layer]')]";
    stage.browser.until(&format!("{rows}.length"));
    let shown = stage
        .browser
        .numbers(&format!("{rows}.map(cell => Number(cell.dataset.value))"));
    let written = stage.contributions();
    same(&shown, &written, "contributions");
    let layer = stage
        .browser
        .place("table.bars tbody tr:nth-child(3) button.link", [0.5, 0.5]);
    stage.browser.click(layer, Held::Nothing);
    stage.browser.until(
        "document.querySelector('.panel .pictures canvas') && linearscope.state.get('layer')",
    );
    let plane = "[...linearscope.planes].find(p => p !== linearscope.sides.in && p.field)";
    stage.browser.until(plane);
    let field = stage.field(&format!("({plane}).field"));
    let sum = field.iter().sum::<f64>();
    assert!(
        (sum - written[2]).abs() <= 1e-4 * written[2].abs().max(1.0),
        "{sum} for {}",
        written[2]
    );
    // Channels summed, it is the discussion of these terms.
    let name = stage.browser.text("linearscope.state.get('layer')");
    let (discussion, shape) =
        stage.command_whole("votes", &["--terms", &name, "--top", "1"], "discussion");
    let each = shape[1] * shape[2];
    let summed: Vec<f64> = (0..each)
        .map(|at| {
            let channels = field.chunks(each).map(|plane| plane[at]);
            f64::from(channels.sum::<f64>() as f32)
        })
        .collect();
    same(&summed, &discussion, &name);
    stage.no_complaints();
}
