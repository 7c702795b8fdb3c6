// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {GaugeSpec} from "breakwater/interfaces/IGauges.sol";
import {IGate} from "breakwater/interfaces/IGate.sol";
import {IERC7540Deposit} from "breakwater/interfaces/IAsyncVault.sol";
import {IWholePool as Pool} from "breakwater/interfaces/IPoolDesk.sol";
import {IPolicies, Purchase} from "breakwater/interfaces/IPolicies.sol";
import {PoolConfig} from "breakwater/interfaces/IPool.sol";
import {ITranche} from "breakwater/interfaces/ITranche.sol";
import {Gates} from "breakwater/libraries/Gates.sol";
import {ListGate} from "breakwater/periphery/ListGate.sol";
import {Fixture} from "../Fixture.sol";

/// @notice A registry as the usual ones are: one view that answers for an account.
contract Registry {
    mapping(address account => bool answer) public isSanctioned;
    bool private _broken;

    function set(address account, bool answer) external {
        isSanctioned[account] = answer;
    }

    function dearlyFalse(address) external view returns (bool) {
        while (gasleft() > 100) {}
        return _broken;
    }
}

/// @notice Whom a gate stops, and where none stands.
contract GatesTest is Fixture {
    uint128 private constant SUM = 10_000e6;
    ListGate private gate;
    Pool private pool;
    bytes32 private product;

    function setUp() public override {
        super.setUp();
        openVault();
        gate = new ListGate(curator, ListGate.Mode.Allow);
        address[] memory first = new address[](3);
        (first[0], first[1], first[2]) = (curator, lp, alice);
        vm.prank(curator);
        gate.list(first, true);
        product = listProduct(termsFor(list(vaultSpec())));
        pool = makePool(usd, 1_000_000e6);
        underwrite(pool, product, 500_000e6);
    }

    function configFor(address asset) internal view override returns (PoolConfig memory config) {
        config = super.configFor(asset);
        config.gate = address(gate);
    }

    function _list(address account, bool listed) private {
        address[] memory accounts = new address[](1);
        accounts[0] = account;
        vm.prank(curator);
        gate.list(accounts, listed);
    }

    function _refusal(address account, bytes4 action) private view returns (bytes memory) {
        return abi.encodeWithSelector(Gates.NotAllowed.selector, address(gate), account, action);
    }

    function test_buyerAndHolderMustBeLetIn() public {
        assertEq(pool.gate(), address(gate));
        Purchase memory purchase = purchaseOf(pool, product, bob, SUM);
        vm.prank(bob);
        expectRevert(_refusal(bob, IPolicies.buy.selector));
        policies.buy(purchase);
        purchase = purchaseOf(pool, product, alice, SUM);
        purchase.to = bob;
        vm.prank(alice);
        expectRevert(_refusal(bob, IPolicies.buy.selector));
        policies.buy(purchase);
        assertEq(buy(pool, product, alice, SUM), 1);
    }

    function test_depositorMustBeLetIn() public {
        ITranche senior = ITranche(pool.tranche(3));
        usd.mint(bob, SUM);
        vm.startPrank(bob);
        usd.approve(address(senior), SUM);
        usd.approve(address(pool), SUM);
        expectRevert(_refusal(bob, IERC7540Deposit.requestDeposit.selector));
        senior.requestDeposit(SUM, bob, bob);
        vm.stopPrank();
        _list(bob, true);
        vm.prank(bob);
        senior.requestDeposit(SUM, bob, bob);
    }

    /// @dev "A gate never stands between a holder and a claim", nor before a refund, a transfer or an exit.
    function test_aGateNeverStandsBetweenAHolderAndAClaim() public {
        uint256 id = buy(pool, product, alice, SUM);
        vm.warp(block.timestamp + 2 days);
        vm.prank(alice);
        IERC721(address(policies)).transferFrom(alice, bob, id);
        _list(alice, false);
        _list(lp, false);
        uint256 incident = _drain();
        passDwell(incident);
        uint256 before = usd.balanceOf(bob);
        vm.prank(keeper);
        uint256 paid = policies.settle(id, incident);
        assertGt(paid, 0);
        assertEq(usd.balanceOf(bob) - before, paid);
        ITranche senior = ITranche(pool.tranche(3));
        uint256 shares = senior.balanceOf(lp);
        vm.prank(lp);
        uint256 request = senior.requestRedeem(shares, lp, lp);
        vm.warp(block.timestamp + 5 days);
        pool.accrue();
        before = usd.balanceOf(lp);
        senior.claimRedeem(request, lp);
        assertGt(usd.balanceOf(lp), before);
    }

    function test_aRefundIsNotGated() public {
        uint256 id = buy(pool, product, alice, SUM);
        vm.warp(block.timestamp + 2 days);
        _list(alice, false);
        uint256 before = usd.balanceOf(alice);
        vm.prank(alice);
        policies.cancel(id);
        assertGt(usd.balanceOf(alice), before);
    }

    function test_aGateThatFailsLetsNobodyIn() public {
        vm.mockCallRevert(address(gate), abi.encodeWithSelector(IGate.allowed.selector), "");
        Purchase memory purchase = purchaseOf(pool, product, alice, SUM);
        vm.prank(alice);
        expectRevert(_refusal(alice, IPolicies.buy.selector));
        policies.buy(purchase);
        vm.clearMockedCalls();
        vm.mockCall(address(gate), abi.encodeWithSelector(IGate.allowed.selector), hex"01");
        vm.prank(alice);
        expectRevert(_refusal(alice, IPolicies.buy.selector));
        policies.buy(purchase);
        vm.mockCall(address(gate), abi.encodeWithSelector(IGate.allowed.selector), abi.encode(2));
        vm.prank(alice);
        expectRevert(_refusal(alice, IPolicies.buy.selector));
        policies.buy(purchase);
    }

    // ----- lists -----

    function test_aDenyListLetsInAllOthers() public {
        ListGate deny = new ListGate(curator, ListGate.Mode.Deny);
        assertTrue(deny.allowed(alice, 0));
        address[] memory accounts = new address[](1);
        accounts[0] = alice;
        expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(this)));
        deny.list(accounts, true);
        vm.prank(curator);
        deny.list(accounts, true);
        assertFalse(deny.allowed(alice, 0));
        assertTrue(deny.allowed(bob, 0));
    }

    function test_registriesAreAskedAsWell() public {
        Registry registry = new Registry();
        ListGate.Registry[] memory all = new ListGate.Registry[](1);
        all[0] = ListGate.Registry(address(registry), registry.isSanctioned.selector, false);
        expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(this)));
        gate.setRegistries(all);
        vm.startPrank(curator);
        gate.setRegistries(all);
        assertEq(gate.registries()[0].registry, address(registry));
        assertTrue(gate.allowed(alice, 0));
        assertFalse(gate.allowed(bob, 0));
        registry.set(alice, true);
        assertFalse(gate.allowed(alice, 0));
        // The same registry as one of identities: who is in it may pass.
        all[0].pass = true;
        gate.setRegistries(all);
        assertTrue(gate.allowed(alice, 0));
        assertFalse(gate.allowed(lp, 0));
        all[0] = ListGate.Registry(address(registry), registry.dearlyFalse.selector, false);
        gate.setRegistries(all);
        assertFalse(gate.allowed(alice, 0));
        all[0].registry = address(0x1234);
        gate.setRegistries(all);
        assertFalse(gate.allowed(alice, 0));
        expectRevert(abi.encodeWithSelector(ListGate.TooManyRegistries.selector, 4, 5));
        gate.setRegistries(new ListGate.Registry[](5));
        gate.setRegistries(new ListGate.Registry[](0));
        assertTrue(gate.allowed(alice, 0));
    }

    // ----- distributors -----

    function test_aDistributorIsPaidOnTopAndAtOnce() public {
        Purchase memory purchase = purchaseOf(pool, product, alice, SUM);
        (purchase.distributor, purchase.feeBps) = (keeper, 1500);
        uint256 premium = pool.quote(product, SUM, uint64(block.timestamp + 1 days), purchase.expiry);
        uint256 fee = premium * 1500 / 10_000;
        usd.mint(alice, 1_000_000e6);
        vm.startPrank(alice);
        usd.approve(address(policies), type(uint256).max);
        purchase.maxPremium = premium + fee - 1;
        expectRevert(
            abi.encodeWithSelector(IPolicies.PremiumAbove.selector, premium + fee, premium + fee - 1)
        );
        policies.buy(purchase);
        purchase.maxPremium = premium + fee;
        uint256 before = usd.balanceOf(alice);
        uint256 inPool = usd.balanceOf(address(pool));
        policies.buy(purchase);
        assertEq(before - usd.balanceOf(alice), premium + fee);
        assertEq(usd.balanceOf(keeper), fee);
        assertEq(usd.balanceOf(address(pool)) - inPool, premium);
        purchase.feeBps = 2001;
        expectRevert(abi.encodeWithSelector(IPolicies.FeeTooHigh.selector, 2000, 2001));
        policies.buy(purchase);
        (purchase.feeBps, purchase.distributor) = (1, address(0));
        expectRevert(abi.encodeWithSelector(IPolicies.ZeroAddress.selector));
        policies.buy(purchase);
    }

    /// @dev Four tenths of the vault are gone, and what Alice lost is proven.
    function _drain() private returns (uint256 incident) {
        vm.roll(block.number + 10_000);
        uint256 onset = seal();
        setVault(600_000e6, 1_000_000e6);
        seal();
        GaugeSpec memory spec = vaultSpec();
        incident = rung.assertLoss(spec, evidenceOf(spec, onset, onset + 1));
        address[] memory accounts = holdersOf(alice);
        rung.provePositions(spec, incident, accounts, positionsOf(spec, onset, onset + 1, accounts, false));
    }
}
