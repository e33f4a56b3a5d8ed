//! The report in a real browser.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use linearscope_test_support::{browser::QUIET, process::Folder};

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
