//! Treaties by hand, and that they never pay more than their share nor leave the layers short.

use alloy_primitives::U256;
use breakwater_primitives::{Block, Bps, Time, YEAR};
use proptest::prelude::*;

use crate::treaty::{Terms, Treaty, counted};

const START: Time = Time(1_000);

fn terms(share: u32, attachment: u128, limit: u128) -> Terms {
    Terms {
        aggregate: false,
        share: Bps::new(share),
        premium: Bps::new(0),
        attachment,
        limit,
        yearly_limit: u128::MAX,
        start: START,
        end: Time(START.0 + 2 * YEAR),
        notice: 100,
    }
}

fn funded(terms: Terms, assets: u128) -> Treaty {
    let mut treaty = Treaty::new(terms);
    treaty.assets = assets;
    treaty
}

fn at(time: Time) -> (Time, Block) {
    (time, Block(9))
}

fn encumber(treaty: &mut Treaty, incident: u64, loss: u128) -> u128 {
    treaty.encumber(incident, at(START), START, loss).expect("small")
}

#[test]
fn a_layer_by_hand() {
    let t = terms(8_000, 100, 500);
    let part = |x| t.part(x, U256::ZERO);
    assert_eq!(part(100), Ok(0));
    assert_eq!(part(101), Ok(0));
    assert_eq!(part(102), Ok(1));
    assert_eq!(part(200), Ok(80));
    assert_eq!(part(600), Ok(400));
    assert_eq!(part(u128::MAX), Ok(400));
    assert_eq!(t.part(60, U256::from(60)), Ok(16));
    assert_eq!(terms(10_000, 0, u128::MAX).part(u128::MAX, U256::ZERO), Ok(u128::MAX));
}

#[test]
fn a_cession_by_hand() {
    let mut treaty = funded(terms(8_000, 100, 500), 1_000);
    assert_eq!(encumber(&mut treaty, 1, 600), 400);
    assert_eq!(treaty.draw(1, 200), Ok(80));
    assert_eq!((treaty.assets, treaty.encumbered()), (920, 320));
    assert_eq!(treaty.settle(1, 300), Ok(160));
    assert_eq!(treaty.draw(1, 300), Ok(80));
    assert_eq!((treaty.assets, treaty.encumbered()), (840, 0));
    assert_eq!(encumber(&mut treaty, 1, 600), 160);
}

#[test]
fn a_year_has_one_limit_and_an_aggregate_one_layer() {
    let mut treaty = funded(Terms { yearly_limit: 700, ..terms(8_000, 100, 500) }, 5_000);
    assert_eq!(encumber(&mut treaty, 1, 600), 400);
    assert_eq!(encumber(&mut treaty, 2, 600), 300);
    let next = Time(START.0 + YEAR);
    assert_eq!(treaty.encumber(3, at(next), next, 600), Ok(400));

    let aggregate = Terms { aggregate: true, yearly_limit: 400, ..terms(8_000, 100, 500) };
    let mut treaty = funded(aggregate, 1_000);
    assert_eq!(encumber(&mut treaty, 1, 60), 0);
    assert_eq!(encumber(&mut treaty, 2, 60), 16);
    assert_eq!(encumber(&mut treaty, 3, 1_000), 384);
    assert_eq!(encumber(&mut treaty, 1, 0), 0);
    assert_eq!(encumber(&mut treaty, 2, 60), 16);
}

#[test]
fn the_term_decides() {
    let mut treaty = funded(terms(10_000, 0, 500), 1_000);
    let (end, free) = (treaty.terms.end, treaty.terms.free_from());
    assert_eq!(treaty.encumber(1, at(START), Time(START.0 - 1), 10), Ok(0));
    assert_eq!(treaty.encumber(1, at(end), end, 10), Ok(0));
    assert_eq!(treaty.encumber(1, at(free), START, 10), Ok(0));
    assert_eq!(treaty.encumber(1, at(Time(free.0 - 1)), START, 10), Ok(10));
    assert_eq!(treaty.encumber(1, at(free), Time(START.0 - 1), 20), Ok(0));
    assert!(treaty.lets_out(free, true, false) && !treaty.lets_out(free, true, true));
    assert!(!treaty.lets_out(Time(free.0 - 1), true, false) && treaty.lets_out(START, false, true));
}

#[test]
fn short_collateral_is_recorded_and_a_failed_draw_stays_locked() {
    let mut treaty = funded(terms(10_000, 0, 500), 100);
    assert_eq!(encumber(&mut treaty, 1, 150), 100);
    assert_eq!(treaty.cession(1).map(|c| c.short_by), Some(50));
    let sent = treaty.draw(1, 150).expect("small");
    treaty.undraw(1, sent);
    assert_eq!((treaty.assets, treaty.encumbered()), (100, 100));
    assert!(!treaty.takes_deposits(START, false, U256::from(1)));
}

/// Shares of up to four treaties that are together at most the whole.
fn shares() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(1u32..=10_000, 1..=4).prop_map(|parts| {
        let sum: u32 = parts.iter().sum();
        if sum <= 10_000 {
            parts
        } else {
            parts.iter().map(|part| (u64::from(*part) * 10_000 / u64::from(sum)) as u32).collect()
        }
    })
}

fn lines() -> impl Strategy<Value = Vec<(Terms, u128)>> {
    (shares(), prop::collection::vec((0u128..400, 1u128..400, 0u128..600, any::<bool>()), 4)).prop_map(
        |(shares, shapes)| {
            shares
                .into_iter()
                .zip(shapes)
                .map(|(share, (attachment, limit, collateral, aggregate))| {
                    (Terms { aggregate, ..terms(share, attachment, limit) }, collateral)
                })
                .collect()
        },
    )
}

proptest! {
    #[test]
    fn parts_rise_slowly_and_are_together_at_most_the_loss(
        line in lines(), x in 0u128..1_000, step in 0u128..50, before in 0u128..500,
    ) {
        let before = U256::from(before);
        let (mut low, mut high) = (0, 0);
        for (terms, _) in &line {
            let (a, b) = (terms.part(x, before).expect("small"), terms.part(x + step, before).expect("small"));
            prop_assert!(a <= b && b <= a + step);
            (low, high) = (low + a, high + b);
        }
        prop_assert!(low <= x);
        // What the layers bear falls by at most a unit for each treaty.
        prop_assert!(x + step - high + line.len() as u128 >= x - low);
    }

    /// The layers hold the reserve less what the pool counts on; whatever is paid of the reserve, that and the draws
    /// suffice, though each draw rounds down.
    #[test]
    fn draws_and_layers_always_hold_what_is_due(line in lines(), reserve in 1u128..1_000, part in 0u128..=1_000) {
        let mut treaties: Vec<_> = line.into_iter().map(|(terms, has)| funded(terms, has)).collect();
        let ceded: u128 = treaties.iter_mut().map(|t| counted(encumber(t, 1, reserve))).sum();
        prop_assert!(ceded <= reserve);
        let due = reserve * part / 1_000;
        let mut drawn = 0;
        for treaty in &mut treaties {
            let sent = treaty.draw(1, due).expect("small");
            prop_assert!(sent * 10_000 <= due * u128::from(treaty.terms.share.get()));
            drawn += sent;
        }
        prop_assert!(reserve - ceded + drawn >= due, "layers {} draws {drawn} due {due}", reserve - ceded);
        // Closed, nothing is left over or missing.
        let covered: u128 = treaties.iter_mut().map(|t| t.settle(1, due).expect("small")).sum();
        prop_assert_eq!(covered, drawn);
    }

    #[test]
    fn books_hold_in_any_order(
        line in lines(), calls in prop::collection::vec((0u64..4, 0u128..700, 0u8..5), 1..40),
    ) {
        let (terms, has) = line[0];
        let yearly_limit = (terms.limit / 2).max(1);
        let mut treaty = funded(Terms { yearly_limit, ..terms }, has);
        let (mut due, mut out) = ([0u128; 4], 0);
        for (incident, x, kind) in calls {
            let k = incident as usize;
            match kind {
                0 | 1 => {
                    encumber(&mut treaty, incident, x);
                }
                2 | 3 => {
                    due[k] = due[k].max(x);
                    out += treaty.draw(incident, due[k]).expect("small");
                }
                _ => {
                    treaty.settle(incident, due[k]).expect("small");
                }
            }
            prop_assert!(treaty.encumbered() <= treaty.assets);
            prop_assert_eq!(treaty.assets + out, has);
            prop_assert!(treaty.year(0).covered <= yearly_limit);
            for (k, due) in due.iter().enumerate() {
                let Some(c) = treaty.cession(k as u64) else { continue };
                prop_assert!(c.drawn <= c.covered);
                prop_assert!(c.drawn * 10_000 <= due * u128::from(terms.share.get()));
            }
        }
    }
}
