//! Against arrays that torchvision made (`golden/make.py`), of pictures made by the same formula.

use image::{DynamicImage, GrayImage, RgbImage};
use linearscope_preprocess::{Interpolation, Preprocess, Recipe, Size};

const BILINEAR: Interpolation = Interpolation::Bilinear;
const BICUBIC: Interpolation = Interpolation::Bicubic;

/// Name, channels, (h, w), resize, crop, interpolation, as in `make.py`.
type Case = (
    &'static str,
    u8,
    (u32, u32),
    Option<Size>,
    Option<Size>,
    Interpolation,
);

const fn side(side: u32) -> Option<Size> {
    Some(Size::Side(side))
}

const fn exact(h: u32, w: u32) -> Option<Size> {
    Some(Size::Exact { h, w })
}

const CASES: [Case; 18] = [
    ("landscape_down", 3, (47, 61), side(32), side(27), BILINEAR),
    ("portrait_down", 3, (83, 45), side(30), side(24), BILINEAR),
    ("tall_down", 3, (120, 41), side(20), exact(25, 20), BILINEAR),
    (
        "portrait_up",
        3,
        (23, 19),
        side(40),
        exact(33, 37),
        BILINEAR,
    ),
    ("grey_down", 1, (37, 50), side(25), side(22), BILINEAR),
    ("grey_up", 1, (9, 14), side(31), exact(30, 28), BILINEAR),
    (
        "exact_up_and_down",
        3,
        (41, 33),
        exact(20, 50),
        None,
        BILINEAR,
    ),
    (
        "exact_rows_kept",
        3,
        (41, 33),
        exact(41, 20),
        exact(38, 17),
        BILINEAR,
    ),
    (
        "exact_columns_kept",
        3,
        (41, 33),
        exact(55, 33),
        None,
        BILINEAR,
    ),
    (
        "shorter_side_kept",
        3,
        (41, 33),
        side(33),
        side(30),
        BILINEAR,
    ),
    ("far_down", 3, (150, 200), side(11), None, BILINEAR),
    ("one_row", 3, (1, 3), exact(5, 7), None, BILINEAR),
    ("panorama", 1, (20, 171), side(13), exact(13, 100), BILINEAR),
    ("crop_alone", 3, (28, 35), None, exact(23, 24), BILINEAR),
    ("imagenet", 3, (375, 500), side(256), side(224), BILINEAR),
    ("bicubic_down", 3, (47, 61), side(32), side(27), BICUBIC),
    ("bicubic_up", 3, (23, 19), side(40), exact(33, 37), BICUBIC),
    ("bicubic_grey", 1, (37, 50), exact(60, 21), None, BICUBIC),
];

/// Ramps that wrap around (edges from 255 to 0), fine texture, and channels that differ.
fn picture(channels: u8, (h, w): (u32, u32)) -> DynamicImage {
    let level = |x: u32, y: u32, c: u32| {
        (x * (5 + 2 * c) + y * (3 + c) + (((x * 7) ^ (y * 13)) & 63) + 50 * c) as u8
    };
    match channels {
        1 => GrayImage::from_fn(w, h, |x, y| [level(x, y, 0)].into()).into(),
        _ => RgbImage::from_fn(w, h, |x, y| [0, 1, 2].map(|c| level(x, y, c)).into()).into(),
    }
}

fn recipe(case: &Case) -> Recipe {
    let mut recipe = Recipe::default().with_interpolation(case.5);
    (recipe.resize, recipe.crop) = (case.3, case.4);
    recipe
}

fn whole(recipe: &Recipe, case: &Case) -> Preprocess {
    recipe.for_channels(case.1.into()).expect("a recipe")
}

fn golden(name: &str) -> npyz::NpyFile<&'static [u8]> {
    let path = format!("{}/tests/golden/{name}.npy", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&path).expect(&path);
    npyz::NpyFile::new(&*bytes.leak()).expect("an array")
}

#[test]
fn pixels_equal_torchvisions() {
    for case in &CASES {
        let made = whole(&recipe(case), case).cut(&picture(case.1, case.2));
        let made = made.expect("fits");
        let expected = golden(case.0);
        let size = [u64::from(made.height()), u64::from(made.width())];
        assert_eq!(expected.shape()[..2], size, "{}", case.0);
        let expected = expected.into_vec::<u8>().expect("bytes");
        let differ = made
            .as_bytes()
            .iter()
            .zip(&expected)
            .filter(|(a, b)| a != b);
        assert_eq!(made.as_bytes().len(), expected.len(), "{}", case.0);
        assert_eq!(
            differ.count(),
            0,
            "{}: of {} levels",
            case.0,
            expected.len()
        );
    }
}

/// torchvision rounds to f32 at each step, we once: p/255, its mean and the difference are each off by half a unit in the
/// last place of numbers up to 1, 2⁻²⁵, and the quotient by std and half a unit of numbers up to 4.
#[test]
fn numbers_equal_torchvisions_to_its_rounding() {
    let imagenet = Recipe::imagenet();
    let grey = Recipe::default().with_mean([0.1307]).with_std([0.3081]);
    for (name, like) in [("landscape_down", imagenet), ("grey_down", grey)] {
        let case = CASES.iter().find(|case| case.0 == name).expect("a case");
        let mut recipe = recipe(case);
        (recipe.mean, recipe.std) = (like.mean, like.std);
        let preprocess = whole(&recipe, case);
        let made = preprocess.apply(&picture(case.1, case.2)).expect("fits");
        let expected = golden(&format!("{name}_normalised"));
        assert_eq!(expected.shape(), made.shape.map(|d| d as u64));
        let expected = expected.into_vec::<f32>().expect("f32");
        let least = preprocess.std().iter().copied().fold(1.0, f64::min);
        let ulp = f64::from(f32::EPSILON);
        let bound = 3.0 * ulp / 4.0 / least + ulp;
        let made = made.to_f32();
        let off = made
            .iter()
            .zip(&expected)
            .map(|(a, b)| f64::from((a - b).abs()))
            .fold(0.0, f64::max);
        println!("{name}: {off:.1e} of {bound:.1e} allowed");
        assert!(off <= bound, "{name}: {off:.2e}, more than {bound:.2e}");
    }
}
