//! Where nodes leave their signatures for one another: a directory, one file for each digest and signer.
//!
//! Nothing in it is believed: a letter counts by its signature alone, and what is no letter is passed over.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use alloy::primitives::{Address, B256, Bytes};
use alloy::sol_types::SolValue;
use breakwater_bindings::decimal;
use breakwater_bindings::eip712::{self, LossReport, PositionsReport};
use serde::{Deserialize, Serialize};

use super::tree::Leaf;
use crate::error::NodeError;

/// Files that are looked at in one reading of the directory.
const LETTERS_MAX: usize = 4_096;
/// Bytes of one letter; a position takes about a hundred and fifty.
const LETTER_BYTES_MAX: u64 = 4 << 20;

/// What reporters sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// What was lost.
    Loss(LossReport),
    /// What each position lost, and the tree under the root.
    Positions(PositionsReport, Vec<Leaf>),
}

impl Message {
    /// What is signed, for this chain and rung.
    pub(crate) fn digest(&self, chain_id: u64, rung: Address) -> B256 {
        match self {
            Self::Loss(report) => eip712::digest(report, chain_id, rung),
            Self::Positions(report, _) => eip712::digest(report, chain_id, rung),
        }
    }

    /// The last block time at which it may be used, seconds.
    pub(crate) fn valid_until(&self) -> u64 {
        match self {
            Self::Loss(report) => report.validUntil,
            Self::Positions(report, _) => report.validUntil,
        }
    }
}

/// A message and one signature over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) message: Message,
    pub(crate) signature: Bytes,
    /// Who is said to have signed: an account with code is recovered from no signature.
    pub(crate) signer: Option<Address>,
}

/// The directory.
#[derive(Clone, Debug)]
pub(crate) struct Mailbox {
    folder: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    kind: Kind,
    /// ABI encoding of the message.
    message: Bytes,
    signature: Bytes,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    leaves: Vec<Entry>,
}

/// What `breakwater report sign` and `countersign` write; its other fields are for people.
#[derive(Deserialize)]
struct Sheet {
    #[serde(rename = "type")]
    kind: String,
    message: Bytes,
    signatures: Vec<Signed>,
}

#[derive(Deserialize)]
struct Signed {
    signer: Address,
    signature: Bytes,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Kind {
    Loss,
    Positions,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    account: Address,
    #[serde(with = "decimal")]
    lost: u128,
    #[serde(with = "decimal")]
    value: u128,
}

impl Mailbox {
    /// Opens the directory and makes it if it is missing.
    ///
    /// # Errors
    /// [`NodeError::Mailbox`].
    pub(crate) fn open(folder: &Path) -> Result<Self, NodeError> {
        fs::create_dir_all(folder.join("evidence")).map_err(|error| failed(folder, &error))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Every letter that can be read.
    ///
    /// # Errors
    /// [`NodeError::Mailbox`] if the directory itself cannot be.
    pub(crate) fn read(&self) -> Result<Vec<Letter>, NodeError> {
        let entries = fs::read_dir(&self.folder).map_err(|error| failed(&self.folder, &error))?;
        let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
        Ok(files.take(LETTERS_MAX).flat_map(|path| letters(&path)).collect())
    }

    /// Leaves a letter, whole or not at all; one that lies there stays.
    ///
    /// # Errors
    /// [`NodeError::Mailbox`].
    pub(crate) fn put(&self, digest: B256, signer: Address, letter: &Letter) -> Result<(), NodeError> {
        let file = self.path(digest, signer);
        if file.exists() {
            return Ok(());
        }
        let (kind, message, leaves) = match &letter.message {
            Message::Loss(report) => (Kind::Loss, report.abi_encode(), &[][..]),
            Message::Positions(report, leaves) => (Kind::Positions, report.abi_encode(), leaves.as_slice()),
        };
        let leaves = leaves
            .iter()
            .map(|leaf| Entry { account: leaf.account, lost: leaf.lost, value: leaf.value })
            .collect();
        let content = File { kind, message: message.into(), signature: letter.signature.clone(), leaves };
        let text = serde_json::to_vec(&content).map_err(|error| failed(&file, &error))?;
        write_whole(&file, &text)
    }

    /// Takes the signer's own letter back, once nobody can use it.
    pub(crate) fn remove(&self, digest: B256, signer: Address) {
        // A letter that stays costs a look at it, no more.
        let _ = fs::remove_file(self.path(digest, signer));
    }

    /// Keeps an `evidence/1` document under its hash.
    ///
    /// # Errors
    /// [`NodeError::Mailbox`].
    pub(crate) fn keep(&self, hash: B256, document: &str) -> Result<(), NodeError> {
        let file = self.folder.join("evidence").join(format!("{hash}.json"));
        if file.exists() {
            return Ok(());
        }
        write_whole(&file, document.as_bytes())
    }

    fn path(&self, digest: B256, signer: Address) -> PathBuf {
        self.folder.join(format!("{digest}-{signer}.json"))
    }
}

/// Under another name first, so that nobody reads half of it; the name is the process's own.
fn write_whole(file: &Path, bytes: &[u8]) -> Result<(), NodeError> {
    let fail = |error: std::io::Error| failed(file, &error);
    let draft = file.with_extension(format!("{}.draft", std::process::id()));
    let mut out = fs::File::create(&draft).map_err(fail)?;
    out.write_all(bytes).and_then(|()| out.sync_all()).map_err(fail)?;
    fs::rename(&draft, file).map_err(fail)
}

fn letters(path: &Path) -> Vec<Letter> {
    let bytes = match fs::metadata(path) {
        Ok(about) if about.len() <= LETTER_BYTES_MAX => fs::read(path).unwrap_or_default(),
        _ => return Vec::new(),
    };
    match serde_json::from_slice::<File>(&bytes) {
        Ok(file) => letter(file).into_iter().collect(),
        Err(_) => sheet(&bytes).unwrap_or_default(),
    }
}

fn letter(file: File) -> Option<Letter> {
    let message = match file.kind {
        Kind::Loss => Message::Loss(LossReport::abi_decode_validate(&file.message).ok()?),
        Kind::Positions => {
            let leaf = |entry: Entry| Leaf { account: entry.account, lost: entry.lost, value: entry.value };
            let leaves = file.leaves.into_iter().map(leaf).collect();
            Message::Positions(PositionsReport::abi_decode_validate(&file.message).ok()?, leaves)
        }
    };
    Some(Letter { message, signature: file.signature, signer: None })
}

/// A loss report that people signed, as the commands keep it: one letter for each signature.
fn sheet(bytes: &[u8]) -> Option<Vec<Letter>> {
    let sheet: Sheet =
        serde_json::from_slice(bytes).ok().filter(|sheet: &Sheet| sheet.kind == "LossReport")?;
    let message = Message::Loss(LossReport::abi_decode_validate(&sheet.message).ok()?);
    let letter = |signed: Signed| {
        let (message, signer) = (message.clone(), Some(signed.signer));
        Letter { message, signature: signed.signature, signer }
    };
    Some(sheet.signatures.into_iter().map(letter).collect())
}

fn failed(path: &Path, reason: &dyn std::fmt::Display) -> NodeError {
    NodeError::Mailbox { path: path.to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests may fail the test")]
mod tests {
    use super::*;
    use alloy::primitives::U256;
    use serde_json::json;

    fn letter_of(nonce: u64) -> Letter {
        let report = PositionsReport {
            incident: U256::from(1),
            root: B256::repeat_byte(1),
            evidence: B256::repeat_byte(2),
            signerSet: B256::repeat_byte(3),
            nonce: U256::from(nonce),
            validFrom: 4,
            validUntil: 5,
        };
        let leaves = vec![Leaf { account: Address::repeat_byte(6), lost: u128::MAX, value: 7 }];
        Letter { message: Message::Positions(report, leaves), signature: vec![8; 65].into(), signer: None }
    }

    #[test]
    fn what_is_no_letter_is_passed_over() {
        let folder = std::env::temp_dir().join(format!("breakwater-mailbox-{}", std::process::id()));
        let mailbox = Mailbox::open(&folder).unwrap();
        let (digest, signer) = (B256::repeat_byte(9), Address::repeat_byte(9));
        mailbox.put(digest, signer, &letter_of(1)).unwrap();
        mailbox.put(digest, signer, &letter_of(2)).unwrap();
        fs::write(folder.join("broken.json"), b"{").unwrap();
        fs::write(folder.join("half.draft"), b"{}").unwrap();
        assert_eq!(mailbox.read().unwrap(), [letter_of(1)]);
        // What people signed with the commands counts, signature by signature.
        let report = LossReport { loss: 5, ..LossReport::default() };
        let signed = |byte: u8| json!({ "signer": signer, "signature": Bytes::from(vec![byte; 65]) });
        let sheet = json!({
            "type": "LossReport", "message": Bytes::from(report.abi_encode()), "fields": {},
            "signatures": [signed(1), signed(2)],
        });
        let file = folder.join("sheet.json");
        fs::write(&file, sheet.to_string()).unwrap();
        let losses = |letter: &Letter| matches!(&letter.message, Message::Loss(it) if it.loss == 5);
        assert_eq!(mailbox.read().unwrap().iter().filter(|letter| losses(letter)).count(), 2);
        fs::remove_file(file).unwrap();
        mailbox.remove(digest, signer);
        assert_eq!(mailbox.read().unwrap(), []);
        fs::remove_dir_all(folder).unwrap();
    }
}
