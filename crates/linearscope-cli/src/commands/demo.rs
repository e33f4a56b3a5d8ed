//! `demo`: the tour on the bundled networks, ending in a report to open.
//!
//! Networks and pictures are written beside the report, so that every command it shows can be run.

use std::path::{Path, PathBuf};

use clap::Parser;
use linearscope_analysis::svd::SvdConfig;
use linearscope_picture::page;

use super::{
    analyse::{INTRO, body, chapter, signed},
    contributions, svd,
};
use crate::{
    args::{Between, Cli, Command, Common, Demo, Task},
    error::{Failure, Result},
    output,
    report::{Chapter, Part, Report},
    session::{Session, certificate_line, judge},
};

/// A file that comes with the program.
macro_rules! bundled {
    ($($path:literal)*) => {
        [$(($path, include_bytes!(concat!("../../../../assets/", $path)).as_slice())),*]
    };
}

const FILES: [(&str, &[u8]); 15] = bundled! {
    "vgg/vgg.onnx" "vgg/vgg.toml" "vgg_bn/vgg_bn.onnx" "vgg_bn/vgg_bn.toml" "pictures/kinds.txt"
    "pixelshuffle/pixelshuffle.onnx" "pixelshuffle/pixelshuffle.toml"
    "edsr/edsr.onnx" "edsr/edsr.toml" "facade/facade.onnx" "facade/facade.toml"
    "graphs/bicubic.onnx"
    "pictures/scene.png" "pictures/facade.png" "pictures/cat.png"
};

/// Singular triplets a chapter shows.
const TRIPLETS: usize = 6;

/// Where the demo's files lie.
struct Place {
    out: PathBuf,
}

impl Place {
    /// The session a user would get from `linearscope COMMAND MODEL --input PICTURE`.
    fn session(&self, name: &str, model: &str, picture: &str) -> Result<Session> {
        output::progress(&format!("— {name}"));
        let common = self.common(name, model, picture)?;
        Session::open("demo", &common)
    }

    fn common(&self, name: &str, model: &str, picture: &str) -> Result<Common> {
        let (model, picture) = (self.out.join(model), self.out.join(picture));
        let results = self.out.join("results").join(name);
        let line: [&std::ffi::OsStr; 7] = [
            "linearscope".as_ref(),
            "run".as_ref(),
            model.as_os_str(),
            "--input".as_ref(),
            picture.as_os_str(),
            "--out".as_ref(),
            results.as_os_str(),
        ];
        let cli = Cli::try_parse_from(line).map_err(|error| Failure::input(error.to_string()))?;
        match cli.command {
            Command::Run(common) => Ok(common),
            _ => unreachable!("`run` was parsed"),
        }
    }
}

/// A chapter of a network, certified.
fn certified(session: &mut Session, task: Task, title: &str, lead: &str) -> Result<Chapter> {
    let (mut chapter, failures) = chapter(session, task, TRIPLETS)?;
    if let Some(failure) = failures.into_iter().next() {
        return Err(failure);
    }
    let (certificate, _) = session.finish()?;
    judge(&certificate)?;
    chapter.title = title.into();
    chapter.lead = lead.into();
    chapter.certificate = certificate_line(&certificate, session.precision());
    chapter.holds = certificate.holds();
    Ok(chapter)
}

/// The same score's parts in a network without and with batch norm.
fn with_and_without_batch_norm(place: &Place) -> Result<Part> {
    let mut part = Part {
        heading: "Without and with batch norm".into(),
        look: "The same architecture, trained on the same scenes, without batch norm (left) and with \
               (right). The paper finds two peaks, early and late, without it and one, deep, with it. \
               These are small networks: look whether theirs agree."
            .into(),
        ..Part::default()
    };
    let mut charts = Vec::new();
    for name in ["vgg", "vgg_bn"] {
        let model = format!("{name}/{name}.onnx");
        let mut session = place.session(&format!("{name}_contributions"), &model, SCENE)?;
        let found = contributions::find(&mut session, "top1")?;
        let (certificate, _) = session.finish()?;
        judge(&certificate)?;
        charts.push(page::bars(&found.chart));
        part.commands
            .push(format!("linearscope contributions {}", session.line));
    }
    part.body = vec![page::side_by_side(charts)];
    Ok(part)
}

/// The singular vectors of bicubic interpolation, as a network.
fn bicubic(place: &Place) -> Result<Part> {
    let mut session = place.session("bicubic", "graphs/bicubic.onnx", CAT)?;
    let triplets = svd::find(&mut session, &SvdConfig::new(TRIPLETS), &Between::default())?;
    if let Some(failure) = triplets.failure {
        return Err(failure);
    }
    let (certificate, _) = session.finish()?;
    judge(&certificate)?;
    let sheet = triplets.sheet.map(|mut sheet| {
        sheet.bands.retain(signed);
        sheet
    });
    Ok(Part {
        heading: "The same for bicubic interpolation".into(),
        look:
            "Cubic interpolation ×3, run as a network. It has no decisions: its singular vectors \
               do not know the picture, and cover all of it, like those of a cosine transform."
                .into(),
        body: vec![body(sheet.as_ref())?],
        commands: vec![format!("linearscope svd {} -k {TRIPLETS}", session.line)],
    })
}

const SCENE: &str = "pictures/scene.png";
const CAT: &str = "pictures/cat.png";

pub(crate) fn run(args: &Demo) -> Result<()> {
    let out = output::prepare(&args.out)?;
    for (path, bytes) in FILES {
        let path = out.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| Failure::file(folder, error))?;
        }
        output::write_whole(&path, bytes)?;
    }
    let place = Place { out };

    let mut session = place.session("vgg", "vgg/vgg.onnx", SCENE)?;
    let mut classifier = certified(
        &mut session,
        Task::Classifier,
        "A classifier: which object is in the scene?",
        "Six convolutions and two dense layers, trained on scenes of one object among clutter, eight \
         kinds of objects.",
    )?;
    classifier
        .parts
        .insert(2, with_and_without_batch_norm(&place)?);

    let mut session = place.session("pixelshuffle", "pixelshuffle/pixelshuffle.onnx", CAT)?;
    let mut shuffle = certified(
        &mut session,
        Task::Sr,
        "Four convolutions and a pixel shuffle: ×3 super-resolution",
        "The paper's upscaler of luminance, at a photograph that it never saw in training.",
    )?;
    let last = shuffle.parts.len() - 1;
    shuffle.parts.insert(last, bicubic(&place)?);

    let mut session = place.session("edsr", "edsr/edsr.onnx", CAT)?;
    let edsr = certified(
        &mut session,
        Task::Sr,
        "A small EDSR: ×2 super-resolution in colour",
        "Residual blocks and a long skip, at the same photograph.",
    )?;

    let mut session = place.session("facade", "facade/facade.onnx", "pictures/facade.png")?;
    let facade = certified(
        &mut session,
        Task::I2i,
        "A CycleGAN-style generator: from a façade to its labels",
        "Reflect pads, instance norms, residual blocks, transposed convolutions and tanh: sky is \
         light blue, walls yellow, roofs red, windows dark blue, doors green. Norms are frozen with \
         mean and standard deviation.",
    )?;

    let report = Report {
        title: "How four small networks solve their problems".into(),
        intro: vec![
            INTRO.into(),
            "The networks come with the program and were trained by the project; with their pictures they lie \
             beside this page, so every command shown can be run. For your own network: linearscope \
             analyse net.onnx --input picture.png"
                .into(),
        ],
        chapters: vec![classifier, shuffle, edsr, facade],
    };
    for chapter in &report.chapters {
        println!("{}\n  {}", chapter.title, chapter.certificate);
    }
    let path = place.out.join("report.html");
    output::write_whole(&path, report.html().as_bytes())?;
    println!("the report is {}", path.display());
    if args.open {
        open(&path)?;
    }
    Ok(())
}

fn open(path: &Path) -> Result<()> {
    ::open::that(path).map_err(|error| {
        Failure::file(path, error).hint("it is written; open it with a browser of yours")
    })
}
