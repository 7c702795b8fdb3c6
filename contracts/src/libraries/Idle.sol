// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IPool} from "../interfaces/IPool.sol";
import {IPoolDesk} from "../interfaces/IPoolDesk.sol";
import {IUnderwriting} from "../interfaces/IUnderwriting.sol";
import {Buckets} from "./Buckets.sol";
import {Ledger} from "./Ledger.sol";
import {Terms} from "./Terms.sol";

/// @title Idle capital in a yield vault
/// @notice The pool is linked to it. The vault is somebody else's code: it is called with bounded gas, its answers
///         count for one word, and whatever it does, no booking and no payment from cash fails by it.
library Idle {
    using Buckets for Buckets.Store;
    using SafeCast for uint256;
    using SafeERC20 for IERC20;

    uint256 private constant BPS = 10_000;
    uint256 private constant DAY = 1 days;
    /// @dev Of itself and what it lost, that a mark may rise in a day: 36.5 % a year.
    uint256 private constant RISE_BPS = 10;
    /// @dev A vault that cannot be read for longer counts as lost; until then nobody enters or leaves the pool.
    uint256 private constant PATIENCE = 30 days;
    /// @dev The part of a mark that counts for nothing: vaults round.
    uint256 private constant DUST = 1e6;
    /// @dev The least part of the capital stays in cash.
    uint256 private constant MOST_CAP = 9000;
    /// @dev Part of an investment that the vault may keep.
    uint256 private constant MOST_FEE = 1000;
    uint256 private constant READ_GAS = 300_000;
    uint256 private constant WITHDRAW_GAS = 1_500_000;

    /// @notice Marks the vault; answers what was gained and how much of it is only what the vault had lost, whether the
    ///         vault could not be read, and whether it may be worth more than its mark.
    function mark(Ledger.Store storage self)
        external
        returns (uint256 gain, uint256 back, bool blind, bool low)
    {
        Ledger.Vault storage v = self.vault;
        if (v.shares != 0 || v.mark != 0) (gain, blind, low) = _mark(self, v);
        // Realised by an earlier withdrawal.
        (gain, v.gain) = (gain + v.gain, 0);
        back = Math.min(gain, v.lost);
        if (back != 0) v.lost -= uint128(back);
    }

    /// @dev mark = min(value, mark + bound). A loss is taken off the layers here, before anybody may leave.
    function _mark(Ledger.Store storage self, Ledger.Vault storage v)
        private
        returns (uint256 gain, bool blind, bool low)
    {
        (bool read, uint256 value) = _read(v.vault, abi.encodeCall(IERC4626.convertToAssets, (v.shares)));
        if (!read) {
            if (v.blindSince == 0) {
                v.blindSince = uint32(block.timestamp);
                emit IPoolDesk.VaultBlind(block.timestamp);
            }
            if (block.timestamp - v.blindSince <= PATIENCE) return (0, true, true);
            value = 0;
        } else if (v.blindSince != 0) {
            v.blindSince = 0;
            emit IPoolDesk.VaultBlind(0);
        }
        uint256 before = v.mark;
        // Of the most that it was, so that one that had fallen to nothing rises again.
        uint256 rise = (before + v.lost) * RISE_BPS * (block.timestamp - v.markedAt) / (BPS * DAY);
        uint256 next = Math.min(value, before + rise);
        // While rounding swallows the whole rise, its time goes on.
        if (next != before || value <= before) v.markedAt = uint32(block.timestamp);
        if (next != before) {
            v.mark = next.toUint128();
            emit IPoolDesk.VaultMarked(next);
        }
        if (next > before) gain = next - before;
        else if (next < before) _lose(self, before - next);
        if (before - Math.min(before, next) > before / DUST) v.fellAt = uint32(block.timestamp);
        // Who brings a moment's fall about, or sees it, must not buy in before the vault has come back.
        low = value - next > next / DUST || v.fellAt / Terms.epoch() == block.timestamp / Terms.epoch();
    }

    /// @notice `IPoolDesk.setVault`, asked by the curator.
    /// @param known whether the code of the vault is known: a treaty's.
    function name(Ledger.Store storage self, address vault, uint16 capBps, bytes32 cluster, bool known)
        external
    {
        Ledger.Vault storage v = self.vault;
        if (self.closedAt != 0) revert IPool.PoolIsClosed(self.closedAt);
        if (v.vault != address(0)) revert IPoolDesk.VaultIsSet(v.vault);
        // Any contract may call itself a vault. Who underwrites must have seen it before, for not all can leave in time.
        uint256 others = uint256(self.pendingDeposits) + _capital(self);
        if (others != 0 && !known) revert IPoolDesk.PoolHasMoney(others);
        address asset = IERC4626(vault).asset();
        if (asset != Terms.asset()) revert IPool.WrongAsset(Terms.asset(), asset);
        if (capBps == 0 || capBps > MOST_CAP) revert IPool.OutOfRange("capBps", capBps);
        address underwriting = Terms.underwriting();
        if (underwriting != address(0)) {
            bytes32 named = IUnderwriting(underwriting).clusterOf(bytes32(uint256(uint160(vault))));
            if (named == 0 || named != cluster) revert IPoolDesk.WrongCluster(named, cluster);
        }
        uint256 effectiveAt = block.timestamp + Terms.cooldown() + 2 * Terms.epoch();
        (v.vault, v.effectiveAt, v.cluster, v.capBps) = (vault, uint32(effectiveAt), cluster, capBps);
        emit IPoolDesk.VaultNamed(vault, capBps, cluster, effectiveAt);
    }

    /// @notice `IPoolDesk.invest`, asked by the curator and accrued: puts `amount` of cash into the vault.
    function invest(Ledger.Store storage self, uint256 amount) external {
        _checkRoom(self, amount);
        Ledger.Vault storage v = self.vault;
        (IERC4626 vault, IERC20 asset) = (IERC4626(v.vault), IERC20(Terms.asset()));
        (uint256 cash, uint256 held) = (asset.balanceOf(address(this)), vault.balanceOf(address(this)));
        asset.forceApprove(address(vault), amount);
        vault.deposit(amount, address(this));
        asset.forceApprove(address(vault), 0);
        uint256 spent = cash - asset.balanceOf(address(this));
        if (spent > amount) revert IPoolDesk.WrongInvestment(amount, spent);
        uint256 got = vault.balanceOf(address(this)) - held;
        // A vault that was filled before its first share, or that keeps a fee, gives too few for the money.
        uint256 value = vault.convertToAssets(got);
        if (value < spent - spent / MOST_FEE) revert IPoolDesk.WrongInvestment(spent, value);
        v.shares += got;
        if (v.mark == 0) v.markedAt = uint32(block.timestamp);
        // What it keeps shows as a loss when it is marked next, before anybody leaves.
        v.mark += spent.toUint128();
        emit IPoolDesk.Invested(spent, v.shares, v.mark);
    }

    /// @notice Takes up to `amount` out of the vault; answers what came. Never reverts.
    function divest(Ledger.Store storage self, uint256 amount) external returns (uint256) {
        return _divest(self, amount);
    }

    /// @notice Takes out of the vault what cash is short of `amount`. Never reverts.
    function raise(Ledger.Store storage self, uint256 amount) external {
        uint256 cash = IERC20(Terms.asset()).balanceOf(address(this));
        if (cash < amount) _divest(self, amount - cash);
    }

    function _checkRoom(Ledger.Store storage self, uint256 amount) private view {
        Ledger.Vault storage v = self.vault;
        if (self.closedAt != 0) revert IPool.PoolIsClosed(self.closedAt);
        if (v.vault == address(0) || block.timestamp < v.effectiveAt) {
            revert IPoolDesk.VaultNotEffective(v.effectiveAt);
        }
        if (self.dwelling != 0 || v.blindSince != 0) revert IPoolDesk.NotNow();
        // Part of the layers: what is reserved, unearned, owed, pending or redeemable stays in cash.
        (uint256 wanted, uint256 most) = (v.mark + amount, _capital(self) * v.capBps / BPS);
        if (wanted > most) revert IPoolDesk.InvestedTooMuch(wanted, most);
        IUnderwriting underwriting = IUnderwriting(Terms.underwriting());
        if (address(underwriting) == address(0)) return;
        // What is invested counts in the vault's cluster, under a certificate that is up to date.
        bytes32 cluster = v.cluster;
        if (block.timestamp > underwriting.validUntil(address(this))) revert IPool.NotCertified(cluster);
        wanted += self.clusters[cluster].sumAt(block.timestamp);
        most = underwriting.clusterCap(address(this), cluster);
        if (wanted > most) revert IPool.ClusterExceeded(cluster, wanted, most);
    }

    function _divest(Ledger.Store storage self, uint256 amount) private returns (uint256 got) {
        Ledger.Vault storage v = self.vault;
        (address vault, IERC20 asset) = (v.vault, IERC20(Terms.asset()));
        if (v.shares == 0 || amount == 0) return 0;
        (bool read, uint256 most) = _read(vault, abi.encodeCall(IERC4626.maxWithdraw, (address(this))));
        if (read) amount = Math.min(amount, most);
        (bool known, uint256 held) = _held(vault);
        if (!known || amount == 0) return 0;
        uint256 cash = asset.balanceOf(address(this));
        bytes memory data = abi.encodeCall(IERC4626.withdraw, (amount, address(this), address(this)));
        bool ok;
        assembly ("memory-safe") {
            ok := call(WITHDRAW_GAS, vault, 0, add(data, 32), mload(data), 0, 0)
        }
        uint256 left;
        (known, left) = _held(vault);
        // A vault that took money or will not say what is left counts as one that did nothing for it.
        got = Math.saturatingSub(asset.balanceOf(address(this)), cash);
        uint256 burned = known ? Math.min(v.shares, Math.saturatingSub(held, left)) : v.shares;
        if (got == 0 && burned == 0) return 0;
        _book(self, got, burned);
    }

    /// @dev Shares leave with their part of the mark, rounded up; what came beyond it is gained, below it is lost.
    function _book(Ledger.Store storage self, uint256 got, uint256 burned) private {
        Ledger.Vault storage v = self.vault;
        uint256 part = burned == 0 ? 0 : Math.mulDiv(v.mark, burned, v.shares, Math.Rounding.Ceil);
        v.shares -= burned;
        v.mark -= uint128(part);
        if (got > part) v.gain += (got - part).toUint128();
        emit IPoolDesk.Divested(got, v.shares, v.mark);
        if (got < part) _lose(self, part - got);
    }

    function _capital(Ledger.Store storage self) private view returns (uint256) {
        uint128[4] memory layers = self.layers;
        return uint256(layers[0]) + layers[1] + layers[2] + layers[3];
    }

    /// @dev Surplus, junior, mezzanine, senior; beyond them the money of nobody in particular is short.
    function _lose(Ledger.Store storage self, uint256 loss) private {
        // Losses of a hostile vault must not stop a booking, however great.
        self.vault.lost = uint128(Math.min(self.vault.lost + loss, type(uint128).max));
        for (uint256 i; i < 4 && loss != 0; ++i) {
            uint256 part = Math.min(loss, self.layers[i]);
            self.layers[i] -= uint128(part);
            loss -= part;
        }
    }

    function _held(address vault) private view returns (bool, uint256) {
        return _read(vault, abi.encodeCall(IERC20.balanceOf, (address(this))));
    }

    /// @dev One word, however much is answered; of 128 bits, as all money here.
    function _read(address vault, bytes memory data) private view returns (bool ok, uint256 value) {
        assembly ("memory-safe") {
            ok := staticcall(READ_GAS, vault, add(data, 32), mload(data), 0, 32)
            ok := and(ok, gt(returndatasize(), 31))
            value := mload(0)
        }
        value = ok ? Math.min(value, type(uint128).max) : 0;
    }
}
