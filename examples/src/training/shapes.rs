//! Small grey pictures with one shape each, light on dark or dark on light, and noise.

use linearscope_analysis::SplitMix64;

/// The kinds of shapes, the classes.
pub const KINDS: [&str; 6] = ["disc", "square", "triangle", "ring", "cross", "bars"];

/// A picture with its answer.
#[derive(Clone, Debug)]
pub struct Shape {
    /// `[side, side]`, about 0 to 1.
    pub values: Vec<f32>,
    /// Index into [`KINDS`].
    pub kind: usize,
}

/// Whether (x, y), in units of the shape's radius around its middle, is in it.
fn inside(kind: usize, x: f64, y: f64) -> bool {
    let r = x.hypot(y);
    match kind {
        0 => r < 0.95,
        1 => x.abs().max(y.abs()) < 0.8,
        2 => y < 0.7 && y > -1.0 + 1.7 * x.abs(),
        3 => (0.55..1.0).contains(&r),
        4 => (x.abs() < 0.3 && y.abs() < 1.0) || (y.abs() < 0.3 && x.abs() < 1.0),
        _ => x.abs() < 0.9 && y.abs() < 0.9 && (1.25 * (x + 0.9)).rem_euclid(1.0) < 0.5,
    }
}

/// A random shape on a square of `side` pixels; `noise` is the largest noise.
pub fn shape(random: &mut SplitMix64, side: usize, noise: f64) -> Shape {
    let mut between =
        |low: f64, high: f64| low + (high - low) * 0.5 * (random.next_uniform() + 1.0);
    let kind = (between(0.0, KINDS.len() as f64) as usize).min(KINDS.len() - 1);
    let size = side as f64;
    let radius = between(0.25, 0.36) * size;
    let (cx, cy) = (
        between(radius, size - radius),
        between(radius, size - radius),
    );
    let ground = between(0.2, 0.8);
    let contrast = between(0.35, 0.6) * if between(0.0, 1.0) < 0.5 { -1.0 } else { 1.0 };
    let values = (0..side * side).map(|i| {
        // Four points of each pixel, so that edges are soft.
        let hits = (0..4).filter(|sub| {
            let (dx, dy) = (0.25 + 0.5 * (sub % 2) as f64, 0.25 + 0.5 * (sub / 2) as f64);
            let (x, y) = ((i % side) as f64 + dx, (i / side) as f64 + dy);
            inside(kind, (x - cx) / radius, (y - cy) / radius)
        });
        ground + contrast * hits.count() as f64 / 4.0
    });
    let values: Vec<f64> = values.collect();
    let values = values
        .into_iter()
        .map(|v| (v + between(-noise, noise)) as f32)
        .collect();
    Shape { values, kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_seeded_and_of_every_kind() {
        let mut random = SplitMix64::new(1);
        let mut seen = [0; KINDS.len()];
        for _ in 0..120 {
            let shape = shape(&mut random, 24, 0.05);
            seen[shape.kind] += 1;
            let (low, high) = shape
                .values
                .iter()
                .fold((f32::MAX, f32::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
            assert!(high - low > 0.3, "{}", KINDS[shape.kind]);
        }
        assert!(seen.iter().all(|n| *n > 5), "{seen:?}");
        let again = |seed| shape(&mut SplitMix64::new(seed), 24, 0.05).values;
        assert_eq!(again(3), again(3));
    }
}
