//! What k probes cost: paired runs, replays and adjoint replays against a plain forward of the same
//! batch.
//!
//! All four are timed in turn, round after round, so that whatever else the machine does meets all
//! of them alike; the figures are medians, and ratios of medians of one run.
//!
//! [`suite`] measures a device, on [`networks`] that need no file.

pub mod networks;
pub mod suite;

use std::{ops::ControlFlow, sync::Arc, time::Instant};

use burn::tensor::{Device, FloatDType, TensorData};
use burn_backend::{Backend, Shape, TensorMetadata, ops::FloatTensorOps};
use burn_dispatch::{Dispatch, DispatchTensor};
use linearscope::{Kernels, Network, Paired, Recorded, RuleSet, noise, program::NodeTime};
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result, tell},
    frozen::FrozenNetwork,
    progress::Progress,
};

/// Medians of interleaved runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bench {
    /// Milliseconds of a plain forward of k inputs as one batch.
    pub forward_ms: f64,
    /// The paper's mode: reference and k probes, nothing recorded, over that.
    pub paired_over_forward: f64,
    /// F x for k probes over that.
    pub replay_over_forward: f64,
    /// Fᵀ y for k cotangents over that.
    pub adjoint_over_forward: f64,
    /// The quartiles of the single rounds' ratios: paired, replay, adjoint.
    pub quartiles: [[f64; 2]; 3],
    /// Milliseconds to freeze: one forward, the decisions, the program; once.
    pub freeze_ms: f64,
    /// How many rounds.
    pub rounds: usize,
}

/// What is timed, and where.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BenchConfig {
    /// Probes side by side. Default 8.
    pub k: usize,
    /// Rounds that count; one before them does not. Default 15.
    pub rounds: usize,
    /// The device.
    pub device: Device,
    /// The precision. Default f32.
    pub dtype: FloatDType,
    /// Whose kernels compute forwards. Default Burn's.
    pub kernels: Kernels,
}

impl BenchConfig {
    /// Eight probes, 15 rounds, f32.
    pub fn new(device: &Device) -> Self {
        Self {
            k: 8,
            rounds: 15,
            device: device.clone(),
            dtype: FloatDType::F32,
            kernels: Kernels::default(),
        }
    }
}

setters!(BenchConfig:
    with_k k: usize, with_rounds rounds: usize, with_dtype dtype: FloatDType,
    with_kernels kernels: Kernels
);

fn quantile(sorted: &[f64], q: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * q).round() as usize]
}

/// Noise in 0..1 of a shape.
fn values(shape: &[usize], seed: u64) -> Vec<f64> {
    let values = noise(shape.iter().product(), seed);
    values.into_iter().map(|v| 0.5 + 0.5 * v).collect()
}

/// The same on the device.
fn tensor(shape: &[usize], seed: u64, device: &Device, dtype: FloatDType) -> DispatchTensor {
    let data = TensorData::new(values(shape, seed), shape.to_vec()).convert_dtype(dtype.into());
    Dispatch::float_from_data(data, device.as_dispatch())
}

/// Wait until the device has done all it was given.
fn synced(device: &Device) -> Result<()> {
    Dispatch::sync(device.as_dispatch()).map_err(|error| Error::Data(format!("{error:?}")))
}

/// Time a network: `single` captured for the shape of one input, `many` for k of them as one
/// batch. The first round is not counted.
///
/// # Errors
/// As [`FrozenNetwork::load`], [`Recorded::new`].
pub fn bench(
    single: Network,
    many: Network,
    config: &BenchConfig,
    mut observer: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Bench> {
    let BenchConfig {
        k,
        rounds,
        ref device,
        dtype,
        kernels,
    } = *config;
    let rules = RuleSet::default();
    let load = |network| -> Result<_> {
        let loaded = FrozenNetwork::load(network, device, dtype)?;
        Ok(Arc::new(loaded.with_kernels(kernels)?))
    };
    let (single, many) = (load(single)?, load(many)?);
    let input = single.network().inputs()[0].shape.to_vec();
    let batch = many.network().inputs()[0].shape.to_vec();
    let x0 = tensor(&input, 1, device, dtype);
    let start = Instant::now();
    let frozen = Recorded::new(single.clone(), vec![x0.clone()], rules.clone())?;
    let freeze_ms = 1e3 * start.elapsed().as_secs_f64();
    let plain = tensor(&batch, 2, device, dtype);
    let probes = Dispatch::float_reshape(plain.clone(), Shape::from([vec![k], input].concat()));
    let output = frozen.reference()[0].shape().to_vec();
    let cotangents = tensor(&[vec![k], output].concat(), 3, device, dtype);

    let mut times: [Vec<f64>; 4] = Default::default();
    for round in 0..=rounds {
        tell(
            &mut observer,
            Progress::new("timing rounds", round, rounds + 1),
        )?;
        let timed = |work: &dyn Fn() -> Result<DispatchTensor>| -> Result<f64> {
            let start = Instant::now();
            let made = work()?;
            synced(device)?;
            drop(made);
            Ok(1e3 * start.elapsed().as_secs_f64())
        };
        let found = [
            timed(&|| Ok(many.forward(vec![plain.clone()])?.remove(0)))?,
            timed(&|| {
                let (x0, probes) = (vec![x0.clone()], vec![probes.clone()]);
                let (_, mut y) = Paired::beside(&single, x0, probes, rules.clone(), true)?;
                Ok(y.remove(0))
            })?,
            timed(&|| Ok(frozen.apply(std::slice::from_ref(&probes))?.remove(0)))?,
            timed(&|| Ok(frozen.adjoint(std::slice::from_ref(&cotangents))?.remove(0)))?,
        ];
        if round > 0 {
            times
                .iter_mut()
                .zip(found)
                .for_each(|(all, one)| all.push(one));
        }
    }
    let ratios = |of: usize| {
        let mut ratios: Vec<f64> = times[of]
            .iter()
            .zip(&times[0])
            .map(|(a, b)| a / b)
            .collect();
        ratios.sort_by(f64::total_cmp);
        [quantile(&ratios, 0.25), quantile(&ratios, 0.75)]
    };
    let quartiles = [ratios(1), ratios(2), ratios(3)];
    let [forward, paired, replay, adjoint] = times.map(|mut all| {
        all.sort_by(f64::total_cmp);
        quantile(&all, 0.5)
    });
    Ok(Bench {
        forward_ms: forward,
        paired_over_forward: paired / forward,
        replay_over_forward: replay / forward,
        adjoint_over_forward: adjoint / forward,
        quartiles,
        freeze_ms,
        rounds,
    })
}

/// Where a replay's time goes: every map of the homogeneous program alone, on k probes.
///
/// # Errors
/// As [`Recorded::new`].
pub fn node_times(network: Network, config: &BenchConfig) -> Result<Vec<NodeTime>> {
    let BenchConfig {
        k,
        rounds,
        ref device,
        dtype,
        kernels,
    } = *config;
    let loaded = FrozenNetwork::load(network, device, dtype)?;
    let loaded = Arc::new(loaded.with_kernels(kernels)?);
    let shape = loaded.network().inputs()[0].shape.to_vec();
    let x0 = tensor(&shape, 1, device, dtype);
    let frozen = Recorded::new(Arc::clone(&loaded), vec![x0], RuleSet::default())?;
    Ok(frozen
        .homogeneous()
        .times(k, rounds, device.as_dispatch())?)
}
