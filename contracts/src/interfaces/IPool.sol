// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @notice Fixed when the pool is made. bps of 10_000; rates in wad per year; times in seconds.
struct PoolConfig {
    address asset;
    address curator;
    uint32 epoch; // length of a deposit and redemption epoch, 1 to 90 days
    uint32 cooldown; // least time from a redemption request to its maturity, an epoch to 90 days
    uint32 leverageBps; // exposure may reach capital * leverageBps / 10_000; 10_000 to 100_000
    uint16 curatorShareBps; // locked curator junior as a share of the sum of caps, 100 to 10_000
    uint16 subordinationBps; // junior + mezzanine as a share of capital that exits must leave, at most 7_000
    uint16 surplusBps; // of earned premium, at most 5_000
    uint16[3] weightBps; // of earned premium after surplus, to junior, mezzanine, senior; each 500, sum 10_000
    uint64 costOfCapital; // wad per year on the capital that stands behind one unit of exposure, 0.001e18 to 1e18
    uint64 kink; // wad: target utilisation, 0.01e18 to 0.99e18
    uint64 scarcityKink; // wad: multiplier at the kink, at least 1e18
    uint64 scarcityFull; // wad: multiplier at full utilisation, at least scarcityKink
    uint64 surgeSlope; // wad of surge per wad of reserved over capital
    uint64 surgeMax; // wad
    uint32 surgeHalfLife; // 1 hour to 90 days
    address underwriting; // whose certificates and rates bind the pool; zero: its curator alone sets limits
    address gate; // asked who may buy and deposit; zero: anyone
    uint16 curatorFeeBps; // of earned premium, at most 2_000
}

/// @notice What one pool holds for one incident. Layers: 0 surplus, 1 junior, 2 mezzanine, 3 senior.
struct Booking {
    uint128 reserved; // what the terms say may be owed
    uint128 funded; // what the layers gave, what was paid and borne by nobody, and what is ceded
    uint128 due; // sum of what settlement found owed
    uint128 paid; // sent or credited, at most funded - ceded + drawn
    uint128 instantPaid; // part of paid before the dwell ended
    uint128[4] limit; // layers at opening
    uint128[4] charged; // taken from each layer, at most its limit
    uint64 openedAt; // block of the booking
    uint64 onsetTime; // of the measurement booked last
    bool settled; // the dwell is over
    bool closed; // claims are over: nothing more is owed than due
    uint128 ceded; // of funded: what the pool counts on of its treaties
    uint128 drawn; // what they have sent
    uint128 recovered; // after closing: what came back beyond short bookings
}

/// @notice What a policy gives up when its holder lowers or cancels it.
struct Reduction {
    bytes32 product;
    uint128 sum; // taken off the exposure, pool units
    uint256 streamRate; // cut off the stream
    uint64 expiry;
    uint64 refundFrom; // seconds: what streams from here on is given back
    uint128 unpaid; // of `whole`, not due for any incident: the part of the premium that is not used up
    uint128 whole; // the policy's sum before
    address to;
}

/// @notice What settlement found for one policy and one incident.
struct PayOrder {
    uint256 incident;
    bytes32 product;
    uint128 dueBefore; // pool units
    uint128 due; // now, at least dueBefore
    uint128 paidBefore;
    uint64 expiry;
    address holder;
    address settler;
}

/// @title Pool: one asset, three tranches, a curator, a list of products with a cap for each.
interface IPool {
    event Accrued(uint256 time, uint256 earned);
    /// @notice The curator's part of what was earned just now, by time, a sale or a refund; it is owed to him.
    event FeeEarned(uint256 amount);
    event ProductCapped(
        bytes32 indexed product, bytes32 indexed gauge, uint256 cap, uint256 floorRate, uint256 effectiveAt
    );
    event Sold(
        bytes32 indexed product,
        uint256 sum,
        uint256 premium,
        uint256 inception,
        uint256 expiry,
        uint256 exposure
    );
    /// @notice A policy was lowered, cancelled or paid; `streamRate` is what was cut of its stream.
    event ExposureReduced(
        bytes32 indexed product,
        uint256 sum,
        uint256 streamRate,
        uint256 expiry,
        uint256 refund,
        uint256 exposure
    );
    /// @notice A portfolio counts in one of its products beside that of `Sold`; the sum is not the pool's once more.
    ///         Both name the portfolio's inception; every product counts it from its own waiting period on.
    event LegAdded(bytes32 indexed product, uint256 sum, uint256 inception, uint256 expiry);
    /// @notice A portfolio was lowered, cancelled or paid: so much less counts in a product beside that of
    ///         `ExposureReduced`.
    event LegReduced(bytes32 indexed product, uint256 sum, uint256 expiry);
    /// @notice State of the booking after `book`; `surge` as it was set last, now if the reserve grew.
    event Booked(uint256 indexed incident, uint64 onsetTime, uint256 reserved, uint256 funded, uint256 surge);
    /// @notice Exposure in force at the onset, its fraction, and what of it stays counted as paid in the dwell.
    event ProductBooked(
        uint256 indexed incident,
        bytes32 indexed product,
        uint256 exposure,
        uint256 fraction,
        uint256 instantPaid
    );
    event Charged(uint256 indexed incident, uint256 layer, uint256 amount);
    /// @notice `amount` went back to the layer, for `recoveryShares` new shares of it.
    event Released(uint256 indexed incident, uint256 layer, uint256 amount, uint256 recoveryShares);
    /// @notice A release of `from` filled the short booking of `to` instead of going back to the layer; `from` is
    ///         zero where a recovery did, which counts as surplus's.
    event Filled(uint256 indexed from, uint256 indexed to, uint256 layer, uint256 amount);
    /// @notice Part of a payment; `pulled`: the transfer failed and it is owed.
    event Paid(uint256 indexed incident, address indexed to, uint256 amount, bool pulled);
    /// @notice Totals of the booking after a payment, and of `product` what was paid in the dwell.
    event BookingPaid(
        uint256 indexed incident, bytes32 indexed product, uint256 due, uint256 paid, uint256 instantPaid
    );
    /// @notice `amount` left junior and the booking's `paid`; the shares were burned from the curator's lock.
    event InstantLoss(uint256 indexed incident, uint256 amount, uint256 sharesBurned);
    /// @notice What a booking counts on of its treaties, and what they have sent, after the call.
    event Ceded(uint256 indexed incident, uint256 ceded, uint256 drawn);
    event BookingSettled(uint256 indexed incident);
    /// @notice Nothing can lower the incident any more: what was paid in its dwell does not bind the curator's lock.
    event LockFreed(uint256 indexed incident);
    event BookingClosed(uint256 indexed incident, uint256 due, uint256 paid);
    event PoolClosed(uint256 time);
    /// @notice A transfer failed: the amount waits in `owed`.
    event Credited(address indexed account, uint256 amount);
    event Withdrawn(address indexed account, uint256 amount);
    /// @notice `amount` came back for an incident; `filled` of it went to short bookings.
    event Recovered(uint256 indexed incident, address indexed from, uint256 amount, uint256 filled);
    /// @notice A layer got back what it had borne, for `recoveryShares` new shares; surplus also what nobody had.
    event RecoveredTo(uint256 indexed incident, uint256 layer, uint256 amount, uint256 recoveryShares);
    /// @notice A treaty got back what it had paid.
    event Returned(uint256 indexed incident, address indexed treaty, uint256 amount);
    /// @notice As a reinsurer: surplus got what came back for an incident of another pool.
    event ReturnCollected(address indexed treaty, uint256 indexed incident, uint256 amount);
    event TreatyAttached(
        address indexed treaty, uint256 shareBps, uint256 premiumBps, uint256 start, uint256 end
    );
    event TreatyDetached(address indexed treaty);
    /// @notice Premium that was set aside for a treaty was sent to it.
    event PremiumCeded(address indexed treaty, uint256 amount);
    /// @notice The curator's locked junior shares, after the change.
    event CuratorLocked(uint256 shares);

    /// @notice A field of the config breaks its range; `field` is its name in ASCII, left-aligned.
    error OutOfRange(bytes32 field, uint256 got);
    error NotPolicies(address caller);
    error NotIncidents(address caller);
    error NotCurator(address caller);
    error NotTranche(address caller);
    error PoolIsClosed(uint256 closedAt);
    /// @notice The curator never set the product, or, in `setProduct`, it is not listed.
    error UnknownProduct(bytes32 product);
    error WrongAsset(address expected, address got);
    error TooManyProducts(bytes32 gauge, uint256 limit);
    /// @notice The curator's locked junior would be worth too little, in pool units. `unlock` of more shares than
    ///         are locked: the shares asked and those locked.
    error LockTooSmall(uint256 needed, uint256 value);
    /// @notice No cap of the product has been in force yet.
    error NotEffective(bytes32 product, uint256 effectiveAt);
    /// @notice The certificate or the rate is missing or out of date, or the product is in no cluster.
    error NotCertified(bytes32 product);
    error ClusterExceeded(bytes32 cluster, uint256 wanted, uint256 cap);
    /// @notice Not a multiple of one day.
    error BadExpiry(uint256 expiry);
    /// @notice Seconds from inception to expiry.
    error TermOutOfRange(uint256 term, uint256 least, uint256 most);
    error WrongInception(uint256 expected, uint256 got);
    error CapExceeded(bytes32 product, uint256 wanted, uint256 cap);
    error CapacityExceeded(uint256 wanted, uint256 capacity);
    /// @notice Less than the price.
    error WrongPremium(uint256 expected, uint256 got);
    error UnknownBooking(uint256 incident);
    error BookingIsClosed(uint256 incident);
    /// @notice The incident is not final, or its claims end at `claimsEnd`, which is not past.
    error ClaimsOpen(uint256 incident, uint256 claimsEnd);
    error NothingOwed(address account);
    /// @notice Not made by the factory of treaties, or for another pool.
    error NotATreaty(address treaty);
    error TooManyTreaties(uint256 limit);
    error AlreadyCeding(address treaty);
    error NotCeding(address treaty);
    /// @notice Something may still be booked or drawn under the treaty: until `until`, or while `encumbered` is locked.
    error TreatyRuns(address treaty, uint256 until, uint256 encumbered);
    /// @notice `recover`: claims on the incident are not over.
    error BookingIsOpen(uint256 incident);
    error ZeroAmount();
    /// @notice A deposit brought another amount than was asked: the asset takes a fee or moves nothing.
    error WrongTransfer(uint256 expected, uint256 got);

    /// @notice Brings earnings, exposure and deposits up to now; by anyone.
    function accrue() external;

    /// @notice Sells exposure. Only the policies contract, which has already paid `premium` in: at least the price.
    function sell(bytes32 product, uint128 sum, uint64 inception, uint64 expiry, uint256 premium)
        external
        returns (uint256 streamRate);
    /// @notice What `sum` costs for all `legs` together, and which of them is the dearest: it is paid for in full, each
    ///         other by its actuarial rate alone, or in full if it has none. As of the last accrual.
    function quoteLegs(bytes32[] calldata legs, uint128 sum, uint64 inception, uint64 expiry)
        external
        view
        returns (uint256 premium, uint256 dearest);
    /// @notice Counts `sum` in each of `legs` but one, which is sold by `sell`. Only the policies contract.
    function addLegs(bytes32[] calldata legs, uint256 sold, uint128 sum, uint64 inception, uint64 expiry)
        external;
    /// @notice Takes `sum` out of each of `legs` but one, of which `reduce` or `pay` took it. Only the policies contract.
    function reduceLegs(bytes32[] calldata legs, uint256 reduced, uint128 sum, uint64 expiry) external;
    /// @notice Lowers or cancels a policy and returns the refund it sent. Only the policies contract.
    function reduce(Reduction calldata reduction) external returns (uint256 refund);
    /// @notice Pays one policy toward what it is due; returns what was sent or credited now. Only policies.
    function pay(PayOrder calldata order) external returns (uint256 paid);
    /// @notice Books or re-books an incident; with loss zero it is refuted. Returns the gauge units of what the
    ///         curator bore. Only the incidents contract.
    function book(uint256 incident, bytes32 gauge, uint64 onsetTime, uint128 loss, uint128 base)
        external
        returns (uint256 returned);
    /// @notice The dwell is over: the payment fraction is fixed. Only the incidents contract.
    function settleBooking(uint256 incident) external;

    /// @notice Premium for `sum` more of `product` from `inception` to `expiry`, rounded up, as of the last accrual.
    function quote(bytes32 product, uint128 sum, uint64 inception, uint64 expiry)
        external
        view
        returns (uint256 premium);
    /// @notice fEff of docs/design.md, wad, as of the last booking.
    function fraction(uint256 incident, bytes32 product) external view returns (uint256);
    /// @notice What may be paid for an incident now, while it dwells: the lesser of the instant budget and
    ///         what is funded and not paid.
    function instantBudget(uint256 incident) external view returns (uint256);
    function booking(uint256 incident) external view returns (Booking memory);
    /// @notice Junior shares that the curator has locked.
    function locked() external view returns (uint256);
    function asset() external view returns (address);
    function closedAt() external view returns (uint64);
    /// @notice All that is in the pool, whoever it belongs to, and its idle capital at its mark: no incident can pay
    ///         more without treaties. Never reverts, whatever the asset does; an asset that does not answer counts as
    ///         none.
    function money() external view returns (uint256);
    /// @notice Who is asked whether an account may buy or deposit; zero: nobody.
    function gate() external view returns (address);
}
