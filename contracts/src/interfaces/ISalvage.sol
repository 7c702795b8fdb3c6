// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @notice Impaired tokens that a position account gave up for one policy and one incident.
struct Lot {
    uint128 assigned; // token units, which are gauge units; what the policy may claim as lost
    uint128 taken; // of it, the pool's for what it paid
    uint128 sold; // of taken
    uint128 returned; // of assigned, what nothing is due for; what is neither taken nor returned is kept
    uint40 since; // seconds: its auction began; zero: nothing was decided
    address pool;
    address token;
    address position; // who gave them up, and gets what nothing is due for
    bytes32 product;
}

/// @title Salvage: products that say so pay only for what is assigned; what was paid for is sold for the pool.
/// @notice Rules are in docs/capital.md, "Salvage".
interface ISalvage {
    event Assigned(
        uint256 indexed policy, uint256 indexed incident, address indexed token, uint256 amount, uint256 sum
    );
    /// @notice Claims are over: of what was assigned, `taken` in all is the pool's to sell, as in an auction that began
    ///         at `since`, and `returned` in all went back to the position account.
    event Taken(
        uint256 indexed policy, uint256 indexed incident, uint256 taken, uint256 returned, uint256 since
    );
    event Sold(
        uint256 indexed policy, uint256 indexed incident, address indexed buyer, uint256 amount, uint256 cost
    );
    /// @notice A token refused to move: the amount waits in `owed`.
    event Credited(address indexed token, address indexed account, uint256 amount);
    event Withdrawn(address indexed token, address indexed account, uint256 amount);

    /// @notice The policy's product takes nothing into salvage.
    error NoSalvage(uint256 policy);
    error NotPosition(address expected, address caller);
    error WrongGauge(bytes32 expected, bytes32 got);
    /// @notice The incident is unknown, voided or its claims are over; `status` as `Status`.
    error NotClaimable(uint256 incident, uint8 status);
    /// @notice Claims on the incident may still change.
    error ClaimsOpen(uint256 incident, uint256 claimsEnd);
    error NothingAssigned(uint256 policy, uint256 incident);
    /// @notice Nothing more was paid since the tokens were parted.
    error AlreadyTaken(uint256 policy, uint256 incident);
    error NotEnough(uint256 wanted, uint256 left);
    error CostAbove(uint256 cost, uint256 most);
    error WrongTransfer(uint256 expected, uint256 got);
    error NothingOwed(address token, address account);
    error ZeroAmount();

    /// @notice Gives up `amount` tokens for a claim; only the policy's position account, until claims are over. It
    ///         gets back what nothing is due for.
    function assign(uint256 policy, uint256 incident, uint128 amount) external;
    /// @notice After the claims, by anyone: closes the booking, settles the policy, and parts what the pool paid for
    ///         from what goes back. What is due and not paid keeps its tokens here: again once more was paid, or a year
    ///         after the claims, when they are sold for the claims that are still short.
    function take(uint256 policy, uint256 incident) external;
    /// @notice Buys tokens of a lot at the price of now, at most `most`; the proceeds are recovered for the incident.
    function buy(uint256 policy, uint256 incident, uint128 amount, uint256 most)
        external
        returns (uint256 cost);
    /// @notice Sends what a failed transfer left. By anyone, to `account`.
    function withdraw(address token, address account) external returns (uint256 amount);

    /// @notice What a policy may claim as lost in an incident.
    function assigned(uint256 policy, uint256 incident) external view returns (uint256);
    /// @notice What `amount` of a lot costs now, pool units rounded up: from par down to zero in `duration`.
    function price(uint256 policy, uint256 incident, uint128 amount) external view returns (uint256);
    function lot(uint256 policy, uint256 incident) external view returns (Lot memory);
    function owed(address token, address account) external view returns (uint256);
    /// @notice Seconds after the claims in which tokens wait for what is due and not paid.
    function patience() external view returns (uint256);
    /// @notice Seconds from par to zero.
    function duration() external view returns (uint256);
}
