//! Events of the contracts, with their fields. They are complete: [`crate::World::replay`] rebuilds every word that
//! matters from them alone.

use alloy_primitives::{Address, B256, U256};
use breakwater_primitives::{Block, Bps, Time, Wad};

use crate::certificates::{Certificate, Posting};
use crate::incident::{Measurement, Rung};
use crate::policies::Policy;
use crate::refusal::Refusal;
use crate::terms::{GaugeInfo, Product};
use crate::treaty::Terms as TreatyTerms;

/// An event with where and when it was logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The contract that logged it.
    pub emitter: Address,
    /// Time of the block.
    pub time: Time,
    /// Number of the block.
    pub block: Block,
    /// What was logged.
    pub event: Event,
}

/// Every event that the twin makes. Names and fields are those of `contracts/src/interfaces`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the interfaces say what each event and field means")]
pub enum Event {
    // Catalog.
    /// `TriggerListed` as well, of which the catalog keeps the same.
    GaugeListed {
        gauge: B256,
        info: GaugeInfo,
    },
    ProductListed {
        product: B256,
        terms: Product,
    },
    PoolRegistered {
        pool: Address,
    },
    PoolAttached {
        gauge: B256,
        pool: Address,
    },

    // Incidents.
    Opened {
        id: u64,
        gauge: B256,
        rung: Rung,
        opener: Address,
        measured: Measurement,
        dwell_end: Block,
    },
    Revised {
        id: u64,
        measured: Measurement,
        dwell_end: Block,
    },
    Voided {
        id: u64,
        reading: Block,
    },
    Finalised {
        id: u64,
        claims_end: Time,
    },
    Held {
        id: u64,
        undisputed: u128,
        by: Address,
    },
    Disputed {
        id: u64,
        loss: u128,
        asserted: u128,
        decide_by: Block,
    },
    Decided {
        id: u64,
        loss: u128,
        claims_end: Time,
    },
    Overruled {
        id: u64,
        loss: u128,
        dwell_end: Block,
    },
    Outranked {
        id: u64,
    },
    Counted {
        id: u64,
        pool: Address,
        amount: u128,
    },
    Uncounted {
        id: u64,
    },
    Delayed {
        id: u64,
        dwell_end: Block,
    },
    Extended {
        id: u64,
        opened_time: Time,
        claims_end: Time,
    },
    CeilingSet {
        rung: Rung,
        asset: Address,
        ceiling: u128,
    },
    GuardianSet {
        guardian: Address,
    },
    PositionProven {
        id: u64,
        account: Address,
        onset: Block,
        lost: u128,
        value: u128,
    },
    PositionPaid {
        id: u64,
        account: Address,
        whole: bool,
        amount: u128,
        paid_for_account: u128,
        paid_in_all: u128,
    },
    Returned {
        id: u64,
        amount: u128,
        paid_in_all: u128,
    },

    // Policies.
    Bought {
        id: u64,
        policy: Policy,
        premium: U256,
    },
    SplitOff {
        id: u64,
        new_id: u64,
        policy: Policy,
    },
    Distributed {
        id: u64,
        distributor: Address,
        fee: U256,
    },
    Lowered {
        id: u64,
        sum: u128,
        refund: u128,
    },
    Cancelled {
        id: u64,
        refund: u128,
    },
    Settled {
        id: u64,
        incident: u64,
        lost: u128,
        due: u128,
        paid: u128,
        settler: Address,
    },
    Skipped {
        id: u64,
        incident: u64,
        reason: Refusal,
    },
    /// `Transfer` of the ERC-721.
    PolicyTransfer {
        from: Address,
        to: Address,
        id: u64,
    },

    // Pool.
    FeeEarned {
        amount: u128,
    },
    Accrued {
        time: Time,
        earned: u128,
    },
    ProductCapped {
        product: B256,
        gauge: B256,
        cap: u128,
        floor_rate: Wad,
        effective_at: Time,
    },
    Sold {
        product: B256,
        sum: u128,
        premium: U256,
        inception: Time,
        expiry: Time,
        exposure: u128,
    },
    ExposureReduced {
        product: B256,
        sum: u128,
        stream_rate: U256,
        expiry: Time,
        refund: u128,
        exposure: u128,
    },
    Booked {
        incident: u64,
        onset_time: Time,
        reserved: u128,
        funded: u128,
        surge: Wad,
    },
    ProductBooked {
        incident: u64,
        product: B256,
        exposure: u128,
        fraction: U256,
        instant_paid: u128,
    },
    Charged {
        incident: u64,
        layer: usize,
        amount: u128,
    },
    Released {
        incident: u64,
        layer: usize,
        amount: u128,
        recovery_shares: U256,
    },
    Filled {
        from: u64,
        to: u64,
        layer: usize,
        amount: u128,
    },
    Paid {
        incident: u64,
        to: Address,
        amount: u128,
        pulled: bool,
    },
    BookingPaid {
        incident: u64,
        product: B256,
        due: u128,
        paid: u128,
        instant_paid: u128,
    },
    InstantLoss {
        incident: u64,
        amount: u128,
        shares_burned: U256,
    },
    BookingSettled {
        incident: u64,
    },
    LockFreed {
        incident: u64,
    },
    BookingClosed {
        incident: u64,
        due: u128,
        paid: u128,
    },
    PoolClosed {
        time: Time,
    },
    Credited {
        account: Address,
        amount: u128,
    },
    Withdrawn {
        account: Address,
        amount: u128,
    },
    CuratorLocked {
        shares: U256,
    },
    Ceded {
        incident: u64,
        ceded: u128,
        drawn: u128,
    },
    Recovered {
        incident: u64,
        from: Address,
        amount: u128,
        filled: u128,
    },
    RecoveredTo {
        incident: u64,
        layer: usize,
        amount: u128,
        recovery_shares: U256,
    },
    /// `Returned` of a pool.
    ReturnedToTreaty {
        incident: u64,
        treaty: Address,
        amount: u128,
    },
    TreatyAttached {
        treaty: Address,
        share: Bps,
        premium: Bps,
        start: Time,
        end: Time,
    },
    TreatyDetached {
        treaty: Address,
    },
    PremiumCeded {
        treaty: Address,
        amount: u128,
    },

    // Underwriting.
    ClusterSet {
        id: B256,
        cluster: B256,
    },
    CreditSet {
        product: B256,
        bps: i64,
    },
    Certified {
        pool: Address,
        certificate: Certificate,
    },
    Posted {
        product: B256,
        posting: Posting,
    },

    // Treaties.
    TreatyMade {
        treaty: Address,
        cedant: Address,
        terms: TreatyTerms,
    },
    /// `Opened` of a treaty.
    CessionOpened {
        incident: u64,
        year: u64,
        before: U256,
    },
    Encumbered {
        incident: u64,
        onset: Time,
        loss: u128,
        covered: u128,
        short_by: u128,
    },
    Drawn {
        incident: u64,
        due: u128,
        amount: u128,
    },
    DrawFailed {
        incident: u64,
        due: u128,
        amount: u128,
    },
    /// `Settled` of a treaty.
    CessionSettled {
        incident: u64,
        due: u128,
    },
    PremiumReceived {
        amount: u128,
    },
    /// `Returned` of a treaty.
    ReturnReceived {
        incident: u64,
        amount: u128,
        to_holders: bool,
    },
    ReturnClaimed {
        incident: u64,
        account: Address,
        amount: u128,
    },
    /// `Deposit` of a treaty's vault.
    VaultDeposit {
        sender: Address,
        owner: Address,
        assets: u128,
        shares: U256,
    },
    /// `Withdraw` of a treaty's vault.
    VaultWithdraw {
        sender: Address,
        receiver: Address,
        owner: Address,
        assets: u128,
        shares: U256,
    },

    // Tranche.
    /// `Transfer` of the ERC-20.
    ShareTransfer {
        from: Address,
        to: Address,
        shares: U256,
    },
    DepositRequest {
        controller: Address,
        owner: Address,
        request_id: u64,
        sender: Address,
        assets: u128,
    },
    RedeemRequest {
        controller: Address,
        owner: Address,
        request_id: u64,
        sender: Address,
        shares: U256,
    },
    DepositsProcessed {
        request_id: u64,
        assets: u128,
        shares: U256,
    },
    DepositsReturned {
        request_id: u64,
        assets: u128,
    },
    RedemptionsProcessed {
        request_id: u64,
        shares: U256,
        assets: u128,
        remaining: U256,
    },
    DepositClaimed {
        controller: Address,
        request_id: u64,
        shares: U256,
    },
    RedeemClaimed {
        controller: Address,
        request_id: u64,
        assets: u128,
    },
    RecoveryClaimed {
        incident: u64,
        account: Address,
        shares: U256,
    },
    QueuedRecoveryClaimed {
        incident: u64,
        request_id: u64,
        controller: Address,
        shares: U256,
    },
}
