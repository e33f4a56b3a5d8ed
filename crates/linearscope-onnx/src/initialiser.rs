//! From a tensor in the file to numbers: sizes checked before anything is allocated, data inside
//! the file or beside it.

use std::{
    collections::HashMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Component, Path, PathBuf},
};

use burn_backend::{BoolStore, DType, TensorData, bf16, f16};
use onnx_ir::TensorProto;

use crate::error::{Error, Result};

/// The most bytes the weights of one model may take. Data inside the file is bounded by the file
/// (a varint of one byte becomes an integer of at most eight); data beside it by the files there,
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

/// Reads the tensors of one model.
pub(crate) struct Reader {
    /// The folder external data must lie in; none for models without a file.
    folder: Option<PathBuf>,
    /// Bytes promised so far.
    total: u128,
    /// What of each external file is taken: (offset, length) and its data.
    taken: HashMap<PathBuf, Vec<(u64, u64, TensorData)>>,
}

impl Reader {
    /// A reader for the model at `path`.
    pub(crate) fn new(path: &Path) -> Self {
        let folder = path.parent().map(|folder| {
            if folder.as_os_str().is_empty() {
                PathBuf::from(".")
            } else {
                folder.to_path_buf()
            }
        });
        Self {
            folder,
            total: 0,
            taken: HashMap::new(),
        }
    }

    /// The numbers of `tensor`, whose buffers are emptied: it must hold what its shape promises.
    pub(crate) fn read(&mut self, tensor: &mut TensorProto) -> Result<TensorData> {
        let name = tensor.name.clone();
        let refused = |because: String| Error::Initialiser {
            tensor: name.clone(),
            because,
        };
        let dtype = dtype(tensor.data_type)
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
        let expected = numel.saturating_mul(dtype.size() as u128);
        let truncated = |got: usize| Error::Truncated {
            tensor: name.clone(),
            expected,
            got,
        };
        self.total = self.total.saturating_add(expected);
        if self.total > LARGEST_MODEL {
            return Err(refused(format!(
                "brings the weights to {} bytes, more than {LARGEST_MODEL}",
                self.total
            )));
        }
        if !tensor.external_data.is_empty() || tensor.data_location.value() == 1 {
            return self.external(tensor, dtype, shape, expected as u64);
        }
        let listed = tensor.float_data.len()
            + tensor.int32_data.len()
            + tensor.int64_data.len()
            + tensor.double_data.len()
            + tensor.uint64_data.len();
        if listed == 0 {
            let raw = std::mem::take(&mut tensor.raw_data);
            if (raw.len() as u128) < expected {
                return Err(truncated(raw.len()));
            }
            if raw.len() as u128 > expected {
                return Err(refused(format!(
                    "holds {} bytes, its shape {shape:?} needs {expected}",
                    raw.len()
                )));
            }
            return Ok(shared(from_raw(&raw, shape, dtype)));
        }
        if listed as u128 != numel {
            return Err(truncated(listed.saturating_mul(dtype.size())));
        }
        // Which list holds which type: onnx.proto, TensorProto.
        let wide = || refused("keeps its data in the wrong list".into());
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

    /// Data in a file beside the model: a relative path that stays in the model's folder, links
    /// followed.
    fn external(
        &mut self,
        tensor: &TensorProto,
        dtype: DType,
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
                "a link leads out of the folder of the model".into(),
            ));
        }
        let mut file = File::open(&path).map_err(system)?;
        let meta = file.metadata().map_err(system)?;
        if !meta.is_file() {
            return Err(refused("it is no file".into()));
        }
        let offset = number("offset")?.unwrap_or(0);
        let length = number("length")?.unwrap_or_else(|| meta.len().saturating_sub(offset));
        if length != expected {
            return Err(refused(format!(
                "{length} bytes of it are named, its shape {shape:?} needs {expected}"
            )));
        }
        let end = offset.checked_add(length);
        if end.is_none_or(|end| end > meta.len()) {
            return Err(refused(format!(
                "bytes {offset} to {} are named but it has {}; is it complete?",
                offset.saturating_add(length),
                meta.len()
            )));
        }
        let taken = self.taken.entry(path).or_default();
        // Tied weights share one place; other overlaps would multiply a small file.
        if let Some((.., data)) = taken
            .iter()
            .find(|(at, size, data)| (*at, *size) == (offset, length) && data.dtype() == dtype)
        {
            let (bytes, ..) = data.clone().into_parts();
            return Ok(TensorData::from_bytes(bytes, shape, dtype));
        }
        if taken
            .iter()
            .any(|(at, size, _)| offset < at + size && *at < offset + length)
        {
            return Err(refused(format!(
                "bytes {offset} to {} are used by two tensors",
                offset + length
            )));
        }
        let mut raw = vec![0; length as usize];
        file.seek(SeekFrom::Start(offset)).map_err(system)?;
        file.read_exact(&mut raw).map_err(system)?;
        let data = shared(from_raw(&raw, shape, dtype));
        taken.push((offset, length, data.clone()));
        Ok(data)
    }
}

/// Little-endian bytes of exactly the right number.
fn from_raw(raw: &[u8], shape: Vec<usize>, dtype: DType) -> TensorData {
    macro_rules! numbers {
        ($kind:ty) => {{
            let (chunks, _) = raw.as_chunks::<{ size_of::<$kind>() }>();
            let numbers = chunks.iter().map(|bytes| <$kind>::from_le_bytes(*bytes));
            TensorData::new(numbers.collect(), shape)
        }};
    }
    match dtype {
        DType::F64 => numbers!(f64),
        DType::F16 => numbers!(f16),
        DType::BF16 => numbers!(bf16),
        DType::I64 => numbers!(i64),
        DType::I32 => numbers!(i32),
        DType::I16 => numbers!(i16),
        DType::I8 => numbers!(i8),
        DType::U64 => numbers!(u64),
        DType::U32 => numbers!(u32),
        DType::U16 => numbers!(u16),
        DType::U8 => numbers!(u8),
        DType::Bool(_) => TensorData::new(raw.iter().map(|byte| *byte != 0).collect(), shape),
        _ => numbers!(f32),
    }
}

/// The numbers of a tensor file (`.pb`, a `TensorProto`), as data sets beside models have them.
///
/// # Errors
/// [`Error::NotOnnx`], [`Error::Truncated`], [`Error::Initialiser`].
pub fn tensor_from_bytes(bytes: &[u8]) -> Result<TensorData> {
    use onnx_ir::Message;
    let mut tensor = TensorProto::parse_from_bytes(bytes).map_err(|error| Error::NotOnnx {
        path: "the tensor".into(),
        because: error.to_string(),
    })?;
    Reader::new(Path::new("tensor.pb")).read(&mut tensor)
}
