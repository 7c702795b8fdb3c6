//! An attack case (`attack-corpus/1`), split into what Breakwater may see and what it may not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use alloy::primitives::{Address, B256, Bytes, I256, U64, U256};
use serde::Deserialize;

/// The format that this build reads.
const FORMAT: &str = "attack-corpus/1";

/// Why a case cannot be played.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaseError {
    /// The file or folder cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// It is no JSON of this shape.
    #[error("{path}: {source}")]
    Shape {
        /// Which.
        path: PathBuf,
        /// The decoder's words.
        source: serde_json::Error,
    },
    /// Another format.
    #[error("{path}: format: expected {FORMAT}, got {got}")]
    Format {
        /// Which.
        path: PathBuf,
        /// What it says.
        got: String,
    },
    /// Times of blocks must rise.
    #[error("{path}: step {step}: expected a time after {after}, got {got}")]
    Times {
        /// Which.
        path: PathBuf,
        /// Step number.
        step: u64,
        /// Time of the block before, seconds.
        after: u64,
        /// Its own time, seconds.
        got: u64,
    },
    /// A folder without cases.
    #[error("{path}: no case: expected files that end in .json")]
    Empty {
        /// Which.
        path: PathBuf,
    },
}

/// One case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    /// What plays and what Breakwater may look at.
    pub(crate) scene: Scene,
    /// What the case's author knows; joined into the report when the play is over.
    pub(crate) labels: Labels,
}

/// The chain of a case, its transactions, and the addresses to cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scene {
    /// Chain id.
    pub(crate) chain_id: u64,
    /// Time of the case's own genesis, seconds.
    pub(crate) genesis_time: u64,
    /// Gas limit of its genesis.
    pub(crate) gas_limit: u64,
    /// Base fee of its genesis, wei per gas.
    pub(crate) base_fee: u64,
    /// Accounts of its genesis as the file has them.
    pub(crate) alloc: BTreeMap<Address, GenesisAccount>,
    /// What a policy would cover.
    pub(crate) covered: Vec<Address>,
    /// The transactions, one a block.
    pub(crate) steps: Vec<Step>,
}

/// An account of a genesis.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, serde::Serialize)]
pub(crate) struct GenesisAccount {
    /// Wei.
    pub(crate) balance: U256,
    /// Code, nonce and storage, if the file has any.
    #[serde(flatten)]
    pub(crate) rest: BTreeMap<String, serde_json::Value>,
}

/// A transaction, the block it is played in, and what became of it when it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// Number, from 0.
    pub(crate) index: u64,
    /// The signed transaction.
    pub(crate) raw: Bytes,
    /// Its hash.
    pub(crate) hash: B256,
    /// The block that it is played in.
    pub(crate) block: Block,
    /// The recorded outcome, compared and not shown to anybody.
    pub(crate) recorded: Recorded,
}

/// The environment of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// Seconds.
    pub(crate) time: u64,
    /// Wei per gas.
    pub(crate) base_fee: u64,
    /// Gas.
    pub(crate) gas_limit: u64,
    /// Who gets the fees.
    pub(crate) miner: Address,
    /// The block's randomness.
    pub(crate) prev_randao: B256,
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// Whether it succeeded.
    pub(crate) success: bool,
    /// Gas used under the rules of the record.
    pub(crate) gas_used: u64,
    /// Number of logs.
    pub(crate) logs: u64,
    /// Contract created.
    pub(crate) created: Option<Address>,
}

/// What the author says about the case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Labels {
    /// Name of the case.
    pub(crate) id: String,
    /// Classes of attack.
    pub(crate) classes: Vec<String>,
    /// Names of addresses.
    pub(crate) names: BTreeMap<Address, String>,
    /// Steps of the attack.
    pub(crate) attack_steps: Vec<u64>,
    /// Kind of damage, such as `outflow`.
    pub(crate) damage: String,
    /// Changes of balances over the attack.
    pub(crate) losses: Vec<Loss>,
}

/// A balance before and after the attack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loss {
    /// Whose.
    pub(crate) holder: Address,
    /// Of which token; none: of the native coin.
    pub(crate) asset: Option<Address>,
    /// After less before.
    pub(crate) delta: I256,
}

impl Case {
    /// Reads the cases of files and folders, in order of their names.
    ///
    /// # Errors
    /// [`CaseError`] of the first that cannot be played.
    pub(crate) fn read_all(paths: &[PathBuf]) -> Result<Vec<Self>, CaseError> {
        let mut cases = Vec::new();
        for path in paths {
            match path.is_dir() {
                true => cases.extend(Self::read_folder(path)?),
                false => cases.push(Self::read(path)?),
            }
        }
        Ok(cases)
    }

    fn read_folder(folder: &Path) -> Result<Vec<Self>, CaseError> {
        let failed = |source| CaseError::Read { path: folder.to_owned(), source };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|end| end == "json") {
                files.push(path);
            }
        }
        files.sort();
        if files.is_empty() {
            return Err(CaseError::Empty { path: folder.to_owned() });
        }
        files.iter().map(|file| Self::read(file)).collect()
    }

    fn read(path: &Path) -> Result<Self, CaseError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| CaseError::Read { path: path.to_owned(), source })?;
        let file: File = serde_json::from_str(&text)
            .map_err(|source| CaseError::Shape { path: path.to_owned(), source })?;
        if file.format != FORMAT {
            return Err(CaseError::Format { path: path.to_owned(), got: file.format });
        }
        let mut after = file.chain.genesis.timestamp;
        for step in &file.steps {
            let got = step.block.timestamp;
            if got <= after {
                return Err(CaseError::Times { path: path.to_owned(), step: step.i, after, got });
            }
            after = got;
        }
        Ok(file.into_case())
    }
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    format: String,
    id: String,
    classes: Vec<String>,
    #[serde(default)]
    damage: String,
    chain: FileChain,
    alloc: BTreeMap<Address, GenesisAccount>,
    #[serde(default)]
    names: BTreeMap<Address, String>,
    covered: Vec<FileCovered>,
    #[serde(default)]
    attack_steps: Vec<u64>,
    #[serde(default)]
    losses: Vec<FileLoss>,
    steps: Vec<FileStep>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileChain {
    chain_id: u64,
    genesis: FileGenesis,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileGenesis {
    timestamp: u64,
    gas_limit: U64,
    base_fee_per_gas: U64,
}

#[derive(Deserialize)]
struct FileCovered {
    address: Address,
}

#[derive(Deserialize)]
struct FileLoss {
    holder: Address,
    asset: String,
    delta: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileStep {
    i: u64,
    raw: Bytes,
    hash: B256,
    block: FileBlock,
    status: u64,
    gas_used: u64,
    logs: u64,
    created: Option<Address>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileBlock {
    timestamp: u64,
    base_fee_per_gas: U64,
    gas_limit: U64,
    miner: Address,
    prev_randao: B256,
}

impl File {
    fn into_case(self) -> Case {
        let scene = Scene {
            chain_id: self.chain.chain_id,
            genesis_time: self.chain.genesis.timestamp,
            gas_limit: self.chain.genesis.gas_limit.to(),
            base_fee: self.chain.genesis.base_fee_per_gas.to(),
            alloc: self.alloc,
            covered: self.covered.into_iter().map(|covered| covered.address).collect(),
            steps: self.steps.into_iter().map(Step::from).collect(),
        };
        let labels = Labels {
            id: self.id,
            classes: self.classes,
            names: self.names,
            attack_steps: self.attack_steps,
            damage: self.damage,
            losses: self.losses.iter().filter_map(Loss::read).collect(),
        };
        Case { scene, labels }
    }
}

impl From<FileStep> for Step {
    fn from(step: FileStep) -> Self {
        Self {
            index: step.i,
            raw: step.raw,
            hash: step.hash,
            block: Block {
                time: step.block.timestamp,
                base_fee: step.block.base_fee_per_gas.to(),
                gas_limit: step.block.gas_limit.to(),
                miner: step.block.miner,
                prev_randao: step.block.prev_randao,
            },
            recorded: Recorded {
                success: step.status == 1,
                gas_used: step.gas_used,
                logs: step.logs,
                created: step.created,
            },
        }
    }
}

impl Loss {
    /// A label that is no number of a token or of the native coin says nothing that could be compared.
    fn read(loss: &FileLoss) -> Option<Self> {
        let asset = match loss.asset.as_str() {
            "ETH" => None,
            token => Some(token.parse().ok()?),
        };
        let delta = I256::from_dec_str(&loss.delta).ok()?;
        Some(Self { holder: loss.holder, asset, delta })
    }
}
