//! A watchlist of any size of which everything is known: figures as real samples give them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tiktok_api::{ChallengeId, Hashtag, Post, Region};
use tiktok_exporter::model::{Growth, PostSample, RecentValues};
use tiktok_exporter::state::{HashtagState, Outcome, Reading, Refresh, RegionState, Sampled, Snapshot};
use tiktok_exporter::store::Store;
use units::{HOUR, Timestamp};

/// Every hashtag is watched in these.
pub const REGIONS: [&str; 3] = ["DE", "GB", "US"];

/// Samples of one hashtag: 9 of its own, 18 in each region.
pub const SAMPLES: usize = 9 + 18 * REGIONS.len();

/// Longer than anything that is measured.
pub const LONG: Duration = Duration::from_secs(60 * 24 * 3_600);

/// Every pair of these is a hashtag, with a number where there are more.
const WORDS: [&str; 64] = [
    "book", "clean", "skin", "money", "glow", "hair", "dance", "recipe", "travel", "fit", "gym", "plant",
    "cat", "dog", "car", "art", "music", "movie", "night", "day", "summer", "winter", "home", "office",
    "school", "teacher", "mom", "dad", "baby", "wedding", "beauty", "nail", "makeup", "style", "vintage",
    "thrift", "craft", "paint", "garden", "coffee", "tea", "cake", "vegan", "pasta", "ramen", "sushi",
    "game", "anime", "manga", "cosplay", "science", "space", "ocean", "beach", "city", "road", "train",
    "bike", "run", "yoga", "sleep", "dream", "love", "viral",
];

/// How many hashtags make about so many samples.
pub fn hashtags_for(samples: usize) -> usize {
    samples.div_ceil(SAMPLES)
}

/// The names of so many hashtags.
pub fn names(hashtags: usize) -> impl Iterator<Item = Hashtag> {
    (0..hashtags).map(|number| {
        let (round, pair) = (number / WORDS.len().pow(2), number % WORDS.len().pow(2));
        let (first, second) = (WORDS[pair / WORDS.len()], WORDS[pair % WORDS.len()]);
        let round = if round == 0 { String::new() } else { round.to_string() };
        Hashtag::parse(&format!("{first}{second}{round}")).unwrap()
    })
}

/// So many hashtags, all read shortly before `now`.
pub fn states(hashtags: usize, now: Timestamp) -> impl Iterator<Item = HashtagState> {
    let mut random = fastrand::Rng::with_seed(1);
    names(hashtags).map(move |hashtag| state(hashtag, now, &mut random))
}

/// The same as a snapshot.
pub fn snapshot(hashtags: usize, now: Timestamp) -> Snapshot {
    let mut all: Vec<_> = states(hashtags, now).map(Arc::new).collect();
    all.sort_by(|a, b| a.hashtag.cmp(&b.hashtag));
    Snapshot { hashtags: all, ..Snapshot::default() }
}

fn state(hashtag: Hashtag, now: Timestamp, random: &mut fastrand::Rng) -> HashtagState {
    let at = now - Duration::from_millis(random.u64(0..3_600_000));
    let posts = about(random, 1e3, 1e8);
    let views = posts.saturating_mul(about(random, 20.0, 2e4));
    let reading =
        |value: u64| Reading { at, recent: RecentValues::from_newest_first([value, value - value / 50]) };
    HashtagState {
        id: ChallengeId::parse(&random.u64(10_000..10_000_000_000_000_000).to_string()).ok(),
        resolved_at: Some(at),
        found: Some(true),
        commerce: Some(random.u8(0..10) == 0),
        posts: Some(reading(posts)),
        views: Some(reading(views)),
        refresh: refreshed(at),
        regions: REGIONS.map(|region| region_state(Region::parse(region).unwrap(), now, random)).into(),
        hashtag,
        group: "default".into(),
        max_age: LONG * 2,
    }
}

fn region_state(region: Region, now: Timestamp, random: &mut fastrand::Rng) -> RegionState {
    let at = now - Duration::from_millis(random.u64(0..3_600_000));
    let reaches_back = HOUR.mul_f64(10_f64.powf(random.f64() * 3.0));
    let posts =
        (0..random.u32(20..105)).map(|_| post(region, at - reaches_back.mul_f64(random.f64()), random));
    let sample = PostSample {
        seen: posts.len() as u64,
        posts: posts.collect(),
        pages: random.u32(1..4),
        exhausted: random.bool(),
    };
    RegionState { region, sample: Some(Sampled::new(at, &sample.stats(region, at))), refresh: refreshed(at) }
}

fn post(region: Region, at: Timestamp, random: &mut fastrand::Rng) -> Post {
    let plays = about(random, 100.0, 1e7);
    let share = |random: &mut fastrand::Rng, of: f64| Some((plays as f64 * of * random.f64()) as u64);
    let words = |random: &mut fastrand::Rng, count| -> Vec<&str> {
        (0..count).map(|_| WORDS[random.usize(0..WORDS.len())]).collect()
    };
    Post {
        id: random.u64(7_000_000_000_000_000_000..8_000_000_000_000_000_000).to_string(),
        author: Post::author(&words(random, 2).join("_")),
        title: Post::title(&words(random, 8).join(" ")),
        created_at: Some(at),
        region: (random.u8(0..4) > 0).then_some(region),
        plays: Some(plays),
        likes: share(random, 0.2),
        comments: share(random, 0.01),
        shares: share(random, 0.02),
        saves: share(random, 0.03),
    }
}

/// A number of any order of magnitude between the two.
fn about(random: &mut fastrand::Rng, least: f64, most: f64) -> u64 {
    (least * (most / least).powf(random.f64())) as u64
}

fn refreshed(at: Timestamp) -> Refresh {
    Refresh {
        interval: LONG,
        last: Some((at, Outcome::Success)),
        last_success: Some(at),
        next_due: Some(at + LONG),
    }
}

/// Writes so many hashtags into a store, as if they had all just been refreshed.
pub fn fill_store(path: &Path, hashtags: usize, now: Timestamp) {
    let store = Store::open(path).unwrap();
    store.note_simulated(now).unwrap();
    let mut random = fastrand::Rng::with_seed(2);
    for state in states(hashtags, now) {
        store.save_hashtag(&state).unwrap();
        let posts = state.posts.as_ref().unwrap();
        store.save_growth(&state.hashtag, &Growth::new(posts.value(), posts.at)).unwrap();
        for region in &state.regions {
            let best = [(); 3].map(|()| post(region.region, now, &mut random));
            store.save_sample(&state.hashtag, region, Some(&best)).unwrap();
        }
    }
}

/// A configuration that watches so many hashtags, with these intervals.
pub fn configuration(hashtags: usize, api: &str, store: &Path, totals: Duration, posts: Duration) -> String {
    let names: Vec<String> = names(hashtags).map(|name| format!("{:?}", name.as_str())).collect();
    let (totals, posts, max_age) = (totals.as_secs(), posts.as_secs(), (LONG * 2).as_secs());
    format!(
        "[api]\nbase_url = \"{api}\"\nrate_limit_per_minute = 6000\n\
         [store]\npath = {store:?}\n\
         [watchlist]\nmax_pairs = 1000000\n\
         [refresh]\ntotals_interval = \"{totals}s\"\nposts_interval = \"{posts}s\"\nmax_age = \"{max_age}s\"\n\
         [posts]\npages_max = 1\n\
         [[watch]]\nregions = {REGIONS:?}\nhashtags = [{}]\n",
        names.join(", ")
    )
}
