// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {GaugeSpec, Holding, Reading} from "breakwater/interfaces/IGauges.sol";
import {Evidence} from "breakwater/interfaces/IProofRung.sol";
import {Header} from "breakwater/libraries/Header.sol";
import {Listing} from "breakwater/libraries/Listing.sol";
import {Reader} from "breakwater/libraries/Reader.sol";
import {Trie} from "breakwater/libraries/Trie.sol";

/// @title The gauge libraries behind functions, so that the Rust tests can run them on their own gauges
contract GaugeHarness {
    function id(GaugeSpec calldata spec) external pure returns (bytes32) {
        return keccak256(abi.encode(spec));
    }

    function subject(GaugeSpec calldata spec) external pure returns (bytes32) {
        return Listing.subjectOf(spec);
    }

    function exclusive(GaugeSpec calldata a, GaugeSpec calldata b) external pure returns (bool) {
        return Listing.exclusive(a, b);
    }

    function check(GaugeSpec calldata spec) external view {
        Listing.checkGauge(spec);
    }

    function slot(Holding calldata holding, address holder) external pure returns (bytes32) {
        return Reader.slotOf(holding, holder);
    }

    /// @notice The hash over all holders, and over those that are no newcomers.
    function chains(address[] calldata holders, uint256[] calldata newcomers)
        external
        pure
        returns (bytes32 all, bytes32 old)
    {
        return (Reader.chainOf(0, address(0), holders), Reader.chainWithout(0, holders, newcomers));
    }

    /// @notice The gauge in every block of the evidence; the headers are taken at their word.
    function read(GaugeSpec calldata spec, Evidence calldata evidence)
        external
        pure
        returns (Reading[] memory readings, bool[] memory saturated)
    {
        uint256 count = evidence.headers.length;
        readings = new Reading[](count);
        saturated = new bool[](count);
        bytes32 chain = Reader.chainOf(0, address(0), evidence.holders);
        Reader.Proof memory proof = Reader.start(evidence);
        for (uint256 i; i < count; ++i) {
            Header.Parsed memory header = Header.parse(evidence.headers[i]);
            (readings[i], saturated[i]) = Reader.read(spec, evidence, proof, header, chain);
        }
        Trie.done(evidence.paths, proof.cursor);
    }

    /// @notice What accounts hold in two blocks, and the gauge in the later one if `readLater`.
    function positions(
        GaugeSpec calldata spec,
        address[] calldata accounts,
        Evidence calldata evidence,
        bool readLater
    ) external pure returns (uint256[] memory before, uint256[] memory later, Reading memory reading) {
        Reader.Proof memory proof = Reader.start(evidence);
        before = _holdings(spec, accounts, evidence, proof, evidence.headers[0]);
        if (readLater) {
            (reading,) = Reader.read(spec, evidence, proof, Header.parse(evidence.headers[1]), 0);
        }
        later = _holdings(spec, accounts, evidence, proof, evidence.headers[1]);
        Trie.done(evidence.paths, proof.cursor);
    }

    function _holdings(
        GaugeSpec calldata spec,
        address[] calldata accounts,
        Evidence calldata evidence,
        Reader.Proof memory proof,
        bytes calldata header
    ) private pure returns (uint256[] memory held) {
        bytes32 root = Reader.holdingRoot(spec, evidence, proof, Header.parse(header).stateRoot);
        held = new uint256[](accounts.length);
        for (uint256 i; i < accounts.length; ++i) {
            held[i] = Reader.holdingOf(spec, evidence, proof, root, accounts[i]);
        }
    }
}
