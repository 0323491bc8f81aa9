//! The world in the API's JSON, with every field of it.

use crate::{ChallengeId, Hashtag, Totals};
use serde_json::{Value, json};

use super::dice::Dice;
use super::posts::{Page, Upload};
use super::regions::REGIONS;

/// Where pictures and videos would be. The name can never exist (RFC 6761).
const MEDIA: &str = "https://media.invalid";

/// The flat object of a hashtag.
pub(super) fn challenge(hashtag: &Hashtag, id: &ChallengeId, totals: Totals, dice: Dice) -> Value {
    let dice = dice.named("record");
    // Seen both as true/false and as 0/1.
    let numeric = dice.named("flags").happens(0.2);
    let flag = |name: &str, probability: f64| {
        let set = dice.named(name).happens(probability);
        if numeric { json!(u8::from(set)) } else { json!(set) }
    };
    json!({
        "id": id.as_str(),
        "cha_name": spelling(hashtag, dice),
        "desc": if dice.named("desc").happens(0.5) { format!("Simulated posts about {hashtag}.") } else { String::new() },
        "cover": format!("{MEDIA}/challenge/{id}.jpeg"),
        "user_count": totals.posts,
        "view_count": totals.views,
        "is_commerce": flag("commerce", 0.08),
        "is_challenge": flag("challenge", 0.3),
        "is_pgcshow": flag("pgcshow", 0.1),
        "is_strong_music": flag("music", 0.1),
        "type": 1,
    })
}

/// The platform keeps the spelling of whoever used the hashtag first.
fn spelling(hashtag: &Hashtag, dice: Dice) -> String {
    let name = hashtag.as_str();
    match name.chars().next() {
        Some(first) if first.is_ascii_lowercase() && dice.named("spelling").happens(0.2) => {
            format!("{}{}", first.to_ascii_uppercase(), &name[1..])
        }
        _ => name.to_owned(),
    }
}

/// A page of posts.
pub(super) fn videos(hashtag: &Hashtag, page: &Page) -> Value {
    let videos: Vec<Value> = page.uploads.iter().map(|upload| video(hashtag, upload)).collect();
    json!({ "videos": videos, "cursor": page.next, "hasMore": page.more })
}

/// A page of hashtags.
pub(super) fn challenges(list: Vec<Value>, next: usize, more: bool) -> Value {
    json!({ "challenge_list": list, "cursor": next, "hasMore": more })
}

/// The codes of all regions with their names.
pub(super) fn regions() -> Value {
    REGIONS
        .iter()
        .map(|(code, name, _)| ((*code).to_owned(), json!(name)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn video(hashtag: &Hashtag, upload: &Upload) -> Value {
    let dice = upload.dice;
    let id = upload.id.to_string();
    let author = dice.named("author").below(90_000) + 10_000;
    let sound = dice.named("sound").below(900_000) + 100_000;
    json!({
        "video_id": id,
        "region": upload.region,
        "title": title(hashtag, dice),
        "cover": format!("{MEDIA}/cover/{id}.jpeg"),
        "duration": 5 + dice.named("duration").below(170),
        "play": format!("{MEDIA}/play/{id}.mp4"),
        "play_count": upload.plays,
        "digg_count": upload.likes,
        "comment_count": upload.comments,
        "share_count": upload.shares,
        "collect_count": upload.saves,
        "download_count": upload.downloads,
        "create_time": upload.posted_at.as_secs(),
        "author": {
            "id": format!("68{author}0000000000"),
            "unique_id": format!("simulated.user{author}"),
            "nickname": nickname(dice),
        },
        "music_info": {
            "id": format!("70{sound}0000000000"),
            "title": "original sound",
            "author": nickname(dice.named("sound author")),
            "duration": 5 + dice.named("duration").below(170),
        },
    })
}

/// Titles as people write them, the awkward ones included.
fn title(hashtag: &Hashtag, dice: Dice) -> Value {
    let text = match dice.named("title").below(100) {
        0..3 => return Value::Null,
        3 => format!("<script>alert('{hashtag}')</script> #{hashtag}"),
        4 => format!("she said \"wait for it\" \\o/ & then… #{hashtag}"),
        5 => "\u{202e}desrever\u{202c} \u{0}".to_owned(),
        6..9 => String::new(),
        9..40 => format!("you need to see this 😭✨ #{hashtag} #fyp"),
        40..70 => format!("part {} of my #{hashtag} journey", dice.named("part").below(40) + 1),
        _ => format!(
            "#{hashtag} but make it {}",
            ["calm", "quick", "loud", "honest"][dice.named("mood").below(4) as usize]
        ),
    };
    json!(text)
}

fn nickname(dice: Dice) -> &'static str {
    const NAMES: [&str; 8] =
        ["Ana", "Jonas 🌱", "みさき", "O'Brien", "Zoë & Max", "<b>bold</b>", "Lena \"L\"", "Ibrahim"];
    NAMES[dice.named("nickname").below(NAMES.len() as u64) as usize]
}
