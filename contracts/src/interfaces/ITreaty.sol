// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";

/// @notice What a treaty pays, fixed when it is made. Amounts in the asset's units, times in seconds.
struct TreatyTerms {
    address cedant; // the pool that is reinsured
    address asset; // the pool's
    bool aggregate; // the formula runs on the year's losses, not on each incident's
    uint16 shareBps; // of the layer, 1 to 10_000
    uint16 premiumBps; // of the premium that the pool earns while the treaty runs
    uint128 attachment; // losses below are not the treaty's
    uint128 limit; // width of the layer, before the share
    uint128 yearlyLimit; // most that the incidents of one treaty year may be paid
    uint40 start; // the onset of a covered incident is not before
    uint40 end; // and before this
    uint32 notice; // after `end`: as long an incident may still be booked, and nobody leaves
}

/// @notice What a treaty keeps for one incident.
struct Cession {
    uint128 loss; // reserve, and once settled what is due, as the cedant said last
    uint128 covered; // of it the treaty's, drawn or locked
    uint128 drawn; // sent to the cedant, at most covered
    uint128 shortBy; // what the terms owe and no collateral was there for
    uint128 returned; // recoveries that came back for it
    uint128 claimed; // of them, by holders of the snapshot
    uint256 before; // the year's losses when the incident was first encumbered
    uint48 snapshot; // the block whose end decides who gets recoveries; zero: never encumbered
    uint16 year; // of the treaty, from zero
    bool settled; // claims are over
}

/// @title Treaty: locked collateral behind one pool, and shares of it for its reinsurers.
/// @notice It pays t = floor(share * (c(S + x) - c(S))), c(y) = min(max(y - attachment, 0), limit), on an incident's
///         loss x; S is zero, or for an aggregate treaty the year's losses before. See docs/capital.md, "Treaties".
interface ITreaty is IERC4626 {
    /// @notice The first call for an incident: its treaty year and the year's losses before it.
    event Opened(uint256 indexed incident, uint256 year, uint256 before);
    /// @notice State of the cession after `encumber` or `settle`.
    event Encumbered(uint256 indexed incident, uint64 onset, uint256 loss, uint256 covered, uint256 shortBy);
    event Drawn(uint256 indexed incident, uint256 due, uint256 amount);
    /// @notice The asset refused to move: nothing was drawn, and the next call tries again.
    event DrawFailed(uint256 indexed incident, uint256 due, uint256 amount);
    event Settled(uint256 indexed incident, uint256 due);
    event PremiumReceived(uint256 amount);
    /// @notice A recovery came back, to the holders of the snapshot or, where nobody held shares, into the vault.
    event Returned(uint256 indexed incident, uint256 amount, bool toHolders);
    event ReturnClaimed(uint256 indexed incident, address indexed account, uint256 amount);

    error NotCedant(address caller);
    error NothingReturned(uint256 incident, address account);
    /// @notice A deposit brought another amount than was asked: the asset takes a fee or moves nothing.
    error WrongTransfer(uint256 expected, uint256 got);

    // Called by the cedant only. None of them reverts on a state of the treaty.

    /// @notice The cedant reserves `loss` for an incident, for the first time or anew: locks the treaty's part of it
    ///         as far as collateral and the yearly limit go, or frees what it locked too much. Never below what is drawn.
    /// @return covered locked and drawn for the incident, after the call
    function encumber(uint256 incident, uint64 onset, uint128 loss) external returns (uint128 covered);
    /// @notice Sends what the treaty owes on `due`, at most what is covered, less what was drawn.
    /// @return sent zero where the asset refuses to move
    function draw(uint256 incident, uint128 due) external returns (uint128 sent);
    /// @notice Claims are over and `due` is the loss for good: draws, and frees the rest.
    /// @return covered what stays for the incident
    /// @return sent by this call
    function settle(uint256 incident, uint128 due) external returns (uint128 covered, uint128 sent);
    /// @notice Books `amount`, which the cedant has just sent, as recovered for an incident.
    function giveBack(uint256 incident, uint128 amount) external;
    /// @notice Books `amount`, which the cedant has just sent, as premium.
    function receivePremium(uint128 amount) external;

    /// @notice Sends the caller its part of what came back for an incident, by its shares at the end of the block
    ///         before the incident was first encumbered. A pool that holds shares asks when it can book what comes.
    function claimReturn(uint256 incident) external returns (uint256 amount);

    function terms() external view returns (TreatyTerms memory);
    function cession(uint256 incident) external view returns (Cession memory);
    /// @notice Of a treaty year: for an aggregate treaty the losses of its incidents as they stand, and what is covered.
    function yearOf(uint256 year) external view returns (uint256 losses, uint256 covered);
    /// @notice Collateral that is locked for incidents and not drawn.
    function encumbered() external view returns (uint256);
    /// @notice Recoveries that wait to be claimed; no part of the collateral.
    function returns_() external view returns (uint256);
    /// @notice Shares at the end of a block that is over.
    function balanceAt(address account, uint256 number) external view returns (uint256);
    function supplyAt(uint256 number) external view returns (uint256);
}

/// @title Where treaties come from; anyone makes one, and the curator of the pool decides whether it cedes to it.
interface ITreatyFactory {
    event TreatyMade(address indexed treaty, address indexed cedant, TreatyTerms terms);

    /// @notice A field of the terms breaks its range; `field` is its name in ASCII, left-aligned.
    error OutOfRange(bytes32 field, uint256 got);
    error NotAPool(address cedant);
    error WrongAsset(address expected, address got);

    /// @notice Makes a treaty. Ranges, in this order: "shareBps": 1 to 10_000; "premiumBps": at most 10_000; "limit":
    ///         at least 1; "yearlyLimit": at least 1, of an aggregate treaty at most the share of the limit; "end":
    ///         after `start`, by at most five years; "notice": at most one year.
    function make(TreatyTerms calldata terms) external returns (address treaty);
    function isTreaty(address treaty) external view returns (bool);
}

/// @title What a treaty asks of the pool that it reinsures.
interface ICedant {
    /// @notice Whether the pool cedes to `treaty`, and whether some booking of the pool dwells.
    function cedes(address treaty) external view returns (bool attached, bool dwelling);
    /// @notice Accrues and sends `treaty` the premium that was set aside for it; zero if there is none. By anyone.
    function payPremium(address treaty) external returns (uint128 amount);
}
