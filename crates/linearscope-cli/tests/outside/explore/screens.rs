//! From a telephone to a wall, light and dark.

use linearscope_test_support::browser::Screen;

use super::{Chromium, stage::Stage};

/// Nothing sticks out, both pictures are seen, in either theme; nothing comes from elsewhere; all has a name.
pub(crate) fn it_fits_every_screen(chromium: Chromium) {
    for network in [Stage::upscaler, Stage::classifier] {
        let mut stage = network(&chromium);
        for (width, height) in [(360, 740), (1280, 900), (3840, 2160)] {
            for dark in [false, true] {
                stage.browser.screen(Screen {
                    width,
                    height,
                    dark,
                    ..Screen::default()
                });
                stage.open("");
                let across = stage.browser.value("document.documentElement.scrollWidth");
                assert!(
                    across.as_u64() <= Some(u64::from(width)),
                    "{across} pixels on a screen of {width}"
                );
                let canvas = stage.browser.numbers("(r => [r.width, r.height])(document.querySelector('.view.in canvas').getBoundingClientRect())");
                assert!(
                    canvas[0] >= 0.3 * f64::from(width).min(1000.0) && canvas[1] > 100.0,
                    "{canvas:?} on {width}"
                );
                let paper = stage.browser.numbers(
                    "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)",
                );
                assert_eq!(paper[0] < 128.0, dark, "paper {paper:?}");
            }
        }
        let from = stage.browser.value("performance.getEntriesByType('resource').every(r => r.name.startsWith(location.origin))");
        assert_eq!(from, true, "something comes from elsewhere");
        let nameless = stage.browser.value(
            "[...document.querySelectorAll('button, select, input, canvas, [role=img]')].filter(e => !e.closest('[hidden]')
              && !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length && e.labels[0].textContent.trim()))
              .map(e => e.outerHTML)");
        assert_eq!(
            nameless.as_array().map(Vec::len),
            Some(0),
            "without a name: {nameless}"
        );
        stage.no_complaints();
    }
}

/// Something moves within the first seconds, where motion is wanted; a touch of the mouse ends it.
pub(crate) fn it_begins_by_itself(chromium: Chromium) {
    let mut stage = Stage::upscaler(&chromium);
    stage.browser.screen(Screen {
        motion: true,
        ..Screen::default()
    });
    stage.open("");
    stage.browser.until("linearscope.flashlight.field");
    let first = stage.browser.text("linearscope.flashlight.field.address");
    stage.browser.until(&format!(
        "linearscope.flashlight.field?.address !== {first:?}"
    ));
    stage.hover("in", [5, 6]);
    stage.until_shown("all,5,6");
    std::thread::sleep(std::time::Duration::from_millis(600));
    stage.until_shown("all,5,6");
    // Without motion there is one place to see, and it stays.
    stage.browser.screen(Screen::default());
    stage.open("");
    stage.browser.until("linearscope.flashlight.field");
    let still = stage.browser.text("linearscope.flashlight.field.address");
    std::thread::sleep(std::time::Duration::from_millis(600));
    assert_eq!(
        stage.browser.text("linearscope.flashlight.field.address"),
        still
    );
    stage.no_complaints();
}
