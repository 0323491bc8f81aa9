//! Why a connection or a request was refused.

/// The reason why a connection or a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The limit of connections is reached, for all clients or for this one. 503, or with TLS no answer.
    TooManyClients,
    /// The limit of concurrent requests is reached. 503.
    TooManyRequests,
    /// The `rate_limit` of the web configuration file is exceeded. 429.
    RateLimit,
    /// Plain HTTP on a port that serves HTTPS. 400.
    PlainHttp,
    /// A TLS handshake failed for a reason other than the client certificate.
    Handshake,
    /// The client certificate is missing, expired, not from a known authority, or not for an allowed name.
    ClientCertificate,
    /// A user name and a password are required, and the request has none. 401.
    NoCredentials,
    /// The user name or the password is wrong. 401.
    WrongCredentials,
    /// A request from a web page with a method other than GET or HEAD. 403.
    CrossSite,
    /// The announced body is larger than the server accepts. 413.
    TooLarge,
}

impl Refusal {
    /// All reasons.
    pub const ALL: [Refusal; 10] = [
        Refusal::TooManyClients,
        Refusal::TooManyRequests,
        Refusal::RateLimit,
        Refusal::PlainHttp,
        Refusal::Handshake,
        Refusal::ClientCertificate,
        Refusal::NoCredentials,
        Refusal::WrongCredentials,
        Refusal::CrossSite,
        Refusal::TooLarge,
    ];

    /// The reason as a label value, such as `too_many_clients`.
    pub fn as_str(self) -> &'static str {
        match self {
            Refusal::TooManyClients => "too_many_clients",
            Refusal::TooManyRequests => "too_many_requests",
            Refusal::RateLimit => "rate_limit",
            Refusal::PlainHttp => "plain_http",
            Refusal::Handshake => "tls_handshake",
            Refusal::ClientCertificate => "client_certificate",
            Refusal::NoCredentials => "no_credentials",
            Refusal::WrongCredentials => "wrong_credentials",
            Refusal::CrossSite => "cross_site",
            Refusal::TooLarge => "too_large",
        }
    }
}
