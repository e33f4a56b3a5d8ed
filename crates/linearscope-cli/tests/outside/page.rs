//! The report in a real browser.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use linearscope_test_support::{
    assets,
    browser::{Browser, Held, QUIET, Screen},
    process::Folder,
};

/// What a page holds after its scripts ran.
fn dom(chromium: &Path, profile: &Path, page: &Path) -> String {
    let output = Command::new(chromium)
        .args([
            "--headless",
            "--allow-file-access-from-files",
            "--virtual-time-budget=20000",
            "--dump-dom",
        ])
        .args(QUIET)
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("file://{}", page.display()))
        .stderr(Stdio::null())
        .output()
        .expect("the browser starts");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Nothing sticks out on a telephone or a desk, every picture is decoded, nothing is fetched.
pub(crate) fn the_report_fits_narrow_and_wide_screens(chromium: PathBuf) {
    let folder = Folder::of(crate::PROGRAM);
    folder.ok(&["demo", "--out", "demo"]);
    let page = folder.path("frame.html");
    for width in [360, 1280] {
        let html = format!(
            "<iframe id=f style=\"border:0;width:{width}px;height:900px\" src=\"demo/report.html\">\
             </iframe><pre id=o></pre><script>onload = () => {{\
             const d = f.contentDocument, images = [...d.images];\
             o.textContent = ['measured', d.documentElement.scrollWidth,\
             images.length, images.filter(i => i.naturalWidth > 0).length,\
             f.contentWindow.performance.getEntriesByType('resource')\
             .filter(r => !r.name.startsWith('data:')).length].join(' ')}}</script>"
        );
        std::fs::write(&page, html).expect("written");
        let dom = dom(&chromium, &folder.path("profile"), &page);
        let measured = dom
            .split("measured ")
            .nth(1)
            .unwrap_or_else(|| panic!("{dom}"));
        let numbers: Vec<usize> = measured
            .split(['<', ' '])
            .map_while(|number| number.parse().ok())
            .collect();
        let [across, images, decoded, fetched] = numbers[..] else {
            panic!("{measured}")
        };
        assert!(across <= width, "{across} pixels on a screen of {width}");
        assert!(
            images > 50 && decoded == images,
            "{decoded} of {images} pictures"
        );
        assert_eq!(fetched, 0, "the report fetches something");
    }
}

/// A report of a bundled network at a bundled picture, open in a browser without a network.
fn report(folder: &Folder, chromium: &Path, network: &str, picture: &str) -> Browser {
    let path = |name: &str| assets().join(name).display().to_string();
    let model = path(&format!("{network}/{network}.onnx"));
    folder.ok(&["analyse", &model, "--input", &path(picture), "--out", "out"]);
    let mut browser = Browser::start(chromium);
    browser.offline();
    browser.open(&format!(
        "file://{}",
        folder.path("out/report.html").display()
    ));
    browser.until("window.linearscope?.dress");
    browser
}

/// Where an entry of the picture of this title is on the screen.
fn entry(browser: &mut Browser, title: &str, [y, x]: [usize; 2]) -> [f64; 2] {
    let size = browser.numbers(&format!(
        "(() => {{ document.querySelector('#wanted')?.removeAttribute('id');
          const f = [...document.querySelectorAll('figure.panel')].find(f => f.querySelector('b').textContent.includes({title:?}));
          const p = f.querySelector('.picture'); p.id = 'wanted';
          const i = p.querySelector('img'); return [i.naturalHeight, i.naturalWidth, Number(p.dataset.block)]; }})()"
    ));
    assert_eq!(size[2], 1.0, "{title} is shown dot by dot");
    browser.place(
        "#wanted",
        [(x as f64 + 0.5) / size[1], (y as f64 + 0.5) / size[0]],
    )
}

/// The number under the cursor is the array's, to the last bit.
pub(crate) fn the_report_tells_the_numbers_of_the_arrays(chromium: PathBuf) {
    let folder = Folder::of(crate::PROGRAM);
    let mut browser = report(&folder, &chromium, "facade", "pictures/facade.png");
    let (residual, shape) = folder.npy("out/residual.npy");
    let [_, c, h, w] = shape[..] else {
        panic!("{shape:?}")
    };
    for [y, x] in [[0, 0], [31, 17], [h - 1, w - 1]] {
        let at = entry(&mut browser, "the residual", [y, x]);
        browser.hover(at);
        // It is unpacked when it is looked at first.
        browser.hover([at[0] + 0.3, at[1]]);
        browser.until(&format!(
            "(o => o?.dataset.value && o.textContent.startsWith('y {y}, x {x} '))(document.querySelector('#wanted output'))
             || (dispatchEvent, document.querySelector('#wanted').dispatchEvent(new PointerEvent('pointermove',
               {{ bubbles: true, clientX: {}, clientY: {} }})), false)", at[0], at[1]
        ));
        let said = browser.text("document.querySelector('#wanted output').dataset.value");
        let shown: Vec<f64> = said
            .split(' ')
            .map(|one| one.parse().expect("a number"))
            .collect();
        let written: Vec<f64> = (0..c).map(|c| residual[(c * h + y) * w + x]).collect();
        assert_eq!(shown, written, "at ({y}, {x})");
    }
    assert!(browser.complaints().is_empty());
}

/// Maps over the photograph fade, tables sort; without scripts all is there to read.
pub(crate) fn overlays_fade_and_tables_sort(chromium: PathBuf) {
    let folder = Folder::of(crate::PROGRAM);
    let mut browser = report(&folder, &chromium, "vgg_bn", "pictures/scene.png");
    let opacity = "getComputedStyle(document.querySelector('img.beneath')).opacity";
    assert_eq!(browser.text(opacity), "0");
    browser.value(
        "(s => { s.value = 0.25; s.dispatchEvent(new Event('input')); })(document.querySelector('label.fade input'))",
    );
    assert_eq!(browser.text(opacity), "0.75");
    // The photograph lies exactly upon the map.
    let apart = browser.numbers(
        "(i => { const [a, b] = [i, i.parentNode.querySelector('img')].map(e => e.getBoundingClientRect());
          return [a.x - b.x, a.y - b.y, a.width - b.width, a.height - b.height]; })(document.querySelector('img.beneath'))",
    );
    assert!(apart.iter().all(|gap| gap.abs() < 0.6), "{apart:?}");
    let scores = "[...document.querySelector('table[data-sortable]').tBodies[0].rows].map(r => Number(r.cells[0].textContent))";
    let before = browser.numbers(scores);
    let head = browser.place(
        "table[data-sortable] th[data-sort=number] button",
        [0.5, 0.5],
    );
    browser.click(head, Held::Nothing);
    let mut sorted = before.clone();
    sorted.sort_by(|a, b| b.total_cmp(a));
    assert_eq!(browser.numbers(scores), sorted);
    assert_ne!(before, sorted);
    for (width, dark) in [(360, true), (1280, false)] {
        browser.screen(Screen {
            width,
            height: 800,
            dark,
            ..Screen::default()
        });
        let across = browser.value("document.documentElement.scrollWidth");
        assert!(
            across.as_u64() <= Some(u64::from(width)),
            "{across} on {width}"
        );
    }
    assert!(browser.complaints().is_empty());
    browser.call(
        "Emulation.setScriptExecutionDisabled",
        serde_json::json!({ "value": true }),
    );
    browser.open(&format!(
        "file://{}",
        folder.path("out/report.html").display()
    ));
    browser.until("document.readyState === 'complete' && document.images.length > 5");
    assert_eq!(
        browser.value("document.querySelectorAll('label.fade, th button').length"),
        0
    );
    assert_eq!(browser.text(opacity), "0");
    assert_eq!(
        browser.value("[...document.images].every(i => i.naturalWidth > 0)"),
        true
    );
}
