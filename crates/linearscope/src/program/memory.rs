//! How many probes fit: what one takes while it passes, and what the machine has.

use burn_backend::Backend;

use super::{NodeId, NodeIndex, Program};
use crate::error::Result;

/// What a replay takes alongside the tensors alive: a convolution lays out its input again.
const WORKSPACE: usize = 2;

impl<B: Backend> Program<B> {
    /// Bytes that one probe takes at the fullest moment of a replay, forwards or backwards, with
    /// room for the work of one map.
    pub fn probe_bytes(&self) -> usize {
        let own = |ids| self.indices(ids).expect("ids of its own");
        self.bytes_between(&own(&self.inputs), &own(&self.outputs))
    }

    /// [`probe_bytes`](Self::probe_bytes) of a replay from `starts` to `stops`, or back.
    ///
    /// # Errors
    /// [`Error::ForeignNode`](crate::Error::ForeignNode).
    pub fn probe_bytes_between(&self, starts: &[NodeId], stops: &[NodeId]) -> Result<usize> {
        Ok(self.bytes_between(&self.indices(starts)?, &self.indices(stops)?))
    }

    fn bytes_between(&self, starts: &[NodeIndex], stops: &[NodeIndex]) -> usize {
        let size = |index: usize| self.nodes[index].shape.num_elements() * self.dtype.size();
        let last_use = self.last_uses(starts, stops);
        // Starts are alive from the beginning on; each other result comes at its node. All go after
        // their last reader.
        let mut begins = vec![false; self.nodes.len()];
        starts.iter().for_each(|start| begins[start.0] = true);
        let given = (0..self.nodes.len()).filter(|&at| begins[at] && last_use[at].is_some());
        let mut alive: usize = given.map(size).sum();
        let mut most = alive;
        let mut goes: Vec<usize> = vec![0; self.nodes.len() + 1];
        for (index, last) in last_use.iter().enumerate() {
            let Some(last) = last else { continue };
            alive += if begins[index] { 0 } else { size(index) };
            goes[*last] += size(index);
            most = most.max(alive);
            alive -= goes[index];
        }
        // Backwards a cotangent lives from the last reader of a node to the node itself.
        let mut comes: Vec<usize> = vec![0; self.nodes.len() + 1];
        for (index, last) in last_use.iter().enumerate() {
            if let Some(last) = last {
                comes[*last] += size(index);
            }
        }
        let mut alive = comes[self.nodes.len()];
        for index in (0..self.nodes.len()).rev() {
            alive += comes[index];
            most = most.max(alive);
            if last_use[index].is_some() {
                alive -= size(index);
            }
        }
        WORKSPACE * most.max(1)
    }

    /// Those of `inputs` that a replay from `start` to `stop` begins with too: what is not `start` and
    /// reaches `stop` past it.
    ///
    /// # Errors
    /// [`Error::ForeignNode`](crate::Error::ForeignNode).
    pub(crate) fn inputs_beside(&self, start: NodeId, stop: NodeId) -> Result<Vec<NodeId>> {
        let last_use = self.last_uses(&[self.index(start)?], &[self.index(stop)?]);
        let beside = |id: &NodeId| {
            let used = self.index(*id).is_ok_and(|at| last_use[at.0].is_some());
            used && *id != start
        };
        Ok(self.inputs.iter().copied().filter(beside).collect())
    }

    /// How many probes may run at once in `bytes`; at least one.
    pub fn probes_within(&self, bytes: usize) -> usize {
        (bytes / self.probe_bytes()).max(1)
    }
}

/// Half of the memory that this machine, or the control group that this program runs in, has left;
/// 4 GiB where the system does not say.
pub fn machine_budget() -> usize {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let field = |text: &str, name: &str| -> Option<usize> {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    let machine = read("/proc/meminfo")
        .and_then(|text| field(&text, "MemAvailable:"))
        .map(|kilobytes| kilobytes * 1024);
    let number = |path: &str| read(path)?.trim().parse::<usize>().ok();
    let group = number("/sys/fs/cgroup/memory.max")
        .map(|most| most.saturating_sub(number("/sys/fs/cgroup/memory.current").unwrap_or(0)));
    let left = match (machine, group) {
        (Some(machine), Some(group)) => machine.min(group),
        (Some(left), None) | (None, Some(left)) => left,
        (None, None) => 8 << 30,
    };
    left / 2
}
