// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EscrowBase} from "./EscrowBase.sol";
import {ICheckerRegistry} from "./interfaces/ICheckerRegistry.sol";
import {Amounts} from "./lib/Amounts.sol";
import {JobRef, Payment, Pinned} from "./lib/JobTerms.sol";
import {SignedRows} from "./lib/SignedRows.sol";

/// Reserve and pay: the two moves of a job's money that batches, claims and resolutions share.
abstract contract EscrowBooks is EscrowBase {
    bytes32 internal constant LEASE_SET_TYPEHASH = keccak256("LeaseSet(bytes32 job,uint32 seq,bytes32 setRoot)");

    error AlreadySettled(uint32 lease);
    error OverFrameCap(uint32 lease);
    error NotALeaseSet(uint32 seq);
    error NotPinned();
    error TooManyBatches();

    /// `role`: 0 farm, 1 checker, 2 platform. What is refunded goes to the creator's credit.
    event Released(bytes32 indexed job, uint32 batch, Payment[] paid, uint96 refunded);

    constructor(ICheckerRegistry registry_, uint40 minGap_) EscrowBase(registry_, minGap_) {}

    function _pay(bytes32 id, uint32 batch, address token, address creator, Payment[] memory paid, uint96 refunded) internal {
        uint256 sum;
        for (uint256 i; i < paid.length; ++i) {
            sum += paid[i].amount;
            _credit(token, paid[i].account, paid[i].amount);
        }
        _credit(token, creator, refunded);
        emit Released(id, batch, paid, refunded);
        _fold(id, jobs[id], KIND_RELEASE, keccak256(abi.encode(batch, sum, refunded)));
    }

    function _requirePinned(bytes32 id, uint32 batch, Pinned memory pinned) internal view {
        if (batchOf[id][batch] != keccak256(abi.encode(pinned))) revert NotPinned();
    }

    /// Moves the reserve out of the lock. After Final there is one pool, before it two budgets.
    function _reserve(Job storage job, uint256 farm, uint256 check, uint256 settled) internal returns (uint32 batch) {
        (uint256 farmLocked, uint256 checkLocked) =
            Amounts.reserve(job.farmLocked, job.checkLocked, farm, check, job.status & FINAL != 0);
        batch = uint32(job.batches) + 1;
        // A number that wraps would overwrite a batch that still has to be released.
        if (batch > type(uint16).max) revert TooManyBatches();
        job.farmLocked = uint96(farmLocked);
        job.checkLocked = uint96(checkLocked);
        job.batches = uint16(batch);
        job.settled = uint40(settled);
    }

    function _requireLeaseKey(bytes32 id, JobRef calldata ref, uint32 seq, bytes32 root, bytes calldata signature) internal view {
        SignedRows.mustBeValid(_leaseKey(id, ref), digestOf(keccak256(abi.encode(LEASE_SET_TYPEHASH, id, seq, root))), signature);
    }

    /// The key in force.
    function _leaseKey(bytes32 id, JobRef calldata ref) internal view returns (address) {
        return jobs[id].status & REKEYED != 0 ? _leaseKeyOf[id] : ref.terms.leaseKey;
    }
}
