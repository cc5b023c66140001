// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Amounts} from "../../contracts/lib/Amounts.sol";

/// One job under every sequence of calls, with the escrow's own arithmetic (contracts/lib/Amounts.sol) and any amounts: its deposit is always locked, pending,
/// released or refunded (I4), and nothing underflows. Proven by solc's SMT checker (scripts/smt.ts), not run.
contract JobProof {
    uint256 private deposited;
    uint256 private farmLocked;
    uint256 private checkLocked;
    uint256 private pending;
    uint256 private released;
    uint256 private refunded;
    bool private pooled;
    bool private closed;

    constructor(uint96 farmBudget, uint96 checkBudget) {
        deposited = uint256(farmBudget) + checkBudget;
        (farmLocked, checkLocked) = (farmBudget, checkBudget);
    }

    function topUp(uint96 farm, uint96 check) external {
        require(!pooled && !closed && deposited < 2 ** 200);
        deposited += uint256(farm) + check;
        farmLocked += farm;
        checkLocked += check;
    }

    /// `attest`, and `claim` with no check fee.
    function reserve(uint96 farm, uint96 check) external {
        require(!closed);
        (farmLocked, checkLocked) = Amounts.reserve(farmLocked, checkLocked, farm, check, pooled);
        pending += uint256(farm) + check;
    }

    /// `release`, `resolve` and `lapse`: a part of what was reserved leaves, some of it to be paid.
    function release(uint96 price, uint96 gross) external {
        require(price <= pending && gross <= price);
        pending -= price;
        released += gross;
        refunded += price - gross;
    }

    function finalize(uint96 keep) external {
        require(!pooled && !closed);
        uint256 locked = farmLocked + checkLocked;
        uint256 back = Amounts.returnedByFinal(deposited, locked, keep);
        (farmLocked, checkLocked) = (locked - back, 0);
        assert(deposited - back == keep);
        refunded += back;
        pooled = true;
    }

    function refund() external {
        require(!closed);
        refunded += farmLocked + checkLocked;
        (farmLocked, checkLocked) = (0, 0);
        closed = true;
    }

    function depositIsAllThereIs() external view {
        assert(farmLocked + checkLocked + pending + released + refunded == deposited);
    }
}

/// One share: what a farm, the platform and the creator get of a price add up to it (I7), and nobody gets more than there is.
contract ShareProof {
    function feeIsWithinGross(uint96 gross, uint16 bps) external pure {
        require(bps <= 3000);
        uint256 fee = Amounts.platformFee(gross, bps);
        assert(fee <= gross);
    }

    function nothingForNothingAndAllForAll(uint96 price, uint32 weightSum) external pure {
        require(weightSum != 0);
        assert(Amounts.earned(price, 0, weightSum) == 0);
        assert(Amounts.earned(price, weightSum, weightSum) == price);
    }

    function earnedIsWithinPrice(uint96 price, uint32 accepted, uint32 weightSum) external pure {
        require(weightSum != 0 && accepted <= weightSum);
        assert(Amounts.earned(price, accepted, weightSum) <= price);
    }

    /// The first checker takes the remainder, so it must not be negative.
    function checkerSharesAreWithinTheFee(uint96 fee, uint32 a, uint32 b) external pure {
        uint256 all = uint256(a) + b;
        require(all != 0);
        uint256 first = Amounts.checkerShare(fee, a, all);
        uint256 second = Amounts.checkerShare(fee, b, all);
        assert(first + second <= fee);
    }
}
