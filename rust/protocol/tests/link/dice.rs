use std::time::Duration;

/// Numbers that look random and are the same for the same seed (splitmix64).
pub(crate) struct Dice(pub u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn percent(&mut self, share: u32) -> bool {
        self.roll() % 100 < u64::from(share)
    }

    pub(crate) fn port(&mut self, least: u16, most: u16) -> u16 {
        let span = u64::from(most - least) + 1;
        least + u16::try_from(self.roll() % span).unwrap_or(0)
    }

    pub(crate) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let span = u64::try_from((most - least).as_micros()).unwrap_or(u64::MAX - 1);
        least + Duration::from_micros(self.roll() % (span + 1))
    }
}
