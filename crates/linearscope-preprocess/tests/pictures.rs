//! Against what Pillow makes of small files of every kind (`pictures/make.py`), and refusals.

use std::{
    fs,
    path::{Path, PathBuf},
};

use image::DynamicImage;
use linearscope_preprocess::{
    Background, Channels, Error, Format, Interpolation, Limits, Notice, Orientation, Picture,
    Profiles, ReadOptions, Recipe, open,
};

const TEAL: Background = Background::Colour([0, 128, 120]);

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/pictures")
        .join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(path(name)).expect(name)
}

fn read(name: &str) -> Picture {
    Picture::open(&path(name), &ReadOptions::default()).expect(name)
}

/// Pillow's numbers, and their shape.
fn pillow(name: &str) -> (Vec<f64>, Vec<u64>) {
    let bytes = bytes(&format!("{name}.npy"));
    let array = npyz::NpyFile::new(&*bytes).expect(name);
    let shape = array.shape().to_vec();
    let kind = match array.dtype() {
        npyz::DType::Plain(kind) => kind.to_string(),
        other => panic!("{other:?}"),
    };
    let values = match &kind[1..] {
        "u1" => array
            .into_vec::<u8>()
            .expect(name)
            .into_iter()
            .map(f64::from)
            .collect(),
        "u2" => array
            .into_vec::<u16>()
            .expect(name)
            .into_iter()
            .map(f64::from)
            .collect(),
        _ => array
            .into_vec::<f32>()
            .expect(name)
            .into_iter()
            .map(f64::from)
            .collect(),
    };
    (values, shape)
}

/// The levels of a picture, 8 or 16 bits.
fn levels(image: &DynamicImage) -> Vec<f64> {
    match image {
        DynamicImage::ImageLuma16(p) => p.iter().map(|&v| v.into()).collect(),
        DynamicImage::ImageRgb16(p) => p.iter().map(|&v| v.into()).collect(),
        other => other.as_bytes().iter().map(|&v| v.into()).collect(),
    }
}

/// The largest difference between a picture and Pillow's, in levels.
fn off(image: &DynamicImage, name: &str) -> f64 {
    let (expected, shape) = pillow(name);
    let size = [u64::from(image.height()), u64::from(image.width())];
    assert_eq!(shape[..2], size, "{name}");
    let made = levels(image);
    assert_eq!(made.len(), expected.len(), "{name}: {:?}", image.color());
    let off = made.iter().zip(&expected).map(|(a, b)| (a - b).abs());
    off.fold(0.0, f64::max)
}

fn no_notices(picture: &Picture, name: &str) {
    assert_eq!(picture.notices, [], "{name}");
}

#[test]
fn orientations_are_applied_and_recorded() {
    for (tag, orientation) in (1..=8).zip(Orientation::ALL) {
        let name = format!("turned{tag}");
        let picture = read(&format!("{name}.png"));
        assert_eq!(off(&picture.image, &name), 0.0, "{name}");
        assert_eq!(
            (picture.orientation, orientation.exif()),
            (orientation, tag)
        );
        no_notices(&picture, &name);
    }
    // Lossy decoders differ by a level or two (ARCHITECTURE.md).
    for (name, array, orientation, allowed) in [
        ("turned.webp", "turned_webp", Orientation::TurnedRight, 0.0),
        ("turned.tif", "turned_tif", Orientation::TurnedLeft, 0.0),
        ("turned.jpg", "turned_jpg", Orientation::TurnedRight, 2.0),
        ("xmp.jpg", "xmp_jpg", Orientation::TurnedLeft, 2.0),
    ] {
        let picture = read(name);
        assert_eq!(picture.orientation, orientation, "{name}");
        let off = off(&picture.image, array);
        assert!(off <= allowed, "{name}: {off}");
        no_notices(&picture, name);
    }
    let picture = serde_json::to_value(read("turned6.png")).expect("plain data");
    let expected = serde_json::json!({
        "format": "png", "bit_depth": 8, "orientation": "turned-right", "notices": [],
    });
    assert_eq!(picture, expected);
}

#[test]
fn jpegs_are_pillows() {
    for (name, array, cmyk) in [
        ("grey.jpg", "grey_jpg", false),
        ("progressive.jpg", "progressive_jpg", false),
        ("cmyk.jpg", "cmyk_jpg", true),
        ("ycck.jpg", "ycck_jpg", true),
        ("cmyk_unmarked.jpg", "cmyk_unmarked_jpg", true),
    ] {
        let picture = read(name);
        let off = off(&picture.image, array);
        assert!(off <= 2.0, "{name}: {off}");
        let expected: &[Notice] = if cmyk { &[Notice::Cmyk] } else { &[] };
        assert_eq!(picture.notices, expected, "{name}");
    }
}

#[test]
fn sixteen_bits_are_kept() {
    for (name, array) in [
        ("grey16.png", "grey16"),
        ("rgb16.png", "rgb16"),
        ("grey16.tif", "grey16"),
    ] {
        let picture = read(name);
        assert_eq!(picture.bit_depth, 16, "{name}");
        assert_eq!(off(&picture.image, array), 0.0, "{name}");
        no_notices(&picture, name);
    }
    let dark = read("grey12.png");
    assert_eq!(off(&dark.image, "grey12"), 0.0);
    assert_eq!(dark.notices, [Notice::FewBits { bits: 12 }]);
    // Every level of the file reaches the network.
    let input = Recipe::default()
        .for_channels(1)
        .expect("one")
        .apply(&dark.image)
        .expect("fits");
    let (expected, _) = pillow("grey12");
    let off = input
        .values
        .iter()
        .zip(&expected)
        .map(|(a, b)| (a - b / 65535.0).abs());
    assert!(off.fold(0.0, f64::max) < 1e-15);
    let distinct = |values: &[f64]| {
        let mut levels: Vec<u64> = values.iter().map(|v| v.to_bits()).collect();
        levels.sort_unstable();
        levels.dedup();
        levels.len()
    };
    assert_eq!(distinct(&input.values), distinct(&expected));
    assert!(distinct(&expected) > 200);
}

/// Pillow resizes mode `F` in f64 sums rounded to f32. Bicubic's overshoot is clipped to the file's white and black here,
/// which Pillow's floats keep.
#[test]
fn sixteen_bits_are_resized_as_pillows_floats() {
    for (name, size, interpolation) in [
        ("rgb16_bilinear", (13, 17), Interpolation::Bilinear),
        ("rgb16_bicubic", (31, 50), Interpolation::Bicubic),
    ] {
        let recipe = Recipe::default()
            .with_resize(size)
            .with_interpolation(interpolation);
        let input = recipe
            .for_channels(3)
            .expect("three")
            .read(&path("rgb16.png"))
            .expect("fits");
        let (expected, shape) = pillow(name);
        assert_eq!(shape, [size.0.into(), size.1.into(), 3]);
        let plane = input.values.len() / 3;
        for (i, level) in expected.iter().enumerate() {
            let made = input.values[i % 3 * plane + i / 3];
            assert_eq!(
                made,
                level.clamp(0.0, 65535.0) / 65535.0,
                "{name}: number {i}"
            );
        }
    }
}

#[test]
fn fewer_bits_are_spread() {
    for name in ["one_bit.png", "one_bit.tif"] {
        let picture = read(name);
        assert_eq!(picture.bit_depth, 1, "{name}");
        assert_eq!(off(&picture.image, "one_bit"), 0.0, "{name}");
    }
}

#[test]
fn transparent_pixels_are_put_on_a_colour() {
    for (name, background, array) in [
        ("rgba.png", Background::WHITE, "rgba_on_white"),
        ("rgba.webp", Background::WHITE, "rgba_on_white"),
        ("rgba.tif", Background::WHITE, "rgba_on_white"),
        ("rgba.png", TEAL, "rgba_on_teal"),
        ("grey_alpha.png", Background::WHITE, "grey_alpha_on_white"),
        ("grey_alpha.png", TEAL, "grey_alpha_on_teal"),
        ("palette.png", Background::WHITE, "palette_on_white"),
        ("associated.tif", Background::WHITE, "associated_on_white"),
    ] {
        let options = ReadOptions::default().with_background(background);
        let picture = Picture::open(&path(name), &options).expect(name);
        assert_eq!(off(&picture.image, array), 0.0, "{name} on {background}");
        let [
            Notice::Transparent {
                pixels,
                of,
                background: on,
            },
        ] = picture.notices[..]
        else {
            panic!("{name}: {:?}", picture.notices)
        };
        assert!(pixels > 0 && pixels < of && on == background, "{name}");
        // The network's preprocessing does the same, with its recipe's colour.
        let recipe = Recipe::default()
            .with_background(background)
            .with_range(255.0);
        let preprocess = recipe.for_channels(3).expect("three");
        let whole = preprocess
            .apply(&open(&path(name)).expect(name))
            .expect("fits");
        assert_eq!(
            whole,
            preprocess.apply(&picture.image).expect("fits"),
            "{name}"
        );
        assert_eq!(whole, preprocess.read(&path(name)).expect("fits"), "{name}");
    }
    let said = Notice::Transparent {
        pixels: 12,
        of: 100,
        background: Background::WHITE,
    }
    .to_string();
    assert_eq!(
        said,
        "12 % of its pixels are transparent; they are drawn on white"
    );
    // The hidden colours, for those who want them.
    let options = ReadOptions::default().with_background(Background::None);
    let hidden = Picture::open(&path("rgba.png"), &options)
        .expect("reads")
        .image;
    let kept = open(&path("rgba.png")).expect("reads");
    assert_eq!(hidden, DynamicImage::from(kept.to_rgb8()));
}

#[test]
fn backgrounds_are_text() {
    for text in ["white", "black", "none", "#0a80ff"] {
        assert_eq!(text.parse::<Background>().expect(text).to_string(), text);
        let toml = format!("background = \"{text}\"");
        let recipe = Recipe::from_toml(&toml).expect(text);
        assert_eq!(
            recipe.background.map(|b| b.to_string()).as_deref(),
            Some(text)
        );
    }
    assert_eq!("#ffffff".parse(), Ok(Background::WHITE));
    for text in [
        "", "White", "#fff", "#12345g", "#+12345", "0a80ff", "#é1234",
    ] {
        text.parse::<Background>().expect_err(text);
    }
}

#[test]
fn four_channels_are_rgba() {
    let rgba = Recipe::default().with_range(255.0);
    let preprocess = rgba.for_channels(4).expect("four");
    assert_eq!(preprocess.channels(), Channels::Rgba);
    let made = preprocess
        .cut(&open(&path("rgba.png")).expect("reads"))
        .expect("fits");
    assert_eq!(off(&made, "rgba_as_it_is"), 0.0);
    assert_eq!(
        preprocess.read(&path("rgba.png")).expect("fits").shape,
        [4, 24, 36]
    );
    for (array, size, interpolation) in [
        ("rgba_bilinear", (13, 17), Interpolation::Bilinear),
        ("rgba_bicubic", (31, 50), Interpolation::Bicubic),
    ] {
        let recipe = rgba
            .clone()
            .with_resize(size)
            .with_interpolation(interpolation);
        let preprocess = recipe.for_channels(4).expect("four");
        let made = preprocess
            .cut(&open(&path("rgba.png")).expect("reads"))
            .expect("fits");
        assert_eq!(off(&made, array), 0.0, "{array}");
    }
    let error = preprocess.read(&path("turned1.png")).expect_err("opaque");
    assert_eq!(
        error.to_string(),
        "the network takes 4 channels; the picture has 3"
    );
}

#[test]
fn the_first_of_several_is_read() {
    for (name, array, notice) in [
        (
            "animated.gif",
            "animated_gif",
            Some(Notice::FirstFrame { frames: 3 }),
        ),
        (
            "animated.webp",
            "animated_webp",
            Some(Notice::FirstFrame { frames: 3 }),
        ),
        (
            "animated.png",
            "animated_png",
            Some(Notice::FirstFrame { frames: 3 }),
        ),
        (
            "pages.tif",
            "pages_tif",
            Some(Notice::FirstPage { pages: 3 }),
        ),
        ("still.gif", "still_gif", None),
        ("plain.bmp", "plain_bmp", None),
        ("cmyk.tif", "cmyk_tif", Some(Notice::Cmyk)),
    ] {
        let picture = read(name);
        // `image` cuts off where Pillow rounds.
        let allowed = if name == "cmyk.tif" { 1.0 } else { 0.0 };
        let off = off(&picture.image, array);
        assert!(off <= allowed, "{name}: {off}");
        assert_eq!(picture.notices, Vec::from_iter(notice), "{name}");
    }
}

/// Little CMS, below Pillow, rounds otherwise.
#[test]
fn profiles_become_srgb() {
    let picture = read("srgb.png");
    assert_eq!(off(&picture.image, "srgb"), 0.0);
    no_notices(&picture, "srgb.png");
    let picture = read("wide.png");
    let off_by = off(&picture.image, "wide");
    assert!(off_by <= 1.0, "{off_by}");
    assert!(off(&picture.image, "srgb") > 5.0);
    let wide = Notice::Converted {
        profile: "Wide RGB".into(),
    };
    assert_eq!(picture.notices, [wide]);
    assert!(matches!(
        read("wide.jpg").notices[..],
        [Notice::Converted { .. }]
    ));
    // A network takes the stored numbers, as torchvision does, and is told.
    let preprocess = Recipe::default().for_channels(3).expect("three");
    let picture = Picture::open(&path("wide.png"), &preprocess.read_options()).expect("reads");
    assert_eq!(off(&picture.image, "srgb"), 0.0);
    assert_eq!(open(&path("wide.png")).expect("reads"), picture.image);
    assert_eq!(
        picture.notices[0].to_string(),
        "its colour profile \"Wide RGB\" is ignored: values are used as stored, as in torchvision"
    );
    let recipe = Recipe::default().with_profiles(Profiles::Convert);
    let options = recipe.for_channels(3).expect("three").read_options();
    let picture = Picture::open(&path("wide.png"), &options).expect("reads");
    assert!(off(&picture.image, "wide") <= 1.0);
    assert_eq!("ignore".parse(), Ok(Profiles::Ignore));
}

/// Every file cut off anywhere is refused, but for bytes behind its picture's end.
#[test]
fn truncated_files_are_refused() {
    for (name, behind) in [
        ("turned.jpg", 0),
        ("grey.jpg", 0),
        ("progressive.jpg", 0),
        ("cmyk.jpg", 0),
        ("turned1.png", 0),
        ("rgb16.png", 0),
        ("palette.png", 0),
        ("animated.png", 0),
        ("rgba.webp", 0),
        ("lossy.webp", 0),
        ("animated.webp", 0),
        ("still.gif", 1),
        ("animated.gif", 1),
        ("plain.bmp", 2),
        // Its directory stands at the end; it may end with the file.
        ("turned.tif", 4),
        ("one_bit.tif", 4),
    ] {
        let whole = bytes(name);
        let options = ReadOptions::default();
        for length in 0..whole.len() - behind {
            let made = Picture::from_bytes(Path::new(name), &whole[..length], &options);
            let error = match made {
                Err(error) => error,
                // Between two frames: the first is whole, and nothing says that there were more.
                Ok(made) if name == "animated.gif" && made.image == read(name).image => continue,
                Ok(_) => panic!("{name}: read from {length} of {} bytes", whole.len()),
            };
            assert!(error.hint().is_some(), "{name} {length}: {error}");
        }
    }
    let whole = bytes("turned.jpg");
    let error = Picture::from_bytes(
        Path::new("a.jpg"),
        &whole[..whole.len() / 2],
        &ReadOptions::default(),
    );
    assert_eq!(
        error.expect_err("half").to_string(),
        "a.jpg: a damaged JPEG: it ends before its end-of-image marker"
    );
}

/// Headers are held to the limits, and the decoder never starts.
#[test]
fn headers_are_held_to_limits() {
    let mut png = bytes("turned1.png");
    png[16..20].copy_from_slice(&60_000u32.to_be_bytes());
    png[20..24].copy_from_slice(&60_000u32.to_be_bytes());
    let crc = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    let mut bmp = bytes("plain.bmp");
    bmp[18..22].copy_from_slice(&30_000i32.to_le_bytes());
    bmp[22..26].copy_from_slice(&30_000i32.to_le_bytes());
    let mut jpeg = bytes("turned.jpg");
    let sof = jpeg
        .windows(2)
        .position(|w| w == b"\xff\xc0")
        .expect("a frame");
    jpeg[sof + 5..sof + 9].copy_from_slice(&[0xff; 4]);
    let mut gif = bytes("still.gif");
    gif[6..10].copy_from_slice(&[0xff; 4]);
    let from = std::time::Instant::now();
    for (name, bytes) in [
        ("a.png", png),
        ("a.bmp", bmp),
        ("a.jpg", jpeg),
        ("a.gif", gif),
    ] {
        let made = Picture::from_bytes(Path::new(name), &bytes, &ReadOptions::default());
        let error = made.expect_err(name);
        assert!(
            matches!(
                error,
                Error::TooManyPixels {
                    limit: 200_000_000,
                    ..
                }
            ),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .ends_with("megapixels, above the limit of 200.0"),
            "{error}"
        );
        assert!(error.hint().expect("a hint").contains("raise the limit"));
    }
    assert!(from.elapsed().as_secs() < 5, "{:?}", from.elapsed());

    let within = |limits: Limits| {
        let options = ReadOptions::default().with_limits(limits);
        Picture::open(&path("turned1.png"), &options).map(|picture| picture.image.width())
    };
    assert_eq!(
        within(Limits::default().with_pixels(24 * 36)).expect("fits"),
        36
    );
    let error = within(Limits::default().with_pixels(24 * 36 - 1)).expect_err("one too many");
    assert!(
        matches!(error, Error::TooManyPixels { h: 24, w: 36, .. }),
        "{error}"
    );
    let error = within(Limits::default().with_bytes(24 * 36 * 3 - 1)).expect_err("one too many");
    assert!(
        matches!(error, Error::TooManyBytes { bytes: 2592, .. }),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        format!(
            "{}: takes 2.6 kB, above the limit of 2.6 kB",
            path("turned1.png").display()
        )
    );
    let error = within(Limits::default().with_bytes(100)).expect_err("the file alone");
    assert!(
        matches!(error, Error::TooManyBytes { limit: 100, .. }),
        "{error}"
    );
}

/// PNG's checksum.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    })
}

/// What is not read is named, and how to make a picture of it.
#[test]
fn foreign_files_are_named() {
    let ftyp = |brand: &str, others: &str| {
        let size = (16 + others.len()) as u32;
        [
            &size.to_be_bytes()[..],
            b"ftyp",
            brand.as_bytes(),
            &[0; 4],
            others.as_bytes(),
        ]
        .concat()
    };
    let tiff = |entries: &[[u16; 6]]| {
        let mut bytes = b"II*\0\x08\0\0\0".to_vec();
        bytes.extend((entries.len() as u16).to_le_bytes());
        bytes.extend(entries.iter().flatten().flat_map(|v| v.to_le_bytes()));
        bytes.extend([0; 4]);
        bytes
    };
    let mut dicom = vec![0; 128];
    dicom.extend(b"DICM");
    for (bytes, what, hint) in [
        (Vec::new(), "an empty file", "again"),
        (vec![0; 500], "nothing but zeros", "again"),
        (ftyp("heic", "mif1heic"), "an HEIC picture", "heif-convert"),
        (ftyp("mif1", "mif1heic"), "an HEIC picture", "heif-convert"),
        (ftyp("mif1", "avifmiaf"), "an AVIF picture", "avifdec"),
        (ftyp("avif", ""), "an AVIF picture", "avifdec"),
        (ftyp("crx ", ""), "a raw camera file", "darktable-cli"),
        (ftyp("isom", ""), "a video", "ffmpeg"),
        (
            b"II*\0\x10\0\0\0CR\x02\0".to_vec(),
            "a raw camera file",
            "darktable-cli",
        ),
        // DNG by its version; NEF and ARW by a thumbnail with a camera's name and a directory below.
        (
            tiff(&[[50706, 1, 4, 0, 1, 0]]),
            "a raw camera file",
            "rawpy",
        ),
        (
            tiff(&[
                [254, 4, 1, 0, 1, 0],
                [271, 2, 5, 0, 90, 0],
                [330, 4, 1, 0, 99, 0],
            ]),
            "a raw camera file",
            "rawpy",
        ),
        (
            b"FUJIFILMCCD-RAW 0201".to_vec(),
            "a raw camera file",
            "rawpy",
        ),
        (b"8BPS\0\x01".to_vec(), "a Photoshop file", "magick"),
        (b"%PDF-1.7\n".to_vec(), "a PDF", "pdftoppm"),
        (
            b"<?xml version=\"1.0\"?>\n<svg xmlns=\"\"/>".to_vec(),
            "an SVG drawing",
            "resvg",
        ),
        (b"<svg/>".to_vec(), "an SVG drawing", "resvg"),
        (
            b"\n<!DOCTYPE HTML><html>".to_vec(),
            "an HTML page",
            "download it again",
        ),
        (
            b"<html lang=en>".to_vec(),
            "an HTML page",
            "download it again",
        ),
        (
            b"<Error><Code>AccessDenied</Code></Error>".to_vec(),
            "an XML document",
            "download it again",
        ),
        (b"{\"error\": 404}".to_vec(), "JSON", "download it again"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n".to_vec(),
            "a Git LFS pointer",
            "git lfs pull",
        ),
        (b"\x93NUMPY\x01\0".to_vec(), "a NumPy array", ".npy"),
        (b"PK\x03\x04".to_vec(), "a zip archive", ".npz"),
        (b"P6\n2 2\n255\n".to_vec(), "a PNM picture", "magick"),
        (dicom, "a DICOM file", "pydicom"),
        (b"hello, world".to_vec(), "of an unknown kind", "PNG"),
        (
            b"BMW is no bitmap, whatever its letters".to_vec(),
            "of an unknown kind",
            "PNG",
        ),
    ] {
        let made = Picture::from_bytes(Path::new("a.png"), &bytes, &ReadOptions::default());
        let error = made.expect_err(what);
        assert!(matches!(error, Error::Foreign { .. }), "{what}: {error:?}");
        let said = error.to_string();
        assert!(
            said.starts_with("a.png: not a supported picture, but "),
            "{said}"
        );
        assert!(said.contains(what), "{said}");
        assert!(
            error.hint().expect("a hint").contains(hint),
            "{what}: {:?}",
            error.hint()
        );
    }
    let folder = tempfile::tempdir().expect("a folder");
    let error = Picture::open(folder.path(), &ReadOptions::default()).expect_err("a folder");
    assert!(
        matches!(error, Error::Folder { .. })
            && error.to_string().ends_with("a folder, not a file")
    );
}

#[test]
fn content_counts_not_the_name() {
    let made = Picture::from_bytes(
        Path::new("a.PNG"),
        &bytes("grey.jpg"),
        &ReadOptions::default(),
    );
    let picture = made.expect("reads");
    assert_eq!(picture.format, Format::Jpeg);
    let [notice] = &picture.notices[..] else {
        panic!("{:?}", picture.notices)
    };
    assert_eq!(
        notice.to_string(),
        "the name ends with .png, but it is a JPEG"
    );
    for name in ["a.JPG", "a", "b.jfif"] {
        let made =
            Picture::from_bytes(Path::new(name), &bytes("grey.jpg"), &ReadOptions::default());
        no_notices(&made.expect("reads"), name);
    }
}
