//! `walk`.

use std::str::FromStr;

use clap::{Args, ValueEnum};
use linearscope_analysis::{LinearOperator, operator::Field};
use linearscope_picture::{Animation, Array, Band, Mark, Overlay, Panel, Sheet};
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::{
    args::Common,
    command::{About, Alone, FileAbout, Group, OnPicture, Pictures, TableAbout, Told},
    console,
    error::{Failure, Result},
    kind::Kind,
    session::Session,
};

/// Fields computed together.
const TOGETHER: usize = 8;
/// The most frames: each holds a plane of the other picture until all are known.
const MOST: usize = 2000;

/// A place of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place([usize; 2]);

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let parts: Vec<_> = text.split(',').map(|part| part.trim().parse()).collect();
        match parts[..] {
            [Ok(y), Ok(x)] => Ok(Self([y, x])),
            _ => Err("give a place as y,x, two whole numbers".into()),
        }
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        let [y, x] = self.0;
        to.serialize_str(&format!("{y},{x}"))
    }
}

/// Which picture the cursor walks over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Over {
    /// The output: rows, what each place is made from
    Output,
    /// The input: columns, where each place goes
    Input,
}

/// `walk`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct Walk {
    /// Which picture the cursor walks over
    #[arg(long, value_enum, default_value = "output")]
    pub over: Over,
    /// A place to pass through; repeat for more, in order [default: once around the centre]
    #[arg(long, value_name = "Y,X")]
    pub through: Vec<Place>,
    /// Number of frames, evenly spaced along the path
    #[arg(long, default_value_t = 48, value_name = "N")]
    pub frames: usize,
    /// Frames per second
    #[arg(long, default_value_t = 12, value_name = "N")]
    pub fps: u16,
    #[command(flatten)]
    #[serde(skip)]
    pub common: Common,
}

/// One frame in numbers.
#[derive(Serialize)]
struct Step {
    frame: usize,
    at: String,
    /// Of the field, its channels added.
    largest: f64,
    sum: f64,
}

/// `count` places evenly along straight lines from corner to corner.
fn along(corners: &[[usize; 2]], count: usize) -> Vec<[usize; 2]> {
    let apart = |a: &[usize; 2], b: &[usize; 2]| -> f64 {
        let [dy, dx] = [0, 1].map(|axis| a[axis].abs_diff(b[axis]) as f64);
        dy.hypot(dx)
    };
    let legs: Vec<f64> = corners
        .windows(2)
        .map(|leg| apart(&leg[0], &leg[1]))
        .collect();
    let whole: f64 = legs.iter().sum();
    let place = |number: usize| {
        let mut left = whole * number as f64 / (count - 1).max(1) as f64;
        for (leg, ends) in legs.iter().zip(corners.windows(2)) {
            if left <= *leg && *leg > 0.0 {
                let part = left / leg;
                let between = |axis: usize| {
                    let [from, to] = [ends[0][axis] as f64, ends[1][axis] as f64];
                    (from + part * (to - from)).round() as usize
                };
                return [between(0), between(1)];
            }
            left -= leg;
        }
        // Rounding, or all corners are one.
        *corners.last().expect("a corner")
    };
    (0..count).map(place).collect()
}

/// Once around the middle of a picture, at half its size.
fn around([h, w]: [usize; 2], count: usize) -> Vec<[usize; 2]> {
    let at = |size: usize, turn: f64| {
        let middle = (size - 1) as f64 / 2.0;
        (middle + middle / 2.0 * turn).round() as usize
    };
    (0..count)
        .map(|number| {
            let angle = std::f64::consts::TAU * number as f64 / count as f64;
            [at(h, -angle.cos()), at(w, angle.sin())]
        })
        .collect()
}

impl Walk {
    /// The places, one a frame.
    fn places(&self, [h, w]: [usize; 2]) -> Result<Vec<[usize; 2]>> {
        let corners: Vec<[usize; 2]> = self.through.iter().map(|place| place.0).collect();
        if let Some([y, x]) = corners.iter().find(|[y, x]| *y >= h || *x >= w) {
            let size = format!("the picture is {h} high and {w} wide; places count from 0");
            return Err(
                Failure::input(format!("--through {y},{x} is outside the picture")).hint(size),
            );
        }
        Ok(match corners.is_empty() {
            true => around([h, w], self.frames),
            false => along(&corners, self.frames),
        })
    }
}

impl OnPicture for Walk {
    const ABOUT: &'static About = &About {
        name: "walk",
        group: Group::Operator,
        summary: "Animate rows or columns while a cursor moves over a picture",
        details: "Moves a cursor along a path over the output and shows its row over the input (with --over \
            input, moves over the input and shows columns). All frames share one colour scale, so you can \
            compare strengths between places. The file is an animated PNG: browsers play it, other programs \
            show its first frame.",
        example: "walk net.onnx --input cat.jpg --through 40,40 --through 40,200",
        pictures: Pictures::One,
        files: &[FileAbout(
            "walk.png",
            "the animation, a lossless animated PNG",
        )],
        tables: &[TableAbout {
            name: "steps",
            rows: "one line for each frame",
            columns: &[
                ("frame", "its number, from 0"),
                ("at", "position of the cursor, y,x; channels are added up"),
                ("largest", "the weight of largest magnitude, channels added"),
                ("sum", "the sum of all weights"),
            ],
        }],
        includes: &[],
    };

    type Fold = Alone;

    fn common(&self) -> &Common {
        &self.common
    }

    fn check(&self) -> Result<()> {
        if !(2..=MOST).contains(&self.frames) {
            return Err(Failure::input(format!(
                "--frames {}: must be from 2 to {MOST}",
                self.frames
            )));
        }
        if !(1..=60).contains(&self.fps) {
            return Err(Failure::input(format!(
                "--fps {}: must be from 1 to 60",
                self.fps
            )));
        }
        Ok(())
    }

    fn picture(&self, session: &mut Session) -> Result<Told> {
        let frozen = &session.frozen;
        let (input, output) = (
            frozen.input_shape().to_vec(),
            frozen.output_shape().to_vec(),
        );
        for (end, shape) in [("input", &input), ("output", &output)] {
            if Kind::of(shape) != Kind::Picture || shape.len() != 4 || shape[0] != 1 {
                return Err(Failure::input(format!(
                    "walk needs a picture at both ends, but this network's {end} has shape {shape:?}"
                ))
                .hint("for scores and other outputs, use attribute or row"));
            }
        }
        let (field, from, to) = match self.over {
            Over::Output => (Field::Row, &output, &input),
            Over::Input => (Field::Column, &input, &output),
        };
        let (channels, [h, w]) = (from[1], [from[2], from[3]]);
        let places = self.places([h, w])?;
        let plane = to[2] * to[3];
        let mut planes: Vec<Vec<f32>> = Vec::with_capacity(places.len());
        for some in places.chunks(TOGETHER) {
            console::step(&format!("frame {} of {}", planes.len(), places.len()));
            let positions: Vec<Vec<usize>> = some
                .iter()
                .map(|[y, x]| (0..channels).map(|c| (c * h + y) * w + x).collect())
                .collect();
            let found = frozen.fields(field, &positions, &mut console::observer())?;
            for one in session.numbers(found)?.chunks(to[1] * plane) {
                // An overlay adds the channels anyway.
                let sum = |at: usize| one.iter().skip(at).step_by(plane).sum::<f64>() as f32;
                planes.push((0..plane).map(sum).collect());
            }
        }

        let (x0, y0) = (
            session.numbers(frozen.x0())?,
            session.numbers(frozen.reference())?,
        );
        let ends = (Vec::new(), Vec::new());
        let panels = session
            .painter
            .reference((&x0, &input), (&y0, &output), ends);
        let [below, marked] = match self.over {
            Over::Output => [0, 1],
            Over::Input => [1, 0],
        };
        let overlay = Overlay::default();
        let map = |plane: &[f32]| -> Vec<f64> { plane.iter().copied().map(f64::from).collect() };
        let no_picture = || {
            Failure::input(
                "walk needs a picture with one or three channels at both ends".to_string(),
            )
            .hint("use row and column, which write arrays of any shape")
        };
        if panels.len() != 2 || panels.iter().any(|panel| panel.raster.scale.is_some()) {
            return Err(no_picture());
        }
        // Full colour where most frames have it.
        let mut scale = 0.0f64;
        for plane in &planes {
            let values = map(plane);
            let array = Array::new(&values, &to[2..]).ok_or_else(no_picture)?;
            scale = scale.max(overlay.full_colour(&array));
        }
        let word = match self.over {
            Over::Output => "row",
            Over::Input => "column",
        };
        let mut animation = Animation::new(self.fps);
        let mut steps = Vec::new();
        for (frame, ([y, x], plane)) in places.iter().zip(&planes).enumerate() {
            console::step(&format!("drawing frame {frame} of {}", places.len()));
            if console::stopped() {
                return Err(Failure::interrupted("the walk was stopped"));
            }
            let values = map(plane);
            let array = Array::new(&values, &to[2..]).ok_or_else(no_picture)?;
            let laid = overlay.at_scale(&panels[below].raster, &array, scale);
            let mut two = panels.clone();
            two[below] = Panel::new(format!("{word} at {y},{x}"), laid.ok_or_else(no_picture)?)
                .caption("vermilion above 0, blue below");
            two[marked].marks = vec![Mark {
                y: *y,
                x: *x,
                label: String::new(),
            }];
            let sheet = Sheet {
                title: format!("{}: a {word} of F", session.model),
                notes: Vec::new(),
                bands: vec![Band {
                    heading: String::new(),
                    panels: two,
                }],
            };
            animation.push(&sheet.draw()?)?;
            let largest = values.iter().copied().fold(0.0f64, |most, value| {
                if value.abs() > most.abs() {
                    value
                } else {
                    most
                }
            });
            steps.push(Step {
                frame,
                at: format!("{y},{x}"),
                largest,
                sum: values.iter().sum(),
            });
        }
        let more = json!({ "frames": places.len(), "fps": self.fps, "scale": scale });
        session
            .results
            .save("walk.png", &animation.to_png()?, more)?;
        session.save_table("steps", &steps)?;
        let line = format!(
            "{} frames of a {word} at {} per second; full colour is ±{}",
            places.len(),
            self.fps,
            linearscope_picture::significant(scale, 3)
        );
        Ok(Told {
            line: line.clone(),
            found: json!({}),
            summary: vec![line],
            failure: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_goes_from_its_first_place_to_its_last() {
        assert_eq!(
            along(&[[0, 0], [0, 4], [4, 4]], 5),
            [[0, 0], [0, 2], [0, 4], [2, 4], [4, 4]]
        );
        assert_eq!(along(&[[3, 5]], 3), [[3, 5]; 3]);
        assert_eq!(along(&[[2, 2], [2, 2]], 2), [[2, 2]; 2]);
        let round = around([9, 17], 4);
        assert_eq!(round, [[2, 8], [4, 12], [6, 8], [4, 4]]);
        assert_eq!(around([1, 1], 2), [[0, 0]; 2]);
        assert_eq!("3, 40".parse(), Ok(Place([3, 40])));
        assert!("3".parse::<Place>().is_err() && "3,-1".parse::<Place>().is_err());
    }
}
