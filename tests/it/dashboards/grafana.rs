//! Dashboards as Grafana reads them: the part of the published schema (@grafana/schema 12.2) that
//! the dashboards of this project use. What the schema does not know does not parse.
//!
//! Not in the schema, and allowed: what the Prometheus data source keeps in annotations (`expr`,
//! `step`, `titleFormat`, `textFormat`, `tagKeys`, `useValueForTime`, and its own query as
//! `target`) and in queries. The schema leaves these to the data source.

#![allow(dead_code, reason = "fields are there to be known")]
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

macro_rules! words {
    ($name:ident: $($word:literal),+) => {
        /// One of these words.
        #[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(pub String);

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(word: String) -> Result<Self, String> {
                let words = [$($word),+];
                if words.contains(&&*word) { Ok(Self(word)) } else { Err(format!("{word:?} is none of {words:?}")) }
            }
        }
    };
}

words!(ColorMode: "fixed", "thresholds", "palette-classic");
words!(LinkType: "link", "dashboards");
words!(VariableType: "datasource", "query", "textbox");
words!(Format: "time_series", "table");
words!(Matcher: "byName", "byRegexp");
words!(
    Transformation: "timeSeriesTable", "filterFieldsByName", "joinByField", "filterByValue", "calculateField", "organize", "merge", "sortBy"
);

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Dashboard {
    pub uid: String,
    pub title: String,
    pub description: String,
    pub tags: Vec<String>,
    pub schema_version: u32,
    pub version: u32,
    pub editable: bool,
    pub graph_tooltip: u8,
    pub live_now: bool,
    pub fiscal_year_start_month: u8,
    pub week_start: String,
    pub timezone: String,
    pub time: Range,
    pub timepicker: BTreeMap<String, Value>,
    pub refresh: String,
    pub preload: bool,
    pub links: Vec<Link>,
    pub annotations: List<Annotation>,
    pub templating: List<Variable>,
    pub panels: Vec<Panel>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List<T> {
    pub list: Vec<T>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    pub from: String,
    pub to: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Link {
    #[serde(rename = "type")]
    pub kind: LinkType,
    pub title: String,
    pub tooltip: String,
    pub icon: String,
    pub url: String,
    pub tags: Vec<String>,
    pub as_dropdown: bool,
    pub target_blank: bool,
    pub include_vars: bool,
    pub keep_time: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSource {
    #[serde(rename = "type")]
    pub kind: String,
    pub uid: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Annotation {
    pub name: String,
    pub datasource: DataSource,
    pub enable: bool,
    pub hide: bool,
    pub icon_color: String,
    pub target: AnnotationTarget,
    pub expr: String,
    pub step: String,
    pub title_format: String,
    pub text_format: String,
    pub tag_keys: String,
    pub use_value_for_time: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AnnotationTarget {
    pub ref_id: String,
    pub expr: String,
    pub interval: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Variable {
    pub name: String,
    pub label: String,
    pub description: Option<String>,
    #[serde(rename = "type")]
    pub kind: VariableType,
    pub query: Value,
    pub datasource: Option<DataSource>,
    #[serde(default)]
    pub multi: bool,
    #[serde(default)]
    pub include_all: bool,
    pub all_value: Option<String>,
    pub current: Option<Value>,
    #[serde(default)]
    pub options: Vec<Value>,
    pub hide: u8,
    pub refresh: Option<u8>,
    pub regex: Option<String>,
    pub sort: Option<u8>,
    pub skip_url_sync: bool,
}

impl Variable {
    /// What it asks Prometheus, if it does.
    pub fn query(&self) -> Option<&str> {
        (self.kind.0 == "query").then(|| self.query["query"].as_str().unwrap())
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Panel {
    pub id: u32,
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub description: String,
    pub grid_pos: Grid,
    pub datasource: Option<DataSource>,
    pub time_from: Option<String>,
    #[serde(default)]
    pub hide_time_override: bool,
    pub interval: Option<String>,
    pub max_data_points: Option<i64>,
    #[serde(default)]
    pub targets: Vec<Target>,
    #[serde(default)]
    pub transformations: Vec<Transform>,
    pub field_config: Option<FieldConfig>,
    pub options: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    pub x: u32,
    pub y: u32,
    pub w: u32,
    pub h: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Target {
    pub ref_id: String,
    pub datasource: DataSource,
    pub editor_mode: String,
    pub expr: String,
    pub format: Format,
    pub instant: bool,
    pub range: bool,
    pub legend_format: String,
    pub interval: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transform {
    pub id: Transformation,
    pub filter: Option<Value>,
    pub options: Value,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldConfig {
    pub defaults: Field,
    pub overrides: Vec<Override>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Field {
    pub unit: String,
    pub decimals: Option<u8>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub color: Option<Color>,
    pub thresholds: Option<Thresholds>,
    #[serde(default)]
    pub mappings: Vec<Value>,
    pub no_value: Option<String>,
    #[serde(default)]
    pub links: Vec<DataLink>,
    #[serde(default)]
    pub custom: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Color {
    pub mode: ColorMode,
    pub fixed_color: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    pub mode: String,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub color: String,
    pub value: Option<f64>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataLink {
    pub title: String,
    pub url: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    pub matcher: OverrideMatcher,
    pub properties: Vec<Property>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverrideMatcher {
    pub id: Matcher,
    pub options: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Property {
    pub id: String,
    pub value: Value,
}

/// The options of each kind of panel, and its custom field settings.
pub const PANELS: [(&str, &[&str], &[&str]); 8] = [
    (
        "stat",
        &[
            "reduceOptions",
            "colorMode",
            "graphMode",
            "justifyMode",
            "orientation",
            "textMode",
            "wideLayout",
            "showPercentChange",
            "percentChangeColorMode",
        ],
        &[],
    ),
    ("text", &["mode", "content", "code"], &[]),
    (
        "table",
        &["showHeader", "cellHeight", "frameIndex", "sortBy"],
        &["align", "cellOptions", "inspect", "filterable", "width", "minWidth"],
    ),
    (
        "heatmap",
        &[
            "calculate",
            "cellGap",
            "cellRadius",
            "cellValues",
            "color",
            "exemplars",
            "filterValues",
            "legend",
            "rowsFrame",
            "showValue",
            "tooltip",
            "yAxis",
        ],
        &["scaleDistribution", "hideFrom"],
    ),
    (
        "timeseries",
        &["legend", "tooltip"],
        &[
            "drawStyle",
            "lineInterpolation",
            "lineWidth",
            "lineStyle",
            "fillOpacity",
            "fillBelowTo",
            "showPoints",
            "pointSize",
            "spanNulls",
            "axisPlacement",
            "thresholdsStyle",
            "barAlignment",
            "barWidthFactor",
            "stacking",
        ],
    ),
    (
        "status-history",
        &["showValue", "rowHeight", "colWidth", "perPage", "legend", "tooltip"],
        &["fillOpacity", "lineWidth"],
    ),
    (
        "state-timeline",
        &["mergeValues", "showValue", "alignValue", "rowHeight", "perPage", "legend", "tooltip"],
        &["fillOpacity", "lineWidth"],
    ),
    (
        "barchart",
        &[
            "orientation",
            "xField",
            "stacking",
            "showValue",
            "groupWidth",
            "barWidth",
            "barRadius",
            "fullHighlight",
            "xTickLabelRotation",
            "xTickLabelMaxLength",
            "xTickLabelSpacing",
            "legend",
            "tooltip",
        ],
        &["fillOpacity", "lineWidth", "axisPlacement", "axisSoftMin"],
    ),
];

/// Every dashboard, by the name of its file.
pub fn dashboards() -> BTreeMap<String, Dashboard> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards");
    let mut dashboards = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let dashboard = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        dashboards.insert(name, dashboard);
    }
    dashboards
}

/// The variables that a text names: `$name`, `${name}`, `${name:format}`.
pub fn variables_in(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in text.match_indices('$') {
        let rest = &text[at + 1..];
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        if end > 0 && !rest.starts_with(|c: char| c.is_ascii_digit()) {
            names.insert(rest[..end].to_owned());
        }
    }
    names
}

/// What is chosen in a variable.
#[derive(Debug, Clone)]
pub enum Chosen {
    /// One value of a variable that takes one.
    One(String),
    /// `All`, as the variable spells it for queries.
    All(String),
    /// Some values of a variable that takes many.
    Many(Vec<String>),
}

/// A query with its variables replaced, as Grafana's Prometheus data source does it.
pub fn interpolate(query: &str, chosen: &BTreeMap<String, Chosen>) -> String {
    let mut text = query.to_owned();
    // Longer names first: $hashtags is not $hashtag with an s.
    let mut names: Vec<String> = variables_in(query).into_iter().collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    for name in names {
        let value = match chosen.get(&name) {
            Some(Chosen::One(value)) => value.replace('\\', "\\\\").replace('"', "\\\""),
            Some(Chosen::All(value)) => value.clone(),
            Some(Chosen::Many(values)) => {
                let values: Vec<String> = values.iter().map(|value| escape(value)).collect();
                if values.len() == 1 { values[0].clone() } else { format!("({})", values.join("|")) }
            }
            None => panic!("${name} is no variable of the dashboard, in {query}"),
        };
        text = text.replace(&format!("${{{name}}}"), &value).replace(&format!("${name}"), &value);
    }
    text
}

/// Escapes what is special in a regular expression, twice: it stands in a string.
fn escape(value: &str) -> String {
    let special = |c: char| "\\^$*+?.()|[]{}/".contains(c);
    value
        .chars()
        .flat_map(|c| special(c).then_some("\\\\").into_iter().flat_map(str::chars).chain([c]))
        .collect()
}
