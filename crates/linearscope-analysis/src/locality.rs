//! Columns and rows of F where fields are smaller than the picture.
//!
//! A single field is computed on a window: the boxes of the program that it reaches. Places that reach the
//! same, as the channels of a pixel do, share a window, and windows are computed side by side, one a core.
//! Many fields share probes: those that cannot overlap are asked for in one. Both are exact, since what is
//! left out is zero; which of the two is used depends on which touches fewer entries.

use std::ops::Range;

use burn::tensor::{Tensor, TensorData};
use burn_backend::{Backend, TensorMetadata, ops::FloatTensorOps};
use burn_dispatch::{Dispatch, DispatchTensor};
use linearscope::{
    Recorded,
    linear::Region,
    program::{NodeId, Operation, Program, Regions},
};
use rayon::prelude::*;

use crate::{
    error::{Result, tell},
    operator::{BATCH, Field, indicators},
    progress::{Observer, Progress},
    vectors::{flat, read},
};

/// Positions of one place as a box of the tensor they lie in.
fn around(positions: &[usize], shape: &[usize]) -> Region {
    let mut around = vec![0..0; shape.len()];
    for &position in positions {
        let mut rest = position;
        for (range, size) in around.iter_mut().zip(shape).rev() {
            let index = rest % size;
            rest /= size;
            *range = match range.start == range.end {
                true => index..index + 1,
                false => range.start.min(index)..range.end.max(index + 1),
            };
        }
    }
    Region(around)
}

/// How much more a window that places share may touch, for each of them, than their own ones do.
const WIDER: f64 = 1.05;

/// Windows that each thread computes between two looks at the observer.
const IN_TURN: usize = 4;

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

/// A box within another, in that one's own coordinates.
fn seen_from(region: &Region, around: &Region) -> Region {
    let axes = region.0.iter().zip(&around.0);
    Region(
        axes.map(|(range, all)| range.start - all.start..range.end - all.start)
            .collect(),
    )
}

/// One field for each place, `[places, n or N]`, as
/// [`LinearOperator::fields`](crate::LinearOperator::fields) says; the places are checked.
///
/// Cost: for each place a replay of what it reaches, on one core and others alongside it, or one whole replay for
/// every set of places whose fields cannot overlap, whichever is less. What is on its way at once fits the
/// budget of the network.
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
        .par_iter()
        .map(|positions| Ok(ends.local(around(positions, from))?.0))
        .collect::<Result<Vec<Local>>>()?;
    let at_once = recorded.probes_at_once();
    let cores = cores(recorded);
    // A share for each core, where there are enough places for that.
    let most = BATCH.min(at_once).min(places.len().div_ceil(cores));
    let groups = ends.groups(&local, most)?;
    let whole: usize = program.nodes().iter().map(|n| n.shape.num_elements()).sum();
    let sets = disjoint(&local, || Ok(program.interrupt().check()?))?;
    let alone: usize = groups.iter().map(Group::touched).sum();
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
        let mut left = &groups[..];
        while let Some(first) = left.first() {
            tell(first.places.start)?;
            // What is on its way fits the budget, even if all of it is at once.
            let mut probes = 0;
            let fit = left.iter().take_while(|group| {
                probes += group.places.len();
                probes <= at_once
            });
            let (some, rest) = match cores {
                1 => left.split_at(1),
                _ => left.split_at(fit.take(IN_TURN * cores).count().max(1)),
            };
            let made: Vec<Result<Vec<f64>>> = (some.par_iter().with_max_len(1))
                .map(|group| ends.on_window(group, &places[group.places.clone()], from))
                .collect();
            for (group, made) in some.iter().zip(made) {
                let (made, numel) = (made?, group.all.end.num_elements());
                for (place, made) in group.places.clone().zip(made.chunks(numel.max(1))) {
                    let end = &local[place].end;
                    let inside = entries(
                        &seen_from(end, &group.all.end),
                        &group.all.end.shape().to_vec(),
                    );
                    let values: Vec<f64> = inside.iter().map(|&at| made[at]).collect();
                    put(place, &values);
                }
            }
            left = rest;
        }
    } else {
        let mut done = 0;
        for some in sets.chunks(at_once.min(BATCH)) {
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

/// How many windows may be computed side by side: a graphics card has one queue, and a tape is for one.
fn cores(recorded: &Recorded<Dispatch>) -> usize {
    match Dispatch::name(recorded.loaded().device()).as_str() {
        "dispatch<flex>" => rayon::current_num_threads(),
        _ => 1,
    }
}

/// Floating-point operations of one field of `positions`, on the window that it reaches, a multiply-add
/// counted as two. What nothing is known of counts for nothing.
///
/// Cost: a few comparisons a node.
pub(crate) fn flops(
    recorded: &Recorded<Dispatch>,
    field: Field,
    positions: &[usize],
) -> Result<u64> {
    let program = recorded.homogeneous();
    let ends = Ends::of(recorded, field);
    let from = match field {
        Field::Column => recorded.loaded().network().inputs()[0].shape.to_vec(),
        Field::Row => recorded.reference()[0].shape().to_vec(),
    };
    let (_, regions) = ends.local(around(positions, &from))?;
    let mut flops = 0;
    for id in program.ids() {
        let Some(made) = regions.of(id)? else {
            continue;
        };
        flops += match &program.node(id)?.operation {
            Operation::Map { map, .. } => {
                let read = regions.of(program.operands(id)?[0])?;
                match (map.structure().locality(), read) {
                    (Some(map), Some(read)) => map.flops(&read.shape(), &made.shape()),
                    _ => 0,
                }
            }
            Operation::Sum(terms) => {
                (terms.len() as u64).saturating_sub(1) * made.num_elements() as u64
            }
            Operation::Input(_) | Operation::Source { .. } | Operation::Concat { .. } => 0,
        };
    }
    Ok(flops)
}

/// One place, or several: where the field begins, the box that it lies in, and how many entries a replay of it
/// touches.
#[derive(Clone)]
struct Local {
    start: Region,
    end: Region,
    touched: usize,
}

/// Places that share a window.
struct Group {
    places: Range<usize>,
    all: Local,
    /// What windows of their own would touch.
    apart: usize,
}

impl Group {
    /// Entries that a replay touches, of all its probes.
    fn touched(&self) -> usize {
        self.all.touched * self.places.len()
    }
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

    fn local(&self, start: Region) -> Result<(Local, Regions)> {
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
        let touched = touched(&regions);
        Ok((
            Local {
                start,
                end,
                touched,
            },
            regions,
        ))
    }

    /// Neighbours in the list that reach nearly the same, `most` at a time: each joins those before it where
    /// the window of all touches hardly more than their own ones.
    fn groups(&self, local: &[Local], most: usize) -> Result<Vec<Group>> {
        let mut groups: Vec<Group> = Vec::new();
        for (place, one) in local.iter().enumerate() {
            if let Some(group) = groups.last_mut()
                && group.places.len() < most
                && !group.all.end.is_empty()
                && !one.end.is_empty()
            {
                let (all, _) = self.local(group.all.start.hull(&one.start))?;
                let apart = group.apart + one.touched;
                let count = group.places.len() + 1;
                if (all.touched * count) as f64 <= WIDER * apart as f64 {
                    *group = Group {
                        places: group.places.start..place + 1,
                        all,
                        apart,
                    };
                    continue;
                }
            }
            groups.push(Group {
                places: place..place + 1,
                all: one.clone(),
                apart: one.touched,
            });
        }
        Ok(groups)
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

    /// The fields of the places of a group on its window, one box after the other; nothing where they reach
    /// nothing.
    fn on_window(&self, group: &Group, places: &[Vec<usize>], from: &[usize]) -> Result<Vec<f64>> {
        let Local { start, end, .. } = &group.all;
        if end.is_empty() {
            return Ok(Vec::new());
        }
        let (_, regions) = self.local(start.clone())?;
        let window = self.program().window(&regions, &[self.output])?;
        let within = entries(start, from);
        let mut delta = Vec::with_capacity(places.len() * within.len());
        for place in places {
            // A region of a picture has many positions.
            let mut place = place.clone();
            place.sort_unstable();
            let named = |at| place.binary_search(at).is_ok();
            delta.extend(within.iter().map(|at| f64::from(u8::from(named(at)))));
        }
        let x = self.upload(delta, &start.shape().to_vec());
        let program = &window.program;
        let (input, output) = (program.inputs()[0], program.outputs()[0]);
        let made = match self.field {
            Field::Column => program.forward(&[(input, x)], &[output], false)?.remove(0),
            Field::Row => {
                let mut found = program.backward(&[(output, x)], &[input])?;
                found.remove(0).expect("a window ends where its field does")
            }
        };
        read(flat(made))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_seen_from_another() {
        let (all, one) = (Region(vec![2..9, 1..4]), Region(vec![3..5, 1..4]));
        assert_eq!(seen_from(&one, &all), Region(vec![1..3, 0..3]));
        assert_eq!(
            entries(&seen_from(&one, &all), &all.shape().to_vec()),
            [3, 4, 5, 6, 7, 8]
        );
    }
}
