//! The page: files that the program carries, listed by build.rs.

use sha2::{Digest, Sha256};

use crate::results::hex;

/// Name and bytes of each.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// A file of the page.
pub(crate) struct File {
    pub kind: &'static str,
    pub bytes: &'static [u8],
}

/// The file of a name.
pub(crate) fn file(name: &str) -> Option<File> {
    let (name, bytes) = FILES.iter().find(|(known, _)| *known == name)?;
    let kind = match name.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "json" | "webmanifest" => "application/json",
        _ => return None,
    };
    Some(File { kind, bytes })
}

impl File {
    /// What a browser knows it by.
    pub(crate) fn tag(&self) -> String {
        format!("\"{}\"", &hex(Sha256::digest(self.bytes))[..16])
    }
}
