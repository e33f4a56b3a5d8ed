//! An export, opened from disk with the network off: what it shows is what the commands write.

use linearscope_test_support::browser::Held;

use super::{
    Chromium,
    stage::{Stage, same},
};

/// Rows and columns on a grid, to which the cursor goes by itself.
pub(crate) fn an_export_shows_rows_and_columns_of_the_commands(chromium: Chromium) {
    let mut stage = Stage::exported(&chromium, "facade", "pictures/facade.png", &["--step", "7"]);
    // Places 3, 10, 17, … have fields.
    stage.hover("out", [36, 20]);
    stage.until_shown("all,38,17");
    let (shown, _) = stage.reading("out", "y₀");
    let (y0, shape) = stage.command("run", &[], "output");
    let at = |c: usize| y0[(c * shape[1] + 38) * shape[2] + 17];
    assert_eq!(shown, [at(0), at(1), at(2)]);
    let row = stage.field("linearscope.flashlight.field");
    let (written, _) = stage.command("row", &["--target", "all,38,17"], "row");
    same(&row, &written, "the row of an output place");

    stage.hover("in", [62, 1]);
    stage.until_shown("all,59,3");
    let column = stage.field("linearscope.flashlight.field");
    let (written, _) = stage.command("column", &["--at", "all,59,3"], "column");
    same(&column, &written, "the column of an input place");

    // The number under the cursor while another place is pinned: any place's.
    stage.click("in", [31, 31], Held::Nothing);
    stage.until_shown("all,31,31");
    stage.hover("out", [33, 30]);
    let (number, _) = stage.reading("out", "column");
    let (written, shape) = stage.command("column", &["--at", "all,31,31"], "column");
    let sum: f64 = (0..shape[0])
        .map(|c| written[(c * shape[1] + 33) * shape[2] + 30])
        .sum();
    assert_eq!(number, [sum]);

    // Keys go from one to the next.
    stage.browser.key("Escape", Held::Nothing);
    stage.hover("in", [31, 31]);
    stage.browser.key("ArrowRight", Held::Nothing);
    stage.until_shown("all,31,38");

    // What is not there says so, and how to have it.
    stage.open("at=out,5,5");
    let said = stage.refused();
    assert!(
        said.contains("Rows are here for places 7 apart, from (3, 3) on.")
            && said.contains("To compute it, run the program: linearscope explore "),
        "{said}"
    );
    nothing_else(&mut stage);
}

/// Scores, attributions and votes; a class that has none.
pub(crate) fn an_export_of_a_classifier_shows_its_attributions(chromium: Chromium) {
    let more = [
        "--step",
        "9",
        "--top",
        "2",
        "--method",
        "conserving",
        "--method",
        "gradient",
    ];
    let mut stage = Stage::exported(&chromium, "vgg_bn", "pictures/scene.png", &more);
    let (y0, _) = stage.command("run", &[], "output");
    let mut order: Vec<usize> = (0..y0.len()).collect();
    order.sort_by(|a, b| y0[*b].total_cmp(&y0[*a]));
    for (method, k) in [("conserving", order[0]), ("gradient", order[1])] {
        stage.open(&format!("at=out,{k}&method={method}"));
        stage.until_shown_class(k);
        let shown = stage.field("linearscope.flashlight.field");
        let target = k.to_string();
        let asked = ["--target", &target, "--method", method];
        let (written, _) = stage.command_whole("attribute", &asked, "attribution");
        same(&shown, &written, method);
    }
    stage.open(&format!("at=out,{}&method=weights", order[0]));
    stage.until_shown_class(order[0]);
    let shown = stage.field("linearscope.flashlight.field");
    let (written, _) = stage.command("row", &["--target", &order[0].to_string()], "row");
    same(&shown, &written, "the weights of the best class");

    stage.open("panel=votes");
    let place = stage.browser.place("#panel button.main", [0.5, 0.5]);
    stage.browser.click(place, Held::Nothing);
    stage
        .browser
        .until("document.querySelector('#panel table.bars')");
    stage.write("votes", &[]);
    let votes = std::fs::read(stage.folder.path("results/votes.npy")).expect("votes");
    let votes = npyz::NpyFile::new(&votes[..])
        .expect("an npy")
        .into_vec::<i32>()
        .expect("classes");
    let votes: Vec<f64> = votes.into_iter().map(f64::from).collect();
    let shown = stage.browser.numbers(
        "(async () => Array.from((await linearscope.api.array('/api/votes/map')).data))()",
    );
    same(&shown, &votes, "votes");

    stage.open(&format!("at=out,{}", order[2]));
    stage.refused();
    stage.open(&format!("at=out,{}&panel=layers", order[1]));
    stage
        .browser
        .until("document.querySelector('#panel td[data-layer]')");
    nothing_else(&mut stage);
}

/// Every panel shows something, or says what it needs.
pub(crate) fn panels_of_an_export_open(chromium: Chromium) {
    for (network, picture, needs) in [
        (
            "pixelshuffle",
            "pictures/cat.png",
            &["attack", "rules", "votes"][..],
        ),
        (
            "vgg_bn",
            "pictures/scene.png",
            &["attack", "rules", "fields"],
        ),
    ] {
        let mut stage = Stage::exported(&chromium, network, picture, &["--step", "11"]);
        for panel in [
            "layers",
            "attribution",
            "svd",
            "residual",
            "validity",
            "votes",
            "fields",
            "attack",
            "rules",
            "about",
        ] {
            stage.open(&format!("panel={panel}"));
            stage
                .browser
                .until("document.querySelector('#panel').children.length > 0");
            let has = stage
                .browser
                .value("Boolean(document.querySelector('#panel button.main'))");
            if has == true {
                let place = stage.browser.place("#panel button.main", [0.5, 0.5]);
                stage.browser.click(place, Held::Nothing);
            }
            if !needs.contains(&panel) {
                stage
                    .browser
                    .until("document.querySelector('#panel').querySelector('table, canvas, dl')");
            } else if panel != "votes" && panel != "fields" {
                let said = stage
                    .browser
                    .text("document.querySelector('#panel').textContent");
                assert!(
                    said.contains("To compute it, run the program: linearscope explore "),
                    "{panel}: {said}"
                );
            }
            std::thread::sleep(std::time::Duration::from_millis(150));
            let failures = stage
                .browser
                .value("[...document.querySelectorAll('.failure')].map(e => e.textContent)");
            assert_eq!(
                failures.as_array().map(Vec::len),
                Some(0),
                "{network} {panel}: {failures}"
            );
        }
        // A part of the way is one that was exported.
        stage.open("panel=validity&t=0.37");
        stage
            .browser
            .until("document.querySelector('#panel').querySelector('table, canvas')");
        let step = stage
            .browser
            .text("document.querySelector('#panel input[type=range]').step");
        assert_eq!(step, "0.05");
        nothing_else(&mut stage);
    }
}

/// A folder of which a part is missing says which.
pub(crate) fn a_folder_that_is_not_whole_says_so(chromium: Chromium) {
    let mut stage = Stage::exported(
        &chromium,
        "pixelshuffle",
        "pictures/cat.png",
        &["--step", "5"],
    );
    let pack = stage.folder.path("site/data/row-0-0.js");
    let script = std::fs::read(&pack).expect("a pack");
    for (bytes, why) in [
        (Some(&script[..script.len() / 2]), "row-0-0.js: it is empty"),
        (None, "row-0-0.js: it is missing"),
    ] {
        match bytes {
            Some(bytes) => std::fs::write(&pack, bytes).expect("written"),
            None => std::fs::remove_file(&pack).expect("removed"),
        }
        stage.open("at=out,2,2");
        let said = stage.refused();
        assert!(
            said.contains(why) && said.contains("copy all of it"),
            "{said}"
        );
    }
}

/// Nothing came from elsewhere, and nothing was complained of.
fn nothing_else(stage: &mut Stage) {
    let from = stage.browser.value(
        "performance.getEntriesByType('resource').map(r => r.name).filter(n => !/^(file|blob|data):/.test(n))",
    );
    assert_eq!(from.as_array().map(Vec::len), Some(0), "{from}");
    stage.no_complaints();
}
