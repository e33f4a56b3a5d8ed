//! Pixel votes: against dense discussions, in chunks, by channel, by who is heard.

use std::ops::ControlFlow;

use burn::{
    module::Module,
    nn::{
        Linear, LinearConfig,
        conv::{Conv2d, Conv2dConfig},
    },
    tensor::{Device, FloatDType, Tensor, TensorData, activation::relu},
};
use linearscope::{Network, RuleSet};
use linearscope_analysis::{
    FrozenNetwork, LinearOperator,
    discussion::{Propagation, Terms, discussions, discussions_of},
    progress::unobserved,
    projection, ranking,
    vectors::{numbers, read},
    votes::{ABSTAINS, VoteConfig, classes, discussed, votes},
};
use linearscope_tests::*;

const READINGS: [Propagation; 3] = [
    Propagation::Scored,
    Propagation::Conserving,
    Propagation::Paper,
];

fn frozen(name: &str, shape: &[usize]) -> FrozenNetwork {
    let network = network(&assets().join(name), shape);
    let loaded = FrozenNetwork::load(network, &Device::flex(), FloatDType::F64).expect("loads");
    FrozenNetwork::new(loaded, pseudo_input(shape, 1.0, 5), RuleSet::default()).expect("freezes")
}

fn tiny() -> FrozenNetwork {
    frozen("tiny_ops/tiny_ops.onnx", &[1, 3, 11, 13])
}

/// The slow way: all discussions at once, then a look at every pixel.
fn by_hand(all: &[f64], classes: usize, pixels: usize) -> Vec<i32> {
    (0..pixels)
        .map(|i| {
            let said: Vec<f64> = (0..classes).map(|k| all[k * pixels + i]).collect();
            if said.iter().all(|v| *v == said[0]) {
                return ABSTAINS;
            }
            let most = said.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            said.iter()
                .position(|v| *v == most)
                .expect("one is the largest") as i32
        })
        .collect()
}

/// Σ over channels of `[k, c, plane]`.
fn summed(all: &[f64], c: usize, plane: usize) -> Vec<f64> {
    let one = |picture: &[f64]| -> Vec<f64> {
        (0..plane)
            .map(|i| (0..c).map(|ch| picture[ch * plane + i]).sum())
            .collect()
    };
    all.chunks(c * plane).flat_map(one).collect()
}

#[test]
fn votes_are_those_of_dense_discussions() {
    let f = tiny();
    let (m, n, plane) = (f.output_len(), f.input_len(), 11 * 13);
    let all: Vec<usize> = (0..m).collect();
    for reading in READINGS {
        let dense = discussions(&f, &all, reading).expect("discussions");
        let (scores, gaps) = (dense.scores, dense.gaps);
        let dense = numbers(dense.pixels).expect("reads");
        for chunk in [1, 2, 3, 100] {
            let config = VoteConfig::default()
                .with_propagation(reading)
                .with_chunk(chunk);
            let mut heard = Vec::new();
            let found = votes(&f, &config, |progress| {
                heard.push((progress.done, progress.of));
                ControlFlow::Continue(())
            })
            .expect("votes");
            assert_eq!(found.of, by_hand(&summed(&dense, 3, plane), m, plane));
            assert_eq!(found.shape, [11, 13]);
            assert_eq!(heard.len(), m.div_ceil(chunk));
            assert_eq!(found.counts.iter().sum::<usize>() + found.abstained, plane);
            assert!(relative(&found.scores, &scores) < 1e-14);
            // A gap is a small difference over a score.
            for (a, b) in found.gaps.iter().zip(&gaps) {
                assert!((a - b).abs() < 1e-11, "{reading:?}: {a} {b}");
            }
            let config = config.with_by_channel(true);
            let found = votes(&f, &config, unobserved).expect("votes");
            assert_eq!(found.of, by_hand(&dense, m, n));
            assert_eq!(found.shape, [3, 11, 13]);
        }
    }
}

#[test]
fn a_table_ranks_votes_beside_scores() {
    let f = tiny();
    let found = votes(&f, &VoteConfig::default(), unobserved).expect("votes");
    let table = found.table();
    assert_eq!(table.len(), f.output_len());
    assert!(table.windows(2).all(|pair| pair[0].votes >= pair[1].votes));
    let share: f64 = table.iter().map(|row| row.share).sum();
    let cast = 1.0 - found.abstained as f64 / found.of.len() as f64;
    assert!((share - cast).abs() < 1e-12);
    for row in &table {
        let above = found.scores.iter().filter(|s| **s > row.score).count();
        assert_eq!(row.rank, above + 1);
        let mask = found.mask(row.class);
        assert_eq!(mask.iter().filter(|m| **m).count(), row.votes);
    }
    assert_eq!(found.moved(&found), 0.0);
}

/// Votes among some classes are those of their dense discussions, whatever the order and the chunks.
#[test]
fn votes_among_some_classes() {
    let f = tiny();
    let all: Vec<usize> = (0..f.output_len()).collect();
    let whole = votes(&f, &VoteConfig::default(), unobserved).expect("votes");
    assert!(whole.heard.is_none() && whole.asked() == all.len());
    let best_first = |among: &[usize]| -> Vec<usize> {
        let order = ranking(&whole.scores);
        order
            .into_iter()
            .filter(|class| among.contains(class))
            .collect()
    };
    for among in [vec![3, 1], vec![0, 4, 2], vec![4, 3, 2, 1]] {
        let mut sorted = among.clone();
        sorted.sort_unstable();
        let dense = discussions(&f, &sorted, Propagation::default()).expect("discussions");
        let dense = summed(&numbers(dense.pixels).expect("reads"), 3, 143);
        let numbered = by_hand(&dense, sorted.len(), 143).into_iter();
        let expected: Vec<i32> = numbered
            .map(|vote| usize::try_from(vote).map_or(ABSTAINS, |at| sorted[at] as i32))
            .collect();
        for chunk in [1, 2, 100] {
            let config = VoteConfig::default()
                .with_classes(Some(among.clone()))
                .with_chunk(chunk);
            let mut told = Vec::new();
            let found = votes(&f, &config, |progress| {
                told.push(progress.of);
                ControlFlow::Continue(())
            })
            .expect("votes");
            assert_eq!(found.of, expected, "{among:?}");
            assert_eq!(found.heard, Some(best_first(&among)));
            assert!(!found.is_partial() && found.asked() == among.len());
            assert_eq!(told, vec![among.len(); among.len().div_ceil(chunk)]);
            assert_eq!(found.scores, whole.scores);
            for class in 0..all.len() {
                let heard = among.contains(&class);
                assert_eq!(found.was_heard(class), heard);
                assert_eq!(found.gaps[class].is_nan(), !heard);
                assert!(heard || found.counts[class] == 0);
            }
            // The best scores are in the table all the same.
            let best = found.table().into_iter().find(|tally| tally.rank == 1);
            assert_eq!(
                best.map(|tally| tally.class),
                Some(ranking(&whole.scores)[0])
            );
        }
    }
    // All of them in any order are all.
    let config = VoteConfig::default().with_classes(Some(vec![4, 2, 0, 1, 3]));
    assert_eq!(votes(&f, &config, unobserved).expect("votes"), whole);
    // Stopped, they say so.
    let config = VoteConfig::default()
        .with_classes(Some(vec![4, 2, 0]))
        .with_chunk(2);
    let stopped = votes(&f, &config, |progress| match progress.done {
        0 => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    })
    .expect("votes among two");
    assert!(stopped.is_partial() && stopped.asked() == 3);
    assert_eq!(stopped.heard, Some(best_first(&[4, 2, 0])[..2].to_vec()));
}

#[test]
fn classes_that_cannot_be_voted_for_are_refused() {
    let f = tiny();
    for (among, why) in [
        (vec![2], "at least two"),
        (vec![2, 2], "class 2 occurs twice"),
        (vec![2, 5], "[5] is outside [5]"),
    ] {
        let config = VoteConfig::default().with_classes(Some(among));
        let error = votes(&f, &config, unobserved).expect_err("refused");
        assert!(error.to_string().contains(why), "{error}");
    }
}

/// What the pixels and every layer say by themselves adds up to the whole, whatever the reading.
#[test]
fn those_who_are_heard_add_up() {
    let f = tiny();
    let all: Vec<usize> = (0..f.output_len()).collect();
    for reading in READINGS {
        let pixels = |heard| {
            let found = discussions_of(&f, &all, reading, heard).expect("discussions");
            numbers(found.pixels).expect("reads")
        };
        let mut sum = pixels(Terms::Input);
        let rows = read(projection::rows(&f, &all).unwrap() * f.x0()).unwrap();
        assert!(relative(&sum, &rows) < 1e-14);
        for layer in 0..f.layers().len() {
            let part = pixels(Terms::Layer(layer));
            sum.iter_mut().zip(part).for_each(|(sum, v)| *sum += v);
        }
        let error = relative(&sum, &pixels(Terms::All));
        assert!(error < 1e-12, "{reading:?}: {error:e}");
    }
    let beyond = Terms::Layer(f.layers().len());
    let found = discussions_of(&f, &all, Propagation::Scored, beyond);
    assert!(matches!(
        found,
        Err(linearscope_analysis::Error::OutOfRange { .. })
    ));
    // Votes of one voice alone, against the slow way.
    let config = VoteConfig::default().with_terms(Terms::Input);
    let found = votes(&f, &config, unobserved).expect("votes");
    let rows = read(projection::rows(&f, &all).unwrap() * f.x0()).unwrap();
    let expected = by_hand(&summed(&rows, 3, 143), f.output_len(), 143);
    assert_eq!(found.of, expected);
    let (each, _) = discussed(&f, &[2], &config).expect("one class");
    assert_eq!(each.len(), 1);
    assert!(relative(&each[0], &summed(&rows, 3, 143)[2 * 143..3 * 143]) < 1e-14);
}

/// Reads every other pixel of every other row.
#[derive(Module, Debug)]
struct Sparse {
    conv: Conv2d,
    last: Linear,
}

#[test]
fn pixels_nobody_reads_abstain() {
    let device = Device::flex();
    let model = seeded(&device, 3, || Sparse {
        conv: Conv2dConfig::new([2, 6], [1, 1])
            .with_stride([2, 2])
            .init(&device),
        last: LinearConfig::new(6 * 9, 4).init(&device),
    });
    let network = Network::capture(&model, |model, ports| {
        let x = ports.input::<4>("x", [1, 2, 6, 6]);
        let x = relu(model.conv.forward(x)).reshape([1, 54]);
        let y: Tensor<2> = model.last.forward(x);
        ports.output("scores", y);
    })
    .expect("captures");
    let loaded = FrozenNetwork::load(network, &device, FloatDType::F32).expect("loads");
    let x0: TensorData = pseudo_input(&[1, 2, 6, 6], 1.0, 0);
    let f = FrozenNetwork::new(loaded, x0, RuleSet::default()).expect("freezes");
    for reading in READINGS {
        let config = VoteConfig::default().with_propagation(reading);
        let found = votes(&f, &config, unobserved).expect("votes");
        for (i, &vote) in found.of.iter().enumerate() {
            let read = (i / 6) % 2 == 0 && (i % 6) % 2 == 0;
            assert!(read || vote == ABSTAINS, "pixel {i} votes for {vote}");
        }
        assert!(found.abstained >= 27 && found.abstained < 36, "{reading:?}");
    }
}

#[test]
fn networks_that_are_no_classifiers_are_refused() {
    let f = frozen("tiny_sr/tiny_sr.onnx", &[1, 1, 9, 8]);
    let Err(error) = votes(&f, &VoteConfig::default(), unobserved) else {
        panic!("an upscaler has no classes");
    };
    let text = error.to_string();
    assert!(
        text.contains("not a classifier") && text.contains("[1, 1, 18, 16]"),
        "{text}"
    );
    assert_eq!(classes(&tiny()).expect("a classifier"), 5);
}
