//! Recipes are read strictly, and pictures that do not fit are refused by name.

use std::fs;

use image::{DynamicImage, RgbImage, RgbaImage};
use linearscope_preprocess::{
    Background, Channels, Error, Interpolation, Profiles, Recipe, Size, open, read_labels,
};

#[test]
fn every_key_is_read() {
    let text = "range = 255\nmean = [-1, 0.5, 2]\nstd = [0.5]\nchannels = \"bgr\"\nresize = \"300x200\"\ncrop = 180\n\
                interpolation = \"bicubic\"\nbackground = \"#102030\"\nprofiles = \"convert\"\noutput_range = [-1, 1]\nlabels = \"names.txt\"\n";
    let expected = Recipe::default()
        .with_range(255.0)
        .with_mean([-1.0, 0.5, 2.0])
        .with_std([0.5])
        .with_channels(Channels::Bgr)
        .with_resize((300, 200))
        .with_crop(180)
        .with_interpolation(Interpolation::Bicubic)
        .with_background(Background::Colour([16, 32, 48]))
        .with_profiles(Profiles::Convert)
        .with_output_range(-1.0, 1.0)
        .with_labels("names.txt");
    assert_eq!(Recipe::from_toml(text).expect("reads"), expected);
    assert_eq!(Recipe::from_toml("").expect("reads"), Recipe::default());
    // Any serde format holds it; sizes as text.
    let json = serde_json::to_value(&expected).expect("plain data");
    assert_eq!(json["resize"], "300x200");
    assert_eq!(
        serde_json::from_value::<Recipe>(json).expect("reads"),
        expected
    );
}

/// Each slip is an error that names file and key, and what to do.
#[test]
fn slips_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("net.toml");
    for (text, key, problem) in [
        ("colour = 3", "colour", "unknown field"),
        ("range = \"white\"", "range", "invalid type"),
        ("range = 0", "range", "greater than 0"),
        ("range = nan", "range", "NaN"),
        ("mean = []", "mean", "no numbers"),
        ("mean = [0.5, inf]", "mean", "finite"),
        ("mean = [\n  0.5,\n  true,\n]", "mean", "invalid type"),
        ("mean = 0.5", "mean", "invalid type"),
        ("std = [0.2, 0.0, 0.2]", "std", "zero"),
        ("std = [nan]", "std", "finite"),
        ("std = []", "std", "no numbers"),
        ("channels = \"cmyk\"", "channels", "cmyk"),
        ("resize = -3", "resize", "-3 is not a size"),
        ("resize = 0", "resize", "0 is not a size"),
        ("resize = 2.5", "resize", "224"),
        ("crop = \"3x\"", "crop", "3x is not a size"),
        ("interpolation = \"nearest\"", "interpolation", "nearest"),
        ("profiles = \"keep\"", "profiles", "unknown variant"),
        ("background = \"whit\"", "background", "#rrggbb"),
        (
            "resize = 32\ncrop = 33",
            "crop",
            "33 is larger than resize 32",
        ),
        (
            "resize = \"40x30\"\ncrop = 32",
            "crop",
            "32 is larger than resize 40x30",
        ),
        ("output_range = [1, 1]", "output_range", "black and white"),
        ("output_range = [1]", "output_range", "invalid length"),
        ("labels = 3", "labels", "invalid type"),
    ] {
        fs::write(&path, text).expect("writes");
        let error = Recipe::read(&path).expect_err(text);
        assert!(error.hint().is_some(), "{text}");
        let said = error.to_string();
        let begins = format!("{}: {key}: ", path.display());
        assert!(
            said.starts_with(&begins) && said.contains(problem),
            "{text}: {said}"
        );
    }
    fs::write(&path, "range = 1\nmean = [0.5\n").expect("writes");
    let error = Recipe::read(&path).expect_err("not TOML");
    assert!(matches!(error, Error::Syntax { .. }), "{error:?}");
    assert!(
        error.to_string().contains("net.toml: not TOML: line "),
        "{error}"
    );
    // A longer side may be as long as it likes.
    Recipe::from_toml("resize = 32\ncrop = \"32x99\"").expect("fits wide pictures");
}

/// Only a file that does not exist is none.
#[test]
fn unreadable_is_not_absent() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = folder.path().join("net.onnx");
    assert_eq!(Recipe::beside(&model).expect("none"), None);
    let path = Recipe::path_beside(&model);
    fs::write(&path, [b'#', 0xff, b'\n']).expect("writes");
    let error = Recipe::beside(&model).expect_err("not UTF-8");
    assert!(
        error.to_string().contains("net.toml: ") && error.hint().is_some(),
        "{error}"
    );
    fs::remove_file(&path).expect("removes");
    fs::create_dir(&path).expect("a folder");
    let error = Recipe::beside(&model).expect_err("a folder");
    assert!(matches!(error, Error::Read { .. }), "{error:?}");
    fs::remove_dir(&path).expect("removes");
    fs::write(&path, "labels = \"../names.txt\"").expect("writes");
    let recipe = Recipe::beside(&model).expect("reads").expect("is there");
    assert_eq!(recipe.labels, Some(folder.path().join("../names.txt")));
    assert!(matches!(
        read_labels(&recipe.labels.expect("a path")),
        Err(Error::Read { .. })
    ));
}

#[test]
fn gaps_are_filled_for_a_network() {
    let grey = Recipe::default().for_channels(1).expect("one channel");
    assert_eq!((grey.channels(), grey.range()), (Channels::Y, 1.0));
    assert_eq!((grey.mean(), grey.std()), (&[0.0][..], &[1.0][..]));
    let colour = Recipe::default()
        .with_std([0.5])
        .for_channels(3)
        .expect("three");
    assert_eq!(
        (colour.channels(), colour.std()),
        (Channels::Rgb, &[0.5; 3][..])
    );
    for (recipe, c, key) in [
        (
            Recipe::default(),
            5,
            "channels: the network takes 5 channels",
        ),
        (
            Recipe::default().with_channels(Channels::Y),
            3,
            "channels: y makes 1, but the network takes 3",
        ),
        (
            Recipe::imagenet(),
            1,
            "mean: has 3 values, but the network takes 1 channel",
        ),
        (Recipe::default().with_crop(0), 3, "crop: 0 is not from 1"),
        (Recipe::default().with_std([0.0]), 3, "std: [0.0] divides"),
    ] {
        let error = recipe.for_channels(c).expect_err(key).to_string();
        assert!(error.starts_with(key), "{error}");
    }
}

#[test]
fn pictures_that_do_not_fit() {
    let picture = |w, h| DynamicImage::from(RgbImage::new(w, h));
    let fails = |recipe: Recipe, picture| {
        let preprocess = recipe.for_channels(3).expect("a recipe");
        preprocess
            .apply(&picture)
            .expect_err("does not fit")
            .to_string()
    };
    let error = fails(Recipe::default().with_crop((20, 30)), picture(29, 40));
    assert_eq!(error, "crop 20x30 does not fit into a picture of 40x29");
    let error = fails(Recipe::default().with_resize(60_000), picture(4, 4));
    assert!(
        error.contains("60000x60000") && error.contains("megapixels"),
        "{error}"
    );
    // Little in the end, but not on the way.
    let error = fails(
        Recipe::default().with_resize((1, 60_000)),
        picture(1, 2_000),
    );
    assert!(
        error.contains("a picture of 2000x1 into 1x60000"),
        "{error}"
    );
    assert!(fails(Recipe::default().with_resize(4), picture(0, 4)).contains("no pixels"));

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.png");
    assert!(matches!(open(&path), Err(Error::Read { .. })));
    fs::write(&path, "not a picture").expect("writes");
    let error = open(&path).expect_err("no picture");
    assert!(
        error.to_string().contains("a.png") && error.hint().is_some(),
        "{error}"
    );
}

#[test]
fn numbers_by_channel_and_back() {
    let levels = [[10, 20, 30, 255], [255, 0, 128, 255]];
    let rgba = RgbaImage::from_fn(2, 1, |x, _| levels[x as usize].into());
    let picture = DynamicImage::from(rgba);
    let of = |recipe: &Recipe, c| recipe.for_channels(c).expect("a recipe");
    let near = |a: &[f64], b: &[f64]| {
        assert_eq!(a.len(), b.len());
        assert!(
            a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12),
            "{a:?} {b:?}"
        );
    };
    let recipe = Recipe::default()
        .with_range(255.0)
        .with_mean([1.0, 2.0, 3.0])
        .with_std([2.0]);
    let rgb = of(&recipe, 3);
    let input = rgb.apply(&picture).expect("fits");
    assert_eq!(input.shape, [3, 1, 2]);
    near(&input.values, &[4.5, 127.0, 9.0, -1.0, 13.5, 62.5]);
    near(
        &rgb.undone(&input.values),
        &[10.0, 255.0, 20.0, 0.0, 30.0, 128.0],
    );
    // 0.4 levels are rounded away, and what is beyond white stays at it.
    let moved: Vec<f64> = input.values.iter().map(|v| v + 0.2).collect();
    near(&rgb.in_eight_bits(&moved), &input.values);
    let bgr = of(&recipe.clone().with_channels(Channels::Bgr), 3);
    near(
        &bgr.apply(&picture).expect("fits").values,
        &[14.5, 63.5, 9.0, -1.0, 3.5, 126.0],
    );
    let y = of(&Recipe::default().with_range(255.0), 1);
    let expected = [2.99 + 11.74 + 3.42, 76.245 + 14.592];
    near(&y.apply(&picture).expect("fits").values, &expected);
    // A grey picture's own level, exactly, and in every channel of a colour network.
    let grey = DynamicImage::from(image::GrayImage::from_fn(256, 1, |x, _| [x as u8].into()));
    let expected: Vec<f64> = (0..256).map(|v| f64::from(v) / 255.0 * 255.0).collect();
    assert_eq!(y.apply(&grey).expect("fits").values, expected);
    let rgb = of(
        &Recipe::default()
            .with_resize(Size::Exact { h: 1, w: 256 })
            .with_range(255.0),
        3,
    );
    assert_eq!(rgb.apply(&grey).expect("fits").values, expected.repeat(3));
}
