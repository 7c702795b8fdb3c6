// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IWholePool as Pool} from "breakwater/interfaces/IPoolDesk.sol";
import {Kind, Product} from "breakwater/interfaces/ICatalog.sol";
import {GaugeSpec} from "breakwater/interfaces/IGauges.sol";
import {IIncidents, Rung} from "breakwater/interfaces/IIncidents.sol";
import {ISignal} from "breakwater/interfaces/ISignal.sol";
import {Duty, IUnderwriting} from "breakwater/interfaces/IUnderwriting.sol";
import {Underwriting} from "breakwater/underwriting/Underwriting.sol";
import {Chamber} from "../Chamber.sol";

/// @notice What proposals do, and what they cannot touch: policies, incidents and the money of pools.
/// @dev A policy lives and an incident dwells throughout, and nobody but the council holds a role.
contract ProposalsTest is Chamber {
    Pool private pool;
    bytes32 private gauge;
    bytes32 private product;
    Underwriting private underwriting;
    uint256 private policy;
    uint256 private incident;

    function setUp() public override {
        super.setUp();
        openVault();
        gauge = list(vaultSpec());
        product = listProduct(termsFor(gauge));
        pool = makePool(usd, 1_000_000e6);
        underwrite(pool, product, 1_000_000e6);
        policy = buy(pool, product, alice, 80_000e6);
        vm.warp(block.timestamp + 7 days);
        vm.roll(block.number + 50_000);
        uint256 a = seal();
        setVault(600_000e6, 1_000_000e6);
        seal();
        underwriting = new Underwriting(address(manager));
        incident = rung.assertLoss(vaultSpec(), evidenceOf(vaultSpec(), a, a + 1));
        handOver();
    }

    // ----- coverage terms -----

    /// @dev From proposal to listing: cover for a whole protocol, which its registrant may then buy.
    function test_coverageTermsAreListedByProposal() public {
        Product memory terms = _protocolTerms();
        pass(proposal("cover the vault", address(catalog), _listing(terms)));
        bytes32 listed = keccak256(abi.encode(terms));
        assertEq(abi.encode(catalog.product(listed)), abi.encode(terms));
    }

    /// @dev Gauge and product in one proposal.
    function test_aGaugeAndItsProductAreListedByOneProposal() public {
        GaugeSpec memory next = _successor();
        Product memory terms = _protocolTerms();
        Proposal memory p = proposal("a successor", address(catalog), _listingOf(next));
        // The wording names gauge and threshold, so it is rendered as it will be once the gauge is listed.
        uint256 before = vm.snapshotState();
        vm.prank(address(timelock));
        (bool done,) = address(catalog).call(p.calldatas[0]);
        assertTrue(done);
        terms.gauge = keccak256(abi.encode(next));
        bytes memory listing = _listing(terms);
        assertTrue(vm.revertToState(before));
        also(p, address(catalog), listing);
        pass(p);
        assertEq(catalog.wordingHash(keccak256(abi.encode(terms))) == 0, false);
    }

    /// @dev Without a proposal nobody lists cover of a protocol, not even who deployed everything.
    function test_nobodyElseListsCoverOfAProtocol() public {
        Product memory terms = _protocolTerms();
        bytes32 hash = keccak256(bytes(wording.wording(terms, catalog.gaugeInfo(gauge))));
        expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(this)));
        catalog.listProduct(terms, hash);
    }

    // ----- parameters -----

    function test_premiumSignalsAreSetByProposal() public {
        pass(
            proposal(
                "smaller signals",
                address(signal),
                abi.encodeCall(signal.setTerms, (ISignal.Mode.Quadratic, 500))
            )
        );
        assertEq(uint256(signal.maxBps()), 500);
    }

    /// @dev Refused at execution by name; all other calls of the proposal are undone with it.
    function test_aProposalOutOfBoundsLosesNothing() public {
        bytes memory listing = _listing(_protocolTerms());
        Proposal memory p = proposal("too far", address(catalog), listing);
        also(p, address(signal), abi.encodeCall(signal.setTerms, (ISignal.Mode.Linear, 1001)));
        uint256 id = carry(p);
        enqueue(p);
        ripen();
        bytes32 before = _book();
        expectRevert(abi.encodeWithSelector(ISignal.MaxBpsTooLarge.selector, 1000, 1001));
        execute(p);
        assertEq(_book(), before);
        assertState(id, IGovernor.ProposalState.Queued);
        assertEq(uint256(signal.maxBps()), 1000);
        assertEq(uint256(catalog.product(keccak256(abi.encode(_protocolTerms()))).unitDen), 0);
    }

    function test_noProposalWiresTheIncidentsAgain() public {
        Proposal memory p = proposal(
            "another rung",
            address(incidents),
            abi.encodeCall(incidents.wire, (address(timelock), new address[](0), new Rung[](0)))
        );
        carry(p);
        enqueue(p);
        ripen();
        expectRevert(abi.encodeWithSelector(IIncidents.AlreadyWired.selector));
        execute(p);
    }

    // ----- committees -----

    /// @dev Who signs capacity and rates is the council's choice; a committee that nobody could be is not.
    function test_committeesAreNamedByProposal() public {
        address[] memory members = holdersOf(alice, bob);
        pass(
            proposal(
                "a committee",
                address(underwriting),
                abi.encodeCall(underwriting.setCommittee, (Duty.Rate, 2, members))
            )
        );
        (uint256 quorum, address[] memory named) = underwriting.committee(Duty.Rate);
        assertEq(quorum, 2);
        assertEq(named, members);
        Proposal memory p = proposal(
            "an impossible one",
            address(underwriting),
            abi.encodeCall(underwriting.setCommittee, (Duty.Rate, 3, members))
        );
        carry(p);
        enqueue(p);
        ripen();
        expectRevert(abi.encodeWithSelector(IUnderwriting.BadCommittee.selector, 3, 2));
        execute(p);
        (quorum,) = underwriting.committee(Duty.Rate);
        assertEq(quorum, 2);
    }

    /// @dev What voters signal reaches the rates that are posted, once the council has connected the two.
    function test_theSignalIsConnectedByProposal() public {
        pass(
            proposal(
                "the signal", address(underwriting), abi.encodeCall(underwriting.setSignal, (address(signal)))
            )
        );
        assertEq(underwriting.signal(), address(signal));
    }

    // ----- what is out of reach -----

    /// @dev Every function of every contract is called by a stranger: those that a role guards are these, and what
    ///      holds policies or money has none.
    function test_rolesGuardNothingThatHoldsMoney() public {
        _guarded("Pool", address(pool), "");
        // The colder half of what a pool answers to.
        _guarded("PoolDesk", address(pool), "");
        _guarded("Factory", address(factory), "");
        _guarded("Tranche", pool.tranche(1), "");
        _guarded("Policies", address(policies), "");
        _guarded("ProofRung", address(rung), "");
        _guarded("EthereumHistory", address(history), "");
        _guarded("BreakwaterToken", address(bwr), "");
        _guarded("Council", address(council), "");
        _guarded(
            "Incidents",
            address(incidents),
            "setAuthority(address) setCeiling(uint8,address,uint128) setGuardian(address) wire(address,address[],uint8[]) "
        );
        _guarded(
            "Identities", address(identities), "add(bytes32,address) remove(bytes32) setAuthority(address) "
        );
        _guarded(
            "Underwriting",
            address(underwriting),
            "setAuthority(address) setCluster(bytes32,bytes32) setCommittee(uint8,uint256,address[]) setCredit(bytes32,int256) setSignal(address) "
        );
        _guarded("Signal", address(signal), "setAuthority(address) setTerms(uint8,uint16) ");
        string[] memory found = _restricted("Catalog", address(catalog));
        assertEq(found.length, 5);
        assertEq(found[0], "admit(bytes32,address)");
        assertTrue(vm.contains(found[1], "listGauge("));
        assertTrue(vm.contains(found[2], "listTrigger("));
        assertEq(found[3], "setAuthority(address)");
        assertEq(found[4], "wire(address)");
    }

    /// @dev All that the council may call, in one proposal: not a word of a policy, of an incident, of a pool or of
    ///      its asset is written.
    function test_allThatProposalsMayCallTouchesNoMoney() public {
        Proposal memory p = proposal("everything", address(catalog), _listing(_protocolTerms()));
        also(p, address(catalog), _listingOf(_successor()));
        also(p, address(catalog), abi.encodeCall(catalog.admit, (gauge, address(pool))));
        also(p, address(signal), abi.encodeCall(signal.setTerms, (ISignal.Mode.Quadratic, 1)));
        also(
            p, address(manager), abi.encodeCall(manager.grantRole, (IDENTITY_REGISTRAR, address(timelock), 0))
        );
        also(p, address(identities), abi.encodeCall(identities.add, (bytes32("a"), alice)));
        also(p, address(identities), abi.encodeCall(identities.remove, (bytes32("a"))));
        also(p, address(incidents), abi.encodeCall(incidents.setCeiling, (1, address(usd), 1)));
        also(p, address(incidents), abi.encodeCall(incidents.setGuardian, (alice)));
        also(p, address(underwriting), abi.encodeCall(underwriting.setCredit, (product, 2000)));
        also(p, address(manager), abi.encodeCall(manager.setTargetClosed, (address(catalog), true)));
        also(p, address(manager), abi.encodeCall(manager.setTargetClosed, (address(incidents), true)));
        also(p, address(council), abi.encodeCall(council.setGuardian, (address(0))));
        also(p, address(timelock), abi.encodeCall(timelock.updateDelay, (3 days)));
        uint256 id = carry(p);
        enqueue(p);
        ripen();
        bytes32 before = _book();
        vm.record();
        execute(p);
        assertState(id, IGovernor.ProposalState.Executed);
        assertEq(_book(), before);
        address[6] memory money = [
            address(pool), pool.tranche(1), pool.tranche(2), pool.tranche(3), address(policies), address(usd)
        ];
        for (uint256 i; i < money.length; ++i) {
            (, bytes32[] memory writes) = vm.accesses(money[i]);
            assertEq(writes.length, 0);
        }
        // The ceiling and the guardian, which say who decides next, and no word of an incident.
        (, bytes32[] memory ladder) = vm.accesses(address(incidents));
        assertEq(ladder.length, 2);
        // What is recorded is not nothing.
        (, bytes32[] memory listed) = vm.accesses(address(catalog));
        assertGt(listed.length, 0);
        // What closes the catalog to the council closes nothing to holders.
        passDwell(incident);
        incidents.finalise(incident);
    }

    /// @dev The council has no more say over a policy, a pool or its asset than any stranger.
    function test_theTimelockCannotTakeWhatPoolsHold() public {
        _refusedCall(address(usd), abi.encodeCall(usd.transferFrom, (address(pool), address(timelock), 1)));
        _refusedCall(address(pool), abi.encodeCall(pool.setProduct, (product, 1, 1)));
        _refusedCall(address(pool), abi.encodeCall(pool.unlock, (1)));
        _refusedCall(address(policies), abi.encodeCall(policies.lower, (policy, 1)));
        _refusedCall(address(policies), abi.encodeCall(policies.cancel, (policy)));
    }

    function _refusedCall(address target, bytes memory call) private {
        Proposal memory p = proposal("take", target, call);
        carry(p);
        enqueue(p);
        ripen();
        bytes32 before = _book();
        vm.prank(keeper);
        (bool done,) = address(council)
            .call(
                abi.encodeCall(
                    council.execute, (p.targets, p.values, p.calldatas, keccak256(bytes(p.description)))
                )
            );
        assertFalse(done);
        assertEq(_book(), before);
    }

    // ----- helpers -----

    function _protocolTerms() private view returns (Product memory terms) {
        terms = termsFor(gauge);
        (terms.kind, terms.registrant, terms.lossCapBps) = (Kind.Protocol, bob, 9000);
    }

    function _successor() private view returns (GaugeSpec memory next) {
        next = vaultSpec();
        next.accounts[0].codeHash = keccak256("next");
    }

    function _listing(Product memory terms) private view returns (bytes memory) {
        bytes32 hash = keccak256(bytes(wording.wording(terms, catalog.gaugeInfo(terms.gauge))));
        return abi.encodeCall(catalog.listProduct, (terms, hash));
    }

    function _listingOf(GaugeSpec memory spec) private view returns (bytes memory) {
        GaugeSpec[] memory priors = new GaugeSpec[](1);
        priors[0] = vaultSpec();
        return abi.encodeCall(catalog.listGauge, (spec, priors));
    }

    /// @dev All that holders and underwriters rely on.
    function _book() private view returns (bytes32) {
        bytes memory layers;
        for (uint256 i; i < 4; ++i) {
            layers = abi.encode(layers, pool.layer(i));
        }
        return keccak256(
            abi.encode(
                policies.policy(policy),
                policies.ownerOf(policy),
                catalog.product(product),
                catalog.wordingHash(product),
                catalog.poolsOf(gauge),
                incidents.incident(incident),
                pool.booking(incident),
                layers,
                usd.balanceOf(address(pool)),
                usd.balanceOf(address(timelock))
            )
        );
    }

    function _guarded(string memory name, address target, string memory expected) private {
        string[] memory found = _restricted(name, target);
        string memory all;
        for (uint256 i; i < found.length; ++i) {
            all = string.concat(all, found[i], " ");
        }
        assertEq(all, expected, name);
    }

    /// @dev The functions that answer a stranger with the refusal of a role, in the order of their names. Each is
    ///      called with words of zero, which are valid arguments of any type.
    function _restricted(string memory name, address target) private returns (string[] memory found) {
        string memory json =
            vm.readFile(string.concat(vm.projectRoot(), "/out/", name, ".sol/", name, ".json"));
        string[] memory functions = vm.parseJsonKeys(json, ".methodIdentifiers");
        found = new string[](functions.length);
        uint256 count;
        uint256 before = vm.snapshotState();
        for (uint256 i; i < functions.length; ++i) {
            bytes4 selector = bytes4(keccak256(bytes(functions[i])));
            vm.prank(address(0x5a));
            (bool done, bytes memory answer) = target.call(abi.encodePacked(selector, new bytes(2048)));
            if (!done && bytes4(answer) == IAccessManaged.AccessManagedUnauthorized.selector) {
                found[count++] = functions[i];
            }
        }
        assertTrue(vm.revertToState(before));
        assertGt(functions.length, 0);
        assembly ("memory-safe") {
            mstore(found, count)
        }
    }
}
