// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @title ISignal: what holders of votes think of a product's floor rate
interface ISignal {
    /// @notice How votes become weight. `Linear`: one each. `Quadratic`: the square root of an account's votes,
    ///         registered identities only, because whoever splits his stake over many accounts breaks it otherwise.
    enum Mode {
        Linear,
        Quadratic
    }

    /// @notice The newest poll on a product.
    struct Poll {
        uint48 snapshot; // seconds; votes and identities count as of the end of this second
        uint48 end; // seconds; the first at which nobody votes any more
        uint48 beforeUntil; // seconds; until then `before` holds while this poll runs
        int16 before; // bps; the result of the poll before
        uint16 maxBps; // most that the result moves the rate
        Mode mode;
        uint256 quorum; // weight below which the result shrinks in proportion
        uint256 weight; // all that was cast
        int256 sum; // of weight * direction in bps
    }

    event TermsSet(Mode mode, uint16 maxBps);
    event PollOpened(
        bytes32 indexed product,
        uint48 snapshot,
        uint48 end,
        Mode mode,
        uint16 maxBps,
        uint256 quorum,
        int16 before
    );
    event SignalCast(
        bytes32 indexed product, uint48 indexed end, address indexed voter, int16 direction, uint256 weight
    );

    /// @notice More bps than a signal may ever move a rate.
    error MaxBpsTooLarge(uint256 most, uint256 got);
    error UnknownProduct(bytes32 product);
    /// @notice A product's next poll opens at `opensAt` at the earliest.
    error TooEarly(bytes32 product, uint256 opensAt);
    /// @notice No poll on the product runs now.
    error NoPoll(bytes32 product);
    /// @notice A direction outside -10,000 to 10,000 bps.
    error DirectionOutOfRange(int256 got);
    /// @notice The account has voted in this poll.
    error AlreadyCast(bytes32 product, address voter);
    /// @notice Quadratic polls are for accounts that stood for a person at the snapshot.
    error NotAnIdentity(address voter, uint256 snapshot);
    /// @notice The account had no votes at the snapshot; votes count once they are delegated.
    error NoVotes(address voter, uint256 snapshot);

    /// @notice What later polls count by and the most that they move a rate, at most 1,000 bps.
    function setTerms(Mode mode, uint16 maxBps) external;
    /// @notice Opens a poll on a listed product; anyone may, once the last one's result is about to lapse.
    function open(bytes32 product) external;
    /// @notice Votes once in the product's poll, from -10,000 (lower the rate as far as it goes) to 10,000 (raise it).
    function cast(bytes32 product, int16 direction) external;

    /// @notice How much of the posted floor rate is to be added to it now, within -1,000 to 1,000 bps.
    function signalBps(bytes32 product) external view returns (int256);
    function poll(bytes32 product) external view returns (Poll memory);
}
