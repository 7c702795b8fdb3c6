// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IHistory} from "../interfaces/IHistory.sol";
import {Header} from "../libraries/Header.sol";

/// @title Block hashes of Ethereum and of chains with its headers and its history contract
/// @notice Has no owner and no parameter: it repeats what the chain says, and remembers it when asked.
contract EthereumHistory is IHistory {
    /// @notice Blocks that the history contract of EIP-2935 serves: the last `WINDOW` before the current one.
    uint256 public constant WINDOW = 8191;
    /// @dev Blocks that the BLOCKHASH instruction serves.
    uint256 private constant RECENT = 256;
    address private constant HISTORY_STORAGE = 0x0000F90827F1C53a10cb7A02335B175320002935;

    /// @notice Block number to hash, zero where nobody has anchored it.
    mapping(uint256 number => bytes32 hash) public anchored;

    /// @inheritdoc IHistory
    function anchor(uint256 number) external {
        _anchor(number, hashOf(number));
    }

    /// @inheritdoc IHistory
    function anchorParent(bytes calldata header) external {
        Header.Parsed memory child = verify(header);
        if (child.number == 0) revert NoParent();
        _anchor(child.number - 1, child.parentHash);
    }

    /// @inheritdoc IHistory
    function hashOf(uint256 number) public view returns (bytes32 hash) {
        hash = anchored[number];
        if (hash == 0) hash = _recent(number);
        if (hash == 0) revert UnknownBlock(number, block.number, WINDOW);
    }

    /// @inheritdoc IHistory
    function verify(bytes calldata header) public view returns (Header.Parsed memory parsed) {
        parsed = Header.parse(header);
        bytes32 expected = hashOf(parsed.number);
        if (parsed.hash != expected) revert WrongHeader(parsed.number, expected, parsed.hash);
    }

    function _anchor(uint256 number, bytes32 hash) private {
        if (anchored[number] != 0) return;
        anchored[number] = hash;
        emit Anchored(number, hash);
    }

    /// @dev The hash as the chain knows it now, zero outside its window.
    function _recent(uint256 number) private view returns (bytes32) {
        if (number >= block.number) return 0;
        uint256 age = block.number - number;
        if (age <= RECENT) return blockhash(number);
        if (age > WINDOW) return 0;
        (bool ok, bytes memory answer) = HISTORY_STORAGE.staticcall(abi.encode(number));
        // An address without code succeeds with nothing, and a slot from before the fork holds zero.
        return ok && answer.length == 32 ? bytes32(answer) : bytes32(0);
    }
}
