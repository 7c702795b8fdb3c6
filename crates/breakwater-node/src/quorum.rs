//! Losses that no proof decides: reporters measure and sign alone, and whoever holds enough signatures posts.
//!
//! The key decision: a finding is a rule, not a judgement, so that honest reporters sign the same bytes without
//! talking. When the pins of a gauge change, the block before is the onset, and the gauge is read at every
//! [`READ_EVERY_BLOCKS`]-th block after it, by the code and pinned words that it then has, until the loss reaches
//! the threshold or the span is over. Figures are in the journal before a signature leaves, and no reorganisation
//! takes them out of it: a node never signs two figures of one reading.
//! Where code changed, what looks like a loss may be an honest migration, which no rule tells apart: such a finding is
//! listed, and a person signs it or does not.
//! The road not taken is agreeing on a report first, which needs a leader, and the leader to be alive.

mod changed;
mod collect;
mod mailbox;
mod measure;
mod objections;
mod positions;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::rpc::types::TransactionRequest;
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::{SolCall, SolStruct};
use breakwater_bindings::contracts::{QuorumRung, Reporters};
use breakwater_bindings::eip712::{self, LossReport, PositionsReport};
use breakwater_chain::{Endpoints, Head};

use self::mailbox::{Letter, Mailbox, Message};
use self::tree::Leaf;
use crate::contracts::QuorumContracts;
use crate::error::NodeError;
use crate::keeper::Keeper;
use crate::report::TickReport;
use crate::watch::Live;

/// Blocks between two readings of a finding: time enough for a loan to come back within it.
pub const READ_EVERY_BLOCKS: u64 = 8;

/// What a node needs to take part in the quorum.
#[derive(Clone, Debug)]
pub struct DeskParts {
    /// The directory in which nodes leave their signatures for one another.
    pub signatures: PathBuf,
    /// Signs; none for a keeper, who only collects.
    pub reporter: Option<ReporterParts>,
}

/// A reporter's own.
#[derive(Clone, Debug)]
pub struct ReporterParts {
    /// Signs reports; its account bonded.
    pub key: PrivateKeySigner,
    /// Blocks between a reading and the signature over it, in which the operator may refuse.
    pub sign_after: u64,
    /// A directory: while a file in it has a gauge's id as its name, nothing is signed about the gauge.
    pub refusals: Option<PathBuf>,
    /// Whether reports that say too much are challenged, at the reporter's own expense.
    pub challenge: bool,
}

/// The quorum as this node sees it.
pub(crate) struct Desk {
    pub(crate) at: QuorumContracts,
    chain_id: u64,
    mailbox: Mailbox,
    pub(crate) reporter: Option<ReporterParts>,
    /// Trees of positions, with what they were made from.
    trees: BTreeMap<U256, (Live, Vec<Address>, Vec<Leaf>)>,
    /// Reports that were measured again before they are carried, with the blocks' hashes: whether they hold.
    checked: BTreeMap<(B256, B256, B256), bool>,
    /// Signatures that an account with code has vouched for, by digest and account.
    vouched: BTreeMap<(B256, Address), Bytes>,
    /// What was said already, so that it is said once.
    told: BTreeSet<String>,
}

/// Who may sign, and the last nonces, as of a block.
struct Set {
    quorum: usize,
    members: Vec<Address>,
    hash: B256,
    last_loss: U256,
    last_positions: U256,
}

impl Desk {
    /// Opens the directory of signatures.
    ///
    /// # Errors
    /// [`NodeError::Mailbox`], or when the chain cannot be read.
    pub(crate) async fn open(
        endpoints: &Endpoints,
        at: QuorumContracts,
        parts: DeskParts,
    ) -> Result<Self, NodeError> {
        Ok(Self {
            at,
            chain_id: endpoints.chain_id().await?,
            mailbox: Mailbox::open(&parts.signatures)?,
            reporter: parts.reporter,
            trees: BTreeMap::new(),
            checked: BTreeMap::new(),
            vouched: BTreeMap::new(),
            told: BTreeSet::new(),
        })
    }

    async fn set(&self, endpoints: &Endpoints, head: &Head) -> Result<Set, NodeError> {
        let rung = self.at.rung;
        let who = ask(endpoints, head, self.at.reporters, &Reporters::membersCall {}).await?;
        let (quorum, members) = (who._0, who._1);
        let hash = eip712::signer_set(quorum, &members);
        let last = |type_hash: B256| QuorumRung::lastNonceCall { typeHash: type_hash, signerSet: hash };
        let loss = last(LossReport::default().eip712_type_hash());
        let positions = last(PositionsReport::default().eip712_type_hash());
        Ok(Set {
            quorum: quorum.saturating_to(),
            members,
            hash,
            last_loss: ask(endpoints, head, rung, &loss).await?,
            last_positions: ask(endpoints, head, rung, &positions).await?,
        })
    }

    /// Leaves a signature over the message.
    fn sign(&self, reporter: &ReporterParts, message: Message) -> Result<(), NodeError> {
        let digest = message.digest(self.chain_id, self.at.rung);
        let signature = reporter
            .key
            .sign_hash_sync(&digest)
            .map_err(|error| NodeError::Evidence { what: digest.to_string(), reason: error.to_string() })?;
        let signature = Bytes::copy_from_slice(&signature.as_bytes());
        self.mailbox.put(digest, reporter.key.address(), &Letter { message, signature, signer: None })
    }

    /// Whether the operator refuses to sign about the gauge.
    fn refused(&self, gauge: B256) -> bool {
        let refusals = self.reporter.as_ref().and_then(|reporter| reporter.refusals.as_ref());
        refusals.is_some_and(|folder| folder.join(gauge.to_string()).exists())
    }

    /// Whether this is said for the first time since the node began.
    fn first(&mut self, what: String) -> bool {
        self.told.insert(what)
    }
}

impl Keeper {
    /// What the quorum asks of this node: measuring and signing if it reports, and carrying what is signed.
    pub(crate) async fn consult(&mut self, head: &Head, report: &mut TickReport) -> Result<(), NodeError> {
        let Some(mut desk) = self.desk.take() else { return Ok(()) };
        let outcome = self.at_desk(&mut desk, head, report).await;
        self.desk = Some(desk);
        outcome
    }

    async fn at_desk(
        &mut self,
        desk: &mut Desk,
        head: &Head,
        report: &mut TickReport,
    ) -> Result<(), NodeError> {
        let letters = desk.mailbox.read()?;
        let set = desk.set(&self.endpoints, head).await?;
        if let Some(reporter) = desk.reporter.clone() {
            let me = reporter.key.address();
            if set.members.contains(&me) {
                self.report_losses(desk, &reporter, &set, head, report).await?;
                self.report_positions(desk, &reporter, &set, head).await?;
            } else if desk.first(format!("outside {}", set.hash)) {
                tracing::warn!(reporter = %me, "not in the signer set: nothing is signed");
            }
            self.check_posted(desk, &reporter, head, report).await?;
        }
        self.collect(desk, &set, letters, head, report).await
    }
}

/// Asks a view as of a block.
pub(crate) async fn ask<C: SolCall>(
    endpoints: &Endpoints,
    head: &Head,
    to: Address,
    call: &C,
) -> Result<C::Return, NodeError> {
    let request = TransactionRequest::default().to(to).input(call.abi_encode().into());
    let answer = endpoints.call(head, &request).await?;
    C::abi_decode_returns(&answer).map_err(|error| NodeError::Answer { contract: to, error })
}
