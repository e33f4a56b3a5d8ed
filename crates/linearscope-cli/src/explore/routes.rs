//! Paths, and what every response carries.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use linearscope::Interrupt;
use tokio::{sync::oneshot, time::timeout};

use super::{
    answer::{Answer, JSON},
    asked::Asked,
    desk::Desk,
    guard::{Guard, Pass},
    page,
    params::Params,
    points::Points,
    queue::{Full, LONGEST, Queue, Ticket},
    refusal::Refusal,
    stream::{Lines, Reply, Waiting},
};

/// How long an answer that comes at once may take, from its place in the queue on.
const PATIENCE: Duration = Duration::from_secs(600);

/// What pages may do: nothing that is not here.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What the thread of the connections and the one that computes share.
pub(crate) struct Shared {
    pub desk: Desk,
    pub queue: Queue,
    guard: Guard,
    /// Raised at the end: what is computed stops.
    running: Mutex<Option<Interrupt>>,
}

impl Shared {
    pub(crate) fn new(points: Points, guard: Guard) -> Self {
        Self {
            desk: Desk::new(points),
            guard,
            queue: Queue::default(),
            running: Mutex::new(None),
        }
    }

    /// What is computed now.
    pub(crate) fn running(&self, interrupt: Option<Interrupt>) -> Option<Interrupt> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *running, interrupt)
    }

    /// The end.
    pub(crate) fn close(&self) {
        self.queue.close();
        if let Some(interrupt) = self.running(None) {
            interrupt.stop();
        }
    }
}

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/page/{name}", get(file))
        .route("/api/{*path}", get(api))
        .fallback(nowhere)
        .layer(middleware::from_fn_with_state(shared.clone(), guarded))
        .with_state(shared)
}

/// Only who may; and headers on whatever comes of it.
async fn guarded(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    let mut response = match shared.guard.check(method, uri, headers) {
        Ok(Pass::Welcome) => next.run(request).await,
        Ok(Pass::WithCookie) => without_token(&shared, uri),
        Err(refusal) => {
            // Who may not ask keeps no connection from those who may.
            let mut response = refusal.into_response();
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
            response
        }
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The same link with the token in a cookie instead.
fn without_token(shared: &Shared, uri: &Uri) -> Response {
    let pairs = uri.query().unwrap_or_default().split('&');
    let rest: Vec<&str> = pairs.filter(|pair| !pair.starts_with("token=")).collect();
    let link = match rest[..] {
        [] => "/".to_string(),
        _ => format!("/?{}", rest.join("&")),
    };
    let headers = [
        (header::LOCATION, link),
        (header::SET_COOKIE, shared.guard.set_cookie()),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}

async fn nowhere() -> Response {
    Refusal::new(StatusCode::NOT_FOUND, "nothing here")
        .hint("the page is at /")
        .into_response()
}

async fn index(headers: HeaderMap) -> Response {
    of_page("index.html", &headers)
}

async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    of_page(&name, &headers)
}

fn of_page(name: &str, headers: &HeaderMap) -> Response {
    let Some(file) = page::file(name) else {
        return Refusal::new(StatusCode::NOT_FOUND, "the page has no such file").into_response();
    };
    let tag = file.tag();
    if is_known(headers, &tag) {
        return not_modified(&tag);
    }
    let headers = [
        (header::CONTENT_TYPE, file.kind),
        (header::CACHE_CONTROL, "no-cache"),
        (header::ETAG, &tag),
    ];
    (headers, file.bytes).into_response()
}

/// Whether the browser has it already.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known == tag)
}

fn not_modified(tag: &str) -> Response {
    let headers = [(header::CACHE_CONTROL, "no-cache"), (header::ETAG, tag)];
    (StatusCode::NOT_MODIFIED, headers).into_response()
}

async fn api(
    State(shared): State<Arc<Shared>>,
    Path(path): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    match ask(&shared, &path, &uri, &headers).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    }
}

async fn ask(
    shared: &Arc<Shared>,
    path: &str,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    let mut params = Params::of(uri)?;
    // The guard has read it.
    params.text("token");
    let asked = Asked::of(path, &mut params)?;
    let hover = params.flag("hover")?;
    let client = params.text("client");
    params.done()?;
    shared.desk.points.check(&asked.of)?;
    // What a session says never changes: its tag alone tells that a browser's copy is good.
    let tag = format!("\"{}\"", shared.desk.points.key());
    let job = asked.what.is_job();
    if !job && is_known(headers, &tag) {
        return Ok(not_modified(&tag));
    }
    if !job && let Some(answer) = shared.desk.cached(&asked.key()) {
        return Ok(whole(answer, &tag));
    }
    let interrupt = Interrupt::new();
    let hover = client.filter(|_| hover && !job);
    let wait = |reply| {
        let ticket = Ticket {
            asked,
            reply,
            hover,
            interrupt: interrupt.clone(),
        };
        shared.queue.push(ticket).map_err(|full| match full {
            Full::Full => Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("{LONGEST} requests are already waiting"),
            )
            .hint("try again in a second"),
            Full::Closed => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the explorer is closed"),
        })
    };
    if job {
        let (lines, body) = Lines::new(interrupt.clone());
        wait(Reply::Lines(lines))?;
        let kind = [
            (header::CONTENT_TYPE, "application/x-ndjson"),
            (header::ETAG, tag.as_str()),
        ];
        return Ok((kind, Body::new(body)).into_response());
    }
    let (sender, receiver) = oneshot::channel();
    wait(Reply::Whole(sender))?;
    // A client that leaves drops this future, and with it the guard.
    let _waiting = Waiting(interrupt);
    match timeout(PATIENCE, receiver).await {
        Ok(Ok(answer)) => Ok(whole(answer?, &tag)),
        Ok(Err(_)) => Err(Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the explorer is closed",
        )),
        // No 503: asking again would take as long again.
        Err(_) => Err(Refusal::new(
            StatusCode::GATEWAY_TIMEOUT,
            format!("stopped after more than {} s", PATIENCE.as_secs()),
        )
        .hint("use the command line, which has no such limit")),
    }
}

fn whole(answer: Answer, tag: &str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, answer.kind),
        (header::CACHE_CONTROL, "no-cache"),
        (header::ETAG, tag),
    ];
    let mut response = (headers, Body::from(answer.body)).into_response();
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let text = self.to_json().to_string();
        let mut response = (self.status, [(header::CONTENT_TYPE, JSON)], text).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            let seconds = HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            let get = HeaderValue::from_static("GET");
            response.headers_mut().insert(header::ALLOW, get);
        }
        response
    }
}
