//! Who may ask: requests of this page, by names that mean this machine, and with the token where one is needed.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, Method, StatusCode, Uri, header};

use super::refusal::Refusal;

/// The longest path and query.
const LONGEST_URI: usize = 4096;

/// What is known of the door.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    /// Where it listens.
    at: SocketAddr,
    /// What a request has to know, where others than this machine can send one.
    token: Option<String>,
}

/// A request that may pass.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    Welcome,
    /// It knew the token by its link: a cookie is given, and the link without it.
    WithCookie,
}

/// Names of this machine that no other machine can have.
fn is_loopback(host: &str) -> bool {
    let ip = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || ip.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The name and the port of a `Host`.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        // The colons of an IPv6 address are within brackets.
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.is_empty() => name,
        _ => host,
    }
}

/// Whether two texts are equal, in a time that does not say where they differ.
fn equal(a: &[u8], b: &[u8]) -> bool {
    let differing = a.iter().zip(b).fold(0u8, |all, (a, b)| all | (a ^ b));
    // The compiler must not leave early either.
    std::hint::black_box(differing) == 0 && a.len() == b.len()
}

fn forbidden(message: &str, hint: &str) -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, message).hint(hint)
}

impl Guard {
    pub(crate) fn new(at: SocketAddr, token: Option<String>) -> Self {
        Self { at, token }
    }

    /// The cookie's name: of each port its own, as cookies know no ports.
    fn cookie(&self) -> String {
        format!("linearscope-{}", self.at.port())
    }

    /// The header that gives it. Lax, since the link may be followed from a page of another site, such as a letter.
    pub(crate) fn set_cookie(&self) -> String {
        let token = self.token.as_deref().unwrap_or_default();
        format!("{}={token}; HttpOnly; SameSite=Lax; Path=/", self.cookie())
    }

    /// Whether a request may pass.
    ///
    /// A page of another site cannot read what is here: its browser says where the request comes from, and a name of its
    /// own that it points here (DNS rebinding) is no name of this machine.
    pub(crate) fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Pass, Refusal> {
        let text = |name| one(headers, name);
        let host =
            text(header::HOST)?.ok_or_else(|| Refusal::bad("a request needs a Host header"))?;
        if !self.is_ours(name_of(host)) {
            return Err(forbidden(
                "this server does not answer for this Host",
                "open the link that the program printed",
            ));
        }
        if let Some(origin) = text(header::ORIGIN)?
            && origin != format!("http://{host}")
        {
            return Err(forbidden(
                "requests from this Origin are not allowed",
                "only the page itself may",
            ));
        }
        let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
        let navigates = headers
            .get("sec-fetch-mode")
            .is_some_and(|mode| mode == "navigate");
        let foreign = site.is_some_and(|site| site != b"same-origin" && site != b"none");
        if foreign && !(navigates && uri.path() == "/") {
            return Err(forbidden(
                "requests from other sites are not allowed",
                "only the page itself may",
            ));
        }
        if method != Method::GET {
            return Err(Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "only GET requests are allowed",
            ));
        }
        let length = uri.path_and_query().map_or(0, |text| text.as_str().len());
        if length > LONGEST_URI {
            return Err(Refusal::new(
                StatusCode::URI_TOO_LONG,
                "the link is too long",
            ));
        }
        let body = headers.contains_key(header::TRANSFER_ENCODING)
            || text(header::CONTENT_LENGTH)?.is_some_and(|length| length.trim() != "0");
        if body {
            return Err(Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "requests must not have a body",
            ));
        }
        self.knows(uri, headers)
    }

    /// Whether a name is that of this server.
    fn is_ours(&self, host: &str) -> bool {
        let ip = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>();
        match self.token {
            None => is_loopback(host),
            // By its address, or by the name that people know it by; the token keeps others out.
            Some(_) => is_loopback(host) || ip.is_ok() || is_plain_name(host),
        }
    }

    fn knows(&self, uri: &Uri, headers: &HeaderMap) -> Result<Pass, Refusal> {
        let Some(token) = &self.token else {
            return Ok(Pass::Welcome);
        };
        let known = |given: &str| equal(given.as_bytes(), token.as_bytes());
        let bearer = one(headers, header::AUTHORIZATION)?;
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
        let cookies = headers.get_all(header::COOKIE).iter();
        let mut cookies = cookies
            .filter_map(|value| value.to_str().ok())
            .flat_map(|all| all.split(';'));
        let name = self.cookie();
        let by_cookie = cookies.any(|one| {
            let pair = one.trim().split_once('=');
            pair.is_some_and(|(key, value)| key == name && known(value))
        });
        let mut pairs = uri.query().unwrap_or_default().split('&');
        let by_link = pairs.any(|pair| pair.strip_prefix("token=").is_some_and(known));
        match by_link {
            // Even who has the cookie: the token shall not stay in the address.
            true if uri.path() == "/" => Ok(Pass::WithCookie),
            true => Ok(Pass::Welcome),
            false if bearer.is_some_and(known) || by_cookie => Ok(Pass::Welcome),
            false => Err(
                Refusal::new(StatusCode::UNAUTHORIZED, "the token is missing or wrong")
                    .hint("open the link that the program printed, with its token"),
            ),
        }
    }
}

/// A header that is there once, as text.
fn one(headers: &HeaderMap, name: header::HeaderName) -> Result<Option<&str>, Refusal> {
    let mut all = headers.get_all(&name).iter();
    let (first, second) = (all.next(), all.next());
    match (first.map(|value| value.to_str()), second) {
        (None, _) => Ok(None),
        (Some(Ok(text)), None) => Ok(Some(text)),
        _ => Err(Refusal::bad(format!("the header {name} cannot be read"))),
    }
}

fn is_plain_name(host: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    !host.is_empty() && host.len() <= 253 && host.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(guard: &Guard, path: &str, headers: &[(&'static str, &str)]) -> Result<Pass, u16> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().expect("a value"));
        }
        let uri = path.parse().expect("a path");
        let checked = guard.check(&Method::GET, &uri, &map);
        checked.map_err(|refusal| refusal.status.as_u16())
    }

    fn guard(token: Option<&str>) -> Guard {
        Guard::new(
            "127.0.0.1:8712".parse().expect("an address"),
            token.map(String::from),
        )
    }

    #[test]
    fn only_names_of_this_machine_are_served() {
        let at = |host: &str| asked(&guard(None), "/api/session", &[("host", host)]);
        // A tunnel has a port of its own.
        for host in [
            "127.0.0.1:8712",
            "localhost:8712",
            "localhost:9000",
            "[::1]:8712",
            "LOCALHOST",
        ] {
            assert_eq!(at(host), Ok(Pass::Welcome), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example:8712",
            "10.0.0.1",
            "",
            ":8712",
            "localhost.evil",
        ] {
            assert_eq!(at(host), Err(403), "{host}");
        }
        assert_eq!(asked(&guard(None), "/", &[]), Err(400));
        let twice = [("host", "localhost"), ("host", "localhost")];
        assert_eq!(asked(&guard(None), "/", &twice), Err(400));
    }

    #[test]
    fn other_pages_may_not_ask() {
        let host = ("host", "127.0.0.1:8712");
        let from = |more: &[(&'static str, &str)], path: &str| {
            asked(&guard(None), path, &[&[host], more].concat())
        };
        assert_eq!(
            from(&[("origin", "http://127.0.0.1:8712")], "/api/row"),
            Ok(Pass::Welcome)
        );
        for origin in [
            "http://evil.example",
            "http://127.0.0.1:3000",
            "https://127.0.0.1:8712",
            "null",
        ] {
            assert_eq!(
                from(&[("origin", origin)], "/api/row"),
                Err(403),
                "{origin}"
            );
        }
        let image = [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "no-cors"),
        ];
        assert_eq!(from(&image, "/api/picture/x0.png"), Err(403));
        let link = [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
        ];
        assert_eq!(from(&link, "/"), Ok(Pass::Welcome));
        assert_eq!(from(&link, "/api/session"), Err(403));
        assert_eq!(from(&[("content-length", "3")], "/"), Err(413));
        assert_eq!(from(&[("transfer-encoding", "chunked")], "/"), Err(413));
    }

    #[test]
    fn a_token_is_asked_for_where_there_is_one() {
        let guard = guard(Some("0123abcd"));
        let host = ("host", "192.168.0.5:8712");
        let with = |path: &str, more: &[(&'static str, &str)]| {
            asked(&guard, path, &[&[host], more].concat())
        };
        assert_eq!(with("/", &[]), Err(401));
        for wrong in [
            "/?token=0123abce",
            "/?token=0123abc",
            "/?token=0123abcdd",
            "/?token=",
            "/?xtoken=0123abcd",
        ] {
            assert_eq!(with(wrong, &[]), Err(401), "{wrong}");
        }
        assert_eq!(with("/?token=0123abcd", &[]), Ok(Pass::WithCookie));
        assert_eq!(with("/api/session?token=0123abcd", &[]), Ok(Pass::Welcome));
        assert_eq!(
            with("/", &[("authorization", "Bearer 0123abcd")]),
            Ok(Pass::Welcome)
        );
        let cookie =
            |name: &str, token: &str| with("/", &[("cookie", &format!("a=b; {name}={token}"))]);
        assert_eq!(cookie("linearscope-8712", "0123abcd"), Ok(Pass::Welcome));
        // Who is known already is sent on as well: the token shall not stay in the address.
        let known = [("cookie", "linearscope-8712=0123abcd")];
        assert_eq!(with("/?token=0123abcd", &known), Ok(Pass::WithCookie));
        assert_eq!(asked(&guard, "/", &[("host", "my_box:8712")]), Err(401));
        assert_eq!(asked(&guard, "/", &[("host", "my box:8712")]), Err(403));
        assert_eq!(cookie("linearscope-8713", "0123abcd"), Err(401));
        assert_eq!(cookie("linearscope-8712", "0123abc"), Err(401));
        assert!(guard.set_cookie().contains("HttpOnly; SameSite=Lax"));
    }
}
