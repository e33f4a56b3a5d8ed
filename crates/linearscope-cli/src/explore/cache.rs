//! What was computed lately, within so many bytes.

use std::collections::HashMap;

/// Values by name; of those that do not fit together the one that was used longest ago goes.
#[derive(Debug)]
pub(crate) struct Cache<T> {
    most: usize,
    bytes: usize,
    /// Counts uses.
    now: u64,
    kept: HashMap<String, Kept<T>>,
}

#[derive(Debug)]
struct Kept<T> {
    value: T,
    bytes: usize,
    used: u64,
}

/// What a name and its entry take besides.
const BESIDES: usize = 128;

impl<T: Clone> Cache<T> {
    pub(crate) fn within(most: usize) -> Self {
        Self {
            most,
            bytes: 0,
            now: 0,
            kept: HashMap::new(),
        }
    }

    pub(crate) fn get(&mut self, name: &str) -> Option<T> {
        self.now += 1;
        let kept = self.kept.get_mut(name)?;
        kept.used = self.now;
        Some(kept.value.clone())
    }

    /// Keep a value; one that is larger than all there is room for is not kept.
    pub(crate) fn put(&mut self, name: String, value: T, bytes: usize) {
        let bytes = bytes + name.len() + BESIDES;
        self.forget(&name);
        if bytes > self.most {
            return;
        }
        while self.bytes + bytes > self.most {
            let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.used);
            let Some(name) = oldest.map(|(name, _)| name.clone()) else {
                break;
            };
            self.forget(&name);
        }
        self.now += 1;
        self.bytes += bytes;
        let used = self.now;
        self.kept.insert(name, Kept { value, bytes, used });
    }

    fn forget(&mut self, name: &str) {
        if let Some(old) = self.kept.remove(name) {
            self.bytes -= old.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cache;

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let mut cache = Cache::within(1000);
        for (name, value) in [("a", 1), ("b", 2), ("c", 3)] {
            cache.put(name.into(), value, 200);
        }
        assert_eq!(cache.get("a"), Some(1));
        cache.put("d".into(), 4, 200);
        let there = ["a", "b", "c", "d"].map(|name| cache.get(name));
        assert_eq!(there, [Some(1), None, Some(3), Some(4)]);
    }

    #[test]
    fn it_never_holds_more_than_it_may() {
        let mut cache = Cache::within(10_000);
        for i in 0..1000 {
            cache.put(format!("{i}"), i, (i * 37) % 12_000);
            assert!(cache.bytes <= 10_000, "{}", cache.bytes);
        }
        cache.put("999".into(), 1, 20_000);
        assert_eq!(cache.get("999"), None, "an older value is no answer");
        let sum: usize = cache.kept.values().map(|kept| kept.bytes).sum();
        assert_eq!(sum, cache.bytes);
    }
}
