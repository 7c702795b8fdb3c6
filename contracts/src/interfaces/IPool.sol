// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @notice Fixed when the pool is made. bps of 10_000; rates in wad per year; times in seconds.
struct PoolConfig {
    address asset;
    address curator;
    uint32 epoch; // length of a deposit and redemption epoch
    uint32 cooldown; // least time from a redemption request to its maturity
    uint32 leverageBps; // exposure may reach capital * leverageBps / 10_000
    uint16 curatorShareBps; // locked curator junior as a share of the sum of caps
    uint16 subordinationBps; // junior + mezzanine as a share of capital that exits must leave
    uint16 surplusBps; // of earned premium
    uint16[3] weightBps; // of earned premium after surplus, to junior, mezzanine, senior; sum 10_000
    uint64 costOfCapital; // wad per year on the capital that stands behind one unit of exposure
    uint64 kink; // wad: target utilisation, 0 < kink < 1e18
    uint64 scarcityKink; // wad: multiplier at the kink, at least 1e18
    uint64 scarcityFull; // wad: multiplier at full utilisation, at least scarcityKink
    uint64 surgeSlope; // wad of surge per wad of reserved over capital
    uint64 surgeMax; // wad
    uint32 surgeHalfLife;
}

/// @notice What one pool holds for one incident. Layers: 0 surplus, 1 junior, 2 mezzanine, 3 senior.
struct Booking {
    uint128 reserved; // what the terms say may be owed
    uint128 funded; // what the layers gave, at most reserved while open
    uint128 due; // sum of what settlement found owed
    uint128 paid; // sent or credited, at most funded
    uint128 instantPaid; // part of paid before the dwell ended
    uint128[4] limit; // layers at opening
    uint128[4] charged; // taken from each layer, at most its limit
    uint64 openedAt; // block of the booking
    bool closed; // claims are over: nothing more is owed than due
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
    event ProductCapped(bytes32 indexed product, bytes32 indexed gauge, uint256 cap, uint256 floorRate, uint256 effectiveAt);
    event Sold(bytes32 indexed product, uint256 sum, uint256 premium, uint256 inception, uint256 expiry, uint256 exposure);
    event ExposureReduced(bytes32 indexed product, uint256 sum, uint256 refund, uint256 exposure);
    event Booked(uint256 indexed incident, uint256 reserved, uint256 funded);
    event Charged(uint256 indexed incident, uint256 layer, uint256 amount);
    event Released(uint256 indexed incident, uint256 layer, uint256 amount, uint256 recoveryShares);
    event Paid(uint256 indexed incident, address indexed to, uint256 amount, bool pulled);
    event InstantLoss(uint256 indexed incident, uint256 amount, uint256 sharesBurned);
    event BookingClosed(uint256 indexed incident, uint256 due, uint256 paid);
    event PoolClosed(uint256 time);
    event Withdrawn(address indexed account, uint256 amount);

    /// @notice Sells exposure. Only the policies contract, which has already paid `premium` in.
    function sell(bytes32 product, uint128 sum, uint64 inception, uint64 expiry, uint256 premium)
        external
        returns (uint256 streamRate);
    /// @notice Lowers a policy's sum (to zero: cancel) and returns the refund it sent to `to`.
    function reduce(bytes32 product, uint128 sum, uint256 streamRate, uint64 expiry, uint64 refundFrom, address to)
        external
        returns (uint256 refund);
    /// @notice Pays one policy toward what it is due; returns what was sent or credited now. Only policies.
    function pay(PayOrder calldata order) external returns (uint256 paid);
    /// @notice Books, re-books or voids (loss zero) an incident. Only the incidents contract.
    function book(uint256 incident, bytes32 gauge, uint64 onsetTime, uint128 loss, uint128 base) external;
    /// @notice The dwell is over: the payment fraction is fixed; a pool that is short closes.
    function settleBooking(uint256 incident) external;
    /// @notice After the claims: gives back what nobody is owed. By anyone.
    function closeBooking(uint256 incident) external;
    /// @notice Pays out what a failed transfer left. By anyone, to `account`.
    function withdraw(address account) external returns (uint256 amount);

    /// @notice Premium for `sum` more of `product` from `inception` to `expiry`, rounded up.
    function quote(bytes32 product, uint128 sum, uint64 inception, uint64 expiry) external view returns (uint256 premium);
    /// @notice fEff of docs/design.md, wad, as of the last booking.
    function fraction(uint256 incident, bytes32 product) external view returns (uint256);
    /// @notice What may be paid for an incident now, while it dwells: the lesser of the instant budget and
    ///         what is funded and not paid.
    function instantBudget(uint256 incident) external view returns (uint256);
    function booking(uint256 incident) external view returns (Booking memory);
    function capital() external view returns (uint256);
    function asset() external view returns (address);
    function closedAt() external view returns (uint64);
}
