//! Commands of a reinsurer: money into a treaty and out of it. A treaty is an ERC-4626 vault.

use alloy::primitives::Address;
use alloy::sol_types::SolCall;
use clap::{Args, Subcommand};

use crate::act::bench::Step;
use crate::act::frame::{Act, Scene};
use crate::act::permit;
use crate::act::probe::Probe;
use crate::act::run::{self, Plan};
use crate::act::units::Token;
use crate::failure::{Failure, Outcome};
use crate::style::Screen;

alloy::sol! {
    function asset() external view returns (address);
    function deposit(uint256 assets, address receiver) external returns (uint256 shares);
    function withdraw(uint256 assets, address receiver, address owner) external returns (uint256 shares);
    function redeem(uint256 shares, address receiver, address owner) external returns (uint256 assets);
    function balanceOf(address account) external view returns (uint256);
}

/// What a reinsurer does.
#[derive(Debug, Subcommand)]
pub(crate) enum Treaty {
    /// Put collateral in
    Deposit(In),
    /// Take collateral out that is not locked
    Withdraw(Out),
}

/// What goes in.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: breakwater treaty deposit --treaty 0x… --amount 50000 --account me --dry-run\n\
    The amount is in whole units of the treaty's asset, and exactly it is approved."
)]
pub(crate) struct In {
    /// The treaty
    #[arg(long, value_name = "ADDRESS")]
    treaty: Address,
    /// How much, in whole units of its asset
    #[arg(long, value_name = "AMOUNT")]
    amount: String,
    #[command(flatten)]
    act: Act,
}

/// What comes out.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater treaty withdraw --treaty 0x… --all --account me --dry-run\n\
    The amount is in whole units of the treaty's asset. Nobody leaves while the treaty runs or answers for an incident.")]
pub(crate) struct Out {
    /// The treaty
    #[arg(long, value_name = "ADDRESS")]
    treaty: Address,
    /// How much, in whole units of its asset
    #[arg(long, value_name = "AMOUNT", required_unless_present = "all")]
    amount: Option<String>,
    /// Whatever all shares are worth
    #[arg(long, conflicts_with = "amount")]
    all: bool,
    #[command(flatten)]
    act: Act,
}

/// Runs one of a reinsurer's commands.
pub(crate) async fn treaty(command: &Treaty, screen: &Screen) -> Result<Outcome, Failure> {
    match command {
        Treaty::Deposit(asked) => put_in(asked, screen).await,
        Treaty::Withdraw(asked) => take_out(asked, screen).await,
    }
}

async fn put_in(asked: &In, screen: &Screen) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let (asset, shares) = tokens(&scene, asked.treaty).await?;
    let assets = asset.parse("--amount", &asked.amount)?;
    let owner = signer.address();
    let mut steps = permit::allow(&mut scene.bench().await?, &asset, owner, asked.treaty, assets).await?;
    steps.push(Step::new("depositing", asked.treaty, &depositCall { assets, receiver: owner }));
    let title = format!("depositing {} into treaty {}", asset.show(assets), asked.treaty);
    let probes = probes(&asset, &shares, asked.treaty, owner);
    run::run(&asked.act, &scene, &signer, Plan::new("treaty deposit", title, steps, probes), screen).await
}

async fn take_out(asked: &Out, screen: &Screen) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let (asset, shares) = tokens(&scene, asked.treaty).await?;
    let owner = signer.address();
    let (what, step) = match &asked.amount {
        Some(text) => {
            let assets = asset.parse("--amount", text)?;
            (asset.show(assets), step(asked.treaty, &withdrawCall { assets, receiver: owner, owner }))
        }
        None => {
            let all = scene.view(asked.treaty, &balanceOfCall { account: owner }).await?;
            (shares.show(all), step(asked.treaty, &redeemCall { shares: all, receiver: owner, owner }))
        }
    };
    let title = format!("taking {what} out of treaty {}", asked.treaty);
    let probes = probes(&asset, &shares, asked.treaty, owner);
    run::run(&asked.act, &scene, &signer, Plan::new("treaty withdraw", title, vec![step], probes), screen)
        .await
}

fn step(treaty: Address, call: &impl SolCall) -> Step {
    Step::new("withdrawing", treaty, call)
}

async fn tokens(scene: &Scene, treaty: Address) -> Result<(Token, Token), Failure> {
    let asset = scene.view(treaty, &assetCall {}).await?;
    Ok((scene.token(asset).await?, scene.token(treaty).await?))
}

fn probes(asset: &Token, shares: &Token, treaty: Address, owner: Address) -> Vec<Probe> {
    vec![
        Probe::balance("balance of the account", asset, owner),
        Probe::allowance("allowance left to the treaty", asset, owner, treaty),
        Probe::balance("balance of the treaty", asset, treaty),
        Probe::balance("shares of the account", shares, owner),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_are_those_of_erc_4626() {
        assert_eq!(depositCall::SELECTOR, [0x6e, 0x55, 0x3f, 0x65]);
        assert_eq!(withdrawCall::SELECTOR, [0xb4, 0x60, 0xaf, 0x94]);
        assert_eq!(redeemCall::SELECTOR, [0xba, 0x08, 0x76, 0x52]);
    }
}
