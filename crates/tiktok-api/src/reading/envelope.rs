//! How answers report success or failure.

use serde::de::DeserializeOwned;

use super::scalar::Scalar;
use super::shape::Object;
use crate::dialect::Language;
use crate::{Class, Error, RawAnswer};

/// An answer that can report an error instead of the requested data.
pub(crate) trait Envelope {
    /// The fields that report the outcome: status, message, msg, code. A field that the dialect lacks is absent.
    fn outcome(&self) -> [&Scalar; 4];

    /// Whether every key that a good answer needs is present.
    fn is_complete(&self) -> bool;

    /// Whether it reports `"status": "error"`.
    fn admits_error(&self) -> bool {
        let [status, ..] = self.outcome();
        matches!(status, Scalar::Text(text) if text.trim().eq_ignore_ascii_case("error"))
    }

    /// Whether it carries a negative code.
    fn has_negative_code(&self) -> bool {
        let [.., code] = self.outcome();
        code.is_negative()
    }

    /// Its message, if it has one.
    fn message(&self) -> Option<String> {
        let [_, message, msg, _] = self.outcome();
        message.text().or_else(|| msg.text())
    }
}

/// Only the outcome of an answer.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Outcome {
    status: Scalar,
    message: Scalar,
    msg: Scalar,
    code: Scalar,
}

impl Envelope for Outcome {
    fn outcome(&self) -> [&Scalar; 4] {
        [&self.status, &self.message, &self.msg, &self.code]
    }

    fn is_complete(&self) -> bool {
        false
    }
}

/// Parses the body as a `T`, unless it reports an error or is incomplete.
pub(crate) fn parse<T: DeserializeOwned + Envelope>(
    language: &dyn Language,
    raw: &RawAnswer,
) -> Result<T, Error> {
    let answer: Object<T> = json(raw)?;
    let Some(answer) = answer.0 else {
        return Err(Error::malformed("the answer is not a JSON object"));
    };
    if answer.admits_error() || answer.has_negative_code() || !answer.is_complete() {
        return Err(refusal(language, &answer));
    }
    Ok(answer)
}

/// The error of a 2xx answer without the requested data.
pub(crate) fn refusal(language: &dyn Language, answer: &impl Envelope) -> Error {
    let Some(text) = answer.message() else {
        return if answer.admits_error() {
            Error::transient("the server reports an error without saying which")
        } else {
            Error::malformed("the answer lacks a required key")
        };
    };
    // A reported error may be temporary. An unknown message does not justify more credits.
    let unknown = if answer.admits_error() { Class::Transient } else { Class::Malformed };
    Error::new(language.classify(&text).unwrap_or(unknown), format!("the server says: {text}"))
}

/// Parses the body as JSON of the expected shape. A body that is not JSON is a temporary fault of the server; JSON
/// of another shape is not.
pub(crate) fn json<T: DeserializeOwned>(raw: &RawAnswer) -> Result<T, Error> {
    serde_json::from_slice(&raw.body).map_err(|error| {
        if error.is_data() {
            Error::malformed(format!("unexpected JSON: {error}"))
        } else {
            let start = String::from_utf8_lossy(&raw.body[..raw.body.len().min(60)]).into_owned();
            Error::transient(format!("HTTP {} with a body that is not JSON: {start}", raw.status))
        }
    })
}
