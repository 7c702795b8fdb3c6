//! Commands of holders, of whoever settles, and of whoever only looks, on a real deployment.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use alloy::primitives::{B256, U256};
use breakwater_bindings::Incidents;
use serde_json::Value;
use support::stage::{DAY, Stage, Who, change, number};
use support::{has_anvil, stderr, stdout};

alloy::sol! {
    function refuse(address account, bool refused) external;
}

/// Buys on the stage's product as somebody for himself.
fn buy(stage: &Stage, who: Who, sum: &str) -> Value {
    let product = stage.product.to_string();
    stage.done(who, &["buy", "--product", &product, "--sum", sum, "--days", "60"])["result"].clone()
}

/// A loss of half, as the rung itself would assert it, with five thousand lost by the buyer.
fn open_incident(stage: &Stage) {
    stage.mine(3);
    let head = stage.runtime.block_on(stage.endpoints().head()).unwrap();
    let at = |number: u64| stage.runtime.block_on(stage.endpoints().head_at(number, None)).unwrap();
    let (onset, after) = (at(head.number() - 2), at(head.number() - 1));
    let m = Incidents::Measurement {
        onset: onset.number(),
        reading: after.number(),
        onsetTime: onset.timestamp(),
        afterTime: after.timestamp(),
        base: 1_000_000_000_000,
        loss: 500_000_000_000,
        evidence: B256::repeat_byte(7),
    };
    let (rung, incidents) = (stage.deployment().proof_rung, stage.deployment().incidents);
    let opener = stage.address(Who::Deployer);
    stage.send_as(rung, incidents, &Incidents::openCall { gauge: stage.gauge, rung: 0, opener, m });
    let account = stage.address(Who::Buyer);
    let record =
        Incidents::recordPositionCall { id: U256::ONE, account, lost: 5_000_000_000, value: 10_000_000_000 };
    stage.send_as(rung, incidents, &record);
}

#[test]
fn policies_are_listed_lowered_moved_and_ended() {
    if !has_anvil() {
        return;
    }
    let stage = Stage::build();
    stage.open_for_business();
    let holder = stage.address(Who::Buyer).to_string();
    let mine = ["policies", "--owner", &holder];
    assert!(stdout(&stage.look(&mine)).contains("no policies"));
    let bought = buy(&stage, Who::Buyer, "10000");
    let listed = stage.seen(&mine);
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["state"], "waiting");
    assert_eq!(listed[0]["inception"], bought["inception"]);
    let (status, said) = stage.refused(Who::Buyer, &["lower", "--policy", "1", "--sum", "5000"]);
    assert!(status == 1 && said.contains("NotIncepted") && said.contains("waiting period"), "{said}");

    stage.pass(10 * DAY);
    assert_eq!(stage.seen(&mine)[0]["state"], "active");
    let (status, said) = stage.refused(Who::Other, &["lower", "--policy", "1", "--sum", "5000"]);
    assert!(status == 1 && said.contains("NotHolder"), "{said}");
    let told = stage.foretold(Who::Buyer, &["lower", "--policy", "1", "--sum", "5000.25"]);
    assert_eq!(told["result"]["sum"], "5000250000");
    let refund = number(&told["result"]["refund"]);
    let premium = number(&bought["premium"]);
    assert!(refund > premium / 4 && refund < premium / 2, "{refund} of {premium}");
    let balance = change(&told, "balance of the account");
    assert_eq!(number(&balance["after"]) - number(&balance["before"]), refund);

    let other = stage.address(Who::Other).to_string();
    let told = stage.foretold(Who::Buyer, &["transfer", "--policy", "1", "--to", &other]);
    assert_eq!(change(&told, "holder of the policy")["after"], other.to_lowercase());
    assert!(stage.seen(&mine).is_empty());
    let pool = stage.pool.to_string();
    let (status, said) = stage.refused(Who::Other, &["transfer", "--policy", "1", "--to", &pool]);
    assert!(status == 2 && said.contains("never use a policy"), "{said}");

    let told = stage.foretold(Who::Other, &["cancel", "--policy", "1"]);
    assert!(number(&told["result"]["refund"]) > 0);
    assert_eq!(change(&told, "holder of the policy")["after"], Value::Null);
    assert_eq!(change(&told, "exposure of the pool")["after"], "0");
    assert_eq!(stage.seen(&["policies", "--all"])[0]["state"], "cancelled");
    let (status, said) = stage.refused(Who::Other, &["cancel", "--policy", "2"]);
    assert!(status == 2 && said.contains("there is no policy 2"), "{said}");
    let output = stage.look(&["policies"]);
    assert!(output.status.code() == Some(2) && stderr(&output).contains("--owner"), "{}", stderr(&output));
}

#[test]
fn a_policy_is_split_and_renewed_by_order() {
    if !has_anvil() {
        return;
    }
    let stage = Stage::build();
    stage.open_for_business();
    let bought = buy(&stage, Who::Buyer, "10000");
    stage.pass(10 * DAY);
    let other = stage.address(Who::Other).to_string();
    let split = ["split", "--policy", "1", "--sum", "4000.5", "--to", &other];
    let (status, said) = stage.refused(Who::Other, &split);
    assert!(status == 1 && said.contains("NotHolder"), "{said}");
    let (status, said) = stage.refused(Who::Buyer, &["split", "--policy", "1", "--sum", "9999.5"]);
    assert!(status == 1 && said.contains("SumBelowMinimum"), "{said}");
    let pool = stage.pool.to_string();
    let (status, said) = stage.refused(Who::Buyer, &[&split[..5], &["--to", &pool]].concat());
    assert!(status == 2 && said.contains("never use a policy"), "{said}");
    let told = stage.foretold(Who::Buyer, &split);
    assert_eq!(told["result"]["policy"], "2");
    assert_eq!(change(&told, "sum insured")["after"], "5999500000");
    let exposure = change(&told, "exposure of the pool");
    assert_eq!(exposure["before"], exposure["after"], "the pool does not see it");
    let part = stage.seen(&["policies", "--policy", "2"]).remove(0);
    assert_eq!(part["owner"], other.to_lowercase());
    assert_eq!((&part["sum"], &part["expiry"]), (&"4000500000".into(), &bought["expiry"]));

    // The part is the other's and insures the buyer, who therefore consents to its renewal.
    let (order, consent) = (stage.path("order.json"), stage.path("consent.json"));
    let sign = ["renew", "sign", "--policy", "2", "--max-premium", "100", "--tip", "1.5", "--out", &order];
    let sign = [&sign[..], &["--deadline", "2099-01-01"]].concat();
    let (status, said) = stage.refused(Who::Buyer, &sign);
    assert!(status == 2 && said.contains("expected its holder"), "{said}");
    let told = stage.foretold(Who::Other, &sign);
    assert_eq!(change(&told, "allowance left to policies")["after"], "100000000");
    let execute = ["renew", "execute", "--order", &order];
    let (status, said) = stage.refused(Who::Deployer, &execute);
    assert!(status == 1 && said.contains("NotRenewable"), "{said}");
    let expiry = bought["expiry"].as_u64().unwrap();
    let now = stage.runtime.block_on(stage.endpoints().head()).unwrap().timestamp();
    stage.pass(expiry - now - DAY - DAY / 2);
    let (status, said) = stage.refused(Who::Deployer, &execute);
    assert!(status == 1 && said.contains("NoConsent"), "{said}");
    let product = stage.product.to_string();
    let give = ["consent", "--product", &product, "--buyer", &other, "--deadline", "2099-01-01"];
    let output = stage.run(Who::Buyer, &[&give[..], &["--renewal", "2", "--out", &consent]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let with = [&execute[..], &["--consent", &consent]].concat();
    let told = stage.foretold(Who::Deployer, &with);
    assert_eq!(told["result"]["policy"], "3");
    assert_eq!(told["result"]["tip"], "1500000");
    assert_eq!(told["result"]["expiry"].as_u64().unwrap(), expiry + 30 * DAY);
    let inception = told["result"]["inception"].as_u64().unwrap();
    assert!(inception <= expiry && inception + DAY >= expiry, "{inception} and {expiry}");
    let tip = change(&told, "balance of the account");
    assert_eq!(number(&tip["after"]) - number(&tip["before"]), 1_500_000);
    assert_eq!(stage.seen(&["policies", "--policy", "3"])[0]["owner"], other.to_lowercase());
    let (status, said) = stage.refused(Who::Deployer, &with);
    assert!(status == 2 && said.contains("nonce: expected"), "{said}");

    // What was signed is taken back, and a file that was changed is refused.
    let mine = stage.path("mine.json");
    stage.done(Who::Buyer, &["renew", "sign", "--policy", "1", "--max-premium", "100", "--out", &mine]);
    let text = std::fs::read_to_string(&mine).unwrap();
    std::fs::write(&mine, text.replace("\"tip\": \"0\"", "\"tip\": \"9\"")).unwrap();
    let (status, said) = stage.refused(Who::Deployer, &["renew", "execute", "--order", &mine]);
    assert!(status == 2 && said.contains("something else"), "{said}");
    std::fs::write(&mine, text).unwrap();
    let (status, said) = stage.refused(Who::Deployer, &["renew", "cancel", "--policy", "1"]);
    assert!(status == 2 && said.contains("neither holds"), "{said}");
    let told = stage.foretold(Who::Buyer, &["renew", "cancel", "--policy", "1"]);
    let nonce = change(&told, "next nonce of the account");
    assert_ne!(nonce["before"], nonce["after"]);
    let (status, said) = stage.refused(Who::Deployer, &["renew", "execute", "--order", &mine]);
    assert!(status == 1 && said.contains("InvalidAccountNonce"), "{said}");
}

#[test]
fn a_loss_is_seen_settled_and_what_is_owed_is_fetched() {
    if !has_anvil() {
        return;
    }
    let stage = Stage::build_on("RefusingToken");
    stage.open_for_business();
    buy(&stage, Who::Buyer, "10000.5");
    buy(&stage, Who::Other, "10000");
    stage.pass(2 * DAY);
    assert!(stdout(&stage.look(&["incidents", "list"])).contains("no incidents"));
    open_incident(&stage);

    let seen = stage.seen(&["incidents", "list"]);
    assert_eq!((&seen[0]["status"], &seen[0]["rung"]), (&"dwelling".into(), &"proof".into()));
    assert_eq!(seen[0]["lambda_wad"], "500000000000000000");
    let shown = stage.seen(&["incidents", "show", "1"]).remove(0);
    // Half less the deductible of five per cent, of both sums.
    assert_eq!(shown["pools"][0]["reserved"], "9473921052");
    let text = stdout(&stage.look(&["incidents", "show", "1"]));
    assert!(text.contains("block(s) left") && text.contains("50.0000 %"), "{text}");
    let output = stage.look(&["incidents", "show", "2"]);
    assert!(
        output.status.code() == Some(2) && stderr(&output).contains("from 1 to 1"),
        "{}",
        stderr(&output)
    );

    let holder = stage.address(Who::Buyer).to_string();
    let policy = stage.seen(&["policies", "--owner", &holder]).remove(0);
    assert_eq!(policy["frozen"], true);
    assert!(policy["claims"][0]["reason"].as_str().unwrap().contains("StillDwelling"), "{policy}");
    let (status, said) = stage.refused(Who::Buyer, &["cancel", "--policy", "1"]);
    assert!(status == 1 && said.contains("Frozen"), "{said}");
    let settle = ["settle", "--policy", "1", "--policy", "2", "--incident", "1"];
    let (status, said) =
        stage.refused(Who::Deployer, &settle[..1].iter().chain(&settle[3..]).copied().collect::<Vec<_>>());
    assert!(status == 1 && said.contains("StillDwelling"), "{said}");

    stage.mine(9);
    let policy = stage.seen(&["policies", "--policy", "1"]).remove(0);
    assert_eq!(policy["claims"][0]["payable"], "4736842105");
    // The asset refuses the holder for a while: the pool then owes him.
    let refuse = |refused: bool| {
        stage.send(Who::Deployer, stage.asset, &refuseCall { account: stage.address(Who::Buyer), refused });
    };
    refuse(true);
    let told = stage.foretold(Who::Deployer, &settle);
    assert_eq!(told["result"]["paid"], "4736842105");
    assert_eq!(told["result"]["skipped"], "1", "nothing was proven for the other's position");
    assert_eq!(change(&told, "paid to policy 1")["after"], "4736842105");
    let bounty = change(&told, "balance of the settler");
    assert_eq!(
        number(&bounty["after"]) - number(&bounty["before"]),
        23_684_210,
        "half a per cent, as opener and settler"
    );
    let again = stage.refused(Who::Deployer, &["settle", "--policy", "1", "--incident", "1"]);
    assert!(again.0 == 1 && again.1.contains("NothingToPay"), "{}", again.1);
    assert_eq!(stage.seen(&["incidents", "list"])[0]["status"], "final");

    refuse(false);
    let told = stage.foretold(Who::Other, &["withdraw", "--pool", "dollars", "--owed", &holder]);
    assert_eq!(change(&told, "owed by the pool")["before"], "4713157895");
    assert_eq!(change(&told, "owed by the pool")["after"], "0");
    let (status, said) = stage.refused(Who::Other, &["withdraw", "--pool", "dollars"]);
    assert!(status == 1 && said.contains("NothingOwed"), "{said}");

    let number = stage.runtime.block_on(stage.endpoints().head_number()).unwrap() - 3;
    let told = stage.foretold(Who::Other, &["anchor", &number.to_string()]);
    let hash = stage.runtime.block_on(stage.endpoints().head_at(number, None)).unwrap().hash();
    assert_eq!(change(&told, "anchored hash")["after"], hash.to_string());
    let (status, said) = stage.refused(Who::Other, &["anchor", "99999999"]);
    assert!(status == 1 && said.contains("UnknownBlock"), "{said}");
}
