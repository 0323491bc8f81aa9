//! Parsing requests and writing errors, as the simulator does. What the provider answers in detail is known in part
//! only; where it is not, this takes the harsher side: errors come as HTTP 200.

use serde_json::{Value, json};

use super::client::order_code;
use super::{PROVIDER, client};
use crate::fake::{Call, Missing, PageCall, Parameter, Parameters, Rejection};
use crate::{Operation, Order};

/// Posts on a page, and hashtags on a page of a search, unless a request says how many.
const POSTS_DEFAULT: usize = 20;
const SEARCHED_DEFAULT: usize = 10;

/// What a request asks for.
pub(super) fn parse(path: &str, parameters: &Parameters) -> Option<Call> {
    let operation = Operation::ALL.into_iter().find(|it| client::path(*it).trim_end_matches('/') == path)?;
    let text = |name| parameters.text(name).to_owned();
    let page = |default, max: u32| PageCall {
        count: parameters.number("count", default, max as usize).max(1),
        cursor: text("cursor"),
    };
    Some(match operation {
        Operation::HashtagByName => Call::HashtagByName { name: text("name") },
        Operation::HashtagById => Call::HashtagById { id: text("id") },
        Operation::Posts => Call::Posts {
            id: text("challenge_id"),
            region: text("region"),
            page: page(POSTS_DEFAULT, PROVIDER.posts_page_max),
        },
        Operation::SearchHashtags => Call::SearchHashtags {
            keyword: text("keyword"),
            page: page(SEARCHED_DEFAULT, PROVIDER.hashtags_page_max),
        },
        Operation::SearchPosts => Call::SearchPosts {
            keyword: text("keyword"),
            region: text("region"),
            days: parameters.number("publish_time", 0, 10_000),
            order: order(parameters.text("sort_by")),
            page: page(SEARCHED_DEFAULT, PROVIDER.posts_page_max),
        },
        Operation::Regions => Call::Regions,
    })
}

fn order(code: &str) -> Order {
    let is_it = |order: &Order| order_code(*order).to_string() == code;
    [Order::Likes, Order::Date].into_iter().find(is_it).unwrap_or(Order::Relevance)
}

/// The status and the body of an error.
pub(super) fn reject(rejection: Rejection) -> (u16, Value) {
    let said = |message: &str| json!({ "message": message });
    let error = |message: String| json!({ "status": "error", "message": message });
    match rejection {
        Rejection::NoKey => (200, said("Please sign up to tikliveapi.com")),
        Rejection::BadKey => (200, said("Api-Key is not available")),
        Rejection::NoCredits => (200, said("You have no credits left")),
        Rejection::TooFast => (429, said("Too Many Requests")),
        Rejection::TooFastAs200 => (200, json!({"code": -1, "msg": "Free Api Limit: 1 request/second."})),
        Rejection::NotFound(missing) => (200, error(format!("Not found {}", noun(missing)))),
        Rejection::BadParameter(parameter) => (200, error(format!("Parameter {}", complaint(parameter)))),
        Rejection::NoSuchPath => (404, said("Endpoint does not exist")),
        Rejection::ServerError(status) => (status, said("Internal Server Error")),
    }
}

fn noun(missing: Missing) -> &'static str {
    match missing {
        Missing::Hashtag => "challenge",
        Missing::Posts => "posts",
        Missing::SearchedHashtags => "challenges",
        Missing::SearchedPosts => "videos",
        Missing::Keyword => "anything",
        Missing::Data => "data",
    }
}

fn complaint(parameter: Parameter) -> &'static str {
    match parameter {
        Parameter::Name => "name is required",
        Parameter::Id => "id is required",
        Parameter::Keyword => "keyword is required",
        Parameter::Region => "region is not a country code",
    }
}
