//! Packs: many answers in one file, as a script that calls back.
//!
//! ```text
//! linearscopePack("row-0-3", "…base64 of raw deflate…");
//!
//! u32 width · u32 length of the list · list (JSON: name, kind, status, headers, at, bytes) · bodies
//! ```
//!
//! Bodies begin at multiples of 8. Their bytes are stored in planes: of all numbers of `width` bytes first the first
//! bytes, then the second, since exponents are alike where digits are not. page/source-export.js reads them.

use std::io::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, write::DeflateEncoder};
use linearscope_picture::page::planes;
use serde_json::{Map, Value, json};

use crate::explore::{
    answer::{Answer, JSON},
    refusal::Refusal,
};

/// Answers on their way into a file.
pub(super) struct Pack {
    pub name: String,
    /// Bytes of a number.
    width: usize,
    list: Vec<Value>,
    bodies: Vec<u8>,
}

/// Numbers begin at multiples of this.
const ALIGNED: usize = 8;

impl Pack {
    pub(super) fn new(name: &str, width: usize) -> Self {
        Self {
            name: name.into(),
            width,
            list: Vec::new(),
            bodies: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, name: String, answer: &Answer) {
        // How long it took here means nothing there.
        let said = answer
            .headers
            .iter()
            .filter(|(name, _)| *name != "linearscope-ms");
        let headers = said.map(|(name, value)| (name.to_string(), json!(value)));
        self.put(name, answer.kind, 200, headers.collect(), &answer.body);
    }

    pub(super) fn refuse(&mut self, name: String, refusal: &Refusal) {
        let body = refusal.to_json().to_string();
        let status = refusal.status.as_u16();
        self.put(name, JSON, status, Map::new(), body.as_bytes());
    }

    fn put(
        &mut self,
        name: String,
        kind: &str,
        status: u16,
        headers: Map<String, Value>,
        body: &[u8],
    ) {
        self.list.push(json!({
            "name": name,
            "kind": kind,
            "status": status,
            "headers": headers,
            "at": self.bodies.len(),
            "bytes": body.len(),
        }));
        self.bodies.extend_from_slice(body);
        let padded = self.bodies.len().next_multiple_of(ALIGNED);
        self.bodies.resize(padded, 0);
    }

    /// The bodies' bytes before they are deflated.
    pub(super) fn bytes(&self) -> usize {
        self.bodies.len()
    }

    /// The file.
    ///
    /// # Errors
    /// None that memory would not give.
    pub(super) fn script(&self) -> std::io::Result<Vec<u8>> {
        let list = Value::from(self.list.clone()).to_string();
        let mut whole = DeflateEncoder::new(Vec::new(), Compression::default());
        for number in [self.width, list.len()] {
            whole.write_all(&(number as u32).to_le_bytes())?;
        }
        whole.write_all(list.as_bytes())?;
        whole.write_all(&planes(&self.bodies, self.width))?;
        let deflated = whole.finish()?;
        let mut script = format!("linearscopePack({:?}, \"", self.name);
        STANDARD.encode_string(deflated, &mut script);
        script.push_str("\");\n");
        Ok(script.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::DeflateDecoder;

    use super::*;
    use crate::args::Precision;

    #[test]
    fn planes_are_the_bytes_of_numbers_in_turn() {
        assert_eq!(planes(b"a1b2c3", 2), b"abc123");
        assert_eq!(planes(b"abc", 1), b"abc");
        assert_eq!(planes(b"", 4), b"");
    }

    #[test]
    fn a_pack_holds_what_was_answered() {
        let values = [1.5, -2.0, 0.0, 1e-30];
        let answer = Answer::cropped(&values, &[1, 1, 2, 2], Precision::F32).expect("an array");
        let mut pack = Pack::new("row-0-0", 4);
        pack.add("row?at=all,0,0".into(), &answer);
        pack.refuse("votes".into(), &Refusal::bad("no").hint("never"));
        let script = String::from_utf8(pack.script().expect("a script")).expect("text");
        let text = script
            .strip_prefix("linearscopePack(\"row-0-0\", \"")
            .and_then(|rest| rest.strip_suffix("\");\n"))
            .expect("a call");
        let mut whole = Vec::new();
        DeflateDecoder::new(&STANDARD.decode(text).expect("base64")[..])
            .read_to_end(&mut whole)
            .expect("deflate");
        assert_eq!(whole[..4], 4u32.to_le_bytes());
        let length = u32::from_le_bytes(whole[4..8].try_into().expect("four")) as usize;
        let list: Vec<Value> = serde_json::from_slice(&whole[8..8 + length]).expect("a list");
        let bodies = &whole[8 + length..];
        let part = bodies.len() / 4;
        let bytes: Vec<u8> = (0..bodies.len())
            .map(|i| bodies[i % 4 * part + i / 4])
            .collect();
        let body = |i: usize| {
            let at = list[i]["at"].as_u64().expect("a place") as usize;
            &bytes[at..at + list[i]["bytes"].as_u64().expect("a size") as usize]
        };
        assert_eq!(body(0), &answer.body[..]);
        assert_eq!(list[0]["headers"]["linearscope-window"], "0,0,2,2");
        assert_eq!(list[1]["status"], 400);
        assert_eq!(body(1), br#"{"error":"no","hint":"never"}"#);
    }
}
