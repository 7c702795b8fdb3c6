// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Product} from "breakwater/interfaces/ICatalog.sol";
import {IWholePool as Pool, PoolState} from "breakwater/interfaces/IPoolDesk.sol";
import {PoolConfig} from "breakwater/interfaces/IPool.sol";
import {ITranche} from "breakwater/interfaces/ITranche.sol";
import {CapacityCertificate, Eip712Types, RatePosting} from "breakwater/libraries/Eip712Types.sol";
import {Underwriting} from "breakwater/underwriting/Underwriting.sol";
import {Base} from "../Base.sol";
import {Committee} from "../Committee.sol";
import {Fixture} from "../Fixture.sol";
import {YieldVault} from "../unit/Idle.t.sol";

/// @notice One pool under certificates, with a vault of its cluster; everybody acts in any order.
/// @dev What only shows in a step is checked in the step and counted in `breaches`.
contract LimitsHandler is Fixture, Committee {
    uint128 private constant K = 1_000e6;
    bytes32 public constant CLUSTER = "cluster";
    Pool public pool;
    YieldVault public yield;
    bytes32[2] public products;
    uint256[] private _policies;
    mapping(bytes32 rule => uint256 times) public breaches;
    uint256 public sold;
    uint256 public invested;
    uint256[2] private _peak;
    uint256 private _certifiedUntil;
    mapping(bytes32 product => uint256 time) private _postedUntil;
    uint256 private _seed;

    constructor() {
        setUp();
        openVault();
        seat(new Underwriting(address(manager)));
        Product memory terms = termsFor(list(vaultSpec()));
        products[0] = listProduct(terms);
        terms.minSum = 200e6;
        products[1] = listProduct(terms);
        yield = new YieldVault(usd);
        // Others were there before, so that a gain does not make the first share dear.
        usd.mint(address(this), K);
        usd.approve(address(yield), K);
        yield.deposit(K, address(this));
        under.setCluster(products[0], CLUSTER);
        under.setCluster(products[1], CLUSTER);
        under.setCluster(bytes32(uint256(uint160(address(yield)))), CLUSTER);
        pool = makePool(usd, 100 * K);
        vm.startPrank(curator);
        pool.setProduct(products[0], 300 * K, 0.02e18);
        pool.setProduct(products[1], 300 * K, 0.02e18);
        vm.stopPrank();
        _certify(30_000, 200 * K, 200 * K, 400 * K, 30 days);
        for (uint256 i; i < 2; ++i) {
            RatePosting memory message = posting(products[i], 0.01e18);
            _postedUntil[products[i]] = message.validUntil;
            post(message);
        }
        vm.warp(block.timestamp + 3 days);
        pool.accrue();
    }

    function beforeDeposits(Pool made_) internal override {
        vm.prank(curator);
        made_.setVault(address(yield), 8000, CLUSTER);
    }

    function configFor(address asset) internal view override returns (PoolConfig memory config) {
        config = super.configFor(asset);
        (config.underwriting, config.curatorFeeBps) = (address(under), 500);
    }

    // ----- acts -----

    function sell() external {
        (bytes32 product, uint128 sum) = (products[_draw(2)], uint128(_draw(80 * K) + 200e6));
        (,, bytes32 cluster, uint256 most,,) = under.limits(address(pool), product);
        _bringUp();
        (bool ok, bytes memory answer) = _buy(product, sum);
        if (!ok) return;
        ++sold;
        _policies.push(abi.decode(answer, (uint256)));
        _rule(block.timestamp <= _certifiedUntil && block.timestamp <= _postedUntil[product], "stale");
        _rule(pool.clusterExposure(cluster) <= most, "cluster");
        _rule(pool.state().exposure * 10_000 <= pool.capital() * pool.config().leverageBps, "leverage");
    }

    function shrink() external {
        if (_policies.length == 0) return;
        uint256 id = _policies[_draw(_policies.length)];
        uint128 sum = policies.policy(id).sum;
        vm.prank(alice);
        bytes memory call = _draw(2) == 0
            ? abi.encodeCall(policies.cancel, (id))
            : abi.encodeCall(policies.lower, (id, uint128(_draw(sum) + 1)));
        (bool ok,) = address(policies).call(call);
        ok;
    }

    function signLimits() external {
        _note();
        uint256 before0 = _cap(0);
        uint256 before1 = _cap(1);
        _certify(
            uint32(_draw(8) == 0 ? _draw(10_000) : 10_000 + _draw(30_000)),
            uint128(_draw(4) == 0 ? _draw(60 * K) : 60 * K + _draw(400 * K)),
            uint128(_draw(4) == 0 ? _draw(60 * K) : 60 * K + _draw(400 * K)),
            uint128(100 * K + _draw(500 * K)),
            3 days + _draw(8 days)
        );
        // At the moment of signing nothing rises.
        _rule(_cap(0) <= before0 && _cap(1) <= before1, "loosened");
        _note();
    }

    function rate() external {
        RatePosting memory message = posting(products[_draw(2)], uint64(_draw(0.1e18)));
        message.validUntil = uint64(block.timestamp + 3 days + _draw(8 days));
        (address[] memory signers, bytes[] memory signatures) = sign(Eip712Types.hash(message), 2);
        try under.post(message, signers, signatures) {
            _postedUntil[message.product] = message.validUntil;
        } catch {}
    }

    function wait() external {
        uint256[2] memory before = [_cap(0), _cap(1)];
        uint256 time = _draw(10) == 0 ? 12 days : 1 + _draw(1 days);
        vm.warp(block.timestamp + time);
        for (uint256 i; i < 2; ++i) {
            uint256 days_ = (time + 1 days - 1) / 1 days;
            bool slow = _cap(i) <= before[i] + days_ * (_peak[i] / 10 + 1);
            _rule(_peak[i] == 0 || slow, "loosened");
        }
        _note();
    }

    function accrue() external {
        _bringUp();
    }

    function invest() external {
        _bringUp();
        vm.prank(curator);
        try pool.invest(_draw(60 * K) + 1) {
            ++invested;
        } catch {}
    }

    function divest() external {
        _bringUp();
        (uint256 mark, uint256 gain, uint256 capital) = (pool.vault().mark, pool.vault().gain, pool.capital());
        vm.prank(curator);
        uint256 got = pool.divest(_draw(60 * K) + 1);
        uint256 counted = pool.vault().mark + got + capital;
        _rule(counted == mark + pool.vault().gain - gain + pool.capital(), "booked");
    }

    function earn() external {
        usd.mint(address(yield), _draw(5 * K));
    }

    function lose() external {
        uint256 held = usd.balanceOf(address(yield));
        yield.lose(_draw(held / 10 + 1));
    }

    function hinder() external {
        yield.setBroken(_draw(3) == 0);
        yield.setStuck(_draw(3) == 0);
    }

    function enter() external {
        ITranche tranche = ITranche(pool.tranche(1 + _draw(3)));
        uint256 assets = _draw(20 * K) + 1;
        usd.mint(lp, assets);
        vm.startPrank(lp);
        usd.approve(address(tranche), assets);
        try tranche.requestDeposit(assets, lp, lp) {} catch {}
        vm.stopPrank();
    }

    function askOut() external {
        ITranche tranche = ITranche(pool.tranche(1 + _draw(3)));
        uint256 shares = tranche.balanceOf(lp) / 4;
        vm.prank(lp);
        try tranche.requestRedeem(shares, lp, lp) {} catch {}
    }

    // ----- inside -----

    /// @dev Accrues, and sees how far the mark moved.
    function _bringUp() private {
        (uint256 mark, uint256 markedAt) = (pool.vault().mark, pool.vault().markedAt);
        uint256 was = mark + pool.vault().lost;
        uint256 epoch = pool.state().epochDone;
        pool.accrue();
        // With the epoch money may come out of the vault as well, which lowers the mark.
        uint256 most = mark + was * 10 * (block.timestamp - markedAt) / 10_000 / 1 days;
        _rule(pool.vault().mark <= most, "rise");
        if (pool.state().epochDone == epoch) {
            _rule(
                pool.vault().mark <= yield.maxWithdrawable(address(pool)) || pool.vault().blindSince != 0,
                "value"
            );
        }
    }

    function _certify(uint32 leverageBps, uint128 first, uint128 second, uint128 cluster, uint256 validity)
        private
    {
        CapacityCertificate memory message = certificate(address(pool), leverageBps);
        message.products = caps(products[0], first, products[1], second);
        message.clusters = one(CLUSTER, cluster);
        message.validUntil = uint64(block.timestamp + validity);
        _certifiedUntil = message.validUntil;
        certify(message);
    }

    function _buy(bytes32 product, uint128 sum) private returns (bool ok, bytes memory answer) {
        usd.mint(alice, 100 * K);
        vm.startPrank(alice);
        usd.approve(address(policies), type(uint256).max);
        (ok, answer) =
            address(policies).call(abi.encodeCall(policies.buy, (purchaseOf(pool, product, alice, sum))));
        vm.stopPrank();
    }

    function _cap(uint256 i) private view returns (uint256 cap) {
        (, cap,,,,) = under.limits(address(pool), products[i]);
    }

    function _note() private {
        for (uint256 i; i < 2; ++i) {
            if (_cap(i) > _peak[i]) _peak[i] = _cap(i);
        }
    }

    function _rule(bool holds, bytes32 rule) private {
        if (!holds) ++breaches[rule];
    }

    function _draw(uint256 n) private returns (uint256) {
        _seed = uint256(keccak256(abi.encode(_seed, msg.sig)));
        return _seed % n;
    }
}

/// @notice Certified limits, clusters and idle capital.
contract LimitsInvariants is Base {
    LimitsHandler private handler;
    Pool private pool;

    function setUp() public {
        handler = new LimitsHandler();
        pool = handler.pool();
        bytes4[] memory acts = new bytes4[](13);
        acts[0] = handler.sell.selector;
        acts[1] = handler.shrink.selector;
        acts[2] = handler.signLimits.selector;
        acts[3] = handler.rate.selector;
        acts[4] = handler.wait.selector;
        acts[5] = handler.accrue.selector;
        acts[6] = handler.invest.selector;
        acts[7] = handler.divest.selector;
        acts[8] = handler.earn.selector;
        acts[9] = handler.lose.selector;
        acts[10] = handler.hinder.selector;
        acts[11] = handler.enter.selector;
        acts[12] = handler.askOut.selector;
        targetContract(address(handler));
        targetSelectors(address(handler), acts);
    }

    /// @notice Nothing is sold on a certificate or a rate that is out of date or missing.
    function invariant_nothing_is_sold_on_a_stale_certificate() public view {
        assertEq(handler.breaches("stale"), 0);
    }

    /// @notice A certificate never loosens faster than its bound: at its signing not at all, then a tenth a day.
    function invariant_a_certificate_never_loosens_faster_than_its_bound() public view {
        assertEq(handler.breaches("loosened"), 0);
    }

    /// @notice The exposure of a cluster never exceeds its cap at a sale, nor that of the pool its leverage.
    function invariant_a_sale_keeps_to_the_cap_of_its_cluster() public view {
        assertEq(handler.breaches("cluster"), 0);
        assertEq(handler.breaches("leverage"), 0);
    }

    /// @notice A cluster holds the exposure of its products and the mark of its vault, however they came and went.
    function invariant_a_cluster_holds_what_belongs_to_it() public view {
        uint256 sum = pool.vault().mark;
        for (uint256 i; i < 2; ++i) {
            sum += pool.underwriting(handler.products(i)).exposure;
        }
        assertEq(pool.clusterExposure(handler.CLUSTER()), sum);
    }

    /// @notice A mark never rises faster than its bound, and never above what the vault says.
    function invariant_a_mark_never_rises_faster_than_its_bound() public view {
        assertEq(handler.breaches("rise"), 0, "rise");
        assertEq(handler.breaches("value"), 0, "value");
    }

    /// @notice What comes out of the vault leaves its mark, or is gained or lost.
    function invariant_what_leaves_the_vault_is_booked() public view {
        assertEq(handler.breaches("booked"), 0);
    }

    /// @notice Cash and mark cover everything that the pool counts.
    function invariant_cash_and_mark_cover_what_the_pool_counts() public view {
        PoolState memory s = pool.state();
        uint256 counted = (s.unearnedScaled + 1e18 - 1) / 1e18 + s.owed + s.pendingDeposits + s.redeemable;
        counted += pool.capital() + pool.vault().gain;
        address usd = pool.asset();
        (, bytes memory answer) = usd.staticcall(abi.encodeWithSignature("balanceOf(address)", pool));
        assertGe(abi.decode(answer, (uint256)) + pool.vault().mark, counted);
    }

    /// @dev What no campaign reaches, no invariant sees.
    function test_actsReachSalesAndTheVault() public {
        bytes4[4] memory acts =
            [handler.sell.selector, handler.wait.selector, handler.invest.selector, handler.rate.selector];
        for (uint256 i; i < 40; ++i) {
            (bool ok,) = address(handler).call(abi.encodeWithSelector(acts[i % 4]));
            assertTrue(ok);
        }
        assertGt(handler.sold(), 3);
        assertGt(handler.invested(), 3);
    }
}
