//! Maps of real frozen networks: what locality saves changes nothing, and the bundled networks are
//! what their architecture says.

use burn::tensor::{Device, FloatDType};
use linearscope::RuleSet;
use linearscope_analysis::{
    FrozenNetwork, LinearOperator,
    maps::{Grid, column_maps, cost, mean::MeanOperatorTotals, row_maps, shift},
    operator::ByProducts,
    progress::unobserved,
    projection,
    vectors::read,
};
use linearscope_tests::*;

fn frozen(model: &str, shape: &[usize]) -> FrozenNetwork {
    let network = network(&assets().join(model), shape);
    let loaded = FrozenNetwork::load(network, &Device::flex(), FloatDType::F64).expect("loads");
    FrozenNetwork::new(loaded, pseudo_input(shape, 1.0, 3), RuleSet::default()).expect("freezes")
}

fn same(a: &[f64], b: &[f64], what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (a, b) in a.iter().zip(b) {
        let near = (a - b).abs() <= 1e-9 * (1.0 + b.abs());
        assert!(near || (a.is_nan() && b.is_nan()), "{what}: {a} is not {b}");
    }
}

#[test]
fn maps_by_locality_equal_maps_by_whole_products() {
    for (model, shape) in [
        ("tiny_sr/tiny_sr.onnx", [1, 1, 16, 16]),
        ("edsr/edsr.onnx", [1, 3, 12, 12]),
        ("facade/facade.onnx", [1, 3, 16, 16]),
    ] {
        let local = frozen(model, &shape);
        let whole = ByProducts(frozen(model, &shape));
        let [_, _, h, w] = <[usize; 4]>::try_from(local.output_shape().to_vec()).unwrap();
        let grid = Grid::every(5, [h, w]);
        let rows = [
            row_maps(&local, &grid, 2.0, unobserved).unwrap(),
            row_maps(&whole, &grid, 2.0, unobserved).unwrap(),
        ];
        same(&rows[0].energy, &rows[1].energy, model);
        same(&rows[0].off_diagonal, &rows[1].off_diagonal, model);
        same(&rows[0].feeds.heat, &rows[1].feeds.heat, model);
        same(&rows[0].radii.concat(), &rows[1].radii.concat(), model);
        let grid = Grid::every(5, [16.min(shape[2]); 2]);
        let columns = [
            column_maps(&local, &grid, 4.0, 4, unobserved).unwrap(),
            column_maps(&whole, &grid, 4.0, 4, unobserved).unwrap(),
        ];
        same(&columns[0].area, &columns[1].area, model);
        same(
            &columns[0].radii.concat(),
            &columns[1].radii.concat(),
            model,
        );
        assert_eq!(columns[0].wide, columns[1].wide);
        let shifts = [
            shift::variance(&local, &Grid::every(7, [h, w]), 1, unobserved).unwrap(),
            shift::variance(&whole, &Grid::every(7, [h, w]), 1, unobserved).unwrap(),
        ];
        same(&shifts[0].values, &shifts[1].values, model);
    }
}

/// The bundled bicubic upscaler has no decisions: a convolution for each sub-pixel, inside.
#[test]
fn the_bicubic_graph_is_a_convolution_inside_and_networks_are_none() {
    let f = frozen("graphs/bicubic.onnx", &[1, 1, 12, 14]);
    let inside = Grid {
        y: (6..27).collect(),
        x: (6..33).collect(),
    };
    let found = shift::variance(&f, &inside, 1, unobserved).unwrap();
    assert_eq!(found.steps, [[1, 1], [3, 3]]);
    // The graph's weights are made in f32: sub-pixels a row apart agree to its rounding, squared.
    assert!(found.whole < 1e-12, "{}", found.whole);
    let learned = frozen("edsr/edsr.onnx", &[1, 3, 12, 12]);
    let grid = Grid::every(5, [24, 24]);
    let varies = shift::variance(&learned, &grid, 1, unobserved).unwrap();
    assert!(varies.whole > 1e-4, "{}", varies.whole);
}

/// Cost is that of what a field reaches: where fields are local it does not grow with the picture, and it is
/// never more than whole products.
#[test]
fn cost_is_that_of_the_fields() {
    for (model, channels, size, local) in [
        ("edsr/edsr.onnx", 3, 40, true),
        ("facade/facade.onnx", 3, 16, false),
    ] {
        let of = |size: usize| {
            let f = frozen(model, &[1, channels, size, size]);
            let recorded = f.recorded().expect("recorded");
            let whole = recorded.homogeneous().account().flops;
            (cost(&f).unwrap().expect("known"), whole)
        };
        let ([small, large], [whole, larger]) = {
            let (a, b) = (of(size), of(2 * size));
            ([a.0, b.0], [a.1, b.1])
        };
        assert!(small.row > 0 && small.column > 0, "{model}");
        assert!(small.column <= channels as u64 * whole, "{model}");
        assert!(larger > 3 * whole, "{model}");
        assert_eq!(small == large, local, "{model}: {small:?} {large:?}");
        // Three rows at a quarter of the places.
        assert_eq!(
            small.of_maps(8, 5),
            14 * small.row + 5 * small.column,
            "{model}"
        );
    }
}

/// Bicubic interpolation is fixed; of a learned upscaler the parts are those that whole rows say, laid onto one another
/// by hand.
#[test]
fn mean_operators_of_upscalers() {
    let f = frozen("graphs/bicubic.onnx", &[1, 1, 12, 14]);
    let mut totals = MeanOperatorTotals::new(2);
    totals
        .add(&f, &Grid::every(1, [36, 42]), unobserved)
        .unwrap();
    let found = totals.finish().unwrap();
    assert_eq!(found.shape, [3, 3, 1, 1, 5, 5]);
    // The graph's weights are made in f32: sub-pixels a row apart agree to its rounding, squared.
    assert!(found.shares.adaptive() < 1e-12, "{:?}", found.shares);
    assert!(found.shares.outside < 1e-12, "{:?}", found.shares);

    let (side, radius) = (12, 3);
    let mut totals = MeanOperatorTotals::new(radius);
    let mut rows: Vec<Vec<Vec<f64>>> = vec![Vec::new(); 4];
    let mut energy = 0.0;
    for offset in [3, 4000] {
        let shape = [1, 3, side, side];
        let network = network(&assets().join("edsr/edsr.onnx"), &shape);
        let loaded = FrozenNetwork::load(network, &Device::flex(), FloatDType::F64).unwrap();
        let x0 = pseudo_input(&shape, 1.0, offset);
        let f = FrozenNetwork::new(loaded, x0, RuleSet::default()).unwrap();
        totals
            .add(&f, &Grid::every(1, [2 * side; 2]), unobserved)
            .unwrap();
        // By hand: both sub-pixels along an axis lie nearest to their input pixel.
        for y in radius..side - radius {
            for x in radius..side - radius {
                for (phase, rows) in rows.iter_mut().enumerate() {
                    let mut window = Vec::new();
                    for channel in 0..3 {
                        let at = channel * 4 * side * side
                            + (2 * y + phase / 2) * 2 * side
                            + 2 * x
                            + phase % 2;
                        let row = read(projection::rows(&f, &[at]).unwrap()).unwrap();
                        energy += row.iter().map(|v| v * v).sum::<f64>();
                        for plane in row.chunks(side * side) {
                            for line in y - radius..=y + radius {
                                let line = &plane[line * side..][x - radius..=x + radius];
                                window.extend_from_slice(line);
                            }
                        }
                    }
                    rows.push(window);
                }
            }
        }
    }
    let found = totals.finish().unwrap();
    assert_eq!((found.places, found.least_rows), (2 * 4 * 36, 2 * 36));
    let (mut fixed, mut apart) = (0.0, 0.0);
    for rows in &rows {
        let mean: Vec<f64> = (0..rows[0].len())
            .map(|i| rows.iter().map(|row| row[i]).sum::<f64>() / rows.len() as f64)
            .collect();
        fixed += rows.len() as f64 * mean.iter().map(|v| v * v).sum::<f64>();
        let off =
            |row: &Vec<f64>| -> f64 { row.iter().zip(&mean).map(|(a, b)| (a - b).powi(2)).sum() };
        apart += rows.iter().map(off).sum::<f64>();
    }
    let shares = found.shares;
    let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
    assert!(near(shares.fixed, fixed / energy), "{shares:?}");
    assert!(near(shares.adaptive(), apart / energy), "{shares:?}");
    let whole = shares.fixed + shares.adaptive() + shares.outside;
    assert!(near(whole, 1.0), "{shares:?}");
    // A learned upscaler adapts, and is mostly fixed.
    assert!(shares.adaptive() > 1e-3 && shares.fixed > 0.5, "{shares:?}");
}
