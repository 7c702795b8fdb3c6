// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IWholePool as Pool, Offer} from "breakwater/interfaces/IPoolDesk.sol";
import {Product} from "breakwater/interfaces/ICatalog.sol";
import {IPool, PoolConfig} from "breakwater/interfaces/IPool.sol";
import {ITranche} from "breakwater/interfaces/ITranche.sol";
import {CapacityCertificate} from "breakwater/libraries/Eip712Types.sol";
import {Price} from "breakwater/libraries/Price.sol";
import {Underwriting} from "breakwater/underwriting/Underwriting.sol";
import {Committee} from "../Committee.sol";
import {Fixture} from "../Fixture.sol";
import {Vm} from "./Vm.sol";

/// @notice A pool that certificates and rates bind: what it sells, at which price, and who may leave it.
contract PoolLimitsTest is Fixture, Committee {
    uint128 private constant K = 1_000e6;
    bytes32 private constant CLUSTER = "cluster";
    Pool private pool;
    bytes32 private a;
    bytes32 private b;
    uint16 private fee;

    function setUp() public override {
        super.setUp();
        openVault();
        seat(new Underwriting(address(manager)));
        Product memory terms = termsFor(list(vaultSpec()));
        a = listProduct(terms);
        terms.minSum = 200e6;
        b = listProduct(terms);
        under.setCluster(a, CLUSTER);
        under.setCluster(b, CLUSTER);
        pool = makePool(usd, 100 * K);
        vm.startPrank(curator);
        pool.setProduct(a, 200 * K, 0.02e18);
        pool.setProduct(b, 100 * K, 0.02e18);
        vm.stopPrank();
        vm.warp(block.timestamp + 3 days);
    }

    function configFor(address asset) internal view override returns (PoolConfig memory config) {
        config = super.configFor(asset);
        (config.underwriting, config.curatorFeeBps) = (address(under), fee);
    }

    function _certify(uint32 leverageBps, uint128 capA, uint128 capB, uint128 cluster) private {
        CapacityCertificate memory message = certificate(address(pool), leverageBps);
        message.products = one(a, capA);
        if (capB != 0) {
            message.products = caps(a, capA, b, capB);
        }
        message.clusters = one(CLUSTER, cluster);
        certify(message);
    }

    /// @dev Everything is certified up to what config and curator allow, and in force.
    function _open() private {
        _certify(20_000, 200 * K, 100 * K, 300 * K);
        vm.warp(block.timestamp + 2 days);
        post(posting(a, 0.01e18));
        post(posting(b, 0.01e18));
        pool.accrue();
    }

    function _quote(bytes32 product, uint128 sum) private view returns (uint256) {
        uint64 inception = uint64(block.timestamp + 1 days);
        return pool.quote(product, sum, inception, uint64((block.timestamp / 1 days + 31) * 1 days));
    }

    function _refused(bytes32 product, uint128 sum, bytes memory reason) private {
        uint64 inception = uint64(block.timestamp + 1 days);
        expectRevert(reason);
        pool.quote(product, sum, inception, uint64((block.timestamp / 1 days + 31) * 1 days));
    }

    // ----- "nothing is sold on a stale certificate" -----

    function test_nothingIsSoldWithoutCertificateAndRate() public {
        bytes memory reason = abi.encodeWithSelector(IPool.NotCertified.selector, a);
        _refused(a, K, reason);
        post(posting(a, 0.01e18));
        _refused(a, K, reason);
        _certify(20_000, 200 * K, 0, 300 * K);
        _refused(a, K, reason);
        vm.warp(block.timestamp + 2 days);
        assertGt(_quote(a, K), 0);
        _refused(b, K, abi.encodeWithSelector(IPool.NotCertified.selector, b));
    }

    function test_nothingIsSoldOnAStaleCertificate() public {
        _open();
        uint256 until = under.validUntil(address(pool));
        vm.warp(until - 1);
        post(posting(a, 0.01e18));
        assertGt(_quote(a, K), 0);
        vm.warp(until + 1);
        bytes memory reason = abi.encodeWithSelector(IPool.NotCertified.selector, a);
        _refused(a, K, reason);
        expectRevert(reason);
        pool.offer(a);
        expectRevert(reason);
        vm.prank(alice);
        policies.buy(purchaseOf(pool, a, alice, K));
    }

    function test_nothingIsSoldOnAStaleRate() public {
        _open();
        vm.warp(block.timestamp + 15 days);
        _certify(20_000, 200 * K, 0, 300 * K);
        vm.warp(block.timestamp + 15 days + 1);
        _refused(a, K, abi.encodeWithSelector(IPool.NotCertified.selector, a));
        post(posting(a, 0.01e18));
        assertGt(_quote(a, K), 0);
    }

    // ----- the lesser limit, the higher rate -----

    function test_theLesserCapHolds() public {
        _open();
        _refused(a, 201 * K, abi.encodeWithSelector(IPool.CapExceeded.selector, a, 201 * K, 200 * K));
        _certify(20_000, 50 * K, 100 * K, 300 * K);
        _refused(a, 50 * K + 1, abi.encodeWithSelector(IPool.CapExceeded.selector, a, 50 * K + 1, 50 * K));
        assertGt(_quote(a, 50 * K), 0);
        vm.prank(curator);
        pool.setProduct(a, 40 * K, 0.02e18);
        _refused(a, 40 * K + 1, abi.encodeWithSelector(IPool.CapExceeded.selector, a, 40 * K + 1, 40 * K));
    }

    function test_theHigherFloorHoldsAndPriceAndCapacityUseTheLesserLeverage() public {
        _open();
        uint256 capital = pool.capital();
        assertEq(_quote(a, 10 * K), _price(capital, 20_000, 0.02e18, 10 * K));
        vm.warp(block.timestamp + 1 days);
        post(posting(a, 0.03e18));
        vm.warp(block.timestamp + 30 days - 1);
        _certify(15_000, 200 * K, 0, 300 * K);
        assertEq(_quote(a, 10 * K), _price(capital, 15_000, 0.03e18, 10 * K));
        // Capital of 300,000 at 0.5.
        _certify(5000, 200 * K, 0, 300 * K);
        _refused(a, 151 * K, abi.encodeWithSelector(IPool.CapacityExceeded.selector, 151 * K, 150 * K));
        assertEq(_quote(a, 150 * K), _price(capital, 5000, 0.03e18, 150 * K));
    }

    function _price(uint256 capital, uint256 leverage, uint256 floorRate, uint256 sum)
        private
        view
        returns (uint256)
    {
        Price.Curve memory curve = Price.Curve(Price.capacity(capital, leverage), 0.8e18, 1.5e18, 4e18);
        uint256 term = (block.timestamp / 1 days + 31) * 1 days - block.timestamp - 1 days;
        return Price.premium(curve, 0, sum, Price.base(floorRate, 0.05e18, leverage), 0, term);
    }

    function test_anOfferIsWhatAQuoteTakes() public {
        _open();
        _certify(20_000, 60 * K, 100 * K, 70 * K);
        buy(pool, a, alice, 15 * K);
        Offer memory o = pool.offer(a);
        assertEq(o.most, 45 * K);
        assertEq(o.exposure, 15 * K);
        assertEq(o.capacity, pool.capital() * 2);
        assertEq(o.kink, o.capacity * 8 / 10);
        assertEq(o.rate, 0.045e18);
        assertGt(_quote(a, 45 * K), 0);
        _refused(a, 45 * K + 1, abi.encodeWithSelector(IPool.CapExceeded.selector, a, 60 * K + 1, 60 * K));
        assertEq(pool.offer(b).most, 55 * K);
        _certify(500, 60 * K, 100 * K, 70 * K);
        // Capital of 300,000 and what was earned of the premium, at 0.05.
        assertEq(pool.offer(a).most, pool.capital() / 20 - 15 * K);
    }

    // ----- "the exposure of a cluster never exceeds its cap at a sale" -----

    function test_theClusterHoldsAllItsProducts() public {
        _open();
        _certify(20_000, 60 * K, 60 * K, 70 * K);
        buy(pool, a, alice, 40 * K);
        uint256 id = buy(pool, b, bob, 30 * K);
        assertEq(pool.clusterExposure(CLUSTER), 70 * K);
        bytes memory reason = abi.encodeWithSelector(IPool.ClusterExceeded.selector, CLUSTER, 71 * K, 70 * K);
        _refused(a, K, reason);
        _refused(b, K, reason);
        vm.warp(block.timestamp + 2 days);
        vm.prank(bob);
        policies.lower(id, 10 * K);
        assertEq(pool.clusterExposure(CLUSTER), 50 * K);
        assertGt(_quote(a, 20 * K), 0);
        vm.prank(bob);
        policies.cancel(id);
        assertEq(pool.clusterExposure(CLUSTER), 40 * K);
        // Exposure of the cluster runs off with the policies, seven days after they expire.
        vm.warp((block.timestamp / 1 days + 35) * 1 days);
        assertEq(pool.clusterExposure(CLUSTER), 40 * K);
        uint256 day = block.timestamp / 1 days + 1;
        assertEq(pool.clusterEnds(CLUSTER, day), 40 * K);
        vm.warp(day * 1 days);
        assertEq(pool.clusterExposure(CLUSTER), 0);
        pool.accrue();
        assertEq(pool.state().exposure, 0);
    }

    // ----- exits -----

    function test_leverageBindsExitsButSilenceDoesNot() public {
        _open();
        buy(pool, a, alice, 150 * K);
        pool.accrue();
        uint256 capital = pool.capital();
        assertEq(pool.exitable(3), capital - 75 * K);
        _certify(12_500, 200 * K, 100 * K, 300 * K);
        assertEq(pool.exitable(3), capital - 120 * K);
        vm.warp(under.validUntil(address(pool)) + 1);
        assertEq(pool.exitable(3), capital - 120 * K);
        // No exposure takes more than itself, so no committee can demand more behind it.
        _certify(0, 0, 0, 0);
        assertEq(pool.exitable(3), capital - 150 * K);
    }

    /// @dev Else whoever chose the contract could hold up every payment of the pool.
    function test_aBrokenUnderwritingStopsNoAccrual() public {
        _open();
        buy(pool, a, alice, 150 * K);
        // Takes all the gas that it is given.
        vm.etch(address(under), hex"fe");
        for (uint256 i; i < 3; ++i) {
            vm.warp(block.timestamp + 8 days);
            pool.accrue{gas: 5_000_000}();
        }
        assertEq(pool.state().accruedTo, block.timestamp);
        // Exits then leave as much as the tightest certificate could ask for.
        assertEq(pool.exitable(3), pool.capital() - 150 * K);
    }

    // ----- gas -----

    function test_gasOfPurchases() public {
        _open();
        buy(pool, a, alice, 10 * K);
        vm.warp(block.timestamp + 12);
        buy(pool, a, alice, 10 * K);
        vm.snapshotGasLastCall("Limits", "buy, second of its day");
        uint64 inception = uint64(block.timestamp + 1 days);
        uint64 expiry = uint64((block.timestamp / 1 days + 31) * 1 days);
        vm.cool(address(under));
        vm.cool(address(pool));
        pool.quote(a, 10 * K, inception, expiry);
        vm.snapshotGasLastCall("Limits", "quote under certificates, cold");
    }

    // ----- the curator's fee -----

    function test_theCuratorIsPaidOfWhatIsEarned() public {
        fee = 1000;
        made = 77;
        Pool feed = makePool(usd, 100 * K);
        fee = 0;
        Pool free = makePool(usd, 100 * K);
        assertEq(feed.config().curatorFeeBps, 1000);
        uint256 before = feed.capital();
        _sellTo(feed);
        _sellTo(free);
        vm.warp(block.timestamp + 60 days);
        uint256 premium = feed.state().unearnedScaled;
        vm.recordLogs();
        feed.accrue();
        uint256 told = feesTold(vm.getRecordedLogs());
        free.accrue();
        premium = premium / 1e18;
        uint256 owed = feed.owed(curator);
        assertApproxEqAbs(owed, premium / 10, 3);
        assertEq(feed.state().owed, owed);
        // What a sale earned at once was told before.
        assertApproxEqAbs(told, owed, 1);
        assertApproxEqAbs(feed.capital() - before + owed, premium, 2);
        assertEq(free.owed(curator), 0);
        uint256 balance = usd.balanceOf(curator);
        feed.withdraw(curator);
        assertEq(usd.balanceOf(curator) - balance, owed);
    }

    function feesTold(Vm.Log[] memory logs) private pure returns (uint256 sum) {
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] == IPool.FeeEarned.selector) sum += abi.decode(logs[i].data, (uint256));
        }
    }

    function _sellTo(Pool to) private {
        vm.prank(curator);
        to.setProduct(a, 200 * K, 0.02e18);
        vm.warp(block.timestamp + 3 days);
        CapacityCertificate memory message = certificate(address(to), 20_000);
        (message.products, message.clusters) = (one(a, 200 * K), one(CLUSTER, 200 * K));
        certify(message);
        vm.warp(block.timestamp + 2 days);
        post(posting(a, 0.01e18));
        to.accrue();
        buy(to, a, alice, 100 * K);
    }

    function test_configIsInRange() public {
        PoolConfig memory config = configFor(address(usd));
        config.curatorFeeBps = 2001;
        expectRevert(abi.encodeWithSelector(IPool.OutOfRange.selector, bytes32("curatorFeeBps"), 2001));
        factory.createPool(config, "x");
        config = configFor(address(usd));
        config.underwriting = alice;
        expectRevert(
            abi.encodeWithSelector(IPool.OutOfRange.selector, bytes32("underwriting"), uint160(alice))
        );
        factory.createPool(config, "x");
        config = configFor(address(usd));
        config.gate = alice;
        expectRevert(abi.encodeWithSelector(IPool.OutOfRange.selector, bytes32("gate"), uint160(alice)));
        factory.createPool(config, "x");
    }
}
