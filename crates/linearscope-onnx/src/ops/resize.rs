//! Resize and Upsample, in the modes Burn's interpolation has exactly.

use burn_backend::{
    Backend, TensorMetadata,
    ops::{InterpolateMode, InterpolateOptions},
};
use onnx_ir::resize::{
    CoordinateTransformMode as Coordinates, NearestMode, ResizeMode, ResizeNode, ResizeScales,
    ResizeSizes,
};

use crate::execute::{Context, Outputs, one};

pub(super) fn resize<B: Backend>(cx: &Context<'_, B>, node: &ResizeNode) -> Outputs<B> {
    let config = &node.config;
    let x = cx.float(0)?;
    let shape = x.shape();
    if shape.num_dims() != 4 {
        return Err(cx.unsupported(format!("an input of rank {}", shape.num_dims())));
    }
    let sizes: Vec<usize> = match (&config.scales, &config.sizes) {
        (_, Some(ResizeSizes::Static(sizes))) => sizes.clone(),
        (Some(ResizeScales::Static(scales)), _) => scales
            .iter()
            .zip(&shape[2..])
            .map(|(scale, size)| (f64::from(*scale) * *size as f64).floor() as usize)
            .collect(),
        _ => return Err(cx.unsupported("computed sizes or scales")),
    };
    if config.antialias != 0 {
        return Err(cx.unsupported("antialias=1"));
    }
    let whole = sizes
        .iter()
        .zip(&shape[2..])
        .all(|(out, size)| out % size == 0);
    let (mode, align_corners) = match (
        &config.mode,
        &config.coordinate_transformation_mode,
        &config.nearest_mode,
    ) {
        (ResizeMode::Nearest, Coordinates::Asymmetric, NearestMode::Floor) => {
            (InterpolateMode::Nearest, false)
        }
        // For whole factors every rounding of half-pixel coordinates picks the same cell.
        (ResizeMode::Nearest, Coordinates::HalfPixel | Coordinates::PytorchHalfPixel, _)
            if whole =>
        {
            (InterpolateMode::Nearest, false)
        }
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
