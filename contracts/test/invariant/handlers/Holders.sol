// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IWholePool as Pool, Underwriting} from "breakwater/interfaces/IPoolDesk.sol";
import {Kind, Product} from "breakwater/interfaces/ICatalog.sol";
import {IPolicies, Policy, Purchase} from "breakwater/interfaces/IPolicies.sol";
import {IPolicyDesk} from "breakwater/interfaces/IPolicyDesk.sol";
import {Bounds} from "../Bounds.sol";
import {Watch} from "../Watch.sol";

/// @notice Buying, lowering, cancelling and passing on policies; and what this contract remembers of each.
abstract contract Holders is Watch {
    /// @notice A policy as it was bought.
    struct Card {
        bytes32 terms; // hash of everything about it that must never change
        uint256 premium;
        uint256 refunded;
        uint128 sum;
        uint128 lowest; // sum, so far
    }

    /// @dev A part of a policy's sum that left the cover before its expiry.
    struct Cut {
        uint256 time;
        uint256 amount;
    }

    bytes32 private constant CONSENT = keccak256(
        "PositionConsent(address position,bytes32 product,address buyer,uint256 nonce,uint256 deadline)"
    );

    mapping(uint256 id => Card) public cards;
    mapping(uint256 id => Cut[]) private _cuts;
    /// @dev The policy that was bought and of which this one was split off; zero: itself.
    mapping(uint256 id => uint256 root) private _roots;

    // ----- actions -----

    /// @notice Someone buys cover for himself or, with his consent, for another.
    function buy() external step(false) {
        Pool pool = _pool();
        bytes32 product = cast.products[_draw(cast.products.length)];
        (uint256 least, uint256 most) = _room(pool, product);
        if (most < least) return;
        uint128 sum = uint128(_between(least, _chance(30) ? most : least + (most - least) / 4));
        _buyWhole(pool, _purchase(pool, product, sum));
    }

    /// @notice The same cover in two parts must not be cheaper than in one.
    function buyInParts() external step(false) {
        Pool pool = _pool();
        bytes32 product = cast.products[_draw(cast.products.length)];
        (uint256 least, uint256 most) = _room(pool, product);
        if (most < 2 * least) return;
        Purchase memory p = _purchase(pool, product, uint128(_between(2 * least, most)));
        uint256 whole = _quote(pool, p);
        uint128 rest = p.sum / 2;
        p.sum -= rest;
        uint256 parts = _buyWhole(pool, p);
        p.sum = rest;
        p.consent = "";
        p.position = cast.catalog.product(product).kind == Kind.Protocol ? p.position : p.to;
        parts += _buyWhole(pool, p);
        // What does not stream of the first part makes the capital a unit larger, and the second so much cheaper.
        _did("bought in parts");
        _rule(parts + 1 >= whole, "cheaper in parts");
    }

    /// @notice A holder lowers his sum or gives his policy up.
    function edit() external step(false) {
        uint256 id = _editable();
        if (id == 0) return;
        if (_chance(30)) _cancel(id);
        else _lower(id);
    }

    function _lower(uint256 id) private {
        Policy memory p = _policy(id);
        uint256 least = dueOf(id) + Bounds.MIN_SUM;
        if (p.sum <= least) return;
        uint128 newSum = uint128(_between(least, p.sum - 1));
        _reduce(id, p, abi.encodeCall(IPolicies.lower, (id, newSum)), p.sum - newSum);
        cards[id].lowest = newSum;
        _did("lowered");
    }

    function _cancel(uint256 id) private {
        Policy memory p = _policy(id);
        if (dueOf(id) > p.paid) return;
        _reduce(id, p, abi.encodeCall(IPolicies.cancel, (id)), p.sum - p.paid);
        cards[id].lowest = p.paid;
        _did("cancelled");
    }

    /// @notice A holder makes two policies of one: the pool does not see it.
    function splitPolicy() external step(false) {
        uint256 id = _editable();
        if (id == 0 || cast.policies.count() >= Bounds.MOST_POLICIES) return;
        Policy memory p = _policy(id);
        uint256 least = dueOf(id) + 2 * Bounds.MIN_SUM;
        if (p.sum < least) return;
        uint128 off = uint128(_between(Bounds.MIN_SUM, p.sum - least + Bounds.MIN_SUM));
        address to = _person();
        bytes memory data = abi.encodeCall(IPolicyDesk.split, (id, off, to));
        if (!_must(_ownerOf(id), address(cast.policies), data)) return;
        uint256 part = cast.policies.count();
        _roots[part] = _rootOf(id);
        // In force before as well, as what it was part of.
        cards[part] = Card(termsOf(part), 0, 0, off, off);
        cards[id].sum -= off;
        cards[id].lowest -= off;
        uint256 rates = _policy(part).streamRate + _policy(id).streamRate;
        _rule(rates == p.streamRate && termsOf(part) == termsOf(id) && _ownerOf(part) == to, "split");
        _did("split");
    }

    function _rootOf(uint256 id) private view returns (uint256 root) {
        root = _roots[id];
        return root == 0 ? id : root;
    }

    /// @notice The token moves, and nothing else with it.
    function transferPolicy() external step(false) {
        uint256 id = 1 + _draw(cast.policies.count());
        address owner = _ownerOf(id);
        if (owner == address(0)) return;
        address to = _person();
        bytes32 before = _stateOf(id);
        _must(owner, address(cast.policies), abi.encodeCall(cast.policies.transferFrom, (owner, to, id)));
        _did("policy moved");
        _rule(_stateOf(id) == before && _ownerOf(id) == to, "transfer");
    }

    // ----- ghosts -----

    /// @notice Sums of all policies of a product whose cover includes second `time`, counted one by one.
    function countInForce(Pool pool, bytes32 product, uint256 time) external view returns (uint256 sums) {
        uint256 count = cast.policies.count();
        for (uint256 id = 1; id <= count; ++id) {
            Policy memory p = _policy(id);
            if (p.product != product || p.pool != address(pool)) continue;
            if (time < p.inception || time >= p.expiry) continue;
            sums += cards[id].sum;
            Cut[] storage cuts = _cuts[id];
            for (uint256 i; i < cuts.length; ++i) {
                if (cuts[i].time <= time) sums -= cuts[i].amount;
            }
        }
    }

    /// @notice Everything about a policy that nobody may change.
    function termsOf(uint256 id) public view returns (bytes32) {
        Policy memory p = _policy(id);
        return keccak256(abi.encode(p.product, p.pool, p.position, p.purchased, p.inception, p.expiry));
    }

    /// @notice What is due to a policy over all incidents.
    function dueOf(uint256 id) public view returns (uint256 due) {
        uint256 count = cast.incidents.count();
        for (uint256 k = 1; k <= count; ++k) {
            (uint128 one,) = cast.policies.settlement(id, k);
            due += one;
        }
    }

    function _cut(uint256 id, uint256 amount, uint256 expiry) internal {
        if (amount != 0 && _now() < expiry) _cuts[id].push(Cut(_now(), amount));
    }

    function _stateOf(uint256 id) private view returns (bytes32) {
        Policy memory p = _policy(id);
        return keccak256(abi.encode(p, dueOf(id), cast.incidents.count()));
    }

    // ----- buying -----

    /// @dev Sums that the pool could sell of a product now; none if `most` is below `least`.
    function _room(Pool pool, bytes32 product) internal returns (uint256 least, uint256 most) {
        // Accruing may let capital out and exposure end.
        pool.accrue();
        Underwriting memory u = pool.underwriting(product);
        least = Bounds.MIN_SUM;
        bool full = cast.policies.count() >= Bounds.MOST_POLICIES;
        if (full || pool.closedAt() != 0 || !u.live || u.cap < u.exposure) return (least, 0);
        most = u.cap - u.exposure;
        uint256 capacity = pool.capital() * pool.config().leverageBps / Bounds.BPS;
        uint256 exposure = pool.state().exposure;
        uint256 free = capacity > exposure ? capacity - exposure : 0;
        if (free < most) most = free;
    }

    function _purchase(Pool pool, bytes32 product, uint128 sum) internal returns (Purchase memory p) {
        uint256 inception = _now() + Bounds.WAITING;
        bool protocol = cast.catalog.product(product).kind == Kind.Protocol;
        p.product = product;
        p.pool = address(pool);
        p.position = protocol ? cast.registrant : _insured();
        p.to = _person();
        p.sum = sum;
        p.expiry = uint64((inception / Bounds.DAY + 2 + _draw(Bounds.MOST_TERM_DAYS)) * Bounds.DAY);
        p.maxPremium = type(uint256).max;
        p.deadline = uint64(_now());
    }

    function _quote(Pool pool, Purchase memory p) internal view returns (uint256) {
        return pool.quote(p.product, p.sum, uint64(_now() + Bounds.WAITING), p.expiry);
    }

    /// @dev Buys as the receiver of the token, with the consent of the position if that is another.
    function _buyWhole(Pool pool, Purchase memory p) internal returns (uint256 premium) {
        pool.accrue();
        premium = _quote(pool, p);
        p.maxPremium = premium;
        if (p.position != p.to) p.consent = _consent(p);
        cast.usd.mint(p.to, premium);
        vm.startPrank(p.to);
        cast.usd.approve(address(cast.policies), premium);
        vm.stopPrank();
        if (!_must(p.to, address(cast.policies), abi.encodeCall(IPolicies.buy, (p)))) return premium;
        _did(p.position == p.to ? bytes32("bought") : bytes32("bought with consent"));
        flowIn[address(pool)] += premium;
        uint256 id = cast.policies.count();
        cards[id] = Card(termsOf(id), premium, 0, p.sum, p.sum);
        _checkSale(pool, p, premium);
    }

    function _checkSale(Pool pool, Purchase memory p, uint256 premium) private {
        Underwriting memory u = pool.underwriting(p.product);
        _rule(u.exposure <= u.cap, "over cap");
        uint256 term = p.expiry - _now() - Bounds.WAITING;
        _rule(premium >= uint256(p.sum) * u.floorRate / Bounds.WAD * term / 365 days, "below floor rate");
    }

    function _consent(Purchase memory p) internal view returns (bytes memory) {
        bytes32 digest = keccak256(
            abi.encode(
                CONSENT, p.position, p.product, p.to, cast.policies.nonces(p.position), uint256(p.deadline)
            )
        );
        digest = keccak256(abi.encodePacked("\x19\x01", cast.policies.DOMAIN_SEPARATOR(), digest));
        for (uint256 i; i < cast.people.length; ++i) {
            if (cast.people[i] != p.position) continue;
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(cast.keys[i], digest);
            return abi.encodePacked(r, s, v);
        }
        return "";
    }

    // ----- editing -----

    /// @dev Some policy that its owner may edit now, or zero.
    function _editable() private returns (uint256) {
        uint256 count = cast.policies.count();
        uint256 first = _draw(count);
        for (uint256 i; i < count; ++i) {
            uint256 id = 1 + (first + i) % count;
            Policy memory p = _policy(id);
            if (_now() < p.inception || _now() >= p.expiry || _ownerOf(id) == address(0)) continue;
            if (!frozen(p)) return id;
        }
        return 0;
    }

    /// @notice Whether an incident that dwells or pays touches a policy, found by looking at all of them.
    function frozen(Policy memory p) public view virtual returns (bool);

    function _reduce(uint256 id, Policy memory p, bytes memory data, uint256 cut) private {
        Pool pool = Pool(p.pool);
        address owner = _ownerOf(id);
        uint256 before = _wealth(pool, owner);
        bool closed = pool.closedAt() != 0;
        if (!_must(owner, address(cast.policies), data)) return;
        uint256 refund = _wealth(pool, owner) - before;
        flowOut[address(pool)] += refund;
        Card storage root = cards[_rootOf(id)];
        root.refunded += refund;
        _cut(id, cut, p.expiry);
        _rule(root.refunded <= root.premium, "refund above premium");
        uint256 from = p.purchased + Bounds.MIN_EARNED;
        if (closed || from < _now()) from = _now();
        uint256 unearned = from < p.expiry ? p.streamRate * (p.expiry - from) / Bounds.WAD : 0;
        _rule(refund <= unearned, "refund of what is earned");
    }
}
