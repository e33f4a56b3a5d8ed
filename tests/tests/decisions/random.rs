//! Random networks whose every layer is piecewise linear, most with decisions that enter as data: what
//! they claim is true, and most of them claim something.

use burn::tensor::{
    IndexingUpdateOp, Int, Tensor, activation,
    module::{batch_norm, conv2d, deform_conv2d, max_pool2d},
    ops::{ConvOptions, DeformConvOptions, GridSampleOptions, MaxPoolOptions},
};
use linearscope::{Network, RuleSet};
use linearscope_analysis::SplitMix64;
use linearscope_tests::certified::{Answer, Case, Said, captured};

use crate::data::{fixed, mask, start};

const SHAPE: [usize; 4] = [1, 4, 5, 5];

/// What may end a radius in these networks.
const DECIDERS: [&str; 18] = [
    "Relu",
    "LeakyRelu",
    "PRelu",
    "Prelu",
    "Abs",
    "Clamp",
    "MaxPool",
    "Greater",
    "Lower",
    "MaskWhere",
    "ArgMax",
    "ArgSort",
    "IntoInt",
    "Max",
    "Min",
    "Sort",
    "CumMax",
    "Cummax",
];

struct Draw(SplitMix64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        ((self.0.next_uniform() + 1.0) / 2.0 * n as f64) as usize
    }

    fn seed(&mut self) -> u64 {
        self.below(1 << 20) as u64
    }

    /// Weights of standard deviation about √(1/fan).
    fn weight<const D: usize>(&mut self, x: &Tensor<4>, shape: [usize; D]) -> Tensor<D> {
        let fan: usize = shape.iter().skip(1).product::<usize>().max(1);
        fixed(x, shape, self.seed()) * (3.0 / fan as f64).sqrt()
    }

    /// A decision about x, of x's shape: 0 or 1.
    fn decision(&mut self, x: &Tensor<4>) -> Tensor<4> {
        let level = 0.6 * self.0.next_uniform();
        match self.below(6) {
            0 => x.clone().greater_scalar(level).float(),
            1 => x.clone().lower(x.clone().flip([3]) * 0.5 + level).float(),
            2 => (x.clone() * 1.7).int().remainder_scalar(2).float(),
            3 => x.clone().argmax(1).expand(SHAPE).float() * 0.5,
            4 => {
                let count = x.clone().greater_scalar(level).float().sum_dim(3);
                count.greater_scalar(2.5).expand(SHAPE).float()
            }
            _ => x
                .clone()
                .greater_equal(x.clone().mean_dim(1).expand(SHAPE))
                .bool_not()
                .float(),
        }
    }

    /// One number a channel: a decision.
    fn channels(&mut self, x: &Tensor<4>) -> Tensor<1> {
        let level = 0.3 * self.0.next_uniform();
        let mean = x.clone().mean_dim(3).mean_dim(2).reshape([4]);
        mean.greater_scalar(level).float() + 0.25
    }

    /// Indices below 5: a decision.
    fn indices(&mut self, x: &Tensor<4>) -> Tensor<4, Int> {
        match self.below(2) {
            0 => x.clone().argmax(3),
            _ => x.clone().max_dim_with_indices(3).1,
        }
    }

    fn mixed(&mut self, x: Tensor<4>) -> Tensor<4> {
        let from = x.dims()[1];
        let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
        let (weight, bias) = (self.weight(&x, [4, from, 3, 3]), self.weight(&x, [4]) * 0.3);
        conv2d(x, weight, Some(bias), options)
    }

    /// A layer without decisions as data.
    fn plain(&mut self, x: Tensor<4>) -> Tensor<4> {
        match self.below(12) {
            0..3 => self.mixed(x),
            3 | 4 => activation::relu(x),
            5 => activation::leaky_relu(x, 0.2),
            6 => {
                let slope = self.weight(&x, [4]);
                activation::prelu(x, slope)
            }
            7 => x.clamp(-0.8, 1.1),
            8 => {
                let pool = MaxPoolOptions::new([3, 2]).with_stride([1, 1]);
                max_pool2d(x, pool.with_padding_pairs([(1, 1), (0, 1)]))
            }
            9 => x.clone() - x.max_dim(1 + self.below(3)),
            10 => x.clone().cummax(2) * 0.5 + x.sort(3) * 0.5,
            _ => x.clone().max_pair(x.clone().flip([2]) * -0.5) + x.abs() * 0.3,
        }
    }

    /// A layer into which a decision enters.
    fn decided(&mut self, x: Tensor<4>) -> Tensor<4> {
        let [_, c, h, w] = SHAPE;
        let all = [0..1, 0..c, 1..3, 0..w];
        match self.below(20) {
            0 => {
                let y = Tensor::cat(vec![x.clone(), self.decision(&x)], 1);
                self.mixed(y)
            }
            1 => x
                .clone()
                .slice_assign(all, self.decision(&x).narrow(2, 0, 2)),
            2 => self.decision(&x).slice_assign(all, x.narrow(2, 2, 2)),
            3 => x.clone().mask_where(mask(&x, SHAPE), self.decision(&x)),
            4 => self.decision(&x).mask_where(mask(&x, SHAPE), x),
            5 => {
                let chosen = self.decision(&x).greater_scalar(0.4);
                let other = self.mixed(x.clone());
                x.mask_where(chosen, other)
            }
            6 => {
                let update = [IndexingUpdateOp::Add, IndexingUpdateOp::Assign][self.below(2)];
                let at = Tensor::<1, Int>::from_data([3, 0], &x.device());
                let value = self.decision(&x).narrow(2, 1, 2);
                x.select_assign(2, at, value, update)
            }
            7 => {
                let (at, value) = (self.indices(&x), self.decision(&x).narrow(3, 0, 1));
                x.scatter(3, at, value, IndexingUpdateOp::Add)
            }
            8 => x.clone() + self.decision(&x) * 0.7,
            9 => x.clone() * (self.decision(&x) + 0.4),
            10 => x.clone() / (self.decision(&x) + 0.6),
            11 => {
                let factor = self.decision(&x) * 0.4;
                x.matmul(factor)
            }
            12 => {
                let weight =
                    self.weight(&x, [4, 4, 1, 1]) * self.channels(&x).reshape([1, 4, 1, 1]);
                let bias = self.channels(&x);
                conv2d(
                    x,
                    weight,
                    Some(bias),
                    ConvOptions::new([1, 1], [0, 0], [1, 1], 1),
                )
            }
            13 => {
                let parameters = [(); 4].map(|()| match self.below(2) {
                    0 => self.channels(&x),
                    _ => self.weight(&x, [4]).abs() * 0.3 + 0.4,
                });
                let [gamma, beta, mean, variance] = parameters;
                batch_norm(x, gamma, beta, mean, variance, 1e-5)
            }
            14 => {
                let slope = self.channels(&x);
                activation::prelu(x, slope)
            }
            15 => {
                let at = self.indices(&x);
                x.clone() - x.gather(3, at)
            }
            16 => {
                let order = x
                    .clone()
                    .narrow(1, 0, 1)
                    .narrow(2, 0, 1)
                    .argsort(3)
                    .reshape([w]);
                x.select(3, order)
            }
            17 => {
                let still = self.weight(&x, [1, h, w, 2]) * 0.3;
                let moved = self.decision(&x).narrow(1, 0, 2).permute([0, 2, 3, 1]) * 0.4;
                x.grid_sample_2d(still + moved, GridSampleOptions::default())
            }
            18 => {
                let decision = self.decision(&x);
                let offset = decision.clone().repeat(&[1, 5, 1, 1]).narrow(1, 0, 18) * 0.3;
                let share = decision.repeat(&[1, 3, 1, 1]).narrow(1, 0, 9) + 0.5;
                let weight =
                    self.weight(&x, [4, 4, 3, 3]) * self.channels(&x).reshape([4, 1, 1, 1]);
                let options = DeformConvOptions::new([1, 1], [1, 1], [1, 1], 1, 1);
                deform_conv2d(x, offset, weight, Some(share), None, options)
            }
            _ => {
                let low = x.clone().lower_scalar(-0.2);
                x.mask_fill(low, 0.3)
            }
        }
    }
}

/// Network number `seed`, and how many decisions enter as data.
fn network(seed: u64) -> (Network, usize) {
    let mut draw = Draw(SplitMix64::new(31 * seed + 7));
    let mut doors = 0;
    let network = captured(SHAPE, |mut x| {
        for _ in 0..3 + draw.below(5) {
            x = match draw.below(2) {
                0 => draw.plain(x),
                _ => {
                    doors += 1;
                    draw.decided(x)
                }
            };
        }
        x
    });
    (network, doors)
}

#[test]
fn random_networks_claim_what_is_true() {
    const NETWORKS: u64 = 160;
    let (mut given, mut finite, mut with_data, mut refused, mut wrong) = (0, 0, 0, 0, Vec::new());
    for seed in 0..NETWORKS {
        let (network, doors) = network(seed);
        let name = format!("random network {seed}");
        let case = Case {
            name: &name,
            network,
            x0: start(SHAPE.iter().product()),
            rules: RuleSet::default(),
            answer: Answer::Either,
            deciders: &DECIDERS,
        };
        match case.holds() {
            Ok(Said::Refused { .. }) => refused += 1,
            Ok(Said::Radii(radii)) => {
                given += 1;
                with_data += usize::from(doors > 0);
                finite += usize::from(radii.iter().any(|t| t.is_finite()));
            }
            Err(what) => wrong.push(what),
        }
    }
    let untrue = wrong
        .iter()
        .filter(|what| what.contains("is false"))
        .count();
    let count = format!(
        "of {NETWORKS} networks {given} gave radii ({with_data} with decisions as data, {finite} finite), \
         {refused} refused by name, {untrue} claimed what is false, {} went wrong otherwise",
        wrong.len() - untrue
    );
    println!("{count}");
    assert!(wrong.is_empty(), "{count}:\n{}", wrong.join("\n"));
    // All of them are piecewise linear: a refusal is not false, but there should be few.
    assert!(with_data >= 100 && finite >= 120, "{count}");
}
