//! A SciPy CSR matrix as `.npz`, written in any order: a zip of stored `.npy` members whose places
//! are known beforehand.
//!
//! `scipy.sparse.load_npz` reads it. Every member has the zip64 form, as NumPy writes it, so that
//! sizes beyond 4 GiB need no second layout.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
};

/// One array in the file.
struct Member {
    name: &'static str,
    /// The `.npy` header.
    header: Vec<u8>,
    /// Bytes of the array.
    data: u64,
    /// Where the member's zip header begins.
    at: u64,
}

const LOCAL: u64 = 30 + ZIP64;
/// The extra field with two sizes.
const ZIP64: u64 = 20;

impl Member {
    fn new(name: &'static str, descr: &str, shape: &[usize], data: u64) -> Self {
        let dims = match shape {
            [] => "()".to_string(),
            [n] => format!("({n},)"),
            dims => {
                let dims: Vec<String> = dims.iter().map(usize::to_string).collect();
                format!("({})", dims.join(", "))
            }
        };
        let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {dims}, }}");
        // The array begins at a multiple of 64 bytes from the member's start.
        let padding = 63 - (10 + text.len()) % 64;
        text.push_str(&" ".repeat(padding));
        text.push('\n');
        let mut header = b"\x93NUMPY\x01\x00".to_vec();
        header.extend((text.len() as u16).to_le_bytes());
        header.extend(text.bytes());
        Self {
            name,
            header,
            data,
            at: 0,
        }
    }

    fn size(&self) -> u64 {
        self.header.len() as u64 + self.data
    }

    /// Where the `.npy` header begins, and the array.
    fn places(&self) -> (u64, u64) {
        let start = self.at + LOCAL + self.name.len() as u64;
        (start, start + self.header.len() as u64)
    }

    fn local(&self, crc: u32) -> Vec<u8> {
        let mut bytes = b"PK\x03\x04".to_vec();
        bytes.extend(45u16.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(TIME);
        bytes.extend(crc.to_le_bytes());
        bytes.extend([0xff; 8]);
        bytes.extend((self.name.len() as u16).to_le_bytes());
        bytes.extend((ZIP64 as u16).to_le_bytes());
        bytes.extend(self.name.bytes());
        bytes.extend(1u16.to_le_bytes());
        bytes.extend(16u16.to_le_bytes());
        bytes.extend(self.size().to_le_bytes());
        bytes.extend(self.size().to_le_bytes());
        bytes
    }

    fn central(&self, crc: u32) -> Vec<u8> {
        let mut bytes = b"PK\x01\x02".to_vec();
        bytes.extend(45u16.to_le_bytes());
        bytes.extend(45u16.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(TIME);
        bytes.extend(crc.to_le_bytes());
        bytes.extend([0xff; 8]);
        bytes.extend((self.name.len() as u16).to_le_bytes());
        bytes.extend(28u16.to_le_bytes());
        bytes.extend([0; 10]);
        bytes.extend([0xff; 4]);
        bytes.extend(self.name.bytes());
        bytes.extend(1u16.to_le_bytes());
        bytes.extend(24u16.to_le_bytes());
        bytes.extend(self.size().to_le_bytes());
        bytes.extend(self.size().to_le_bytes());
        bytes.extend(self.at.to_le_bytes());
        bytes
    }
}

/// Time and date of every member: 1 January 1980, so that equal matrices are equal files.
const TIME: [u8; 4] = [0, 0, 33, 0];

/// Where everything of one matrix goes.
pub(crate) struct Csr {
    members: Vec<Member>,
    /// Bytes of an index.
    index: usize,
    /// Bytes of a value.
    value: usize,
    shape: [usize; 2],
}

const INDICES: usize = 0;
const INDPTR: usize = 1;
const FORMAT: usize = 2;
const SHAPE: usize = 3;
const DATA: usize = 4;

impl Csr {
    /// A matrix of `shape` with `entries` stored ones, of 4 or 8 bytes (f32 or f64).
    pub(crate) fn new(shape: [usize; 2], entries: usize, value: usize) -> Self {
        let small = entries.max(shape[1]) < i32::MAX as usize;
        let (index, integer) = if small { (4, "<i4") } else { (8, "<i8") };
        let float = if value == 4 { "<f4" } else { "<f8" };
        let rows = shape[0] + 1;
        let bytes = |count: usize, each: usize| (count * each) as u64;
        let mut members = vec![
            Member::new("indices.npy", integer, &[entries], bytes(entries, index)),
            Member::new("indptr.npy", integer, &[rows], bytes(rows, index)),
            Member::new("format.npy", "|S3", &[], 3),
            Member::new("shape.npy", "<i8", &[2], 16),
            Member::new("data.npy", float, &[entries], bytes(entries, value)),
        ];
        let mut at = 0;
        for member in &mut members {
            member.at = at;
            at += LOCAL + member.name.len() as u64 + member.size();
        }
        Self {
            members,
            index,
            value,
            shape,
        }
    }

    fn directory_at(&self) -> u64 {
        let last = &self.members[DATA];
        last.at + LOCAL + last.name.len() as u64 + last.size()
    }

    /// The size of the finished file.
    pub(crate) fn size(&self) -> u64 {
        let central = |member: &Member| 46 + 28 + member.name.len() as u64;
        self.directory_at() + self.members.iter().map(central).sum::<u64>() + 56 + 20 + 22
    }

    fn integers(&self, values: impl Iterator<Item = usize>) -> Vec<u8> {
        match self.index {
            4 => values.flat_map(|v| (v as i32).to_le_bytes()).collect(),
            _ => values.flat_map(|v| (v as i64).to_le_bytes()).collect(),
        }
    }

    fn put(&self, file: &mut File, member: usize, offset: u64, bytes: &[u8]) -> io::Result<()> {
        file.seek(SeekFrom::Start(self.members[member].places().1 + offset))?;
        file.write_all(bytes)
    }

    /// Headers, row pointers and the small members; the file has its full size from here on.
    pub(crate) fn begin(
        &self,
        file: &mut File,
        row_lengths: impl Iterator<Item = usize>,
    ) -> io::Result<()> {
        file.set_len(self.size())?;
        for member in &self.members {
            file.seek(SeekFrom::Start(member.places().0))?;
            file.write_all(&member.header)?;
        }
        let ends = row_lengths.scan(0, |end, length| {
            *end += length;
            Some(*end)
        });
        let pointers = self.integers(std::iter::once(0).chain(ends));
        self.put(file, INDPTR, 0, &pointers)?;
        self.put(file, FORMAT, 0, b"csr")?;
        let shape: Vec<u8> = self
            .shape
            .iter()
            .flat_map(|&size| (size as i64).to_le_bytes())
            .collect();
        self.put(file, SHAPE, 0, &shape)
    }

    /// The columns of consecutive entries, as they are stored.
    pub(crate) fn columns(&self, columns: &[usize]) -> Vec<u8> {
        self.integers(columns.iter().copied())
    }

    /// Entries from number `first` on: their columns and values, as they are stored.
    pub(crate) fn entries(
        &self,
        file: &mut File,
        first: usize,
        columns: &[u8],
        values: &[u8],
    ) -> io::Result<()> {
        self.put(file, INDICES, (first * self.index) as u64, columns)?;
        self.put(file, DATA, (first * self.value) as u64, values)
    }

    /// Checksums and the directory. Reads the file once.
    pub(crate) fn finish(&self, file: &mut File) -> io::Result<()> {
        let mut directory = Vec::new();
        let mut buffer = vec![0; 1 << 20];
        for member in &self.members {
            let mut hasher = crc32fast::Hasher::new();
            file.seek(SeekFrom::Start(member.places().0))?;
            let mut left = member.size();
            while left > 0 {
                let some = (left as usize).min(buffer.len());
                file.read_exact(&mut buffer[..some])?;
                hasher.update(&buffer[..some]);
                left -= some as u64;
            }
            let crc = hasher.finalize();
            file.seek(SeekFrom::Start(member.at))?;
            file.write_all(&member.local(crc))?;
            directory.extend(member.central(crc));
        }
        let (at, length, count) = (
            self.directory_at(),
            directory.len() as u64,
            self.members.len() as u64,
        );
        let end = at + length;
        directory.extend(b"PK\x06\x06");
        directory.extend(44u64.to_le_bytes());
        directory.extend([45, 0, 45, 0]);
        directory.extend([0; 8]);
        directory.extend(count.to_le_bytes());
        directory.extend(count.to_le_bytes());
        directory.extend(length.to_le_bytes());
        directory.extend(at.to_le_bytes());
        directory.extend(b"PK\x06\x07");
        directory.extend([0; 4]);
        directory.extend(end.to_le_bytes());
        directory.extend(1u32.to_le_bytes());
        directory.extend(b"PK\x05\x06");
        directory.extend([0; 4]);
        directory.extend((count as u16).to_le_bytes());
        directory.extend((count as u16).to_le_bytes());
        directory.extend([0xff; 8]);
        directory.extend([0; 2]);
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&directory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [[0, 2, 0], [3, 0, 4]], its second row written before the first.
    #[test]
    fn a_small_matrix_has_its_size_and_checksums() {
        let mut file = tempfile::tempfile().unwrap();
        let csr = Csr::new([2, 3], 3, 4);
        csr.begin(&mut file, [1, 2].into_iter()).unwrap();
        let values = |v: &[f32]| v.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>();
        csr.entries(&mut file, 1, &csr.columns(&[0, 2]), &values(&[3.0, 4.0]))
            .unwrap();
        csr.entries(&mut file, 0, &csr.columns(&[1]), &values(&[2.0]))
            .unwrap();
        csr.finish(&mut file).unwrap();
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, csr.size());
        for member in &csr.members {
            let (start, data) = (member.places().0 as usize, member.places().1 as usize);
            assert_eq!(member.header.len() % 64, 0);
            let whole = &bytes[start..start + member.size() as usize];
            let crc = crc32fast::hash(whole).to_le_bytes();
            assert_eq!(bytes[member.at as usize + 14..][..4], crc);
            assert!(data + member.data as usize <= bytes.len());
        }
        let data = csr.members[DATA].places().1 as usize;
        assert_eq!(bytes[data..data + 12], values(&[2.0, 3.0, 4.0]));
    }
}
