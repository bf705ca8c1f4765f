//! Just enough of the ustar format to hand files to an engine.

/// Mode of a file that everybody may read.
pub const READABLE: u32 = 0o644;
/// Mode of a program.
pub const PROGRAM: u32 = 0o755;

const BLOCK: usize = 512;

/// The header of a regular file. A path longer than 100 bytes does not fit.
pub fn header(path: &str, mode: u32, owner: u32, size: u64) -> Vec<u8> {
    entry(path, mode, owner, size, b'0')
}

/// The header of a folder; its path ends with `/`.
pub fn folder(path: &str, mode: u32) -> Vec<u8> {
    entry(path, mode, 0, 0, b'5')
}

fn entry(path: &str, mode: u32, owner: u32, size: u64, kind: u8) -> Vec<u8> {
    let mut block = vec![0u8; BLOCK];
    let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
    put(0, &path.as_bytes()[..path.len().min(100)]);
    put(100, format!("{mode:07o}").as_bytes());
    put(108, format!("{owner:07o}").as_bytes());
    put(116, format!("{owner:07o}").as_bytes());
    put(124, format!("{size:011o}").as_bytes());
    // A fixed time, so that equal content is an equal archive.
    put(136, b"00000000000");
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// Zeros after a file of this size.
pub fn padding(size: u64) -> Vec<u8> {
    let over = usize::try_from(size % BLOCK as u64).unwrap_or_default();
    vec![0; if over == 0 { 0 } else { BLOCK - over }]
}

/// The end of an archive.
pub fn end() -> Vec<u8> {
    vec![0; 2 * BLOCK]
}

/// A whole archive of small files: path, mode, owner, content.
pub fn archive<'a>(files: impl IntoIterator<Item = (&'a str, u32, u32, &'a [u8])>) -> Vec<u8> {
    let mut all = Vec::new();
    for (path, mode, owner, content) in files {
        let size = content.len() as u64;
        all.extend(header(path, mode, owner, size));
        all.extend_from_slice(content);
        all.extend(padding(size));
    }
    all.extend(end());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_whole_blocks_with_right_sums() {
        let all = archive([("a", READABLE, 1000, b"x".as_slice()), ("b/c", PROGRAM, 0, &[7; 513])]);
        assert_eq!(all.len() % BLOCK, 0);
        assert_eq!(all.len(), BLOCK * (2 + 3 + 2));
        let head = &all[..BLOCK];
        let said = u32::from_str_radix(std::str::from_utf8(&head[148..154]).unwrap(), 8).unwrap();
        let sum: u32 = head
            .iter()
            .enumerate()
            .map(|(i, b)| if (148..156).contains(&i) { 32 } else { u32::from(*b) })
            .sum();
        assert_eq!(said, sum);
        assert_eq!(&head[257..263], b"ustar\0");
    }
}
