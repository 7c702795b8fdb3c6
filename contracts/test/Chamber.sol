// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {Catalog} from "breakwater/core/Catalog.sol";
import {BreakwaterToken} from "breakwater/governance/BreakwaterToken.sol";
import {Council} from "breakwater/governance/Council.sol";
import {Identities} from "breakwater/governance/Identities.sol";
import {Signal} from "breakwater/governance/Signal.sol";
import {Timelock} from "breakwater/governance/Timelock.sol";
import {Fixture} from "./Fixture.sol";

/// @notice The settlement layer under its council, as both are deployed: the timelock is the only admin, lists and
///         registers; four accounts have votes, one of them through a delegate.
abstract contract Chamber is Fixture {
    /// @dev Calls of one proposal. Build one with `proposal`, add calls with `also`, bring it through with `pass`.
    struct Proposal {
        address[] targets;
        uint256[] values;
        bytes[] calldatas;
        string description;
    }

    uint8 internal constant AGAINST = 0;
    uint8 internal constant FOR = 1;
    uint8 internal constant ABSTAIN = 2;
    uint8 internal constant FRACTIONAL = 255;
    uint64 internal constant LISTER = 1;
    uint64 internal constant IDENTITY_REGISTRAR = 3;

    BreakwaterToken internal bwr;
    Council internal council;
    Timelock internal timelock;
    Identities internal identities;
    Signal internal signal;

    address internal treasury = makeAddr("treasury");
    address internal whale = makeAddr("whale");
    address internal saver = makeAddr("saver");
    address internal delegate = makeAddr("delegate");
    address internal minnow = makeAddr("minnow");
    address internal guardian = makeAddr("guardian");
    address internal clerk = makeAddr("clerk");

    function setUp() public virtual override {
        super.setUp();
        bwr = new BreakwaterToken(treasury);
        council = new Council(bwr, councilTerms());
        timelock = Timelock(payable(council.timelock()));
        identities = new Identities(address(manager));
        signal = new Signal(address(manager), catalog, bwr, identities);

        _give(whale, 6_000_000e18, whale);
        // His votes count with the delegate.
        _give(saver, 3_000_000e18, delegate);
        _give(minnow, 10_000e18, minnow);
        vm.warp(block.timestamp + 1);
    }

    function councilTerms() internal view returns (Council.Terms memory) {
        return Council.Terms({
            votingDelay: 1 days,
            votingPeriod: 5 days,
            extension: 2 days,
            threshold: 5000e18,
            quorumPercent: 4,
            delay: 2 days,
            guardian: guardian
        });
    }

    /// @dev From here on nobody but the timelock, and the clerk for identities, holds a role.
    function handOver() internal {
        bytes4[] memory listing = new bytes4[](2);
        (listing[0], listing[1]) = (Catalog.listGauge.selector, Catalog.listProduct.selector);
        manager.setTargetFunctionRole(address(catalog), listing, LISTER);
        _role(address(identities), Identities.add.selector, IDENTITY_REGISTRAR);
        _role(address(identities), Identities.remove.selector, IDENTITY_REGISTRAR);
        manager.grantRole(LISTER, address(timelock), 0);
        manager.grantRole(IDENTITY_REGISTRAR, clerk, 0);
        manager.grantRole(0, address(timelock), 0);
        manager.renounceRole(0, address(this));
    }

    // ----- proposals -----

    function proposal(string memory description, address target, bytes memory data)
        internal
        pure
        returns (Proposal memory p)
    {
        (p.targets, p.values, p.calldatas) = (new address[](0), new uint256[](0), new bytes[](0));
        p.description = description;
        also(p, target, data);
    }

    function also(Proposal memory p, address target, bytes memory data) internal pure {
        uint256 count = p.targets.length;
        address[] memory targets = new address[](count + 1);
        bytes[] memory calldatas = new bytes[](count + 1);
        for (uint256 i; i < count; ++i) {
            (targets[i], calldatas[i]) = (p.targets[i], p.calldatas[i]);
        }
        (targets[count], calldatas[count]) = (target, data);
        (p.targets, p.values, p.calldatas) = (targets, new uint256[](count + 1), calldatas);
    }

    /// @dev All the way: proposed, carried by a fraction of one and the delegated votes of another, queued, executed.
    function pass(Proposal memory p) internal returns (uint256 id) {
        id = carry(p);
        enqueue(p);
        ripen();
        execute(p);
        assertState(id, IGovernor.ProposalState.Executed);
    }

    function propose(Proposal memory p) internal returns (uint256) {
        vm.prank(whale);
        return council.propose(p.targets, p.values, p.calldatas, p.description);
    }

    /// @dev Proposed and voted for, until the vote is over.
    function carry(Proposal memory p) internal returns (uint256 id) {
        id = propose(p);
        vm.warp(council.proposalSnapshot(id) + 1);
        vm.prank(whale);
        council.castVoteWithReasonAndParams(
            id, FRACTIONAL, "", abi.encodePacked(uint128(1_000_000e18), uint128(4_000_000e18), uint128(0))
        );
        vm.prank(delegate);
        council.castVote(id, FOR);
        vm.warp(council.proposalDeadline(id) + 1);
    }

    function enqueue(Proposal memory p) internal {
        council.queue(p.targets, p.values, p.calldatas, keccak256(bytes(p.description)));
    }

    function ripen() internal {
        vm.warp(block.timestamp + timelock.getMinDelay());
    }

    function execute(Proposal memory p) internal {
        vm.prank(keeper);
        council.execute(p.targets, p.values, p.calldatas, keccak256(bytes(p.description)));
    }

    function cancel(Proposal memory p) internal {
        council.cancel(p.targets, p.values, p.calldatas, keccak256(bytes(p.description)));
    }

    function assertState(uint256 id, IGovernor.ProposalState expected) internal view {
        assertEq(uint256(council.state(id)), uint256(expected));
    }

    function _give(address to, uint256 amount, address delegatee) internal {
        vm.prank(treasury);
        bwr.transfer(to, amount);
        vm.prank(to);
        bwr.delegate(delegatee);
    }

    function _role(address target, bytes4 selector, uint64 role) private {
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = selector;
        manager.setTargetFunctionRole(target, selectors, role);
    }
}
