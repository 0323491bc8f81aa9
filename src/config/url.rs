//! Addresses of other servers, as settings give them.

use url::Url;

use super::value;

/// Reads the URL under which a server's paths begin: http or https, and always ending in a slash, so
/// that paths can be joined to it. What may carry or be a key or a password is not quoted.
pub(super) fn base_url(text: &str, example: &str) -> Result<Url, String> {
    let is_harmless = text.contains([':', '/', '.']) && !text.contains(['?', '@', '#']);
    let shown = if is_harmless { value::quote(text) } else { "the value".to_owned() };
    let mut url = Url::parse(text).map_err(|_| format!("{shown} is not a URL (as {example})"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("{shown} is neither an http nor an https URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL must not carry a user name or a password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("the URL must not carry a query or a fragment (`?`, `#`)".to_owned());
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}
