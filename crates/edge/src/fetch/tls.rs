//! Encryption of the way out, by rustls.

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::sync::{Arc, OnceLock};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Encrypts a connection to this host, whose certificate an authority that the system trusts must have signed for it.
///
/// # Errors
/// There are no authorities here, or the other side is not who it should be: a line.
pub(super) async fn wrap(stream: TcpStream, host: &str) -> Result<TlsStream<TcpStream>, String> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| format!("{host:?} cannot stand in a certificate"))?;
    connector().await?.connect(name, stream).await.map_err(|error| format!("TLS with {host} failed: {error}"))
}

/// The system's authorities are read at the first call: a house that calls nobody needs none.
async fn connector() -> Result<TlsConnector, String> {
    static CONNECTOR: OnceLock<TlsConnector> = OnceLock::new();
    if let Some(connector) = CONNECTOR.get() {
        return Ok(connector.clone());
    }
    let made = tokio::task::spawn_blocking(make).await.map_err(|error| error.to_string())??;
    Ok(CONNECTOR.get_or_init(|| made).clone())
}

fn make() -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    if roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs).0 == 0 {
        return Err("this system has no certificate authorities: install ca-certificates, or name a file in SSL_CERT_FILE".to_owned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}
