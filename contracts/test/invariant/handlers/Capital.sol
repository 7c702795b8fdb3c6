// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC7540Deposit} from "breakwater/interfaces/IAsyncVault.sol";
import {IPoolDesk, IWholePool as Pool, Underwriting} from "breakwater/interfaces/IPoolDesk.sol";
import {Tranche} from "breakwater/core/Tranche.sol";
import {IPool} from "breakwater/interfaces/IPool.sol";
import {ITranche} from "breakwater/interfaces/ITranche.sol";
import {Bounds} from "../Bounds.sol";
import {Watch} from "../Watch.sol";

/// @notice Deposits, exits, recoveries, and the curator.
abstract contract Capital is Watch {
    /// @dev A cap that the curator asked for.
    struct Ask {
        uint256 cap;
        uint256 time;
    }

    mapping(address pool => mapping(bytes32 product => Ask[])) private _asks;
    /// @notice Recovery shares that anyone has claimed.
    mapping(address tranche => uint256 shares) public recoveredShares;
    mapping(address tranche => mapping(uint256 id => mapping(address who => bool))) internal claimedDeposit;
    mapping(address tranche => mapping(uint256 incident => mapping(address who => uint256 shares))) public
        recoveredBy;

    // ----- in -----

    function deposit() external step(false) {
        Pool pool = _pool();
        Tranche tranche = _tranche(pool);
        uint256 most = address(pool) == address(cast.pools[0]) ? Bounds.MOST_DEPOSIT : Bounds.MOST_DEPOSIT / 5;
        uint256 assets = _between(1, most);
        address who = _person();
        bool open = pool.closedAt() == 0 && tranche.totalAssets() * 1e12 >= tranche.totalSupply();
        if (!open) return;
        cast.usd.mint(who, assets);
        vm.prank(who);
        cast.usd.approve(address(tranche), assets);
        bytes memory data = abi.encodeCall(IERC7540Deposit.requestDeposit, (assets, who, who));
        // Accruing on the way may find a price at which nobody is let in.
        vm.prank(who);
        (bool ok,) = address(tranche).call(data);
        if (!ok) return;
        flowIn[address(pool)] += assets;
        _did("deposited");
        _addRequest(batchLine[address(tranche)], _now() / Bounds.EPOCH);
    }

    /// @notice What someone may claim of deposits and exits, in every tranche of a pool.
    function claim() external step(false) {
        Pool pool = _pool();
        address who = _chance(70) ? address(0) : _person();
        for (uint256 i = 1; i < 4; ++i) {
            Tranche tranche = Tranche(pool.tranche(i));
            for (uint256 j; j < cast.people.length; ++j) {
                if (who != address(0) && who != cast.people[j]) continue;
                _claimAll(pool, tranche, cast.people[j]);
            }
        }
    }

    function _claimAll(Pool pool, Tranche tranche, address who) private {
        uint256[] storage ids = batchLine[address(tranche)].ids;
        for (uint256 k; k < ids.length; ++k) {
            _claimDeposit(pool, tranche, ids[k], who);
        }
        ids = cohortLine[address(tranche)].ids;
        for (uint256 k; k < ids.length; ++k) {
            _claimRedeem(pool, tranche, ids[k], who);
        }
    }

    function _claimDeposit(Pool pool, Tranche tranche, uint256 id, address who) private {
        (uint128 assets, uint48 claimedAt) = tranche.deposits(id, who);
        (, uint48 processedAt,,) = tranche.batches(id);
        if (assets == 0 || claimedAt != 0 || processedAt == 0) return;
        if (!_must(who, address(tranche), abi.encodeCall(ITranche.claimDeposit, (id, who)))) return;
        (,, bool returned,) = tranche.batches(id);
        _did("deposit claimed");
        claimedDeposit[address(tranche)][id][who] = true;
        if (returned) flowOut[address(pool)] += assets;
        _note(address(tranche), who);
    }

    // ----- out -----

    function redeem() external step(false) {
        Pool pool = _pool();
        Tranche tranche = _tranche(pool);
        address who = _holderOf(tranche);
        uint256 free = _freeShares(tranche, who);
        _redeem(pool, tranche, who, _chance(30) ? free : _between(free / 20, free / 3));
    }

    function _redeem(Pool pool, Tranche tranche, address who, uint256 shares) internal {
        pool.accrue();
        uint256 value = tranche.convertToAssets(shares);
        if (value == 0) return;
        vm.prank(who);
        uint256 id = tranche.requestRedeem(shares, who, who);
        _did("exit asked");
        _note(address(tranche), who);
        _addRequest(cohortLine[address(tranche)], id);
        cohortLine[address(tranche)].cap[id] += value;
    }

    function processRedemptions() external step(false) {
        Tranche tranche = _tranche(_pool());
        // Whether there was one to look at decides itself on the way.
        try tranche.processRedemptions() {} catch {}
    }

    function _claimRedeem(Pool pool, Tranche tranche, uint256 id, address who) private {
        uint256 assets = claimable(tranche, id, who);
        if (assets == 0) return;
        if (!_must(who, address(tranche), abi.encodeCall(ITranche.claimRedeem, (id, who)))) return;
        flowOut[address(pool)] += assets;
        _did("exit claimed");
        // The cooldown and a whole epoch lie between a request and its money.
        uint256 since = cohortLine[address(tranche)].latest[id];
        _rule(_now() >= since + Bounds.COOLDOWN + Bounds.EPOCH, "early exit");
    }

    /// @notice What a redemption may claim now.
    function claimable(Tranche tranche, uint256 id, address who) public view returns (uint256) {
        (uint256 own, uint256 claimed) = tranche.requests(id, who);
        if (own == 0) return 0;
        (uint256 shares,,, uint256 paid,) = tranche.cohorts(id);
        return Math.mulDiv(paid, own, shares) - claimed;
    }

    // ----- shares -----

    function transferShares() external step(false) {
        _trade(_tranche(_pool()));
    }

    /// @dev Someone sells shares to someone.
    function _trade(Tranche tranche) internal {
        address from = _holderOf(tranche);
        address to = _person();
        uint256 amount = _between(0, _freeShares(tranche, from));
        if (!_must(from, address(tranche), abi.encodeCall(IERC20.transfer, (to, amount)))) return;
        _note(address(tranche), from);
        _note(address(tranche), to);
    }

    function recover() external step(false) {
        Pool pool = _pool();
        uint256 count = cast.incidents.count();
        for (uint256 k = count; k != 0; --k) {
            for (uint256 i = 1; i < 4; ++i) {
                _recoverAll(Tranche(pool.tranche(i)), k);
            }
        }
    }

    function _recoverAll(Tranche tranche, uint256 incident) private {
        (uint208 minted,) = tranche.recoveries(incident);
        if (minted == 0) return;
        for (uint256 j; j < cast.people.length; ++j) {
            address who = cast.people[j];
            if (_chance(40)) continue;
            try tranche.claimRecovery(incident, who) returns (uint256 shares) {
                recoveredShares[address(tranche)] += shares;
                recoveredBy[address(tranche)][incident][who] += shares;
                _did("recovered");
                _note(address(tranche), who);
            } catch {}
            _recoverQueued(tranche, incident, cohortLine[address(tranche)].ids, who);
            _recoverQueued(tranche, incident, batchLine[address(tranche)].ids, who);
        }
    }

    function _recoverQueued(Tranche tranche, uint256 incident, uint256[] storage ids, address who) private {
        uint256 first = ids.length > 4 ? ids.length - 4 : 0;
        for (uint256 i = first; i < ids.length; ++i) {
            try tranche.claimQueuedRecovery(incident, ids[i], who) returns (uint256 shares) {
                recoveredShares[address(tranche)] += shares;
                _did("queue recovered");
                _note(address(tranche), who);
            } catch {}
        }
    }

    /// @dev Someone who holds shares, if anyone does.
    function _holderOf(Tranche tranche) private returns (address who) {
        uint256 first = _draw(cast.people.length);
        for (uint256 i; i < cast.people.length; ++i) {
            who = cast.people[(first + i) % cast.people.length];
            if (_freeShares(tranche, who) != 0) return who;
        }
    }

    /// @dev What is not locked.
    function _freeShares(Tranche tranche, address who) internal view returns (uint256) {
        uint256 balance = tranche.balanceOf(who);
        if (who != cast.curator || tranche.layer() != 1) return balance;
        uint256 locked = Pool(tranche.pool()).locked();
        return balance > locked ? balance - locked : 0;
    }

    // ----- the curator -----

    /// @notice The curator changes a cap, locks junior or frees some.
    function curate() external step(false) {
        Pool pool = _pool();
        uint256 what = _draw(4);
        if (what == 0) _lock(pool);
        else if (what == 1) _unlock(pool);
        else _setProduct(pool);
    }

    function _lock(Pool pool) private {
        uint256 free = _freeShares(Tranche(pool.tranche(1)), cast.curator);
        if (free != 0) {
            _must(cast.curator, address(pool), abi.encodeCall(IPoolDesk.lock, (_between(1, free))));
        }
    }

    /// @notice As much as the caps and the instant lane leave, or a little more, which must fail.
    function _unlock(Pool pool) private {
        if (pool.locked() == 0) return;
        uint256 shares = _chance(20) ? _between(1, pool.locked()) : _between(1, 1 + pool.locked() / 20);
        vm.prank(cast.curator);
        try pool.unlock(shares) {
            _did("unlocked");
            uint256 outstanding = pool.state().instantOutstanding;
            _rule(_lockValue(pool) >= outstanding, "unlocked the instant lane");
            _rule(pool.closedAt() != 0 || _lockValue(pool) >= capsNeed(pool), "unlocked what caps need");
        } catch {}
    }

    /// @dev Tries to leave a little less than the caps need, or the instant payments that may prove wrong.
    function _tryUnlock(Pool pool) internal {
        uint256 outstanding = pool.state().instantOutstanding;
        (uint256 value, uint256 need) = (_lockValue(pool), capsNeed(pool));
        bool instant = outstanding > need;
        if (instant) need = outstanding;
        if (pool.closedAt() != 0 || value < need || value == 0) return;
        uint256 shares = pool.locked() * (value - need) / value + pool.locked() / 100;
        if (shares > pool.locked()) return;
        bytes32 rule = instant ? bytes32("unlocked the instant lane") : bytes32("unlock");
        _refused(cast.curator, address(pool), abi.encodeCall(IPoolDesk.unlock, (shares)), rule);
    }

    function _setProduct(Pool pool) private {
        bytes32 product = cast.products[_draw(cast.products.length)];
        Underwriting memory u = pool.underwriting(product);
        if (u.gauge == 0) return;
        uint128 cap = uint128(_chance(70) ? _between(u.cap, Bounds.MOST_CAP) : _between(0, u.cap));
        uint64 rate = uint64(_between(0.01e18, 0.03e18));
        vm.prank(cast.curator);
        try pool.setProduct(product, cap, rate) {
            _asks[address(pool)][product].push(Ask(cap, _now()));
            _did(cap > u.cap ? bytes32("cap raised") : bytes32("cap lowered"));
            _rule(cap <= u.cap || _lockValue(pool) >= capsNeed(pool), "raised without a lock");
        } catch {
            // Allowed to fail only for want of a lock, or where the pool is closed.
            _rule(cap > u.cap || pool.closedAt() != 0, "stuck");
        }
    }

    /// @notice Value that the curator must have locked for the caps that he asked for.
    function capsNeed(Pool pool) public view returns (uint256) {
        return Math.ceilDiv(capsAsked(pool) * pool.config().curatorShareBps, Bounds.BPS);
    }

    /// @notice Sum of the caps asked for last, as this contract wrote them down.
    function capsAsked(Pool pool) public view returns (uint256 sum) {
        for (uint256 i; i < cast.products.length; ++i) {
            Ask[] storage asks = _asks[address(pool)][cast.products[i]];
            if (asks.length != 0) sum += asks[asks.length - 1].cap;
        }
    }

    /// @notice The highest cap that was asked for long enough ago to be in force.
    function highestRipeCap(Pool pool, bytes32 product) external view returns (uint256 cap) {
        uint256 notice = Bounds.COOLDOWN + 2 * Bounds.EPOCH;
        Ask[] storage asks = _asks[address(pool)][product];
        for (uint256 i; i < asks.length; ++i) {
            if (asks[i].time + notice <= _now()) cap = Math.max(cap, asks[i].cap);
        }
    }

    /// @dev Called by the stage for what it set before the campaign.
    function _noteAsk(Pool pool, bytes32 product, uint256 cap) internal {
        _asks[address(pool)][product].push(Ask(cap, _now()));
    }
}
