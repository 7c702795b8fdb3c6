//! The state table of an incident, row by row.

use alloy_primitives::{B256, U256};
use breakwater_primitives::{Block, Time, WAD};

use super::stage::*;
use crate::incident::{Measurement, Rung, Status};
use crate::refusal::Refusal;

fn open(stage: &mut Stage, measured: Measurement) -> Result<u64, Refusal> {
    let at = stage.context(RUNG);
    stage.world.open(at, GAUGE, Rung::Proof, KEEPER, measured).map(|effects| effects.value)
}

fn status(stage: &Stage, id: u64) -> Status {
    stage.world.incidents.get(id).expect("opened").status
}

fn dwell_end(stage: &Stage, id: u64) -> u64 {
    stage.world.incidents.get(id).expect("opened").dwell_end.0
}

#[test]
fn an_opening_is_refused_in_order() {
    let mut stage = Stage::set();
    let good = stage.measured(3, 500);
    let at = stage.context(ALICE);
    let refused = stage.world.open(at, GAUGE, Rung::Proof, KEEPER, good).map(|effects| effects.value);
    assert_eq!(refused, Err(Refusal::NotRung { caller: ALICE, rung: Rung::Proof }));
    let at = stage.context(RUNG);
    let other = stage.world.open(at, GAUGE, Rung::Quorum, KEEPER, good).map(|effects| effects.value);
    assert_eq!(other, Err(Refusal::NotRung { caller: RUNG, rung: Rung::Quorum }));
    let unknown = stage.world.open(at, B256::ZERO, Rung::Proof, KEEPER, good).map(|effects| effects.value);
    assert_eq!(unknown, Err(Refusal::UnknownGauge { gauge: B256::ZERO }));

    let Measurement { onset, reading, base, loss, .. } = good;
    for bad in [
        Measurement { reading: onset, ..good },
        Measurement { after_time: good.onset_time, ..good },
        Measurement { base: 0, loss: 0, ..good },
        Measurement { loss: base + 1, ..good },
    ] {
        assert!(matches!(open(&mut stage, bad), Err(Refusal::BadMeasurement { .. })), "{bad:?}");
    }
    let head = stage.block;
    let early = Measurement { reading: head, ..good };
    assert_eq!(open(&mut stage, early), Err(Refusal::NotMined { reading: head, head }));
    let stretched = Measurement { onset: Block(reading.0 - 257), ..good };
    let last = Block(reading.0 - 1);
    assert_eq!(open(&mut stage, stretched), Err(Refusal::ReadingTooLate { reading, last }));
    let small = Measurement { loss: loss / 20, ..good };
    let (lambda, threshold) = (U256::from(WAD / 40), U256::from(WAD / 20));
    assert_eq!(open(&mut stage, small), Err(Refusal::BelowThreshold { lambda, threshold }));

    assert_eq!(open(&mut stage, good), Ok(1));
    stage.pass(24);
    let next = stage.measured(1, 500);
    let next = Measurement { onset: Block(next.onset.0 - 1), ..next };
    assert_eq!(open(&mut stage, next), Err(Refusal::AlreadyDwelling { id: 1 }));
    stage.finalise(1);
    let least = good.reading;
    let overlapping = Measurement { onset: Block(least.0 - 1), ..stage.measured(3, 500) };
    assert_eq!(
        open(&mut stage, overlapping),
        Err(Refusal::OnsetTooEarly { onset: overlapping.onset, least })
    );
    let later = stage.measured(3, 500);
    assert_eq!(open(&mut stage, later), Ok(2));
}

#[test]
fn news_of_a_higher_loss_buys_a_whole_dwell_and_anything_else_a_quarter() {
    let mut stage = Stage::set();
    stage.buy(ALICE, PLAIN, 1_000 * K, 60);
    stage.pass(10 * 86_400);
    let id = stage.open(500);
    let opened = stage.block.0;
    assert_eq!(dwell_end(&stage, id), opened + 32);
    stage.pass(30 * 12);
    stage.revise(id, 400).expect("lower");
    assert_eq!(dwell_end(&stage, id), opened + 38, "a quarter after block 30");
    assert_eq!(stage.booking(id).reserved, 400 * K);
    stage.revise(id, 450).expect("up to the peak");
    assert_eq!(dwell_end(&stage, id), opened + 38);
    stage.pass(5 * 12);
    stage.revise(id, 600).expect("above the peak");
    assert_eq!(dwell_end(&stage, id), opened + 35 + 32);
    assert_eq!(stage.booking(id).reserved, 600 * K);
    assert_eq!(stage.revise(id, 600).map(|_| ()), Err(Refusal::NothingNew { id }));
    let end = Block(dwell_end(&stage, id));
    let at = stage.context(KEEPER);
    let early = stage.world.finalise(at, id).map(|_| ());
    assert_eq!(early, Err(Refusal::DwellNotOver { id, dwell_end: end, head: stage.block }));
    stage.finalise(id);
    assert_eq!(status(&stage, id), Status::Final);
    let at = stage.context(KEEPER);
    let again = stage.world.finalise(at, id).map(|_| ());
    assert_eq!(again, Err(Refusal::NotDwelling { id, status: Status::Final }));
    assert_eq!(stage.revise(id, 700).map(|_| ()), Err(Refusal::NotDwelling { id, status: Status::Final }));
}

#[test]
fn nothing_raises_a_loss_after_the_span() {
    let mut stage = Stage::set();
    let id = stage.open(500);
    let span_end = stage.world.incidents.get(id).expect("opened").span_end;
    for permille in 501..=508 {
        stage.pass(30 * 12);
        stage.revise(id, permille).expect("within the span");
    }
    stage.pass(17 * 12);
    let head = stage.block;
    assert_eq!(stage.revise(id, 600).map(|_| ()), Err(Refusal::SpanOver { id, span_end, head }));
    let nothing = |answer: Result<_, Refusal>| assert_eq!(answer, Err(Refusal::NothingNew { id }));
    // The threshold is 50 thousandths, so a step is 6.25; a later block of the same loss is none.
    nothing(stage.revise(id, 508).map(|_| ()));
    nothing(stage.revise(id, 502).map(|_| ()));
    stage.revise(id, 501).expect("lower by a step is always heard");
    nothing(stage.revise(id, 507).map(|_| ()));
    stage.revise(id, 508).expect("and answered, up to the peak");
    stage.pass(33 * 12);
    let dwell_end = Block(dwell_end(&stage, id));
    let refused = stage.revise(id, 506).map(|_| ());
    assert_eq!(refused, Err(Refusal::DwellOver { id, dwell_end, head: stage.block }));
}

#[test]
fn revisions_go_one_way() {
    let mut stage = Stage::set();
    let id = stage.open(500);
    stage.pass(24);
    let old = stage.world.incidents.get(id).expect("opened").measured;
    let at = stage.context(RUNG);
    let mut revise = |measured: Measurement| stage.world.revise(at, id, measured).map(|_| ());
    let backwards = |measured: &Measurement| {
        Err(Refusal::RevisionBackwards { id, onset: measured.onset, reading: measured.reading })
    };
    let later = Measurement { onset: Block(old.onset.0 + 1), ..old };
    assert_eq!(revise(later), backwards(&later));
    // An earlier onset without more loss could shut out policies.
    let earlier = Measurement { onset: Block(old.onset.0 - 1), ..old };
    assert_eq!(revise(earlier), backwards(&earlier));
    let unread = Measurement { reading: Block(old.reading.0 - 1), ..old };
    assert_eq!(revise(unread), backwards(&unread));
    let stretched = Measurement { onset: Block(old.reading.0 - 300), loss: old.loss + 1, ..old };
    let last = Block(old.reading.0 - 300 + 256);
    assert_eq!(revise(stretched), Err(Refusal::ReadingTooLate { reading: old.reading, last }));
}

#[test]
fn a_refuted_incident_reserves_nothing_and_is_void_if_nobody_answers() {
    let mut stage = Stage::set();
    stage.buy(ALICE, PLAIN, 1_000 * K, 60);
    stage.pass(10 * 86_400);
    let layers = stage.pool().layers;
    let id = stage.open(500);
    stage.pass(12);
    stage.revise(id, 10).expect("a better block");
    assert_eq!(status(&stage, id), Status::Dwelling);
    assert_eq!((stage.booking(id).reserved, stage.booking(id).funded), (0, 0));
    // Whoever proves the loss again within a quarter of a dwell keeps it alive.
    stage.pass(12);
    stage.revise(id, 500).expect("up to the peak");
    assert_eq!(stage.booking(id).reserved, 500 * K);
    stage.revise(id, 10).expect("again");
    let reading = stage.world.incidents.get(id).expect("opened").measured.reading;
    stage.finalise(id);
    assert_eq!(status(&stage, id), Status::Voided);
    assert_eq!(stage.world.incidents.latest_of(&GAUGE), 0);
    let after = stage.pool().layers;
    assert!((0..4).all(|i| after[i] >= layers[i]), "{after:?} is less than {layers:?}");
    assert!(!stage.world.incidents.touched(&GAUGE, Time(0), Time(u64::MAX), stage.time));
    // The dip is over: only a reading after the healthy one opens another.
    let old = Measurement { reading, onset: Block(reading.0 - 3), ..stage.measured(3, 500) };
    assert_eq!(open(&mut stage, old), Err(Refusal::ReadingTooEarly { reading, least: reading }));
    let new = stage.measured(3, 500);
    assert_eq!(open(&mut stage, new), Ok(2));
}

#[test]
fn a_later_loss_pushes_a_refuted_one_aside() {
    let mut stage = Stage::set();
    stage.buy(ALICE, PLAIN, 1_000 * K, 60);
    stage.pass(10 * 86_400);
    let id = stage.open(500);
    stage.pass(12);
    stage.revise(id, 10).expect("a better block");
    stage.pass(60);
    let measured = stage.measured(3, 700);
    assert_eq!(open(&mut stage, measured), Ok(2));
    assert_eq!((status(&stage, 1), status(&stage, 2)), (Status::Voided, Status::Dwelling));
    assert!(stage.booking(1).settled && !stage.booking(2).settled);
    assert_eq!(stage.world.incidents.get(2).expect("opened").previous, 0);
}

#[test]
fn a_record_gives_way_to_one_that_pays_more() {
    let mut stage = Stage::set();
    let id = stage.open(500);
    let at = stage.context(RUNG);
    let mut record = |lost, value| {
        stage.world.record_position(at, id, ALICE, lost, value).expect("open");
        stage.world.incidents.position_lost(id, ALICE)
    };
    assert_eq!(record(100, 200), 100);
    assert_eq!(record(90, 900), 100, "a worse proof changes nothing");
    // More loss on less worth: 30 * 50 % = 15 only.
    assert_eq!(record(500, 30), 100);
    assert_eq!(record(120, 300), 120);
    // A lower measurement lowers every position with it: 300 * 20 % = 60.
    stage.pass(12);
    stage.revise(id, 200).expect("lower");
    assert_eq!(stage.world.incidents.position_lost(id, ALICE), 60);
    let at = stage.context(KEEPER);
    let refused = stage.world.record_position(at, id, ALICE, 1, 1).map(|_| ());
    assert_eq!(refused, Err(Refusal::NotThisRung { expected: RUNG, caller: KEEPER }));
}

#[test]
fn a_record_of_another_onset_is_void() {
    let mut stage = Stage::set();
    let id = stage.open(500);
    stage.lost(id, ALICE, 100);
    let old = stage.world.incidents.get(id).expect("opened").measured;
    let at = stage.context(RUNG);
    let earlier = Measurement { onset: Block(old.onset.0 - 5), loss: old.loss * 2, ..old };
    stage.world.revise(at, id, earlier).expect("a greater loss");
    assert_eq!(stage.world.incidents.position_lost(id, ALICE), 0);
    stage.lost(id, ALICE, 7);
    assert_eq!(stage.world.incidents.position_lost(id, ALICE), 7);
}

#[test]
fn claims_end_and_what_is_due_stays_due() {
    let mut stage = Stage::set();
    let id = stage.buy(ALICE, PLAIN, 1_000 * K, 60);
    stage.pass(10 * 86_400);
    let incident = stage.open(500);
    stage.finalise(incident);
    let claims_end = stage.world.incidents.get(incident).expect("final").claims_end;
    let at = stage.context(KEEPER);
    let early = stage.world.close_booking(at, POOL, incident).map(|_| ());
    assert_eq!(early, Err(Refusal::ClaimsOpen { incident, claims_end }));
    stage.pass(claims_end.since(stage.time) + 1);
    let at = stage.context(RUNG);
    let late = stage.world.record_position(at, incident, ALICE, 1, 1).map(|_| ());
    assert_eq!(late, Err(Refusal::ClaimsOver { id: incident, claims_end }));
    assert_eq!(stage.settle(id, incident), Err(Refusal::ClaimsOver { id: incident, claims_end }));
    stage.close(incident);
    assert_eq!((stage.booking(incident).reserved, stage.booking(incident).funded), (0, 0));
    let at = stage.context(KEEPER);
    let again = stage.world.close_booking(at, POOL, incident).map(|_| ());
    assert_eq!(again, Err(Refusal::BookingIsClosed { incident }));
    let unknown = stage.world.close_booking(at, POOL, 9).map(|_| ());
    assert_eq!(unknown, Err(Refusal::UnknownBooking { incident: 9 }));
}
