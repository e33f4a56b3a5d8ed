//! The program with its page, and the hands and eyes of somebody before it.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Stdio},
};

use linearscope_test_support::{
    assets,
    browser::{Browser, Held},
    process::Folder,
};

/// A running `linearscope explore`, ended when it is dropped.
pub(crate) struct Server {
    /// None behind files.
    child: Option<Child>,
    pub link: String,
}

impl Server {
    /// Start it with these arguments, and wait for its link.
    pub(crate) fn start(folder: &Folder, args: &[&str]) -> Self {
        let mut child = folder
            .command()
            .args(["explore", "--no-open"])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let mut link = String::new();
        let out = child.stdout.take().expect("a pipe");
        BufReader::new(out).read_line(&mut link).expect("a line");
        let link = link.trim().to_owned();
        assert!(link.starts_with("http://127.0.0.1:"), "{link:?} is no link");
        Self {
            child: Some(child),
            link,
        }
    }

    pub(crate) fn port(&self) -> String {
        let digits = |c: char| c.is_ascii_digit();
        let (_, port) = self
            .link
            .trim_end_matches('/')
            .rsplit_once(':')
            .expect("a port");
        assert!(port.chars().all(digits), "{port} is no port");
        port.to_owned()
    }
}

impl Server {
    /// End it, as when somebody closes its terminal.
    pub(crate) fn end(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// A bundled network at a bundled picture, as every command takes them.
fn bundled(network: &str, picture: &str) -> Vec<String> {
    let path = |name: &str| assets().join(name).display().to_string();
    vec![
        path(&format!("{network}/{network}.onnx")),
        "--input".into(),
        path(picture),
    ]
}

/// A network at a picture, its page open in a browser.
pub(crate) struct Stage {
    pub folder: Folder,
    pub server: Server,
    pub browser: Browser,
    /// The network and the picture, as every command takes them.
    pub of: Vec<String>,
}

impl Stage {
    /// A bundled network at a bundled picture, with more arguments.
    pub(crate) fn bundled(chromium: &Path, network: &str, picture: &str, more: &[&str]) -> Self {
        let of = bundled(network, picture);
        let folder = Folder::of(crate::PROGRAM);
        let mut args: Vec<&str> = of.iter().map(String::as_str).collect();
        args.extend(["--port", "0"]);
        args.extend(more);
        let server = Server::start(&folder, &args);
        Self::open_in(Browser::start(chromium), folder, server, of)
    }

    fn open_in(mut browser: Browser, folder: Folder, server: Server, of: Vec<String>) -> Self {
        browser.open(&server.link);
        let mut stage = Self {
            folder,
            server,
            browser,
            of,
        };
        stage.ready();
        stage
    }

    /// The same as files, opened from disk with the network off.
    pub(crate) fn exported(chromium: &Path, network: &str, picture: &str, more: &[&str]) -> Self {
        let of = bundled(network, picture);
        let folder = Folder::of(crate::PROGRAM);
        let mut args = vec!["explore"];
        args.extend(of.iter().map(String::as_str));
        args.extend(["--export", "site", "--yes"]);
        args.extend(more);
        folder.ok(&args);
        let link = format!("file://{}", folder.path("site/index.html").display());
        let server = Server { child: None, link };
        let mut browser = Browser::start(chromium);
        browser.offline();
        Self::open_in(browser, folder, server, of)
    }

    /// What the view of the input says that it cannot show.
    pub(crate) fn refused(&mut self) -> String {
        let failure = "document.querySelector('.view.in .failure')";
        self.browser.until(failure);
        self.browser.text(&format!("{failure}.textContent"))
    }

    /// An upscaler at the cat.
    pub(crate) fn upscaler(chromium: &Path) -> Self {
        Self::bundled(chromium, "pixelshuffle", "pictures/cat.png", &[])
    }

    /// A classifier at a scene.
    pub(crate) fn classifier(chromium: &Path) -> Self {
        Self::bundled(chromium, "vgg_bn", "pictures/scene.png", &[])
    }

    /// Wait until the page is built.
    pub(crate) fn ready(&mut self) {
        self.browser.until("window.linearscope?.output.ready");
    }

    /// Go to a view of it.
    pub(crate) fn open(&mut self, hash: &str) {
        let link = format!("{}#{hash}", self.server.link);
        self.browser.open(&link);
        self.ready();
    }

    /// An array that a command writes: values and shape without the batch axis.
    pub(crate) fn command(
        &self,
        command: &str,
        more: &[&str],
        array: &str,
    ) -> (Vec<f64>, Vec<usize>) {
        let (values, shape) = self.command_whole(command, more, array);
        (values, shape[1..].to_vec())
    }

    /// The same with all its axes.
    pub(crate) fn command_whole(
        &self,
        command: &str,
        more: &[&str],
        array: &str,
    ) -> (Vec<f64>, Vec<usize>) {
        self.write(command, more);
        let result = self.folder.npy(&format!("results/{array}.npy"));
        std::fs::remove_dir_all(self.folder.path("results")).expect("results");
        result
    }

    /// The contributions that the command writes, the input's first.
    pub(crate) fn contributions(&self) -> Vec<f64> {
        self.write("contributions", &[]);
        let found = self.folder.json("results/contributions.json");
        let layers = found
            .as_array()
            .or_else(|| found["layers"].as_array())
            .expect("layers");
        layers
            .iter()
            .map(|layer| layer["value"].as_f64().expect("a value"))
            .collect()
    }

    pub(crate) fn write(&self, command: &str, more: &[&str]) {
        let mut args = vec![command];
        args.extend(self.of.iter().map(String::as_str));
        args.extend(more);
        args.extend(["--out", "results", "--fresh"]);
        self.folder.ok(&args);
    }

    /// Height and width of a side: `in` or `out`.
    pub(crate) fn size(&mut self, side: &str) -> [usize; 2] {
        let found = self.browser.numbers(&format!(
            "[linearscope.sides.{side}.height, linearscope.sides.{side}.width]"
        ));
        [found[0] as usize, found[1] as usize]
    }

    /// Where an entry of a side is on the screen.
    pub(crate) fn entry(&mut self, side: &str, [y, x]: [usize; 2]) -> [f64; 2] {
        let [height, width] = self.size(side);
        let part = |at: usize, of: usize| (at as f64 + 0.5) / of as f64;
        self.browser.place(
            &format!(".view.{side} canvas"),
            [part(x, width), part(y, height)],
        )
    }

    pub(crate) fn hover(&mut self, side: &str, at: [usize; 2]) {
        let place = self.entry(side, at);
        self.browser.hover(place);
    }

    pub(crate) fn click(&mut self, side: &str, at: [usize; 2], held: Held) {
        let place = self.entry(side, at);
        self.browser.click(place, held);
    }

    /// Wait until the field of exactly this place is shown.
    pub(crate) fn until_shown(&mut self, place: &str) {
        self.browser.until(&format!(
            "linearscope.flashlight.field?.address === linearscope.flashlight.source?.address
             && linearscope.flashlight.source.target === {place:?}"
        ));
    }

    /// The same of a region.
    pub(crate) fn until_region(&mut self) {
        self.browser.until(
            "linearscope.flashlight.field?.address === linearscope.flashlight.source?.address
             && linearscope.flashlight.source.place.box",
        );
    }

    /// The same of a class.
    pub(crate) fn until_shown_class(&mut self, k: usize) {
        self.browser.until(&format!(
            "linearscope.flashlight.field?.address === linearscope.flashlight.source?.address
             && linearscope.flashlight.place?.k === {k}"
        ));
    }

    /// All entries of the field that is shown, the crop in its place, as `[c, h, w]`.
    pub(crate) fn field(&mut self, of: &str) -> Vec<f64> {
        self.browser.numbers(&format!(
            "(() => {{ const f = {of}, [c, h, w] = f.full, all = [];
              for (let i = 0; i < c * h * w; i++) all.push(f.at(Math.floor(i / (h * w)), Math.floor(i / w) % h, i % w));
              return all; }})()"
        ))
    }

    /// The numbers under the cursor of a side, by their name: to the last bit, and as they are said.
    pub(crate) fn reading(&mut self, side: &str, name: &str) -> (Vec<f64>, String) {
        let at = format!("document.querySelector('.view.{side} .readout b[data-name=\"{name}\"]')");
        let exact = self.browser.text(&format!("{at}.dataset.value"));
        let numbers = exact.split(' ').map(|text| text.parse().expect("a number"));
        (
            numbers.collect(),
            self.browser.text(&format!("{at}.textContent")),
        )
    }

    /// What the page's scripts complained of: nothing.
    pub(crate) fn no_complaints(&mut self) {
        let complaints = self.browser.complaints();
        assert!(complaints.is_empty(), "{complaints:#?}");
    }
}

/// `said` is `value` to four digits.
pub(crate) fn says(said: &str, value: f64) {
    let plain = said.replace('−', "-").replace(['\u{202f}', '\u{a0}'], "");
    let number: f64 = plain
        .trim()
        .parse()
        .unwrap_or_else(|_| panic!("{said} is no number"));
    assert!(
        (number - value).abs() <= 6e-4 * value.abs(),
        "{said} for {value}"
    );
}

/// Equal to the last bit, with +0 and −0 as one.
pub(crate) fn same(shown: &[f64], written: &[f64], what: &str) {
    assert_eq!(shown.len(), written.len(), "{what}");
    let other = shown.iter().zip(written).position(|(a, b)| a != b);
    if let Some(i) = other {
        panic!(
            "{what}: entry {i} is {} on the page and {} in the file",
            shown[i], written[i]
        );
    }
    assert!(
        written.iter().any(|&v| v != 0.0),
        "{what}: all of it is 0, which shows nothing"
    );
}
