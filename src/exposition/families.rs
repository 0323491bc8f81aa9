//! The result families: names and help texts.

/// A family of gauges; of counters, if its name ends in `_total`.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
}

impl Family {
    pub(super) fn is_counter(&self) -> bool {
        self.name.ends_with("_total")
    }
}

macro_rules! families {
    ($($(#[doc = $help:literal])+ $constant:ident = $name:literal;)+) => {
        $($(#[doc = $help])+ pub(super) const $constant: $crate::exposition::families::Family =
            $crate::exposition::families::Family { name: $name, help: concat!($($help),+) };)+

        /// Every family of this file, in the order of their declaration.
        pub(super) const ALL: &[&$crate::exposition::families::Family] = &[$(&$constant),+];
    };
}

pub(super) use families;

// The doc comment of a family is its HELP text.
families! {
    ///Posts that carry the hashtag, worldwide, as the API counts them (its documentation calls the same
    /// number both unique posts and creators). Refreshed on a schedule; can dip, and is rounded for large hashtags.
    POSTS = "tiktok_hashtag_posts";
    ///Views of all posts that carry the hashtag, worldwide. Refreshed on a schedule; can dip, and is rounded
    /// for large hashtags.
    VIEWS = "tiktok_hashtag_views";
    ///Step in which tiktok_hashtag_posts is seen to move: the largest power of ten that divides its last
    /// distinct values, 1 when it is exact.
    POSTS_RESOLUTION = "tiktok_hashtag_posts_resolution";
    ///Step in which tiktok_hashtag_views is seen to move: the largest power of ten that divides its last
    /// distinct values, 1 when it is exact.
    VIEWS_RESOLUTION = "tiktok_hashtag_views_resolution";
    ///Constant 1 for every watched hashtag, with its id (empty until resolved), its watch group, and whether
    /// the platform flags it as commercial (true, false, unknown).
    INFO = "tiktok_hashtag_info";
    ///1 if the last refresh of the hashtag's totals succeeded, 0 if not. Absent before the first.
    UP = "tiktok_hashtag_up";
    ///1 if the API knows the hashtag, 0 if it says that there is none (any more). Absent until it has said either.
    FOUND = "tiktok_hashtag_found";
    ///When the hashtag's totals were last refreshed with success.
    LAST_SUCCESS = "tiktok_hashtag_last_success_timestamp_seconds";
    ///How often the hashtag's totals are meant to be refreshed: as configured, or stretched by the budget. While the
    /// budget pauses them, as configured.
    REFRESH_INTERVAL = "tiktok_hashtag_refresh_interval_seconds";
    ///Posts of the last 24 hours over the mean number of posts a day in the last 7 days, counted in a sample
    /// of posts: 0 to 7. Means nothing while tiktok_hashtag_sample_saturated is 1. Refreshed on a schedule.
    VELOCITY = "tiktok_hashtag_sample_velocity";
    ///tiktok_hashtag_sample_velocity times the mean plays of the sampled posts of the last 24 hours; 0 without
    /// such posts, absent if none of them says its plays. Refreshed on a schedule.
    WEIGHTED_VELOCITY = "tiktok_hashtag_engagement_weighted_velocity";
    ///Posts in the sample by the time window they were published in: 24h, 7d, or all.
    SAMPLE_POSTS = "tiktok_hashtag_sample_posts";
    ///Plays of the sampled posts together. Absent if none of them says.
    SAMPLE_PLAYS = "tiktok_hashtag_sample_plays";
    ///Likes of the sampled posts together. Absent if none of them says.
    SAMPLE_LIKES = "tiktok_hashtag_sample_likes";
    ///Comments on the sampled posts together. Absent if none of them says.
    SAMPLE_COMMENTS = "tiktok_hashtag_sample_comments";
    ///Shares of the sampled posts together. Absent if none of them says.
    SAMPLE_SHARES = "tiktok_hashtag_sample_shares";
    ///Saves of the sampled posts together. Absent if none of them says.
    SAMPLE_SAVES = "tiktok_hashtag_sample_saves";
    ///Likes, comments, shares and saves over plays of the sampled posts. Absent without plays, or if no post says
    /// one of them.
    SAMPLE_ENGAGEMENT_RATIO = "tiktok_hashtag_sample_engagement_ratio";
    ///1 if more posts exist and the oldest sampled one is younger than 7 days, so that the sample velocity
    /// measures the size of the sample and not the hashtag; else 0.
    SAMPLE_SATURATED = "tiktok_hashtag_sample_saturated";
    ///Age of the oldest sampled post when the sample was taken. Absent without dated posts.
    SAMPLE_OLDEST_POST_AGE = "tiktok_hashtag_sample_oldest_post_age_seconds";
    ///Pages of posts that were asked for to make the sample.
    SAMPLE_PAGES = "tiktok_hashtag_sample_pages";
    ///Share of the sampled posts whose own region is the asked one, 0 to 1. Absent for region any.
    SAMPLE_REGION_MATCH_RATIO = "tiktok_hashtag_sample_region_match_ratio";
    ///1 if the last refresh of the hashtag's posts in the region succeeded, 0 if not. Absent before the first.
    SAMPLE_UP = "tiktok_hashtag_sample_up";
    ///When the hashtag's posts in the region were last refreshed with success.
    SAMPLE_LAST_SUCCESS = "tiktok_hashtag_sample_last_success_timestamp_seconds";
    ///How often the hashtag's posts in the region are meant to be refreshed: as configured, or stretched by the
    /// budget. While the budget pauses them, as configured.
    SAMPLE_REFRESH_INTERVAL = "tiktok_hashtag_sample_refresh_interval_seconds";
}
