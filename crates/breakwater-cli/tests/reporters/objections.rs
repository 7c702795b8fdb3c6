//! Reports that are false: not carried, proven wrong by the chain itself, or challenged and decided against.

use std::fs;

use alloy::primitives::{Bytes, U256};
use alloy::sol_types::{SolCall, SolValue};
use breakwater_bindings::contracts::{Assembly, EthereumHistory, QuorumRung, Reporters};
use breakwater_bindings::demo::DemoToken;
use breakwater_bindings::eip712;
use breakwater_bindings::{Incidents, Pool};
use serde_json::json;

use crate::support::has_anvil;
use crate::support::stage::{DOLLAR, Who};
use crate::town::{FIRST_KEY, KEEPER, Kind, Town};

impl Town {
    /// The two who lied are out, their bonds gone, and nobody was paid anything.
    fn check_slashed(&self, before: U256) {
        let registry = self.disputes().reporters;
        let members = self.stage.view(registry, &Reporters::membersCall {})._1;
        assert_eq!(members, [self.reporters[0]], "{}", self.logs());
        let slashed: Vec<Reporters::Slashed> = self.events(registry);
        let mut who: Vec<_> = slashed.iter().map(|it| it.reporter).collect();
        who.sort();
        let mut liars = self.reporters[1..].to_vec();
        liars.sort();
        assert_eq!(who, liars);
        assert!(self.settled().iter().all(|settled| settled.paid.is_zero()), "nothing was paid");
        assert_eq!(self.balance(self.stage.address(Who::Buyer)), before);
        let booking = self.stage.view(self.stage.pool, &Pool::bookingCall { incident: U256::from(1) });
        assert_eq!((booking.reserved, booking.paid), (0, 0));
    }
}

#[test]
fn a_report_that_does_not_hold_when_executed_again_is_not_carried() {
    if !has_anvil() {
        return;
    }
    let mut town = Town::build(Kind::Plain);
    town.start(0);
    town.start(KEEPER);
    (0..4).for_each(|_| town.step());
    town.drain();
    town.step_until("the honest one signs", |town| !town.letters().is_empty());
    // Two others say that half as much was lost, by the same rule in everything else, and are a quorum.
    let honest = fs::read(&town.letters()[0]).unwrap();
    let honest: serde_json::Value = serde_json::from_slice(&honest).unwrap();
    let message: Bytes = serde_json::from_value(honest["message"].clone()).unwrap();
    let report = eip712::LossReport::abi_decode(&message).unwrap();
    let lie = eip712::LossReport { loss: report.loss / 2, ..report };
    let digest = eip712::digest(&lie, 31_337, town.disputes().quorum_rung);
    for node in [1, 2] {
        let (message, signature) = (Bytes::from(lie.abi_encode()), town.signature(&lie, node));
        let letter = json!({ "kind": "loss", "message": message, "signature": signature });
        let file = town.stage.path(&format!("mail/{digest}-{}.json", town.reporters[node]));
        fs::write(file, letter.to_string()).unwrap();
    }
    town.step_until("withheld", |town| !town.told(KEEPER, "withheld").is_empty());
    (0..12).for_each(|_| town.step());
    assert_eq!((town.posted().len(), town.settled().len()), (0, 0), "{}", town.logs());
    assert!(town.told(0, "sent").is_empty(), "the honest one does not carry it either");
}

#[test]
fn a_false_report_of_healthy_blocks_is_contradicted_by_the_chain() {
    if !has_anvil() {
        return;
    }
    let mut town = Town::build(Kind::Plain);
    let before = town.balance(town.stage.address(Who::Buyer));
    town.start_with(0, &["--challenge"]);
    town.start(KEEPER);
    (0..4).for_each(|_| town.step());
    let head = town.head();
    town.post(&town.fabricated(head - 3, head), &[1, 2]);
    town.wait_until("contradicted", |town| {
        !town.events::<QuorumRung::Contradicted>(town.disputes().quorum_rung).is_empty()
    });
    town.step_until("void", |town| {
        !town.events::<Incidents::Voided>(town.stage.deployment().incidents).is_empty()
    });
    town.check_slashed(before);
}

#[test]
fn a_false_report_is_challenged_decided_against_and_judged() {
    if !has_anvil() {
        return;
    }
    let mut town = Town::build(Kind::Plain);
    let (assembly, rung) = (town.disputes().assembly, town.disputes().quorum_rung);
    let stake = 1_000 * DOLLAR;
    let approve = DemoToken::approveCall { spender: assembly, value: U256::MAX };
    town.stage.send(Who::Curator, town.stage.asset, &approve);
    town.stage.send(Who::Curator, assembly, &Assembly::stakeCall { amount: stake.into() });
    let before = town.balance(town.stage.address(Who::Buyer));
    town.start_with(0, &["--challenge"]);
    town.start(KEEPER);
    (0..4).for_each(|_| town.step());
    // A pin changes and nothing is lost, so the chain itself cannot say that the report is false.
    let onset = town.head();
    town.shake_pins();
    (0..3).for_each(|_| town.step());
    let reading = town.head();
    town.post(&town.fabricated(onset, reading), &[1, 2]);
    town.wait_until("challenged", |town| !town.events::<QuorumRung::Challenged>(rung).is_empty());
    let challenge = &town.events::<QuorumRung::Challenged>(rung)[0];
    assert_eq!((challenge.challenger, challenge.loss), (town.reporters[0], 0));
    // Whoever would prove something about the report later finds its blocks.
    town.wait_until("anchored", |town| {
        [onset, onset + 1, reading].into_iter().all(|number| {
            let kept = EthereumHistory::anchoredCall { number: U256::from(number) };
            !town.stage.view(town.stage.deployment().history, &kept).is_zero()
        })
    });
    // The keeper ends the window, which makes it a dispute, and begins the case.
    town.step_until("a case", |town| !town.events::<Assembly::Began>(assembly).is_empty());
    let disputed: Vec<Incidents::Disputed> = town.events(town.stage.deployment().incidents);
    assert_eq!((disputed.len(), disputed[0].loss), (1, 0));
    let place = assembly.to_string();
    let secret = town.stage.path("vote.json");
    let case = ["--assembly", &place, "--incident", "1"];
    let commit = [&["assess", "commit", "--percent", "0", "--secret", &secret][..], &case].concat();
    town.stage.done(Who::Curator, &commit);
    town.leap(3_601);
    town.stage.done(Who::Curator, &["assess", "reveal", "--secret", &secret]);
    town.leap(3_601);
    // It closes the case, which voids the report, and has it judged.
    town.step_until("judged", |town| !town.events::<QuorumRung::Settled>(rung).is_empty());
    assert!(town.events::<QuorumRung::Settled>(rung)[0].slashed);
    town.check_slashed(before);
    let keys = town.stage.anvil.keys();
    let resolve = QuorumRung::resolveCall { id: U256::from(1), index: U256::ZERO };
    town.stage.send_raw(keys[FIRST_KEY].address(), Some(rung), resolve.abi_encode().into());
    let owed = QuorumRung::owedCall { account: town.reporters[0] };
    assert_eq!(u64::try_from(town.stage.view(rung, &owed)).unwrap(), DOLLAR, "the bond comes back");
}
