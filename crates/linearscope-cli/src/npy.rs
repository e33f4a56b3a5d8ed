//! `.npy` files, C order.

use std::{fs::File, io::BufReader, path::Path};

use npyz::{DType, NpyFile, Order, WriterBuilder};

use crate::{
    args::Precision,
    error::{Failure, Result},
};

/// Whether a file's name says that it holds an array.
pub(crate) fn is_npy(path: &Path) -> bool {
    path.extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("npy"))
}

/// The numbers of a float or integer `.npy` and its shape.
pub(crate) fn read(path: &Path) -> Result<(Vec<f64>, Vec<usize>)> {
    let fail = |error: &dyn std::fmt::Display| {
        Failure::input(format!("{}: no readable .npy ({error})", path.display()))
            .hint("numpy.save writes one")
    };
    let file = File::open(path).map_err(|error| Failure::file(path, error))?;
    let length = file.metadata().map(|meta| meta.len()).unwrap_or(u64::MAX);
    let npy = NpyFile::new(BufReader::new(file)).map_err(|error| fail(&error))?;
    let shape: Vec<usize> = npy.shape().iter().map(|&d| d as usize).collect();
    // A lying header must not make us allocate: each element takes at least a byte of the file.
    let numel = shape.iter().try_fold(1u64, |n, &d| n.checked_mul(d as u64));
    if numel.is_none_or(|numel| numel > length) {
        return Err(fail(&format!(
            "shape {shape:?} needs more data than the file holds"
        )));
    }
    if npy.order() != Order::C && shape.len() > 1 {
        return Err(fail(&"it is in Fortran order").hint("save numpy.ascontiguousarray(x)"));
    }
    let DType::Plain(kind) = npy.dtype() else {
        return Err(fail(&"it holds records, not numbers"));
    };
    let kind = kind.to_string();
    let values: Vec<f64> = match &kind[1..] {
        "f4" => widened(npy.into_vec::<f32>().map_err(|error| fail(&error))?),
        "f8" => npy.into_vec::<f64>().map_err(|error| fail(&error))?,
        "u1" => widened(npy.into_vec::<u8>().map_err(|error| fail(&error))?),
        "i4" => widened(npy.into_vec::<i32>().map_err(|error| fail(&error))?),
        "i8" => npy
            .into_vec::<i64>()
            .map_err(|error| fail(&error))?
            .into_iter()
            .map(|v| v as f64)
            .collect(),
        other => {
            return Err(fail(&format!(
                "its numbers are {other}, not f4, f8, u1, i4 or i8"
            )));
        }
    };
    Ok((values, shape))
}

fn widened<T: Into<f64>>(values: Vec<T>) -> Vec<f64> {
    values.into_iter().map(Into::into).collect()
}

/// Write numbers in the run's precision.
pub(crate) fn write(
    path: &Path,
    values: &[f64],
    shape: &[usize],
    precision: Precision,
) -> Result<()> {
    let shape: Vec<u64> = shape.iter().map(|&d| d as u64).collect();
    let bytes = match precision {
        Precision::F32 => encoded(values.iter().map(|&v| v as f32), &shape),
        Precision::F64 => encoded(values.iter().copied(), &shape),
    };
    let bytes = bytes.map_err(|error| Failure::file(path, error))?;
    crate::output::write_whole(path, &bytes)
}

/// Write whole numbers, 32 bits each.
pub(crate) fn write_whole_numbers(path: &Path, values: &[i32], shape: &[usize]) -> Result<()> {
    let shape: Vec<u64> = shape.iter().map(|&d| d as u64).collect();
    let bytes = encoded(values.iter().copied(), &shape);
    let bytes = bytes.map_err(|error| Failure::file(path, error))?;
    crate::output::write_whole(path, &bytes)
}

fn encoded<T: npyz::AutoSerialize>(
    values: impl Iterator<Item = T>,
    shape: &[u64],
) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new().default_dtype().shape(shape);
    let mut writer = options.writer(&mut bytes).begin_nd()?;
    writer.extend(values)?;
    writer.finish()?;
    Ok(bytes)
}
