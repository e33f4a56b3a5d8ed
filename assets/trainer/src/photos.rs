//! Photographs, kept apart: some to train on, others to be judged by.

use crate::{facades, picture::Picture, random::Random, scenes};

/// Trained on.
pub const TRAIN: [&str; 7] = [
    "astronaut",
    "coffee",
    "retina",
    "hubble_deep_field",
    "brick",
    "grass",
    "gravel",
];
/// Never trained on.
pub const HELD_OUT: [&str; 3] = ["chelsea", "camera", "rocket"];

/// The bundled photographs of these names.
pub fn load(names: &[&str]) -> Result<Vec<Picture>, Box<dyn std::error::Error>> {
    let folder = crate::assets().join("photos");
    names
        .iter()
        .map(|name| {
            Ok(Picture::from_image(&image::open(
                folder.join(format!("{name}.png")),
            )?))
        })
        .collect()
}

/// A square patch to learn from: three in four from a photograph, the rest procedural.
pub fn patch(photos: &[Picture], side: usize, random: &mut Random) -> Picture {
    let whole = match random.below(8) {
        0 => scenes::scene(random).picture,
        1 => facades::facade(random).picture,
        _ => photos[random.below(photos.len())].clone(),
    };
    let whole = if whole.h < side || whole.w < side {
        whole.resized(side, side)
    } else {
        whole
    };
    let top = random.below(whole.h - side + 1);
    let left = random.below(whole.w - side + 1);
    whole.cut(top, left, side, side).turned(random.below(8))
}
