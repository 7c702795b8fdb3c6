// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ICatalog} from "../interfaces/ICatalog.sol";
import {IExtensions} from "../interfaces/IExtensions.sol";
import {Holding} from "../interfaces/IGauges.sol";
import {IHistory} from "../interfaces/IHistory.sol";
import {Claims, IHoldings} from "../interfaces/IHoldings.sol";
import {IIncidents, Incident, Measurement, Rung} from "../interfaces/IIncidents.sol";
import {Evidence, IProofRung} from "../interfaces/IProofRung.sol";
import {Trigger} from "../interfaces/ITriggers.sol";
import {Header} from "../libraries/Header.sol";
import {Reader} from "../libraries/Reader.sol";
import {Trie} from "../libraries/Trie.sol";

/// @title Holdings
/// @notice The part that rungs on triggers share: which triggers they know, and what accounts held at the onset and at
///         the reading of an incident. Has no owner.
abstract contract Holdings is IHoldings, ReentrancyGuardTransient {
    /// @dev What the id of a trigger is hashed with, so that it is never a gauge's.
    bytes32 private constant TRIGGER = keccak256("breakwater.trigger/1");

    IHistory public immutable history;
    ICatalog public immutable catalog;
    IIncidents public immutable incidents;

    /// @inheritdoc IHoldings
    mapping(bytes32 trigger => bytes terms) public terms;

    constructor(IHistory history_, ICatalog catalog_, IIncidents incidents_) {
        (history, catalog, incidents) = (history_, catalog_, incidents_);
    }

    /// @inheritdoc IHoldings
    function enrol(Trigger calldata trigger) external returns (bytes32 id) {
        id = keccak256(abi.encode(TRIGGER, trigger));
        if (catalog.gaugeInfo(id).listedAt == 0) revert UnknownTrigger(id);
        if (terms[id].length != 0) revert AlreadyEnrolled(id);
        if (trigger.chainId != block.chainid) revert WrongChain(block.chainid, trigger.chainId);
        // Each rung's terms begin with its own tag, so that no two rungs read one trigger in two ways.
        bytes32 tag = trigger.terms.length < 32 ? bytes32(0) : bytes32(trigger.terms[:32]);
        if (tag != _tag()) revert WrongTerms(_tag(), tag);
        terms[id] = trigger.terms;
        Claims memory claims = _check(trigger);
        bytes32 kept = _subjectOf(trigger.chainId, claims);
        if (trigger.claims != kept) revert ClaimsMismatch(kept, trigger.claims);
        emit Enrolled(id);
    }

    /// @inheritdoc IHoldings
    function provePositions(uint256 id, address[] calldata accounts, Evidence calldata evidence)
        external
        virtual
        nonReentrant
    {
        Incident memory incident = _incidentOf(id);
        uint256[] memory held = _held(incident, accounts, evidence);
        for (uint256 i; i < held.length; ++i) {
            // Rounded down, in favour of the pools.
            uint256 lost = held[i] * incident.loss / incident.base;
            incidents.recordPosition(id, accounts[i], uint128(lost), uint128(held[i]));
        }
    }

    /// @dev Opens an incident of the feed rung.
    function _open(bytes32 trigger, Measurement memory m) internal returns (uint256) {
        return incidents.open(trigger, Rung.Feed, msg.sender, m);
    }

    /// @dev Time in which feeds were dead counts for nobody.
    function _extend(uint256 id, uint64 dead) internal {
        if (dead != 0) IExtensions(address(incidents)).extend(id, dead);
    }

    /// @dev What the terms of this rung's triggers begin with.
    function _tag() internal pure virtual returns (bytes32);

    /// @dev Checks the terms; answers where the holdings are kept.
    function _check(Trigger calldata trigger) internal view virtual returns (Claims memory);

    /// @dev Where they are kept, by terms that were checked.
    function _claimsIn(bytes memory encoded) internal pure virtual returns (Claims memory);

    function _termsOf(bytes32 trigger) internal view returns (bytes memory encoded) {
        encoded = terms[trigger];
        if (encoded.length == 0) revert UnknownTrigger(trigger);
    }

    /// @dev An incident that this contract opened.
    function _incidentOf(uint256 id) internal view returns (Incident memory incident) {
        incident = incidents.incident(id);
        if (incident.rungContract != address(this)) {
            revert IIncidents.NotThisRung(incident.rungContract, address(this));
        }
    }

    function _within(bytes32 field, uint256 got, uint256 least, uint256 most) internal pure {
        if (got < least || got > most) revert TermOutOfRange(field, got);
    }

    /// @dev The newest block that can be proven, whose hash is kept so that positions can be proven at any time.
    function _anchored() internal returns (uint64 number) {
        number = uint64(block.number) - 1;
        history.anchor(number);
    }

    /// @dev The fields of a block that must be `number`, as the chain confirms them.
    function _header(bytes calldata encoded, uint64 number)
        internal
        view
        returns (Header.Parsed memory header)
    {
        header = history.verify(encoded);
        if (header.number != number) revert IProofRung.WrongBlock(number, header.number);
    }

    /// @dev Code and pin must be theirs at the onset. What they are at the reading makes no difference: there the word
    ///      can only lower what counts, and a bad upgrade must not deny what it took.
    function _keeperRoot(
        Claims memory claims,
        Evidence calldata evidence,
        Reader.Proof memory proof,
        bytes32 stateRoot,
        bool onset
    ) internal pure returns (bytes32 root) {
        address keeper = claims.keeper.account;
        Trie.Account memory account;
        (account, proof.cursor) = Trie.account(proof.nodes, evidence.paths, proof.cursor, stateRoot, keeper);
        root = account.storageRoot;
        if (!onset) return root;
        if (account.codeHash != claims.keeper.codeHash) revert IProofRung.Undecided(keeper);
        if (claims.pin == 0) return root;
        if (_word(evidence, proof, root, claims.pin) != uint256(claims.pinned)) {
            revert IProofRung.Undecided(keeper);
        }
    }

    /// @dev What a holder has, at most 2^128 - 1.
    function _amount(
        Holding memory h,
        Evidence calldata evidence,
        Reader.Proof memory proof,
        bytes32 root,
        address holder
    ) internal pure returns (uint256) {
        uint256 word = _word(evidence, proof, root, _slotOf(h, holder));
        uint256 bits = word >> h.offset & type(uint256).max >> (256 - h.width);
        return Math.min(Math.saturatingMul(bits, h.scale), type(uint128).max);
    }

    /// @dev The lesser of what each account held at the two blocks, at most 2^128 - 1.
    function _held(Incident memory incident, address[] calldata accounts, Evidence calldata evidence)
        private
        view
        returns (uint256[] memory held)
    {
        Claims memory claims = _claimsIn(_termsOf(incident.gauge));
        if (claims.holding.width == 0) revert NoHoldings(incident.gauge);
        if (evidence.headers.length != 2) revert IProofRung.WrongHeaderCount(2, 2, evidence.headers.length);
        Reader.chainOf(0, address(0), accounts);
        Reader.Proof memory proof = Reader.start(evidence);
        bytes32 root = _header(evidence.headers[0], incident.onset).stateRoot;
        root = _keeperRoot(claims, evidence, proof, root, true);
        held = _amounts(claims.holding, evidence, proof, root, accounts);
        root = _header(evidence.headers[1], incident.reading).stateRoot;
        root = _keeperRoot(claims, evidence, proof, root, false);
        uint256[] memory later = _amounts(claims.holding, evidence, proof, root, accounts);
        for (uint256 i; i < held.length; ++i) {
            held[i] = Math.min(held[i], later[i]);
        }
        Trie.done(evidence.paths, proof.cursor);
    }

    function _amounts(
        Holding memory h,
        Evidence calldata evidence,
        Reader.Proof memory proof,
        bytes32 root,
        address[] calldata accounts
    ) private pure returns (uint256[] memory amounts) {
        amounts = new uint256[](accounts.length);
        for (uint256 i; i < amounts.length; ++i) {
            amounts[i] = _amount(h, evidence, proof, root, accounts[i]);
        }
    }

    function _slotOf(Holding memory h, address holder) private pure returns (bytes32 slot) {
        slot = _key(h.vyper, bytes32(uint256(uint160(holder))), h.base);
        if (h.nested) slot = _key(h.vyper, h.innerKey, slot);
        // Storage addresses wrap around, as in the machine.
        unchecked {
            slot = bytes32(uint256(slot) + h.word);
        }
    }

    function _word(Evidence calldata evidence, Reader.Proof memory proof, bytes32 root, bytes32 slot)
        private
        pure
        returns (uint256 word)
    {
        (word, proof.cursor) = Trie.storageValue(proof.nodes, evidence.paths, proof.cursor, root, slot);
    }

    /// @dev Where the claims are kept, as `Listing` hashes it for a gauge; zero for nowhere.
    function _subjectOf(uint256 chainId, Claims memory claims) private pure returns (bytes32) {
        Holding memory h = claims.holding;
        address keeper = claims.keeper.account;
        if (h.width == 0) {
            _within("keeper", uint160(keeper), 0, 0);
            return 0;
        }
        _within("keeper", uint160(keeper), 1, type(uint160).max);
        // An account without code keeps nobody's claims.
        _within("codeHash", uint256(claims.keeper.codeHash), 1, type(uint256).max);
        _within("holding.account", h.account, 0, 0);
        _within("holding.scale", h.scale, 1, type(uint64).max);
        _within("holding.width", h.width, 1, 256 - uint256(h.offset));
        if (!h.nested) _within("holding.innerKey", uint256(h.innerKey), 0, 0);
        return keccak256(abi.encode(chainId, keeper, h.vyper, h.nested, h.base, h.innerKey, h.word));
    }

    /// @dev Solidity hashes key . slot for a mapping, Vyper slot . key.
    function _key(bool vyper, bytes32 key, bytes32 slot) private pure returns (bytes32) {
        return vyper ? keccak256(abi.encode(slot, key)) : keccak256(abi.encode(key, slot));
    }
}
