//! The dashboards in `dashboards/`, without a Grafana: their structure against the published
//! schema, and every query on a real Prometheus that holds thirty days of history.

mod crowd;
mod grafana;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use grafana::{Chosen, Dashboard, Field, Panel, Step, Target, dashboards, interpolate, variables_in};
use metrics_page::Kind;
use serde_json::Value;

use crate::support::history::{DAY, HOUR, History, NOW, looked_back_at, metrics_in, rules};
use crate::support::prometheus::{Prometheus, Series};
use crate::support::promtool;

/// The dashboards and their uids, which alerts and bookmarks link to.
const UIDS: [(&str, &str); 4] = [
    ("calendar.json", "tiktok-calendar"),
    ("hashtag.json", "tiktok-hashtag"),
    ("health.json", "tiktok-health"),
    ("trends.json", "tiktok-trends"),
];

fn panels() -> Vec<(String, Dashboard, Panel)> {
    let mut panels = Vec::new();
    for (file, dashboard) in dashboards() {
        for panel in &dashboard.panels {
            panels.push((format!("{file}: {}", panel.title), dashboard.clone(), panel.clone()));
        }
    }
    panels
}

#[test]
fn dashboards_are_what_is_provisioned_and_linked_to() {
    let all = dashboards();
    let uids: Vec<(&str, &str)> = all.iter().map(|(file, it)| (&**file, &*it.uid)).collect();
    assert_eq!(uids, UIDS);
    for (file, it) in &all {
        assert!((39..=42).contains(&it.schema_version), "{file}: schema version {}", it.schema_version);
        assert!(!it.editable, "{file}: what is provisioned cannot be saved");
        assert!(it.title.starts_with("TikTok: "), "{file}: {}", it.title);
        assert!(
            it.tags.contains(&"tiktok-exporter".to_owned()),
            "{file}: the links between them go by this tag"
        );
        assert_eq!(it.timezone, "utc", "{file}: days of the rules begin at midnight UTC");
        let (first, nav) = (&it.templating.list[0], &it.links[0]);
        assert_eq!(
            (&*first.name, &*first.kind.0),
            ("datasource", "datasource"),
            "{file}: its first variable"
        );
        assert_eq!(first.query, "prometheus", "{file}");
        assert_eq!((&*nav.kind.0, &nav.tags), ("dashboards", &vec!["tiktok-exporter".to_owned()]), "{file}");
        assert!(nav.include_vars && nav.keep_time, "{file}: links must keep variables and time");
        assert!(!it.annotations.list.is_empty(), "{file}: no alerts are shown");
    }
}

#[test]
fn every_panel_says_what_it_shows() {
    for (place, _, panel) in panels() {
        let known = grafana::PANELS.iter().find(|(kind, ..)| *kind == panel.kind);
        let (_, options, custom) = known.unwrap_or_else(|| panic!("{place}: unknown kind {}", panel.kind));
        for key in panel.options.keys() {
            assert!(options.contains(&&**key), "{place}: a {} has no option {key}", panel.kind);
        }
        assert!(panel.title.ends_with('?'), "{place}: which question does it answer?");
        assert!(
            panel.description.len() > 40 && panel.description.ends_with('.'),
            "{place}: {}",
            panel.description
        );
        if panel.kind == "text" {
            assert!(panel.datasource.is_none() && panel.targets.is_empty(), "{place}: a text asks nothing");
            continue;
        }
        let fields = panel.field_config.as_ref().unwrap();
        assert!(!fields.defaults.unit.is_empty(), "{place}: no unit");
        // What stands in an empty panel. Grafana draws a number as a value.
        let empty = fields.defaults.no_value.as_deref().unwrap_or_default();
        assert!(
            !empty.is_empty() && empty.parse::<f64>().is_err(),
            "{place}: says nothing where it has nothing to show: {empty:?}"
        );
        let overridden = fields.overrides.iter().flat_map(|it| &it.properties);
        let settings = overridden.clone().filter_map(|property| property.id.strip_prefix("custom."));
        for key in fields.defaults.custom.keys().map(String::as_str).chain(settings) {
            assert!(custom.contains(&key), "{place}: a {} has no custom setting {key}", panel.kind);
        }
        for property in overridden.filter(|property| !property.id.starts_with("custom.")) {
            // Must be a field setting, and of its type.
            let field = serde_json::json!({"unit": "none", property.id.clone(): property.value.clone()});
            serde_json::from_value::<Field>(field)
                .unwrap_or_else(|error| panic!("{place}: {}: {error}", property.id));
        }
        let prometheus = ("prometheus", "${datasource}");
        for source in panel.datasource.iter().chain(panel.targets.iter().map(|target| &target.datasource)) {
            assert_eq!((&*source.kind, &*source.uid), prometheus, "{place}");
        }
        assert!(
            panel.datasource.is_some() && !panel.targets.is_empty(),
            "{place}: no data source, or no query"
        );
        let refs: BTreeSet<&str> = panel.targets.iter().map(|target| &*target.ref_id).collect();
        assert_eq!(refs.len(), panel.targets.len(), "{place}: two queries of one name");
        for target in &panel.targets {
            assert_ne!(target.instant, target.range, "{place}: {} is either", target.ref_id);
        }
        // Grafana asks for the end of the time shown, which may lie ahead, where nothing is yet.
        let asks_now = panel.targets.iter().any(|target| target.instant);
        assert_eq!(
            asks_now,
            panel.time_from.is_some(),
            "{place}: what is asked as of now needs timeFrom, nothing else"
        );
        assert_eq!(asks_now, panel.hide_time_override, "{place}");
    }
}

#[test]
fn panels_fill_the_grid_row_by_row() {
    for (file, dashboard) in dashboards() {
        let mut ids = BTreeSet::new();
        let mut rows: BTreeMap<u32, Vec<&Panel>> = BTreeMap::new();
        for panel in &dashboard.panels {
            assert!(ids.insert(panel.id), "{file}: two panels with the id {}", panel.id);
            rows.entry(panel.grid_pos.y).or_default().push(panel);
        }
        let mut top = 0;
        for (y, row) in rows {
            assert_eq!(y, top, "{file}: {:?} leaves a gap, or overlaps", row[0].title);
            let mut left = 0;
            for panel in &row {
                assert_eq!(panel.grid_pos.x, left, "{file}: {:?} leaves a gap, or overlaps", panel.title);
                assert_eq!(
                    panel.grid_pos.h, row[0].grid_pos.h,
                    "{file}: {:?} is not as high as its row",
                    panel.title
                );
                // The title has the panel's width without margins and the sign for the description, and
                // needs 7.5 pixels a character.
                let characters = (width_of(panel) - 44) * 2 / 15;
                let title = panel.title.chars().count() as u32;
                assert!(title <= characters, "{file}: {:?} does not fit, it has {characters}", panel.title);
                left += panel.grid_pos.w;
            }
            assert_eq!(left, 24, "{file}: the row of {:?} is not full", row[0].title);
            top = y + row[0].grid_pos.h;
        }
    }
}

/// Pixels of a panel where the window has 1,366, between its margins.
fn width_of(panel: &Panel) -> u32 {
    panel.grid_pos.w * 1_316 / 24
}

/// Grafana gives a column 150 pixels unless it is told of less, and hides what then does not fit.
#[test]
fn tables_show_all_of_their_columns() {
    for (place, _, panel) in panels().into_iter().filter(|(_, _, panel)| panel.kind == "table") {
        let fields = panel.field_config.as_ref().unwrap();
        let least = fields.defaults.custom["minWidth"].as_u64().unwrap() as u32;
        let organize = panel.transformations.iter().find(|it| it.id.0 == "organize").unwrap();
        let columns = organize.options["renameByName"].as_object().unwrap();
        let columns: Vec<&str> = columns.values().map(|name| name.as_str().unwrap()).collect();
        let set = |column: &str| {
            let mut properties = fields
                .overrides
                .iter()
                .filter(|it| it.matcher.options == column)
                .flat_map(|it| &it.properties);
            properties.find(|it| it.id == "custom.width").map(|it| it.value.as_u64().unwrap() as u32)
        };
        let (given, free): (Vec<&str>, Vec<&str>) =
            columns.into_iter().partition(|column| set(column).is_some());
        let taken: u32 = given.iter().map(|column| set(column).unwrap()).sum();
        let share = (width_of(&panel) - taken).checked_div(free.len() as u32).unwrap_or(least);
        assert!(share >= least, "{place}: {} columns have {share} pixels each", free.len());
        for column in given.into_iter().chain(free) {
            let needed = column.chars().count() as u32 * 7 + 12;
            let has = set(column).unwrap_or(share);
            assert!(needed <= has, "{place}: {column:?} needs {needed} pixels and has {has}");
        }
    }
}

/// Where a dashboard may name variables.
fn texts(dashboard: &Dashboard) -> Vec<String> {
    let mut texts = Vec::new();
    fn strings(value: &Value, texts: &mut Vec<String>) {
        match value {
            Value::String(text) => texts.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| strings(item, texts)),
            Value::Object(items) => items.values().for_each(|item| strings(item, texts)),
            _ => {}
        }
    }
    for panel in &dashboard.panels {
        texts.extend([panel.title.clone(), panel.description.clone()]);
        texts.extend(panel.targets.iter().flat_map(|it| [it.expr.clone(), it.legend_format.clone()]));
        if let Some(fields) = &panel.field_config {
            texts.extend(fields.defaults.links.iter().map(|link| link.url.clone()));
            fields
                .overrides
                .iter()
                .flat_map(|it| &it.properties)
                .for_each(|it| strings(&it.value, &mut texts));
        }
        panel.options.values().for_each(|value| strings(value, &mut texts));
    }
    texts.extend(dashboard.annotations.list.iter().map(|it| it.expr.clone()));
    texts.extend(dashboard.templating.list.iter().filter_map(|it| it.query().map(str::to_owned)));
    texts.extend(dashboard.links.iter().map(|link| link.url.clone()));
    texts
}

#[test]
fn variables_are_defined_and_used() {
    // Grafana's own, in links.
    const OWN: [&str; 3] = ["__data", "__field", "__url_time_range"];
    for (file, dashboard) in dashboards() {
        let defined: Vec<&str> = dashboard.templating.list.iter().map(|it| &*it.name).collect();
        let mut used: BTreeSet<String> =
            texts(&dashboard).iter().flat_map(|text| variables_in(text)).collect();
        // In every data source, which another test checks.
        used.insert("datasource".to_owned());
        for name in &used {
            assert!(defined.contains(&&**name) || OWN.contains(&&**name), "{file}: nothing defines ${name}");
        }
        for name in &defined {
            assert!(used.contains(*name), "{file}: nothing uses ${name}");
        }
        assert_eq!(defined.iter().collect::<BTreeSet<_>>().len(), defined.len(), "{file}: {defined:?}");
        for variable in &dashboard.templating.list {
            let place = format!("{file}: ${}", variable.name);
            match &*variable.kind.0 {
                "query" => {
                    assert_eq!(variable.datasource.as_ref().unwrap().uid, "${datasource}", "{place}");
                    assert_eq!(variable.refresh, Some(2), "{place}: hashtags come and go");
                    // A thousand names do not fit into a query.
                    assert_eq!(
                        variable.all_value.as_deref(),
                        variable.include_all.then_some(".+"),
                        "{place}"
                    );
                    assert_eq!(variable.multi, variable.include_all, "{place}");
                }
                _ => assert!(variable.datasource.is_none(), "{place}"),
            }
            for text in texts(&dashboard).iter().filter(|text| variables_in(text).contains(&variable.name)) {
                let matched = format!("=~\"${}\"", variable.name);
                let equal = format!("=\"${}\"", variable.name);
                assert!(
                    !variable.multi || !text.contains(&equal),
                    "{place} may be many, but is not matched by {text}"
                );
                assert!(
                    variable.multi || !text.contains(&matched),
                    "{place} is one, and no expression: {text}"
                );
            }
        }
    }
}

#[test]
fn links_lead_somewhere_and_set_what_is_there() {
    let all = dashboards();
    let mut links = 0;
    let mut check = |place: &str, text: &str| {
        for (at, _) in text.match_indices("/d/") {
            let rest = &text[at + 3..];
            let uid =
                &rest[..rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len())];
            let target = all.values().find(|it| it.uid == uid);
            let target = target.unwrap_or_else(|| panic!("{place} links to /d/{uid}, which no dashboard is"));
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            for (at, _) in rest[..end].match_indices("var-") {
                let name = &rest[at + 4..end];
                let name = &name[..name.find('=').unwrap()];
                let variables = &target.templating.list;
                assert!(
                    variables.iter().any(|it| it.name == name),
                    "{place} sets ${name}, which {uid} has not"
                );
            }
            links += 1;
        }
    };
    for (file, dashboard) in &all {
        texts(dashboard).iter().for_each(|text| check(file, text));
    }
    for file in promtool::rule_files() {
        check(&file.to_string_lossy(), &std::fs::read_to_string(&file).unwrap());
    }
    assert!(links > 20, "only {links} links found");
}

#[test]
fn what_tables_rename_and_override_is_there() {
    for (place, _, panel) in panels() {
        let fields = panel.field_config.iter().flat_map(|it| &it.overrides);
        let named: BTreeSet<&str> =
            fields.filter(|it| it.matcher.id.0 == "byName").map(|it| &*it.matcher.options).collect();
        let organize = panel.transformations.iter().find(|it| it.id.0 == "organize");
        let Some(organize) = organize else {
            let legends: BTreeSet<&str> = panel.targets.iter().map(|it| &*it.legend_format).collect();
            for name in named {
                assert!(legends.contains(name), "{place}: nothing is called {name}");
            }
            continue;
        };
        let renamed = organize.options["renameByName"].as_object().unwrap();
        let order: BTreeSet<&String> = organize.options["indexByName"].as_object().unwrap().keys().collect();
        assert_eq!(order, renamed.keys().collect(), "{place}: the order of the columns");
        let names: BTreeSet<&str> = renamed.values().map(|name| name.as_str().unwrap()).collect();
        for name in named {
            assert!(names.contains(name), "{place}: no column is called {name}");
        }
        for key in ["sortBy"].iter().filter_map(|key| panel.options.get(*key)) {
            let name = key[0]["displayName"].as_str().unwrap();
            assert!(names.contains(name), "{place}: sorted by {name}, which is no column");
        }
        if let Some(x) = panel.options.get("xField") {
            assert!(names.contains(x.as_str().unwrap()), "{place}: drawn by {x}, which is no column");
        }
        for target in &panel.targets {
            let value = if target.range {
                format!("Trend #{}", target.ref_id)
            } else {
                format!("Value #{}", target.ref_id)
            };
            let value = if panel.targets.len() == 1 { "Value".to_owned() } else { value };
            let only_labels = panel.title == "Which windows are open now?" && target.ref_id == "C";
            let left_out = organize.options["excludeByName"].get(&value).is_some_and(|it| it == true);
            assert!(renamed.contains_key(&value) || left_out || only_labels, "{place}: {value} has no name");
        }
    }
}

/// Whether a column holds values, as they come or as they are computed from those that come.
fn is_number(panel: &Panel, column: &str) -> bool {
    let is_computed = panel.transformations.iter().any(|it| it.options["alias"] == *column);
    is_computed || column.starts_with("Value") || column.starts_with("Trend #")
}

#[test]
fn columns_of_names_are_not_taken_for_numbers() {
    // The unit of a table is that of its text, too: #2025 would be 2.03 K, and 07 would be 7.
    for (place, _, panel) in panels() {
        let Some(organize) = panel.transformations.iter().find(|it| it.id.0 == "organize") else { continue };
        let overrides = &panel.field_config.as_ref().unwrap().overrides;
        for (field, column) in organize.options["renameByName"].as_object().unwrap() {
            if is_number(&panel, field) {
                continue;
            }
            let of_column = overrides.iter().filter(|it| column == &*it.matcher.options);
            let unit = of_column.flat_map(|it| &it.properties).find(|property| property.id == "unit");
            assert_eq!(unit.map(|it| &it.value), Some(&"string".into()), "{place}: the unit of {column}");
        }
    }
    // The same for the rows of heatmaps, as soon as their axis has a unit or decimals.
    for (place, _, panel) in panels().into_iter().filter(|(.., panel)| panel.kind == "heatmap") {
        let axis = panel.options["yAxis"].as_object().unwrap();
        assert!(!axis.contains_key("unit") && !axis.contains_key("decimals"), "{place}: {axis:?}");
    }
}

#[test]
fn empty_cells_of_tables_are_not_filled_with_the_text_for_empty_tables() {
    for (place, _, panel) in panels().into_iter().filter(|(.., panel)| panel.kind == "table") {
        let first = &panel.field_config.as_ref().unwrap().overrides[0];
        assert_eq!((&*first.matcher.id.0, &*first.matcher.options), ("byRegexp", "/.*/"), "{place}");
        let short = first.properties.iter().find(|it| it.id == "noValue").map(|it| it.value.clone());
        assert_eq!(short, Some("–".into()), "{place}: what an empty cell shows");
    }
}

fn yaml(path: &str) -> Value {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    serde_norway::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn grafana_is_provisioned_with_what_the_dashboards_need() {
    let sources = yaml("dashboards/provisioning/datasources/tiktok.yml");
    let [prometheus, alertmanager] = [0, 1].map(|index| &sources["datasources"][index]);
    assert_eq!((&prometheus["type"], &prometheus["isDefault"]), (&"prometheus".into(), &true.into()));
    assert_eq!(alertmanager["type"], "alertmanager");
    assert_eq!(prometheus["jsonData"]["alertmanagerUid"], alertmanager["uid"]);
    let config = yaml("alerts/prometheus.yml");
    let exporter = &config["scrape_configs"][0];
    assert_eq!(exporter["job_name"], "tiktok");
    assert_eq!(prometheus["jsonData"]["timeInterval"], exporter["scrape_interval"]);
    let known = config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"][0].as_str().unwrap();
    assert_eq!(alertmanager["url"], format!("http://{known}"), "Prometheus and Grafana disagree");

    let provider = &yaml("dashboards/provisioning/dashboards/tiktok.yml")["providers"][0];
    assert_eq!((&provider["type"], &provider["allowUiUpdates"]), (&"file".into(), &false.into()));
    let path = provider["options"]["path"].as_str().unwrap();
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/dashboards.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    assert!(docs.contains(path), "docs/dashboards.md says nothing of {path}");
    for (file, uid) in UIDS {
        assert!(docs.contains(&format!("`{file}` (`/d/{uid}`)")), "docs/dashboards.md lacks {file}");
    }
}

/// The recorded constants.
fn constant(name: &str) -> f64 {
    let name = format!("global:tiktok_{name}");
    let rule = rules().into_iter().find(|rule| rule.name == name);
    let expr = rule.unwrap_or_else(|| panic!("no constant {name}")).expr;
    expr.strip_prefix("vector(").unwrap().strip_suffix(')').unwrap().parse().unwrap()
}

fn velocity_borders() -> Vec<f64> {
    ["posting_window_close", "heating_up", "posting_window_open", "trend_candidate"]
        .map(|name| constant(&format!("{name}:threshold")))
        .to_vec()
}

/// Steps of colours with the values where they begin, in all panels.
fn ladders() -> Vec<(String, Vec<Step>)> {
    let mut ladders = Vec::new();
    for (place, _, panel) in panels() {
        let Some(fields) = &panel.field_config else { continue };
        ladders.extend(fields.defaults.thresholds.clone().map(|it| (place.clone(), it.steps)));
        for property in
            fields.overrides.iter().flat_map(|it| &it.properties).filter(|it| it.id == "thresholds")
        {
            let steps = serde_json::from_value(property.value["steps"].clone()).unwrap();
            ladders.push((place.clone(), steps));
        }
    }
    ladders
}

#[test]
fn colours_change_where_alerts_do() {
    let z = vec![constant("reference_zscore:threshold"), constant("trending_zscore:threshold")];
    let age = vec![constant("reading_age:max_intervals"), constant("stale_age:max_intervals")];
    assert_eq!(constant("reference_heating_up:threshold"), constant("heating_up:threshold"));
    assert_eq!(constant("reference_trend_candidate:threshold"), constant("trend_candidate:threshold"));
    // Not of a rule: none, an hour above the mean, there is one (or a state that is 1, or all of a budget),
    // intervals are stretched at all, half and nearly all of a rule group's time is used.
    let others = [vec![], vec![0.0], vec![1.0], vec![1.01], vec![0.5, 0.9]];
    let mut seen = BTreeSet::new();
    let mut colours: BTreeMap<String, BTreeSet<Vec<String>>> = BTreeMap::new();
    for (place, steps) in ladders() {
        assert_eq!(steps[0].value, None, "{place}: the first colour is that below all borders");
        let borders: Vec<f64> = steps[1..].iter().map(|step| step.value.unwrap()).collect();
        let known = [velocity_borders(), z.clone(), age.clone()];
        assert!(known.contains(&borders) || others.contains(&borders), "{place}: no alert has {borders:?}");
        if known.contains(&borders) {
            let used = steps.iter().map(|step| step.color.clone()).collect();
            colours.entry(format!("{borders:?}")).or_default().insert(used);
        }
        seen.insert(format!("{borders:?}"));
    }
    for borders in [velocity_borders(), z, age] {
        assert!(seen.contains(&format!("{borders:?}")), "no panel shows {borders:?}");
    }
    for (borders, used) in colours {
        assert_eq!(used.len(), 1, "{borders} has several colours: {used:?}");
    }
}

#[test]
fn heatmaps_change_colour_at_the_borders() {
    let z = ["reference_zscore:threshold", "trending_zscore:threshold"].map(constant);
    let mut seen = BTreeSet::new();
    for (place, _, panel) in panels().into_iter().filter(|(.., panel)| panel.kind == "heatmap") {
        let color = &panel.options["color"];
        let [min, max, steps] = ["min", "max", "steps"].map(|key| color[key].as_f64().unwrap());
        let is_score = panel.targets[0].expr.contains("zscore");
        seen.insert(is_score);
        for border in if is_score { z.to_vec() } else { velocity_borders() } {
            let step = (border - min) / (max - min) * steps;
            assert!(
                step.fract() == 0.0 && step > 0.0 && step < steps,
                "{place}: no colour begins at {border}"
            );
        }
        // The default hides 0 and below.
        let hidden = panel.options["filterValues"]["le"].as_f64().unwrap();
        assert!(hidden <= -1.0, "{place}: {hidden} hides zero");
        assert_eq!(panel.options["calculate"], false, "{place}: the cells are there already");
    }
    assert_eq!(seen.len(), 2, "velocity, and the z-score of the daily gain");
}

#[test]
fn legends_name_the_colours_and_borders_that_are_used() {
    for (file, dashboard) in dashboards() {
        let legend = dashboard.panels.iter().find(|panel| panel.kind == "text");
        let legend = legend.unwrap_or_else(|| panic!("{file}: nothing says what the colours mean"));
        let html = legend.options["content"].as_str().unwrap();
        // Grafana drops the styles that it does not trust, line-height and white-space among them.
        const KEPT: [&str; 6] =
            ["background-color", "display", "font-weight", "margin-right", "padding", "width"];
        for style in html.split("style=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            for property in style.split(';').map(|it| it.split(':').next().unwrap()) {
                assert!(KEPT.contains(&property), "{file}: Grafana drops {property} of the legend");
            }
        }
        let text: String =
            html.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
        let words: BTreeSet<&str> = text.split(|c: char| !c.is_ascii_digit() && c != '.').collect();
        let of_this = ladders().into_iter().filter(|(place, _)| place.starts_with(&format!("{file}: ")));
        for (place, steps) in of_this.filter(|(_, steps)| steps.len() > 2) {
            for step in &steps[1..] {
                // The rules' share of their interval is said in the description of its panel.
                let Some(value) = step.value.filter(|value| *value >= 1.0) else { continue };
                let known = words.contains(&*format!("{value}")) || words.contains(&*format!("{value:.1}"));
                assert!(known, "{place}: the legend does not say what {value} is: {text}");
                assert!(html.contains(&step.color), "{place}: the legend does not show {}", step.color);
            }
        }
    }
}

/// Everything that asks Prometheus: where it stands, and the expression.
fn expressions() -> Vec<(String, String)> {
    let mut expressions = Vec::new();
    for (place, _, panel) in panels() {
        expressions
            .extend(panel.targets.iter().map(|it| (format!("{place} {}", it.ref_id), it.expr.clone())));
    }
    for (file, dashboard) in dashboards() {
        for it in &dashboard.annotations.list {
            assert_eq!((&it.expr, &it.step), (&it.target.expr, &it.target.interval), "{file}: {}", it.name);
            assert_eq!(it.datasource.uid, "${datasource}", "{file}: {}", it.name);
            expressions.push((format!("{file}: annotation {}", it.name), it.expr.clone()));
        }
        for it in &dashboard.templating.list {
            let Some((selector, _)) = it.query().map(label_values) else { continue };
            expressions.push((format!("{file}: ${}", it.name), selector));
        }
    }
    expressions
}

/// The two arguments of `label_values(selector, label)`.
fn label_values(query: &str) -> (String, String) {
    let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).unwrap();
    let (selector, label) = inner.rsplit_once(", ").unwrap();
    (selector.to_owned(), label.to_owned())
}

/// With anything chosen: enough to parse.
fn parseable(expr: &str) -> String {
    let chosen = variables_in(expr).into_iter().map(|name| (name, Chosen::One("1".to_owned()))).collect();
    interpolate(expr, &chosen)
}

#[test]
fn queries_name_only_what_is_shown_or_recorded() {
    let recorded: BTreeSet<String> = rules().into_iter().map(|rule| rule.name).collect();
    let mut used = BTreeSet::new();
    for (place, expr) in expressions() {
        for name in metrics_in(&parseable(&expr)) {
            let shown = shown().contains(&name);
            // Prometheus' own.
            let own = ["ALERTS", "up"].contains(&&*name) || name.starts_with("prometheus_rule_");
            assert!(recorded.contains(&name) || shown || own, "{place}: nobody shows {name}");
            used.insert(name);
        }
    }
    let only_for_dashboards = rules().into_iter().filter(|rule| rule.file.ends_with("dashboards.rules.yml"));
    for rule in only_for_dashboards {
        assert!(
            used.contains(&rule.name),
            "no dashboard reads {}, which is recorded for them alone",
            rule.name
        );
    }
}

/// The names of all series that the exporter can show.
fn shown() -> BTreeSet<String> {
    let names = |family: &metrics_page::Family| match family.kind {
        Kind::Histogram => ["_bucket", "_count", "_sum"].map(|end| format!("{}{end}", family.name)).to_vec(),
        Kind::Counter | Kind::Gauge => vec![family.name.to_owned()],
    };
    tiktok_exporter::page::families().into_iter().flat_map(names).collect()
}

#[test]
fn panels_over_days_read_recorded_series() {
    let recorded: BTreeSet<String> = rules().into_iter().map(|rule| rule.name).collect();
    for (place, dashboard, panel) in panels() {
        for target in panel.targets.iter().filter(|target| target.range) {
            for name in metrics_in(&parseable(&target.expr)) {
                // Prometheus records its alerts itself.
                assert!(
                    recorded.contains(&name) || name == "ALERTS",
                    "{place} reads {name} over {:?}",
                    dashboard.time
                );
            }
        }
        for target in panel.targets.iter().filter(|target| target.instant) {
            for name in looked_back_at(&parseable(&target.expr)) {
                assert!(
                    recorded.contains(&name),
                    "{place} {} looks back at {name}, which is not",
                    target.ref_id
                );
            }
        }
    }
}

/// Seconds of a duration such as `14d`.
fn seconds(duration: &str) -> i64 {
    let (number, unit) = duration.split_at(duration.len() - 1);
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => HOUR,
        "d" => DAY,
        _ => panic!("unknown unit in {duration}"),
    };
    number.parse::<i64>().unwrap() * unit
}

/// A time such as `now-14d/d`; up to the end of the day if it is the end of a range.
fn time(text: &str, is_end: bool) -> i64 {
    let rest = text.strip_prefix("now").unwrap();
    let (rest, to_day) = rest.strip_suffix("/d").map_or((rest, false), |rest| (rest, true));
    let shifted = match rest.split_at(rest.len().min(1)) {
        ("-", duration) => NOW - seconds(duration),
        ("+", duration) => NOW + seconds(duration),
        _ => NOW,
    };
    match (to_day, is_end) {
        (false, _) => shifted,
        (true, false) => shifted - shifted.rem_euclid(DAY),
        (true, true) => shifted - shifted.rem_euclid(DAY) + DAY - 1,
    }
}

/// What Grafana asks for a panel at 1,366 pixels: start, end, step.
fn range_of(dashboard: &Dashboard, panel: &Panel, target: &Target) -> (i64, i64, i64) {
    let (start, end) = match &panel.time_from {
        Some(duration) => (NOW - seconds(duration), NOW),
        None => (time(&dashboard.time.from, false), time(&dashboard.time.to, true)),
    };
    let points = panel.max_data_points.unwrap_or(i64::from(panel.grid_pos.w) * 1_366 / 24);
    // Not below what the data source is told about scrapes.
    let least =
        target.interval.as_ref().or(panel.interval.as_ref()).map_or(120, |interval| seconds(interval));
    let step = least.max((end - start) / points).max(1);
    (start - start.rem_euclid(step), end - end.rem_euclid(step), step)
}

/// What is chosen first in every variable: all of those that take many.
fn choices(
    prometheus: &Prometheus,
    file: &str,
    dashboard: &Dashboard,
    many: bool,
) -> BTreeMap<String, Chosen> {
    let mut chosen = BTreeMap::new();
    let range = (time(&dashboard.time.from, false), time(&dashboard.time.to, true));
    for variable in &dashboard.templating.list {
        let value = match (&*variable.kind.0, variable.query()) {
            (_, Some(query)) => {
                let (selector, label) = label_values(query);
                let values = prometheus.label_values(&interpolate(&selector, &chosen), &label, range);
                assert!(!values.is_empty(), "{file}: ${} has no values", variable.name);
                match (&variable.all_value, many) {
                    (Some(all), false) => Chosen::All(all.clone()),
                    (Some(_), true) => Chosen::Many(values),
                    (None, _) => {
                        // It takes off within the thirty days, and is at times too large for its samples.
                        let telling = values.iter().find(|value| *value == "romantasy");
                        Chosen::One(telling.unwrap_or(&values[0]).clone())
                    }
                }
            }
            ("textbox", _) => Chosen::One(variable.query.as_str().unwrap().to_owned()),
            _ => Chosen::One("prometheus".to_owned()),
        };
        chosen.insert(variable.name.clone(), value);
    }
    chosen
}

fn has_numbers(series: &[Series]) -> bool {
    series.iter().any(|it| it.points.iter().any(|(_, value)| value.is_finite()))
}

#[test]
fn every_query_finds_something_in_thirty_days_of_history() {
    let history = History::of_thirty_days();
    let prometheus = &history.prometheus;
    let mut wrong = Vec::new();
    for (file, dashboard) in dashboards() {
        // All, and the same values one by one, as a person would choose them.
        for many in [false, true] {
            let chosen = choices(prometheus, &file, &dashboard, many);
            for panel in &dashboard.panels {
                let mut labels = BTreeSet::new();
                let mut named = 0;
                for target in &panel.targets {
                    let place = format!("{file}: {} {} (one by one: {many})", panel.title, target.ref_id);
                    let expr = interpolate(&target.expr, &chosen);
                    let answer = if target.instant {
                        prometheus.instant(&expr, NOW)
                    } else {
                        prometheus.range(&expr, range_of(&dashboard, panel, target))
                    };
                    match answer {
                        Err(error) => wrong.push(format!("{place}: {error}\n{expr}")),
                        Ok(series) if !has_numbers(&series) => {
                            wrong.push(format!("{place}: nothing\n{expr}"))
                        }
                        Ok(series) => {
                            labels.extend(series.iter().flat_map(|it| it.labels.keys().cloned()));
                            named += usize::from(series[0].labels.contains_key("__name__"));
                            wrong.extend(look(&place, panel, target, &series));
                        }
                    }
                }
                // Rows become one where every column is equal that more than one query has.
                if named > 1 && panel.transformations.iter().any(|it| it.id.0 == "merge") {
                    wrong.push(format!("{file}: {}: names of metrics keep its rows apart", panel.title));
                }
                let columns = panel.transformations.iter().filter(|it| it.id.0 == "organize");
                for column in columns.flat_map(|it| it.options["renameByName"].as_object().unwrap().keys()) {
                    if !is_number(panel, column) && !labels.contains(column) {
                        wrong.push(format!("{file}: {}: no series has the label {column}", panel.title));
                    }
                }
            }
            for annotation in &dashboard.annotations.list {
                let step = seconds(&annotation.step);
                let range = (time(&dashboard.time.from, false), NOW, step);
                let expr = interpolate(&annotation.expr, &chosen);
                let found = prometheus.range(&expr, range);
                if !found.as_ref().is_ok_and(|series| has_numbers(series)) {
                    wrong.push(format!("{file}: annotation {}: {found:?}\n{expr}", annotation.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} queries are wrong:\n{}", wrong.len(), wrong.join("\n\n"));
}

/// For a look at the dashboards in a Grafana: its data source is what this prints.
#[test]
#[ignore = "runs until a line is entered: cargo test --test it serve_history -- --ignored --nocapture"]
fn serve_history() {
    let history = History::of_thirty_days();
    println!("thirty days up to {NOW}, at {} until a line is entered", history.prometheus.url);
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// Prints how long every query takes at 1,000 hashtags in 3 regions, with 30 days of history: as a
/// person waits for it, and in time of a processor, which says more on a busy machine.
#[test]
#[ignore = "a measurement of some minutes: cargo test --test it measure_queries -- --ignored --nocapture"]
fn measure_queries_at_a_thousand_hashtags() {
    let folder = tempfile::tempdir().unwrap();
    let prometheus = crowd::prometheus(folder.path());
    let mut took: Vec<(f64, String)> = Vec::new();
    let mut measure = |place: String, ask: &dyn Fn() -> Result<Vec<Series>, String>| {
        let mut times: Vec<f64> = Vec::new();
        let mut found = 0;
        let busy = prometheus.processor_seconds();
        for _ in 0..5 {
            let begin = std::time::Instant::now();
            found = ask().unwrap_or_else(|error| panic!("{place}: {error}")).len();
            times.push(begin.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        let busy = (prometheus.processor_seconds() - busy) / 5.0;
        let line = format!("{:7.3} s {:7.3} s {busy:7.3} s {found:6}  {place}", times[2], times[4]);
        took.push((times[2], line));
    };
    for (file, dashboard) in dashboards() {
        let chosen = choices(&prometheus, &file, &dashboard, false);
        for panel in &dashboard.panels {
            for target in &panel.targets {
                let expr = interpolate(&target.expr, &chosen);
                let range = range_of(&dashboard, panel, target);
                measure(format!("{file}: {} {}", panel.title, target.ref_id), &|| {
                    if target.instant {
                        prometheus.instant(&expr, NOW)
                    } else {
                        prometheus.range(&expr, range)
                    }
                });
            }
        }
        for it in &dashboard.annotations.list {
            let expr = interpolate(&it.expr, &chosen);
            let range = (time(&dashboard.time.from, false), NOW, seconds(&it.step));
            measure(format!("{file}: annotation {}", it.name), &|| prometheus.range(&expr, range));
        }
    }
    took.sort_by(|one, other| other.0.total_cmp(&one.0));
    println!("   median     worst processor  series  query");
    took.iter().for_each(|(_, line)| println!("{line}"));
    let slow = took.iter().filter(|(median, _)| *median >= 1.0).count();
    println!("{} queries, {slow} of them take a second or longer", took.len());
}

/// What else can be wrong with an answer.
fn look(place: &str, panel: &Panel, target: &Target, series: &[Series]) -> Option<String> {
    // Two series of one name are one line to a reader.
    if target.range && target.format.0 == "time_series" {
        let mut names = BTreeSet::new();
        for it in series {
            let mut name = target.legend_format.clone();
            for (label, value) in &it.labels {
                name = name.replace(&format!("{{{{{label}}}}}"), value);
            }
            let labels = format!("{:?}", it.labels);
            let name = if name == "__auto" { labels } else { name };
            if name.contains("{{") || !names.insert(name.clone()) {
                return Some(format!("{place}: {name:?} names no series, or several"));
            }
        }
    }
    // Days in columns and rows: every day of the range, today's among them, and not all the same.
    if ["heatmap", "status-history"].contains(&&*panel.kind) {
        let days: BTreeSet<i64> =
            series.iter().flat_map(|it| it.points.iter().map(|(time, _)| *time)).collect();
        let today = NOW - NOW.rem_euclid(DAY);
        let last = if panel.kind == "heatmap" { today + DAY } else { today };
        if days.last() != Some(&last) || days.len() < 14 {
            return Some(format!("{place}: {} days up to {:?}, not {last}", days.len(), days.last()));
        }
        let values = series.iter().flat_map(|it| &it.points).map(|(_, value)| *value);
        let (low, high) =
            values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
        if high - low < 1.0 {
            return Some(format!("{place}: all days look alike, from {low} to {high}"));
        }
    }
    None
}
