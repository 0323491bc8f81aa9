//! Which form of the page a client takes.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_ENCODING;

/// The forms in which a page can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Gzip,
    Identity,
}

/// What `Accept-Encoding` asks for (RFC 9110, 12.5.3): gzip where it is accepted and not liked less
/// than the plain page. `None` when the client takes neither.
pub(super) fn accepted(headers: &HeaderMap) -> Option<Encoding> {
    let mut wishes = Wishes::default();
    for value in headers.get_all(ACCEPT_ENCODING) {
        // What is not text names no coding of ours.
        value.to_str().unwrap_or_default().split(',').for_each(|wish| wishes.note(wish));
    }
    let gzip = wishes.gzip.or(wishes.any).unwrap_or(0.0);
    let identity = wishes.identity.or(wishes.any.filter(|weight| *weight == 0.0));
    match identity {
        // Unless it is refused, the plain page is always acceptable, but asked for by nobody.
        None if gzip > 0.0 => Some(Encoding::Gzip),
        None => Some(Encoding::Identity),
        Some(identity) if gzip > 0.0 && gzip >= identity => Some(Encoding::Gzip),
        Some(identity) => (identity > 0.0).then_some(Encoding::Identity),
    }
}

/// The weights that a client gives, 0 to 1.
#[derive(Default)]
struct Wishes {
    gzip: Option<f64>,
    identity: Option<f64>,
    any: Option<f64>,
}

impl Wishes {
    fn note(&mut self, wish: &str) {
        let mut parts = wish.split(';').map(str::trim);
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
    use axum::http::{HeaderMap, HeaderValue};

    use super::{ACCEPT_ENCODING, Encoding, accepted};

    #[test]
    fn the_client_gets_the_form_it_likes_best() {
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
