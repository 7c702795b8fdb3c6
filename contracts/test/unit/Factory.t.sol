// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {Errors} from "@openzeppelin/contracts/utils/Errors.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Clone} from "breakwater/core/Clone.sol";
import {PoolDesk} from "breakwater/core/PoolDesk.sol";
import {ICatalog} from "breakwater/interfaces/ICatalog.sol";
import {IFactory} from "breakwater/interfaces/IFactory.sol";
import {IPool, PoolConfig, PayOrder, Reduction} from "breakwater/interfaces/IPool.sol";
import {IPoolDesk, IWholePool} from "breakwater/interfaces/IPoolDesk.sol";
import {ITranche} from "breakwater/interfaces/ITranche.sol";
import {ICedant} from "breakwater/interfaces/ITreaty.sol";
import {TreatyFactory} from "breakwater/reinsurance/TreatyFactory.sol";
import {Tranche} from "breakwater/core/Tranche.sol";
import {Terms} from "breakwater/libraries/Terms.sol";
import {Fixture} from "../Fixture.sol";

/// @notice An asset that calls a pool's desk while the pool pays it out.
contract Reentrant {
    address private _pool;
    bytes private _data;
    bytes public refusal;
    mapping(address => uint256) public balanceOf;

    function attack(address pool, bytes calldata data) external {
        (_pool, _data) = (pool, data);
    }

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
        if (_pool != address(0)) {
            bool ok;
            (ok, refusal) = _pool.call(_data);
            require(!ok, "came back in");
        }
        return true;
    }
}

/// @notice Pools are clones that only the factory makes; the code that they share serves nobody by itself.
contract FactoryTest is Fixture {
    function _made() private returns (IWholePool) {
        return IWholePool(factory.createPool(configFor(address(usd)), bytes32(++made)));
    }

    function test_aPoolIsMadeWholeAndRegistered() public {
        PoolConfig memory config = configFor(address(usd));
        address expected = factory.poolOf(alice, config, "salt");
        vm.prank(alice);
        address here = factory.createPool(config, "salt");
        vm.snapshotGasLastCall("Factory", "createPool");
        assertEq(here, expected);
        assertTrue(catalog.isPool(here));
        IWholePool pool = IWholePool(here);
        assertEq(abi.encode(pool.config()), abi.encode(config));
        assertEq(Clones.fetchCloneArgs(here), Terms.pack(config));
        assertEq(Clones.fetchCloneArgs(here).length, Terms.LENGTH);
        assertEq(pool.asset(), address(usd));
        assertEq(pool.curator(), curator);
        assertEq(pool.state().epochDone, block.timestamp / config.epoch);
        assertEq(pool.state().accruedTo, block.timestamp);
        string[3] memory names = ["Breakwater Junior", "Breakwater Mezzanine", "Breakwater Senior"];
        string[3] memory symbols = ["BW-J", "BW-M", "BW-S"];
        for (uint256 i = 1; i < 4; ++i) {
            Tranche tranche = Tranche(pool.tranche(i));
            assertEq(tranche.pool(), here);
            assertEq(tranche.asset(), address(usd));
            assertEq(tranche.layer(), i);
            assertEq(tranche.decimals(), 12);
            assertEq(tranche.name(), names[i - 1]);
            assertEq(tranche.symbol(), symbols[i - 1]);
        }
    }

    function test_theEventTellsEverything() public {
        PoolConfig memory config = configFor(address(usd));
        address here = factory.poolOf(address(this), config, "salt");
        uint256 snapshot = vm.snapshotState();
        IWholePool pool = IWholePool(factory.createPool(config, "salt"));
        address[3] memory tranches = [pool.tranche(1), pool.tranche(2), pool.tranche(3)];
        vm.revertToState(snapshot);
        vm.expectEmit(address(factory));
        emit IFactory.PoolCreated(here, curator, config, tranches);
        factory.createPool(config, "salt");
    }

    /// @dev Every field over its whole range, so that none runs into its neighbour.
    function test_everyFieldOfTheConfigIsKept(PoolConfig memory config) public {
        config.asset = address(usd);
        config.curator = address(uint160(bound(uint160(config.curator), 1, type(uint160).max)));
        config.epoch = uint32(bound(config.epoch, 1 days, 90 days));
        config.cooldown = uint32(bound(config.cooldown, config.epoch, 90 days));
        config.leverageBps = uint32(bound(config.leverageBps, 10_000, 100_000));
        config.surgeHalfLife = uint32(bound(config.surgeHalfLife, 1 hours, 90 days));
        config.curatorShareBps = uint16(bound(config.curatorShareBps, 100, 10_000));
        config.surplusBps = uint16(bound(config.surplusBps, 0, 5000));
        config.subordinationBps = uint16(bound(config.subordinationBps, 0, 7000));
        config.weightBps[0] = uint16(bound(config.weightBps[0], 500, 9000));
        config.weightBps[1] = uint16(bound(config.weightBps[1], 500, 9500 - config.weightBps[0]));
        config.weightBps[2] = 10_000 - config.weightBps[0] - config.weightBps[1];
        config.costOfCapital = uint64(bound(config.costOfCapital, 0.001e18, 1e18));
        config.kink = uint64(bound(config.kink, 0.01e18, 0.99e18));
        config.scarcityKink = uint64(bound(config.scarcityKink, 1e18, type(uint64).max));
        config.scarcityFull = uint64(bound(config.scarcityFull, config.scarcityKink, type(uint64).max));
        // Both must be contracts, or nobody.
        config.underwriting = uint160(config.underwriting) % 2 == 0 ? address(0) : address(catalog);
        config.gate = uint160(config.gate) % 2 == 0 ? address(0) : address(policies);
        config.curatorFeeBps = uint16(bound(config.curatorFeeBps, 0, 2000));
        IWholePool pool = IWholePool(factory.createPool(config, "salt"));
        assertEq(abi.encode(pool.config()), abi.encode(config));
    }

    function test_saltsBelongToTheirCaller() public {
        PoolConfig memory config = configFor(address(usd));
        vm.prank(alice);
        address one = factory.createPool(config, "salt");
        vm.prank(bob);
        address other = factory.createPool(config, "salt");
        assertTrue(one != other, "two callers, two pools");
        expectRevert(abi.encodeWithSelector(Errors.FailedDeployment.selector));
        vm.prank(alice);
        factory.createPool(config, "salt");
    }

    function test_nobodyElseRegisters() public {
        address pool = address(_made());
        vm.prank(keeper);
        expectRevert(abi.encodeWithSelector(ICatalog.NotFactory.selector, keeper));
        catalog.registerPool(pool);
    }

    function test_aBadConfigMakesNothing() public {
        PoolConfig memory config = configFor(address(usd));
        config.kink = 1e18;
        expectRevert(abi.encodeWithSelector(IPool.OutOfRange.selector, bytes32("kink"), 1e18));
        factory.createPool(config, "salt");
        config = configFor(keeper);
        expectRevert(abi.encodeWithSelector(IPool.OutOfRange.selector, bytes32("asset"), uint160(keeper)));
        factory.createPool(config, "salt");
    }

    function test_aPoolIsInitialisedOnce() public {
        IWholePool pool = _made();
        expectRevert(abi.encodeWithSelector(IPoolDesk.AlreadyInitialised.selector));
        pool.initialise([alice, bob, keeper]);
    }

    function test_theSharedPoolServesNobody() public {
        IWholePool code = IWholePool(factory.pool());
        bytes memory refusal = abi.encodeWithSelector(Clone.NotAClone.selector);
        expectRevert(refusal);
        code.initialise([alice, bob, keeper]);
        expectRevert(refusal);
        code.accrue();
        expectRevert(refusal);
        code.lock(1);
        expectRevert(refusal);
        code.setProduct("product", 1, 1);
        expectRevert(refusal);
        code.config();
        vm.startPrank(address(policies));
        expectRevert(refusal);
        code.sell("product", 1, 1, 1, 1);
        Reduction memory reduction;
        expectRevert(refusal);
        code.reduce(reduction);
        PayOrder memory order;
        expectRevert(refusal);
        code.pay(order);
        vm.stopPrank();
        vm.startPrank(address(incidents));
        expectRevert(refusal);
        code.book(1, "gauge", 1, 1, 1);
        expectRevert(refusal);
        code.settleBooking(1);
        vm.stopPrank();
        expectRevert(abi.encodeWithSelector(IPool.NotTranche.selector, address(this)));
        code.payExits();
        expectRevert(abi.encodeWithSelector(IPool.NotTranche.selector, address(this)));
        code.sendRedemption(alice, 1);
    }

    function test_theSharedTrancheServesNobody() public {
        Tranche code = Tranche(factory.tranche());
        bytes memory refusal = abi.encodeWithSelector(Clone.NotAClone.selector);
        expectRevert(refusal);
        code.pool();
        expectRevert(refusal);
        code.requestDeposit(1, address(this), address(this));
        expectRevert(refusal);
        code.requestRedeem(1, address(this), address(this));
        expectRevert(refusal);
        code.processDeposits();
        expectRevert(refusal);
        code.processRedemptions();
        expectRevert(refusal);
        code.mintRecovery(1, 1, 1);
        expectRevert(refusal);
        code.burnLocked(alice, 0);
        expectRevert(refusal);
        code.pull(alice, 0);
    }

    /// @dev Called directly the desk has neither config nor tranches, and every change needs one of them.
    function test_theDeskServesNobodyDirectly() public {
        PoolDesk desk = new PoolDesk(catalog, incidents, new TreatyFactory(catalog));
        expectRevert(abi.encodeWithSelector(Clone.NotAClone.selector));
        desk.initialise([alice, bob, keeper]);
        bytes[10] memory calls = [
            abi.encodeCall(IPoolDesk.setProduct, ("product", 1, 1)),
            abi.encodeCall(IPoolDesk.lock, (1)),
            abi.encodeCall(IPoolDesk.unlock, (1)),
            abi.encodeCall(IPoolDesk.closeBooking, (1)),
            abi.encodeCall(IPoolDesk.withdraw, (alice)),
            abi.encodeCall(IPoolDesk.attachTreaty, (alice)),
            abi.encodeCall(IPoolDesk.detachTreaty, (alice)),
            abi.encodeCall(IPoolDesk.recover, (1, 1)),
            abi.encodeCall(IPoolDesk.collectReturn, (1)),
            abi.encodeCall(ICedant.payPremium, (alice))
        ];
        for (uint256 i; i < calls.length; ++i) {
            (bool ok,) = address(desk).call(calls[i]);
            assertFalse(ok, "the desk did something");
        }
        expectRevert(abi.encodeWithSelector(IPool.UnknownProduct.selector, bytes32("product")));
        desk.roll("product");
    }

    /// @dev The transient word is the clone's, whoever's code runs in it.
    function test_bothHalvesShareOneGuard() public {
        Reentrant coin = new Reentrant();
        IWholePool pool = IWholePool(factory.createPool(configFor(address(coin)), "salt"));
        ITranche junior = ITranche(pool.tranche(1));
        coin.mint(alice, 10e18);
        bytes[3] memory calls = [
            abi.encodeCall(IPoolDesk.closeBooking, (1)),
            abi.encodeCall(IPoolDesk.withdraw, (alice)),
            abi.encodeCall(IPool.accrue, ())
        ];
        for (uint256 i; i < calls.length; ++i) {
            coin.attack(address(pool), calls[i]);
            vm.prank(alice);
            junior.requestDeposit(1e18, alice, alice);
            assertEq(
                coin.refusal(),
                abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector)
            );
        }
    }

    /// @dev What no half answers reverts without a reason, as in a contract of one piece.
    function test_unknownCallsRevert() public {
        (bool ok, bytes memory reason) = address(_made()).call(hex"12345678");
        assertFalse(ok);
        assertEq(reason.length, 0);
        vm.deal(address(this), 1);
        (ok,) = address(_made()).call{value: 1}("");
        assertFalse(ok, "a pool takes no ether");
    }
}
