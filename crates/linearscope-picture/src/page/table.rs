//! Tables that sort.

use maud::{Markup, Render, html};

use crate::colour::hex;

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    heading: String,
    number: bool,
}

impl Column {
    /// Of texts: to the left, sorted by their letters.
    pub fn text(heading: impl Into<String>) -> Self {
        Self {
            heading: heading.into(),
            number: false,
        }
    }

    /// Of numbers: to the right, sorted by value, the largest first.
    pub fn number(heading: impl Into<String>) -> Self {
        Self {
            heading: heading.into(),
            number: true,
        }
    }
}

/// One cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    text: String,
    key: Option<String>,
    colour: Option<[u8; 3]>,
    link: Option<String>,
}

impl Cell {
    /// A text, sorted by itself.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// A number as it is written. It is sorted by its value; one that is not finite is sorted last.
    pub fn number(value: f64, text: impl Into<String>) -> Self {
        Self::text(text).sorted_by(match value.is_finite() {
            true => format!("{value:e}"),
            false => String::new(),
        })
    }

    /// No value: a dash, sorted last.
    pub fn missing() -> Self {
        Self::text("–").sorted_by("")
    }

    /// Sorted by this rather than by the text.
    pub fn sorted_by(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// With a square of the colour that stands for it elsewhere.
    pub fn coloured(mut self, colour: [u8; 3]) -> Self {
        self.colour = Some(colour);
        self
    }

    /// Leading to another page.
    pub fn to(mut self, page: impl Into<String>) -> Self {
        self.link = Some(page.into());
        self
    }
}

/// A table. A click on a heading sorts by that column, a second one the other way round; where no script
/// runs, it is a plain table in the order of its rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    caption: String,
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Without rows.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self {
            columns: columns.into_iter().collect(),
            ..Self::default()
        }
    }

    /// With what it shows, above it.
    pub fn caption(mut self, caption: impl Into<String>) -> Self {
        self.caption = caption.into();
        self
    }

    /// With one more row. Cells that it lacks are missing, and those beyond the columns are left out.
    pub fn row(mut self, cells: impl IntoIterator<Item = Cell>) -> Self {
        self.push(cells);
        self
    }

    /// One more row, as [`row`](Self::row).
    pub fn push(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl Render for Table {
    fn render(&self) -> Markup {
        let class = |column: &Column| column.number.then_some("number");
        let missing = Cell::missing();
        html! {
            div.wide {
                table data-sortable {
                    @if !self.caption.is_empty() { caption { (self.caption) } }
                    thead {
                        tr {
                            @for column in &self.columns {
                                th scope="col" class=[class(column)]
                                    data-sort=(if column.number { "number" } else { "text" })
                                    { (column.heading) }
                            }
                        }
                    }
                    tbody {
                        @for row in &self.rows {
                            tr {
                                @for (place, column) in self.columns.iter().enumerate() {
                                    @let cell = row.get(place).unwrap_or(&missing);
                                    td class=[class(column)] data-key=[&cell.key] {
                                        @if let Some(colour) = cell.colour {
                                            i.swatch style={ "background:" (hex(colour)) } {}
                                            " "
                                        }
                                        @match &cell.link {
                                            Some(page) => a href=(page) { (cell.text) },
                                            None => { (cell.text) },
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table() {
        let table = Table::new([Column::number("score"), Column::text("class")])
            .caption("Best scores")
            .row([
                Cell::number(-1.5e-7, "-1.50e-7"),
                Cell::text("7 <cat>").coloured([213, 94, 0]).sorted_by("7"),
            ])
            .row([Cell::number(f64::NAN, "–"), Cell::text("8 dog")])
            .row([Cell::number(1e300, "1.00e300")]);
        insta::assert_snapshot!(table.render().into_string().replace("><", ">\n<"));
    }

    /// Keys are read back as the same numbers, whatever is written in the cell.
    #[test]
    fn numbers_sort_by_value() {
        for value in [0.1, -3.0, 1e-300, 123456789.125, f64::MAX] {
            let cell = Cell::number(value, "about that");
            assert_eq!(cell.key.unwrap().parse::<f64>(), Ok(value));
        }
        assert_eq!(Cell::number(f64::INFINITY, "∞").key, Some(String::new()));
        assert_eq!(Cell::missing().key, Some(String::new()));
        assert_eq!(Cell::text("a").key, None);
    }
}
