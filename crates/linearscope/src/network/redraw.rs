//! Networks with their weights in another order: what an attribution that depends on them must not survive.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use burn_backend::TensorData;
use burn_ir::TensorId;

use super::Network;
use crate::random::SplitMix64;

impl Network {
    /// The nodes that read a weight, in the order they run, each once: a float constant with more than one axis above 1.
    /// Biases and the parameters of norms are none.
    pub fn weighted_layers(&self) -> Vec<Arc<str>> {
        let mut layers: Vec<Arc<str>> = Vec::new();
        for (node, _) in self.weights_in_order() {
            if !layers.contains(node) {
                layers.push(node.clone());
            }
        }
        layers
    }

    /// The same network, the entries of each weight of these [`weighted_layers`](Self::weighted_layers) shuffled, so
    /// that they keep their distribution (Adebayo et al., *Sanity checks for saliency maps*, 2018). A weight that
    /// several layers read is shuffled where one of them is named. All else stays, and names there are none of do
    /// nothing.
    ///
    /// The order depends on the seed and on which of the network's weights it is, not on what else is shuffled.
    /// Cost: a copy of the weights.
    ///
    /// ```
    /// # use burn::{nn::LinearConfig, tensor::Device};
    /// # use linearscope::Network;
    /// # let layer = LinearConfig::new(4, 3).init(&Device::flex());
    /// # let network = Network::capture(&layer, |layer, ports| {
    /// #     let x = ports.input("x", [1, 4]);
    /// #     ports.output("y", layer.forward(x));
    /// # })?;
    /// let layers = network.weighted_layers();
    /// assert_eq!(layers.len(), 1);
    /// let redrawn = network.redrawn(&layers, 7);
    /// assert_eq!(redrawn.parameters(), network.parameters());
    /// # Ok::<(), linearscope::Error>(())
    /// ```
    #[must_use]
    pub fn redrawn(&self, layers: &[Arc<str>], seed: u64) -> Self {
        let named: HashSet<&str> = layers.iter().map(|layer| &**layer).collect();
        let (mut numbered, mut chosen) = (Vec::new(), BTreeSet::new());
        for (node, id) in self.weights_in_order() {
            if !numbered.contains(&id) {
                numbered.push(id);
            }
            if named.contains(&**node) {
                chosen.insert(id);
            }
        }
        let mut redrawn = self.clone();
        for (number, id) in numbered.into_iter().enumerate() {
            if let Some(data) = redrawn.weights.get_mut(&id)
                && chosen.contains(&id)
            {
                // Far apart in the one sequence that all seeds share.
                let stream = (number as u64).wrapping_mul(0xd134_2543_de82_ef95);
                shuffle(data, &mut SplitMix64::new(seed.wrapping_add(stream)));
            }
        }
        redrawn
    }

    /// Node and weight, for each step that reads one.
    fn weights_in_order(&self) -> impl Iterator<Item = (&Arc<str>, TensorId)> {
        self.steps.iter().flat_map(|step| {
            let read = step.operation.inputs().map(|input| input.id);
            let weights = read.filter(|id| self.weights.get(id).is_some_and(is_weight));
            weights.map(|id| (&step.node, id))
        })
    }
}

/// Whether it is of floats with more than one axis above 1.
fn is_weight(data: &TensorData) -> bool {
    data.dtype().is_float() && data.shape().iter().filter(|&&size| size > 1).count() > 1
}

/// By Fisher and Yates, each entry with all its bytes.
fn shuffle(data: &mut TensorData, random: &mut SplitMix64) {
    let (len, size) = (data.num_elements(), data.dtype().size());
    TensorData::with_bytes_mut([data], |bytes| {
        for bytes in bytes {
            let bytes: &mut [u8] = &mut bytes[..];
            for last in (1..len).rev() {
                let share = (random.next_uniform() + 1.0) / 2.0;
                let other = ((share * (last + 1) as f64) as usize).min(last);
                (0..size).for_each(|byte| bytes.swap(last * size + byte, other * size + byte));
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use burn_backend::DType;

    use super::*;

    /// Each entry is there once, whole, in another order; all orders come equally often.
    #[test]
    fn entries_stay() {
        let values: Vec<f64> = (0..60).map(|i| f64::from(i) * 1.25 - 7.0).collect();
        for dtype in [DType::F64, DType::F32, DType::F16, DType::BF16] {
            let data = TensorData::new(values.clone(), [3, 20]).convert_dtype(dtype);
            let mut shuffled = data.clone();
            shuffle(&mut shuffled, &mut SplitMix64::new(1));
            let sorted = |data: &TensorData| {
                let mut entries: Vec<f64> = data.iter::<f64>().collect();
                entries.sort_by(f64::total_cmp);
                entries
            };
            assert_eq!(sorted(&shuffled), sorted(&data));
            assert!(shuffled.bytes()[..] != data.bytes()[..]);
            assert_eq!(shuffled.shape(), data.shape());
        }
        let mut random = SplitMix64::new(2);
        let mut orders = std::collections::BTreeMap::<Vec<u8>, usize>::new();
        for _ in 0..6000 {
            let mut data = TensorData::new(vec![1f32, 2.0, 3.0], [3]);
            shuffle(&mut data, &mut random);
            *orders.entry(data.iter::<u8>().collect()).or_default() += 1;
        }
        // Five standard deviations.
        let even = |&count: &usize| (count as f64 - 1000.0).abs() < 145.0;
        assert!(orders.len() == 6 && orders.values().all(even), "{orders:?}");
    }

    #[test]
    fn weights_are_floats_with_two_axes() {
        let floats = |shape: &[usize]| {
            let len = shape.iter().product();
            TensorData::new(vec![1f32; len], shape.to_vec())
        };
        assert!(is_weight(&floats(&[2, 3])) && is_weight(&floats(&[1, 2, 1, 3])));
        assert!(!is_weight(&floats(&[1, 4, 1, 1])) && !is_weight(&floats(&[4])));
        assert!(!is_weight(&TensorData::new(vec![1i64; 6], [2, 3])));
    }
}
