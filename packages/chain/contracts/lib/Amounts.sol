// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// The arithmetic of pay and of a job's locks, apart from storage, so that it can be proven (test/smt). All amounts have at most 96 bits, weights and votes
/// 32, frames 40, so no product reaches 256 bits.
library Amounts {
    error OverFarmBudget(uint256 left);
    error OverCheckBudget(uint256 left);
    error KeepTooSmall(uint256 attested);
    error KeepTooLarge(uint256 deposited);

    /// What `accepted` of `weightSum` earns of a price, rounded down. Needs accepted <= weightSum != 0.
    function earned(uint256 price, uint256 accepted, uint256 weightSum) internal pure returns (uint256) {
        unchecked {
            return price * accepted / weightSum;
        }
    }

    /// The platform's part of what a farm earned, rounded down; the rest, with the remainder, is the farm's.
    function platformFee(uint256 gross, uint256 bps) internal pure returns (uint256) {
        return gross * bps / 10_000;
    }

    /// One checker's part of the check fee, rounded down. Needs votes <= allVotes != 0.
    function checkerShare(uint256 fee, uint256 votes, uint256 allVotes) internal pure returns (uint256) {
        return fee * votes / allVotes;
    }

    /// What stays locked when a batch or claim reserves `farm` and `check`. `pooled` (after Final): one sum, kept in the first, serves both.
    function reserve(uint256 farmLocked, uint256 checkLocked, uint256 farm, uint256 check, bool pooled)
        internal
        pure
        returns (uint256, uint256)
    {
        if (pooled) (farm, check) = (farm + check, 0);
        if (farm > farmLocked) revert OverFarmBudget(farmLocked);
        if (check > checkLocked) revert OverCheckBudget(checkLocked);
        return (farmLocked - farm, checkLocked - check);
    }

    /// What Final returns to the creator of `deposited` when it keeps `keep`; `locked` is what no batch has reserved.
    function returnedByFinal(uint256 deposited, uint256 locked, uint256 keep) internal pure returns (uint256) {
        uint256 attested = deposited - locked;
        if (keep < attested) revert KeepTooSmall(attested);
        if (keep > deposited) revert KeepTooLarge(deposited);
        return deposited - keep;
    }
}
