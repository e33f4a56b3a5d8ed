//! Where a map's entries lie: what locality is made of.
//!
//! A map A restricted to boxes is P A E: E embeds an input box in zeros, P cuts an output box out.
//! Each map knows which outputs a box of inputs reaches and which inputs a box of outputs needs;
//! both answers are boxes that hold the true set, so that a restricted program is exact.

use std::{fmt::Debug, sync::Arc};

use burn_backend::{Backend, Shape};

use super::{AxisPlace, LinearMap, Region};

/// What a map costs, and where its entries lie.
pub trait Locality<B: Backend>: Debug + Send + Sync {
    /// Floating-point operations for one probe, a multiply-add counted as two; 0 for what only
    /// moves data.
    fn flops(&self, input: &Shape, output: &Shape) -> u64;

    /// The outputs that inputs of a box reach, as a box that holds them.
    fn reach(&self, input: &Shape, output: &Shape, from: &Region) -> Region;

    /// The inputs that outputs of a box depend on, as a box that holds them.
    fn field(&self, input: &Shape, output: &Shape, to: &Region) -> Region;

    /// The map restricted to boxes; `None`: it has no smaller form than itself.
    fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>>;

    /// Which inputs an output reads, as a rule that holds for all outputs alike: one [`AxisPlace`] for each axis of
    /// the output. Axes of the input that none of them names are read whole. `None`, which a map may answer that
    /// says nothing: there is no such rule, as for positions that x₀ chose. A reshape has none either, since its
    /// axes are not the input's.
    fn places(&self, _input: &Shape, _output: &Shape) -> Option<Vec<AxisPlace>> {
        None
    }

    /// Whether outputs whose window leaves the input show other cells, as a reflected border does. Then cells near
    /// it are read from elsewhere, too, and the transpose has no [`places`](Self::places).
    fn mirrors(&self) -> bool {
        false
    }
}

/// [`Locality`] of a map whose outputs may depend on any input, or that has no smaller form.
macro_rules! everywhere {
    () => {
        fn reach(&self, _input: &Shape, output: &Shape, _from: &Region) -> Region {
            Region::full(output)
        }

        fn field(&self, input: &Shape, _output: &Shape, _to: &Region) -> Region {
            Region::full(input)
        }

        fn restrict(&self, _cut: &Cut<'_>) -> Option<Restricted<B>> {
            None
        }
    };
}

/// [`Locality`] of a map whose output i depends on input i alone, `|map, region| ..` being the map on
/// one box.
macro_rules! entrywise {
    ($within:expr) => {
        fn reach(&self, _input: &Shape, _output: &Shape, from: &Region) -> Region {
            from.clone()
        }

        fn field(&self, _input: &Shape, _output: &Shape, to: &Region) -> Region {
            to.clone()
        }

        fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
            let region = cut.from.intersection(cut.to);
            Some(Restricted::entrywise(region, |region| {
                $within(self, region)
            }))
        }

        fn places(&self, _input: &Shape, output: &Shape) -> Option<Vec<$crate::linear::AxisPlace>> {
            Some($crate::linear::AxisPlace::entrywise(output.num_dims()))
        }
    };
}

/// [`Locality`] of a map in another form: that of `self.plain`. A box of it is prepared again.
macro_rules! as_plain {
    () => {
        fn flops(&self, input: &Shape, output: &Shape) -> u64 {
            self.plain.flops(input, output)
        }

        fn reach(&self, input: &Shape, output: &Shape, from: &Region) -> Region {
            self.plain.reach(input, output, from)
        }

        fn field(&self, input: &Shape, output: &Shape, to: &Region) -> Region {
            self.plain.field(input, output, to)
        }

        fn restrict(&self, cut: &Cut<'_>) -> Option<Restricted<B>> {
            let plain = self.plain.restrict(cut)?;
            let prepared = plain.map.structure().prepared();
            Some(Restricted {
                map: prepared.unwrap_or(plain.map),
                ..plain
            })
        }

        fn places(&self, input: &Shape, output: &Shape) -> Option<Vec<$crate::linear::AxisPlace>> {
            self.plain.places(input, output)
        }

        fn mirrors(&self) -> bool {
            self.plain.mirrors()
        }
    };
}

pub(super) use {as_plain, entrywise, everywhere};

/// A question about one map: its shapes, and the boxes it is to be restricted to.
#[derive(Clone, Copy, Debug)]
pub struct Cut<'a> {
    /// Shape of the whole input.
    pub input: &'a Shape,
    /// Shape of the whole output.
    pub output: &'a Shape,
    /// Inputs outside are zero.
    pub from: &'a Region,
    /// Outputs outside do not matter.
    pub to: &'a Region,
}

/// A map between two boxes of its own choice: outputs in [`Cut::to`] but not in `to` are zero, and
/// inputs outside `from` do not reach [`Cut::to`].
#[derive(Debug)]
pub struct Restricted<B: Backend> {
    /// The map from `from` to `to`.
    pub map: Arc<dyn LinearMap<B>>,
    /// The inputs it takes.
    pub from: Region,
    /// The outputs it makes.
    pub to: Region,
}

impl<B: Backend> Restricted<B> {
    /// An entrywise map on one box.
    pub(crate) fn entrywise<M: LinearMap<B> + 'static>(
        region: Region,
        cut: impl FnOnce(&Region) -> M,
    ) -> Self {
        Self {
            map: Arc::new(cut(&region)),
            from: region.clone(),
            to: region,
        }
    }
}
