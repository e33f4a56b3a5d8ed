//! Numbers for words that the paper uses of pictures: local, fast, random, spread.

/// Mean and standard deviation (n − 1).
pub(crate) fn mean_std(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let square = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
    (mean, (square / (n - 1.0).max(1.0)).sqrt())
}

/// Energy of each pixel, channels summed, of one picture [1, c, h, w].
pub(crate) fn energy(values: &[f64], h: usize, w: usize) -> Vec<f64> {
    let mut energy = vec![0.0; h * w];
    for channel in values.chunks_exact(h * w) {
        for (sum, v) in energy.iter_mut().zip(channel) {
            *sum += v * v;
        }
    }
    energy
}

/// Over how many pixels energy is spread, as a share of all: (Σ E)² / (n Σ E²). 1 is evenly over everything.
pub(crate) fn spread(energy: &[f64]) -> f64 {
    let sum: f64 = energy.iter().sum();
    let squares: f64 = energy.iter().map(|e| e * e).sum();
    match squares > 0.0 {
        true => sum * sum / squares / energy.len() as f64,
        false => 0.0,
    }
}

/// How fast a picture oscillates: the mean square difference of neighbours over twice the mean square. 0 is smooth, 1 is
/// white noise, 2 changes its sign at every pixel.
pub(crate) fn roughness(values: &[f64], h: usize, w: usize) -> f64 {
    let (mut differences, mut pairs, mut squares) = (0.0, 0usize, 0.0);
    for channel in values.chunks_exact(h * w) {
        squares += channel.iter().map(|v| v * v).sum::<f64>();
        for y in 0..h {
            for x in 0..w {
                let here = channel[y * w + x];
                if x + 1 < w {
                    differences += (channel[y * w + x + 1] - here).powi(2);
                    pairs += 1;
                }
                if y + 1 < h {
                    differences += (channel[(y + 1) * w + x] - here).powi(2);
                    pairs += 1;
                }
            }
        }
    }
    let mean = squares / values.len() as f64;
    differences / pairs.max(1) as f64 / (2.0 * mean)
}

/// The share of neighbours that have opposite signs: 0 for a blob, ½ for noise.
pub(crate) fn flips(values: &[f64], h: usize, w: usize) -> f64 {
    let (mut opposite, mut pairs) = (0usize, 0usize);
    for y in 0..h {
        for x in 0..w {
            let here = values[y * w + x];
            let right = (x + 1 < w).then(|| values[y * w + x + 1]);
            let below = (y + 1 < h).then(|| values[(y + 1) * w + x]);
            for there in right.into_iter().chain(below) {
                opposite += usize::from(here * there < 0.0);
                pairs += 1;
            }
        }
    }
    opposite as f64 / pairs.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_their_numbers() {
        let board: Vec<f64> = (0..64)
            .map(|i| if (i / 8 + i % 8) % 2 == 0 { 1.0 } else { -1.0 })
            .collect();
        assert_eq!(roughness(&board, 8, 8), 2.0);
        assert_eq!(flips(&board, 8, 8), 1.0);
        assert_eq!(roughness(&[3.0; 64], 8, 8), 0.0);
        assert_eq!(spread(&[2.0; 64]), 1.0);
        let mut one = [0.0; 64];
        one[9] = 5.0;
        assert_eq!(spread(&one), 1.0 / 64.0);
        assert_eq!(energy(&[1.0, 2.0, 3.0, 4.0], 1, 2), [10.0, 20.0]);
        assert_eq!(mean_std(&[1.0, 3.0]), (2.0, 2f64.sqrt()));
    }
}
