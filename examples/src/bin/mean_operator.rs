//! What of an upscaler or a style network is one fixed filter, and what adapts to the picture: `linearscope mean`, by the
//! library.
//!
//! ```text
//! cargo run --release -p linearscope-examples --bin mean_operator
//! cargo run --release -p linearscope-examples --bin mean_operator -- net.onnx SIZE PICTURE...
//! ```
//!
//! Pictures are cut to SIZE×SIZE from the middle; the recipe beside the network says the rest. Without arguments it
//! goes over the bundled networks and pictures.

use std::{
    error::Error,
    path::{Path, PathBuf},
};

use burn::tensor::{Device, FloatDType, TensorData};
use linearscope::RuleSet;
use linearscope_analysis::{
    FrozenNetwork,
    maps::{
        Grid, Pictures,
        mean::{MeanOperatorTotals, usable},
    },
    progress::unobserved,
};
use linearscope_onnx::Model;
use linearscope_preprocess::Recipe;

/// Places along the longer side of the part of a picture that is used.
const ALONG: usize = 24;
/// Windows reach this far, in input pixels.
const RADIUS: usize = 6;
/// The mean of fewer rows holds more than a tenth of their energy, whatever they are.
const FEW: usize = 10;

fn shares(model: &Path, side: u32, pictures: &[PathBuf]) -> Result<(), Box<dyn Error>> {
    let loaded_model = Model::load(model)?;
    let recipe = Recipe::beside(model)?.unwrap_or_default().with_crop(side);
    // Of the declared channels, where the file says any: colour else.
    let declared = loaded_model
        .inputs()
        .first()
        .and_then(|input| input.dims.get(1));
    let channels = match declared {
        Some(Ok(channels)) => *channels,
        _ => 3,
    };
    let size = side as usize;
    let shape = [1, channels, size, size];
    let network = loaded_model.network(&[shape.to_vec()])?;
    let loaded = FrozenNetwork::load(network, &Device::flex(), FloatDType::F32)?;
    let mut totals = MeanOperatorTotals::new(RADIUS);
    for picture in pictures {
        let input = recipe.for_channels(channels)?.read(picture)?;
        let x0 = TensorData::new(input.to_f32(), shape);
        let frozen = FrozenNetwork::new(loaded.clone(), x0, RuleSet::default())?;
        let pictures = Pictures::of(&frozen)?;
        let [_, h, w] = pictures.output;
        let part = usable(&pictures, RADIUS)?.map(|[first, end]| end - first);
        let phases = pictures.step(0)?[1];
        let grid = Grid::every(Grid::stride(ALONG, part, phases), [h, w]);
        totals.add(&frozen, &grid, unobserved)?;
    }
    let found = totals.finish().ok_or("no picture was given")?;
    let percent = |share: f64| format!("{:6.2} %", 100.0 * share);
    println!(
        "{:28} {} {} {} {} {:6} places, at least {:4} a filter{}{}",
        model.file_stem().unwrap_or_default().to_string_lossy(),
        percent(found.shares.fixed),
        percent(found.shares.within_pictures),
        percent(found.shares.between_pictures),
        percent(found.shares.outside),
        found.places,
        found.least_rows,
        if found.least_rows < FEW {
            ", too few to tell: take larger pictures"
        } else {
            ""
        },
        if found.with_border {
            ", fields meet the border"
        } else {
            ""
        },
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("{:28}    fixed   within  between  outside", "");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [model, size, pictures @ ..] = &arguments[..] {
        let pictures: Vec<PathBuf> = pictures.iter().map(PathBuf::from).collect();
        return shares(Path::new(model), size.parse()?, &pictures);
    }
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets");
    let photos = ["astronaut", "chelsea", "coffee", "brick"];
    let photos = photos.map(|photo| assets.join(format!("photos/{photo}.png")));
    for (model, size) in [
        ("graphs/bicubic.onnx", 32),
        ("pixelshuffle/pixelshuffle.onnx", 48),
        ("edsr/edsr.onnx", 48),
    ] {
        shares(&assets.join(model), size, &photos)?;
    }
    Ok(())
}
