//! A poll on a product's floor rate, from its opening to what it moves, through the commands.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use serde_json::json;
use support::has_anvil;
use support::stage::{DAY, Stage, Who, change};

#[test]
fn holders_of_votes_move_a_rate() {
    if !has_anvil() {
        return;
    }
    let stage = Stage::build_governed();
    let product = stage.product.to_string();
    let holder = stage.address(Who::Curator).to_string();
    stage.done(Who::Curator, &["gov", "delegate", &holder]);
    stage.pass(1);
    let cast = ["gov", "poll", "cast", "--product", &product, "--direction", "-5000"];
    let (status, said) = stage.refused(Who::Curator, &cast);
    assert!(status == 1 && said.contains("NoPoll"), "{said}");

    stage.foretold(Who::Other, &["gov", "poll", "open", "--product", &product]);
    let (status, said) = stage.refused(Who::Buyer, &cast);
    assert!(status == 1 && said.contains("NoVotes"), "{said}");
    let told = stage.foretold(Who::Curator, &cast);
    assert_eq!(change(&told, "weight that was cast")["after"], "100000000000000000000000000");
    let (status, said) = stage.refused(Who::Curator, &cast);
    assert!(status == 1 && said.contains("AlreadyCast"), "{said}");
    let beyond = ["gov", "poll", "cast", "--product", &product, "--direction", "10001"];
    assert_eq!(stage.refused(Who::Curator, &beyond).0, 2);

    let show = ["gov", "poll", "show", "--product", &product];
    let moves = || stage.seen(&show).remove(0)["facts"]["moves_the_rate_bps"].clone();
    assert_eq!(moves(), "0", "nothing moves while the poll runs");
    stage.pass(7 * DAY);
    let most = stage.seen(&show).remove(0)["facts"]["at_most_bps"].clone();
    assert_eq!((most, moves()), (json!("1000"), json!("-500")));
    stage.pass(31 * DAY);
    assert_eq!(moves(), "0", "a result lapses");
}
