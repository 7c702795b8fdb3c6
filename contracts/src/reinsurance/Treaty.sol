// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {Cession, ICedant, ITreaty, TreatyTerms} from "../interfaces/ITreaty.sol";
import {Layer} from "./Layer.sol";

/// @title Treaty
/// @notice Roles: the cedant locks, draws and gives back; everyone else deposits and, when nothing can be lost any
///         more, leaves. Terms stand in the clone's code and never change. Rules are in docs/capital.md, "Treaties".
/// @dev Money identity, at every moment: balance >= assets + returns, and assets >= encumbered. Coins that somebody
///      just sends in are counted nowhere.
/// @dev What the cedant calls is not guarded and does no arithmetic that could fail: a claim must not hang on it.
contract Treaty is ITreaty, ERC4626, ReentrancyGuardTransient {
    using Checkpoints for Checkpoints.Trace208;
    using Layer for TreatyTerms;
    using SafeCast for uint256;
    using SafeERC20 for IERC20;

    /// @dev Of one treaty year.
    struct Year {
        uint256 losses; // of an aggregate treaty
        uint256 covered;
    }

    uint256 private constant YEAR = 365 days;
    /// @dev Shares are sold while assets * PRICE_FLOOR >= shares, that is down to a millionth of the first price.
    uint256 private constant PRICE_FLOOR = 1e12;

    // One word. `_assets` is collateral and premium that has come in, the encumbered part too.
    uint128 private _assets;
    uint128 private _encumbered;
    uint128 private _returns;
    mapping(uint256 incident => Cession) private _cessions;
    mapping(uint256 year => Year) private _years;
    mapping(uint256 incident => mapping(address account => uint256)) private _claimed;
    mapping(address account => Checkpoints.Trace208) private _balances;
    Checkpoints.Trace208 private _supply;

    /// @dev Only clones have terms; every function of the contract with the code fails for want of them.
    constructor() ERC20("Breakwater Treaty", "BW-T") ERC4626(IERC20(address(0))) {}

    modifier onlyCedant() {
        if (msg.sender != terms().cedant) revert NotCedant(msg.sender);
        _;
    }

    // ----- the cedant -----

    /// @inheritdoc ITreaty
    function encumber(uint256 incident, uint64 onset, uint128 loss)
        external
        onlyCedant
        returns (uint128 covered)
    {
        TreatyTerms memory t = terms();
        Cession storage c = _cessions[incident];
        bool inside = onset >= t.start && onset < t.end;
        if (c.snapshot == 0) {
            if (loss == 0 || !inside || block.timestamp >= _freeFrom(t)) return 0;
            _open(c, incident, (onset - t.start) / YEAR, t.aggregate);
        }
        // An onset that was moved out of the term takes the loss with it.
        if (!c.settled) _cover(t, c, incident, onset, inside ? loss : 0);
        return c.covered;
    }

    /// @inheritdoc ITreaty
    function draw(uint256 incident, uint128 due) external onlyCedant returns (uint128 sent) {
        return _draw(terms(), _cessions[incident], incident, due);
    }

    /// @inheritdoc ITreaty
    function settle(uint256 incident, uint128 due)
        external
        onlyCedant
        returns (uint128 covered, uint128 sent)
    {
        Cession storage c = _cessions[incident];
        if (c.snapshot != 0 && !c.settled) {
            TreatyTerms memory t = terms();
            _cover(t, c, incident, 0, uint128(Math.min(due, c.loss)));
            c.settled = true;
            emit Settled(incident, due);
            sent = _draw(t, c, incident, due);
        }
        return (c.covered, sent);
    }

    /// @inheritdoc ITreaty
    function giveBack(uint256 incident, uint128 amount) external onlyCedant {
        Cession storage c = _cessions[incident];
        amount = _arrived(amount);
        // Without holders at the snapshot it is nobody's but the vault's.
        bool toHolders = c.snapshot != 0 && supplyAt(c.snapshot) != 0;
        if (toHolders) {
            c.returned += amount;
            _returns += amount;
        } else {
            _assets += amount;
        }
        emit Returned(incident, amount, toHolders);
    }

    /// @inheritdoc ITreaty
    function receivePremium(uint128 amount) external onlyCedant {
        amount = _arrived(amount);
        _assets += amount;
        emit PremiumReceived(amount);
    }

    // ----- reinsurers -----

    /// @notice Collects the premium first, so that nobody buys into what others earned.
    function deposit(uint256 assets, address receiver)
        public
        override(ERC4626, IERC4626)
        nonReentrant
        returns (uint256)
    {
        _collect();
        return super.deposit(assets, receiver);
    }

    /// @notice As `deposit`.
    function mint(uint256 shares, address receiver)
        public
        override(ERC4626, IERC4626)
        nonReentrant
        returns (uint256)
    {
        _collect();
        return super.mint(shares, receiver);
    }

    /// @notice Collects the premium first, so that nobody leaves his part of it behind.
    function withdraw(uint256 assets, address receiver, address owner)
        public
        override(ERC4626, IERC4626)
        nonReentrant
        returns (uint256)
    {
        _collect();
        return super.withdraw(assets, receiver, owner);
    }

    /// @notice As `withdraw`.
    function redeem(uint256 shares, address receiver, address owner)
        public
        override(ERC4626, IERC4626)
        nonReentrant
        returns (uint256)
    {
        _collect();
        return super.redeem(shares, receiver, owner);
    }

    /// @inheritdoc ITreaty
    function claimReturn(uint256 incident) external nonReentrant returns (uint256 amount) {
        address account = msg.sender;
        Cession storage c = _cessions[incident];
        uint256 held = c.returned == 0 ? 0 : balanceAt(account, c.snapshot);
        uint256 got = _claimed[incident][account];
        if (held != 0) amount = Math.mulDiv(c.returned, held, supplyAt(c.snapshot)) - got;
        if (amount == 0) revert NothingReturned(incident, account);
        _claimed[incident][account] = got + amount;
        // Both are parts of what was returned.
        c.claimed += uint128(amount);
        _returns -= uint128(amount);
        emit ReturnClaimed(incident, account, amount);
        IERC20(asset()).safeTransfer(account, amount);
    }

    // ----- views -----

    /// @notice Zero from the end on, while something is encumbered or the cedant has a booking that dwells, and when
    ///         shares are worth almost nothing: the price would be another than what stands behind the shares. Nor
    ///         does the cedant reinsure itself.
    function maxDeposit(address receiver) public view override(ERC4626, IERC4626) returns (uint256) {
        TreatyTerms memory t = terms();
        (, bool dwelling) = ICedant(t.cedant).cedes(address(this));
        bool closed = block.timestamp >= t.end || _encumbered != 0 || dwelling || receiver == t.cedant;
        if (closed || totalAssets() * PRICE_FLOOR < totalSupply()) return 0;
        return type(uint128).max - _assets;
    }

    /// @notice As `maxDeposit`, in shares.
    function maxMint(address receiver) public view override(ERC4626, IERC4626) returns (uint256) {
        return _convertToShares(maxDeposit(receiver), Math.Rounding.Floor);
    }

    /// @notice Zero while the cedant cedes to the treaty, until the notice after its end is over; and while a booking
    ///         of the cedant dwells: nobody leaves before a loss is booked.
    function maxRedeem(address owner) public view override(ERC4626, IERC4626) returns (uint256) {
        TreatyTerms memory t = terms();
        (bool attached, bool dwelling) = ICedant(t.cedant).cedes(address(this));
        if (attached && (dwelling || block.timestamp < _freeFrom(t))) return 0;
        return balanceOf(owner);
    }

    /// @notice What is not encumbered, as of the last collection of premium.
    function totalAssets() public view override(ERC4626, IERC4626) returns (uint256) {
        return _assets - _encumbered;
    }

    /// @inheritdoc IERC4626
    function asset() public view override(ERC4626, IERC4626) returns (address) {
        return terms().asset;
    }

    /// @notice Six more than the asset.
    function decimals() public view override(ERC4626, IERC20Metadata) returns (uint8) {
        (bool known, uint8 assetDecimals) = SafeERC20.tryGetDecimals(IERC20(asset()));
        return (known ? assetDecimals : 18) + _decimalsOffset();
    }

    function name() public pure override(ERC20, IERC20Metadata) returns (string memory) {
        return "Breakwater Treaty";
    }

    function symbol() public pure override(ERC20, IERC20Metadata) returns (string memory) {
        return "BW-T";
    }

    /// @inheritdoc ITreaty
    function terms() public view returns (TreatyTerms memory) {
        return abi.decode(Clones.fetchCloneArgs(address(this)), (TreatyTerms));
    }

    /// @inheritdoc ITreaty
    function cession(uint256 incident) external view returns (Cession memory) {
        return _cessions[incident];
    }

    /// @inheritdoc ITreaty
    function yearOf(uint256 year) external view returns (uint256 losses, uint256 covered) {
        return (_years[year].losses, _years[year].covered);
    }

    /// @inheritdoc ITreaty
    function encumbered() external view returns (uint256) {
        return _encumbered;
    }

    /// @inheritdoc ITreaty
    function returns_() external view returns (uint256) {
        return _returns;
    }

    /// @inheritdoc ITreaty
    function balanceAt(address account, uint256 number) public view returns (uint256) {
        return _balances[account].upperLookupRecent(number.toUint48());
    }

    /// @inheritdoc ITreaty
    function supplyAt(uint256 number) public view returns (uint256) {
        return _supply.upperLookupRecent(number.toUint48());
    }

    // ----- inside -----

    function _open(Cession storage c, uint256 incident, uint256 year, bool aggregate) private {
        c.snapshot = uint48(block.number - 1);
        // A treaty runs five years at most.
        c.year = uint16(year);
        if (aggregate) c.before = _years[year].losses;
        emit Opened(incident, year, c.before);
    }

    /// @dev Sets what is covered of `loss`; what is drawn stays covered. All sums are of 128-bit words.
    function _cover(TreatyTerms memory t, Cession storage c, uint256 incident, uint64 onset, uint128 loss)
        private
    {
        Year storage year = _years[c.year];
        // Nobody else asks for them, and a booking pays for every word.
        if (t.aggregate) year.losses = year.losses - c.loss + loss;
        (uint256 before, uint256 drawn) = (c.covered, c.drawn);
        uint256 others = year.covered - before;
        uint256 wanted = Math.min(t.part(loss, c.before), t.yearlyLimit - others);
        uint256 covered = Math.max(Math.min(wanted, before + totalAssets()), drawn);
        (c.loss, c.covered) = (loss, uint128(covered));
        c.shortBy = uint128(Math.saturatingSub(wanted, covered));
        year.covered = others + covered;
        _encumbered = uint128(_encumbered + covered - before);
        emit Encumbered(incident, onset, loss, covered, c.shortBy);
    }

    /// @dev Rounded down like what is covered: the cedant counts a unit less until claims are over.
    function _draw(TreatyTerms memory t, Cession storage c, uint256 incident, uint128 due)
        private
        returns (uint128 sent)
    {
        uint256 owed = Math.min(t.part(due, c.before), c.covered);
        sent = uint128(Math.saturatingSub(owed, c.drawn));
        if (sent == 0) return 0;
        _move(c, sent, true);
        if (IERC20(t.asset).trySafeTransfer(t.cedant, sent)) {
            emit Drawn(incident, due, sent);
            return sent;
        }
        _move(c, sent, false);
        emit DrawFailed(incident, due, sent);
        return 0;
    }

    function _move(Cession storage c, uint128 amount, bool out) private {
        if (out) {
            c.drawn += amount;
            (_assets, _encumbered) = (_assets - amount, _encumbered - amount);
        } else {
            c.drawn -= amount;
            (_assets, _encumbered) = (_assets + amount, _encumbered + amount);
        }
    }

    /// @dev Of what the cedant says it sent, what is there and counted nowhere else; sums stay within 128 bits.
    function _arrived(uint128 amount) private view returns (uint128) {
        uint256 counted = uint256(_assets) + _returns;
        uint256 there = Math.saturatingSub(IERC20(asset()).balanceOf(address(this)), counted);
        uint256 room = type(uint128).max - Math.min(counted, type(uint128).max);
        return uint128(Math.min(amount, Math.min(there, room)));
    }

    function _collect() private {
        ICedant(terms().cedant).payPremium(address(this));
    }

    function _freeFrom(TreatyTerms memory t) private pure returns (uint256) {
        return uint256(t.end) + t.notice;
    }

    /// @dev A million virtual shares a unit: the first depositor cannot make a share worth more than others can buy.
    function _decimalsOffset() internal pure override returns (uint8) {
        return 6;
    }

    function _transferIn(address from, uint256 assets) internal override {
        uint256 before = IERC20(asset()).balanceOf(address(this));
        super._transferIn(from, assets);
        uint256 got = IERC20(asset()).balanceOf(address(this)) - before;
        if (got != assets) revert WrongTransfer(assets, got);
        _assets += assets.toUint128();
    }

    function _transferOut(address to, uint256 assets) internal override {
        _assets -= assets.toUint128();
        super._transferOut(to, assets);
    }

    /// @dev Every change of a balance passes here, so checkpoints are complete.
    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (from != address(0)) _checkpoint(_balances[from], balanceOf(from));
        if (to != address(0)) _checkpoint(_balances[to], balanceOf(to));
        if (from == address(0) || to == address(0)) _checkpoint(_supply, totalSupply());
    }

    function _checkpoint(Checkpoints.Trace208 storage trace, uint256 value) private {
        trace.push(uint48(block.number), value.toUint208());
    }
}
