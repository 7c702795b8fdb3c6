use super::*;

pub(crate) fn vault() -> GaugeSpec {
    GaugeSpec {
        chain_id: 1,
        form: Form::Ratio,
        asset: Address::repeat_byte(0xaa),
        threshold: 50_000_000_000_000_000,
        growth: 200_000_000_000_000_000,
        pinned_at: 1_700_000_000,
        floor: 1_000_000,
        assets0: 1_000,
        shares0: 1_000,
        accounts: vec![
            PinnedAccount { account: Address::repeat_byte(0x11), code_hash: B256::repeat_byte(1) },
            PinnedAccount { account: Address::repeat_byte(0x22), code_hash: B256::ZERO },
        ],
        pins: vec![Pin { account: 0, slot: B256::repeat_byte(9), value: B256::repeat_byte(7) }],
        terms: vec![
            Term {
                account: 0,
                side: Side::AssetAdd,
                native: false,
                slot: B256::with_last_byte(1),
                offset: 128,
                width: 128,
                scale: 1,
            },
            Term {
                account: 1,
                side: Side::AssetSub,
                native: true,
                slot: B256::ZERO,
                offset: 0,
                width: 0,
                scale: 3,
            },
            Term {
                account: 0,
                side: Side::ClaimAdd,
                native: false,
                slot: B256::with_last_byte(2),
                offset: 0,
                width: 256,
                scale: 1,
            },
        ],
        holding: Holding {
            account: 0,
            vyper: false,
            nested: false,
            offset: 0,
            width: 256,
            scale: 1,
            word: 0,
            base: B256::with_last_byte(3),
            inner_key: B256::ZERO,
        },
    }
}

fn words() -> Words {
    Words {
        number: 5,
        time: 6,
        accounts: vec![
            AccountWords {
                code_hash: B256::repeat_byte(1),
                balance: U256::from(99),
                slots: vec![
                    U256::from_be_bytes([7; 32]),
                    (U256::from(1_000) << 128) + U256::from(77),
                    U256::from(500),
                ],
            },
            AccountWords { code_hash: keccak256([]), balance: U256::from(20), slots: vec![] },
        ],
    }
}

#[test]
fn reads_words_in_walk_order() {
    let reads = vault().reads(&[]);
    assert_eq!(
        reads[0].slots,
        [B256::repeat_byte(9), B256::with_last_byte(1), B256::with_last_byte(2)],
        "pins come before terms"
    );
    assert!(reads[1].slots.is_empty());
    let reading = vault().read(&words(), &[]).unwrap();
    assert_eq!(reading, Reading { number: 5, time: 6, assets: 940, claims: 500, holders: B256::ZERO });
}

#[test]
fn a_broken_pin_is_undecided() {
    let mut moved = words();
    moved.accounts[0].slots[0] = U256::from(1);
    let error = vault().read(&moved, &[]).unwrap_err();
    assert!(
        matches!(error, ReadError::Undecided(Undecided::Pin { account, .. }) if account == Address::repeat_byte(0x11))
    );
    let mut recoded = words();
    recoded.accounts[1].code_hash = B256::repeat_byte(4);
    let error = vault().read(&recoded, &[]).unwrap_err();
    assert!(
        matches!(error, ReadError::Undecided(Undecided::Code { account, .. }) if account == Address::repeat_byte(0x22))
    );
}

#[test]
fn a_sum_out_of_range_is_an_error() {
    let mut poor = words();
    poor.accounts[1].balance = U256::from(334);
    assert_eq!(
        vault().read(&poor, &[]).unwrap_err(),
        ReadError::Range { sum: "assets", plus: U256::from(1_000), minus: U256::from(1_002) }
    );
    assert_eq!(vault().read_later(&poor, &[]).unwrap().assets, 0);
    let mut rich = words();
    rich.accounts[0].slots[2] = U256::from(1) << 128;
    assert!(matches!(vault().read(&rich, &[]), Err(ReadError::Range { sum: "claims", .. })));
    assert_eq!(vault().read_later(&rich, &[]).unwrap().claims, u128::MAX);
    let mut huge = words();
    huge.accounts[1].balance = U256::MAX;
    assert!(matches!(
        vault().read(&huge, &[]),
        Err(ReadError::Range { sum: "assets", minus: U256::MAX, .. })
    ));
}

#[test]
fn words_of_another_shape_are_refused() {
    let mut short = words();
    short.accounts[0].slots.pop();
    assert_eq!(vault().read(&short, &[]), Err(ReadError::Shape { what: "slots", expected: 3, got: 2 }));
    short.accounts.pop();
    assert_eq!(vault().read(&short, &[]), Err(ReadError::Shape { what: "accounts", expected: 2, got: 1 }));
    assert!(matches!(vault().read(&words(), &[Address::ZERO]), Err(ReadError::Holders { .. })));
}

#[test]
fn a_geometric_gauge_takes_the_root_of_its_reserves() {
    let mut pair = vault();
    pair.form = Form::Geometric;
    pair.terms[1].side = Side::AssetAdd;
    let mut state = words();
    state.accounts[1].balance = U256::from(11);
    // floor(sqrt(1000 * 33)) = floor(181.65...).
    assert_eq!(pair.read(&state, &[]).unwrap().assets, 181);
    state.accounts[1].balance = U256::from(1) << 128;
    assert!(matches!(pair.read(&state, &[]), Err(ReadError::Range { sum: "reserves", .. })));
    // floor(sqrt(1000 * (2^128 - 1))).
    assert_eq!(pair.read_later(&state, &[]).unwrap().assets, 583_337_266_871_351_588_485);
}

#[test]
fn an_enumerated_gauge_adds_up_its_holders() {
    let mut bank = vault();
    bank.form = Form::Enumerated;
    bank.terms.pop();
    (bank.assets0, bank.shares0, bank.growth, bank.pinned_at) = (0, 0, 0, 0);
    bank.holding.scale = 2;
    let holders = [Address::repeat_byte(1), Address::repeat_byte(2)];
    let reads = bank.reads(&holders);
    assert_eq!(reads[0].slots[2..], [bank.holder_slot(holders[0]), bank.holder_slot(holders[1])]);
    let mut state = words();
    state.accounts[0].slots[2] = U256::from(30);
    state.accounts[0].slots.push(U256::from(40));
    let reading = bank.read(&state, &holders).unwrap();
    assert_eq!((reading.assets, reading.claims), (940, 140));
    let first = keccak256((B256::ZERO, holders[0]).abi_encode());
    assert_eq!(reading.holders, keccak256((first, holders[1]).abi_encode()));
    let swapped = [holders[1], holders[0]];
    assert!(matches!(bank.read(&state, &swapped), Err(ReadError::HolderOrder { .. })));
    assert!(matches!(bank.read(&state, &[]), Err(ReadError::Holders { .. })));
    assert!(matches!(bank.read(&state, &[Address::ZERO, holders[0]]), Err(ReadError::HolderOrder { .. })));
}

#[test]
fn holder_slots_follow_solidity_and_vyper() {
    let holder = Address::repeat_byte(0x55);
    let mut holding = vault().holding;
    let plain = keccak256((holder, U256::from(3)).abi_encode());
    assert_eq!(holding.slot(holder), plain);
    holding.vyper = true;
    assert_eq!(holding.slot(holder), keccak256((U256::from(3), holder).abi_encode()));
    holding.vyper = false;
    holding.nested = true;
    holding.inner_key = B256::repeat_byte(6);
    let inner = keccak256((holding.inner_key, plain).abi_encode());
    assert_eq!(holding.slot(holder), inner);
    holding.word = 2;
    assert_eq!(U256::from_be_bytes(holding.slot(holder).0), U256::from_be_bytes(inner.0) + U256::from(2));
}

#[test]
fn encoding_and_json_round_trip() {
    let spec = vault();
    assert_eq!(GaugeSpec::decode(&spec.encode()).unwrap(), spec);
    let text = serde_json::to_string(&spec).unwrap();
    assert!(
        text.contains(r#""form":"ratio""#) && text.contains(r#""threshold":"50000000000000000""#),
        "{text}"
    );
    assert_eq!(serde_json::from_str::<GaugeSpec>(&text).unwrap(), spec);
}

#[test]
fn bad_bytes_and_bad_json_are_refused() {
    let mut bytes = vault().encode();
    bytes.push(0);
    assert!(matches!(GaugeSpec::decode(&bytes), Err(SpecError::Encoding(_))));
    bytes.truncate(40);
    assert!(matches!(GaugeSpec::decode(&bytes), Err(SpecError::Encoding(_))));
    let text = serde_json::to_string(&vault()).unwrap();
    for (from, to) in [
        (r#""threshold":"50000000000000000""#, r#""threshold":"+5""#),
        (r#""threshold":"50000000000000000""#, r#""threshold":"18446744073709551616""#),
        (r#""form":"ratio""#, r#""form":"Ratio""#),
        (r#""form":"ratio""#, r#""form":"ratio","extra":1"#),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text);
        assert!(serde_json::from_str::<GaugeSpec>(&changed).is_err(), "{to}");
    }
}

#[test]
fn each_rule_refuses_with_its_name() {
    type Break = fn(&mut GaugeSpec);
    type Is = fn(&SpecError) -> bool;
    let cases: [(Break, Is); 16] = [
        (|s| s.threshold = 0, |e| matches!(e, SpecError::Threshold(0))),
        (|s| s.threshold = limits::THRESHOLD_MAX + 1, |e| matches!(e, SpecError::Threshold(_))),
        (|s| s.accounts.clear(), |e| matches!(e, SpecError::Count { what: "accounts", .. })),
        (
            |s| s.terms.resize(17, s.terms[0].clone()),
            |e| matches!(e, SpecError::Count { what: "terms", got: 17, .. }),
        ),
        (|s| s.accounts.swap(0, 1), |e| matches!(e, SpecError::AccountOrder { .. })),
        (|s| s.accounts[0].account = Address::ZERO, |e| matches!(e, SpecError::AccountOrder { .. })),
        (|s| s.pins[0].account = 2, |e| matches!(e, SpecError::AccountIndex { what: "a pin", index: 2, .. })),
        (|s| s.accounts[1].code_hash = keccak256([]), |e| matches!(e, SpecError::HashOfNothing(_))),
        (|s| s.floor = 0, |e| matches!(e, SpecError::Floor)),
        (|s| s.terms[0].width = 129, |e| matches!(e, SpecError::Bits { what: "a term", .. })),
        (|s| s.terms[0].scale = 0, |e| matches!(e, SpecError::Scale("a term"))),
        (|s| s.terms[1].width = 8, |e| matches!(e, SpecError::NativeBits(1))),
        (|s| s.holding.width = 0, |e| matches!(e, SpecError::Bits { what: "the holding", .. })),
        (|s| s.holding.inner_key = B256::repeat_byte(1), |e| matches!(e, SpecError::InnerKey(_))),
        (|s| s.form = Form::Enumerated, |e| matches!(e, SpecError::Sides { form: "enumerated", .. })),
        (|s| s.shares0 = 0, |e| matches!(e, SpecError::Origin { .. })),
    ];
    assert_eq!(vault().validate(), Ok(()));
    for (index, (break_it, expected)) in cases.into_iter().enumerate() {
        let mut spec = vault();
        break_it(&mut spec);
        let error = spec.validate().expect_err("the rule must hold");
        assert!(expected(&error), "case {index}: {error}");
    }
}

#[test]
fn gauges_exclude_each_other_by_code_or_by_pin() {
    let spec = vault();
    let mut other = vault();
    other.threshold += 1;
    assert!(!spec.excludes(&other) && !other.excludes(&spec));
    assert_eq!(spec.subject(), other.subject());
    other.pins[0].value = B256::repeat_byte(8);
    assert!(spec.excludes(&other) && other.excludes(&spec));
    other = vault();
    other.accounts[1].code_hash = B256::repeat_byte(5);
    assert!(spec.excludes(&other) && other.excludes(&spec));
    other.accounts[1].account = Address::repeat_byte(0x33);
    assert!(!spec.excludes(&other));
    other.holding.base = B256::repeat_byte(1);
    assert_ne!(spec.subject(), other.subject());
}
