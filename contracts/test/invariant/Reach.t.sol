// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Stage} from "./Stage.sol";

/// @notice A campaign that reaches nothing proves nothing: everything that the invariants are about does happen.
contract ReachTest is Stage {
    uint256 private constant RUNS = 16;
    uint256 private constant DEPTH = 120;

    bytes32[] private _what = [
        bytes32("bought"),
        "bought with consent",
        "bought in parts",
        "lowered",
        "cancelled",
        "policy moved",
        "deposited",
        "deposit processed",
        "deposit returned",
        "deposit claimed",
        "exit asked",
        "exit paid",
        "exit rolled",
        "exit claimed",
        "recovered",
        "queue recovered",
        "unlocked",
        "cap raised",
        "split",
        "cap lowered",
        "opened",
        "booked",
        "opened behind a refuted",
        "raised",
        "lowered loss",
        "curator bore",
        "voided",
        "final",
        "closed",
        "closed short",
        "paid",
        "paid in the dwell",
        "paid by a closed pool",
        "withdrawn",
        "tried a closed pool",
        "tried a frozen policy",
        "tried another's policy",
        "tried a dwelling loss"
    ];
    mapping(bytes32 => uint256) private _times;

    function test_random_actions_reach_everything() public {
        uint256 failed;
        uint256 seed = 1;
        for (uint256 run; run < RUNS; ++run) {
            uint256 before = vm.snapshotState();
            for (uint256 i; i < DEPTH; ++i) {
                seed = uint256(keccak256(abi.encode(seed)));
                (bool ok,) = address(handler).call(abi.encodePacked(actions[seed % actions.length]));
                if (!ok) ++failed;
            }
            uint256[] memory times = new uint256[](_what.length);
            for (uint256 i; i < _what.length; ++i) {
                times[i] = handler.done(_what[i]);
            }
            vm.revertToStateAndDelete(before);
            for (uint256 i; i < _what.length; ++i) {
                _times[_what[i]] += times[i];
            }
        }
        for (uint256 i; i < _what.length; ++i) {
            string memory name = string(abi.encodePacked(_what[i]));
            log(name, _times[_what[i]]);
        }
        log("steps that failed", failed);
        for (uint256 i; i < _what.length; ++i) {
            assertGt(_times[_what[i]], 0, string(abi.encodePacked(_what[i])));
        }
        // A step fails where it finds nothing to do that would not be refused.
        assertLt(failed * 50, RUNS * DEPTH, "steps fail");
    }
}
