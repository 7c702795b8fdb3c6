// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {
    Form,
    GaugeSpec,
    Holding,
    PinnedAccount,
    Reading,
    Side,
    Term
} from "breakwater/interfaces/IGauges.sol";
import {Evidence} from "breakwater/interfaces/IProofRung.sol";
import {Fixture} from "../Fixture.sol";

/// @notice What an assertion costs with the proofs of two mainnet blocks: two accounts, one slot of each.
/// @dev The gauge is made for the test: the "assets" are a pair's reserve, the "claims" a balance that grew.
contract ProofRungMainnetTest is Fixture {
    /// @dev All that a transaction may cost, in gas.
    uint256 private constant LIMIT = 1_250_000;

    function setUp() public override {
        super.setUp();
        vm.roll(18_884_866);
    }

    function test_assertionOfTwoMainnetBlocksIsCheapEnough() public {
        (GaugeSpec memory spec, Evidence memory evidence) = _load();
        list(spec);
        vm.warp(1_703_900_000);
        bytes memory data = abi.encodeCall(rung.assertLoss, (spec, evidence));
        vm.cool(address(rung));
        vm.cool(address(incidents));
        vm.cool(address(catalog));
        vm.cool(address(history));
        uint256 before = gasleft();
        (bool ok, bytes memory answer) = address(rung).call(data);
        uint256 execution = before - gasleft();
        assertTrue(ok);
        uint256 id = abi.decode(answer, (uint256));
        (Reading memory a,, Reading memory b) = rung.readings(id);
        assertEq(a.number, 18_884_863);
        assertEq(a.assets, 26_994_991_677_489_908_304_526);
        assertEq(b.number, 18_884_864);
        assertLt(b.assets, a.assets);
        (uint256 total, uint256 standard, uint256 floor) = _cost(data, execution);
        log("calldata bytes", data.length);
        log("execution gas", execution);
        log("standard gas", standard);
        log("floor gas", floor);
        vm.snapshotValue("ProofRung", "assertLoss: execution", execution);
        vm.snapshotValue("ProofRung", "assertLoss: all, EIP-7623", total);
        assertLe(total, LIMIT);
    }

    /// @dev EIP-7623: 21,000 and the more of 4 a token and the execution, or 10 a token; a byte that is not zero
    ///      has four tokens.
    function _cost(bytes memory data, uint256 execution)
        private
        pure
        returns (uint256 total, uint256 standard, uint256 floor)
    {
        uint256 tokens;
        for (uint256 i; i < data.length; ++i) {
            tokens += data[i] == 0 ? 1 : 4;
        }
        standard = 21_000 + 4 * tokens + execution;
        floor = 21_000 + 10 * tokens;
        total = standard > floor ? standard : floor;
    }

    function _load() private returns (GaugeSpec memory spec, Evidence memory evidence) {
        string memory json = readVectors("mainnet-proofs.json");
        evidence.headers = new bytes[](2);
        evidence.newcomers = new uint256[](0);
        uint256 count;
        for (uint256 i; i < 2; ++i) {
            string memory base = string.concat(".blocks[", vm.toString(i), "]");
            evidence.headers[i] = vm.parseJsonBytes(json, string.concat(base, ".header"));
            vm.setBlockhash(
                vm.parseJsonUint(json, string.concat(base, ".number")), keccak256(evidence.headers[i])
            );
            bytes memory nodes = vm.parseJsonBytes(json, string.concat(base, ".nodes"));
            bytes memory paths = vm.parseJsonBytes(json, string.concat(base, ".paths"));
            // The indices of the second block count on from the nodes of the first.
            evidence.paths = abi.encodePacked(evidence.paths, _shift(paths, count));
            evidence.nodes = abi.encodePacked(evidence.nodes, nodes);
            count += _countOf(nodes);
        }
        spec = _spec(json);
    }

    function _spec(string memory json) private view returns (GaugeSpec memory spec) {
        spec = vaultSpec();
        spec.form = Form.Par;
        (spec.growth, spec.pinnedAt, spec.assets0, spec.shares0) = (0, 0, 0, 0);
        spec.threshold = 0.001e18;
        spec.accounts = new PinnedAccount[](2);
        for (uint256 i; i < 2; ++i) {
            string memory base = string.concat(".blocks[0].accounts[", vm.toString(i), "]");
            spec.accounts[i] = PinnedAccount(
                vm.parseJsonAddress(json, string.concat(base, ".address")),
                vm.parseJsonBytes32(json, string.concat(base, ".codeHash"))
            );
            bytes32 slot = vm.parseJsonBytes32(json, string.concat(base, ".slot"));
            spec.terms[i] = i == 0
                ? Term(0, Side.AssetAdd, false, slot, 0, 112, 1)
                : Term(1, Side.ClaimAdd, false, slot, 0, 255, 1e9);
        }
        spec.holding = Holding(1, false, false, 0, 255, 1, 0, bytes32(uint256(9)), 0);
    }

    function _shift(bytes memory paths, uint256 by) private pure returns (bytes memory) {
        uint256 position;
        while (position < paths.length) {
            uint256 count = uint8(paths[position++]);
            for (uint256 i; i < count; ++i) {
                uint256 index = (uint256(uint8(paths[position])) << 8 | uint8(paths[position + 1])) + by;
                (paths[position], paths[position + 1]) = (bytes1(uint8(index >> 8)), bytes1(uint8(index)));
                position += 2;
            }
        }
        return paths;
    }

    /// @dev The nodes are lists, most of them longer than 255 bytes, some between 56 and 255, some shorter.
    function _countOf(bytes memory nodes) private pure returns (uint256 count) {
        uint256 position;
        while (position < nodes.length) {
            uint256 prefix = uint8(nodes[position]);
            if (prefix < 0xf8) position += 1 + prefix - 0xc0;
            else if (prefix == 0xf8) position += 2 + uint8(nodes[position + 1]);
            else position += 3 + (uint256(uint8(nodes[position + 1])) << 8 | uint8(nodes[position + 2]));
            ++count;
        }
    }
}
