//! [`ItemOptions`]: what most jobs do not have, and therefore do not pay for.
//!
//! In a frame they are a piece before the argument: a byte of flags, then the numbers that the flags announce in the
//! order of the flags, little-endian, then the name, which goes to the end.

/// What a job has besides its argument, if it has any of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ItemOptions {
    /// The number of the job, for `current().id()`.
    pub(crate) id: Option<u64>,
    /// How often the job was begun before.
    pub(crate) attempts_before: u32,
    /// How long the job may run from its begin.
    pub(crate) run_limit_ns: Option<u64>,
    /// The number of the span in which the job was submitted, in the process of its owner.
    pub(crate) submitter_span: Option<u64>,
    /// The job was asked to stop before it was sent.
    pub(crate) stop: bool,
    /// A name given at submit.
    pub(crate) name: Option<Box<str>>,
}

const HAS_ID: u8 = 1;
const HAS_ATTEMPTS: u8 = 2;
const HAS_RUN_LIMIT: u8 = 4;
const HAS_STOP: u8 = 8;
const HAS_NAME: u8 = 16;
const HAS_SUBMITTER_SPAN: u8 = 32;

impl ItemOptions {
    /// True if nothing is said that has to be sent.
    pub(crate) fn is_plain(&self) -> bool {
        *self == ItemOptions::default()
    }

    /// How long they are in a piece.
    pub(crate) fn bytes(&self) -> usize {
        let numbers = [self.id, self.run_limit_ns, self.submitter_span].iter().flatten().count() * 8;
        let attempts = 4 * usize::from(self.attempts_before > 0);
        1 + numbers + attempts + self.name.as_ref().map_or(0, |name| name.len())
    }

    pub(crate) fn put(&self, buffer: &mut Vec<u8>) {
        let flag = |has: bool, flag| if has { flag } else { 0 };
        buffer.push(
            flag(self.id.is_some(), HAS_ID)
                | flag(self.attempts_before > 0, HAS_ATTEMPTS)
                | flag(self.run_limit_ns.is_some(), HAS_RUN_LIMIT)
                | flag(self.stop, HAS_STOP)
                | flag(self.name.is_some(), HAS_NAME)
                | flag(self.submitter_span.is_some(), HAS_SUBMITTER_SPAN),
        );
        if let Some(id) = self.id {
            buffer.extend_from_slice(&id.to_le_bytes());
        }
        if self.attempts_before > 0 {
            buffer.extend_from_slice(&self.attempts_before.to_le_bytes());
        }
        if let Some(run_limit_ns) = self.run_limit_ns {
            buffer.extend_from_slice(&run_limit_ns.to_le_bytes());
        }
        if let Some(submitter_span) = self.submitter_span {
            buffer.extend_from_slice(&submitter_span.to_le_bytes());
        }
        if let Some(name) = &self.name {
            buffer.extend_from_slice(name.as_bytes());
        }
    }

    /// What a piece says; `None` if no options are written so.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (&flags, mut rest) = bytes.split_first()?;
        if flags >= HAS_SUBMITTER_SPAN << 1 {
            return None;
        }
        let mut options = ItemOptions { stop: flags & HAS_STOP != 0, ..ItemOptions::default() };
        if flags & HAS_ID != 0 {
            options.id = Some(u64::from_le_bytes(*take(&mut rest)?));
        }
        if flags & HAS_ATTEMPTS != 0 {
            options.attempts_before = u32::from_le_bytes(*take(&mut rest)?);
        }
        if flags & HAS_RUN_LIMIT != 0 {
            options.run_limit_ns = Some(u64::from_le_bytes(*take(&mut rest)?));
        }
        if flags & HAS_SUBMITTER_SPAN != 0 {
            options.submitter_span = Some(u64::from_le_bytes(*take(&mut rest)?));
        }
        if flags & HAS_NAME != 0 {
            options.name = Some(String::from_utf8_lossy(rest).into());
            rest = &[];
        }
        rest.is_empty().then_some(options)
    }
}

/// The first `N` of the bytes, which then begin behind them.
pub(crate) fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(first)
}

#[cfg(all(test, not(executor_loom)))]
mod tests {
    use super::*;

    #[test]
    fn options_come_back_as_they_were() {
        for bits in 0..64_u8 {
            let options = ItemOptions {
                id: (bits & 1 != 0).then_some(u64::MAX - 1),
                attempts_before: if bits & 2 != 0 { 7 } else { 0 },
                run_limit_ns: (bits & 4 != 0).then_some(0),
                stop: bits & 8 != 0,
                submitter_span: (bits & 32 != 0).then_some(1),
                name: (bits & 16 != 0).then(|| "näme".into()),
            };
            let mut buffer = Vec::new();
            options.put(&mut buffer);
            assert_eq!(buffer.len(), options.bytes());
            assert_eq!(options.is_plain(), bits == 0);
            assert_eq!(ItemOptions::read(&buffer), Some(options));
        }
    }

    #[test]
    fn options_that_are_cut_or_too_long_are_none() {
        let (id, attempts_before, run_limit_ns, submitter_span) = (Some(1), 2, Some(3), Some(4));
        let options = ItemOptions { id, attempts_before, run_limit_ns, submitter_span, ..ItemOptions::default() };
        let mut buffer = Vec::new();
        options.put(&mut buffer);
        for end in 0..buffer.len() {
            assert_eq!(ItemOptions::read(&buffer[..end]), None);
        }
        buffer.push(0);
        assert_eq!(ItemOptions::read(&buffer), None);
        assert_eq!(ItemOptions::read(&[64]), None);
    }
}
