//! Places: which entries of an input lie under an entry of an output.
//!
//! Each axis of the input is a coordinate. An entry of a node has, for each coordinate, a *value* that is linear in
//! the entry's indices, and reads what lies between value + low and value + high: the field that its ops give it
//! before the picture's border cuts it off. Convolutions stretch and widen that, crops move it, and reshapes cut an
//! axis into factors with a step each, so that the sub-pixels of a pixel shuffle are known for what they are.
//! Coordinates that an op reads whole are gone; a sum with something that still has them brings them back.

use std::sync::Arc;

use burn_backend::{Backend, Shape};

use super::{
    NodeId, NodeIndex, Program,
    traverse::{Along, Constant, Forwards, Here},
};
use crate::{
    error::Result,
    linear::{AxisPlace, LinearMap, Ratio, Structure},
};

/// Where the entries of an output lie along one axis of an input.
///
/// Output entry o uses the input entries between step·o + low and step·o + high, both included, as far as there are
/// any; the middle of the two is its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// The axis of the output that runs along this one.
    pub axis: usize,
    /// Input entries for one of the output; below 0 where the output is mirrored.
    pub step: Ratio,
    /// Where the field of output entry 0 begins.
    pub low: f64,
    /// Where it ends.
    pub high: f64,
    /// The output entries whose field meets no border: neither the input's nor, on the way, that of any node. First
    /// and one past the last; what reads everything (an average over all places) is left out of account.
    pub inside: [usize; 2],
    /// The least number of input entries by which everything can be moved without a stride on the way falling
    /// between entries: a multiple of what every op strides by.
    pub period: usize,
}

impl Placed {
    /// The middle of the field of output entry 0.
    pub fn offset(&self) -> f64 {
        0.5 * (self.low + self.high)
    }
}

/// Part of an axis: entries that are `steps` apart, a step for each coordinate.
#[derive(Clone, Debug, PartialEq)]
struct Factor {
    size: usize,
    steps: Vec<Ratio>,
}

impl Factor {
    fn blank(size: usize, coordinates: usize) -> Self {
        Self {
            size,
            steps: vec![Ratio::ZERO; coordinates],
        }
    }

    fn is_blank(&self) -> bool {
        self.steps.iter().all(|step| step.is_zero())
    }

    /// Least and largest value of its entries along a coordinate.
    fn span(&self, k: usize) -> [f64; 2] {
        let end = self.steps[k].value() * self.size.saturating_sub(1) as f64;
        [end.min(0.0), end.max(0.0)]
    }
}

/// The field of an entry, seen from its value, and which values are clear of borders.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Reach {
    low: f64,
    high: f64,
    first: f64,
    last: f64,
    period: i64,
}

impl Reach {
    /// What reads all of [least, most] from its value.
    fn widen(&mut self, [least, most]: [f64; 2]) {
        self.low += least;
        self.high += most;
        self.first -= least;
        self.last -= most;
    }

    /// Values are counted from somewhere else: `by` more.
    fn renumber(&mut self, by: f64) {
        self.low -= by;
        self.high -= by;
        self.first += by;
        self.last += by;
    }

    fn repeats(&mut self, step: Ratio) {
        let over = step.over().unsigned_abs() as i128;
        let mut common = (over, i128::from(self.period));
        while common.1 != 0 {
            common = (common.1, common.0 % common.1);
        }
        let least = over / common.0.max(1) * i128::from(self.period);
        self.period = i64::try_from(least).unwrap_or(i64::MAX);
    }
}

/// What is known of one coordinate.
#[derive(Clone, Debug)]
enum State {
    Placed(Reach),
    /// Nothing of it is left, and why: an op reads all of it, or nothing arrives here.
    Gone(Arc<str>),
    /// It does not follow a rule, and why.
    Lost(Arc<str>),
}

/// How the entries of a node lie.
#[derive(Clone, Debug)]
struct Layout {
    /// The factors of each axis, the outermost first.
    axes: Vec<Vec<Factor>>,
    states: Vec<State>,
}

impl Layout {
    /// Nothing of the input.
    fn nothing(shape: &Shape, coordinates: usize, why: &str) -> Self {
        let blank = shape
            .iter()
            .map(|&size| vec![Factor::blank(size, coordinates)]);
        Self {
            axes: blank.collect(),
            states: vec![State::Gone(why.into()); coordinates],
        }
    }

    /// The input itself.
    fn itself(shape: &Shape) -> Self {
        let coordinates = shape.num_dims();
        let mut layout = Self::nothing(shape, coordinates, "");
        for (k, axis) in layout.axes.iter_mut().enumerate() {
            axis[0].steps[k] = Ratio::ONE;
        }
        let reach = Reach {
            low: 0.0,
            high: 0.0,
            first: f64::NEG_INFINITY,
            last: f64::INFINITY,
            period: 1,
        };
        layout.states.fill(State::Placed(reach));
        layout
    }

    fn coordinates(&self) -> usize {
        self.states.len()
    }

    fn reach(&mut self, k: usize) -> Option<&mut Reach> {
        match &mut self.states[k] {
            State::Placed(reach) => Some(reach),
            State::Gone(_) | State::Lost(_) => None,
        }
    }

    /// Nobody knows where coordinate k lies from here on.
    fn lose(&mut self, k: usize, why: &str) {
        if matches!(self.states[k], State::Placed(_)) {
            self.states[k] = State::Lost(why.into());
        }
        let factors = self.axes.iter_mut().flatten();
        factors.for_each(|factor| factor.steps[k] = Ratio::ZERO);
    }

    fn lose_all(mut self, shape: &Shape, why: &str) -> Self {
        (0..self.coordinates()).for_each(|k| self.lose(k, why));
        let blank = Self::nothing(shape, self.coordinates(), "");
        Self {
            axes: blank.axes,
            states: self.states,
        }
    }

    /// An axis as one factor: steps of equal size, and each entry's own deviation from them as part of its field. So
    /// the sub-pixels of a pixel, which all use the same, lie side by side around its middle.
    fn joined(&mut self, axis: usize, why: &str) -> Factor {
        let factors = std::mem::take(&mut self.axes[axis]);
        let coordinates = self.coordinates();
        let factor = match factors.as_slice() {
            [] => Factor::blank(1, coordinates),
            [only] => only.clone(),
            [outer, inner @ ..] => {
                let within: usize = inner.iter().map(|factor| factor.size).product();
                let mut all = Factor::blank(outer.size * within, coordinates);
                for k in 0..coordinates {
                    let each = Ratio::of(1, within).and_then(|part| outer.steps[k].times(part));
                    let moves = inner.iter().any(|factor| !factor.steps[k].is_zero());
                    let Some(each) = each.filter(|each| !(each.is_zero() && moves)) else {
                        self.lose(k, why);
                        continue;
                    };
                    let (mut ends, mut size) = ([0.0; 2], 1);
                    for factor in inner.iter().rev() {
                        let regular = each.value() * size as f64;
                        let apart = (factor.steps[k].value() - regular) * (factor.size - 1) as f64;
                        ends = [ends[0] + apart.min(0.0), ends[1] + apart.max(0.0)];
                        size *= factor.size;
                    }
                    if let Some(reach) = self.reach(k) {
                        reach.widen(ends);
                        all.steps[k] = each;
                    }
                }
                all
            }
        };
        self.axes[axis] = vec![factor.clone()];
        factor
    }

    /// Sub-pixels kept along an axis, as channels: of coordinates that another axis runs along, all are read together.
    fn gather(&mut self, axis: usize) {
        for k in 0..self.coordinates() {
            let others = self.axes.iter().enumerate().filter(|(at, _)| *at != axis);
            let mut others = others.flat_map(|(_, factors)| factors);
            if !others.any(|other| !other.steps[k].is_zero()) {
                continue;
            }
            let mut factors = std::mem::take(&mut self.axes[axis]);
            for factor in &mut factors {
                let span = factor.span(k);
                if let Some(reach) = self.reach(k) {
                    reach.widen(span);
                }
                factor.steps[k] = Ratio::ZERO;
            }
            self.axes[axis] = factors;
        }
    }

    /// Every entry along some factors is read.
    fn whole(&mut self, factors: &[Factor]) {
        for k in 0..self.coordinates() {
            if let Some(reach) = self.reach(k) {
                factors
                    .iter()
                    .for_each(|factor| reach.widen(factor.span(k)));
            }
        }
    }

    /// Coordinates that no axis runs along any more.
    fn settle(&mut self, why: &str) {
        for k in 0..self.coordinates() {
            let left = self.axes.iter().flatten().any(|f| !f.steps[k].is_zero());
            if !left && matches!(self.states[k], State::Placed(_)) {
                self.states[k] = State::Gone(why.into());
            }
        }
    }

    /// The value of the outermost part of each axis has to move by whole steps.
    fn note_periods(&mut self) {
        for k in 0..self.coordinates() {
            let outermost = |factors: &Vec<Factor>| {
                let steps = factors.iter().map(|factor| factor.steps[k]);
                steps.into_iter().find(|step| !step.is_zero())
            };
            let steps: Vec<Ratio> = self.axes.iter().filter_map(outermost).collect();
            if let Some(reach) = self.reach(k) {
                steps.into_iter().for_each(|step| reach.repeats(step));
            }
        }
    }

    /// What windows of these entries use.
    fn through(mut self, places: &[AxisPlace], from: &Shape, to: &Shape, why: &str) -> Self {
        let named: Vec<usize> = places
            .iter()
            .filter_map(|place| match place {
                AxisPlace::Window { axis, .. } => Some(*axis),
                AxisPlace::Any => None,
            })
            .collect();
        let mut mixes = false;
        for axis in (0..self.axes.len()).filter(|axis| !named.contains(axis)) {
            let factors = std::mem::take(&mut self.axes[axis]);
            mixes |= factors.iter().any(|factor| factor.size > 1);
            self.whole(&factors);
        }
        let mut axes = Vec::with_capacity(places.len());
        for (place, &size) in places.iter().zip(to.iter()) {
            axes.push(match *place {
                AxisPlace::Any => vec![Factor::blank(size, self.coordinates())],
                AxisPlace::Window { axis, .. }
                    if *place == AxisPlace::same(axis) && from[axis] == size =>
                {
                    self.axes[axis].clone()
                }
                AxisPlace::Window {
                    axis,
                    step,
                    first,
                    last,
                } => {
                    mixes = true;
                    vec![self.windows(axis, step, [first, last], size, why)]
                }
            });
        }
        self.axes = axes;
        self.settle(why);
        if mixes {
            self.note_periods();
        }
        self
    }

    /// `size` windows along an axis.
    fn windows(
        &mut self,
        axis: usize,
        step: Ratio,
        [first, last]: [f64; 2],
        size: usize,
        why: &str,
    ) -> Factor {
        let factor = self.joined(axis, why);
        let ends = [0.0, step.value() * size.saturating_sub(1) as f64];
        let least = ends[0].min(ends[1]) + first;
        let most = ends[0].max(ends[1]) + last;
        let leaves = least < -1e-9 || most > factor.size as f64 - 1.0 + 1e-9;
        let mut made = Factor::blank(size, self.coordinates());
        for k in 0..self.coordinates() {
            let own = factor.steps[k];
            if own.is_zero() || !matches!(self.states[k], State::Placed(_)) {
                continue;
            }
            let Some(next) = own.times(step) else {
                self.lose(k, why);
                continue;
            };
            // What other axes add to an entry's value.
            let others = self.axes.iter().enumerate().filter(|(at, _)| *at != axis);
            let spans = others.flat_map(|(_, factors)| factors).map(|f| f.span(k));
            let others = spans.fold([0.0; 2], |sum, span| [sum[0] + span[0], sum[1] + span[1]]);
            let span = factor.span(k);
            if let Some(reach) = self.reach(k) {
                if leaves {
                    reach.first = reach.first.max(span[0] + others[1]);
                    reach.last = reach.last.min(span[1] + others[0]);
                }
                let [a, b] = [first, last].map(|end| end * own.value());
                reach.widen([a.min(b), a.max(b)]);
                made.steps[k] = next;
            }
        }
        made
    }

    /// The same entries in the same order, in another shape.
    fn regrouped(mut self, to: &Shape, why: &str) -> Self {
        let mut flat: Vec<Factor> = Vec::new();
        for factor in self.axes.drain(..).flatten().filter(|f| f.size != 1) {
            flat.push(factor);
            while let [.., outer, inner] = flat.as_slice()
                && let Some(one) = merged(outer, inner)
            {
                flat.truncate(flat.len() - 2);
                flat.push(one);
            }
        }
        let mut axes = Vec::with_capacity(to.num_dims());
        for &size in to.iter().rev() {
            let (mut left, mut axis) = (size, Vec::new());
            while left > 1 {
                let Some(inner) = flat.pop() else {
                    return self.lose_all(to, why);
                };
                if left % inner.size == 0 {
                    left /= inner.size;
                    axis.push(inner);
                } else if inner.size % left == 0 {
                    let scale = Ratio::of(left, 1);
                    let outer = |step: &Ratio| scale.and_then(|scale| step.times(scale));
                    let Some(steps) = inner.steps.iter().map(outer).collect() else {
                        return self.lose_all(to, why);
                    };
                    flat.push(Factor {
                        size: inner.size / left,
                        steps,
                    });
                    axis.push(Factor {
                        size: left,
                        ..inner
                    });
                    left = 1;
                } else {
                    return self.lose_all(to, why);
                }
            }
            if axis.is_empty() {
                axis.push(Factor::blank(size, self.coordinates()));
            }
            axis.reverse();
            axes.push(axis);
        }
        axes.reverse();
        self.axes = axes;
        self.settle(why);
        self
    }

    /// Entries of the same place in two layouts, added.
    fn with(mut self, mut other: Self, why: &str) -> Self {
        for axis in 0..self.axes.len() {
            let sizes = |layout: &Self| -> Vec<usize> {
                layout.axes[axis].iter().map(|factor| factor.size).collect()
            };
            if sizes(&self) != sizes(&other) {
                let blank = |layout: &Self| layout.axes[axis].iter().all(Factor::is_blank);
                let as_in = |layout: &Self| -> Vec<Factor> {
                    let sizes = sizes(layout).into_iter();
                    sizes
                        .map(|size| Factor::blank(size, layout.coordinates()))
                        .collect()
                };
                if blank(&other) {
                    other.axes[axis] = as_in(&self);
                } else if blank(&self) {
                    self.axes[axis] = as_in(&other);
                } else {
                    self.joined(axis, why);
                    other.joined(axis, why);
                }
            }
        }
        for k in 0..self.coordinates() {
            let steps = |layout: &Self| -> Vec<Ratio> {
                let factors = layout.axes.iter().flatten();
                factors.map(|factor| factor.steps[k]).collect()
            };
            let agree = steps(&self) == steps(&other);
            let state = match (&self.states[k], &other.states[k]) {
                (State::Lost(why), _) | (_, State::Lost(why)) => State::Lost(why.clone()),
                (own, State::Gone(_)) => own.clone(),
                (State::Gone(_), theirs) => {
                    let pairs = self.axes.iter_mut().flatten();
                    let theirs_by_factor = other.axes.iter().flatten();
                    for (factor, their) in pairs.zip(theirs_by_factor) {
                        factor.steps[k] = their.steps[k];
                    }
                    theirs.clone()
                }
                (State::Placed(_), State::Placed(_)) if !agree => State::Lost(why.into()),
                (State::Placed(a), State::Placed(b)) => {
                    let mut period = *a;
                    if let Some(step) = Ratio::new(b.period.into(), 1) {
                        period.repeats(step);
                    }
                    State::Placed(Reach {
                        low: a.low.min(b.low),
                        high: a.high.max(b.high),
                        first: a.first.max(b.first),
                        last: a.last.min(b.last),
                        period: period.period,
                    })
                }
            };
            if let State::Lost(why) = &state {
                let why = why.clone();
                self.lose(k, &why);
            }
            self.states[k] = state;
        }
        self
    }

    /// Side by side along an axis.
    fn beside(parts: Vec<(Along, Self)>, to: &Shape, why: &str) -> Option<Self> {
        let dim = parts.first()?.0.dim;
        let coordinates = parts.first()?.1.coordinates();
        let mut placed: Vec<Vec<[f64; 2]>> = vec![Vec::new(); coordinates];
        let mut spans: Vec<Vec<[f64; 2]>> = vec![Vec::new(); coordinates];
        let whole = parts.len();
        let moved = parts.into_iter().map(|(along, mut part)| {
            part.gather(dim);
            let mut factor = part.joined(dim, why);
            for k in 0..coordinates {
                let step = factor.steps[k].value();
                let begin = step * along.start as f64;
                if let Some(reach) = part.reach(k)
                    && step != 0.0
                {
                    reach.renumber(begin);
                    placed[k].push([reach.low, reach.high]);
                    let end = begin + step * (along.extent.max(1) - 1) as f64;
                    spans[k].push([begin.min(end), begin.max(end)]);
                }
            }
            factor.size = to[dim];
            part.axes[dim] = vec![factor];
            part
        });
        let moved: Vec<Self> = moved.collect();
        let mut all = moved.into_iter().reduce(|all, part| all.with(part, why))?;
        for k in 0..coordinates {
            let Some(ends) = placed[k].first().copied() else {
                continue;
            };
            let same = |other: &[f64; 2]| (0..2).all(|i| (ends[i] - other[i]).abs() < 1e-9);
            if !placed[k].iter().all(same) {
                all.lose(k, why);
            } else if placed[k].len() < whole
                && let Some(reach) = all.reach(k)
            {
                // The other parts are a border.
                let least = spans[k]
                    .iter()
                    .fold(f64::INFINITY, |m, span| m.min(span[0]));
                let most = spans[k]
                    .iter()
                    .fold(f64::NEG_INFINITY, |m, span| m.max(span[1]));
                reach.first = reach.first.max(least);
                reach.last = reach.last.min(most);
            }
        }
        Some(all)
    }

    /// What is known of each coordinate at the end.
    fn finish(mut self, why: &str) -> Vec<std::result::Result<Placed, String>> {
        for axis in 0..self.axes.len() {
            self.gather(axis);
            self.joined(axis, why);
        }
        self.note_periods();
        let mut found = Vec::with_capacity(self.coordinates());
        for k in 0..self.coordinates() {
            let span = |axis: usize| {
                let [low, high] = self.axes[axis][0].span(k);
                high - low
            };
            let runs = (0..self.axes.len()).filter(|&axis| !self.axes[axis][0].steps[k].is_zero());
            // Of several the longest; the others (sub-pixels kept as channels) are read together.
            let axis = runs.max_by(|&a, &b| span(a).total_cmp(&span(b)));
            found.push(match (&self.states[k], axis) {
                (State::Gone(why) | State::Lost(why), _) => Err(why.to_string()),
                (State::Placed(_), None) => Err(why.to_string()),
                (State::Placed(reach), Some(axis)) => {
                    let mut reach = *reach;
                    for other in (0..self.axes.len()).filter(|&other| other != axis) {
                        reach.widen(self.axes[other][0].span(k));
                    }
                    let factor = &self.axes[axis][0];
                    let step = factor.steps[k];
                    let inside = |o: &usize| {
                        let at = step.value() * *o as f64;
                        reach.first - 1e-6 <= at && at <= reach.last + 1e-6
                    };
                    let mut clear = (0..factor.size).filter(inside);
                    let inside = match clear.next() {
                        Some(first) => [first, clear.next_back().unwrap_or(first) + 1],
                        None => [0, 0],
                    };
                    Ok(Placed {
                        axis,
                        step,
                        low: reach.low,
                        high: reach.high,
                        inside,
                        period: usize::try_from(reach.period).unwrap_or(usize::MAX),
                    })
                }
            });
        }
        found
    }
}

/// Two factors as one, if the entries of both are equally far apart.
fn merged(outer: &Factor, inner: &Factor) -> Option<Factor> {
    let size = Ratio::of(inner.size, 1)?;
    let pairs = outer.steps.iter().zip(&inner.steps);
    let mut follow = pairs.map(|(outer, inner)| inner.times(size) == Some(*outer));
    follow.all(|follows| follows).then(|| Factor {
        size: outer.size * inner.size,
        steps: inner.steps.clone(),
    })
}

struct Laying<'a> {
    input: NodeIndex,
    shape: &'a Shape,
}

impl<B: Backend> Forwards<B> for Laying<'_> {
    type Value = Layout;

    fn input(&mut self, here: &Here<'_, B>, _number: usize) -> Result<Layout> {
        Ok(match here.index == self.input {
            true => Layout::itself(self.shape),
            false => {
                let why = "no part of the input reaches it";
                Layout::nothing(&here.node.shape, self.shape.num_dims(), why)
            }
        })
    }

    fn map(
        &mut self,
        here: &Here<'_, B>,
        map: &Arc<dyn LinearMap<B>>,
        from: &Shape,
        x: Layout,
    ) -> Layout {
        let to = &here.node.shape;
        let at = || format!("\"{}\" ({})", here.node.name, map.name());
        match map.structure() {
            Structure::Zero(_) => {
                let why = format!("{} blocks all of the input", at());
                Layout::nothing(to, x.coordinates(), &why)
            }
            Structure::Reshape(_) => x.regrouped(to, &format!("{} cuts places up unevenly", at())),
            other => match other.locality().and_then(|map| map.places(from, to)) {
                Some(places) => x.through(
                    &places,
                    from,
                    to,
                    &format!("{} reads every place at once", at()),
                ),
                None => x.lose_all(
                    to,
                    &format!("{} reads places that follow no fixed rule", at()),
                ),
            },
        }
    }

    fn source(&mut self, _: &Here<'_, B>, _: &Constant<B>, x: Layout) -> Layout {
        x
    }

    fn sum(&mut self, here: &Here<'_, B>, terms: Vec<(f64, Layout)>) -> Layout {
        let why = format!("\"{}\" adds places that do not align", here.node.name);
        let layouts = terms.into_iter().map(|(_, layout)| layout);
        let all = layouts.reduce(|sum, term| sum.with(term, &why));
        all.expect("a sum has terms")
    }

    fn concat(&mut self, here: &Here<'_, B>, parts: Vec<(Along, Layout)>) -> Layout {
        let why = format!(
            "\"{}\" joins places that do not continue each other",
            here.node.name
        );
        Layout::beside(parts, &here.node.shape, &why).expect("a concatenation has parts")
    }
}

impl<B: Backend> Program<B> {
    /// Where the entries of `output` lie in `input`: for each axis of the input which entries along it an output
    /// entry uses, or why nothing can be said of that (a dense layer reads every place at once; a sum adds two
    /// strides). It comes from the ops alone, whatever the sizes are.
    ///
    /// Cost: a few steps a node; nothing is computed.
    ///
    /// # Errors
    /// [`Error::ForeignNode`](crate::Error::ForeignNode).
    pub fn places(
        &self,
        input: NodeId,
        output: NodeId,
    ) -> Result<Vec<std::result::Result<Placed, String>>> {
        let (input, output) = (self.index(input)?, self.index(output)?);
        let mut laying = Laying {
            input,
            shape: &self.at(input).shape,
        };
        let all: Vec<_> = (0..self.nodes.len()).map(NodeIndex).collect();
        let mut laid = self.forwards([], &all, &mut laying)?;
        Ok(laid
            .swap_remove(output.0)
            .finish("the output's places are unevenly spaced"))
    }
}
