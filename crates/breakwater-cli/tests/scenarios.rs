//! The case studies: each is played as users play it, and what it pays is computed here again from the published
//! rules (docs/design.md, "Settlement", "Price") and from the story's own figures.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use std::collections::BTreeMap;

use alloy::primitives::{U256, uint};
use serde_json::Value;
use support::{breakwater, has_anvil, objects, stderr, stdout};

const WAD: U256 = uint!(1_000_000_000_000_000_000_U256);
/// Units of one dollar.
const DOLLAR: U256 = uint!(1_000_000_U256);
/// Of each payment, basis points.
const BOUNTY_BPS: U256 = uint!(50_U256);

/// What a play said, in order.
struct Play(Vec<Value>);

impl Play {
    /// Plays a scenario whose books balance.
    fn of(scenario: &str) -> Option<Self> {
        if !has_anvil() {
            return None;
        }
        let output = breakwater(&["demo", "--scenario", scenario, "--json"]);
        assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
        let play = Self(objects(&output));
        play.balances();
        Some(play)
    }

    fn all(&self, event: &str) -> Vec<&Value> {
        self.0.iter().filter(|object| object["event"] == event).collect()
    }

    fn one(&self, event: &str) -> &Value {
        let all = self.all(event);
        assert_eq!(all.len(), 1, "{event}: {all:?}");
        all[0]
    }

    /// What somebody lost, for how much he was insured, and what he was paid.
    fn account(&self, name: &str) -> (U256, U256, U256) {
        let lost = self.all("lost").into_iter().find(|lost| lost["account"] == name).unwrap();
        (units(&lost["lost"]), units(&lost["insured"]), units(&lost["paid"]))
    }

    /// What each policy was paid, bounties included.
    fn policies(&self) -> BTreeMap<String, U256> {
        let mut paid: BTreeMap<String, U256> = BTreeMap::new();
        for payment in self.all("paid") {
            *paid.entry(payment["policy"].as_str().unwrap().to_owned()).or_default() +=
                units(&payment["paid"]);
        }
        paid
    }

    /// What a layer held before, gave and holds, with its sign.
    fn layer(&self, name: &str) -> [i128; 3] {
        let layer = self.all("borne").into_iter().find(|layer| layer["layer"] == name).unwrap();
        ["before", "borne", "after"].map(|field| layer[field].as_str().unwrap().parse().unwrap())
    }

    /// Sums that the play does not add up itself: premiums in and earned, payments and who gave them.
    fn balances(&self) {
        let books = self.one("books");
        assert_eq!(books["balanced"], true);
        assert_eq!(sum_of(&books["parts"]), units(&books["balance"]));
        assert_eq!(sum_of(&books["holders"]), units(&books["supply"]));
        assert!(self.all("check").iter().all(|check| check["good"] == true) && self.all("check").len() == 2);
        let layers = ["surplus", "junior", "mezzanine", "senior"].map(|name| self.layer(name));
        let sum = |index: usize| layers.iter().map(|layer| layer[index]).sum::<i128>();
        let reinsured = self
            .all("reinsured")
            .first()
            .map_or((0, 0), |treaty| (signed(units(&treaty["drawn"])), signed(units(&treaty["premium"]))));
        let premiums: U256 = self.all("bought").iter().map(|bought| units(&bought["premium"])).sum();
        assert_eq!(sum(2) + sum(1) - sum(0) + reinsured.1, signed(premiums), "premiums in and out");
        let paid: U256 = self.policies().into_values().sum();
        let recovered: U256 = self.all("recovery").iter().map(|back| units(&back["amount"])).sum();
        assert_eq!(sum(1) + signed(recovered) + reinsured.0, signed(paid), "paid and given");
        // Holders and bounties together are what policies were paid, and nobody gained.
        let to_holders: U256 = self.all("lost").iter().map(|lost| units(&lost["paid"])).sum();
        let bounties: U256 = self.all("bounty").iter().map(|bounty| units(&bounty["paid"])).sum();
        assert_eq!(to_holders + bounties, paid);
        for lost in self.all("lost") {
            assert!(units(&lost["paid"]) <= units(&lost["lost"]), "{lost}");
        }
    }
}

/// What is due to one policy: `lost` and the loss fraction, terms, and the sum.
fn due(lost: U256, lambda: U256, cap_bps: u64, deductible_bps: u64, sum: U256) -> U256 {
    let deductible = U256::from(deductible_bps) * uint!(100_000_000_000_000_U256);
    let fraction = (lambda - deductible) * WAD / (WAD - deductible);
    let payable = lost * U256::from(cap_bps) / U256::from(10_000);
    (payable * fraction / lambda).min(sum * fraction / WAD)
}

/// What is left of a payment when opener and settler have had theirs.
fn after_bounty(due: U256) -> U256 {
    due - due * BOUNTY_BPS / U256::from(10_000)
}

/// The first policy's premium in a pool that insures nothing yet, below the kink.
fn first_premium(capital: U256, bought: &Value) -> U256 {
    let (leverage, cost) = (U256::from(20_000), WAD / U256::from(20));
    let capacity = capital * leverage / U256::from(10_000);
    let kink = capacity * (WAD / U256::from(10) * U256::from(8)) / WAD;
    let sum = units(&bought["sum"]);
    assert!(sum <= kink);
    let steepness = WAD / U256::from(2);
    let area = sum * WAD + steepness * sum * sum / (U256::from(2) * kink);
    let base = WAD / U256::from(50) + (cost * U256::from(10_000)).div_ceil(leverage);
    let term = U256::from(bought["expiry"].as_u64().unwrap() - bought["inception"].as_u64().unwrap());
    let rated = (area * base).div_ceil(WAD);
    (rated * WAD * term).div_ceil(WAD * WAD * U256::from(365 * 86_400))
}

#[test]
fn a_flash_loan_drains_15_per_cent_of_a_pair_and_nine_tenths_of_it_are_paid() {
    let Some(play) = Play::of("amm") else { return };
    let (base, loss) = pair_and_loss();
    let opened = play.one("opened");
    assert_eq!((units(&opened["base"]), units(&opened["loss"])), (base, loss));
    let lambda = loss * WAD / base;
    assert_eq!(lambda / uint!(100_000_000_000_000_U256), U256::from(1_500), "15.00 per cent");
    let sum = U256::from(1_800_000) * DOLLAR;
    // A dollar's unit for ten thousand of the gauge's.
    let paid = due(loss / U256::from(10_000), lambda, 9_000, 0, sum);
    assert_eq!(play.account("the pair's team").1, sum);
    assert_eq!(play.account("the pair's team").2, after_bounty(paid));
    assert_eq!(play.policies(), BTreeMap::from([("1".to_owned(), paid)]));
    let bought = play.one("bought");
    assert_eq!(units(&bought["premium"]), first_premium(U256::from(2_000_000) * DOLLAR, bought));
    // Junior alone bears it, but for what the surplus had.
    let [surplus, junior] = ["surplus", "junior"].map(|name| play.layer(name)[1]);
    assert_eq!(surplus + junior, signed(paid));
    assert!(junior > surplus && play.layer("mezzanine")[1] == 0);
}

/// The pair's arithmetic from its first day to the theft: the root of its reserves, and how much of it was lost.
fn pair_and_loss() -> (U256, U256) {
    let coin = WAD;
    let swap = |here: &mut U256, there: &mut U256, amount: U256| {
        let counted = amount * U256::from(997);
        let out = counted * *there / (*here * U256::from(1000) + counted);
        (*here, *there) = (*here + amount, *there - out);
        out
    };
    let (mut coins, mut dollars) = (U256::from(400) * coin, U256::from(1_000_000) * DOLLAR);
    let parts = [200_u64, 120, 80];
    let root = |coins: U256, dollars: U256| (coins * dollars).root(2);
    let mut supply = U256::ZERO;
    let (mut have0, mut have1) = (U256::ZERO, U256::ZERO);
    let mut carol = U256::ZERO;
    for part in parts {
        let (amount0, amount1) = (U256::from(part) * coin, U256::from(part * 2_500) * DOLLAR);
        carol = match supply.is_zero() {
            true => root(amount0, amount1),
            false => (amount0 * supply / have0).min(amount1 * supply / have1),
        };
        (supply, have0, have1) = (supply + carol, have0 + amount0, have1 + amount1);
    }
    assert_eq!((have0, have1), (coins, dollars));
    // dan buys and sells, carol goes and comes.
    swap(&mut dollars, &mut coins, U256::from(25_000) * DOLLAR);
    swap(&mut coins, &mut dollars, U256::from(10) * coin);
    let shares = carol / U256::from(80);
    (coins, dollars) = (coins - shares * coins / supply, dollars - shares * dollars / supply);
    supply -= shares;
    let (amount0, amount1) = (coin, U256::from(2_500) * DOLLAR);
    let shares = (amount0 * supply / coins).min(amount1 * supply / dollars);
    (coins, dollars, supply) = (coins + amount0, dollars + amount1, supply + shares);
    let (before, base) = (supply, root(coins, dollars));
    // The loan makes coins dear, they become shares at that price, and the shares are cashed.
    let bought = swap(&mut dollars, &mut coins, U256::from(2_255_200) * DOLLAR);
    let shares = bought * supply / (U256::from(2) * coins);
    (coins, supply) = (coins + bought, supply + shares);
    let out = shares * coins / supply;
    (coins, dollars, supply) = (coins - out, dollars - shares * dollars / supply, supply - shares);
    swap(&mut coins, &mut dollars, out);
    assert_eq!(before, supply);
    (base, base - root(coins, dollars))
}

#[test]
fn a_failed_upgrade_pays_95_per_cent_against_the_shares() {
    let Some(play) = Play::of("upgrade") else { return };
    let (alice, bob) = (U256::from(100_000) * DOLLAR, U256::from(40_000) * DOLLAR);
    // Everything is lost of what was given up, and 95 % of it are payable.
    let paid = [alice, bob].map(|given| due(given, WAD, 9_500, 0, given));
    assert_eq!(paid, [U256::from(95_000) * DOLLAR, U256::from(38_000) * DOLLAR]);
    assert_eq!(play.account("alice"), (alice, alice, after_bounty(paid[0])));
    assert_eq!(play.account("bob"), (U256::from(60_000) * DOLLAR, bob, after_bounty(paid[1])));
    assert_eq!(play.account("carol"), (U256::from(40_000) * DOLLAR, U256::ZERO, U256::ZERO));
    assert_eq!(play.policies().into_values().collect::<Vec<_>>(), paid);
    // Two failures six hours apart, and after the first no success.
    let probes = play.all("probe");
    let first = probes.iter().position(|probe| probe["success"] == false).unwrap();
    assert!(first > 0 && probes[first..].iter().all(|probe| probe["success"] == false), "{probes:?}");
    let times: Vec<u64> = probes[first..].iter().map(|probe| probe["time"].as_u64().unwrap()).collect();
    assert!(times[1] - times[0] >= 6 * 3_600, "{times:?}");
    // The shares are sold near half of par, half a week into the auction, and the price goes to those who bore it.
    let recovered: U256 = play.all("recovery").iter().map(|back| units(&back["amount"])).sum();
    let half = (alice + bob) / U256::from(2);
    assert!(recovered <= half && recovered > half * U256::from(999) / U256::from(1_000), "{recovered}");
    assert_eq!(play.layer("mezzanine")[1], 0);
}

#[test]
fn a_bent_price_pays_what_was_seized_less_what_was_repaid() {
    let Some(play) = Play::of("oracle") else { return };
    let dollars = |whole: u64| U256::from(whole) * DOLLAR;
    // All collateral was seized: at 2,500 it is worth more than the debt by this much.
    let lost = [60 * 2_500 - 100_000, 30 * 2_500 - 50_000, 20 * 2_500 - 30_000].map(dollars);
    let sums = [60_000, 20_000, 0].map(dollars);
    let paid = [0, 1].map(|index| due(lost[index], WAD, 10_000, 0, sums[index]));
    assert_eq!(paid, [dollars(50_000), dollars(20_000)], "the second is bound by his sum");
    assert_eq!(play.account("alice"), (lost[0], sums[0], after_bounty(paid[0])));
    assert_eq!(play.account("bob"), (lost[1], sums[1], after_bounty(paid[1])));
    assert_eq!(play.account("carol"), (lost[2], U256::ZERO, U256::ZERO));
    assert_eq!(play.policies().into_values().collect::<Vec<_>>(), paid);
    // It was right before the sale and after it, and then wrong for an hour of looks at most half an hour apart.
    let looks: Vec<&Value> = play.all("look").into_iter().filter(|look| look["live"] == true).collect();
    let wrong = |look: &&Value| units(&look["watched"]) < units(&look["references"]);
    let first = looks.iter().position(wrong).unwrap();
    let times: Vec<u64> = looks[first..].iter().map(|look| look["time"].as_u64().unwrap()).collect();
    assert!(first >= 2 && looks[first..].iter().all(wrong), "{looks:?}");
    assert!(
        times.last().unwrap() - times[0] >= 3_600 && times.windows(2).all(|pair| pair[1] - pair[0] <= 1_800)
    );
    let proven: Vec<U256> = play.all("position").iter().map(|proven| units(&proven["lost"])).collect();
    assert_eq!(proven, lost[..2]);
}

#[test]
fn reporters_tell_of_a_treasury_that_lost_30_per_cent() {
    let Some(play) = Play::of("reentrancy") else { return };
    let ether = |whole: u64| U256::from(whole) * WAD;
    let opened = play.one("opened");
    assert_eq!((units(&opened["base"]), units(&opened["loss"])), (ether(600), ether(180)));
    let lambda = ether(180) * WAD / ether(600);
    let sum = U256::from(1_500_000) * DOLLAR;
    // 2,500 dollars an ether.
    let lost = ether(180) * U256::from(25) / uint!(10_000_000_000_U256);
    let paid = due(lost, lambda, 10_000, 500, sum);
    assert_eq!(play.account("the treasury's DAO"), (lost, sum, after_bounty(paid)));
    assert_eq!(play.policies(), BTreeMap::from([("1".to_owned(), paid)]));
    let bought = play.one("bought");
    assert_eq!(units(&bought["premium"]), first_premium(U256::from(2_000_000) * DOLLAR, bought));
    assert_eq!(play.one("bonds")["slashed"], false);
}

#[test]
fn an_upgraded_lending_market_loses_5_million_and_a_reinsurer_bears_its_layer() {
    let Some(play) = Play::of("lending") else { return };
    let dollars = |whole: u64| U256::from(whole) * DOLLAR;
    let opened = play.one("opened");
    let (base, loss) = (dollars(9_000_000), dollars(5_000_000));
    assert_eq!((units(&opened["base"]), units(&opened["loss"])), (base, loss));
    let listed = play.all("listed");
    assert_eq!(listed.len(), 3, "each reporter's node measures for itself");
    assert!(listed.iter().all(|listed| units(&listed["loss"]) == loss && units(&listed["base"]) == base));
    let lambda = loss * WAD / base;
    let (held, sums) = ([2_000_000, 1_000_000].map(dollars), [2_000_000, 500_000].map(dollars));
    let paid = [0, 1].map(|index| due(held[index] * loss / base, lambda, 10_000, 500, sums[index]));
    for (index, name) in ["alice", "bob"].into_iter().enumerate() {
        let (lost, insured, got) = play.account(name);
        // What is left of his shares is rounded down, so the loss may be a unit more than its part.
        assert!(lost - held[index] * loss / base <= U256::ONE);
        assert_eq!((insured, got), (sums[index], after_bounty(paid[index])));
    }
    assert_eq!(play.account("carol").2, U256::ZERO);
    assert_eq!(play.policies().into_values().collect::<Vec<_>>(), paid);
    // Above the first million the reinsurer bears all of it.
    let all: U256 = paid.into_iter().sum();
    assert_eq!(units(&play.one("reinsured")["drawn"]), all - dollars(1_000_000));
    let borne = ["surplus", "junior", "mezzanine", "senior"].map(|name| play.layer(name)[1]);
    assert_eq!(borne.iter().sum::<i128>(), signed(dollars(1_000_000)));
    assert_eq!(borne[3], 0, "senior is behind the treaty");
    let premiums: U256 = play.all("bought").iter().map(|bought| units(&bought["premium"])).sum();
    let ceded = units(&play.one("reinsured")["premium"]);
    // A tenth, rounded down at each accrual.
    let tenth = premiums / U256::from(10);
    assert!(ceded <= tenth && tenth - ceded < U256::from(1_000), "{ceded} of {tenth}");
}

fn sum_of(amounts: &Value) -> U256 {
    amounts.as_object().unwrap().values().map(units).sum()
}

fn units(amount: &Value) -> U256 {
    amount.as_str().unwrap().parse().unwrap()
}

fn signed(units: U256) -> i128 {
    i128::try_from(units).unwrap()
}
