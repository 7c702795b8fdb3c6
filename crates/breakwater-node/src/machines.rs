//! Triggers that a machine watches: when somebody must look, and when looking changes nothing.
//!
//! The key decision: a look is tried on the state after the newest block first, and sent only if it changes what a
//! holder gets or what a pool owes. A price that stays above its strike costs nothing but reads.
//! Pure: values in, an act out.

use alloy::primitives::Address;
use alloy::sol_types::SolValue;
use breakwater_bindings::triggers::{CanaryTerms, DepegTerms, OracleTerms, SeriesTerms};

/// How often what is healthy is written down while somebody is covered, seconds: holdings count as of the last
/// healthy look.
pub(crate) const REFRESH_S: u64 = 86_400;

/// A trigger under watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    /// The rung that enrolled it; zero before.
    pub(crate) rung: Address,
    /// What its terms say about looking.
    pub(crate) kind: Kind,
}

/// What is watched. All times in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A price that may stay below a strike.
    Depeg {
        /// Of counted time below the strike.
        period: u64,
        /// Most between two looks that count.
        max_gap: u64,
    },
    /// A feed that may be off its references.
    Oracle {
        /// Of counted time in which it is wrong.
        period: u64,
        /// Most between two looks that count.
        max_gap: u64,
    },
    /// Two prices, looked at twice.
    Series {
        /// When the first look is due.
        start: u64,
        /// When the second one is.
        end: u64,
    },
    /// A position that must come out.
    Canary {
        /// Gas that each probe gets.
        gas: u64,
        /// Between two failures that count.
        spacing: u64,
    },
}

/// What is done about a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Write down what is seen now.
    Look,
    /// Open an incident.
    Open,
}

/// A run, as its rung has it; times in seconds, zero for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) onset_time: u64,
    pub(crate) since: u64,
    pub(crate) last: u64,
    pub(crate) live: bool,
    pub(crate) elapsed: u64,
    pub(crate) has_incident: bool,
}

/// A canary, as its rung has it; times in seconds, zero for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) onset_time: u64,
    pub(crate) failed_at: u64,
    pub(crate) ripe: bool,
    pub(crate) has_incident: bool,
}

/// Who depends on the trigger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Need {
    /// An incident of now could touch some cover.
    pub(crate) covered: bool,
    /// The last inception among those covers that is not in the future, seconds.
    pub(crate) incepted: u64,
    /// A pool offers a product on it.
    pub(crate) offered: bool,
}

impl Machine {
    /// What the terms of a trigger say; none if no rung of ours reads them.
    pub(crate) fn read(terms: &[u8]) -> Option<Self> {
        let tag = terms.get(..32)?;
        let is =
            |name: &str| tag.starts_with(name.as_bytes()) && tag[name.len()..].iter().all(|byte| *byte == 0);
        let rest = |name: &str| is(name).then_some(terms);
        let kind = if let Some(data) = rest("breakwater.depeg/1") {
            let (_, t) = <(alloy::primitives::B256, DepegTerms)>::abi_decode_params(data).ok()?;
            Kind::Depeg { period: t.period.into(), max_gap: t.maxGap.into() }
        } else if let Some(data) = rest("breakwater.oracle/1") {
            let (_, t) = <(alloy::primitives::B256, OracleTerms)>::abi_decode_params(data).ok()?;
            Kind::Oracle { period: t.period.into(), max_gap: t.maxGap.into() }
        } else if let Some(data) = rest("breakwater.series/1") {
            let (_, t) = <(alloy::primitives::B256, SeriesTerms)>::abi_decode_params(data).ok()?;
            Kind::Series { start: t.start, end: t.end }
        } else if let Some(data) = rest("breakwater.canary/1") {
            let (_, t) = <(alloy::primitives::B256, CanaryTerms)>::abi_decode_params(data).ok()?;
            Kind::Canary { gas: t.gasLimit, spacing: t.spacing.into() }
        } else {
            return None;
        };
        Some(Self { rung: Address::ZERO, kind })
    }

    /// Seconds until it is worth trying a look again. Trying costs reads alone.
    pub(crate) fn pause(&self, now: u64) -> u64 {
        match self.kind {
            Kind::Depeg { max_gap, .. } | Kind::Oracle { max_gap, .. } => (max_gap / 4).clamp(12, 600),
            Kind::Series { start, .. } if now < start => (start - now).clamp(12, 600),
            Kind::Series { .. } => 60,
            Kind::Canary { spacing, .. } => (spacing / 8).clamp(60, 1_800),
        }
    }
}

impl Need {
    /// Whether somebody's cover began, or a day passed, since the trigger was last seen healthy.
    fn wants_healthy(&self, healthy_at: u64, now: u64) -> bool {
        self.covered && (self.incepted > healthy_at || now.saturating_sub(healthy_at) >= REFRESH_S)
    }
}

/// What to do about a run: `before` as it stands, `after` as a look in the next block would leave it.
pub(crate) fn about_run(kind: Kind, before: &Run, after: &Run, need: Need, now: u64) -> Option<Act> {
    let (period, max_gap, goes_on) = match kind {
        Kind::Depeg { period, max_gap } => (period, max_gap, false),
        // Liquidations count up to the last block in which the feed was seen wrong.
        Kind::Oracle { period, max_gap } => (period, max_gap, true),
        _ => return None,
    };
    let open = before.has_incident;
    if !need.covered && !open {
        return None;
    }
    let runs = after.since != 0;
    if runs && !open && after.elapsed >= period {
        return Some(Act::Open);
    }
    let first = before.last == 0;
    let turned = before.live != after.live || (before.since != 0) != runs;
    // Half a gap, so that the look is mined before the whole one is over.
    let counts = runs && after.live && (!open || goes_on) && now.saturating_sub(before.last) >= max_gap / 2;
    let healthy = after.live && !runs && need.wants_healthy(before.onset_time, now);
    (first || turned || counts || healthy).then_some(Act::Look)
}

/// What to do about a canary; `gets_out`: whether a probe in the next block would succeed.
pub(crate) fn about_canary(
    spacing: u64,
    watched: &Watched,
    gets_out: bool,
    need: Need,
    now: u64,
) -> Option<Act> {
    if !need.covered && !need.offered {
        return None;
    }
    if watched.ripe && !watched.has_incident && !gets_out {
        return need.covered.then_some(Act::Open);
    }
    let never = watched.onset_time == 0;
    let look = if gets_out {
        // Before its first success, and while a failure stands, nothing is sold.
        never || watched.failed_at != 0 || need.wants_healthy(watched.onset_time, now)
    } else {
        let again = watched.failed_at.saturating_add(spacing);
        !never && !watched.ripe && (watched.failed_at == 0 || now >= again)
    };
    look.then_some(Act::Look)
}

#[cfg(test)]
mod tests {
    use breakwater_bindings::triggers::{Claims, PinnedAccount};

    use super::*;

    const DEPEG: Kind = Kind::Depeg { period: 3_600, max_gap: 600 };
    const NOW: u64 = 1_000_000;

    fn covered() -> Need {
        Need { covered: true, incepted: NOW - 50_000, offered: true }
    }

    fn healthy() -> Run {
        Run { onset_time: NOW - 100, last: NOW - 100, live: true, ..Run::default() }
    }

    fn below(last: u64, elapsed: u64) -> Run {
        Run { onset_time: NOW - 9_000, since: NOW - 8_000, last, live: true, elapsed, has_incident: false }
    }

    #[test]
    fn a_price_that_stays_where_it_was_costs_nothing() {
        assert_eq!(about_run(DEPEG, &healthy(), &healthy(), covered(), NOW), None);
        assert_eq!(about_run(DEPEG, &below(NOW - 100, 900), &below(NOW, 1_000), covered(), NOW), None);
    }

    #[test]
    fn nobody_covered_means_no_look() {
        let need = Need { offered: true, ..Need::default() };
        assert_eq!(about_run(DEPEG, &healthy(), &below(NOW, 0), need, NOW), None);
    }

    #[test]
    fn a_fall_and_a_recovery_are_written_down_at_once() {
        assert_eq!(about_run(DEPEG, &healthy(), &below(NOW, 0), covered(), NOW), Some(Act::Look));
        assert_eq!(about_run(DEPEG, &below(NOW - 10, 900), &healthy(), covered(), NOW), Some(Act::Look));
    }

    #[test]
    fn a_run_is_looked_at_before_its_gap_is_over() {
        assert_eq!(about_run(DEPEG, &below(NOW - 299, 0), &below(NOW, 299), covered(), NOW), None);
        assert_eq!(about_run(DEPEG, &below(NOW - 300, 0), &below(NOW, 300), covered(), NOW), Some(Act::Look));
    }

    #[test]
    fn a_run_that_is_long_enough_opens_once() {
        let (before, after) = (below(NOW - 300, 3_300), below(NOW, 3_600));
        assert_eq!(about_run(DEPEG, &before, &after, covered(), NOW), Some(Act::Open));
        let open = |run: Run| Run { has_incident: true, ..run };
        assert_eq!(about_run(DEPEG, &open(before), &open(after), covered(), NOW), None);
        let oracle = Kind::Oracle { period: 3_600, max_gap: 600 };
        assert_eq!(about_run(oracle, &open(before), &open(after), covered(), NOW), Some(Act::Look));
    }

    #[test]
    fn feeds_that_die_are_written_down_once() {
        let dead = Run { live: false, ..healthy() };
        assert_eq!(about_run(DEPEG, &healthy(), &dead, covered(), NOW), Some(Act::Look));
        let long = Run { onset_time: NOW - 2 * REFRESH_S, last: NOW - REFRESH_S, ..dead };
        assert_eq!(about_run(DEPEG, &long, &long, covered(), NOW), None);
    }

    #[test]
    fn a_cover_that_begins_is_dated_by_a_healthy_look() {
        let need = Need { incepted: NOW - 10, ..covered() };
        assert_eq!(about_run(DEPEG, &healthy(), &healthy(), need, NOW), Some(Act::Look));
        let old = Run { onset_time: NOW - REFRESH_S, ..healthy() };
        assert_eq!(about_run(DEPEG, &old, &old, covered(), NOW), Some(Act::Look));
    }

    #[test]
    fn a_canary_is_probed_when_its_state_would_change() {
        let alive = Watched { onset_time: NOW - 100, ..Watched::default() };
        let about = |watched: &Watched, gets_out| about_canary(3_600, watched, gets_out, covered(), NOW);
        assert_eq!(about(&alive, true), None);
        assert_eq!(about(&alive, false), Some(Act::Look));
        let failed = |ago: u64| Watched { failed_at: NOW - ago, ..alive };
        assert_eq!(about(&failed(3_599), false), None);
        assert_eq!(about(&failed(3_600), false), Some(Act::Look));
        assert_eq!(about(&failed(10), true), Some(Act::Look), "a success ends what failures began");
        let ripe = Watched { ripe: true, ..failed(4_000) };
        assert_eq!(about(&ripe, false), Some(Act::Open));
        assert_eq!(about(&Watched { has_incident: true, ..ripe }, false), None);
    }

    #[test]
    fn a_canary_that_never_sang_is_probed_before_anything_is_sold() {
        let need = Need { offered: true, ..Need::default() };
        assert_eq!(about_canary(3_600, &Watched::default(), true, need, NOW), Some(Act::Look));
        assert_eq!(about_canary(3_600, &Watched::default(), false, need, NOW), None);
        assert_eq!(about_canary(3_600, &Watched::default(), true, Need::default(), NOW), None);
    }

    #[test]
    fn terms_are_read_by_their_tag() {
        let canary = CanaryTerms {
            canary: Address::repeat_byte(1),
            breaker: Address::ZERO,
            gasLimit: 100_000,
            spacing: 7_200,
            base: 1,
            claims: Claims::mapping(
                PinnedAccount { account: Address::ZERO, codeHash: Default::default() },
                0,
            ),
        };
        let mut terms = canary.encode();
        let read = Machine::read(&terms).map(|machine| machine.kind);
        assert_eq!(read, Some(Kind::Canary { gas: 100_000, spacing: 7_200 }));
        terms[18] = b'2';
        assert_eq!(Machine::read(&terms), None);
    }
}
