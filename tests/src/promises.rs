//! What the interpreter promises of every network, on every device. One suite; each device has a
//! short runner in `tests/`.

use std::sync::Arc;

use burn_backend::{Backend, DType, TensorData, TensorMetadata, tensor::FloatTensor};
use linearscope::{Loaded, Network, Paired, Recorded, RuleSet, host};

use crate::{dot, pseudo, relative, upload};

/// Where the promises are tried.
#[derive(Clone, Debug)]
pub struct Platform<B: Backend> {
    /// Its device.
    pub device: B::Device,
    /// The dtype of everything.
    pub dtype: DType,
    /// Whether y₀ is the plain run's bit for bit; else to a relative 10⁻⁶ (fusion, autotune).
    pub bitwise: bool,
    /// Allowed relative error of exactness, adjoint and affinity.
    pub limit: f64,
}

/// Numbers in [−1, 1) of the fixed sequence.
fn signed(count: usize, offset: usize) -> Vec<f64> {
    (0..count).map(|i| 2.0 * pseudo(i + offset) - 1.0).collect()
}

impl<B: Backend> Platform<B> {
    fn batch(&self, values: &[f64], k: usize, shape: &[usize]) -> FloatTensor<B> {
        let data = TensorData::new(values.to_vec(), [vec![k], shape.to_vec()].concat());
        upload::<B>(&data, &self.device, self.dtype)
    }

    /// All promises for one network of one input and output at x₀.
    ///
    /// # Panics
    /// When one is broken, with both numbers.
    pub fn keeps(&self, name: &str, network: &Network, x0: &TensorData, rules: RuleSet) {
        let limit = self.limit;
        let read = |x| host::<B>(x).expect("reads");
        let loaded = Loaded::<B>::new(Arc::new(network.clone()), self.device.clone(), self.dtype);
        let loaded = Arc::new(loaded.expect("loads"));
        let x = || upload::<B>(x0, &self.device, self.dtype);
        let input = x0.shape().to_vec();
        let n: usize = input.iter().product();

        // ◆ The reference is untouched.
        let plain = read(loaded.forward(vec![x()]).expect("runs").remove(0));
        let frozen = Recorded::new(loaded.clone(), vec![x()], rules.clone()).expect("freezes");
        let y0 = read(frozen.reference()[0].clone());
        if self.bitwise {
            let bits = |v: &[f64]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&y0), bits(&plain), "{name}: y0 is not the plain run's");
        } else {
            let off = relative(&y0, &plain);
            assert!(off <= 1e-6, "{name}: y0 is {off:e} off the plain run's");
        }
        let output = frozen.reference()[0].shape().to_vec();

        // ◆ x₁ = x₀ ⇒ y₁ = y₀, beside another probe, replayed and paired.
        let (other, third) = (signed(n, 7), signed(n, 7 + n));
        let values = [read(x()), other.clone()].concat();
        let probes = || self.batch(&values, 2, &input);
        let affine = read(frozen.affine(&[probes()]).expect("replays").remove(0));
        let (at_x0, at_other) = affine.split_at(affine.len() / 2);
        let off = relative(at_x0, &y0);
        assert!(off <= limit, "{name}: y1 is {off:e} off y0 at x1 = x0");
        let (_, paired) =
            Paired::beside(&loaded, vec![x()], vec![probes()], rules, true).expect("runs");
        let paired = read(paired.into_iter().next().expect("one output"));
        let off = relative(&paired, &affine);
        assert!(off <= limit, "{name}: paired is {off:e} off replayed");

        // ◆ y₁ is affine in x₁: at ½ other + ½ third it is the mean of both.
        let mean: Vec<f64> = other
            .iter()
            .zip(&third)
            .map(|(a, b)| (a + b) / 2.0)
            .collect();
        let two = self.batch(&[mean, third].concat(), 2, &input);
        let two = read(frozen.affine(&[two]).expect("replays").remove(0));
        let (at_mean, at_third) = two.split_at(two.len() / 2);
        let expected: Vec<f64> = at_other
            .iter()
            .zip(at_third)
            .map(|(a, b)| (a + b) / 2.0)
            .collect();
        let off = relative(at_mean, &expected);
        assert!(off <= limit, "{name}: {off:e} from affine");

        // ⟨F v, u⟩ = ⟨v, Fᵀ u⟩, over ‖F v‖ ‖u‖.
        let u = signed(y0.len(), 31);
        let fv = frozen.apply(&[self.batch(&other, 1, &input)]);
        let fv = read(fv.expect("replays").remove(0));
        let ftu = frozen.adjoint(&[self.batch(&u, 1, &output)]);
        let ftu = read(ftu.expect("replays").remove(0));
        let (forward, backward) = (dot(&fv, &u), dot(&other, &ftu));
        let scale = (dot(&fv, &fv) * dot(&u, &u)).sqrt().max(f64::MIN_POSITIVE);
        let off = (forward - backward).abs() / scale;
        assert!(
            off <= limit,
            "{name}: <F v, u> = {forward}, <v, Ft u> = {backward}"
        );
    }

    /// The promises on `count` random networks, from `seed` on.
    ///
    /// # Panics
    /// When one is broken; the message gives the seed.
    pub fn keeps_on_random_networks(&self, seed: usize, count: usize) {
        for seed in seed..seed + count {
            let (network, x0) = crate::random::network(seed);
            self.keeps(
                &format!("random network {seed}"),
                &network,
                &x0,
                RuleSet::default(),
            );
        }
    }
}
