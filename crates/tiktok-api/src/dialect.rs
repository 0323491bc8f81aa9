//! The seam between the operations and the way each provider spells them.

use std::fmt;

use serde_json::Value;
use url::{Url, form_urlencoded};

use crate::fake::{Call, Content, Parameters, Rejection};
use crate::provider::Provider;
use crate::{Answer, Class, Error, Query, RawAnswer, dialects, reading};

/// How a provider spells requests and answers: the client's side and the simulator's.
///
/// One folder of `dialects` implements it, and one line of [`dialects::ALL`] registers it.
pub(crate) trait Language: fmt::Debug + Send + Sync {
    /// The provider, as data.
    fn provider(&self) -> &'static Provider;

    /// The path below the base URL, without a slash at its beginning, and the parameters, not yet
    /// percent-encoded.
    fn request(&self, query: &Query) -> (&'static str, Vec<(&'static str, String)>);

    /// Reads the body of an answer with a status of 2xx that is not empty. Whether it is about the hashtag that
    /// `query` names is checked elsewhere.
    fn read(&self, query: &Query, raw: &RawAnswer) -> Result<Answer, Error>;

    /// The class of an error message, by its words; `None` when no word is known.
    fn classify(&self, message: &str) -> Option<Class> {
        reading::class_of(message)
    }

    /// Simulator: what a request asks for. `path` has no slash at either end. `None` when the path leads nowhere.
    fn parse(&self, path: &str, parameters: &Parameters) -> Option<Call>;

    /// Simulator: writes the content of a good answer, without what [`wrap`](Self::wrap) puts around it.
    fn write(&self, content: &Content) -> Value;

    /// Simulator: what stands around the content of a good answer. Faults that spoil fields leave it alone.
    fn wrap(&self, content: Value) -> Value {
        content
    }

    /// Simulator: the status and the body of an answer that is not good.
    fn reject(&self, rejection: Rejection) -> (u16, Value);

    /// Simulator: the names of the fields that faults spoil.
    fn fields(&self) -> &'static Fields;
}

/// Names of fields in a dialect's answers.
#[derive(Debug)]
pub(crate) struct Fields {
    /// Fields that hold counts.
    pub(crate) counts: &'static [&'static str],
    /// Fields that hold ids of hashtags and posts.
    pub(crate) ids: &'static [&'static str],
    /// The field with the position of the next page.
    pub(crate) cursor: &'static str,
    /// The field that says whether there are more pages. Every page has it, and nothing else does.
    pub(crate) has_more: &'static str,
}

/// The dialect that a provider's API is asked in. Cheap to copy; the default is the one of TikLiveAPI.
#[derive(Clone, Copy)]
pub struct Dialect(&'static dyn Language);

impl Dialect {
    /// Every registered dialect; the default comes first.
    pub fn all() -> impl Iterator<Item = Self> {
        dialects::ALL.iter().map(|language| Self(*language))
    }

    /// The dialect with this label.
    pub fn parse(label: &str) -> Option<Self> {
        Self::all().find(|dialect| dialect.label() == label)
    }

    /// The label, as a configuration spells it.
    pub fn label(self) -> &'static str {
        self.provider().dialect
    }

    /// The provider that speaks it.
    pub fn provider(self) -> &'static Provider {
        self.0.provider()
    }

    /// The HTTP request that asks `query`.
    pub fn request(self, query: &Query) -> WireRequest {
        let (path, parameters) = self.0.request(query);
        let mut encoded = form_urlencoded::Serializer::new(String::new());
        encoded.extend_pairs(parameters);
        WireRequest { path, query: encoded.finish() }
    }

    /// Reads `raw` as the answer to `query`.
    ///
    /// # Errors
    ///
    /// Of any [`Class`](crate::Class): this is where answers are classified. Carries the `Retry-After` of the answer.
    pub fn read(self, query: &Query, raw: &RawAnswer) -> Result<Answer, Error> {
        reading::read(self.0, query, raw)
    }

    /// A text under which the body of the answer to `query` can be stored and found again. Equal keys have bodies
    /// that this dialect reads alike.
    pub fn answer_key(self, query: &Query) -> String {
        let WireRequest { path, query } = self.request(query);
        let key = format!("{}?{query}", path.trim_end_matches('/'));
        // Stores are older than the dialects: the keys of the first one carry no label.
        if self == Self::default() { key } else { format!("{}:{key}", self.label()) }
    }

    pub(crate) fn language(self) -> &'static dyn Language {
        self.0
    }

    #[cfg(test)]
    pub(crate) const fn new(language: &'static dyn Language) -> Self {
        Self(language)
    }
}

impl Default for Dialect {
    fn default() -> Self {
        Self(dialects::ALL[0])
    }
}

impl PartialEq for Dialect {
    fn eq(&self, other: &Self) -> bool {
        self.label() == other.label()
    }
}

impl Eq for Dialect {}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// A query in a provider's spelling. Every request is a GET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireRequest {
    /// The path below the base URL, without a slash at its beginning.
    pub path: &'static str,
    /// The parameters, percent-encoded, without the question mark.
    pub query: String,
}

/// Whether requests to this URL reach a provider of real data, in any dialect, and not a simulator or a test.
pub fn is_vendor(url: &Url) -> bool {
    Dialect::all().any(|dialect| dialect.provider().owns(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_owns_its_default_url_and_has_a_label_of_its_own() {
        let mut labels = Vec::new();
        for dialect in Dialect::all() {
            let provider = dialect.provider();
            let url = provider.default_base_url();
            assert!(provider.owns(&url) && is_vendor(&url), "{url}");
            assert!(url.path().ends_with('/'), "{url}");
            assert_eq!(provider.key_header, provider.key_header.to_ascii_lowercase());
            assert_eq!(Dialect::parse(dialect.label()), Some(dialect));
            assert!(!labels.contains(&dialect.label()), "{labels:?}");
            labels.push(dialect.label());
        }
        assert_eq!(Dialect::default().label(), "tiklive");
        assert_eq!(Dialect::parse("TikLive"), None);
    }

    #[test]
    fn every_host_of_a_vendor_is_the_vendor_and_no_other_host_is() {
        for (url, want) in [
            ("https://api.tikliveapi.com/", true),
            ("https://tikliveapi.com/v2/", true),
            ("http://eu.api.tikliveapi.com:8443/", true),
            ("https://API.TikLiveAPI.com./", true),
            ("https://nottikliveapi.com/", false),
            ("https://tikliveapi.com.example.org/", false),
            ("https://example.org/tikliveapi.com/", false),
            ("http://127.0.0.1:10111/", false),
            ("http://[::1]/", false),
        ] {
            assert_eq!(is_vendor(&Url::parse(url).unwrap()), want, "{url}");
        }
    }
}
