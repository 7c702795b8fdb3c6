// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Holding, PinnedAccount} from "./IGauges.sol";
import {Evidence} from "./IProofRung.sol";
import {Trigger} from "./ITriggers.sol";

/// @notice Where the covered holdings are kept. `holding.account` is zero; `holding.width` zero: nowhere, and then
///         only a registrant can be paid.
struct Claims {
    PinnedAccount keeper;
    Holding holding;
    bytes32 pin; // a slot of the keeper that held `pinned` at the onset: its implementation; zero: none
    bytes32 pinned;
}

/// @title What the rungs that read no gauge have in common: triggers they know, and proven holdings
interface IHoldings {
    /// @notice This contract reads the trigger from now on. Its terms are in the catalog's event.
    event Enrolled(bytes32 indexed trigger);

    error UnknownTrigger(bytes32 trigger);
    error AlreadyEnrolled(bytes32 trigger);
    error WrongChain(uint256 expected, uint256 got);
    /// @notice The terms are those of another rung.
    error WrongTerms(bytes32 expected, bytes32 got);
    /// @notice The trigger's claims are not where its terms say that the holdings are kept.
    error ClaimsMismatch(bytes32 expected, bytes32 got);
    /// @notice The trigger names no holdings that could be proven.
    error NoHoldings(bytes32 trigger);
    /// @notice A field of the terms breaks its range; `field` is its name in ASCII, left-aligned.
    error TermOutOfRange(bytes32 field, uint256 got);

    /// @notice Reads the terms of a listed trigger, once, by anyone. Nothing is observed or sold before.
    function enrol(Trigger calldata trigger) external returns (bytes32 id);
    /// @notice The terms of an enrolled trigger; empty: not enrolled.
    function terms(bytes32 trigger) external view returns (bytes memory);
    /// @notice Whether cover on the trigger may be sold now. Never reverts; of an unknown trigger it is false.
    function sellable(bytes32 trigger) external view returns (bool);
    /// @notice Proves what `accounts` (strictly ascending) held at the incident's onset and at its reading, the lesser
    ///         of which counts. Evidence: these two headers; for each header the keeper's account walk, at the onset
    ///         the pin's walk if there is a pin, then the walk of each account's word; holders and newcomers empty.
    function provePositions(uint256 id, address[] calldata accounts, Evidence calldata evidence) external;
}
