//! TLS as `rustls` is told of it, for all that speaks to a receiver: files come in, a configuration goes out. It is everything, as
//! nobody adds anything to a configuration that is handed on. What stands in the files never prints.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

/// The files (PEM) of a client certificate and its key.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// The certificate, and those between it and its authority.
    pub(crate) certificate: PathBuf,
    /// Its private key.
    pub(crate) key: PathBuf,
}

/// What stands in the files. It is compared as a whole: times of files are too coarse.
#[derive(PartialEq, Eq)]
pub(super) struct Pem {
    ca: Option<Vec<u8>>,
    /// A certificate and its key.
    identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl Pem {
    /// Certificates that are trusted beside those of the platform, and who we are.
    pub(super) fn read(ca: Option<&Path>, identity: Option<&Identity>) -> Result<Self, String> {
        let ca = ca.map(read).transpose()?;
        let pair = identity.map(|files| Ok::<_, String>((read(&files.certificate)?, read(&files.key)?)));
        Ok(Self { ca, identity: pair.transpose()? })
    }
}

/// So many bytes of a file are the most.
const MOST: u64 = 4 << 20;

/// A small file: a key, a bundle of certificates, a secret.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut all = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MOST + 1).read_to_end(&mut all))
        .map_err(|e| format!("{} can't be read: {e}", path.display()))?;
    if all.len() as u64 > MOST {
        return Err(format!("{} has more than {MOST} bytes", path.display()));
    }
    Ok(all)
}

/// What the platform trusts, where that is `used`, and the authorities of `ca`; the client certificate. Which protocols ALPN
/// offers, clients say.
pub(super) fn config(pem: &Pem, used: bool) -> Result<ClientConfig, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let extra = pem.ca.as_deref().map(|ca| certificates(ca, "CA")).transpose()?.unwrap_or_default();
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|e| e.to_string())?;
    let builder = if used {
        let verifier = Verifier::new_with_extra_roots(extra, provider)
            .map_err(|e| format!("certificates can't be checked: {e}"))?;
        builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
    } else {
        // The platform's are hundreds, which takes its time.
        builder.with_root_certificates(RootCertStore::empty())
    };
    Ok(match &pem.identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let key = PrivateKeyDer::from_pem_slice(key)
                .map_err(|_| "the file of the client key holds no private key (PEM)")?;
            builder
                .with_client_auth_cert(certificates(certificate, "client certificate")?, key)
                .map_err(|e| format!("the client certificate and its key can't be used: {e}"))?
        }
    })
}

fn certificates(pem: &[u8], of: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let all = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let all = all.ok().filter(|all| !all.is_empty());
    all.ok_or_else(|| format!("the file of the {of} holds no certificate (PEM)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_too_large_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        let file = File::create(&path).unwrap();
        file.set_len(MOST).unwrap();
        assert_eq!(read(&path).unwrap().len() as u64, MOST);
        file.set_len(MOST + 1).unwrap();
        assert_eq!(read(&path).unwrap_err(), format!("{} has more than 4194304 bytes", path.display()));
    }
}
