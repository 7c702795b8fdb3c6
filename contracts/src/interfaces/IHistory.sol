// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Header} from "../libraries/Header.sol";

/// @title Block hashes of this chain, as the chain itself confirms them
/// @notice One adapter per chain: it knows where hashes come from, how far back, and the header format.
interface IHistory {
    /// @notice From now on the hash of this block is known for ever.
    event Anchored(uint256 indexed number, bytes32 hash);

    /// @notice The block is not anchored and not among the `window` blocks before `head`, the current block.
    error UnknownBlock(uint256 number, uint256 head, uint256 window);
    /// @notice The header says it is block `number`, whose hash is another.
    error WrongHeader(uint256 number, bytes32 expected, bytes32 got);
    /// @notice The first block has no parent.
    error NoParent();

    /// @notice The hash of a block; never zero. Reverts with `UnknownBlock`.
    function hashOf(uint256 number) external view returns (bytes32);

    /// @notice Stores the hash of a block so that it lasts. Anyone may call; a second call changes nothing.
    function anchor(uint256 number) external;

    /// @notice Stores the parent hash out of the header of a known block, which reaches behind the window.
    function anchorParent(bytes calldata header) external;

    /// @notice The fields of a header whose hash the chain confirms.
    /// Reverts with `UnknownBlock`, `WrongHeader`, or an error of `Header` or `Rlp`.
    function verify(bytes calldata header) external view returns (Header.Parsed memory);
}
