//! Maps of real frozen networks: what locality saves changes nothing, and the bundled networks are
//! what their architecture says.

use burn::tensor::{Device, FloatDType};
use linearscope::RuleSet;
use linearscope_analysis::{
    FrozenNetwork, LinearOperator,
    maps::{Grid, column_maps, cost, row_maps, shift},
    operator::ByProducts,
    progress::unobserved,
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
