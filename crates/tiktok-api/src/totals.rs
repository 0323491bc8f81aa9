//! What the platform counts about a hashtag as a whole.

use super::{ChallengeId, Hashtag};

/// Counts of a hashtag over its whole life, worldwide. `None` is "the answer did not say", which
/// is never the same as zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Posts that carry the hashtag. The vendor also calls the same number "creators".
    pub posts: Option<u64>,
    /// Views of all these posts together. Reaches 7e13; platform-rounded for large hashtags.
    pub views: Option<u64>,
}

/// One hashtag as a look-up or a search describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashtagRecord {
    /// The platform's number for it.
    pub id: ChallengeId,
    /// Its name, folded.
    pub hashtag: Hashtag,
    /// Its counts at the moment of the answer.
    pub totals: Totals,
    /// What the platform flags it as.
    pub flags: Flags,
    /// What the platform says about it, as it came: any characters, of any length.
    pub description: Option<String>,
}

/// What the platform flags a hashtag as. `None` is "the answer did not say".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags {
    /// Commercial.
    pub commerce: Option<bool>,
    /// A challenge in the narrow sense: somebody calls on others to join in.
    pub challenge: Option<bool>,
    /// Of professionally made content ("PGC").
    pub pgc_show: Option<bool>,
    /// Tied to a piece of music.
    pub strong_music: Option<bool>,
}
