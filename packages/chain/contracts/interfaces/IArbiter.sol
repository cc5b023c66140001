// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {JobRef, Objection} from "../lib/JobTerms.sol";

/// What an escrow lets the arbiter of a job decide: the share of the full price, in thousandths, that a farm whose work was objected to is paid.
/// Silence past `until` leaves the quorum's verdict (a claim: nothing) and returns the bond.
interface IArbitrable {
    function resolve(JobRef calldata ref, uint32 batch, Objection calldata objection, uint16 acceptedPerMille) external;
}

/// A contract that can be named as arbiter in the terms of a job. An account without code may be named too and calls `resolve` itself.
interface IArbiter {
    event Ruled(address indexed escrow, bytes32 indexed job, uint32 batch, address farm, uint16 acceptedPerMille);

    /// Whether `account` may decide now.
    function mayRule(address account) external view returns (bool);
}
