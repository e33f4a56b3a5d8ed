//! Listening, and the connections: one thread for all of them, which computes nothing.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hyper::server::conn::http1;
use hyper_util::{rt::TokioTimer, service::TowerToHyperService};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};

use super::{compute, connection::Patient, guard::Guard, points::Points, routes};
use crate::{
    console,
    error::{Failure, Result},
    opened::host_name,
    results::hex,
};

/// Connections at once; others wait in the system's queue. A browser opens six.
const CONNECTIONS: usize = 96;
/// Those of one other machine at once: it shall not keep the rest out.
const EACH: usize = 32;
/// How long a client may take for the head of a request.
const HEAD: Duration = Duration::from_secs(10);
/// Bytes of a request's head.
const HEAD_BYTES: usize = 16 << 10;
/// Lines of a request's head.
const HEADERS: usize = 64;
/// How often Ctrl-C is looked at.
const TICK: Duration = Duration::from_millis(50);
/// The port that links have, where it is free.
const PORT: u16 = 8712;
/// How many after it are tried.
const NEIGHBOURS: u16 = 20;

/// Where to listen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address {
    /// Others than this machine; then a token is requested.
    pub listen: Option<IpAddr>,
    /// `None`: 8712, or one near it that is free.
    pub port: Option<u16>,
}

impl Address {
    fn ip(self) -> IpAddr {
        self.listen.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    /// A socket that listens.
    async fn bind(self) -> Result<TcpListener> {
        let at = |port| SocketAddr::new(self.ip(), port);
        if let Some(port) = self.port {
            let found = TcpListener::bind(at(port)).await;
            return match found {
                Ok(listener) => Ok(listener),
                Err(error) => Err(unbound(at(port), &error, self.free().await)),
            };
        }
        let mut ports = (PORT..=PORT + NEIGHBOURS).chain([0]);
        loop {
            let port = ports.next().unwrap_or(0);
            match TcpListener::bind(at(port)).await {
                Ok(listener) => return Ok(listener),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && port != 0 => {}
                Err(error) => return Err(unbound(at(port), &error, None)),
            }
        }
    }

    /// A port that is free.
    async fn free(self) -> Option<u16> {
        let found = TcpListener::bind(SocketAddr::new(self.ip(), 0))
            .await
            .ok()?;
        Some(found.local_addr().ok()?.port())
    }
}

fn unbound(at: SocketAddr, error: &io::Error, free: Option<u16>) -> Failure {
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => "another program is using it".into(),
        io::ErrorKind::PermissionDenied => "it needs administrator rights".into(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".into(),
        _ => error.to_string(),
    };
    let failure = Failure::input(format!("cannot listen on {at}: {why}"));
    match free {
        Some(port) => failure.hint(format!(
            "--port {port} is free; omit --port to choose a free port automatically"
        )),
        None => failure,
    }
}

/// A random token of 128 bits.
fn token() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::input(format!("cannot generate a random token: {error}")))?;
    Ok(hex(bytes))
}

/// Serve until Ctrl-C. `ready` hears the link as soon as somebody can follow it.
///
/// # Errors
/// A port that cannot be had; the interruption at the end.
pub(crate) fn serve(points: Points, address: Address, ready: impl FnOnce(&str)) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::input(format!("cannot start a thread for connections: {error}"))
        })?;
    let (listener, at) = runtime.block_on(async {
        let listener = address.bind().await?;
        let at = listener.local_addr();
        let at =
            at.map_err(|error| Failure::input(format!("cannot determine the address: {error}")))?;
        Ok::<_, Failure>((listener, at))
    })?;
    let token = address.listen.map(|_| token()).transpose()?;
    // All addresses are none that a browser can go to.
    let host = match at.ip().is_unspecified() {
        true => format!("{}:{}", host_name(), at.port()),
        false => at.to_string(),
    };
    let link = match &token {
        Some(token) => format!("http://{host}/?token={token}"),
        None => format!("http://{host}/"),
    };
    let shared = Arc::new(routes::Shared::new(points, Guard::new(at, token)));
    let computing = {
        let shared = shared.clone();
        let name = std::thread::Builder::new().name("explore".into());
        name.spawn(move || compute::work(&shared))
            .map_err(|error| {
                Failure::input(format!("cannot start a thread for computing: {error}"))
            })?
    };
    ready(&link);
    runtime.block_on(accept(listener, &shared));
    shared.close();
    // Connections end with the runtime; what is computed stops at the next node.
    runtime.shutdown_timeout(Duration::from_secs(1));
    let _ = computing.join();
    Err(Failure::interrupted("interrupted: the explorer is closed"))
}

/// How many connections each machine has.
#[derive(Clone, Default)]
struct Peers(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One of them, until it is dropped.
struct Peer {
    all: Peers,
    from: IpAddr,
}

impl Peers {
    /// A further one, unless another machine has [`EACH`]. This machine's programs share all there are.
    fn admit(&self, from: IpAddr) -> Option<Peer> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(from).or_insert(0);
        if *count >= EACH && !from.is_loopback() {
            return None;
        }
        *count += 1;
        let all = self.clone();
        Some(Peer { all, from })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.from) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.from);
            }
        }
    }
}

async fn accept(listener: TcpListener, shared: &Arc<routes::Shared>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    let router = routes::router(shared.clone());
    let peers = Peers::default();
    while !console::stopped() {
        let Ok(Ok(permit)) = timeout(TICK, permits.clone().acquire_owned()).await else {
            continue;
        };
        match timeout(TICK, listener.accept()).await {
            Ok(Ok((stream, from))) => {
                let Some(peer) = peers.admit(from.ip()) else {
                    continue;
                };
                let service = TowerToHyperService::new(router.clone());
                tokio::spawn(connection(stream, service, (permit, peer)));
            }
            // Too many open files: they are closed some time.
            Ok(Err(_)) => sleep(TICK).await,
            Err(_) => {}
        }
    }
}

async fn connection(
    stream: TcpStream,
    service: TowerToHyperService<axum::Router>,
    _admitted: (OwnedSemaphorePermit, Peer),
) {
    let _ = stream.set_nodelay(true);
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .serve_connection(Patient::new(stream), service);
    // A client that breaks the protocol or leaves is nobody's concern.
    let _ = served.await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_machine_has_so_many_connections_and_no_more() {
        let peers = Peers::default();
        let (other, third) = (IpAddr::from([10, 0, 0, 7]), IpAddr::from([10, 0, 0, 8]));
        let mut held: Vec<Peer> = (0..EACH).filter_map(|_| peers.admit(other)).collect();
        assert_eq!(held.len(), EACH);
        assert!(peers.admit(other).is_none());
        assert!(peers.admit(third).is_some());
        held.pop();
        assert!(peers.admit(other).is_some());
        drop(held);
        assert!(peers.0.lock().expect("whole").is_empty());
        let own = IpAddr::from(Ipv4Addr::LOCALHOST);
        assert_eq!(
            (0..2 * EACH).filter_map(|_| peers.admit(own)).count(),
            2 * EACH
        );
    }
}
