//! Ten thousand requests that nobody who means well sends.

use std::{
    io::{Read, Write},
    net::Shutdown,
    time::{Duration, Instant},
};

use linearscope_test_support::server::Server;

use super::{Folder, explore, picture, sr};

/// Numbers that look random, the same in every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, most: usize) -> usize {
        self.next() as usize % most
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

const PATHS: &[&str] = &[
    "/",
    "/page/app.js",
    "/page/../../../../etc/passwd",
    "/page/..%2f..%2f..%2fetc%2fpasswd",
    "/page/%00",
    "/page/....//....//Cargo.toml",
    "//etc/passwd",
    "/api",
    "/api/",
    "/api/../page/x",
    "/api/session/..",
    "/api/session",
    "/api/array/x0",
    "/api/array/../x0",
    "/api/picture/x0.png",
    "/api/row",
    "/api/column",
    "/api/attribution",
    "/api/contributions",
    "/api/layer",
    "/api/svd",
    "/api/svd/u",
    "/api/svd/sum",
    "/api/votes",
    "/api/fields",
    "/api/validity",
    "/api/along",
    "/api/attack",
    "/api/attack/picture",
    "/%ff%fe",
    "/\u{1F52C}",
    "*",
    "",
    "http://evil.example/",
    "/api/row%3fat=0,0,0",
];

const VALUES: &[&str] = &[
    "",
    "0",
    "1",
    "-1",
    "NaN",
    "nan",
    "inf",
    "-inf",
    "1e999",
    "1e-999",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999",
    "0,0,0",
    "all,0,0",
    "all,-1,0",
    "0,0,NaN",
    "0,47,48",
    "0,999999999,0",
    "all,0..999999999,0",
    "all,..,..",
    "0..,0..,0..",
    "all,0..48,0..48",
    "auto",
    "top1",
    ",",
    ",,,",
    "%",
    "%zz",
    "%00",
    "%ff",
    "../../etc/passwd",
    "/etc/passwd",
    "file:///etc/passwd",
    "rules.toml",
    "paper",
    "'",
    "\"",
    "<script>",
    "${x}",
    "lrp-",
    "lrp-first=",
    "lrp-:::",
    "occlusion:0",
    "rise:0",
    "grad-cam:",
    "layer:none",
    "smooth-grad:99999999999",
    "0x10",
    "+1",
    " 1",
    "1 ",
    "١",
    "--rules",
    "black",
    "blur",
    "2147483648",
];

const NAMES: &[&str] = &[
    "at",
    "c",
    "region",
    "net",
    "rules",
    "to",
    "target",
    "method",
    "name",
    "k",
    "i",
    "pairs",
    "t",
    "eps",
    "step",
    "towards",
    "attacked",
    "baseline",
    "hover",
    "client",
    "lean",
    "token",
    "file",
    "\u{0}",
    "at[]",
    "__proto__",
];

/// A target that may mean anything.
fn target(dice: &mut Dice) -> String {
    let mut target = dice.of(PATHS).to_string();
    for i in 0..dice.below(4) {
        target.push(if i == 0 { '?' } else { '&' });
        target += dice.of(NAMES);
        target.push('=');
        target += dice.of(VALUES);
        if dice.below(40) == 0 {
            target += &"9".repeat(dice.below(20_000));
        }
    }
    target.replace([' ', '\r', '\n'], "%20")
}

/// One hostile request, written to a connection, which is closed in one of several ways.
fn attack(server: &Server, dice: &mut Dice) -> std::io::Result<()> {
    let mut stream = server.connect()?;
    let host = match dice.below(12) {
        0 => "evil.example".to_string(),
        1 => String::new(),
        2 => "localhost\r\nHost: evil.example".into(),
        3 => "x".repeat(5_000),
        _ => server.at.to_string(),
    };
    let target = target(dice);
    let request: Vec<u8> = match dice.below(16) {
        // No HTTP at all.
        0 => {
            let len = dice.below(4_000);
            dice.bytes(len)
        }
        1 => b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        2 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        // A head without an end, or one that is far too long.
        3 => format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nX: ").into_bytes(),
        4 => format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nX: {}\r\n\r\n", "y".repeat(100_000)).into_bytes(),
        5 => {
            let many: String = (0..1000).map(|i| format!("X-{i}: {i}\r\n")).collect();
            format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{many}\r\n").into_bytes()
        }
        // Bodies that lie about their length, or never come.
        6 => format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 99999999999\r\n\r\nabc").into_bytes(),
        7 => format!("POST {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: -1\r\n\r\n").into_bytes(),
        8 => format!("POST {target} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n").into_bytes(),
        9 => format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n").into_bytes(),
        10 => format!("{} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n", dice.of(&["PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "G\0T", "HEAD"])).into_bytes(),
        11 => format!("GET {target} HTTP/{}\r\nHost: {host}\r\n\r\n", dice.of(&["0.9", "1.0", "2.0", "9.9", "", "x"])).into_bytes(),
        // Two at once, and a third that is cut off.
        12 => format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").repeat(2).into_bytes()[..].to_vec(),
        13 => {
            let origin = dice.of(&["null", "http://evil.example", "", "http://127.0.0.1"]);
            format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n\r\n").into_bytes()
        }
        14 => {
            let cookie = String::from_utf8_lossy(&dice.bytes(64)).into_owned();
            format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nIf-None-Match: \"\r\n\r\n").into_bytes()
        }
        _ => format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into_bytes(),
    };
    match dice.below(8) {
        // Leave in the middle of it.
        0 => {
            let part = dice.below(request.len() + 1);
            stream.write_all(&request[..part])?;
            return Ok(());
        }
        1 => {
            stream.write_all(&request)?;
            return Ok(());
        }
        // Byte by byte, for a while.
        2 => {
            for byte in request.iter().take(30) {
                stream.write_all(&[*byte])?;
            }
            return Ok(());
        }
        3 => {
            stream.write_all(&request)?;
            stream.shutdown(Shutdown::Write)?;
        }
        _ => stream.write_all(&request)?,
    }
    // Read a little of the answer, or none, and go.
    if dice.below(3) == 0 {
        stream.set_read_timeout(Some(Duration::from_millis(20)))?;
        let mut some = [0; 256];
        let _ = stream.read(&mut some)?;
    }
    Ok(())
}

#[test]
fn ten_thousand_hostile_requests_leave_it_healthy() {
    let folder = Folder::new();
    let mut server = explore(&folder, &sr(), &picture(), &[]);
    let healthy = server.ok("/api/row?at=all,20,31");
    server.ok("/api/session");
    let mut dice = Dice(1);
    for _ in 0..500 {
        let _ = attack(&server, &mut dice);
    }
    let before = server.memory();
    for i in 0..9_500 {
        // What breaks is the connection, not the server.
        let _ = attack(&server, &mut dice);
        if i % 1000 == 0 {
            assert!(server.runs(), "{}", server.said());
        }
    }
    let began = Instant::now();
    let after = server.ok("/api/row?at=all,20,31");
    assert_eq!(after.body, healthy.body, "the same bits as before");
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    let said = server.said();
    assert!(
        !said.contains("panic") && !said.contains("a bug in linearscope"),
        "{said}"
    );
    if let (Some(before), Some(after)) = (before, server.memory()) {
        assert!(after < before + (400 << 20), "{before} to {after} bytes");
    }
    assert_eq!(server.interrupt(), Some(130));
}

/// Connections that say nothing do not keep others out for ever, and one that reads nothing is cut off.
#[test]
fn silent_connections_are_closed() {
    const REQUESTS: usize = 1000;
    let folder = Folder::new();
    let server = explore(&folder, &sr(), &picture(), &[]);
    let request = format!("GET /api/array/y0 HTTP/1.1\r\nHost: {}\r\n\r\n", server.at);
    let each = server.ok("/api/array/y0").body.len();
    let mut slow = server.connect().expect("a connection");
    slow.write_all(request.repeat(REQUESTS).as_bytes())
        .expect("sent");
    let silent: Vec<_> = (0..200).filter_map(|_| server.connect().ok()).collect();
    let began = Instant::now();
    server.ok("/api/array/x0");
    assert!(
        began.elapsed() < Duration::from_secs(45),
        "{:?}",
        began.elapsed()
    );
    drop(silent);
    std::thread::sleep(Duration::from_secs(25).saturating_sub(began.elapsed()));
    // What was on its way comes, and no more.
    let (mut read, mut some) = (0, vec![0; 1 << 20]);
    while let Ok(n @ 1..) = slow.read(&mut some) {
        read += n;
    }
    assert!(read < REQUESTS * each, "{read} of {}", REQUESTS * each);
}

/// More questions than may wait: those beyond are told to come again.
#[test]
fn a_full_queue_says_so() {
    let folder = Folder::new();
    let server = explore(&folder, &sr(), &picture(), &[]);
    server.ok("/api/session");
    let mut waiting = Vec::new();
    let mut statuses = Vec::new();
    for i in 0..60 {
        let mut stream = server.connect().expect("a connection");
        // Jobs of their own, so that none is in the cache.
        let request = format!(
            "GET /api/svd?k={} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            5 + i,
            server.at
        );
        stream.write_all(request.as_bytes()).expect("sent");
        let mut head = [0; 16];
        stream.read_exact(&mut head).expect("a status");
        statuses.push(String::from_utf8_lossy(&head[9..12]).into_owned());
        waiting.push(stream);
    }
    assert!(
        statuses.iter().any(|status| status == "503"),
        "{statuses:?}"
    );
    drop(waiting);
    // Those that left are not computed.
    let began = Instant::now();
    server.ok("/api/row?at=0,1,1");
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
}
