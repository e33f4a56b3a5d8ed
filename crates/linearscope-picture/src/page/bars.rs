//! Bar charts as tables.

use maud::{Markup, html};

use super::text::unbroken;
use crate::{Bar, BarChart, sheet::number};

/// The bars of a chart as rows of a table; the title is its caption.
pub fn bars(chart: &BarChart) -> Markup {
    // Values that are not finite have no length; the figure says what they are.
    let length = |bar: &Bar| {
        if bar.value.is_finite() {
            bar.value
        } else {
            0.0
        }
    };
    let most = chart.bars.iter().map(length).fold(0.0, f64::max);
    let least = chart.bars.iter().map(length).fold(0.0, f64::min);
    let span = if most > least { most - least } else { 1.0 };
    let place = |bar: &Bar| {
        let long = 100.0 * length(bar).abs() / span;
        let zero = 100.0 * -least / span;
        let left = if bar.value < 0.0 { zero - long } else { zero };
        format!("margin-left:{left:.2}%;width:{long:.2}%")
    };
    let class = |bar: &Bar| match bar {
        Bar { apart: true, .. } => "apart",
        bar if bar.value < 0.0 => "negative",
        _ => "positive",
    };
    html! {
        table.bars {
            caption { (chart.title) }
            @for bar in &chart.bars {
                tr {
                    th scope="row" { (bar.label) }
                    td.bar { i class=(class(bar)) style=(place(bar)) {} }
                    td.number { (number(bar.value)) }
                    td.number { (bar.note) }
                }
            }
        }
        @for note in &chart.notes { p.note { (unbroken(note)) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_start_at_zero_and_keep_their_side() {
        let bar = |value| Bar {
            label: "conv".into(),
            value,
            note: "1 %".into(),
            apart: false,
        };
        let chart = BarChart {
            title: "t".into(),
            notes: vec![],
            bars: vec![bar(3.0), bar(-1.0)],
        };
        let html = bars(&chart).into_string();
        assert!(html.contains("\"positive\" style=\"margin-left:25.00%;width:75.00%\""));
        assert!(html.contains("\"negative\" style=\"margin-left:0.00%;width:25.00%\""));
    }
}
