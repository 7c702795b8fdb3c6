//! How a quote looks: everything that a buyer has to know, in one place.

use alloy::primitives::{B256, U256};
use serde_json::{Value, json};

use crate::act::bench::Bench;
use crate::act::buyer::{Market, offer_json};
use crate::act::cover::{Cover, Offer, share};
use crate::act::frame::Scene;
use crate::act::units::{Quantity, bps, percent, span, utc};
use crate::style::{Screen, grouped, table};
use crate::terms::section;

/// How long a quote may be used as a limit: purchases have this deadline unless they name one.
const QUOTE_LASTS: u64 = 20 * 60;

/// Prints a quote for people.
#[allow(clippy::too_many_arguments, reason = "a quote is made of this much")]
pub(crate) fn quote(
    scene: &Scene,
    cover: &Cover,
    sum: u128,
    market: &Market,
    (wording, hash): (&str, B256),
    limit: impl Fn(&Offer) -> U256,
    bench: &Bench,
    screen: &Screen,
) {
    let Some(best) = market.offers.first() else { return };
    let token = &cover.token;
    let terms = &cover.terms;
    let lines = [
        ("cover", format!("{} cover of {} (product {})", cover.kind(), cover.gauge.account, cover.id)),
        ("sum insured", token.show(U256::from(sum))),
        ("premium", format!("{}, {} a year", token.show(best.premium), percent(best.rate))),
        ("at most", format!("{} with the slippage that was named", token.show(limit(best)))),
        (
            "begins",
            format!(
                "{}, after a waiting period of {}",
                utc(best.inception),
                span(terms.waitingPeriod.into())
            ),
        ),
        ("ends", utc(best.expiry)),
        ("deductible", bps(terms.deductibleBps.into())),
        ("paid of a loss", format!("at most {} of what is proven", bps(terms.lossCapBps.into()))),
        ("paid in", format!("{} ({})", token.symbol, token.address)),
        ("settler's part", format!("at most {} of each payment", bps(terms.bountyBps.into()))),
        (
            "trigger in code",
            format!("gauge {}, threshold {}", terms.gauge, percent(U256::from(cover.gauge.threshold))),
        ),
        (
            "as of",
            format!(
                "block {}, {}; ask again after {}",
                grouped(bench.number),
                utc(bench.time),
                utc(expires(bench))
            ),
        ),
        ("wording", format!("breakwater wording --product {}", cover.id)),
        ("wording hash", hash.to_string()),
    ];
    lines.iter().for_each(|(name, value)| screen.say(format!("{name:<15}  {value}")));
    for heading in ["When it pays", "What is not paid", "Who decides, and how long it takes"] {
        screen.say(format!("\n{heading}"));
        section(wording, heading)
            .lines()
            .filter(|line| !line.is_empty())
            .for_each(|line| screen.say(format!("  {line}")));
    }
    screen.say("\nPools, cheapest first");
    screen.say(table(
        &["pool", "premium", "a year", "at risk", "capacity", "used"],
        &rows(scene, cover, market),
        &[1, 2, 3, 4, 5],
    ));
    for (pool, why) in &market.refused {
        screen.say(format!("pool {} does not sell: {}", scene.pool_name(*pool), why.wrong()));
    }
}

fn rows(scene: &Scene, cover: &Cover, market: &Market) -> Vec<Vec<String>> {
    let row = |offer: &Offer| {
        vec![
            scene.pool_name(offer.pool),
            cover.token.show(offer.premium),
            percent(offer.rate),
            cover.token.show(offer.exposure),
            cover.token.show(offer.capacity),
            percent(share(offer.exposure, offer.capacity)),
        ]
    };
    market.offers.iter().map(row).collect()
}

/// A quote for scripts; amounts in the asset's units as decimal strings, times in seconds.
pub(crate) fn quote_json(
    scene: &Scene,
    cover: &Cover,
    sum: u128,
    market: &Market,
    hash: B256,
    limit: impl Fn(&Offer) -> U256,
    bench: &Bench,
) -> Value {
    let (inception, expiry) = market.offers.first().map_or((0, 0), |offer| (offer.inception, offer.expiry));
    let refused: Vec<Value> =
        market.refused.iter().map(|(pool, why)| json!({ "pool": pool, "reason": why.wrong() })).collect();
    json!({
        "command": "quote",
        "product": cover.id,
        "kind": cover.kind(),
        "covered": cover.gauge.account,
        "gauge": cover.terms.gauge,
        "threshold_wad": cover.gauge.threshold.to_string(),
        "asset": cover.token.json(),
        "sum": sum.to_string(),
        "inception": Quantity::Time(inception).json(),
        "expiry": Quantity::Time(expiry).json(),
        "waiting_period": cover.terms.waitingPeriod,
        "deductible_bps": cover.terms.deductibleBps,
        "loss_cap_bps": cover.terms.lossCapBps,
        "bounty_bps": cover.terms.bountyBps,
        "wording_hash": hash,
        "as_of": { "block": bench.number, "time": bench.time, "expires": expires(bench) },
        "offers": market.offers.iter().map(|offer| offer_json(scene, offer, limit(offer))).collect::<Vec<_>>(),
        "refused": refused,
    })
}

fn expires(bench: &Bench) -> u64 {
    bench.time.saturating_add(QUOTE_LASTS)
}
