/// The endpoints this program asks, named as the API names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// One hashtag by its name.
    ChallengeInfoName,
    /// One hashtag by its id.
    ChallengeInfoId,
    /// Posts of one hashtag.
    ChallengePosts,
    /// Hashtags by keyword.
    SearchChallenge,
    /// Posts by keyword.
    SearchVideo,
    /// Supported regions.
    RegionList,
}

impl Endpoint {
    /// Every endpoint.
    pub const ALL: [Endpoint; 6] = [
        Endpoint::ChallengeInfoName,
        Endpoint::ChallengeInfoId,
        Endpoint::ChallengePosts,
        Endpoint::SearchChallenge,
        Endpoint::SearchVideo,
        Endpoint::RegionList,
    ];

    /// The endpoint's path segment, without slashes.
    pub fn as_str(self) -> &'static str {
        match self {
            Endpoint::ChallengeInfoName => "challenge-info-name",
            Endpoint::ChallengeInfoId => "challenge-info-id",
            Endpoint::ChallengePosts => "challenge-posts",
            Endpoint::SearchChallenge => "search-challenge",
            Endpoint::SearchVideo => "search-video",
            Endpoint::RegionList => "region-list",
        }
    }

    /// The endpoint that [`as_str`](Self::as_str) spells so.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|endpoint| endpoint.as_str() == text)
    }
}
