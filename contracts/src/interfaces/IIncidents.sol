// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

enum Rung {
    Proof,
    Feed,
    Canary,
    Quorum,
    Assembly
}

enum Status {
    None,
    Dwelling,
    Voided,
    Final,
    Disputed
}

/// @notice What a rung says was lost. Amounts are in the gauge's unit.
struct Measurement {
    uint64 onset; // block a: the last healthy one
    uint64 reading; // block b > a: the one that sizes the loss
    uint64 onsetTime; // seconds, time(a)
    uint64 afterTime; // seconds, time(a + 1)
    uint128 base; // assets (ratio, geometric) or claims (par, enumerated) at a
    uint128 loss; // at most base
    bytes32 evidence; // keccak256 of the evidence
}

/// @notice While it is Disputed, `loss` is what nobody disputes; see `ILadder.asserted`.
struct Incident {
    bytes32 gauge;
    uint64 onset;
    uint64 reading;
    uint64 onsetTime;
    uint64 afterTime;
    uint128 base;
    uint128 loss;
    bytes32 evidence;
    address opener;
    uint64 openedAt; // block
    uint64 openedTime; // seconds
    Rung rung;
    Status status;
    address rungContract;
    uint64 dwellEnd; // block; what is next when block.number > dwellEnd: the end of the dwell or of the dispute
    uint32 claimsEnd; // seconds, set when final; settlement stays open to it, inclusive
    uint64 spanEnd; // block; nothing raises the loss after it
    uint128 paid; // gauge units, over all pools, rounded up
    uint64 peak; // wad: the highest loss fraction that it has had
}

/// @title Incidents: one life of a loss, from assertion to the end of its claims. State table in docs/design.md.
interface IIncidents {
    event Opened(
        uint256 indexed id, bytes32 indexed gauge, Rung rung, address opener, Measurement m, uint64 dwellEnd
    );
    event Revised(uint256 indexed id, Measurement m, uint64 dwellEnd);
    /// @notice Refuted until its dwell was over, or a new incident opened behind its reading.
    event Voided(uint256 indexed id, uint64 reading);
    event Finalised(uint256 indexed id, uint32 claimsEnd);
    event PositionProven(
        uint256 indexed id, address indexed account, uint64 onset, uint256 lost, uint256 value
    );
    /// @notice `whole`: for all holders, by the cover of a registrant.
    event PositionPaid(
        uint256 indexed id,
        address indexed account,
        bool whole,
        uint256 amount,
        uint256 paidForAccount,
        uint256 paidInAll
    );
    /// @notice Pools reported `amount` gauge units that the curator bore: paid in the dwell for more than was lost.
    event Returned(uint256 indexed id, uint256 amount, uint256 paidInAll);
    event Wired(address policies, address[] rungContracts, Rung[] rungs);

    error AlreadyWired();
    /// @notice The wiring names nobody, or not one rung for each contract.
    error BadWiring(address policies, uint256 contracts, uint256 rungs);
    /// @notice The renderer of the catalog names no time for something; `field` is its name in `Times`.
    error NoTime(bytes32 field);
    error NotRung(address caller, Rung rung);
    error NotThisRung(address expected, address caller);
    error NotPolicies(address caller);
    error UnknownGauge(bytes32 gauge);
    error UnknownIncident(uint256 id);
    /// @notice The reading is not after the onset, in blocks or time, or the loss is none of the base.
    error BadMeasurement(uint256 onset, uint256 reading, uint256 base, uint256 loss);
    error NotMined(uint256 reading, uint256 head);
    /// @notice A measurement that opens or raises an incident reads no later than the span after its onset, or
    ///         after the gauge's last voided reading.
    error ReadingTooLate(uint256 reading, uint256 last);
    error AlreadyDwelling(uint256 id);
    /// @notice Its blocks overlap with those of an incident of the gauge that stands, or lie below too many of them.
    error OnsetTooEarly(uint256 onset, uint256 least);
    /// @notice The reading is not after one that voided an incident of the gauge.
    error ReadingTooEarly(uint256 reading, uint256 least);
    error BelowThreshold(uint256 lambda, uint256 threshold);
    error NotDwelling(uint256 id, Status status);
    error DwellOver(uint256 id, uint256 dwellEnd, uint256 head);
    error DwellNotOver(uint256 id, uint256 dwellEnd, uint256 head);
    error SpanOver(uint256 id, uint256 spanEnd, uint256 head);
    /// @notice The onset moved later, or earlier without a higher loss, or the reading moved earlier.
    error RevisionBackwards(uint256 id, uint256 onset, uint256 reading);
    /// @notice Nothing about the incident would change, or behind the span its loss fraction by less than an eighth
    ///         of the threshold.
    error NothingNew(uint256 id);
    error IncidentNotOpen(uint256 id, Status status);
    error ClaimsOver(uint256 id, uint256 claimsEnd);

    /// @notice Names the policies contract and the rungs, once and for ever. Their windows are those of the wording.
    function wire(address policies, address[] calldata rungContracts, Rung[] calldata rungs) external;
    /// @notice Opens an incident and books its reserve into every pool on the gauge, in this transaction.
    ///         Only a contract that holds the role of `rung`.
    function open(bytes32 gauge, Rung rung, address opener, Measurement calldata m)
        external
        returns (uint256 id);
    /// @notice Replaces the measurement of a dwelling incident; below the threshold it is refuted. Only its rung.
    function revise(uint256 id, Measurement calldata m) external;
    /// @notice Records a proven loss of one position and what the position was worth at the onset (claims: its
    ///         claims), in gauge units; a worse proof changes nothing. Only its rung.
    function recordPosition(uint256 id, address account, uint128 lost, uint128 value) external;
    /// @notice After the dwell, by anyone: void if refuted, delayed if great, Disputed if held, else final. After a
    ///         dispute that nobody decided: final at what was asserted. Settles the booking of every attached pool.
    function finalise(uint256 id) external;
    /// @notice Takes from what may still be paid for a position that lost `lost`, or for all holders if `whole`;
    ///         returns the gauge units granted. Only the policies contract.
    function consume(uint256 id, address account, bool whole, uint128 lost, uint128 wanted)
        external
        returns (uint128 granted);

    /// @notice Blocks that counter-evidence to a proof, a feed or a canary has.
    function dwell() external view returns (uint64);
    /// @notice Seconds after the dwell in which policies are settled.
    function claimWindow() external view returns (uint32);
    function incident(uint256 id) external view returns (Incident memory);
    function count() external view returns (uint256);
    /// @notice The gauge's dwelling incident of the proof rung that reads a block after `onset`, or zero; of two, the
    ///         one of the earlier blocks. Looks at the last eight in the order of their blocks.
    function dwelling(bytes32 gauge, uint64 onset) external view returns (uint256 id);
    /// @notice The gauge's incident of the latest blocks that was not voided, or zero.
    function latest(bytes32 gauge) external view returns (uint256 id);
    /// @notice The best proven loss, at most the position's worth at the onset times the incident's fraction.
    function positionLost(uint256 id, address account) external view returns (uint128);
    function positionPaid(uint256 id, address account) external view returns (uint128);
    /// @notice True while an incident of the gauge with onsetTime in [from, to] dwells, is disputed or open to claims.
    function touched(bytes32 gauge, uint256 from, uint256 to) external view returns (bool);
}
