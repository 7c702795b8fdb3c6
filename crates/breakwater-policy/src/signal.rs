//! What holders of votes think of a floor rate: the twin of `Signal.sol`.
//!
//! A poll is two sums, whoever votes, so its result costs the same for ten voters and for ten thousand.

use breakwater_primitives::DAY;

/// Most that a result moves a rate, bps.
pub const MAX_BPS: u16 = 1_000;
/// Seconds in which a poll takes votes.
pub const POLL_TIME: u64 = 7 * DAY;
/// Seconds for which a result holds.
pub const VALID_TIME: u64 = 30 * DAY;
/// Share of all votes, bps, that a linear result needs in order to count in full.
pub const QUORUM_BPS: u128 = 400;
/// A quadratic one counts in full with the weight of so many persons who share those votes equally.
pub const QUORUM_PERSONS: u128 = 25;
const FULL: i128 = 10_000;

/// How votes become weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One each.
    Linear,
    /// The square root, rounded down; for registered identities.
    Quadratic,
}

impl Mode {
    /// Weight of an account's votes, and of everything that is counted like votes.
    pub fn weight(self, votes: u128) -> u128 {
        match self {
            Self::Linear => votes,
            Self::Quadratic => votes.isqrt(),
        }
    }

    /// Weight with which a result counts in full, at least 1, for a supply in votes of at most 2^100.
    pub fn quorum(self, supply: u128) -> u128 {
        let votes = supply.saturating_mul(QUORUM_BPS) / 10_000;
        let quorum = match self {
            Self::Linear => votes,
            Self::Quadratic => votes.saturating_mul(QUORUM_PERSONS).isqrt(),
        };
        quorum.max(1)
    }
}

/// The newest poll on a product; the default one is that of a product without any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Poll {
    /// Seconds; the first at which nobody votes any more.
    pub end: u64,
    /// Seconds; until then `before` holds while this poll runs.
    pub before_until: u64,
    /// The result of the poll before, bps.
    pub before: i64,
    /// Most that the result moves the rate, bps.
    pub max_bps: u16,
    /// Weight below which the result shrinks in proportion.
    pub quorum: u128,
    /// All that was cast.
    pub weight: u128,
    /// Of weight · direction in bps.
    pub sum: i128,
}

impl Poll {
    /// The poll that is opened at `time` after this one; none before this one's result is about to lapse.
    pub fn next(&self, time: u64, mode: Mode, max_bps: u16, supply: u128) -> Option<Self> {
        let opens_at = (self.end + VALID_TIME).saturating_sub(POLL_TIME);
        (time >= opens_at).then(|| Self {
            end: time + POLL_TIME,
            before_until: self.end + VALID_TIME,
            before: self.bps(time),
            max_bps: max_bps.min(MAX_BPS),
            quorum: mode.quorum(supply),
            weight: 0,
            sum: 0,
        })
    }

    /// Counts a vote of `weight` at most 2^112, directed from -10,000 to 10,000 bps; clamped beyond.
    pub fn cast(&mut self, weight: u128, direction: i16) {
        let direction = i128::from(direction).clamp(-FULL, FULL);
        self.weight = self.weight.saturating_add(weight);
        self.sum =
            self.sum.saturating_add(i128::try_from(weight).unwrap_or(i128::MAX).saturating_mul(direction));
    }

    /// How much of a posted rate is to be added to it at `time`, bps, rounded towards no change.
    pub fn bps(&self, time: u64) -> i64 {
        if time < self.end {
            return if time < self.before_until { self.before } else { 0 };
        }
        if time >= self.end.saturating_add(VALID_TIME) {
            return 0;
        }
        let whole = i128::try_from(self.weight.max(self.quorum).max(1)).unwrap_or(i128::MAX);
        // Dividing by the weight first would lose what a mean is made of; 1e26 votes · 1e4 · 1e3 fit into 127 bits.
        let moved = self.sum.saturating_mul(i128::from(self.max_bps)) / whole.saturating_mul(FULL);
        i64::try_from(moved).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VOTES: u128 = 1_000_000_000_000_000_000;
    const SUPPLY: u128 = 100_000_000 * VOTES;
    const NOW: u64 = 1_800_000_000;

    fn linear() -> Poll {
        Poll::default().next(NOW, Mode::Linear, MAX_BPS, SUPPLY).expect("the first poll")
    }

    /// The numbers of `Signal.t.sol`.
    #[test]
    fn results_are_those_of_the_contract() {
        let mut poll = linear();
        poll.cast(6_000_000 * VOTES, 10_000);
        poll.cast(3_000_000 * VOTES, -5_000);
        assert_eq!((poll.bps(poll.end - 1), poll.bps(poll.end)), (0, 500));
        let mut few = linear();
        few.cast(10_000 * VOTES, 10_000);
        assert_eq!(few.bps(few.end), 2);
        let mut down = linear();
        down.cast(6_000_000 * VOTES, -9_999);
        assert_eq!(down.bps(down.end), -999);
        let mode = Mode::Quadratic;
        let mut roots = Poll::default().next(NOW, mode, MAX_BPS, SUPPLY).expect("the first poll");
        assert_eq!(roots.quorum, 10_000_000_000_000);
        roots.cast(mode.weight(6_000_000 * VOTES), 10_000);
        roots.cast(mode.weight(10_000 * VOTES), -10_000);
        assert_eq!(roots.weight, 2_449_489_742_783 + 100_000_000_000);
        assert_eq!(roots.bps(roots.end), 234);
        let empty = Poll::default().next(NOW, Mode::Linear, MAX_BPS, 0).expect("the first poll");
        assert_eq!(empty.bps(empty.end), 0);
    }

    #[test]
    fn a_result_holds_while_the_next_poll_runs() {
        let mut poll = linear();
        poll.cast(6_000_000 * VOTES, 10_000);
        let lapses = poll.end + VALID_TIME;
        assert_eq!(poll.next(poll.end + 23 * DAY - 1, Mode::Linear, 0, SUPPLY), None);
        let next = poll.next(poll.end + 24 * DAY, Mode::Linear, 0, SUPPLY).expect("in time");
        assert_eq!((poll.bps(lapses - 1), poll.bps(lapses)), (1_000, 0));
        assert_eq!((next.bps(lapses - 1), next.bps(lapses), next.bps(next.end)), (1_000, 0, 0));
    }

    proptest! {
        #[test]
        fn a_signal_never_leaves_its_bounds(
            max_bps in 0..=MAX_BPS,
            quadratic in any::<bool>(),
            casts in prop::collection::vec((0..=SUPPLY / 8, any::<i16>()), 0..8),
            after in 0..40 * DAY,
        ) {
            let mode = if quadratic { Mode::Quadratic } else { Mode::Linear };
            let mut poll = Poll::default().next(NOW, mode, max_bps, SUPPLY).expect("the first poll");
            for (votes, direction) in casts {
                poll.cast(mode.weight(votes), direction);
            }
            prop_assert!(poll.bps(NOW + after).unsigned_abs() <= u64::from(max_bps));
        }

        #[test]
        fn splitting_a_stake_moves_a_linear_poll_no_further(votes in 2..SUPPLY / 2, part in 1..100u128) {
            let (mut whole, mut split) = (linear(), linear());
            let one = votes * part / 100;
            whole.cast(votes, 10_000);
            split.cast(one, 10_000);
            split.cast(votes - one, 10_000);
            prop_assert_eq!(whole.bps(whole.end), split.bps(split.end));
        }
    }
}
