// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Measurement, Rung} from "breakwater/interfaces/IIncidents.sol";
import {Trigger} from "breakwater/interfaces/ITriggers.sol";
import {Fixture} from "./Fixture.sol";
import {Spy} from "./Spy.sol";

/// @notice An account for every rung, a gauge and a trigger, and a spy as the one pool of both.
abstract contract LadderFixture is Fixture {
    uint64 internal constant ONSET = 9000;
    uint8 internal constant CANARY_AND_QUORUM = 12;

    bytes32 internal gauge;
    bytes32 internal trigger;
    Spy internal pool;

    function setUp() public virtual override {
        super.setUp();
        gauge = list(vaultSpec());
        trigger = catalog.listTrigger(triggerOf(CANARY_AND_QUORUM));
        pool = new Spy();
        pool.setMoney(address(usd), 1000);
        register(address(pool));
        vm.startPrank(address(pool));
        catalog.attach(gauge);
        catalog.attach(trigger);
        vm.stopPrank();
        for (uint8 i = uint8(Rung.Feed); i <= uint8(Rung.Quorum); ++i) {
            incidents.setCeiling(i, address(usd), 1000);
        }
    }

    /// @dev One more pool of the gauge.
    function _join(address asset, uint128 held) internal {
        Spy other = new Spy();
        other.setMoney(asset, held);
        register(address(other));
        vm.prank(address(other));
        catalog.attach(gauge);
    }

    function wire(address) internal virtual override {
        wireUpTo(Rung.Assembly);
    }

    function wireUpTo(Rung last) internal {
        uint256 count = uint256(last) + 1;
        address[] memory contracts = new address[](count);
        Rung[] memory rungs = new Rung[](count);
        for (uint256 i; i < count; ++i) {
            (rungs[i], contracts[i]) = (Rung(i), who(Rung(i)));
        }
        incidents.wire(keeper, contracts, rungs);
    }

    /// @dev Who speaks for a rung.
    function who(Rung rung) internal pure returns (address) {
        return address(uint160(0x5000 + uint8(rung)));
    }

    function triggerOf(uint8 rungs) internal view returns (Trigger memory t) {
        t.chainId = block.chainid;
        t.rungs = rungs;
        t.asset = address(usd);
        t.subject = VAULT;
        t.threshold = 0.1e18;
        t.terms = "terms";
    }

    function m(uint64 onset, uint64 reading, uint128 loss) internal pure returns (Measurement memory) {
        uint64 time = uint64(START) + onset * 12;
        return Measurement(onset, reading, time, time + 12, 1000, loss, keccak256("evidence"));
    }

    function openBy(Rung rung, bytes32 on, uint64 onset, uint64 reading, uint128 loss)
        internal
        returns (uint256)
    {
        vm.prank(who(rung));
        return incidents.open(on, rung, bob, m(onset, reading, loss));
    }

    function holdBy(Rung rung, uint256 id, uint128 undisputed) internal {
        vm.prank(who(rung));
        incidents.hold(id, undisputed);
    }

    function decideBy(Rung rung, uint256 id, uint128 loss) internal {
        vm.prank(who(rung));
        incidents.decide(id, loss);
    }

    function overruleBy(Rung rung, uint256 id, uint128 loss) internal {
        vm.prank(who(rung));
        incidents.overrule(id, loss);
    }

    /// @dev The window is over: Disputed if held.
    function dispute(uint256 id) internal {
        vm.roll(incidents.incident(id).dwellEnd + 1);
        incidents.finalise(id);
    }

    function status(uint256 id) internal view returns (uint256) {
        return uint256(incidents.incident(id).status);
    }
}
