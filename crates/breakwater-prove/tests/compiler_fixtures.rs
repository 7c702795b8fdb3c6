//! The gauge compiler over contracts that are unlike one another, each built twice: optimised, and
//! through the intermediate representation.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use alloy::primitives::{Address, U256, b256, keccak256};
use breakwater_prove::{
    compiler::{Compiled, Reason},
    gauge::Form,
};
use world::{ALICE, BOB, CAROL, MAKER, THIEF, World, ether, named, word};

/// Runs a story on both builds.
fn on_both(story: impl Fn(World)) {
    story(World::new(include_str!("fixtures/optimised.json")));
    story(World::new(include_str!("fixtures/viair.json")));
}

fn token(world: &mut World) -> Address {
    world.deploy("PlainToken", &[word(18)])
}

fn compiled(world: &World, subject: Address) -> Compiled {
    world.compile(subject).unwrap_or_else(|refusal| panic!("{refusal}"))
}

/// Assets and claims now.
fn sums(world: &World, gauge: &Compiled) -> (U256, U256) {
    let reading = world.read(gauge).unwrap();
    (U256::from(reading.assets), U256::from(reading.claims))
}

/// Refused, for this reason.
fn refused(world: &World, subject: Address, is: impl Fn(&Reason) -> bool) {
    match world.compile(subject) {
        Ok(gauge) => panic!("compiled: {:?} {:?}", gauge.explanation, gauge.spec),
        Err(refusal) => assert!(is(&refusal.reason), "{refusal}"),
    }
}

/// Three deposits and a withdrawal of a token bank.
fn trade(world: &mut World, bank: Address, put: &str, take: &str) {
    world.act(ALICE, bank, put, &[ether(600)]);
    world.act(BOB, bank, put, &[ether(400)]);
    world.act(ALICE, bank, take, &[ether(100)]);
    world.act(CAROL, bank, put, &[ether(50)]);
}

#[test]
fn a_coin_bank_with_a_private_total_is_par() {
    on_both(|mut world| {
        let bank = world.deploy("TotalBank", &[]);
        world.pay(ALICE, bank, "put()", &[], ether(40));
        world.pay(BOB, bank, "put()", &[], ether(25));
        world.act(BOB, bank, "take(uint256)", &[ether(5)]);
        let gauge = compiled(&world, bank);
        assert_eq!(gauge.spec.form, Form::Par, "{:?}", gauge.explanation);
        world.pay(CAROL, bank, "put()", &[], ether(60));
        world.act(ALICE, bank, "take(uint256)", &[ether(40)]);
        assert_eq!(sums(&world, &gauge), (ether(80), ether(80)));
    });
}

#[test]
fn a_bank_without_any_getter_is_enumerated_from_traffic() {
    on_both(|mut world| {
        let bank = world.deploy("PrivateBank", &[]);
        for (holder, amount) in [(ALICE, 40), (BOB, 25), (CAROL, 60)] {
            world.pay(holder, bank, "", &[], ether(amount));
        }
        world.act(BOB, bank, "out()", &[]);
        let gauge = compiled(&world, bank);
        assert_eq!(gauge.spec.form, Form::Enumerated, "{:?}", gauge.explanation);
        world.pay(BOB, bank, "", &[], ether(7));
        assert_eq!(sums(&world, &gauge), (ether(107), ether(107)));
        let secret = U256::from_be_slice(b"open sesame") << (8 * 21);
        world.act(THIEF, bank, "sweep(bytes32,address)", &[secret, named(THIEF)]);
        assert_eq!(sums(&world, &gauge), (U256::ZERO, ether(107)));
    });
}

#[test]
fn packed_entries_and_a_packed_total_are_par() {
    on_both(|mut world| {
        let token = token(&mut world);
        let bank = world.deploy("PackedBank", &[named(token)]);
        world.equip(token, bank, ether(1_000));
        trade(&mut world, bank, "deposit(uint128)", "withdraw(uint128)");
        let gauge = compiled(&world, bank);
        assert_eq!(gauge.spec.form, Form::Par, "{:?}", gauge.explanation);
        assert_eq!((gauge.spec.holding.offset, gauge.spec.holding.width), (32, 128));
        assert_eq!(sums(&world, &gauge), (ether(950), ether(950)));
    });
}

#[test]
fn an_amount_in_the_third_word_of_an_entry_is_found() {
    on_both(|mut world| {
        let token = token(&mut world);
        let bank = world.deploy("StructBank", &[named(token)]);
        world.equip(token, bank, ether(1_000));
        trade(&mut world, bank, "deposit(uint256)", "withdraw(uint256)");
        let gauge = compiled(&world, bank);
        assert_eq!(
            (gauge.spec.form, gauge.spec.holding.word),
            (Form::Enumerated, 2),
            "{:?}",
            gauge.explanation
        );
        assert_eq!(sums(&world, &gauge), (ether(950), ether(950)));
    });
}

#[test]
fn nested_ledgers_are_found_in_either_order() {
    on_both(|mut world| {
        for (name, nested) in [("HolderFirstBank", true), ("TokenFirstBank", false)] {
            let (one, other) = (token(&mut world), token(&mut world));
            let bank = world.deploy(name, &[]);
            world.equip(one, bank, ether(1_000));
            world.equip(other, bank, ether(1_000));
            for (holder, amount) in [(ALICE, 600), (BOB, 300)] {
                world.act(holder, bank, "deposit(address,uint256)", &[named(one), ether(amount)]);
            }
            world.act(CAROL, bank, "deposit(address,uint256)", &[named(other), ether(70)]);
            world.act(ALICE, bank, "withdraw(address,uint256)", &[named(one), ether(100)]);
            let gauge = compiled(&world, bank);
            assert_eq!(
                (gauge.spec.form, gauge.spec.asset),
                (Form::Enumerated, one),
                "{:?}",
                gauge.explanation
            );
            assert_eq!(gauge.spec.holding.nested, nested);
            assert_eq!(sums(&world, &gauge), (ether(800), ether(800)));
        }
    });
}

#[test]
fn a_ledger_that_hashes_its_slot_first_is_found() {
    on_both(|mut world| {
        let token = token(&mut world);
        let bank = world.deploy("SlotFirstBank", &[named(token)]);
        world.equip(token, bank, ether(1_000));
        trade(&mut world, bank, "deposit(uint256)", "withdraw(uint256)");
        let gauge = compiled(&world, bank);
        assert!(gauge.spec.holding.vyper, "{:?}", gauge.spec);
        assert_eq!(sums(&world, &gauge), (ether(950), ether(950)));
    });
}

#[test]
fn a_farm_with_other_rewards_is_measured_by_its_stakes() {
    on_both(|mut world| {
        let (stake, reward) = (token(&mut world), token(&mut world));
        let farm = world.deploy("RewardFarm", &[named(stake), named(reward)]);
        world.equip(stake, farm, ether(1_000));
        world.act(MAKER, reward, "mint(address,uint256)", &[named(farm), ether(5_000)]);
        for (holder, amount) in [(ALICE, 600), (BOB, 300)] {
            world.act(holder, farm, "deposit(uint256,uint256)", &[U256::ZERO, ether(amount)]);
        }
        world.act(ALICE, farm, "harvest(uint256)", &[U256::ZERO]);
        world.act(ALICE, farm, "withdraw(uint256,uint256)", &[U256::ZERO, ether(100)]);
        let gauge = compiled(&world, farm);
        assert_eq!((gauge.spec.form, gauge.spec.asset), (Form::Par, stake), "{:?}", gauge.explanation);
        assert_eq!(sums(&world, &gauge), (ether(800), ether(800)));
    });
}

#[test]
fn a_wrapper_whose_supply_is_its_balance_is_enumerated() {
    on_both(|mut world| {
        let wrapper = world.deploy("Wrapper", &[]);
        world.pay(ALICE, wrapper, "deposit()", &[], ether(40));
        world.pay(BOB, wrapper, "", &[], ether(25));
        world.act(ALICE, wrapper, "transfer(address,uint256)", &[named(CAROL), ether(3)]);
        world.act(BOB, wrapper, "withdraw(uint256)", &[ether(5)]);
        let gauge = compiled(&world, wrapper);
        assert_eq!(gauge.spec.form, Form::Enumerated, "{:?}", gauge.explanation);
        assert_eq!(sums(&world, &gauge), (ether(60), ether(60)));
    });
}

#[test]
fn receipts_of_other_decimals_are_scaled() {
    on_both(|mut world| {
        let coin = world.deploy("PlainToken", &[word(6)]);
        let bank = world.deploy("ReceiptBank", &[named(coin)]);
        world.equip(coin, bank, word(1_000_000_000));
        world.act(ALICE, bank, "wrap(uint256)", &[word(600_000_000)]);
        world.act(BOB, bank, "wrap(uint256)", &[word(300_000_000)]);
        world.act(ALICE, bank, "unwrap(uint256)", &[word(100_000_000)]);
        world.act(BOB, bank, "transfer(address,uint256)", &[named(CAROL), ether(10)]);
        let gauge = compiled(&world, bank);
        assert_eq!(gauge.spec.form, Form::Par, "{:?}", gauge.explanation);
        assert_eq!(sums(&world, &gauge), (ether(800), ether(800)));
    });
}

#[test]
fn a_locked_bank_is_found_once_somebody_got_out() {
    on_both(|mut world| {
        let token = token(&mut world);
        let bank = world.deploy("LockedBank", &[named(token)]);
        world.equip(token, bank, ether(1_000));
        world.act(ALICE, bank, "lock(uint256)", &[ether(600)]);
        world.act(BOB, bank, "lock(uint256)", &[ether(400)]);
        refused(&world, bank, |reason| matches!(reason, Reason::TooLittleSeen(_)));
        world.pace = 8 * 86_400;
        world.act(BOB, bank, "unlock()", &[]);
        world.pace = 12;
        world.act(CAROL, bank, "lock(uint256)", &[ether(50)]);
        let gauge = compiled(&world, bank);
        assert_eq!(gauge.spec.form, Form::Enumerated, "{:?}", gauge.explanation);
        assert_eq!(sums(&world, &gauge), (ether(650), ether(650)));
    });
}

#[test]
fn a_vault_priced_by_its_balance_is_a_ratio() {
    on_both(|mut world| {
        let token = token(&mut world);
        let vault = world.deploy("BalanceVault", &[named(token)]);
        world.equip(token, vault, ether(1_000));
        world.act(ALICE, vault, "deposit(uint256,address)", &[ether(600), named(ALICE)]);
        world.act(BOB, token, "transfer(address,uint256)", &[named(vault), ether(60)]);
        world.act(BOB, vault, "deposit(uint256,address)", &[ether(330), named(BOB)]);
        let gauge = compiled(&world, vault);
        assert_eq!(gauge.spec.form, Form::Ratio, "{:?}", gauge.explanation);
        assert_eq!(sums(&world, &gauge).0, ether(990));
    });
}

#[test]
fn a_vault_with_a_book_of_its_own_is_a_ratio_of_that_book() {
    on_both(|mut world| {
        let token = token(&mut world);
        let vault = world.deploy("BookVault", &[named(token)]);
        world.equip(token, vault, ether(1_000));
        world.act(ALICE, vault, "enter(uint256)", &[ether(600)]);
        world.act(BOB, vault, "reward(uint256)", &[ether(60)]);
        world.act(BOB, vault, "enter(uint256)", &[ether(330)]);
        // A gift that the book does not know.
        world.act(CAROL, token, "transfer(address,uint256)", &[named(vault), ether(500)]);
        let gauge = compiled(&world, vault);
        assert_eq!(gauge.spec.form, Form::Ratio, "{:?}", gauge.explanation);
        assert_eq!(sums(&world, &gauge), (ether(990), ether(900)));
    });
}

#[test]
fn a_vault_at_work_counts_what_works() {
    on_both(|mut world| {
        let token = token(&mut world);
        let vault = world.deploy("WorkingVault", &[named(token)]);
        world.equip(token, vault, ether(1_000));
        world.act(ALICE, vault, "deposit(uint256)", &[ether(600)]);
        world.act(MAKER, vault, "earn()", &[]);
        world.act(BOB, vault, "deposit(uint256)", &[ether(300)]);
        world.act(ALICE, vault, "withdraw(uint256)", &[ether(500)]);
        let gauge = compiled(&world, vault);
        assert_eq!(gauge.spec.form, Form::Ratio, "{:?}", gauge.explanation);
        assert_eq!(sums(&world, &gauge), (ether(400), ether(400)));
        world.act(MAKER, vault, "earn()", &[]);
        assert_eq!(sums(&world, &gauge), (ether(400), ether(400)), "work is no loss");
    });
}

#[test]
fn a_lending_market_counts_its_loans_and_reserves() {
    on_both(|mut world| {
        let token = token(&mut world);
        let market = world.deploy("Market", &[named(token)]);
        world.equip(token, market, ether(1_000));
        world.act(ALICE, market, "mint(uint256)", &[ether(600)]);
        world.act(BOB, market, "mint(uint256)", &[ether(300)]);
        world.act(BOB, market, "borrow(uint256)", &[ether(100)]);
        world.act(ALICE, market, "accrueInterest()", &[]);
        world.act(BOB, market, "repayBorrow(uint256)", &[ether(20)]);
        world.act(ALICE, market, "redeem(uint256)", &[ether(5_000)]);
        let gauge = compiled(&world, market);
        assert_eq!((gauge.spec.form, gauge.spec.terms.len()), (Form::Ratio, 4), "{:?}", gauge.explanation);
        let before = sums(&world, &gauge);
        world.act(BOB, market, "borrow(uint256)", &[ether(10)]);
        let after = sums(&world, &gauge);
        assert!(after.0 >= before.0 && after.1 == before.1, "a loan is no loss: {before:?} {after:?}");
    });
}

#[test]
fn proxies_of_every_kind_are_followed_and_pinned() {
    on_both(|mut world| {
        let token = world.deploy("NamespacedToken", &[]);
        let slot = b256!("0x1234567890123456789012345678901234567890123456789012345678901234");
        let shown = world.deploy("SlotProxy", &[slot.into(), named(token)]);
        let logic = world.deploy("NamespacedVault", &[]);
        let beacon = world.deploy("Beacon", &[named(logic)]);
        let vault = world.deploy("AskingProxy", &[named(beacon)]);
        world.act(MAKER, vault, "initialize(address)", &[named(shown)]);
        world.equip(shown, vault, ether(1_000));
        world.act(ALICE, vault, "deposit(uint256)", &[ether(600)]);
        world.act(BOB, shown, "transfer(address,uint256)", &[named(vault), ether(60)]);
        world.act(BOB, vault, "deposit(uint256)", &[ether(330)]);
        let gauge = compiled(&world, vault);
        assert_eq!((gauge.spec.form, gauge.spec.asset), (Form::Ratio, shown), "{:?}", gauge.explanation);
        // The beacon, its implementation, the token's implementation, and the word that names it.
        assert_eq!(gauge.spec.pins.len(), 4, "{:?}", gauge.spec.pins);
        assert_eq!(sums(&world, &gauge).0, ether(990));
        world.act(MAKER, shown, "flag(address)", &[named(vault)]);
        assert_eq!(sums(&world, &gauge).0, ether(990), "a flag in the balance's word is not part of it");
        let other = world.deploy("NamespacedVault", &[]);
        world.act(MAKER, beacon, "upgradeTo(address)", &[named(other)]);
        assert!(world.read(&gauge).unwrap_err().to_string().contains("undecided"));
    });
}

#[test]
fn a_clone_needs_no_pin() {
    on_both(|mut world| {
        let logic = world.deploy("TotalBank", &[]);
        let cloner = world.deploy("Cloner", &[]);
        let made = world.act(MAKER, cloner, "make(address)", &[named(logic)]);
        let clone = Address::from_slice(&made.outcome.output[12..32]);
        world.pay(ALICE, clone, "put()", &[], ether(40));
        world.pay(BOB, clone, "put()", &[], ether(25));
        let gauge = compiled(&world, clone);
        assert_eq!((gauge.spec.form, gauge.spec.pins.len()), (Form::Par, 0), "{:?}", gauge.explanation);
        assert_eq!(sums(&world, &gauge), (ether(65), ether(65)));
    });
}

#[test]
fn a_token_with_seeded_slots_is_read() {
    on_both(|mut world| {
        let token = world.deploy("SeededToken", &[]);
        let bank = world.deploy("StructBank", &[named(token)]);
        world.equip(token, bank, ether(1_000));
        trade(&mut world, bank, "deposit(uint256)", "withdraw(uint256)");
        let gauge = compiled(&world, bank);
        assert_eq!(sums(&world, &gauge), (ether(950), ether(950)), "{:?}", gauge.explanation);
    });
}

/// Two tokens for a pool and everyone's allowance.
fn two_tokens(world: &mut World) -> (Address, Address) {
    (token(world), token(world))
}

#[test]
fn a_pair_with_packed_reserves_is_geometric() {
    on_both(|mut world| {
        let (one, other) = two_tokens(&mut world);
        let pair = world.deploy("PackedPair", &[named(one), named(other)]);
        world.equip(one, pair, ether(10_000));
        world.equip(other, pair, ether(10_000));
        let add = |world: &mut World, who: Address, amount: u64| {
            world.act(who, one, "transfer(address,uint256)", &[named(pair), ether(amount)]);
            world.act(who, other, "transfer(address,uint256)", &[named(pair), ether(amount)]);
            world.act(who, pair, "mint(address)", &[named(who)]);
        };
        add(&mut world, ALICE, 1_000);
        add(&mut world, BOB, 500);
        world.act(CAROL, one, "transfer(address,uint256)", &[named(pair), ether(10)]);
        world.act(CAROL, pair, "swap(uint256,uint256,address)", &[U256::ZERO, ether(9), named(CAROL)]);
        world.act(BOB, pair, "transfer(address,uint256)", &[named(pair), ether(100)]);
        world.act(BOB, pair, "burn(address)", &[named(BOB)]);
        world.act(CAROL, other, "transfer(address,uint256)", &[named(pair), ether(10)]);
        world.act(CAROL, pair, "swap(uint256,uint256,address)", &[ether(9), U256::ZERO, named(CAROL)]);
        let gauge = compiled(&world, pair);
        assert_eq!(gauge.spec.form, Form::Geometric, "{:?}", gauge.explanation);
        let widths: Vec<(u8, u16)> = gauge.spec.terms.iter().map(|term| (term.offset, term.width)).collect();
        assert_eq!(widths[..2], [(0, 112), (112, 112)]);
    });
}

#[test]
fn other_pools_are_refused() {
    on_both(|mut world| {
        let (one, other) = two_tokens(&mut world);
        let sum = world.deploy("SumPool", &[named(one), named(other)]);
        let bare = world.deploy("BarePair", &[named(one), named(other)]);
        for pool in [sum, bare] {
            world.equip(one, pool, ether(10_000));
            world.equip(other, pool, ether(10_000));
        }
        world.act(ALICE, sum, "add(uint256)", &[ether(1_000)]);
        world.act(BOB, sum, "add(uint256)", &[ether(500)]);
        world.act(CAROL, sum, "change(uint256)", &[ether(400)]);
        world.act(BOB, sum, "remove(uint256)", &[ether(100)]);
        refused(&world, sum, |reason| matches!(reason, Reason::Payout(_)));
        world.act(ALICE, bare, "add(uint256,uint256)", &[ether(1_000), ether(1_000)]);
        world.act(BOB, bare, "add(uint256,uint256)", &[ether(500), ether(500)]);
        world.act(CAROL, bare, "change(uint256)", &[ether(40)]);
        world.act(BOB, bare, "remove(uint256)", &[ether(100)]);
        refused(&world, bare, |reason| matches!(reason, Reason::NoReserveWords));
    });
}

#[test]
fn a_bank_that_invests_its_deposits_is_refused() {
    on_both(|mut world| {
        let token = token(&mut world);
        let bank = world.deploy("InvestingBank", &[named(token)]);
        world.equip(token, bank, ether(1_000));
        trade(&mut world, bank, "deposit(uint256)", "withdraw(uint256)");
        refused(&world, bank, |reason| matches!(reason, Reason::AssetsMove(_)));
    });
}

#[test]
fn a_bank_with_interest_is_refused() {
    on_both(|mut world| {
        let token = token(&mut world);
        let bank = world.deploy("InterestBank", &[named(token)]);
        world.equip(token, bank, ether(1_000));
        trade(&mut world, bank, "deposit(uint256)", "withdraw(uint256)");
        refused(&world, bank, |reason| matches!(reason, Reason::ClaimsGrow(_) | Reason::Payout(_)));
    });
}

#[test]
fn a_farm_that_pays_rewards_out_of_stakes_is_refused() {
    on_both(|mut world| {
        let token = token(&mut world);
        let farm = world.deploy("SameTokenFarm", &[named(token)]);
        world.equip(token, farm, ether(1_000));
        world.act(MAKER, token, "transfer(address,uint256)", &[named(farm), ether(300)]);
        trade(&mut world, farm, "stake(uint256)", "unstake(uint256)");
        refused(&world, farm, |reason| {
            matches!(
                reason,
                Reason::ClaimsGrow(_) | Reason::Payout(_) | Reason::AssetsMove(_) | Reason::Lending(_)
            )
        });
    });
}

#[test]
fn votes_tickets_and_collateral_are_no_claims() {
    on_both(|mut world| {
        let token = token(&mut world);
        let ballot = world.deploy("Ballot", &[named(token)]);
        world.equip(token, ballot, ether(1_000));
        world.pay(MAKER, ballot, "", &[], ether(10));
        world.act(ALICE, ballot, "vote()", &[]);
        world.act(BOB, ballot, "vote()", &[]);
        refused(&world, ballot, |reason| matches!(reason, Reason::NoClaims));

        let raffle = world.deploy("Raffle", &[]);
        world.pay(ALICE, raffle, "buy(uint256)", &[word(3)], ether(3));
        world.pay(BOB, raffle, "buy(uint256)", &[word(2)], ether(2));
        world.act(MAKER, raffle, "draw(address)", &[named(BOB)]);
        world.pay(ALICE, raffle, "buy(uint256)", &[word(4)], ether(4));
        assert!(world.compile(raffle).is_err());

        let lender = world.deploy("CoinLender", &[named(token)]);
        world.equip(token, lender, ether(1_000));
        world.act(MAKER, token, "transfer(address,uint256)", &[named(lender), ether(500)]);
        world.pay(ALICE, lender, "post()", &[], ether(100));
        world.pay(BOB, lender, "post()", &[], ether(50));
        refused(&world, lender, |reason| matches!(reason, Reason::Lending(_)));
    });
}

#[test]
fn a_queue_between_claim_and_payment_is_refused() {
    on_both(|mut world| {
        let token = token(&mut world);
        let bank = world.deploy("QueueBank", &[named(token)]);
        world.equip(token, bank, ether(1_000));
        world.act(ALICE, bank, "deposit(uint256)", &[ether(600)]);
        world.act(BOB, bank, "deposit(uint256)", &[ether(300)]);
        world.act(ALICE, bank, "ask(uint256)", &[ether(100)]);
        world.act(ALICE, bank, "collect()", &[]);
        assert!(world.compile(bank).is_err());
    });
}

#[test]
fn a_rebasing_asset_is_refused() {
    on_both(|mut world| {
        let token = world.deploy("RebasingToken", &[]);
        let bank = world.deploy("StructBank", &[named(token)]);
        world.equip(token, bank, ether(1_000));
        world.act(MAKER, token, "rebase(uint256)", &[ether(100)]);
        trade(&mut world, bank, "deposit(uint256)", "withdraw(uint256)");
        refused(&world, bank, |reason| matches!(reason, Reason::UnreadableAsset(_)));
    });
}

#[test]
fn code_split_over_functions_is_refused() {
    on_both(|mut world| {
        let (one, other) = (world.deploy("FacetOne", &[]), world.deploy("FacetTwo", &[]));
        let selector = |signature: &str| U256::from_be_slice(&keccak256(signature)[..4]) << 224;
        let split = world.deploy(
            "SplitProxy",
            &[selector("totalSupply()"), named(one), selector("owner()"), named(other)],
        );
        refused(&world, split, |reason| matches!(reason, Reason::CodeSplit { .. }));
    });
}

#[test]
fn a_crowdfund_and_a_bank_with_an_owners_vault_are_refused() {
    on_both(|mut world| {
        let fund = world.deploy("Crowdfund", &[named(MAKER), ether(100)]);
        world.pay(ALICE, fund, "give()", &[], ether(30));
        world.pay(BOB, fund, "give()", &[], ether(20));
        assert!(world.compile(fund).is_err());
        world.pay(CAROL, fund, "give()", &[], ether(60));
        assert!(world.compile(fund).is_err());

        let bank = world.deploy("SweptBank", &[named(MAKER)]);
        world.pay(ALICE, bank, "put()", &[], ether(30));
        world.pay(BOB, bank, "put()", &[], ether(20));
        world.act(BOB, bank, "take(uint256)", &[ether(5)]);
        refused(&world, bank, |reason| matches!(reason, Reason::AssetsMove(_)));
    });
}

#[test]
fn a_fee_on_transfer_raises_the_threshold() {
    on_both(|mut world| {
        let token = world.deploy("FeeToken", &[]);
        let bank = world.deploy("StructBank", &[named(token)]);
        world.equip(token, bank, ether(1_000));
        world.act(ALICE, bank, "deposit(uint256)", &[ether(600)]);
        refused(&world, bank, |reason| matches!(reason, Reason::TooLittleSeen(_)));
        world.act(BOB, bank, "deposit(uint256)", &[ether(400)]);
        world.act(ALICE, bank, "withdraw(uint256)", &[ether(100)]);
        let gauge = compiled(&world, bank);
        assert_eq!(gauge.spec.threshold, 160_000_000_000_000_000, "{:?}", gauge.explanation);
        assert_eq!(sums(&world, &gauge), (ether(880), ether(900)));

        let vault = world.deploy("OpenVault", &[]);
        world.act(MAKER, vault, "initialize(address,address)", &[named(MAKER), named(token)]);
        world.equip(token, vault, ether(1_000));
        world.act(ALICE, vault, "stake(uint256)", &[ether(600)]);
        world.act(BOB, vault, "stake(uint256)", &[ether(400)]);
        let gauge = compiled(&world, vault);
        assert!(gauge.spec.threshold >= 60_000_000_000_000_000, "{}", gauge.spec.threshold);
    });
}

#[test]
fn a_loan_taken_again_before_it_is_booked_is_measured() {
    on_both(|mut world| {
        let token = world.deploy("HookToken", &[]);
        let market = world.deploy("LateMarket", &[named(token)]);
        world.equip(token, market, ether(1_000));
        world.act(ALICE, market, "mint(uint256)", &[ether(600)]);
        world.act(BOB, market, "mint(uint256)", &[ether(300)]);
        world.act(BOB, market, "borrow(uint256)", &[ether(100)]);
        world.act(BOB, market, "repay(uint256)", &[ether(40)]);
        world.act(ALICE, market, "redeem(uint256)", &[ether(50)]);
        let gauge = compiled(&world, market);
        assert_eq!(gauge.spec.form, Form::Ratio, "{:?}", gauge.explanation);
        assert_eq!(sums(&world, &gauge), (ether(850), ether(850)));
        let thief = world.deploy("LateBorrower", &[named(market)]);
        world.act(THIEF, token, "approve(address,uint256)", &[named(thief), U256::MAX]);
        world.act(THIEF, thief, "go(uint256,uint256,uint256)", &[ether(200), ether(60), word(4)]);
        // Four loans of sixty against one booked.
        assert_eq!(sums(&world, &gauge), (ether(870), ether(1_050)));
    });
}

#[test]
fn a_vault_initialised_again_is_measured() {
    on_both(|mut world| {
        let token = token(&mut world);
        let vault = world.deploy("OpenVault", &[]);
        world.act(MAKER, vault, "initialize(address,address)", &[named(MAKER), named(token)]);
        world.equip(token, vault, ether(1_000));
        world.act(ALICE, vault, "stake(uint256)", &[ether(600)]);
        world.act(BOB, vault, "stake(uint256)", &[ether(400)]);
        let gauge = compiled(&world, vault);
        assert_eq!(gauge.spec.form, Form::Ratio, "{:?}", gauge.explanation);
        world.act(THIEF, vault, "initialize(address,address)", &[named(THIEF), named(token)]);
        assert_eq!(sums(&world, &gauge), (ether(1_000), ether(1_000)));
        world.act(THIEF, vault, "recover(address,uint256)", &[named(token), ether(900)]);
        assert_eq!(sums(&world, &gauge), (ether(100), ether(1_000)));
    });
}

#[test]
fn a_bank_that_runs_any_call_is_measured() {
    on_both(|mut world| {
        let token = token(&mut world);
        let bank = world.deploy("CallingBank", &[named(token)]);
        world.equip(token, bank, ether(1_000));
        trade(&mut world, bank, "deposit(uint256)", "withdraw(uint256)");
        let gauge = compiled(&world, bank);
        assert_eq!(gauge.spec.form, Form::Par, "{:?}", gauge.explanation);
        let inner = world::call("transfer(address,uint256)", &[named(THIEF), ether(950)]);
        let mut padded = inner.to_vec();
        padded.resize(96, 0);
        let tail: Vec<U256> = padded.chunks(32).map(U256::from_be_slice).collect();
        let mut arguments = vec![named(token), word(64), word(68)];
        arguments.extend(tail);
        world.act(THIEF, bank, "run(address,bytes)", &arguments);
        assert_eq!(sums(&world, &gauge), (U256::ZERO, ether(950)));
    });
}

#[test]
fn a_pair_whose_reserve_is_taken_is_measured() {
    on_both(|mut world| {
        let (one, other) = two_tokens(&mut world);
        let pair = world.deploy("WrongPair", &[named(one), named(other)]);
        world.equip(one, pair, ether(10_000));
        world.equip(other, pair, ether(10_000));
        world.act(ALICE, pair, "add(uint256,uint256)", &[ether(1_000), ether(4_000)]);
        world.act(BOB, pair, "swap(uint256,bool)", &[ether(10), word(1)]);
        world.act(BOB, pair, "swap(uint256,bool)", &[ether(20), word(0)]);
        let gauge = compiled(&world, pair);
        assert_eq!(gauge.spec.form, Form::Geometric, "{:?}", gauge.explanation);
        let before = sums(&world, &gauge);
        world.act(THIEF, pair, "skimReserve(uint128,uint256)", &[ether(700), word(7_777_777_777)]);
        let after = sums(&world, &gauge);
        assert!(after.0 < before.0 * U256::from(6) / U256::from(10), "{before:?} {after:?}");
    });
}
