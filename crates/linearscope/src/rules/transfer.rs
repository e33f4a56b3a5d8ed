//! Moves between devices and dtypes: the tracer goes along.

use burn_backend::{Backend, FloatDType, TensorMetadata};

use crate::{
    linear::Cast,
    run::{Lineage, ScopeTensor, open::unary_after},
};

/// To the device the tensor is on already: nothing happens to the tracer, whatever the run is doing.
/// To another one: a program has one device, so this is refused.
pub(crate) fn to_device<B: Backend>(x: ScopeTensor<B>, device: &B::Device) -> ScopeTensor<B> {
    let ScopeTensor { value, lineage } = x;
    let stays = value.device() == *device;
    let shape = value.shape();
    let value = B::float_to_device(value, device);
    let lineage = match lineage {
        Lineage::Traced(tracer) if !stays => {
            let because = ": a network spread over several devices has no single program";
            Lineage::Traced(tracer.without_rule("float_to_device", &shape, because))
        }
        other => other,
    };
    ScopeTensor { value, lineage }
}

/// To another float dtype.
pub(crate) fn cast<B: Backend>(x: ScopeTensor<B>, to: FloatDType) -> ScopeTensor<B> {
    let from: FloatDType = x.dtype().into();
    unary_after(
        x,
        |x| B::float_cast(x, to),
        |_, y, tracer| {
            if from == to {
                return tracer;
            }
            tracer.map(Cast { from, to }, &y.shape())
        },
    )
}
