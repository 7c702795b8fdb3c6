//! What the contracts' errors mean for the person who acts, and what would be right instead.

use alloy::primitives::{Address, Bytes};
use breakwater_bindings::errors;

use crate::failure::Failure;
use crate::revert;

/// What a revert says and what to do about it.
pub(crate) fn reverted(what: &str, data: &Bytes) -> Failure {
    let why = revert::describe(data, None);
    let advice = errors::decode(data).and_then(|error| advice(&error.name));
    Failure::new(format!("{what} would revert: {why}"))
        .right(advice.unwrap_or("other arguments, another time, or another account"))
        .more("docs/design.md, \"Errors\"")
}

/// A contract that does not answer as its interface says.
pub(crate) fn strange(to: Address, signature: &str, why: &str) -> Failure {
    Failure::new(format!("{to} does not answer {signature} as it should: {why}"))
        .right("a deployment that stands on this chain: breakwater deploy --check")
        .more("docs/deploying.md")
}

/// One sentence for each error that a person can do something about.
fn advice(error: &str) -> Option<&'static str> {
    Some(match error {
        "AccessManagedUnauthorized" => "the account that holds the role; see docs/design.md, \"Roles\"",
        "AlreadyRegistered" | "AlreadyListed" => "nothing: it is there already",
        "BadExpiry" => "an --until at 00:00 UTC",
        "CapExceeded" => "a smaller --sum, or another pool: the curator's cap for this product is reached",
        "CapacityExceeded" => {
            "a smaller --sum, or another pool: this one has no capital left to stand behind it"
        }
        "ClaimsOver" => "nothing: the time for claims of this incident is over",
        "DeadlinePassed" => "a later --deadline",
        "ERC20InsufficientAllowance" => "the same command again: it approves exactly what it needs",
        "ERC20InsufficientBalance" => "a smaller amount: the account does not hold this much",
        "ERC721NonexistentToken" => "a policy that exists: breakwater policies",
        "Expired" => "a policy that has not expired: breakwater policies",
        "Frozen" => "to wait: an incident touches this policy and its claims are open",
        "GovernorAlreadyCastVote" => "nothing more: no votes of this account are left for this proposal",
        "GovernorExceedRemainingWeight" => "fewer votes: breakwater gov show says how many there are",
        "GovernorInsufficientProposerVotes" => {
            "more votes, delegated at least a second ago: breakwater gov delegate"
        }
        "GovernorUnableToCancel" => "the proposer while the proposal is pending, or the guardian",
        "GovernorUnexpectedProposalState" => "to wait for the step that comes before: breakwater gov show",
        "IncidentNotOpen" => "an incident that was not voided: breakwater incidents list",
        "LockTooSmall" => "more junior locked (breakwater pool lock), or a smaller cap",
        "NoConsent" => {
            "a consent signed by the position account for this very purchase: breakwater consent --help"
        }
        "NotAPool" => "a registered pool: breakwater pools",
        "NotCurator" => "the pool's curator as the account that acts",
        "NotEffective" => "to wait until the product's first cap is in force: breakwater pools",
        "NotHolder" | "ERC721IncorrectOwner" | "ERC721InsufficientApproval" => {
            "the policy's holder as the account that acts"
        }
        "NotIncepted" => "to wait until the waiting period is over",
        "NotLower" => "a --sum below the present one",
        "NotOwner" => "your own account as the owner",
        "NotProcessed" => "to wait: deposits become shares at the first accrual of the next epoch",
        "NotRegistrant" => "the registrant as the position: protocol cover is for it alone",
        "NotTouched" => "an incident within the policy's inception and expiry: breakwater policies",
        "NothingMatured" => "to wait until the oldest cohort is payable",
        "NothingOwed" => "nothing: the pool owes this account nothing",
        "NothingToClaim" => "to wait for the next payment, or another --request",
        "NothingToPay" => "to wait for a proof or for money: nothing more is payable now",
        "NothingToRecover" => "an incident after which shares came back, and an account that held some",
        "PoolIsClosed" => "another pool: this one is closed",
        "PremiumAbove" => "a higher --max-premium or --slippage-bps: the price has risen",
        "SharesLocked" => "fewer shares: the curator's lock keeps the rest",
        "StillDwelling" => "to wait until the dwell is over: breakwater incidents show",
        "StillOwed" => "to settle first, or breakwater lower: the policy is owed more than it was paid",
        "SumBelowMinimum" => "a larger --sum: the product names the least one",
        "TimelockUnexpectedOperationState" => "to wait until it may be executed: breakwater gov show",
        "TermOutOfRange" => "an --until within the product's shortest and longest term",
        "TrancheIsClosed" => "another tranche or pool: this one takes no deposits",
        "UnknownIncident" => "an incident that exists: breakwater incidents list",
        "UnknownProduct" => "a product that this pool underwrites: breakwater products",
        "VetoedBefore" => "a vote against it: a guardian delays the same calls once",
        "WrongAsset" => "a pool whose asset is the product's",
        "WrongGauge" => "an incident of the product's gauge: breakwater policies",
        "ZeroAmount" => "an amount above zero",
        "UnknownBlock" => "a block that the chain still knows the hash of",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use breakwater_bindings::artifact::{Artifact, names};

    /// Errors of OpenZeppelin's tokens come from assets too and are no part of our own interfaces' promise.
    #[test]
    fn advice_is_given_on_errors_that_exist() {
        let source = include_str!("words.rs");
        let table = source.split("fn advice").nth(1).and_then(|rest| rest.split("_ => return None").next());
        let known: std::collections::BTreeSet<String> = names()
            .filter_map(|name| Artifact::load(name).ok())
            .flat_map(|artifact| artifact.abi().errors().map(|error| error.name.clone()).collect::<Vec<_>>())
            .collect();
        let mut seen = 0;
        for line in table.unwrap_or_default().lines() {
            let Some((left, _)) = line.split_once("=>") else { continue };
            for name in left.split('|') {
                let name = name.trim().trim_matches('"');
                assert!(known.contains(name), "no contract has the error {name}");
                seen += 1;
            }
        }
        assert!(seen > 40, "{seen}");
    }
}
