//! Builds the configuration of rustls from `tls_server_config`.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::ring as ring_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{NamedGroup, RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::client_certs::ClientCertificates;
use super::files::{WatchedFiles, is_world_readable};
use super::format::{Pem, TlsSection};
use crate::Problem;

const SECTION: &str = "tls_server_config";

/// The key exchanges that are supported, by Go's names.
const CURVES: [(&str, NamedGroup); 3] = [
    ("X25519", NamedGroup::X25519),
    ("CurveP256", NamedGroup::secp256r1),
    ("CurveP384", NamedGroup::secp384r1),
];

/// Key exchanges that Go knows and rustls with ring does not.
const OTHER_CURVES: [&str; 2] = ["CurveP521", "X25519MLKEM768"];

/// Weak cipher suites that Go knows and rustls does not support, by Go's names.
const WEAK_SUITES: [&str; 9] = [
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_FALLBACK_SCSV",
];

/// The result of reading the section, besides its problems.
#[derive(Default)]
pub(super) struct Built {
    pub(super) config: Option<Arc<ServerConfig>>,
    /// Whether every client must present a certificate of a known authority.
    pub(super) verifies_clients: bool,
    /// Versions and client certificates in a few words.
    pub(super) summary: String,
    pub(super) warnings: Vec<String>,
}

/// Reads the files that `tls` names and builds the configuration.
pub(super) fn build(
    tls: &TlsSection,
    http2: bool,
    files: &mut WatchedFiles,
    problems: &mut Vec<Problem>,
) -> Built {
    let mut builder = Builder { files, problems, built: Built::default() };
    let before = builder.problems.len();
    let versions = builder.versions(tls);
    let provider = Arc::new(builder.provider(tls));
    let chain = builder.chain("cert_file", tls.certificate.as_ref());
    let key = builder.key(tls.key.as_ref());
    let verifier = builder.verifier(tls, &provider);
    let Builder { problems, mut built, .. } = builder;
    let (Some(chain), Some(key), true) = (chain, key, problems.len() == before) else { return built };
    let mut problem = |key: &str, why: String| problems.push(Problem::new(format!("{SECTION}.{key}"), why));

    let config = match ServerConfig::builder_with_provider(provider).with_protocol_versions(&versions) {
        Ok(config) => config,
        Err(error) => {
            problem("cipher_suites", format!("cannot be used: {error}"));
            return built;
        }
    };
    let config = match &verifier {
        Some(verifier) => config.with_client_cert_verifier(verifier.clone()),
        None => config.with_no_client_auth(),
    };
    let mut config = match config.with_single_cert(chain, key) {
        Ok(config) => config,
        Err(error) => {
            problem("key_file", format!("does not go with the certificate: {error}"));
            return built;
        }
    };
    config.ignore_client_order = tls.server_chooses;
    if http2 {
        config.alpn_protocols.push(b"h2".to_vec());
    }
    config.alpn_protocols.push(b"http/1.1".to_vec());
    if verifier.is_some() {
        // A resumed session would not present its certificate again, which may have expired since.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    let names: Vec<&str> =
        versions.iter().map(|version| if *version == &TLS12 { "1.2" } else { "1.3" }).collect();
    built.summary = format!("TLS {}", names.join(" and "));
    if let Some(verifier) = verifier {
        let mode = if verifier.client_auth_mandatory() { "required" } else { "possible" };
        built.summary += &format!(", client certificates {mode}");
    }
    built.verifies_clients = tls.client_auth.as_deref() == Some("RequireAndVerifyClientCert");
    built.config = Some(Arc::new(config));
    built
}

struct Builder<'a> {
    files: &'a mut WatchedFiles,
    problems: &'a mut Vec<Problem>,
    built: Built,
}

impl Builder<'_> {
    fn problem(&mut self, key: &str, why: impl Into<String>) {
        self.problems.push(Problem::new(format!("{SECTION}.{key}"), why));
    }

    /// Reports a problem in place of a value.
    fn fail<T>(&mut self, key: &str, why: impl Into<String>) -> Option<T> {
        self.problem(key, why);
        None
    }

    fn warn(&mut self, key: &str, why: &str) {
        self.built.warnings.push(format!("{SECTION}.{key}: {why}"));
    }

    fn versions(&mut self, tls: &TlsSection) -> Vec<&'static SupportedProtocolVersion> {
        let min = self.version("min_version", tls.min_version.as_deref()).unwrap_or(12);
        let max = self.version("max_version", tls.max_version.as_deref()).unwrap_or(13);
        if min < 12 {
            self.warn("min_version", "TLS 1.2 is the oldest supported version");
        }
        if max < 12 {
            self.problem("max_version", "TLS 1.2 is the oldest supported version (allowed: TLS12, TLS13)");
        } else if max < min {
            self.problem("max_version", "is below min_version");
        }
        let within = |number| (min..=max).contains(&number);
        [(13, &TLS13), (12, &TLS12)]
            .into_iter()
            .filter(|(number, _)| within(*number))
            .map(|(_, it)| it)
            .collect()
    }

    fn version(&mut self, key: &str, name: Option<&str>) -> Option<u8> {
        let known = [("TLS10", 10), ("TLS11", 11), ("TLS12", 12), ("TLS13", 13)];
        let name = name?;
        let found = known.into_iter().find(|(known, _)| *known == name).map(|(_, number)| number);
        if found.is_none() {
            self.problem(key, format!("{name:?} is not one of: TLS12, TLS13"));
        }
        found
    }

    /// The algorithms that the section allows.
    fn provider(&mut self, tls: &TlsSection) -> CryptoProvider {
        let mut provider = ring_provider::default_provider();
        if !tls.cipher_suites.is_empty() {
            let all = std::mem::take(&mut provider.cipher_suites);
            // As in Go, the suites of TLS 1.3 cannot be chosen: all of them are strong.
            let (modern, mut older): (Vec<_>, Vec<_>) =
                all.into_iter().partition(|suite| suite.version() == &TLS13);
            let name = |suite: &rustls::SupportedCipherSuite| {
                let name = format!("{:?}", suite.suite());
                name.replacen("TLS13_", "TLS_", 1)
            };
            // Go's names of two suites have a suffix that the registry's names have not.
            let same = |given: &str, name: &str| given == name || given.strip_suffix("_SHA256") == Some(name);
            let mut chosen = Vec::new();
            for given in &tls.cipher_suites {
                if let Some(at) = older.iter().position(|suite| same(given, &name(suite))) {
                    chosen.push(older.remove(at));
                } else if WEAK_SUITES.contains(&given.as_str()) {
                    self.warn("cipher_suites", &format!("{given} is weak and is left out"));
                } else if !modern.iter().chain(&chosen).any(|suite| same(given, &name(suite))) {
                    let names: Vec<String> = older.iter().chain(&chosen).map(name).collect();
                    self.problem("cipher_suites", format!("{given:?} is not one of: {}", names.join(", ")));
                }
            }
            provider.cipher_suites = chosen.into_iter().chain(modern).collect();
        }
        if !tls.curves.is_empty() {
            let mut chosen = Vec::new();
            for given in &tls.curves {
                let named = CURVES.iter().find(|(name, _)| name == given).map(|(_, group)| *group);
                if let Some(group) = provider.kx_groups.iter().find(|group| Some(group.name()) == named) {
                    chosen.push(*group);
                } else if OTHER_CURVES.contains(&given.as_str()) {
                    self.warn("curve_preferences", &format!("{given} is not supported and is left out"));
                } else {
                    let names = CURVES.map(|(name, _)| name).join(", ");
                    self.problem("curve_preferences", format!("{given:?} is not one of: {names}"));
                }
            }
            if chosen.is_empty() {
                self.problem(
                    "curve_preferences",
                    format!("has no supported curve (allowed: {})", CURVES.map(|(name, _)| name).join(", ")),
                );
            }
            provider.kx_groups = chosen;
        }
        provider
    }

    /// The bytes of a PEM text.
    fn bytes(&mut self, key: &str, pem: Option<&Pem>) -> Option<Vec<u8>> {
        match pem? {
            Pem::Inline(text) => Some(text.clone().into_bytes()),
            Pem::File(path) => match self.files.read(path) {
                Ok(bytes) => Some(bytes),
                Err(error) => self.fail(key, format!("{} cannot be read: {error}", path.display())),
            },
        }
    }

    fn chain(&mut self, key: &str, pem: Option<&Pem>) -> Option<Vec<CertificateDer<'static>>> {
        let bytes = self.bytes(key, pem)?;
        match CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>() {
            Ok(chain) if !chain.is_empty() => Some(chain),
            Ok(_) => self.fail(key, "holds no certificate in PEM (-----BEGIN CERTIFICATE-----)"),
            Err(_) => self.fail(key, "holds damaged PEM"),
        }
    }

    fn key(&mut self, pem: Option<&Pem>) -> Option<PrivateKeyDer<'static>> {
        let bytes = self.bytes("key_file", pem)?;
        if let Some(Pem::File(path)) = pem
            && is_world_readable(path)
        {
            self.warn("key_file", &format!("{} is readable by every user; chmod 600 it", path.display()));
        }
        let key = PrivateKeyDer::from_pem_slice(&bytes);
        if key.is_err() {
            // The error is not shown: it may quote the key.
            self.problem(
                "key_file",
                "holds no private key in PEM without a password (-----BEGIN PRIVATE KEY-----)",
            );
        }
        key.ok()
    }

    /// The verifier of client certificates, if the section configures one.
    fn verifier(
        &mut self,
        tls: &TlsSection,
        provider: &Arc<CryptoProvider>,
    ) -> Option<Arc<dyn ClientCertVerifier>> {
        let kind = tls.client_auth.as_deref().unwrap_or("NoClientCert");
        let required =
            matches!(kind, "RequireAnyClientCert" | "RequireClientCert" | "RequireAndVerifyClientCert");
        let authorities = self.chain("client_ca_file", tls.client_ca.as_ref());
        if !tls.client_names.is_empty() && !required {
            let why = "needs client_auth_type RequireAndVerifyClientCert: otherwise a client can connect without a certificate";
            self.problem("client_allowed_sans", why);
        }
        if let Some(name) = tls.client_names.iter().find(|name| name.contains('@') && !name.contains("://")) {
            let why = format!("{name:?} is an e-mail address (allowed: DNS names, IP addresses, URIs)");
            self.problem("client_allowed_sans", why);
        }
        let issuer = match kind {
            "NoClientCert" => {
                if tls.client_ca.is_some() {
                    self.problem(
                        "client_auth_type",
                        "is missing: without it client_ca_file has no effect (RequireAndVerifyClientCert?)",
                    );
                }
                return None;
            }
            "RequestClientCert" | "RequireAnyClientCert" | "RequireClientCert" => {
                self.warn("client_auth_type", &format!("{kind} accepts any certificate, from any issuer"));
                None
            }
            "VerifyClientCertIfGiven" | "RequireAndVerifyClientCert" => {
                if tls.client_ca.is_none() {
                    self.problem(
                        "client_ca_file",
                        "is missing (the authority that issues the client certificates, in PEM)",
                    );
                }
                let mut roots = RootCertStore::empty();
                for authority in authorities? {
                    if let Err(error) = roots.add(authority) {
                        return self
                            .fail("client_ca_file", format!("holds an unusable certificate: {error}"));
                    }
                }
                let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
                let builder = if required { builder } else { builder.allow_unauthenticated() };
                match builder.build() {
                    Ok(verifier) => Some(verifier),
                    Err(error) => return self.fail("client_ca_file", format!("cannot be used: {error}")),
                }
            }
            other => {
                let known = "NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven, \
                             RequireAndVerifyClientCert";
                return self.fail("client_auth_type", format!("{other:?} is not one of: {known}"));
            }
        };
        let names = tls.client_names.clone();
        let algorithms = provider.signature_verification_algorithms;
        Some(Arc::new(ClientCertificates { required, issuer, names, algorithms }))
    }
}
