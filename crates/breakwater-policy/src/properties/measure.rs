//! Losses by hand, and that nothing but a loss is one.

use alloy_primitives::U256;
use breakwater_primitives::{Block, Bps, Time, WAD, Wad, YEAR};
use proptest::prelude::*;

use crate::due;
use crate::measure::{Health, Holding, Loss, Reading, assess, health_cap, lambda, loss, position_loss};
use crate::ops::sample_products;
use crate::refusal::Refusal;
use crate::terms::{Form, Product};

fn vault() -> Health {
    Health {
        form: Form::Ratio,
        threshold: Wad::new(WAD / 20),
        growth: Wad::new(WAD / 10),
        pinned_at: Time(0),
        floor: 10,
        assets0: 1_000,
        shares0: 1_000,
    }
}

fn bank() -> Health {
    Health { form: Form::Par, growth: Wad::new(0), assets0: 0, shares0: 0, ..vault() }
}

fn reading(number: u64, assets: u128, claims: u128) -> Reading {
    Reading { number: Block(number), time: Time(1_000 + 12 * number), assets, claims }
}

fn product() -> Product {
    sample_products(
        &[Default::default(), Default::default()],
        alloy_primitives::Address::ZERO,
        Default::default(),
    )
    .remove(0)
}

#[test]
fn a_drained_vault_by_hand() {
    let (a, b) = (reading(1, 1_000, 1_000), reading(2, 700, 1_000));
    let found = loss(&vault(), &a, 700, &b).expect("defined");
    assert_eq!(found, Loss { base: 1_000, loss: 300 });
    assert_eq!(found.fraction(), U256::from(WAD / 10 * 3));
    // An honest exit takes assets and shares alike: 30 % of both, no loss.
    let exit = reading(2, 700, 700);
    assert_eq!(loss(&vault(), &a, 700, &exit).expect("defined").loss, 0);
    // Shares minted for nothing thin every share out, but nothing left: no loss.
    let minted = reading(2, 1_000, 2_000);
    assert_eq!(loss(&vault(), &a, 1_000, &minted).expect("defined").loss, 0);
    // A drain and an exit: worth now is ceil(600 * 1,000 / 900) = 667, so 333 of 1,000 are gone.
    let both = reading(2, 600, 900);
    assert_eq!(loss(&vault(), &a, 600, &both).expect("defined").loss, 333);
}

#[test]
fn a_deposit_after_the_drain_heals_nobody() {
    // 300 were taken at a + 1; at b somebody has deposited 300 for 428 shares at the new price.
    let (a, b) = (reading(1, 1_000, 1_000), reading(9, 1_000, 1_428));
    // By the assets of b alone nothing would be missing; those of a + 1 still show the outflow.
    assert_eq!(loss(&vault(), &a, 700, &b).expect("defined").loss, 299);
    assert_eq!(loss(&vault(), &a, 1_000, &b).expect("defined").loss, 0);
}

#[test]
fn a_donation_lifts_nothing_above_the_growth() {
    // Health may rise 10 % a year; one year after the pin 1,000 shares are worth 1,100 at most.
    let mut a = reading(1, 5_000, 1_000);
    a.time = Time(YEAR);
    assert_eq!(health_cap(&vault(), &a), Ok(U256::from(1_100)));
    // Donate 4,000 and skim them again: the loss is what is below 1,100.
    let b = Reading { number: Block(2), time: Time(YEAR + 12), assets: 1_000, claims: 1_000 };
    assert_eq!(loss(&vault(), &a, 1_000, &b), Ok(Loss { base: 1_100, loss: 100 }));
    // Before the pin health is undefined.
    let mut health = vault();
    health.pinned_at = Time(YEAR + 1);
    let undefined = Refusal::UndefinedLoss { form: Form::Ratio, number: Block(1) };
    assert_eq!(health_cap(&health, &a), Err(undefined));
}

#[test]
fn a_bank_by_hand() {
    let health = bank();
    let (a, b) = (reading(1, 900, 1_000), reading(2, 600, 1_000));
    // Short by 100 before and by 400 after: 300 of 1,000 claims.
    assert_eq!(loss(&health, &a, 600, &b), Ok(Loss { base: 1_000, loss: 300 }));
    // An honest exit from a thin bank: both fall alike.
    let exit = reading(2, 500, 600);
    assert_eq!(loss(&health, &a, 500, &exit), Ok(Loss { base: 1_000, loss: 0 }));
    // Claims out of nothing can exceed those of a; the loss stays within the base.
    let inflated = reading(2, 0, 9_000);
    assert_eq!(loss(&health, &a, 0, &inflated), Ok(Loss { base: 1_000, loss: 1_000 }));
}

#[test]
fn what_is_undefined_is_no_loss() {
    let undefined = |form, number| Err(Refusal::UndefinedLoss { form, number: Block(number) });
    let (a, b) = (reading(1, 1_000, 1_000), reading(2, 0, 0));
    assert_eq!(loss(&vault(), &a, 0, &b), undefined(Form::Ratio, 2));
    let small = reading(1, 9, 9);
    assert_eq!(loss(&vault(), &small, 0, &reading(2, 0, 9)), undefined(Form::Ratio, 1));
    assert_eq!(loss(&bank(), &small, 0, &reading(2, 0, 9)), undefined(Form::Par, 1));
    let empty = reading(1, 0, 1_000);
    assert_eq!(loss(&vault(), &empty, 0, &reading(2, 0, 1_000)), undefined(Form::Ratio, 1));
}

#[test]
fn an_assertion_needs_an_onset_and_a_loss() {
    let health = vault();
    let a = reading(1, 1_000, 1_000);
    // Half of the 5 % threshold in one block: 25 of 1,000 is enough, 24 is not.
    let (enough, too_little) = (reading(2, 975, 1_000), reading(2, 976, 1_000));
    let b = reading(9, 940, 1_000);
    assert_eq!(assess(&health, &a, &enough, &b).map(|found| found.loss), Ok(60));
    let least = U256::from(WAD / 40);
    let lambda = U256::from(WAD / 1_000 * 24);
    assert_eq!(assess(&health, &a, &too_little, &b), Err(Refusal::NoOnset { lambda, least }));
    let half = reading(9, 960, 1_000);
    let refused = Refusal::BelowThreshold { lambda: U256::from(WAD / 25), threshold: U256::from(WAD / 20) };
    assert_eq!(assess(&health, &a, &enough, &half), Err(refused));
}

#[test]
fn a_position_by_hand() {
    let (a, b) = (reading(1, 1_000, 1_000), reading(2, 700, 1_000));
    let find = |before, after| {
        position_loss(&vault(), &a, 700, &b, Holding { before, after }, 300).expect("defined")
    };
    // 100 shares were worth 100 and are worth 70.
    assert_eq!((find(100, 100).lost, find(100, 100).value), (30, 100));
    // Who sold half before b lost on the other half.
    assert_eq!((find(100, 50).lost, find(100, 50).value), (15, 50));
    // Shares bought after the onset count against their holder: 120 are worth 84 now.
    assert_eq!((find(100, 120).lost, find(100, 120).value), (16, 100));
    // Who came later lost nothing.
    assert_eq!((find(0, 500).lost, find(0, 500).value), (0, 0));
}

#[test]
fn a_position_of_a_bank_takes_its_share() {
    let (a, b) = (reading(1, 900, 1_000), reading(2, 600, 1_000));
    let holding = Holding { before: 333, after: 900 };
    let found = position_loss(&bank(), &a, 600, &b, holding, 300).expect("defined");
    // floor(333 * 300 / 1,000)
    assert_eq!((found.lost, found.value), (99, 333));
}

#[test]
fn the_deductible_and_the_limits_by_hand() {
    let terms = Product { deductible: Bps::new(2_000), loss_cap: Bps::new(9_000), ..product() };
    let tenths = |n: u64| U256::from(WAD / 10 * n);
    assert_eq!(due::fraction(tenths(2), terms.deductible), Ok(U256::ZERO));
    // (60 % - 20 %) / (1 - 20 %) = 50 %
    assert_eq!(due::fraction(tenths(6), terms.deductible), Ok(tenths(5)));
    assert_eq!(due::fraction(tenths(10), terms.deductible), Ok(tenths(10)));
    // A loss of 1,200 at 60 %: 1,080 are payable, times 50 / 60 is 900; the sum of 1,000 pays 500.
    assert_eq!(due::due(&terms, 1_200, tenths(6), 1_000, tenths(5)), Ok(500));
    assert_eq!(due::due(&terms, 1_200, tenths(6), 10_000, tenths(5)), Ok(900));
    assert_eq!(due::registry_limit(&terms, 1_200, tenths(6)), Ok(900));
    // An event limit of 100 on 400 in force pays a quarter at most.
    let limited = Product { event_limit: 100, ..terms };
    assert_eq!(due::effective_fraction(tenths(6), &limited, 400), Ok(U256::from(WAD / 4)));
    assert_eq!(due::effective_fraction(tenths(6), &limited, 200), Ok(tenths(5)));
}

proptest! {
    #[test]
    fn a_loss_is_at_most_what_left(
        assets in 1u128..1 << 100,
        claims in 10u128..1 << 100,
        next in 0u128..1 << 100,
        assets_b in 0u128..1 << 100,
        claims_b in 1u128..1 << 100,
    ) {
        let health = Health { shares0: 1, assets0: 1 << 20, ..vault() };
        let (a, b) = (reading(1, assets, claims), reading(2, assets_b, claims_b));
        if let Ok(found) = loss(&health, &a, next, &b) {
            prop_assert!(found.loss <= found.base);
            prop_assert!(found.base <= assets);
            // Nothing is lost beyond the greater outflow of the two readings.
            prop_assert!(found.loss <= assets.saturating_sub(next.min(assets_b)));
        }
        if let Ok(found) = loss(&bank(), &a, next, &b) {
            prop_assert!(found.loss <= claims);
        }
    }

    #[test]
    fn positions_together_lose_at_most_the_whole(
        assets in 1u128..1 << 60,
        claims in 100u128..1 << 60,
        left in 0u128..1 << 60,
        cut in 1u128..100,
    ) {
        let health = Health { shares0: 1, assets0: 1 << 60, ..vault() };
        let (a, b) = (reading(1, assets, claims), reading(2, left.min(assets), claims));
        let Ok(found) = loss(&health, &a, b.assets, &b) else { return Ok(()) };
        let first = claims * cut / 100;
        let sum: u128 = [first, claims - first]
            .into_iter()
            .map(|held| {
                let holding = Holding { before: held, after: held };
                position_loss(&health, &a, b.assets, &b, holding, found.loss).map_or(0, |p| p.lost)
            })
            .sum();
        prop_assert!(sum <= found.loss);
    }

    #[test]
    fn due_is_within_sum_and_loss(
        lost in 0u128..1 << 100,
        base in 1u128..1 << 100,
        part in 1u64..=WAD,
        sum in 0u128..1 << 100,
        deductible in 0u32..10_000,
    ) {
        let terms = Product { deductible: Bps::new(deductible), ..product() };
        let lambda = lambda(u128::from(part) * (base >> 64) + 1, base).min(U256::from(WAD));
        if lambda.is_zero() {
            return Ok(());
        }
        let fraction = due::fraction(lambda, terms.deductible).expect("in range");
        prop_assert!(fraction <= lambda);
        let due = due::due(&terms, lost, lambda, sum, fraction).expect("in range");
        prop_assert!(due <= sum && due <= lost);
        prop_assert!(due <= due::registry_limit(&terms, lost, lambda).expect("in range"));
    }
}
