//! Places in the two pictures of a network, and which lies where in the other.

use linearscope::program::Placed;
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    operator::{Field, Geometry, LinearOperator},
};

/// The pictures that a network goes between, `[channels, height, width]` each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pictures {
    /// x.
    pub input: [usize; 3],
    /// F x.
    pub output: [usize; 3],
    /// Where output pixels lie in the input, down and right; `None` where nothing says so.
    pub place: Option<[AlongAxis; 2]>,
    /// Why there is no `place`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_place: Option<String>,
    /// Whether `place` is a guess, that both pictures cover the same scene, since the operator says nothing.
    pub guessed: bool,
}

/// Where output pixels lie in the input along one axis: pixel p's place is offset + step · p.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlongAxis {
    /// Input pixels for one of the output, numerator and denominator.
    pub step: [i64; 2],
    /// The place of output pixel 0 in the input: the centre of what it uses.
    pub offset: f64,
    /// What a pixel can use, from its place to either side, in input pixels; `None` if unknown.
    pub reach: Option<f64>,
    /// The output pixels whose fields meet no border, neither the picture's nor inside the network: first and one
    /// past the last.
    pub inside: [usize; 2],
    /// The least number of input pixels by which everything moves whole: a multiple of what every op strides by.
    pub period: usize,
}

impl AlongAxis {
    /// Both ends of an axis at the same ends of the scene.
    fn of_scene(input: usize, output: usize) -> Self {
        let common = common_divisor(input, output);
        let step = [(input / common) as i64, (output / common) as i64];
        Self {
            step,
            offset: 0.5 * input as f64 / output as f64 - 0.5,
            reach: None,
            inside: [0, output],
            period: input / common,
        }
    }

    fn of(placed: &Placed) -> Self {
        Self {
            step: [placed.step.over(), placed.step.under()],
            offset: placed.offset(),
            reach: Some(0.5 * (placed.high - placed.low)),
            inside: placed.inside,
            period: placed.period,
        }
    }

    /// The smallest steps that are whole pixels in the input, in the output and for every stride between, in the
    /// input and in the output; `None` for a mirrored axis.
    pub fn whole_step(&self) -> Option<[usize; 2]> {
        let [over, under] = self.step.map(|term| usize::try_from(term).ok());
        let (over, under) = (over.filter(|over| *over > 0)?, under?);
        let input = over.checked_mul(self.period / common_divisor(over, self.period))?;
        Some([input, (input / over).checked_mul(under)?])
    }
}

/// `[c, h, w]` of one picture `[1, c, h, w]`.
fn picture(what: &'static str, shape: &[usize]) -> Result<[usize; 3]> {
    if let [1, c, h, w] = shape
        && *h >= 2
        && *w >= 2
    {
        return Ok([*c, *h, *w]);
    }
    Err(Error::NotPictures {
        end: what,
        shape: shape.to_vec(),
    })
}

fn common_divisor(a: usize, b: usize) -> usize {
    match b {
        0 => a,
        b => common_divisor(b, a % b),
    }
}

/// The places along the last two axes of a picture.
fn placed(
    geometry: &Geometry,
    input: &[usize],
    output: &[usize],
) -> std::result::Result<[AlongAxis; 2], String> {
    let along = |axis: usize| -> std::result::Result<AlongAxis, String> {
        let placed = geometry[input.len() - 2 + axis].as_ref();
        let placed = placed.map_err(Clone::clone)?;
        match placed.axis + 2 == output.len() + axis {
            true => Ok(AlongAxis::of(placed)),
            false => Err("the output's axes follow different axes of the input".into()),
        }
    };
    Ok([along(0)?, along(1)?])
}

impl Pictures {
    /// Where the output's pixels lie comes from the operator ([`LinearOperator::geometry`]). Of one that says nothing
    /// both pictures are taken to cover the same scene: (i + ½) · size there / size here − ½ along each axis.
    ///
    /// # Errors
    /// [`Error::NotPictures`] where either end is no single picture of at least 2×2 pixels; as
    /// [`LinearOperator::geometry`].
    pub fn of(f: &(impl LinearOperator + ?Sized)) -> Result<Self> {
        let (input, output) = (
            picture("input", f.input_shape())?,
            picture("output", f.output_shape())?,
        );
        let geometry = f.geometry()?;
        let (place, no_place) = match &geometry {
            Some(geometry) => match placed(geometry, f.input_shape(), f.output_shape()) {
                Ok(place) => (Some(place), None),
                Err(reason) => (None, Some(reason)),
            },
            None => {
                let scene = |axis| AlongAxis::of_scene(input[axis], output[axis]);
                (Some([scene(1), scene(2)]), None)
            }
        };
        Ok(Self {
            input,
            output,
            place,
            no_place,
            guessed: geometry.is_none(),
        })
    }

    /// Where places of a field lie, and where the field itself does.
    pub fn ends(&self, field: Field) -> [[usize; 3]; 2] {
        match field {
            Field::Column => [self.input, self.output],
            Field::Row => [self.output, self.input],
        }
    }

    /// The place along both axes.
    ///
    /// # Errors
    /// [`Error::NoPlace`].
    pub fn placed(&self) -> Result<[AlongAxis; 2]> {
        self.place.ok_or_else(|| Error::NoPlace {
            reason: self.no_place.clone().unwrap_or_default(),
        })
    }

    /// The position of a place `[y, x]` in the other picture, in pixels there: a fraction between the sub-pixels of an
    /// upscaler. `None` where nothing says so.
    pub fn corresponding(&self, field: Field, place: [usize; 2]) -> Option<[f64; 2]> {
        let along = self.place?;
        Some(std::array::from_fn(|axis| {
            let (at, along) = (place[axis] as f64, along[axis]);
            // Whole numbers as long as they are: a sub-pixel on its pixel is exactly there.
            let [over, under] = along.step.map(|term| term as f64);
            match field {
                Field::Row => (along.offset * under + over * at) / under,
                Field::Column => (at - along.offset) * under / over,
            }
        }))
    }

    /// The smallest steps along an axis (0 down, 1 right) that are whole pixels in both pictures, and for every
    /// stride between: in the input and in the output. 1 and r for an upscaler by r.
    ///
    /// # Errors
    /// [`Error::NoPlace`], also where the axis is mirrored.
    pub fn step(&self, axis: usize) -> Result<[usize; 2]> {
        let along = self.placed()?[axis];
        along.whole_step().ok_or_else(|| Error::NoPlace {
            reason: "the output is mirrored, so its rows do not move in the same direction as the input's".into(),
        })
    }
}

/// Rows × columns of places in a picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    /// Their rows.
    pub y: Vec<usize>,
    /// Their columns.
    pub x: Vec<usize>,
}

impl Grid {
    /// Places `stride` apart both ways, the first half a stride from the corner.
    pub fn every(stride: usize, [h, w]: [usize; 2]) -> Self {
        let stride = stride.max(1);
        let along = |size: usize| {
            let first = (stride - 1) / 2;
            match first < size {
                true => (first..size).step_by(stride).collect(),
                false => vec![size / 2],
            }
        };
        Self {
            y: along(h),
            x: along(w),
        }
    }

    /// A stride for about `count` places along the longer side: odd, and without a common divisor
    /// with `period`, so that the places meet every sub-pixel of an upscaler and every phase of a
    /// stride.
    pub fn stride(count: usize, [h, w]: [usize; 2], period: usize) -> usize {
        let least = h.max(w).div_ceil(count.max(1));
        if least <= 1 {
            return 1;
        }
        let meets_all = |&stride: &usize| stride % 2 == 1 && Self::meets(stride, period);
        (least..2 * least + 2).find(meets_all).unwrap_or(least)
    }

    /// Whether places so far apart meet every one of `period` sub-pixels, or phases of a stride, along an axis.
    pub fn meets(stride: usize, period: usize) -> bool {
        common_divisor(stride, period) == 1
    }

    /// How many rows and columns of places.
    pub fn shape(&self) -> [usize; 2] {
        [self.y.len(), self.x.len()]
    }

    /// How many places.
    pub fn len(&self) -> usize {
        self.y.len() * self.x.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The places `[y, x]`, row by row.
    pub fn places(&self) -> impl Iterator<Item = [usize; 2]> + '_ {
        let row = |&y: &usize| self.x.iter().map(move |&x| [y, x]);
        self.y.iter().flat_map(row)
    }
}
