//! Reasons to stop all requests.

/// Why all requests are stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trip {
    /// The API rejects the key.
    Auth,
    /// The account has no credits left.
    CreditsExhausted,
}

impl Trip {
    /// All reasons.
    pub const ALL: [Trip; 2] = [Trip::Auth, Trip::CreditsExhausted];

    /// The reason as a label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Trip::Auth => "auth",
            Trip::CreditsExhausted => "credits_exhausted",
        }
    }
}
