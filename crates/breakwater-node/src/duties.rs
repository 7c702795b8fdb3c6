//! What the clock and the logs alone ask for: proofs before the end of a dwell, the end of dwells and disputes,
//! settlement of what may be paid, closing. Pure: what is known in, plans out.
//!
//! The key decision: a policy is settled whenever something happened since it was settled last that may let it be paid
//! more: its incident moved on, its position was recorded, or a booking that was short was filled. So a dispute pays
//! its undisputed part at once and the rest when it ends, by one rule.

use std::collections::BTreeSet;

use alloy::primitives::{Address, U256};

use crate::keeper::{PROVE_BATCH, SETTLE_BATCH};
use crate::known::{Cover, Known, KnownIncident, Seq, Standing, Terms};
use crate::plan::{Phase, Plan};

/// Blocks before the end of a dwell at which positions are proven for the reading that will stand.
const PROVE_AHEAD_BLOCKS: u64 = 2;

/// Everything that is due after block `number`, whose time is `time` in seconds.
pub(crate) fn duties(known: &Known, number: u64, time: u64) -> Vec<Plan> {
    let mut plans = Vec::new();
    // A transaction sent now is mined in the next block at the earliest.
    let next = number + 1;
    for (id, incident) in &known.incidents {
        plans.extend(due(known, *id, incident, next, time));
    }
    for (id, pool) in &known.bookings {
        let over = known.incidents.get(id).is_some_and(
            |incident| matches!(incident.standing, Standing::Final { claims_end } if time > claims_end),
        );
        if over {
            plans.push(Plan::CloseBooking { incident: *id, pool: *pool });
        }
    }
    plans
}

fn due(known: &Known, id: U256, incident: &KnownIncident, next: u64, time: u64) -> Vec<Plan> {
    let end = incident.live.dwell_end;
    match incident.standing {
        Standing::Dwelling if next > end && incident.by_proof() => {
            let held = incident.held.map(|held| held.min(incident.live.loss));
            let pays = !known.is_nothing(incident, held.unwrap_or(incident.live.loss));
            let settle = if pays { settle_plans(known, id, incident, None) } else { Vec::new() };
            if settle.is_empty() {
                return vec![Plan::Finalise { incident: id, after: end }];
            }
            // Settling ends the dwell as well.
            prove_plans(known, id, incident, |_| true).into_iter().chain(settle).collect()
        }
        Standing::Dwelling if next > end => vec![Plan::Finalise { incident: id, after: end }],
        Standing::Dwelling if next + PROVE_AHEAD_BLOCKS > end && incident.by_proof() => {
            prove_plans(known, id, incident, |_| true)
        }
        Standing::Disputed { decide_by } if next > decide_by => {
            vec![Plan::Finalise { incident: id, after: decide_by }]
        }
        Standing::Disputed { .. } if known.is_nothing(incident, incident.payable) => Vec::new(),
        Standing::Disputed { .. } => settle_plans(known, id, incident, None),
        // After the claims only what was due before is paid, where its pool could not pay it then.
        Standing::Final { claims_end } if time > claims_end => {
            let owed = |policy: U256| known.handled.get(&(id, policy)).is_some_and(|handled| handled.owed);
            settle(known, id, incident, None, owed)
        }
        Standing::Final { .. } => settle_plans(known, id, incident, None),
        Standing::Dwelling | Standing::Voided => Vec::new(),
    }
}

/// Proofs of the positions that the incident touches, in batches.
pub(crate) fn prove_plans(
    known: &Known,
    id: U256,
    incident: &KnownIncident,
    wanted: impl Fn(&Terms) -> bool,
) -> Vec<Plan> {
    let touched = known.touched(incident);
    let accounts: BTreeSet<Address> = touched
        .iter()
        .filter(|(_, _, terms)| terms.by_position && wanted(terms))
        .map(|(_, cover, _)| cover.position)
        .collect();
    let accounts: Vec<Address> = accounts.into_iter().collect();
    let plan = |accounts: &[Address]| Plan::Prove {
        gauge: incident.gauge,
        incident: id,
        reading: incident.live.reading,
        accounts: accounts.to_vec(),
    };
    accounts.chunks(PROVE_BATCH).map(plan).collect()
}

/// Settlement of the policies that the incident touches, in batches: in the dwell by the instant lane for the reading
/// at `instant`, else of what gave a new reason.
pub(crate) fn settle_plans(
    known: &Known,
    id: U256,
    incident: &KnownIncident,
    instant: Option<u64>,
) -> Vec<Plan> {
    settle(known, id, incident, instant, |_| true)
}

fn settle(
    known: &Known,
    id: U256,
    incident: &KnownIncident,
    instant: Option<u64>,
    wanted: impl Fn(U256) -> bool,
) -> Vec<Plan> {
    let touched = known.touched(incident);
    let reasons: Vec<(U256, Seq)> = touched
        .iter()
        .filter(|(policy, ..)| wanted(*policy))
        .filter_map(|(policy, cover, terms)| match instant {
            Some(_) => terms.instant.then_some((*policy, 0)),
            None => Some((*policy, reason(known, id, incident, *policy, cover, terms)?)),
        })
        .collect();
    let plan = |part: &[(U256, Seq)]| Plan::Settle {
        incident: id,
        policies: part.iter().map(|(policy, _)| *policy).collect(),
        phase: match instant {
            Some(reading) => Phase::Instant { reading },
            None => Phase::Final { since: part.iter().map(|(_, since)| *since).max().unwrap_or_default() },
        },
    };
    reasons.chunks(SETTLE_BATCH).map(plan).collect()
}

/// Why the policy is to be settled now, after the dwell; none if it is not.
pub(crate) fn reason(
    known: &Known,
    id: U256,
    incident: &KnownIncident,
    policy: U256,
    cover: &Cover,
    terms: &Terms,
) -> Option<Seq> {
    // A keeper proves positions together with the settlement; what others record comes one batch after another, and
    // nobody else is kept waiting.
    let recorded = !terms.by_position || known.recorded.contains_key(&(id, cover.position));
    let ready = recorded || incident.by_proof();
    known.reason_to_settle(id, policy, cover).filter(|_| ready)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests may fail the test")]
mod tests {
    use super::*;
    use crate::known::{Handled, seq};
    use crate::watch::Live;
    use alloy::primitives::B256;

    const GAUGE: B256 = B256::repeat_byte(1);
    const PRODUCT: B256 = B256::repeat_byte(2);
    const POOL: Address = Address::repeat_byte(3);
    const HOLDER: Address = Address::repeat_byte(4);
    const DWELL_END: u64 = 100;

    fn one() -> U256 {
        U256::ONE
    }

    /// One policy that pays for a position, and an incident of half of it, opened by this rung.
    fn known(rung: u8) -> Known {
        let mut known = Known::new(32);
        known.thresholds.insert(GAUGE, U256::from(100_000_000_000_000_000_u64));
        let terms = Terms { gauge: GAUGE, by_position: true, instant: false, report_window: 0 };
        known.products.insert(PRODUCT, terms);
        let cover =
            Cover { product: PRODUCT, pool: POOL, position: HOLDER, inception: 0, expiry: 10_000, since: 0 };
        known.covers.insert(one(), cover);
        let live = Live {
            onset: 50,
            reading: 60,
            loss: 500,
            base: 1_000,
            peak: U256::ZERO,
            span_end: 300,
            dwell_end: DWELL_END,
        };
        let incident = KnownIncident {
            gauge: GAUGE,
            rung,
            standing: Standing::Dwelling,
            payable: live.loss,
            live,
            held: None,
            delayed: false,
            counted: rung != 0,
            onset_time: 600,
            after_time: 612,
            opened_time: 720,
            opened_at: 61,
            changed: seq(61, 0),
        };
        known.incidents.insert(one(), incident);
        known
    }

    fn incident(known: &mut Known) -> &mut KnownIncident {
        known.incidents.get_mut(&one()).unwrap()
    }

    fn settled(known: &Known, number: u64, time: u64) -> Option<u64> {
        let plans = duties(known, number, time);
        plans.iter().find_map(|plan| match plan {
            Plan::Settle { phase: Phase::Final { since }, .. } => Some(*since),
            _ => None,
        })
    }

    fn finalised(known: &Known, number: u64) -> Option<u64> {
        duties(known, number, 0).iter().find_map(|plan| match plan {
            Plan::Finalise { after, .. } => Some(*after),
            _ => None,
        })
    }

    #[test]
    fn a_proof_is_settled_at_the_end_of_its_dwell_and_again_after_the_guardians_delay() {
        let mut known = known(0);
        assert_eq!(settled(&known, DWELL_END - 1, 0), None);
        let first = settled(&known, DWELL_END, 0).unwrap();
        // The settlement began the wait, and paid nothing.
        let it = incident(&mut known);
        (it.live.dwell_end, it.delayed, it.changed) = (DWELL_END + 10, true, seq(DWELL_END + 1, 0));
        assert_eq!(settled(&known, DWELL_END + 9, 0), None, "it waits");
        let again = settled(&known, DWELL_END + 10, 0).unwrap();
        assert_ne!(
            first, again,
            "another action, or the journal would take it for the one that paid nothing"
        );
    }

    #[test]
    fn a_report_is_finalised_again_after_the_guardians_delay() {
        let mut known = known(3);
        assert_eq!(finalised(&known, DWELL_END - 1), None);
        assert_eq!(finalised(&known, DWELL_END), Some(DWELL_END));
        incident(&mut known).live.dwell_end = DWELL_END + 10;
        assert_eq!(finalised(&known, DWELL_END + 9), None);
        assert_eq!(finalised(&known, DWELL_END + 10), Some(DWELL_END + 10));
    }

    #[test]
    fn a_dispute_pays_what_is_undisputed_at_once_and_the_rest_when_it_is_decided() {
        let mut known = known(3);
        known.recorded.insert((one(), HOLDER), seq(90, 0));
        let it = incident(&mut known);
        (it.standing, it.payable) = (Standing::Disputed { decide_by: 500 }, 200);
        it.changed = seq(101, 0);
        assert_eq!(settled(&known, 101, 0), Some(seq(101, 0)));
        known.handled.insert((one(), one()), Handled { at: seq(102, 5), owed: false });
        assert_eq!(settled(&known, 102, 0), None, "nothing new");
        assert_eq!(finalised(&known, 499), None);
        assert_eq!(finalised(&known, 500), Some(500), "nobody decided: what was asserted stands");
        let it = incident(&mut known);
        (it.standing, it.payable) = (Standing::Final { claims_end: 9_000 }, 500);
        it.changed = seq(300, 1);
        assert_eq!(settled(&known, 300, 8_000), Some(seq(300, 1)));
        known.handled.insert((one(), one()), Handled { at: seq(301, 0), owed: false });
        assert_eq!(settled(&known, 301, 8_000), None);
    }

    #[test]
    fn a_dispute_in_which_nothing_is_undisputed_pays_nothing_yet() {
        let mut known = known(3);
        known.recorded.insert((one(), HOLDER), seq(90, 0));
        let it = incident(&mut known);
        // Below the threshold of a tenth.
        (it.standing, it.payable) = (Standing::Disputed { decide_by: 500 }, 99);
        assert_eq!(settled(&known, 101, 0), None);
    }

    #[test]
    fn a_proof_that_the_guardian_sent_up_is_finalised_without_a_settlement_in_vain() {
        let mut known = known(0);
        incident(&mut known).held = Some(0);
        assert_eq!((settled(&known, DWELL_END, 0), finalised(&known, DWELL_END)), (None, Some(DWELL_END)));
    }

    #[test]
    fn who_is_recorded_late_or_was_paid_short_is_settled_again() {
        let mut known = known(3);
        incident(&mut known).standing = Standing::Final { claims_end: 9_000 };
        assert_eq!(settled(&known, 110, 8_000), None, "not recorded");
        known.recorded.insert((one(), HOLDER), seq(110, 0));
        assert_eq!(settled(&known, 110, 8_000), Some(seq(110, 0)));
        known.handled.insert((one(), one()), Handled { at: seq(111, 0), owed: true });
        assert_eq!(settled(&known, 111, 8_000), None);
        known.filled.insert((one(), POOL), seq(120, 0));
        assert_eq!(settled(&known, 120, 8_000), Some(seq(120, 0)));
        assert_eq!(settled(&known, 120, 9_001), Some(seq(120, 0)), "old dues outlive the claims");
        known.handled.insert((one(), one()), Handled { at: seq(119, 0), owed: false });
        assert_eq!(settled(&known, 120, 8_000), None, "what was paid in full needs no filling");
    }

    #[test]
    fn what_was_split_off_later_has_no_part_in_an_incident() {
        let mut known = known(0);
        let bought = known.covers[&one()].clone();
        known.covers.insert(U256::from(2), Cover { since: 61, ..bought.clone() });
        known.covers.insert(U256::from(3), Cover { since: 62, ..bought });
        let plans = duties(&known, DWELL_END, 0);
        let settled = plans.iter().find_map(|plan| match plan {
            Plan::Settle { policies, .. } => Some(policies.clone()),
            _ => None,
        });
        assert_eq!(settled, Some(vec![one(), U256::from(2)]));
    }

    #[test]
    fn bookings_are_closed_when_the_claims_are_over() {
        let mut known = known(3);
        known.bookings.insert((one(), POOL));
        incident(&mut known).standing = Standing::Final { claims_end: 9_000 };
        let closes = |known: &Known, time| {
            duties(known, 200, time).iter().any(|plan| matches!(plan, Plan::CloseBooking { .. }))
        };
        assert!(!closes(&known, 9_000));
        assert!(closes(&known, 9_001));
    }
}
