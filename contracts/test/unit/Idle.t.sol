// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {GaugeSpec} from "breakwater/interfaces/IGauges.sol";
import {IWholePool as Pool, IPoolDesk, PoolState} from "breakwater/interfaces/IPoolDesk.sol";
import {IPool, PoolConfig} from "breakwater/interfaces/IPool.sol";
import {ITranche} from "breakwater/interfaces/ITranche.sol";
import {CapacityCertificate} from "breakwater/libraries/Eip712Types.sol";
import {Tranche} from "breakwater/core/Tranche.sol";
import {Underwriting} from "breakwater/underwriting/Underwriting.sol";
import {Committee} from "../Committee.sol";
import {Fixture} from "../Fixture.sol";
import {Token} from "../Tokens.sol";

/// @notice A vault whose yield, losses, liquidity and failures the test decides.
contract YieldVault is ERC4626 {
    uint256 private _liquid = type(uint256).max;
    bool private _broken;
    bool private _stuck;
    bool private _burns;

    constructor(IERC20 asset_) ERC20("Yield", "Y") ERC4626(asset_) {}

    function lose(uint256 amount) external {
        Token(asset()).transfer(address(0xdead), amount);
    }

    function setLiquid(uint256 liquid) external {
        _liquid = liquid;
    }

    function setBroken(bool broken) external {
        _broken = broken;
    }

    function burn() external {
        _burns = true;
    }

    function setStuck(bool stuck) external {
        _stuck = stuck;
    }

    function totalAssets() public view override returns (uint256) {
        require(!_broken, "broken");
        while (_burns) {}
        return super.totalAssets();
    }

    /// @notice What the shares of an account are worth, whatever hinders them.
    function maxWithdrawable(address owner) external view returns (uint256) {
        return (super.totalAssets() + 1) * balanceOf(owner) / (totalSupply() + 1);
    }

    function maxWithdraw(address owner) public view override returns (uint256) {
        uint256 most = super.maxWithdraw(owner);
        return most < _liquid ? most : _liquid;
    }

    function _withdraw(address caller, address receiver, address owner, uint256 assets, uint256 shares)
        internal
        override
    {
        require(!_stuck, "stuck");
        super._withdraw(caller, receiver, owner, assets, shares);
    }
}

/// @notice Idle capital: how it is invested, marked, lost and brought back.
contract IdleTest is Fixture, Committee {
    uint128 private constant K = 1_000e6;
    Pool private pool;
    YieldVault private yield;
    bytes32 private product;
    bool private certified;
    uint16 private capBps;
    uint16 private feeBps;

    function setUp() public override {
        super.setUp();
        openVault();
        seat(new Underwriting(address(manager)));
        product = listProduct(termsFor(list(vaultSpec())));
        yield = new YieldVault(usd);
        pool = makePool(usd, 100 * K);
        underwrite(pool, product, 200 * K);
    }

    function configFor(address asset) internal view override returns (PoolConfig memory config) {
        config = super.configFor(asset);
        if (certified) config.underwriting = address(under);
        config.curatorFeeBps = feeBps;
    }

    /// @dev Another pool, whose vault was named before anybody put money in.
    function _name(uint16 capBps_) private {
        capBps = capBps_;
        pool = makePool(usd, 100 * K);
        underwrite(pool, product, 200 * K);
    }

    function beforeDeposits(Pool made_) internal override {
        if (capBps == 0) return;
        vm.prank(curator);
        made_.setVault(address(yield), capBps, "vaults");
    }

    function _invest(uint256 amount) private {
        vm.prank(curator);
        pool.invest(amount);
    }

    function _mark() private view returns (uint256) {
        return pool.vault().mark;
    }

    /// @dev Cash and mark cover what the pool counts, booking `id` included.
    function _checkMoney(uint256 id) private view {
        PoolState memory s = pool.state();
        uint256 counted = s.unearnedScaled / 1e18 + s.owed + s.pendingDeposits + s.redeemable;
        counted += pool.capital() + pool.vault().gain;
        if (id != 0) counted += pool.booking(id).funded - pool.booking(id).paid;
        assertGe(usd.balanceOf(address(pool)) + _mark(), counted);
    }

    // ----- naming and investing -----

    function test_aVaultIsNamedOnceAndAfterTheNotice() public {
        pool = Pool(factory.createPool(configFor(address(usd)), "fresh"));
        expectRevert(abi.encodeWithSelector(IPool.NotCurator.selector, address(this)));
        pool.setVault(address(yield), 5000, "vaults");
        vm.startPrank(curator);
        expectRevert(abi.encodeWithSelector(IPool.OutOfRange.selector, bytes32("capBps"), 0));
        pool.setVault(address(yield), 0, "vaults");
        expectRevert(abi.encodeWithSelector(IPool.OutOfRange.selector, bytes32("capBps"), 9001));
        pool.setVault(address(yield), 9001, "vaults");
        YieldVault other = new YieldVault(new Token("EURX", 6));
        expectRevert(abi.encodeWithSelector(IPool.WrongAsset.selector, address(usd), other.asset()));
        pool.setVault(address(other), 5000, "vaults");
        expectRevert(abi.encodeWithSelector(IPoolDesk.VaultNotEffective.selector, 0));
        pool.invest(1);
        pool.setVault(address(yield), 5000, "vaults");
        uint256 effectiveAt = block.timestamp + 3 days;
        expectRevert(abi.encodeWithSelector(IPoolDesk.VaultIsSet.selector, address(yield)));
        pool.setVault(address(yield), 5000, "vaults");
        vm.warp(effectiveAt - 1);
        expectRevert(abi.encodeWithSelector(IPoolDesk.VaultNotEffective.selector, effectiveAt));
        pool.invest(1);
        vm.warp(effectiveAt);
        expectRevert(abi.encodeWithSelector(IPoolDesk.InvestedTooMuch.selector, 1, 0));
        pool.invest(1);
    }

    /// @dev Hole "own vault": a curator would name a contract of his own once others' capital is locked in.
    function test_noVaultIsNamedOnceOthersHaveDeposited() public {
        bytes memory refused = abi.encodeWithSelector(IPoolDesk.PoolHasMoney.selector, pool.capital());
        vm.prank(curator);
        expectRevert(refused);
        pool.setVault(address(yield), 5000, "vaults");
        Pool fresh = Pool(factory.createPool(configFor(address(usd)), "fresh"));
        _deposit(fresh, 1);
        vm.prank(curator);
        expectRevert(abi.encodeWithSelector(IPoolDesk.PoolHasMoney.selector, 1));
        fresh.setVault(address(yield), 5000, "vaults");
    }

    function test_investsUpToTheCap() public {
        _name(5000);
        expectRevert(abi.encodeWithSelector(IPool.NotCurator.selector, address(this)));
        pool.invest(1);
        uint256 most = pool.capital() / 2;
        vm.startPrank(curator);
        expectRevert(abi.encodeWithSelector(IPoolDesk.InvestedTooMuch.selector, most + 1, most));
        pool.invest(most + 1);
        pool.invest(most);
        expectRevert(abi.encodeWithSelector(IPoolDesk.InvestedTooMuch.selector, most + 1, most));
        pool.invest(1);
        vm.stopPrank();
        assertEq(_mark(), most);
        assertEq(usd.balanceOf(address(yield)), most);
        _checkMoney(0);
    }

    /// @dev Hole "first-depositor inflation", with the pool as the one who pays for it.
    function test_aVaultThatWasFilledBeforehandTakesNothing() public {
        _name(5000);
        usd.mint(address(yield), 1000 * K);
        vm.prank(curator);
        expectRevert(abi.encodeWithSelector(IPoolDesk.WrongInvestment.selector, 100 * K, 0));
        pool.invest(100 * K);
    }

    // ----- "a mark never rises faster than its bound" -----

    function test_aMarkNeverRisesFasterThanItsBound(uint256 gain, uint256 wait) public {
        _name(5000);
        _invest(100 * K);
        gain = bound(gain, 1, 1000 * K);
        wait = bound(wait, 1, 40 days);
        usd.mint(address(yield), gain);
        uint256 capital = pool.capital();
        vm.warp(block.timestamp + wait);
        pool.accrue();
        uint256 value = yield.convertToAssets(yield.balanceOf(address(pool)));
        uint256 most = 100 * K + 100 * K * wait * 10 / 10_000 / 1 days;
        assertEq(_mark(), value < most ? value : most);
        assertEq(pool.capital() - capital, _mark() - 100 * K);
        _checkMoney(0);
    }

    /// @dev However often somebody accrues, the rise is that of the time, and waiting saves none up.
    function test_accruingOftenNeitherStopsNorHastensARise() public {
        _name(5000);
        _invest(100 * K);
        uint256 start = block.timestamp;
        vm.warp(start + 10 days);
        pool.accrue();
        usd.mint(address(yield), 50 * K);
        for (uint256 i = 1; i <= 96; ++i) {
            vm.warp(start + 10 days + i * 15 minutes);
            pool.accrue();
        }
        assertApproxEqRel(_mark(), 100 * K + K / 10, 0.00001e18);
        assertLe(_mark(), uint256(100 * K) * 10_010_005 / 10_000_000);
    }

    function test_gainsAreEarnedLikePremiums() public {
        _name(5000);
        _invest(100 * K);
        usd.mint(address(yield), 10 * K);
        uint256[4] memory before;
        for (uint256 i; i < 4; ++i) {
            before[i] = pool.layer(i);
        }
        vm.warp(block.timestamp + 10 days);
        pool.accrue();
        uint256 gain = K;
        assertEq(_mark(), 101 * K);
        assertEq(pool.layer(0) - before[0], gain / 10);
        assertEq(pool.layer(1) - before[1], gain * 9 / 10 / 2);
    }

    // ----- who gains when a mark comes back -----

    /// @dev Hole "cheap shares after a moment's fall": neither in the accrual that marks it down nor as long as the
    ///      vault is worth more than its mark does a deposit become shares; exits go on.
    function test_depositsWaitWhileTheVaultIsWorthMoreThanItsMark() public {
        _name(9000);
        _invest(250 * K);
        ITranche senior = ITranche(pool.tranche(3));
        uint256 shares = senior.balanceOf(lp) / 100;
        vm.prank(lp);
        uint256 exit = senior.requestRedeem(shares, lp, lp);
        uint256 id = _deposit(pool, 100 * K);
        uint256 there = usd.balanceOf(address(yield));
        yield.lose(there / 5);
        vm.warp(block.timestamp + 3 days);
        pool.accrue();
        // It fell in this epoch, and is worth what it is marked at.
        assertEq(_mark(), yield.convertToAssets(pool.vault().shares));
        assertEq(pool.state().pendingDeposits, 100 * K);
        assertGt(senior.claimRedeem(exit, lp), 0);
        usd.mint(address(yield), there / 5);
        uint256 before = ITranche(pool.tranche(1)).convertToAssets(1e18);
        vm.warp(block.timestamp + 1 days);
        pool.accrue();
        assertEq(pool.state().pendingDeposits, 100 * K);
        expectRevert(abi.encodeWithSelector(ITranche.NotProcessed.selector, id));
        senior.claimDeposit(id, alice);
        // The curator ends the wait: what comes out beyond its mark is earned by those who were there.
        vm.prank(curator);
        pool.divest(there);
        pool.accrue();
        assertGt(ITranche(pool.tranche(1)).convertToAssets(1e18), before);
        shares = senior.claimDeposit(id, alice);
        assertApproxEqAbs(senior.convertToAssets(shares), 100 * K, 10);
        _checkMoney(0);
    }

    /// @dev A deposit that comes only after the fall waits no more once the mark stands where the vault does.
    function test_depositsGoOnInTheEpochAfterALoss() public {
        _name(9000);
        _invest(250 * K);
        yield.lose(50 * K);
        vm.warp(block.timestamp + 1 days);
        pool.accrue();
        uint256 id = _deposit(pool, 100 * K);
        vm.warp(block.timestamp + 1 days);
        assertGt(ITranche(pool.tranche(3)).claimDeposit(id, alice), 0);
    }

    /// @dev Nobody's money is held for ever: what could not be taken in for 30 days goes back.
    function test_aDepositThatWaitsTooLongGoesBack() public {
        _name(9000);
        _invest(250 * K);
        uint256 id = _deposit(pool, 100 * K);
        ITranche senior = ITranche(pool.tranche(3));
        usd.mint(address(yield), 100 * K);
        vm.warp((id + 1) * 1 days + 30 days - 1);
        expectRevert(abi.encodeWithSelector(ITranche.NotProcessed.selector, id));
        senior.claimDeposit(id, alice);
        vm.warp((id + 1) * 1 days + 30 days);
        uint256 before = usd.balanceOf(alice);
        assertEq(senior.claimDeposit(id, alice), 0);
        assertEq(usd.balanceOf(alice) - before, 100 * K);
        assertEq(pool.state().pendingDeposits, 0);
        // Nor is it taken in afterwards.
        vm.prank(curator);
        pool.divest(1000 * K);
        vm.warp(block.timestamp + 1 days);
        uint256 supply = Tranche(address(senior)).totalSupply();
        pool.accrue();
        assertEq(Tranche(address(senior)).totalSupply(), supply);
        _checkMoney(0);
    }

    /// @dev What a vault lost and gives back is nobody's profit: no fee is due before it is worth what it was.
    function test_theCuratorEarnsNothingOnWhatComesBack() public {
        feeBps = 2000;
        _name(5000);
        _invest(100 * K);
        yield.lose(10 * K);
        vm.warp(block.timestamp + 1 days);
        pool.accrue();
        assertEq(pool.owed(curator), 0);
        assertApproxEqAbs(pool.vault().lost, 10 * K, 1);
        usd.mint(address(yield), 20 * K);
        vm.warp(block.timestamp + 100 days);
        pool.accrue();
        // A tenth of a per cent a day of what it was before it fell.
        assertApproxEqAbs(_mark(), 100 * K, 2);
        assertEq(pool.owed(curator), 0);
        vm.warp(block.timestamp + 10 days);
        pool.accrue();
        assertApproxEqAbs(pool.owed(curator), K / 5, 2);
        assertEq(pool.vault().lost, 0);
    }

    /// @dev A mark of nothing is not for ever: it rises as slowly as any other.
    function test_aMarkOfZeroRisesAgain() public {
        _name(5000);
        _invest(100 * K);
        yield.setBroken(true);
        pool.accrue();
        vm.warp(block.timestamp + 30 days + 1);
        pool.accrue();
        assertEq(_mark(), 0);
        yield.setBroken(false);
        vm.warp(block.timestamp + 10 days);
        pool.accrue();
        assertEq(_mark(), K);
        _checkMoney(0);
    }

    function _deposit(Pool to, uint256 amount) private returns (uint256 id) {
        ITranche senior = ITranche(to.tranche(3));
        usd.mint(alice, amount);
        vm.startPrank(alice);
        usd.approve(address(senior), amount);
        id = senior.requestDeposit(amount, alice, alice);
        vm.stopPrank();
    }

    // ----- losses -----

    function test_aLossIsBornFromSurplusToSenior() public {
        _name(9000);
        usd.mint(address(yield), 1);
        _invest(250 * K);
        yield.lose(40 * K);
        uint256 capital = pool.capital();
        uint256 surplus = pool.layer(0);
        vm.warp(block.timestamp + 1);
        pool.accrue();
        assertApproxEqAbs(capital - pool.capital(), 40 * K, 2);
        assertEq(pool.layer(0), 0);
        assertApproxEqAbs(pool.layer(1), 60 * K + surplus, 2);
        assertEq(pool.layer(3), 100 * K);
        yield.lose(110 * K);
        pool.accrue();
        assertEq(pool.layer(1), 0);
        assertApproxEqAbs(pool.layer(2), 50 * K + surplus, 2);
        assertEq(pool.layer(3), 100 * K);
        _checkMoney(0);
    }

    /// @dev Hole "escape before the loss is booked": the accrual that pays an exit marks the vault first.
    function test_nobodyEscapesBeforeTheLossIsBooked() public {
        _name(9000);
        _invest(250 * K);
        ITranche senior = ITranche(pool.tranche(3));
        uint256 shares = senior.balanceOf(lp);
        vm.prank(lp);
        uint256 id = senior.requestRedeem(shares, lp, lp);
        vm.warp(block.timestamp + 3 days);
        yield.lose(220 * K);
        pool.accrue();
        uint256 before = usd.balanceOf(lp);
        senior.claimRedeem(id, lp);
        // 300 less 220, all of it senior's.
        assertApproxEqAbs(usd.balanceOf(lp) - before, 80 * K, 10);
    }

    /// @dev While it cannot be read nobody enters or leaves; after thirty days it counts as lost.
    function test_aVaultThatCannotBeReadStopsExitsForAWhile() public {
        _name(5000);
        _invest(100 * K);
        ITranche senior = ITranche(pool.tranche(3));
        uint256 shares = senior.balanceOf(lp);
        vm.prank(lp);
        uint256 id = senior.requestRedeem(shares, lp, lp);
        yield.setBroken(true);
        vm.warp(block.timestamp + 5 days);
        pool.accrue();
        uint256 since = block.timestamp;
        assertEq(pool.vault().blindSince, since);
        assertEq(_mark(), 100 * K);
        expectRevert(abi.encodeWithSelector(ITranche.NothingToClaim.selector, id, lp));
        senior.claimRedeem(id, lp);
        expectRevert(abi.encodeWithSelector(ITranche.NothingMatured.selector, block.timestamp / 1 days));
        senior.processRedemptions();
        vm.prank(curator);
        expectRevert(abi.encodeWithSelector(IPoolDesk.NotNow.selector));
        pool.invest(1);
        uint256 snapshot = vm.snapshotState();
        yield.setBroken(false);
        vm.warp(block.timestamp + 1 days);
        pool.accrue();
        assertEq(pool.vault().blindSince, 0);
        assertGt(senior.claimRedeem(id, lp), 0);
        vm.revertToState(snapshot);
        vm.warp(since + 30 days);
        pool.accrue();
        assertEq(_mark(), 100 * K);
        uint256 capital = pool.capital();
        vm.warp(since + 30 days + 1);
        pool.accrue();
        assertEq(_mark(), 0);
        assertApproxEqAbs(capital - pool.capital() - pool.state().redeemable, 100 * K, 10);
        assertGt(senior.claimRedeem(id, lp), 0);
    }

    // ----- money coming back -----

    function test_divestRealisesGainsAndLosses() public {
        _name(5000);
        _invest(100 * K);
        usd.mint(address(yield), 100 * K);
        uint256 capital = pool.capital();
        vm.prank(curator);
        uint256 got = pool.divest(100 * K);
        assertEq(got, 100 * K);
        // Half of the shares came out at twice their mark.
        assertApproxEqAbs(_mark(), 50 * K, 2);
        assertApproxEqAbs(pool.vault().gain, 50 * K, 2);
        assertEq(pool.capital(), capital);
        _checkMoney(0);
        pool.accrue();
        assertApproxEqAbs(pool.capital() - capital, 50 * K, 2);
        assertEq(pool.vault().gain, 0);
        _checkMoney(0);
        expectRevert(abi.encodeWithSelector(IPool.NotCurator.selector, address(this)));
        pool.divest(1);
    }

    function test_aStuckVaultGivesNothingAndKeepsItsMark() public {
        _name(5000);
        _invest(100 * K);
        yield.setStuck(true);
        vm.prank(curator);
        assertEq(pool.divest(100 * K), 0);
        assertEq(_mark(), 100 * K);
        yield.setStuck(false);
        yield.setLiquid(30 * K);
        vm.prank(curator);
        assertEq(pool.divest(100 * K), 30 * K);
        assertApproxEqAbs(_mark(), 70 * K, 1);
    }

    /// @dev Cash short for an exit: just enough comes out of the vault; what does not come is owed.
    function test_exitsTakeWhatTheyNeed() public {
        _name(9000);
        _invest(250 * K);
        ITranche senior = ITranche(pool.tranche(3));
        uint256 shares = senior.balanceOf(lp);
        vm.prank(lp);
        uint256 id = senior.requestRedeem(shares, lp, lp);
        vm.warp(block.timestamp + 3 days);
        yield.setStuck(true);
        pool.accrue();
        uint256 redeemable = pool.state().redeemable;
        assertGt(redeemable, usd.balanceOf(address(pool)));
        uint256 snapshot = vm.snapshotState();
        uint256 before = usd.balanceOf(lp);
        senior.claimRedeem(id, lp);
        assertEq(usd.balanceOf(lp), before);
        assertEq(pool.owed(lp), redeemable);
        yield.setStuck(false);
        pool.withdraw(lp);
        assertEq(usd.balanceOf(lp) - before, redeemable);
        vm.revertToState(snapshot);
        yield.setStuck(false);
        senior.claimRedeem(id, lp);
        assertEq(usd.balanceOf(lp) - before, redeemable);
        _checkMoney(0);
    }

    function test_whatExceedsTheCapComesBackWithTheEpoch() public {
        _name(5000);
        uint256 most = pool.capital() / 2;
        _invest(most);
        ITranche senior = ITranche(pool.tranche(3));
        uint256 shares = senior.balanceOf(lp);
        vm.prank(lp);
        senior.requestRedeem(shares, lp, lp);
        vm.warp(block.timestamp + 3 days);
        pool.accrue();
        assertApproxEqAbs(_mark(), pool.capital() / 2, 2);
        _checkMoney(0);
    }

    /// @dev A broken vault neither stops a booking nor a payment from cash.
    function test_aBrokenVaultStopsNoClaim() public {
        _name(5000);
        _invest(100 * K);
        uint256 id = buy(pool, product, alice, 50 * K);
        vm.warp(block.timestamp + 7 days);
        yield.burn();
        vm.roll(block.number + 10_000);
        uint256 a = seal();
        setVault(600_000e6, 1_000_000e6);
        seal();
        GaugeSpec memory spec = vaultSpec();
        uint256 incident = rung.assertLoss(spec, evidenceOf(spec, a, a + 1));
        assertEq(pool.booking(incident).funded, 20 * K);
        address[] memory accounts = holdersOf(alice);
        rung.provePositions(spec, incident, accounts, positionsOf(spec, a, a + 1, accounts, false));
        passDwell(incident);
        uint256 before = usd.balanceOf(alice);
        policies.settle(id, incident);
        assertEq(usd.balanceOf(alice) - before, 20 * K);
        _checkMoney(incident);
    }

    /// @dev Cash short for a claim: the vault is asked for the rest in the same payment.
    function test_claimsTakeWhatTheyNeed() public {
        _name(9000);
        uint256 id = buy(pool, product, alice, 100 * K);
        setShares(alice, 300_000e6);
        _invest(260 * K);
        vm.warp(block.timestamp + 7 days);
        vm.roll(block.number + 10_000);
        uint256 a = seal();
        setVault(100_000e6, 1_000_000e6);
        seal();
        GaugeSpec memory spec = vaultSpec();
        uint256 incident = rung.assertLoss(spec, evidenceOf(spec, a, a + 1));
        address[] memory accounts = holdersOf(alice);
        rung.provePositions(spec, incident, accounts, positionsOf(spec, a, a + 1, accounts, false));
        passDwell(incident);
        assertLt(usd.balanceOf(address(pool)), 90 * K);
        uint256 before = usd.balanceOf(alice);
        policies.settle(id, incident);
        assertEq(usd.balanceOf(alice) - before, 90 * K);
        _checkMoney(incident);
    }

    // ----- clusters -----

    function test_investedCapitalCountsInItsCluster() public {
        certified = true;
        bytes32 id = bytes32(uint256(uint160(address(yield))));
        Pool fresh = Pool(factory.createPool(configFor(address(usd)), "fresh"));
        vm.startPrank(curator);
        expectRevert(abi.encodeWithSelector(IPoolDesk.WrongCluster.selector, bytes32(0), bytes32("vaults")));
        fresh.setVault(address(yield), 5000, "vaults");
        vm.stopPrank();
        under.setCluster(id, "vaults");
        under.setCluster(product, "vaults");
        vm.prank(curator);
        expectRevert(
            abi.encodeWithSelector(IPoolDesk.WrongCluster.selector, bytes32("vaults"), bytes32("other"))
        );
        fresh.setVault(address(yield), 5000, "other");
        capBps = 5000;
        pool = makePool(usd, 100 * K);
        vm.prank(curator);
        pool.setProduct(product, 200 * K, 0.02e18);
        vm.warp(block.timestamp + 3 days);
        vm.prank(curator);
        expectRevert(abi.encodeWithSelector(IPool.NotCertified.selector, bytes32("vaults")));
        pool.invest(1);
        CapacityCertificate memory message = certificate(address(pool), 20_000);
        (message.products, message.clusters) = (one(product, 200 * K), one("vaults", 120 * K));
        certify(message);
        post(posting(product, 0.02e18));
        vm.warp(block.timestamp + 2 days);
        _invest(100 * K);
        assertEq(pool.clusterExposure("vaults"), 100 * K);
        assertEq(pool.offer(product).most, 20 * K);
        pool.accrue();
        buy(pool, product, alice, 15 * K);
        vm.prank(curator);
        expectRevert(
            abi.encodeWithSelector(IPool.ClusterExceeded.selector, bytes32("vaults"), 121 * K, 120 * K)
        );
        pool.invest(6 * K);
        _invest(5 * K);
    }
}
