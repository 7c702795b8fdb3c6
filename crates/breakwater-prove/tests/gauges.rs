//! Random gauges over random states: ids, rules, slots and readings here are the contract's.

// A test that cannot read its own data must stop.
#![allow(clippy::unwrap_used)]

mod support;

use std::cell::RefCell;

use alloy::primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
use alloy::sol_types::SolValue;
use breakwater_prove::block::BlockProof;
use breakwater_prove::evidence::{CheckError, Evidence, position_reads};
use breakwater_prove::gauge::{
    Form, GaugeSpec, Holding, Pin, PinnedAccount, ReadError, Side, Term, Undecided, holders_hash,
};
use proptest::collection::vec;
use proptest::prelude::*;
use support::state::State;
use support::{GaugeHarness, Harness, NOW};

/// revm's chain id where nothing else is said.
const CHAIN: u64 = 1;

fn account(index: u8) -> Address {
    Address::repeat_byte(0x10 + index)
}

fn forms() -> impl Strategy<Value = Form> {
    prop_oneof![Just(Form::Ratio), Just(Form::Par), Just(Form::Enumerated), Just(Form::Geometric)]
}

fn sides() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::AssetAdd), Just(Side::AssetSub), Just(Side::ClaimAdd), Just(Side::ClaimSub)]
}

/// Small slots, so that gauges read what states hold.
fn slots() -> impl Strategy<Value = B256> {
    (0..6_u8).prop_map(B256::with_last_byte)
}

fn bits() -> impl Strategy<Value = (u8, u16)> {
    prop_oneof![
        4 => Just((0, 256)),
        3 => Just((0, 128)),
        3 => Just((128, 128)),
        2 => (any::<u8>(), 0..300_u16),
    ]
}

fn scales() -> impl Strategy<Value = u64> {
    prop_oneof![8 => Just(1), 2 => 0..5_u64, 1 => any::<u64>()]
}

fn terms(accounts: u8) -> impl Strategy<Value = Term> {
    let native = prop_oneof![4 => Just(false), 1 => Just(true)];
    (0..=accounts, sides(), native, slots(), bits(), scales()).prop_map(
        |(account, side, native, slot, (offset, width), scale)| {
            let (slot, offset, width) = if native { (B256::ZERO, 0, 0) } else { (slot, offset, width) };
            Term { account, side, native, slot, offset, width, scale }
        },
    )
}

fn holdings(accounts: u8) -> impl Strategy<Value = Holding> {
    let flags = (any::<bool>(), any::<bool>());
    (0..=accounts, flags, bits(), scales(), 0..3_u32, slots(), slots()).prop_map(
        |(account, (vyper, nested), (offset, width), scale, word, base, inner_key)| Holding {
            account,
            vyper,
            nested,
            offset,
            width,
            scale,
            word,
            base,
            inner_key: if nested { inner_key } else { B256::ZERO },
        },
    )
}

/// Any gauge; `mend` makes most of them ones that the catalog would list.
fn specs() -> impl Strategy<Value = GaugeSpec> {
    (1..4_u8).prop_flat_map(|count| {
        let last = count - 1;
        let lists = (vec((0..=last, slots(), 0..3_u8), 0..3), vec(terms(last), 1..7), holdings(last));
        let numbers = (0..3_u64, any::<u64>(), 0..2_u128, 0..2_u128, prop_oneof![Just(0), Just(NOW - 5)]);
        let codes = vec(prop_oneof![3 => Just(0_u8), 1 => Just(1), 1 => Just(2)], usize::from(count));
        (forms(), lists, numbers, codes, any::<bool>()).prop_map(
            |(form, (pins, terms, holding), (threshold, growth, floor, origin, pinned_at), codes, mend)| {
                let code = |byte: u8| if byte == 0 { B256::ZERO } else { B256::repeat_byte(byte) };
                let accounts = (0..)
                    .zip(codes)
                    .map(|(index, byte)| PinnedAccount { account: account(index), code_hash: code(byte) });
                let mut spec = GaugeSpec {
                    chain_id: CHAIN,
                    form,
                    asset: Address::ZERO,
                    threshold,
                    growth,
                    pinned_at,
                    floor,
                    assets0: origin,
                    shares0: origin,
                    accounts: accounts.collect(),
                    pins: pins
                        .into_iter()
                        .map(|(account, slot, value)| Pin {
                            account,
                            slot,
                            value: B256::with_last_byte(value),
                        })
                        .collect(),
                    terms,
                    holding,
                };
                if mend {
                    mend_spec(&mut spec);
                }
                spec
            },
        )
    })
}

/// Gauges that the catalog would list.
fn good_specs() -> impl Strategy<Value = GaugeSpec> {
    specs().prop_map(|mut spec| {
        mend_spec(&mut spec);
        spec.validate().unwrap();
        spec
    })
}

fn mend_spec(spec: &mut GaugeSpec) {
    spec.threshold = spec.threshold.max(1);
    spec.floor = spec.floor.max(1);
    let word = |offset: &mut u8, width: &mut u16, scale: &mut u64| {
        if *width == 0 || u16::from(*offset) + *width > 256 {
            (*offset, *width) = (0, 256);
        }
        *scale = (*scale).clamp(1, 1 << 20);
    };
    for term in &mut spec.terms {
        if !term.native {
            word(&mut term.offset, &mut term.width, &mut term.scale);
        }
        term.scale = term.scale.max(1);
    }
    word(&mut spec.holding.offset, &mut spec.holding.width, &mut spec.holding.scale);
    let shares = spec.has_shares();
    (spec.assets0, spec.shares0) = if shares { (1, 1) } else { (0, 0) };
    (spec.growth, spec.pinned_at) = if shares { (spec.growth, NOW - 5) } else { (0, 0) };
    let first = spec.terms[0].clone();
    let of = |side| Term { side, ..first.clone() };
    match spec.form {
        Form::Enumerated => spec.terms.retain(|term| matches!(term.side, Side::AssetAdd | Side::AssetSub)),
        Form::Geometric => {
            spec.terms.retain(|term| matches!(term.side, Side::ClaimAdd | Side::ClaimSub));
            spec.terms.extend([of(Side::AssetAdd), of(Side::AssetAdd)]);
        }
        _ => {}
    }
    spec.terms.push(of(if spec.form == Form::Geometric { Side::ClaimAdd } else { Side::AssetAdd }));
    if matches!(spec.form, Form::Ratio | Form::Par) {
        spec.terms.push(of(Side::ClaimAdd));
    }
}

fn words() -> impl Strategy<Value = U256> {
    prop_oneof![
        3 => Just(U256::ZERO),
        4 => (1..3_u64).prop_map(U256::from),
        4 => any::<u64>().prop_map(U256::from),
        2 => any::<[u8; 32]>().prop_map(U256::from_be_bytes),
    ]
}

/// What a state holds: per account a code, a balance and six words; and a word for each holder.
type Contents = (Vec<(u8, U256, Vec<U256>)>, Vec<U256>);

fn contents() -> impl Strategy<Value = Contents> {
    let balance = prop_oneof![any::<u64>().prop_map(U256::from), Just(U256::ZERO)];
    let code = prop_oneof![8 => Just(0_u8), 1 => Just(1), 1 => Just(2)];
    (vec((code, balance, vec(words(), 6)), 3), vec(words(), 4))
}

/// Codes and pinned words are mostly as the gauge wants them, or every reading would be undecided.
fn state(spec: &GaugeSpec, (accounts, claims): &Contents, holders: &[Address], follow: bool) -> State {
    let mut state = State::default();
    state.account(Address::repeat_byte(0xee)).balance = U256::from(1);
    for (index, (code, balance, words)) in (0..).zip(accounts) {
        let entry = state.account(account(index));
        entry.balance = *balance;
        entry.code_hash = if *code == 0 { KECCAK256_EMPTY } else { B256::repeat_byte(*code) };
        for (slot, word) in (0..).zip(words) {
            entry.storage.insert(B256::with_last_byte(slot), *word);
        }
    }
    for (holder, claim) in holders.iter().zip(claims) {
        if let Some(at) = spec.holding_account() {
            state.set(at, spec.holder_slot(*holder), *claim);
        }
    }
    if follow {
        for pinned in &spec.accounts {
            let code = if pinned.code_hash.is_zero() { KECCAK256_EMPTY } else { pinned.code_hash };
            state.account(pinned.account).code_hash = code;
        }
        for pin in &spec.pins {
            state.set(spec.accounts[usize::from(pin.account)].account, pin.slot, pin.value.into());
        }
    }
    state
}

fn sol(spec: &GaugeSpec) -> GaugeHarness::GaugeSpec {
    GaugeHarness::GaugeSpec::abi_decode(&spec.encode()).unwrap()
}

fn sol_evidence(evidence: Evidence) -> GaugeHarness::Evidence {
    let Evidence { headers, nodes, paths, holders, newcomers } = evidence;
    GaugeHarness::Evidence { headers, nodes, paths, holders, newcomers }
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) }
}

#[test]
fn ids_rules_and_subjects_are_the_contracts() {
    let (harness, good) = (RefCell::new(Harness::new()), RefCell::new((0, 0)));
    proptest!(config(1500), |(spec in specs(), other in specs())| {
        let mut harness = harness.borrow_mut();
        prop_assert_eq!(spec.id(), harness.gauge(GaugeHarness::idCall { spec: sol(&spec) }).unwrap());
        prop_assert_eq!(&GaugeSpec::decode(&spec.encode()).unwrap(), &spec);
        let there = harness.gauge(GaugeHarness::checkCall { spec: sol(&spec) }).map(drop);
        let here = spec.validate();
        prop_assert_eq!(here.is_ok(), there.is_ok(), "here {:?}, in the contract {:?}", here, there);
        let mut good = good.borrow_mut();
        if here.is_ok() { good.0 += 1 } else { good.1 += 1 }
        let subject = harness.gauge(GaugeHarness::subjectCall { spec: sol(&spec) }).ok();
        prop_assert_eq!(spec.subject(), subject);
        let exclusive = GaugeHarness::exclusiveCall { a: sol(&spec), b: sol(&other) };
        prop_assert_eq!(spec.excludes(&other), harness.gauge(exclusive).unwrap());
    });
    let good = good.borrow();
    println!("{} good, {} refused", good.0, good.1);
    assert!(good.0 > 300 && good.1 > 300, "{good:?}");
}

#[test]
fn holder_slots_and_chains_are_the_contracts() {
    let harness = RefCell::new(Harness::new());
    let holders = proptest::collection::btree_set(any::<[u8; 20]>(), 1..5);
    proptest!(config(300), |(holding in holdings(0), holders in holders, new in any::<u8>())| {
        let mut harness = harness.borrow_mut();
        let holders: Vec<Address> = holders.into_iter().map(Address::from).collect();
        let sol = GaugeHarness::Holding {
            account: holding.account,
            vyper: holding.vyper,
            nested: holding.nested,
            offset: holding.offset,
            width: holding.width,
            scale: holding.scale,
            word: holding.word,
            base: holding.base,
            innerKey: holding.inner_key,
        };
        let slot = harness.gauge(GaugeHarness::slotCall { holding: sol, holder: holders[0] }).unwrap();
        prop_assert_eq!(holding.slot(holders[0]), slot);

        let is_new = |at: usize| new >> at & 1 == 1;
        let newcomers: Vec<Address> =
            (0..holders.len()).filter(|at| is_new(*at)).map(|at| holders[at]).collect();
        let old: Vec<Address> = holders.iter().filter(|holder| !newcomers.contains(holder)).copied().collect();
        let spec = GaugeSpec { holding, ..bank() };
        let evidence = Evidence::of_blocks(&spec, &holders, &newcomers, &[]).unwrap();
        let call = GaugeHarness::chainsCall { holders: holders.clone(), newcomers: evidence.newcomers };
        let chains = harness.gauge(call).unwrap();
        prop_assert_eq!(chains.all, holders_hash(B256::ZERO, &holders));
        prop_assert_eq!(chains.old, holders_hash(B256::ZERO, &old));
    });
}

/// A gauge without accounts to read, for what depends on holders alone.
fn bank() -> GaugeSpec {
    GaugeSpec {
        chain_id: CHAIN,
        form: Form::Enumerated,
        asset: Address::ZERO,
        threshold: 1,
        growth: 0,
        pinned_at: 0,
        floor: 1,
        assets0: 0,
        shares0: 0,
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

#[derive(Debug, Default)]
struct Seen {
    exact: u32,
    saturated: u32,
    undecided: u32,
}

#[test]
fn readings_from_evidence_are_the_contracts() {
    let (harness, seen) = (RefCell::new(Harness::new()), RefCell::new(Seen::default()));
    let holders = [Address::repeat_byte(0xa1), Address::repeat_byte(0xa2), Address::repeat_byte(0xa3)];
    let follow = prop_oneof![9 => Just(true), 1 => Just(false)];
    proptest!(config(600), |(spec in good_specs(), contents in contents(), follow in follow)| {
        let holders = if spec.form == Form::Enumerated { &holders[..] } else { &[] };
        let state = state(&spec, &contents, holders, follow);
        let block = state.block(9, NOW - 2, &spec.reads(holders));
        let evidence = Evidence::of_blocks(&spec, holders, &[], &[&block]).unwrap();
        let here = evidence.read(&spec, 0);
        let exact = evidence.read(&spec, 1);
        prop_assert_eq!(
            here.as_ref().ok().map(|read| read[0].reading),
            block.read_later(&spec, holders).ok(),
            "the block and its evidence"
        );
        let call = GaugeHarness::readCall { spec: sol(&spec), evidence: sol_evidence(evidence) };
        let there = harness.borrow_mut().gauge(call);
        let mut seen = seen.borrow_mut();
        match (here, there) {
            (Ok(here), Ok(there)) => {
                let (here, there, saturated) = (here[0].reading, &there.readings[0], there.saturated[0]);
                prop_assert_eq!((here.number, here.time), (there.number, there.time));
                prop_assert_eq!((here.assets, here.claims), (there.assets, there.claims));
                prop_assert_eq!(here.holders, there.holders);
                prop_assert_eq!(exact.is_err(), saturated, "{:?}", exact);
                if saturated { seen.saturated += 1 } else { seen.exact += 1 }
            }
            (Err(here), Err(there)) => {
                prop_assert_eq!(undecided(&here), there, "{}", here);
                seen.undecided += 1;
            }
            (here, there) => prop_assert!(false, "here {here:?}, in the contract {there:?}"),
        }
    });
    let seen = seen.borrow();
    println!("{seen:?}");
    assert!(seen.exact > 100 && seen.saturated > 50 && seen.undecided > 10, "{seen:?}");
}

/// What the contract reverts with where this is why there is no reading.
fn undecided(error: &CheckError) -> Bytes {
    let CheckError::Read { error, .. } = error else { panic!("{error}") };
    let ReadError::Undecided(Undecided::Code { account, .. } | Undecided::Pin { account, .. }) = &**error
    else {
        panic!("{error}")
    };
    let selector = &alloy::primitives::keccak256("Undecided(address)")[..4];
    [selector, account.abi_encode().as_slice()].concat().into()
}

#[test]
fn positions_from_evidence_are_the_contracts() {
    let harness = RefCell::new(Harness::new());
    let accounts = [Address::repeat_byte(0xa1), Address::repeat_byte(0xa2), Address::repeat_byte(0xa3)];
    proptest!(config(300), |(
        spec in good_specs(),
        first in contents(),
        second in contents(),
        at_reading in any::<bool>()
    )| {
        let prove = |contents, number, known| -> BlockProof {
            let reads = position_reads(&spec, &accounts, known).unwrap();
            state(&spec, contents, &accounts, true).block(number, NOW + number, &reads)
        };
        let (onset, later) = (prove(&first, 9, true), prove(&second, 12, at_reading));
        let evidence = Evidence::of_positions(&spec, &accounts, &onset, &later, at_reading).unwrap();
        let here = evidence.read_positions(&spec, &accounts, at_reading);
        let call = GaugeHarness::positionsCall {
            spec: sol(&spec),
            accounts: accounts.to_vec(),
            evidence: sol_evidence(evidence),
            readLater: !at_reading && spec.form != Form::Enumerated,
        };
        let there = harness.borrow_mut().gauge(call);
        if let Err(error) = &here {
            // Only a gauge that pins one word to two values cannot be read in these states.
            prop_assert_eq!(Err(undecided(error)), there.map(drop));
            return Ok(());
        }
        let (here, there) = (here.unwrap(), there.unwrap());
        for (at, (before, after)) in here.held.into_iter().enumerate() {
            prop_assert_eq!((U256::from(before), U256::from(after)), (there.before[at], there.later[at]));
        }
        if let Some(later) = here.later {
            prop_assert_eq!((later.assets, later.claims), (there.reading.assets, there.reading.claims));
        }
    });
}
