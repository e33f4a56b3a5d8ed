//! `explore`: the interactive page.

use std::{
    net::IpAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use clap::Args;

use crate::{
    args::Common,
    command::{About, Command, Group, Pictures},
    console,
    error::{Failure, Result},
    explore::{Address, Points, Wish, export, serve},
    limits::bytes,
};

/// Heading of what the page is asked for.
const PAGE: &str = "The page";
/// Heading of what is written instead of served.
const FILES: &str = "As files";

/// `explore`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Explore {
    /// Port to serve the page on [default: 8712, or the next free one]
    #[arg(long, value_name = "P", help_heading = PAGE)]
    pub port: Option<u16>,
    /// Print the link without opening a browser
    #[arg(long, help_heading = PAGE)]
    pub no_open: bool,
    /// Serve other machines too, at this address of this machine (0.0.0.0: all addresses). The link then contains a
    /// token that every request must present. Traffic is not encrypted
    #[arg(long, value_name = "ADDR", help_heading = PAGE)]
    pub listen: Option<IpAddr>,
    /// A second network for the same picture; one pointer moves over both
    #[arg(long, value_name = "MODEL", help_heading = PAGE)]
    pub compare_model: Option<PathBuf>,
    /// A second picture for the same network; one pointer moves over both
    #[arg(long, value_name = "FILE", help_heading = PAGE)]
    pub compare_input: Option<PathBuf>,
    /// Write the page to this folder instead of serving it; the files open from disk and from any static host.
    /// Estimates size and time and asks before it starts. Run the command again to resume an interrupted export
    #[arg(long, value_name = "DIR", help_heading = FILES,
        conflicts_with_all = ["port", "no_open", "listen", "compare_model", "compare_input"])]
    pub export: Option<PathBuf>,
    /// Export rows and columns at places N apart [default: the smallest spacing that fits --max-size]
    #[arg(long, value_name = "N", help_heading = FILES, requires = "export")]
    pub step: Option<NonZeroUsize>,
    /// Largest size of the export on disk, in GB
    #[arg(long, value_name = "GB", default_value_t = 0.5, help_heading = FILES, requires = "export")]
    pub max_size: f64,
    /// Export attributions for the N best classes
    #[arg(long, value_name = "N", default_value_t = 10, help_heading = FILES, requires = "export")]
    pub top: usize,
    /// Also export this class, with the contribution of each layer; repeat for more
    #[arg(long, value_name = "K", help_heading = FILES, requires = "export")]
    pub target: Vec<String>,
    /// An attribution method to export; repeat for more
    #[arg(long, value_name = "NAME", default_value = "conserving", help_heading = FILES, requires = "export")]
    pub method: Vec<String>,
    /// Export without asking for confirmation
    #[arg(long, help_heading = FILES, requires = "export")]
    pub yes: bool,
    #[command(flatten)]
    pub common: Common,
}

/// What `explore` says of itself.
const ABOUT: &About = &About {
    name: "explore",
    group: Group::Start,
    summary: "Explore interactively in the browser: input and output side by side, rows and columns under the pointer",
    details: "Freezes the network at the picture and opens a page in the browser. Point at the output to see \
        which input pixels it uses, or at the input to see where a pixel goes. Panels show singular vectors, \
        contributions, attributions, votes, and how far the linear reading holds. Everything is computed on \
        demand, by the same code as the other commands. The page is served to this machine only, unless you \
        pass --listen. Press Ctrl-C to stop.",
    example: "explore net.onnx --input cat.jpg",
    pictures: Pictures::One,
    files: &[],
    tables: &[],
    includes: &[],
};

impl Explore {
    /// The network and the picture, and those that they are compared with.
    fn all(&self) -> Vec<Common> {
        let mut all = vec![self.common.clone()];
        if self.compare_model.is_some() || self.compare_input.is_some() {
            let mut other = self.common.clone();
            if let Some(model) = &self.compare_model {
                other.model.clone_from(model);
            }
            if let Some(input) = &self.compare_input {
                other.input.clone_from(input);
            }
            all.push(other);
        }
        all
    }

    fn check(&self) -> Result<()> {
        let folder = |path: &Path| {
            Failure::input(format!(
                "{} is a folder, but explore takes a single picture",
                path.display()
            ))
            .hint("to write a report for each picture of a folder, use analyse")
        };
        let inputs = [Some(&self.common.input), self.compare_input.as_ref()];
        if let Some(path) = inputs.into_iter().flatten().find(|path| path.is_dir()) {
            return Err(folder(path));
        }
        for (flag, given) in [
            ("--json", self.common.json),
            ("--shard", self.common.shard.is_some()),
            ("--fresh", self.common.fresh && self.export.is_none()),
            ("--each-channel", self.common.each_channel),
            ("--check-decisions", self.common.freezing.check_decisions),
        ] {
            if given {
                return Err(Failure::input(format!(
                    "{flag} has no effect: explore writes no results"
                ))
                .hint("the page shows the command that writes each result"));
            }
        }
        Ok(())
    }
}

impl Explore {
    /// What is wanted as files.
    fn wish(&self) -> Result<Option<Wish>> {
        let Some(folder) = &self.export else {
            return Ok(None);
        };
        Ok(Some(Wish {
            folder: folder.clone(),
            step: self.step.map(NonZeroUsize::get),
            top: self.top,
            targets: self.target.clone(),
            methods: self.method.clone(),
            max_size: bytes("--max-size", self.max_size, 1.0)?,
            yes: self.yes,
            fresh: self.common.fresh,
        }))
    }
}

impl Command for Explore {
    const ABOUT: &'static About = ABOUT;

    const HIDDEN: &'static [&'static str] = &["out", "json", "each_channel", "check_decisions"];

    fn run(&self) -> Result<()> {
        self.check()?;
        let wish = self.wish()?;
        let points = Points::new(ABOUT, &self.all())?;
        if let Some(wish) = wish {
            return export(points, &wish);
        }
        let address = Address {
            listen: self.listen,
            port: self.port,
        };
        serve(points, address, |link| {
            console::clear();
            println!("{link}");
            eprintln!("press Ctrl-C to stop");
            if !self.no_open
                && let Err(error) = open::that_detached(link)
            {
                console::notice(&format!(
                    "could not open a browser ({error}); open {link} yourself"
                ));
            }
        })
    }
}
