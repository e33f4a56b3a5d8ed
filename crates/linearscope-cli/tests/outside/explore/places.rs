//! Hover, click, drag, keys and fingers.

use linearscope_test_support::browser::{Held, Screen};

use super::{
    Chromium,
    stage::{Stage, same, says},
};

/// Every entry of what the cursor shows is that of the command's file, at several places, on both sides.
pub(crate) fn the_cursor_shows_rows_and_columns_of_the_commands(chromium: Chromium) {
    let mut stage = Stage::upscaler(&chromium);
    let ([h, w], [oh, ow]) = (stage.size("in"), stage.size("out"));
    for [y, x] in [[oh / 3, ow / 2], [oh - 1, 0]] {
        let at = format!("0,{y},{x}");
        stage.hover("out", [y, x]);
        stage.until_shown(&format!("all,{y},{x}"));
        let (row, shape) = stage.command("row", &["--target", &at], "row");
        assert_eq!(shape, [1, h, w]);
        same(
            &stage.field("linearscope.flashlight.field"),
            &row,
            &format!("row {at}"),
        );
        let (read, said) = stage.reading("out", "y₀");
        let (output, _) = stage.command("run", &[], "output");
        assert_eq!(read, [output[y * ow + x]], "y₀ at {at}");
        says(&said, read[0]);
    }
    for [y, x] in [[h / 2, w / 3], [0, w - 1]] {
        let at = format!("0,{y},{x}");
        stage.hover("in", [y, x]);
        stage.until_shown(&format!("all,{y},{x}"));
        let (column, shape) = stage.command("column", &["--at", &at], "column");
        assert_eq!(shape, [1, oh, ow]);
        same(
            &stage.field("linearscope.flashlight.field"),
            &column,
            &format!("column {at}"),
        );
    }
    // When nothing else is asked, the neighbours come ahead.
    let beside = "linearscope.api.held(linearscope.flashlight.ask({ ...linearscope.flashlight.cursor, y: 1 }).address)";
    stage.browser.until(beside);
    // The scale says the largest magnitude.
    let full = stage
        .browser
        .text("document.querySelector('.view.out .scale').dataset.full");
    let largest = stage
        .field("linearscope.flashlight.field")
        .into_iter()
        .fold(0.0, |a: f64, b| a.max(b.abs()));
    assert_eq!(full.parse(), Ok(largest));
    stage.no_complaints();
}

/// A pinned field stays; the numbers are those under the cursor; the same place again lets go.
pub(crate) fn a_click_pins_and_numbers_follow_the_cursor(chromium: Chromium) {
    let mut stage = Stage::upscaler(&chromium);
    let ([_, w], [oh, ow]) = (stage.size("in"), stage.size("out"));
    let [y, x] = [oh / 2, ow / 2];
    stage.click("out", [y, x], Held::Nothing);
    stage.until_shown(&format!("all,{y},{x}"));
    assert_eq!(
        stage.browser.text("location.hash"),
        format!("#at=out,{y},{x}")
    );
    let (row, _) = stage.command("row", &["--target", &format!("0,{y},{x}")], "row");
    let centre = [y * stage.size("in")[0] / oh, x * w / ow];
    for [dy, dx] in [[0, 0], [1, 0], [0, 2]] {
        let [v, u] = [centre[0] + dy, centre[1] + dx];
        stage.hover("in", [v, u]);
        stage.browser.until(&format!(
            "document.querySelector('.view.in .place')?.textContent === 'y {v}, x {u}'"
        ));
        let (read, said) = stage.reading("in", "weight");
        assert_eq!(read, [row[v * w + u]], "weight at {v},{u}");
        says(&said, read[0]);
    }
    let address = stage.browser.text("linearscope.flashlight.field.address");
    assert!(address.contains(&format!("at=all,{y},{x}")), "{address}");
    stage.click("out", [y, x], Held::Nothing);
    stage
        .browser
        .until("location.hash === '' && !linearscope.flashlight.pinned");
    stage.no_complaints();
}

/// A region is the sum over its places; Shift and a click compare two.
pub(crate) fn a_drag_is_a_region_and_shift_compares(chromium: Chromium) {
    let mut stage = Stage::upscaler(&chromium);
    let [oh, ow] = stage.size("out");
    let ([y0, x0], [y1, x1]) = ([oh / 4, ow / 4], [oh / 4 + 20, ow / 4 + 30]);
    let (from, to) = (stage.entry("out", [y0, x0]), stage.entry("out", [y1, x1]));
    stage.browser.drag(from, to);
    let region = format!("out,{y0},{x0},{},{}", y1 + 1, x1 + 1);
    stage.until_region();
    assert_eq!(
        stage.browser.text("location.hash"),
        format!("#region={region}")
    );
    let target = format!("0,{y0}..{},{x0}..{}", y1 + 1, x1 + 1);
    let (row, _) = stage.command("row", &["--target", &target], "row");
    same(&stage.field("linearscope.flashlight.field"), &row, "region");

    let (a, b) = ([oh / 2, ow / 2], [oh / 2 + 12, ow / 2]);
    stage.click("out", a, Held::Nothing);
    stage.click("out", b, Held::Shift);
    stage
        .browser
        .until("linearscope.flashlight.other && linearscope.sides.in.field");
    let row = |at: [usize; 2]| {
        let (row, _) = stage.command(
            "row",
            &["--target", &format!("0,{},{}", at[0], at[1])],
            "row",
        );
        row
    };
    let difference: Vec<f64> = row(a).iter().zip(row(b)).map(|(a, b)| a - b).collect();
    same(
        &stage.field("linearscope.sides.in.field"),
        &difference,
        "A − B",
    );
    stage.browser.key("Escape", Held::Nothing);
    stage
        .browser
        .until("!linearscope.state.get('second') && linearscope.state.get('at')");
    stage.no_complaints();
}

/// Without a mouse: move, pin, read, compare, let go, a region, zoom, help; and it is said aloud.
pub(crate) fn the_keyboard_does_what_the_mouse_does(chromium: Chromium) {
    let mut stage = Stage::upscaler(&chromium);
    let [_, w] = stage.size("out");
    stage.hover("out", [30, 40]);
    stage.browser.key("o", Held::Nothing);
    stage
        .browser
        .until("document.activeElement === linearscope.sides.out.canvas");
    for (key, held, at) in [
        ("ArrowRight", Held::Nothing, [30, 41]),
        ("ArrowDown", Held::Shift, [38, 41]),
        ("ArrowLeft", Held::Shift, [38, 33]),
        ("ArrowUp", Held::Nothing, [37, 33]),
    ] {
        stage.browser.key(key, held);
        stage.until_shown(&format!("all,{},{}", at[0], at[1]));
    }
    let (row, _) = stage.command("row", &["--target", "0,37,33"], "row");
    same(
        &stage.field("linearscope.flashlight.field"),
        &row,
        "row by keys",
    );
    stage
        .browser
        .until("document.getElementById('said').textContent.includes('y 37, x 33')");

    // Pinned, the row stays and the cursor reads; Shift and Enter compare, Enter moves the pin.
    stage.browser.key("Enter", Held::Nothing);
    stage.browser.until("location.hash === '#at=out,37,33'");
    stage.browser.key("ArrowDown", Held::Nothing);
    stage
        .browser
        .until("document.querySelector('.view.out .place').textContent === 'y 38, x 33'");
    stage.until_shown("all,37,33");
    stage.browser.key("Enter", Held::Shift);
    stage
        .browser
        .until("linearscope.state.get('second')?.y === 38 && linearscope.flashlight.other");
    stage.browser.key("Escape", Held::Nothing);
    stage.browser.key("Enter", Held::Nothing);
    stage.until_shown("all,38,33");
    stage.browser.key("Escape", Held::Nothing);
    stage.browser.until("!linearscope.flashlight.pinned");

    // No further than the edge.
    for _ in 0..w / 8 + 2 {
        stage.browser.key("ArrowLeft", Held::Shift);
    }
    stage.until_shown("all,38,0");
    stage.browser.key("r", Held::Nothing);
    stage.browser.key("ArrowRight", Held::Shift);
    stage.browser.key("ArrowUp", Held::Nothing);
    stage.browser.key("r", Held::Nothing);
    stage
        .browser
        .until("location.hash === '#region=out,37,0,39,9'");
    stage.browser.key("Escape", Held::Nothing);

    stage.browser.key("+", Held::Nothing);
    stage.browser.until("linearscope.state.get('zoom') === 1.5");
    stage.browser.key("0", Held::Nothing);
    stage.browser.until("linearscope.state.get('zoom') === 1");
    stage.browser.key("g", Held::Nothing);
    stage.browser.until("linearscope.state.get('log')");
    stage.browser.until("linearscope.sides.in.field");
    stage.browser.key("k", Held::Nothing);
    stage
        .browser
        .until("linearscope.state.get('lock') === linearscope.sides.in.full");
    let panel = stage.browser.text("linearscope.panels.current.id");
    stage.browser.key("]", Held::Nothing);
    stage
        .browser
        .until(&format!("linearscope.panels.current.id !== {panel:?}"));
    stage.browser.key("?", Held::Nothing);
    stage
        .browser
        .until("document.querySelector('dialog[open] kbd')");
    stage.browser.key("Escape", Held::Nothing);
    stage
        .browser
        .until("!document.querySelector('dialog[open]')");
    stage.no_complaints();
}

/// A finger has no hover: it pins.
pub(crate) fn a_tap_pins(chromium: Chromium) {
    let mut stage = Stage::upscaler(&chromium);
    stage.browser.screen(Screen {
        width: 390,
        height: 844,
        touch: true,
        ..Screen::default()
    });
    stage.open("");
    let [h, w] = stage.size("in");
    let place = stage.entry("in", [h / 2, w / 2]);
    stage.browser.tap(place);
    stage.until_shown(&format!("all,{},{}", h / 2, w / 2));
    assert_eq!(
        stage.browser.text("location.hash"),
        format!("#at=in,{},{}", h / 2, w / 2)
    );
    stage.no_complaints();
}
