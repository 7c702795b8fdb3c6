//! Commands for everyone who uses Breakwater: buyers, holders, underwriters, curators and whoever settles.
//!
//! The key decision: each command is a plan of transactions that is first tried in our own EVM on the newest
//! state. A dry run prints what that trial changes, and a real run is only begun when the trial succeeded, so
//! what is signed has been seen to work, and errors come in words before any gas is spent.

mod agree;
mod assess;
pub(crate) mod bench;
mod buyer;
mod calls;
mod capital;
mod consent;
mod cover;
mod curator;
mod factory;
pub(crate) mod frame;
mod gov;
mod held;
mod holder;
mod incidents;
pub(crate) mod limits;
mod parts;
mod permit;
mod poke;
mod polls;
mod probe;
mod renew;
mod report;
mod route;
mod run;
mod show;
pub(crate) mod signed;
mod standing;
mod treaty;
mod trip;
mod underwriter;
pub(crate) mod units;
mod words;

use clap::Subcommand;

use crate::failure::{Failure, Outcome};
use crate::style::Screen;

/// What somebody does or looks at.
#[derive(Debug, Subcommand)]
pub(crate) enum Act {
    /// What can be insured, and where
    Products(buyer::Products),
    /// What cover costs and says, in each pool that sells it
    Quote(buyer::Quote),
    /// Buy cover
    Buy(buyer::Buy),
    /// Buy cover from several pools at once, where each part is cheapest
    Route(route::Route),
    /// Sign that a buyer may insure your position
    Consent(consent::Consent),
    /// The wording of a product, as its hash fixes it
    Wording(buyer::WordingOf),
    /// Policies with where they stand and what they are owed
    Policies(held::PoliciesOf),
    /// End a policy before its time and get back what is not earned
    Cancel(holder::Cancel),
    /// Insure less and get back what is not earned
    Lower(holder::Lower),
    /// Make two policies of one
    Split(holder::Split),
    /// Renewals by signed order
    Renew {
        #[command(subcommand)]
        command: renew::Renew,
    },
    /// Hand a policy over to somebody else
    Transfer(holder::Transfer),
    /// Have policies paid for an incident
    Settle(holder::Settle),
    /// Send what a pool owes an account
    Withdraw(holder::Withdraw),
    /// What was lost, and what is held for it
    Incidents {
        #[command(subcommand)]
        command: incidents::IncidentsCommand,
    },
    /// Keep a block's hash for ever, so that proofs of it stay possible
    Anchor(incidents::Anchor),
    /// Pools: capital, what it stands behind, state
    Pools(capital::Pools),
    /// Tranches of a pool: assets, what can leave, when
    Tranches(capital::Tranches),
    /// Put money into a tranche
    Deposit(underwriter::Deposit),
    /// Ask for money back from a tranche
    Redeem(underwriter::Redeem),
    /// Fetch shares of a deposit, assets of a redemption, or what an incident gave back
    Claim(underwriter::Claim),
    /// Commands of the council and of whoever votes in it
    Gov {
        #[command(subcommand)]
        command: gov::GovCommand,
    },
    /// Loss reports of bonded reporters
    Report {
        #[command(subcommand)]
        command: report::Report,
    },
    /// Stand against a loss report with a bond
    Challenge(report::Challenge),
    /// Votes of stakers on disputed losses and challenged trips
    Assess {
        #[command(subcommand)]
        command: assess::Assess,
    },
    /// Short stops of protocols that asked for them
    Trip {
        #[command(subcommand)]
        command: trip::TripCommand,
    },
    /// Stand against a trip with a bond, as the protocol
    ChallengeTrip(trip::ChallengeTrip),
    /// What a protocol agrees to with the breaker
    Breaker {
        #[command(subcommand)]
        command: agree::BreakerCommand,
    },
    /// Have the rung of price feeds read a trigger's feeds
    Poke(poke::Poke),
    /// Collateral of reinsurers
    Treaty {
        #[command(subcommand)]
        command: treaty::Treaty,
    },
    /// Capacity certificates of pools
    Certify {
        #[command(subcommand)]
        command: limits::Certify,
    },
    /// Floor rates of products
    Rate {
        #[command(subcommand)]
        command: limits::Rate,
    },
    /// Make a pool, and commands of its curator
    Pool {
        #[command(subcommand)]
        command: curator::PoolCommand,
    },
}

/// Runs one of these commands.
pub(crate) async fn run(command: Act, screen: &Screen) -> Result<Outcome, Failure> {
    match command {
        Act::Products(asked) => buyer::products(&asked, screen).await,
        Act::Quote(asked) => buyer::quote(&asked, screen).await,
        Act::Buy(asked) => buyer::buy(&asked, screen).await,
        Act::Route(asked) => route::route(&asked, screen).await,
        Act::Consent(asked) => consent::consent(&asked, screen).await,
        Act::Wording(asked) => buyer::wording(&asked, screen).await,
        Act::Policies(asked) => held::policies(&asked, screen).await,
        Act::Cancel(asked) => holder::cancel(&asked, screen).await,
        Act::Lower(asked) => holder::lower(&asked, screen).await,
        Act::Split(asked) => holder::split(&asked, screen).await,
        Act::Renew { command } => renew::renew(&command, screen).await,
        Act::Transfer(asked) => holder::transfer(&asked, screen).await,
        Act::Settle(asked) => holder::settle(&asked, screen).await,
        Act::Withdraw(asked) => holder::withdraw(&asked, screen).await,
        Act::Incidents { command } => incidents::incidents(&command, screen).await,
        Act::Anchor(asked) => incidents::anchor(&asked, screen).await,
        Act::Pools(asked) => capital::pools(&asked, screen).await,
        Act::Tranches(asked) => capital::tranches(&asked, screen).await,
        Act::Deposit(asked) => underwriter::deposit(&asked, screen).await,
        Act::Redeem(asked) => underwriter::redeem(&asked, screen).await,
        Act::Claim(asked) => underwriter::claim(&asked, screen).await,
        Act::Gov { command } => gov::gov(&command, screen).await,
        Act::Report { command } => report::report(&command, screen).await,
        Act::Challenge(asked) => report::challenge(&asked, screen).await,
        Act::Assess { command } => assess::assess(&command, screen).await,
        Act::Trip { command } => trip::trip(&command, screen).await,
        Act::ChallengeTrip(asked) => trip::challenge(&asked, screen).await,
        Act::Breaker { command } => agree::breaker(&command, screen).await,
        Act::Poke(asked) => poke::poke(&asked, screen).await,
        Act::Treaty { command } => treaty::treaty(&command, screen).await,
        Act::Certify { command } => limits::certify(&command, screen).await,
        Act::Rate { command } => limits::rate(&command, screen).await,
        Act::Pool { command } => curator::pool(&command, screen).await,
    }
}

#[cfg(test)]
mod tests {
    use alloy::sol_types::SolCall;
    use clap::{Command, CommandFactory};

    use super::{assess, limits, poke, report};

    /// Calls that are written out here, because a contract has no artifact yet, are those of its interface.
    #[test]
    fn written_calls_are_those_of_the_interfaces() {
        let assembly = include_str!("../../../../contracts/src/interfaces/IAssembly.sol");
        let rung = include_str!("../../../../contracts/src/interfaces/IQuorumRung.sol");
        let reporters = include_str!("../../../../contracts/src/interfaces/IReporters.sol");
        let underwriting = include_str!("../../../../contracts/src/interfaces/IUnderwriting.sol");
        for (source, signature) in [
            (assembly, assess::beginCall::SIGNATURE),
            (assembly, assess::commitCall::SIGNATURE),
            (assembly, assess::revealCall::SIGNATURE),
            (assembly, assess::closeCall::SIGNATURE),
            (assembly, assess::caseOfCall::SIGNATURE),
            (assembly, assess::commitOfCall::SIGNATURE),
            (assembly, assess::commitmentOfCall::SIGNATURE),
            (rung, report::challengeCall::SIGNATURE),
            (rung, report::nextBondCall::SIGNATURE),
            (reporters, report::signerSetCall::SIGNATURE),
            (reporters, report::assetCall::SIGNATURE),
            (include_str!("../../../../contracts/src/interfaces/IRunRung.sol"), poke::pokeCall::SIGNATURE),
            // An enum is a uint8 on the wire.
            (underwriting, limits::committeeCall::SIGNATURE),
        ] {
            let name = signature.split('(').next().unwrap_or_default();
            assert_eq!(declared(source, name).as_deref(), Some(signature));
        }
    }

    /// Operators' commands are older than this rule; everybody else's show how they are used.
    #[test]
    fn every_command_of_an_actor_has_an_example() {
        let older = ["chain", "deploy", "node", "gauge", "demo", "replay"];
        let all = crate::args::Cli::command();
        let (mut open, mut seen): (Vec<&Command>, usize) =
            (all.get_subcommands().filter(|command| !older.contains(&command.get_name())).collect(), 0);
        while let Some(command) = open.pop() {
            if command.has_subcommands() {
                open.extend(command.get_subcommands());
                continue;
            }
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(
                help.contains("Example") && help.contains(": breakwater "),
                "{}: {help}",
                command.get_name()
            );
            seen += 1;
        }
        assert!(seen > 35, "{seen}");
    }

    /// `name(type,type)` of a function that an interface declares.
    fn declared(source: &str, name: &str) -> Option<String> {
        let (_, rest) = source.split_once(&format!("function {name}("))?;
        let (inputs, _) = rest.split_once(')')?;
        let types: Vec<&str> =
            inputs.split(',').filter_map(|input| input.split_whitespace().next()).collect();
        Some(format!("{name}({})", types.join(",").replace("Duty", "uint8")))
    }
}
