// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Form, GaugeSpec} from "./IGauges.sol";
import {Trigger} from "./ITriggers.sol";
import {IWording} from "./IWording.sol";

/// @notice Kind of cover. Which kinds a gauge or a trigger can serve is said in docs/ladder.md, "Listing".
enum Kind {
    Position,
    Protocol,
    Liquidity,
    Oracle,
    Governance,
    Upgrade,
    Depeg,
    Custom
}

/// @notice Terms of a cover. Its id is keccak256(abi.encode(product)): a listed product never changes.
struct Product {
    bytes32 gauge; // or the id of a trigger
    Kind kind;
    address asset; // in which sums, premiums and payouts are counted; the pool's asset
    address registrant; // Protocol, Governance: the only account that may buy; Custom: if not zero; others: zero
    uint128 unitNum; // agreed rate: pool units = gauge units * unitNum / unitDen, rounded down
    uint128 unitDen;
    uint128 minSum; // pool units, at least 1
    uint128 eventLimit; // pool units a pool pays for one incident on this product; 0: no limit
    uint16 deductibleBps; // below 10_000
    uint16 lossCapBps; // share of the proven loss that is payable, 1 to 10_000, less for some kinds
    uint16 bountyBps; // of each payout, half to the opener and half to the settler, at most 200
    bool instant; // may the curator's junior pay before the dwell ends
    uint32 waitingPeriod; // seconds from purchase to inception, at least 1
    uint32 reportWindow; // seconds after expiry in which an incident may still be opened; whole days
    uint32 minTerm; // seconds from inception to expiry
    uint32 maxTerm; // at most 365 days
    address salvage; // token of which the position account assigns a unit for each gauge unit it claims; zero: none
}

/// @title Catalog: gauges, products and pools that Breakwater knows.
interface ICatalog {
    struct GaugeInfo {
        bytes32 subject; // hash of where the holders' claims are kept, or of what a trigger watches
        address asset;
        uint64 threshold; // wad
        uint32 listedAt; // seconds; zero: unknown gauge
        address account; // the contract that keeps the holders' claims; of a trigger, the covered one
        Form form; // of a gauge
        uint8 rungs; // bit i: Rung(i) may open incidents on it
        bool trigger; // a trigger, not a gauge
        bytes4 selector; // of a trigger, the covered function; zero: the whole contract
        bool placed; // whether it names where claims are kept, so that what others pay of them is known
    }

    event GaugeListed(bytes32 indexed gauge, bytes32 indexed subject, GaugeSpec spec);
    event TriggerListed(bytes32 indexed id, Trigger trigger);
    event ProductListed(bytes32 indexed product, bytes32 indexed gauge, Product terms, bytes32 wordingHash);
    event Wired(address indexed factory);
    event PoolRegistered(address indexed pool);
    event PoolAttached(bytes32 indexed gauge, address indexed pool);
    event PoolAdmitted(bytes32 indexed gauge, address indexed pool);

    error WrongChain(uint256 expected, uint256 got);
    /// @notice A field of a spec or of terms breaks its range; `field` is its name in ASCII, left-aligned.
    error OutOfRange(bytes32 field, uint256 got);
    /// @notice The gauge or product of this id is listed.
    error AlreadyListed(bytes32 id);
    /// @notice A subject has its most gauges already.
    error TooManyGauges(bytes32 subject, uint256 limit);
    /// @notice The number of priors is not the number of gauges of the subject.
    error PriorsMismatch(uint256 expected, uint256 got);
    /// @notice A prior is not the gauge that was listed in its place.
    error WrongPrior(bytes32 expected, bytes32 got);
    /// @notice Some block could be read by both this gauge and the prior.
    error NotExclusive(bytes32 prior);
    error UnknownGauge(bytes32 gauge);
    error WrongWording(bytes32 expected, bytes32 got);
    error AlreadyWired();
    /// @notice Has no code.
    error BadWiring(address factory);
    error NotFactory(address caller);
    error AlreadyRegistered(address pool);
    error NotAPool(address caller);
    /// @notice All places of the gauge are taken, or all that need no admission.
    error TooManyPools(bytes32 gauge, uint256 limit);

    /// @notice Lists a gauge. Two gauges of one subject must exclude each other: some account's pinned code
    ///         or some pinned word differs, so that no block can be read by both. `priors` are all earlier
    ///         gauges of the subject, in the order of their listing.
    function listGauge(GaugeSpec calldata spec, GaugeSpec[] calldata priors) external returns (bytes32 gauge);
    /// @notice Lists what may open incidents where no gauge measures them. Restricted like gauges.
    function listTrigger(Trigger calldata trigger) external returns (bytes32 id);
    /// @notice Lists terms; anyone may, but those with a registrant only who may list gauges: he settles for all
    ///         holders. `wordingHash` must be the hash of the rendered wording.
    function listProduct(Product calldata terms, bytes32 wordingHash) external returns (bytes32 product);
    /// @notice Names the one contract that registers pools; for ever, so that no role can bring in a contract that
    ///         merely looks like a pool. Restricted.
    function wire(address factory) external;
    /// @notice Only the factory, which made the pool.
    function registerPool(address pool) external;
    /// @notice Keeps a place among the pools of `gauge` for a pool: anyone can make pools, and those that come first
    ///         must not be able to keep all others out. Restricted.
    function admit(bytes32 gauge, address pool) external;
    /// @notice Called by a registered pool when it first underwrites a product of `gauge`; at most 16 pools, of them at
    ///         most 8 that were not admitted.
    function attach(bytes32 gauge) external;

    /// @notice The contract that renders wordings, policies' metadata and certificates.
    function renderer() external view returns (IWording);
    /// @notice Of an unknown gauge, all fields are zero.
    function gaugeInfo(bytes32 gauge) external view returns (GaugeInfo memory);
    function gaugesOf(bytes32 subject) external view returns (bytes32[] memory);
    /// @notice Of unknown terms, all fields are zero; those of listed ones never are, `unitDen` for one.
    function product(bytes32 id) external view returns (Product memory);
    function wordingHash(bytes32 product) external view returns (bytes32);
    function poolsOf(bytes32 gauge) external view returns (address[] memory);
    function admitted(bytes32 gauge, address pool) external view returns (bool);
    function isPool(address pool) external view returns (bool);
    /// @notice Who registers pools; zero until wired.
    function factory() external view returns (address);
}
