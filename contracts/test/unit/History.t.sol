// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IHistory} from "breakwater/interfaces/IHistory.sol";
import {Header} from "breakwater/libraries/Header.sol";
import {EthereumHistory} from "breakwater/triggers/EthereumHistory.sol";
import {HeaderBase} from "./Header.t.sol";

contract HistoryTest is HeaderBase {
    address private constant HISTORY_STORAGE = 0x0000F90827F1C53a10cb7A02335B175320002935;
    address private constant SYSTEM = 0xffffFFFfFFffffffffffffffFfFFFfffFFFfFFfE;
    uint256 private constant HEAD = 1_000_000;
    /// @dev The runtime code that EIP-2935 specifies.
    bytes private constant HISTORY_CODE =
        hex"3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500";

    EthereumHistory private history;

    function setUp() public {
        history = new EthereumHistory();
        vm.roll(HEAD);
    }

    function test_recentHashes() public {
        vm.setBlockhash(HEAD - 1, "one");
        vm.setBlockhash(HEAD - 256, "last");
        assertEq(history.hashOf(HEAD - 1), "one");
        assertEq(history.hashOf(HEAD - 256), "last");
    }

    function test_hashesOfTheHistoryContract() public {
        vm.etch(HISTORY_STORAGE, HISTORY_CODE);
        uint256[2] memory numbers = [HEAD - 257, HEAD - 8191];
        for (uint256 i; i < numbers.length; ++i) {
            // The chain writes the parent's hash at the start of each block.
            vm.roll(numbers[i] + 1);
            vm.prank(SYSTEM);
            (bool ok,) = HISTORY_STORAGE.call(abi.encode(keccak256(abi.encode(numbers[i]))));
            assertTrue(ok);
        }
        vm.roll(HEAD);
        for (uint256 i; i < numbers.length; ++i) {
            assertEq(history.hashOf(numbers[i]), keccak256(abi.encode(numbers[i])));
        }
        // One block later the oldest has left the window; the slot still holds it.
        vm.roll(HEAD + 1);
        _unknown(HEAD - 8191);
    }

    function test_unknownBlocks() public {
        vm.etch(HISTORY_STORAGE, HISTORY_CODE);
        _unknown(HEAD - 8192);
        _unknown(0);
        // The current block and later ones have no hash yet.
        _unknown(HEAD);
        _unknown(HEAD + 1);
        _unknown(type(uint256).max);
        // A slot from before the fork.
        _unknown(HEAD - 300);
    }

    function test_chainWithoutHistoryContract() public {
        assertEq(HISTORY_STORAGE.code.length, 0);
        _unknown(HEAD - 257);
        vm.etch(HISTORY_STORAGE, hex"00"); // stops with no answer
        _unknown(HEAD - 257);
        vm.etch(HISTORY_STORAGE, hex"60015f5260405ff3"); // answers 64 bytes
        _unknown(HEAD - 257);
        vm.etch(HISTORY_STORAGE, hex"60015f5260205ffd"); // reverts with 32 bytes
        _unknown(HEAD - 257);
        vm.etch(HISTORY_STORAGE, hex"60015f5260205ff3"); // answers 1
        assertEq(history.hashOf(HEAD - 257), bytes32(uint256(1)));
        assertEq(history.hashOf(HEAD - 8191), bytes32(uint256(1)));
        _unknown(HEAD - 8192); // not asked, whatever the answer would be
    }

    function test_anchorLasts() public {
        vm.setBlockhash(HEAD - 5, "five");
        vm.expectEmit(address(history));
        emit IHistory.Anchored(HEAD - 5, "five");
        vm.prank(makeAddr("anyone"));
        history.anchor(HEAD - 5);
        vm.roll(HEAD + 100_000);
        assertEq(history.hashOf(HEAD - 5), "five");
        assertEq(history.anchored(HEAD - 5), "five");
    }

    function test_anchorTwiceChangesNothing() public {
        vm.setBlockhash(HEAD - 5, "five");
        history.anchor(HEAD - 5);
        // What the chain said first stays, and is not said again.
        vm.setBlockhash(HEAD - 5, "other");
        vm.recordLogs();
        history.anchor(HEAD - 5);
        assertEq(vm.getRecordedLogs().length, 0);
        assertEq(history.hashOf(HEAD - 5), "five");
    }

    function test_anchorOfUnknownBlock() public {
        expectRevert(abi.encodeWithSelector(IHistory.UnknownBlock.selector, HEAD - 8192, HEAD, 8191));
        history.anchor(HEAD - 8192);
    }

    function test_parentsReachBehindTheWindow() public {
        bytes[] memory fields = _fields(HEAD - 4000, 1);
        bytes memory first = _header(fields, 21);
        fields = _fields(HEAD - 3999, 2);
        fields[0] = abi.encodePacked(hex"a0", keccak256(first));
        bytes memory second = _header(fields, 21);

        vm.roll(HEAD - 3900);
        vm.setBlockhash(HEAD - 3999, keccak256(second));
        history.anchor(HEAD - 3999);
        vm.roll(HEAD + 50_000);
        _unknown(HEAD - 4000);

        vm.expectEmit(address(history));
        emit IHistory.Anchored(HEAD - 4000, keccak256(first));
        history.anchorParent(second);
        assertEq(history.hashOf(HEAD - 4000), keccak256(first));
        history.anchorParent(first);
        assertEq(history.hashOf(HEAD - 4001), _hashOfField(0));
    }

    function test_parentOfUnknownOrForeignHeader() public {
        bytes memory header = _header(_fields(HEAD - 9000, 1), 21);
        expectRevert(abi.encodeWithSelector(IHistory.UnknownBlock.selector, HEAD - 9000, HEAD, 8191));
        history.anchorParent(header);

        header = _header(_fields(HEAD - 3, 1), 21);
        vm.setBlockhash(HEAD - 3, "real");
        expectRevert(
            abi.encodeWithSelector(
                IHistory.WrongHeader.selector, HEAD - 3, bytes32("real"), keccak256(header)
            )
        );
        history.anchorParent(header);
        assertEq(history.anchored(HEAD - 4), 0);
    }

    function test_firstBlockHasNoParent() public {
        bytes memory header = _header(_fields(0, 1), 15);
        vm.roll(10);
        vm.setBlockhash(0, keccak256(header));
        vm.expectRevert(abi.encodeWithSelector(IHistory.NoParent.selector));
        history.anchorParent(header);
    }

    function test_verify() public {
        bytes memory header = _header(_fields(HEAD - 2, 1234), 21);
        vm.setBlockhash(HEAD - 2, keccak256(header));
        Header.Parsed memory parsed = history.verify(header);
        assertEq(parsed.hash, keccak256(header));
        assertEq(parsed.number, HEAD - 2);
        assertEq(parsed.timestamp, 1234);
        assertEq(parsed.stateRoot, _hashOfField(3));
    }

    function test_verifyMainnet() public {
        string memory json = readVectors("mainnet-proofs.json");
        bytes memory header = vm.parseJsonBytes(json, ".blocks[1].header");
        vm.roll(18_884_900);
        vm.setBlockhash(18_884_864, vm.parseJsonBytes32(json, ".blocks[1].hash"));
        assertEq(history.verify(header).stateRoot, vm.parseJsonBytes32(json, ".blocks[1].stateRoot"));
        history.anchorParent(header);
        assertEq(history.hashOf(18_884_863), vm.parseJsonBytes32(json, ".blocks[0].hash"));
    }

    function testFuzz_verifyRefusesAnyOther(uint256 where, uint8 change) public {
        bytes memory header = _header(_fields(HEAD - 2, 1234), 21);
        vm.setBlockhash(HEAD - 2, keccak256(header));
        header[bound(where, 0, header.length - 1)] ^= bytes1(uint8(bound(change, 1, 255)));
        vm.expectRevert();
        history.verify(header);
    }

    function _unknown(uint256 number) private {
        expectRevert(abi.encodeWithSelector(IHistory.UnknownBlock.selector, number, block.number, 8191));
        history.hashOf(number);
    }
}
