//! What the tests of Blobs share.

use executor_ipc::Blob;

/// Long enough to be in an arena.
pub(crate) const LEN: usize = 700_000;

/// True if every byte is `byte`, found at the speed of memory.
pub(crate) fn is_filled(blob: &Blob, byte: u8) -> bool {
    let page = [byte; 4096];
    blob.chunks(page.len()).all(|chunk| chunk == &page[..chunk.len()])
}

/// How many arenas this process has mapped.
pub(crate) fn mappings() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.contains("executor-blob")).count()
}
