//! `.npy` files, C order, as results have them. What is read is `linearscope_preprocess`'s.

use std::{io, path::Path};

use linearscope_preprocess::{Array, Limits};
use npyz::WriterBuilder;

use crate::{args::Precision, error::Result, limits::refused};

pub(crate) use linearscope_preprocess::is_array as is_npy;

/// The numbers of an array file and its shape.
pub(crate) fn read(path: &Path, limits: &Limits) -> Result<(Vec<f64>, Vec<usize>)> {
    let array = Array::open(path, limits).map_err(refused)?;
    Ok((array.values, array.shape))
}

/// Numbers in the run's precision.
pub(crate) fn encode(values: &[f64], shape: &[usize], precision: Precision) -> io::Result<Vec<u8>> {
    let shape: Vec<u64> = shape.iter().map(|&d| d as u64).collect();
    match precision {
        Precision::F32 => encoded(values.iter().map(|&v| v as f32), &shape),
        Precision::F64 => encoded(values.iter().copied(), &shape),
    }
}

/// Whole numbers, 32 bits each.
pub(crate) fn encode_whole_numbers(values: &[i32], shape: &[usize]) -> io::Result<Vec<u8>> {
    let shape: Vec<u64> = shape.iter().map(|&d| d as u64).collect();
    encoded(values.iter().copied(), &shape)
}

fn encoded<T: npyz::AutoSerialize>(
    values: impl Iterator<Item = T>,
    shape: &[u64],
) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new().default_dtype().shape(shape);
    let mut writer = options.writer(&mut bytes).begin_nd()?;
    writer.extend(values)?;
    writer.finish()?;
    Ok(bytes)
}

/// The header of an array whose data is written apart, padded so that the data begins at a multiple of 64 bytes.
pub(crate) fn header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let dims = match shape {
        [] => "()".to_string(),
        [n] => format!("({n},)"),
        dims => {
            let dims: Vec<String> = dims.iter().map(usize::to_string).collect();
            format!("({})", dims.join(", "))
        }
    };
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {dims}, }}");
    let padding = 63 - (10 + text.len()) % 64;
    text.push_str(&" ".repeat(padding));
    text.push('\n');
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend((text.len() as u16).to_le_bytes());
    header.extend(text.bytes());
    header
}
