//! `votes`: which class each pixel speaks for.

use clap::Args;
use linearscope_analysis::{
    LinearOperator,
    discussion::Terms,
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
    picture::View,
    session::Session,
};

/// `votes`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct Votes {
    /// How many classes are written out: discussions of the best scores, masks of the most voted
    #[arg(long, default_value_t = 5, value_name = "K")]
    pub top: usize,
    #[command(flatten)]
    pub hearing: Hearing,
    /// Let each channel of a pixel vote by itself
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
    summary: "Which class each pixel speaks for",
    details: "The discussion of a class says what its score makes of each pixel, and of the biases on the pixel's way to \
        it. Each pixel votes for the class whose discussion is largest there. Costs two products for each class.",
    example: "votes net.onnx --input cat.jpg",
    pictures: Pictures::Folders,
    files: &[
        FileAbout(
            "votes.npy",
            "[h, w] i32: the class each pixel votes for, −1 where it abstains",
        ),
        FileAbout(
            "margin.npy",
            "[h, w]: how far it is ahead of the next class",
        ),
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
        rows: "one line for each class that has votes or one of the best scores, most votes first",
        columns: &[
            ("class", "index of the output"),
            ("label", "its name, where the recipe has labels"),
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
        match self.top {
            0 => Err(Failure::input("--top 0: at least one class is needed")),
            _ => Ok(()),
        }
    }

    fn picture(&self, session: &mut Session) -> Result<Told> {
        let config = config(session, &self.hearing, self.by_channel)?;
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
pub(crate) fn config(session: &Session, hearing: &Hearing, by_channel: bool) -> Result<VoteConfig> {
    let layers = session.frozen.layers();
    let terms = match hearing.terms.as_str() {
        "all" => Terms::All,
        "input" => Terms::Input,
        name => {
            let network = session.frozen.frozen().loaded().network();
            let called = network.node_called(name).unwrap_or(name);
            let by_name = layers.iter().position(|layer| **layer == *called);
            let number = || name.parse().ok().filter(|&layer| layer < layers.len());
            let layer = by_name.or_else(number).ok_or_else(|| {
                let names: Vec<&str> = layers.iter().skip(1).map(|name| &**name).collect();
                Failure::input(format!("--terms {name}: there is no such layer"))
                    .hint(format!("all, input, or one of {}", names.join(", ")))
            })?;
            Terms::Layer(layer)
        }
    };
    Ok(VoteConfig::default()
        .with_propagation(hearing.discussion)
        .with_terms(terms)
        .with_by_channel(by_channel))
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
    /// Why it is not all that was asked for.
    failure: Option<Failure>,
}

/// Count, write, and tell.
pub(crate) fn find(session: &mut Session, config: &VoteConfig, top: usize) -> Result<Counted> {
    let found = votes::votes(&session.frozen, config, console::observer())?;
    let table = found.table();
    let pixels = found.shape.clone();
    session.save_whole("votes", &found.of, &pixels)?;
    session.save_array("margin", &found.margin, &pixels)?;

    // Discussions of the best scores, channels summed.
    let mut best: Vec<&Tally> = table.iter().filter(|tally| tally.rank <= top).collect();
    best.sort_by_key(|tally| tally.rank);
    let plane = match config.by_channel {
        true => &pixels[1..],
        false => &pixels[..],
    };
    let mut discussions = Vec::new();
    let partial = found.heard.as_ref().map(Vec::len);
    // After a stop no product is made any more.
    if partial.is_some() {
        best.clear();
    }
    for chunk in best.chunks(config.chunk) {
        let classes: Vec<usize> = chunk.iter().map(|tally| tally.class).collect();
        discussions.extend(votes::discussed(&session.frozen, &classes, config)?.0);
    }
    let shape = [&[best.len()], plane].concat();
    if partial.is_none() {
        session.save_array("discussion", &discussions.concat(), &shape)?;
    }

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
        .map(|tally| {
            json!({
                "class": tally.class,
                "gap": found.gaps[tally.class],
                "factor": found.factors[tally.class],
            })
        })
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
            "pixels": found.of.len(),
            "abstained": found.abstained,
            "discussion_classes": best_classes,
            "mask_classes": mask_classes,
            "discussions": details,
        }),
    );

    let sheet = sheet(session, config, &found, &best, &chosen, &discussions, plane)?;
    if let Some(sheet) = &sheet {
        session.save_sheet("votes", sheet)?;
    }
    let most = table.first();
    let first = table.iter().find(|tally| tally.rank == 1);
    let said = |tally: Option<&Tally>| {
        tally.map_or(String::new(), |tally| {
            let share = 100.0 * tally.share;
            format!("{} ({share:.1} % of the votes)", name(session, tally.class))
        })
    };
    Ok(Counted {
        summary: summary(session, &found, &table, top),
        table: listing(session, &found, &table, top),
        line: format!("best {}, most votes {}", said(first), said(most)),
        numbers: json!({
            "best": first.map(|tally| tally.class),
            "share_of_best": first.map(|tally| tally.share),
            "most_votes": most.map(|tally| tally.class),
            "share_of_most": most.map(|tally| tally.share),
        }),
        sheet,
        failure: partial.map(|heard| {
            let of = found.scores.len();
            Failure::interrupted(format!("interrupted after {heard} of {of} classes"))
                .hint("the votes among these classes, best scores first, are written")
        }),
    })
}

/// "292 tiger", or the number alone.
pub(crate) fn name(session: &Session, class: usize) -> String {
    match session.label(class) {
        Some(label) => format!("{class} {label}"),
        None => format!("class {class}"),
    }
}

/// The classes with most votes that get a colour.
pub(crate) fn coloured(table: &[Tally], top: usize) -> Vec<usize> {
    let most = top.min(MOST_CLASSES);
    let voted = table.iter().filter(|tally| tally.votes > 0);
    voted.take(most).map(|tally| tally.class).collect()
}

/// Colours, and what they stand for.
type Key = Vec<([u8; 3], String)>;

/// The colours of some classes with so many places each, others grey; and what they stand for, in shares of `of` places, of
/// which `all` have a class.
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
            let text = format!("{} {}", share(places), name(session, class));
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
    discussions: &[Vec<f64>],
    plane: &[usize],
) -> Result<Option<Sheet>> {
    let table = found.table();
    let drawn = panels(session, "votes", found, &coloured(&table, chosen.len()));
    if drawn.is_empty() {
        return Ok(None);
    }
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
    let classes = coloured(&table, chosen.len());
    let loud = panels(session, "the loudest tenth", &loud, &classes);
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
    let said = best
        .iter()
        .zip(discussions)
        .flat_map(|(tally, discussion)| {
            let title = name(session, tally.class);
            let drawn = session
                .painter
                .signed(&title, discussion, plane, View::Whole);
            let caption = format!(
                "score {:.3}, sum {:+.1} % off",
                tally.score,
                100.0 * found.gaps[tally.class]
            );
            drawn
                .into_iter()
                .map(move |panel| panel.caption(caption.clone()))
        });
    let said: Vec<Panel> = said.collect();
    let terms = match config.terms {
        Terms::All => String::new(),
        Terms::Input => ", the pixels alone".into(),
        Terms::Layer(layer) => format!(", the sources of {} alone", session.frozen.layers()[layer]),
    };
    let band = |heading: &str, panels| Band {
        heading: heading.into(),
        panels,
    };
    Ok(Some(Sheet {
        title: format!("Pixel votes, {}", session.model),
        notes: vec![format!(
            "Each pixel votes for the class whose discussion is largest there ({} discussions{terms}); \
             channels are {}. Pixels about which all classes say the same abstain.",
            format!("{:?}", config.propagation).to_lowercase(),
            if config.by_channel { "apart" } else { "summed" },
        )],
        bands: vec![
            band("Who speaks for what", first),
            band("Where the most voted classes have their votes", masks),
            band("Discussions of the best scores", said),
        ],
    }))
}

/// The classes of the summary, with the colours of the sheet.
fn listing(session: &Session, found: &votes::Votes, table: &[Tally], top: usize) -> Table {
    let drawn = coloured(table, top);
    let colours = class_colours(&drawn);
    let columns = [
        Column::number("votes"),
        Column::number("share"),
        Column::number("score"),
        Column::number("rank"),
        Column::text("class"),
    ];
    let caption = format!(
        "{} votes among {} classes; {:.1} % of the pixels abstain",
        found.of.len(),
        found.scores.len(),
        100.0 * found.abstained as f64 / found.of.len().max(1) as f64
    );
    let mut listing = Table::new(columns).caption(caption);
    for (place, tally) in table.iter().enumerate() {
        if place >= top && tally.rank != 1 {
            continue;
        }
        let class = Cell::text(name(session, tally.class));
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

fn summary(session: &Session, found: &votes::Votes, table: &[Tally], top: usize) -> Vec<String> {
    let of = found.of.len();
    let mut lines = vec![
        format!(
            "{of} votes among {} classes, {} abstain ({:.1} %)",
            found.scores.len(),
            found.abstained,
            100.0 * found.abstained as f64 / of.max(1) as f64
        ),
        "   votes   share      score  rank  class".into(),
    ];
    let shown = table
        .iter()
        .enumerate()
        .filter(|(place, tally)| *place < top || tally.rank == 1);
    for (_, tally) in shown {
        lines.push(format!(
            "{:8}  {:5.1} %  {:9.4}  {:4}  {}",
            tally.votes,
            100.0 * tally.share,
            tally.score,
            tally.rank,
            name(session, tally.class),
        ));
    }
    if let Some(best) = table.iter().find(|tally| tally.rank == 1) {
        lines.push(format!(
            "the map for {} sums to {:.4}; its score is {:.4}",
            name(session, best.class),
            best.score * (1.0 + found.gaps[best.class]),
            best.score,
        ));
    }
    lines
}
