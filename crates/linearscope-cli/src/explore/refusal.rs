//! Why a question has no answer, and the status that says so.

use axum::http::StatusCode;
use serde_json::json;

use crate::error::{BUG, Failure, UNSUPPORTED};

/// A status and what the page says.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub status: StatusCode,
    pub message: String,
    pub hint: Option<String>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            hint: None,
        }
    }

    /// A question that means nothing.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// What to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// As the page reads it.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        json!({ "error": self.message, "hint": self.hint })
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        let status = match failure.code {
            BUG => StatusCode::INTERNAL_SERVER_ERROR,
            UNSUPPORTED => StatusCode::UNPROCESSABLE_ENTITY,
            _ if failure.is_interruption() => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        Self {
            status,
            message: failure.message,
            hint: failure.hint,
        }
    }
}

impl From<linearscope_analysis::Error> for Refusal {
    fn from(error: linearscope_analysis::Error) -> Self {
        Failure::from(error).into()
    }
}

impl From<linearscope::Error> for Refusal {
    fn from(error: linearscope::Error) -> Self {
        Failure::from(error).into()
    }
}
