//! Max pooling: y₁ picks from x₁ the cells that won at x₀ (ties: the index Burn reports).

use burn_backend::{
    Backend, IntDType, TensorMetadata, get_or_init_device_settings,
    tensor::{FloatTensor, IntTensor},
};

use crate::{
    coefficient::Coefficient,
    linear::{Switches, Windows},
    run::{
        ScopeTensor,
        kinks::{Decides, Read},
        open::unary_at,
    },
};

/// The pooled value by `value`, the switches by `switches` (Burn's `…_with_indices`).
pub(crate) fn max_pool<B: Backend>(
    x: ScopeTensor<B>,
    windows: &Windows,
    value: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
    switches: impl FnOnce(FloatTensor<B>, IntDType) -> IntTensor<B>,
) -> ScopeTensor<B> {
    unary_at(x, value, |x, y, tracer| {
        let (input, output) = (x.shape(), y.shape());
        let dtype = get_or_init_device_settings::<B>(&x.device()).int_dtype;
        let indices = switches(x.clone(), dtype);
        let decides = Decides::Pool(Read::traced(&x, &tracer), windows, &indices);
        let decided = tracer.freeze("switches", Some(decides));
        let indices = Coefficient::decided(indices, &decided);
        let switches = Switches::new(&input, &output, windows, indices);
        tracer.map(switches, &output)
    })
}
