// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @title Reporters: who may sign reports, and the bonds that stand behind them.
/// @dev A bond is free, held for one report, or leaving. Only what is held or free or leaving can be slashed, and what
///      is held for one report never pays for another.
interface IReporters {
    event Wired(address[] users);
    event Admitted(address indexed reporter);
    /// @notice Out of the signer set: by governance, by its bond falling below the least, or by a slash.
    event Removed(address indexed reporter);
    event QuorumSet(uint256 quorum);
    event Bonded(address indexed reporter, uint128 amount);
    /// @notice `amount` joins what is leaving, all of which leaves at `leavesAt`.
    event Leaving(address indexed reporter, uint128 amount, uint64 leavesAt);
    event Withdrawn(address indexed reporter, uint128 amount);
    event Held(address indexed user, bytes32 indexed key, address indexed reporter, uint128 amount);
    event Released(address indexed user, bytes32 indexed key, address indexed reporter, uint128 amount);
    /// @notice Taken from what was held under the key, then from free bond, then from what was leaving; `reward` of it
    ///         is the prover's, the rest is to be burned.
    event Slashed(
        address indexed user,
        bytes32 indexed key,
        address indexed reporter,
        uint128 held,
        uint128 free,
        uint128 leaving,
        address prover,
        uint128 reward
    );
    event Claimed(address indexed prover, uint128 amount);
    event Burned(uint128 amount);

    error OutOfRange(bytes32 field, uint256 got);
    error AlreadyWired();
    error NotUser(address caller);
    error AlreadyAdmitted(address reporter);
    error NotAdmitted(address reporter);
    error TooManyReporters(uint256 limit);
    /// @notice Two quorums must always share a reporter, or they could contradict one another unpunished.
    error NotMajority(uint256 quorum, uint256 reporters);
    error BondTooSmall(address reporter, uint256 least, uint256 got);
    /// @notice The free part of the bond is too small: the rest backs other reports.
    error NotFree(address reporter, uint256 free, uint256 wanted);
    error StillLeaving(address reporter, uint256 leavesAt);
    error NothingToWithdraw(address reporter);
    error ZeroAmount();
    error WrongTransfer(uint256 expected, uint256 got);

    /// @notice Names the contracts that may hold and slash bonds, once and for ever. Restricted.
    function wire(address[] calldata users) external;
    /// @notice Takes a bonded reporter into the signer set. Restricted.
    function admit(address reporter) external;
    /// @notice Takes a reporter out of the signer set; its bond stays its own. Restricted.
    function remove(address reporter) external;
    /// @notice How many reporters must sign: a majority of them. Restricted.
    function setQuorum(uint256 quorum) external;

    /// @notice Adds to the caller's free bond.
    function bond(uint128 amount) external;
    /// @notice Takes free bond out, to be withdrawn after the delay; all that is leaving waits again. It can still be
    ///         slashed until then. A reporter whose bond falls below the least leaves the signer set.
    function unbond(uint128 amount) external;
    function withdraw() external;
    /// @notice Pays the caller what it earned by proving others wrong.
    function claim() external;
    /// @notice Sends what was slashed to the sink. Anyone may.
    function burn() external;

    /// @notice Sets free bond aside for one report of the calling user, known to it by `key`. Only a wired user.
    function hold(bytes32 key, address reporter, uint128 amount) external;
    /// @notice Frees all that is held under the key; nothing, if it was slashed. Only a wired user.
    function release(bytes32 key, address reporter) external;
    /// @notice Takes at most `most`: first what is held under the key, then free bond, then what is leaving; and takes
    ///         the reporter out of the signer set. A part goes to `prover` (zero: nothing does). Only a wired user.
    function slash(bytes32 key, address reporter, uint128 most, address prover)
        external
        returns (uint128 taken);

    function asset() external view returns (address);
    /// @notice Where slashed bonds go; nothing comes back from it.
    function sink() external view returns (address);
    function minBond() external view returns (uint128);
    /// @notice Seconds for which a bond can still be slashed after its owner asked for it.
    function unbondDelay() external view returns (uint32);
    /// @notice Part of a slashed bond that goes to whoever proved it, bps, rounded down.
    function proverBps() external view returns (uint16);
    function rewards(address prover) external view returns (uint128);
    /// @notice Slashed and not yet sent to the sink.
    function unburned() external view returns (uint128);
    function quorum() external view returns (uint256);
    /// @notice The signer set: how many must sign, and who may, strictly ascending.
    function members() external view returns (uint256 quorum, address[] memory reporters);
    function signerSet() external view returns (bytes32);
    /// @notice Whether a contract may hold and slash bonds; never changes once wired.
    function isUser(address account) external view returns (bool);
    function isReporter(address account) external view returns (bool);
    /// @notice `bonded` includes `held`; `leaving` does not count to either.
    function bondOf(address reporter)
        external
        view
        returns (uint128 bonded, uint128 held, uint128 leaving, uint64 leavesAt);
    function heldUnder(address user, bytes32 key, address reporter) external view returns (uint128);
}
