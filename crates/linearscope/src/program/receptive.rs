//! Receptive fields of many nodes at once: the part of an input that a part of each node depends on.
//!
//! A box of a node asks its operands for boxes, and those ask theirs, until the input is reached. Nodes in the
//! middle of a network are asked for the same few boxes over and over (a middle, and what is one, two, three cells
//! around it), so each box is followed once, however many ask for it. Boxes go back in one pass, and what they
//! need of the input comes forth in another.
//!
//! A box stays the same entries through a reshape, in which they need not be a box. Norms flatten a picture,
//! divide, and give it its axes back: so a box keeps the shape in which it is one, as long as nothing but entrywise
//! maps comes by.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use burn_backend::{Backend, Shape};

use super::{
    NodeId, NodeIndex, Program,
    regions::{field, hull, part_of},
    traverse::{Along, Backwards, Constant, Forwards, Here},
};
use crate::{
    error::Result,
    linear::{AxisPlace, LinearMap, Locality, Region, Reshape, Structure},
};

impl<B: Backend> Program<B> {
    /// The box of `input` that each of these boxes depends on, as [`fields`](Self::fields) says for one; `None`
    /// where nothing of it is needed.
    ///
    /// Boxes hold the true set: they are what shapes, strides and the places that x₀ chose allow, whatever the
    /// weights. A map that says nothing of where its entries lie needs its whole input.
    ///
    /// Cost: a few comparisons for each box that a node is asked for; nothing is computed. For the middles of all
    /// nodes of a network with fields of m cells that is some m boxes a node, not one a node behind it.
    ///
    /// # Errors
    /// [`Error::ForeignNode`](crate::Error::ForeignNode); [`Error::Shape`](crate::Error::Shape) for a box that does
    /// not lie in its node; [`Error::Interrupted`](crate::Error::Interrupted).
    pub fn receptive_fields(
        &self,
        input: NodeId,
        of: &[(NodeId, Region)],
    ) -> Result<Vec<Option<Region>>> {
        let input = self.index(input)?;
        let reads = self.dependants(&[input]);
        let ends = self.boxed(of)?;
        let seeds = ends
            .iter()
            .filter(|(at, region)| reads[at.0] && !region.is_empty())
            .map(|(at, region)| (*at, Asked::from([self.entries(*at, region)])));
        let mut asking = Asking {
            of: vec![Asked::new(); self.nodes.len()],
        };
        self.backwards::<Asking>(seeds, &[], &reads, &mut asking)?;
        let mut answering = Answering {
            input,
            asked: asking.of,
        };
        let stops: Vec<NodeIndex> = ends.iter().map(|(at, _)| *at).collect();
        let answers = self.forwards::<Answering>([], &stops, &mut answering)?;
        let found = ends.iter().zip(answers);
        Ok(found
            .map(|((at, region), answers)| answers.get(&self.entries(*at, region)).cloned())
            .collect())
    }

    fn entries(&self, at: NodeIndex, region: &Region) -> Entries {
        Entries::new(&self.at(at).shape, region.clone())
    }
}

/// Entries of a node: a box of them in some shape, entries in the same order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Entries {
    shape: Shape,
    region: Region,
}

impl Entries {
    fn new(shape: &Shape, region: Region) -> Self {
        Self {
            shape: shape.clone(),
            region,
        }
    }

    /// The box of this shape that holds them.
    fn within<B: Backend>(&self, shape: &Shape) -> Region {
        match self.shape == *shape {
            true => self.region.clone(),
            false => {
                let reshape = Reshape::new(shape, &self.shape);
                Locality::<B>::field(&reshape, shape, &self.shape, &self.region)
            }
        }
    }

    /// The inputs of a map that they depend on, if there are any.
    fn before<B: Backend>(
        &self,
        map: &Arc<dyn LinearMap<B>>,
        from: &Shape,
        to: &Shape,
    ) -> Option<Self> {
        let same_entries = match map.structure() {
            Structure::Reshape(_) => true,
            Structure::Identity(_)
            | Structure::Multiple(..)
            | Structure::Diagonal(_)
            | Structure::SlopeMask(_)
            | Structure::Mask(_) => from == to,
            Structure::General
            | Structure::Zero(_)
            | Structure::View(_)
            | Structure::Selection(_)
            | Structure::Placement(_)
            | Structure::Spread(_)
            | Structure::NonNegative(_)
            | Structure::Interpolation(_)
            | Structure::Weighted(_) => false,
        };
        if same_entries {
            return Some(self.clone());
        }
        let region = self.within::<B>(to);
        let mut read = field(map, from, to, &region);
        if let Some(map) = map.structure().locality()
            && !map.mirrors()
            && let Some(places) = map.places(from, to)
        {
            read = read.intersection(&windows(&places, from, &region));
        }
        (!read.is_empty()).then(|| Self::new(from, read))
    }
}

/// The inputs of shape `from` that outputs of a box read, by the rule of each axis. A box of a map need not be as
/// tight: a slice that takes every second entry has none.
fn windows(places: &[AxisPlace], from: &Shape, to: &Region) -> Region {
    let mut read = Region::full(from);
    let mut named = vec![0; from.num_dims()];
    for place in places {
        if let AxisPlace::Window { axis, .. } = place {
            named[*axis] += 1;
        }
    }
    for (place, outputs) in places.iter().zip(&to.0) {
        let &AxisPlace::Window {
            axis,
            step,
            first,
            last,
        } = place
        else {
            continue;
        };
        if named[axis] > 1 || outputs.is_empty() {
            continue;
        }
        let ends = [outputs.start, outputs.end - 1].map(|o| step.value() * o as f64);
        // Steps are fractions: whole numbers may come out a rounding beside themselves.
        let slack = 1e-9 * (1.0 + from[axis] as f64);
        let start = (ends[0].min(ends[1]) + first - slack).ceil().max(0.0) as usize;
        let end = (ends[0].max(ends[1]) + last + slack).floor() + 1.0;
        let start = start.min(from[axis]);
        read.0[axis] = start..(end.max(0.0) as usize).clamp(start, from[axis]);
    }
    read
}

/// What a node is asked for.
type Asked = HashSet<Entries>;

/// Boxes on their way back.
struct Asking {
    /// By node.
    of: Vec<Asked>,
}

impl<B: Backend> Backwards<B> for Asking {
    type Value = Asked;

    fn arrived(&mut self, here: &Here<'_, B>, asked: &Asked) {
        self.of[here.index.0] = asked.clone();
    }

    fn map(
        &mut self,
        here: &Here<'_, B>,
        map: &Arc<dyn LinearMap<B>>,
        from: &Shape,
        asked: Asked,
    ) -> Result<Asked> {
        let to = &here.node.shape;
        let all = asked.iter();
        Ok(all.filter_map(|own| own.before(map, from, to)).collect())
    }

    fn source(&mut self, _: &Here<'_, B>, _: &Constant<B>, asked: Asked) -> Result<Asked> {
        Ok(asked)
    }

    fn term(
        &mut self,
        _here: &Here<'_, B>,
        _of: NodeIndex,
        _c: f64,
        _size: f64,
        asked: Asked,
    ) -> Asked {
        asked
    }

    fn part(&mut self, here: &Here<'_, B>, along: Along, asked: Asked) -> Option<Asked> {
        let all = asked.iter();
        let parts: Asked = all.filter_map(|own| part::<B>(own, here, along)).collect();
        Some(parts).filter(|parts| !parts.is_empty())
    }

    fn add(&mut self, sum: Asked, asked: Asked) -> Asked {
        let (mut more, less) = match sum.len() >= asked.len() {
            true => (sum, asked),
            false => (asked, sum),
        };
        more.extend(less);
        more
    }
}

/// The entries of one part of a concatenation among these, if there are any.
fn part<B: Backend>(own: &Entries, here: &Here<'_, B>, along: Along) -> Option<Entries> {
    let region = part_of(&own.within::<B>(&here.node.shape), along);
    let mut shape = here.node.shape.clone();
    shape[along.dim] = along.extent;
    (!region.is_empty()).then(|| Entries::new(&shape, region))
}

/// For all that a node is asked for, the box of the input that it needs; none where it needs nothing.
type Answers = Arc<HashMap<Entries, Region>>;

/// Answers on their way forth.
struct Answering {
    input: NodeIndex,
    asked: Vec<Asked>,
}

impl Answering {
    /// The answers of a node, each its own by `answer`.
    fn each<B: Backend>(
        &self,
        here: &Here<'_, B>,
        answer: impl Fn(&Entries) -> Option<Region>,
    ) -> Answers {
        let asked = self.asked[here.index.0].iter();
        let found = asked.filter_map(|own| Some((own.clone(), answer(own)?)));
        Arc::new(found.collect())
    }
}

impl<B: Backend> Forwards<B> for Answering {
    type Value = Answers;

    fn input(&mut self, here: &Here<'_, B>, _number: usize) -> Result<Answers> {
        let is_it = here.index == self.input;
        Ok(self.each(here, |own| is_it.then(|| own.within::<B>(&here.node.shape))))
    }

    fn map(
        &mut self,
        here: &Here<'_, B>,
        map: &Arc<dyn LinearMap<B>>,
        from: &Shape,
        x: Answers,
    ) -> Answers {
        let to = &here.node.shape;
        self.each(here, |own| x.get(&own.before(map, from, to)?).cloned())
    }

    fn source(&mut self, _here: &Here<'_, B>, _b: &Constant<B>, x: Answers) -> Answers {
        // It is asked for what it asks for, and perhaps its operand for more.
        x
    }

    fn sum(&mut self, here: &Here<'_, B>, terms: Vec<(f64, Answers)>) -> Answers {
        self.each(here, |own| {
            let all = terms.iter().map(|(_, x)| x.get(own).cloned());
            all.fold(None, hull)
        })
    }

    fn concat(&mut self, here: &Here<'_, B>, parts: Vec<(Along, Answers)>) -> Answers {
        self.each(here, |own| {
            let all = parts.iter();
            let all = all.map(|(along, x)| x.get(&part(own, here, *along)?).cloned());
            all.fold(None, hull)
        })
    }
}
