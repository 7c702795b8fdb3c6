// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Incidents} from "breakwater/core/Incidents.sol";
import {ICatalog} from "breakwater/interfaces/ICatalog.sol";
import {Incident, Status} from "breakwater/interfaces/IIncidents.sol";
import {Times} from "breakwater/interfaces/ILadder.sol";

/// @dev The registry as it is deployed, with incidents put in whatever state a rung may bring them to.
contract Claims is Incidents {
    constructor(ICatalog catalog_) Incidents(catalog_, address(catalog_)) {
        policies = msg.sender;
    }

    /// @param subject a word that the compiler does not know, because halmos loses what lies under a folded hash.
    function put(uint256 id, bytes32 subject, bytes32 gauge, uint128 loss, uint128 base, uint128 paid)
        external
    {
        Incident storage i = _incidents[id];
        _subjectOf[id] = subject;
        (i.gauge, i.loss, i.base, i.paid) = (gauge, loss, base, paid);
        (i.status, i.rungContract) = (Status.Dwelling, msg.sender);
    }
}

/// @notice Checked by halmos for every input, not for samples: `cargo xtask review`.
/// @dev It stands in for the catalog and the wording, which the registry asks for its windows and nothing else.
contract SymbolicRegistry {
    address private constant ALICE = address(0xa);
    address private constant BOB = address(0xb);

    Claims private _claims;

    function setUp() external {
        _claims = new Claims(ICatalog(address(this)));
    }

    function renderer() external view returns (address) {
        return address(this);
    }

    function times() external pure returns (Times memory) {
        return Times(32, 30 days, 100, 100, 100, 5_000);
    }

    /// Two grants to one position never exceed what it lost, what was wanted, or what is left of the incident's loss.
    function check_no_position_gets_more_than_it_lost(
        uint32 loss,
        uint32 paid,
        uint32 lost,
        uint32 first,
        uint32 second
    ) external {
        _claims.put(1, "subject", "gauge", loss, type(uint32).max, paid);
        uint256 a = _claims.consume(1, ALICE, false, lost, first);
        uint256 b = _claims.consume(1, ALICE, false, lost, second);
        assert(a <= first && b <= second);
        assert(a + b <= lost);
        assert(a + b == 0 || paid + a + b <= loss);
        assert(_claims.positionPaid(1, ALICE) == a + b);
        assert(_claims.incident(1).paid == paid + a + b);
    }

    /// All positions together never get more than the incident's loss.
    function check_positions_share_one_loss(
        uint32 loss,
        uint32 lostA,
        uint32 lostB,
        uint32 wantedA,
        uint32 wantedB
    ) external {
        _claims.put(1, "subject", "gauge", loss, type(uint32).max, 0);
        uint256 a = _claims.consume(1, ALICE, false, lostA, wantedA);
        uint256 b = _claims.consume(1, BOB, false, lostB, wantedB);
        assert(a + b <= loss);
        assert(a <= lostA && b <= lostB);
        assert(_claims.incident(1).paid == a + b);
    }

    /// A grant takes all that it may: nobody is given less than there is for him.
    function check_no_grant_is_withheld(uint32 loss, uint32 lost, uint32 wanted) external {
        _claims.put(1, "subject", "gauge", loss, type(uint32).max, 0);
        uint256 least = lost < loss ? lost : loss;
        assert(_claims.consume(1, ALICE, false, lost, wanted) == (wanted < least ? wanted : least));
    }

    /// A lower measurement after a payment takes grants away and gives none.
    function check_a_lower_loss_gives_nothing_new(uint32 before, uint32 loss, uint32 lost, uint32 wanted)
        external
    {
        if (loss > before) return;
        _claims.put(1, "subject", "gauge", before, type(uint32).max, 0);
        uint128 a = _claims.consume(1, ALICE, false, lost, wanted);
        _claims.put(1, "subject", "gauge", loss, type(uint32).max, a);
        uint256 b = _claims.consume(1, BOB, false, lost, wanted);
        assert(b == 0 || uint256(a) + b <= loss);
    }

    /// The same loss told by two gauges of one subject pays a position once.
    function check_two_gauges_pay_one_loss(uint32 loss, uint32 lost, uint32 first, uint32 second) external {
        _claims.put(1, "subject", "gauge", loss, type(uint32).max, 0);
        _claims.put(2, "subject", "another", loss, type(uint32).max, 0);
        uint256 a = _claims.consume(1, ALICE, false, lost, first);
        uint256 b = _claims.consume(2, ALICE, false, lost, second);
        assert(a + b <= lost);
    }

    /// A position counts for at most the loss and the worth that were proven of it.
    function check_a_position_counts_for_no_more_than_its_proof(
        uint8 loss,
        uint8 base,
        uint8 lost,
        uint8 value
    ) external {
        if (base == 0 || loss > base) return;
        _claims.put(1, "subject", "gauge", loss, base, 0);
        _claims.recordPosition(1, ALICE, lost, value);
        uint256 counts = _claims.positionLost(1, ALICE);
        assert(counts <= lost && counts <= value);
    }

    /// No later proof lowers what a position counts for.
    function check_no_later_proof_lowers_a_position(
        uint8 loss,
        uint8 lost,
        uint8 value,
        uint8 lostThen,
        uint8 valueThen
    ) external {
        _claims.put(1, "subject", "gauge", loss, type(uint8).max, 0);
        _claims.recordPosition(1, ALICE, lost, value);
        uint256 before = _claims.positionLost(1, ALICE);
        _claims.recordPosition(1, ALICE, lostThen, valueThen);
        assert(_claims.positionLost(1, ALICE) >= before);
    }
}
