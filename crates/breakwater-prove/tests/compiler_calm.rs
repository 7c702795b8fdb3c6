//! Gauges over long ordinary traffic: deposits, withdrawals, gifts, work, loans, swaps, of any size
//! and in any order. None may show an onset.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use alloy::primitives::{Address, U256, keccak256};
use breakwater_prove::{
    compiler::Compiled,
    gauge::{Form, Reading},
};
use world::{ALICE, BOB, CAROL, MAKER, World, ether, named};

/// Steps of traffic after the gauge is compiled.
const STEPS: u64 = 70;

/// Numbers that look random and are the same on every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 += 1;
        let word = U256::from_be_bytes(keccak256(self.0.to_be_bytes()).0);
        (word % U256::from(sides)).to()
    }

    fn who(&mut self) -> Address {
        [ALICE, BOB, CAROL][self.roll(3) as usize]
    }

    /// From a thousandth of a token to three hundred, small and large alike.
    fn amount(&mut self) -> U256 {
        let digits = self.roll(6);
        U256::from(self.roll(900) + 100) * U256::from(10).pow(U256::from(13 + digits)) / U256::from(3)
    }
}

type Act = fn(&mut World, &mut Dice, Address, Address);

/// Plays random acts and reads the gauge after each block that they made.
fn stays_calm(mut world: World, subject: Address, token: Address, acts: &[Act], seed: u64) {
    let gauge = world.compile(subject).unwrap_or_else(|refusal| panic!("{refusal}"));
    let mut dice = Dice(seed);
    for _ in 0..STEPS {
        let before = world.tip();
        let act = acts[dice.roll(acts.len() as u64) as usize];
        act(&mut world, &mut dice, subject, token);
        for block in before + 1..=world.tip() {
            let a = world.read_at(&gauge, block - 1).unwrap();
            let b = world.read_at(&gauge, block).unwrap();
            let lambda = loss(&gauge, &a, &b);
            assert!(lambda < gauge.spec.threshold / 2, "block {block}: {lambda} {a:?} {b:?}");
        }
    }
}

/// Loss by the design's formulas, wad; zero where it is not defined.
fn loss(gauge: &Compiled, a: &Reading, b: &Reading) -> u64 {
    let wide = |number: u128| U256::from(number);
    if a.claims < gauge.spec.floor || a.claims == 0 {
        return 0;
    }
    let (loss, base) = match gauge.spec.form {
        Form::Ratio | Form::Geometric if b.claims > 0 => {
            let kept = (wide(b.assets) * wide(a.claims)).div_ceil(wide(b.claims));
            let had = wide(a.assets);
            (had.saturating_sub(kept).min(had.saturating_sub(wide(b.assets))), had)
        }
        Form::Ratio | Form::Geometric => return 0,
        _ => {
            let short = |one: &Reading| one.claims.saturating_sub(one.assets);
            (wide(short(b).saturating_sub(short(a))), wide(a.claims))
        }
    };
    (loss.min(base) * U256::from(10).pow(U256::from(18)) / base.max(U256::ONE)).to()
}

fn world() -> World {
    World::new(include_str!("fixtures/optimised.json"))
}

/// A token of which everyone has plenty, and a subject over it that may take it.
fn over_a_token(token: &str, subject: &str) -> (World, Address, Address) {
    let mut world = world();
    let token = match token {
        "PlainToken" => world.deploy(token, &[U256::from(18)]),
        other => world.deploy(other, &[]),
    };
    let subject = world.deploy(subject, &[named(token)]);
    world.equip(token, subject, ether(1_000_000));
    (world, subject, token)
}

fn gift(world: &mut World, dice: &mut Dice, subject: Address, token: Address) {
    let (who, amount) = (dice.who(), dice.amount());
    world.act(who, token, "transfer(address,uint256)", &[named(subject), amount]);
}

/// Acts, or does nothing if the contract says no: a withdrawal of more than is owed, say.
fn maybe(world: &mut World, who: Address, subject: Address, signature: &str, arguments: &[U256]) {
    world.attempt(who, subject, signature, arguments);
}

#[test]
fn a_par_bank() {
    let (mut world, bank, token) = over_a_token("PlainToken", "PackedBank");
    world.act(ALICE, bank, "deposit(uint128)", &[ether(6)]);
    world.act(BOB, bank, "deposit(uint128)", &[ether(4)]);
    let acts: [Act; 4] = [
        |w, d, s, _| {
            let (who, x) = (d.who(), d.amount());
            maybe(w, who, s, "deposit(uint128)", &[x])
        },
        |w, d, s, _| {
            let (who, x) = (d.who(), d.amount());
            maybe(w, who, s, "withdraw(uint128)", &[x])
        },
        |w, d, s, _| {
            let (who, x) = (d.who(), d.amount());
            maybe(w, who, s, "withdraw(uint128)", &[x])
        },
        gift,
    ];
    stays_calm(world, bank, token, &acts, 1);
}

#[test]
fn an_enumerated_bank_over_a_token_with_a_fee() {
    let (mut world, bank, token) = over_a_token("FeeToken", "StructBank");
    world.act(ALICE, bank, "deposit(uint256)", &[ether(300)]);
    world.act(BOB, bank, "deposit(uint256)", &[ether(400)]);
    let acts: [Act; 3] = [
        |w, d, s, _| {
            let (who, x) = (d.who(), d.amount());
            maybe(w, who, s, "deposit(uint256)", &[x])
        },
        |w, d, s, _| {
            let (who, x) = (d.who(), d.amount());
            maybe(w, who, s, "withdraw(uint256)", &[x])
        },
        gift,
    ];
    stays_calm(world, bank, token, &acts, 2);
}

#[test]
fn a_vault_priced_by_its_balance() {
    let (mut world, vault, token) = over_a_token("PlainToken", "BalanceVault");
    world.act(ALICE, vault, "deposit(uint256,address)", &[ether(6), named(ALICE)]);
    world.act(BOB, vault, "deposit(uint256,address)", &[ether(4), named(BOB)]);
    let acts: [Act; 4] = [
        |w, d, s, _| {
            let (who, x) = (d.who(), d.amount());
            maybe(w, who, s, "deposit(uint256,address)", &[x, named(who)])
        },
        |w, d, s, _| {
            let (who, x) = (d.who(), d.amount() * U256::from(1000));
            maybe(w, who, s, "redeem(uint256,address,address)", &[x, named(who), named(who)])
        },
        |w, d, s, _| {
            let who = d.who();
            maybe(w, who, s, "transfer(address,uint256)", &[named(MAKER), U256::from(5)])
        },
        gift,
    ];
    stays_calm(world, vault, token, &acts, 3);
}

#[test]
fn a_vault_with_a_book() {
    let (mut world, vault, token) = over_a_token("PlainToken", "BookVault");
    world.act(ALICE, vault, "enter(uint256)", &[ether(6)]);
    world.act(BOB, vault, "enter(uint256)", &[ether(4)]);
    let acts: [Act; 4] = [
        |w, d, s, _| {
            let (who, x) = (d.who(), d.amount());
            maybe(w, who, s, "enter(uint256)", &[x])
        },
        |w, d, s, _| {
            let (who, x) = (d.who(), d.amount());
            maybe(w, who, s, "leave(uint256)", &[x])
        },
        |w, d, s, _| {
            let (who, x) = (d.who(), d.amount());
            maybe(w, who, s, "reward(uint256)", &[x])
        },
        gift,
    ];
    stays_calm(world, vault, token, &acts, 4);
}

#[test]
fn a_vault_at_work() {
    let (mut world, vault, token) = over_a_token("PlainToken", "WorkingVault");
    world.act(ALICE, vault, "deposit(uint256)", &[ether(6)]);
    world.act(BOB, vault, "deposit(uint256)", &[ether(4)]);
    let acts: [Act; 4] = [
        |w, d, s, _| {
            let (who, x) = (d.who(), d.amount());
            maybe(w, who, s, "deposit(uint256)", &[x])
        },
        |w, d, s, _| {
            let (who, x) = (d.who(), d.amount());
            maybe(w, who, s, "withdraw(uint256)", &[x])
        },
        |w, d, s, _| {
            let who = d.who();
            maybe(w, who, s, "earn()", &[])
        },
        gift,
    ];
    stays_calm(world, vault, token, &acts, 5);
}

#[test]
fn a_lending_market() {
    let (mut world, market, token) = over_a_token("PlainToken", "Market");
    world.act(ALICE, market, "mint(uint256)", &[ether(60)]);
    world.act(BOB, market, "mint(uint256)", &[ether(40)]);
    world.act(BOB, market, "borrow(uint256)", &[ether(10)]);
    let acts: [Act; 6] = [
        |w, d, s, _| {
            let (who, x) = (d.who(), d.amount());
            maybe(w, who, s, "mint(uint256)", &[x])
        },
        |w, d, s, _| {
            let (who, x) = (d.who(), d.amount() * U256::from(50));
            maybe(w, who, s, "redeem(uint256)", &[x])
        },
        |w, d, s, _| {
            let (who, x) = (d.who(), d.amount());
            maybe(w, who, s, "borrow(uint256)", &[x])
        },
        |w, d, s, _| {
            let (who, x) = (d.who(), d.amount());
            maybe(w, who, s, "repayBorrow(uint256)", &[x])
        },
        |w, _, s, _| maybe(w, MAKER, s, "takeReserves(uint256)", &[U256::from(1_000_000)]),
        |w, d, s, _| {
            w.pace = 12 + d.roll(100_000);
            maybe(w, ALICE, s, "accrueInterest()", &[])
        },
    ];
    stays_calm(world, market, token, &acts, 6);
}

#[test]
fn a_pair() {
    let mut world = world();
    let one = world.deploy("PlainToken", &[U256::from(18)]);
    let other = world.deploy("PlainToken", &[U256::from(18)]);
    let pair = world.deploy("WrongPair", &[named(one), named(other)]);
    world.equip(one, pair, ether(1_000_000));
    world.equip(other, pair, ether(1_000_000));
    world.act(ALICE, pair, "add(uint256,uint256)", &[ether(600), ether(1_200)]);
    world.act(BOB, pair, "add(uint256,uint256)", &[ether(60), ether(120)]);
    world.act(BOB, pair, "swap(uint256,bool)", &[ether(6), U256::ONE]);
    let acts: [Act; 4] = [
        |w, d, s, _| {
            let (who, x) = (d.who(), d.amount());
            maybe(w, who, s, "swap(uint256,bool)", &[x, U256::ONE])
        },
        |w, d, s, _| {
            let (who, x) = (d.who(), d.amount());
            maybe(w, who, s, "swap(uint256,bool)", &[x, U256::ZERO])
        },
        |w, d, s, _| {
            let (who, x) = (d.who(), d.amount());
            maybe(w, who, s, "remove(uint256)", &[x])
        },
        gift,
    ];
    stays_calm(world, pair, one, &acts, 7);
}
