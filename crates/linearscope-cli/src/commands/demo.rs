//! `demo`: the tour on the bundled networks, ending in a report to open.
//!
//! Networks and pictures are written alongside the report, so that every command it shows can be run.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Args, FromArgMatches};
use linearscope_analysis::svd::SvdConfig;
use linearscope_picture::page;
use serde_json::Value;

use super::{
    analyse::{INTRO, body, chapter, signed},
    contributions, run, svd,
};
use crate::{
    args::Between,
    command::{About, Command, FileAbout, Group, OnPicture, Pictures},
    console,
    error::{Failure, Result},
    opened::Opened,
    report::{Chapter, Part, Report},
    results::write_whole,
    session::{Session, certificate_line, judge},
    task::Task,
};

/// `demo`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Demo {
    /// Folder for the report and its numbers
    #[arg(long, default_value = "linearscope-demo")]
    pub out: PathBuf,
    /// Open the report in a browser when it is finished
    #[arg(long)]
    pub open: bool,
}

/// Singular triplets a chapter shows.
const TRIPLETS: usize = 6;

/// Where the demo's files lie.
struct Place {
    out: PathBuf,
}

impl Place {
    /// The session a user would get from `linearscope run MODEL --input PICTURE`.
    fn session(&self, name: &str, model: &str, picture: &str) -> Result<Session> {
        console::step(name);
        let (model, picture) = (self.out.join(model), self.out.join(picture));
        let line: [&std::ffi::OsStr; 4] = [
            "run".as_ref(),
            model.as_os_str(),
            "--input".as_ref(),
            picture.as_os_str(),
        ];
        let command = run::Run::augment_args(clap::Command::new("run"));
        let wrong = |error: clap::Error| Failure::input(error.to_string());
        let matches = command.try_get_matches_from(line).map_err(wrong)?;
        let common = run::Run::from_arg_matches(&matches).map_err(wrong)?.common;
        let opened = Opened::new(&RESULTS, &common, Value::Null)?;
        opened.at(&picture, &self.out.join("results").join(name))
    }
}

/// What each network's results are, as `analyse` writes them.
const RESULTS: About = About {
    name: "demo",
    group: Group::Start,
    summary: "",
    details: "",
    example: "",
    pictures: Pictures::None,
    files: &[],
    tables: &[],
    includes: &[
        <super::analyse::Analyse as OnPicture>::ABOUT,
        contributions::ABOUT,
        super::attribute::ABOUT,
        svd::ABOUT,
        super::votes::ABOUT,
        super::maps::ABOUT,
        <super::row::Row as OnPicture>::ABOUT,
        <super::column::Column as OnPicture>::ABOUT,
        <run::Run as OnPicture>::ABOUT,
    ],
};

/// Certify a session, judge it, and put its results in their place.
fn close(mut session: Session) -> Result<String> {
    let certificate = session.certify()?;
    let line = certificate_line(&certificate, session.precision);
    session.finish(true)?;
    judge(&certificate)?;
    Ok(line)
}

/// A chapter of a network, certified.
fn certified(mut session: Session, task: Task, title: &str, lead: &str) -> Result<Chapter> {
    let (mut chapter, failures) = chapter(&mut session, task, TRIPLETS)?;
    if let Some(failure) = failures.into_iter().next() {
        return Err(failure);
    }
    chapter.title = title.into();
    chapter.lead = lead.into();
    (chapter.certificate, chapter.holds) = (close(session)?, true);
    Ok(chapter)
}

/// The same score's parts in a network without and with batch norm.
fn with_and_without_batch_norm(place: &Place) -> Result<Part> {
    let mut part = Part {
        heading: "Without and with batch norm".into(),
        look: "The same architecture, trained on the same scenes, without batch norm (left) and with it \
               (right). The paper finds two peaks without batch norm, early and late, and a single deep one \
               with it. These networks are small: see whether they agree."
            .into(),
        ..Part::default()
    };
    let mut charts = Vec::new();
    for name in ["vgg", "vgg_bn"] {
        let model = format!("{name}/{name}.onnx");
        let mut session = place.session(&format!("{name}_contributions"), &model, SCENE)?;
        let found = contributions::find(&mut session, "top1")?;
        charts.push(page::bars(&found.chart));
        part.commands
            .push(format!("linearscope contributions {}", session.line));
        close(session)?;
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
    let line = session.line.clone();
    close(session)?;
    let sheet = triplets.sheet.map(|mut sheet| {
        sheet.bands.retain(signed);
        sheet
    });
    Ok(Part {
        heading: "The same for bicubic interpolation".into(),
        look:
            "Cubic interpolation ×3, run as a network. It makes no decisions, so its singular vectors do not \
               depend on the picture and cover all of it, like those of a cosine transform."
                .into(),
        body: vec![body(sheet.as_ref())?],
        commands: vec![format!("linearscope svd {line} -k {TRIPLETS}")],
        ..Part::default()
    })
}

const SCENE: &str = "pictures/scene.png";
const CAT: &str = "pictures/cat.png";

impl Command for Demo {
    const ABOUT: &'static About = &About {
        name: "demo",
        group: Group::Start,
        summary: "A tour of the bundled networks, as pictures and a report to open",
        details: "Needs nothing else: four small networks and their pictures come with the program. They are \
            written next to the report, so you can run every command that it shows.",
        example: "demo --open",
        pictures: Pictures::None,
        files: &[FileAbout("report.html", "the tour")],
        tables: &[],
        includes: &[],
    };

    fn run(&self) -> Result<()> {
        tour(self)
    }
}

fn tour(args: &Demo) -> Result<()> {
    let out = args.out.clone();
    fs::create_dir_all(&out).map_err(|error| {
        Failure::file(&out, error).hint("give --out a folder that you can write to")
    })?;
    for (path, bytes) in linearscope_assets::DEMO {
        let path = out.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| Failure::file(folder, error))?;
        }
        write_whole(&path, bytes)?;
    }
    let place = Place { out };

    let session = place.session("vgg", "vgg/vgg.onnx", SCENE)?;
    let mut classifier = certified(
        session,
        Task::Classifier,
        "A classifier: which object is in the scene?",
        "Six convolutions and two dense layers, trained on scenes of one object among clutter, eight \
         kinds of objects.",
    )?;
    classifier
        .parts
        .insert(2, with_and_without_batch_norm(&place)?);

    let session = place.session("pixelshuffle", "pixelshuffle/pixelshuffle.onnx", CAT)?;
    let mut shuffle = certified(
        session,
        Task::Sr,
        "Four convolutions and a pixel shuffle: ×3 super-resolution",
        "The paper's luminance upscaler, on a photograph that it never saw in training.",
    )?;
    let last = shuffle.parts.len() - 1;
    shuffle.parts.insert(last, bicubic(&place)?);

    let session = place.session("edsr", "edsr/edsr.onnx", CAT)?;
    let edsr = certified(
        session,
        Task::Sr,
        "A small EDSR: ×2 super-resolution in colour",
        "Residual blocks and a long skip connection, on the same photograph.",
    )?;

    let session = place.session("facade", "facade/facade.onnx", "pictures/facade.png")?;
    let facade = certified(
        session,
        Task::I2i,
        "A CycleGAN-style generator: from a façade to its labels",
        "Reflect pads, instance norms, residual blocks, transposed convolutions and tanh: sky is \
         light blue, walls yellow, roofs red, windows dark blue, doors green. For the norms, both mean and \
         standard deviation are frozen.",
    )?;

    let report = Report {
        title: "How four small networks solve their problems".into(),
        intro: vec![
            INTRO.into(),
            "These networks were trained by the project and come with the program. They and their pictures are \
             next to this page, so you can run every command shown. For your own network: linearscope analyse \
             net.onnx --input picture.png"
                .into(),
        ],
        chapters: vec![classifier, shuffle, edsr, facade],
    };
    console::clear();
    for chapter in &report.chapters {
        println!("{}\n  {}", chapter.title, chapter.certificate);
    }
    let path = place.out.join("report.html");
    write_whole(&path, report.html().as_bytes())?;
    println!("the report is {}", path.display());
    if args.open {
        open(&path)?;
    }
    Ok(())
}

fn open(path: &Path) -> Result<()> {
    ::open::that(path).map_err(|error| {
        Failure::file(path, error).hint("the report is written; open it in your browser")
    })
}
