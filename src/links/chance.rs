//! Chance that repeats: a small generator with a seed. For jitter and for made-up values, never for secrets.

#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    /// The same text under the same seed gives the same chance.
    pub fn of(seed: u64, text: &str) -> Chance {
        Chance(seed ^ hash(text))
    }

    /// SplitMix64.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// From 0 up to and without 1.
    pub fn share(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// FNV-1a, stirred: stable over versions and machines.
pub fn hash(text: &str) -> u64 {
    let fnv = text.bytes().fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    Chance(fnv).draw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_chance() {
        let (mut a, mut b) = (Chance::of(7, "meter"), Chance::of(7, "meter"));
        assert_eq!([a.draw(), a.draw()], [b.draw(), b.draw()]);
        assert_ne!(Chance::of(7, "meter").draw(), Chance::of(8, "meter").draw());
    }

    #[test]
    fn shares_spread_evenly() {
        let mut chance = Chance::new(1);
        let mean = (0..10_000).map(|_| chance.share()).sum::<f64>() / 10_000.0;
        assert!((0.48..0.52).contains(&mean), "{mean}");
    }
}
