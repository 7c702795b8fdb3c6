//! Why an operation is refused. A refused operation changes nothing.
//!
//! Variants are named like the errors of the contracts, so that a test can compare the two by name.

use alloy_primitives::{Address, B256, U256};
use breakwater_primitives::{Block, MathError, Time};
use thiserror::Error;

use crate::incident::{Rung, Status};
use crate::terms::Form;

/// A named error of the contracts, with the same arguments.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(
    missing_docs,
    reason = "docs/design.md, \"Errors\", says when each occurs; fields are named in the message"
)]
pub enum Refusal {
    // Any contract.
    #[error("field {field} may not be {got}")]
    OutOfRange { field: &'static str, got: u128 },
    #[error("a zero amount")]
    ZeroAmount,
    #[error("a zero address")]
    ZeroAddress,
    /// A number left its type: the contracts stop with a panic code or a cast error of the library.
    #[error(transparent)]
    Arithmetic(#[from] MathError),
    #[error("{account} has {balance} and needs {needed}")]
    ERC20InsufficientBalance { account: Address, balance: U256, needed: U256 },
    #[error("token {token} refused a transfer")]
    SafeERC20FailedOperation { token: Address },
    #[error("policy {id} does not exist")]
    ERC721NonexistentToken { id: u64 },

    // Catalog.
    #[error("{id} is listed")]
    AlreadyListed { id: B256 },
    #[error("gauge {gauge} is not listed")]
    UnknownGauge { gauge: B256 },
    #[error("product {product} is not known here")]
    UnknownProduct { product: B256 },
    #[error("pool {pool} is registered")]
    AlreadyRegistered { pool: Address },
    #[error("{pool} is not a registered pool")]
    NotAPool { pool: Address },
    #[error("gauge {gauge} has {limit} pools")]
    TooManyPools { gauge: B256, limit: usize },

    // Incidents.
    #[error("{caller} does not hold the role of {rung:?}")]
    NotRung { caller: Address, rung: Rung },
    #[error("{caller} is not {expected}, which opened the incident")]
    NotThisRung { expected: Address, caller: Address },
    #[error("incident {id} does not exist")]
    UnknownIncident { id: u64 },
    #[error("no measurement: onset {onset}, reading {reading}, loss {loss} of {base}")]
    BadMeasurement { onset: Block, reading: Block, base: u128, loss: u128 },
    #[error("reading {reading} is not before {head}")]
    NotMined { reading: Block, head: Block },
    #[error("reading {reading} is after {last}")]
    ReadingTooLate { reading: Block, last: Block },
    #[error("incident {id} dwells")]
    AlreadyDwelling { id: u64 },
    #[error("onset {onset} is before {least}")]
    OnsetTooEarly { onset: Block, least: Block },
    #[error("reading {reading} is not after {least}, where the gauge was healthy")]
    ReadingTooEarly { reading: Block, least: Block },
    #[error("loss fraction {lambda} is below {threshold}")]
    BelowThreshold { lambda: U256, threshold: U256 },
    #[error("incident {id} is {status:?}")]
    NotDwelling { id: u64, status: Status },
    #[error("incident {id} dwelt to {dwell_end}, now is {head}")]
    DwellOver { id: u64, dwell_end: Block, head: Block },
    #[error("incident {id} dwells to {dwell_end}, now is {head}")]
    DwellNotOver { id: u64, dwell_end: Block, head: Block },
    #[error("nothing raises incident {id} after {span_end}, now is {head}")]
    SpanOver { id: u64, span_end: Block, head: Block },
    #[error("incident {id} cannot go to onset {onset}, reading {reading}")]
    RevisionBackwards { id: u64, onset: Block, reading: Block },
    #[error("nothing about incident {id} would change")]
    NothingNew { id: u64 },
    #[error("incident {id} is {status:?}")]
    IncidentNotOpen { id: u64, status: Status },
    #[error("claims on incident {id} ended at {claims_end}")]
    ClaimsOver { id: u64, claims_end: Time },

    #[error("{gauge} does not name {rung:?}")]
    RungNotAllowed { gauge: B256, rung: Rung },
    #[error("{loss} is outside {least} to {most}")]
    OutsideDispute { loss: u128, least: u128, most: u128 },
    #[error("{caller} is not the guardian")]
    NotGuardian { caller: Address },
    #[error("incident {id} does not wait for the guardian")]
    NotDelayed { id: u64 },
    #[error("incident {id} is {status:?}")]
    NotDisputed { id: u64, status: Status },
    #[error("claims on incident {id} end at {claims_end}")]
    IncidentNotOver { id: u64, claims_end: Time },

    // Policies.
    #[error("deadline {deadline} has passed, now is {time}")]
    DeadlinePassed { deadline: Time, time: Time },
    #[error("the registrant is {expected}, not {got}")]
    NotRegistrant { expected: Address, got: Address },
    #[error("sum {sum} is below {minimum}")]
    SumBelowMinimum { sum: u128, minimum: u128 },
    #[error("position {position} has not consented")]
    NoConsent { position: Address },
    #[error("asset is {got}, not {expected}")]
    WrongAsset { expected: Address, got: Address },
    #[error("a fee of {got} bps is above {most}")]
    FeeTooHigh { most: u32, got: u32 },
    #[error("premium {premium} is above {maximum}")]
    PremiumAbove { premium: U256, maximum: U256 },
    #[error("{caller} does not hold policy {id}")]
    NotHolder { id: u64, caller: Address },
    #[error("policy {id} incepts at {inception}")]
    NotIncepted { id: u64, inception: Time },
    #[error("policy {id} expired at {expiry}")]
    Expired { id: u64, expiry: Time },
    #[error("an incident touches policy {id}")]
    Frozen { id: u64 },
    #[error("{new_sum} is not below {sum}")]
    NotLower { new_sum: u128, sum: u128 },
    #[error("policy {id} is due {due} and was paid {paid}")]
    StillOwed { id: u64, due: u128, paid: u128 },
    #[error("the incident is of gauge {got}, the product of {expected}")]
    WrongGauge { expected: B256, got: B256 },
    #[error("incident {incident} does not touch policy {id}")]
    NotTouched { id: u64, incident: u64 },
    #[error("incident {incident} dwells to {dwell_end}")]
    StillDwelling { incident: u64, dwell_end: Block },
    #[error("incident {incident} owes policy {id} nothing now")]
    NothingToPay { id: u64, incident: u64 },

    // Pool.
    #[error("{caller} is not the curator")]
    NotCurator { caller: Address },
    #[error("the pool closed at {closed_at}")]
    PoolIsClosed { closed_at: Time },
    #[error("gauge {gauge} has {limit} products here")]
    TooManyProducts { gauge: B256, limit: usize },
    #[error("the lock must be worth {needed} and is worth {value}")]
    LockTooSmall { needed: U256, value: U256 },
    #[error("product {product} is in force from {effective_at}")]
    NotEffective { product: B256, effective_at: Time },
    #[error("expiry {expiry} is not midnight UTC")]
    BadExpiry { expiry: Time },
    #[error("a term of {term} s is outside {least} to {most}")]
    TermOutOfRange { term: u64, least: u64, most: u64 },
    #[error("inception is {expected}, not {got}")]
    WrongInception { expected: Time, got: Time },
    #[error("product {product}: {wanted} is above the cap {cap}")]
    CapExceeded { product: B256, wanted: u128, cap: u128 },
    #[error("exposure {wanted} is above the capacity {capacity}")]
    CapacityExceeded { wanted: u128, capacity: u128 },
    #[error("no booking of incident {incident}")]
    UnknownBooking { incident: u64 },
    #[error("the booking of incident {incident} is closed")]
    BookingIsClosed { incident: u64 },
    #[error("claims on incident {incident} are open to {claims_end}")]
    ClaimsOpen { incident: u64, claims_end: Time },
    #[error("{account} is owed nothing")]
    NothingOwed { account: Address },

    // Tranche.
    #[error("{locked} shares are locked and {left} would be left")]
    SharesLocked { locked: U256, left: U256 },
    #[error("{caller} does not own what belongs to {owner}")]
    NotOwner { owner: Address, caller: Address },
    #[error("the tranche takes no deposits")]
    TrancheIsClosed,
    #[error("deposits of epoch {request_id} are pending")]
    NotProcessed { request_id: u64 },
    #[error("{controller} has nothing to claim of request {request_id}")]
    NothingToClaim { request_id: u64, controller: Address },
    #[error("no cohort is payable in epoch {epoch}")]
    NothingMatured { epoch: u64 },
    #[error("{account} recovers nothing of incident {incident}")]
    NothingToRecover { incident: u64, account: Address },

    // Underwriting.
    #[error("nothing is certified of {id} now")]
    NotCertified { id: B256 },
    #[error("cluster {cluster}: {wanted} is above the cap {cap}")]
    ClusterExceeded { cluster: B256, wanted: u128, cap: u128 },
    #[error("no cluster for {id}")]
    ZeroCluster { id: B256 },
    #[error("{id} is in cluster {cluster}")]
    ClusterIsSet { id: B256, cluster: B256 },
    #[error("a credit of {got} bps is beyond {most}")]
    CreditOutOfRange { most: i64, got: i64 },
    #[error("good until {valid_until}, at most until {most}")]
    ValidTooLong { most: Time, valid_until: Time },
    #[error("good from {valid_from}, now is {time}")]
    NotYetValid { valid_from: Time, time: Time },
    #[error("good until {valid_until}, now is {time}")]
    NoLongerValid { valid_until: Time, time: Time },
    #[error("nonce {got} is below {least}")]
    NonceUsed { least: u64, got: u64 },
    #[error("{next} is not after {previous}")]
    CapsNotAscending { previous: B256, next: B256 },
    #[error("product {product} may be posted from {least} on, now is {time}")]
    PostedTooSoon { product: B256, least: Time, time: Time },

    // Treaties and what pools do with them.
    #[error("{treaty} is no treaty of this pool")]
    NotATreaty { treaty: Address },
    #[error("the pool cedes to {treaty}")]
    AlreadyCeding { treaty: Address },
    #[error("the pool cedes to {limit} treaties")]
    TooManyTreaties { limit: usize },
    #[error("the pool does not cede to {treaty}")]
    NotCeding { treaty: Address },
    #[error("{treaty} runs until {until} and has {encumbered} encumbered")]
    TreatyRuns { treaty: Address, until: Time, encumbered: u128 },
    #[error("{receiver} may deposit {max}, not {assets}")]
    ERC4626ExceededMaxDeposit { receiver: Address, assets: U256, max: U256 },
    #[error("{owner} may redeem {max}, not {shares}")]
    ERC4626ExceededMaxRedeem { owner: Address, shares: U256, max: U256 },
    #[error("nothing came back for {account} of incident {incident}")]
    NothingReturned { incident: u64, account: Address },
    #[error("the booking of incident {incident} is open")]
    BookingIsOpen { incident: u64 },

    // ProofRung, as far as it is arithmetic.
    #[error("the loss of gauge {form:?} at {number} is undefined")]
    UndefinedLoss { form: Form, number: Block },
    #[error("the onset shows {lambda}, at least {least} is needed")]
    NoOnset { lambda: U256, least: U256 },
}

impl Refusal {
    /// Name of the contracts' error, for comparison by name.
    pub fn name(&self) -> String {
        let debug = format!("{self:?}");
        debug.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
    }
}
