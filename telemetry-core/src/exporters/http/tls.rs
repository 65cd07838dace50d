//! TLS as `rustls` is told of it: everything, as `reqwest` adds nothing to a configuration that it is handed.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::contents::Pem;

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
