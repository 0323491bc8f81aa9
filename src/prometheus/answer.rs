//! Reading the answer to an instant query.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::QueryError;

/// So much of a foreign text is quoted in an error.
const QUOTED_CHARS: usize = 120;

/// One series of an answer, with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    labels: BTreeMap<String, String>,
    /// The value; may be infinite or not a number.
    pub value: f64,
}

#[derive(Deserialize)]
struct Envelope {
    status: String,
    error: Option<String>,
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "resultType")]
    kind: String,
    result: Value,
}

#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    value: (f64, String),
}

impl Sample {
    /// The value of a label; empty when there is none, which is the same to Prometheus.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// The name of the series; empty after most functions.
    pub fn name(&self) -> &str {
        self.label("__name__")
    }
}

/// The samples in the body of an answer with this status.
pub(super) fn read(status: u16, body: &[u8]) -> Result<Vec<Sample>, QueryError> {
    let Ok(envelope) = serde_json::from_slice::<Envelope>(body) else {
        return Err(QueryError::Rubbish(format!("HTTP {status} with {}", quote(body))));
    };
    match (envelope.status.as_str(), envelope.data) {
        ("success", Some(data)) => samples(data),
        ("error", _) => {
            let said = envelope.error.unwrap_or_default();
            Err(QueryError::Refused(format!("HTTP {status}, {}", quote(said.as_bytes()))))
        }
        _ => Err(QueryError::Rubbish(format!("HTTP {status} with {}", quote(body)))),
    }
}

fn samples(data: Data) -> Result<Vec<Sample>, QueryError> {
    let rubbish = |why: &str| QueryError::Rubbish(why.to_owned());
    let series: Vec<Series> = match data.kind.as_str() {
        "vector" => serde_json::from_value(data.result).map_err(|_| rubbish("not a valid vector"))?,
        "scalar" => {
            let value = serde_json::from_value(data.result).map_err(|_| rubbish("not a valid scalar"))?;
            vec![Series { metric: BTreeMap::new(), value }]
        }
        _ => return Err(rubbish("a result that is neither a vector nor a scalar")),
    };
    let sample = |series: Series| match series.value.1.parse() {
        // `+Inf`, `-Inf` and `NaN` are numbers to both.
        Ok(value) => Ok(Sample { labels: series.metric, value }),
        Err(_) => Err(rubbish("a value that is not a number")),
    };
    series.into_iter().map(sample).collect()
}

/// The beginning of a foreign text, on one line.
fn quote(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(4 * QUOTED_CHARS)]);
    let start: String = text.chars().take(QUOTED_CHARS).collect();
    format!("{start:?}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn vectors_and_scalars_are_read() {
        let body = br#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"__name__":"up","hashtag":"caf\u00e9"},"value":[1435781451.781,"1.5"]},
            {"metric":{},"value":[1435781451,"NaN"]},
            {"metric":{},"value":[1435781451,"+Inf"]}]},"warnings":["partial"]}"#;
        let samples = read(200, body).unwrap();
        assert_eq!((samples[0].name(), samples[0].label("hashtag"), samples[0].value), ("up", "café", 1.5));
        assert!(samples[1].value.is_nan() && samples[1].name().is_empty());
        assert_eq!(samples[2].value, f64::INFINITY);
        let scalar = br#"{"status":"success","data":{"resultType":"scalar","result":[1,"7"]}}"#;
        assert_eq!(read(200, scalar).unwrap()[0].value, 7.0);
    }

    #[test]
    fn what_is_no_answer_says_what_it_is() {
        for (status, body, want) in [
            (
                400,
                r#"{"status":"error","errorType":"bad_data","error":"parse error: <x>\n"}"#,
                r#"Prometheus refuses the query: HTTP 400, "parse error: <x>\n""#,
            ),
            (
                503,
                r#"{"status":"error","errorType":"timeout"}"#,
                "Prometheus refuses the query: HTTP 503, \"\"",
            ),
            (200, "<html>", "not a Prometheus: HTTP 200 with \"<html>\""),
            (200, "", "not a Prometheus: HTTP 200 with \"\""),
            (200, "[]", "not a Prometheus: HTTP 200 with \"[]\""),
            (200, r#"{"status":"success"}"#, r#"not a Prometheus: HTTP 200 with "{\"status\":\"success\"}""#),
            (
                200,
                r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#,
                "not a Prometheus: a result that is neither a vector nor a scalar",
            ),
            (
                200,
                r#"{"status":"success","data":{"resultType":"vector","result":{}}}"#,
                "not a Prometheus: not a valid vector",
            ),
            (
                200,
                r#"{"status":"success","data":{"resultType":"scalar","result":[1,"one"]}}"#,
                "not a Prometheus: a value that is not a number",
            ),
        ] {
            assert_eq!(read(status, body.as_bytes()).unwrap_err().to_string(), want, "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(status: u16, body in any::<Vec<u8>>()) {
            prop_assert!(read(status, &body).is_err());
        }
    }
}
