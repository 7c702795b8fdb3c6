// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Incidents} from "breakwater/core/Incidents.sol";
import {Case} from "breakwater/interfaces/IAssembly.sol";
import {Incident, Status} from "breakwater/interfaces/IIncidents.sol";
import {Eip712Types, LossReport} from "breakwater/libraries/Eip712Types.sol";
import {Assembly} from "breakwater/triggers/Assembly.sol";
import {QuorumRung} from "breakwater/triggers/QuorumRung.sol";
import {Reporters} from "breakwater/triggers/Reporters.sol";
import {Base} from "../../Base.sol";
import {Token} from "../../Tokens.sol";

/// @notice Six who would report, the first two of whom never lie and the last of whom never says a thing; challengers who say anything; three voters, the first of
///         whom has most of the stake and votes the truth or nothing.
/// @dev Everything is drawn from the number of the draw. What is refused is caught, so that the next draw differs.
contract Disputants is Base {
    uint128 public constant BASE = 1_000_000e6;
    uint256 public constant REPORTERS = 6;
    uint256 public constant HONEST = 2;
    uint256 public constant VOTERS = 3;
    bytes32 private constant SALT = keccak256("salt");

    Incidents private immutable INCIDENTS;
    Reporters private immutable REGISTRY;
    QuorumRung private immutable QUORUM;
    Assembly private immutable HOUSE;
    Token private immutable BONDS;
    Token private immutable GOV;
    address private immutable ADMIN;
    bytes32 private immutable GAUGE;

    uint256 private _draws;
    uint256 private _nonce;
    mapping(address reporter => uint256 key) private _keys;
    /// @dev What was lost in the incident, which the liars do not say.
    mapping(uint256 id => uint128 loss) public truth;
    mapping(uint256 id => mapping(uint8 round => mapping(address voter => uint8))) private _votes;
    LossReport[] private _lies;

    mapping(bytes32 action => uint256) public done;
    /// @notice What each reporter was given to bond, but for its first bond.
    mapping(address reporter => uint256) public minted;
    /// @notice Units that the registry sent to provers, and to the sink.
    uint256 public claimed;
    uint256 public burned;
    /// @notice Disputes that nobody decided and that did not end at what was asserted.
    uint256 public denied;
    /// @notice Voters who were slashed although they had revealed.
    uint256 public slashedRevealers;

    constructor(
        Incidents incidents,
        Reporters registry,
        QuorumRung quorum,
        Assembly house,
        Token bonds,
        Token gov,
        bytes32 gauge,
        address admin
    ) {
        (INCIDENTS, REGISTRY, QUORUM, HOUSE) = (incidents, registry, quorum, house);
        (BONDS, GOV, GAUGE, ADMIN) = (bonds, gov, gauge, admin);
        for (uint256 i; i < REPORTERS; ++i) {
            uint256 key = uint256(keccak256(abi.encode("reporter", i)));
            _keys[vm.addr(key)] = key;
        }
    }

    function reporter(uint256 index) public pure returns (address) {
        return vm.addr(uint256(keccak256(abi.encode("reporter", index))));
    }

    function challenger(uint256 index) public pure returns (address) {
        return address(uint160(0x80000 + index));
    }

    function voter(uint256 index) public pure returns (address) {
        return address(uint160(0x90000 + index));
    }

    // ----- reporters -----

    /// @dev Opens an incident or revises the one that dwells; a lie is signed by the last three alone.
    function report() public {
        vm.roll(vm.getBlockNumber() + 10);
        uint256 id = _dwelling();
        bool lie = _draw() % 2 == 0;
        uint128 loss = id == 0 ? _figure() : truth[id];
        uint128 true_ = loss;
        if (lie) loss = _figure();
        uint64 onset = uint64(vm.getBlockNumber() - 5);
        if (id != 0) onset = INCIDENTS.incident(id).onset;
        LossReport memory r = _report(id, onset, loss);
        address[] memory signers = _signers(lie ? HONEST : _draw() % 3);
        try QUORUM.post(r, signers, _sign(r, signers)) returns (uint256 got) {
            if (id == 0) truth[got] = true_;
            if (lie) _lies.push(r);
            ++done[lie ? bytes32("lied") : bytes32("reported")];
        } catch {}
    }

    /// @dev The last reporter says yet another thing of a reading that it lied about.
    function equivocate() external {
        if (_lies.length == 0) return;
        LossReport memory first = _lies[_draw() % _lies.length];
        LossReport memory second = _lies[_draw() % _lies.length];
        (second.onset, second.reading) = (first.onset, first.reading);
        address liar = reporter(2 + _draw() % 3);
        if (_draw() % 3 == 0) _flee(liar);
        address[] memory signers = new address[](1);
        signers[0] = liar;
        bytes memory one = _sign(first, signers)[0];
        bytes memory two = _sign(second, signers)[0];
        vm.prank(challenger(0));
        try QUORUM.equivocate(liar, first, one, second, two) {
            ++done["equivocated"];
        } catch {}
    }

    function bond() external {
        address who = reporter(_draw() % REPORTERS);
        uint128 amount = uint128(10_000e6 + _draw() % 20_000e6);
        BONDS.mint(who, amount);
        minted[who] += amount;
        vm.startPrank(who);
        BONDS.approve(address(REGISTRY), amount);
        REGISTRY.bond(amount);
        vm.stopPrank();
        vm.prank(ADMIN);
        try REGISTRY.admit(who) {
            ++done["admitted"];
        } catch {}
    }

    function unbond() external {
        address who = reporter(_draw() % REPORTERS);
        uint128 amount = uint128(1 + _draw() % 5000e6);
        vm.prank(who);
        try REGISTRY.unbond(amount) {
            ++done["unbonded"];
        } catch {}
        (,,, uint64 leavesAt) = REGISTRY.bondOf(who);
        if (block.timestamp < leavesAt && _draw() % 4 == 0) vm.warp(leavesAt);
        vm.prank(who);
        try REGISTRY.withdraw() {
            ++done["left"];
        } catch {}
    }

    // ----- challengers -----

    function challenge() public {
        uint256 id = _dwelling();
        if (id == 0) return;
        address who = challenger(_draw() % 3);
        uint256 price = QUORUM.nextBond(id);
        uint128 loss = uint128(_draw() % QUORUM.posted(id).loss);
        BONDS.mint(who, price);
        vm.startPrank(who);
        BONDS.approve(address(QUORUM), price);
        try QUORUM.challenge(id, loss) {
            ++done["challenged"];
        } catch {}
        vm.stopPrank();
    }

    // ----- voters -----

    function begin() external {
        try HOUSE.begin(INCIDENTS.count()) {
            ++done["began"];
        } catch {}
    }

    function commit() external {
        _commit(_draw() % VOTERS);
    }

    function reveal() external {
        uint256 id = INCIDENTS.count();
        Case memory c = HOUSE.caseOf(id);
        if (c.commitEnd == 0 || c.closed) return;
        if (block.timestamp <= c.commitEnd) vm.warp(c.commitEnd + 1);
        // The first voter reveals whatever it committed to; of the others some do.
        _reveal(id, c.round, 0);
        _reveal(id, c.round, 1 + _draw() % 2);
    }

    /// @dev A round from its beginning to its end; each voter may be away.
    function hear() external {
        _dispute();
        if (INCIDENTS.incident(INCIDENTS.count()).status != Status.Disputed) return;
        this.begin();
        for (uint256 i; i < VOTERS; ++i) {
            if (_draw() % (i == 0 ? 2 : 3) != 0) _commit(i);
        }
        this.reveal();
        this.close();
    }

    /// @dev Two rounds in which nobody says a thing, of a dispute that may be brought about.
    function ignore() external {
        _dispute();
        if (INCIDENTS.incident(INCIDENTS.count()).status != Status.Disputed) return;
        this.begin();
        this.close();
        this.close();
    }

    function close() public {
        uint256 id = INCIDENTS.count();
        Case memory c = HOUSE.caseOf(id);
        if (c.commitEnd == 0 || c.closed) return;
        if (block.timestamp <= c.revealEnd) vm.warp(c.revealEnd + 1);
        bool quorum = uint256(c.revealed) * 10_000 >= uint256(c.eligible) * HOUSE.config().quorumBps;
        bool disputed = INCIDENTS.incident(id).status == Status.Disputed;
        HOUSE.close(id);
        if (!HOUSE.caseOf(id).closed) {
            ++done["repeated"];
        } else if (disputed && !quorum) {
            ++done["silent"];
            _expect(id, c.asserted);
        } else if (disputed) {
            ++done["decided"];
        }
    }

    function punish() external {
        uint256 count = INCIDENTS.count();
        // Of those that were heard last.
        uint256 id = count - _draw() % (count < 3 ? count : 3);
        uint8 round = uint8(_draw() % 2);
        address who = voter(_draw() % VOTERS);
        bool open = HOUSE.caseOf(id).commitEnd != 0;
        (, uint128 weight) = HOUSE.commitOf(id, round, who);
        try HOUSE.punish(id, round, who) {
            if (weight == 0 || !open) ++slashedRevealers;
            ++done["punished"];
        } catch {}
    }

    function unstake() external {
        address who = voter(1 + _draw() % 2);
        (uint128 staked,,,) = HOUSE.stakeOf(who);
        // Most take out a little, some all.
        uint128 amount = uint128(_draw() % 4 == 0 ? staked : 1 + _draw() % (staked / 20 + 1));
        vm.startPrank(who);
        try HOUSE.unstake(amount) {
            ++done["unstaked"];
        } catch {}
        (,, uint64 leavesAt,) = HOUSE.stakeOf(who);
        if (block.timestamp < leavesAt && _draw() % 4 == 0) vm.warp(leavesAt);
        try HOUSE.withdraw() {
            ++done["withdrew stake"];
        } catch {}
        // What came out goes in again.
        uint256 balance = GOV.balanceOf(who);
        if (balance != 0) {
            GOV.approve(address(HOUSE), balance);
            HOUSE.stake(uint128(balance));
        }
        vm.stopPrank();
    }

    // ----- the end -----

    /// @dev Past the end of what the newest incident waits for.
    function finalise() public {
        uint256 id = INCIDENTS.count();
        Incident memory incident = INCIDENTS.incident(id);
        bool dispute = incident.status == Status.Disputed;
        if (incident.status != Status.Dwelling && !dispute) return;
        // Disputes mostly have their time.
        if (dispute && _draw() % 4 != 0) return;
        uint128 asserted = INCIDENTS.asserted(id);
        if (vm.getBlockNumber() <= incident.dwellEnd) vm.roll(incident.dwellEnd + 1);
        INCIDENTS.finalise(id);
        if (dispute) _expect(id, asserted);
        ++done[dispute ? bytes32("timed out") : bytes32("finalised")];
    }

    function passTime() external {
        vm.warp(block.timestamp + _draw() % 4 days);
        vm.roll(vm.getBlockNumber() + 1 + _draw() % 20);
    }

    function judge() external {
        uint256 incidents = INCIDENTS.count();
        uint256 id = incidents - _draw() % (incidents < 6 ? incidents : 6);
        try QUORUM.settle(id) {
            ++done["settled"];
        } catch {}
        uint256 count = QUORUM.challenges(id);
        if (count == 0) return;
        try QUORUM.resolve(id, _draw() % count) {
            ++done["resolved"];
        } catch {}
    }

    function collect() external {
        address who = challenger(_draw() % 3);
        uint256 reward = REGISTRY.rewards(who);
        vm.startPrank(who);
        if (reward != 0) {
            REGISTRY.claim();
            claimed += reward;
        }
        if (QUORUM.owed(who) != 0) QUORUM.withdraw();
        vm.stopPrank();
        uint256 amount = REGISTRY.unburned();
        if (amount != 0 && _draw() % 2 == 0) {
            REGISTRY.burn();
            burned += amount;
        }
        if (QUORUM.unburned() != 0 && _draw() % 2 == 0) QUORUM.burn();
    }

    // ----- internals -----

    function _dwelling() private view returns (uint256 id) {
        id = INCIDENTS.latest(GAUGE);
        if (INCIDENTS.incident(id).status != Status.Dwelling) return 0;
    }

    function _dispute() private {
        if (_draw() % 2 == 0) return;
        if (_dwelling() == 0) report();
        challenge();
        finalise();
    }

    /// @dev Whoever is about to be caught takes out what it can.
    function _flee(address liar) private {
        (uint128 bonded, uint128 held,,) = REGISTRY.bondOf(liar);
        if (bonded == held) return;
        vm.prank(liar);
        REGISTRY.unbond(bonded - held);
    }

    function _commit(uint256 index) private {
        uint256 id = INCIDENTS.count();
        Case memory c = HOUSE.caseOf(id);
        uint8 value = uint8(_draw() % 101);
        if (index == 0) value = _percent(id, c);
        bytes32 commitment = HOUSE.commitmentOf(id, c.round, voter(index), value, SALT);
        vm.prank(voter(index));
        try HOUSE.commit(id, commitment) {
            _votes[id][c.round][voter(index)] = value;
            ++done["committed"];
        } catch {}
    }

    function _reveal(uint256 id, uint8 round, uint256 index) private {
        uint8 value = _votes[id][round][voter(index)];
        vm.prank(voter(index));
        try HOUSE.reveal(id, value, SALT) {
            ++done["revealed"];
        } catch {}
    }

    function _expect(uint256 id, uint128 asserted) private {
        Incident memory incident = INCIDENTS.incident(id);
        bool voided = incident.status == Status.Voided;
        // A report may be taken back to below the threshold while it is held; it is then no incident.
        bool small = uint256(asserted) * 10 < BASE;
        if (voided ? !small : incident.loss != asserted) ++denied;
    }

    /// @dev Where the truth lies between undisputed and asserted; at an end if it is outside.
    function _percent(uint256 id, Case memory c) private view returns (uint8) {
        uint128 loss = truth[id];
        if (loss >= c.asserted) return 100;
        if (loss <= c.undisputed) return 0;
        return uint8(uint256(loss - c.undisputed) * 100 / (c.asserted - c.undisputed));
    }

    function _figure() private returns (uint128) {
        return uint128(BASE / 8 + _draw() % (BASE - BASE / 8));
    }

    function _report(uint256 id, uint64 onset, uint128 loss) private returns (LossReport memory) {
        return LossReport({
            gauge: GAUGE,
            incident: id,
            onset: onset,
            reading: uint64(vm.getBlockNumber() - 1),
            onsetTime: uint64(1_800_000_000 + 12 * uint256(onset)),
            afterTime: uint64(1_800_000_012 + 12 * uint256(onset)),
            base: BASE,
            loss: loss,
            evidence: keccak256("document"),
            signerSet: REGISTRY.signerSet(),
            nonce: ++_nonce,
            validFrom: 0,
            validUntil: type(uint64).max
        });
    }

    /// @dev Three in a row from `from`, ascending.
    function _signers(uint256 from) private pure returns (address[] memory signers) {
        signers = new address[](3);
        for (uint256 i; i < 3; ++i) {
            signers[i] = reporter(from + i);
            for (uint256 k = i; k != 0 && signers[k - 1] > signers[k]; --k) {
                (signers[k], signers[k - 1]) = (signers[k - 1], signers[k]);
            }
        }
    }

    function _sign(LossReport memory r, address[] memory signers)
        private
        view
        returns (bytes[] memory signatures)
    {
        bytes32 digest = MessageHashUtils.toTypedDataHash(
            Eip712Types.domainSeparator(block.chainid, address(QUORUM)), Eip712Types.hash(r)
        );
        signatures = new bytes[](signers.length);
        for (uint256 i; i < signers.length; ++i) {
            (uint8 v, bytes32 r_, bytes32 s) = vm.sign(_keys[signers[i]], digest);
            signatures[i] = abi.encodePacked(r_, s, v);
        }
    }

    function _draw() private returns (uint256) {
        return uint256(keccak256(abi.encode("disputants", ++_draws)));
    }
}
