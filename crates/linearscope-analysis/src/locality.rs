//! Columns and rows of F where fields are smaller than the picture.
//!
//! A single field is computed on a window: the boxes of the program that it reaches. Many fields
//! share probes: those that cannot overlap are asked for in one. Both are exact, since what is left
//! out is zero; which of the two is used depends on which touches fewer entries.

use burn::tensor::{Tensor, TensorData};
use burn_backend::{Shape, TensorMetadata, ops::FloatTensorOps};
use burn_dispatch::{Dispatch, DispatchTensor};
use linearscope::{
    Recorded,
    linear::Region,
    program::{NodeId, Program, Regions, Window},
};

use crate::{
    error::{Result, tell},
    operator::{BATCH, Field, indicators},
    progress::{Observer, Progress},
    vectors::{flat, read},
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

/// One field for each place, `[places, n or N]`, as
/// [`LinearOperator::fields`](crate::LinearOperator::fields) says; the places are checked.
///
/// Cost: for each place a replay of what it reaches, or one whole replay for every set of places
/// whose fields cannot overlap, whichever is less.
pub(crate) fn fields(
    recorded: &Recorded<Dispatch>,
    field: Field,
    places: &[Vec<usize>],
    observer: &mut Observer<'_>,
) -> Result<Tensor<2>> {
    let program = recorded.homogeneous();
    let network = recorded.loaded().network();
    let shapes = [
        network.inputs()[0].shape.to_vec(),
        recorded.reference()[0].shape().to_vec(),
    ];
    let [from, to] = match field {
        Field::Column => [&shapes[0], &shapes[1]],
        Field::Row => [&shapes[1], &shapes[0]],
    };
    let ends = Ends::of(recorded, field);
    let local = places
        .iter()
        .map(|positions| ends.local(around(positions, from)))
        .collect::<Result<Vec<Local>>>()?;
    let whole: usize = program.nodes().iter().map(|n| n.shape.num_elements()).sum();
    let sets = disjoint(&local, || Ok(program.interrupt().check()?))?;
    let alone: usize = local.iter().map(|local| touched(&local.regions)).sum();
    let numel: usize = to.iter().product();
    let mut found = vec![0f64; places.len() * numel];
    let mut put = |place: usize, values: &[f64]| {
        let at = entries(&local[place].end, to);
        for (&at, &value) in at.iter().zip(values) {
            found[place * numel + at] = value;
        }
    };
    let mut tell = |done| tell(observer, Progress::new(field.reading(), done, places.len()));
    if alone <= sets.len() * whole {
        for (place, local) in local.iter().enumerate() {
            tell(place)?;
            if local.end.is_empty() {
                continue;
            }
            let window = program.window(&local.regions, &[ends.output])?;
            let within = entries(&local.start, from);
            let mut delta = vec![0.0; within.len()];
            for (at, value) in within.iter().zip(&mut delta) {
                *value = f64::from(u8::from(places[place].contains(at)));
            }
            let made = ends.replay(&window, delta, &local.start.shape())?;
            put(place, &read(made)?);
        }
    } else {
        let mut done = 0;
        let at_once = recorded.probes_at_once().min(BATCH);
        for some in sets.chunks(at_once) {
            tell(done)?;
            let together: Vec<Vec<usize>> = some
                .iter()
                .map(|set| {
                    set.iter()
                        .flat_map(|&place| places[place].clone())
                        .collect()
                })
                .collect();
            let made = read(ends.products(&together, from)?)?;
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
    let loaded = recorded.loaded();
    let data = TensorData::new(found, [places.len(), numel]).convert_dtype(loaded.dtype());
    let made = Dispatch::float_from_data(data, loaded.device());
    Ok(Tensor::from_dispatch(made))
}

/// One place: its box, the boxes it needs, and the box of its field.
struct Local {
    start: Region,
    regions: Regions,
    end: Region,
}

/// Sets of places whose fields cannot overlap: each goes into the first set where it fits. `go_on` is asked at
/// each place.
fn disjoint(local: &[Local], go_on: impl Fn() -> Result<()>) -> Result<Vec<Vec<usize>>> {
    let mut sets: Vec<Vec<usize>> = Vec::new();
    for (place, one) in local.iter().enumerate() {
        go_on()?;
        let fits = |set: &&mut Vec<usize>| {
            set.iter()
                .all(|&other| local[other].end.intersection(&one.end).is_empty())
        };
        match sets.iter_mut().find(fits) {
            Some(set) => set.push(place),
            None => sets.push(vec![place]),
        }
    }
    Ok(sets)
}

/// Where fields of a program begin and end.
struct Ends<'a> {
    recorded: &'a Recorded<Dispatch>,
    field: Field,
    input: NodeId,
    output: NodeId,
}

impl<'a> Ends<'a> {
    fn of(recorded: &'a Recorded<Dispatch>, field: Field) -> Self {
        let program = recorded.homogeneous();
        Self {
            recorded,
            field,
            input: program.inputs()[0],
            output: program.outputs()[0],
        }
    }

    fn program(&self) -> &'a Program<Dispatch> {
        self.recorded.homogeneous()
    }

    fn local(&self, start: Region) -> Result<Local> {
        let program = self.program();
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

    /// k vectors where the field begins, as a batch of a shape.
    fn upload(&self, values: Vec<f64>, shape: &[usize]) -> DispatchTensor {
        let k = values.len() / shape.iter().product::<usize>();
        let loaded = self.recorded.loaded();
        let data = TensorData::new(values, [&[k], shape].concat());
        Dispatch::float_from_data(data.convert_dtype(loaded.dtype()), loaded.device())
    }

    /// Whole replays with indicator vectors of places, `[places, ..]`.
    fn products(&self, places: &[Vec<usize>], shape: &[usize]) -> Result<Tensor<2>> {
        let delta = indicators(places, shape.iter().product());
        let x = [self.upload(delta, shape)];
        let mut made = match self.field {
            Field::Column => self.recorded.apply(&x)?,
            Field::Row => self.recorded.adjoint(&x)?,
        };
        Ok(flat(made.remove(0)))
    }

    /// The field of one probe on a window.
    fn replay(
        &self,
        window: &Window<Dispatch>,
        delta: Vec<f64>,
        shape: &Shape,
    ) -> Result<Tensor<2>> {
        let x = self.upload(delta, &shape.to_vec());
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
