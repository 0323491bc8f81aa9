//! The whole way of a trend: the exporter, thirty days of its past, Prometheus with the rules as they
//! are shipped, Alertmanager with the configuration as it is shipped, and whoever gets the message.
//!
//! Only addresses and waiting times differ from the shipped files: a test does not sit out minutes.
//!
//! The simulated world is the same one whenever this runs: it is always of the same age, to the second. Only the
//! whole days and hours, at which the rules look, lie elsewhere in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tiktok_api::Hashtag;
use tiktok_api::fake::World;
use units::{Clock, DAY, SystemClock, Timestamp};

use crate::support::bursts::Watch;
use crate::support::notified::{Alertmanager, Message, Webhook};
use crate::support::process;
use crate::support::process::{Metrics, Simulator, rfc3339};
use crate::support::prometheus::Prometheus;

/// Generous: a slow machine is no failure.
const PATIENCE: Duration = Duration::from_secs(240);
/// The world of the simulator and of the past.
const SEED: u64 = 1;
/// How long ago it began. Hashtags that burst just now are found at any age; `WORLD_DAYS` tries others.
const AGE_DAYS: u64 = 100;

fn now() -> Timestamp {
    SystemClock.now()
}

/// When the world of that moment began, to the second.
fn beginning(now: Timestamp) -> Timestamp {
    let days = process::setting("WORLD_DAYS", AGE_DAYS);
    Timestamp::from_secs((now - DAY * u32::try_from(days).unwrap()).as_secs())
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Thirty days of the watchlist, as blocks in `data`. Returns the last value of every series.
fn back_fill(toml: &str, beginning: Timestamp, data: &Path, folder: &Path) -> BTreeMap<String, f64> {
    let past = folder.join("past");
    // The rules look at no sample of posts that is older than a day: few of them save time.
    let config = folder.join("past.toml");
    let rarely = toml.replace("posts_interval = \"1s\"", "posts_interval = \"12h\"");
    fs::write(&config, rarely.replace("max_age = \"1h\"", "max_age = \"1d\"")).unwrap();
    run(Command::new(env!("CARGO_BIN_EXE_tiktok-exporter"))
        .args(["backfill", "--config.file", &config.display().to_string(), "--days", "30", "--step", "5m"])
        .args(["--seed", &SEED.to_string(), "--beginning", &rfc3339(beginning)])
        .args(["--output", &past.display().to_string()]));
    // promtool takes two hours at a time as well, and starts anew for each.
    let mut files: Vec<PathBuf> = fs::read_dir(&past).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for files in files.chunks(60) {
        let texts: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
        let joined = folder.join("joined.om");
        fs::write(&joined, texts.replace("# EOF\n", "") + "# EOF\n").unwrap();
        run(Command::new("promtool")
            .args(["tsdb", "create-blocks-from", "--max-block-duration=162h", "openmetrics", "--quiet"])
            .args([&joined, data]));
    }
    let last = fs::read_to_string(files.last().unwrap()).unwrap();
    let sample = |line: &str| {
        let (rest, _time) = line.rsplit_once(' ').unwrap();
        let (series, value) = rest.rsplit_once(' ').unwrap();
        let series = series.replace(",job=\"tiktok\",instance=\"exporter:10110\"", "");
        (series, value.parse().unwrap())
    };
    last.lines().filter(|line| !line.starts_with('#')).map(sample).collect()
}

/// The present goes on where the past ends: the same series with the same labels, totals that only
/// grow, by what the world had grown by then.
fn assert_seamless(past: &BTreeMap<String, f64>, present: &Metrics, watch: &Watch, world: &World) {
    let of_hashtags = present.text.lines().filter(|line| line.starts_with("tiktok_hashtag_"));
    let shown: BTreeSet<&str> = of_hashtags.map(|line| line.rsplit_once(' ').unwrap().0).collect();
    let of_hashtags = past.keys().filter(|series| series.starts_with("tiktok_hashtag_"));
    let written: BTreeSet<&str> = of_hashtags.map(String::as_str).collect();
    assert_eq!(written, shown, "series of the past on the left, of the present on the right");

    for name in watch.all() {
        let value = |metric: &str| {
            let series = format!("tiktok_hashtag_{metric}{{hashtag={name:?}}}");
            (past[&series], present.value(&series))
        };
        let views = |at: f64| {
            let totals = world.totals(&Hashtag::parse(name).unwrap(), Timestamp::from_secs(at as i64));
            totals.unwrap().views.unwrap() as f64
        };
        let (before, now) = value("views");
        let (read_before, read_now) = value("last_success_timestamp_seconds");
        assert_eq!(before, views(read_before), "{name}: the last of the past");
        // The answer was on its way for a moment, on a busy machine for a long one.
        assert!((views(read_now - 30.0)..=views(read_now)).contains(&now), "{name}: {now} at {read_now}");
        assert!(now >= before, "{name}: {before}, then {now}");
    }
}

/// The shipped text with all waiting times cut to seconds: how often is scraped and evaluated, how
/// long a condition must hold, how long messages are collected. What is kept firing, and how often
/// a message is repeated, stays.
fn hurried(text: &str) -> String {
    let cut = |line: &str| {
        let Some((key, value)) = line.split_once(": ") else { return line.to_owned() };
        match key.trim_start().trim_start_matches("- ") {
            "interval" | "scrape_interval" | "evaluation_interval" | "for" => format!("{key}: 2s"),
            // A quarter of one minute, of half a one, of ten seconds: long enough to find each other.
            "group_wait" if value == "1m" => format!("{key}: 15s"),
            "group_wait" => format!("{key}: 3s"),
            "group_interval" => format!("{key}: 3s"),
            _ => line.to_owned(),
        }
    };
    text.lines().map(|line| cut(line) + "\n").collect()
}

/// `alerts/` as it is shipped, hurried, with these addresses in place of those of the compose stack.
fn configuration(folder: &Path, addresses: &[(&str, &str)]) {
    let alerts = Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts");
    fs::create_dir_all(folder.join("templates")).unwrap();
    for entry in fs::read_dir(alerts.join("templates")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.join("templates").join(path.file_name().unwrap())).unwrap();
    }
    for entry in fs::read_dir(alerts).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "yml") {
            let mut text = hurried(&fs::read_to_string(&path).unwrap());
            for (shipped, here) in addresses {
                text = text.replace(shipped, here);
            }
            fs::write(folder.join(path.file_name().unwrap()), text).unwrap();
        }
    }
}

/// Everybody who gets a message gets it in Slack as well, in the words of the shipped templates; Slack is here.
fn add_slack(alertmanager: &Path, url: &str) {
    let shipped = yaml(&Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts/receivers/slack.yml"));
    let mut config = yaml(alertmanager);
    for receiver in config["receivers"].as_array_mut().unwrap() {
        let shipped = shipped["receivers"].as_array().unwrap();
        let slack = shipped.iter().find(|slack| slack["name"] == receiver["name"]).unwrap();
        if let Some(slack) = slack["slack_configs"].as_array() {
            let mut slack = slack.clone();
            for channel in slack.iter_mut().filter_map(Value::as_object_mut) {
                channel.remove("api_url_file").unwrap();
                channel.insert("api_url".to_owned(), url.into());
            }
            receiver["slack_configs"] = slack.into();
        }
    }
    fs::write(alertmanager, config.to_string()).unwrap();
}

fn yaml(path: &Path) -> Value {
    serde_norway::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Asks until the answer is there.
fn wait_for<T>(what: &str, ask: impl Fn() -> Option<T>, otherwise: impl Fn() -> String) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "never came: {what}\n{}", otherwise());
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// A message in a few lines: to whom, and of each alert what, about whom and since when.
fn summary(message: &Message) -> String {
    let alerts = message.body["alerts"].as_array().into_iter().flatten();
    let line = |alert: &Value| {
        let label = |name: &str| alert["labels"][name].as_str().unwrap_or_default().to_owned();
        let text = |key: &str| alert[key].as_str().unwrap_or_default().to_owned();
        format!(
            "    {} {} {} since {}\n",
            text("status"),
            label("alertname"),
            label("hashtag"),
            text("startsAt")
        )
    };
    format!("{}\n{}", message.receiver, alerts.map(line).collect::<String>())
}

/// Hashtags for which an alert fires in Prometheus.
fn firing_about(prometheus: &Prometheus, matchers: &str) -> BTreeSet<String> {
    let selector = format!("ALERTS{{alertstate=\"firing\",{matchers}}}");
    let series = prometheus.instant(&selector, now().as_secs()).unwrap();
    series.into_iter().filter_map(|series| series.labels.get("hashtag").cloned()).collect()
}

#[test]
fn the_same_hashtags_are_watched_whenever_this_runs() {
    let watch_at = |at: &str| {
        let at = humantime::parse_rfc3339(at).unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
        let now = Timestamp::from_secs(i64::try_from(at.as_secs()).unwrap());
        Watch::find(&World::beginning_at(SEED, beginning(now)), now)
    };
    let watch = watch_at("2026-06-03T12:00:00Z");
    for at in ["2026-01-01T00:00:00Z", "2027-03-28T01:59:59Z", "2028-02-29T23:58:30Z", "2031-10-26T06:01:00Z"]
    {
        assert_eq!(watch_at(at), watch, "at {at}");
    }
}

#[test]
fn what_bursts_is_told_once_and_what_is_quiet_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let started = now();
    let beginning = beginning(started);
    let world = World::beginning_at(SEED, beginning);
    let watch = Watch::find(&world, started);
    let of_world = ["--seed", &SEED.to_string(), "--beginning", &rfc3339(beginning)];
    let simulator = Simulator::start(&[&of_world[..], &["--rate-limit-per-minute", "3000"]].concat());
    let config = process::write_config(folder, &simulator, "hashtags = [\"placeholder\"]");
    let toml = fs::read_to_string(&config).unwrap();
    let toml = toml.split("[[watch]]").next().unwrap().to_owned() + &watch.toml();
    fs::write(&config, &toml).unwrap();

    let data = folder.join("stack/data");
    fs::create_dir_all(&data).unwrap();
    let past = back_fill(&toml, beginning, &data, folder);
    let exporter = process::serve(&config);
    let hashtags = watch.all().count();
    let present = exporter.wait_for("all values", |metrics| {
        let all = |family| metrics.family(family).len() == hashtags;
        all("tiktok_hashtag_views") && all("tiktok_hashtag_sample_velocity")
    });
    assert_seamless(&past, &present, &watch, &world);

    let webhook = Webhook::start();
    let stack = folder.join("stack");
    configuration(&stack, &[("http://notifications:10112", &webhook.url)]);
    add_slack(&stack.join("alertmanager.yml"), &format!("{}/slack", webhook.url));
    let alertmanager = Alertmanager::start(&stack.join("alertmanager.yml"), &folder.join("alertmanager"));
    configuration(
        &stack,
        &[
            ("http://notifications:10112", &webhook.url),
            ("alertmanager:9093", &alertmanager.address),
            ("exporter:10110", exporter.url().trim_start_matches("http://")),
        ],
    );
    // The rules come last, so that nothing fires before there is somebody to hand it to.
    let config = yaml(&stack.join("prometheus.yml"));
    let mut without_rules = config.clone();
    without_rules.as_object_mut().unwrap().remove("rule_files").unwrap();
    let prometheus = Prometheus::looking_back("5m", &data, &without_rules);
    let knows_alertmanager = || (prometheus.alertmanagers() == 1).then_some(());
    wait_for("Prometheus to know the Alertmanager", knows_alertmanager, String::new);
    prometheus.reload(&config);

    let told = || webhook.messages().iter().map(summary).collect::<String>();
    let set = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>();
    let (bursting, fresh) = (set(&watch.bursting), set(&watch.fresh));
    let firing = |alert: &str| firing_about(&prometheus, &format!("alertname=\"TikTok{alert}\""));
    // The hashtags for which an alert came in one message.
    let told_of = |receiver: &str, alert: &str, hashtags: &BTreeSet<String>| {
        let messages = webhook.messages().into_iter().filter(|message| message.receiver == receiver);
        let mut of_alert = messages.map(|message| {
            let alerts = message.alerts("firing").into_iter();
            let alerts = alerts.filter(|labels| labels["alertname"] == format!("TikTok{alert}"));
            alerts.map(|labels| labels["hashtag"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
        });
        of_alert.any(|told| told == *hashtags).then_some(())
    };

    // Every burst is seen. What is a trend candidate is heating up as well.
    wait_for(
        "a trend of every bursting hashtag",
        || bursting.is_subset(&firing("HashtagTrending")).then_some(()),
        || format!("{bursting:?}: {:?}", firing("HashtagTrending")),
    );
    wait_for(
        "a trend candidate that heats up",
        || {
            let (candidates, heating_up) = (firing("HashtagTrendCandidate"), firing("HashtagHeatingUp"));
            (fresh.is_subset(&candidates) && candidates.is_subset(&heating_up)).then_some(())
        },
        || format!("{fresh:?}: {:?}, {:?}", firing("HashtagTrendCandidate"), firing("HashtagHeatingUp")),
    );
    let candidates = firing("HashtagTrendCandidate");

    // Quiet ones stay quiet, at Prometheus and for people.
    let trends = firing_about(&prometheus, "topic=\"trend\"");
    let burst: BTreeSet<String> = bursting.union(&fresh).cloned().collect();
    let alerts = || prometheus.instant("ALERTS{topic=\"trend\"}", now().as_secs()).unwrap();
    assert!(trends.is_subset(&burst), "only {burst:?} burst, but these fire: {:#?}", alerts());

    // Told to those whose group it is: all of a group in one message, and the candidate once.
    wait_for("one message about both", || told_of("trends", "HashtagTrending", &bursting), told);
    wait_for("word of it", || told_of("trends-beauty", "HashtagTrendCandidate", &fresh), told);

    // In Slack in words, with links to follow.
    let slack = |title: &str, parts: &[String]| {
        let messages = webhook.messages().into_iter();
        let mut texts = messages.filter_map(|message| message.in_slack());
        let fits = |(titled, text): (String, String)| {
            titled.contains(title) && parts.iter().all(|part| text.contains(part))
        };
        texts.any(fits).then_some(())
    };
    let trend = |hashtag: &String| {
        let link = format!("/d/tiktok-hashtag?var-hashtag={hashtag}|Dashboard>");
        [format!("*#{hashtag} is trending*"), link]
    };
    let words: Vec<String> = bursting.iter().flat_map(trend).collect();
    wait_for("both in one message in Slack", || slack(" new or ongoing in books: #", &words), told);

    // Alertmanager holds back that the candidate heats up.
    let held_back = || {
        let inhibited = alertmanager.inhibited().into_iter();
        let heating_up = inhibited.filter(|labels| labels["alertname"] == "TikTokHashtagHeatingUp");
        heating_up.map(|labels| labels["hashtag"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    wait_for(
        "that a candidate's heating up is held back",
        || candidates.is_subset(&held_back()).then_some(()),
        || format!("{candidates:?}: {:?}", held_back()),
    );

    // The key is refused: those who run the exporter are told, and told when it is over.
    simulator.faults(r#"{"faults": [{"kind": "dead_key"}]}"#);
    let operators = |status: &str| {
        let messages =
            webhook.messages().into_iter().filter(|message| message.receiver == "operators-urgent");
        let mut alerts = messages.flat_map(|message| message.alerts(status));
        alerts.any(|labels| labels["alertname"] == "TikTokBreakerOpen" && labels["reason"] == "auth")
    };
    wait_for("word of the refused key", || operators("firing").then_some(()), told);
    assert!(!operators("resolved"), "it is not over\n{}", told());
    simulator.faults("{}");
    wait_for("word that the key is good again", || operators("resolved").then_some(()), told);
    let over = ["*Over*\n• All requests to the API are stopped: auth".to_owned()];
    wait_for("the same in Slack", || slack("over: All requests", &over), told);

    // Nothing came later, either.
    let trends = firing_about(&prometheus, "topic=\"trend\"");
    assert!(trends.is_subset(&burst), "only {burst:?} burst, but these fire: {:#?}", alerts());

    // What is handed over late by a busy Prometheus is late for Alertmanager, too: it may be told that a hashtag
    // heats up before it is known for a candidate, but not afterwards.
    let mut known = BTreeSet::new();
    for message in webhook.messages() {
        let firing = message.alerts("firing");
        let of = |alert: &str| {
            let alerts = firing.iter().filter(|labels| labels["alertname"] == alert);
            alerts.map(|labels| labels["hashtag"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
        };
        known.extend(of("TikTokHashtagTrendCandidate"));
        let twice = of("TikTokHashtagHeatingUp").intersection(&known).cloned().collect::<Vec<_>>();
        assert!(twice.is_empty(), "{twice:?}: told to be candidates, and to heat up as well:\n{}", told());
        for labels in firing {
            let hashtag = labels["hashtag"].as_str().unwrap_or_default();
            assert!(!watch.quiet.iter().any(|quiet| quiet == hashtag), "{hashtag} is quiet:\n{}", told());
            assert_ne!(labels["severity"], "info", "remarks are told to nobody:\n{}", told());
            assert_ne!(labels["severity"], "none", "the watchdog is told to nobody:\n{}", told());
        }
    }
}
