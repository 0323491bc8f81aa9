//! What a provider of the data offers, as data.

use url::Url;

/// A provider: who sells the data, where, under which limits, and at what price.
#[derive(Debug, Clone, PartialEq)]
pub struct Provider {
    /// Its name, for messages.
    pub name: &'static str,
    /// The label of its dialect, as a configuration spells it: lower-case letters, digits and `-`.
    pub dialect: &'static str,
    /// Where its API lives: scheme, host and path, with a slash at the end.
    pub base_url: &'static str,
    /// Its domains. A host that is one of them or below one of them belongs to the provider.
    pub domains: &'static [&'static str],
    /// The environment variable that holds the API key.
    pub key_variable: &'static str,
    /// The header that carries the API key, in lower case.
    pub key_header: &'static str,
    /// Most posts on one page.
    pub posts_page_max: u32,
    /// Most hashtags on one page of a search.
    pub hashtags_page_max: u32,
    /// Requests a minute that it allows every customer.
    pub requests_per_minute: u32,
    /// Requests a minute that can be agreed on.
    pub requests_per_minute_max: u32,
    /// List price of 100,000 requests in US dollars, when last seen.
    pub usd_per_100_000: f64,
    /// Whether posts can be asked for by region.
    pub posts_take_region: bool,
    /// Whether it lists the regions that it supports.
    pub lists_regions: bool,
}

impl Provider {
    /// Whether requests to this URL reach the provider itself: its real data, for real money.
    pub fn owns(&self, url: &Url) -> bool {
        // `api.example.com.` is the same host, spelled to its root.
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        self.domains.iter().any(|domain| {
            host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }

    /// [`base_url`](Self::base_url), parsed.
    pub fn default_base_url(&self) -> Url {
        Url::parse(self.base_url).expect("a test parses the URL of every provider")
    }
}
