// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {Base} from "../Base.sol";
import {Pools} from "../Pools.sol";
import {Factory} from "breakwater/core/Factory.sol";
import {ICatalog, Product} from "breakwater/interfaces/ICatalog.sol";
import {IIncidents, Incident, Status} from "breakwater/interfaces/IIncidents.sol";
import {Booking, PayOrder, PoolConfig, Reduction} from "breakwater/interfaces/IPool.sol";
import {IWholePool as Pool, PoolState} from "breakwater/interfaces/IPoolDesk.sol";
import {Tranche} from "breakwater/core/Tranche.sol";

/// @notice An asset that can be told to misbehave in each way that assets on chain do.
contract Coin is ERC20("Coin", "COIN") {
    uint256 public feeBps;
    bool public silent; // answers false and moves nothing
    mapping(address => bool) public blocked;
    address public hook; // called with `hookData` at each transfer
    bytes public hookData;
    bool public hookFailed;

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setFee(uint256 bps) external {
        feeBps = bps;
    }

    function setSilent(bool on) external {
        silent = on;
    }

    function setBlocked(address account, bool on) external {
        blocked[account] = on;
    }

    function setHook(address target, bytes calldata data) external {
        (hook, hookData) = (target, data);
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        if (silent) return false;
        _move(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        if (silent) return false;
        _spendAllowance(from, msg.sender, amount);
        _move(from, to, amount);
        return true;
    }

    function _move(address from, address to, uint256 amount) private {
        require(!blocked[to], "blocked");
        if (hook != address(0)) {
            (bool ok,) = hook.call(hookData);
            hookFailed = !ok;
        }
        uint256 fee = amount * feeBps / 10_000;
        if (fee != 0) _burn(from, fee);
        _transfer(from, to, amount - fee);
    }
}

/// @notice What the pool asks of catalog and incidents, set by hand.
contract World {
    mapping(bytes32 => Product) private _products;
    mapping(uint256 => Incident) private _incidents;
    mapping(bytes32 => uint256) public attached;
    mapping(address => bool) public isPool;

    function list(bytes32 id, Product calldata terms) external {
        _products[id] = terms;
    }

    function set(uint256 id, Incident calldata incident_) external {
        _incidents[id] = incident_;
    }

    function product(bytes32 id) external view returns (Product memory) {
        return _products[id];
    }

    function registerPool(address pool) external {
        isPool[pool] = true;
    }

    function attach(bytes32 gauge) external {
        ++attached[gauge];
    }

    function incident(uint256 id) external view returns (Incident memory) {
        return _incidents[id];
    }
}

/// @notice One pool with a curator, juniors, mezzanine, seniors and two products. This contract is its policies.
abstract contract PoolSetup is Base {
    struct Sale {
        bytes32 product;
        uint128 sum;
        uint64 purchased;
        uint64 inception;
        uint64 expiry;
        uint256 rate;
        uint256 premium;
    }

    uint256 internal constant UNIT = 1e6;
    uint256 internal constant DAY = 1 days;
    bytes32 internal constant GAUGE = "gauge";
    bytes32 internal constant OTHER_GAUGE = "other gauge";
    bytes32 internal constant PLAIN = "plain";
    bytes32 internal constant LIMITED = "limited";
    bytes32 internal constant OTHER = "other";
    uint64 internal constant WAITING = 1 days;
    uint64 internal constant WINDOW = 10 days;

    Coin internal coin;
    Factory internal factory;
    uint256 internal made;
    World internal world;
    Pool internal pool;
    Tranche internal junior;
    Tranche internal mezzanine;
    Tranche internal senior;
    PoolConfig internal config;
    address internal curator;
    address internal alice;
    address internal bob;
    address internal carol;
    address internal holder;
    address internal settler;
    address internal opener;
    uint256[] internal booked;

    function setUp() public virtual {
        // The first second of a day and of an epoch.
        vm.warp(7 days * 2_900);
        vm.roll(1_000);
        coin = new Coin();
        world = new World();
        factory = Pools.factory(ICatalog(address(world)), IIncidents(address(world)), address(this));
        (curator, alice, bob, carol) =
        (makeAddr("curator"), makeAddr("alice"), makeAddr("bob"), makeAddr("carol"));
        (holder, settler, opener) = (makeAddr("holder"), makeAddr("settler"), makeAddr("opener"));
        config = PoolConfig({
            asset: address(coin),
            curator: curator,
            epoch: 7 days,
            cooldown: 14 days,
            leverageBps: 20_000,
            curatorShareBps: 500,
            subordinationBps: 2_000,
            surplusBps: 1_000,
            weightBps: [uint16(5_000), 3_000, 2_000],
            costOfCapital: 0.05e18,
            kink: 0.8e18,
            scarcityKink: 1.5e18,
            scarcityFull: 3e18,
            surgeSlope: 2e18,
            surgeMax: 5e18,
            surgeHalfLife: 1 days,
            underwriting: address(0),
            gate: address(0),
            curatorFeeBps: 0
        });
        _redeploy();
        world.list(PLAIN, _terms(GAUGE, 0, 0));
        world.list(LIMITED, _terms(GAUGE, 1_000, uint128(50_000 * UNIT)));
        world.list(OTHER, _terms(OTHER_GAUGE, 0, 0));
    }

    // ----- building -----

    /// @dev A fresh pool with the config as it is now.
    function _redeploy() internal {
        pool = _deploy(config);
        junior = Tranche(pool.tranche(1));
        mezzanine = Tranche(pool.tranche(2));
        senior = Tranche(pool.tranche(3));
    }

    function _deploy(PoolConfig memory c) internal returns (Pool) {
        return Pool(factory.createPool(c, bytes32(++made)));
    }

    function _terms(bytes32 gauge, uint16 deductibleBps, uint128 eventLimit)
        internal
        view
        returns (Product memory p)
    {
        p.gauge = gauge;
        p.asset = address(coin);
        (p.unitNum, p.unitDen, p.minSum) = (1, 1, 1);
        (p.eventLimit, p.deductibleBps, p.lossCapBps, p.bountyBps) = (eventLimit, deductibleBps, 10_000, 100);
        p.instant = true;
        (p.waitingPeriod, p.reportWindow, p.minTerm, p.maxTerm) =
        (uint32(WAITING), uint32(WINDOW), 1 days, 365 days);
    }

    /// @dev 100,000 junior (half of it the curator's), 100,000 mezzanine, 300,000 senior; caps in force.
    function _fund() internal {
        _deposit(junior, curator, 50_000 * UNIT);
        _deposit(junior, alice, 50_000 * UNIT);
        _deposit(mezzanine, bob, 100_000 * UNIT);
        _deposit(senior, carol, 300_000 * UNIT);
        _nextEpoch();
        _claim(junior, curator);
        _claim(junior, alice);
        _claim(mezzanine, bob);
        _claim(senior, carol);
        vm.startPrank(curator);
        pool.lock(junior.balanceOf(curator));
        pool.setProduct(PLAIN, uint128(400_000 * UNIT), 0.02e18);
        pool.setProduct(LIMITED, uint128(300_000 * UNIT), 0.02e18);
        pool.setProduct(OTHER, uint128(300_000 * UNIT), 0.02e18);
        vm.stopPrank();
        _pass(28 days);
        pool.accrue();
    }

    function _deposit(Tranche tranche, address who, uint256 amount) internal returns (uint256 requestId) {
        coin.mint(who, amount);
        vm.startPrank(who);
        coin.approve(address(tranche), amount);
        requestId = tranche.requestDeposit(amount, who, who);
        vm.stopPrank();
    }

    /// @dev Claims what was requested in the epoch before this one.
    function _claim(Tranche tranche, address who) internal returns (uint256 shares) {
        return tranche.claimDeposit(block.timestamp / config.epoch - 1, who);
    }

    function _redeem(Tranche tranche, address who, uint256 shares) internal returns (uint256 requestId) {
        vm.prank(who);
        return tranche.requestRedeem(shares, who, who);
    }

    // ----- time -----

    function _pass(uint256 seconds_) internal {
        vm.warp(block.timestamp + seconds_);
        vm.roll(vm.getBlockNumber() + 1 + seconds_ / 12);
    }

    function _nextEpoch() internal {
        _pass(config.epoch - block.timestamp % config.epoch);
    }

    // ----- policies -----

    /// @dev A policy over `days_` whole days at least, bought now.
    function _buy(bytes32 product, uint256 sum, uint256 days_) internal returns (Sale memory sale) {
        sale.product = product;
        sale.sum = uint128(sum);
        sale.purchased = uint64(block.timestamp);
        sale.inception = uint64(block.timestamp) + WAITING;
        sale.expiry = uint64((sale.inception + days_ * DAY + DAY - 1) / DAY * DAY);
        pool.accrue();
        sale.premium = pool.quote(product, sale.sum, sale.inception, sale.expiry);
        coin.mint(address(pool), sale.premium);
        sale.rate = pool.sell(product, sale.sum, sale.inception, sale.expiry, sale.premium);
    }

    function _cancel(Sale memory sale, uint64 from) internal returns (uint256) {
        return pool.reduce(
            Reduction({
                product: sale.product,
                sum: sale.sum,
                streamRate: sale.rate,
                expiry: sale.expiry,
                refundFrom: from,
                unpaid: sale.sum,
                whole: sale.sum,
                to: holder
            })
        );
    }

    function _pay(uint256 id, Sale memory sale, uint128 dueBefore, uint128 due, uint128 paidBefore)
        internal
        returns (uint256)
    {
        return pool.pay(
            PayOrder({
                incident: id,
                product: sale.product,
                dueBefore: dueBefore,
                due: due,
                paidBefore: paidBefore,
                expiry: sale.expiry,
                holder: holder,
                settler: settler
            })
        );
    }

    // ----- incidents -----

    /// @dev Books a loss of `lambda` (wad) with its onset now, in the next block.
    function _open(uint256 id, bytes32 gauge, uint256 lambda) internal {
        _pass(12);
        _status(id, Status.Dwelling, 0);
        booked.push(id);
        _book(id, gauge, uint64(block.timestamp - 12), lambda);
    }

    function _book(uint256 id, bytes32 gauge, uint64 onset, uint256 lambda) internal returns (uint256) {
        vm.prank(address(world));
        return pool.book(id, gauge, onset, uint128(lambda), 1e18);
    }

    function _settleBooking(uint256 id) internal {
        _pass(12);
        _status(id, Status.Final, uint32(block.timestamp + 14 days));
        vm.prank(address(world));
        pool.settleBooking(id);
    }

    /// @dev Refuted: everything goes back, and the dwell ends without a loss.
    function _void(uint256 id, bytes32 gauge) internal {
        _book(id, gauge, pool.booking(id).onsetTime, 0);
        _status(id, Status.Voided, 0);
        vm.prank(address(world));
        pool.settleBooking(id);
    }

    function _status(uint256 id, Status status, uint32 claimsEnd) internal {
        Incident memory incident;
        (incident.status, incident.opener, incident.claimsEnd) = (status, opener, claimsEnd);
        world.set(id, incident);
    }

    // ----- books -----

    /// @dev The money identity, exact to the unit while nobody sends coins in for nothing.
    function _checkMoney() internal view {
        assertEq(coin.balanceOf(address(pool)), _claims(), "money identity");
    }

    function _claims() internal view returns (uint256 claims) {
        PoolState memory s = pool.state();
        for (uint256 i; i < 4; ++i) {
            claims += s.layers[i];
        }
        claims += (s.unearnedScaled + 1e18 - 1) / 1e18 + s.owed + s.pendingDeposits + s.redeemable
            + s.premiums;
        for (uint256 i; i < booked.length; ++i) {
            Booking memory b = pool.booking(booked[i]);
            claims += b.funded - b.ceded + b.drawn - b.paid;
        }
    }

    function _layer(uint256 index) internal view returns (uint256) {
        return pool.layer(index);
    }
}
