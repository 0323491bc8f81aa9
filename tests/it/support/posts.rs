//! Posts that try to be more than text.

use tiktok_api::Post;
use units::HOUR;

use super::snapshot::NOW;

/// A post as the API could say it, and the link that may be made of it.
pub struct Wild {
    pub id: &'static str,
    pub author: Option<&'static str>,
    pub title: Option<&'static str>,
    pub link: Option<&'static str>,
}

const fn wild(
    id: &'static str,
    author: Option<&'static str>,
    title: Option<&'static str>,
    link: Option<&'static str>,
) -> Wild {
    Wild { id, author, title, link }
}

/// Good ones and bad ones.
pub const HOSTILE: [Wild; 12] = [
    wild(
        "7300000000000000001",
        Some("some.one_1"),
        None,
        Some("https://www.tiktok.com/@some.one_1/video/7300000000000000001"),
    ),
    wild(
        "7300000000000000002",
        Some("someone"),
        Some("<script>window.hacked=1</script>"),
        Some("https://www.tiktok.com/@someone/video/7300000000000000002"),
    ),
    wild(
        "7300000000000000003",
        Some("\"><script>window.hacked=2</script>"),
        Some("a name that is markup"),
        None,
    ),
    wild("7300000000000000004", Some("x/../../evil.example"), Some("a name that leads elsewhere"), None),
    wild("javascript:alert(1)", Some("someone"), Some("an id that is a script"), None),
    wild("7300000000000000006/../x", Some("someone"), Some("an id that climbs"), None),
    wild("7300000000000000007", None, Some("<img src=x onerror=window.hacked=3>"), None),
    wild(
        "7300000000000000008",
        Some("someone"),
        Some("[click](javascript:window.hacked=4) ![](http://evil.example/x.png)"),
        Some("https://www.tiktok.com/@someone/video/7300000000000000008"),
    ),
    wild("7300000000000000009", Some("..."), Some("http://evil.example/ www.evil.example"), None),
    wild(
        "7300000000000000010",
        Some("someone"),
        Some("=HYPERLINK(\"http://evil.example\",\"win\")"),
        Some("https://www.tiktok.com/@someone/video/7300000000000000010"),
    ),
    wild(
        "7300000000000000011",
        Some("someone"),
        Some("\u{202e}desrever\u{202c}"),
        Some("https://www.tiktok.com/@someone/video/7300000000000000011"),
    ),
    wild(
        "7300000000000000012",
        Some("someone"),
        Some("日本 😭✨ & \"quotes\" 'n </ol></main>"),
        Some("https://www.tiktok.com/@someone/video/7300000000000000012"),
    ),
];

/// The same as they would be kept, except that titles are not cleaned: a store may hold anything.
pub fn hostile_posts() -> Vec<Post> {
    let post = |(wild, plays): (&Wild, u64)| Post {
        id: wild.id.to_owned(),
        author: wild.author.map(str::to_owned),
        title: wild.title.map(str::to_owned),
        created_at: Some(NOW - HOUR * 30),
        plays: Some(1_000_000 - plays),
        likes: Some(1_234),
        ..Post::default()
    };
    HOSTILE.iter().zip(0..).map(post).collect()
}
