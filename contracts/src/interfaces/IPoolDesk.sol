// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IPool, PoolConfig} from "./IPool.sol";
import {Ledger} from "../libraries/Ledger.sol";
import {IPoolCapital} from "./IPoolCapital.sol";
import {ICedant} from "./ITreaty.sol";

/// @notice What a pool knows of one product: terms it copied, what its curator allows, and what it insures.
struct Underwriting {
    bytes32 gauge; // zero: the curator never set it
    uint128 cap; // in force, pool units
    uint64 floorRate; // in force, wad a year
    uint128 pendingCap;
    uint64 pendingRate;
    uint64 effectiveAt; // seconds, of the pending setting; zero: none pending
    uint128 exposure; // counts for caps and price, now
    bool live; // some setting has been in force
}

/// @notice Every other state word of a pool, as of its last accrual unless it says so. Pool units.
struct PoolState {
    uint128[4] layers; // surplus, junior, mezzanine, senior
    uint256 unearnedScaled; // units * 1e18
    uint256 streamRate; // units * 1e18 per second
    uint256 accruedTo; // seconds
    uint256 epochDone; // deposits and exits of all epochs up to it have been processed
    uint256 exposure;
    uint256 surge; // wad, at `surgeAt`
    uint256 surgeAt; // seconds
    uint256 pendingDeposits;
    uint256 redeemable; // paid to cohorts and not claimed
    uint256 owed; // sum of `owed` over all accounts
    uint256 capSum; // caps asked for, over all products
    uint256 instantOutstanding; // instant payments of the incidents that dwell
    uint256 dwelling; // bookings whose incident dwells
    uint256 premiums; // set aside for treaties and not sent
}

/// @notice What a pool sells of a product now, as of its last accrual: its curve and how far it reaches.
struct Offer {
    uint256 capacity; // pool units: the curve ends here
    uint256 kink; // pool units, at most the capacity
    uint256 scarcityKink; // wad, the multiplier at the kink
    uint256 scarcityFull; // wad, at the capacity
    uint256 exposure; // pool units
    uint256 rate; // wad a year, base and surge together, before scarcity, rounded up
    uint256 most; // pool units that all limits together let be sold; exposure + most <= capacity
}

/// @title What a pool does beside purchases, payments and bookings, and its state in full.
/// @notice Every pool answers all of it; the code stands in one contract that pools share. Events and errors are
///         those of `IPool`.
interface IPoolDesk {
    event VaultNamed(address vault, uint256 capBps, bytes32 cluster, uint256 effectiveAt);
    /// @notice `amount` of cash went into the vault; its shares and its mark after it.
    event Invested(uint256 amount, uint256 shares, uint256 mark);
    /// @notice `amount` came out of the vault; its shares and its mark after it.
    event Divested(uint256 amount, uint256 shares, uint256 mark);
    /// @notice The mark moved: a rise is earned, a fall was lost from surplus on.
    event VaultMarked(uint256 mark);
    /// @notice The vault cannot be read since `since`, and nobody enters or leaves; zero: it can again.
    event VaultBlind(uint256 since);

    /// @notice The pool has its tranches already.
    error AlreadyInitialised();
    /// @notice The pool's vault is named once.
    error VaultIsSet(address vault);
    /// @notice Somebody has put money in, who did not know this vault.
    error PoolHasMoney(uint256 amount);
    /// @notice The underwriting contract puts the vault into another cluster, or into none.
    error WrongCluster(bytes32 expected, bytes32 got);
    /// @notice No vault is named, or the notice of its naming is not over.
    error VaultNotEffective(uint256 effectiveAt);
    error InvestedTooMuch(uint256 wanted, uint256 most);
    /// @notice The vault took more than was invested, or gave shares that are worth less by more than a thousandth.
    error WrongInvestment(uint256 expected, uint256 got);
    /// @notice A booking dwells or the vault cannot be read: nothing is invested.
    error NotNow();

    /// @notice Called by who made the pool, in the same transaction: its tranches of layers 1 to 3.
    function initialise(address[3] calldata tranches) external;
    /// @notice Lets the days of a product that are over be added up once for all, so that silence makes no booking
    ///         dear; by anyone.
    function roll(bytes32 product) external;
    /// @notice The curator's cap and floor rate (wad per year) for a product; see docs/design.md, "Curator".
    function setProduct(bytes32 product, uint128 cap, uint64 floorRate) external;
    /// @notice Locks junior shares of the curator behind his caps and the instant lane.
    function lock(uint256 shares) external;
    function unlock(uint256 shares) external;
    /// @notice Names the ERC-4626 vault for idle capital, once, with a cap of at most 9,000 bps of capital; in force
    ///         after the notice that caps have. Only the curator, and but for a treaty only before the first deposit.
    function setVault(address vault, uint16 capBps, bytes32 cluster) external;
    /// @notice Puts cash into the vault, up to its cap. Only the curator.
    function invest(uint256 amount) external;
    /// @notice Takes up to `amount` out of the vault; answers what came. Only the curator; payments and exits take what
    ///         they need by themselves.
    function divest(uint256 amount) external returns (uint256 got);
    /// @notice After the claims: gives back what nobody is owed. By anyone.
    function closeBooking(uint256 incident) external;
    /// @notice Pays out what a failed transfer left. By anyone, to `account`.
    function withdraw(address account) external returns (uint256 amount);

    /// @notice Takes `amount` in from the caller as recovered for a closed booking: for short bookings, oldest first,
    ///         then back to who bore the loss. By anyone. See docs/capital.md, "Recoveries".
    function recover(uint256 incident, uint256 amount) external;
    /// @notice Has the treaty whose shares are the pool's vault send what came back to it for an incident, and gives it
    ///         to surplus: nobody can tell any more who held which share for whom. By anyone.
    function collectReturn(uint256 incident) external returns (uint256 amount);
    /// @notice Cedes to a treaty from its start on, at most four; the curator. Its start leaves underwriters the time to
    ///         leave first that a higher cap leaves them.
    function attachTreaty(address treaty) external;
    /// @notice Ends that, after the treaty's notice and with nothing encumbered; by anyone.
    function detachTreaty(address treaty) external;
    /// @notice The treaties that the pool cedes to, in the order of their attachment.
    function treaties() external view returns (address[] memory);
    /// @notice Whoever makes treaties that this pool may cede to.
    function treatyFactory() external view returns (address);
    /// @notice Set aside for a treaty that the pool cedes to and not sent, as of the last accrual.
    function premiumOf(address treaty) external view returns (uint256);
    function capital() external view returns (uint256);
    function curator() external view returns (address);
    function config() external view returns (PoolConfig memory);
    function state() external view returns (PoolState memory);
    /// @notice The tranche of a layer, 1 to 3.
    function tranche(uint256 index) external view returns (address);
    function underwriting(bytes32 product) external view returns (Underwriting memory);
    /// @notice Products of a gauge that the pool underwrites, at most four.
    function productsOf(bytes32 gauge) external view returns (bytes32[] memory);
    /// @notice Sums whose cover includes second `time`, not after now.
    function inForce(bytes32 product, uint256 time) external view returns (uint256);
    /// @notice Sums of a product that expire, and that stop counting as exposure, when `day` begins.
    function dayOf(bytes32 product, uint256 day) external view returns (uint256 expiring, uint256 releasing);
    /// @notice Rate that stops streaming when `day` begins, units * 1e18 per second.
    function streamEnds(uint256 day) external view returns (uint256);
    /// @notice Exposure of the pool that stops counting when `day` begins.
    function exposureEnds(uint256 day) external view returns (uint256);
    /// @notice What was paid in the dwell for an incident on a product and not borne by the curator.
    function instantPaid(uint256 incident, bytes32 product) external view returns (uint256);
    /// @notice The line of short bookings, oldest first; some may no longer be short.
    function shortBookings() external view returns (uint256[] memory);
    function owed(address account) external view returns (uint256);
    /// @notice What may be bought of a product now; reverts as a quote does where nothing may.
    function offer(bytes32 product) external view returns (Offer memory);
    /// @notice Idle capital in the vault.
    function vault() external view returns (Ledger.Vault memory);
    /// @notice Exposure that the pool has in a cluster now; none is counted where no certificates bind the pool.
    function clusterExposure(bytes32 cluster) external view returns (uint256);
    /// @notice Exposure of a cluster that stops counting when `day` begins.
    function clusterEnds(bytes32 cluster, uint256 day) external view returns (uint256);
}

/// @title Everything that the address of a pool answers.
interface IWholePool is IPool, IPoolCapital, IPoolDesk, ICedant {}
