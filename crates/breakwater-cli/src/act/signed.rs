//! Messages of signer sets: made by one member, signed by others, sent by anybody.
//!
//! A file carries the message as its ABI encoding, with its fields beside it for people; what is signed is always
//! the encoding, and a file whose fields say something else is refused.

use std::path::{Path, PathBuf};

use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::SolValue;
use breakwater_bindings::decimal;
use breakwater_bindings::eip712::{self, BreakerTrip, CapacityCertificate, LossReport, RatePosting};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::act::bench::Step;
use crate::act::frame::{Act, Look, Scene};
use crate::act::run::{self, Plan};
use crate::act::units::utc;
use crate::args::Wallet;
use crate::connect;
use crate::failure::{Failure, Outcome};
use crate::style::Screen;

/// A message that a quorum signs and one contract takes.
pub(crate) trait Message: Sized {
    /// Its type's name.
    const KIND: &'static str;
    /// The function that takes it, with its ABI types.
    const FUNCTION: &'static str;
    /// What is signed on a chain for a contract.
    fn digest(&self, chain_id: u64, contract: Address) -> B256;
    /// Its ABI encoding.
    fn encode(&self) -> Bytes;
    /// Back from the encoding.
    fn decode(data: &[u8]) -> Option<Self>;
    /// The call that hands it to its contract.
    fn call(&self, signers: Vec<Address>, signatures: Vec<Bytes>) -> Bytes;
    /// Its fields for people.
    fn fields(&self) -> Vec<(&'static str, String)>;
}

macro_rules! message {
    ($kind:ident, $function:literal, |$m:ident| $fields:expr) => {
        impl Message for $kind {
            const KIND: &'static str = stringify!($kind);
            const FUNCTION: &'static str = $function;

            fn digest(&self, chain_id: u64, contract: Address) -> B256 {
                eip712::digest(self, chain_id, contract)
            }

            fn encode(&self) -> Bytes {
                self.abi_encode().into()
            }

            fn decode(data: &[u8]) -> Option<Self> {
                <$kind as SolValue>::abi_decode(data).ok()
            }

            fn call(&self, signers: Vec<Address>, signatures: Vec<Bytes>) -> Bytes {
                let arguments = (self.clone(), signers, signatures).abi_encode_params();
                [&keccak256(Self::FUNCTION)[..4], &arguments].concat().into()
            }

            fn fields(&self) -> Vec<(&'static str, String)> {
                let $m = self;
                let mut fields: Vec<(&'static str, String)> = $fields;
                fields.extend([
                    ("signerSet", $m.signerSet.to_string()),
                    ("nonce", $m.nonce.to_string()),
                    ("validFrom", utc($m.validFrom)),
                    ("validUntil", utc($m.validUntil)),
                ]);
                fields
            }
        }
    };
}

message!(
    LossReport,
    "post((bytes32,uint256,uint64,uint64,uint64,uint64,uint128,uint128,bytes32,bytes32,uint256,uint64,uint64),address[],bytes[])",
    |m| vec![
        ("gauge", m.gauge.to_string()),
        ("incident", m.incident.to_string()),
        ("onset", m.onset.to_string()),
        ("reading", m.reading.to_string()),
        ("onsetTime", utc(m.onsetTime)),
        ("afterTime", utc(m.afterTime)),
        ("base", m.base.to_string()),
        ("loss", m.loss.to_string()),
        ("evidence", m.evidence.to_string()),
    ]
);

message!(
    RatePosting,
    "post((bytes32,uint64,bytes32,bytes32,bytes32,uint256,uint64,uint64),address[],bytes[])",
    |m| vec![
        ("product", m.product.to_string()),
        ("floorRate", crate::act::units::percent(U256::from(m.floorRate))),
        ("model", m.model.to_string()),
        ("inputs", m.inputs.to_string()),
    ]
);

message!(
    CapacityCertificate,
    "certify((address,uint32,(bytes32,uint128)[],(bytes32,uint128)[],bytes32,bytes32,bytes32,bytes32,uint256,uint64,uint64),address[],bytes[])",
    |m| vec![
        ("pool", m.pool.to_string()),
        ("leverageBps", m.leverageBps.to_string()),
        ("products", caps(&m.products)),
        ("clusters", caps(&m.clusters)),
        ("model", m.model.to_string()),
        ("data", m.data.to_string()),
        ("seed", m.seed.to_string()),
    ]
);

message!(
    BreakerTrip,
    "post((address,bytes4,uint64,bytes32,bytes32,bytes32,uint32,bytes32,uint256,uint64,uint64),address[],bytes[])",
    |m| vec![
        ("target", m.target.to_string()),
        ("selector", m.selector.to_string()),
        ("number", m.number.to_string()),
        ("blockHash", m.blockHash.to_string()),
        ("transaction", m.transaction.to_string()),
        ("evidence", m.evidence.to_string()),
        ("duration", crate::act::units::span(m.duration.into())),
    ]
);

fn caps(caps: &[eip712::Cap]) -> String {
    let each: Vec<String> = caps.iter().map(|cap| format!("{} {}", cap.id, cap.cap)).collect();
    each.join(", ")
}

/// A message with the signatures that it has so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sheet {
    #[serde(rename = "type")]
    kind: String,
    #[serde(with = "decimal")]
    chain_id: u64,
    contract: Address,
    message: Bytes,
    fields: Value,
    signatures: Vec<Signed>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    signer: Address,
    signature: Bytes,
}

/// How long a message is good, and where it goes.
#[derive(Debug, Args)]
pub(crate) struct Making {
    /// How long it is good from the newest block on, such as 2h or 7d
    #[arg(long, value_name = "SPAN", default_value = "1d")]
    pub(crate) valid_for: String,
    /// Above the last nonce that was taken of this kind [default: the newest block's time in seconds]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) nonce: Option<U256>,
    /// Write the message with your signature here
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) look: Look,
    #[command(flatten)]
    pub(crate) wallet: Wallet,
}

/// A message that others have made.
#[derive(Debug, Args)]
#[command(after_help = "Prints every field before it signs; the file then carries one signature more.\n\
    Example: breakwater report countersign --message report.json --account me\n\
    The same with certify, rate and trip in place of report.")]
pub(crate) struct Countersign {
    /// File with the message; the signature is added to it
    #[arg(long, value_name = "FILE")]
    message: PathBuf,
    #[command(flatten)]
    wallet: Wallet,
}

/// A message that enough have signed.
#[derive(Debug, Args)]
#[command(after_help = "Anybody may send it; the contract checks the signatures.\n\
    Example: breakwater report post --message report.json --account me --dry-run\n\
    The same with certify, rate and trip in place of report.")]
pub(crate) struct Post {
    /// File with the message and its signatures
    #[arg(long, value_name = "FILE")]
    message: PathBuf,
    #[command(flatten)]
    act: Act,
}

impl Making {
    /// First and last second at which the message is good, and its nonce.
    pub(crate) fn terms(&self, now: u64) -> Result<(u64, u64, U256), Failure> {
        let length = crate::act::units::parse_span(&self.valid_for).ok_or_else(|| {
            Failure::usage(format!("--valid-for: expected a length of time, got {:?}", self.valid_for))
                .right("--valid-for 2h, 7d and the like")
        })?;
        Ok((now, now.saturating_add(length), self.nonce.unwrap_or(U256::from(now))))
    }

    /// Signs a new message as its first member.
    pub(crate) fn sign<M: Message>(
        &self,
        message: &M,
        scene: &Scene,
        contract: Address,
        key: &PrivateKeySigner,
        screen: &Screen,
    ) -> Result<Outcome, Failure> {
        let sheet = Sheet {
            kind: M::KIND.to_owned(),
            chain_id: scene.deployment.chain_id,
            contract,
            message: message.encode(),
            fields: told(message),
            signatures: Vec::new(),
        };
        sheet.sign(message, key)?.finish(&self.out, message, screen)
    }
}

/// Writes a message that nobody has signed yet for people to sign, unless it lies there; where it lies.
pub(crate) fn list<M: Message>(
    message: &M,
    chain_id: u64,
    contract: Address,
    folder: &Path,
) -> Result<PathBuf, std::io::Error> {
    let (kind, signatures) = (M::KIND.to_owned(), Vec::new());
    let (encoded, fields) = (message.encode(), told(message));
    let sheet = Sheet { kind, chain_id, contract, message: encoded, fields, signatures };
    let file = folder.join(format!("{}.json", message.digest(chain_id, contract)));
    // Under another name first and then linked, so that signatures which others left meanwhile stay.
    let draft = file.with_extension(format!("{}.draft", std::process::id()));
    std::fs::write(&draft, format!("{:#}\n", serde_json::to_value(&sheet)?))?;
    let linked = std::fs::hard_link(&draft, &file);
    std::fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(file),
    }
}

/// Adds a signature to a message.
pub(crate) fn countersign<M: Message>(asked: &Countersign, screen: &Screen) -> Result<Outcome, Failure> {
    let (sheet, message) = Sheet::read::<M>(&asked.message)?;
    let key = connect::signer(&asked.wallet)?;
    sheet.sign(&message, &key)?.finish(&asked.message, &message, screen)
}

/// Hands a message to its contract.
pub(crate) async fn post<M: Message>(
    command: &'static str,
    asked: &Post,
    screen: &Screen,
) -> Result<Outcome, Failure> {
    let (sheet, message) = Sheet::read::<M>(&asked.message)?;
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    if sheet.chain_id != scene.deployment.chain_id {
        let (expected, got) = (scene.deployment.chain_id, sheet.chain_id);
        return Err(Failure::usage(format!("--message: expected chain {expected}, got {got}"))
            .right("a message that was signed for this chain"));
    }
    let mut signed = sheet.signatures.clone();
    // The contract wants them in ascending order of their signers.
    signed.sort_by_key(|signed| signed.signer);
    let signers = signed.iter().map(|signed| signed.signer).collect();
    let signatures = signed.iter().map(|signed| signed.signature.clone()).collect();
    let data = message.call(signers, signatures);
    let what = format!("posting a {} with {} signature(s)", M::KIND, signed.len());
    let step = Step { what: what.clone(), to: sheet.contract, data };
    run::run(&asked.act, &scene, &signer, Plan::new(command, what, vec![step], Vec::new()), screen).await
}

impl Sheet {
    fn read<M: Message>(file: &Path) -> Result<(Self, M), Failure> {
        let refuse = |wrong: String| {
            Failure::usage(format!("--message: {}: {wrong}", file.display()))
                .right(format!("a file with a {} as its sign command writes it", M::KIND))
        };
        let text = std::fs::read_to_string(file).map_err(|error| refuse(error.to_string()))?;
        let sheet: Self = serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))?;
        if sheet.kind != M::KIND {
            return Err(refuse(format!("expected a {}, got a {}", M::KIND, sheet.kind)));
        }
        let message =
            M::decode(&sheet.message).ok_or_else(|| refuse("the message does not decode".to_owned()))?;
        if sheet.fields != told(&message) {
            return Err(refuse("its fields are not those of the message that is signed".to_owned()));
        }
        let digest = message.digest(sheet.chain_id, sheet.contract);
        for signed in &sheet.signatures {
            // An account with code may take what is no key's signature; only keys can be checked here.
            if let Ok(got) = eip712::recover(digest, &signed.signature)
                && got != signed.signer
            {
                return Err(refuse(format!(
                    "signature: expected that of {}, got that of {got}",
                    signed.signer
                )));
            }
        }
        Ok((sheet, message))
    }

    fn sign<M: Message>(mut self, message: &M, key: &PrivateKeySigner) -> Result<Self, Failure> {
        let digest = message.digest(self.chain_id, self.contract);
        let signature = key.sign_hash_sync(&digest).map_err(|error| Failure::new(error.to_string()))?;
        let signer = key.address();
        self.signatures.retain(|signed| signed.signer != signer);
        self.signatures.push(Signed { signer, signature: signature.as_bytes().into() });
        Ok(self)
    }

    fn finish<M: Message>(&self, file: &Path, message: &M, screen: &Screen) -> Result<Outcome, Failure> {
        let json = serde_json::to_value(self).map_err(|error| Failure::new(error.to_string()))?;
        std::fs::write(file, format!("{json:#}\n")).map_err(|error| {
            Failure::new(format!("cannot write {}: {error}", file.display()))
                .right("a path that can be written")
        })?;
        if screen.json {
            screen.object(&json);
            return Ok(Outcome::Ok);
        }
        screen.say(format!("{} for {} on chain {}", M::KIND, self.contract, self.chain_id));
        message.fields().iter().for_each(|(name, value)| screen.say(format!("  {name:<11} {value}")));
        screen.say(format!("{} signature(s) in {}", self.signatures.len(), file.display()));
        Ok(Outcome::Ok)
    }
}

fn told<M: Message>(message: &M) -> Value {
    let fields = message.fields().into_iter();
    fields.map(|(name, value)| (name.to_owned(), Value::from(value))).collect::<Map<_, _>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::sol_types::SolStruct;

    /// The types of the calls are those that the EIP-712 types of the messages name.
    #[test]
    fn messages_go_where_the_interfaces_take_them() {
        let zero = B256::ZERO;
        let rate = RatePosting {
            product: zero,
            floorRate: 1,
            model: zero,
            inputs: zero,
            signerSet: zero,
            nonce: U256::ONE,
            validFrom: 0,
            validUntil: 1,
        };
        assert_eq!(RatePosting::decode(&rate.encode()), Some(rate));
        let calls = [
            (LossReport::eip712_encode_type(), <LossReport as Message>::FUNCTION),
            (BreakerTrip::eip712_encode_type(), <BreakerTrip as Message>::FUNCTION),
            (RatePosting::eip712_encode_type(), <RatePosting as Message>::FUNCTION),
            (CapacityCertificate::eip712_encode_type(), <CapacityCertificate as Message>::FUNCTION),
        ];
        for (written, function) in calls {
            let (_, types) = function.split_once('(').unwrap_or_default();
            assert_eq!(types, format!("{},address[],bytes[])", tuple(&written)), "{function}");
        }
    }

    /// From `Name(bytes32 a,Cap[] b)Cap(bytes32 id,uint128 cap)` to `(bytes32,(bytes32,uint128)[])`.
    fn tuple(written: &str) -> String {
        let (_, rest) = written.split_once('(').unwrap_or_default();
        let (own, _) = rest.split_once(')').unwrap_or_default();
        let types: Vec<String> = own
            .split(',')
            .map(|field| field.split(' ').next().unwrap_or_default().replace("Cap[]", "(bytes32,uint128)[]"))
            .collect();
        format!("({})", types.join(","))
    }
}
