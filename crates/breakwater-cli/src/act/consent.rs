//! A position account's consent to be insured by somebody else.

use std::path::{Path, PathBuf};

use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::signers::SignerSync;
use breakwater_bindings::decimal;
use breakwater_bindings::eip712::{self, PositionConsent};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::act::cover::Cover;
use crate::act::frame::{Look, Scene};
use crate::act::renew;
use crate::act::units::{parse_time, utc};
use crate::args::Wallet;
use crate::connect;
use crate::failure::{Failure, Outcome};
use crate::style::Screen;

/// What is consented to.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: breakwater consent --product 0x… --buyer 0x… --deadline +2h --account me --out consent.json\n\
    It is good for one purchase; contract accounts (ERC-1271) sign the same message with their own tools."
)]
pub(crate) struct Consent {
    /// Id of the product, 32 bytes in hex
    #[arg(long, value_name = "ID")]
    product: B256,
    /// Who may buy
    #[arg(long, value_name = "ADDRESS")]
    buyer: Address,
    /// The purchase's deadline: +2h, or a time with zone
    #[arg(long, value_name = "TIME", default_value = "+2h")]
    deadline: String,
    /// For the renewal of this policy by its holder's order, whose deadline is then meant
    #[arg(long, value_name = "NUMBER", default_value = "0", hide_default_value = true)]
    renewal: U256,
    /// Write it here as well
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    look: Look,
    #[command(flatten)]
    wallet: Wallet,
}

/// A consent with everything that its signature covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Signed {
    #[serde(with = "decimal")]
    chain_id: u64,
    policies: Address,
    position: Address,
    product: B256,
    buyer: Address,
    nonce: U256,
    /// Seconds, inclusive.
    #[serde(with = "decimal")]
    pub(crate) deadline: u64,
    /// 65 bytes, or whatever a contract account takes for one.
    pub(crate) signature: Bytes,
}

/// Signs, prints and perhaps writes a consent.
pub(crate) async fn consent(asked: &Consent, screen: &Screen) -> Result<Outcome, Failure> {
    let key = connect::signer(&asked.wallet)?;
    let scene = Scene::open(&asked.look).await?;
    let cover = Cover::read(&scene, asked.product).await?;
    let policies = scene.deployment.policies;
    let position = key.address();
    let deadline = parse_time("--deadline", &asked.deadline, scene.head.timestamp())?;
    let nonce = renew::nonce(&scene, position, asked.renewal).await?;
    let message = PositionConsent {
        position,
        product: cover.id,
        buyer: asked.buyer,
        nonce,
        deadline: U256::from(deadline),
    };
    let digest = eip712::digest(&message, scene.deployment.chain_id, policies);
    let signature = key.sign_hash_sync(&digest).map_err(|error| Failure::new(error.to_string()))?;
    let signed = Signed {
        chain_id: scene.deployment.chain_id,
        policies,
        position,
        product: cover.id,
        buyer: asked.buyer,
        nonce,
        deadline,
        signature: signature.as_bytes().into(),
    };
    let json = serde_json::to_value(&signed).map_err(|error| Failure::new(error.to_string()))?;
    if let Some(file) = &asked.out {
        std::fs::write(file, format!("{json}\n")).map_err(|error| {
            Failure::new(format!("cannot write {}: {error}", file.display()))
                .right("a path that can be written")
        })?;
    }
    if screen.json || asked.out.is_none() {
        screen.object(&json);
        return Ok(Outcome::Ok);
    }
    screen.say(format!(
        "{} may insure {position} under {} once, until {}",
        asked.buyer,
        cover.id,
        utc(deadline)
    ));
    Ok(Outcome::Ok)
}

/// A consent as `consent` writes it.
pub(crate) fn read(file: &Path) -> Result<Signed, Failure> {
    let refuse = |wrong: String| Failure::usage(wrong).right("a file that `breakwater consent --out` wrote");
    let text = std::fs::read_to_string(file)
        .map_err(|error| refuse(format!("--consent: cannot read {}: {error}", file.display())))?;
    serde_json::from_str(&text).map_err(|error| refuse(format!("--consent: {}: {error}", file.display())))
}

impl Signed {
    /// Refuses a consent for another purchase before anything is tried; `renewal` is zero for a purchase.
    pub(crate) async fn check(
        &self,
        scene: &Scene,
        position: Address,
        product: B256,
        buyer: Address,
        renewal: U256,
    ) -> Result<(), Failure> {
        let nonce = renew::nonce(scene, position, renewal).await?;
        let pairs = [
            ("chain", scene.deployment.chain_id.to_string(), self.chain_id.to_string()),
            ("contract", scene.deployment.policies.to_string(), self.policies.to_string()),
            ("position", position.to_string(), self.position.to_string()),
            ("product", product.to_string(), self.product.to_string()),
            ("buyer", buyer.to_string(), self.buyer.to_string()),
            ("nonce", nonce.to_string(), self.nonce.to_string()),
        ];
        let differs = pairs.iter().find(|(_, expected, got)| expected != got);
        differs.map_or(Ok(()), |(what, expected, got)| {
            Err(Failure::usage(format!("--consent: {what}: expected {expected}, got {got}")).right(
                "a consent that the position account signed for this purchase: breakwater consent --help",
            ))
        })
    }
}
