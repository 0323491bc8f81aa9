//! Certificates of a made-up authority, for servers and clients on this machine.

use std::fs;
use std::path::Path;

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, SanType, date_time_ymd,
};

/// An authority that signs whatever it is asked to.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = named("authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Writes its own certificate.
    pub fn write(&self, path: &Path) {
        fs::write(path, &self.pem).unwrap();
    }

    /// Writes `NAME.pem` and `NAME.key` of a server on this machine.
    pub fn server(&self, directory: &Path, name: &str) {
        let params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        self.sign(params, ExtendedKeyUsagePurpose::ServerAuth, directory, name);
    }

    /// The same of a client with this DNS name.
    pub fn client(&self, directory: &Path, name: &str, dns_name: &str) {
        let params = CertificateParams::new(vec![dns_name.to_owned()]).unwrap();
        self.sign(params, ExtendedKeyUsagePurpose::ClientAuth, directory, name);
    }

    /// The same of a client whose time is over.
    pub fn expired_client(&self, directory: &Path, name: &str, dns_name: &str) {
        let mut params = CertificateParams::new(vec![dns_name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 12, 31);
        self.sign(params, ExtendedKeyUsagePurpose::ClientAuth, directory, name);
    }

    /// The same of a client that is known by a URI.
    pub fn client_with_uri(&self, directory: &Path, name: &str, uri: &str) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(uri).unwrap())];
        self.sign(params, ExtendedKeyUsagePurpose::ClientAuth, directory, name);
    }

    fn sign(
        &self,
        mut params: CertificateParams,
        usage: ExtendedKeyUsagePurpose,
        directory: &Path,
        name: &str,
    ) {
        // Not the authority's own name: OpenSSL would take it for one that signed itself.
        params.distinguished_name = named(name);
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(directory.join(format!("{name}.pem")), certificate.pem()).unwrap();
        write_secret(&directory.join(format!("{name}.key")), &key.serialize_pem());
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

/// Writes a file that only its owner reads.
pub fn write_secret(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}
