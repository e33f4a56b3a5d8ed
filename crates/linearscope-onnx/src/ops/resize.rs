//! Resize and Upsample, in the modes Burn's interpolation has exactly.

use burn_backend::{
    Backend, TensorMetadata,
    ops::{InterpolateMode, InterpolateOptions},
};
use onnx_ir::resize::{
    CoordinateTransformMode as Coordinates, NearestMode, ResizeMode, ResizeNode, ResizeScales,
    ResizeSizes,
};

use crate::context::{Context, Outputs, one};

pub(super) fn resize<B: Backend>(cx: &Context<'_, B>, node: &ResizeNode) -> Outputs<B> {
    let config = &node.config;
    let x = cx.float(0)?;
    let shape = x.shape();
    if shape.num_dims() != 4 {
        return Err(cx.unsupported(format!("an input of rank {}", shape.num_dims())));
    }
    // The parser keeps the spatial entries only; batch and channels must stay as they are.
    for index in 1..4 {
        let Some(given) = cx.constant(index).filter(|data| data.num_elements() == 4) else {
            continue;
        };
        let dtype = given.dtype();
        let given: Vec<f64> = given.iter::<f64>().collect();
        let kept = if dtype.is_float() {
            [1.0, 1.0]
        } else {
            [shape[0] as f64, shape[1] as f64]
        };
        if given[..2] != kept {
            return Err(cx.unsupported(format!("batch or channels resized ({given:?})")));
        }
    }
    let sizes: Vec<usize> = match (&config.scales, &config.sizes) {
        (_, Some(ResizeSizes::Static(sizes))) => sizes.clone(),
        (Some(ResizeScales::Static(scales)), _) => scales
            .iter()
            .zip(&shape[2..])
            .map(|(scale, size)| {
                // ONNX maps coordinates by the scale, Burn by the sizes: the same only here.
                let exact = f64::from(*scale) * *size as f64;
                if (exact - exact.round()).abs() > 1e-4 {
                    let what = format!("scale {scale} of {size} cells, no whole number of them");
                    return Err(cx.unsupported(what));
                }
                Ok(exact.round() as usize)
            })
            .collect::<Result<_, _>>()?,
        _ => return Err(cx.unsupported("computed sizes or scales")),
    };
    if config.antialias != 0 {
        return Err(cx.unsupported("antialias=1"));
    }
    let whole = sizes
        .iter()
        .zip(&shape[2..])
        .all(|(out, size)| out % size == 0);
    let to_one = sizes
        .iter()
        .zip(&shape[2..])
        .any(|(out, size)| *out == 1 && *size != 1);
    if to_one && config.coordinate_transformation_mode == Coordinates::PytorchHalfPixel {
        return Err(cx.unsupported("pytorch_half_pixel down to a single cell"));
    }
    let (mode, align_corners) = match (
        &config.mode,
        &config.coordinate_transformation_mode,
        &config.nearest_mode,
    ) {
        (ResizeMode::Nearest, Coordinates::Asymmetric, NearestMode::Floor) => {
            (InterpolateMode::Nearest, false)
        }
        // For whole factors rounding half-pixel coordinates gives ⌊i/factor⌋, without ties.
        (
            ResizeMode::Nearest,
            Coordinates::HalfPixel | Coordinates::PytorchHalfPixel,
            NearestMode::RoundPreferFloor | NearestMode::RoundPreferCeil,
        ) if whole => (InterpolateMode::Nearest, false),
        (ResizeMode::Linear, Coordinates::HalfPixel | Coordinates::PytorchHalfPixel, _) => {
            (InterpolateMode::Bilinear, false)
        }
        (ResizeMode::Linear, Coordinates::AlignCorners, _) => (InterpolateMode::Bilinear, true),
        (ResizeMode::Cubic, Coordinates::HalfPixel | Coordinates::PytorchHalfPixel, _)
            if config.cubic_coeff_a == -0.75 && config.exclude_outside == 0 =>
        {
            (InterpolateMode::Bicubic, false)
        }
        (mode, coordinates, nearest) => {
            return Err(cx.unsupported(format!(
                "mode {mode:?}, coordinates {coordinates:?}, nearest_mode {nearest:?}"
            )));
        }
    };
    let options = InterpolateOptions::new(mode).with_align_corners(align_corners);
    one(B::interpolate(x, [sizes[0], sizes[1]], options))
}
