//! How picture files are built, above their pixels: whether they are whole, how many pictures they hold, and what their
//! decoder does not say. Each walk reads lengths alone and stops at the end of the file.

use std::borrow::Cow;

/// A file that ends before its end, and where.
#[derive(Debug, PartialEq)]
pub(crate) struct Cut(pub &'static str);

fn be16(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(usize::from(u16::from_be_bytes([bytes[0], bytes[1]])))
}

fn be32(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
}

fn le32(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
}

/// A JPEG from its first marker to the end of its first picture, without stray bytes between its segments: real files
/// have some, and a decoder that is strict about missing data is strict about those, too.
pub(crate) fn jpeg(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Cut> {
    let cut = || Cut("before its end-of-image marker");
    let mut stray: Vec<(usize, usize)> = Vec::new();
    let mut at = 2;
    loop {
        let from = at;
        // A marker is 0xff, any number of times, and a code.
        loop {
            match (bytes.get(at), bytes.get(at + 1)) {
                (Some(0xff), Some(0xff)) => at += 1,
                (Some(0xff), Some(0)) => at += 2,
                (Some(0xff), Some(_)) => break,
                (Some(_), Some(_)) => at += 1,
                _ => return Err(cut()),
            }
        }
        if at > from {
            stray.push((from, at));
        }
        match bytes[at + 1] {
            0xd9 => {
                at += 2;
                break;
            }
            0x01 | 0xd0..=0xd8 => at += 2,
            marker => {
                at += 2 + be16(bytes, at + 2).ok_or_else(cut)?;
                if at > bytes.len() {
                    return Err(cut());
                }
                if marker == 0xda {
                    at = after_scan(bytes, at).ok_or_else(cut)?;
                }
            }
        }
    }
    if stray.is_empty() {
        return Ok(Cow::Borrowed(&bytes[..at]));
    }
    let mut clean = Vec::with_capacity(at);
    let mut kept = 0;
    for (from, to) in stray {
        clean.extend_from_slice(&bytes[kept..from]);
        kept = to;
    }
    clean.extend_from_slice(&bytes[kept..at]);
    Ok(Cow::Owned(clean))
}

/// The marker behind coded data that begins here.
fn after_scan(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)?) {
            (0xff, 0 | 0xd0..=0xd7) => at += 2,
            (0xff, 0xff) => at += 1,
            (0xff, _) => return Some(at),
            _ => at += 1,
        }
    }
}

/// What a PNG has besides its pixels.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Png<'a> {
    /// Bits a channel.
    pub bits: u8,
    /// Frames of an animation, else 0.
    pub frames: u32,
    /// EXIF, wherever it stands.
    pub exif: Option<&'a [u8]>,
}

pub(crate) fn png(bytes: &[u8]) -> Result<Png<'_>, Cut> {
    let mut found = Png::default();
    let mut at = 8;
    loop {
        let kind = bytes
            .get(at + 4..at + 8)
            .ok_or(Cut("before its IEND chunk"))?;
        let length = be32(bytes, at).unwrap_or(0);
        let data = at
            .checked_add(8 + length)
            .and_then(|end| bytes.get(at + 8..end));
        let data = data.ok_or(Cut("in the middle of a chunk"))?;
        at += 12 + length;
        if at > bytes.len() {
            return Err(Cut("in the middle of a chunk"));
        }
        match (kind, data) {
            (b"IHDR", &[_, _, _, _, _, _, _, _, bits, colour, ..]) => {
                found.bits = if colour == 3 { 8 } else { bits };
            }
            (b"acTL", data) => found.frames = be32(data, 0).unwrap_or(0) as u32,
            (b"eXIf", data) => found.exif = Some(data),
            (b"IEND", _) => return Ok(found),
            _ => {}
        }
    }
}

/// How many frames a WebP has, 0 for a still.
pub(crate) fn webp(bytes: &[u8]) -> Result<u32, Cut> {
    let end = le32(bytes, 4).map_or(usize::MAX, |size| size.saturating_add(8));
    if end > bytes.len() {
        return Err(Cut("before the size that its header says"));
    }
    let (mut at, mut frames) = (12, 0);
    while let (Some(kind), Some(length)) = (bytes.get(at..at + 4), le32(bytes, at + 4)) {
        frames += u32::from(kind == b"ANMF");
        at = at
            .saturating_add(8)
            .saturating_add(length.saturating_add(length % 2));
        if at > end + 1 {
            return Err(Cut("in the middle of a chunk"));
        }
    }
    Ok(frames)
}

/// How many pictures a GIF has.
pub(crate) fn gif(bytes: &[u8]) -> Result<u32, Cut> {
    let cut = Cut("in the middle of a block");
    let colours = |flags: u8| match flags & 0x80 {
        0 => 0,
        _ => 3 << ((flags & 7) + 1),
    };
    let Some(&flags) = bytes.get(10) else {
        return Err(Cut("in its header"));
    };
    let (mut at, mut frames) = (13 + colours(flags), 0);
    loop {
        match bytes.get(at) {
            // The trailer, or none behind whole blocks: many files lack it.
            Some(0x3b) => return Ok(frames),
            None if frames > 0 && at == bytes.len() => return Ok(frames),
            Some(0x2c) => {
                let Some(&flags) = bytes.get(at + 9) else {
                    return Err(cut);
                };
                at += 11 + colours(flags);
                frames += 1;
            }
            Some(0x21) => at += 2,
            None => return Err(cut),
            // Bytes behind the last picture.
            Some(_) if frames > 0 => return Ok(frames),
            Some(_) => return Err(Cut("before its first picture")),
        }
        loop {
            match bytes.get(at) {
                None => return Err(cut),
                Some(0) => break at += 1,
                Some(&length) => at += 1 + usize::from(length),
            }
        }
    }
}

/// What the directories of a TIFF say.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Tiff {
    /// Pages that are not thumbnails or masks.
    pub pages: u32,
    /// A raw camera file under the TIFF's name.
    pub raw: bool,
    /// Colours are stored multiplied by their opacity.
    pub associated: bool,
    pub cmyk: bool,
}

/// More directories than this are not counted.
const PAGES: u32 = 10_000;

/// A tag's list must fit into the file: the decoder believes its length.
pub(crate) fn tiff(bytes: &[u8]) -> Result<Tiff, Cut> {
    let mut found = Tiff::default();
    let little = bytes.starts_with(b"II");
    let number = |at: usize, size: usize| {
        let bytes = bytes.get(at..at.checked_add(size)?)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(match little {
            true => bytes.iter().rev().fold(0, add),
            false => bytes.iter().fold(0, add),
        })
    };
    // BigTIFF: 64 bits for what a classic file has 32.
    let big = number(2, 2) == Some(43);
    let (first_at, count_size, entry_size, word) = if big { (8, 8, 20, 8) } else { (4, 2, 12, 4) };
    let mut next = number(first_at, word);
    let mut directories = 0;
    while let Some(at) = next.filter(|&at| at != 0 && directories < PAGES) {
        let first = directories == 0;
        directories += 1;
        let Some((at, entries)) = usize::try_from(at)
            .ok()
            .and_then(|at| Some((at, number(at, count_size)?)))
        else {
            break;
        };
        let (mut small, mut sub, mut camera) = (false, false, false);
        let mut place = at + count_size;
        for _ in 0..entries {
            let entry = (
                number(place, 2),
                number(place + 2, 2),
                number(place + 4, word),
            );
            let (Some(tag), Some(kind), Some(count)) = entry else {
                break;
            };
            let size = match kind {
                3 | 8 => 2,
                4 | 9 | 11 | 13 => 4,
                5 | 10 | 12 | 16..=18 => 8,
                _ => 1,
            };
            if first && count.saturating_mul(size) > bytes.len() as u64 {
                return Err(Cut("before what one of its tags says"));
            }
            let value_size = if count == 1 { size as usize } else { word };
            let value = number(place + 4 + word, value_size.min(word)).unwrap_or(0);
            match (tag, value) {
                (254, value) => small = value & 5 != 0,
                // A mosaic of colour filters, or linear raw; the versions of DNG.
                (262, 32803 | 34892) | (50706, _) => found.raw |= first,
                (262, 5) => found.cmyk |= first,
                (259, 34713 | 32767) => found.raw |= first,
                (271, _) => camera = true,
                (330, _) => sub = true,
                (338, 1) => found.associated |= first,
                _ => {}
            }
            place += entry_size;
        }
        // A thumbnail first and the pixels in a directory below: Nikon, Sony, Pentax.
        found.raw |= first && small && sub && camera;
        found.pages += u32::from(!small);
        next = number(place, word);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stray_bytes_between_segments_are_left_out() {
        let whole = [
            &b"\xff\xd8"[..],
            b"\xff\xe0\0\x04ab",
            b"\xff\xda\0\x03x",
            b"12\xff\0\xff\xd034",
            b"\xff\xd9",
        ];
        assert_eq!(
            jpeg(&whole.concat()),
            Ok(Cow::Borrowed(&whole.concat()[..]))
        );
        let mut strays = whole.to_vec();
        strays.insert(2, b"zz\0z");
        strays.push(b"behind");
        assert_eq!(jpeg(&strays.concat()), Ok(Cow::Owned(whole.concat())));
        for length in 0..whole.concat().len() {
            jpeg(&whole.concat()[..length]).expect_err("cut");
        }
    }

    #[test]
    fn directories_in_a_circle_end() {
        let bytes = b"II*\0\x08\0\0\0\0\0\x08\0\0\0";
        assert_eq!(tiff(bytes).expect("whole").pages, PAGES);
    }
}
