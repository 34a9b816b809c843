//! Random bits: blocks of them by their number, and what is had of bits alone.

/// How many neighbouring blocks are computed side by side, in the lanes of vector registers.
pub(super) const LANES: usize = 8;

/// Four words of 32 bits of each of `L` blocks, word by word. They are kept in 64 bits because that is how
/// processors multiply 32-bit lanes to full width.
pub(super) type Blocks<const L: usize> = [[u64; L]; 4];

const LOW: u64 = 0xFFFF_FFFF;

/// Philox4x32-10: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11.
#[inline(always)]
pub(super) fn philox<const L: usize>(key: [u32; 2], mut c: Blocks<L>) -> Blocks<L> {
    let [mut k0, mut k1] = key;
    for _ in 0..10 {
        let mut next = [[0; L]; 4];
        for l in 0..L {
            let (p0, p1) = (c[0][l] * 0xD251_1F53, c[2][l] * 0xCD9E_8D57);
            next[0][l] = (p1 >> 32) ^ c[1][l] ^ u64::from(k0);
            next[1][l] = p1 & LOW;
            next[2][l] = (p0 >> 32) ^ c[3][l] ^ u64::from(k1);
            next[3][l] = p0 & LOW;
        }
        c = next;
        // The key schedule: the golden ratio and √3 − 1, in 32 bits.
        k0 = k0.wrapping_add(0x9E37_79B9);
        k1 = k1.wrapping_add(0xBB67_AE85);
    }
    c
}

/// The blocks at counters `at`, `at + 1`, … under `seed`.
#[inline(always)]
pub(super) fn blocks<const L: usize>(seed: u64, at: u64) -> Blocks<L> {
    let mut c = [[0; L]; 4];
    for l in 0..L {
        let counter = at.wrapping_add(l as u64);
        (c[0][l], c[1][l]) = (counter & LOW, counter >> 32);
    }
    philox([seed as u32, (seed >> 32) as u32], c)
}

/// The blocks' words joined in pairs: the first two of each block, then the last two.
#[inline(always)]
pub(super) fn pairs(w: &Blocks<LANES>) -> [u64; 2 * LANES] {
    let mut out = [0; 2 * LANES];
    for l in 0..LANES {
        out[l] = w[0][l] | w[1][l] << 32;
        out[LANES + l] = w[2][l] | w[3][l] << 32;
    }
    out
}

/// Random bits as a number less than `count`: each number stands for as many patterns, give or take one.
#[inline(always)]
pub(super) fn below(bits: u64, count: u64) -> u64 {
    ((u128::from(bits) * u128::from(count)) >> 64) as u64
}

/// Random bits as a number in (0, 1): neither end is ever given.
#[inline(always)]
pub(super) fn open_unit(bits: u64) -> f64 {
    ((bits >> 12) as f64 + 0.5) * (1.0 / (1u64 << 52) as f64)
}

/// As many numbers in (0, 1) of a [stream](Stream) as the lanes' blocks make, from block `drawn` of its own on.
#[inline(always)]
pub(super) fn units(seed: u64, at: u64, drawn: u64) -> [f64; 2 * LANES] {
    let mut c = [[0; LANES]; 4];
    for l in 0..LANES {
        let drawn = drawn + l as u64;
        [c[0][l], c[1][l], c[2][l], c[3][l]] = [at & LOW, at >> 32, drawn & LOW, drawn >> 32];
    }
    let w = pairs(&philox([seed as u32, (seed >> 32) as u32], c));
    // Both numbers of a block after each other.
    std::array::from_fn(|i| open_unit(w[i / 2 + i % 2 * LANES]))
}

/// Random numbers of one element's own, for methods that need now more, now fewer of them.
pub(super) struct Stream {
    key: [u32; 2],
    at: u64,
    drawn: u64,
    spare: Option<u64>,
}

impl Stream {
    /// The stream of the block at `at`. The words that the main counter leaves zero count its blocks, from 1 on.
    #[inline]
    pub(super) fn new(seed: u64, at: u64) -> Stream {
        let key = [seed as u32, (seed >> 32) as u32];
        Stream {
            key,
            at,
            drawn: 0,
            spare: None,
        }
    }

    /// A number in (0, 1).
    #[inline]
    pub(super) fn next(&mut self) -> f64 {
        let bits = self.spare.take().unwrap_or_else(|| {
            self.drawn += 1;
            let counter = [self.at & LOW, self.at >> 32, self.drawn & LOW, self.drawn >> 32];
            let [[a], [b], [c], [d]] = philox::<1>(self.key, counter.map(|word| [word]));
            self.spare = Some(c | d << 32);
            a | b << 32
        });
        open_unit(bits)
    }
}
