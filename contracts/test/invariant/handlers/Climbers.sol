// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Incidents} from "breakwater/core/Incidents.sol";
import {Incident, Measurement, Rung, Status} from "breakwater/interfaces/IIncidents.sol";
import {Base} from "../../Base.sol";
import {Spy} from "../../Spy.sol";

/// @notice Everybody on the ladder at once: rungs open, hold and overrule, the guardian sends up, the assembly decides,
///         policies take. What must never happen in a step is checked in the step.
contract Climbers is Base {
    struct Told {
        uint128 undisputed; // when the dispute began
        uint128 asserted;
        uint128 lowest; // of all challenges
        bool challenged;
    }

    uint64 private constant BLOCK_TIME = 12;
    uint128 private constant BASE = 1000;

    Incidents private immutable _incidents;
    Spy private immutable _pool;
    address private immutable _policies;
    address private immutable _guardian;
    bytes32[2] private _gauges;

    uint256 private _entropy;
    mapping(bytes32 rule => uint256 times) public breaches;
    mapping(bytes32 what => uint256 times) public done;
    mapping(uint256 id => Told told) private _told;
    mapping(uint256 id => bool) private _waited;
    mapping(uint256 id => bool) private _sent;

    constructor(Incidents incidents, Spy pool, address policies, address guardian, bytes32[2] memory gauges) {
        (_incidents, _pool, _policies, _guardian, _gauges) = (incidents, pool, policies, guardian, gauges);
    }

    function open() external {
        _pass(1 + _draw(3));
        bool onGauge = _draw(2) == 0;
        Rung rung = _draw(2) == 0 ? Rung.Quorum : onGauge ? Rung.Proof : Rung.Canary;
        bytes32 gauge = _gauges[onGauge ? 0 : 1];
        uint64 head = uint64(vm.getBlockNumber());
        uint64 onset = head - 2 - uint64(_draw(20));
        uint64 time = uint64(vm.getBlockTimestamp()) - (head - onset) * BLOCK_TIME;
        uint128 loss = uint128(100 + _draw(901));
        vm.prank(who(rung));
        try _incidents.open(
            gauge, rung, who(rung), Measurement(onset, head - 1, time, time + BLOCK_TIME, BASE, loss, 0)
        ) {
            ++done["open"];
        } catch {}
    }

    function hold() external {
        (uint256 id, Incident memory i) = _some();
        uint128 undisputed = uint128(_draw(uint256(i.loss) + 1));
        vm.prank(i.rungContract);
        try _incidents.hold(id, undisputed) {
            ++done["hold"];
            _challenge(id, undisputed);
        } catch {}
    }

    function revise() external {
        (uint256 id, Incident memory i) = _some();
        uint64 head = uint64(vm.getBlockNumber());
        uint64 reading = _draw(2) == 0 ? i.reading : head - 1;
        uint128 loss = uint128(_draw(uint256(BASE) + 1));
        vm.prank(i.rungContract);
        try _incidents.revise(id, Measurement(i.onset, reading, i.onsetTime, i.afterTime, BASE, loss, 0)) {
            ++done["revise"];
        } catch {}
    }

    function overrule() external {
        (uint256 id, Incident memory i) = _disputed();
        _decided(id, i, i.rungContract, _near(id, i), true);
    }

    function decide() external {
        (uint256 id, Incident memory i) = _disputed();
        _decided(id, i, who(Rung.Assembly), _near(id, i), false);
    }

    function escalate() external {
        (uint256 id, Incident memory i) = _some();
        bool waits = _waited[id];
        vm.prank(_guardian);
        try _incidents.escalate(id) {
            ++done["escalate"];
            _rule(waits && i.status == Status.Dwelling && !_sent[id], "guardian");
            _sent[id] = true;
            _challenge(id, 0);
        } catch {}
    }

    function finalise() external {
        (uint256 id, Incident memory i) = _some();
        _end(id, i);
    }

    /// @notice Nobody does anything any more but wait and finalise: in three windows everything is over.
    function giveUp() external {
        (uint256 id, Incident memory i) = _some();
        if (id == 0) return;
        for (uint256 k; k < 3; ++k) {
            i = _incidents.incident(id);
            if (i.status != Status.Dwelling && i.status != Status.Disputed) return;
            if (vm.getBlockNumber() <= i.dwellEnd) _pass(i.dwellEnd + 1 - vm.getBlockNumber());
            _end(id, i);
        }
        Status last = _incidents.incident(id).status;
        _rule(last == Status.Final || last == Status.Voided, "undecided");
        ++done["given up"];
    }

    function consume() external {
        (uint256 id, Incident memory i) = _disputed();
        uint128 wanted = uint128(1 + _draw(400));
        vm.prank(_policies);
        try _incidents.consume(id, address(uint160(0xA11CE + _draw(3))), false, 400, wanted) returns (
            uint128 got
        ) {
            if (got == 0) return;
            ++done["consume"];
            if (i.status != Status.Disputed) return;
            ++done["consume disputed"];
            _rule(_incidents.incident(id).paid <= _told[id].undisputed, "paid above undisputed");
        } catch {}
    }

    function release() external {
        (uint256 id,) = _some();
        try _incidents.release(id) {
            ++done["release"];
        } catch {}
    }

    function pass() external {
        _pass(1 + _draw(60));
    }

    function passDays() external {
        uint256 blocks = 1 + _draw(15 days / BLOCK_TIME);
        _pass(blocks);
    }

    // ----- what invariants ask -----

    /// @notice Held by the ceiling and lifted by re-executed evidence: it stays the assembly's account.
    mapping(uint256 id => bool) public freed;

    function who(Rung rung) public pure returns (address) {
        return address(uint160(0x5000 + uint8(rung)));
    }

    // ----- steps -----

    function _end(uint256 id, Incident memory i) private {
        if (id == 0) return;
        uint128 asserted = _incidents.asserted(id);
        try _incidents.finalise(id) {
            Incident memory after_ = _incidents.incident(id);
            if (after_.status == Status.Dwelling) {
                // One delay for each incident.
                _rule(!_waited[id], "delayed twice");
                _waited[id] = true;
                ++done["delay"];
            }
            if (after_.status == Status.Disputed) {
                Told storage told = _told[id];
                (told.undisputed, told.asserted) = (after_.loss, i.loss);
                _rule(!told.challenged || after_.loss <= told.lowest, "above a challenge");
                // Below the threshold it is nothing.
                _rule(after_.loss == 0 || after_.loss >= 100, "undisputed below the threshold");
                ++done["dispute"];
            }
            if (i.status == Status.Disputed) {
                ++done["undecided"];
                _rule(after_.status == Status.Final && after_.loss == asserted, "silence denies");
            }
        } catch {
            // It is refused only before its time, or when it is over.
            bool over = i.status == Status.Final || i.status == Status.Voided;
            _rule(over || vm.getBlockNumber() <= i.dwellEnd, "stuck");
        }
    }

    function _decided(uint256 id, Incident memory i, address by, uint128 loss, bool overrules) private {
        vm.prank(by);
        (bool ok,) = address(_incidents)
            .call(
                overrules
                    ? abi.encodeCall(_incidents.overrule, (id, loss))
                    : abi.encodeCall(_incidents.decide, (id, loss))
            );
        if (ok && i.status == Status.Dwelling) (freed[id], _told[id].challenged) = (true, false);
        if (!ok || i.status != Status.Disputed) return;
        ++done[overrules ? bytes32("overrule") : bytes32("decide")];
        Told memory told = _told[id];
        _rule(told.undisputed <= loss && loss <= told.asserted, "outside the dispute");
        Incident memory after_ = _incidents.incident(id);
        bool void = after_.status == Status.Voided;
        if (void) ++done["void"];
        _rule(void ? loss < 100 && told.undisputed == 0 : after_.loss == loss, "not what was decided");
        _rule(_pool.booking(id).reserved == (void ? 0 : loss), "reserve");
    }

    function _challenge(uint256 id, uint128 undisputed) private {
        Told storage told = _told[id];
        if (!told.challenged || undisputed < told.lowest) told.lowest = undisputed;
        told.challenged = true;
    }

    /// @dev A loss within the dispute, or one unit outside of it.
    function _near(uint256 id, Incident memory i) private returns (uint128) {
        uint128 most = _incidents.asserted(id);
        uint256 draw = _draw(4);
        if (draw == 0) return most + 1;
        if (draw == 1) return i.loss == 0 ? 0 : i.loss - 1;
        return uint128(i.loss + _draw(uint256(most) - i.loss + 1));
    }

    function _some() private returns (uint256 id, Incident memory i) {
        uint256 count = _incidents.count();
        if (count == 0) return (0, i);
        id = count - _draw(count < 6 ? count : 6);
        i = _incidents.incident(id);
    }

    /// @dev Disputes are rare, so the last of them is mostly found if there is one.
    function _disputed() private returns (uint256 id, Incident memory i) {
        uint256 count = _draw(3) == 0 ? 0 : _incidents.count();
        for (uint256 k; k < 8 && k < count; ++k) {
            i = _incidents.incident(count - k);
            if (i.status == Status.Disputed) return (count - k, i);
        }
        return _some();
    }

    function _rule(bool holds, bytes32 rule) private {
        if (!holds) ++breaches[rule];
    }

    function _pass(uint256 blocks) private {
        vm.roll(vm.getBlockNumber() + blocks);
        vm.warp(vm.getBlockTimestamp() + blocks * BLOCK_TIME);
    }

    function _draw(uint256 n) private returns (uint256) {
        _entropy = uint256(keccak256(abi.encode(_entropy, msg.sig)));
        return _entropy % n;
    }
}
