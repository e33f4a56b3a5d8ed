//! Scenes for the classifiers: one object of a known kind and place among clutter.

use crate::{picture::Picture, random::Random};

/// Side of a scene.
pub const SIDE: usize = 48;

/// The kinds of objects, the classes.
pub const KINDS: [&str; 8] = [
    "disc", "square", "triangle", "ring", "cross", "star", "crescent", "bars",
];

/// A scene with its answer.
#[derive(Clone, Debug)]
pub struct Scene {
    pub picture: Picture,
    /// Index into [`KINDS`].
    pub kind: usize,
    /// The share of each pixel that the object covers, `[h, w]`.
    pub mask: Vec<f64>,
}

/// Whether (x, y), in units of the object's radius around its middle, is in an object.
fn inside(kind: usize, x: f64, y: f64) -> bool {
    let r = x.hypot(y);
    match kind {
        0 => r < 0.95,
        1 => x.abs().max(y.abs()) < 0.8,
        2 => y < 0.6 && y > -1.0 + 1.75 * x.abs() * 0.95,
        3 => (0.55..1.0).contains(&r),
        4 => (x.abs() < 0.28 && y.abs() < 1.0) || (y.abs() < 0.28 && x.abs() < 1.0),
        5 => {
            // Five points: the radius of the rim swings with the angle.
            let turn = (y.atan2(x) + std::f64::consts::FRAC_PI_2).rem_euclid(std::f64::consts::TAU);
            let part = (turn / (std::f64::consts::TAU / 5.0)).fract();
            let from_tip = (part - 0.5).abs() * 2.0;
            r < 0.42 + 0.63 * from_tip.powf(1.4)
        }
        6 => r < 1.0 && (x - 0.45).hypot(y) > 0.78,
        _ => y.abs() < 0.9 && x.abs() < 0.9 && (1.67 * (x + 0.9)).rem_euclid(1.0) < 0.52,
    }
}

/// A soft two-colour ground with noise.
fn ground(random: &mut Random) -> Picture {
    let (a, b) = (random.colour(), random.colour());
    let angle = random.between(0.0, std::f64::consts::TAU);
    let mut picture = Picture::plain(SIDE, SIDE, a);
    for y in 0..SIDE {
        for x in 0..SIDE {
            let along = (x as f64 * angle.cos() + y as f64 * angle.sin()) / SIDE as f64;
            let part = (0.5 + 0.4 * along).clamp(0.0, 1.0);
            picture.set(
                y,
                x,
                std::array::from_fn(|c| a[c] + 0.5 * part * (b[c] - a[c])),
            );
        }
    }
    picture
}

/// Strokes and specks, smaller or thinner than any object.
fn clutter(picture: &mut Picture, random: &mut Random, count: usize) {
    let side = SIDE as f64;
    for _ in 0..count {
        let (x, y) = (random.between(0.0, side), random.between(0.0, side));
        let colour = random.colour();
        if random.chance(0.5) {
            let angle = random.between(0.0, std::f64::consts::PI);
            let (long, thin) = (random.between(6.0, 22.0), random.between(0.4, 1.0));
            picture.paint(colour, |u, v| {
                let (dx, dy) = (u - x, v - y);
                let along = dx * angle.cos() + dy * angle.sin();
                let across = dx * angle.sin() - dy * angle.cos();
                along.abs() < long / 2.0 && across.abs() < thin
            });
        } else {
            let r = random.between(0.8, 2.4);
            let round = random.chance(0.5);
            picture.paint(colour, |u, v| {
                let (dx, dy) = ((u - x).abs(), (v - y).abs());
                if round {
                    dx.hypot(dy) < r
                } else {
                    dx.max(dy) < r
                }
            });
        }
    }
}

/// One scene.
pub fn scene(random: &mut Random) -> Scene {
    let mut picture = ground(random);
    let strokes = 6 + random.below(8);
    clutter(&mut picture, random, strokes);
    let kind = random.below(KINDS.len());
    let radius = random.between(8.0, 12.5);
    let place = |random: &mut Random| random.between(radius + 1.0, SIDE as f64 - radius - 1.0);
    let (cx, cy) = (place(random), place(random));
    let under = picture.at(cy as usize, cx as usize);
    // A colour that stands out from the ground.
    let mut colour = random.colour();
    while (0..3).map(|c| (colour[c] - under[c]).abs()).sum::<f64>() < 0.9 {
        colour = random.colour();
    }
    let angle = random.between(-0.35, 0.35);
    let mask = picture.paint(colour, |x, y| {
        let (dx, dy) = ((x - cx) / radius, (y - cy) / radius);
        let (u, v) = (
            dx * angle.cos() + dy * angle.sin(),
            dy * angle.cos() - dx * angle.sin(),
        );
        inside(kind, u, v)
    });
    // A few strokes may cross the object, and every sensor has noise.
    let over = random.below(3);
    clutter(&mut picture, random, over);
    for value in &mut picture.values {
        *value = (*value + random.between(-0.04, 0.04) as f32).clamp(0.0, 1.0);
    }
    Scene {
        picture,
        kind,
        mask,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenes_are_seeded_and_hold_their_object() {
        let mut random = Random::new(3);
        let mut seen = [0; 8];
        for _ in 0..200 {
            let scene = scene(&mut random);
            seen[scene.kind] += 1;
            let area: f64 = scene.mask.iter().sum();
            // A crescent of radius 8 to a full square of 12.5.
            assert!(
                (40.0..500.0).contains(&area),
                "{} {area}",
                KINDS[scene.kind]
            );
            assert!(scene.picture.values.iter().all(|v| (0.0..=1.0).contains(v)));
        }
        assert!(seen.iter().all(|count| *count > 5), "{seen:?}");
        let (a, b) = (scene(&mut Random::new(9)), scene(&mut Random::new(9)));
        assert_eq!(a.picture, b.picture);
    }
}
