//! Whether votes fall on the object whose place is known.

use std::path::Path;

use linearscope_analysis::{
    FrozenNetwork,
    discussion::{Propagation, Terms},
    progress::unobserved,
    ranking,
    votes::{VoteConfig, discussed, intersection_over_union, votes},
};
use linearscope_picture::{Array, Band, OTHER_CLASSES, Panel, Raster, Sheet, class_colours};
use serde_json::{Map, Value, json};

use super::{Any, Classifier, held_out, imagenet, percent, photographs};
use crate::{
    random::Random,
    scenes::{KINDS, SIDE},
};

/// Scenes that figures are over.
const COUNT: usize = 256;
/// Scenes that are shown.
const SHOWN: usize = 5;

const WAYS: [(&str, Propagation, Terms); 4] = [
    ("scored", Propagation::Scored, Terms::All),
    ("conserving", Propagation::Conserving, Terms::All),
    ("paper", Propagation::Paper, Terms::All),
    ("gradient × input", Propagation::Scored, Terms::Input),
];

fn config(reading: Propagation, heard: Terms) -> VoteConfig {
    VoteConfig::default()
        .with_propagation(reading)
        .with_terms(heard)
}

/// A mask with as many pixels, anywhere.
fn shuffled(mask: &[bool], random: &mut Random) -> Vec<bool> {
    let mut mask = mask.to_vec();
    for i in (1..mask.len()).rev() {
        mask.swap(i, random.below(i + 1));
    }
    mask
}

/// The `count` largest entries.
fn largest(values: &[f64], count: usize) -> Vec<bool> {
    let mut mask = vec![false; values.len()];
    for i in ranking(values).into_iter().take(count) {
        mask[i] = true;
    }
    mask
}

/// What one way of hearing reaches, scene by scene.
#[derive(Default)]
struct Reached {
    /// Of the votes for the kind.
    overlap: Vec<f64>,
    /// Of as many pixels anywhere.
    chance: Vec<f64>,
    /// Of the votes for the kind among the loudest tenth of all.
    loud: Vec<f64>,
    /// Share of that tenth, whatever it votes for, that lies on the object.
    loud_on_object: Vec<f64>,
    /// Share of the votes for the kind that lie on the object.
    on_object: Vec<f64>,
    /// Share of the object whose pixels vote for the kind.
    covered: Vec<f64>,
    /// Share of all pixels that vote for the kind.
    share: Vec<f64>,
    /// Of the pixels of largest discussion of the kind, as many as the object has.
    same_area: Vec<f64>,
    /// Share of the discussion's energy Σ D² that lies on the object.
    energy: Vec<f64>,
    /// |Σ discussion − score| / |score| of the kind.
    gap: Vec<f64>,
}

impl Reached {
    fn row(&self, name: &str) -> String {
        format!(
            "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            percent(&self.overlap),
            percent(&self.chance),
            percent(&self.loud),
            percent(&self.loud_on_object),
            percent(&self.on_object),
            percent(&self.covered),
            percent(&self.share),
            percent(&self.same_area),
            percent(&self.energy),
            percent(&self.gap),
        )
    }

    fn json(&self) -> Value {
        let of = |values: &[f64]| json!(linearscope_analysis::MeanStd::of(values));
        json!({
            "overlap": of(&self.overlap),
            "chance": of(&self.chance),
            "loud": of(&self.loud),
            "loud_on_object": of(&self.loud_on_object),
            "on_object": of(&self.on_object),
            "covered": of(&self.covered),
            "share": of(&self.share),
            "same_area": of(&self.same_area),
            "energy": of(&self.energy),
            "gap": of(&self.gap),
        })
    }

    fn hear(
        &mut self,
        f: &FrozenNetwork,
        (reading, heard): (Propagation, Terms),
        (kind, object): (usize, &[bool]),
        random: &mut Random,
    ) -> Any<linearscope_analysis::votes::Votes> {
        let config = config(reading, heard);
        let found = votes(f, &config, unobserved)?;
        let mask = found.mask(kind);
        let area = object.iter().filter(|o| **o).count();
        let cast = mask.iter().filter(|m| **m).count();
        let both = mask.iter().zip(object).filter(|(m, o)| **m && **o).count();
        self.overlap.push(intersection_over_union(&mask, object));
        let chance = (0..8).map(|_| intersection_over_union(&shuffled(&mask, random), object));
        self.chance.push(chance.sum::<f64>() / 8.0);
        let loud = found.loudest(mask.len() / 10);
        let pairs = || loud.iter().zip(object).filter(|(vote, _)| **vote >= 0);
        let there = pairs().filter(|(_, o)| **o).count() as f64;
        self.loud_on_object.push(there / pairs().count() as f64);
        let loud: Vec<bool> = loud.iter().map(|vote| *vote == kind as i32).collect();
        self.loud.push(intersection_over_union(&loud, object));
        self.on_object.push(both as f64 / cast.max(1) as f64);
        self.covered.push(both as f64 / area as f64);
        self.share.push(cast as f64 / mask.len() as f64);
        let (discussion, _) = discussed(f, &[kind], &config)?;
        let best = largest(&discussion[0], area);
        self.same_area.push(intersection_over_union(&best, object));
        let energy: Vec<f64> = discussion[0].iter().map(|d| d * d).collect();
        let there = energy
            .iter()
            .zip(object)
            .filter(|(_, o)| **o)
            .map(|(e, _)| e);
        self.energy
            .push(there.sum::<f64>() / energy.iter().sum::<f64>());
        self.gap.push(found.gaps[kind].abs());
        Ok(found)
    }
}

/// Votes of one network over the scenes, and a sheet of the first of them.
pub fn of_scenes(name: &str, count: usize) -> Any<(Vec<(String, Value)>, Sheet)> {
    let classifier = Classifier::bundled(name)?;
    let mut random = Random::new(1);
    let mut reached: Vec<Reached> = WAYS.iter().map(|_| Reached::default()).collect();
    let (mut whole, mut area_chance, mut bands) = (Vec::new(), Vec::new(), Vec::new());
    for (number, (scene, x)) in held_out(count).into_iter().enumerate() {
        let f = classifier.freeze(x)?;
        let object: Vec<bool> = scene.mask.iter().map(|share| *share >= 0.5).collect();
        let area = object.iter().filter(|o| **o).count();
        whole.push(area as f64 / object.len() as f64);
        let some = largest(&vec![0.0; object.len()], area);
        let chance =
            (0..8).map(|_| intersection_over_union(&shuffled(&some, &mut random), &object));
        area_chance.push(chance.sum::<f64>() / 8.0);
        let values: Vec<f64> = scene.picture.values.iter().map(|v| f64::from(*v)).collect();
        let size = [SIDE, SIDE];
        let colour = |class: usize| class_colours(&[class])[0];
        let picture = Array::new(&values, &[3, SIDE, SIDE]).ok_or("a scene is a picture")?;
        let place: Vec<i32> = object
            .iter()
            .map(|o| if *o { scene.kind as i32 } else { -1 })
            .collect();
        let mut panels = vec![
            Panel::new(KINDS[scene.kind], picture.picture(0.0, 1.0, Sheet::MOST)),
            Panel::new(
                "its place",
                Raster::of_classes(&place, size, colour, Sheet::MOST)
                    .ok_or("a mask is a picture")?,
            ),
        ];
        for (at, (way, reached)) in WAYS.iter().zip(&mut reached).enumerate() {
            let heard = (way.1, way.2);
            let found = reached.hear(&f, heard, (scene.kind, &object), &mut random)?;
            // Six pictures make a row; what conserving draws is what gradient × input draws.
            if number < SHOWN && way.1 != Propagation::Conserving {
                let raster = Raster::of_classes(&found.of, size, colour, Sheet::MOST);
                let overlap = reached.overlap.last().copied().unwrap_or(0.0);
                let caption = format!("IoU {:.0} %", 100.0 * overlap);
                let panel = Panel::new(way.0, raster.ok_or("votes are a picture")?);
                panels.push(panel.caption(caption));
                if at == 0 {
                    let loud = found.loudest(found.of.len() / 10);
                    let raster = Raster::of_classes(&loud, size, colour, Sheet::MOST);
                    let overlap = reached.loud.last().copied().unwrap_or(0.0);
                    let raster = raster.ok_or("votes are a picture")?;
                    let panel = Panel::new("scored, loudest tenth", raster);
                    panels.push(panel.caption(format!("IoU {:.0} %", 100.0 * overlap)));
                }
            }
        }
        if number < SHOWN {
            bands.push(Band {
                heading: String::new(),
                panels,
            });
        }
    }
    if let Some(first) = bands.first_mut() {
        let kinds = KINDS.iter().enumerate();
        let key = kinds.map(|(class, kind)| (class_colours(&[class])[0], kind.to_string()));
        first.panels[0].key = key.collect();
    }
    println!(
        "\n{name}, {count} scenes, the object has {} of a scene:\n",
        percent(&whole)
    );
    println!(
        "| votes by | IoU | chance | IoU, loudest tenth | loudest tenth on the object | votes on the object | object covered | votes of all pixels | IoU, largest as many as the object | energy on the object | sum's gap |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut all = Vec::new();
    for (way, reached) in WAYS.iter().zip(&reached) {
        println!("{}", reached.row(way.0));
        all.push((way.0.to_string(), reached.json()));
    }
    println!(
        "\nas many pixels as the object has, anywhere: IoU {}",
        percent(&area_chance)
    );
    let sheet = Sheet {
        title: format!("Votes of every pixel, {name}"),
        notes: vec![
            "Colours are kinds; white abstains. The pixels that vote for the kind of the object should be \
             those of the object."
                .into(),
        ],
        bands,
    };
    Ok((all, sheet))
}

/// Votes of squeezenet1.1 among 1000 classes on two photographs.
fn of_photographs(data: &Path, out: &Path) -> Any<Value> {
    let classifier = Classifier::load(&data.join("models/squeezenet1.1.onnx"), &[1, 3, 224, 224])?;
    let labels = std::fs::read_to_string(data.join("images/imagenet_labels1000.txt"))?;
    let labels: Vec<&str> = labels.lines().collect();
    let mut all = Map::new();
    for (path, class) in photographs(data)? {
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if !(name.contains("tiger") || name.contains("strawberry")) {
            continue;
        }
        let x = imagenet()?.read(&path)?.to_f32();
        let f = classifier.freeze(x.clone())?;
        let picture: Vec<f64> = x.iter().map(|v| f64::from(*v)).collect();
        let array = Array::new(&picture, &[3, 224, 224]).ok_or("a photograph is a picture")?;
        let mut panels = vec![Panel::new(&name, array.picture(-2.1, 2.4, Sheet::MOST))];
        println!("\n{name} (class {class} {}):\n", labels[class]);
        println!(
            "| votes by | its votes | place among classes | most voted | abstain | sum's gap |"
        );
        println!("| --- | --- | --- | --- | --- | --- |");
        for way in WAYS {
            let found = votes(&f, &config(way.1, way.2), unobserved)?;
            let table = found.table();
            let place = table
                .iter()
                .position(|tally| tally.class == class)
                .ok_or("a class")?;
            let most: Vec<String> = table
                .iter()
                .take(4)
                .map(|t| {
                    let name = labels[t.class].split(',').next().unwrap_or_default();
                    format!("{name} {:.1} % (rank {})", 100.0 * t.share, t.rank)
                })
                .collect();
            println!(
                "| {} | {:.2} % | {} | {} | {:.2} % | {:+.1} % |",
                way.0,
                100.0 * table[place].share,
                place + 1,
                most.join(", "),
                100.0 * found.abstained as f64 / found.of.len() as f64,
                100.0 * found.gaps[class],
            );
            // The class and the three others with most votes.
            let mut shown = vec![class];
            shown.extend(
                table
                    .iter()
                    .map(|t| t.class)
                    .filter(|c| *c != class)
                    .take(3),
            );
            let colours = class_colours(&shown);
            let colour = |of: usize| {
                let place = shown.iter().position(|c| *c == of);
                place.map_or(OTHER_CLASSES, |at| colours[at])
            };
            let key = shown.iter().map(|c| (colour(*c), labels[*c].to_string()));
            let raster = Raster::of_classes(&found.of, [224, 224], colour, Sheet::MOST);
            panels.push(Panel::new(way.0, raster.ok_or("votes are a picture")?).key(key.collect()));
            all.insert(
                format!("{name}, {}", way.0),
                json!(&table[..20.max(place + 1)]),
            );
        }
        let sheet = Sheet {
            title: format!("Votes among 1000 classes, {name}"),
            notes: vec![],
            bands: vec![Band {
                heading: String::new(),
                panels,
            }],
        };
        std::fs::write(
            out.join(format!("votes_{name}.png")),
            sheet.draw()?.to_png()?,
        )?;
    }
    Ok(Value::Object(all))
}

/// Print the tables, write the sheets, and give all of it.
pub fn measure(data: Option<&Path>, out: &Path) -> Any<Value> {
    let mut all = Map::new();
    for name in ["vgg", "vgg_bn"] {
        let (figures, sheet) = of_scenes(name, COUNT)?;
        std::fs::write(
            out.join(format!("votes_{name}.png")),
            sheet.draw()?.to_png()?,
        )?;
        all.insert(name.into(), Value::Object(figures.into_iter().collect()));
    }
    if let Some(data) = data {
        all.insert("photographs".into(), of_photographs(data, out)?);
    }
    Ok(Value::Object(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// docs/book/src/votes.md states about twice of chance, over more scenes.
    #[test]
    fn votes_fall_on_the_object_more_than_by_chance() {
        let (figures, sheet) = of_scenes("vgg", 32).expect("measures");
        let (way, scored) = &figures[0];
        let mean = |key: &str| scored[key]["mean"].as_f64().expect("a mean");
        assert_eq!(way, "scored");
        let (overlap, chance) = (mean("overlap"), mean("chance"));
        assert!(overlap > chance + 0.03, "IoU {overlap}, by chance {chance}");
        assert!(mean("energy") > 0.3 && mean("same_area") > 0.15, "{scored}");
        assert_eq!(sheet.bands.len(), SHOWN);
    }

    #[test]
    fn masks_of_a_size() {
        assert_eq!(largest(&[1.0, 3.0, 2.0], 2), [false, true, true]);
        let mask = shuffled(&[true, true, false, false, false], &mut Random::new(2));
        assert_eq!(mask.iter().filter(|m| **m).count(), 2);
    }
}
