//! Devices of other machines, by Burn's remote backend over WebSocket.
//!
//! A client sends ops, and reads back what it asks for. Nothing is encrypted: the token keeps strangers off a trusted
//! network's server and can be read by whoever reads the traffic. A tunnel (`ssh -L`) is the way across any other.

use burn::tensor::Device;

/// The kind of device that an address belongs to.
pub const REMOTE: &str = "remote";

/// The environment variable with the token that clients present and servers ask for. Not a part of a device's name, which
/// is written to manifests.
pub const TOKEN: &str = "LINEARSCOPE_REMOTE_TOKEN";

#[cfg(not(feature = "remote"))]
pub(super) fn connect(_name: &str) -> Result<Device, String> {
    Err("is not compiled in; build with --features remote".into())
}

/// The address and the device's index of `remote:ws://HOST:PORT/#INDEX`.
#[cfg(any(feature = "remote", test))]
fn address(name: &str) -> Result<(&str, usize), String> {
    let form = || {
        "is not of the form remote:ws://HOST:PORT, or remote:ws://HOST:PORT/#N for device N"
            .to_string()
    };
    let address = name.strip_prefix("remote:").ok_or_else(form)?;
    let (address, index) = match address.split_once('#') {
        None => (address, 0),
        Some((address, index)) => (address, index.parse().map_err(|_| form())?),
    };
    let address = address.strip_suffix('/').unwrap_or(address);
    let host = address.strip_prefix("ws://").ok_or_else(form)?;
    // A user's name or a path has no place here, and names of devices are written to manifests.
    match host.rsplit_once(':') {
        Some((host, port))
            if !host.is_empty()
                && !host.contains(['@', '/', '?'])
                && port.parse::<u16>().is_ok() =>
        {
            Ok((address, index))
        }
        _ => Err(form()),
    }
}

/// The token of the environment; an empty one is none.
#[cfg(feature = "remote")]
fn token() -> Option<String> {
    std::env::var(TOKEN).ok().filter(|token| !token.is_empty())
}

/// Open a session with the server that `name` has the address of.
#[cfg(feature = "remote")]
pub(super) fn connect(name: &str) -> Result<Device, String> {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use burn::remote::RemoteHost;

    let (address, index) = address(name)?;
    let open = || {
        let host = RemoteHost::websocket(address);
        let host = match token() {
            Some(token) => host.with_credential(token),
            None => host,
        };
        let options = Device::remote_options(&host).device_index(index);
        options.init().map_err(|error| error.to_string())
    };
    // Burn panics at an address that is none.
    let opened = catch_unwind(AssertUnwindSafe(open))
        .unwrap_or_else(|panic| Err(crate::error::panic_message(panic.as_ref())));
    opened.map_err(|said| format!("cannot be connected: {said}"))
}

/// Serve devices of this machine to clients that present `token`, or to all where it is `None`, until the process
/// gets Ctrl-C or SIGTERM; blocks. A client picks a device by its place in the list. Ops run on behalf of whoever
/// connects, and nothing is encrypted: listen on loopback, or on a network that you trust.
///
/// # Errors
/// What keeps the server from serving, in words: no device, devices of several backends, an empty token.
#[cfg(feature = "remote-server")]
pub fn serve(
    devices: Vec<Device>,
    listener: std::net::TcpListener,
    token: Option<String>,
) -> Result<(), String> {
    use burn::server::{RemoteServer, TokenAuthorizer, WebSocketTransport};

    let server = RemoteServer::new(devices);
    let server = match token {
        Some(token) => {
            server.with_authorizer(TokenAuthorizer::new(token).map_err(|error| error.to_string())?)
        }
        None => server,
    };
    server
        .serve(WebSocketTransport::from_listener(listener))
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for (name, expected) in [
            ("remote:ws://gpu:3000", ("ws://gpu:3000", 0)),
            ("remote:ws://gpu:3000/", ("ws://gpu:3000", 0)),
            ("remote:ws://[::1]:3000/#2", ("ws://[::1]:3000", 2)),
            ("remote:ws://10.0.0.1:80#1", ("ws://10.0.0.1:80", 1)),
        ] {
            assert_eq!(address(name), Ok(expected));
        }
        for name in [
            "remote",
            "remote:",
            "remote:gpu:3000",
            "remote:http://gpu:3000",
            "remote:ws://gpu",
            "remote:ws://gpu:port",
            "remote:ws://gpu:99999",
            "remote:ws://gpu:3000/#first",
            "remote:ws://:3000",
            "remote:ws://user:secret@gpu:3000",
            "remote:ws://gpu/path:3000",
        ] {
            let said = address(name).unwrap_err();
            assert!(said.contains("remote:ws://HOST:PORT"), "{name}: {said}");
        }
    }
}
