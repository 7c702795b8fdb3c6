// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @notice What actors do is drawn from these ranges: wide enough for every branch, narrow enough to succeed.
library Bounds {
    uint256 internal constant UNIT = 1e6;
    uint256 internal constant DAY = 1 days;
    uint256 internal constant BPS = 10_000;
    uint256 internal constant WAD = 1e18;
    uint256 internal constant SHARE_OFFSET = 1e6;

    // Time. Blocks and seconds move together, so that a block's time follows from its number.
    uint256 internal constant BLOCK_TIME = 12;
    uint256 internal constant FIRST_BLOCK = 20_000_000;
    uint256 internal constant FIRST_TIME = 20_834 days;
    uint256 internal constant MOST_BLOCKS_A_STEP = 2;
    uint256 internal constant MOST_BLOCKS = 60;
    uint256 internal constant MOST_HOURS = 20;
    uint256 internal constant MOST_DAYS = 4;

    // Terms of the protocol.
    uint64 internal constant DWELL = 32;
    uint64 internal constant SPAN = 8 * DWELL;
    uint32 internal constant CLAIM_WINDOW = 3 days;
    uint32 internal constant WAITING = 1 hours;
    uint32 internal constant REPORT_WINDOW = 1 days;
    uint32 internal constant MIN_TERM = 1 days;
    uint32 internal constant MAX_TERM = 40 days;
    uint128 internal constant MIN_SUM = uint128(100 * UNIT);
    uint256 internal constant THRESHOLD = 0.1e18;
    uint256 internal constant MIN_EARNED = 7 days;
    uint32 internal constant EPOCH = 1 days;
    uint32 internal constant COOLDOWN = 1 days;

    // Policies and capital.
    uint256 internal constant MOST_POLICIES = 24;
    uint256 internal constant MOST_TERM_DAYS = 14;
    uint256 internal constant MOST_DEPOSIT = 60_000 * UNIT;
    uint256 internal constant MOST_DONATION = 1_000 * UNIT;
    uint256 internal constant MOST_CAP = 500_000 * UNIT;

    // Losses, in whole units of the asset.
    uint256 internal constant LEAST_BASE = 20_000;
    uint256 internal constant SMALL_BASE = 150_000;
    uint256 internal constant MOST_BASE = 1_000_000;
    uint256 internal constant MOST_ONSET_AGE = 40;
    uint256 internal constant MOST_READING_AGE = 6;
}
