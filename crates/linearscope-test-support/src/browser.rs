//! A headless Chromium, driven as a person would drive it: over the DevTools protocol, through two pipes. So no
//! port is opened, none can be taken, and nothing beyond the standard library is needed.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a Chromium of a test is told, whoever starts it: no window, no card, and no word to anybody.
pub const QUIET: [&str; 6] = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// A key that is held down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// None.
    Nothing,
    /// Shift.
    Shift,
}

impl Held {
    fn bits(self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Shift => 8,
        }
    }
}

/// What a screen is like.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    /// In pixels of CSS.
    pub width: u32,
    /// In pixels of CSS.
    pub height: u32,
    /// Whether somebody wants dark pages.
    pub dark: bool,
    /// A finger instead of a mouse.
    pub touch: bool,
    /// Whether things may move by themselves.
    pub motion: bool,
}

impl Default for Screen {
    fn default() -> Self {
        Self {
            width: 1280,
            height: 1000,
            dark: false,
            touch: false,
            motion: false,
        }
    }
}

/// A browser with one page. It ends when it is dropped.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    session: Option<String>,
    asked: u64,
    complaints: Vec<String>,
    _profile: TempDir,
}

impl Browser {
    /// Start this Chromium. The protocol's pipes are descriptors 3 and 4, which a shell makes of standard input
    /// and output.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(chromium: &Path) -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null", "sh"])
            .arg(chromium)
            .args(["--headless=new", "--remote-debugging-pipe"])
            .args(QUIET)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the browser starts");
        let to = child.stdin.take().expect("a pipe");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
        let (send, from) = channel();
        // Ends with the browser, when its pipe does, or with the test, when nobody listens.
        thread::spawn(move || {
            let mut message = Vec::new();
            while matches!(lines.read_until(0, &mut message), Ok(1..)) {
                message.pop_if(|last| *last == 0);
                let Ok(value) = serde_json::from_slice(&message) else {
                    return;
                };
                if send.send(value).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let mut browser = Self {
            child,
            to,
            from,
            session: None,
            asked: 0,
            complaints: Vec::new(),
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", attach);
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.call(domain, json!({}));
        }
        browser.screen(Screen::default());
        browser
    }

    /// One call of the protocol.
    ///
    /// # Panics
    /// When it is refused, or the browser does not answer.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let mut message = json!({ "id": self.asked, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).expect("the browser listens");
        self.to.flush().expect("the browser listens");
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let mut said = match self.from.recv_timeout(left) {
                Ok(said) => said,
                Err(RecvTimeoutError::Timeout) => panic!("{method}: no answer in {PATIENCE:?}"),
                Err(RecvTimeoutError::Disconnected) => panic!("{method}: the browser has ended"),
            };
            if said["id"] == json!(self.asked) {
                assert!(said["error"].is_null(), "{method}: {}", said["error"]);
                return said["result"].take();
            }
            self.note(&said);
        }
    }

    // Errors of scripts and of the console. That a server does not answer is no error of the page.
    fn note(&mut self, said: &Value) {
        let params = &said["params"];
        match said["method"].as_str() {
            Some("Runtime.exceptionThrown") => {
                self.complaints.push(params["exceptionDetails"].to_string());
            }
            Some("Log.entryAdded")
                if params["entry"]["level"] == "error"
                    && params["entry"]["source"] != "network" =>
            {
                self.complaints.push(params["entry"]["text"].to_string());
            }
            _ => {}
        }
    }

    /// What the page's scripts complained of until now: exceptions, and what the content security policy refused.
    pub fn complaints(&mut self) -> &[String] {
        self.value("0");
        &self.complaints
    }

    /// How the page is looked at from now on.
    pub fn screen(&mut self, screen: Screen) {
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": screen.width, "height": screen.height, "deviceScaleFactor": 1, "mobile": screen.touch }),
        );
        self.call(
            "Emulation.setTouchEmulationEnabled",
            json!({ "enabled": screen.touch }),
        );
        let scheme = if screen.dark { "dark" } else { "light" };
        let motion = if screen.motion {
            "no-preference"
        } else {
            "reduce"
        };
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": motion },
        ]);
        self.call(
            "Emulation.setEmulatedMedia",
            json!({ "features": features }),
        );
    }

    /// Without any network from now on.
    pub fn offline(&mut self) {
        self.call("Network.enable", json!({}));
        self.call(
            "Network.emulateNetworkConditions",
            json!({ "offline": true, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0 }),
        );
    }

    /// Go to an address, as by typing it.
    pub fn open(&mut self, address: &str) {
        // A part behind # alone would not load the page anew.
        self.call("Page.navigate", json!({ "url": "about:blank" }));
        self.call("Page.navigate", json!({ "url": address }));
    }

    /// The value of an expression in the page; promises are waited for.
    ///
    /// # Errors
    /// What it threw.
    pub fn try_value(&mut self, expression: &str) -> Result<Value, String> {
        let asked =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut result = self.call("Runtime.evaluate", asked);
        match &result["exceptionDetails"] {
            Value::Null => Ok(result["result"]["value"].take()),
            thrown => Err(thrown.to_string()),
        }
    }

    /// The same of what does not throw.
    ///
    /// # Panics
    /// When it does.
    pub fn value(&mut self, expression: &str) -> Value {
        self.try_value(expression)
            .unwrap_or_else(|thrown| panic!("{expression}: {thrown}"))
    }

    /// Numbers of the page.
    ///
    /// # Panics
    /// When it is no list of numbers.
    pub fn numbers(&mut self, expression: &str) -> Vec<f64> {
        let value = self.value(expression);
        let list = value
            .as_array()
            .unwrap_or_else(|| panic!("{expression}: {value}"));
        list.iter()
            .map(|number| {
                number
                    .as_f64()
                    .unwrap_or_else(|| panic!("{expression}: {number}"))
            })
            .collect()
    }

    /// A text of the page.
    ///
    /// # Panics
    /// When it is none.
    pub fn text(&mut self, expression: &str) -> String {
        let value = self.value(expression);
        value
            .as_str()
            .unwrap_or_else(|| panic!("{expression}: {value}"))
            .to_owned()
    }

    /// Wait until an expression is true; until then it may throw.
    ///
    /// # Panics
    /// When it never is.
    pub fn until(&mut self, expression: &str) {
        let end = Instant::now() + PATIENCE;
        let mut last = Ok(Value::Null);
        while Instant::now() < end {
            last = self.try_value(&format!("Boolean({expression})"));
            if last == Ok(Value::Bool(true)) {
                return;
            }
            thread::sleep(Duration::from_millis(30));
        }
        let seen = self.try_value("document.body.innerText");
        panic!(
            "never true: {expression} ({last:?}); the page says {seen:?}; {:?}",
            self.complaints
        );
    }

    /// The middle of an element, or another part of it, in pixels of the screen; scrolled to.
    pub fn place(&mut self, selector: &str, [across, down]: [f64; 2]) -> [f64; 2] {
        let asked = format!(
            "(() => {{ const e = document.querySelector({selector:?}); e.scrollIntoView({{ block: 'nearest' }});
              const r = e.getBoundingClientRect(); return [r.x + r.width * {across}, r.y + r.height * {down}]; }})()"
        );
        match self.numbers(&asked)[..] {
            [x, y] => [x, y],
            _ => panic!("{selector} has no place"),
        }
    }

    fn mouse(&mut self, kind: &str, [x, y]: [f64; 2], pressed: bool, held: Held) {
        let button = if kind == "mouseMoved" && !pressed {
            "none"
        } else {
            "left"
        };
        let buttons = u8::from(pressed && kind != "mouseReleased");
        let asked = json!({ "type": kind, "x": x, "y": y, "button": button, "buttons": buttons,
            "clickCount": u8::from(kind != "mouseMoved"), "modifiers": held.bits() });
        self.call("Input.dispatchMouseEvent", asked);
    }

    /// Move the mouse there.
    pub fn hover(&mut self, at: [f64; 2]) {
        self.mouse("mouseMoved", at, false, Held::Nothing);
    }

    /// Move there and click.
    pub fn click(&mut self, at: [f64; 2], held: Held) {
        self.mouse("mouseMoved", at, false, held);
        self.mouse("mousePressed", at, true, held);
        self.mouse("mouseReleased", at, true, held);
    }

    /// Press, move and let go.
    pub fn drag(&mut self, from: [f64; 2], to: [f64; 2]) {
        self.mouse("mouseMoved", from, false, Held::Nothing);
        self.mouse("mousePressed", from, true, Held::Nothing);
        let middle = [(from[0] + to[0]) / 2.0, (from[1] + to[1]) / 2.0];
        self.mouse("mouseMoved", middle, true, Held::Nothing);
        self.mouse("mouseMoved", to, true, Held::Nothing);
        self.mouse("mouseReleased", to, true, Held::Nothing);
    }

    /// Touch a place for a moment.
    pub fn tap(&mut self, [x, y]: [f64; 2]) {
        let touch = json!({ "type": "touchStart", "touchPoints": [{ "x": x, "y": y }] });
        self.call("Input.dispatchTouchEvent", touch);
        self.call(
            "Input.dispatchTouchEvent",
            json!({ "type": "touchEnd", "touchPoints": [] }),
        );
    }

    /// Press a key by its name in the web's events: `ArrowLeft`, `Enter`, `?`.
    pub fn key(&mut self, key: &str, held: Held) {
        let code = match key {
            "Enter" => 13,
            "Escape" => 27,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            _ => 0,
        };
        let mut asked = json!({ "type": "keyDown", "key": key, "modifiers": held.bits(),
            "windowsVirtualKeyCode": code });
        if key.chars().count() == 1 {
            asked["text"] = json!(key);
        } else if key == "Enter" {
            asked["text"] = json!("\r");
        }
        self.call("Input.dispatchKeyEvent", asked);
        let released = json!({ "type": "keyUp", "key": key, "modifiers": held.bits(), "windowsVirtualKeyCode": code });
        self.call("Input.dispatchKeyEvent", released);
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Asked to, it ends its own children too; killed it might leave them.
        let asked = json!({ "id": self.asked + 1, "method": "Browser.close" }).to_string();
        let sent = self
            .to
            .write_all(asked.as_bytes())
            .and_then(|()| self.to.write_all(&[0]));
        let end = Instant::now() + Duration::from_secs(5);
        while sent.is_ok() && Instant::now() < end {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
