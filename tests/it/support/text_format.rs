//! A reader of Prometheus' text format 0.0.4, written from its description and independent of what
//! writes the page. Strict: what a scraper might read in two ways, or drop, is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A whole page.
#[derive(Debug)]
pub struct Page {
    /// In the order of the page.
    pub families: Vec<Family>,
}

/// A family: its declaration and its samples.
#[derive(Debug)]
pub struct Family {
    pub name: String,
    pub help: String,
    pub kind: String,
    /// In the order of the page.
    pub samples: Vec<(Series, f64)>,
}

/// What identifies a series.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    pub name: String,
    pub labels: BTreeMap<String, String>,
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels: Vec<String> =
            self.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        write!(f, "{}{{{}}}", self.name, labels.join(","))
    }
}

impl Series {
    /// The value of a label, empty when there is none: the two are the same to Prometheus.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

impl Page {
    /// Reads a page, or says in which line it is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let body = text.strip_suffix('\n').ok_or("the last line has no end")?;
        let mut page = Page { families: Vec::new() };
        let mut help = None;
        let mut seen = BTreeSet::new();
        // Only the line feed ends a line; a carriage return may stand in a label.
        for line in body.split('\n') {
            page.line(line, &mut help, &mut seen).map_err(|problem| format!("{problem}: {line:?}"))?;
        }
        Ok(page)
    }

    fn line(
        &mut self,
        line: &str,
        help: &mut Option<(String, String)>,
        seen: &mut BTreeSet<Series>,
    ) -> Result<(), String> {
        if let Some(declared) = line.strip_prefix("# HELP ") {
            let (name, text) = declared.split_once(' ').ok_or("HELP without a text")?;
            *help = Some((name.to_owned(), text.to_owned()));
        } else if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').ok_or("TYPE without a type")?;
            let (helped, help) = help.take().ok_or("TYPE without HELP before it")?;
            if helped != name {
                return Err(format!("HELP of {helped} before the TYPE of {name}"));
            }
            if self.family(name).is_some() {
                return Err("a second declaration of the family".to_owned());
            }
            let (name, kind) = (name.to_owned(), kind.to_owned());
            self.families.push(Family { name, help, kind, samples: Vec::new() });
        } else {
            let (series, value) = sample(line)?;
            let family = self.families.last_mut().ok_or("a sample before any TYPE")?;
            if !family.owns(&series.name) {
                return Err(format!("a sample among those of {}", family.name));
            }
            if !seen.insert(series.clone()) {
                return Err("the series is on the page already".to_owned());
            }
            family.samples.push((series, value));
        }
        Ok(())
    }

    /// The family of this name.
    pub fn family(&self, name: &str) -> Option<&Family> {
        self.families.iter().find(|family| family.name == name)
    }

    /// Every sample, in the order of the page.
    pub fn samples(&self) -> impl Iterator<Item = &(Series, f64)> {
        self.families.iter().flat_map(|family| &family.samples)
    }

    /// The samples whose series, written as `name{label="value",...}`, start so.
    pub fn starting_with(&self, prefix: &str) -> BTreeMap<String, f64> {
        let samples = self.samples().map(|(series, value)| (series.to_string(), *value));
        samples.filter(|(series, _)| series.starts_with(prefix)).collect()
    }
}

impl Family {
    fn owns(&self, sample: &str) -> bool {
        match sample.strip_prefix(self.name.as_str()) {
            Some("") => self.kind != "histogram",
            Some("_bucket" | "_sum" | "_count") => self.kind == "histogram",
            _ => false,
        }
    }
}

/// `name{label="value",...} number`, and nothing after it: not even a time.
fn sample(line: &str) -> Result<(Series, f64), String> {
    let end = line.find(['{', ' ']).ok_or("a sample without a value")?;
    let (name, rest) = line.split_at(end);
    if !is_name(name, true) {
        return Err("not the name of a metric".to_owned());
    }
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (BTreeMap::new(), rest),
    };
    let number = rest.strip_prefix(' ').ok_or("no blank before the value")?;
    let value = number.parse().map_err(|_| format!("{number:?} is not one number"))?;
    Ok((Series { name: name.to_owned(), labels }, value))
}

/// The labels after `{`, and what follows their `}`.
fn labels(mut rest: &str) -> Result<(BTreeMap<String, String>, &str), String> {
    let mut labels = BTreeMap::new();
    loop {
        let (name, after) = rest.split_once("=\"").ok_or("a label without a value")?;
        if !is_name(name, false) {
            return Err(format!("{name:?} is not the name of a label"));
        }
        let (value, after) = quoted(after)?;
        if labels.insert(name.to_owned(), value).is_some() {
            return Err(format!("the label {name} twice"));
        }
        match after.as_bytes().first() {
            Some(b',') => rest = &after[1..],
            Some(b'}') => return Ok((labels, &after[1..])),
            _ => return Err("neither , nor } after a label".to_owned()),
        }
    }
}

/// A value up to its closing quote, and what follows that.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, c @ ('\\' | '"'))) => value.push(c),
                other => return Err(format!("an unknown escape: {other:?}")),
            },
            c => value.push(c),
        }
    }
    Err("a label's value without an end".to_owned())
}

fn is_name(text: &str, of_metric: bool) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || (of_metric && c == ':');
    text.starts_with(|c: char| fits(c) && !c.is_ascii_digit()) && text.chars().all(fits)
}
