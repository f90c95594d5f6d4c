//! Turns bytes into choices.

/// Takes choices off the front of an input, so that a fuzzer's small change of the bytes is a
/// small change of what is done.
#[derive(Debug)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// Returns an input from which nothing was taken.
    #[must_use]
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// Returns the next byte, or `None` at the end.
    pub fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// Returns a number below `limit`, made from one byte; 0 at the end.
    pub fn below(&mut self, limit: u8) -> u8 {
        self.byte()
            .unwrap_or_default()
            .checked_rem(limit)
            .unwrap_or_default()
    }

    /// Returns one of these, chosen by one byte; the first one at the end. There must be one.
    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.byte().unwrap_or_default()) % choices.len()]
    }

    /// Returns the next `length` bytes, or fewer at the end.
    pub fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        bytes
    }
}

/// Numbers that look random and depend only on `data`.
#[derive(Clone, Debug)]
pub struct Noise(u64);

impl Noise {
    /// Returns the numbers of these bytes.
    #[must_use]
    pub fn of(data: &[u8]) -> Self {
        // FNV-1a; any hash would do that is the same everywhere.
        let hash = data.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
        });
        Self(hash | 1)
    }

    /// Returns a number below `limit`, or 0 if that is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let number = usize::try_from(self.0 >> 33).unwrap_or_default();
        number.checked_rem(limit).unwrap_or_default()
    }
}
