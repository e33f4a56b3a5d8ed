//! Segmenters: networks that score many classes at every place. What they say is the class that wins there.

use linearscope_analysis::argmax;
use linearscope_picture::{
    Band, MOST_CLASSES, Panel, Raster, Sheet, class_colours,
    page::{Cell, Column, Table},
};
use serde::Serialize;

use crate::{
    commands::votes::{name, painted},
    error::Result,
    session::Session,
};

/// The class that wins at each place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LabelMap {
    /// `[h, w]`; of equal scores the first.
    pub of: Vec<i32>,
    pub size: [usize; 2],
}

/// A class and its places.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Segment {
    class: usize,
    label: Option<String>,
    pixels: usize,
    share: f64,
}

impl LabelMap {
    /// Of scores `[1, c, h, w]`; none of anything else.
    pub(crate) fn new(scores: &[f64], shape: &[usize]) -> Option<Self> {
        let &[1, c, h, w] = shape else { return None };
        let plane = h * w;
        let winner = |place: usize| -> Option<i32> {
            let here: Vec<f64> = (0..c).map(|class| scores[class * plane + place]).collect();
            argmax(&here).map(|class| class as i32)
        };
        let of = (0..plane).map(winner).collect::<Option<Vec<i32>>>()?;
        Some(Self { of, size: [h, w] })
    }

    /// The class that wins at a place.
    pub(crate) fn at(&self, y: usize, x: usize) -> usize {
        self.of[y * self.size[1] + x] as usize
    }

    /// The classes that win somewhere, most places first.
    pub(crate) fn most(&self) -> Vec<usize> {
        self.counted().into_iter().map(|one| one.0).collect()
    }

    /// Every class that wins somewhere, most places first.
    fn segments(&self, session: &Session) -> Vec<Segment> {
        self.counted()
            .into_iter()
            .map(|(class, pixels)| Segment {
                class,
                label: session.label(class).map(String::from),
                pixels,
                share: pixels as f64 / self.of.len() as f64,
            })
            .collect()
    }

    /// Classes and how many places they win, most first, of equals the smaller class.
    fn counted(&self) -> Vec<(usize, usize)> {
        let mut counts = std::collections::BTreeMap::new();
        for &class in &self.of {
            *counts.entry(class as usize).or_insert(0) += 1;
        }
        let mut counts: Vec<(usize, usize)> = counts.into_iter().collect();
        counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        counts
    }

    /// In colours, with what they stand for; none where it is too thin for a picture.
    fn panel(&self, session: &Session) -> Option<Panel> {
        let mut counts = self.counted();
        counts.truncate(MOST_CLASSES);
        let (colour, key) = painted(session, &counts, self.of.len(), self.of.len());
        let raster = Raster::of_classes(&self.of, self.size, colour, Sheet::MOST)?;
        Some(Panel::new("the class that wins", raster).key(key))
    }

    /// Write it: the map, its picture, its table; gives the sheet.
    pub(crate) fn save(&self, session: &mut Session) -> Result<Option<Sheet>> {
        session.save_whole("classes", &self.of, &self.size)?;
        session.save_table("segments", &self.segments(session))?;
        let Some(panel) = self.panel(session) else {
            return Ok(None);
        };
        let sheet = Sheet {
            title: format!("What {} sees, and where", session.model),
            bands: vec![Band {
                heading: String::new(),
                panels: vec![panel],
            }],
            ..Sheet::default()
        };
        session.save_sheet("classes", &sheet)?;
        Ok(Some(sheet))
    }

    /// The same as a table.
    pub(crate) fn table(&self, session: &Session) -> Table {
        let segments = self.segments(session);
        let drawn: Vec<usize> = segments
            .iter()
            .take(MOST_CLASSES)
            .map(|one| one.class)
            .collect();
        let colours = class_colours(&drawn);
        let columns = [
            Column::number("pixels"),
            Column::number("share"),
            Column::text("class"),
        ];
        segments
            .iter()
            .enumerate()
            .fold(Table::new(columns), |table, (at, segment)| {
                let class = Cell::text(name(session, segment.class));
                table.row([
                    Cell::number(segment.pixels as f64, segment.pixels.to_string()),
                    Cell::number(segment.share, format!("{:.1} %", 100.0 * segment.share)),
                    match colours.get(at) {
                        Some(colour) => class.coloured(*colour),
                        None => class,
                    },
                ])
            })
    }

    /// The largest segments in lines.
    pub(crate) fn lines(&self, session: &Session) -> Vec<String> {
        let segments = self.segments(session);
        let more = segments.len().saturating_sub(MOST_CLASSES);
        let mut lines: Vec<String> = segments
            .iter()
            .take(MOST_CLASSES)
            .map(|one| {
                format!(
                    "{:8}  {:5.1} %  {}",
                    one.pixels,
                    100.0 * one.share,
                    name(session, one.class)
                )
            })
            .collect();
        if more > 0 {
            lines.push(format!("and {more} more classes"));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::LabelMap;

    #[test]
    fn the_first_of_the_largest_wins() {
        // Two places, five classes: 3 wins at the first, 1 and 4 tie at the second.
        let scores = [0.0, 0.0, 1.0, 2.0, 0.5, 1.0, 3.0, 0.0, 2.0, 2.0];
        let map = LabelMap::new(&scores, &[1, 5, 1, 2]).expect("a map");
        assert_eq!((map.of.clone(), map.size), (vec![3, 1], [1, 2]));
        assert_eq!((map.at(0, 0), map.at(0, 1)), (3, 1));
        assert_eq!(map.counted(), [(1, 1), (3, 1)]);
        assert!(LabelMap::new(&scores, &[1, 10]).is_none());
    }
}
