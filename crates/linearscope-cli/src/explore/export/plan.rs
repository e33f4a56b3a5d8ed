//! What an export holds: questions that the page may ask, in groups of which each is a file, and the grids of places that
//! have a row or a column.

use std::time::Instant;

use linearscope_analysis::{
    LinearOperator, attribution::Method, maps::Grid, operator::Field, ranking,
};
use serde_json::{Value, json};

use super::{Wish, failed, query::Query, quiet};
use crate::{
    args::Precision,
    commands::attribute::targets,
    error::{Failure, Result},
    explore::{answer::without_batch, compute, desk::Desk, points::Point},
    segments::LabelMap,
    task::Task,
};

/// Singular triplets, as many as the page asks for at first.
const TRIPLETS: usize = 8;
/// Pictures that the page goes towards.
const TOWARDS: [&str; 6] = ["black", "white", "mean", "blur", "noise", "zeros"];
/// Parts that the way there may have.
const PARTS: [usize; 5] = [20, 10, 4, 2, 1];
/// What a kind of map may take of the whole: an eighth, and no more than so many bytes.
const SHARE: u64 = 8;
const MOST: u64 = 64 << 20;
/// Bytes of a pack before it is deflated: one that a pointer comes to opens within a moment.
const PACK: f64 = 1.5e6;

/// Questions whose answers are one file.
#[derive(Debug)]
pub(super) struct Group {
    pub name: String,
    /// Bytes of a number in it; 1 where most is text.
    pub width: usize,
    pub queries: Vec<Query>,
    /// About so many bytes of answers.
    pub bytes: f64,
    /// About so many products with F.
    pub products: f64,
}

/// The rows of output places, or the columns of input places.
#[derive(Debug)]
pub(super) struct Side {
    pub field: Field,
    /// Height and width of the picture that the places are in.
    pub size: [usize; 2],
    /// Entries of a whole field, and bytes of each.
    pub entries: usize,
    pub width: usize,
    /// Of a segmenter the class that wins at each place, whose row is meant.
    labels: Option<LabelMap>,
    pub step: usize,
    pub tile: usize,
}

/// Places whose fields are one file.
pub(super) struct Tile {
    pub name: String,
    pub places: Vec<[usize; 2]>,
}

impl Side {
    pub(super) fn name(&self) -> &'static str {
        match self.field {
            Field::Row => "row",
            Field::Column => "column",
        }
    }

    pub(super) fn grid(&self) -> Grid {
        Grid::every(self.step, self.size)
    }

    pub(super) fn count(&self) -> usize {
        let [h, w] = self.grid().shape();
        h * w
    }

    /// A place as the page says it.
    pub(super) fn at(&self, [y, x]: [usize; 2]) -> String {
        match &self.labels {
            Some(labels) => format!("{},{y},{x}", labels.at(y, x)),
            None => format!("all,{y},{x}"),
        }
    }

    pub(super) fn query(&self, at: [usize; 2]) -> Query {
        Query::new(self.name(), [("at", self.at(at))])
    }

    /// So many places a file that it opens within a moment, of fields of so many bytes.
    pub(super) fn set_tile(&mut self, bytes: f64) {
        self.tile = (PACK / bytes.max(1.0)).sqrt().clamp(1.0, 256.0) as usize;
    }

    /// Near places share a file, since pointers go from one to the next.
    pub(super) fn tiles(&self) -> Vec<Tile> {
        let grid = self.grid();
        let mut tiles = Vec::new();
        for (i, y) in grid.y.chunks(self.tile).enumerate() {
            for (j, x) in grid.x.chunks(self.tile).enumerate() {
                tiles.push(Tile {
                    name: format!("{}-{i}-{j}", self.name()),
                    places: (y.iter())
                        .flat_map(|y| x.iter().map(move |x| [*y, *x]))
                        .collect(),
                });
            }
        }
        tiles
    }
}

pub(super) struct Plan {
    pub groups: Vec<Group>,
    pub sides: Vec<Side>,
    /// What the page asks first, with what an export lacks said in it.
    pub session: Value,
    /// What another run must want alike to go on with this one's files.
    pub asked: Value,
    /// What was left out because it is large.
    pub left_out: Vec<String>,
    /// Seconds of a product with F, about.
    pub product: f64,
}

/// Planes of an array, as the page has it.
fn planes(shape: &[usize]) -> Option<[usize; 3]> {
    let vector = shape.iter().filter(|size| **size > 1).count() <= 1;
    match without_batch(shape) {
        &[c, h, w] if !vector => Some([c, h, w]),
        _ => None,
    }
}

fn ask(desk: &Desk, query: &Query) -> Result<Value> {
    let made = query
        .asked()
        .and_then(|asked| compute::ask(desk, &asked, &mut quiet));
    let made = made.map_err(failed)?;
    serde_json::from_slice(&made.body)
        .map_err(|error| Failure::input(format!("{}: {error}", query.name())))
}

impl Plan {
    /// What there is to export of the network that was started with.
    ///
    /// # Errors
    /// Classes and methods that do not exist; what the network refuses.
    pub(super) fn new(desk: &Desk, wish: &Wish) -> Result<Self> {
        let point = desk.points.first(0);
        for method in &wish.methods {
            method
                .parse::<Method>()
                .map_err(|why| Failure::input(format!("--method {method}: {why}")))?;
        }
        let mut session = ask(desk, &Query::new("session", []))?;
        let frozen = &point.subject.frozen;
        let width = match point.subject.precision {
            Precision::F32 => 4,
            Precision::F64 => 8,
        };
        let (input, output) = (planes(frozen.input_shape()), planes(frozen.output_shape()));
        let mut plan = Self {
            groups: Vec::new(),
            sides: Vec::new(),
            asked: Value::Null,
            left_out: Vec::new(),
            product: 0.1,
            session: Value::Null,
        };
        let made = Made {
            desk,
            wish,
            point,
            width: width as f64,
            there: session["nets"][0]["panels"].clone(),
        };
        plan.first(&made, &session["nets"][0]);
        let chosen = made.targets(output)?;
        plan.scores(&made, &chosen)?;
        plan.jobs(&made);
        let along = plan.along(&made);
        plan.sides = made.sides(input, output, width);
        let again = session["commands"]["explore"]
            .as_str()
            .unwrap_or_default()
            .to_string();
        let needs = json!(format!(
            "This was not exported. To compute it, run the program: {again}"
        ));
        let net = &mut session["nets"][0];
        let sha = [net["model_sha256"].clone(), net["input_sha256"].clone()];
        net["nodes"] = json!([]);
        for panel in ["rules", "attack"] {
            net["panels"][panel] = needs.clone();
        }
        if net["panels"]["attribution"].is_array() {
            net["panels"]["attribution"] = json!(wish.methods);
        }
        if frozen.input_len().min(frozen.output_len()) < TRIPLETS {
            net["panels"]["svd"] = needs;
        }
        let classes: Vec<&String> = chosen.iter().map(|one| &one.text).collect();
        session["exported"] = json!({ "along": along, "targets": classes, "again": again });
        plan.asked = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "model": sha[0],
            "input": sha[1],
            "flags": desk.points.key(),
            "targets": classes,
            "methods": wish.methods,
            "along": along,
        });
        plan.session = session;
        Ok(plan)
    }

    fn add(
        &mut self,
        name: impl Into<String>,
        width: f64,
        queries: Vec<Query>,
        numbers: usize,
        products: f64,
    ) {
        let queries_of_text = queries.len() as f64 * 2e3;
        self.groups.push(Group {
            name: name.into(),
            width: width as usize,
            queries,
            bytes: numbers as f64 * width.max(4.0) + queries_of_text,
            products,
        });
    }

    /// What the page is built from.
    fn first(&mut self, made: &Made, net: &Value) {
        let mut queries = vec![Query::new("session", [])];
        for name in ["array/x0", "array/y0", "array/residual"] {
            queries.push(Query::new(name, []));
        }
        for (name, there) in [
            ("picture/x0.png", &net["input_is_picture"]),
            ("picture/y0.png", &net["output_is_picture"]),
        ] {
            if there == true {
                queries.push(Query::new(name, []));
            }
        }
        let [n, m] = made.sizes();
        self.add("first", 1.0, queries, 2 * n + 3 * m, 1.0);
    }

    /// What makes each of the chosen outputs; of the first, and of those that were requested, by layers too.
    fn scores(&mut self, made: &Made, chosen: &[Target]) -> Result<()> {
        let [n, _] = made.sizes();
        for target in chosen {
            let mut queries = Vec::new();
            if target.is_class {
                queries.push(Query::new("row", [("at", target.text.clone())]));
            }
            if made.has("attribution") {
                for method in &made.wish.methods {
                    for path in ["attribution/job", "attribution"] {
                        let pairs = [("target", target.text.clone()), ("method", method.clone())];
                        queries.push(Query::new(path, pairs));
                    }
                }
            }
            if made.has("contributions") {
                queries.push(Query::new(
                    "contributions",
                    [("target", target.one.clone())],
                ));
            }
            let maps = queries.len() / 2 + 1;
            self.add(
                format!("output-{}", target.file()),
                made.width,
                queries,
                maps * n,
                3.0 * maps as f64,
            );
        }
        for target in chosen
            .iter()
            .filter(|target| target.in_full && made.has("contributions"))
        {
            let began = Instant::now();
            let contributions = Query::new("contributions", [("target", target.one.clone())]);
            let found = ask(made.desk, &contributions)?;
            self.product = began.elapsed().as_secs_f64();
            let names = found["layers"].as_array().into_iter().flatten();
            let names = names.filter_map(|layer| layer["name"].as_str());
            let queries: Vec<Query> = names
                .map(|name| {
                    Query::new(
                        "layer",
                        [("name", name.into()), ("target", target.one.clone())],
                    )
                })
                .collect();
            let (count, numbers) = (queries.len(), queries.len() * n);
            if made.fits("what each layer adds by place", numbers, &mut self.left_out) {
                self.add(
                    format!("layers-{}", target.file()),
                    made.width,
                    queries,
                    numbers,
                    2.0 * count as f64,
                );
            }
        }
        Ok(())
    }

    /// What takes long.
    fn jobs(&mut self, made: &Made) {
        let [n, m] = made.sizes();
        if made.has("svd") && n.min(m) >= TRIPLETS {
            let k = || ("k", TRIPLETS.to_string());
            let mut queries = vec![Query::new("svd", [k()])];
            for i in 0..TRIPLETS {
                queries.extend(
                    ["svd/u", "svd/v"].map(|path| Query::new(path, [k(), ("i", i.to_string())])),
                );
                queries.push(Query::new("svd/sum", [k(), ("pairs", (i + 1).to_string())]));
            }
            self.add("svd", made.width, queries, TRIPLETS * (n + 2 * m), 150.0);
        }
        if made.has("votes") {
            let queries = ["votes", "votes/map"].map(|path| Query::new(path, []));
            self.add("votes", 4.0, queries.into(), n, m as f64);
        }
        if made.has("fields") {
            self.add("fields", 1.0, vec![Query::new("fields", [])], 0, 600.0);
        }
    }

    /// The ways from x₀; gives how long a part of one is, `None` where only its curve is there.
    fn along(&mut self, made: &Made) -> Option<f64> {
        if !made.has("validity") {
            return None;
        }
        let [_, m] = made.sizes();
        let numbers = |parts: usize| TOWARDS.len() * (parts + 1) * 2 * m;
        let mut ignored = Vec::new();
        let parts = PARTS
            .into_iter()
            .find(|parts| made.fits("", numbers(*parts), &mut ignored));
        if parts.is_none() {
            made.fits(
                "f(x) and F x + r on the way to other pictures",
                numbers(1),
                &mut self.left_out,
            );
        }
        for towards in TOWARDS {
            let to = || ("towards", towards.to_string());
            let mut queries = vec![Query::new("validity", [to()])];
            let mut count = 0;
            if let Some(parts) = parts {
                count = parts + 1;
                let at = |i| ("t", (i as f64 / parts as f64).to_string());
                queries.extend((0..=parts).map(|i| Query::new("along", [to(), at(i)])));
            }
            self.add(
                format!("towards-{towards}"),
                made.width,
                queries,
                count * 2 * m,
                25.0 + 2.0 * count as f64,
            );
        }
        parts.map(|parts| 1.0 / parts as f64)
    }
}

/// An output that has maps.
struct Target {
    /// As attributions name it, and as contributions do, which are about one number.
    text: String,
    one: String,
    is_class: bool,
    /// Whether it has layers, too.
    in_full: bool,
}

impl Target {
    fn file(&self) -> String {
        self.one.replace(',', "-")
    }
}

/// What the parts of a plan are made from.
struct Made<'a> {
    desk: &'a Desk,
    wish: &'a Wish,
    point: &'a Point,
    width: f64,
    /// The session's panels.
    there: Value,
}

impl Made<'_> {
    fn has(&self, panel: &str) -> bool {
        self.there[panel] == true || self.there[panel].is_array()
    }

    fn sizes(&self) -> [usize; 2] {
        let frozen = &self.point.subject.frozen;
        [frozen.input_len(), frozen.output_len()]
    }

    /// Whether so many numbers are no more than a share of the whole; else it is noted.
    fn fits(&self, what: &str, numbers: usize, left_out: &mut Vec<String>) -> bool {
        let bytes = numbers as f64 * self.width * 1.2;
        let fits = bytes <= (self.wish.max_size / SHARE).min(MOST) as f64;
        if !fits {
            left_out.push(format!("{what} ({})", super::said_bytes(bytes)));
        }
        fits
    }

    /// The class that wins at each place of a segmenter.
    fn labels(&self) -> Option<LabelMap> {
        let subject = &self.point.subject;
        match subject.task {
            Some(Task::Segmenter) => LabelMap::new(&self.point.y0, subject.frozen.output_shape()),
            _ => None,
        }
    }

    /// Of scores the best classes and those that were requested; of a picture its middle, as the page has it.
    fn targets(&self, output: Option<[usize; 3]>) -> Result<Vec<Target>> {
        let (subject, y0) = (&self.point.subject, &self.point.y0);
        if let Some([_, h, w]) = output {
            if !self.wish.targets.is_empty() {
                return Err(Failure::input(
                    "--target selects classes, but the output is a picture",
                )
                .hint("the row of every exported place is exported anyway"));
            }
            let [y, x] = [h / 2, w / 2];
            let (all, one) = match self.labels() {
                Some(labels) => (labels.at(y, x).to_string(), labels.at(y, x).to_string()),
                None => ("all".into(), "0".into()),
            };
            return Ok(vec![Target {
                text: format!("{all},{y},{x}"),
                one: format!("{one},{y},{x}"),
                is_class: false,
                in_full: true,
            }]);
        }
        let class = |k: usize, in_full| Target {
            text: k.to_string(),
            one: k.to_string(),
            is_class: true,
            in_full,
        };
        let best = ranking(y0).into_iter().take(self.wish.top.max(1));
        let mut chosen: Vec<Target> = best
            .enumerate()
            .map(|(rank, k)| class(k, rank == 0))
            .collect();
        for found in targets(subject, &self.wish.targets, y0)? {
            for k in found.positions {
                match chosen.iter_mut().find(|one| one.text == k.to_string()) {
                    Some(known) => known.in_full = true,
                    None => chosen.push(class(k, true)),
                }
            }
        }
        Ok(chosen)
    }

    fn sides(
        &self,
        input: Option<[usize; 3]>,
        output: Option<[usize; 3]>,
        width: usize,
    ) -> Vec<Side> {
        let [n, m] = self.sizes();
        let mut sides = Vec::new();
        for (field, shape, entries, labels) in [
            (Field::Row, output, n, self.labels()),
            (Field::Column, input, m, None),
        ] {
            if let Some([_, h, w]) = shape {
                sides.push(Side {
                    field,
                    size: [h, w],
                    entries,
                    width,
                    labels,
                    step: 1,
                    tile: 1,
                });
            }
        }
        sides
    }
}
