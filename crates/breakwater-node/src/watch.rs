//! What to do about one gauge, from its readings and its incident. Pure: values in, an intent out.
//!
//! The key decision: the watch keeps no clock and no chain. It is told the reading of each block together
//! with the reading of the block before *by the same holders*, and answers with at most one intent. What was
//! sent already is the journal's business, so that the same block may be observed twice without harm.

use alloy::primitives::U256;
use breakwater_policy::measure::{self, Health, Loss, lambda};
use breakwater_policy::terms;
use breakwater_primitives::{Block, Time, Wad};
use breakwater_prove::gauge::{Form, GaugeSpec, Reading};

/// A change of an incident's loss smaller than this part of it is left alone: every block moves a living
/// protocol a little, and an answer costs a million gas.
const WORTH_ANSWERING_BPS: u64 = 100;

/// The measurement of a gauge's dwelling incident, as the chain has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// Block a.
    pub onset: u64,
    /// Block b.
    pub reading: u64,
    /// Gauge units.
    pub loss: u128,
    /// Gauge units.
    pub base: u128,
    /// Highest fraction so far, wad.
    pub peak: U256,
    /// The last block in which the loss may grow beyond its peak.
    pub span_end: u64,
    /// The last block in which it may be revised.
    pub dwell_end: u64,
}

impl Live {
    /// An incident that is about to be opened, as far as it is known before.
    pub(crate) fn expected(onset: u64, reading: u64) -> Self {
        Self { onset, reading, loss: 0, base: 0, peak: U256::ZERO, span_end: 0, dwell_end: 0 }
    }
}

/// What should be asserted or proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// A new incident: last healthy block, and the block that sizes the loss.
    Assert {
        /// Block a.
        onset: u64,
        /// Block b.
        reading: u64,
    },
    /// The dwelling incident shows another loss in this block.
    Revise {
        /// The block.
        reading: u64,
    },
}

/// An onset that was seen but whose loss has not reached the threshold, or is not asserted yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Onset {
    /// Block a.
    pub before: Reading,
    /// Block a + 1.
    pub after: Reading,
}

/// The watch over one gauge.
#[derive(Clone, Debug)]
pub struct Watch {
    health: Health,
    threshold: U256,
    span: u64,
    onset: Option<Onset>,
}

impl Watch {
    /// Watches `spec`; `span` is how many blocks after its onset a loss may be read (8 dwells).
    pub fn new(spec: &GaugeSpec, span: u64) -> Self {
        Self { health: health(spec), threshold: U256::from(spec.threshold), span, onset: None }
    }

    /// The onset that waits for its loss to reach the threshold.
    pub fn onset(&self) -> Option<Onset> {
        self.onset
    }

    /// Takes up an onset again, after a restart.
    pub fn resume(&mut self, onset: Onset) {
        self.onset = Some(onset);
    }

    /// Forgets what was seen: the gauge could not be read, or its blocks fell out of the chain.
    pub fn forget(&mut self) {
        self.onset = None;
    }

    /// The onset's block `a` as the same holders see it now, if it waits.
    pub fn reread(&mut self, before: Reading, after: Reading) {
        if let Some(onset) = &mut self.onset
            && onset.before.number == before.number
        {
            *onset = Onset { before, after };
        }
    }

    /// One block, with no incident dwelling. `since` is the first block that an onset may have.
    pub fn quiet(&mut self, before: Reading, now: Reading, since: u64) -> Option<Intent> {
        if self.onset.is_some_and(|onset| now.number > onset.before.number + self.span) {
            self.onset = None;
        }
        if self.onset.is_none_or(|onset| onset.before.number < since) {
            self.onset = None;
            // Half the threshold, rounded up, as the contract has it.
            let least = self.threshold.div_ceil(U256::from(2));
            let dropped = self.loss(&before, &now, &now).is_some_and(|loss| loss.fraction() >= least);
            if dropped && before.number >= since {
                self.onset = Some(Onset { before, after: now });
            }
        }
        let onset = self.onset?;
        let loss = self.loss(&onset.before, &onset.after, &now)?;
        (loss.fraction() >= self.threshold)
            .then_some(Intent::Assert { onset: onset.before.number, reading: now.number })
    }

    /// One block of a dwelling incident: `a` and `next` are its onset's readings, by the holders of `now`.
    pub fn dwelling(&mut self, live: &Live, a: Reading, next: Reading, now: Reading) -> Option<Intent> {
        self.onset = None;
        if now.number <= live.reading {
            return None;
        }
        let loss = self.loss(&a, &next, &now)?;
        let fraction = loss.fraction();
        let before = lambda(live.loss, live.base);
        let crosses = (fraction < self.threshold) != (before < self.threshold);
        let moved = U256::from(loss.loss.abs_diff(live.loss)) * U256::from(10_000_u32)
            >= U256::from(live.loss.max(loss.loss)) * U256::from(WORTH_ANSWERING_BPS);
        if !(crosses || moved && fraction != before) {
            return None;
        }
        let beyond =
            fraction > live.peak && (now.number >= live.span_end || now.number > a.number + self.span);
        (!beyond && now.number < live.dwell_end).then_some(Intent::Revise { reading: now.number })
    }

    /// Loss from `a` to `b`, with the assets that block a + 1 showed; none if undefined.
    pub fn loss(&self, a: &Reading, next: &Reading, b: &Reading) -> Option<Loss> {
        measure::loss(&self.health, &reading(a), next.assets, &reading(b)).ok()
    }
}

/// A proven reading as the protocol's arithmetic takes it.
fn reading(reading: &Reading) -> measure::Reading {
    measure::Reading {
        number: Block(reading.number),
        time: Time(reading.time),
        assets: reading.assets,
        claims: reading.claims,
    }
}

fn health(spec: &GaugeSpec) -> Health {
    Health {
        form: match spec.form {
            Form::Par => terms::Form::Par,
            Form::Enumerated => terms::Form::Enumerated,
            Form::Geometric => terms::Form::Geometric,
            _ => terms::Form::Ratio,
        },
        threshold: Wad::new(spec.threshold),
        growth: Wad::new(spec.growth),
        pinned_at: Time(spec.pinned_at),
        floor: spec.floor,
        assets0: spec.assets0,
        shares0: spec.shares0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::B256;
    use breakwater_prove::gauge::Holding;

    const SPAN: u64 = 256;

    fn spec(form: Form) -> GaugeSpec {
        GaugeSpec {
            chain_id: 1,
            form,
            asset: Default::default(),
            threshold: 100_000_000_000_000_000, // 10 %
            growth: 0,
            pinned_at: 0,
            floor: 1,
            assets0: 1,
            shares0: 1,
            accounts: vec![],
            pins: vec![],
            terms: vec![],
            holding: Holding {
                account: 0,
                vyper: false,
                nested: false,
                offset: 0,
                width: 256,
                scale: 1,
                word: 0,
                base: B256::ZERO,
                inner_key: B256::ZERO,
            },
        }
    }

    fn at(number: u64, assets: u128, claims: u128) -> Reading {
        Reading { number, time: number * 12, assets, claims, holders: B256::ZERO }
    }

    /// Feeds readings of successive blocks and returns what the watch says to the last of them.
    fn watch(form: Form, readings: &[(u128, u128)]) -> (Watch, Option<Intent>) {
        let mut watch = Watch::new(&spec(form), SPAN);
        let mut said = None;
        for (number, pair) in (1_u64..).zip(readings.windows(2)) {
            let (before, now) = (at(number, pair[0].0, pair[0].1), at(number + 1, pair[1].0, pair[1].1));
            said = watch.quiet(before, now, 0);
        }
        (watch, said)
    }

    #[test]
    fn a_drain_is_asserted_in_the_block_that_shows_it() {
        let (_, said) = watch(Form::Ratio, &[(100, 100), (100, 100), (70, 100)]);
        assert_eq!(said, Some(Intent::Assert { onset: 2, reading: 3 }));
    }

    #[test]
    fn a_drain_in_steps_is_asserted_when_it_reaches_the_threshold() {
        let (watch, said) = watch(Form::Ratio, &[(1000, 1000), (940, 1000)]);
        assert_eq!(said, None);
        assert_eq!(watch.onset().map(|onset| onset.before.number), Some(1));
        let mut watch = watch;
        let said = watch.quiet(at(2, 940, 1000), at(3, 890, 1000), 0);
        assert_eq!(said, Some(Intent::Assert { onset: 1, reading: 3 }));
    }

    #[test]
    fn an_honest_exit_is_no_onset() {
        for form in [Form::Ratio, Form::Par] {
            let (watch, said) = watch(form, &[(100, 100), (40, 40), (10, 10)]);
            assert_eq!((watch.onset(), said), (None, None));
        }
    }

    #[test]
    fn a_thin_banks_honest_exit_is_no_onset() {
        let (watch, said) = watch(Form::Par, &[(80, 100), (30, 50)]);
        assert_eq!((watch.onset(), said), (None, None));
    }

    #[test]
    fn an_onset_before_the_last_incidents_reading_is_passed_over() {
        let mut watch = Watch::new(&spec(Form::Ratio), SPAN);
        assert_eq!(watch.quiet(at(9, 100, 100), at(10, 50, 100), 10), None);
        assert_eq!(watch.onset(), None);
    }

    #[test]
    fn an_onset_is_forgotten_after_the_span() {
        let (mut watch, _) = watch(Form::Ratio, &[(1000, 1000), (940, 1000)]);
        let late = 2 + SPAN;
        assert_eq!(watch.quiet(at(late - 1, 940, 1000), at(late, 935, 1000), 0), None);
        assert_eq!(watch.onset(), None);
    }

    fn live() -> Live {
        Live {
            onset: 1,
            reading: 2,
            loss: 300,
            base: 1000,
            peak: U256::from(300_000_000_000_000_000_u64),
            span_end: 260,
            dwell_end: 40,
        }
    }

    fn answer(live: &Live, number: u64, assets: u128) -> Option<Intent> {
        let mut watch = Watch::new(&spec(Form::Ratio), SPAN);
        watch.dwelling(live, at(1, 1000, 1000), at(2, 700, 1000), at(number, assets, 1000))
    }

    #[test]
    fn a_returned_loan_is_proven() {
        assert_eq!(answer(&live(), 5, 1000), Some(Intent::Revise { reading: 5 }));
    }

    #[test]
    fn a_further_loss_is_proven() {
        assert_eq!(answer(&live(), 5, 500), Some(Intent::Revise { reading: 5 }));
    }

    #[test]
    fn dust_is_not_answered() {
        assert_eq!(answer(&live(), 5, 699), None);
        assert_eq!(answer(&live(), 5, 700), None);
    }

    #[test]
    fn nothing_is_answered_that_could_not_be_mined_in_time() {
        assert_eq!(answer(&live(), 40, 1000), None);
        let late = Live { dwell_end: 400, ..live() };
        assert_eq!(answer(&late, 300, 500), None, "beyond the span no further loss counts");
        assert_eq!(answer(&late, 300, 800), Some(Intent::Revise { reading: 300 }));
    }
}
