//! Writing requests and reading answers.

use crate::dialect::Language;
use crate::dialects::family::{self, Challenge, Listing, Video};
use crate::reading::{Object, Outcome, json, parse, refusal};
use crate::{Answer, Error, Operation, Order, Query, RawAnswer, Region, Since};

/// The path of each operation.
pub(super) fn path(operation: Operation) -> &'static str {
    match operation {
        Operation::HashtagByName => "challenge-info-name/",
        Operation::HashtagById => "challenge-info-id/",
        Operation::Posts => "challenge-posts/",
        Operation::SearchHashtags => "search-challenge/",
        Operation::SearchPosts => "search-video/",
        Operation::Regions => "region-list/",
    }
}

/// The parameters of a request.
pub(super) fn parameters(query: &Query) -> Vec<(&'static str, String)> {
    match query {
        Query::HashtagByName(hashtag) => vec![("name", hashtag.to_string())],
        Query::HashtagById(id) => vec![("id", id.to_string())],
        Query::Posts { id, region, count, cursor } => {
            let mut parameters = vec![
                ("challenge_id", id.to_string()),
                ("count", count.to_string()),
                ("cursor", cursor.to_string()),
            ];
            parameters.extend(region_parameter(*region));
            parameters
        }
        Query::SearchHashtags { keyword, count, cursor } => {
            vec![("keyword", keyword.clone()), ("count", count.to_string()), ("cursor", cursor.to_string())]
        }
        Query::SearchPosts { keyword, since, order, region, count, cursor } => {
            let mut parameters = vec![
                ("keyword", keyword.clone()),
                ("count", count.to_string()),
                ("cursor", cursor.to_string()),
                ("publish_time", days(*since).to_string()),
                ("sort_by", order_code(*order).to_string()),
            ];
            parameters.extend(region_parameter(*region));
            parameters
        }
        Query::Regions => Vec::new(),
    }
}

/// Any region is asked for by leaving the parameter out.
fn region_parameter(region: Region) -> Option<(&'static str, String)> {
    match region {
        Region::Any => None,
        Region::Country(_) => Some(("region", region.to_string())),
    }
}

fn days(since: Since) -> u8 {
    match since {
        Since::Ever => 0,
        Since::Day => 1,
        Since::Week => 7,
    }
}

pub(super) fn order_code(order: Order) -> u8 {
    match order {
        Order::Relevance => 0,
        Order::Likes => 1,
        Order::Date => 2,
    }
}

/// Reads an answer.
pub(super) fn read(language: &dyn Language, query: &Query, raw: &RawAnswer) -> Result<Answer, Error> {
    match query.operation() {
        Operation::HashtagByName | Operation::HashtagById => {
            let challenge: Challenge = parse(language, raw)?;
            family::hashtag(&challenge).map(Answer::Hashtag)
        }
        Operation::Posts | Operation::SearchPosts => {
            let listing: Listing<Video> = parse(language, raw)?;
            family::posts(listing).map(Answer::Posts)
        }
        Operation::SearchHashtags => {
            let listing: Listing<Challenge> = parse(language, raw)?;
            family::hashtags(listing).map(Answer::Hashtags)
        }
        Operation::Regions => {
            let codes = family::region_codes(raw)?;
            if codes.is_empty() {
                let outcome: Object<Outcome> = json(raw)?;
                return Err(refusal(language, &outcome.0.unwrap_or_default()));
            }
            Ok(Answer::Regions(codes))
        }
    }
}
