//! The promises on a remote device: Burn's CPU backend in another process, over a WebSocket on loopback. Without the
//! feature `remote` all are ignored.
//!
//! The server is this program, started once more: what loses its server must survive it.

/// Every test of this file, in `mod remote`; without the feature nothing of it is compiled.
macro_rules! all_of {
    ($($test:ident),+ $(,)?) => {
        fn trials() -> Vec<linearscope_tests::needs::Trial> {
            vec![$(linearscope_tests::needs::trial(
                concat!("loopback::", stringify!($test)),
                compiled,
                |()| {
                    #[cfg(feature = "remote")]
                    remote::$test();
                },
            )),+]
        }
    };
}

all_of!(
    random_networks_in_single_precision,
    random_networks_in_double_precision,
    bundled_networks,
    only_those_with_the_token_compute,
    a_device_that_the_server_lacks_is_an_error,
    a_lost_server_is_an_error_and_no_panic,
);

fn compiled() -> Result<(), String> {
    match cfg!(feature = "remote") {
        true => Ok(()),
        false => Err("needs 140 more crates compiled: cargo xtask test-remote".into()),
    }
}

fn main() -> std::process::ExitCode {
    #[cfg(feature = "remote")]
    if remote::is_server() {
        return remote::serve();
    }
    #[cfg(feature = "remote")]
    if let Some(server) = remote::asked_server() {
        return remote::ask(&server);
    }
    linearscope_tests::needs::run(trials())
}

#[cfg(feature = "remote")]
mod remote {
    use std::{
        env,
        io::{BufRead, BufReader, Write},
        net::TcpListener,
        process::{Child, Command, ExitCode, Stdio},
        sync::Arc,
    };

    use burn::tensor::{Device, FloatDType};
    use burn_backend::DType;
    use burn_dispatch::Dispatch;
    use linearscope::{
        Kernels, Loaded, Recorded, RuleSet,
        conformance::{Allowed, Floor},
        device, host,
    };
    use linearscope_tests::{BUNDLED, assets, network, promises::Platform, pseudo_input, upload};

    /// Tells this program to be a server; its value is the token to ask for, or nothing.
    const SERVE: &str = "LINEARSCOPE_TEST_SERVE";

    pub(crate) fn is_server() -> bool {
        env::var_os(SERVE).is_some()
    }

    /// Tells this program to be a client of the server that is its value: an environment is of a process.
    const ASK: &str = "LINEARSCOPE_TEST_ASK";

    pub(crate) fn asked_server() -> Option<String> {
        env::var(ASK).ok()
    }

    /// Compute something on a server; what went wrong is printed.
    pub(crate) fn ask(server: &str) -> ExitCode {
        let found = device::select(server).and_then(|device| {
            device::check_dtype(server, &device, FloatDType::F64)?;
            Ok(device)
        });
        match found {
            Ok(_) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        }
    }

    /// Serve the CPU at a free port, which is printed, until somebody kills this.
    pub(crate) fn serve() -> ExitCode {
        let token = env::var(SERVE).ok().filter(|token| !token.is_empty());
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        println!("{port}");
        std::io::stdout().flush().expect("printed");
        match device::serve(vec![Device::flex()], listener, token) {
            Ok(()) => ExitCode::SUCCESS,
            Err(said) => {
                eprintln!("{said}");
                ExitCode::FAILURE
            }
        }
    }

    /// A server in a process of its own, which ends with this.
    struct Server {
        process: Child,
        port: u16,
    }

    impl Server {
        fn start(token: &str) -> Self {
            let mut process = Command::new(env::current_exe().expect("this program"))
                .env(SERVE, token)
                .stdout(Stdio::piped())
                .spawn()
                .expect("starts");
            let mut line = String::new();
            let out = process.stdout.take().expect("piped");
            BufReader::new(out).read_line(&mut line).expect("a line");
            let port = line.trim().parse().expect("its port");
            Self { process, port }
        }

        fn name(&self) -> String {
            format!("remote:ws://127.0.0.1:{}", self.port)
        }

        fn device(&self) -> Device {
            device::select(&self.name()).expect("a session")
        }
    }

    impl Drop for Server {
        fn drop(&mut self) {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }

    fn platform(server: &Server, dtype: FloatDType, limit: f64) -> Platform<Dispatch> {
        let device = server.device();
        device::check_dtype(&server.name(), &device, dtype).expect("flex computes in both");
        Platform {
            device: device.as_dispatch().clone(),
            dtype: dtype.into(),
            // The server's processor sums what may come in other orders.
            allowed: Allowed {
                reference: limit / 100.0,
                exact: limit,
                other: limit,
                floor: Floor::Zero,
            },
            kernels: Kernels::Burn,
        }
    }

    pub(crate) fn random_networks_in_single_precision() {
        let server = Server::start("");
        platform(&server, FloatDType::F32, 1e-4).keeps_on_random_networks(25, 3);
    }

    pub(crate) fn random_networks_in_double_precision() {
        let server = Server::start("");
        platform(&server, FloatDType::F64, 1e-12).keeps_on_random_networks(25, 4);
    }

    pub(crate) fn bundled_networks() {
        let server = Server::start("");
        let platform = platform(&server, FloatDType::F32, 1e-4);
        for (file, shape) in BUNDLED {
            let network = network(&assets().join(file), shape);
            let x0 = pseudo_input(shape, 1.0, 0);
            platform
                .keeps(network, &x0, RuleSet::default())
                .unwrap_or_else(|broken| panic!("{file}: {broken}"));
        }
    }

    /// No token, an empty one, a wrong one, a part of the right one: refused. The right one computes.
    pub(crate) fn only_those_with_the_token_compute() {
        let ask = |server: &Server, token: Option<&str>| {
            let mut client = Command::new(env::current_exe().expect("this program"));
            client.env(ASK, server.name()).env_remove(device::TOKEN);
            if let Some(token) = token {
                client.env(device::TOKEN, token);
            }
            let done = client.output().expect("starts");
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            (done.status.success(), said)
        };
        let server = Server::start("a secret");
        let partly = [Some("a secre"), Some("a secrets")];
        for wrong in [None, Some(""), Some("another")].iter().chain(&partly) {
            let (computes, said) = ask(&server, *wrong);
            assert!(!computes, "computes with {wrong:?}");
            assert!(
                said.contains("rejected the credential"),
                "{wrong:?}: {said}"
            );
        }
        assert_eq!(ask(&server, Some("a secret")), (true, String::new()));
        // A server that asks for none takes any.
        let open = Server::start("");
        assert_eq!(ask(&open, Some("another")), (true, String::new()));
    }

    pub(crate) fn a_device_that_the_server_lacks_is_an_error() {
        let server = Server::start("");
        let name = format!("{}/#7", server.name());
        let error = device::select(&name).expect_err("one device").to_string();
        assert!(error.contains("hosts only 1 device"), "{error}");
    }

    /// What is read after the server is gone is an error with a next step; this process goes on, with other devices too.
    pub(crate) fn a_lost_server_is_an_error_and_no_panic() {
        let server = Server::start("");
        let device = server.device().as_dispatch().clone();
        let (file, shape) = BUNDLED[0];
        let loaded = Loaded::<Dispatch>::new(
            Arc::new(network(&assets().join(file), shape)),
            device.clone(),
            DType::F32,
        );
        let loaded = Arc::new(loaded.expect("loads"));
        let x = upload::<Dispatch>(&pseudo_input(shape, 1.0, 0), &device, DType::F32);
        let frozen = Recorded::new(Arc::clone(&loaded), vec![x.clone()], RuleSet::default());
        let frozen = frozen.expect("freezes");
        let read = |frozen: &Recorded<Dispatch>| host::<Dispatch>(frozen.reference()[0].clone());
        assert!(read(&frozen).is_ok());
        drop(server);
        let error = read(&frozen).expect_err("nobody is there").to_string();
        assert!(error.contains("its server"), "{error}");
        // A freeze looks at x₀ and f(x₀).
        let error = Recorded::new(loaded, vec![x], RuleSet::default()).err();
        let error = error.expect("nobody is there").to_string();
        assert!(error.contains("its server"), "{error}");
        let other = Server::start("");
        let device = other.device();
        device::check_dtype(&other.name(), &device, FloatDType::F64)
            .expect("another server computes");
    }
}
