//! Runs cargo's tests, passes their output on, and adds up what they say.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

/// What all tests of a task came to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    passed: usize,
    failed: usize,
    ignored: usize,
    /// How many were ignored for each reason that was given.
    reasons: BTreeMap<String, usize>,
    /// Commands that failed: tests, or compiling.
    broken: Vec<String>,
}

/// Passed, failed and ignored of one `test result:` line.
fn counts(line: &str) -> Option<[usize; 3]> {
    let rest = line.strip_prefix("test result: ")?;
    let number = |word: &str| {
        let before = rest.split(word).next()?;
        before.trim().rsplit([' ', '.']).next()?.parse().ok()
    };
    Some([number(" passed")?, number(" failed")?, number(" ignored")?])
}

/// Why a test was ignored, if this line says so: `test name ... ignored, reason` of libtest, `ignored
/// (reason)` of targets with a harness of their own.
fn reason(line: &str) -> Option<&str> {
    let (_, said) = line.strip_prefix("test ")?.rsplit_once(" ... ignored")?;
    match said.strip_prefix(", ") {
        Some(reason) => Some(reason),
        None => said.strip_prefix(" (")?.strip_suffix(')'),
    }
}

impl Tally {
    fn line(&mut self, line: &str) {
        if let Some([passed, failed, ignored]) = counts(line) {
            self.passed += passed;
            self.failed += failed;
            self.ignored += ignored;
        }
        if let Some(reason) = reason(line) {
            *self.reasons.entry(reason.into()).or_default() += 1;
        }
    }

    /// Run one cargo command with tests in it.
    pub(crate) fn run(&mut self, args: &[&str]) {
        let shown = format!("cargo {}", shown(args));
        println!("$ {shown}");
        let mut command = cargo(args);
        match command.stdout(Stdio::piped()).spawn() {
            Ok(mut child) => {
                let stdout = child.stdout.take().expect("stdout is piped");
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    println!("{line}");
                    self.line(&line);
                }
                if !child.wait().is_ok_and(|status| status.success()) {
                    self.broken.push(shown);
                }
            }
            Err(error) => {
                eprintln!("cargo does not start: {error}");
                self.broken.push(shown);
            }
        }
    }

    /// Tests that were not run at all.
    pub(crate) fn skip(&mut self, what: &str, reason: &str) {
        println!("skipped: {what}: {reason}");
        self.ignored += 1;
        *self.reasons.entry(format!("{what}: {reason}")).or_default() += 1;
    }

    /// A step that failed.
    pub(crate) fn broke(&mut self, what: &str) {
        println!("failed: {what}");
        self.broken.push(what.into());
    }

    /// Run pytest, told to give reasons (`-rs`).
    pub(crate) fn pytest(&mut self, command: &mut Command) {
        println!(
            "$ pytest, in {:?}",
            command.get_current_dir().unwrap_or(Path::new("."))
        );
        let output = match command.stdout(Stdio::piped()).spawn() {
            Ok(child) => child.wait_with_output(),
            Err(error) => return self.broke(&format!("pytest does not start: {error}")),
        };
        match output {
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stdout);
                print!("{text}");
                text.lines().for_each(|line| self.line_of_pytest(line));
                if !output.status.success() {
                    self.broken.push("pytest".into());
                }
            }
            Err(error) => self.broke(&format!("pytest: {error}")),
        }
    }

    fn line_of_pytest(&mut self, line: &str) {
        // SKIPPED [2] tests/test.py:3: the reason
        if let Some((count, rest)) = line
            .strip_prefix("SKIPPED [")
            .and_then(|l| l.split_once("] "))
            && let Ok(count) = count.parse::<usize>()
        {
            let reason = rest.split_once(": ").map_or(rest, |(_, reason)| reason);
            *self.reasons.entry(reason.into()).or_default() += count;
        }
        // "3 failed, 37 passed, 1 skipped in 20.12s", with = around it where it is wide.
        let line = line.trim_matches('=').trim();
        let Some((counts, _)) = line.rsplit_once(" in ") else {
            return;
        };
        let mut found = [0; 3];
        for part in counts.split(", ") {
            let (Some((count, what)), into) = (part.split_once(' '), &mut found) else {
                return;
            };
            let Ok(count) = count.parse::<usize>() else {
                return;
            };
            match what {
                "passed" => into[0] += count,
                "failed" | "error" | "errors" => into[1] += count,
                "skipped" => into[2] += count,
                // Warnings, and others that are no tests.
                _ => {}
            }
        }
        self.passed += found[0];
        self.failed += found[1];
        self.ignored += found[2];
    }

    /// What was skipped and why, what failed, and the sum; whether all is well.
    pub(crate) fn close(&self) -> bool {
        println!();
        self.lines().iter().for_each(|line| println!("{line}"));
        self.broken.is_empty() && self.failed == 0 && self.passed > 0
    }

    fn lines(&self) -> Vec<String> {
        let reasons = self.reasons.iter();
        let mut lines: Vec<String> = reasons
            .map(|(reason, count)| format!("skipped {count}: {reason}"))
            .collect();
        let told: usize = self.reasons.values().sum();
        if told < self.ignored {
            let silent = self.ignored - told;
            lines.push(format!("skipped {silent}: no reason given"));
        }
        let broken = self.broken.iter();
        lines.extend(broken.map(|command| format!("failed: {command}")));
        lines.push(format!(
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.ignored
        ));
        lines
    }
}

/// A command as one reads it: without the settings that `quick` repeats for every package.
fn shown(args: &[&str]) -> String {
    let mut words = Vec::new();
    let mut rest = args.iter();
    while let Some(word) = rest.next() {
        match *word {
            "--config" => {
                rest.next();
            }
            word => words.push(word),
        }
    }
    words.join(" ")
}

/// The cargo that runs this.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_results_are_counted() {
        let line = "test result: ok. 13 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(counts(line), Some([13, 2, 1]));
        assert_eq!(counts("running 3 tests"), None);
    }

    #[test]
    fn what_is_skipped_adds_up_with_its_reasons() {
        let mut tally = Tally::default();
        for line in [
            "test a ... ok",
            "test b ... ignored, slow",
            "test c::d ... ignored (needs the moon: ask)",
            "test e   ... ignored (needs the moon: ask)",
            "test src/lib.rs - f (line 3) ... ignored",
            "test result: ok. 1 passed; 0 failed; 4 ignored; 0 measured; 0 filtered out",
            "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 7 filtered out",
        ] {
            tally.line(line);
        }
        let expected = [
            "skipped 2: needs the moon: ask",
            "skipped 1: slow",
            "skipped 1: no reason given",
            "3 passed, 0 failed, 4 skipped",
        ];
        assert_eq!(tally.lines(), expected);
        assert!(tally.close());
        tally.broken.push("cargo test".into());
        assert!(!tally.close());
    }

    #[test]
    fn pytest_is_counted_with_its_reasons() {
        let mut tally = Tally::default();
        for line in [
            ".....s...F   [100%]",
            "SKIPPED [1] tests/test_stubs.py:14: could not import 'mypy': No module named 'mypy'",
            "FAILED tests/test_frozen.py::test_x - assert 3 in 4",
            "==== 1 failed, 8 passed, 1 skipped, 2 warnings in 20.12s ====",
        ] {
            tally.line_of_pytest(line);
        }
        let expected = [
            "skipped 1: could not import 'mypy': No module named 'mypy'",
            "8 passed, 1 failed, 1 skipped",
        ];
        assert_eq!(tally.lines(), expected);
        tally.line_of_pytest("37 passed in 1.5s");
        assert_eq!((tally.passed, tally.failed, tally.ignored), (45, 1, 1));
        tally.skip("the package", "needs Python");
        assert_eq!(tally.ignored, 2);
        assert!(
            tally
                .lines()
                .contains(&"skipped 1: the package: needs Python".to_string())
        );
    }

    #[test]
    fn settings_are_not_shown() {
        let args = ["test", "--config", "a.b=1", "-p", "c"];
        assert_eq!(shown(&args), "test -p c");
    }
}
