//! Reads an answer: the data, or the class of the error.
//!
//! The order of the checks matters, because most APIs report most failures with HTTP 200: the status; is the body
//! JSON; does it report an error; does it contain the requested data; is it about the requested hashtag. The
//! three checks in the middle are the dialect's, with the tools of this folder.

mod envelope;
mod scalar;
mod shape;
mod words;

pub(crate) use envelope::{Envelope, Outcome, json, parse, refusal};
pub(crate) use scalar::Scalar;
pub(crate) use shape::{Items, Object};
pub(crate) use words::class_of;

use crate::dialect::Language;
use crate::{Answer, Class, Error, Query, RawAnswer};

/// Reads `raw` as the answer to `query`.
pub(crate) fn read(language: &dyn Language, query: &Query, raw: &RawAnswer) -> Result<Answer, Error> {
    read_body(language, query, raw).map_err(|error| Error { retry_after: raw.retry_after, ..error })
}

fn read_body(language: &dyn Language, query: &Query, raw: &RawAnswer) -> Result<Answer, Error> {
    if !(200..300).contains(&raw.status) {
        return Err(bad_status(language, raw));
    }
    if raw.body.trim_ascii().is_empty() {
        return Err(Error::transient(format!("HTTP {} with an empty body", raw.status)));
    }
    let answer = language.read(query, raw)?;
    match (query, &answer) {
        (Query::HashtagByName(asked), Answer::Hashtag(got)) if got.hashtag != *asked => {
            Err(Error::malformed(format!("asked for #{asked}, got #{}", got.hashtag)))
        }
        (Query::HashtagById(asked), Answer::Hashtag(got)) if got.id != *asked => {
            Err(Error::malformed(format!("asked for id {asked}, got id {}", got.id)))
        }
        _ => Ok(answer),
    }
}

/// The error of an answer outside 2xx. Its message, if it is a known one, decides before its status does.
fn bad_status(language: &dyn Language, raw: &RawAnswer) -> Error {
    let status = raw.status;
    let message = json::<Object<Outcome>>(raw).ok().and_then(|answer| answer.0?.message());
    let by_status = match status {
        300..=399 => {
            let target = raw.location.as_deref().unwrap_or("nowhere");
            return Error::malformed(format!(
                "HTTP {status}, a redirect to {target}; redirects are not followed (is api.base_url right?)"
            ));
        }
        401 | 403 => Class::Auth,
        402 => Class::CreditsExhausted,
        429 => Class::Throttled,
        408 | 425 | 500.. => Class::Transient,
        _ => Class::Malformed,
    };
    let class = match (status, message.as_deref().and_then(|text| language.classify(text))) {
        // With status 429, a limit is a rate limit, unless the message is about money.
        (429, Some(Class::CreditsExhausted)) if !message.as_deref().is_some_and(words::speaks_of_money) => {
            Class::Throttled
        }
        (400..=499, Some(class)) => class,
        _ => by_status,
    };
    let hint = if status == 404 && class == Class::Malformed { " (is api.base_url right?)" } else { "" };
    Error::new(class, format!("HTTP {status}{hint}: {}", message.as_deref().unwrap_or("no message")))
}

#[cfg(test)]
mod tests;
