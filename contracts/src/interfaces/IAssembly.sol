// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @notice Parameters of an assembly, fixed at deployment.
struct AssemblyConfig {
    address token; // what is staked
    address sink; // where slashed stake goes; nothing comes back from it
    uint32 commitTime; // seconds, 1 hour to 14 days
    uint32 revealTime; // seconds, 1 hour to 14 days
    uint32 unstakeDelay; // seconds, at least both rounds of a case, at most 180 days
    uint16 quorumBps; // of the eligible stake that must be revealed, 1 to 10_000
    uint16 slashBps; // of a voter's weight that a missing reveal costs, 1 to 10_000
}

/// @notice One dispute before the assembly.
struct Case {
    uint128 undisputed; // gauge units
    uint128 asserted; // gauge units
    uint128 eligible; // stake that was there before the incident was opened
    uint128 revealed; // stake revealed in this round
    uint64 commitEnd; // seconds, inclusive
    uint64 revealEnd; // seconds, inclusive
    uint64 openedAt; // block of the incident: what was staked in it or later does not vote
    uint8 round; // 0 or 1
    bool closed;
}

/// @title Assembly: stakers decide what was lost between what is undisputed and what was asserted.
/// @dev A vote is a whole number of percent of the way from undisputed to asserted; the stake-weighted lower median
///      counts. Silence never rejects: without a quorum in two rounds the asserted loss stands.
interface IAssembly {
    event Staked(address indexed voter, uint128 amount);
    /// @notice `amount` joins what is leaving, all of which leaves at `leavesAt`.
    event Unstaked(address indexed voter, uint128 amount, uint64 leavesAt);
    event Withdrawn(address indexed voter, uint128 amount);
    /// @notice A round of a case began: `round` 0 at `begin`, 1 when the first had no quorum.
    event Began(
        uint256 indexed id,
        uint8 round,
        uint128 undisputed,
        uint128 asserted,
        uint128 eligible,
        uint64 commitEnd,
        uint64 revealEnd
    );
    event Committed(
        uint256 indexed id, uint8 round, address indexed voter, bytes32 commitment, uint128 weight
    );
    event Revealed(uint256 indexed id, uint8 round, address indexed voter, uint8 value, uint128 weight);
    /// @notice `percent` is the median; 100 and `quorum` false if nobody decided. `decided` is false if the dispute
    ///         had ended otherwise.
    event Closed(uint256 indexed id, uint8 percent, uint128 loss, bool quorum, bool decided);
    event Slashed(uint256 indexed id, uint8 round, address indexed voter, uint128 amount);
    event Burned(uint128 amount);

    error OutOfRange(bytes32 field, uint256 got);
    error ZeroAmount();
    error WrongTransfer(uint256 expected, uint256 got);
    error NotEnoughStake(address voter, uint256 staked, uint256 wanted);
    /// @notice The voter has commitments that are neither revealed nor slashed.
    error CommitOpen(address voter, uint256 commits);
    error StillLeaving(address voter, uint256 leavesAt);
    error NothingToWithdraw(address voter);
    error NotMined(uint256 number, uint256 head);
    error NotDisputed(uint256 id, uint8 status);
    error AlreadyBegun(uint256 id);
    error UnknownCase(uint256 id);
    error CaseClosed(uint256 id);
    error CommitOver(uint256 id, uint256 commitEnd);
    error NotRevealing(uint256 id, uint256 from, uint256 to);
    error RevealNotOver(uint256 id, uint256 revealEnd);
    /// @notice Nothing that is staked now was staked before the incident was opened.
    error NoStake(address voter, uint256 openedAt);
    error AlreadyCommitted(uint256 id, address voter);
    error NotCommitted(uint256 id, address voter);
    error ValueOutOfRange(uint256 most, uint256 got);
    /// @notice Not what this voter committed to; a copied commitment ends here.
    error WrongReveal(bytes32 expected, bytes32 got);

    function stake(uint128 amount) external;
    /// @notice Takes stake out, to be withdrawn after the delay; it no longer votes. Not while a commitment is open.
    function unstake(uint128 amount) external;
    function withdraw() external;
    /// @notice Sends what was slashed to the sink. Anyone may.
    function burn() external;

    /// @notice Opens the case of a disputed incident. Anyone may.
    function begin(uint256 id) external;
    /// @notice One commitment a voter and round; it weighs what was staked before the incident and still is.
    function commit(uint256 id, bytes32 commitment) external;
    /// @param value percent of the way from undisputed to asserted, 0 to 100.
    function reveal(uint256 id, uint8 value, bytes32 salt) external;
    /// @notice Ends a round: decides by the median, or begins the second round, or lets what was asserted stand.
    function close(uint256 id) external;
    /// @notice Burns part of the stake of a voter who did not reveal in time. Anyone may.
    function punish(uint256 id, uint8 round, address voter) external;

    /// @notice What `commit` takes: keccak256(abi.encode(chain id, this contract, id, round, voter, value, salt)).
    function commitmentOf(uint256 id, uint8 round, address voter, uint8 value, bytes32 salt)
        external
        view
        returns (bytes32);
    function caseOf(uint256 id) external view returns (Case memory);
    /// @notice Commitment and weight of a voter; zero if there is none, or it was revealed or slashed.
    function commitOf(uint256 id, uint8 round, address voter)
        external
        view
        returns (bytes32 commitment, uint128 weight);
    /// @notice Stake revealed for each percent of a round.
    function tally(uint256 id, uint8 round) external view returns (uint128[101] memory);
    function stakeOf(address voter)
        external
        view
        returns (uint128 staked, uint128 leaving, uint64 leavesAt, uint32 commits);
    /// @notice Slashed and not yet sent to the sink.
    function unburned() external view returns (uint128);
    /// @notice The parameters, fixed at deployment.
    function config() external view returns (AssemblyConfig memory);
    /// @notice Stake of a voter, and of all, at the end of a past block.
    function stakedAt(address voter, uint256 number) external view returns (uint128);
    function totalStakedAt(uint256 number) external view returns (uint128);
}
