//! Locality: which entries of each node some outputs depend on, or some inputs reach.

use std::sync::Arc;

use burn_backend::{Backend, Shape};

use super::{
    NodeId, NodeIndex, Program,
    id::Tag,
    traverse::{Along, Backwards, Constant, Forwards, Here},
};
use crate::{
    error::{Error, Result},
    linear::{LinearMap, Region},
};

/// One box for each node of a program; none for nodes that take no part.
#[derive(Clone, Debug)]
pub struct Regions {
    program: Tag,
    boxes: Vec<Option<Region>>,
}

impl Regions {
    /// The box of a node, if it takes part.
    ///
    /// # Errors
    /// [`Error::ForeignNode`] for a node of another program than they were made of.
    pub fn of(&self, id: NodeId) -> Result<Option<&Region>> {
        Ok(self.boxes[self.program.index(id)?.0].as_ref())
    }

    /// The boxes of all nodes that take part, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Region> {
        self.boxes.iter().flatten()
    }

    /// Those that are not empty, node by node.
    pub(super) fn boxes(&self) -> Vec<Option<&Region>> {
        let full = |region: &Option<Region>| region.as_ref().is_some_and(|r| !r.is_empty());
        let boxes = self.boxes.iter();
        boxes
            .map(|region| region.as_ref().filter(|_| full(region)))
            .collect()
    }
}

impl<B: Backend> Program<B> {
    /// What outputs in boxes depend on: for each node the box that holds all they need.
    ///
    /// Cost: a few comparisons a node; nothing is computed.
    ///
    /// # Errors
    /// [`Error::ForeignNode`]; [`Error::Shape`] for a box that does not lie in its node.
    pub fn fields(&self, to: &[(NodeId, Region)]) -> Result<Regions> {
        let mut fields = Fields {
            boxes: vec![None; self.nodes.len()],
        };
        let everywhere = vec![true; self.nodes.len()];
        self.backwards::<Fields>(self.boxed(to)?, &[], &everywhere, &mut fields)?;
        Ok(Regions {
            program: self.tag,
            boxes: fields.boxes,
        })
    }

    /// What inputs in boxes reach: for each node the box outside which it stays zero.
    ///
    /// Sources are left out of account: this is about F, not r.
    ///
    /// # Errors
    /// As [`fields`](Self::fields).
    pub fn reaches(&self, from: &[(NodeId, Region)]) -> Result<Regions> {
        let mut reaches = Reaches {
            from: vec![None; self.nodes.len()],
        };
        for (at, region) in self.boxed(from)? {
            let slot = &mut reaches.from[at.0];
            *slot = hull(slot.take(), Some(region));
        }
        let all: Vec<_> = (0..self.nodes.len()).map(NodeIndex).collect();
        Ok(Regions {
            program: self.tag,
            boxes: self.forwards::<Reaches>([], &all, &mut reaches)?,
        })
    }

    /// Boxes of nodes of this program, each within its node.
    pub(super) fn boxed(&self, ends: &[(NodeId, Region)]) -> Result<Vec<(NodeIndex, Region)>> {
        let mut found = Vec::with_capacity(ends.len());
        for (id, region) in ends {
            let at = self.index(*id)?;
            let node = self.at(at);
            let fits = |(range, &size): (&std::ops::Range<usize>, _)| range.end <= size;
            let inside = region.0.len() == node.shape.num_dims()
                && region.0.iter().zip(node.shape.iter()).all(fits);
            if !inside {
                return Err(Error::Shape {
                    what: format!("the box at \"{}\"", node.name),
                    got: region.0.iter().map(|range| range.end).collect(),
                    expected: node.shape.to_vec(),
                    hint: " to lie in".into(),
                });
            }
            found.push((at, region.clone()));
        }
        Ok(found)
    }

    /// The boxes node by node, if they are of this program.
    pub(super) fn own<'a>(&self, regions: &'a Regions) -> Result<Vec<Option<&'a Region>>> {
        // Any id of theirs says whose they are.
        self.tag.index(regions.program.id(NodeIndex(0)))?;
        Ok(regions.boxes())
    }
}

/// The box that holds two, if there are any.
pub(super) fn hull(a: Option<Region>, b: Option<Region>) -> Option<Region> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.hull(&b)),
        (a, b) => a.or(b),
    }
}

/// The part of a concatenation's box that one part fills, in that part's own coordinates.
pub(super) fn part_of(region: &Region, along: Along) -> Region {
    let Along { dim, start, extent } = along;
    let mut part = region.clone();
    let along = &mut part.0[dim];
    let first = along.start.clamp(start, start + extent) - start;
    *along = first..(along.end.clamp(start, start + extent) - start).max(first);
    part
}

/// The inputs of a map that outputs in a box depend on; all of them where that is unknown.
pub(super) fn field<B: Backend>(
    map: &Arc<dyn LinearMap<B>>,
    from: &Shape,
    to: &Shape,
    region: &Region,
) -> Region {
    match map.structure().locality() {
        Some(map) => map.field(from, to, region),
        None => Region::full(from),
    }
}

/// Boxes on their way back.
struct Fields {
    boxes: Vec<Option<Region>>,
}

impl<B: Backend> Backwards<B> for Fields {
    type Value = Region;

    fn arrived(&mut self, here: &Here<'_, B>, region: &Region) {
        self.boxes[here.index.0] = Some(region.clone());
    }

    fn map(
        &mut self,
        here: &Here<'_, B>,
        map: &Arc<dyn LinearMap<B>>,
        from: &Shape,
        region: Region,
    ) -> Result<Region> {
        let field = field(map, from, &here.node.shape, &region);
        // What depends on nothing (a border of zeros) still has a place in the graph.
        Ok(match field.is_empty() {
            true => Region(vec![0..1; from.num_dims()]),
            false => field,
        })
    }

    fn source(&mut self, _: &Here<'_, B>, _: &Constant<B>, region: Region) -> Result<Region> {
        Ok(region)
    }

    fn term(
        &mut self,
        _here: &Here<'_, B>,
        _of: NodeIndex,
        _c: f64,
        _size: f64,
        region: Region,
    ) -> Region {
        region
    }

    fn part(&mut self, _here: &Here<'_, B>, along: Along, region: Region) -> Option<Region> {
        Some(part_of(&region, along)).filter(|part| !part.is_empty())
    }

    fn add(&mut self, sum: Region, region: Region) -> Region {
        sum.hull(&region)
    }
}

/// Boxes on their way forth.
struct Reaches {
    /// Where they begin.
    from: Vec<Option<Region>>,
}

impl Reaches {
    fn with_own<B: Backend>(
        &mut self,
        here: &Here<'_, B>,
        found: Option<Region>,
    ) -> Option<Region> {
        let found = found.filter(|region| !region.is_empty());
        hull(self.from[here.index.0].take(), found)
    }
}

impl<B: Backend> Forwards<B> for Reaches {
    type Value = Option<Region>;

    fn input(&mut self, here: &Here<'_, B>, _number: usize) -> Result<Option<Region>> {
        Ok(self.with_own(here, None))
    }

    fn map(
        &mut self,
        here: &Here<'_, B>,
        map: &Arc<dyn LinearMap<B>>,
        from: &Shape,
        region: Option<Region>,
    ) -> Option<Region> {
        let reach = region.map(|region| match map.structure().locality() {
            Some(map) => map.reach(from, &here.node.shape, &region),
            None => Region::full(&here.node.shape),
        });
        self.with_own(here, reach)
    }

    fn source(
        &mut self,
        here: &Here<'_, B>,
        _b: &Constant<B>,
        region: Option<Region>,
    ) -> Option<Region> {
        self.with_own(here, region)
    }

    fn sum(&mut self, here: &Here<'_, B>, terms: Vec<(f64, Option<Region>)>) -> Option<Region> {
        let all = terms.into_iter().map(|(_, region)| region);
        let sum = all.fold(None, hull);
        self.with_own(here, sum)
    }

    fn concat(
        &mut self,
        here: &Here<'_, B>,
        parts: Vec<(Along, Option<Region>)>,
    ) -> Option<Region> {
        let moved = parts.into_iter().map(|(along, region)| {
            region.map(|mut region| {
                let range = &mut region.0[along.dim];
                *range = range.start + along.start..range.end + along.start;
                region
            })
        });
        let joined = moved.fold(None, hull);
        self.with_own(here, joined)
    }
}
