//! Moves between devices and dtypes: the probe goes along.

use burn_backend::{Backend, FloatDType, TensorMetadata};

use crate::{
    error::Error,
    linear::Cast,
    tensor::{Lineage, ScopeTensor},
};

/// To the device the tensor is on already: nothing happens to the probe. To another one: a
/// program has one device, so this is refused.
pub(crate) fn to_device<B: Backend>(x: ScopeTensor<B>, device: &B::Device) -> ScopeTensor<B> {
    let ScopeTensor { value, lineage } = x;
    let stays = value.device() == *device;
    let shape = value.shape();
    let value = B::float_to_device(value, device);
    let lineage = match lineage {
        Lineage::Probed(probe) if !stays => {
            let error = Error::NoRule {
                place: probe.scope().place("float_to_device"),
                shape: shape.to_vec(),
                because: ": a network spread over several devices has no single program".into(),
            };
            Lineage::Probed(probe.refuse(error))
        }
        other => other,
    };
    ScopeTensor { value, lineage }
}

/// To another float dtype.
pub(crate) fn cast<B: Backend>(x: ScopeTensor<B>, to: FloatDType) -> ScopeTensor<B> {
    let (x, lineage) = x.open();
    let from: FloatDType = x.dtype().into();
    let value = B::float_cast(x, to);
    let lineage = match lineage {
        Lineage::Probed(probe) if from != to => {
            let shape = value.shape();
            Lineage::Probed(probe.map(Cast { from, to }, &shape))
        }
        other => other,
    };
    ScopeTensor { value, lineage }
}
