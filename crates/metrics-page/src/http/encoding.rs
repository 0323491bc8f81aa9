//! Which encoding of the page a client accepts.

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

/// The encodings in which a page can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Gzip,
    Identity,
}

/// What `Accept-Encoding` prefers (RFC 9110, 12.5.3): gzip where it is accepted and its weight is not below
/// that of the plain page. `None` when the client accepts neither.
pub(super) fn accepted(headers: &HeaderMap) -> Option<Encoding> {
    let mut weights = Weights::default();
    for value in headers.get_all(ACCEPT_ENCODING) {
        // A value that is not text names no coding of ours.
        value.to_str().unwrap_or_default().split(',').for_each(|item| weights.note(item));
    }
    let gzip = weights.gzip.or(weights.any).unwrap_or(0.0);
    let identity = weights.identity.or(weights.any.filter(|weight| *weight == 0.0));
    match identity {
        // The plain page is acceptable unless it is refused, but it was not asked for.
        None if gzip > 0.0 => Some(Encoding::Gzip),
        None => Some(Encoding::Identity),
        Some(identity) if gzip > 0.0 && gzip >= identity => Some(Encoding::Gzip),
        Some(identity) => (identity > 0.0).then_some(Encoding::Identity),
    }
}

/// The weights that a client gives, 0 to 1.
#[derive(Default)]
struct Weights {
    gzip: Option<f64>,
    identity: Option<f64>,
    any: Option<f64>,
}

impl Weights {
    fn note(&mut self, item: &str) {
        let mut parts = item.split(';').map(str::trim);
        let coding = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| value.trim().parse().unwrap_or(0.0))
        });
        let weight = Some(weight.unwrap_or(1.0));
        match () {
            () if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") => {
                self.gzip = weight;
            }
            () if coding.eq_ignore_ascii_case("identity") => self.identity = weight,
            () if coding == "*" => self.any = weight,
            () => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{ACCEPT_ENCODING, Encoding, accepted};

    #[test]
    fn the_client_gets_the_encoding_it_prefers() {
        let gzip = Some(Encoding::Gzip);
        let identity = Some(Encoding::Identity);
        for (lines, want) in [
            (&[] as &[&str], identity),
            (&[""], identity),
            (&["gzip"], gzip),
            (&["GZip"], gzip),
            (&["x-gzip"], gzip),
            (&["gzip;q=0"], identity),
            (&["gzip; Q=0.000"], identity),
            (&["gzip;q=nonsense"], identity),
            (&["gzip;q=0.5"], gzip),
            (&["deflate, br"], identity),
            (&["deflate", "br;q=1, gzip;q=0.2"], gzip),
            (&["identity"], identity),
            (&["identity, gzip"], gzip),
            (&["identity;q=0.5, gzip;q=0.4"], identity),
            (&["identity;q=0, gzip"], gzip),
            (&["*"], gzip),
            (&["*;q=0"], None),
            (&["*;q=0, identity"], identity),
            (&["*;q=0, gzip"], gzip),
            (&["gzip;q=0, *"], identity),
            (&["identity;q=0"], None),
            (&["gzip;q=0, identity;q=0"], None),
            (&["identity;q=0, *"], gzip),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(ACCEPT_ENCODING, HeaderValue::from_str(line).unwrap());
            }
            assert_eq!(accepted(&headers), want, "{lines:?}");
        }
    }
}
