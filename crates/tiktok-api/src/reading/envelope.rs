//! What answers say about their own success.

use serde::de::DeserializeOwned;

use super::scalar::Scalar;
use super::shape::Object;
use crate::dialect::Language;
use crate::{Class, Error, RawAnswer};

/// An answer that can report an error instead of what was asked for.
pub(crate) trait Envelope {
    /// The fields that tell the outcome: status, message, msg, code. A field that the dialect lacks is absent.
    fn outcome(&self) -> [&Scalar; 4];

    /// Whether every key that a good answer needs is present.
    fn is_complete(&self) -> bool;

    /// Whether it says `"status": "error"`.
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

/// The outcome alone, of an answer whose other fields do not matter.
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

/// Parses the body as a `T`, unless it reports an error or lacks what a good answer needs.
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

/// The error of a 2xx answer that does not hold what was asked for.
pub(crate) fn refusal(language: &dyn Language, answer: &impl Envelope) -> Error {
    let Some(text) = answer.message() else {
        return if answer.admits_error() {
            Error::transient("the server reports an error without saying which")
        } else {
            Error::malformed("the answer lacks a required key")
        };
    };
    // An error that the server admits may pass. An unknown text is not worth more credits.
    let unknown = if answer.admits_error() { Class::Transient } else { Class::Malformed };
    Error::new(language.classify(&text).unwrap_or(unknown), format!("the server says: {text}"))
}

/// Parses the body as JSON of the expected shape. A body that is not JSON is the server's trouble and may pass; JSON
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
