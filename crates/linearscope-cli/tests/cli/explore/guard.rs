//! Who may ask.

use super::{Folder, explore, picture, sr};

#[test]
fn other_sites_and_names_are_refused() {
    let folder = Folder::new();
    let server = explore(&folder, &sr(), &picture(), &[]);
    assert!(server.at.ip().is_loopback());
    for headers in [
        &[("Host", "evil.example")][..],
        &[("Host", "127.0.0.1.evil.example")],
        &[("Origin", "http://evil.example")],
        &[("Origin", "null")],
        &[
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Mode", "no-cors"),
        ],
    ] {
        for path in ["/", "/api/session", "/page/index.html"] {
            let response = server.get_with(path, headers);
            assert_eq!(response.status, 403, "{path} {headers:?}");
        }
    }
    let own = format!("http://{}", server.at);
    assert_eq!(
        server.get_with("/api/array/x0", &[("Origin", &own)]).status,
        200
    );
}

#[test]
fn every_response_says_what_a_page_may_do() {
    let folder = Folder::new();
    let server = explore(&folder, &sr(), &picture(), &[]);
    for path in [
        "/",
        "/api/row?at=0,0,0",
        "/api/row",
        "/nothing",
        "/page/none.js",
    ] {
        let response = server.get(path);
        let policy = response.header("content-security-policy").expect(path);
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob: data:",
            "connect-src 'self'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{path}: {part} in {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(
            response.header("x-content-type-options"),
            Some("nosniff"),
            "{path}"
        );
        assert!(response.header("cache-control").is_some(), "{path}");
        assert_eq!(
            response.header("access-control-allow-origin"),
            None,
            "{path}"
        );
    }
    assert_eq!(server.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").expect("a response").status, 405);
}

#[test]
fn others_need_the_token() {
    let folder = Folder::new();
    let server = explore(&folder, &sr(), &picture(), &["--listen", "127.0.0.1"]);
    let token = server
        .link
        .split_once("/?token=")
        .expect("a token in the link")
        .1
        .to_string();
    assert_eq!(token.len(), 32);
    for path in [
        "/",
        "/api/session",
        "/api/row?at=0,0,0",
        "/page/index.html",
        "/?token=0",
    ] {
        assert_eq!(server.get(path).status, 401, "{path}");
    }
    // The link gives a cookie and goes on without it.
    let first = server.get(&format!("/?token={token}&view=1"));
    assert_eq!(
        (first.status, first.header("location")),
        (303, Some("/?view=1"))
    );
    let cookie = first
        .header("set-cookie")
        .expect("a cookie")
        .split(';')
        .next()
        .expect("a pair");
    assert_eq!(
        server
            .get_with("/api/array/x0", &[("Cookie", cookie)])
            .status,
        200
    );
    let bearer = format!("Bearer {token}");
    assert_eq!(
        server
            .get_with("/api/array/x0", &[("Authorization", &bearer)])
            .status,
        200
    );
    assert_eq!(
        server.get(&format!("/api/array/x0?token={token}")).status,
        200
    );
    let other = explore(&folder, &sr(), &picture(), &["--listen", "127.0.0.1"]);
    assert_ne!(
        other.link.split_once('='),
        server.link.split_once('='),
        "a new one each time"
    );
}
