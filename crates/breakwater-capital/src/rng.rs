//! Random numbers: streams of xoshiro256++ in many lanes, one stream for each block of years and purpose.
//!
//! A block's stream depends on the seed and the block alone, so that any thread or process may simulate it.
//! Blackman and Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS 47 (2021), for the generator;
//! its lanes are independent generators that step together, which is what vector units want.

/// Generators of a stream. So many that a step is a loop, which the compiler turns into vector instructions; fewer it
/// would unroll into scalar ones.
pub const LANES: usize = 32;
/// Words that are drawn ahead for small requests.
pub const SPARE: usize = 256;

/// What a stream is for. Streams of different purposes are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// Years without order within them.
    Flat = 1,
    /// Years event by event.
    Timeline = 2,
    /// Years under the tilted law.
    Tilted = 3,
    /// Randomisation of low-discrepancy points and strata.
    Points = 4,
    /// Runs of several years.
    Path = 5,
    /// Years that place the bars of a weighted run.
    Pilot = 6,
    /// Decisions of agents.
    Agents = 7,
    /// Events that a scenario strikes with.
    Stress = 8,
}

/// A stream of random words.
#[derive(Clone, Debug)]
pub struct Stream {
    state: [[u64; LANES]; 4],
    words: Box<[u64; SPARE]>,
    used: usize,
    /// The vector unit at hand. All of them compute the same integers.
    unit: pulp::Arch,
}

/// One step of SplitMix64 (Steele, Lea and Flood 2014): its output function is a bijection with good avalanche.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The next word of each lane.
#[inline(always)]
fn step([s0, s1, s2, s3]: &mut [[u64; LANES]; 4], out: &mut [u64; LANES]) {
    for i in 0..LANES {
        // Integer steps of the generator are modulo 2^64 by definition.
        out[i] = s0[i].wrapping_add(s3[i]).rotate_left(23).wrapping_add(s0[i]);
        let t = s1[i] << 17;
        s2[i] ^= s0[i];
        s3[i] ^= s1[i];
        s1[i] ^= s2[i];
        s0[i] ^= s3[i];
        s2[i] ^= t;
        s3[i] = s3[i].rotate_left(45);
    }
}

impl Stream {
    /// The stream of a seed, a purpose and an index (of a block, or of a year).
    pub fn new(seed: u64, purpose: Purpose, index: u64) -> Self {
        // Each word enters through the mixer, so that neighbouring seeds and blocks share nothing.
        let mut key = seed;
        let mut key = split_mix(&mut key) ^ (purpose as u64);
        let mut key = split_mix(&mut key) ^ index;
        let mut state = [[0; LANES]; 4];
        for word in state.iter_mut().flatten() {
            *word = split_mix(&mut key);
        }
        Self { state, words: Box::new([0; SPARE]), used: SPARE, unit: pulp::Arch::new() }
    }

    /// Fills a buffer whose length is a multiple of [`LANES`].
    #[inline(never)]
    pub fn fill(&mut self, buffer: &mut [u64]) {
        let unit = self.unit;
        unit.dispatch(
            #[inline(always)]
            || {
                for chunk in buffer.as_chunks_mut::<LANES>().0 {
                    step(&mut self.state, chunk);
                }
            },
        );
    }

    /// One word.
    #[inline(always)]
    pub fn word(&mut self) -> u64 {
        self.take(1)[0]
    }

    /// So many words, at most [`SPARE`], from a store. What is left of the store when it cannot serve is dropped.
    #[inline(always)]
    pub fn take(&mut self, words: usize) -> &[u64] {
        if self.used + words > SPARE {
            self.refill();
        }
        let from = self.used;
        self.used += words;
        &self.words[from..from + words]
    }

    #[inline(never)]
    fn refill(&mut self) {
        let Self { words, state, unit, .. } = self;
        unit.dispatch(
            #[inline(always)]
            || words.as_chunks_mut::<LANES>().0.iter_mut().for_each(|chunk| step(state, chunk)),
        );
        self.used = 0;
    }

    /// A number inside (0, 1): the middle of one of 2^53 equal cells.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        ((self.word() >> 11) as f64 + 0.5) * (1.0 / 9_007_199_254_740_992.0)
    }

    /// An exponential waiting time of mean one.
    #[inline]
    pub fn exponential(&mut self) -> f64 {
        -libm::log(self.unit())
    }
}
