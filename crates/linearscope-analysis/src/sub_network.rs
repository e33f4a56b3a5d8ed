//! The part of a frozen network between two of its nodes, as a linear operator.

use burn::tensor::{Device, FloatDType, Tensor};
use burn_dispatch::Dispatch;
use linearscope::{
    Recorded,
    program::{Clip, NodeId},
};

use crate::{
    error::{Error, Result},
    frozen::FrozenNetwork,
    operator::{Field, LinearOperator, by_products},
    progress::Observer,
    vectors::{batched, check, flat, shaped},
};

/// The part from the output of one node to the output of another. Made by
/// [`FrozenNetwork::between`].
#[derive(Debug)]
pub struct SubNetwork<'a> {
    whole: &'a FrozenNetwork,
    from: Option<NodeId>,
    to: Option<NodeId>,
    input_shape: Vec<usize>,
    output_shape: Vec<usize>,
}

impl FrozenNetwork {
    /// The sub-network from the output of node `from` (`None`: the input) to that of node `to`
    /// (`None`: the output), by names of nodes or aliases.
    ///
    /// # Errors
    /// [`linearscope::Error::NoSuchNode`]; [`linearscope::Error::Memory`] for a named node if nothing was recorded.
    pub fn between(&self, from: Option<&str>, to: Option<&str>) -> Result<SubNetwork<'_>> {
        // The node and its shape; without a name the end there is.
        let end = |name: Option<&str>, shape: &[usize]| {
            let Some(name) = name else {
                return Ok::<_, Error>((None, shape.to_vec()));
            };
            let recorded = self.recorded_for("a sub-network")?;
            let id = recorded.node(name)?;
            Ok((Some(id), recorded.program().shape(id)?.to_vec()))
        };
        let (from, input_shape) = end(from, self.input_shape())?;
        let (to, output_shape) = end(to, self.output_shape())?;
        Ok(SubNetwork {
            whole: self,
            from,
            to,
            input_shape,
            output_shape,
        })
    }
}

impl SubNetwork<'_> {
    /// The frozen network with `from` set to the probes, `[k, n] → [k, N]`: paths that do not
    /// pass `from` carry x₀.
    ///
    /// # Errors
    /// [`Error::Length`]; [`linearscope::Error::NoPath`].
    pub fn affine(&self, x: Tensor<2>) -> Result<Tensor<2>> {
        check("the probe", &x, self.input_len())?;
        let x = batched(x, &self.input_shape);
        let x0 = shaped(self.whole.x0(), self.whole.input_shape());
        let y = self
            .recorded()?
            .affine_between(x, self.from, self.to, &[x0])?;
        Ok(flat(y))
    }

    /// Carry k outputs back with units that clip, `[k, N] → [k, n]`: deconvolution, guided backpropagation. This is not
    /// part of F, and not linear; it is for comparison with [`apply_adjoint`](LinearOperator::apply_adjoint).
    ///
    /// # Errors
    /// As [`apply_adjoint`](LinearOperator::apply_adjoint).
    pub fn clipped(&self, y: Tensor<2>, clip: Clip) -> Result<Tensor<2>> {
        check("the cotangent", &y, self.output_len())?;
        let y = batched(y, &self.output_shape);
        let recorded = self.recorded()?;
        Ok(flat(recorded.clipped_between(y, self.from, self.to, clip)?))
    }

    fn recorded(&self) -> Result<&Recorded<Dispatch>> {
        self.whole.recorded_for("a sub-network")
    }

    /// Whether it is all of the network, which has a faster form.
    fn is_whole(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }
}

impl LinearOperator for SubNetwork<'_> {
    fn input_shape(&self) -> &[usize] {
        &self.input_shape
    }

    fn output_shape(&self) -> &[usize] {
        &self.output_shape
    }

    fn device(&self) -> &Device {
        self.whole.device()
    }

    fn dtype(&self) -> FloatDType {
        self.whole.dtype()
    }

    fn apply(&self, x: Tensor<2>) -> Result<Tensor<2>> {
        if self.is_whole() {
            return self.whole.apply(x);
        }
        check("the probe", &x, self.input_len())?;
        let x = batched(x, &self.input_shape);
        let y = self.recorded()?.apply_between(x, self.from, self.to)?;
        Ok(flat(y))
    }

    fn apply_adjoint(&self, y: Tensor<2>) -> Result<Tensor<2>> {
        if self.is_whole() {
            return self.whole.apply_adjoint(y);
        }
        check("the cotangent", &y, self.output_len())?;
        let y = batched(y, &self.output_shape);
        let x = self.recorded()?.adjoint_between(y, self.from, self.to)?;
        Ok(flat(x))
    }

    fn memory(&self) -> Option<usize> {
        self.whole.memory()
    }

    fn check_interrupt(&self) -> Result<()> {
        self.whole.check_interrupt()
    }

    fn fields(
        &self,
        field: Field,
        places: &[Vec<usize>],
        observer: &mut Observer<'_>,
    ) -> Result<Tensor<2>> {
        match self.is_whole() {
            true => self.whole.fields(field, places, observer),
            false => by_products(self, field, places, observer),
        }
    }
}
