//! Sheets and charts as HTML that flows: panels wrap on a narrow screen, text stays text.
//!
//! The page that holds them brings the style for the classes used here: `sheet`, `panel`, `mark`,
//! `key`, `bars`.

use std::fmt::Write;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    Bar, BarChart, Error, Panel, Sheet,
    colour::diverging,
    drawing::{arrow_path, escaped},
    sheet::{COLOUR_KEY, number, zoom_of},
};

impl Sheet {
    /// The bands as sections of figures; heading level 4. The title and notes are left to the page.
    ///
    /// # Errors
    /// [`Error::Png`] of an embedded picture.
    pub fn to_html(&self) -> Result<String, Error> {
        let mut html = String::new();
        if self
            .panels()
            .any(|p| p.raster.scale.is_some() && !p.raster.colour)
        {
            let stops: Vec<String> = (0..=8)
                .map(|i| {
                    let [r, g, b] = diverging(f64::from(i) / 4.0 - 1.0);
                    format!("#{r:02x}{g:02x}{b:02x}")
                })
                .collect();
            let _ = writeln!(
                html,
                "<p class=\"key\">−s <i style=\"background:linear-gradient(90deg,{})\"></i> +s, with \
                 ±s under each picture; zero is white</p>",
                stops.join(",")
            );
        }
        if self
            .panels()
            .any(|p| p.raster.scale.is_some() && p.raster.colour)
        {
            let _ = writeln!(html, "<p class=\"key\">{COLOUR_KEY}</p>");
        }
        for band in self.bands.iter().filter(|band| !band.panels.is_empty()) {
            if !band.heading.is_empty() {
                let _ = writeln!(html, "<h4>{}</h4>", escaped(&band.heading));
            }
            html.push_str("<div class=\"sheet\">\n");
            for panel in &band.panels {
                html.push_str(&panel.to_html()?);
            }
            html.push_str("</div>\n");
        }
        Ok(html)
    }

    fn panels(&self) -> impl Iterator<Item = &Panel> {
        self.bands.iter().flat_map(|band| &band.panels)
    }
}

impl Panel {
    fn to_html(&self) -> Result<String, Error> {
        let [h, w] = self.raster.size();
        let zoom = zoom_of(h.max(w));
        let mut html = format!(
            "<figure class=\"panel\"><b>{}</b><span class=\"picture\" style=\"width:{}px\">\
             <img alt=\"{}\" width=\"{}\" height=\"{}\" src=\"data:image/png;base64,{}\">",
            escaped(&self.title),
            w * zoom,
            escaped(&self.title),
            w * zoom,
            h * zoom,
            STANDARD.encode(self.raster.to_png()?),
        );
        let part = self.raster.window;
        for mark in &self.marks {
            let inside = (part.y..part.y + part.h).contains(&mark.y)
                && (part.x..part.x + part.w).contains(&mark.x);
            if inside {
                let share = |at: usize, from: usize, size: usize| {
                    100.0 * ((at - from) as f64 + 0.5) / size as f64
                };
                let _ = write!(
                    html,
                    "<span class=\"mark\" style=\"left:{:.1}%;top:{:.1}%\">{}</span>",
                    share(mark.x, part.x, part.w),
                    share(mark.y, part.y, part.h),
                    escaped(&mark.label),
                );
            }
        }
        let arrows: String = self
            .seen_arrows()
            .flat_map(|arrow| {
                let turned = |[y, x]: [f64; 2]| (x, y);
                let head = h.max(w) as f64 / 40.0 * (1.0 + arrow.strength);
                let path = arrow_path(turned(arrow.from), turned(arrow.to), head);
                let width = 1.0 + 1.5 * arrow.strength;
                [("#fff", width + 2.0), ("#000", width)].map(|(stroke, width)| {
                    format!(
                        "<path d=\"{path}\" fill=\"none\" stroke=\"{stroke}\" \
                         stroke-width=\"{width:.1}\" vector-effect=\"non-scaling-stroke\"/>"
                    )
                })
            })
            .collect();
        if !arrows.is_empty() {
            let _ = write!(
                html,
                "<svg viewBox=\"0 0 {w} {h}\" style=\"position:absolute;inset:0;width:100%;height:100%\">\
                 {arrows}</svg>"
            );
        }
        let key = self.key.iter().map(|([r, g, b], text)| {
            format!(
                "<i style=\"display:inline-block;width:10px;height:10px;border:1px solid #b8b8b8;\
                 background:#{r:02x}{g:02x}{b:02x}\"></i> {}",
                escaped(text)
            )
        });
        let lines = self.lines();
        let lines: Vec<String> = key.chain(lines.iter().map(|line| escaped(line))).collect();
        let _ = writeln!(
            html,
            "</span><figcaption>{}</figcaption></figure>",
            lines.join("<br>")
        );
        Ok(html)
    }
}

impl BarChart {
    /// The bars as a table; the title is its caption.
    pub fn to_html(&self) -> String {
        let finite = |bar: &Bar| {
            if bar.value.is_finite() {
                bar.value
            } else {
                0.0
            }
        };
        let most = self.bars.iter().map(finite).fold(0.0, f64::max);
        let least = self.bars.iter().map(finite).fold(0.0, f64::min);
        let span = if most > least { most - least } else { 1.0 };
        let mut html = format!(
            "<table class=\"bars\"><caption>{}</caption>\n",
            escaped(&self.title)
        );
        for bar in &self.bars {
            let long = 100.0 * finite(bar).abs() / span;
            let zero = 100.0 * -least / span;
            let left = if bar.value < 0.0 { zero - long } else { zero };
            let class = match bar {
                Bar { apart: true, .. } => "apart",
                bar if bar.value < 0.0 => "negative",
                _ => "positive",
            };
            let _ = writeln!(
                html,
                "<tr><th scope=\"row\">{}</th><td class=\"bar\"><i class=\"{class}\" \
                 style=\"margin-left:{left:.2}%;width:{long:.2}%\"></i></td><td>{}</td><td>{}</td></tr>",
                escaped(&bar.label),
                number(bar.value),
                escaped(&bar.note),
            );
        }
        html.push_str("</table>\n");
        for note in &self.notes {
            let _ = writeln!(html, "<p>{}</p>", escaped(note));
        }
        html
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Array, Band, Mark};

    #[test]
    fn html_says_what_the_drawing_says() {
        let values: Vec<f64> = (0..64).map(|i| f64::from(i) - 32.0).collect();
        let array = Array::new(&values, &[8, 8]).unwrap();
        let panel = Panel::new("row <1>", array.signed(array.whole(), None, 99))
            .caption("a & b")
            .marks(vec![Mark {
                y: 4,
                x: 0,
                label: "7".into(),
            }]);
        let sheet = Sheet {
            bands: vec![Band {
                heading: "rows".into(),
                panels: vec![panel],
            }],
            ..Sheet::default()
        };
        let html = sheet.to_html().unwrap();
        for part in [
            "row &lt;1&gt;",
            "a &amp; b",
            "±32.0",
            "<h4>rows</h4>",
            "class=\"key\"",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
        // The middle of the fifth of eight rows, and of the first column.
        assert!(html.contains("left:6.2%;top:56.2%\">7<"), "{html}");
    }

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
        let html = chart.to_html();
        assert!(html.contains("\"positive\" style=\"margin-left:25.00%;width:75.00%\""));
        assert!(html.contains("\"negative\" style=\"margin-left:0.00%;width:25.00%\""));
    }
}
