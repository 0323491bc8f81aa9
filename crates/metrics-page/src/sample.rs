//! Samples on their way to a page.

use std::ops::Range;

use crate::Family;
use crate::text;

/// Receives the samples of a page, family by family.
pub trait Sink {
    /// The next samples belong to this family. Called only for families that have samples.
    fn family(&mut self, family: &'static Family);

    /// One sample. The labels of its subject come first, then `extra`.
    fn sample(&mut self, subject: &Subject<'_>, extra: &ExtraLabels<'_>, value: f64);
}

/// What a sample is about: the labels that many samples share.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Name and value of the first label.
    pub label: (&'static str, &'a str),
    /// Name and value of the second label, if there is one.
    pub second: Option<(&'static str, &'a str)>,
    /// The same labels as they stand on the page, with braces and the space that follows: what
    /// [`LabelArena`] makes.
    pub text: &'a str,
}

/// Labels after those of a subject.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExtraLabels<'a> {
    /// Names and values.
    pub labels: &'a [(&'static str, &'a str)],
    /// The same as they stand on the page, from the comma before them to the space after them: what
    /// [`extra_labels`](crate::extra_labels) makes.
    pub text: &'a str,
}

/// The label text of many subjects in one allocation, so that each is escaped once per page and not once
/// per sample.
#[derive(Debug, Default)]
pub struct LabelArena(String);

impl LabelArena {
    /// Reserves this many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    /// Adds the text of a subject: the labels at `first`, if there are any, and one more.
    pub fn add(&mut self, first: Option<Range<usize>>, label: (&str, &str)) -> Range<usize> {
        let start = self.0.len();
        text::labels(&mut self.0, first, label);
        start..self.0.len()
    }

    /// The text at `range`, as returned by [`add`](Self::add).
    #[inline]
    pub fn get(&self, range: Range<usize>) -> &str {
        &self.0[range]
    }
}

/// Hands the samples of one family to a sink. Announces the family with its first sample, so that a family
/// without samples is not on the page.
#[derive(Debug)]
pub struct SampleWriter<'s, S> {
    sink: &'s mut S,
    family: Option<&'static Family>,
}

impl<'s, S: Sink> SampleWriter<'s, S> {
    /// A writer for `family`.
    pub fn new(sink: &'s mut S, family: &'static Family) -> Self {
        Self { sink, family: Some(family) }
    }

    /// Writes a sample without extra labels, unless it is absent.
    #[inline]
    pub fn put(&mut self, subject: &Subject<'_>, value: Option<f64>) {
        self.put_with(subject, &ExtraLabels::default(), value);
    }

    /// Writes a sample, unless it is absent.
    #[inline]
    pub fn put_with(&mut self, subject: &Subject<'_>, extra: &ExtraLabels<'_>, value: Option<f64>) {
        let Some(value) = value else { return };
        if let Some(family) = self.family.take() {
            self.sink.family(family);
        }
        self.sink.sample(subject, extra, value);
    }
}
