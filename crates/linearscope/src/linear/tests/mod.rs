//! Every kind of map, and what its structure claims held against its dense matrix.

mod kinds;

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};

use burn::tensor::Tensor;
use burn_backend::{
    Backend, DType, Shape, TensorData, TensorMetadata,
    ops::FloatTensorOps,
    tensor::{Device, FloatTensor},
};
use burn_dispatch::Dispatch;
use burn_flex::{Flex, FlexDevice};

use self::kinds::{Kind, every_kind, name_of};
use super::*;
use crate::{coefficient::Origin, host};

type Matrix = Vec<Vec<f64>>;

fn identity<B: Backend>(shape: &Shape, dtype: DType, device: &Device<B>) -> FloatTensor<B> {
    let n = shape.num_elements();
    let at: Vec<usize> = (0..n).collect();
    crate::one_hot::<B>(&at, shape, device, dtype).expect("inside")
}

/// A, row by row, by applying it to unit vectors; the adjoint has to give the same.
fn dense(what: &str, kind: &Kind<Flex>) -> Matrix {
    let (n, m) = (kind.input.num_elements(), kind.output.num_elements());
    let y = kind
        .map
        .apply(identity::<Flex>(&kind.input, DType::F64, &FlexDevice));
    let dtype = y.dtype();
    assert_eq!(y.shape(), batch::shape_of(n, &kind.output), "{what}");
    let columns = host::<Flex>(y).expect("reads");
    let x = kind
        .map
        .adjoint(identity::<Flex>(&kind.output, dtype, &FlexDevice));
    assert_eq!(x.shape(), batch::shape_of(m, &kind.input), "{what}");
    let rows = host::<Flex>(x).expect("reads");
    let matrix: Matrix = (0..m)
        .map(|o| (0..n).map(|i| columns[i * m + o]).collect())
        .collect();
    let transposed: Matrix = rows.chunks(n.max(1)).map(<[f64]>::to_vec).collect();
    same(&format!("{what}, adjoint"), &transposed, &matrix, 1e-13);
    matrix
}

fn same(what: &str, found: &Matrix, expected: &Matrix, limit: f64) {
    assert_eq!(found.len(), expected.len(), "{what}: rows");
    for (o, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!(found.len(), expected.len(), "{what}: columns");
        for (i, (a, b)) in found.iter().zip(expected).enumerate() {
            // Negated so that NaN fails.
            assert!(
                (a - b).abs() <= limit,
                "{what}: entry ({o}, {i}) is {a}, expected {b}"
            );
        }
    }
}

fn by_entry(matrix: &Matrix, f: impl Fn(f64) -> f64) -> Matrix {
    let rows = matrix.iter();
    rows.map(|row| row.iter().map(|&w| f(w)).collect())
        .collect()
}

/// diag(g) A.
fn scaled(matrix: &Matrix, g: &[f64]) -> Matrix {
    let rows = matrix.iter().zip(g);
    rows.map(|(row, g)| row.iter().map(|w| g * w).collect())
        .collect()
}

/// Entry i of row i, every other entry being 0.
fn diagonal(what: &str, matrix: &Matrix) -> Vec<f64> {
    let entries = matrix.iter().enumerate().map(|(o, row)| {
        assert_eq!(row.len(), matrix.len(), "{what} is not square");
        for (i, &w) in row.iter().enumerate() {
            assert!(i == o || w == 0.0, "{what}: ({o}, {i}) is {w}");
        }
        row[o]
    });
    entries.collect()
}

/// How many 1s each line has; there may be nothing else but zeros.
fn ones<'a>(what: &str, lines: impl Iterator<Item = Vec<f64>> + 'a) -> Vec<usize> {
    let of = |line: Vec<f64>| {
        assert!(
            line.iter().all(|&w| w == 0.0 || w == 1.0),
            "{what}: {line:?}"
        );
        line.iter().filter(|&&w| w == 1.0).count()
    };
    lines.map(of).collect()
}

fn columns(matrix: &Matrix) -> impl Iterator<Item = Vec<f64>> {
    let n = matrix.first().map_or(0, Vec::len);
    (0..n).map(|i| matrix.iter().map(|row| row[i]).collect())
}

/// A gain for `[k, ..output]` that differs by channel, and its numbers for each output.
fn some_gain(output: &Shape) -> (Coefficient<FloatTensor<Flex>>, Vec<f64>) {
    let mut dims = vec![1; output.num_dims() + 1];
    let axis = if output.num_dims() > 1 { 2 } else { 1 };
    dims[axis] = output[axis - 1];
    let values: Vec<f64> = (0..dims[axis]).map(|i| 0.5 + i as f64 / 3.0).collect();
    let gain = Flex::float_from_data(TensorData::new(values, dims), &FlexDevice);
    let all = Flex::float_expand(gain.clone(), batch::shape_of(1, output));
    (Coefficient::weight(gain), host::<Flex>(all).expect("reads"))
}

/// Holds maps to what their structures say. The names of the kinds and of the maps that were seen are
/// noted.
struct Inspection {
    kinds: BTreeSet<&'static str>,
    maps: BTreeSet<String>,
    /// Whether no weight of the map at hand is 0.
    all_weigh: bool,
}

impl Inspection {
    /// 0: what it says itself; 1: also its parts on boxes, and the forms it has of itself; 2: also that
    /// these are what they say, and its transpose.
    fn inspect(&mut self, what: &str, kind: &Kind<Flex>, depth: usize) {
        let matrix = dense(what, kind);
        self.maps.insert(kind.name());
        let structure = kind.map.structure();
        let word = self.claims(what, kind, &matrix, depth);
        self.kinds.insert(word);
        if let Some(map) = structure.locality() {
            self.fields(what, kind, map, &matrix, depth);
            lie_in_their_places(what, kind, map, &matrix);
        }
        if depth > 1 {
            let transposed = kind.transposed();
            self.inspect(&format!("{what}, transposed"), &transposed, 1);
        }
    }

    /// The word for the kind.
    fn claims(
        &mut self,
        what: &str,
        kind: &Kind<Flex>,
        matrix: &Matrix,
        depth: usize,
    ) -> &'static str {
        let n = kind.input.num_elements();
        let unit = by_entry(matrix, |_| 0.0);
        let rows = || matrix.iter().cloned();
        match kind.map.structure() {
            Structure::General => panic!("{what} says nothing of itself"),
            Structure::Zero(_) => {
                same(what, matrix, &unit, 0.0);
                "zero"
            }
            Structure::Identity(_) => {
                assert!(diagonal(what, matrix).iter().all(|&w| w == 1.0), "{what}");
                "identity"
            }
            Structure::Multiple(c, _) => {
                assert!(diagonal(what, matrix).iter().all(|&w| w == c), "{what}");
                "multiple"
            }
            Structure::Diagonal(map) => {
                let g =
                    Flex::float_expand(map.gain().into_value(), batch::shape_of(1, &kind.output));
                let g = host::<Flex>(g).expect("reads");
                for (w, g) in diagonal(what, matrix).iter().zip(g) {
                    assert!((w - g).abs() < 1e-14 * g.abs().max(1.0), "{what}: {w}, {g}");
                }
                let (gain, numbers) = some_gain(&kind.output);
                let joined = Kind::of(map.then_gain(&gain), &kind.input, &kind.output);
                let expected = scaled(matrix, &numbers);
                same(what, &dense(what, &joined), &expected, 1e-13);
                "diagonal"
            }
            Structure::SlopeMask(map) => {
                let slopes = diagonal(what, matrix);
                if let Some(Chosen::Sides { bits, units }) = map.chosen().expect("reads") {
                    assert_eq!(units, n, "{what}");
                    let right: Vec<f64> = (0..n)
                        .filter(|i| bits[i / 8] >> (i % 8) & 1 == 1)
                        .map(|i| slopes[i])
                        .collect();
                    assert!(right.iter().all(|s| *s == right[0]), "{what}: {right:?}");
                }
                self.choices(what, kind, map, matrix, depth);
                "slope mask"
            }
            Structure::Mask(map) => {
                let passed = diagonal(what, matrix);
                assert!(passed.iter().all(|&w| w == 0.0 || w == 1.0), "{what}");
                if let Some(Chosen::Sides { bits, units }) = map.chosen().expect("reads")
                    && units == n
                {
                    for (i, &w) in passed.iter().enumerate() {
                        let taken = bits[i / 8] >> (i % 8) & 1;
                        assert_eq!(w, f64::from(1 - taken), "{what}: unit {i}");
                    }
                }
                self.choices(what, kind, map, matrix, depth);
                "mask"
            }
            Structure::Reshape(_) => {
                assert!(diagonal(what, matrix).iter().all(|&w| w == 1.0), "{what}");
                "reshape"
            }
            Structure::View(_) => {
                assert!(ones(what, rows()).iter().all(|&count| count == 1), "{what}");
                "view"
            }
            Structure::Selection(map) => {
                assert!(ones(what, rows()).iter().all(|&count| count == 1), "{what}");
                if let Some(Chosen::Places(places)) = map.chosen().expect("reads")
                    && places.len() == matrix.len()
                {
                    for (row, place) in matrix.iter().zip(places) {
                        assert_eq!(row[place as usize], 1.0, "{what}");
                    }
                }
                self.choices(what, kind, map, matrix, depth);
                "selection"
            }
            Structure::Placement(_) => {
                assert!(ones(what, rows()).iter().all(|&count| count <= 1), "{what}");
                let down = ones(what, columns(matrix));
                assert!(down.iter().all(|&count| count <= 1), "{what}");
                "placement"
            }
            Structure::Spread(map) => {
                let down = ones(what, columns(matrix));
                assert!(down.iter().all(|&count| count == 1), "{what}");
                self.choices(what, kind, map, matrix, depth);
                "spread"
            }
            Structure::NonNegative(_) => {
                assert!(matrix.iter().flatten().all(|&w| w >= 0.0), "{what}");
                assert!(matrix.iter().flatten().any(|&w| w > 0.0), "{what}");
                "non-negative"
            }
            Structure::Interpolation(map) => {
                for row in matrix {
                    let sum: f64 = row.iter().sum();
                    assert!((sum - 1.0).abs() < 1e-12, "{what}: a row's sum is {sum}");
                }
                self.weights(what, kind, map, matrix, depth);
                "interpolation"
            }
            Structure::Weighted(map) => {
                self.weights(what, kind, map, matrix, depth);
                "weighted"
            }
        }
    }

    fn choices(
        &mut self,
        what: &str,
        kind: &Kind<Flex>,
        map: &dyn Choice<Flex>,
        matrix: &Matrix,
        depth: usize,
    ) {
        let decided = map.stored().decisions.coefficients > 0;
        let chosen = map.chosen().expect("reads");
        assert_eq!(chosen.is_some(), decided, "{what}: chosen by x₀ or not");
        let Some(packed) = map.packed().expect("reads") else {
            return;
        };
        let what = format!("{what}, packed");
        let packed = Kind::of(packed, &kind.input, &kind.output);
        same(&what, &dense(&what, &packed), matrix, 0.0);
        let choice = packed.map.structure().choice().expect("still a choice");
        assert_eq!(choice.chosen().expect("reads"), chosen, "{what}");
        assert!(choice.packed().expect("reads").is_none(), "{what} twice");
        // The table of left slopes aside, which a tensor this small does not pay for.
        let stored = choice.stored().decisions;
        if chosen.is_some_and(|chosen| chosen.units() == stored.coefficients && stored.bytes > 1) {
            let before = map.stored().decisions.bytes;
            assert!(stored.bytes < before, "{what}: {stored:?} of {before}");
        }
        choice.keep_expanded(true);
        for _ in 0..2 {
            same(&what, &dense(&what, &packed), matrix, 0.0);
        }
        if depth > 0 {
            self.inspect(&what, &packed, depth - 1);
        }
    }

    fn weights(
        &mut self,
        what: &str,
        kind: &Kind<Flex>,
        map: &dyn Weighted<Flex>,
        matrix: &Matrix,
        depth: usize,
    ) {
        for transform in Transform::ALL {
            let what = format!("{what}, {transform:?}");
            let made = Kind::of(map.with_weights(transform), &kind.input, &kind.output);
            let found = dense(&what, &made);
            let entry = |w: f64, found: f64| match transform {
                Transform::Absolute => w.abs(),
                Transform::Positive => w.max(0.0),
                Transform::Negative => w.min(0.0),
                Transform::Squared => w * w,
                // A 0 may be a weight, or no weight at all.
                Transform::Ones if !self.all_weigh && w == 0.0 && found == 1.0 => 1.0,
                Transform::Ones => f64::from(u8::from(w.abs() > 1e-14)),
            };
            let rows = matrix.iter().zip(&found);
            let expected: Matrix = rows
                .map(|(row, found)| row.iter().zip(found).map(|(w, f)| entry(*w, *f)).collect())
                .collect();
            same(&what, &found, &expected, 1e-13);
            if depth > 1 {
                self.all_weigh = false;
                self.inspect(&what, &made, 0);
                self.all_weigh = true;
            }
        }
        let (gain, numbers) = some_gain(&kind.output);
        if let Some(joined) = map.then_gain(&gain) {
            let what = format!("{what}, then a gain");
            let joined = Kind::of(joined, &kind.input, &kind.output);
            same(
                &what,
                &dense(&what, &joined),
                &scaled(matrix, &numbers),
                1e-13,
            );
        }
        if let Some(prepared) = map.prepared() {
            let what = format!("{what}, prepared");
            let prepared = Kind::of(prepared, &kind.input, &kind.output);
            same(&what, &dense(&what, &prepared), matrix, 1e-13);
            if depth > 0 {
                self.inspect(&what, &prepared, depth - 1);
            }
        }
    }

    /// Boxes hold what is not 0, and restricted maps are parts of the matrix.
    fn fields(
        &mut self,
        what: &str,
        kind: &Kind<Flex>,
        map: &dyn Locality<Flex>,
        matrix: &Matrix,
        depth: usize,
    ) {
        let boxes = |shape: &Shape| -> [Region; 3] {
            let part = |first: fn(usize) -> usize, last: fn(usize) -> usize| {
                Region(shape.iter().map(|&n| first(n)..last(n)).collect())
            };
            [
                part(|_| 0, |n| n),
                part(|n| n / 3, |n| n / 3 + 1),
                part(|n| n / 2, |n| n),
            ]
        };
        let (inputs, outputs) = (places(&kind.input), places(&kind.output));
        let inside = |region: &Region, place: &[usize]| {
            let axes = region.0.iter().zip(place);
            axes.into_iter().all(|(range, at)| range.contains(at))
        };
        for from in &boxes(&kind.input) {
            let reached = map.reach(&kind.input, &kind.output, from);
            for (row, o) in matrix.iter().zip(&outputs) {
                let read = row.iter().zip(&inputs);
                let reads = read.into_iter().any(|(&w, i)| w != 0.0 && inside(from, i));
                assert!(!reads || inside(&reached, o), "{what}: reach of {from:?}");
            }
            for to in &boxes(&kind.output) {
                let field = map.field(&kind.input, &kind.output, to);
                for (row, o) in matrix.iter().zip(&outputs) {
                    for (&w, i) in row.iter().zip(&inputs) {
                        let needed = w != 0.0 && inside(to, o);
                        assert!(!needed || inside(&field, i), "{what}: field of {to:?}");
                    }
                }
                let cut = Cut {
                    input: &kind.input,
                    output: &kind.output,
                    from,
                    to,
                };
                let Some(part) = map.restrict(&cut).filter(|_| depth > 0) else {
                    continue;
                };
                if part.from.is_empty() || part.to.is_empty() {
                    continue;
                }
                let what = format!("{what}, from {from:?} to {to:?}");
                let small = Kind::of(part.map, &part.from.shape(), &part.to.shape());
                let found = dense(&what, &small);
                let index = |region: &Region, place: &[usize]| {
                    let axes = region.0.iter().zip(place);
                    axes.fold(0, |flat, (range, at)| flat * range.len() + at - range.start)
                };
                for (row, o) in matrix.iter().zip(&outputs) {
                    for (&w, i) in row.iter().zip(&inputs) {
                        if !inside(to, o) || !inside(from, i) {
                            continue;
                        }
                        let part_has = inside(&part.to, o) && inside(&part.from, i);
                        let made = match part_has {
                            true => found[index(&part.to, o)][index(&part.from, i)],
                            false => 0.0,
                        };
                        assert!((made - w).abs() < 1e-13, "{what}: {o:?} by {i:?}");
                    }
                }
                if depth > 1 {
                    self.inspect(&what, &small, 0);
                }
            }
        }
    }
}

/// Every index of a tensor, in order.
/// No entry lies outside its place, where the windows of all axes are inside the input: a border shows other cells.
fn lie_in_their_places(what: &str, kind: &Kind<Flex>, map: &dyn Locality<Flex>, matrix: &Matrix) {
    let Some(rules) = map.places(&kind.input, &kind.output) else {
        return;
    };
    assert_eq!(rules.len(), kind.output.num_dims(), "{what}");
    let inputs = places(&kind.input);
    for (at, row) in places(&kind.output).iter().zip(matrix) {
        let windows = rules.iter().zip(at).filter_map(|(rule, &o)| match *rule {
            AxisPlace::Window {
                axis,
                step,
                first,
                last,
            } => {
                let middle = step.value() * o as f64;
                Some((axis, middle + first - 1e-9, middle + last + 1e-9))
            }
            AxisPlace::Any => None,
        });
        let windows: Vec<_> = windows.collect();
        let inside = windows.iter().all(|&(axis, first, last)| {
            first > -1e-6 && last < kind.input[axis] as f64 - 1.0 + 1e-6
        });
        for (from, entry) in inputs.iter().zip(row).filter(|(_, entry)| **entry != 0.0) {
            let held = windows
                .iter()
                .all(|&(axis, first, last)| (first..=last).contains(&(from[axis] as f64)));
            assert!(
                held || !inside,
                "{what}: {entry} at {at:?}, {from:?}: {rules:?}"
            );
        }
    }
}

fn places(shape: &Shape) -> Vec<Vec<usize>> {
    let mut places = vec![vec![]];
    for &size in shape.iter() {
        let longer = |place: Vec<usize>| (0..size).map(move |i| [&place[..], &[i]].concat());
        places = places.into_iter().flat_map(longer).collect();
    }
    places
}

/// A claim that a map makes of itself and that is not true of its matrix fails here, and so does a map
/// that is not among the kinds.
#[test]
fn every_map_is_what_it_says() {
    let mut inspection = Inspection {
        kinds: BTreeSet::new(),
        maps: BTreeSet::new(),
        all_weigh: true,
    };
    for origin in [Origin::Weight, Origin::Decision] {
        for kind in every_kind::<Flex>(&FlexDevice, origin) {
            let what = format!("{} of {:?}", kind.name(), kind.input.to_vec());
            inspection.inspect(&what, &kind, 2);
            let stored = kind.map.structure().stored().expect("it is known");
            let (with, without) = match origin {
                Origin::Weight => (stored.weights, stored.decisions),
                Origin::Decision => (stored.decisions, stored.weights),
            };
            let fixed = matches!(kind.map.structure(), Structure::Interpolation(_));
            assert!(fixed || without == Amount::default(), "{what}: {stored:?}");
            assert_eq!(with.bytes > 0, with.coefficients > 0, "{what}");
            // What an adjoint stores is what the map does.
            let transposed = kind.transposed();
            assert_eq!(transposed.map.structure().stored(), Some(stored), "{what}");
        }
    }
    assert_eq!(inspection.kinds.len(), 14, "{:?}", inspection.kinds);
    let unseen: Vec<_> = written()
        .into_iter()
        .filter(|map| !inspection.maps.contains(map))
        .collect();
    assert!(unseen.is_empty(), "no such map is built here: {unseen:?}");
}

/// The names of all types that are a `LinearMap`, from the source.
fn written() -> BTreeSet<String> {
    fn files(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).expect("the source") {
            let path = entry.expect("a file").path();
            if path.is_dir() {
                if !path.ends_with("tests") {
                    files(&path, found);
                }
            } else {
                found.push(std::fs::read_to_string(path).expect("text"));
            }
        }
    }
    let mut texts = Vec::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/linear");
    files(&source, &mut texts);
    let word = |text: &str| -> String {
        let text = text.trim_start();
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
        text[..end.unwrap_or(text.len())].to_string()
    };
    let mut names = BTreeSet::new();
    for text in &texts {
        for piece in text.split("LinearMap<B> for ").skip(1) {
            names.insert(word(piece));
        }
        // Macros that make maps are called with the map's name first.
        for piece in text.split("macro_rules! ").skip(1) {
            let body = piece.split("\n}\n").next().expect("a macro");
            if body.contains("LinearMap<B> for $name") {
                let call = format!("\n{}!(", word(piece));
                names.extend(text.split(&call).skip(1).map(word));
            }
        }
    }
    names.remove("");
    assert!(names.len() > 50, "{names:?}");
    names
}

/// Where a map says that its adjoint can be differentiated, the gradient of |Aᵀ y|² is 2 A Aᵀ y; where
/// it says that it cannot, Burn stops.
#[test]
fn adjoints_have_the_gradients_they_say() {
    let device = burn::tensor::Device::flex().autodiff();
    let taped = every_kind::<Dispatch>(device.as_dispatch(), Origin::Decision);
    let plain = every_kind::<Flex>(&FlexDevice, Origin::Decision);
    assert_eq!(taped.len(), plain.len());
    for (taped, plain) in taped.iter().zip(&plain) {
        let what = taped.name();
        let matrix = dense(&what, plain);
        for (taped, matrix) in [
            (taped, matrix.clone()),
            (&taped.transposed(), columns(&matrix).collect()),
        ] {
            gradient_is_as_said(&what, taped, &matrix, device.as_dispatch());
        }
    }
}

fn gradient_is_as_said(
    what: &str,
    kind: &Kind<Dispatch>,
    matrix: &Matrix,
    device: &Device<Dispatch>,
) {
    let y: Vec<f64> = (0..matrix.len())
        .map(|o| ((o * 7) % 5) as f64 / 2.0 - 0.8)
        .collect();
    let data = TensorData::new(y.clone(), [y.len()]);
    let leaf = Tensor::<1>::from_dispatch(Dispatch::float_from_data(data, device)).require_grad();
    let seed = Dispatch::float_reshape(
        leaf.clone().into_dispatch(),
        batch::shape_of(1, &kind.output),
    );
    // A cast's cotangents come in the dtype it casts to.
    let probe = Dispatch::float_zeros(
        batch::shape_of(1, &kind.input),
        device,
        burn_backend::FloatDType::F64,
    );
    let dtype = catch_unwind(AssertUnwindSafe(|| kind.map.apply(probe).dtype()));
    let seed = match dtype {
        Ok(dtype) if dtype != seed.dtype() => Dispatch::float_cast(seed, dtype.into()),
        _ => seed,
    };
    let said = kind.map.structure().adjoint_has_gradient();
    let made = catch_unwind(AssertUnwindSafe(|| kind.map.adjoint(seed)));
    assert_eq!(said, Some(made.is_ok()), "{what}");
    let Ok(x) = made else {
        return;
    };
    let n = kind.input.num_elements();
    let x = Tensor::<1>::from_dispatch(Dispatch::float_reshape(x, vec![n].into()));
    // Without the second term a map that passes nothing would leave nothing to differentiate.
    let x = x.cast(burn_backend::FloatDType::F64);
    let loss = x.powi_scalar(2).sum() + leaf.clone().sum() * 0.0;
    let gradients = loss.backward();
    let found = match leaf.grad(&gradients) {
        Some(gradient) => {
            let data = gradient.into_data().convert_dtype(DType::F64);
            data.try_to_vec::<f64>().expect("floats")
        }
        None => vec![0.0; y.len()],
    };
    if matches!(kind.map.structure(), Structure::Identity(_)) && found.iter().all(|g| *g == 0.0) {
        // That is what detaching means.
        return;
    }
    let x: Vec<f64> = columns(matrix)
        .map(|column| column.iter().zip(&y).map(|(w, y)| w * y).sum())
        .collect();
    for ((row, found), o) in matrix.iter().zip(found).zip(0..) {
        let expected: f64 = row.iter().zip(&x).map(|(w, x)| 2.0 * w * x).sum();
        let close = (found - expected).abs() <= 1e-6 * expected.abs().max(1.0);
        assert!(close, "{what}: output {o} has {found}, expected {expected}");
    }
}

/// A choice is packed for a program unless the device keeps a tape.
#[test]
fn programs_keep_choices_small() {
    let names = |recorded: &dyn Fn() -> Vec<String>| -> BTreeSet<String> {
        recorded()
            .into_iter()
            .filter(|name| name.starts_with("Packed"))
            .collect()
    };
    let plain = || {
        let kinds = every_kind::<Flex>(&FlexDevice, Origin::Decision).into_iter();
        kinds
            .map(|kind| recorded_form(kind.map, &FlexDevice).expect("packs"))
            .map(|map| name_of(&map))
            .collect()
    };
    let packed = ["PackedMask", "PackedSlopeMask", "PackedSwitches"];
    assert_eq!(names(&plain), packed.map(String::from).into());
    let device = burn::tensor::Device::flex().autodiff();
    let device = device.as_dispatch();
    let taped = || {
        let kinds = every_kind::<Dispatch>(device, Origin::Decision).into_iter();
        kinds
            .map(|kind| recorded_form(kind.map, device).expect("packs"))
            .map(|map| name_of(&map))
            .collect()
    };
    assert_eq!(names(&taped), BTreeSet::new());
}

/// A map behind a pointer says what the map says.
#[test]
fn pointers_hide_nothing() {
    for kind in every_kind::<Flex>(&FlexDevice, Origin::Decision) {
        let name = kind.map.name();
        let behind: Box<dyn LinearMap<Flex>> = Box::new(kind.map.clone());
        assert_eq!(behind.name(), name);
        let (a, b) = (behind.structure(), kind.map.structure());
        assert_eq!(std::mem::discriminant(&a), std::mem::discriminant(&b));
        assert_eq!(a.stored(), b.stored());
    }
    let gain = Flex::float_from_data(TensorData::new(vec![2.0f64, 3.0], [2]), &FlexDevice);
    let map: Arc<dyn LinearMap<Flex>> = Arc::new(super::gain::<Flex>(gain));
    assert!(matches!(map.structure(), Structure::Diagonal(_)));
    let map = super::multiple::<Flex>(0.5);
    assert!(matches!(map.structure(), Structure::Multiple(c, _) if c == 0.5));
}

fn bits(x: &FloatTensor<Flex>) -> Vec<u64> {
    let numbers = host::<Flex>(x.clone()).expect("reads");
    numbers.into_iter().map(f64::to_bits).collect()
}

/// k probes of either sign.
fn some_probes(k: usize, shape: &Shape) -> FloatTensor<Flex> {
    let shape = batch::shape_of(k, shape);
    let numbers: Vec<f64> = (0..shape.num_elements())
        .map(|i| ((i * 7919) % 1013) as f64 / 506.0 - 1.0)
        .collect();
    Flex::float_from_data(TensorData::new(numbers, shape), &FlexDevice)
}

/// A box of each of k probes.
fn part(x: &FloatTensor<Flex>, region: &Region) -> FloatTensor<Flex> {
    let mut ranges = vec![burn_backend::Slice::from(0..x.shape()[0])];
    ranges.extend(
        region
            .0
            .iter()
            .map(|r| burn_backend::Slice::from(r.clone())),
    );
    Flex::float_slice(x.clone(), &ranges)
}

/// The same with zeros around.
fn alone(x: &FloatTensor<Flex>, region: &Region) -> FloatTensor<Flex> {
    let zeros = Flex::float_zeros(x.shape(), &FlexDevice, x.dtype().into());
    let mut ranges = vec![burn_backend::Slice::from(0..x.shape()[0])];
    ranges.extend(
        region
            .0
            .iter()
            .map(|r| burn_backend::Slice::from(r.clone())),
    );
    Flex::float_slice_assign(zeros, &ranges, part(x, region))
}

fn within(region: &Region, of: &Region) -> Region {
    let ranges = region.0.iter().zip(&of.0);
    let ranges = ranges.map(|(r, of)| r.start - of.start..r.end - of.start);
    Region(ranges.collect())
}

/// What becomes of a probe depends on nothing but it: not on its batch mates, nor on whether all or a box of
/// the map is applied.
#[test]
fn every_map_makes_the_same_bits_in_any_batch_and_on_any_box() {
    let prepared = |map: &Arc<dyn LinearMap<Flex>>| {
        let prepared = map.structure().prepared();
        prepared.unwrap_or_else(|| map.clone())
    };
    let mut other = Vec::new();
    let mut hold = |made: &FloatTensor<Flex>, expected: &FloatTensor<Flex>, what: String| {
        if bits(made) != bits(expected) {
            other.push(what);
        }
    };
    for kind in every_kind::<Flex>(&FlexDevice, Origin::Weight) {
        let map = prepared(&kind.map);
        let what = kind.name();
        let x = some_probes(9, &kind.input);
        let y = map.apply(x.clone());
        let q = some_probes(9, &kind.output);
        let q = Flex::float_cast(q, y.dtype().into());
        let z = map.adjoint(q.clone());
        let row = |x: &FloatTensor<Flex>, row: usize, of: usize| {
            let mut ranges: Vec<_> = x.shape().iter().map(|&n| (0..n).into()).collect();
            ranges[0] = (row..row + of).into();
            Flex::float_slice(x.clone(), &ranges)
        };
        for (first, count) in [(0, 1), (8, 1), (3, 2), (1, 5)] {
            let one = map.apply(row(&x, first, count));
            hold(
                &one,
                &row(&y, first, count),
                format!("{what}: {count} of 9"),
            );
            let one = map.adjoint(row(&q, first, count));
            hold(
                &one,
                &row(&z, first, count),
                format!("{what}, adjoint: {count} of 9"),
            );
        }
        // The form of other devices, whose parts are of the kernel that suits their size.
        let elsewhere = ["ConvolutionKernels", "ConvolutionPhases"].contains(&&what[..]);
        let Some(local) = map.structure().locality().filter(|_| !elsewhere) else {
            continue;
        };
        let boxes = |shape: &Shape| {
            let at = |place: fn(usize) -> std::ops::Range<usize>| {
                Region(shape.iter().map(|&n| place(n)).collect())
            };
            [at(|_| 0..1), at(|n| n / 2..n), at(|n| n / 3..n - n / 4)]
        };
        let mut cuts = Vec::new();
        for from in boxes(&kind.input).into_iter().filter(|b| !b.is_empty()) {
            let to = local.reach(&kind.input, &kind.output, &from);
            cuts.push((from, to));
        }
        for to in boxes(&kind.output).into_iter().filter(|b| !b.is_empty()) {
            let from = local.field(&kind.input, &kind.output, &to);
            cuts.push((from, to));
        }
        for (from, to) in cuts {
            let cut = Cut {
                input: &kind.input,
                output: &kind.output,
                from: &from,
                to: &to,
            };
            let Some(restricted) = local.restrict(&cut) else {
                continue;
            };
            let x = alone(&x, &from);
            let common = restricted.to.intersection(&to);
            let made = restricted.map.apply(part(&x, &restricted.from));
            let expected = part(&map.apply(x), &common);
            let made = part(&made, &within(&common, &restricted.to));
            hold(&made, &expected, format!("{what}: {from:?} to {to:?}"));
            let q = alone(&q, &to);
            let common = restricted.from.intersection(&from);
            let made = restricted.map.adjoint(part(&q, &restricted.to));
            let expected = part(&map.adjoint(q), &common);
            let made = part(&made, &within(&common, &restricted.from));
            hold(&made, &expected, format!("{what}: {to:?} to {from:?}"));
        }
    }
    assert!(other.is_empty(), "{}", other.join("\n"));
}

/// Kernels of our own look at the interrupt: stopped, they leave everything zero; not stopped, they make the
/// same bits as ever. Every other map answers in full, in the same shape.
#[test]
fn kernels_give_up_when_they_are_stopped() {
    let (on, stopped) = (Interrupt::new(), Interrupt::new());
    stopped.stop();
    let mut given_up = BTreeSet::new();
    let mut hold = |map: &Arc<dyn LinearMap<Flex>>, x: FloatTensor<Flex>, back: bool| {
        let asked = |interrupt: &Interrupt| match back {
            false => map.apply_until(x.clone(), interrupt),
            true => map.adjoint_until(x.clone(), interrupt),
        };
        let plain = match back {
            false => map.apply(x.clone()),
            true => map.adjoint(x.clone()),
        };
        let name = name_of(map);
        assert_eq!(bits(&asked(&on)), bits(&plain), "{name}");
        let cut = asked(&stopped);
        assert_eq!(cut.shape(), plain.shape(), "{name}");
        if bits(&cut) != bits(&plain) {
            assert!(bits(&cut).iter().all(|&bits| bits == 0), "{name}");
            given_up.insert(format!("{name}{}", if back { ", adjoint" } else { "" }));
        }
    };
    for kind in every_kind::<Flex>(&FlexDevice, Origin::Weight) {
        let prepared = kind.map.structure().prepared();
        let boxed: Arc<dyn LinearMap<Flex>> = Arc::new(prepared.unwrap_or(kind.map.clone()));
        let turned: Arc<dyn LinearMap<Flex>> = Arc::new(Transpose(boxed.clone()));
        let x = some_probes(1, &kind.input);
        let q = Flex::float_cast(
            some_probes(1, &kind.output),
            boxed.apply(x.clone()).dtype().into(),
        );
        hold(&boxed, x.clone(), false);
        hold(&boxed, q.clone(), true);
        hold(&turned, q, false);
        hold(&turned, x, true);
    }
    let kernels = [
        "Flat",
        "Interpolate",
        "MatmulLeft",
        "MatmulRight",
        "OnHost",
        "Transpose",
    ];
    let both = kernels.map(|name| [name.to_string(), format!("{name}, adjoint")]);
    assert_eq!(given_up, both.into_iter().flatten().collect());
}
