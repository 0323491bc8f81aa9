//! Results as CSV: a header, then one row per hashtag, post or region.

use csv::Writer;

use super::Stop;
use crate::cli::text::harmless;
use crate::lookups::{Candidate, Finding, Looked};
use crate::model::PublicPost;

/// The findings as CSV (RFC 4180). Times are seconds since the Unix epoch.
pub(super) fn shown(findings: &[Finding]) -> Result<String, Stop> {
    let mut writer = Writer::from_writer(Vec::new());
    let write = |writer: &mut Writer<Vec<u8>>| -> Result<(), csv::Error> {
        for finding in findings {
            match finding {
                Finding::Hashtag(looked) => writer.serialize(harmless_hashtag(looked))?,
                Finding::Sample(sample) => write_posts(writer, &sample.posts)?,
                Finding::Videos(videos) => write_posts(writer, &videos.posts)?,
                Finding::Candidates(found) => {
                    for candidate in &found.hashtags {
                        writer.serialize(harmless_candidate(candidate))?;
                    }
                }
                Finding::Regions(codes) => {
                    writer.write_record(["region"])?;
                    for code in codes {
                        writer.write_record([code])?;
                    }
                }
            }
        }
        Ok(())
    };
    let failed = |error: String| Stop::new(1, format!("cannot write the answer: {error}"));
    write(&mut writer).map_err(|error| failed(error.to_string()))?;
    let bytes = writer.into_inner().map_err(|error| failed(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|error| failed(error.to_string()))?;
    Ok(text.trim_end_matches('\n').to_owned())
}

fn write_posts(writer: &mut Writer<Vec<u8>>, posts: &[PublicPost]) -> Result<(), csv::Error> {
    posts.iter().try_for_each(|post| writer.serialize(harmless_post(post)))
}

fn harmless_hashtag(looked: &Looked) -> Looked {
    let description = looked.description.as_deref().map(harmless);
    Looked { hashtag: harmless(&looked.hashtag), description, ..looked.clone() }
}

fn harmless_candidate(candidate: &Candidate) -> Candidate {
    Candidate { hashtag: harmless(&candidate.hashtag), ..candidate.clone() }
}

fn harmless_post(post: &PublicPost) -> PublicPost {
    let of = |text: &Option<String>| text.as_deref().map(harmless);
    PublicPost { id: harmless(&post.id), author: of(&post.author), title: of(&post.title), ..post.clone() }
}
