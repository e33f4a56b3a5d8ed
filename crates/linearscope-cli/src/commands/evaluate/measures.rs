//! The measures of a map: their names, which way is good, and the tables of them.

use linearscope_analysis::{
    MeanStd,
    evaluation::{Evaluation, Summary},
};
use linearscope_picture::significant;
use serde::Serialize;

/// What is good in a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Good {
    Low,
    High,
    /// Neither above nor below 0.
    Zero,
}

/// A number that is said of each map.
struct Measure {
    name: &'static str,
    good: Good,
    /// Of one picture.
    one: fn(&Evaluation) -> Option<f64>,
    /// Over several.
    over: fn(&Summary) -> Option<MeanStd>,
}

/// In the order of the tables.
const MEASURES: [Measure; 8] = [
    Measure {
        name: "deletion",
        good: Good::Low,
        one: |found| Some(found.deletion.area),
        over: |found| Some(found.deletion),
    },
    Measure {
        name: "insertion",
        good: Good::High,
        one: |found| Some(found.insertion.area),
        over: |found| Some(found.insertion),
    },
    Measure {
        name: "infidelity",
        good: Good::Low,
        one: |found| found.infidelity,
        over: |found| found.infidelity,
    },
    Measure {
        name: "sensitivity",
        good: Good::Low,
        one: |found| found.sensitivity,
        over: |found| found.sensitivity,
    },
    Measure {
        name: RANDOMISED,
        good: Good::Zero,
        one: |found| found.randomised.last()?.similarity,
        over: |found| found.randomised.last()?.similarity,
    },
    Measure {
        name: POINTING,
        good: Good::High,
        one: |found| Some(f64::from(u8::from(found.object?.pointing))),
        over: |found| Some(found.object?.pointing),
    },
    Measure {
        name: "energy",
        good: Good::High,
        one: |found| Some(found.object?.energy),
        over: |found| Some(found.object?.energy),
    },
    Measure {
        name: "stability",
        good: Good::Low,
        one: |found| found.stability,
        over: |found| found.stability,
    },
];

const RANDOMISED: &str = "randomised";
const POINTING: &str = "pointing";

/// A method's line: its numbers, or why it has none.
struct Row<'a> {
    method: &'a str,
    cells: Result<Vec<Option<Cell>>, &'a str>,
}

/// A number and how it is said.
struct Cell {
    value: f64,
    text: String,
}

/// A line a method of one picture, under their names.
pub(super) fn of_one<'a>(
    found: impl IntoIterator<Item = (&'a str, Result<&'a Evaluation, &'a str>)>,
) -> Vec<String> {
    let cell = |measure: &Measure, found: &Evaluation| {
        let value = (measure.one)(found)?;
        let text = match measure.name {
            POINTING if value > 0.0 => "hit".into(),
            POINTING => "miss".into(),
            _ => significant(value, 3),
        };
        Some(Cell { value, text })
    };
    let row = |(method, found): (&'a str, Result<&'a Evaluation, &'a str>)| Row {
        method,
        cells: found.map(|found| MEASURES.iter().map(|one| cell(one, found)).collect()),
    };
    table(&found.into_iter().map(row).collect::<Vec<_>>())
}

/// A line a method of several pictures: means ± standard deviations.
pub(super) fn of_several(found: &[Summary]) -> Vec<String> {
    let cell = |measure: &Measure, found: &Summary| {
        let MeanStd { mean, std } = (measure.over)(found)?;
        let text = match measure.name {
            POINTING => format!("{:.0} %", 100.0 * mean),
            _ => format!("{} ± {}", significant(mean, 3), significant(std, 2)),
        };
        Some(Cell { value: mean, text })
    };
    let rows = found.iter().map(|found| Row {
        method: &found.method,
        cells: Ok(MEASURES.iter().map(|one| cell(one, found)).collect()),
    });
    table(&rows.collect::<Vec<_>>())
}

/// Lines of equal columns; those without a number are left out, and the best of each has a star. Below, which way is
/// good.
fn table(rows: &[Row<'_>]) -> Vec<String> {
    let cells = |column: usize| {
        let known = rows.iter().filter_map(|row| row.cells.as_ref().ok());
        known.filter_map(move |cells| cells[column].as_ref())
    };
    let shown: Vec<usize> = (0..MEASURES.len())
        .filter(|&column| cells(column).next().is_some())
        .collect();
    let wide = rows.iter().map(|row| row.method.chars().count());
    let first = wide.chain(["method".len()]).max().unwrap_or(0);
    let (mut head, mut lines) = (format!("  {:first$}", "method"), Vec::new());
    let mut columns = Vec::new();
    for column in shown.iter().copied() {
        let name = MEASURES[column].name;
        let wide = cells(column).map(|cell| cell.text.chars().count());
        let wide = wide.chain([name.len()]).max().unwrap_or(0);
        head += &format!("  {name:>wide$} ");
        let values: Vec<f64> = cells(column).map(|cell| cell.value).collect();
        columns.push((column, wide, best(MEASURES[column].good, &values)));
    }
    lines.push(head.trim_end().to_string());
    for row in rows {
        let mut line = format!("  {:first$}", row.method);
        match &row.cells {
            Err(why) => line += &format!("  – {why}"),
            Ok(cells) => {
                for (column, wide, best) in &columns {
                    let (text, star) = match &cells[*column] {
                        None => ("–", ""),
                        Some(cell) if *best == Some(cell.value) => (&cell.text[..], "*"),
                        Some(cell) => (&cell.text[..], ""),
                    };
                    line += &format!("  {text:>wide$}{star:1}");
                }
            }
        }
        lines.push(line.trim_end().to_string());
    }
    lines.extend(directions(&shown));
    lines
}

/// Which way is good in the columns that are there.
fn directions(shown: &[usize]) -> Option<String> {
    let of = |good: &[Good]| {
        let those = shown.iter().map(|&column| &MEASURES[column]);
        let names = those.filter(|one| good.contains(&one.good));
        let names = names.map(|one| match one.good {
            Good::Zero => format!("{} (towards 0)", one.name),
            _ => one.name.to_string(),
        });
        names.collect::<Vec<_>>().join(", ")
    };
    (!shown.is_empty()).then(|| {
        format!(
            "lower is better for {}; higher is better for {}; * marks the best in a column. No measure proves \
            that a map is right.",
            of(&[Good::Low, Good::Zero]),
            of(&[Good::High]),
        )
    })
}

/// The best of some numbers; none where all are equal.
fn best(good: Good, values: &[f64]) -> Option<f64> {
    let rank = |value: f64| match good {
        Good::Low => value,
        Good::High => -value,
        Good::Zero => value.abs(),
    };
    let first = *values.first()?;
    let differ = values.iter().any(|value| *value != first);
    let best = values.iter().copied();
    best.min_by(|a, b| rank(*a).total_cmp(&rank(*b)))
        .filter(|_| differ)
}

/// Means and standard deviations of a method in numbers.
#[derive(Serialize)]
struct Means<'a> {
    method: &'a str,
    pictures: usize,
    deletion: f64,
    deletion_std: f64,
    insertion: f64,
    insertion_std: f64,
    infidelity: Option<f64>,
    infidelity_std: Option<f64>,
    sensitivity: Option<f64>,
    sensitivity_std: Option<f64>,
    randomised: Option<f64>,
    randomised_std: Option<f64>,
    masked: usize,
    share: Option<f64>,
    share_std: Option<f64>,
    pointing: Option<f64>,
    pointing_std: Option<f64>,
    energy: Option<f64>,
    energy_std: Option<f64>,
    stability: Option<f64>,
    stability_std: Option<f64>,
}

impl<'a> Means<'a> {
    fn of(found: &'a Summary) -> Self {
        let mean = |number: Option<MeanStd>| number.map(|number| number.mean);
        let std = |number: Option<MeanStd>| number.map(|number| number.std);
        let randomised = found.randomised.last().and_then(|last| last.similarity);
        let object = found.object;
        let [share, pointing, energy] = [
            object.map(|object| object.share),
            object.map(|object| object.pointing),
            object.map(|object| object.energy),
        ];
        Self {
            method: &found.method,
            pictures: found.pictures,
            deletion: found.deletion.mean,
            deletion_std: found.deletion.std,
            insertion: found.insertion.mean,
            insertion_std: found.insertion.std,
            infidelity: mean(found.infidelity),
            infidelity_std: std(found.infidelity),
            sensitivity: mean(found.sensitivity),
            sensitivity_std: std(found.sensitivity),
            randomised: mean(randomised),
            randomised_std: std(randomised),
            masked: object.map_or(0, |object| object.pictures),
            share: mean(share),
            share_std: std(share),
            pointing: mean(pointing),
            pointing_std: std(pointing),
            energy: mean(energy),
            energy_std: std(energy),
            stability: mean(found.stability),
            stability_std: std(found.stability),
        }
    }
}

/// A line a method, as CSV.
pub(super) fn csv(found: &[Summary]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for one in found {
        writer.serialize(Means::of(one)).expect("to memory");
    }
    let bytes = writer.into_inner().expect("to memory");
    String::from_utf8(bytes).expect("names and numbers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_starred_where_there_is_one() {
        assert_eq!(best(Good::Low, &[2.0, -1.0, 3.0]), Some(-1.0));
        assert_eq!(best(Good::High, &[2.0, -1.0, 3.0]), Some(3.0));
        assert_eq!(best(Good::Zero, &[2.0, -1.0, 3.0]), Some(-1.0));
        assert_eq!(best(Good::High, &[1.0, 1.0]), None);
        assert_eq!(best(Good::High, &[1.0]), None);
        assert_eq!(best(Good::High, &[]), None);
        let cell = |value: f64| Cell {
            value,
            text: format!("{value:.1}"),
        };
        let row = |method, values: [Option<f64>; 2]| Row {
            method,
            cells: Ok((0..MEASURES.len())
                .map(|column| values.get(column).copied().flatten().map(cell))
                .collect()),
        };
        let failed = Row {
            method: "c",
            cells: Err("none here"),
        };
        let found = table(&[
            row("a", [Some(0.5), Some(1.0)]),
            row("b", [Some(0.2), None]),
            failed,
        ]);
        assert_eq!(
            found[..4],
            [
                "  method  deletion   insertion",
                "  a            0.5         1.0",
                "  b            0.2*          –",
                "  c       – none here",
            ]
        );
        assert!(
            found[4].starts_with("lower is better for deletion; higher is better for insertion; "),
            "{}",
            found[4]
        );
    }
}
