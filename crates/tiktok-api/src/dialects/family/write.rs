//! From the simulated world to the JSON objects, with every field of them.

use serde_json::{Map, Value, json};

use crate::dialect::Fields;
use crate::fake::{Content, FakeHashtag, FakePost, List};

/// The fields that faults spoil.
pub(crate) const FIELDS: Fields = Fields {
    counts: &[
        "user_count",
        "view_count",
        "play_count",
        "digg_count",
        "comment_count",
        "share_count",
        "collect_count",
        "download_count",
    ],
    ids: &["id", "video_id"],
    cursor: "cursor",
    has_more: "hasMore",
};

/// The content of a good answer.
pub(crate) fn content(content: &Content) -> Value {
    match content {
        Content::Hashtag(hashtag) => challenge(hashtag),
        Content::Hashtags(page) => listing("challenge_list", page, challenge),
        Content::Posts(page) => listing("videos", page, video),
        Content::Regions(regions) => {
            regions.iter().map(|(code, name)| ((*code).to_owned(), json!(name))).collect::<Map<_, _>>().into()
        }
    }
}

fn listing<T>(name: &str, page: &List<T>, write: fn(&T) -> Value) -> Value {
    let items: Vec<Value> = page.items.iter().map(write).collect();
    json!({ name: items, "cursor": page.next, "hasMore": page.more })
}

fn challenge(hashtag: &FakeHashtag) -> Value {
    let flag = |set: bool| if hashtag.numeric_flags { json!(u8::from(set)) } else { json!(set) };
    json!({
        "id": hashtag.id.as_str(),
        "cha_name": hashtag.name,
        "desc": hashtag.description,
        "cover": hashtag.cover,
        "user_count": hashtag.totals.posts,
        "view_count": hashtag.totals.views,
        "is_commerce": flag(hashtag.is_commerce),
        "is_challenge": flag(hashtag.is_challenge),
        "is_pgcshow": flag(hashtag.is_pgc_show),
        "is_strong_music": flag(hashtag.is_strong_music),
        "type": 1,
    })
}

fn video(post: &FakePost) -> Value {
    let upload = &post.upload;
    json!({
        "video_id": upload.id.to_string(),
        "region": upload.region,
        "title": post.title,
        "cover": post.cover,
        "duration": post.seconds,
        "play": post.file,
        "play_count": upload.plays,
        "digg_count": upload.likes,
        "comment_count": upload.comments,
        "share_count": upload.shares,
        "collect_count": upload.saves,
        "download_count": upload.downloads,
        "create_time": upload.posted_at.as_secs(),
        "author": {
            "id": post.author.id,
            "unique_id": post.author.name,
            "nickname": post.author.nickname,
        },
        "music_info": {
            "id": post.sound.id,
            "title": post.sound.title,
            "author": post.sound.author,
            "duration": post.sound.seconds,
        },
    })
}
