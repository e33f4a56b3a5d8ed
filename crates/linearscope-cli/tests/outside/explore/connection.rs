//! Links, and a server that goes and comes back.

use std::mem;

use super::{
    Chromium,
    stage::{Server, Stage, same},
};

/// What a link holds is what it shows: everything that was set comes back, with the same numbers.
pub(crate) fn a_link_is_the_view(chromium: Chromium) {
    let mut stage = Stage::upscaler(&chromium);
    stage.browser.value(
        "linearscope.state.set({ at: { side: 'out', y: 21, x: 34 }, panel: 'residual', zoom: 3, cx: 0.4, cy: 0.6,
          log: true, over: false, lock: 0.125, theme: 'dark', co: '0' })",
    );
    stage.until_shown("0,21,34");
    let written = "location.href.includes('theme=dark') && location.href";
    stage.browser.until(written);
    let link = stage.browser.text(written);
    let before = stage.field("linearscope.flashlight.field");
    let everything = "JSON.stringify(['at', 'panel', 'zoom', 'cx', 'cy', 'log', 'over', 'lock', 'theme', 'co'].map(n => linearscope.state.get(n)))";
    let set = stage.browser.text(everything);
    stage.browser.open(&link);
    stage.ready();
    stage.until_shown("0,21,34");
    assert_eq!(stage.browser.text(everything), set);
    assert_eq!(stage.browser.text("linearscope.state.link"), link);
    same(
        &stage.field("linearscope.flashlight.field"),
        &before,
        "the view of a link",
    );
    assert_eq!(
        stage.browser.text("document.documentElement.dataset.theme"),
        "dark"
    );
    assert_eq!(
        stage
            .browser
            .text("document.querySelector('[role=tab][aria-selected=true]').textContent"),
        "Residual"
    );
    // Back is the view before.
    stage
        .browser
        .value("linearscope.state.set({ at: { side: 'in', y: 3, x: 4 } })");
    stage.until_shown("all,3,4");
    stage.browser.value("history.back()");
    stage.until_shown("0,21,34");
    stage.no_complaints();
}

/// What cannot be read is named, the rest holds; a place that is not there is refused in words.
pub(crate) fn a_link_that_is_wrong_says_so(chromium: Chromium) {
    let mut stage = Stage::upscaler(&chromium);
    stage.open("log=1&zoom=many&colour=red&at=out,-1,2");
    let said = stage
        .browser
        .text("document.getElementById('help').textContent");
    for wrong in ["zoom=many", "colour=red", "at=out,-1,2"] {
        assert!(said.contains(wrong), "{said}");
    }
    assert_eq!(stage.browser.value("linearscope.state.get('log')"), true);
    stage.open("at=out,99999,2");
    stage
        .browser
        .until("document.querySelector('.view .failure')?.textContent.includes('99999')");
    stage.no_complaints();
}

/// Killed, the page says so and keeps what it shows; back at its port, it goes on by itself.
pub(crate) fn the_page_waits_for_a_server_that_is_gone(chromium: Chromium) {
    let mut stage = Stage::upscaler(&chromium);
    stage.open("at=out,40,40");
    stage.until_shown("all,40,40");
    let port = stage.server.port();
    let mut args: Vec<&str> = stage.of.iter().map(String::as_str).collect();
    args.extend(["--port", &port]);
    let args: Vec<String> = args.into_iter().map(String::from).collect();
    stage.server.end();
    stage
        .browser
        .value("linearscope.state.set({ at: { side: 'out', y: 50, x: 51 } })");
    stage
        .browser
        .until("!document.getElementById('gone').hidden");
    let said = stage
        .browser
        .text("document.getElementById('gone').textContent");
    assert!(said.contains("explore") && said.contains("again"), "{said}");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let server = Server::start(&stage.folder, &args);
    drop(mem::replace(&mut stage.server, server));
    stage
        .browser
        .until("document.getElementById('gone').hidden");
    stage.until_shown("all,50,51");
    let (row, _) = stage.command("row", &["--target", "0,50,51"], "row");
    same(
        &stage.field("linearscope.flashlight.field"),
        &row,
        "a row after the server came back",
    );
    stage.no_complaints();
}

/// A program started anew at the same port with another question is another page: nothing of the old one is mixed with its
/// answers, even where the tab was not looked at in between.
pub(crate) fn another_question_at_the_same_port_is_another_page(chromium: Chromium) {
    let mut stage = Stage::upscaler(&chromium);
    stage.open("at=out,40,40");
    stage.until_shown("all,40,40");
    let before = stage.browser.text("linearscope.session.key");
    let port = stage.server.port();
    let args = stage.of.clone();
    let mut args: Vec<&str> = args.iter().map(String::as_str).collect();
    args.extend(["--port", &port, "--dtype", "f64"]);
    stage.server.end();
    let server = Server::start(&stage.folder, &args);
    drop(mem::replace(&mut stage.server, server));
    stage
        .browser
        .value("linearscope.state.set({ at: { side: 'out', y: 50, x: 51 } })");
    let anew = format!("globalThis.linearscope?.session?.key !== {before:?}");
    stage
        .browser
        .until(&format!("globalThis.linearscope && {anew}"));
    stage.until_shown("all,50,51");
    let (row, _) = stage.command("row", &["--target", "0,50,51", "--dtype", "f64"], "row");
    same(
        &stage.field("linearscope.flashlight.field"),
        &row,
        "a row of the new program",
    );
}

/// What a link says stays a word where it comes to stand in a command line.
pub(crate) fn a_link_is_no_command(chromium: Chromium) {
    let mut stage = Stage::upscaler(&chromium);
    let link = format!("{}#to=x'%3Becho%20y%3B'", stage.server.link);
    stage.browser.open(&link);
    stage.browser.until("window.linearscope?.input");
    let shown = "document.querySelector('.view.in .take button[aria-expanded]')";
    stage.browser.until(&format!("{shown} !== null"));
    stage.browser.value(&format!("{shown}.click()"));
    let said = stage
        .browser
        .text("document.querySelector('.view.in code.command').textContent");
    assert!(!said.contains("echo"), "{said}");
}
