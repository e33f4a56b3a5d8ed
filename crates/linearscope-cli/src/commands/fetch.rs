//! `fetch`: the published weights of a network of the paper, by the system's `curl`.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::{Command as Process, Stdio},
};

use clap::Args;
use linearscope_zoo::Architecture;

use crate::{
    command::{About, Command, Group, Pictures},
    console,
    error::{Failure, Result},
    opened::name_of,
    results::{sha256_of, write_whole},
};

/// `fetch`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Fetch {
    /// The network, as the list has it; without one the list is printed
    pub name: Option<String>,
    /// The folder for the file
    #[arg(long, default_value = FOLDER, value_name = "DIR")]
    pub to: PathBuf,
}

/// The folder for weights where none is named; `zoo:NAME` looks there.
pub(crate) const FOLDER: &str = "weights";

/// Where the published weights of a network lie in a folder; `None` where nobody published any.
pub(crate) fn place(known: &Architecture, folder: &Path) -> Option<PathBuf> {
    let (_, file) = known.weights?.rsplit_once('/')?;
    Some(folder.join(file))
}

impl Command for Fetch {
    const ABOUT: &'static About = &About {
        name: "fetch",
        group: Group::Files,
        summary: "Download the published weights of a network of the paper, and check them",
        details: "Nothing else in this program uses the internet. It runs curl, which must be installed, and continues an \
            interrupted download. The addresses come from the publishers' own code and have not been verified. A file whose \
            name holds the first digits of its SHA-256 is checked against them; any other is pinned when it first arrives: \
            its SHA-256 is written to FILE.sha256 and checked from then on. A file that is already there is only checked. \
            The weights are PyTorch state dicts. Every command reads them where it takes a model: zoo:NAME with the file \
            in the folder weights, zoo:NAME@FILE with any other.",
        example: "fetch resnet50",
        pictures: Pictures::None,
        files: &[],
        tables: &[],
        includes: &[],
    };

    fn run(&self) -> Result<()> {
        match &self.name {
            None => {
                list();
                Ok(())
            }
            Some(name) => fetch(name, &self.to),
        }
    }
}

fn list() {
    for known in Architecture::all() {
        if let Some(address) = known.weights {
            println!("{:22} {address}", known.name);
        }
    }
    println!("The addresses have not been verified.");
}

fn fetch(name: &str, folder: &Path) -> Result<()> {
    let known = Architecture::named(name).map_err(|error| {
        Failure::input(error.to_string())
            .hint("linearscope fetch lists those with published weights")
    })?;
    let Some(address) = known.weights else {
        return Err(Failure::input(format!("{name} has no published weights"))
            .hint("linearscope fetch lists those that have"));
    };
    let path = place(known, folder).expect("an address has a path");
    let file = name_of(&path);
    fs::create_dir_all(folder).map_err(|error| Failure::file(folder, error))?;
    if path.exists() {
        console::notice(&format!("{} is already there", path.display()));
        println!("{}", checked(&path, &path, known.hash())?);
        return Ok(());
    }
    let part = folder.join(format!("{file}.part"));
    let whole = |hash| sha256_of(&part).is_ok_and(|found| found.starts_with(hash));
    // A complete file has nothing left to continue, which servers answer with an error.
    if !known.hash().is_some_and(whole) {
        download(address, &part)?;
    }
    let said = match checked(&part, &path, known.hash()) {
        Ok(said) => said,
        Err(failure) => {
            // Otherwise the next run would continue it.
            let rejected = folder.join(format!("{file}.rejected"));
            fs::rename(&part, &rejected).map_err(|error| Failure::file(&rejected, error))?;
            return Err(failure.hint(format!("it was kept as {}", rejected.display())));
        }
    };
    fs::rename(&part, &path).map_err(|error| Failure::file(&path, error))?;
    println!("{said}");
    Ok(())
}

/// Let curl write `part`, from where it ends.
fn download(address: &str, part: &Path) -> Result<()> {
    if address.starts_with("http://") {
        console::notice(
            "this address is not encrypted: what arrives may not be what was published",
        );
    }
    console::notice(&format!("downloading {address}"));
    let curl = Process::new("curl")
        .args([
            "--location",
            "--fail",
            "--retry",
            "3",
            "--continue-at",
            "-",
            "--output",
        ])
        .arg(part)
        .arg(address)
        .stdin(Stdio::null())
        .status();
    let by_hand = format!(
        "or download {address} yourself into the same folder, and run this again to check it"
    );
    match curl {
        Ok(status) if status.success() => Ok(()),
        Ok(_) if console::interrupt().is_stopped() => {
            Err(Failure::interrupted("interrupted while downloading")
                .hint("run it again to continue"))
        }
        Ok(status) => Err(
            Failure::input(format!("curl could not download {address} ({status})"))
                .hint(format!("run it again to continue, {by_hand}")),
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(Failure::input("curl is not installed").hint(format!("install it, {by_hand}")))
        }
        Err(error) => Err(Failure::input(format!("curl: {error}"))),
    }
}

/// The file beside a download that holds the SHA-256 of the first one.
pub(crate) fn pin(path: &Path) -> PathBuf {
    let mut pin = path.as_os_str().to_owned();
    pin.push(".sha256");
    PathBuf::from(pin)
}

/// Compare the SHA-256 of `file`, which is to be `path`, with what its name begins, or with what was pinned; pin it where there
/// is neither.
fn checked(file: &Path, path: &Path, hash: Option<&str>) -> Result<String> {
    let found = sha256_of(file).map_err(|error| Failure::file(file, error))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let pin = pin(path);
    let differs = |by: &str, expected: &str| {
        Failure::input(format!(
            "{name} has the SHA-256 {found}, but {by} says {expected}"
        ))
    };
    if let Some(hash) = hash {
        return match found.starts_with(hash) {
            true => Ok(format!(
                "{}: the SHA-256 begins with {hash}, as the name says",
                path.display()
            )),
            false => Err(differs("its name", &format!("{hash}…"))),
        };
    }
    match fs::read_to_string(&pin) {
        Ok(pinned) => {
            let expected = pinned.split_whitespace().next().unwrap_or_default();
            match expected == found {
                true => Ok(format!(
                    "{}: the SHA-256 is the one pinned at the first download",
                    path.display()
                )),
                false => Err(differs(&pin.display().to_string(), expected)),
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            write_whole(&pin, format!("{found}  {name}\n").as_bytes())?;
            Ok(format!(
                "{}: nobody published a hash to compare with; pinned the SHA-256 {found} in {}",
                path.display(),
                pin.display()
            ))
        }
        Err(error) => Err(Failure::file(&pin, error)),
    }
}
