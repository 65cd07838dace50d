//! What settings and the files that they name make: it is made anew when those files change.

use std::cell::{Ref, RefCell};
use std::sync::Arc;

use super::contents::Contents;
#[cfg(any(feature = "influxdb", feature = "opentsdb", feature = "otlp"))]
use super::message::said;
use super::settings::Settings;
use crate::exporters::tls::Pem;

/// A client of some kind, and what it was made of.
pub(super) struct Renewed<C> {
    pub(super) settings: Arc<Settings>,
    made: RefCell<(Contents, C)>,
}

/// What can be made of them. No connection is made yet.
pub(super) trait Make: Sized {
    fn make(settings: &Settings, pem: &Pem) -> Result<Self, String>;
}

impl<C: Make> Renewed<C> {
    /// Reads all files that the settings name.
    pub(super) fn new(settings: Settings) -> Result<Self, String> {
        let contents = Contents::read(&settings)?;
        let client = C::make(&settings, &contents.pem)?;
        Ok(Self { settings: Arc::new(settings), made: RefCell::new((contents, client)) })
    }

    /// Reads the files again, where there are any, and begins with a new client where those of TLS have changed.
    pub(super) async fn refresh(&self) -> Result<(), String> {
        if !self.settings.has_files() {
            return Ok(());
        }
        let settings = self.settings.clone();
        // A file system may hang; the thread must not.
        let read = tokio::task::spawn_blocking(move || Contents::read(&settings)).await;
        let contents = read.map_err(|e| format!("its files can't be read: {e}"))??;
        let mut made = self.made.borrow_mut();
        if contents.pem != made.0.pem {
            made.1 = C::make(&self.settings, &contents.pem)?;
        }
        made.0 = contents;
        Ok(())
    }

    pub(super) fn client(&self) -> Ref<'_, C> {
        Ref::map(self.made.borrow(), |made| &made.1)
    }

    /// A password or a token.
    pub(super) fn secret(&self) -> Option<String> {
        self.made.borrow().0.secret.clone()
    }

    /// A text of the receiver as it may be shown: one line, without secrets.
    #[cfg(any(feature = "influxdb", feature = "opentsdb", feature = "otlp"))]
    pub(super) fn said(&self, text: &[u8]) -> String {
        said(text, &self.secrets())
    }

    /// What a receiver may have been told in confidence. Shorter words are left out: a text may hold them by chance.
    pub(super) fn secrets(&self) -> Vec<String> {
        const LEAST: usize = 6;
        let made = self.made.borrow();
        let headers = self.settings.headers.values().filter_map(|value| value.to_str().ok());
        let words = headers.flat_map(str::split_whitespace).map(str::to_owned);
        let secret = made.0.secret.clone();
        // A password as it goes over the wire is as good as itself.
        let sent =
            self.settings.auth.as_ref().zip(secret.as_deref()).map(|(auth, secret)| auth.credentials(secret));
        words.chain(secret).chain(sent).filter(|word| word.len() >= LEAST).collect()
    }
}
