//! Arrays as NumPy writes them, byte by byte, and refusals.

use std::{
    io::{Cursor, Write},
    path::Path,
};

use linearscope_preprocess::{Array, Error, Layout, Limits, is_array};

/// A `.npy` of this version, descr, order and shape.
fn npy(version: u8, descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let mut header = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}");
    let begin = if version == 1 { 10 } else { 12 };
    while !(begin + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let length = match version {
        1 => (header.len() as u16).to_le_bytes().to_vec(),
        _ => (header.len() as u32).to_le_bytes().to_vec(),
    };
    [
        b"\x93NUMPY",
        &[version, 0][..],
        &length,
        header.as_bytes(),
        data,
    ]
    .concat()
}

fn read(bytes: &[u8]) -> Result<Array, Error> {
    Array::from_bytes(Path::new("x.npy"), bytes, &Limits::default())
}

fn refused(bytes: &[u8]) -> (String, String) {
    let error = read(bytes).expect_err("refused");
    (error.to_string(), error.hint().expect("a hint"))
}

/// The same numbers in every kind, in both byte orders.
#[test]
fn every_kind_is_read() {
    let turned = |bytes: &[u8], size: usize| -> Vec<u8> {
        bytes
            .chunks(size)
            .flat_map(|item| item.iter().rev().copied())
            .collect()
    };
    let flat = |items: Vec<Vec<u8>>| items.concat();
    let signed = [-3.0, 0.0, 100.0, 1.0];
    let of = |f: &dyn Fn(i64) -> Vec<u8>, v: [f64; 4]| flat(v.map(|v| f(v as i64)).to_vec());
    let natural = [3.0, 0.0, 200.0, 1.0];
    let floats = [-0.375, 1.0, 65504.0, f64::from(f32::powi(2.0, -24))];
    let halves: Vec<u8> = [0xb600u16, 0x3c00, 0x7bff, 0x0001]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let singles = flat(floats.map(|v| (v as f32).to_le_bytes().to_vec()).to_vec());
    let doubles = flat(floats.map(|v| v.to_le_bytes().to_vec()).to_vec());
    for (kind, dtype, size, bytes, expected) in [
        (
            "i1",
            "int8",
            1,
            of(&|v| (v as i8).to_le_bytes().to_vec(), signed),
            signed,
        ),
        (
            "i2",
            "int16",
            2,
            of(&|v| (v as i16).to_le_bytes().to_vec(), signed),
            signed,
        ),
        (
            "i4",
            "int32",
            4,
            of(&|v| (v as i32).to_le_bytes().to_vec(), signed),
            signed,
        ),
        (
            "i8",
            "int64",
            8,
            of(&|v| v.to_le_bytes().to_vec(), signed),
            signed,
        ),
        (
            "u1",
            "uint8",
            1,
            of(&|v| (v as u8).to_le_bytes().to_vec(), natural),
            natural,
        ),
        (
            "u2",
            "uint16",
            2,
            of(&|v| (v as u16).to_le_bytes().to_vec(), natural),
            natural,
        ),
        (
            "u4",
            "uint32",
            4,
            of(&|v| (v as u32).to_le_bytes().to_vec(), natural),
            natural,
        ),
        (
            "u8",
            "uint64",
            8,
            of(&|v| v.to_le_bytes().to_vec(), natural),
            natural,
        ),
        ("b1", "bool", 1, vec![0, 1, 1, 0], [0.0, 1.0, 1.0, 0.0]),
        ("f2", "float16", 2, halves, floats),
        ("f4", "float32", 4, singles, floats),
        ("f8", "float64", 8, doubles, floats),
    ] {
        for (order, bytes) in [
            ('<', bytes.clone()),
            ('>', turned(&bytes, size)),
            ('|', bytes.clone()),
        ] {
            for version in 1..=3 {
                let file = npy(
                    version,
                    &format!("'{order}{kind}'"),
                    false,
                    "(2, 2)",
                    &bytes,
                );
                let array = read(&file).expect(kind);
                assert_eq!((array.dtype, &array.shape[..]), (dtype, &[2, 2][..]));
                assert_eq!(array.values, expected, "{order}{kind}, version {version}");
            }
        }
    }
    let large = read(&npy(1, "'<u8'", false, "(1,)", &[0xff; 8])).expect("reads");
    assert_eq!(large.values, [u64::MAX as f64]);
}

#[test]
fn shapes_and_orders() {
    let bytes: Vec<u8> = (0..24).collect();
    let c = read(&npy(1, "'|u1'", false, "(2, 3, 4)", &bytes)).expect("reads");
    assert_eq!(c.values, (0..24).map(f64::from).collect::<Vec<_>>());
    // In Fortran's order the number at (i, j, k) lies at i + 2 j + 6 k.
    let fortran = read(&npy(1, "'|u1'", true, "(2, 3, 4)", &bytes)).expect("reads");
    for (at, value) in fortran.values.iter().enumerate() {
        let (i, j, k) = (at / 12, at / 4 % 3, at % 4);
        assert_eq!(*value, (i + 2 * j + 6 * k) as f64, "({i}, {j}, {k})");
    }
    assert_eq!(fortran.shape, [2, 3, 4]);
    let line = read(&npy(1, "'|u1'", true, "(24,)", &bytes)).expect("reads");
    assert_eq!(line.values, c.values);
    let single = read(&npy(1, "'<f4'", false, "()", &1.5f32.to_le_bytes())).expect("reads");
    assert_eq!((single.values, single.shape), (vec![1.5], vec![]));
    // Python 2 wrote long integers.
    let old = read(&npy(1, "'|u1'", false, "(2L, 3L)", &bytes)).expect("reads");
    assert_eq!(old.shape, [2, 3]);
}

/// Files of `numpy.save`'s Rust relative.
#[test]
fn what_npyz_writes() {
    use npyz::WriterBuilder;
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new().default_dtype().shape(&[2, 3]);
    let mut writer = options.writer(&mut bytes).begin_nd().expect("begins");
    writer
        .extend([0.5f32, 1.5, 2.5, 3.5, 4.5, 5.5])
        .expect("writes");
    writer.finish().expect("ends");
    let array = read(&bytes).expect("reads");
    assert_eq!((array.shape, array.dtype), (vec![2, 3], "float32"));
    assert_eq!(array.values, [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]);
}

#[test]
fn other_numbers_are_refused_by_name() {
    for (descr, what, hint) in [
        ("'<c8'", "complex numbers (\"<c8\")", "x.real"),
        ("'|O'", "Python objects (\"|O\")", "numpy.stack"),
        ("'<U5'", "text", "numbers"),
        ("'|S3'", "text", "numbers"),
        ("'<M8[ns]'", "dates", "float64"),
        ("'<f16'", "floats of more than 64 bits", "float64"),
        ("'<V2'", "most likely bfloat16", "x.astype(\"float32\")"),
        ("'|V1'", "raw bytes", "float32"),
        ("'bfloat16'", "bfloat16", "x.astype(\"float32\")"),
        (
            "[('r', '|u1'), ('shape', '<f4', (2,))]",
            "records (a structured dtype)",
            "x[\"NAME\"]",
        ),
        ("'<q9'", "an unknown kind", "float32"),
    ] {
        let (said, next) = refused(&npy(1, descr, false, "(1,)", &[0; 64]));
        assert!(
            said.starts_with("x.npy: it holds ") && said.contains(what),
            "{descr}: {said}"
        );
        assert!(next.contains(hint), "{descr}: {next}");
    }
}

#[test]
fn headers_that_lie() {
    let (said, _) = refused(&npy(1, "'<f4'", false, "(1, 3, 0, 5)", &[]));
    assert_eq!(said, "x.npy: holds no elements (shape [1, 3, 0, 5])");
    let (said, _) = refused(&npy(1, "'<f4'", false, "(1000, 1000)", &[0; 40]));
    assert_eq!(
        said,
        "x.npy: shape [1000, 1000] of float32 needs 4.0 MB, but the file has 40 bytes"
    );
    for shape in [
        "(4294967296, 4294967296)",
        "(18446744073709551615,)",
        "(9223372036854775807, 2)",
    ] {
        let (said, _) = refused(&npy(1, "'<f8'", false, shape, &[0; 40]));
        assert!(
            said.contains("more than any file") || said.contains("GB"),
            "{said}"
        );
    }
    for (descr, shape) in [
        ("'<f4'", "(-1, 3)"),
        ("'<f4'", "(1, x)"),
        ("'<f4'", "7"),
        ("f4", "(1,)"),
    ] {
        let (said, _) = refused(&npy(1, descr, false, shape, &[0; 40]));
        assert!(
            said.contains("its header is not NumPy's"),
            "{descr} {shape}: {said}"
        );
    }
    // A header of 4 GB, one that is cut, and one that nests.
    let (said, _) = refused(b"\x93NUMPY\x02\0\xff\xff\xff\xff{");
    assert!(said.contains("4294967295 bytes"), "{said}");
    assert!(
        refused(b"\x93NUMPY\x01\0\x76\0{'descr'")
            .0
            .contains("ends in its header")
    );
    assert!(refused(b"\x93NUMPY").0.contains("ends in its header"));
    refused(&npy(1, &"[".repeat(60_000), false, "(1,)", &[]));
    let (said, _) = refused(&npy(4, "'<f4'", false, "(1,)", &[0; 4]));
    assert!(said.contains("version 4"), "{said}");
    // What becomes larger than the limit in f64.
    let limits = Limits::default().with_bytes(1000);
    let made = Array::from_bytes(
        Path::new("x.npy"),
        &npy(1, "'|u1'", false, "(126,)", &[0; 126]),
        &limits,
    );
    assert!(
        matches!(made, Err(Error::TooManyBytes { bytes: 1008, .. })),
        "{made:?}"
    );
}

#[test]
fn other_files_are_named() {
    let (said, hint) = refused(b"\x89PNG\r\n\x1a\n");
    assert_eq!(
        (said.as_str(), hint.as_str()),
        ("x.npy: not an array, but a PNG", "name it .png")
    );
    let (said, hint) = refused(b"version https://git-lfs.github.com/spec/v1\n");
    assert!(said.contains("Git LFS") && hint.contains("git lfs pull"));
    assert!(refused(b"").0.contains("an empty file"));
    assert!(refused(b"\x80\x04\x95\x10").0.contains("pickle"));
    let folder = tempfile::tempdir().expect("a folder");
    assert!(matches!(
        Array::open(folder.path(), &Limits::default()),
        Err(Error::Folder { .. })
    ));
    assert!(
        is_array(Path::new("a.NPY")) && is_array(Path::new("b.npz")) && !is_array(Path::new("npy"))
    );
}

fn npz(members: &[(&str, &[u8])], method: zip::CompressionMethod) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(method)
        .large_file(true);
    for (name, data) in members {
        writer.start_file(*name, options).expect("starts");
        writer.write_all(data).expect("writes");
    }
    writer.finish().expect("ends").into_inner()
}

#[test]
fn archives_of_one_array() {
    let x = npy(1, "'|u1'", false, "(2, 2)", &[1, 2, 3, 4]);
    for method in [
        zip::CompressionMethod::Stored,
        zip::CompressionMethod::Deflated,
    ] {
        let array = read(&npz(&[("arr_0.npy", &x)], method)).expect("reads");
        assert_eq!(
            (array.values, array.shape),
            (vec![1.0, 2.0, 3.0, 4.0], vec![2, 2])
        );
        let (said, hint) = refused(&npz(&[("train.npy", &x), ("test.npy", &x)], method));
        assert_eq!(
            said,
            "x.npy: contains 2 arrays, but a single one is needed: test, train"
        );
        assert!(hint.contains("numpy.load(IN)[NAME]"), "{hint}");
    }
    let many: Vec<String> = (0..20).map(|i| format!("a{i:02}.npy")).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), &x[..])).collect();
    let (said, _) = refused(&npz(&many, zip::CompressionMethod::Stored));
    assert!(
        said.ends_with("a00, a01, a02, a03, a04, a05, a06, a07, 12 more"),
        "{said}"
    );
    assert!(
        refused(&npz(&[], zip::CompressionMethod::Stored))
            .0
            .contains("without arrays")
    );
    assert!(
        refused(&npz(&[("a.txt", b"hi")], zip::CompressionMethod::Stored))
            .0
            .contains("without arrays")
    );
    // A bomb: ten megabytes of zeros in some kilobytes.
    let zeros = npy(1, "'|u1'", false, "(10000000,)", &vec![0; 10_000_000]);
    let bomb = npz(&[("x.npy", &zeros)], zip::CompressionMethod::Deflated);
    let limits = Limits::default().with_bytes(100_000);
    assert!(bomb.len() < 100_000);
    let made = Array::from_bytes(Path::new("x.npz"), &bomb, &limits);
    assert!(matches!(made, Err(Error::TooManyBytes { .. })), "{made:?}");
}

#[test]
fn layouts() {
    let (c, free) = ([Some(3), None, None], [None; 3]);
    let batch = [None, Some(3), Some(40), Some(60)];
    let of =
        |shape: &[usize], takes: &[Option<usize>]| Layout::of(shape, takes).expect("unambiguous");
    let (first, last) = (Some(Layout::ChannelsFirst), Some(Layout::ChannelsLast));
    assert_eq!(of(&[3, 40, 60], &c), first);
    assert_eq!(of(&[1, 40, 60, 3], &batch), last);
    assert_eq!(of(&[40, 60, 3], &batch), last);
    assert_eq!(of(&[40, 60, 3], &[Some(3), Some(60), Some(40)]), None);
    assert_eq!(of(&[40, 60, 3], &free), first);
    assert_eq!(of(&[40, 60, 1], &[Some(1), None, None]), last);
    assert_eq!(of(&[1, 1, 1], &[Some(1), None, None]), first);
    assert_eq!(of(&[3, 40, 3], &[Some(3), Some(40), Some(3)]), first);
    assert_eq!(of(&[40, 60], &c), None);
    assert_eq!(of(&[40], &[Some(40)]), None);

    let error = Layout::expect_channels_first(&[40, 60, 3], &c).expect_err("last");
    assert_eq!(
        error.hint().as_deref(),
        Some("channels last: transpose with x.transpose(2, 0, 1)")
    );
    let error = Layout::expect_channels_first(&[1, 40, 60, 3], &batch).expect_err("last");
    assert_eq!(
        error.hint().as_deref(),
        Some("channels last: transpose with x.transpose(0, 3, 1, 2)")
    );
    let error = Layout::expect_channels_first(&[3, 60, 3], &c).expect_err("both");
    assert_eq!(
        error.to_string(),
        "shape [3, 60, 3] is ambiguous: 3 channels of 60x3 pixels first, or 3x60 pixels with their 3 channels last"
    );
    Layout::expect_channels_first(&[7, 7, 7], &c).expect("the network says what is wrong");
}
