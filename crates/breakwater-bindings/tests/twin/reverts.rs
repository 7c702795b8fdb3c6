//! What the contracts must revert with for each refusal of the twin: the error's name and arguments, as bytes.

use alloy::primitives::{Address, B256, U256, keccak256};
use breakwater_policy::Refusal;
use breakwater_policy::ops::{Ceded, Op};

/// One argument of an error: every error here takes values of one word each.
type Word = B256;

/// Whether `data` is what the contracts must answer where the twin refuses `op` with `refusal`.
pub(crate) fn agrees(op: &Op, refusal: &Refusal, data: &[u8]) -> bool {
    match refusal {
        // A number that leaves its type: the compiler's panic or the library's cast, whose arguments differ.
        Refusal::Arithmetic(_) => {
            data.starts_with(&selector("Panic(uint256)"))
                || data.starts_with(&selector("SafeCastOverflowedUintDowncast(uint8,uint256)"))
        }
        _ => expected(op, refusal) == data,
    }
}

/// Revert data of a refusal, errors of the token contracts under the names that OpenZeppelin has for them.
pub(crate) fn expected(op: &Op, refusal: &Refusal) -> Vec<u8> {
    match (op, refusal) {
        (Op::TransferPolicy { .. }, Refusal::NotHolder { id, caller }) => {
            error("ERC721InsufficientApproval(address,uint256)", &[address(caller), number(*id)])
        }
        (Op::TransferPolicy { .. } | Op::Split { .. }, Refusal::ZeroAddress) => {
            error("ERC721InvalidReceiver(address)", &[address(&Address::ZERO)])
        }
        (
            Op::TransferShares { .. } | Op::Ceded { ceded: Ceded::TransferCollateral { .. }, .. },
            Refusal::ZeroAddress,
        ) => error("ERC20InvalidReceiver(address)", &[address(&Address::ZERO)]),
        _ => data(refusal),
    }
}

/// Revert data of a refusal by an entry point of our own.
pub(crate) fn data(refusal: &Refusal) -> Vec<u8> {
    use Refusal as R;
    match refusal {
        R::OutOfRange { field, got } => {
            let mut name = B256::ZERO;
            name[..field.len()].copy_from_slice(field.as_bytes());
            error("OutOfRange(bytes32,uint256)", &[name, number(*got)])
        }
        R::ZeroAmount => error("ZeroAmount()", &[]),
        R::ZeroAddress => error("ZeroAddress()", &[]),
        R::Arithmetic(_) => error("Panic(uint256)", &[number(0x11_u64)]),
        R::ERC20InsufficientBalance { account, balance, needed } => error(
            "ERC20InsufficientBalance(address,uint256,uint256)",
            &[address(account), (*balance).into(), (*needed).into()],
        ),
        R::SafeERC20FailedOperation { token } => {
            error("SafeERC20FailedOperation(address)", &[address(token)])
        }
        R::ERC721NonexistentToken { id } => error("ERC721NonexistentToken(uint256)", &[number(*id)]),
        R::AlreadyListed { id } => error("AlreadyListed(bytes32)", &[*id]),
        R::UnknownGauge { gauge } => error("UnknownGauge(bytes32)", &[*gauge]),
        R::UnknownProduct { product } => error("UnknownProduct(bytes32)", &[*product]),
        R::AlreadyRegistered { pool } => error("AlreadyRegistered(address)", &[address(pool)]),
        R::NotAPool { pool } => error("NotAPool(address)", &[address(pool)]),
        R::TooManyPools { gauge, limit } => {
            error("TooManyPools(bytes32,uint256)", &[*gauge, number(*limit as u64)])
        }
        _ => of_incidents(refusal),
    }
}

fn of_incidents(refusal: &Refusal) -> Vec<u8> {
    use Refusal as R;
    match refusal {
        R::NotRung { caller, rung } => {
            error("NotRung(address,uint8)", &[address(caller), number(*rung as u64)])
        }
        R::NotThisRung { expected, caller } => {
            error("NotThisRung(address,address)", &[address(expected), address(caller)])
        }
        R::UnknownIncident { id } => error("UnknownIncident(uint256)", &[number(*id)]),
        R::BadMeasurement { onset, reading, base, loss } => error(
            "BadMeasurement(uint256,uint256,uint256,uint256)",
            &[number(onset.0), number(reading.0), number(*base), number(*loss)],
        ),
        R::NotMined { reading, head } => two("NotMined(uint256,uint256)", reading.0, head.0),
        R::ReadingTooLate { reading, last } => two("ReadingTooLate(uint256,uint256)", reading.0, last.0),
        R::AlreadyDwelling { id } => error("AlreadyDwelling(uint256)", &[number(*id)]),
        R::OnsetTooEarly { onset, least } => two("OnsetTooEarly(uint256,uint256)", onset.0, least.0),
        R::ReadingTooEarly { reading, least } => two("ReadingTooEarly(uint256,uint256)", reading.0, least.0),
        R::BelowThreshold { lambda, threshold } => {
            error("BelowThreshold(uint256,uint256)", &[(*lambda).into(), (*threshold).into()])
        }
        R::NotDwelling { id, status } => two("NotDwelling(uint256,uint8)", *id, *status as u64),
        R::DwellOver { id, dwell_end, head } => {
            three("DwellOver(uint256,uint256,uint256)", *id, dwell_end.0, head.0)
        }
        R::DwellNotOver { id, dwell_end, head } => {
            three("DwellNotOver(uint256,uint256,uint256)", *id, dwell_end.0, head.0)
        }
        R::SpanOver { id, span_end, head } => {
            three("SpanOver(uint256,uint256,uint256)", *id, span_end.0, head.0)
        }
        R::RevisionBackwards { id, onset, reading } => {
            three("RevisionBackwards(uint256,uint256,uint256)", *id, onset.0, reading.0)
        }
        R::NothingNew { id } => error("NothingNew(uint256)", &[number(*id)]),
        R::IncidentNotOpen { id, status } => two("IncidentNotOpen(uint256,uint8)", *id, *status as u64),
        R::ClaimsOver { id, claims_end } => two("ClaimsOver(uint256,uint256)", *id, claims_end.0),
        R::RungNotAllowed { gauge, rung } => {
            error("RungNotAllowed(bytes32,uint8)", &[*gauge, number(*rung as u64)])
        }
        R::OutsideDispute { loss, least, most } => {
            three("OutsideDispute(uint128,uint128,uint128)", *loss, *least, *most)
        }
        R::NotGuardian { caller } => error("NotGuardian(address)", &[address(caller)]),
        R::NotDelayed { id } => error("NotDelayed(uint256)", &[number(*id)]),
        R::NotDisputed { id, status } => two("NotDisputed(uint256,uint8)", *id, *status as u64),
        R::IncidentNotOver { id, claims_end } => two("IncidentNotOver(uint256,uint256)", *id, claims_end.0),
        _ => of_policies(refusal),
    }
}

fn of_policies(refusal: &Refusal) -> Vec<u8> {
    use Refusal as R;
    match refusal {
        R::DeadlinePassed { deadline, time } => two("DeadlinePassed(uint256,uint256)", deadline.0, time.0),
        R::NotRegistrant { expected, got } => {
            error("NotRegistrant(address,address)", &[address(expected), address(got)])
        }
        R::SumBelowMinimum { sum, minimum } => two("SumBelowMinimum(uint256,uint256)", *sum, *minimum),
        R::NoConsent { position } => error("NoConsent(address)", &[address(position)]),
        R::WrongAsset { expected, got } => {
            error("WrongAsset(address,address)", &[address(expected), address(got)])
        }
        R::FeeTooHigh { most, got } => two("FeeTooHigh(uint256,uint256)", *most, *got),
        R::PremiumAbove { premium, maximum } => {
            error("PremiumAbove(uint256,uint256)", &[(*premium).into(), (*maximum).into()])
        }
        R::NotHolder { id, caller } => error("NotHolder(uint256,address)", &[number(*id), address(caller)]),
        R::NotIncepted { id, inception } => two("NotIncepted(uint256,uint256)", *id, inception.0),
        R::Expired { id, expiry } => two("Expired(uint256,uint256)", *id, expiry.0),
        R::Frozen { id } => error("Frozen(uint256)", &[number(*id)]),
        R::NotLower { new_sum, sum } => two("NotLower(uint256,uint256)", *new_sum, *sum),
        R::StillOwed { id, due, paid } => {
            three("StillOwed(uint256,uint256,uint256)", u128::from(*id), *due, *paid)
        }
        R::WrongGauge { expected, got } => error("WrongGauge(bytes32,bytes32)", &[*expected, *got]),
        R::NotTouched { id, incident } => two("NotTouched(uint256,uint256)", *id, *incident),
        R::StillDwelling { incident, dwell_end } => {
            two("StillDwelling(uint256,uint256)", *incident, dwell_end.0)
        }
        R::NothingToPay { id, incident } => two("NothingToPay(uint256,uint256)", *id, *incident),
        _ => of_pools(refusal),
    }
}

fn of_pools(refusal: &Refusal) -> Vec<u8> {
    use Refusal as R;
    match refusal {
        R::NotCurator { caller } => error("NotCurator(address)", &[address(caller)]),
        R::PoolIsClosed { closed_at } => error("PoolIsClosed(uint256)", &[number(closed_at.0)]),
        R::TooManyProducts { gauge, limit } => {
            error("TooManyProducts(bytes32,uint256)", &[*gauge, number(*limit as u64)])
        }
        R::LockTooSmall { needed, value } => {
            error("LockTooSmall(uint256,uint256)", &[(*needed).into(), (*value).into()])
        }
        R::NotEffective { product, effective_at } => {
            error("NotEffective(bytes32,uint256)", &[*product, number(effective_at.0)])
        }
        R::BadExpiry { expiry } => error("BadExpiry(uint256)", &[number(expiry.0)]),
        R::TermOutOfRange { term, least, most } => {
            three("TermOutOfRange(uint256,uint256,uint256)", *term, *least, *most)
        }
        R::WrongInception { expected, got } => two("WrongInception(uint256,uint256)", expected.0, got.0),
        R::CapExceeded { product, wanted, cap } => {
            error("CapExceeded(bytes32,uint256,uint256)", &[*product, number(*wanted), number(*cap)])
        }
        R::CapacityExceeded { wanted, capacity } => {
            two("CapacityExceeded(uint256,uint256)", *wanted, *capacity)
        }
        R::UnknownBooking { incident } => error("UnknownBooking(uint256)", &[number(*incident)]),
        R::BookingIsClosed { incident } => error("BookingIsClosed(uint256)", &[number(*incident)]),
        R::ClaimsOpen { incident, claims_end } => two("ClaimsOpen(uint256,uint256)", *incident, claims_end.0),
        R::NothingOwed { account } => error("NothingOwed(address)", &[address(account)]),
        _ => of_tranches(refusal),
    }
}

fn of_tranches(refusal: &Refusal) -> Vec<u8> {
    use Refusal as R;
    match refusal {
        R::SharesLocked { locked, left } => {
            error("SharesLocked(uint256,uint256)", &[(*locked).into(), (*left).into()])
        }
        R::NotOwner { owner, caller } => {
            error("NotOwner(address,address)", &[address(owner), address(caller)])
        }
        R::TrancheIsClosed => error("TrancheIsClosed()", &[]),
        R::NotProcessed { request_id } => error("NotProcessed(uint256)", &[number(*request_id)]),
        R::NothingToClaim { request_id, controller } => {
            error("NothingToClaim(uint256,address)", &[number(*request_id), address(controller)])
        }
        R::NothingMatured { epoch } => error("NothingMatured(uint256)", &[number(*epoch)]),
        R::NothingToRecover { incident, account } => {
            error("NothingToRecover(uint256,address)", &[number(*incident), address(account)])
        }
        _ => of_treaties(refusal),
    }
}

fn of_treaties(refusal: &Refusal) -> Vec<u8> {
    use Refusal as R;
    match refusal {
        R::NotATreaty { treaty } => error("NotATreaty(address)", &[address(treaty)]),
        R::AlreadyCeding { treaty } => error("AlreadyCeding(address)", &[address(treaty)]),
        R::TooManyTreaties { limit } => error("TooManyTreaties(uint256)", &[number(*limit as u64)]),
        R::NotCeding { treaty } => error("NotCeding(address)", &[address(treaty)]),
        R::TreatyRuns { treaty, until, encumbered } => error(
            "TreatyRuns(address,uint256,uint256)",
            &[address(treaty), number(until.0), number(*encumbered)],
        ),
        R::ERC4626ExceededMaxDeposit { receiver, assets, max } => error(
            "ERC4626ExceededMaxDeposit(address,uint256,uint256)",
            &[address(receiver), (*assets).into(), (*max).into()],
        ),
        R::ERC4626ExceededMaxRedeem { owner, shares, max } => error(
            "ERC4626ExceededMaxRedeem(address,uint256,uint256)",
            &[address(owner), (*shares).into(), (*max).into()],
        ),
        R::NothingReturned { incident, account } => {
            error("NothingReturned(uint256,address)", &[number(*incident), address(account)])
        }
        R::BookingIsOpen { incident } => error("BookingIsOpen(uint256)", &[number(*incident)]),
        _ => of_underwriting(refusal),
    }
}

fn of_underwriting(refusal: &Refusal) -> Vec<u8> {
    use Refusal as R;
    match refusal {
        R::NotCertified { id } => error("NotCertified(bytes32)", &[*id]),
        R::ClusterExceeded { cluster, wanted, cap } => {
            error("ClusterExceeded(bytes32,uint256,uint256)", &[*cluster, number(*wanted), number(*cap)])
        }
        R::ZeroCluster { id } => error("ZeroCluster(bytes32)", &[*id]),
        R::ClusterIsSet { id, cluster } => error("ClusterIsSet(bytes32,bytes32)", &[*id, *cluster]),
        R::CreditOutOfRange { most, got } => {
            error("CreditOutOfRange(int256,int256)", &[signed(*most), signed(*got)])
        }
        R::ValidTooLong { most, valid_until } => two("ValidTooLong(uint256,uint256)", most.0, valid_until.0),
        R::NotYetValid { valid_from, time } => two("NotYetValid(uint64,uint256)", valid_from.0, time.0),
        R::NoLongerValid { valid_until, time } => two("NoLongerValid(uint64,uint256)", valid_until.0, time.0),
        R::NonceUsed { least, got } => two("NonceUsed(uint256,uint256)", *least, *got),
        R::CapsNotAscending { previous, next } => {
            error("CapsNotAscending(bytes32,bytes32)", &[*previous, *next])
        }
        R::PostedTooSoon { product, least, time } => {
            error("PostedTooSoon(bytes32,uint256,uint256)", &[*product, number(least.0), number(time.0)])
        }
        // A refusal that no contract here knows: the comparison then fails on it.
        other => panic!("no error of the contracts is known for {other:?}"),
    }
}

fn error(signature: &str, words: &[Word]) -> Vec<u8> {
    let mut data = selector(signature).to_vec();
    words.iter().for_each(|word| data.extend_from_slice(word.as_slice()));
    data
}

fn selector(signature: &str) -> [u8; 4] {
    let hash = keccak256(signature);
    [hash[0], hash[1], hash[2], hash[3]]
}

fn two(signature: &str, a: impl Into<u128>, b: impl Into<u128>) -> Vec<u8> {
    error(signature, &[number(a), number(b)])
}

fn three(signature: &str, a: impl Into<u128>, b: impl Into<u128>, c: impl Into<u128>) -> Vec<u8> {
    error(signature, &[number(a), number(b), number(c)])
}

fn number(value: impl Into<u128>) -> Word {
    U256::from(value.into()).into()
}

fn signed(value: i64) -> Word {
    let size = U256::from(value.unsigned_abs());
    if value < 0 { size.wrapping_neg() } else { size }.into()
}

fn address(account: &Address) -> Word {
    account.into_word()
}
