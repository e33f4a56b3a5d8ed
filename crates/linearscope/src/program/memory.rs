//! How many probes fit: what one takes while it passes, and what the machine has.

use burn_backend::Backend;

use super::Program;

/// What a replay takes beside the tensors alive: a convolution lays out its input anew.
const WORKSPACE: usize = 2;

impl<B: Backend> Program<B> {
    /// Bytes that one probe takes at the fullest moment of a replay, forwards or backwards, with
    /// room for the work of one map.
    pub fn probe_bytes(&self) -> usize {
        let size = |id: usize| self.nodes[id].shape.num_elements() * self.dtype.size();
        let inputs = self.inputs();
        let last_use = self.last_uses(&inputs, &self.outputs);
        let (mut alive, mut most) = (0, 0);
        // Each result comes alive at its node and goes after its last reader.
        let mut goes: Vec<usize> = vec![0; self.nodes.len() + 1];
        for (id, last) in last_use.iter().enumerate() {
            let Some(last) = last else { continue };
            alive += size(id);
            goes[*last] += size(id);
            most = most.max(alive);
            alive -= goes[id];
        }
        // Backwards a cotangent lives from the last reader of a node to the node itself.
        let mut comes: Vec<usize> = vec![0; self.nodes.len() + 1];
        for (id, last) in last_use.iter().enumerate() {
            if let Some(last) = last {
                comes[*last] += size(id);
            }
        }
        let mut alive = comes[self.nodes.len()];
        for id in (0..self.nodes.len()).rev() {
            alive += comes[id];
            most = most.max(alive);
            if last_use[id].is_some() {
                alive -= size(id);
            }
        }
        WORKSPACE * most.max(1)
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
