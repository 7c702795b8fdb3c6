// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IFeed, Sources} from "./IFeed.sol";
import {Claims} from "./IHoldings.sol";
import {Evidence} from "./IProofRung.sol";
import {IRunRung, Run} from "./IRunRung.sol";

/// @notice Where the log of a liquidation says who lost how much.
struct LiquidationLog {
    address emitter;
    bytes32[4] topics; // what the topics must be; zero: anything. The first is the event's
    uint8 topicCount; // 1 to 4
    uint8 borrower; // the topic with the borrower's address, 1 to topicCount - 1
    uint8 seized; // the word of the data with the collateral that was taken
    uint8 repaid; // the word with the debt that was repaid, in the trigger's asset
    uint64 unitNum; // units of the asset = units of the collateral * price * unitNum / unitDen
    uint64 unitDen;
}

/// @notice Terms of oracle cover: Trigger.terms = abi.encode(bytes32("breakwater.oracle/1"), OracleTerms).
struct OracleTerms {
    IFeed watched; // what the covered protocol reads
    Sources references; // the same price from elsewhere: the collateral in the trigger's asset
    uint64 tolerance; // wad, 1 to 1e18: further off than this part of the references is wrong
    uint32 period; // seconds of live time that it must be wrong for, at least maxGap, at most 30 days
    uint32 maxGap; // seconds, at least 1: longer without an observation and the run begins anew
    uint128 base; // units of the asset; the loss is the whole of it, so that all cover is reserved
    uint128 debtUnit; // wad: units of the asset that a unit of the debt's word is worth at least
    LiquidationLog log;
    Claims claims; // where each borrower's debt is kept
}

/// @title OracleRung: liquidations at a price that was wrong
interface IOracleRung is IRunRung {
    /// @notice `watched` and `reference_` are zero unless live; `lowest`: of the references since the run began.
    event Observed(
        bytes32 indexed trigger, bool live, uint256 watched, uint256 reference_, uint128 lowest, Run run
    );
    event OracleOpened(bytes32 indexed trigger, uint256 indexed id, uint128 price);
    /// @notice The last block whose liquidations count.
    event StillWrong(uint256 indexed id, uint64 until);
    event LogProven(bytes32 indexed trigger, uint64 indexed number, uint256 transaction, uint256 log);
    /// @notice All that was proven of a borrower by now, and what he owed at the onset, in units of the asset.
    event LogCounted(
        uint256 indexed id, address indexed borrower, uint256 lost, uint256 repaid, uint256 debt
    );

    /// @notice The log's block is not among those in which the feed was wrong.
    error OutsideRun(uint256 number, uint256 first, uint256 last);
    /// @notice The log's block is longer before the first wrong observation than one gap.
    error LogTooEarly(uint256 time, uint256 least);
    error AlreadyProven(uint64 number, uint256 transaction, uint256 log);
    error WrongEmitter(address expected, address got);
    error WrongTopic(uint256 index, bytes32 expected, bytes32 got);
    error WrongTopicCount(uint256 expected, uint256 got);
    /// @notice The borrower owed nothing when the feed was last right.
    error NoDebt(address borrower);

    /// @notice Proves the log of one liquidation, and the borrower's debt at the onset. Evidence: headers of the onset
    ///         and of the log's block; walks: the receipt, then at the onset the keeper's account, its pin if there is
    ///         one, and the borrower's word. Each log counts once.
    function proveLog(uint256 id, uint256 transaction, uint256 log, Evidence calldata evidence) external;
}
