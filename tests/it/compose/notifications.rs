//! What people are told: the routes and the texts, by a real Alertmanager with the files that the
//! stack mounts. Addresses differ, and what is gathered for a minute is gathered for a second.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{files_in, project, read, succeed};
use crate::support::alertmanager::Alertmanager;
use crate::support::process::Process;
use crate::support::recorder::Recorder;

/// alertmanager.yml and its templates in a folder, with other receivers if any are given, changed by
/// `change`.
pub fn configuration(folder: &Path, receivers: Option<&str>, change: impl Fn(String) -> String) -> PathBuf {
    let mut text = read("alerts/alertmanager.yml");
    if let Some(receivers) = receivers {
        // As docs/deployment.md says.
        let routes = text.split_inclusive('\n').take_while(|line| !line.starts_with("receivers:"));
        text = routes.collect::<String>() + receivers;
    }
    let templates = folder.join("templates");
    fs::create_dir_all(&templates).unwrap();
    for template in files_in("alerts/templates", ".tmpl") {
        fs::copy(&template, templates.join(template.file_name().unwrap())).unwrap();
    }
    let file = folder.join("alertmanager.yml");
    fs::write(&file, change(text)).unwrap();
    file
}

/// Shortens the waits.
pub fn at_once(text: String) -> String {
    let changed =
        text.replace("group_wait: 1m", "group_wait: 1s").replace("group_wait: 30s", "group_wait: 1s");
    assert_ne!(changed, text, "the waits are written in another way now");
    changed
}

/// An alert as Prometheus sends it.
fn alert(name: &str, labels: &Value, annotations: &Value) -> Value {
    let mut alert = json!({"labels": labels, "annotations": annotations});
    alert["labels"]["alertname"] = name.into();
    alert
}

fn trending() -> Value {
    alert(
        "TikTokHashtagTrending",
        &json!({"topic": "trend", "severity": "warning", "group": "books", "hashtag": "日本"}),
        &json!({
            "summary": "#日本 is trending",
            "description": "3.21 deviations <above> usual. Dashboard: http://g/d/tiktok-hashtag Brief: http://e/brief?group=books",
            "runbook_url": "http://r/TikTokHashtagTrending.md",
            "velocity": "4.20", "zscore": "3.21", "gain": "1.2M views a day",
        }),
    )
}

#[test]
fn every_example_of_receivers_is_valid_and_serves_every_route() {
    let examples = files_in("alerts/receivers", ".yml");
    assert!(examples.len() >= 3, "{examples:?}");
    for example in examples {
        let folder = tempfile::tempdir().unwrap();
        let receivers = fs::read_to_string(&example).unwrap();
        let file = configuration(folder.path(), Some(&receivers), |text| text);
        succeed(Command::new("amtool").arg("check-config").arg(&file));
        for (labels, receiver) in [
            (&["topic=trend", "severity=warning", "group=books"][..], "trends"),
            (&["topic=trend", "severity=warning", "group=beauty"], "trends-beauty"),
            (&["topic=operations", "severity=critical"], "operators-urgent"),
            (&["topic=operations", "severity=warning"], "operators"),
            (&["topic=reference", "severity=info"], "nobody"),
        ] {
            let verify = format!("--verify.receivers={receiver}");
            let config = format!("--config.file={}", file.display());
            succeed(Command::new("amtool").args(["config", "routes", "test", &config, &verify]).args(labels));
        }
    }
}

#[test]
fn slack_gets_the_figures_and_the_links_of_a_whole_watch_group_in_one_message() {
    let slack = Recorder::start();
    let folder = tempfile::tempdir().unwrap();
    let address = folder.path().join("slack-webhook");
    fs::write(&address, format!("{}/services/T/B/x", slack.url)).unwrap();
    let file = configuration(folder.path(), Some(&read("alerts/receivers/slack.yml")), |text| {
        at_once(text).replace("/run/secrets/slack-webhook", &address.display().to_string())
    });
    let alertmanager = Alertmanager::start(&file, &folder.path().join("data"));

    let region = alert(
        "TikTokHashtagHeatingUp",
        &json!({"topic": "trend", "severity": "info", "group": "books", "hashtag": "日本", "region": "JP"}),
        &json!({"summary": "#日本 is heating up in JP", "description": "velocity 2", "runbook_url": "http://r/H.md"}),
    );
    let mut second = trending();
    second["labels"]["hashtag"] = "booktok".into();
    second["annotations"]["summary"] = "#booktok is trending".into();
    alertmanager.post(&json!([trending(), second, region]));

    let (path, body) = slack.next();
    assert_eq!(path, "/services/T/B/x");
    let message: Value = serde_json::from_str(&body).unwrap();
    let attachment = &message["attachments"][0];
    assert_eq!(message["channel"], "#trends");
    assert_eq!(attachment["title"], "2 new or ongoing in books: #booktok is trending, …");
    let wanted = "*#日本 is trending* [warning]\n\
        #日本, worldwide, velocity 4.20, z 3.21, gain 1.2M views a day\n\
        3.21 deviations &lt;above&gt; usual.\n\
        <http://g/d/tiktok-hashtag|Dashboard> · <http://e/brief?group=books|Brief> · \
        <http://r/TikTokHashtagTrending.md|What to do>";
    let text = attachment["text"].as_str().unwrap();
    assert!(text.contains(wanted), "{text}\ndoes not contain\n{wanted}");
    assert!(text.starts_with("*#booktok is trending* [warning]"), "{text}");
    assert!(!text.contains("heating up"), "info goes to nobody: {text}");
}

#[test]
fn a_candidate_silences_heating_up_and_a_missing_exporter_silences_staleness() {
    let slack = Recorder::start();
    let folder = tempfile::tempdir().unwrap();
    let address = folder.path().join("slack-webhook");
    fs::write(&address, &slack.url).unwrap();
    let file = configuration(folder.path(), Some(&read("alerts/receivers/slack.yml")), |text| {
        at_once(text)
            .replace("/run/secrets/slack-webhook", &address.display().to_string())
            .replace("group_wait: 10s", "group_wait: 1s")
    });
    let alertmanager = Alertmanager::start(&file, &folder.path().join("data"));
    let trend = |name: &str, hashtag: &str| {
        let labels = json!({"topic": "trend", "severity": "warning", "group": "home", "hashtag": hashtag});
        alert(
            name,
            &labels,
            &json!({"summary": format!("{name} {hashtag}"), "description": "", "runbook_url": ""}),
        )
    };
    let operations = |name: &str, severity: &str| {
        let labels = json!({"topic": "operations", "severity": severity});
        alert(name, &labels, &json!({"summary": name, "description": "", "runbook_url": ""}))
    };
    // The sources first: what they silence is silent from its beginning.
    alertmanager.post(&json!([
        trend("TikTokHashtagTrendCandidate", "fyp"),
        operations("TikTokExporterDown", "critical"),
    ]));
    let mut texts = String::new();
    for _ in 0..2 {
        texts += &slack.next().1;
    }
    alertmanager.post(&json!([
        trend("TikTokHashtagHeatingUp", "fyp"),
        operations("TikTokResultsStale", "warning"),
        operations("TikTokApiThrottled", "warning"),
    ]));
    texts += &slack.next().1;
    for told in ["TikTokHashtagTrendCandidate fyp", "TikTokExporterDown", "TikTokApiThrottled"] {
        assert!(texts.contains(told), "nobody was told of {told}: {texts}");
    }
    for silenced in ["TikTokHashtagHeatingUp", "TikTokResultsStale"] {
        assert!(!texts.contains(silenced), "{silenced} is news: {texts}");
    }
}

#[test]
fn mail_shows_the_same_and_escapes_what_comes_from_outside() {
    let mut alert = trending();
    alert["status"] = "firing".into();
    let data = json!({
        "status": "firing", "receiver": "trends", "externalURL": "http://a", "groupLabels": {"group": "books"},
        "commonLabels": {"data": "simulated"}, "commonAnnotations": {}, "alerts": [alert],
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data.json");
    fs::write(&file, data.to_string()).unwrap();
    let render = |kind: &str, template: &str| {
        let text = format!("--template.text={{{{ template \"tiktok.{template}\" . }}}}");
        let mut amtool = Command::new("amtool");
        amtool.current_dir(project()).args(["template", "render", "--template.glob=alerts/templates/*.tmpl"]);
        amtool
            .arg(format!("--template.type={kind}"))
            .arg(format!("--template.data={}", file.display()))
            .arg(text);
        succeed(&mut amtool)
    };
    assert_eq!(render("text", "title").trim(), "[SIMULATED] 1 new or ongoing in books: #日本 is trending");
    let wanted = "SIMULATED DATA: nothing in this message is real.\n\n#日本 is trending [warning]\n\
        #日本, worldwide, velocity 4.20, z 3.21, gain 1.2M views a day\n3.21 deviations <above> usual.\n\
        Dashboard: http://g/d/tiktok-hashtag\nBrief: http://e/brief?group=books\n\
        What to do: http://r/TikTokHashtagTrending.md";
    assert_eq!(render("text", "text").trim(), wanted);
    let html = render("html", "html");
    for wanted in [
        "<b>SIMULATED DATA: nothing in this message is real.</b>",
        "#日本 is trending <span",
        ">4.20</b>",
        ">3.21</b>",
        ">1.2M views a day</b>",
        ">worldwide</b>",
        ">3.21 deviations &lt;above&gt; usual.</p>",
        r#"<a href="http://g/d/tiktok-hashtag""#,
        r#"<a href="http://e/brief?group=books""#,
        r#"<a href="http://r/TikTokHashtagTrending.md""#,
    ] {
        assert!(html.contains(wanted), "no {wanted} in\n{html}");
    }
}

#[test]
fn the_page_shows_what_alertmanager_sends() {
    let page = Process::start(&["notifications", "--web.listen-address", "127.0.0.1:0"]);
    assert!(page.get("/").contains("None yet."));
    let folder = tempfile::tempdir().unwrap();
    let file = configuration(folder.path(), None, |text| {
        at_once(text).replace("http://notifications:10112", page.url())
    });
    let alertmanager = Alertmanager::start(&file, &folder.path().join("data"));
    let mut alert = trending();
    alert["labels"]["data"] = "simulated".into();
    alertmanager.post(&json!([alert]));
    let html = wait_for(&page, "#日本 is trending");
    for wanted in
        ["SIMULATED DATA", "1 alert firing", "4.20", "3.21", "1.2M views a day", "for <bdi>trends</bdi>"]
    {
        assert!(html.contains(wanted), "no {wanted} in\n{html}");
    }
    assert!(html.contains(r#"<a href="http://e/brief?group=books" rel="noreferrer">Brief</a>"#), "{html}");

    // What is no notification changes nothing.
    let refused = page.request("POST", "/trends", "{\"alerts\": 7}");
    assert_eq!(refused.status(), 400);
    let large = page.request("POST", "/trends", &" ".repeat(1024 * 1024 + 1));
    assert_eq!(large.status(), 413);
    assert_eq!(page.get("/").matches("<section").count(), 1);
    let policy = page.request("GET", "/", "");
    let policy = policy.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
}

/// The page, once it shows `text`.
pub fn wait_for(page: &Process, text: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let html = page.get("/");
        if html.contains(text) {
            return html;
        }
        assert!(Instant::now() < deadline, "never shown: {text}\n{html}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
