//! Rows of F, two ways.

use std::{path::Path, sync::Arc};

use burn::tensor::{Device, FloatDType, Tensor};
use burn_backend::{DType, Shape, TensorData, TensorMetadata, ops::FloatTensorOps};
use burn_dispatch::Dispatch;
use linearscope::{Loaded, Paired, RuleSet};
use linearscope_analysis::{FrozenNetwork, projection};

use crate::{network, norm, relative, upload};

/// A row by the maps' adjoints equals the row by Burn's autodiff through the paired run.
///
/// # Panics
/// When it does not, with the difference.
pub fn rows_equal_autodiff(path: &Path, x0: &TensorData, at: usize) {
    let rules = RuleSet::default();
    let shape: Vec<usize> = x0.shape().to_vec();
    let make = || Arc::new(network(path, &shape));
    let plain = Device::flex();
    let loaded = FrozenNetwork::load((*make()).clone(), &plain, FloatDType::F64).expect("loads");
    let frozen = FrozenNetwork::new(loaded, x0.clone(), rules.clone()).expect("freezes");
    let row = projection::rows(&frozen, &[at]).expect("a row");
    let row = linearscope_analysis::vectors::read(row).expect("reads");

    let tracked = Device::flex().autodiff();
    let loaded: Loaded<Dispatch> =
        Loaded::new(make(), tracked.as_dispatch().clone(), DType::F64).expect("loads");
    let x0 = upload::<Dispatch>(x0, tracked.as_dispatch(), DType::F64);
    let probe = Tensor::<5>::zeros(
        [1, shape[0], shape[1], shape[2], shape[3]],
        (&tracked, DType::F64),
    )
    .require_grad();
    let probes = vec![probe.clone().into_dispatch()];
    let (_, y1) = Paired::beside(&loaded, vec![x0], probes, rules, true).expect("runs");
    let y1 = y1.into_iter().next().expect("one output");
    let flat = vec![y1.shape().num_elements()];
    let y1 = Tensor::<1>::from_dispatch(Dispatch::float_reshape(y1, Shape::from(flat)));
    let gradients = y1.slice(at..at + 1).backward();
    let gradient = probe
        .grad(&gradients)
        .expect("the gradient reaches the probe");
    let gradient: Vec<f64> = gradient
        .into_data()
        .convert_dtype(DType::F64)
        .try_to_vec()
        .expect("reads");
    assert!(
        relative(&row, &gradient) < 1e-12,
        "{}: row {at} differs by {:e}",
        path.display(),
        relative(&row, &gradient)
    );
    assert!(norm(&row) > 0.0, "an empty row shows nothing");
}
