//! What a program holds and what a probe costs.

use burn_backend::Backend;

use super::{Operation, Program};

/// A program in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Its nodes.
    pub nodes: usize,
    /// Numbers that x₀ chose: slopes, switches, gains, statistics, and the constants (plateaus,
    /// shifts) that go with them.
    pub decisions: usize,
    /// The bytes they take at rest.
    pub decision_bytes: usize,
    /// The bytes they would take as 32-bit floats, one each: the store that the paper's Table 1
    /// counts.
    pub decision_floats: usize,
    /// The bytes of weights and other constants that do not depend on x₀, shared with the network
    /// where a map uses them as they are.
    pub constant_bytes: usize,
    /// The bytes of all forms that replays expand decisions to.
    pub expanded_bytes: usize,
    /// Floating-point operations of one probe, a multiply-add counted as two.
    pub flops: u64,
    /// Maps of which nothing is known (a user's own): what they store and cost is in none of these
    /// numbers.
    pub general_maps: usize,
}

impl<B: Backend> Program<B> {
    /// Nodes, bytes, flops.
    pub fn account(&self) -> Account {
        let mut account = Account {
            nodes: self.nodes.len(),
            ..Account::default()
        };
        for node in &self.nodes {
            let output = &node.shape;
            let entries = output.num_elements() as u64;
            account.flops += match &node.operation {
                Operation::Map { map, input } => match map.structure().locality() {
                    Some(map) => map.flops(&self.at(*input).shape, output),
                    None => 0,
                },
                Operation::Source { .. } => entries,
                Operation::Sum(terms) => (terms.len() as u64).saturating_sub(1) * entries,
                Operation::Input(_) | Operation::Concat { .. } => 0,
            };
            let Some(stored) = node.operation.stored() else {
                account.general_maps += 1;
                continue;
            };
            let decisions = stored.decisions;
            account.decisions += decisions.coefficients;
            account.decision_bytes += decisions.bytes;
            account.decision_floats += size_of::<f32>() * decisions.coefficients;
            account.constant_bytes += stored.weights.bytes;
            account.expanded_bytes += stored.expanded;
        }
        account
    }

    /// The bytes that x₀'s decisions take at rest.
    pub fn decision_bytes(&self) -> usize {
        self.account().decision_bytes
    }

    /// Keep the forms that replays expand decisions to, first come first served, as long as they
    /// take no more than `bytes` together. Replays then write no gains; results are the same.
    pub fn keep_expanded(&self, bytes: usize) {
        let mut left = bytes;
        for node in &self.nodes {
            if let Operation::Map { map, .. } = &node.operation
                && let Some(choice) = map.structure().choice()
            {
                let needs = choice.stored().expanded;
                choice.keep_expanded(needs > 0 && needs <= left);
                left -= if needs <= left { needs } else { 0 };
            }
        }
    }
}
