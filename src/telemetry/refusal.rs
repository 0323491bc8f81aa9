//! Why the web server turned somebody away.

/// A reason to refuse a connection or a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// As many clients are served as can be.
    TooManyClients,
    /// As many requests are being answered as may be.
    TooManyRequests,
    /// More requests than `rate_limit` of the web configuration file lets through.
    RateLimit,
    /// Plain HTTP where TLS is spoken.
    PlainHttp,
    /// A TLS handshake that came to no end for another reason than the client's certificate.
    Handshake,
    /// The client's certificate is missing, expired, or of somebody unknown.
    ClientCertificate,
    /// No user name and password where they are asked for.
    NoCredentials,
    /// A user name and password that are not right.
    WrongCredentials,
    /// A request that would change something, sent by a web page.
    CrossSite,
    /// A body larger than any that is read.
    TooLarge,
}

impl Refusal {
    /// Every reason.
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

    /// The reason as a label value.
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
