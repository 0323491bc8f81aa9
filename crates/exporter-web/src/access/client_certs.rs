//! Verifies client certificates in the ways that exporter-toolkit has and rustls has not.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use webpki::EndEntityCert;

/// Accepts certificates whose private key the client has, if issuer and names are allowed.
#[derive(Debug)]
pub(super) struct ClientCertificates {
    /// Whether a client without a certificate is refused.
    pub(super) required: bool,
    /// Verifies the issuer. `None` accepts every issuer.
    pub(super) issuer: Option<Arc<dyn ClientCertVerifier>>,
    /// DNS names, IP addresses or URIs; one must match exactly. Empty accepts every name.
    pub(super) names: Vec<String>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertificates {
    fn allows_name_of(&self, certificate: &EndEntityCert<'_>) -> bool {
        let is_listed = |name: &str| self.names.iter().any(|listed| listed == name);
        let has_address = |address: IpAddr| {
            certificate.verify_is_valid_for_subject_name(&ServerName::IpAddress(address.into())).is_ok()
        };
        certificate.valid_dns_names().any(is_listed)
            || certificate.valid_uri_names().any(is_listed)
            || self.names.iter().filter_map(|name| name.parse().ok()).any(has_address)
    }
}

impl ClientCertVerifier for ClientCertificates {
    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.issuer.as_ref().map_or(&[], |issuer| issuer.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if let Some(issuer) = &self.issuer {
            issuer.verify_client_cert(certificate, intermediates, now)?;
        }
        if self.names.is_empty()
            || EndEntityCert::try_from(certificate).is_ok_and(|parsed| self.allows_name_of(&parsed))
        {
            return Ok(ClientCertVerified::assertion());
        }
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
