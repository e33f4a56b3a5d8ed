//! Panels as figures, and sheets of them.

use std::fmt::Write as _;

use base64::{Engine, engine::general_purpose::STANDARD};
use maud::{Markup, html};

use super::{text::unbroken, values::packed};
use crate::{
    Error, Mark, Panel, Raster, Sheet,
    colour::{NEGATIVE, Ramp, hex},
    drawing::{LINE, arrow_path, png},
    sheet::{ALL_ZERO, number, zoom_of},
};

/// A panel: its title, picture, colour bar, key and caption. Signed pictures without a value other than 0
/// say so instead.
///
/// With the page's script the cursor shows what lies under it: the place in the array, and the array's numbers there,
/// where the picture is of an array; else as far as the colour tells it. A map over a photograph can be faded.
///
/// # Errors
/// [`Error::Png`] of the picture.
pub fn figure(panel: &Panel) -> Result<Markup, Error> {
    let raster = &panel.raster;
    let [h, w] = raster.size();
    let zoom = zoom_of(h.max(w));
    let size = format!("width:{}px;aspect-ratio:{w}/{h}", w * zoom);
    let mut parts = panel.parts();
    if let (Some(scale), Some(_), false) = (raster.scale, &panel.line, raster.is_zero()) {
        parts.insert(0, format!("±{}", number(scale)));
    }
    let picture = if raster.is_zero() {
        html! { span.picture.zero style=(size) { (ALL_ZERO) } }
    } else if let Some(line) = &panel.line {
        let [w, h] = [w, h].map(|size| (size * zoom) as f64);
        html! {
            span.picture.line style=(size) {
                svg viewBox={ "0 0 " (w) " " (h) } role="img" aria-label=(panel.title)
                    style="display:block;width:100%" {
                    @if let Some(zero) = line.zero(h) {
                        path d=(format!("M0 {zero:.1}H{w}")) stroke=(LINE) fill="none" {}
                    }
                    @for stroke in line.strokes([w, h]) {
                        path d=(stroke_path(&stroke)) stroke=(NEGATIVE) fill="none" {}
                    }
                }
                (marks(panel))
            }
        }
    } else {
        let ramp = raster.scale.map(|_| raster.ramp.name());
        let packed = raster.values.as_deref().map(packed);
        html! {
            span.picture style=(size) data-y=(raster.window.y) data-x=(raster.window.x)
                data-block=(raster.block) data-scale=[raster.scale] data-ramp=[ramp]
                data-values=[packed.as_ref().map(|packed| &packed.text)]
                data-width=[packed.as_ref().map(|packed| packed.width)] {
                img alt=(panel.title) width=(w * zoom) height=(h * zoom)
                    src={ "data:image/png;base64," (STANDARD.encode(raster.to_png()?)) };
                @if let Some(photograph) = &raster.beneath {
                    img.beneath alt="" src={ "data:image/png;base64," (STANDARD.encode(png(photograph)?)) };
                }
                (tiles(panel))
                (marks(panel))
                (arrows(panel))
            }
            (scale(raster))
        }
    };
    Ok(html! {
        figure.panel style={ "--wide:" (w * zoom) "px" } {
            b { (panel.title) }
            (picture)
            @if !(panel.key.is_empty() && panel.caption.is_empty() && parts.is_empty()) {
                figcaption {
                    @for (colour, text) in &panel.key {
                        span.entry data-colour=(hex(*colour)) {
                            i.swatch style={ "background:" (hex(*colour)) } {}
                            span { (text) }
                        }
                    }
                    @for line in panel.caption.iter().chain(&parts) { span { (unbroken(line)) } }
                }
            }
        }
    })
}

fn stroke_path(points: &[(f64, f64)]) -> String {
    let mut path = String::new();
    for (i, (x, y)) in points.iter().enumerate() {
        let verb = if i == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{verb}{x:.2} {y:.2}");
    }
    path
}

/// The colour bar: −s, 0 and s; or the half of it where there are values.
fn scale(raster: &Raster) -> Markup {
    let Some(scale) = raster.scale else {
        return html! {};
    };
    let [least, largest] = raster.extremes;
    let (above, below) = (number(scale), format!("−{}", number(scale)));
    let (span, labels) = match (least < 0.0, largest > 0.0) {
        (false, true) => ("above", vec!["0", &above]),
        (true, false) => ("below", vec![&below, "0"]),
        _ => ("both", vec![&below[..], "0", &above]),
    };
    let range = format!("values from {} to {}", number(least), number(largest));
    html! {
        span.scale title=(range.replace('-', "−")) {
            i class={ "ramp " (raster.ramp.name()) " " (span) } {}
            @for label in labels { span { (label) } }
        }
    }
}

/// The lines between the parts of a picture.
fn tiles(panel: &Panel) -> Markup {
    let lines: String = panel
        .tile_lines()
        .map(|[from, to]| format!("M{:.4} {:.4}L{:.4} {:.4}", from[0], from[1], to[0], to[1]))
        .collect();
    html! {
        @if !lines.is_empty() {
            svg.tiles viewBox="0 0 1 1" preserveAspectRatio="none" {
                path d=(lines) stroke=(LINE) fill="none" vector-effect="non-scaling-stroke" {}
            }
        }
    }
}

fn marks(panel: &Panel) -> Markup {
    let part = panel.raster.window;
    let inside = |mark: &&Mark| {
        (part.y..part.y + part.h).contains(&mark.y) && (part.x..part.x + part.w).contains(&mark.x)
    };
    let share =
        |at: usize, from: usize, size: usize| 100.0 * ((at - from) as f64 + 0.5) / size as f64;
    html! {
        @for mark in panel.marks.iter().filter(inside) {
            @let (left, top) = (share(mark.x, part.x, part.w), share(mark.y, part.y, part.h));
            // The label to the right, or to the left where the right edge is near.
            span.mark.to-left[left > 85.0] style=(format!("left:{left:.1}%;top:{top:.1}%")) {
                (mark.label)
            }
        }
    }
}

fn arrows(panel: &Panel) -> Markup {
    let [h, w] = panel.raster.size();
    let turned = |[y, x]: [f64; 2]| (x, y);
    let arrows: Vec<(String, f64)> = panel
        .seen_arrows()
        .map(|arrow| {
            let head = h.max(w) as f64 / 40.0 * (1.0 + arrow.strength);
            let path = arrow_path(turned(arrow.from), turned(arrow.to), head);
            (path, 1.0 + 1.5 * arrow.strength)
        })
        .collect();
    html! {
        @if !arrows.is_empty() {
            svg.arrows viewBox={ "0 0 " (w) " " (h) } {
                @for (path, width) in &arrows {
                    @for (stroke, width) in [("#fff", width + 2.0), ("#000", *width)] {
                        path d=(path) fill="none" stroke=(stroke) stroke-width=(format!("{width:.1}"))
                            vector-effect="non-scaling-stroke" {}
                    }
                }
            }
        }
    }
}

/// How signed pictures of three channels are read.
const COLOUR_KEY: &str = "In signed colour pictures, red, green and blue each run from none through half (at \
    zero) to full, so zero is grey. The bar shows all three together.";

/// The bands of a sheet, their panels side by side, with headings of level 4. The sheet's title and notes
/// are left to the page.
///
/// # Errors
/// As [`figure`].
pub fn sheet(sheet: &Sheet) -> Result<Markup, Error> {
    let bands = sheet.bands.iter().filter(|band| !band.panels.is_empty());
    let bands = bands
        .map(|band| {
            let figures = band.panels.iter().map(figure);
            Ok((&band.heading, figures.collect::<Result<Vec<_>, _>>()?))
        })
        .collect::<Result<Vec<_>, Error>>()?;
    Ok(html! {
        @if sheet.has(Ramp::AroundGrey) { p.note { (COLOUR_KEY) } }
        @for (heading, figures) in bands {
            @if !heading.is_empty() { h4 { (heading) } }
            div.sheet { @for figure in figures { (figure) } }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Array, Arrow, Band, class_colours};

    fn html(panel: Panel) -> String {
        figure(&panel).unwrap().into_string()
    }

    #[test]
    fn a_figure() {
        let values = [-2.0, 0.0, 1.0, 2.0];
        let array = Array::new(&values, &[2, 2]).unwrap();
        let panel = Panel::new("row 3", array.signed(array.whole(), None, 9))
            .caption("output 3")
            .marks(vec![Mark {
                y: 0,
                x: 1,
                label: "1".into(),
            }]);
        let html = html(panel);
        // The PNG itself is the encoder's affair, packed numbers are deflate's.
        let cut = |html: &str, from: &str| {
            let (before, rest) = html.split_once(from).unwrap();
            let (_, after) = rest.split_once('"').unwrap();
            format!("{before}{from}…\"{after}")
        };
        let html = cut(&cut(&html, "base64,"), "data-values=\"");
        insta::assert_snapshot!(html.replace("><", ">\n<"));
    }

    #[test]
    fn marks_and_arrows_stand_at_their_places() {
        let values: Vec<f64> = (0..64).map(|i| f64::from(i) - 32.0).collect();
        let array = Array::new(&values, &[8, 8]).unwrap();
        let mark = |y, x| Mark {
            y,
            x,
            label: "7".into(),
        };
        let panel = Panel::new("row", array.signed(array.whole(), None, 99))
            .marks(vec![mark(4, 0), mark(40, 0)])
            .arrows(vec![Arrow {
                from: [0.0, 0.0],
                to: [3.0, 6.0],
                strength: 1.0,
            }]);
        let html = html(panel);
        // The middle of the fifth of eight rows, and of the first column; the other mark is outside.
        assert_eq!(html.matches("class=\"mark\"").count(), 1);
        assert!(html.contains("left:6.2%;top:56.2%\">7<"), "{html}");
        assert!(html.contains("viewBox=\"0 0 8 8\"") && html.contains("d=\"M0.50 0.50L6.50 3.50"));
    }

    #[test]
    fn tiles_are_divided_by_lines() {
        let array = Array::new(&[1.0; 24], &[4, 6]).unwrap();
        let panel = Panel::new("filters", array.signed(array.whole(), None, 9));
        assert!(!html(panel.clone()).contains("tiles"));
        let html = html(panel.tiles([1, 2]));
        assert!(
            html.contains("class=\"tiles\"") && html.contains("d=\"M0.5000 0.0000L0.5000 1.0000\""),
            "{html}"
        );
    }

    #[test]
    fn a_signal_is_a_line() {
        let mark = Mark {
            y: 0,
            x: 3,
            label: "7".into(),
        };
        let panel = Panel::line("row", &[0.0, 2.0, -2.0, 1.0], 0..4, Some(2.0)).marks(vec![mark]);
        let html = html(panel);
        assert!(
            html.contains("d=\"M25.00 50.00L75.00 0.00L125.00 100.00L175.00 25.00\""),
            "{html}"
        );
        assert!(
            html.contains(">±2.00<") && html.contains(">4 entries<"),
            "{html}"
        );
        assert!(html.contains("left:87.5%;top:50.0%\">7<"), "{html}");
        // What has no dots tells nothing of dots to the script.
        assert!(
            !html.contains("<img") && !html.contains("data-block"),
            "{html}"
        );
    }

    /// Its ends are where its values are.
    #[test]
    fn a_scale_says_least_zero_and_most() {
        let scale = |values: [f64; 2]| {
            let array = Array::new(&values, &[1, 2]).unwrap();
            scale(&array.signed(array.whole(), None, 9)).into_string()
        };
        let both = scale([-1.0, 4.0]);
        assert!(
            both.contains("title=\"values from −1.00 to 4.00\""),
            "{both}"
        );
        assert!(both.contains("both\"></i><span>−4.00</span><span>0</span><span>4.00</span>"));
        assert!(scale([0.0, 4.0]).contains("above\"></i><span>0</span><span>4.00</span>"));
        assert!(scale([0.0, -4.0]).contains("below\"></i><span>−4.00</span><span>0</span>"));
        let array = Array::new(&[1.0, 2.0], &[1, 2]).unwrap();
        assert_eq!(super::scale(&array.picture(0.0, 2.0, 9)).into_string(), "");
    }

    /// In place of an empty picture and ±0.
    #[test]
    fn a_panel_of_zeros_says_so() {
        let array = Array::new(&[0.0; 4], &[2, 2]).unwrap();
        let zeros = Panel::new("zeros", array.signed(array.whole(), None, 9));
        let html = html(zeros.clone());
        assert!(html.contains(">all zero<"), "{html}");
        for part in ["<img", "±", "scale", "figcaption"] {
            assert!(!html.contains(part), "{part}: {html}");
        }
        // Beside others with a scale of their own, too.
        let shared = Panel::new("zeros", array.signed(array.whole(), Some(3.0), 9));
        assert!(!self::html(shared).contains("<img"));
        let sheet = Sheet {
            bands: vec![Band {
                heading: "rows".into(),
                panels: vec![zeros],
            }],
            ..Sheet::default()
        };
        let html = super::sheet(&sheet).unwrap().into_string();
        assert!(html.contains("<h4>rows</h4><div class=\"sheet\"><figure"));
    }

    /// In the figure's key and in its dots.
    #[test]
    fn a_class_has_one_colour_in_all_figures() {
        let of = |shown: &[usize]| {
            let colours = class_colours(shown);
            let key = shown.iter().zip(&colours);
            let key = key.map(|(class, colour)| (*colour, format!("class {class}")));
            let at = |class| {
                let place = shown.iter().position(|of| *of == class);
                place.map_or(crate::OTHER_CLASSES, |place| colours[place])
            };
            let raster = Raster::of_classes(&[3, 9, 281, -1], [2, 2], at, 9).unwrap();
            html(Panel::new("votes", raster).key(key.collect()))
        };
        let colour = |html: &str, class: usize| {
            let (before, _) = html.split_once(&format!("class {class}<")).unwrap();
            let (_, entry) = before.rsplit_once("data-colour=\"").unwrap();
            entry[..7].to_string()
        };
        let (one, other) = (of(&[3, 9]), of(&[281, 9, 3]));
        assert_eq!(colour(&one, 9), colour(&other, 9));
        assert_eq!(colour(&one, 3), colour(&other, 3));
        assert_ne!(colour(&one, 3), colour(&one, 9));
        assert!(!one.contains("data-scale") && one.contains("data-block=\"1\""));
    }
}
