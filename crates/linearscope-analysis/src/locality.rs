//! Columns and rows of F where fields are smaller than the picture.
//!
//! A single field is computed on a window: the boxes of the program that it reaches. Many fields
//! share probes: those that cannot overlap are asked for in one. Both are exact, since what is left
//! out is zero; which of the two is used depends on which touches fewer entries.

use burn::tensor::{Tensor, TensorData};
use burn_backend::{Shape, ops::FloatTensorOps};
use burn_dispatch::{Dispatch, DispatchTensor};
use linearscope::{
    Error,
    linear::Region,
    program::{NodeId, Program, Regions, Window},
};

use crate::{
    FrozenNetwork, LinearOperator, frozen::flat, host, operator::Result, projection::Field,
};

/// Positions of one place as a box of the tensor they lie in.
fn around(positions: &[usize], shape: &[usize]) -> Region {
    let mut region: Option<Region> = None;
    for &position in positions {
        let mut rest = position;
        let mut at = vec![0..0; shape.len()];
        for axis in (0..shape.len()).rev() {
            let index = rest % shape[axis];
            rest /= shape[axis];
            at[axis] = index..index + 1;
        }
        let one = Region(at);
        region = Some(region.map_or(one.clone(), |all| all.hull(&one)));
    }
    region.unwrap_or(Region(vec![0..0; shape.len()]))
}

/// Entries of all boxes together: what a replay on them touches.
fn touched(regions: &Regions) -> usize {
    regions.iter().map(Region::num_elements).sum()
}

/// Flat positions of a box's entries in a tensor of a shape, in order.
fn entries(region: &Region, shape: &[usize]) -> Vec<usize> {
    let mut flat = vec![0];
    for (range, size) in region.0.iter().zip(shape) {
        flat = flat
            .iter()
            .flat_map(|at| range.clone().map(move |i| at * size + i))
            .collect();
    }
    flat
}

/// One field per place, `[places, n or N]`, as [`projection::fields`](crate::projection::fields)
/// gives it; a place is one flat position or several whose fields add up. `on_batch` is told how
/// many are done before each step.
///
/// Cost: for each place a replay of what it reaches, or one whole replay for every set of places
/// whose fields cannot overlap, whichever is less.
///
/// # Errors
/// [`Error::OutOfRange`]; as [`LinearOperator::apply`] and its adjoint.
pub fn fields(
    f: &FrozenNetwork,
    field: Field,
    places: &[Vec<usize>],
    mut on_batch: impl FnMut(usize),
) -> Result<Tensor<2>> {
    let recorded = match f.recorded() {
        Some(recorded) if !places.is_empty() => recorded,
        _ => return crate::projection::fields(f, field, places, on_batch),
    };
    let program = recorded.homogeneous();
    let (from, to) = match field {
        Field::Column => (f.input_shape(), f.output_shape()),
        Field::Row => (f.output_shape(), f.input_shape()),
    };
    let len: usize = from.iter().product();
    if let Some(&outside) = places.iter().flatten().find(|&&p| p >= len) {
        let what = match field {
            Field::Column => "the column",
            Field::Row => "the row",
        };
        return Err(Error::OutOfRange {
            what: what.into(),
            index: vec![outside],
            shape: from.to_vec(),
        });
    }
    let ends = Ends::of(program, field);
    let local = places
        .iter()
        .map(|positions| ends.local(program, around(positions, from)))
        .collect::<Result<Vec<Local>>>()?;
    let whole: usize = program.nodes().iter().map(|n| n.shape.num_elements()).sum();
    let sets = disjoint(&local);
    let alone: usize = local.iter().map(|local| touched(&local.regions)).sum();
    let numel: usize = to.iter().product();
    let mut found = vec![0f64; places.len() * numel];
    let mut put = |place: usize, values: &[f64]| {
        let at = entries(&local[place].end, to);
        for (&at, &value) in at.iter().zip(values) {
            found[place * numel + at] = value;
        }
    };
    if alone <= sets.len() * whole {
        for (place, local) in local.iter().enumerate() {
            on_batch(place);
            if local.end.is_empty() {
                continue;
            }
            let window = ends.window(program, &local.regions)?;
            let within = entries(&local.start, from);
            let mut delta = vec![0.0; within.len()];
            for (at, value) in within.iter().zip(&mut delta) {
                *value = f64::from(u8::from(places[place].contains(at)));
            }
            let made = ends.replay(f, &window, delta, &local.start.shape())?;
            put(place, &host(made)?);
        }
    } else {
        let mut done = 0;
        let at_once = recorded.probes_at_once().min(8);
        for some in sets.chunks(at_once) {
            on_batch(done);
            let together: Vec<Vec<usize>> = some
                .iter()
                .map(|set| {
                    set.iter()
                        .flat_map(|&place| places[place].clone())
                        .collect()
                })
                .collect();
            let made = host(crate::projection::fields(f, field, &together, |_| {})?)?;
            for (set, made) in some.iter().zip(made.chunks(numel)) {
                for &place in set {
                    let at = entries(&local[place].end, to);
                    let values: Vec<f64> = at.iter().map(|&at| made[at]).collect();
                    put(place, &values);
                }
                done += set.len();
            }
        }
    }
    let dtype: burn::tensor::DType = f.dtype().into();
    let data = TensorData::new(found, [places.len(), numel]).convert_dtype(dtype);
    Ok(Tensor::from_data(data, (f.device(), dtype)))
}

/// One place: its box, the boxes it needs, and the box of its field.
struct Local {
    start: Region,
    regions: Regions,
    end: Region,
}

/// Sets of places whose fields cannot overlap: each goes into the first set where it fits.
fn disjoint(local: &[Local]) -> Vec<Vec<usize>> {
    let mut sets: Vec<Vec<usize>> = Vec::new();
    for (place, one) in local.iter().enumerate() {
        let fits = |set: &&mut Vec<usize>| {
            set.iter()
                .all(|&other| local[other].end.intersection(&one.end).is_empty())
        };
        match sets.iter_mut().find(fits) {
            Some(set) => set.push(place),
            None => sets.push(vec![place]),
        }
    }
    sets
}

/// Where fields of a program begin and end.
struct Ends {
    field: Field,
    input: NodeId,
    output: NodeId,
}

impl Ends {
    fn of(program: &Program<Dispatch>, field: Field) -> Self {
        Self {
            field,
            input: program.inputs()[0],
            output: program.outputs()[0],
        }
    }

    fn local(&self, program: &Program<Dispatch>, start: Region) -> Result<Local> {
        let (regions, end) = match self.field {
            Field::Column => (
                program.reaches(&[(self.input, start.clone())])?,
                self.output,
            ),
            Field::Row => (program.fields(&[(self.output, start.clone())])?, self.input),
        };
        let end = match regions.of(end)? {
            Some(region) => region.clone(),
            None => Region(vec![0..0; program.shape(self.input)?.num_dims()]),
        };
        Ok(Local {
            start,
            regions,
            end,
        })
    }

    fn window(&self, program: &Program<Dispatch>, regions: &Regions) -> Result<Window<Dispatch>> {
        program.window(regions, &[self.output])
    }

    /// The field of one probe on a window.
    fn replay(
        &self,
        f: &FrozenNetwork,
        window: &Window<Dispatch>,
        delta: Vec<f64>,
        shape: &Shape,
    ) -> Result<Tensor<2>> {
        let len = delta.len();
        let dims: Vec<usize> = std::iter::once(1).chain(shape.iter().copied()).collect();
        let x: DispatchTensor =
            Dispatch::float_reshape(f.upload(delta, len).into_dispatch(), Shape::from(dims));
        let program = &window.program;
        let (input, output) = (program.inputs()[0], program.outputs()[0]);
        let made = match self.field {
            Field::Column => program.forward(&[(input, x)], &[output], false)?.remove(0),
            Field::Row => {
                let mut found = program.backward(&[(output, x)], &[input])?;
                found.remove(0).expect("a window ends where its field does")
            }
        };
        Ok(flat(made))
    }
}
