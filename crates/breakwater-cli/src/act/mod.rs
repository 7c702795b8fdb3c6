//! Commands for everyone who uses Breakwater: buyers, holders, underwriters, curators and whoever settles.
//!
//! The key decision: each command is a plan of transactions that is first tried in our own EVM on the newest
//! state. A dry run prints what that trial changes, and a real run is only begun when the trial succeeded, so
//! what is signed has been seen to work, and errors come in words before any gas is spent.

mod bench;
mod buyer;
mod capital;
mod consent;
mod cover;
mod curator;
mod frame;
mod permit;
mod probe;
mod run;
mod show;
mod underwriter;
mod units;
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
    /// Sign that a buyer may insure your position
    Consent(consent::Consent),
    /// The wording of a product, as its hash fixes it
    Wording(buyer::WordingOf),
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
    /// Commands of a pool's curator
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
        Act::Consent(asked) => consent::consent(&asked, screen).await,
        Act::Wording(asked) => buyer::wording(&asked, screen).await,
        Act::Pools(asked) => capital::pools(&asked, screen).await,
        Act::Tranches(asked) => capital::tranches(&asked, screen).await,
        Act::Deposit(asked) => underwriter::deposit(&asked, screen).await,
        Act::Redeem(asked) => underwriter::redeem(&asked, screen).await,
        Act::Claim(asked) => underwriter::claim(&asked, screen).await,
        Act::Pool { command } => curator::pool(&command, screen).await,
    }
}
