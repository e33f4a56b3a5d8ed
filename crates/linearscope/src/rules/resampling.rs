//! Interpolation: linear, in every mode.

use burn_backend::{Backend, TensorMetadata, ops::InterpolateOptions};

use crate::{
    linear::Interpolate,
    tensor::{Lineage, ScopeTensor},
};

/// `[n, c, h, w] → [n, c, ..output_size]`.
pub(crate) fn interpolate<B: Backend>(
    x: ScopeTensor<B>,
    output_size: [usize; 2],
    options: InterpolateOptions,
) -> ScopeTensor<B> {
    let (x, lineage) = x.open();
    let lineage = match lineage {
        Lineage::Probed(probe) => {
            let input = x.shape();
            let mut output = input.clone();
            (output[2], output[3]) = (output_size[0], output_size[1]);
            let map = Interpolate::new(&x, &input, output_size, options.clone());
            Lineage::Probed(probe.map(map, &output))
        }
        lineage => lineage,
    };
    ScopeTensor {
        value: B::interpolate(x, output_size, options),
        lineage,
    }
}
