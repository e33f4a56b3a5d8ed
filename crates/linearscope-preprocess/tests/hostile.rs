//! Files that were cut and whose bits were flipped: no panic, and no allocation beyond the limit.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    fs,
    path::Path,
};

use linearscope_preprocess::{Array, Limits, Picture, ReadOptions};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

/// The system's allocator, which remembers the largest piece that a thread asked for.
struct Watching;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn asked(size: usize) {
    // At a thread's end there is nobody to tell.
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(size)));
}

// SAFETY: every call is passed on as it came.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        asked(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        asked(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        asked(size);
        // SAFETY: as the caller promised.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

/// Twice this is above what decoders set aside whatever the file: 2²⁴ bytes, a WebP's word for a partition.
const LIMIT: u64 = 9_000_000;

/// Cut at a part of its length, then bits flipped at parts of what is left.
fn damaged(whole: &[u8], cut: Option<f64>, flips: &[(f64, u8)]) -> Vec<u8> {
    let length = cut.map_or(whole.len(), |cut| (cut * whole.len() as f64) as usize);
    let mut bytes = whole[..length].to_vec();
    for (at, bit) in flips {
        if let Some(byte) = bytes.get_mut((at * length as f64) as usize) {
            *byte ^= 1 << bit;
        }
    }
    bytes
}

#[test]
fn damaged_files_never_panic_nor_take_more_than_the_limit() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures");
    let limits = Limits::default().with_bytes(LIMIT).with_pixels(LIMIT / 4);
    let options = ReadOptions::default().with_limits(limits);
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("pictures")
        .map(|entry| entry.expect("one").path())
        .collect();
    files.sort();
    for path in files {
        let whole = fs::read(&path).expect("reads");
        let is_array = path.extension().is_some_and(|e| e == "npy");
        // Half of the flips fall into the first bytes, where headers are.
        let place = prop_oneof![0.0..1.0, (0.0..1.0).prop_map(|x: f64| x * x * x)];
        let flips = proptest::collection::vec((place, 0u8..8), 0..4);
        let strategy = (proptest::option::of(0.0..1.0), flips);
        let config = Config {
            cases: if is_array { 20 } else { 200 },
            failure_persistence: None,
            ..Config::default()
        };
        let mut runner = TestRunner::new_with_rng(
            config,
            proptest::test_runner::TestRng::deterministic_rng(
                proptest::test_runner::RngAlgorithm::ChaCha,
            ),
        );
        let tried = runner.run(&strategy, |(cut, flips)| {
            let bytes = damaged(&whole, cut, &flips);
            LARGEST.set(0);
            let hint = match is_array {
                true => Array::from_bytes(&path, &bytes, &limits)
                    .err()
                    .map(|error| error.hint()),
                false => Picture::from_bytes(&path, &bytes, &options)
                    .err()
                    .map(|error| error.hint()),
            };
            // Twice: decoders keep coefficients of two bytes.
            let largest = LARGEST.get();
            prop_assert!(largest as u64 <= 2 * LIMIT, "{largest} bytes at once");
            prop_assert!(hint.is_none_or(|hint| hint.is_some()));
            Ok(())
        });
        if let Err(error) = tried {
            panic!("{}: {error}", path.display());
        }
    }
}
