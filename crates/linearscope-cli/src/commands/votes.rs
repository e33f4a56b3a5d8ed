//! `votes`: which class each pixel speaks for.

use clap::Args;
use linearscope_analysis::{
    LinearOperator,
    discussion::{Propagation, Terms},
    ranking,
    votes::{self, Tally, VoteConfig},
};
use linearscope_picture::{
    Band, MOST_CLASSES, OTHER_CLASSES, Panel, Raster, Sheet, class_colours,
    page::{Cell, Column, Table},
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    args::{Common, Hearing},
    command::{About, Alone, FileAbout, Group, OnPicture, Pictures, TableAbout, Told},
    console,
    error::{Failure, Result},
    labels::{Labelled, class_named, labelled},
    picture::View,
    session::Session,
    subject::Subject,
};

/// `votes`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct Votes {
    /// Number of classes to write: discussions of the best scores, and masks of the classes with the most votes
    #[arg(long, default_value_t = 5, value_name = "K")]
    pub top: usize,
    /// Vote among these classes only: `top:50` for the best scores of the picture, numbers such as `3,17,281`, or
    /// names. Repeat for more; a name that contains a comma needs a flag of its own [default: all]
    #[arg(long, value_name = "top:N|CLASS,…")]
    pub among: Vec<String>,
    #[command(flatten)]
    pub hearing: Hearing,
    /// Let each channel of a pixel vote separately
    #[arg(long)]
    pub by_channel: bool,
    #[command(flatten)]
    #[serde(skip)]
    pub common: Common,
}

/// What `votes` says of itself.
pub(crate) const ABOUT: &About = &About {
    name: "votes",
    group: Group::Explain,
    summary: "Show which class each pixel supports",
    details: "The discussion of a class is a map of what each pixel, and the biases on its way, contribute to \
        the score of the class. Each pixel votes for the class whose discussion is largest there. A discussion \
        sums to its score; the paper's (--discussion paper) does not depend on the class in its bias part. \
        Costs two products per class. Ctrl-C keeps the votes among the classes finished so far; the best \
        scores come first.",
    example: "votes net.onnx --input cat.jpg",
    pictures: Pictures::Folders,
    files: &[
        FileAbout(
            "votes.npy",
            "[h, w] i32: the class each pixel votes for, −1 where it abstains",
        ),
        FileAbout("margin.npy", "[h, w]: its margin over the next class"),
        FileAbout(
            "discussion.npy",
            "[K, h, w]: discussions of the K best scores",
        ),
        FileAbout(
            "masks.npy",
            "[K, h, w] i32: 1 where a pixel votes for the K-th most voted class",
        ),
        FileAbout("votes.png", "votes, masks and discussions drawn"),
        FileAbout("votes.svg", "the same for print"),
    ],
    tables: &[TableAbout {
        name: "votes",
        rows: "one line for each class with votes or one of the best scores, most votes first",
        columns: &[
            ("class", "index of the output"),
            ("label", "its name, if the recipe has labels"),
            ("votes", "pixels that vote for it"),
            ("share", "the same over all pixels"),
            ("score", "f(x₀) there"),
            ("rank", "1 for the best score"),
        ],
    }],
    includes: &[],
};

/// A class and its votes.
#[derive(Serialize)]
struct Listed {
    class: usize,
    label: Option<String>,
    votes: usize,
    share: f64,
    score: f64,
    rank: usize,
}

impl OnPicture for Votes {
    const ABOUT: &'static About = ABOUT;

    type Fold = Alone;

    fn common(&self) -> &Common {
        &self.common
    }

    fn check(&self) -> Result<()> {
        if self.top == 0 {
            return Err(Failure::input("--top 0: must be at least 1"));
        }
        for part in self.among.iter().flat_map(|text| text.split(',')) {
            best(part).transpose()?;
        }
        Ok(())
    }

    fn picture(&self, session: &mut Session) -> Result<Told> {
        let config = config(session, &self.hearing, self.by_channel)?;
        let config = config.with_classes(among(session, &self.among)?);
        let found = find(session, &config, self.top)?;
        Ok(Told {
            summary: found.summary,
            line: found.line,
            found: found.numbers,
            failure: found.failure,
        })
    }
}

/// The votes of the default discussion, written: their sheet and their table.
pub(crate) fn part(session: &mut Session) -> Result<(Option<Sheet>, Table)> {
    let found = find(session, &VoteConfig::default(), 5)?;
    Ok((found.sheet, found.table))
}

/// The flags as the library takes them.
pub(crate) fn config(session: &Subject, hearing: &Hearing, by_channel: bool) -> Result<VoteConfig> {
    Ok(VoteConfig::default()
        .with_propagation(hearing.discussion)
        .with_terms(terms(session, "--terms", &hearing.terms)?)
        .with_by_channel(by_channel))
}

/// Which terms a text names: all, the pixels alone, or the sources of one layer.
pub(crate) fn terms(subject: &Subject, flag: &str, text: &str) -> Result<Terms> {
    let layers = subject.frozen.layers();
    Ok(match text {
        "all" => Terms::All,
        "input" => Terms::Input,
        name => {
            let network = subject.frozen.frozen().loaded().network();
            let called = network.node_called(name).unwrap_or(name);
            let by_name = layers.iter().position(|layer| **layer == *called);
            let number = || name.parse().ok().filter(|&layer| layer < layers.len());
            let layer = by_name.or_else(number).ok_or_else(|| {
                let names: Vec<&str> = layers.iter().skip(1).map(|name| &**name).collect();
                Failure::input(format!("{flag} {name}: no such layer"))
                    .hint(format!("give all, input, or one of {}", names.join(", ")))
            })?;
            Terms::Layer(layer)
        }
    })
}

/// N of `top:N`; `None` of anything else.
fn best(text: &str) -> Option<Result<usize>> {
    let number = text.trim().strip_prefix("top:")?;
    let wrong = |_| {
        Failure::input(format!(
            "--among {text}: {number} is not a valid number of classes"
        ))
        .hint("top:50 selects the 50 best scores")
    };
    Some(number.parse().map_err(wrong))
}

/// The classes of `--among` at this picture; `None`: all.
fn among(session: &Subject, texts: &[String]) -> Result<Option<Vec<usize>>> {
    if texts.is_empty() {
        return Ok(None);
    }
    // What is no classifier has no classes to choose from.
    votes::classes(&session.frozen)?;
    let scores = session.numbers(session.frozen.reference())?;
    let labels = session.labels.as_ref().map(|labels| &labels[..]);
    chosen(texts, labels, &ranking(&scores)).map(Some)
}

/// The classes that texts name, each once; `order` are all, the best score first.
fn chosen(texts: &[String], labels: Option<&[String]>, order: &[usize]) -> Result<Vec<usize>> {
    let mut classes = Vec::new();
    for text in texts {
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let parts: Vec<&str> = parts.collect();
        let numbers = parts.iter().all(|part| part.parse::<usize>().is_ok());
        // A comma may be one of a name; among numbers it is not.
        let whole = match labels {
            Some(labels) if parts.len() > 1 && !numbers => labelled(labels, text),
            _ => None,
        };
        match whole {
            Some(Labelled::Wholly(class)) => classes.push(class),
            Some(Labelled::Partly(holding)) if holding.len() == 1 => classes.extend(holding),
            _ => {
                for part in parts {
                    match best(part) {
                        Some(number) => classes.extend(order.iter().take(number?)),
                        None => classes.push(one(part, labels, order.len())?),
                    }
                }
            }
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    classes.retain(|class| seen.insert(*class));
    if classes.len() < 2 {
        return Err(Failure::input(format!(
            "--among {}: a vote needs at least two classes",
            texts.join(" --among ")
        ))
        .hint("give for instance top:50, 3,17,281, or label names"));
    }
    Ok(classes)
}

/// The class that a number or a name means.
fn one(text: &str, labels: Option<&[String]>, classes: usize) -> Result<usize> {
    if let Ok(class) = text.parse::<usize>() {
        return match class < classes {
            true => Ok(class),
            false => Err(Failure::input(format!(
                "--among {text}: the network has classes 0 to {}",
                classes - 1
            ))),
        };
    }
    let Some(labels) = labels else {
        return Err(Failure::input(format!("--among {text}: no such class"))
            .hint("no labels were given: pass --labels FILE, or give the class by number"));
    };
    match class_named("--among", text, labels)? {
        Some(class) if class < classes => Ok(class),
        _ => Err(Failure::input(format!("--among {text}: no such class"))
            .hint("no label contains it; to select classes without labels, use numbers or top:50")),
    }
}

/// What `votes` found.
pub(crate) struct Counted {
    /// Its sheet, if the input is a picture.
    sheet: Option<Sheet>,
    pub summary: Vec<String>,
    /// The same for reports.
    table: Table,
    /// The class of most votes and the best one, in a line and as numbers.
    line: String,
    numbers: Value,
    /// Why it is not all that was requested.
    failure: Option<Failure>,
}

/// The discussion of a class, channels summed.
struct Said {
    discussion: Vec<f64>,
    gap: f64,
    factor: f64,
}

/// Count, write, and tell.
pub(crate) fn find(session: &mut Session, config: &VoteConfig, top: usize) -> Result<Counted> {
    let f = &session.frozen;
    // What is no classifier is told so before it is discussed.
    votes::classes(f)?;
    let scores = session.numbers(f.reference())?;
    // The best scores first: they are shown whether they are voted for or not, and after a stop no product is made.
    console::step("discussing the best scores");
    let mut said = Vec::new();
    let order = ranking(&scores);
    for classes in order[..top.min(order.len())].chunks(config.chunk) {
        let (each, of) = votes::discussed(f, classes, config)?;
        let numbers = of.gaps.into_iter().zip(of.factors);
        said.extend(
            (each.into_iter().zip(numbers)).map(|(discussion, (gap, factor))| Said {
                discussion,
                gap,
                factor,
            }),
        );
    }
    let found = votes::votes(f, config, console::observer())?;
    let table = found.table();
    let pixels = found.shape.clone();
    session.save_whole("votes", &found.of, &pixels)?;
    session.save_array("margin", &found.margin, &pixels)?;

    let mut best: Vec<&Tally> = table.iter().filter(|tally| tally.rank <= top).collect();
    best.sort_by_key(|tally| tally.rank);
    let plane = &pixels[usize::from(config.by_channel)..];
    let discussions: Vec<f64> = said
        .iter()
        .flat_map(|one| &one.discussion)
        .copied()
        .collect();
    let shape = [&[best.len()], plane].concat();
    session.save_array("discussion", &discussions, &shape)?;

    // Masks of those with most votes.
    let chosen: Vec<&Tally> = table
        .iter()
        .take(top)
        .filter(|tally| tally.votes > 0)
        .collect();
    let masks: Vec<i32> = chosen
        .iter()
        .flat_map(|tally| found.mask(tally.class).into_iter().map(i32::from))
        .collect();
    session.save_whole("masks", &masks, &[&[chosen.len()], &pixels[..]].concat())?;

    let listed: Vec<Listed> = table
        .iter()
        .filter(|tally| tally.votes > 0 || tally.rank <= top)
        .map(|tally| Listed {
            class: tally.class,
            label: session.label(tally.class).map(String::from),
            votes: tally.votes,
            share: tally.share,
            score: tally.score,
            rank: tally.rank,
        })
        .collect();
    session.save_table("votes", &listed)?;
    let classes = |of: &[&Tally]| of.iter().map(|tally| tally.class).collect::<Vec<_>>();
    let (best_classes, mask_classes) = (classes(&best), classes(&chosen));
    let details: Vec<Value> = best
        .iter()
        .zip(&said)
        .map(
            |(tally, said)| json!({ "class": tally.class, "gap": said.gap, "factor": said.factor }),
        )
        .collect();
    session.note(
        "votes",
        json!({
            "reading": config.propagation,
            "heard": match config.terms {
                Terms::All => "all".to_string(),
                Terms::Input => "input".into(),
                Terms::Layer(layer) => session.frozen.layers()[layer].to_string(),
            },
            "by_channel": config.by_channel,
            "among": found.asked(),
            "classes_heard": found.heard,
            "pixels": found.of.len(),
            "abstained": found.abstained,
            "discussion_classes": best_classes,
            "mask_classes": mask_classes,
            "discussions": details,
        }),
    );

    let sheet = sheet(session, config, &found, &best, &chosen, &said, top)?;
    if let Some(sheet) = &sheet {
        session.save_sheet("votes", sheet)?;
    }
    let most = table.first();
    let first = table.iter().find(|tally| tally.rank == 1);
    let told = |tally: Option<&Tally>| {
        tally.map_or(String::new(), |tally| {
            let share = 100.0 * tally.share;
            format!("{} ({share:.1} % of the votes)", name(session, tally.class))
        })
    };
    Ok(Counted {
        summary: summary(session, config, &found, &table, top, &said),
        table: listing(session, &found, &table, top),
        line: format!("best {}, most votes {}", told(first), told(most)),
        numbers: json!({
            "best": first.map(|tally| tally.class),
            "share_of_best": first.map(|tally| tally.share),
            "most_votes": most.map(|tally| tally.class),
            "share_of_most": most.map(|tally| tally.share),
        }),
        sheet,
        failure: found.is_partial().then(|| {
            let (heard, of) = (found.heard.as_ref().map_or(0, Vec::len), found.asked());
            Failure::interrupted(format!("interrupted after {heard} of {of} classes"))
                .hint("the votes among these classes, the best scores, are written")
        }),
    })
}

/// "292 tiger", or the number alone.
pub(crate) fn name(session: &Subject, class: usize) -> String {
    match session.label(class) {
        Some(label) => format!("{class} {label}"),
        None => format!("class {class}"),
    }
}

/// The same, and whether it could be voted for.
fn name_where_heard(session: &Session, found: &votes::Votes, class: usize) -> String {
    let name = name(session, class);
    match found.was_heard(class) {
        true => name,
        false => format!("{name} (not voted on)"),
    }
}

/// "50 of 1000 classes", or all.
fn voted_on(found: &votes::Votes) -> String {
    let all = found.scores.len();
    match &found.heard {
        None => format!("{all} classes"),
        Some(heard) => format!("{} of {all} classes", heard.len()),
    }
}

/// Whether a class is listed: one of the most voted, or of the best scores whether they have votes or not.
fn is_listed(place: usize, tally: &Tally, top: usize) -> bool {
    place < top || tally.rank <= top
}

/// The classes that get a colour, as many as `top` and as can be told apart: half of them the best scores, whether they
/// have votes or not, the others those with most votes; most votes first.
pub(crate) fn coloured(table: &[Tally], top: usize) -> Vec<usize> {
    with_colours(table, top.div_ceil(2), top)
}

/// [`coloured`] of `top` best scores and `top` most voted ones, as far as colours reach: the five best scores first.
fn in_colours(table: &[Tally], top: usize) -> Vec<usize> {
    with_colours(table, top.min(5), top.saturating_mul(2))
}

/// At most `most` classes in the order of the table: the `best` scores, and those with most votes.
fn with_colours(table: &[Tally], best: usize, most: usize) -> Vec<usize> {
    let most = most.min(MOST_CLASSES);
    let best = best.min(most);
    let mut free = most - table.iter().filter(|tally| tally.rank <= best).count();
    let mut takes = |tally: &&Tally| {
        tally.rank <= best || {
            let takes = free > 0 && tally.votes > 0;
            free -= usize::from(takes);
            takes
        }
    };
    table
        .iter()
        .filter(|tally| takes(tally))
        .map(|tally| tally.class)
        .collect()
}

/// Colours, and what they stand for.
type Key = Vec<([u8; 3], String)>;

/// The colours of some classes with so many places each, others grey; and what they stand for, in shares of `of` places, of
/// which `all` have a class. A class whose colour is that of another one that is shown has one for here only, and says so.
pub(crate) fn painted(
    session: &Session,
    counts: &[(usize, usize)],
    all: usize,
    of: usize,
) -> (impl Fn(usize) -> [u8; 3], Key) {
    let classes: Vec<usize> = counts.iter().map(|one| one.0).collect();
    let colours = class_colours(&classes);
    let share = |places: usize| format!("{:.1} %", 100.0 * places as f64 / of as f64);
    let mut key: Key = (counts.iter().zip(&colours))
        .map(|(&(class, places), colour)| {
            let own = class_colours(&[class])[0] == *colour;
            let here = if own {
                ""
            } else {
                " · colour in this figure only"
            };
            let text = format!("{} {}{here}", share(places), name(session, class));
            (*colour, text)
        })
        .collect();
    let others = all - counts.iter().map(|one| one.1).sum::<usize>();
    if others > 0 {
        key.push((OTHER_CLASSES, format!("{} other classes", share(others))));
    }
    let colour = move |class: usize| {
        let place = classes.iter().position(|of| *of == class);
        place.map_or(OTHER_CLASSES, |at| colours[at])
    };
    (colour, key)
}

/// Votes in colours, with what they stand for; a panel a channel where channels vote. None where the
/// input is no picture.
pub(crate) fn panels(
    session: &Session,
    title: &str,
    found: &votes::Votes,
    coloured: &[usize],
) -> Vec<Panel> {
    let (channels, size) = match found.shape[..] {
        [h, w] => (1, [h, w]),
        [c, h, w] => (c, [h, w]),
        _ => return Vec::new(),
    };
    if size[0].max(size[1]) < 4 || size[0].min(size[1]) < 2 {
        return Vec::new();
    }
    let counts = coloured.iter().map(|&class| (class, found.counts[class]));
    let counts: Vec<(usize, usize)> = counts.collect();
    let of = found.of.len();
    let (colour, mut key) = painted(session, &counts, of - found.abstained, of);
    if found.abstained > 0 {
        let share = 100.0 * found.abstained as f64 / of as f64;
        key.push(([255; 3], format!("{share:.1} % abstain")));
    }
    found
        .of
        .chunks(size[0] * size[1])
        .enumerate()
        .filter_map(|(channel, votes)| {
            let raster = Raster::of_classes(votes, size, &colour, Sheet::MOST)?;
            let title = match channels {
                1 => title.to_string(),
                _ => format!("{title} · channel {channel}"),
            };
            Some(Panel::new(title, raster).key(key.clone()))
        })
        .collect()
}

fn sheet(
    session: &Session,
    config: &VoteConfig,
    found: &votes::Votes,
    best: &[&Tally],
    chosen: &[&Tally],
    said: &[Said],
    top: usize,
) -> Result<Option<Sheet>> {
    let table = found.table();
    let classes = in_colours(&table, top);
    let drawn = panels(session, "votes", found, &classes);
    if drawn.is_empty() {
        return Ok(None);
    }
    let plane = &found.shape[usize::from(config.by_channel)..];
    let x0 = session.numbers(session.frozen.x0())?;
    let shape = session.frozen.input_shape();
    let mut first = Vec::new();
    if let Some(raster) = session.painter.input_where(&x0, shape, |_| true) {
        first.push(Panel::new("x₀", raster));
    }
    first.extend(drawn);
    let loud = votes::Votes {
        of: found.loudest(found.of.len().div_ceil(10)),
        ..found.clone()
    };
    let loud = panels(session, "the strongest tenth", &loud, &classes);
    first.extend(loud.into_iter().map(|panel| panel.key(Vec::new())));
    // By channel a pixel is shown where one of its channels votes.
    let pixels: usize = plane.iter().product();
    let masks = chosen.iter().filter_map(|tally| {
        let mask = found.mask(tally.class);
        let any = |pixel: usize| mask.iter().skip(pixel).step_by(pixels).any(|m| *m);
        let raster = session.painter.input_where(&x0, shape, any)?;
        let title = name(session, tally.class);
        let caption = format!(
            "{:.1} % of the votes, rank {}",
            100.0 * tally.share,
            tally.rank
        );
        Some(Panel::new(title, raster).caption(caption))
    });
    let masks: Vec<Panel> = masks.collect();
    let said = best.iter().zip(said).flat_map(|(tally, said)| {
        let title = name_where_heard(session, found, tally.class);
        let drawn = session
            .painter
            .signed(&title, &said.discussion, plane, View::Whole);
        let caption = format!(
            "score {:.3}, sum {:+.1} % off",
            tally.score,
            100.0 * said.gap
        );
        drawn
            .into_iter()
            .map(move |panel| panel.caption(caption.clone()))
    });
    let said: Vec<Panel> = said.collect();
    let terms = match config.terms {
        Terms::All => String::new(),
        Terms::Input => ", pixels only".into(),
        Terms::Layer(layer) => format!(", only the sources of {}", session.frozen.layers()[layer]),
    };
    let band = |heading: &str, panels| Band {
        heading: heading.into(),
        panels,
    };
    Ok(Some(Sheet {
        title: format!("Pixel votes, {}", session.model),
        notes: vec![format!(
            "Each pixel votes for the class whose discussion is largest there, among {} ({} \
             discussions{terms}); channels are {}. Pixels with the same value for all classes abstain.",
            voted_on(found),
            format!("{:?}", config.propagation).to_lowercase(),
            if config.by_channel { "apart" } else { "summed" },
        )],
        bands: vec![
            band("Which pixels support which class", first),
            band("Where the classes with the most votes get them", masks),
            band("Discussions of the best scores", said),
        ],
    }))
}

/// The classes of the summary, with the colours of the sheet.
fn listing(session: &Session, found: &votes::Votes, table: &[Tally], top: usize) -> Table {
    let drawn = in_colours(table, top);
    let colours = class_colours(&drawn);
    let columns = [
        Column::number("votes"),
        Column::number("share"),
        Column::number("score"),
        Column::number("rank"),
        Column::text("class"),
    ];
    let caption = format!(
        "{} votes among {}; {:.1} % of the pixels abstain",
        found.of.len(),
        voted_on(found),
        100.0 * found.abstained as f64 / found.of.len().max(1) as f64
    );
    let mut listing = Table::new(columns).caption(caption);
    for (place, tally) in table.iter().enumerate() {
        if !is_listed(place, tally, top) {
            continue;
        }
        let class = Cell::text(name_where_heard(session, found, tally.class));
        let colour = drawn.iter().position(|class| *class == tally.class);
        listing = listing.row([
            Cell::number(tally.votes as f64, tally.votes.to_string()),
            Cell::number(tally.share, format!("{:.1} %", 100.0 * tally.share)),
            Cell::number(tally.score, format!("{:.4}", tally.score)),
            Cell::number(tally.rank as f64, tally.rank.to_string()),
            match colour {
                Some(at) => class.coloured(colours[at]),
                None => class,
            },
        ]);
    }
    listing
}

/// How the discussions differ from the others.
fn in_words(propagation: Propagation) -> &'static str {
    match propagation {
        Propagation::Conserving => {
            "conserving discussions sum to their scores; in the paper's (--discussion paper), the bias part \
             depends on the class only through a factor λ"
        }
        Propagation::Paper => {
            "in the paper's discussions, the bias part depends on the class only through a factor λ; in \
             conserving ones, the default, it depends on the class"
        }
        Propagation::Scored => {
            "scored discussions do not sum to their scores; conserving ones, the default, do; in the paper's \
             (--discussion paper), the bias part does not depend on the class"
        }
    }
}

fn summary(
    session: &Session,
    config: &VoteConfig,
    found: &votes::Votes,
    table: &[Tally],
    top: usize,
    said: &[Said],
) -> Vec<String> {
    let of = found.of.len();
    let mut lines = vec![
        format!(
            "{of} votes among {}, {} abstain ({:.1} %)",
            voted_on(found),
            found.abstained,
            100.0 * found.abstained as f64 / of.max(1) as f64
        ),
        "   votes   share      score  rank  class".into(),
    ];
    let shown = table.iter().enumerate();
    for (_, tally) in shown.filter(|(place, tally)| is_listed(*place, tally, top)) {
        lines.push(format!(
            "{:8}  {:5.1} %  {:9.4}  {:4}  {}",
            tally.votes,
            100.0 * tally.share,
            tally.score,
            tally.rank,
            name_where_heard(session, found, tally.class),
        ));
    }
    let best = table.iter().find(|tally| tally.rank == 1);
    if let (Some(best), Some(said)) = (best, said.first()) {
        lines.push(format!(
            "the map for {} sums to {:.4}; its score is {:.4}",
            name(session, best.class),
            best.score * (1.0 + said.gap),
            best.score,
        ));
    }
    lines.push(in_words(config.propagation).into());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(class: usize, votes: usize, rank: usize) -> Tally {
        Tally {
            class,
            votes,
            share: 0.0,
            score: 0.0,
            rank,
        }
    }

    #[test]
    fn the_best_scores_have_colours_without_votes() {
        // 30 classes, most votes first; class 29 has the best score, 0 the worst, and the last ten have no votes.
        let table: Vec<Tally> = (0..30)
            .map(|class| tally(class, 20usize.saturating_sub(class), 30 - class))
            .collect();
        assert_eq!(in_colours(&table, 5), [0, 1, 2, 25, 26, 27, 28, 29]);
        assert_eq!(in_colours(&table, 100), [0, 1, 2, 25, 26, 27, 28, 29]);
        assert_eq!(in_colours(&table, 1), [0, 29]);
        assert_eq!(coloured(&table, 1), [29]);
        assert_eq!(coloured(&table, 3), [0, 28, 29]);
        assert_eq!(coloured(&table, 100).len(), MOST_CLASSES);
        // One that is both is there once, and nobody without votes has a colour for them.
        let table = [tally(4, 9, 1), tally(2, 0, 2), tally(3, 0, 3)];
        assert_eq!(in_colours(&table, 1), [4]);
        assert_eq!(in_colours(&table, 2), [4, 2]);
    }

    fn labels() -> Vec<String> {
        [
            "tabby, tabby cat",
            "pug",
            "tiger cat",
            "tiger",
            "ice cream, icecream",
            "4",
        ]
        .map(String::from)
        .to_vec()
    }

    fn chosen_of(texts: &[&str]) -> Result<Vec<usize>> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).into()).collect();
        chosen(&texts, Some(&labels()), &[3, 1, 0, 2, 5, 4])
    }

    #[test]
    fn classes_are_named_by_score_number_and_label() {
        for (texts, expected) in [
            (&["top:3"][..], &[3, 1, 0][..]),
            (&["top:100"], &[3, 1, 0, 2, 5, 4]),
            (&["3,1, 0"], &[3, 1, 0]),
            (&["3", "1"], &[3, 1]),
            (&["tabby,pug"], &[0, 1]),
            // The whole label before those that hold it.
            (&["Tiger,PUG"], &[3, 1]),
            // Commas of the name.
            (&["tabby, tabby cat", "ice cream, icecream"], &[0, 4]),
            (&["cream, ice", "1"], &[4, 1]),
            // A number is a number, whatever labels are called, and each class is there once.
            (&["4,5"], &[4, 5]),
            (&["top:2,tiger,5", "1"], &[3, 1, 5]),
        ] {
            assert_eq!(chosen_of(texts).expect("classes"), expected, "{texts:?}");
        }
        for (texts, why) in [
            (&["top:x"][..], "--among top:x: x is not a valid number"),
            (&["top:1"], "at least two classes"),
            (&["3,3"], "at least two classes"),
            (&[","], "at least two classes"),
            (&["3,6"], "--among 6: the network has classes 0 to 5"),
            (
                &["cat,pug"],
                "--among cat: 2 labels contain it: tabby, tabby cat; tiger cat",
            ),
            (&["dog,pug"], "--among dog: no such class"),
        ] {
            let told = chosen_of(texts).expect_err("refused").message;
            assert!(told.contains(why), "{texts:?}: {told}");
        }
        let told = chosen(&["pug".into()], None, &[0, 1]).expect_err("refused");
        assert!(told.hint.is_some_and(|hint| hint.contains("--labels")));
    }
}
