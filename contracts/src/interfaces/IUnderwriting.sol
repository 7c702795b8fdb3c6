// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {CapacityCertificate, RatePosting} from "../libraries/Eip712Types.sol";

/// @notice What a committee may sign.
enum Duty {
    Capacity, // capacity certificates
    Rate // rate postings
}

/// @title What pools may sell and for how much at least, as committees of signers certify it
/// @notice A limit that falls does so at once; one that rises waits `DELAY`, then rises by at most a tenth a day.
///         What is in force follows from the clock alone. Rules: docs/capital.md, "Capacity certificates", "Rates".
interface IUnderwriting {
    event CommitteeSet(Duty indexed duty, uint256 quorum, address[] members);
    /// @notice Once for ever. `id` is a product's, or the address of a yield vault, right-aligned.
    event ClusterSet(bytes32 indexed id, bytes32 indexed cluster);
    /// @notice Part of the posted rate that is added to it (or taken off) for what the protocol itself does.
    event CreditSet(bytes32 indexed product, int256 bps);
    event SignalSet(address signal);
    /// @notice All limits of the pool follow from this, the ones before it, and the time of its block.
    event Certified(address indexed pool, CapacityCertificate certificate);
    event Posted(bytes32 indexed product, RatePosting posting);

    error ZeroAddress();
    /// @notice A committee has a quorum of 1 to all of its members.
    error BadCommittee(uint256 quorum, uint256 members);
    /// @notice Members are not strictly ascending, or the first is nobody.
    error MembersNotAscending(address previous, address next);
    /// @notice The cluster of a product or vault never changes.
    error ClusterIsSet(bytes32 id, bytes32 cluster);
    error ZeroCluster(bytes32 id);
    error CreditOutOfRange(int256 most, int256 got);
    /// @notice The message would be good for longer than `MAX_VALIDITY` from now.
    error ValidTooLong(uint256 most, uint256 validUntil);
    error TooManyCaps(uint256 most, uint256 got);
    error CapsNotAscending(bytes32 previous, bytes32 next);
    /// @notice The product's rate was posted less than a day ago.
    error PostedTooSoon(bytes32 product, uint256 least, uint256 time);

    /// @notice Names who signs for a duty; those before can sign nothing more. Restricted.
    function setCommittee(Duty duty, uint256 quorum, address[] calldata members) external;
    /// @notice Puts a product or a yield vault into its cluster, for ever. Restricted.
    function setCluster(bytes32 id, bytes32 cluster) external;
    /// @notice Raises or lowers the floor rate of a product by `bps` of itself, within `MAX_CREDIT_BPS`: less for a
    ///         protocol that granted the breaker its pause role, more for one that should have. Restricted.
    function setCredit(bytes32 product, int256 bps) external;
    /// @notice Names the contract that holders of votes signal through; zero: none. Restricted.
    function setSignal(address signal) external;
    /// @notice Takes a certificate that its committee signed; by anyone. Signatures are refused as `Quorum` does.
    /// @param signers who signed, strictly ascending
    function certify(
        CapacityCertificate calldata certificate,
        address[] calldata signers,
        bytes[] calldata signatures
    ) external;
    /// @notice Takes a rate that its committee signed; by anyone.
    function post(RatePosting calldata posting, address[] calldata signers, bytes[] calldata signatures)
        external;

    /// @notice What a pool may sell of a product now. `open` is false, and nothing may be sold, if the certificate or
    ///         the rate is out of date or missing, or the product is in no cluster.
    /// @return leverageBps exposure of the pool over its capital
    /// @return productCap pool units
    /// @return cluster of the product
    /// @return clusterCap pool units, over all that the pool has in the cluster
    /// @return floorRate wad a year
    function limits(address pool, bytes32 product)
        external
        view
        returns (
            uint32 leverageBps,
            uint128 productCap,
            bytes32 cluster,
            uint128 clusterCap,
            uint64 floorRate,
            bool open
        );
    /// @notice The leverage that was certified last and is in force, out of date or not; for exits. The greatest
    ///         number if the pool never had a certificate.
    function leverage(address pool) external view returns (uint32 bps);
    /// @notice In force now for a cluster of a pool, whether or not the certificate is out of date.
    function clusterCap(address pool, bytes32 cluster) external view returns (uint128);
    /// @notice Rate in force with credit and signal, rounded up, and whether it is up to date.
    function floorRate(bytes32 product) external view returns (uint64 rate, bool fresh);
    function clusterOf(bytes32 id) external view returns (bytes32);
    function creditOf(bytes32 product) external view returns (int256 bps);
    function committee(Duty duty) external view returns (uint256 quorum, address[] memory members);
    /// @notice Last second at which the pool's certificate is good; zero: it has none.
    function validUntil(address pool) external view returns (uint64);
}
