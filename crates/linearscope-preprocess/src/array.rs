//! Arrays written by NumPy: `.npy`, and `.npz` with one array.

use std::{
    io::{Cursor, Read},
    path::Path,
};

use half::f16;
use zip::ZipArchive;

use crate::{
    Error, Limits, Result,
    content::{self, Foreign},
    format,
};

/// The numbers of a file, widened to f64, and their shape.
///
/// Supported are bool, integers of 8 to 64 bits and floats of 16 to 64 bits, in either byte order and in C or Fortran
/// order, in formats 1 to 3. Integers beyond ±2⁵³ are rounded. A header is checked against the file's own length and
/// the limits before anything is allocated.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Array {
    /// In C order, whatever the file's.
    pub values: Vec<f64>,
    /// As in NumPy; empty for a single number.
    pub shape: Vec<usize>,
    /// NumPy's name of the file's numbers, such as `float16`.
    pub dtype: &'static str,
}

/// Whether a file's name says that it contains an array: `.npy` or `.npz`.
pub fn is_array(path: &Path) -> bool {
    matches!(format::extension(path).as_deref(), Some("npy" | "npz"))
}

/// The largest header. NumPy's own are below 10000 bytes.
const HEADER: usize = 1 << 16;

/// Members of an archive that an error names.
const NAMED: usize = 8;

impl Array {
    /// Read an array file, by its content.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Folder`], [`Error::TooManyBytes`]; [`Error::Array`] for everything else: another kind
    /// of file, numbers of another kind, a header that does not match the file, no elements, an archive of several
    /// arrays.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self> {
        Self::from_bytes(path, &content::bytes_of(path, limits)?, limits)
    }

    /// Read an array from a file's bytes. The name is for messages.
    ///
    /// # Errors
    /// As [`Array::open`].
    pub fn from_bytes(name: &Path, bytes: &[u8], limits: &Limits) -> Result<Self> {
        let file = File { name, limits };
        if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
            file.npz(bytes)
        } else if bytes.starts_with(b"\x93NUMPY") {
            file.npy(bytes)
        } else {
            let (what, hint) = match content::recognise(bytes) {
                Ok(format) => (
                    format!("a {format}"),
                    format!("name it .{}", format.extensions()[0]),
                ),
                Err(Foreign { what, hint }) => (what.to_string(), hint.to_string()),
            };
            Err(file.fail(format!("not an array, but {what}"), hint))
        }
    }
}

/// A file that is being read.
struct File<'a> {
    name: &'a Path,
    limits: &'a Limits,
}

/// A kind of number: NumPy's name, bytes, and how one is read from as many bytes, the lowest first.
type Kind = (&'static str, usize, fn(&[u8]) -> f64);

/// Sign-extended.
fn integer(bytes: &[u8]) -> i64 {
    let unsigned = natural(bytes);
    let unused = 64 - 8 * bytes.len();
    ((unsigned << unused) as i64) >> unused
}

fn natural(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |sum, &byte| sum << 8 | u64::from(byte))
}

/// By NumPy's letter and size.
const KINDS: &[(&str, Kind)] = &[
    ("b1", ("bool", 1, |b| f64::from(u8::from(b[0] != 0)))),
    ("i1", ("int8", 1, |b| integer(b) as f64)),
    ("i2", ("int16", 2, |b| integer(b) as f64)),
    ("i4", ("int32", 4, |b| integer(b) as f64)),
    ("i8", ("int64", 8, |b| integer(b) as f64)),
    ("u1", ("uint8", 1, |b| natural(b) as f64)),
    ("u2", ("uint16", 2, |b| natural(b) as f64)),
    ("u4", ("uint32", 4, |b| natural(b) as f64)),
    ("u8", ("uint64", 8, |b| natural(b) as f64)),
    (
        "f2",
        ("float16", 2, |b| f16::from_bits(natural(b) as u16).to_f64()),
    ),
    (
        "f4",
        ("float32", 4, |b| {
            f64::from(f32::from_bits(natural(b) as u32))
        }),
    ),
    ("f8", ("float64", 8, |b| f64::from_bits(natural(b)))),
];

/// What a header says.
struct Header<'a> {
    descr: &'a str,
    fortran: bool,
    shape: Vec<u64>,
}

impl<'a> Header<'a> {
    /// From a Python dictionary as `numpy.save` writes it.
    fn parse(text: &'a str) -> Option<Self> {
        let value = |key: &str| {
            let at = ["'", "\""]
                .iter()
                .find_map(|quote| text.find(&format!("{quote}{key}{quote}")))?;
            let rest = text[at + key.len() + 2..].trim_start();
            Some(rest.strip_prefix(':')?.trim_start())
        };
        let descr = value("descr")?;
        let descr = match descr.chars().next()? {
            quote @ ('\'' | '"') => &descr[1..1 + descr[1..].find(quote)?],
            // Fields, in which the other keys may stand, too.
            '[' => {
                return Some(Self {
                    descr: "[",
                    fortran: false,
                    shape: Vec::new(),
                });
            }
            _ => return None,
        };
        let order = value("fortran_order")?;
        let fortran = order.starts_with("True");
        if !fortran && !order.starts_with("False") {
            return None;
        }
        let shape = value("shape")?.strip_prefix('(')?;
        let shape = &shape[..shape.find(')')?];
        let sides = shape
            .split(',')
            .map(|side| side.trim().trim_end_matches('L'));
        let sides = sides.filter(|side| !side.is_empty());
        Some(Self {
            descr,
            fortran,
            shape: sides.map(|side| side.parse().ok()).collect::<Option<_>>()?,
        })
    }
}

impl File<'_> {
    fn fail(&self, problem: impl Into<String>, hint: impl Into<String>) -> Error {
        Error::Array {
            file: self.name.into(),
            problem: problem.into(),
            hint: hint.into(),
        }
    }

    fn too_large(&self, bytes: u64) -> Error {
        Error::TooManyBytes {
            file: self.name.into(),
            bytes,
            limit: self.limits.bytes,
        }
    }

    fn npy(&self, bytes: &[u8]) -> Result<Array> {
        const AGAIN: &str = "save it again with numpy.save";
        let cut = || self.fail("it ends in its header", "copy or download it again");
        let (from, length) = match (
            bytes.get(6).ok_or_else(cut)?,
            bytes.get(8..12).ok_or_else(cut)?,
        ) {
            (1, &[a, b, _, _]) => (10, usize::from(u16::from_le_bytes([a, b]))),
            (2 | 3, &[a, b, c, d]) => (12, u32::from_le_bytes([a, b, c, d]) as usize),
            (version, _) => {
                let problem =
                    format!("version {version} of the format; versions 1 to 3 are supported");
                return Err(self.fail(problem, AGAIN));
            }
        };
        if length > HEADER {
            return Err(self.fail(format!("a header of {length} bytes is not NumPy's"), AGAIN));
        }
        let text = bytes.get(from..from + length).ok_or_else(cut)?;
        let data = &bytes[from + length..];
        let header = std::str::from_utf8(text).ok().and_then(Header::parse);
        let header = header.ok_or_else(|| self.fail("its header is not NumPy's", AGAIN))?;
        let (swapped, (dtype, size, number)) = self.kind(header.descr)?;

        let shape = &header.shape;
        let numel = shape.iter().try_fold(1u64, |n, &side| n.checked_mul(side));
        if shape.contains(&0) {
            return Err(self.fail(
                format!("holds no elements (shape {shape:?})"),
                "give an array with at least one number",
            ));
        }
        // A lying header must not make us allocate.
        let needed = numel.and_then(|numel| numel.checked_mul(size as u64));
        let numel = match (numel, needed) {
            (Some(numel), Some(needed)) if needed <= data.len() as u64 => numel,
            (_, needed) => {
                let needed = needed.map_or("more than any file".into(), crate::error::size);
                let held = crate::error::size(data.len() as u64);
                return Err(self.fail(
                    format!("shape {shape:?} of {dtype} needs {needed}, but the file has {held}"),
                    "copy or download it again",
                ));
            }
        };
        if numel.saturating_mul(8) > self.limits.bytes {
            return Err(self.too_large(numel.saturating_mul(8)));
        }
        let shape: Vec<usize> = shape.iter().map(|&side| side as usize).collect();
        let items = data.chunks_exact(size).take(numel as usize);
        let read = |item: &[u8]| match swapped {
            false => number(item),
            true => {
                let mut turned = [0; 8];
                let turned = &mut turned[..size];
                turned.copy_from_slice(item);
                turned.reverse();
                number(turned)
            }
        };
        let mut values: Vec<f64> = items.map(read).collect();
        if header.fortran {
            values = in_c_order(&values, &shape);
        }
        Ok(Array {
            values,
            shape,
            dtype,
        })
    }

    /// Whether the highest byte comes first, and the kind of number.
    fn kind(&self, descr: &str) -> Result<(bool, Kind)> {
        let (swapped, plain) = match descr.strip_prefix(['<', '>', '|', '=']) {
            Some(rest) => (descr.starts_with('>'), rest),
            None => (false, descr),
        };
        if let Some((_, kind)) = KINDS.iter().find(|(name, _)| *name == plain) {
            return Ok((swapped, *kind));
        }
        let (what, hint) = match plain.chars().next() {
            Some('[') => (
                "records (a structured dtype)",
                "save one field: x[\"NAME\"]",
            ),
            Some('O') => (
                "Python objects",
                "save numbers: numpy.stack(x).astype(\"float32\")",
            ),
            Some('c') => ("complex numbers", "save x.real, x.imag or abs(x)"),
            Some('S' | 'U') => ("text", "save numbers"),
            Some('M' | 'm') => ("dates or times", "save x.astype(\"float64\")"),
            Some('f') => ("floats of more than 64 bits", "save x.astype(\"float64\")"),
            Some('V') if plain == "V2" => (
                "two-byte numbers without a NumPy type, most likely bfloat16",
                "save x.astype(\"float32\")",
            ),
            Some('V') => ("raw bytes", "save x.astype(\"float32\")"),
            Some('b') if plain.starts_with("bfloat") => ("bfloat16", "save x.astype(\"float32\")"),
            _ => ("numbers of an unknown kind", "save x.astype(\"float32\")"),
        };
        let descr = match descr {
            "[" => String::new(),
            // From a file: short, and without anything that a terminal obeys.
            descr => format!(" ({:?})", descr.chars().take(20).collect::<String>()),
        };
        Err(self.fail(format!("it holds {what}{descr}"), hint))
    }

    fn npz(&self, bytes: &[u8]) -> Result<Array> {
        const AGAIN: &str = "copy or download it again";
        let broken = |error: &dyn std::fmt::Display| {
            self.fail(format!("not a readable .npz ({error})"), AGAIN)
        };
        let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| broken(&error))?;
        let mut names: Vec<String> = Vec::new();
        for name in archive.file_names() {
            names.push(name.map_err(|error| broken(&error))?.into_owned());
        }
        names.retain(|name| name.ends_with(".npy"));
        names.sort_unstable();
        let member = match &names[..] {
            [] => {
                return Err(self.fail(
                    "an archive without arrays",
                    "numpy.savez writes one with arrays",
                ));
            }
            [member] => member,
            several => {
                let short =
                    |name: &String| name.trim_end_matches(".npy").escape_debug().to_string();
                let mut listed: Vec<String> = several.iter().take(NAMED).map(short).collect();
                if several.len() > NAMED {
                    listed.push(format!("{} more", several.len() - NAMED));
                }
                return Err(self.fail(
                    format!(
                        "contains {} arrays, but a single one is needed: {}",
                        several.len(),
                        listed.join(", ")
                    ),
                    "save one: numpy.save(OUT, numpy.load(IN)[NAME])",
                ));
            }
        };
        let entry = archive.by_name(member).map_err(|error| broken(&error))?;
        if entry.size() > self.limits.bytes {
            return Err(self.too_large(entry.size()));
        }
        // The size is the archive's word, too.
        let mut unpacked = Vec::new();
        entry
            .take(self.limits.bytes.saturating_add(1))
            .read_to_end(&mut unpacked)
            .map_err(|error| broken(&error))?;
        if unpacked.len() as u64 > self.limits.bytes {
            return Err(self.too_large(unpacked.len() as u64));
        }
        match unpacked.starts_with(b"\x93NUMPY") {
            true => self.npy(&unpacked),
            false => Err(self.fail("its only member is not an array", AGAIN)),
        }
    }
}

/// Numbers whose first index runs fastest, so that the last one does.
fn in_c_order(values: &[f64], shape: &[usize]) -> Vec<f64> {
    let strides: Vec<usize> = shape
        .iter()
        .scan(1, |stride, side| {
            let here = *stride;
            *stride *= side;
            Some(here)
        })
        .collect();
    let mut index = vec![0; shape.len()];
    let mut at = 0;
    let mut made = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        made.push(values[at]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            at -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    made
}
