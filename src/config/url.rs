//! The URLs of other servers in settings.

use url::Url;

use super::value;

/// Reads the base URL of a server: http or https. The result always ends in a slash, so that paths can be joined to
/// it. A text that may contain a key or a password is not quoted.
pub(super) fn base_url(text: &str, example: &str) -> Result<Url, String> {
    let is_harmless = text.contains([':', '/', '.']) && !text.contains(['?', '@', '#']);
    let shown = if is_harmless { value::quote(text) } else { "the value".to_owned() };
    let mut url = Url::parse(text).map_err(|_| format!("{shown} is not a URL (such as {example})"))?;
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
