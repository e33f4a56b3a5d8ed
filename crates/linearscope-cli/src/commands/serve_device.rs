//! `serve-device`: this machine's devices, for `--device remote:ws://HOST:PORT` on others.

use std::net::SocketAddr;

use clap::Args;

use crate::{
    command::{About, Command, Group, Pictures},
    error::Result,
};

/// `serve-device`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServeDevice {
    /// Device to serve, as for the other commands; --device repeats for several of one backend
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    pub device: Vec<String>,
    /// Address and port to listen at; 0.0.0.0 is all addresses of this machine, and port 0 is a free one
    #[arg(long, default_value = "127.0.0.1:3000", value_name = "ADDR:PORT")]
    pub listen: SocketAddr,
}

impl Command for ServeDevice {
    const ABOUT: &'static About = &About {
        name: "serve-device",
        group: Group::Files,
        summary: "Let other machines compute on this machine's device",
        details: "Runs until Ctrl-C. Other machines name the device as --device remote:ws://HOST:PORT. Needs a program that was built \
            with the feature remote-server; clients need the feature remote, and the same release of Burn. Nothing is encrypted, and \
            whoever connects may compute: if the environment variable LINEARSCOPE_REMOTE_TOKEN is set, clients must have the same \
            value in theirs, which keeps strangers out but can be read on the way. Across a network that you do not trust, use a \
            tunnel (ssh -L 3000:127.0.0.1:3000 HOST).",
        example: "serve-device --device vulkan",
        pictures: Pictures::None,
        files: &[],
        tables: &[],
        includes: &[],
    };

    fn run(&self) -> Result<()> {
        serve(self)
    }
}

#[cfg(not(feature = "remote-server"))]
fn serve(args: &ServeDevice) -> Result<()> {
    Err(crate::error::Failure::input(format!(
        "this program cannot serve {} at {}: it was built without the feature remote-server",
        args.device.join(", "),
        args.listen
    ))
    .hint("cargo build --release --features remote-server"))
}

#[cfg(feature = "remote-server")]
fn serve(args: &ServeDevice) -> Result<()> {
    use linearscope::device::{TOKEN, serve};

    use crate::{args::Precision, console, device, error::Failure};

    let mut names = Vec::new();
    let mut devices = Vec::new();
    for name in &args.device {
        let (name, device) = device::opened(name, Precision::F32)?;
        names.push(name);
        devices.push(device);
    }
    let token = std::env::var(TOKEN).ok().filter(|token| !token.is_empty());
    let listener = std::net::TcpListener::bind(args.listen)
        .map_err(|error| Failure::input(format!("cannot listen at {}: {error}", args.listen)))?;
    let address = listener
        .local_addr()
        .map_err(|error| Failure::input(format!("no address: {error}")))?;
    if token.is_none() && !address.ip().is_loopback() {
        console::notice(&format!(
            "whoever reaches {address} can compute here: set {TOKEN} to ask for a token"
        ));
    }
    console::print(&format!(
        "serving {}: --device remote:ws://{address}",
        names.join(", ")
    ));
    serve(devices, listener, token)
        .map_err(|said| Failure::input(format!("cannot serve at {address}: {said}")))
}
