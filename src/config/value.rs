//! Single values: their types, and how messages show them.

use figment::value::{Num, Value};

/// Longer texts are cut in messages.
const SHOWN_CHARS: usize = 80;

/// The text itself. The error says what the value is instead.
pub(super) fn text(value: &Value) -> Result<&str, String> {
    match value {
        Value::String(_, text) => Ok(text),
        Value::Num(..) | Value::Bool(..) => Err(format!("{} is not text (put it in quotes)", show(value))),
        _ => Err(format!("{} is not text", show(value))),
    }
}

/// Text that is not blank, without white space around it.
pub(super) fn filled_text(value: &Value) -> Result<&str, String> {
    match text(value)?.trim() {
        "" => Err("is blank".to_owned()),
        filled => Ok(filled),
    }
}

/// A whole number. From the environment, where every value is text, also as text.
pub(super) fn integer(value: &Value, from_environment: bool) -> Result<i128, String> {
    let read = match value {
        Value::Num(_, num) => num.to_i128().or_else(|| num.to_u128().and_then(|n| n.try_into().ok())),
        Value::String(_, text) if from_environment => text.trim().parse().ok(),
        Value::String(_, text) if text.trim().parse::<i128>().is_ok() => {
            return Err(format!("{} is text (write the number without quotes)", show(value)));
        }
        _ => None,
    };
    read.ok_or_else(|| format!("{} is not a whole number", show(value)))
}

/// A boolean.
pub(super) fn flag(value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(_, yes) => Ok(*yes),
        _ => Err(format!("{} is neither true nor false", show(value))),
    }
}

/// The elements of a list.
pub(super) fn list(value: &Value) -> Result<Vec<Value>, String> {
    match value {
        Value::Array(_, elements) => Ok(elements.clone()),
        Value::String(..) => Err(format!("{0} is not a list (write [{0}])", show(value))),
        _ => Err(format!("{} is not a list", show(value))),
    }
}

/// The elements of a list that is not empty.
pub(super) fn filled_list(value: &Value) -> Result<Vec<Value>, String> {
    let elements = list(value)?;
    if elements.is_empty() { Err("is empty (list at least one)".to_owned()) } else { Ok(elements) }
}

/// Whether the value is a bare number.
pub(super) fn is_number(value: &Value) -> bool {
    matches!(value, Value::Num(..))
}

/// Whether the value is a date or a time without quotes.
pub(super) fn is_date(value: &Value) -> bool {
    // This is how the TOML parser represents one.
    matches!(value, Value::Dict(_, dict) if dict.contains_key("$__toml_private_datetime"))
}

/// The value as a message shows it.
pub(super) fn show(value: &Value) -> String {
    match value {
        Value::String(_, text) => quote(text),
        Value::Char(_, character) => quote(character.encode_utf8(&mut [0; 4])),
        Value::Bool(_, bool) => bool.to_string(),
        Value::Num(_, num) => number(*num),
        Value::Empty(..) => "nothing".to_owned(),
        Value::Dict(..) if is_date(value) => "a date".to_owned(),
        Value::Dict(..) => "a table".to_owned(),
        Value::Array(..) => "a list".to_owned(),
    }
}

/// Text in quotes, cut when it is long.
pub(super) fn quote(text: &str) -> String {
    if text.chars().nth(SHOWN_CHARS).is_none() {
        return format!("{text:?}");
    }
    let start: String = text.chars().take(SHOWN_CHARS).collect();
    format!("{start:?}…")
}

fn number(num: Num) -> String {
    match num.to_i128() {
        Some(whole) => whole.to_string(),
        None => num.to_f64().map_or_else(|| "a number".to_owned(), |float| format!("{float:?}")),
    }
}
