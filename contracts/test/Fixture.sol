// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {Catalog} from "breakwater/core/Catalog.sol";
import {Factory} from "breakwater/core/Factory.sol";
import {Incidents} from "breakwater/core/Incidents.sol";
import {Policies} from "breakwater/core/Policies.sol";
import {PolicyDesk} from "breakwater/core/PolicyDesk.sol";
import {IWholePool as Pool} from "breakwater/interfaces/IPoolDesk.sol";
import {Kind, Product} from "breakwater/interfaces/ICatalog.sol";
import {Form, GaugeSpec, Holding, Pin, PinnedAccount, Side, Term} from "breakwater/interfaces/IGauges.sol";
import {Incident, Rung} from "breakwater/interfaces/IIncidents.sol";
import {Times} from "breakwater/interfaces/ILadder.sol";
import {Purchase} from "breakwater/interfaces/IPolicies.sol";
import {PoolConfig} from "breakwater/interfaces/IPool.sol";
import {ITranche} from "breakwater/interfaces/ITranche.sol";
import {Wording} from "breakwater/periphery/Wording.sol";
import {EthereumHistory} from "breakwater/triggers/EthereumHistory.sol";
import {ProofRung} from "breakwater/triggers/ProofRung.sol";
import {Token} from "./Tokens.sol";
import {Pools} from "./Pools.sol";
import {World} from "./World.sol";

/// @notice The whole settlement layer, as it is deployed, over a small chain: one vault, its gauge and a pool.
abstract contract Fixture is World {
    uint64 internal constant DWELL = 32;
    uint32 internal constant WINDOW = 14 days;
    uint64 internal constant QUORUM_WINDOW = 96;
    uint64 internal constant ASSEMBLY_WINDOW = 400;
    uint64 internal constant GUARDIAN_DELAY = 20;
    uint256 internal constant START = 1_800_000_000;
    uint256 internal constant WAD = 1e18;
    /// @dev Total assets and supply share slot 0; balances are a mapping at slot 2.
    address internal constant VAULT = address(0xA0170000);

    AccessManager internal manager;
    EthereumHistory internal history;
    Wording internal wording;
    Catalog internal catalog;
    Incidents internal incidents;
    ProofRung internal rung;
    Policies internal policies;
    Factory internal factory;
    Token internal usd;
    /// @dev Pools made so far, which keeps their salts apart.
    uint256 internal made;

    address internal curator = makeAddr("curator");
    address internal lp = makeAddr("lp");
    address internal alice = makeAddr("alice");
    address internal bob = makeAddr("bob");
    address internal keeper = makeAddr("keeper");

    function setUp() public virtual {
        vm.warp(START);
        vm.roll(10_000);
        manager = new AccessManager(address(this));
        history = new EthereumHistory();
        wording = new Wording(times());
        catalog = new Catalog(address(manager), wording);
        incidents = new Incidents(catalog, address(manager));
        rung = new ProofRung(history, catalog, incidents);
        policies = new Policies(catalog, incidents, address(new PolicyDesk(catalog, incidents)));
        factory = Pools.factory(catalog, incidents, address(policies));
        allowFactory();
        usd = new Token("USDX", 6);
        wire(address(rung));
    }

    /// @dev Nothing waits for the guardian, where that is not what a test is about.
    function times() internal view virtual returns (Times memory) {
        return Times(DWELL, WINDOW, QUORUM_WINDOW, ASSEMBLY_WINDOW, GUARDIAN_DELAY, type(uint16).max);
    }

    /// @dev Tests of incidents alone put themselves in the rung's place by overriding this.
    function wire(address rungContract) internal virtual {
        address[] memory contracts = new address[](1);
        contracts[0] = rungContract;
        incidents.wire(address(policies), contracts, new Rung[](1));
    }

    /// @dev As a deployment does: nobody but the factory registers pools.
    function allowFactory() internal {
        catalog.wire(address(factory));
    }

    /// @dev In the factory's place, for what stands in for a pool.
    function register(address pool) internal {
        vm.prank(address(factory));
        catalog.registerPool(pool);
    }

    // ----- the vault -----

    /// @dev 1,000,000 assets behind 1,000,000 shares.
    function openVault() internal {
        setAccount(VAULT, 0, CODE);
        setVault(1_000_000e6, 1_000_000e6);
        setShares(alice, 100_000e6);
        setShares(bob, 300_000e6);
    }

    function setVault(uint256 assets, uint256 shares) internal {
        setWord(VAULT, 0, shares << 128 | assets);
    }

    function setShares(address holder, uint256 shares) internal {
        setWord(VAULT, slotFor(vaultSpec(), holder), shares);
    }

    function vaultSpec() internal view returns (GaugeSpec memory spec) {
        spec.chainId = block.chainid;
        spec.form = Form.Ratio;
        spec.asset = address(usd);
        spec.threshold = 0.1e18;
        spec.growth = 0.1e18;
        spec.pinnedAt = uint64(START);
        spec.floor = 1e6;
        spec.assets0 = 1e6;
        spec.shares0 = 1e6;
        spec.accounts = new PinnedAccount[](1);
        spec.accounts[0] = PinnedAccount(VAULT, CODE);
        spec.pins = new Pin[](0);
        spec.terms = new Term[](2);
        spec.terms[0] = Term(0, Side.AssetAdd, false, 0, 0, 128, 1);
        spec.terms[1] = Term(0, Side.ClaimAdd, false, 0, 128, 128, 1);
        spec.holding = Holding(0, false, false, 0, 256, 1, 0, bytes32(uint256(2)), 0);
    }

    // ----- listing -----

    function list(GaugeSpec memory spec) internal returns (bytes32) {
        return catalog.listGauge(spec, new GaugeSpec[](0));
    }

    function termsFor(bytes32 gauge) internal view returns (Product memory) {
        return Product({
            gauge: gauge,
            kind: Kind.Position,
            asset: address(usd),
            registrant: address(0),
            unitNum: 1,
            unitDen: 1,
            minSum: 100e6,
            eventLimit: 0,
            deductibleBps: 0,
            lossCapBps: 10_000,
            bountyBps: 0,
            instant: false,
            waitingPeriod: 1 days,
            reportWindow: 7 days,
            minTerm: 1 days,
            maxTerm: 365 days,
            salvage: address(0)
        });
    }

    function listProduct(Product memory terms) internal returns (bytes32) {
        return
            catalog.listProduct(
                terms, keccak256(bytes(wording.wording(terms, catalog.gaugeInfo(terms.gauge))))
            );
    }

    // ----- pools -----

    function configFor(address asset) internal view virtual returns (PoolConfig memory) {
        return PoolConfig({
            asset: asset,
            curator: curator,
            epoch: 1 days,
            cooldown: 1 days,
            leverageBps: 20_000,
            curatorShareBps: 500,
            subordinationBps: 1000,
            surplusBps: 1000,
            weightBps: [uint16(5000), 3000, 2000],
            costOfCapital: 0.05e18,
            kink: 0.8e18,
            scarcityKink: 1.5e18,
            scarcityFull: 4e18,
            surgeSlope: 1e18,
            surgeMax: 2e18,
            surgeHalfLife: 7 days,
            underwriting: address(0),
            gate: address(0),
            curatorFeeBps: 0
        });
    }

    /// @dev A registered pool with `capital` in each tranche, all of the curator's junior locked.
    function makePool(Token asset, uint256 capital) internal returns (Pool pool) {
        pool = Pool(factory.createPool(configFor(address(asset)), bytes32(++made)));
        beforeDeposits(pool);
        for (uint256 i = 1; i < 4; ++i) {
            address owner = i == 1 ? curator : lp;
            ITranche tranche = ITranche(pool.tranche(i));
            asset.mint(owner, capital);
            vm.startPrank(owner);
            asset.approve(address(pool), capital);
            asset.approve(address(tranche), capital);
            uint256 id = tranche.requestDeposit(capital, owner, owner);
            vm.stopPrank();
            vm.warp(block.timestamp + 1 days);
            tranche.claimDeposit(id, owner);
        }
        uint256 shares = ITranche(pool.tranche(1)).balanceOf(curator);
        vm.prank(curator);
        pool.lock(shares);
    }

    /// @dev What the curator does while nobody has put money in.
    function beforeDeposits(Pool pool) internal virtual {}

    /// @dev The curator's cap takes effect after his notice.
    function underwrite(Pool pool, bytes32 product, uint128 cap) internal {
        vm.prank(curator);
        pool.setProduct(product, cap, 0.02e18);
        vm.warp(block.timestamp + 4 days);
        pool.accrue();
    }

    // ----- policies -----

    function purchaseOf(Pool pool, bytes32 product, address position, uint128 sum)
        internal
        view
        returns (Purchase memory)
    {
        return Purchase({
            product: product,
            pool: address(pool),
            position: position,
            sum: sum,
            expiry: uint64((block.timestamp / 1 days + 31) * 1 days),
            maxPremium: type(uint128).max,
            deadline: uint64(block.timestamp),
            to: position,
            consent: "",
            distributor: address(0),
            feeBps: 0
        });
    }

    function buy(Pool pool, bytes32 product, address position, uint128 sum) internal returns (uint256) {
        return buy(purchaseOf(pool, product, position, sum));
    }

    function buy(Purchase memory purchase) internal returns (uint256 id) {
        Token asset = Token(Pool(purchase.pool).asset());
        asset.mint(purchase.position, 1_000_000e18);
        vm.startPrank(purchase.position);
        asset.approve(address(policies), type(uint256).max);
        id = policies.buy(purchase);
        vm.stopPrank();
    }

    // ----- incidents -----

    function passDwell(uint256 id) internal {
        Incident memory incident = incidents.incident(id);
        vm.roll(incident.dwellEnd + 1);
        vm.warp(block.timestamp + 12 * uint256(DWELL));
    }

    function holdersOf(address a) internal pure returns (address[] memory list_) {
        list_ = new address[](1);
        list_[0] = a;
    }

    /// @dev Ascending, whatever the order given.
    function holdersOf(address a, address b) internal pure returns (address[] memory list_) {
        list_ = new address[](2);
        (list_[0], list_[1]) = a < b ? (a, b) : (b, a);
    }
}
