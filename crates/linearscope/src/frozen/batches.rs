//! Batches of probes: checked against the ports of a network, cut to what fits the memory.

use burn_backend::{Backend, Shape, Slice, TensorMetadata, tensor::FloatTensor};

use crate::{
    driver::Loaded,
    error::{Error, Place, Result, guarded},
    host,
    linear::batch,
    network::Port,
};

/// `work` on at most this many probes at a time, the results side by side.
pub(super) fn in_batches<B: Backend>(
    most: usize,
    x: &[FloatTensor<B>],
    mut work: impl FnMut(&[FloatTensor<B>]) -> Result<Vec<FloatTensor<B>>>,
) -> Result<Vec<FloatTensor<B>>> {
    let k = x.first().map_or(1, |x| x.shape()[0]);
    guarded(
        || replaying("a replay in batches"),
        || {
            if k <= most {
                return work(x);
            }
            let mut parts: Vec<Vec<FloatTensor<B>>> = Vec::new();
            for start in (0..k).step_by(most) {
                let some: Vec<FloatTensor<B>> = x
                    .iter()
                    .map(|x| {
                        let mut ranges: Vec<Slice> =
                            x.shape().iter().map(|&size| Slice::from(0..size)).collect();
                        ranges[0] = Slice::from(start..(start + most).min(k));
                        B::float_slice(x.clone(), &ranges)
                    })
                    .collect();
                parts.push(work(&some)?);
            }
            let ports = parts.first().map_or(0, Vec::len);
            Ok((0..ports)
                .map(|port| B::float_cat(parts.iter().map(|part| part[port].clone()).collect(), 0))
                .collect())
        },
    )?
}

pub(super) fn replaying(what: &str) -> Place {
    Place {
        node: String::new(),
        op: what.into(),
    }
}

/// k zeros of a shape.
pub(super) fn zeros<B: Backend>(loaded: &Loaded<B>, k: usize, shape: &Shape) -> FloatTensor<B> {
    B::float_zeros(
        batch::shape_of(k, shape),
        loaded.device(),
        loaded.dtype().into(),
    )
}

/// One probe of zeros per input.
pub(super) fn zero_probes<B: Backend>(loaded: &Loaded<B>) -> Vec<FloatTensor<B>> {
    let ports = loaded.network().inputs().iter();
    ports.map(|port| zeros(loaded, 1, &port.shape)).collect()
}

/// `[1, ..shape] → [..shape]`.
pub(super) fn without_probe_axis<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let dims: Vec<usize> = x.shape().iter().skip(1).copied().collect();
    B::float_reshape(x, Shape::from(dims))
}

pub(super) fn check_probes<B: Backend>(loaded: &Loaded<B>, x: &[FloatTensor<B>]) -> Result<()> {
    check_batches::<B>("probe of input", loaded.network().inputs(), x)
}

pub(super) fn check_cotangents<B: Backend>(loaded: &Loaded<B>, y: &[FloatTensor<B>]) -> Result<()> {
    check_batches::<B>("cotangent of output", loaded.network().outputs(), y)
}

fn check_batches<B: Backend>(what: &str, ports: &[Port], tensors: &[FloatTensor<B>]) -> Result<()> {
    check_count(what, ports.len(), tensors.len())?;
    let mut k = None;
    for (port, tensor) in ports.iter().zip(tensors) {
        let what = || format!("{what} \"{}\"", port.name);
        k = Some(batch::count(what, &tensor.shape(), &port.shape, k)?);
    }
    Ok(())
}

pub(super) fn check_count(what: &str, expected: usize, got: usize) -> Result<()> {
    if expected == got {
        return Ok(());
    }
    Err(Error::Shape {
        what: format!("the list of {what}s"),
        got: vec![got],
        expected: vec![expected],
        hint: String::new(),
    })
}

/// Numbers all through, port by port. Waits for the device.
pub(super) fn check_finite<B: Backend>(
    what: &str,
    ports: &[Port],
    tensors: &[FloatTensor<B>],
) -> Result<()> {
    for (port, x) in ports.iter().zip(tensors) {
        let values = host::<B>(B::float_detach(x.clone()))?;
        let mut bad = values.iter().enumerate().filter(|(_, v)| !v.is_finite());
        if let Some((first, _)) = bad.next() {
            return Err(Error::NotFinite {
                what: format!("{what} \"{}\"", port.name),
                count: 1 + bad.count(),
                first,
            });
        }
    }
    Ok(())
}
