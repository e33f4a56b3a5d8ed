//! Why modules are not made one script.

use std::fmt;

/// Why modules are not made one script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The module's file.
    pub file: String,
    /// Counted from 1; 0 where it is about the whole file.
    pub line: usize,
    /// What is not understood.
    pub why: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.why),
            line => write!(f, "{}:{line}: {}", self.file, self.why),
        }
    }
}

impl std::error::Error for Refused {}
