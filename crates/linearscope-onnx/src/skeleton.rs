//! What a file says, without its numbers.
//!
//! A file is walked once, field by field: the structure is copied, the data of every tensor stepped
//! over, and where it lies is noted. So weights go from the file straight into their own memory and
//! exist nowhere else. Memory: the structure; nothing is allocated on the word of a length, only for
//! bytes that came.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

/// Lists of floats of more bytes than this stay in the file.
const LONG_LIST: u64 = 1024;

/// The deepest that messages may nest: a body in an attribute in a node in a graph is three deep.
const DEEPEST: usize = 100;

/// Which field held a tensor's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// Little-endian bytes of the tensor's type.
    Raw,
    /// `float_data`: little-endian f32.
    Floats,
    /// `double_data`: little-endian f64.
    Doubles,
}

/// Where a tensor's data lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub field: Field,
    pub offset: u64,
    pub length: u64,
}

/// A protobuf in which each tensor's `raw_data` is a number: the index of its [`Place`].
pub(crate) struct Skeleton {
    pub bytes: Vec<u8>,
    pub places: Vec<Place>,
}

/// A message on the way from the root to a tensor that is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Message {
    Model,
    Function,
    Graph,
    Node,
    Attribute,
    Tensor,
}

impl Message {
    /// What a field of it holds; field numbers are those of `onnx.proto`.
    fn child(self, field: u64) -> Option<Self> {
        Some(match (self, field) {
            (Message::Model, 7) | (Message::Attribute, 6) => Message::Graph,
            (Message::Model, 25) => Message::Function,
            (Message::Function, 7) | (Message::Graph, 1) => Message::Node,
            (Message::Function, 11) | (Message::Node, 5) => Message::Attribute,
            (Message::Graph, 5) | (Message::Attribute, 5) => Message::Tensor,
            _ => return None,
        })
    }
}

fn damaged(because: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, because.into())
}

fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Walk a file whose root is `root`.
///
/// # Errors
/// What the system says; [`io::ErrorKind::InvalidData`] for what is no protobuf or ends too early.
pub(crate) fn skeleton<S: Read + Seek>(source: S, root: Message) -> io::Result<Skeleton> {
    let mut source = BufReader::with_capacity(1 << 16, source);
    let size = source.seek(SeekFrom::End(0))?;
    source.seek(SeekFrom::Start(0))?;
    let mut walk = Walk {
        source,
        at: 0,
        places: Vec::new(),
    };
    let mut bytes = Vec::new();
    walk.message(root, size, &mut bytes, 0)?;
    Ok(Skeleton {
        bytes,
        places: walk.places,
    })
}

struct Walk<S> {
    source: BufReader<S>,
    at: u64,
    places: Vec<Place>,
}

impl<S: Read + Seek> Walk<S> {
    fn varint(&mut self) -> io::Result<u64> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let Some(&byte) = self.source.fill_buf()?.first() else {
                return Err(damaged(format!(
                    "it ends at byte {}, within a field",
                    self.at
                )));
            };
            self.source.consume(1);
            self.at += 1;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(damaged(format!(
            "a number at byte {} does not end",
            self.at
        )))
    }

    fn copy(&mut self, length: u64, out: &mut Vec<u8>) -> io::Result<()> {
        let got = (&mut self.source).take(length).read_to_end(out)? as u64;
        self.at += got;
        match got == length {
            true => Ok(()),
            false => Err(damaged(format!(
                "it ends at byte {}, within a field",
                self.at
            ))),
        }
    }

    /// Copy a message that ends at byte `end`, tensors' data left out.
    fn message(
        &mut self,
        kind: Message,
        end: u64,
        out: &mut Vec<u8>,
        depth: usize,
    ) -> io::Result<()> {
        if depth > DEEPEST {
            return Err(damaged(format!("it nests more than {DEEPEST} deep")));
        }
        let mut data = None;
        while self.at < end {
            let tag = self.varint()?;
            let field = tag >> 3;
            match tag & 7 {
                0 => {
                    let value = self.varint()?;
                    put_varint(tag, out);
                    put_varint(value, out);
                }
                1 | 5 => {
                    put_varint(tag, out);
                    self.copy(if tag & 7 == 1 { 8 } else { 4 }, out)?;
                }
                2 => {
                    let length = self.varint()?;
                    if length > end.saturating_sub(self.at) {
                        return Err(damaged(format!(
                            "a field at byte {} claims {length} bytes, {} are left",
                            self.at,
                            end.saturating_sub(self.at)
                        )));
                    }
                    let place = match (kind, field) {
                        (Message::Tensor, 9) => Some(Field::Raw),
                        (Message::Tensor, 4) if length > LONG_LIST => Some(Field::Floats),
                        (Message::Tensor, 10) if length > LONG_LIST => Some(Field::Doubles),
                        _ => None,
                    };
                    if let Some(field) = place {
                        // Parts of one list would be legal, and nobody writes them.
                        if data.is_some() {
                            return Err(damaged("a tensor keeps its data in several pieces"));
                        }
                        data = Some(Place {
                            field,
                            offset: self.at,
                            length,
                        });
                        let past =
                            i64::try_from(length).map_err(|_| damaged("a field is absurd"))?;
                        self.source.seek_relative(past)?;
                        self.at += length;
                    } else if let Some(child) = kind.child(field) {
                        let mut inner = Vec::new();
                        self.message(child, self.at + length, &mut inner, depth + 1)?;
                        put_varint(tag, out);
                        put_varint(inner.len() as u64, out);
                        out.append(&mut inner);
                    } else {
                        put_varint(tag, out);
                        put_varint(length, out);
                        self.copy(length, out)?;
                    }
                }
                kind => {
                    let at = self.at;
                    return Err(damaged(format!(
                        "unexpected field of kind {kind} at byte {at}"
                    )));
                }
            }
        }
        if self.at > end {
            return Err(damaged(format!(
                "a field at byte {end} is longer than its message"
            )));
        }
        if let Some(place) = data {
            put_varint(9 << 3 | 2, out);
            put_varint(8, out);
            out.extend((self.places.len() as u64).to_le_bytes());
            self.places.push(place);
        }
        Ok(())
    }
}
