//! The message that Alertmanager sends to a webhook, limited to what is shown.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Maximum alerts of a message that are kept.
const ALERTS_KEPT: usize = 50;
/// Maximum characters of a text that are kept.
const TEXT_KEPT: usize = 2_000;
/// The label with which the Prometheus of the demo marks simulated data.
const SIMULATED: (&str, &str) = ("data", "simulated");

/// One notification: a group of alerts.
#[derive(Debug, Deserialize)]
pub(super) struct Message {
    /// `firing` if any of its alerts is firing, otherwise `resolved`.
    pub(super) status: String,
    pub(super) receiver: String,
    /// The labels that the alerts are grouped by.
    #[serde(rename = "groupLabels", default)]
    pub(super) group: BTreeMap<String, String>,
    pub(super) alerts: Vec<Alert>,
    /// Alerts that were received and not kept.
    #[serde(skip)]
    pub(super) more: usize,
}

/// One alert of it.
#[derive(Debug, Deserialize)]
pub(super) struct Alert {
    pub(super) status: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl Message {
    /// Reads the JSON of version 4 of the format.
    pub(super) fn read(body: &[u8]) -> Result<Self, serde_json::Error> {
        let mut message: Self = serde_json::from_slice(body)?;
        message.more = message.alerts.len().saturating_sub(ALERTS_KEPT);
        message.alerts.truncate(ALERTS_KEPT);
        let in_alerts = message.alerts.iter_mut().flat_map(|alert| {
            let texts = alert.labels.values_mut().chain(alert.annotations.values_mut());
            texts.chain(std::iter::once(&mut alert.status))
        });
        let texts = in_alerts.chain(message.group.values_mut());
        texts.chain([&mut message.status, &mut message.receiver]).for_each(shorten);
        Ok(message)
    }

    pub(super) fn is_firing(&self) -> bool {
        self.status == "firing"
    }

    /// Whether the demo sent it.
    pub(super) fn is_simulated(&self) -> bool {
        self.alerts.iter().any(|alert| alert.label(SIMULATED.0) == SIMULATED.1)
    }
}

impl Alert {
    pub(super) fn is_firing(&self) -> bool {
        self.status == "firing"
    }

    /// A label, empty if there is none.
    pub(super) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// An annotation, empty if there is none.
    pub(super) fn annotation(&self, name: &str) -> &str {
        self.annotations.get(name).map_or("", String::as_str)
    }
}

/// Splits a description into its text and the named URLs at its end, such as
/// `Dashboard: http://… Brief: http://…`.
pub(super) fn description(text: &str) -> (&str, Vec<(&str, &str)>) {
    let mut text = text.trim_end();
    let mut links = Vec::new();
    while let Some((before, address)) = text.rsplit_once(char::is_whitespace).filter(|(_, it)| is_url(it))
        && let Some(named) = before.trim_end().strip_suffix(':')
    {
        let start = named.rfind(char::is_whitespace).map_or(0, |space| space + 1);
        links.insert(0, (&named[start..], address));
        text = named[..start].trim_end();
    }
    (text, links)
}

/// Whether a word is a URL that may become a link.
pub(super) fn is_url(word: &str) -> bool {
    word.starts_with("http://") || word.starts_with("https://")
}

fn shorten(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(TEXT_KEPT) {
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded() {
        let alert = serde_json::json!({"status": "firing", "annotations": {"summary": "é".repeat(5_000)}});
        let body = serde_json::json!({"status": "firing", "receiver": "r", "alerts": vec![alert; 60]});
        let message = Message::read(body.to_string().as_bytes()).unwrap();
        assert_eq!((message.alerts.len(), message.more), (50, 10));
        assert_eq!(message.alerts[0].annotation("summary").chars().count(), TEXT_KEPT + 1);
    }

    #[test]
    fn a_description_ends_in_named_links() {
        for (text, wanted, names) in [
            ("up. Dashboard: http://g/d Brief: https://e/b?x=1", "up.", vec!["Dashboard", "Brief"]),
            ("Dashboard: http://g/d\n", "", vec!["Dashboard"]),
            ("see http://g/d for more", "see http://g/d for more", vec![]),
            ("see http://g/d", "see http://g/d", vec![]),
            ("run: javascript:x", "run: javascript:x", vec![]),
            ("日本: http://g/d", "", vec!["日本"]),
            ("", "", vec![]),
        ] {
            let (said, links) = description(text);
            let found: Vec<&str> = links.iter().map(|(name, _)| *name).collect();
            assert_eq!((said, found), (wanted, names), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_notification_is_refused() {
        for body in ["", "[]", "{}", r#"{"status": 1, "receiver": "r", "alerts": []}"#] {
            assert!(Message::read(body.as_bytes()).is_err(), "{body}");
        }
    }
}
