//! Nodes killed at any moment, and a chain that is reorganised between report and post: what is lost is paid once.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::has_anvil;
use crate::support::stage::Who;
use crate::town::{KEEPER, Kind, STEPS_MAX, Town};

/// A small generator, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Runs all four nodes through the drain and kills one of them now and then, at any moment of a block.
fn kills(seed: u64) {
    let mut town = Town::build(Kind::Plain);
    let mut dice = Dice(seed);
    (0..town.nodes.len()).for_each(|node| town.start(node));
    let before = town.balance(town.stage.address(Who::Buyer));
    let (mut kills, mut back_in, mut after) = (0, 0, 0);
    for step in 0..STEPS_MAX {
        if step == 8 {
            town.drain();
        }
        town.step();
        if let Some(dead) = town.nodes.iter().position(Option::is_none) {
            back_in -= 1;
            if back_in == 0 {
                town.start(dead);
            }
        } else if dice.roll(4) == 0 {
            std::thread::sleep(Duration::from_millis(dice.roll(1_000)));
            town.kill(dice.roll(4) as usize);
            (kills, back_in) = (kills + 1, 1 + dice.roll(4));
        }
        // What was paid must not be paid again a little later.
        after += u32::from(after > 0 || !town.settled().is_empty());
        if after > 8 {
            break;
        }
    }
    println!("seed {seed}: {kills} kills");
    assert!(after > 8, "seed {seed}: not paid {}", town.logs());
    town.check_paid(before);
}

#[test]
fn any_node_may_be_killed_and_the_loss_is_paid_once() {
    if has_anvil() {
        kills(1);
    }
}

#[test]
fn long_many_kills() {
    if std::env::var_os("BREAKWATER_LONG").is_none() {
        println!("SKIPPED 1 test: BREAKWATER_LONG is not set");
        return;
    }
    (2..22).for_each(kills);
}

#[test]
fn a_report_of_blocks_that_fell_out_of_the_chain_is_not_posted() {
    if !has_anvil() {
        return;
    }
    let mut town = Town::build(Kind::Plain);
    (0..2).for_each(|node| town.start(node));
    (0..4).for_each(|_| town.step());
    let before: Value = town.stage.request("evm_snapshot", json!([]));
    town.drain();
    town.step_until("both sign", |town| town.letters().len() == 2);
    // The chain goes back to before the drain and grows another way; the signatures are out.
    let reverted: bool = town.stage.request("evm_revert", json!([before]));
    assert!(reverted);
    town.leap(7);
    town.start(KEEPER);
    for _ in 0..14 {
        town.step();
    }
    assert_eq!(town.posted().len(), 0, "nothing was lost on this branch {}", town.logs());
    assert!(!town.told(0, "reorganised").is_empty(), "{}", town.logs());
    town.drain();
    town.step_until("posted", |town| !town.posted().is_empty());
    (0..3).for_each(|_| town.step());
    assert_eq!(town.posted().len(), 1, "{}", town.logs());
}
