// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

interface ICheckerRegistry {
    /// Number of seats ever given out; a draw over `seats` ignores everybody who joined later.
    function seats() external view returns (uint256);

    /// Draws `count` distinct staked checkers among the first `seats_`, ascending by address.
    function draw(bytes32 seed, uint256 seats_, uint256 count) external view returns (address[] memory);

    /// Whether a checker may sign now: its full stake stays at risk for as long as what it signs can be disputed.
    function isActive(address checker) external view returns (bool);
}
