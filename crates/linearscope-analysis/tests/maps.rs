//! The maps on operators whose answer is known, and against loops over F from the definitions.

mod operators;

use std::ops::ControlFlow;

use linearscope_analysis::{
    Dense, Error, LinearOperator,
    maps::{
        Grid, Pictures, column_maps, energies,
        field::SHARES,
        mean::{MeanOperator, MeanOperatorTotals, usable},
        row_maps, shift,
    },
    noise,
    operator::Field,
    progress::unobserved,
};
use operators::between;

fn close(a: f64, b: f64) -> bool {
    (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs()))
}

/// Cubic interpolation by `ratio`, half-pixel positions, a = −¾, borders repeated.
fn bicubic([h, w]: [usize; 2], ratio: usize) -> Dense {
    let kernel = |t: f64| {
        let (t, a) = (t.abs(), -0.75);
        match t {
            t if t <= 1.0 => (a + 2.0) * t.powi(3) - (a + 3.0) * t * t + 1.0,
            t if t < 2.0 => a * (t.powi(3) - 5.0 * t * t + 8.0 * t - 4.0),
            _ => 0.0,
        }
    };
    let along = move |p: usize, q: usize, size: usize| -> f64 {
        let at = (p as f64 + 0.5) / ratio as f64 - 0.5;
        (-1..=2)
            .map(|tap| at.floor() as i64 + tap)
            .filter(|&tap| tap.clamp(0, size as i64 - 1) == q as i64)
            .map(|tap| kernel(at - tap as f64))
            .sum()
    };
    between([1, h, w], [1, h * ratio, w * ratio], move |p, q| {
        along(p[1], q[1], h) * along(p[2], q[2], w)
    })
}

/// One channel, `size` to `size`, with entries from (place, pixel).
fn plain(size: [usize; 2], f: impl Fn([i64; 2], [i64; 2]) -> f64) -> Dense {
    between([1, size[0], size[1]], [1, size[0], size[1]], |p, q| {
        f([p[1] as i64, p[2] as i64], [q[1] as i64, q[2] as i64])
    })
}

#[test]
fn the_identity_is_all_its_own() {
    let f = between([3, 10, 12], [3, 10, 12], |p, q| f64::from(u8::from(p == q)));
    let grid = Grid::every(1, [10, 12]);
    let rows = row_maps(&f, &grid, 0.0, unobserved).unwrap();
    assert!(rows.radii.iter().flatten().all(|&r| r == 0.0));
    assert!(rows.off_diagonal.iter().all(|&share| share == 0.0));
    assert!(rows.energy.iter().all(|&e| e == 3.0));
    assert!(rows.origins.iter().all(Option::is_none));
    assert_eq!((rows.feeds.share, rows.feeds.arrows.len()), (0.0, 0));
    assert!(rows.feeds.heat.iter().all(|&h| h == 0.0));
    let columns = column_maps(&f, &grid, 2.0, 8, unobserved).unwrap();
    assert!(columns.radii.iter().flatten().all(|&r| r == 0.0));
    assert!(columns.area.iter().all(|&area| area == 1.0));
    assert_eq!((columns.wide, columns.templates.len()), (0, 0));
    let shifts = shift::variance(&f, &grid, 1, unobserved).unwrap();
    assert_eq!(shifts.whole, 0.0);
    // The corner has no neighbour below and none to the right.
    let (last, others) = shifts.values.split_last().unwrap();
    assert!(last.is_nan() && others.iter().all(|&v| v == 0.0));
}

/// A box blur of (2k + 1)² equal weights: radii are distances on the square grid.
#[test]
fn a_box_blur_has_the_radius_of_its_box() {
    let k = 3;
    let f = plain([20, 20], |p, q| {
        f64::from(u8::from(
            (p[0] - q[0]).abs() <= k && (p[1] - q[1]).abs() <= k,
        ))
    });
    let grid = Grid {
        y: vec![9],
        x: vec![11],
    };
    let rows = row_maps(&f, &grid, 3.0, unobserved).unwrap();
    let mut distances: Vec<f64> = (-k..=k)
        .flat_map(|y| (-k..=k).map(move |x| (y as f64).hypot(x as f64)))
        .collect();
    distances.sort_by(f64::total_cmp);
    for (share, radii) in SHARES.iter().zip(&rows.radii) {
        let needed = (share * 49.0).ceil() as usize;
        assert_eq!(radii[0], distances[needed - 1], "{share}");
    }
    assert_eq!(rows.radii[2][0], (18.0f64).sqrt());
    // 29 of 49 pixels lie within 3 of the middle.
    assert!(
        close(rows.off_diagonal[0], 20.0 / 49.0),
        "{:?}",
        rows.off_diagonal
    );
    let origin = rows.origins[0].unwrap();
    assert!(close(origin.centroid[0], 0.0) && close(origin.centroid[1], 0.0));
    let columns = column_maps(&f, &grid, 49.0, 8, unobserved).unwrap();
    assert_eq!(columns.area[0], 49.0);
    assert_eq!((columns.wide, columns.templates[0].place), (1, [9, 11]));
    assert_eq!(columns.templates[0].centroid, [9.0, 11.0]);
    // (k² + k)/3 along each axis.
    assert!(close(columns.templates[0].spread, 8f64.sqrt()));
    // A convolution, at borders too: what falls outside is not compared.
    let all = Grid::every(1, [20, 20]);
    let shifts = shift::variance(&f, &all, 1, unobserved).unwrap();
    assert_eq!(shifts.whole, 0.0);
}

/// A region copied from elsewhere, the rest left in place.
#[test]
fn a_moved_copy_is_an_arrow_of_its_displacement() {
    let moved = |p: [i64; 2]| (4..8).contains(&p[0]) && (5..9).contains(&p[1]);
    let f = plain([32, 32], |p, q| {
        let from = if moved(p) { [p[0] + 15, p[1] + 12] } else { p };
        f64::from(u8::from(from == q))
    });
    let grid = Grid::every(1, [32, 32]);
    let rows = row_maps(&f, &grid, 4.0, unobserved).unwrap();
    for (i, place) in grid.places().enumerate() {
        let inside = moved(place.map(|at| at as i64));
        assert_eq!(rows.off_diagonal[i], f64::from(u8::from(inside)));
        match rows.origins[i] {
            Some(origin) => {
                assert!(inside && origin.peak == [15.0, 12.0] && origin.centroid == [15.0, 12.0]);
                assert_eq!(origin.share, 1.0);
            }
            None => assert!(!inside),
        }
    }
    assert!(close(rows.feeds.share, 16.0 / 1024.0));
    for (i, &heat) in rows.feeds.heat.iter().enumerate() {
        let source = [(i / 32) as i64 - 15, (i % 32) as i64 - 12];
        let expected = if moved(source) { 1.0 / 1024.0 } else { 0.0 };
        assert!(close(heat, expected), "{i}");
    }
    let weight: f64 = rows.feeds.arrows.iter().map(|arrow| arrow.weight).sum();
    assert!(close(weight, 16.0 / 1024.0));
    for arrow in &rows.feeds.arrows {
        let by = [arrow.from[0] - arrow.to[0], arrow.from[1] - arrow.to[1]];
        assert!(close(by[0], 15.0) && close(by[1], 12.0), "{arrow:?}");
    }
    let order: Vec<f64> = rows.feeds.arrows.iter().map(|arrow| arrow.weight).collect();
    assert!(order.is_sorted_by(|a, b| a >= b));
}

/// t uᵀ: pixels that switch a segment.
#[test]
fn a_rank_one_template_is_found_where_it_is_switched() {
    let segment = |p: [i64; 2]| (10..20).contains(&p[0]) && (3..15).contains(&p[1]);
    let small = |p: [i64; 2]| (2..6).contains(&p[0]) && (20..24).contains(&p[1]);
    let f = plain([24, 26], |p, q| match q {
        [4, 5] if segment(p) => 0.5,
        [4, 6] if segment(p) => 0.25,
        [20, 21] if small(p) => 2.0,
        [11, 12] if p == q => 100.0,
        _ => 0.0,
    });
    let grid = Grid::every(1, [24, 26]);
    let columns = column_maps(&f, &grid, 10.0, 8, unobserved).unwrap();
    assert_eq!(columns.wide, 3);
    let [first, second] = columns.templates.as_slice() else {
        panic!("{:?}", columns.templates)
    };
    assert_eq!(
        (first.place, first.area, first.energy),
        ([20, 21], 16.0, 64.0)
    );
    assert_eq!(
        (second.place, second.area, second.energy),
        ([4, 5], 120.0, 30.0)
    );
    assert_eq!((first.alike, second.alike), (0, 1));
    assert_eq!(second.centroid, [14.5, 8.5]);
    assert_eq!(second.corresponding, Some([4.0, 5.0]));
    // A rank-one map is no convolution: neighbouring rows are the same, and do not move along.
    let shifts = shift::variance(
        &f,
        &Grid {
            y: vec![14],
            x: vec![8],
        },
        1,
        unobserved,
    )
    .unwrap();
    assert!(shifts.whole > 0.5, "{}", shifts.whole);
}

/// Rows of nothing say so, instead of numbers.
#[test]
fn zero_rows_are_told() {
    let f = plain([6, 6], |_, _| 0.0);
    let grid = Grid::every(2, [6, 6]);
    let rows = row_maps(&f, &grid, 1.0, unobserved).unwrap();
    assert!(rows.radii.iter().flatten().all(|r| r.is_nan()));
    assert!(rows.off_diagonal.iter().all(|share| share.is_nan()) && rows.feeds.share.is_nan());
    assert!(
        shift::variance(&f, &grid, 1, unobserved)
            .unwrap()
            .whole
            .is_nan()
    );
    assert_eq!(column_maps(&f, &grid, 1.0, 8, unobserved).unwrap().wide, 0);
}

/// Cubic interpolation ×3: a convolution for each sub-pixel, so shift-variant only at borders, and
/// shift-variant everywhere if sub-pixels were compared with one another.
#[test]
fn bicubic_is_a_convolution_a_whole_pixel_apart() {
    let f = bicubic([10, 12], 3);
    let pictures = Pictures::of(&f).unwrap();
    let step = |axis| pictures.step(axis).unwrap();
    assert_eq!((step(0), step(1)), ([1, 3], [1, 3]));
    // A matrix says nothing of places: both pictures are taken to cover the same scene.
    assert!(pictures.guessed);
    let grid = Grid::every(1, [30, 36]);
    let shifts = shift::variance(&f, &grid, 1, unobserved).unwrap();
    assert_eq!(shifts.steps, [[1, 1], [3, 3]]);
    let mut border = 0f64;
    for (i, [y, x]) in grid.places().enumerate() {
        // Two input pixels and a sub-pixel on either side, and the neighbour a pixel on.
        let inside = (6..21).contains(&y) && (6..27).contains(&x);
        if inside {
            assert!(shifts.values[i] < 1e-20, "{y},{x}: {}", shifts.values[i]);
        } else if shifts.values[i].is_finite() {
            border = border.max(shifts.values[i]);
        }
    }
    assert!(border > 1e-3, "{border}");
    // The middle sub-pixel is the input pixel itself; the others lie ⅓ beside it.
    let at = |y, x| {
        row_maps(
            &f,
            &Grid {
                y: vec![y],
                x: vec![x],
            },
            2.5,
            unobserved,
        )
        .unwrap()
    };
    assert_eq!(at(13, 16).radii.map(|r| r[0]), [0.0; 3]);
    assert!(close(at(13, 17).radii[0][0], 1.0 / 3.0));
    assert_eq!(at(14, 17).feeds.share, 0.0);
    assert_eq!(
        pictures.corresponding(Field::Row, [13, 16]),
        Some([4.0, 5.0])
    );
    let corresponding = pictures.corresponding(Field::Column, [4, 5]);
    assert_eq!(corresponding, Some([13.0, 16.0]));
    // A column covers 12×12 sub-pixels at most, centred at its own.
    let columns = column_maps(
        &f,
        &Grid {
            y: vec![5],
            x: vec![6],
        },
        1.0,
        1,
        unobserved,
    )
    .unwrap();
    let radii = columns.radii.each_ref().map(|radii| radii[0]);
    assert!(
        radii[2] < 72f64.sqrt() && (1.0..2.0).contains(&radii[0]),
        "{radii:?}"
    );
    assert!(close(columns.templates[0].centroid[0], 16.0));
}

/// Sizes without a common step are refused with both sizes.
#[test]
fn what_is_no_picture_or_has_no_step_is_refused() {
    let f = between([1, 4, 4], [1, 7, 7], |_, _| 1.0);
    let error = shift::variance(&f, &Grid::every(1, [7, 7]), 1, unobserved).unwrap_err();
    assert!(error.to_string().contains("[7, 7]"), "{error}");
    let scores = between([1, 4, 4], [10, 1, 1], |_, _| 1.0);
    let error = row_maps(&scores, &Grid::every(1, [1, 1]), 1.0, unobserved).unwrap_err();
    assert!(error.to_string().contains("contributions"), "{error}");
    assert!(error.to_string().contains("[1, 10, 1, 1]"), "{error}");
}

#[test]
fn grids_meet_every_phase() {
    assert_eq!(
        Grid::every(4, [10, 3]),
        Grid {
            y: vec![1, 5, 9],
            x: vec![1]
        }
    );
    assert_eq!(Grid::every(9, [3, 30]).y, [1]);
    assert_eq!(Grid::every(1, [2, 2]).len(), 4);
    for (period, size) in [(3, 192), (4, 96), (2, 64), (6, 100)] {
        let stride = Grid::stride(16, [size, size], period);
        let places = Grid::every(stride, [size, size]).y;
        for phase in 0..period {
            assert!(
                places.iter().any(|y| y % period == phase),
                "{period} {size} {stride}"
            );
        }
        assert!(
            (8..=17).contains(&places.len()),
            "{period} {size}: {}",
            places.len()
        );
    }
    assert_eq!(Grid::stride(16, [12, 9], 2), 1);
}

/// Every measure from loops over F, on random entries, two channels to three, ×2.
#[test]
fn all_measures_equal_their_naive_twins() {
    let ([c, h, w], [d, rows, columns]) = ([2, 6, 5], [3, 12, 10]);
    let random = noise(c * h * w * d * rows * columns, 5);
    let entry = |p: [usize; 3], q: [usize; 3]| {
        let row = (p[0] * rows + p[1]) * columns + p[2];
        random[row * c * h * w + (q[0] * h + q[1]) * w + q[2]]
    };
    let f = between([c, h, w], [d, rows, columns], entry);
    let block = |p: [usize; 2], q: [usize; 2]| -> f64 {
        let mut sum = 0.0;
        for out in 0..d {
            for channel in 0..c {
                sum += entry([out, p[0], p[1]], [channel, q[0], q[1]]).powi(2);
            }
        }
        sum
    };
    let inputs: Vec<[usize; 2]> = (0..h).flat_map(|y| (0..w).map(move |x| [y, x])).collect();
    let outputs: Vec<[usize; 2]> = (0..rows)
        .flat_map(|y| (0..columns).map(move |x| [y, x]))
        .collect();
    // (there, energy) seen from a position: the naive radius tries every distance.
    let radius_of = |energies: &[([usize; 2], f64)], own: [f64; 2], share: f64| {
        let far = |q: [usize; 2]| (q[0] as f64 - own[0]).hypot(q[1] as f64 - own[1]);
        let total: f64 = energies.iter().map(|(_, e)| e).sum();
        energies
            .iter()
            .map(|(q, _)| far(*q))
            .filter(|&r| {
                let within = energies.iter().filter(|(q, _)| far(*q) <= r);
                within.map(|(_, e)| e).sum::<f64>() >= share * total * (1.0 - 1e-13)
            })
            .fold(f64::INFINITY, f64::min)
    };
    let limit = 1.7;
    let grid = Grid {
        y: vec![0, 5, 6, 11],
        x: vec![1, 4, 9],
    };
    let found = row_maps(&f, &grid, limit, unobserved).unwrap();
    let mut heat = vec![0.0; h * w];
    let mut all = 0.0;
    for (i, p) in grid.places().enumerate() {
        let own = [(p[0] as f64 - 0.5) / 2.0, (p[1] as f64 - 0.5) / 2.0];
        let energies: Vec<_> = inputs.iter().map(|&q| (q, block(p, q))).collect();
        let total: f64 = energies.iter().map(|(_, e)| e).sum();
        all += total;
        assert!(close(found.energy[i], total));
        for (share, radii) in SHARES.iter().zip(&found.radii) {
            assert!(
                close(radii[i], radius_of(&energies, own, *share)),
                "{p:?} {share}"
            );
        }
        let (mut away, mut sum, mut peak) = (0.0, [0.0; 2], ([0; 2], 0.0));
        for &(q, e) in &energies {
            let by = [q[0] as f64 - own[0], q[1] as f64 - own[1]];
            if by[0].hypot(by[1]) > limit {
                away += e;
                sum = [sum[0] + e * by[0], sum[1] + e * by[1]];
                heat[q[0] * w + q[1]] += e;
                if e > peak.1 {
                    peak = (q, e);
                }
            }
        }
        assert!(close(found.off_diagonal[i], away / total));
        let origin = found.origins[i].unwrap();
        assert!(close(origin.share, away / total));
        for axis in 0..2 {
            assert!(close(origin.centroid[axis], sum[axis] / away));
            assert!(close(origin.peak[axis], peak.0[axis] as f64 - own[axis]));
        }
    }
    for (found, expected) in found.feeds.heat.iter().zip(&heat) {
        assert!(close(*found, expected / all));
    }
    assert!(close(found.feeds.share, heat.iter().sum::<f64>() / all));
    // The cells of a picture this small are its pixels: an arrow for every pair that is far apart.
    let weights: f64 = found.feeds.arrows.iter().map(|arrow| arrow.weight).sum();
    assert!(close(weights, found.feeds.share));

    let grid = Grid {
        y: vec![0, 3],
        x: vec![2, 4],
    };
    let found = column_maps(&f, &grid, 1.0, 100, unobserved).unwrap();
    for (i, q) in grid.places().enumerate() {
        let own = [2.0 * q[0] as f64 + 0.5, 2.0 * q[1] as f64 + 0.5];
        let energies: Vec<_> = outputs.iter().map(|&p| (p, block(p, q))).collect();
        let (sum, squares) = energies.iter().fold((0.0, 0.0), |(sum, squares), (_, e)| {
            (sum + e, squares + e * e)
        });
        assert!(close(found.energy[i], sum) && close(found.area[i], sum * sum / squares));
        for (share, radii) in SHARES.iter().zip(&found.radii) {
            assert!(
                close(radii[i], radius_of(&energies, own, *share)),
                "{q:?} {share}"
            );
        }
    }
    assert_eq!(found.wide, 4);

    for period in [1, 2] {
        let grid = Grid {
            y: vec![2, 11],
            x: vec![0, 7],
        };
        let found = shift::variance(&f, &grid, period, unobserved).unwrap();
        for (i, p) in grid.places().enumerate() {
            let (mut apart, mut sum) = (0.0, 0.0);
            for by in [[period, 0], [0, period]] {
                let later = [p[0] + 2 * by[0], p[1] + 2 * by[1]];
                if later[0] >= rows || later[1] >= columns {
                    continue;
                }
                for q in &inputs {
                    let moved = [q[0] + by[0], q[1] + by[1]];
                    if moved[0] >= h || moved[1] >= w {
                        continue;
                    }
                    for out in 0..d {
                        for channel in 0..c {
                            let a = entry([out, p[0], p[1]], [channel, q[0], q[1]]);
                            let b = entry([out, later[0], later[1]], [channel, moved[0], moved[1]]);
                            apart += (b - a).powi(2);
                            sum += b * b + a * a;
                        }
                    }
                }
            }
            assert!(close(found.values[i], apart / sum), "{p:?} {period}");
        }
    }
    assert_eq!(f.input_shape(), [1, c, h, w]);
}

/// A fixed convolution with two channels on both sides, no border in its windows.
fn convolution(size: [usize; 2], taps: impl Fn([usize; 2], [i64; 2]) -> f64) -> Dense {
    between([2, size[0], size[1]], [2, size[0], size[1]], |p, q| {
        let by = [1, 2].map(|axis| q[axis] as i64 - p[axis] as i64);
        match by.iter().all(|by| by.abs() <= 2) {
            true => taps([p[0], q[0]], by),
            false => 0.0,
        }
    })
}

fn taps([to, from]: [usize; 2], [y, x]: [i64; 2]) -> f64 {
    (1.0 + to as f64) / (2.0 + from as f64) + 0.3 * y as f64 - 0.7 * x as f64
}

#[test]
fn the_mean_operator_of_a_convolution_is_the_convolution() {
    let mut totals = MeanOperatorTotals::new(2);
    assert!(totals.finish().is_none());
    for size in [[9, 11], [8, 8]] {
        let f = convolution(size, taps);
        totals.add(&f, &Grid::every(1, size), unobserved).unwrap();
    }
    let found = totals.finish().unwrap();
    assert_eq!(found.shape, [1, 1, 2, 2, 5, 5]);
    assert_eq!((found.pictures, found.places), (2, 5 * 7 + 4 * 4));
    for (i, &value) in found.filters.iter().enumerate() {
        let [to, from] = [i / 50, i / 25 % 2];
        let by = [i / 5 % 5, i % 5].map(|at| at as i64 - 2);
        assert!(close(value, taps([to, from], by)), "{i}");
    }
    let shares = found.shares;
    assert!((shares.fixed - 1.0).abs() < 1e-12, "{shares:?}");
    assert!(
        shares.adaptive() < 1e-25 && shares.outside < 1e-25,
        "{shares:?}"
    );
}

#[test]
fn bicubic_interpolation_is_one_filter_for_each_sub_pixel() {
    let f = bicubic([9, 10], 3);
    let mut totals = MeanOperatorTotals::new(3);
    totals
        .add(&f, &Grid::every(1, [27, 30]), unobserved)
        .unwrap();
    let found = totals.finish().unwrap();
    assert_eq!(found.shape, [3, 3, 1, 1, 7, 7]);
    // Three input pixels down and four right have their window in the picture.
    let pictures = Pictures::of(&f).unwrap();
    assert_eq!(usable(&pictures, 3).unwrap(), [[9, 18], [9, 21]]);
    assert_eq!(usable(&pictures, 5).unwrap()[0], [0, 0]);
    assert_eq!((found.places, found.least_rows), (9 * 3 * 4, 12));
    assert!(found.shares.adaptive() < 1e-25, "{:?}", found.shares);
    // The filters are the rows of one input pixel's sub-pixels.
    let rows = energies(&f, Field::Row, &[[12, 12], [13, 14]], unobserved).unwrap();
    for (row, phase) in rows.iter().zip([0, 5]) {
        let filter = &found.filters[phase * 49..][..49];
        let energy: f64 = filter.iter().map(|v| v * v).sum();
        assert!(close(energy, row.total()), "{phase}");
    }
}

/// Filters that are weaker in the left half, and of opposite sign in the second picture: parts that are known.
#[test]
fn shares_are_those_of_the_definition() {
    let picture = |sign: f64| {
        between([1, 8, 8], [1, 8, 8], move |p, q| {
            let strength = if p[2] < 4 { 1.0 } else { 3.0 };
            sign * strength * f64::from(u8::from(p == q)) + far(p, q)
        })
    };
    // One entry outside of every window.
    fn far(p: [usize; 3], q: [usize; 3]) -> f64 {
        f64::from(u8::from(q == [0, (p[1] + 4) % 8, (p[2] + 4) % 8]))
    }
    let mut totals = MeanOperatorTotals::new(0);
    let grid = Grid::every(1, [8, 8]);
    totals.add(&picture(1.0), &grid, unobserved).unwrap();
    // Strengths 1 and 3: the mean 2, with a square of 1 around it, and 1 outside; ‖row‖² is 5 + 1.
    let shares = totals.finish().unwrap().shares;
    assert!(close(shares.fixed, 4.0 / 6.0), "{shares:?}");
    assert!(close(shares.within_pictures, 1.0 / 6.0), "{shares:?}");
    assert!(close(shares.outside, 1.0 / 6.0), "{shares:?}");
    assert!(close(shares.between_pictures, 0.0), "{shares:?}");
    totals.add(&picture(-1.0), &grid, unobserved).unwrap();
    let found = totals.finish().unwrap();
    assert!(close(found.shares.fixed, 0.0), "{found:?}");
    assert!(close(found.shares.within_pictures, 1.0 / 6.0), "{found:?}");
    assert!(close(found.shares.between_pictures, 4.0 / 6.0), "{found:?}");
    assert_eq!(
        (found.pictures, found.places, found.least_rows),
        (2, 128, 128)
    );
}

#[test]
fn a_mean_operator_takes_one_kind_of_pictures_and_windows_that_fit() {
    let mut totals = MeanOperatorTotals::new(3);
    let small = bicubic([6, 6], 2);
    let error = totals
        .add(&small, &Grid::every(1, [12, 12]), unobserved)
        .unwrap_err();
    assert!(matches!(error, Error::OutOfRange { .. }), "{error}");
    assert!(totals.finish().is_none());
    let grid = |size| Grid::every(1, [size, size]);
    totals
        .add(&bicubic([8, 8], 2), &grid(16), unobserved)
        .unwrap();
    let error = totals
        .add(&bicubic([8, 8], 3), &grid(24), unobserved)
        .unwrap_err();
    assert!(matches!(error, Error::Different { .. }), "{error}");
    let stopped = totals.add(&bicubic([8, 8], 2), &grid(16), |_| ControlFlow::Break(()));
    assert!(stopped.unwrap_err().is_stopped());
    assert_eq!(totals.finish().unwrap().pictures, 1);
}

/// Pictures measured apart, in any order and as JSON has them, are one mean operator.
#[test]
fn mean_operators_of_pictures_are_put_together() {
    let varying = |seed: f64| {
        between([1, 9, 10], [1, 18, 20], move |p, q| {
            let off = [0, 1].map(|axis| p[1 + axis] as f64 / 2.0 - q[1 + axis] as f64);
            let near = (-off[0] * off[0] - off[1] * off[1]).exp();
            near * (1.0 + seed * (0.5 + (p[1] as f64 * 0.3 + p[2] as f64).sin()))
        })
    };
    let grid = Grid::every(1, [18, 20]);
    let seeds = [0.1, 0.7, -0.4];
    let mut once = MeanOperatorTotals::new(2);
    for seed in seeds {
        once.add(&varying(seed), &grid, unobserved).unwrap();
    }
    let once = once.finish().unwrap();
    assert!(once.shares.between_pictures > 1e-3 && once.shares.within_pictures > 1e-3);
    assert_eq!((once.rows.len(), once.rows.iter().sum()), (4, once.places));

    let pieces: Vec<MeanOperator> = seeds
        .iter()
        .map(|&seed| {
            let found = MeanOperator::of_picture(&varying(seed), &grid, 2, unobserved).unwrap();
            let text = serde_json::to_string(&found).unwrap();
            serde_json::from_str(&text).unwrap()
        })
        .collect();
    // Two that are one already, and a third before them.
    let mut two = MeanOperatorTotals::new(2);
    two.merge(&pieces[0]).unwrap();
    two.merge(&pieces[1]).unwrap();
    let mut all = MeanOperatorTotals::new(2);
    all.merge(&pieces[2]).unwrap();
    all.merge(&two.finish().unwrap()).unwrap();
    let all = all.finish().unwrap();
    assert_eq!((all.pictures, all.places), (3, once.places));
    assert_eq!(
        (&all.rows, all.along, all.shape),
        (&once.rows, once.along, once.shape)
    );
    assert!(close(all.energy, once.energy));
    for (a, b) in all.filters.iter().zip(&once.filters) {
        assert!(close(*a, *b), "{a} {b}");
    }
    let parts = |found: &MeanOperator| {
        let shares = found.shares;
        [
            shares.fixed,
            shares.within_pictures,
            shares.between_pictures,
            shares.outside,
        ]
    };
    for (a, b) in parts(&all).into_iter().zip(parts(&once)) {
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    }

    let other = MeanOperator::of_picture(&varying(0.0), &grid, 1, unobserved).unwrap();
    let mut totals = MeanOperatorTotals::new(2);
    let error = totals.merge(&other).unwrap_err();
    assert!(
        matches!(&error, Error::Different { because, .. } if because.contains("3×3")),
        "{error}"
    );
    let torn = MeanOperator {
        filters: pieces[0].filters[1..].to_vec(),
        ..pieces[0].clone()
    };
    assert!(matches!(totals.merge(&torn), Err(Error::Setting { .. })));
    assert!(totals.finish().is_none());
}

/// Rows without energy have no shares, and say so to JSON and back.
#[test]
fn nothing_has_no_shares() {
    let zero = plain([5, 5], |_, _| 0.0);
    let found = MeanOperator::of_picture(&zero, &Grid::every(1, [5, 5]), 1, unobserved).unwrap();
    assert!(found.shares.fixed.is_nan() && found.energy == 0.0);
    let text = serde_json::to_string(&found).unwrap();
    let back: MeanOperator = serde_json::from_str(&text).unwrap();
    assert!(back.shares.fixed.is_nan() && back.shares.outside.is_nan());
    let mut totals = MeanOperatorTotals::new(1);
    totals.merge(&back).unwrap();
    let unit = plain([5, 5], |p, q| f64::from(u8::from(p == q)));
    let unit = MeanOperator::of_picture(&unit, &Grid::every(1, [5, 5]), 1, unobserved).unwrap();
    totals.merge(&unit).unwrap();
    // Means of 0 and 1 over as many rows: half is fixed, half lies between.
    let shares = totals.finish().unwrap().shares;
    assert!(
        close(shares.fixed, 0.5) && close(shares.between_pictures, 0.5),
        "{shares:?}"
    );
}
