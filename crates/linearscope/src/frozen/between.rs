//! Parts of a recorded network: replays between any two of its nodes.

use burn_backend::{Backend, TensorMetadata, tensor::FloatTensor};

use super::{
    batches::{check_count, in_batches, zeros},
    recorded::Recorded,
};
use crate::{
    error::{Error, Result},
    linear::batch,
    program::{Clip, NodeId},
};

impl<B: Backend> Recorded<B> {
    /// How many probes may run side by side through the sub-network between two places, see
    /// [`apply_between`](Self::apply_between).
    ///
    /// # Errors
    /// [`Error::ForeignNode`].
    pub fn probes_at_once_between(
        &self,
        from: Option<NodeId>,
        to: Option<NodeId>,
    ) -> Result<usize> {
        let (from, to) = self.ends(from, to)?;
        let mut starts = self.program().inputs_beside(from, to)?;
        starts.push(from);
        Ok(self.at_once(self.program().probe_bytes_between(&starts, &[to])?))
    }

    /// The place of a network node by its name or alias, or an error that lists the names there are.
    ///
    /// # Errors
    /// [`Error::NoSuchNode`].
    pub fn node(&self, name: &str) -> Result<NodeId> {
        let program = self.program();
        let network = self.loaded().network();
        let called = || program.place(network.node_called(name)?);
        program
            .place(name)
            .or_else(called)
            .ok_or_else(|| Error::NoSuchNode {
                name: name.into(),
                nodes: program.place_names().map(String::from).collect(),
            })
    }

    /// The sub-network between two places, homogeneous: k probes of `from` (`None`: the only
    /// input) to what they become at `to` (`None`: the only output). Paths that do not pass
    /// `from` carry zeros. Places are those that [`node`](Self::node) gives, or nodes of
    /// [`program`](Recorded::program).
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::NoProbes`]; [`Error::NoPath`] when `to` does not depend on `from`;
    /// [`Error::ForeignNode`].
    pub fn apply_between(
        &self,
        x: FloatTensor<B>,
        from: Option<NodeId>,
        to: Option<NodeId>,
    ) -> Result<FloatTensor<B>> {
        self.between(x, from, to, false, |k, id| {
            Ok(zeros(self.loaded(), k, self.program().shape(id)?))
        })
    }

    /// The same with sources: the frozen network with `from` set to the probes. Paths that do not
    /// pass `from` carry x₀, so that the probe f_from(x₀) gives f_to(x₀).
    ///
    /// # Errors
    /// As [`apply_between`](Self::apply_between).
    pub fn affine_between(
        &self,
        x: FloatTensor<B>,
        from: Option<NodeId>,
        to: Option<NodeId>,
        x0: &[FloatTensor<B>],
    ) -> Result<FloatTensor<B>> {
        let ports = self.loaded().network().inputs();
        check_count("x₀", ports.len(), x0.len())?;
        for (port, x0) in ports.iter().zip(x0) {
            if x0.shape() != port.shape {
                return Err(Error::Shape {
                    what: format!("x₀ of input \"{}\"", port.name),
                    got: x0.shape().to_vec(),
                    expected: port.shape.to_vec(),
                    hint: "; it has no probe axis".into(),
                });
            }
        }
        let inputs = self.program().inputs();
        self.between(x, from, to, true, |k, id| {
            let number = inputs.iter().position(|input| *input == id);
            let x0 = &x0[number.expect("one of the inputs")];
            Ok(B::float_repeat_dim(batch::of_one::<B>(x0.clone()), 0, k))
        })
    }

    /// Replay from `from` to `to`, with k copies of what is `beside` at the other inputs there are.
    fn between(
        &self,
        x: FloatTensor<B>,
        from: Option<NodeId>,
        to: Option<NodeId>,
        sources: bool,
        beside: impl Fn(usize, NodeId) -> Result<FloatTensor<B>>,
    ) -> Result<FloatTensor<B>> {
        let most = self.probes_at_once_between(from, to)?;
        let (from, to) = self.ends(from, to)?;
        self.check_at("the probe", &x, from)?;
        if !self.program().depends(to, from)? {
            return Err(self.no_path(from, to));
        }
        let others = self.program().inputs_beside(from, to)?;
        let made = in_batches::<B>(most, &[x], |x| {
            let k = x[0].shape()[0];
            let mut starts = Vec::with_capacity(1 + others.len());
            for id in &others {
                starts.push((*id, beside(k, *id)?));
            }
            starts.push((from, x[0].clone()));
            self.prepared().forward(&starts, &[to], sources)
        })?;
        Ok(only(made))
    }

    /// [`Program::clipped`](crate::program::Program::clipped) of k cotangents of `to` down to `from`.
    ///
    /// # Errors
    /// As [`apply_between`](Self::apply_between); [`Error::GeneralMap`] as [`Program::clipped`](crate::program::Program::clipped).
    pub fn clipped_between(
        &self,
        y: FloatTensor<B>,
        from: Option<NodeId>,
        to: Option<NodeId>,
        clip: Clip,
    ) -> Result<FloatTensor<B>> {
        self.carried_back(y, from, to, |seed, target| {
            self.prepared().clipped(&[seed], &[target], clip)
        })
    }

    /// The adjoint of [`apply_between`](Self::apply_between): k cotangents of `to` carried back
    /// to `from`.
    ///
    /// # Errors
    /// As [`apply_between`](Self::apply_between).
    pub fn adjoint_between(
        &self,
        y: FloatTensor<B>,
        from: Option<NodeId>,
        to: Option<NodeId>,
    ) -> Result<FloatTensor<B>> {
        self.carried_back(y, from, to, |seed, target| {
            self.prepared().backward(&[seed], &[target])
        })
    }

    fn carried_back(
        &self,
        y: FloatTensor<B>,
        from: Option<NodeId>,
        to: Option<NodeId>,
        sweep: impl Fn((NodeId, FloatTensor<B>), NodeId) -> Result<Vec<Option<FloatTensor<B>>>>,
    ) -> Result<FloatTensor<B>> {
        let most = self.probes_at_once_between(from, to)?;
        let (from, to) = self.ends(from, to)?;
        self.check_at("the cotangent", &y, to)?;
        let found = in_batches::<B>(most, &[y], |y| {
            let found = sweep((to, y[0].clone()), from)?;
            let found: Option<Vec<_>> = found.into_iter().collect();
            found.ok_or_else(|| self.no_path(from, to))
        })?;
        Ok(only(found))
    }

    fn ends(&self, from: Option<NodeId>, to: Option<NodeId>) -> Result<(NodeId, NodeId)> {
        let program = self.program();
        let from = self.end(from, program.inputs())?;
        Ok((from, self.end(to, program.outputs())?))
    }

    fn no_path(&self, from: NodeId, to: NodeId) -> Error {
        let name = |id: NodeId| {
            let node = self.program().node(id);
            node.map(|node| node.name.to_string()).unwrap_or_default()
        };
        Error::NoPath {
            from: name(from),
            to: name(to),
        }
    }

    pub(super) fn end(&self, given: Option<NodeId>, only: &[NodeId]) -> Result<NodeId> {
        match (given, only) {
            (Some(id), _) => self.program().node(id).map(|_| id),
            (None, [id]) => Ok(*id),
            (None, several) => Err(Error::Shape {
                what: "the list of ends of a sub-network".into(),
                got: vec![several.len()],
                expected: vec![1],
                hint: "; name the node".into(),
            }),
        }
    }

    pub(super) fn check_at(&self, what: &str, x: &FloatTensor<B>, at: NodeId) -> Result<()> {
        let node = self.program().node(at)?;
        let what = || format!("{what} at \"{}\"", node.name);
        batch::count(what, &x.shape(), &node.shape, None).map(|_| ())
    }
}

/// The one result of a replay with one end.
fn only<T>(found: Vec<T>) -> T {
    found.into_iter().next().expect("one for each end")
}
