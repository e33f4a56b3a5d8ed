//! What a file holds, by its first bytes and never by its name.

use std::{fs::File, io::Read, path::Path};

use crate::{Error, Format, Limits, Result, format::extension};

/// Something that is not read: what it is, and how to make a picture of it.
pub(crate) struct Foreign {
    pub what: &'static str,
    pub hint: &'static str,
}

const fn foreign(what: &'static str, hint: &'static str) -> Foreign {
    Foreign { what, hint }
}

const MAGICK: &str = "convert it: magick IN OUT.png";
const RAW: Foreign = foreign(
    "a raw camera file",
    "develop it: darktable-cli IN OUT.png, or rawpy.imread(IN).postprocess() in Python",
);
const VIDEO: Foreign = foreign("a video", "take a frame: ffmpeg -i IN -frames:v 1 OUT.png");
const DOWNLOAD: &str = "a server sent this instead of the file; download it again";

/// Where, which bytes, and what begins like that.
const MAGIC: &[(usize, &[u8], Foreign)] = &[
    (
        0,
        b"8BPS",
        foreign(
            "a Photoshop file",
            "export it as PNG, or: magick 'IN[0]' OUT.png",
        ),
    ),
    (
        0,
        b"%PDF",
        foreign("a PDF", "render a page: pdftoppm -png -r 150 IN OUT"),
    ),
    (
        0,
        b"%!PS",
        foreign(
            "PostScript",
            "render it: gs -sDEVICE=png16m -r150 -o OUT.png IN",
        ),
    ),
    (0, b"\x00\x00\x00\x0cjP  ", foreign("a JPEG 2000", MAGICK)),
    (0, b"\xff\x4f\xff\x51", foreign("a JPEG 2000", MAGICK)),
    (
        0,
        b"\x00\x00\x00\x0cJXL ",
        foreign("a JPEG XL", "convert it: djxl IN OUT.png"),
    ),
    (
        0,
        b"\xff\x0a",
        foreign("a JPEG XL", "convert it: djxl IN OUT.png"),
    ),
    (
        0,
        b"\x00\x00\x01\x00",
        foreign("an icon", "convert it: magick 'IN[0]' OUT.png"),
    ),
    (
        0,
        b"\x76\x2f\x31\x01",
        foreign("an OpenEXR file", "save its pixels as an array (.npy)"),
    ),
    (
        0,
        b"#?RADIANCE",
        foreign("a Radiance HDR file", "save its pixels as an array (.npy)"),
    ),
    (0, b"qoif", foreign("a QOI file", MAGICK)),
    (0, b"DDS ", foreign("a DDS texture", MAGICK)),
    (
        0,
        b"SIMPLE  =",
        foreign(
            "a FITS file",
            "save its data as an array: numpy.save(OUT, astropy.io.fits.getdata(IN))",
        ),
    ),
    (
        128,
        b"DICM",
        foreign(
            "a DICOM file",
            "save its pixels as an array: numpy.save(OUT, pydicom.dcmread(IN).pixel_array)",
        ),
    ),
    (
        0,
        b"\x89HDF\r\n",
        foreign("an HDF5 file", "save one array of it with numpy.save"),
    ),
    (
        0,
        b"MATLAB 5.0 MAT",
        foreign(
            "a MATLAB file",
            "save one array: numpy.save(OUT, scipy.io.loadmat(IN)[NAME])",
        ),
    ),
    (0, b"\x93NUMPY", foreign("a NumPy array", "name it .npy")),
    (
        0,
        b"PK\x03\x04",
        foreign(
            "a zip archive",
            "unpack it; arrays written by numpy.savez are read from files named .npz",
        ),
    ),
    (
        0,
        b"\x1f\x8b",
        foreign("a gzip archive", "unpack it: gunzip"),
    ),
    (
        0,
        b"\x80\x02",
        foreign("a Python pickle", "save the array with numpy.save"),
    ),
    (
        0,
        b"\x80\x04\x95",
        foreign("a Python pickle", "save the array with numpy.save"),
    ),
    (0, b"FUJIFILMCCD-RAW", RAW),
    (0, b"IIRO", RAW),
    (0, b"IIRS", RAW),
    (0, b"MMOR", RAW),
    (0, b"IIU\x00", RAW),
    (0, b"FOVb", RAW),
    (0, b"\x00MRM", RAW),
    (8, b"CR\x02", RAW),
    (0, b"\x1a\x45\xdf\xa3", VIDEO),
    (
        0,
        b"version https://git-lfs.github.com/spec/",
        foreign(
            "a Git LFS pointer, not the file it points to",
            "fetch the file: git lfs pull",
        ),
    ),
    (
        0,
        b"/annex/objects/",
        foreign(
            "a git-annex pointer, not the file it points to",
            "fetch the file: git annex get",
        ),
    ),
];

/// Boxes of the ISO base media format, by brand.
fn isobmff(bytes: &[u8]) -> Option<Foreign> {
    let brand = (bytes.get(4..8)? == b"ftyp").then(|| bytes.get(8..12))??;
    Some(match brand {
        b"avif" | b"avis" => foreign("an AVIF picture", "convert it: avifdec IN OUT.png"),
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1" => {
            // mif1 is both; its compatible brands say which.
            let size = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
            let brands = bytes.get(16..size.clamp(16, bytes.len()))?;
            match brands.chunks_exact(4).any(|b| b == b"avif") {
                true => foreign("an AVIF picture", "convert it: avifdec IN OUT.png"),
                false => foreign("an HEIC picture", "convert it: heif-convert IN OUT.png"),
            }
        }
        b"crx " => RAW,
        _ => VIDEO,
    })
}

/// What begins as text.
fn text(bytes: &[u8]) -> Option<Foreign> {
    let start = &bytes[..bytes.len().min(1024)];
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let text = String::from_utf8_lossy(start)
        .trim_start()
        .to_ascii_lowercase();
    if text.starts_with("<!doctype html") || text.starts_with("<html") {
        return Some(foreign("an HTML page", DOWNLOAD));
    }
    if text.starts_with('<') {
        return Some(match text.contains("<svg") {
            true => foreign("an SVG drawing", "render it: resvg IN OUT.png"),
            false => foreign("an XML document", DOWNLOAD),
        });
    }
    if text.starts_with('{') && text.contains('"') {
        return Some(foreign("JSON", DOWNLOAD));
    }
    let pnm = matches!(
        *start,
        [b'P', b'1'..=b'7', b' ' | b'\n' | b'\r' | b'\t', ..]
    );
    pnm.then(|| foreign("a PNM picture", MAGICK))
}

/// The format of these bytes, or what they are instead.
pub(crate) fn recognise(bytes: &[u8]) -> std::result::Result<Format, Foreign> {
    let begins = |magic: &[u8]| bytes.starts_with(magic);
    if bytes.is_empty() {
        return Err(foreign("an empty file", "copy or download it again"));
    }
    if let Some((.., found)) = MAGIC.iter().find(|(at, magic, _)| {
        bytes
            .get(*at..at + magic.len())
            .is_some_and(|bytes| bytes == *magic)
    }) {
        return Err(foreign(found.what, found.hint));
    }
    if begins(b"\x89PNG\r\n\x1a\n") {
        return Ok(Format::Png);
    }
    if begins(b"\xff\xd8\xff") {
        return Ok(Format::Jpeg);
    }
    if begins(b"GIF87a") || begins(b"GIF89a") {
        return Ok(Format::Gif);
    }
    if begins(b"RIFF") {
        return match bytes.get(8..12) {
            Some(b"WEBP") => Ok(Format::WebP),
            _ => Err(VIDEO),
        };
    }
    if [&b"II*\0"[..], b"MM\0*", b"II+\0", b"MM\0+"]
        .into_iter()
        .any(begins)
    {
        return Ok(Format::Tiff);
    }
    // Two letters are little: the header says its own size, too.
    let header = bytes
        .get(14..18)
        .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    if begins(b"BM") && matches!(header, Some(12 | 16 | 40 | 52 | 56 | 64 | 108 | 124)) {
        return Ok(Format::Bmp);
    }
    if let Some(found) = isobmff(bytes).or_else(|| text(bytes)) {
        return Err(found);
    }
    Err(match bytes.iter().all(|&b| b == 0) {
        true => foreign("nothing but zeros", "copy or download it again"),
        false => foreign(
            "of an unknown kind",
            "save it as PNG, or as an array (.npy)",
        ),
    })
}

/// A raw camera file that is a TIFF, by its tags: cameras store a small picture first.
pub(crate) const RAW_TIFF: Foreign = RAW;

/// Endings of pictures that are not read, for listings.
pub(crate) fn foreign_name(path: &Path) -> Option<Foreign> {
    const RAW_NAMES: [&str; 14] = [
        "cr2", "cr3", "nef", "arw", "dng", "raf", "orf", "rw2", "pef", "srw", "x3f", "nrw", "sr2",
        "raw",
    ];
    let extension = extension(path)?;
    Some(match extension.as_str() {
        "heic" | "heif" => foreign("an HEIC picture", "convert it: heif-convert IN OUT.png"),
        "avif" => foreign("an AVIF picture", "convert it: avifdec IN OUT.png"),
        "psd" | "psb" => foreign("a Photoshop file", "export it as PNG"),
        "svg" => foreign("an SVG drawing", "render it: resvg IN OUT.png"),
        "pdf" => foreign("a PDF", "render a page: pdftoppm -png -r 150 IN OUT"),
        "jxl" => foreign("a JPEG XL", "convert it: djxl IN OUT.png"),
        "jp2" | "j2k" => foreign("a JPEG 2000", MAGICK),
        "ppm" | "pgm" | "pbm" | "pnm" | "tga" | "qoi" | "ico" | "dds" => {
            foreign("a picture of an unsupported kind", MAGICK)
        }
        "exr" | "hdr" | "fits" | "dcm" | "mat" | "h5" | "hdf5" | "pt" | "pth" | "pkl" => foreign(
            "data of an unsupported kind",
            "save its numbers as an array (.npy)",
        ),
        "mp4" | "mov" | "avi" | "mkv" | "webm" => VIDEO,
        raw if RAW_NAMES.contains(&raw) => RAW,
        _ => return None,
    })
}

/// A file's bytes, if it is a file and within the limit.
pub(crate) fn bytes_of(path: &Path, limits: &Limits) -> Result<Vec<u8>> {
    let fail = |source| Error::Read {
        file: path.into(),
        source,
    };
    let file = File::open(path).map_err(fail)?;
    let about = file.metadata().map_err(fail)?;
    if about.is_dir() {
        return Err(Error::Folder { file: path.into() });
    }
    let too_large = |bytes| Error::TooManyBytes {
        file: path.into(),
        bytes,
        limit: limits.bytes,
    };
    if about.len() > limits.bytes {
        return Err(too_large(about.len()));
    }
    // Pipes and devices say no length.
    let mut bytes = Vec::with_capacity(about.len() as usize);
    file.take(limits.bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(fail)?;
    match bytes.len() as u64 > limits.bytes {
        true => Err(too_large(bytes.len() as u64)),
        false => Ok(bytes),
    }
}
