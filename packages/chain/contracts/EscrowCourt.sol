// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EscrowBooks} from "./EscrowBooks.sol";
import {EscrowDisputes} from "./EscrowDisputes.sol";
import {ICheckerRegistry} from "./interfaces/ICheckerRegistry.sol";
import {Amounts} from "./lib/Amounts.sol";
import {JobRef, JobTerms} from "./lib/JobTerms.sol";
import {SignedRows} from "./lib/SignedRows.sol";

/// The rare calls of an escrow, as code of its own because one contract may have 24,576 bytes (EIP-170). PictorEscrow runs it by delegatecall, fixed at
/// deployment; called directly it has no jobs and holds nothing.
contract EscrowCourt is EscrowDisputes {
    bytes32 private constant FINAL_TYPEHASH = keccak256("Final(bytes32 job,uint96 keep)");
    bytes32 private constant CANCEL_TYPEHASH = keccak256("Cancel(bytes32 job)");
    bytes32 private constant LEASE_KEY_TYPEHASH = keccak256("LeaseKey(bytes32 job,address leaseKey)");

    error AlreadyDone();

    event Finalized(bytes32 indexed job, uint96 keep, uint96 refunded);
    event Refunded(bytes32 indexed job, uint96 amount);
    event JobCanceled(bytes32 indexed job);
    event LeaseKeyReplaced(bytes32 indexed job, address leaseKey);
    event CommitteeDrawn(bytes32 indexed job, address[] committee);

    constructor(ICheckerRegistry registry_, uint40 minGap_) EscrowBooks(registry_, minGap_) {}

    /// The committee of a registry job, drawn by the hash of the block after its opening: whoever opens a job cannot see the draw and undo the opening.
    /// Anyone may call. When the hash has become too old, the block after this call decides instead.
    function drawCommittee(JobRef calldata ref) external returns (address[] memory committee) {
        (bytes32 id, Job storage job) = _job(ref);
        uint256 draw = _drawOf[id];
        if (draw == 0) revert AlreadyDone();
        uint256 decidedBy = draw >> 64;
        if (block.number <= decidedBy) revert TooEarly();
        bytes32 seed = blockhash(decidedBy);
        if (seed == 0) {
            _drawOf[id] = (block.number + 1) << 64 | (draw & type(uint64).max);
            return committee;
        }
        delete _drawOf[id];
        committee = registry.draw(keccak256(abi.encode(seed, id)), draw & type(uint64).max, ref.terms.registryDraw);
        job.commitment = _commitment(JobTerms.hash(ref.terms), ref.setRoot, keccak256(abi.encodePacked(committee)));
        emit CommitteeDrawn(id, committee);
    }

    /// The quorum's word that nothing beyond `keep` will be attested: full prices and check fees of all leases attested or still to be. Frees the rest.
    function finalize(JobRef calldata ref, uint96 keep, bytes calldata signatures) external {
        (bytes32 id, Job storage job) = _job(ref);
        uint8 status = job.status;
        if (status & (FINAL | CLOSED) != 0) revert AlreadyDone();
        _requireQuorum(ref, digestOf(keccak256(abi.encode(FINAL_TYPEHASH, id, keep))), signatures);
        uint256 locked = uint256(job.farmLocked) + job.checkLocked;
        uint256 deposited = uint256(ref.terms.farmBudget) + ref.terms.checkBudget;
        if (status & TOPPED != 0) deposited += uint256(_topUps[id].farm) + _topUps[id].check;
        uint96 refunded = uint96(Amounts.returnedByFinal(deposited, locked, keep));
        job.status = status | FINAL;
        job.farmLocked = uint96(locked - refunded);
        job.checkLocked = 0;
        _credit(ref.terms.token, ref.terms.creator, refunded);
        emit Finalized(id, keep, refunded);
        _fold(id, job, KIND_FINAL, keccak256(abi.encode(keep, refunded)));
    }

    /// After `refundAfter` anyone may return to the creator what no batch and no claim has reserved.
    function refund(JobRef calldata ref) external {
        (bytes32 id, Job storage job) = _job(ref);
        if (job.status & CLOSED != 0) revert AlreadyDone();
        if (block.timestamp < ref.terms.refundAfter) revert TooEarly();
        uint96 amount = job.farmLocked + job.checkLocked;
        job.status |= CLOSED;
        job.farmLocked = 0;
        job.checkLocked = 0;
        _credit(ref.terms.token, ref.terms.creator, amount);
        emit Refunded(id, amount);
        _fold(id, job, KIND_REFUND, keccak256(abi.encode(amount)));
    }

    /// The creator wants no further leases. What was leased before may still be committed and attested.
    function cancel(JobRef calldata ref, bytes calldata signature) external {
        (bytes32 id, Job storage job) = _job(ref);
        if (job.status & (CANCELED | CLOSED) != 0) revert AlreadyDone();
        _requireCreator(ref, keccak256(abi.encode(CANCEL_TYPEHASH, id)), signature);
        job.status |= CANCELED;
        emit JobCanceled(id);
    }

    /// Replaces a leaseKey that was lost or stolen; what the old key signed and was not attested yet is void from now on. No key (address 0) ends leasing. A key
    /// that was replaced never counts again: the creator's signatures name no order and are public, so a thief could else bring back the key that he stole.
    function setLeaseKey(JobRef calldata ref, address leaseKey, bytes calldata signature) external {
        (bytes32 id, Job storage job) = _job(ref);
        _requireCreator(ref, keccak256(abi.encode(LEASE_KEY_TYPEHASH, id, leaseKey)), signature);
        address old = _leaseKey(id, ref);
        if (leaseKey == old) revert AlreadyDone();
        if (_retiredKey[id][leaseKey]) revert NotAllowed();
        _retiredKey[id][old] = true;
        job.status |= REKEYED;
        _leaseKeyOf[id] = leaseKey;
        emit LeaseKeyReplaced(id, leaseKey);
        // A receipt must be able to tell which key counted when.
        _fold(id, job, KIND_LEASE_KEY, keccak256(abi.encode(leaseKey)));
    }

    function _requireCreator(JobRef calldata ref, bytes32 structHash, bytes calldata signature) private view {
        if (msg.sender != ref.terms.creator) SignedRows.mustBeValid(ref.terms.creator, digestOf(structHash), signature);
    }
}
