//! From a tensor in the file to numbers: sizes checked before anything is allocated, data inside
//! the file or alongside it.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Component, Path, PathBuf},
};

use burn_backend::{BoolStore, Bytes, DType, TensorData, bf16, f16};
use onnx_ir::TensorProto;

use crate::{
    error::{Error, Result},
    low_precision::LowPrecision,
    skeleton::{Field, Message, Place, skeleton},
};

/// The most bytes the weights of one model may take. Data inside the file is bounded by the file
/// (a varint of one byte becomes an integer of at most eight); data alongside it by the files there,
/// of which no byte is used twice, and both by this.
const LARGEST_MODEL: u128 = 32 << 30;

/// The dtype of an ONNX data type, if Burn has it.
pub(crate) fn dtype(data_type: i32) -> Option<DType> {
    Some(match data_type {
        1 => DType::F32,
        2 => DType::U8,
        3 => DType::I8,
        4 => DType::U16,
        5 => DType::I16,
        6 => DType::I32,
        7 => DType::I64,
        9 => DType::Bool(BoolStore::Native),
        10 => DType::F16,
        11 => DType::F64,
        12 => DType::U32,
        13 => DType::U64,
        16 => DType::BF16,
        _ => return None,
    })
}

/// Whether numbers of this ONNX data type can be read.
pub(crate) fn readable_type(data_type: i32) -> bool {
    Kind::of(data_type).is_some()
}

/// ONNX's name of a data type.
pub(crate) fn type_name(data_type: i32) -> String {
    let names = [
        "undefined",
        "float",
        "uint8",
        "int8",
        "uint16",
        "int16",
        "int32",
        "int64",
        "string",
        "bool",
        "float16",
        "double",
        "uint32",
        "uint64",
        "complex64",
        "complex128",
        "bfloat16",
        "float8e4m3fn",
        "float8e4m3fnuz",
        "float8e5m2",
        "float8e5m2fnuz",
        "uint4",
        "int4",
        "float4e2m1",
        "float8e8m0",
        "uint2",
        "int2",
    ];
    usize::try_from(data_type)
        .ok()
        .and_then(|at| names.get(at))
        .map_or_else(
            || format!("data type {data_type}"),
            |name| (*name).to_string(),
        )
}

/// Data that clones share: a weight exists once, however many networks hold it.
pub(crate) fn shared(data: TensorData) -> TensorData {
    let (bytes, shape, dtype) = data.into_parts();
    TensorData::from_bytes(bytes.shared(), shape, dtype)
}

/// What the bytes of a tensor are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain(DType),
    LowPrecision(LowPrecision),
}

impl Kind {
    fn of(data_type: i32) -> Option<Self> {
        let low_precision = || LowPrecision::of(data_type).map(Kind::LowPrecision);
        dtype(data_type).map(Kind::Plain).or_else(low_precision)
    }

    /// Bytes in the file.
    fn size(self, numel: u128) -> u128 {
        match self {
            Kind::Plain(dtype) => numel.saturating_mul(dtype.size() as u128),
            Kind::LowPrecision(kind) => numel.saturating_mul(kind.bits() as u128).div_ceil(8),
        }
    }
}

/// A file, or bytes in memory.
pub(crate) trait Source: Read + Seek {}
impl<S: Read + Seek> Source for S {}

/// Reads the tensors of one model.
pub(crate) struct Reader<'a> {
    /// The file that holds the tensors' data, and where in it each lies.
    source: &'a mut dyn Source,
    places: Vec<Place>,
    /// The folder external data must lie in; none for models without a file.
    folder: Option<PathBuf>,
    /// Bytes promised so far.
    total: u128,
    /// What of each external file is taken: (offset, length), its kind and its data.
    taken: HashMap<PathBuf, Vec<(u64, u64, Kind, TensorData)>>,
}

impl<'a> Reader<'a> {
    /// A reader for the model at `path`, whose bytes are `source`'s.
    pub(crate) fn new(path: &Path, source: &'a mut dyn Source, places: Vec<Place>) -> Self {
        let folder = path.parent().map(|folder| {
            if folder.as_os_str().is_empty() {
                PathBuf::from(".")
            } else {
                folder.to_path_buf()
            }
        });
        Self {
            source,
            places,
            folder,
            total: 0,
            taken: HashMap::new(),
        }
    }

    /// The place a tensor's `raw_data` names; none if the tensor has no data there.
    fn place(&self, tensor: &TensorProto) -> Option<Place> {
        let index = tensor.raw_data[..].try_into().ok()?;
        let index = usize::try_from(u64::from_le_bytes(index)).ok()?;
        self.places.get(index).copied()
    }

    /// The numbers of `tensor`, whose lists are emptied: it must hold what its shape promises.
    pub(crate) fn read(&mut self, tensor: &mut TensorProto) -> Result<TensorData> {
        let name = tensor.name.clone();
        let refused = |because: String| Error::Initialiser {
            tensor: name.clone(),
            because,
        };
        let kind = Kind::of(tensor.data_type)
            .ok_or_else(|| refused(format!("is of type {}", type_name(tensor.data_type))))?;
        let shape: Vec<usize> = tensor
            .dims
            .iter()
            .map(|&size| usize::try_from(size).ok())
            .collect::<Option<_>>()
            .ok_or_else(|| refused(format!("has shape {:?}", tensor.dims)))?;
        let numel = shape
            .iter()
            .fold(1u128, |n, &size| n.saturating_mul(size as u128));
        let expected = kind.size(numel);
        let truncated = |got: usize| Error::Truncated {
            tensor: name.clone(),
            expected,
            got,
        };
        self.total = self.total.saturating_add(expected);
        if self.total > LARGEST_MODEL {
            return Err(refused(format!(
                "brings the weights to {} bytes, above the limit of {LARGEST_MODEL}",
                self.total
            )));
        }
        if !tensor.external_data.is_empty() || tensor.data_location.value() == 1 {
            return self.external(tensor, kind, shape, expected as u64);
        }
        let listed = tensor.float_data.len()
            + tensor.int32_data.len()
            + tensor.int64_data.len()
            + tensor.double_data.len()
            + tensor.uint64_data.len();
        let wide = || refused("stores its data in the wrong list".into());
        if listed != 0 && self.place(tensor).is_some_and(|place| place.length > 0) {
            return Err(refused("stores its data twice".into()));
        }
        if listed == 0 {
            let place = self.place(tensor).unwrap_or(Place {
                field: Field::Raw,
                offset: 0,
                length: 0,
            });
            match (place.field, kind) {
                (Field::Raw, _)
                | (Field::Floats, Kind::Plain(DType::F32))
                | (Field::Doubles, Kind::Plain(DType::F64)) => {}
                _ => return Err(wide()),
            }
            let got = place.length;
            if u128::from(got) < expected {
                return Err(truncated(usize::try_from(got).unwrap_or(usize::MAX)));
            }
            if u128::from(got) > expected {
                return Err(refused(format!(
                    "holds {got} bytes, but its shape {shape:?} needs {expected}"
                )));
            }
            let read = || {
                self.source.seek(SeekFrom::Start(place.offset))?;
                filled(self.source, kind, shape)
            };
            let data = read().map_err(|error| refused(format!("cannot be read ({error})")))?;
            return Ok(shared(data));
        }
        let dtype = match kind {
            Kind::Plain(dtype) => dtype,
            Kind::LowPrecision(kind) => {
                // One packed byte an entry.
                let packed = std::mem::take(&mut tensor.int32_data);
                if packed.len() as u128 != expected || packed.len() != listed {
                    return Err(truncated(packed.len()));
                }
                let packed: Vec<u8> = packed.into_iter().map(|v| v as u8).collect();
                return Ok(shared(kind.unpack(&packed, shape)));
            }
        };
        if listed as u128 != numel {
            return Err(truncated(listed.saturating_mul(dtype.size())));
        }
        // Which list holds which type: onnx.proto, TensorProto.
        let small = std::mem::take(&mut tensor.int32_data);
        let full = |length: usize| {
            if length as u128 == numel {
                Ok(())
            } else {
                Err(wide())
            }
        };
        macro_rules! narrow {
            ($from:expr, $kind:ty) => {{
                let list = $from;
                full(list.len())?;
                TensorData::new(list.into_iter().map(|v| v as $kind).collect(), shape)
            }};
        }
        let data = match dtype {
            DType::F32 => narrow!(std::mem::take(&mut tensor.float_data), f32),
            DType::F64 => narrow!(std::mem::take(&mut tensor.double_data), f64),
            DType::I64 => narrow!(std::mem::take(&mut tensor.int64_data), i64),
            DType::U64 => narrow!(std::mem::take(&mut tensor.uint64_data), u64),
            DType::U32 => narrow!(std::mem::take(&mut tensor.uint64_data), u32),
            DType::I32 => narrow!(small, i32),
            DType::I16 => narrow!(small, i16),
            DType::I8 => narrow!(small, i8),
            DType::U16 => narrow!(small, u16),
            DType::U8 => narrow!(small, u8),
            DType::F16 => {
                full(small.len())?;
                let bits = small.into_iter().map(|v| f16::from_bits(v as u16));
                TensorData::new(bits.collect(), shape)
            }
            DType::BF16 => {
                full(small.len())?;
                let bits = small.into_iter().map(|v| bf16::from_bits(v as u16));
                TensorData::new(bits.collect(), shape)
            }
            _ => {
                full(small.len())?;
                TensorData::new(small.into_iter().map(|v| v != 0).collect(), shape)
            }
        };
        Ok(shared(data))
    }

    /// Data in a file alongside the model: a relative path that stays in the model's folder, links
    /// followed.
    fn external(
        &mut self,
        tensor: &TensorProto,
        kind: Kind,
        shape: Vec<usize>,
        expected: u64,
    ) -> Result<TensorData> {
        let entry = |key: &str| {
            let found = tensor.external_data.iter().find(|entry| entry.key == key);
            found.map(|entry| entry.value.clone())
        };
        let location = entry("location").unwrap_or_default();
        let refused = |because: String| Error::ExternalData {
            tensor: tensor.name.clone(),
            location: location.clone(),
            because,
        };
        let number = |key: &str| match entry(key) {
            None => Ok(None),
            Some(text) => text
                .parse::<u64>()
                .map(Some)
                .map_err(|_| refused(format!("its {key} is {text:?}"))),
        };
        let relative = Path::new(&location);
        let stays = relative
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if location.is_empty() || !stays || location.contains(['\\', ':']) {
            return Err(refused("it must lie in the folder of the model".into()));
        }
        let folder = self.folder.clone().unwrap_or_else(|| PathBuf::from("."));
        let system = |error: std::io::Error| refused(error.to_string());
        let path = folder.join(relative).canonicalize().map_err(system)?;
        if !path.starts_with(folder.canonicalize().map_err(system)?) {
            return Err(refused(
                "a link leads outside the folder of the model".into(),
            ));
        }
        let mut file = File::open(&path).map_err(system)?;
        let meta = file.metadata().map_err(system)?;
        if !meta.is_file() {
            return Err(refused("it is not a file".into()));
        }
        let offset = number("offset")?.unwrap_or(0);
        let length = number("length")?.unwrap_or_else(|| meta.len().saturating_sub(offset));
        if length != expected {
            return Err(refused(format!(
                "it is given as {length} bytes, but its shape {shape:?} needs {expected}"
            )));
        }
        let end = offset.checked_add(length);
        if end.is_none_or(|end| end > meta.len()) {
            return Err(refused(format!(
                "it should contain bytes {offset} to {}, but has only {}; is it complete?",
                offset.saturating_add(length),
                meta.len()
            )));
        }
        let taken = self.taken.entry(path).or_default();
        // Tied weights share one place; other overlaps would multiply a small file.
        if let Some((.., data)) = taken
            .iter()
            .find(|(at, size, other, _)| (*at, *size, *other) == (offset, length, kind))
        {
            let (bytes, _, dtype) = data.clone().into_parts();
            return Ok(TensorData::from_bytes(bytes, shape, dtype));
        }
        if taken
            .iter()
            .any(|(at, size, ..)| offset < at + size && *at < offset + length)
        {
            return Err(refused(format!(
                "bytes {offset} to {} are used by two tensors",
                offset + length
            )));
        }
        file.seek(SeekFrom::Start(offset)).map_err(system)?;
        let data = shared(filled(&mut file, kind, shape).map_err(system)?);
        taken.push((offset, length, kind, data.clone()));
        Ok(data)
    }
}

/// The next numbers of a file, little-endian, read into the memory they stay in. The caller has seen
/// that there are so many bytes.
fn filled(source: &mut dyn Read, kind: Kind, shape: Vec<usize>) -> io::Result<TensorData> {
    let numel: usize = shape.iter().product();
    let dtype = match kind {
        Kind::Plain(dtype) => dtype,
        Kind::LowPrecision(kind) => {
            let mut packed = vec![0; (numel * kind.bits()).div_ceil(8)];
            source.read_exact(&mut packed)?;
            return Ok(kind.unpack(&packed, shape));
        }
    };
    // Memory aligned as the numbers need it.
    let mut bytes = match dtype.size() {
        1 => Bytes::from_elems(vec![0u8; numel]),
        2 => Bytes::from_elems(vec![0u16; numel]),
        4 => Bytes::from_elems(vec![0u32; numel]),
        _ => Bytes::from_elems(vec![0u64; numel]),
    };
    source.read_exact(&mut bytes)?;
    if dtype.is_bool() {
        bytes
            .iter_mut()
            .for_each(|byte| *byte = u8::from(*byte != 0));
    }
    if cfg!(target_endian = "big") {
        let numbers = bytes.chunks_exact_mut(dtype.size());
        numbers.for_each(<[u8]>::reverse);
    }
    Ok(TensorData::from_bytes(bytes, shape, dtype))
}

/// The numbers of a tensor file (`.pb`, a `TensorProto`), as data sets beside models have them.
/// Types that Burn has no dtype for come in the next that holds them: 8- and 4-bit floats as f32,
/// 4- and 2-bit integers as 8-bit ones.
///
/// # Errors
/// [`Error::NotOnnx`] for bytes that are no such file; [`Error::Truncated`] and [`Error::Initialiser`] when
/// the tensor does not hold what its shape and type promise, or is of a type that cannot be read.
///
/// ```
/// // dims: 2; data_type: uint8; raw_data: 7, 9
/// let file = [0x08, 2, 0x10, 2, 0x4a, 2, 7, 9];
/// let data = linearscope_onnx::tensor_from_bytes(&file)?;
/// assert_eq!(data.shape().to_vec(), [2]);
/// assert_eq!(data.iter::<u8>().collect::<Vec<_>>(), [7, 9]);
/// # Ok::<(), linearscope_onnx::Error>(())
/// ```
pub fn tensor_from_bytes(bytes: &[u8]) -> Result<TensorData> {
    use onnx_ir::Message as _;
    let not_onnx = |because: String| Error::NotOnnx {
        hint: crate::foreign::AGAIN.into(),
        path: "the tensor".into(),
        because,
    };
    let mut source = io::Cursor::new(bytes);
    let skeleton =
        skeleton(&mut source, Message::Tensor).map_err(|error| not_onnx(error.to_string()))?;
    let mut tensor = TensorProto::parse_from_bytes(&skeleton.bytes)
        .map_err(|error| not_onnx(error.to_string()))?;
    Reader::new(Path::new("tensor.pb"), &mut source, skeleton.places).read(&mut tensor)
}
