//! The content of successful answers, independent of the dialect.

use super::dice::Dice;
use super::posts::Upload;
use super::regions::REGIONS;
use crate::{ChallengeId, Hashtag, Totals};

/// The host of images and videos. The name can never exist (RFC 6761).
const MEDIA: &str = "https://media.invalid";

/// The content of a successful answer.
#[derive(Debug)]
pub(crate) enum Content {
    Hashtag(FakeHashtag),
    Hashtags(List<FakeHashtag>),
    Posts(List<FakePost>),
    /// Codes and names.
    Regions(Vec<(&'static str, &'static str)>),
}

/// A page of a list.
#[derive(Debug, Clone)]
pub(crate) struct List<T> {
    pub(crate) items: Vec<T>,
    /// Where the next page starts.
    pub(crate) next: usize,
    pub(crate) more: bool,
}

/// A hashtag.
#[derive(Debug)]
pub(crate) struct FakeHashtag {
    pub(crate) id: ChallengeId,
    /// In the platform's spelling.
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) cover: String,
    pub(crate) totals: Totals,
    /// Whether flags are written as 0/1 instead of true/false: the real API does both.
    pub(crate) numeric_flags: bool,
    pub(crate) is_commerce: bool,
    pub(crate) is_challenge: bool,
    pub(crate) is_pgc_show: bool,
    pub(crate) is_strong_music: bool,
}

/// A post.
#[derive(Debug)]
pub(crate) struct FakePost {
    pub(crate) upload: Upload,
    pub(crate) title: Option<String>,
    pub(crate) cover: String,
    /// The URL of the video.
    pub(crate) file: String,
    pub(crate) seconds: u64,
    pub(crate) author: FakeAuthor,
    pub(crate) sound: FakeSound,
}

/// Who published a post.
#[derive(Debug)]
pub(crate) struct FakeAuthor {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) nickname: &'static str,
}

/// The sound of a post.
#[derive(Debug)]
pub(crate) struct FakeSound {
    pub(crate) id: String,
    pub(crate) title: &'static str,
    pub(crate) author: &'static str,
    pub(crate) seconds: u64,
}

impl FakeHashtag {
    /// `dice` is the hashtag's own.
    pub(super) fn new(hashtag: &Hashtag, id: ChallengeId, totals: Totals, dice: Dice) -> Self {
        let dice = dice.named("record");
        let has_description = dice.named("desc").happens(0.5);
        Self {
            name: spelling(hashtag, dice),
            description: if has_description {
                format!("Simulated posts about {hashtag}.")
            } else {
                String::new()
            },
            cover: format!("{MEDIA}/challenge/{id}.jpeg"),
            id,
            totals,
            numeric_flags: dice.named("flags").happens(0.2),
            is_commerce: dice.named("commerce").happens(0.08),
            is_challenge: dice.named("challenge").happens(0.3),
            is_pgc_show: dice.named("pgcshow").happens(0.1),
            is_strong_music: dice.named("music").happens(0.1),
        }
    }
}

/// The platform keeps the spelling in which the hashtag was first used.
fn spelling(hashtag: &Hashtag, dice: Dice) -> String {
    let name = hashtag.as_str();
    match name.chars().next() {
        Some(first) if first.is_ascii_lowercase() && dice.named("spelling").happens(0.2) => {
            format!("{}{}", first.to_ascii_uppercase(), &name[1..])
        }
        _ => name.to_owned(),
    }
}

impl FakePost {
    fn new(hashtag: &Hashtag, upload: Upload) -> Self {
        let dice = upload.dice;
        let id = upload.id;
        let author = dice.named("author").below(90_000) + 10_000;
        let sound = dice.named("sound").below(900_000) + 100_000;
        let seconds = 5 + dice.named("duration").below(170);
        Self {
            title: title(hashtag, dice),
            cover: format!("{MEDIA}/cover/{id}.jpeg"),
            file: format!("{MEDIA}/play/{id}.mp4"),
            upload,
            seconds,
            author: FakeAuthor {
                id: format!("68{author}0000000000"),
                name: format!("simulated.user{author}"),
                nickname: nickname(dice),
            },
            sound: FakeSound {
                id: format!("70{sound}0000000000"),
                title: "original sound",
                author: nickname(dice.named("sound author")),
                seconds,
            },
        }
    }

    /// A page of posts under a hashtag, from the uploads on it.
    pub(super) fn list(hashtag: &Hashtag, page: List<Upload>) -> List<Self> {
        let items = page.items.into_iter().map(|upload| Self::new(hashtag, upload)).collect();
        List { items, next: page.next, more: page.more }
    }
}

/// The codes of all regions with their names.
pub(super) fn regions() -> Content {
    Content::Regions(REGIONS.iter().map(|(code, name, _)| (*code, *name)).collect())
}

/// Titles as people write them, including awkward ones.
fn title(hashtag: &Hashtag, dice: Dice) -> Option<String> {
    Some(match dice.named("title").below(100) {
        0..3 => return None,
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
    })
}

fn nickname(dice: Dice) -> &'static str {
    const NAMES: [&str; 8] =
        ["Ana", "Jonas 🌱", "みさき", "O'Brien", "Zoë & Max", "<b>bold</b>", "Lena \"L\"", "Ibrahim"];
    NAMES[dice.named("nickname").below(NAMES.len() as u64) as usize]
}
