use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use burn::tensor::Device;
use linearscope::{Interrupt, Kernels};

use super::{
    clock::{Clock, watched},
    subject::Subject,
    *,
};

/// Networks of a few thousand weights.
const SMALL: usize = 32;

fn small() -> SuiteConfig {
    SuiteConfig::new(&Device::flex())
        .with_scale(SMALL)
        .with_rounds(2)
}

fn rows_of(config: &SuiteConfig) -> (Result<()>, Vec<Row>) {
    let rows = Mutex::new(Vec::new());
    let ended = suite(config, |event| {
        if let Event::Ended(row) = event {
            rows.lock().unwrap().push(row.clone());
        }
    });
    (ended, rows.into_inner().unwrap())
}

#[test]
fn every_row_is_measured() {
    let (ended, rows) = rows_of(&small());
    ended.unwrap();
    assert_eq!(rows.len(), 1 + 3 * 7 + 4);
    for row in &rows {
        assert_eq!(row.status, Status::Ok, "{row:?}");
        let found = &row.figures;
        let positive = match row.row {
            Measure::Freeze => found.reference_norm,
            Measure::Forward | Measure::Replay | Measure::Adjoint => found.peak_share,
            Measure::Peak | Measure::Convolution => found.gflops,
            Measure::Rows => found.rows_per_second,
            Measure::Votes => found.extrapolated_seconds,
            Measure::Svd => found.sigma.as_ref().map(|sigma| sigma[0]),
            Measure::Load => found.ms,
        };
        assert!(positive.is_some_and(|v| v > 0.0), "{row:?}");
        assert!(
            found.ms.is_some_and(|ms| ms <= 1e3 * row.seconds),
            "{row:?}"
        );
        match row.row {
            Measure::Svd => assert_eq!(found.triplets, Some(8), "{row:?}"),
            Measure::Votes => assert_eq!((found.classes, found.classes_of), (Some(31), Some(31))),
            _ => {}
        }
        // As it is written, and read again.
        let text = serde_json::to_string(row).unwrap();
        assert_eq!(serde_json::from_str::<Row>(&text).unwrap(), *row, "{text}");
        assert!(text.contains(&format!("\"row\":\"{}\"", row.row.name())));
    }
}

/// A row has nothing to show before one round counts; loading cannot be cut short.
#[test]
fn rows_without_time_say_so_and_the_rest_go_on() {
    let (ended, rows) = rows_of(&small().with_row_limit(Duration::ZERO));
    ended.unwrap();
    assert_eq!(rows.len(), 26);
    for row in rows {
        let expected = match row.row {
            Measure::Load => Status::Ok,
            _ => Status::Time,
        };
        assert_eq!(row.status, expected, "{row:?}");
        assert!(expected == Status::Ok || row.said().contains("the limit for a row is 0.0 s"));
    }
}

#[test]
fn a_suite_without_time_begins_nothing() {
    let (ended, rows) = rows_of(&small().with_limit(Duration::ZERO));
    ended.unwrap();
    assert_eq!(rows.len(), 26);
    for row in rows {
        assert_eq!(row.status, Status::Time);
        assert!(
            row.said()
                .contains("the 0 s for the whole suite are used up")
        );
    }
}

#[test]
fn who_stops_it_has_what_is_finished() {
    let config = small();
    let mut rows = 0;
    let ended = suite(&config, |event| match event {
        Event::Ended(_) => rows += 1,
        Event::Begins { done: 3, .. } => config.interrupt.stop(),
        Event::Begins { .. } => {}
    });
    assert!(ended.unwrap_err().is_stopped());
    assert_eq!(rows, 3);
}

#[test]
fn nothing_to_divide_by_is_refused() {
    for (config, what) in [
        (small().with_scale(0), "the scale"),
        (small().with_rounds(0), "rounds"),
    ] {
        let (ended, rows) = rows_of(&config);
        let told = ended.unwrap_err().to_string();
        assert!(told.contains(what) && rows.is_empty(), "{told}");
    }
}

/// The interrupt of a row that was stopped stays raised; the next row of the network has another. A forward that was
/// stopped leaves what is frozen as it is.
#[test]
fn a_network_that_was_stopped_is_measured_on() {
    let config = small();
    let mut subject = Subject::load(&PLANS[3], &config).unwrap();
    let clock = Clock::new(Duration::from_secs(60), &config.interrupt);
    let of = |subject: &mut Subject, measure| subject.measure(measure, &clock, 1, None);
    for measure in [Measure::Forward, Measure::Replay] {
        let ms = |found: Result<(Figures, Status)>| found.unwrap().0.ms.unwrap();
        assert!(ms(of(&mut subject, measure)) > 0.0);
        subject.interrupt(measure).stop();
        assert!(of(&mut subject, measure).unwrap_err().is_stopped());
        let other = match measure {
            Measure::Forward => Measure::Replay,
            _ => Measure::Forward,
        };
        assert!(ms(of(&mut subject, other)) > 0.0, "{measure:?}");
        subject.renew();
        assert!(ms(of(&mut subject, measure)) > 0.0);
    }
}

#[test]
fn a_watch_stops_what_is_too_long() {
    let (row, all) = (Interrupt::new(), Interrupt::new());
    let spin = || {
        let start = Instant::now();
        while !row.is_stopped() && start.elapsed() < Duration::from_secs(20) {
            std::thread::yield_now();
        }
        start.elapsed()
    };
    let short = Clock::new(Duration::from_millis(50), &all);
    let took = watched(&short, &row, spin);
    assert!(took < Duration::from_secs(10), "{took:?}");
    // Ctrl-C does the same, at any time.
    let row = Interrupt::new();
    all.stop();
    let long = Clock::new(Duration::from_secs(60), &all);
    assert!(long.is_over());
    watched(&long, &row, || {
        let start = Instant::now();
        while !row.is_stopped() {
            assert!(start.elapsed() < Duration::from_secs(20));
        }
    });
}

#[test]
fn rounds_are_as_many_as_fit() {
    let clock = |limit| Clock::new(Duration::from_millis(limit), &Interrupt::new());
    let sleeps = |ms| {
        move || {
            std::thread::sleep(Duration::from_millis(ms));
            Ok(())
        }
    };
    let all = clock(60_000).rounds(3, sleeps(1)).unwrap().figures();
    assert_eq!(all.rounds, Some(3));
    assert!(all.ms.unwrap() >= 1.0 && all.first_ms.unwrap() >= 1.0);
    let some = clock(300).rounds(1000, sleeps(20)).unwrap().figures();
    assert!((1..15).contains(&some.rounds.unwrap()), "{some:?}");
    let none = clock(10).rounds(3, sleeps(30));
    assert!(none.is_err_and(|error| error.is_stopped()));
}

#[test]
fn what_went_wrong_has_a_name() {
    for (said, stopped, status) in [
        ("wgpu error: Out of Memory", false, Status::Memory),
        (
            "can't allocate buffer of size: 8589934592",
            false,
            Status::Memory,
        ),
        ("the device is lost", false, Status::Failed),
        ("interrupted before it was finished", true, Status::Time),
    ] {
        let mut row = Row::of(Measure::Forward);
        row.fails(said, stopped);
        assert_eq!((row.status, row.said()), (status, said));
    }
}

/// A panic of a backend is a row that failed, and no end of the suite.
#[test]
fn a_panic_is_a_row() {
    let config = small();
    let mut told = Vec::new();
    let mut run = Run {
        config: &config,
        began: Instant::now(),
        peak: None,
        done: 0,
        of: 2,
        observer: |event: Event<'_>| {
            if let Event::Ended(row) = event {
                told.push(row.status);
            }
        },
    };
    let interrupt = Interrupt::new();
    let row = run
        .row(Row::of(Measure::Forward), &interrupt, |_| {
            panic!("out of memory: 3 GB")
        })
        .unwrap();
    assert_eq!(row.said(), "out of memory: 3 GB");
    run.row(Row::of(Measure::Adjoint), &interrupt, |_| {
        Ok((Figures::default(), Status::Ok))
    })
    .unwrap();
    assert_eq!(told, [Status::Memory, Status::Ok]);
}

/// Both rates, of any kernels, with what they are the rates of.
#[test]
fn two_rates_are_measured_in_no_time() {
    for kernels in Kernels::ALL {
        let mut begun = Vec::new();
        let rows = rates(&small(), kernels, |event| {
            if let Event::Begins { row, of, .. } = event {
                begun.push((row, of));
            }
        });
        let rows = rows.unwrap();
        assert_eq!(begun, [(Measure::Peak, 2), (Measure::Convolution, 2)]);
        let [peak, convolution] = &rows[..] else {
            panic!("{rows:?}")
        };
        for row in [peak, convolution] {
            assert_eq!(row.status, Status::Ok, "{row:?}");
            let (rate, ms) = (row.figures.gflops.unwrap(), row.figures.ms.unwrap());
            let gflop = row.figures.gflop.unwrap();
            assert!((rate * ms / 1e3 - gflop).abs() < 1e-9 * gflop, "{row:?}");
        }
        assert_eq!(convolution.input.as_deref(), Some(&[1, 64, 64, 64][..]));
        // 9 products and as many sums for each of 64 × 64 pairs of channels and 64 × 64 pixels.
        let pictures = convolution.figures.size.unwrap();
        let gflop = pictures as f64 * 2.0 * 9.0 * 64f64.powi(4) / 1e9;
        assert_eq!(convolution.figures.gflop, Some(gflop));
    }
}

#[test]
fn rates_without_time_say_so_and_a_stop_ends_them() {
    let rows = rates(
        &small().with_row_limit(Duration::ZERO),
        Kernels::Burn,
        |_| {},
    );
    for row in rows.unwrap() {
        assert_eq!(row.status, Status::Time, "{row:?}");
    }
    let config = small();
    config.interrupt.stop();
    let ended = rates(&config, Kernels::Burn, |_| {});
    assert!(ended.unwrap_err().is_stopped());
}
