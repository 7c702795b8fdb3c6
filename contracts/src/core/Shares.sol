// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {IERC7575} from "../interfaces/IAsyncVault.sol";
import {IPool} from "../interfaces/IPool.sol";
import {IPoolCapital} from "../interfaces/IPoolCapital.sol";
import {ITranche} from "../interfaces/ITranche.sol";
import {Args} from "../libraries/Terms.sol";
import {Clone} from "./Clone.sol";

/// @title Shares of one layer of a pool: what they are worth, who held them at which block, and what is locked
/// @notice Prices come from the layer, never from a balance, so nobody moves them by sending assets.
abstract contract Shares is ITranche, Clone, ERC20 {
    using Checkpoints for Checkpoints.Trace208;
    using SafeCast for uint256;

    /// @dev Virtual shares: the first depositor cannot make a share worth more than others can buy.
    uint256 private constant SHARE_OFFSET = 1e6;
    /// @dev A tranche is open while assets * PRICE_FLOOR >= shares, that is at a millionth of the first price.
    uint256 private constant PRICE_FLOOR = 1e12;

    mapping(address account => Checkpoints.Trace208) private _balances;
    Checkpoints.Trace208 private _supply;

    /// @dev Names follow from the layer.
    constructor() ERC20("", "") {}

    modifier onlyPool() {
        if (msg.sender != pool()) revert NotPool(msg.sender);
        _;
    }

    /// @notice Assets of the layer, as of the pool's last accrual.
    function totalAssets() public view returns (uint256) {
        return IPoolCapital(pool()).layer(layer());
    }

    /// @inheritdoc IERC7575
    function convertToAssets(uint256 shares) public view returns (uint256) {
        return _toAssets(shares, totalAssets(), totalSupply());
    }

    /// @inheritdoc IERC7575
    function convertToShares(uint256 assets) public view returns (uint256) {
        return _toShares(assets, totalAssets(), totalSupply());
    }

    /// @notice The pool whose layer this is; it and the other terms are those of the clone.
    function pool() public view returns (address) {
        _onlyClone();
        return address(uint160(Args.read(0, 160)));
    }

    function asset() public view returns (address) {
        return address(uint160(Args.read(20, 160)));
    }

    /// @inheritdoc ITranche
    function layer() public view returns (uint256) {
        return Args.read(60, 8);
    }

    function name() public view override returns (string memory) {
        uint256 index = layer();
        return index == 1 ? "Breakwater Junior" : index == 2 ? "Breakwater Mezzanine" : "Breakwater Senior";
    }

    function symbol() public view override returns (string memory) {
        uint256 index = layer();
        return index == 1 ? "BW-J" : index == 2 ? "BW-M" : "BW-S";
    }

    /// @notice Six decimals more than the asset.
    function decimals() public view override returns (uint8) {
        return uint8(Args.read(61, 8));
    }

    /// @notice Balance at the end of a block that is over.
    function balanceAt(address account, uint256 number) public view returns (uint256) {
        return _balances[account].upperLookupRecent(number.toUint48());
    }

    /// @notice Supply at the end of a block that is over.
    function supplyAt(uint256 number) public view returns (uint256) {
        return _supply.upperLookupRecent(number.toUint48());
    }

    /// @dev Every change of a balance passes here: checkpoints are complete and the curator's lock holds.
    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (from != address(0)) _checkpoint(_balances[from], balanceOf(from));
        if (to != address(0)) _checkpoint(_balances[to], balanceOf(to));
        if (from == address(0) || to == address(0)) _checkpoint(_supply, totalSupply());
        if (from != address(0) && from == _curator()) {
            uint256 locked = IPool(pool()).locked();
            if (balanceOf(from) < locked) revert SharesLocked(locked, balanceOf(from));
        }
    }

    /// @dev Whose balance the pool may lock; zero where the pool locks nothing.
    function _curator() internal view returns (address) {
        return address(uint160(Args.read(40, 160)));
    }

    function _epoch() internal view returns (uint256) {
        return Args.read(62, 32);
    }

    function _cooldown() internal view returns (uint256) {
        return Args.read(66, 32);
    }

    function _priced(uint256 assets) internal view returns (bool) {
        return assets * PRICE_FLOOR >= totalSupply();
    }

    function _checkpoint(Checkpoints.Trace208 storage trace, uint256 value) internal {
        trace.push(uint48(block.number), value.toUint208());
    }

    function _pushBy(Checkpoints.Trace208 storage trace, int256 change) internal {
        _checkpoint(trace, uint256(int256(uint256(trace.latest())) + change));
    }

    /// @dev Rounds down, for those who stay.
    function _toAssets(uint256 shares, uint256 assets, uint256 supply) internal pure returns (uint256) {
        return Math.mulDiv(shares, assets + 1, supply + SHARE_OFFSET);
    }

    /// @dev Rounds down, for those who hold.
    function _toShares(uint256 assets, uint256 layerAssets, uint256 supply) internal pure returns (uint256) {
        return Math.mulDiv(assets, supply + SHARE_OFFSET, layerAssets + 1);
    }
}
