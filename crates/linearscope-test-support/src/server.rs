//! A program that serves pages, and requests to it, whole ones and broken ones.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// How long anything may take before it counts as dead.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server as a process; killed when it is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub at: SocketAddr,
    /// The link that it printed.
    pub link: String,
    said: Arc<Mutex<String>>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status's number.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// What follows them; chunks put together.
    pub body: Vec<u8>,
}

impl Response {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| &value[..])
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// What a job ended with.
    ///
    /// # Panics
    /// When it did not end well.
    pub fn done(&self) -> Value {
        let text = self.text();
        let last = text.lines().last().unwrap_or_default();
        let line: Value = serde_json::from_str(last).unwrap_or_else(|e| panic!("{e}: {text}"));
        assert!(line["done"].is_object(), "{text}");
        line["done"].clone()
    }
}

impl Server {
    /// Start a program that prints its link as the first line of stdout.
    ///
    /// # Panics
    /// When it does not.
    pub fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().expect("it starts");
        let said = Arc::new(Mutex::new(String::new()));
        let errors = BufReader::new(child.stderr.take().expect("piped"));
        let kept = said.clone();
        thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                let mut said = kept.lock().unwrap_or_else(PoisonError::into_inner);
                *said += &format!("{line}\n");
            }
        });
        let mut link = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        out.read_line(&mut link).expect("a line");
        let link = link.trim().to_string();
        let host = link
            .strip_prefix("http://")
            .and_then(|rest| rest.split('/').next());
        let at = host.and_then(|host| host.parse().ok());
        let heard = || said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let at = at.unwrap_or_else(|| {
            thread::sleep(Duration::from_millis(300));
            panic!("no link but {link:?}: {}", heard())
        });
        Self {
            child,
            at,
            link,
            said,
        }
    }

    /// What it said on stderr so far.
    pub fn said(&self) -> String {
        self.said
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A connection that does not wait for ever.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&self.at, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    /// GET a path with more headers.
    ///
    /// # Panics
    /// When no response comes back.
    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = format!("GET {path} HTTP/1.1\r\n");
        if !headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("host"))
        {
            request += &format!("Host: {}\r\n", self.at);
        }
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += "Connection: close\r\n\r\n";
        self.send(request.as_bytes())
            .unwrap_or_else(|e| panic!("{path}: {e}: {}", self.said()))
    }

    /// GET a path.
    ///
    /// # Panics
    /// When no response comes back.
    pub fn get(&self, path: &str) -> Response {
        self.get_with(path, &[])
    }

    /// GET a path and insist on success.
    ///
    /// # Panics
    /// When it is refused.
    pub fn ok(&self, path: &str) -> Response {
        let response = self.get(path);
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        response
    }

    /// Send bytes and read what comes back until the server closes.
    ///
    /// # Errors
    /// When the connection breaks, or what comes back is no response.
    pub fn send(&self, request: &[u8]) -> io::Result<Response> {
        let mut stream = self.connect()?;
        stream.write_all(request)?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        parsed(&bytes).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Bytes of memory it has now, where the system says so.
    pub fn memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kilobytes * 1024)
    }

    /// Press Ctrl-C; its exit code, once it has ended.
    ///
    /// # Panics
    /// When it does not end.
    pub fn interrupt(&mut self) -> Option<i32> {
        let sent = Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill runs").success());
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().expect("its status") {
                return status.code();
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("it does not end: {}", self.said())
    }

    /// Whether it runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_none())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Status, headers and body of bytes.
fn parsed(bytes: &[u8]) -> Option<Response> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_string()))
        })
        .collect();
    let body = &bytes[end + 4..];
    let chunked = headers
        .iter()
        .any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = match chunked {
        true => together(body)?,
        false => body.to_vec(),
    };
    Some(Response {
        status,
        headers,
        body,
    })
}

/// Chunks put together; `None` where the last is missing.
fn together(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).ok()?, 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}
