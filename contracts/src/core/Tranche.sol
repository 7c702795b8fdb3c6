// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {IERC7540Deposit, IERC7540Redeem} from "../interfaces/IAsyncVault.sol";
import {IPool} from "../interfaces/IPool.sol";
import {IPoolCapital} from "../interfaces/IPoolCapital.sol";
import {ITranche} from "../interfaces/ITranche.sol";
import {Requests} from "./Requests.sol";

/// @title Tranche
/// @notice Shares of one layer of its pool. It holds no assets: the pool holds them and says what the layer is worth.
/// @dev Entry points that need the pool call it first or last and are guarded; what the pool calls is not, because
///      it is called in the middle of an entry point of either.
contract Tranche is Requests {
    using Checkpoints for Checkpoints.Trace208;
    using SafeCast for uint256;
    using SafeERC20 for IERC20;

    /// @dev The deposits of one epoch. Shares and assets are those of the whole epoch and stay for later claims.
    struct Batch {
        uint128 assets;
        uint48 processedAt; // block; zero: pending
        bool returned; // refused: the assets go back
        uint256 shares;
    }

    struct Entry {
        uint128 assets;
        uint48 claimedAt; // block; zero: not claimed
    }

    /// @dev The redemptions that become payable in one epoch. Closed to new requests by then.
    struct Cohort {
        uint208 shares; // all that were requested
        uint48 firstBurnAt; // block; zero: none
        uint128 cap; // most that the remaining shares may be paid
        uint128 paid; // assets, over all payments
        uint256 lookedAt; // epoch of the last payment, or attempt
        Checkpoints.Trace208 remaining; // by block; these shares stand in the balance of this contract
    }

    struct Request {
        uint128 claimed; // assets
        Checkpoints.Trace208 shares; // by block
    }

    struct Recovery {
        uint208 shares; // minted for the incident so far
        uint48 snapshot; // the block whose end decides who gets them
    }

    /// @dev Batches that one accrual turns into shares at most: its price must not depend on how long a booking dwelt.
    uint256 private constant MOST_BATCHES = 8;
    /// @dev After the end of its epoch, until a deposit that was not taken in may be fetched.
    uint256 private constant PATIENCE = 30 days;
    /// @dev Holders of shares that nobody has claimed yet. No key can be known for hashes like these.
    address public constant DEPOSITS = address(uint160(uint256(keccak256("breakwater.tranche.deposits"))));
    address public constant RECOVERIES =
        address(uint160(uint256(keccak256("breakwater.tranche.recoveries"))));

    /// @dev Epochs of the batches, ascending; those before the head are processed.
    uint256[] private _batchEpochs;
    uint256 private _batchHead;
    mapping(uint256 requestId => Batch) public batches;
    mapping(uint256 requestId => mapping(address controller => Entry)) public deposits;

    /// @dev Payable epochs of the cohorts, ascending; those before the head have no shares left.
    uint256[] private _cohortEpochs;
    uint256 private _cohortHead;
    mapping(uint256 requestId => Cohort) private _cohorts;
    mapping(uint256 requestId => mapping(address controller => Request)) private _requests;

    mapping(uint256 incident => Recovery) public recoveries;
    mapping(uint256 incident => mapping(address account => uint256 shares)) private _recovered;
    mapping(uint256 incident => mapping(uint256 requestId => mapping(address controller => uint256))) private
        _queueRecovered;

    // ----- in -----

    /// @inheritdoc IERC7540Deposit
    function requestDeposit(uint256 assets, address controller, address owner)
        external
        nonReentrant
        returns (uint256 requestId)
    {
        if (assets == 0) revert ZeroAmount();
        if (controller == address(0)) revert ZeroAddress();
        _checkOwner(owner);
        IPool(pool()).accrue();
        if (!_takesDeposits(totalAssets())) revert TrancheIsClosed();
        requestId = block.timestamp / _epoch();
        Batch storage batch = batches[requestId];
        if (batch.assets == 0) _batchEpochs.push(requestId);
        uint128 added = assets.toUint128();
        batch.assets += added;
        Entry storage own = deposits[requestId][controller];
        if (own.assets == 0) _noteEntry(requestId, controller);
        own.assets += added;
        emit DepositRequest(controller, owner, requestId, msg.sender, assets);
        IPoolCapital(pool()).takeDeposit(owner, assets);
    }

    /// @inheritdoc ITranche
    function claimDeposit(uint256 requestId, address controller)
        external
        nonReentrant
        returns (uint256 shares)
    {
        IPool(pool()).accrue();
        Batch storage batch = batches[requestId];
        Entry storage own = deposits[requestId][controller];
        if (batch.assets != 0 && batch.processedAt == 0) _refuse(batch, requestId);
        if (own.assets == 0 || own.claimedAt != 0) revert NothingToClaim(requestId, controller);
        if (!batch.returned) return _takeEntry(requestId, controller, controller);
        own.claimedAt = uint48(block.number);
        emit DepositClaimed(controller, requestId, 0);
        IPoolCapital(pool()).returnDeposit(controller, own.assets);
    }

    /// @inheritdoc ITranche
    function processDeposits() external onlyPool returns (uint256 assets) {
        (uint256 now_, uint256 before) = (block.timestamp / _epoch(), totalAssets());
        // Mostly one: many only after a long dwell, and the rest of them then waits for the next epoch.
        for (uint256 n; n < MOST_BATCHES; ++n) {
            uint256 head = _batchHead;
            if (head == _batchEpochs.length || _batchEpochs[head] >= now_) break;
            _batchHead = head + 1;
            uint256 requestId = _batchEpochs[head];
            Batch storage batch = batches[requestId];
            if (batch.returned) continue;
            batch.processedAt = uint48(block.number);
            uint256 shares =
                _takesDeposits(before + assets) ? _toShares(batch.assets, before + assets, totalSupply()) : 0;
            if (shares == 0) {
                batch.returned = true;
                emit DepositsReturned(requestId, batch.assets);
                continue;
            }
            batch.shares = shares;
            assets += batch.assets;
            _mint(DEPOSITS, shares);
            emit DepositsProcessed(requestId, batch.assets, shares);
        }
    }

    /// @inheritdoc ITranche
    function pull(address owner, uint256 assets) external onlyPool {
        IERC20(asset()).safeTransferFrom(owner, pool(), assets);
    }

    // ----- out -----

    /// @inheritdoc IERC7540Redeem
    function requestRedeem(uint256 shares, address controller, address owner)
        external
        nonReentrant
        returns (uint256 requestId)
    {
        if (controller == address(0)) revert ZeroAddress();
        _checkOwner(owner);
        IPool(pool()).accrue();
        uint256 value = convertToAssets(shares);
        if (value == 0) revert ZeroAmount();
        _transfer(owner, address(this), shares);
        // The cooldown, then one whole epoch at least.
        requestId = (block.timestamp + _cooldown()) / _epoch() + 2;
        Cohort storage cohort = _cohorts[requestId];
        if (cohort.shares == 0) _cohortEpochs.push(requestId);
        cohort.shares += shares.toUint208();
        cohort.cap += value.toUint128();
        _pushBy(cohort.remaining, int256(shares));
        Request storage own = _requests[requestId][controller];
        if (own.shares.latest() == 0) _noteExit(requestId, controller);
        _pushBy(own.shares, int256(shares));
        emit RedeemRequest(controller, owner, requestId, msg.sender, shares);
    }

    /// @inheritdoc ITranche
    function processRedemptions() external nonReentrant returns (uint256 assets) {
        bool looked;
        (assets, looked) = IPoolCapital(pool()).payExits();
        if (!looked) revert NothingMatured(block.timestamp / _epoch());
    }

    /// @inheritdoc ITranche
    function payCohort(uint256 exitable) external onlyPool returns (uint256 assets, bool looked) {
        if (_cohortHead == _cohortEpochs.length) return (0, false);
        uint256 requestId = _cohortEpochs[_cohortHead];
        Cohort storage cohort = _cohorts[requestId];
        uint256 now_ = block.timestamp / _epoch();
        if (requestId > now_ || cohort.lookedAt == now_) return (0, false);
        cohort.lookedAt = now_;
        uint256 remaining = cohort.remaining.latest();
        (uint256 before, uint256 supply) = (totalAssets(), totalSupply());
        uint256 want = Math.min(_toAssets(remaining, before, supply), cohort.cap);
        // Worth nothing: dust leaves so that it stops nobody, but a layer that may come back is waited for.
        if (want == 0 && !_priced(before)) return (0, true);
        assets = Math.min(want, exitable);
        uint256 burned = want == 0 ? remaining : Math.mulDiv(remaining, assets, want, Math.Rounding.Ceil);
        _burnQueued(cohort, burned);
        remaining -= burned;
        cohort.paid += uint128(assets);
        // What cannot be paid earns again until it is next looked at.
        cohort.cap = _toAssets(remaining, before - assets, supply - burned).toUint128();
        if (remaining == 0) ++_cohortHead;
        emit RedemptionsProcessed(requestId, burned, assets, remaining);
        return (assets, true);
    }

    /// @inheritdoc ITranche
    function claimRedeem(uint256 requestId, address controller)
        external
        nonReentrant
        returns (uint256 assets)
    {
        assets = _exitOf(requestId, controller).assets;
        if (assets == 0) revert NothingToClaim(requestId, controller);
        _takeExit(requestId, controller, assets);
        _sendExit(controller, assets);
    }

    // ----- what comes back -----

    /// @inheritdoc ITranche
    function mintRecovery(uint256 incident, uint256 openedAt, uint256 assets)
        external
        onlyPool
        returns (bool held, uint256 shares)
    {
        uint256 snapshot = openedAt - 1;
        if (_claimantsAt(snapshot) == 0) return (false, 0);
        uint256 before = totalAssets();
        // At almost no price a mint would only overflow: the rest of the price comes back instead.
        if (!_priced(before)) return (true, 0);
        uint256 supply = totalSupply();
        shares = _toShares(assets, Math.max(before, assets / 1_000), supply);
        // The traces hold 208 bits, and a release must not fail.
        shares = Math.min(shares, type(uint208).max - supply);
        Recovery storage recovery = recoveries[incident];
        // What was minted for one incident is at most the supply.
        recovery.shares = uint208(recovery.shares + shares);
        recovery.snapshot = uint48(snapshot);
        _mint(RECOVERIES, shares);
        return (true, shares);
    }

    /// @inheritdoc ITranche
    function claimRecovery(uint256 incident, address account) external nonReentrant returns (uint256 shares) {
        Recovery memory recovery = recoveries[incident];
        bool nobody = account == address(this) || account == DEPOSITS || account == RECOVERIES;
        uint256 held = nobody ? 0 : balanceAt(account, recovery.snapshot);
        uint256 got = _recovered[incident][account];
        shares = _part(recovery, held, got);
        if (shares == 0) revert NothingToRecover(incident, account);
        _recovered[incident][account] = got + shares;
        _recover(account, shares);
        emit RecoveryClaimed(incident, account, shares);
    }

    /// @inheritdoc ITranche
    function claimQueuedRecovery(uint256 incident, uint256 requestId, address controller)
        external
        nonReentrant
        returns (uint256 shares)
    {
        Recovery memory recovery = recoveries[incident];
        uint256 held = _queuedAt(requestId, controller, recovery.snapshot);
        uint256 got = _queueRecovered[incident][requestId][controller];
        shares = _part(recovery, held, got);
        if (shares == 0) revert NothingToRecover(incident, controller);
        _queueRecovered[incident][requestId][controller] = got + shares;
        _recover(controller, shares);
        emit QueuedRecoveryClaimed(incident, requestId, controller, shares);
    }

    /// @inheritdoc ITranche
    function burnLocked(address account, uint256 shares) external onlyPool {
        _burn(account, shares);
    }

    // ----- views -----

    /// @inheritdoc IERC7540Deposit
    function pendingDepositRequest(uint256 requestId, address controller) external view returns (uint256) {
        return batches[requestId].processedAt == 0 ? deposits[requestId][controller].assets : 0;
    }

    /// @inheritdoc IERC7540Redeem
    function pendingRedeemRequest(uint256 requestId, address controller) external view returns (uint256) {
        Cohort storage cohort = _cohorts[requestId];
        uint256 shares = _requests[requestId][controller].shares.latest();
        if (shares == 0) return 0;
        return Math.mulDiv(cohort.remaining.latest(), shares, cohort.shares, Math.Rounding.Ceil);
    }

    /// @notice A cohort: shares requested and left, the cap of those left, assets paid, epoch of the last look.
    function cohorts(uint256 requestId)
        external
        view
        returns (uint256 shares, uint256 remaining, uint256 cap, uint256 paid, uint256 lookedAt)
    {
        Cohort storage c = _cohorts[requestId];
        return (c.shares, c.remaining.latest(), c.cap, c.paid, c.lookedAt);
    }

    /// @notice A redemption: shares requested and assets claimed.
    function requests(uint256 requestId, address controller)
        external
        view
        returns (uint256 shares, uint256 claimed)
    {
        Request storage r = _requests[requestId][controller];
        return (r.shares.latest(), r.claimed);
    }

    /// @notice Shares claimed of a recovery, by an account and from the queues.
    function recovered(uint256 incident, uint256 requestId, address account)
        external
        view
        returns (uint256 held, uint256 queued)
    {
        return (_recovered[incident][account], _queueRecovered[incident][requestId][account]);
    }

    // ----- inside -----

    function _entryOf(uint256 requestId, address controller)
        internal
        view
        override
        returns (Claimable memory c)
    {
        Batch storage batch = batches[requestId];
        Entry storage own = deposits[requestId][controller];
        c.last = batch.processedAt != 0 || own.assets == 0;
        // What was refused goes back by `claimDeposit`.
        if (batch.processedAt == 0 || batch.returned || own.claimedAt != 0 || own.assets == 0) return c;
        (c.assets, c.shares) = (own.assets, _sharesOf(batch, own));
    }

    function _exitOf(uint256 requestId, address controller)
        internal
        view
        override
        returns (Claimable memory c)
    {
        Cohort storage cohort = _cohorts[requestId];
        Request storage own = _requests[requestId][controller];
        uint256 shares = own.shares.latest();
        if (shares == 0) return Claimable(0, 0, true);
        uint256 left = cohort.remaining.latest();
        uint256 paid = Math.mulDiv(cohort.paid, shares, cohort.shares);
        (c.assets, c.last) = (paid - own.claimed, left == 0);
        if (c.assets == 0) return c;
        // The part of its burned shares that the assets are of what it was paid. Rounded down.
        uint256 burned = shares - Math.mulDiv(left, shares, cohort.shares, Math.Rounding.Ceil);
        c.shares = Math.mulDiv(burned, c.assets, paid);
    }

    function _takeEntry(uint256 requestId, address controller, address receiver)
        internal
        override
        returns (uint256 shares)
    {
        Entry storage own = deposits[requestId][controller];
        own.claimedAt = uint48(block.number);
        shares = _sharesOf(batches[requestId], own);
        _transfer(DEPOSITS, receiver, shares);
        emit DepositClaimed(controller, requestId, shares);
    }

    function _takeExit(uint256 requestId, address controller, uint256 assets) internal override {
        // At most what the cohort was paid, which has 128 bits.
        _requests[requestId][controller].claimed += uint128(assets);
        emit RedeemClaimed(controller, requestId, assets);
    }

    function _sendExit(address receiver, uint256 assets) internal override {
        IPoolCapital(pool()).sendRedemption(receiver, assets);
    }

    /// @dev Nobody's money is kept waiting for ever: deposits that could not be taken in for so long go back.
    function _refuse(Batch storage batch, uint256 requestId) private {
        if (block.timestamp < (requestId + 1) * _epoch() + PATIENCE) revert NotProcessed(requestId);
        (batch.processedAt, batch.returned) = (uint48(block.number), true);
        emit DepositsReturned(requestId, batch.assets);
    }

    function _recover(address account, uint256 shares) private {
        _transfer(RECOVERIES, account, shares);
        if (account == _curator()) IPoolCapital(pool()).lockRecovered(shares);
    }

    function _burnQueued(Cohort storage cohort, uint256 shares) private {
        if (shares == 0) return;
        if (cohort.firstBurnAt == 0) cohort.firstBurnAt = uint48(block.number);
        _pushBy(cohort.remaining, -int256(shares));
        _burn(address(this), shares);
    }

    function _part(Recovery memory recovery, uint256 held, uint256 got) private view returns (uint256) {
        if (held == 0) return 0;
        return Math.mulDiv(recovery.shares, held, _claimantsAt(recovery.snapshot)) - got;
    }

    /// @dev Shares at the end of a block whose holders can be named.
    function _claimantsAt(uint256 number) private view returns (uint256) {
        return supplyAt(number) - balanceAt(RECOVERIES, number);
    }

    /// @dev What stood under a requestId at the end of a block, in both queues.
    function _queuedAt(uint256 requestId, address controller, uint48 number)
        private
        view
        returns (uint256 shares)
    {
        Cohort storage cohort = _cohorts[requestId];
        Request storage own = _requests[requestId][controller];
        bool whole = cohort.firstBurnAt == 0 || cohort.firstBurnAt > number;
        // Before its first payment a cohort may still have grown since; later its parts are fixed.
        shares = whole
            ? own.shares.upperLookupRecent(number)
            : Math.mulDiv(cohort.remaining.upperLookupRecent(number), own.shares.latest(), cohort.shares);

        Batch storage batch = batches[requestId];
        Entry storage deposit = deposits[requestId][controller];
        bool unclaimed = deposit.claimedAt == 0 || deposit.claimedAt > number;
        bool processed = batch.processedAt != 0 && batch.processedAt <= number && !batch.returned;
        if (processed && unclaimed) shares += _sharesOf(batch, deposit);
    }

    function _sharesOf(Batch storage batch, Entry storage own) private view returns (uint256) {
        return Math.mulDiv(batch.shares, own.assets, batch.assets);
    }

    function _takesDeposits(uint256 assets) private view returns (bool) {
        return _priced(assets) && IPool(pool()).closedAt() == 0;
    }
}
