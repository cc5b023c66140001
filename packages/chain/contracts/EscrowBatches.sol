// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EscrowFunding} from "./EscrowFunding.sol";
import {Amounts} from "./lib/Amounts.sol";
import {BatchReader, Tally} from "./lib/BatchReader.sol";
import {FrameProofs} from "./lib/FrameProofs.sol";
import {CheckerShare, FarmShare, JobRef, Payment, Pinned, Terms} from "./lib/JobTerms.sol";
import {SignedRows} from "./lib/SignedRows.sol";

/// The way of a validated lease: ready, attest, approve, release.
abstract contract EscrowBatches is EscrowFunding {
    bytes32 internal constant READY_TYPEHASH =
        keccak256("Ready(bytes32 job,uint32 seq,bytes32 setRoot,bytes32 bundleRoot,bytes32 seedRoot)");
    bytes32 internal constant BATCH_TYPEHASH = keccak256("Batch(bytes32 job,bytes32 batchHash,uint40 validUntil)");
    bytes32 internal constant APPROVE_TYPEHASH = keccak256("Approve(bytes32 job,uint32 batch)");

    error AlreadyReady();
    error NothingToRelease();

    event JobReady(bytes32 indexed job, uint32 seq, address[] checkers, bytes32[] seedRoots);
    event LeaseSetUsed(bytes32 indexed job, uint32 seq, bytes32 setRoot);
    event Attested(
        bytes32 indexed job, uint32 batch, bytes32 batchHash, uint40 releaseAt, uint96 farmReserve, uint96 checkReserve, bytes data
    );
    event Approved(bytes32 indexed job, uint32 batch);

    /// Posts the first Ready: q checkers hold the bundle and have seen lease set 0. `rows` carry each signer's seedRoot.
    function ready(JobRef calldata ref, bytes calldata rows) external {
        (bytes32 id, Job storage job) = _job(ref);
        uint8 status = job.status;
        if (status & (CANCELED | FINAL | CLOSED) != 0) revert JobStopped();
        if (status & READY != 0) revert AlreadyReady();
        job.status = status | READY;
        (address[] memory checkers, bytes32[] memory seedRoots) = _readReady(id, ref, _committee(ref), rows);
        if (checkers.length < ref.terms.quorum) revert QuorumMissing(checkers.length, ref.terms.quorum);
        emit JobReady(id, 0, checkers, seedRoots);
    }

    function _readReady(bytes32 id, JobRef calldata ref, address[] calldata committee, bytes calldata rows)
        private
        view
        returns (address[] memory checkers, bytes32[] memory seedRoots)
    {
        checkers = new address[](committee.length);
        seedRoots = new bytes32[](committee.length);
        uint256 count;
        uint256 least;
        for (uint256 pos; pos < rows.length; ++count) {
            uint256 index;
            bytes calldata signature;
            (index, seedRoots[count], signature, pos) = SignedRows.read(rows, pos, least, true);
            least = index + 1;
            checkers[count] = committee[index];
            _requireReady(id, ref, committee[index], seedRoots[count], signature);
        }
        assembly ("memory-safe") {
            mstore(checkers, count)
            mstore(seedRoots, count)
        }
    }

    function _requireReady(bytes32 id, JobRef calldata ref, address checker, bytes32 seedRoot, bytes calldata signature) private view {
        bytes32 structHash = keccak256(abi.encode(READY_TYPEHASH, id, uint32(0), ref.setRoot, ref.terms.bundleRoot, seedRoot));
        SignedRows.mustBeValid(checker, digestOf(structHash), signature);
    }

    /// Settles whole leases: `blob` is the packed batch that q checkers signed, `proofs` shows that its leases are the leaseKey's.
    function attest(
        JobRef calldata ref,
        bytes calldata blob,
        bytes calldata proofs,
        uint40 validUntil,
        bytes calldata signatures
    ) external {
        (bytes32 id, Job storage job) = _job(ref);
        if (job.status & CLOSED != 0) revert JobStopped();
        if (block.timestamp > ref.terms.attestBy || block.timestamp > validUntil) revert TooLate();
        Tally memory tally;
        tally.batchHash = keccak256(blob);
        _requireQuorum(ref, digestOf(keccak256(abi.encode(BATCH_TYPEHASH, id, tally.batchHash, validUntil))), signatures);
        tally.settled = job.settled;
        _readBatch(id, ref, blob, proofs, tally);
        _bookBatch(id, job, ref, tally, blob);
    }

    function _bookBatch(bytes32 id, Job storage job, JobRef calldata ref, Tally memory tally, bytes calldata blob) private {
        uint32 batch = _reserve(job, tally.farmReserve, tally.checkReserve, tally.settled);
        uint40 releaseAt = uint40(block.timestamp) + _window(ref.terms, tally.slow);
        batchOf[id][batch] = keccak256(abi.encode(_pin(ref, tally, releaseAt)));
        emit Attested(id, batch, tally.batchHash, releaseAt, uint96(tally.farmReserve), uint96(tally.checkReserve), blob);
        _fold(id, job, KIND_ATTEST, keccak256(abi.encode(batch, tally.batchHash)));
    }

    /// The creator, or anyone with its signature, ends its own window: farms that were accepted in full need not wait.
    function approveEarly(JobRef calldata ref, uint32 batch, Pinned memory pinned, bytes calldata signature) external {
        (bytes32 id,) = _job(ref);
        _requirePinned(id, batch, pinned);
        if (msg.sender != ref.terms.creator) {
            SignedRows.mustBeValid(ref.terms.creator, digestOf(keccak256(abi.encode(APPROVE_TYPEHASH, id, batch))), signature);
        }
        pinned.approved = true;
        batchOf[id][batch] = keccak256(abi.encode(pinned));
        emit Approved(id, batch);
    }

    /// Turns what a batch has earned into credits, once its window is over. Farms that must still wait keep the batch open.
    function release(bytes32 id, uint32 batch, Pinned memory pinned) external {
        _requirePinned(id, batch, pinned);
        bool due = block.timestamp >= pinned.releaseAt;
        FarmShare[] memory farms = pinned.farms;
        Payment[] memory paid = new Payment[](farms.length + pinned.checkers.length + 1);
        uint256 count;
        uint256 kept;
        uint256 platform;
        uint256 refunded = pinned.feeRefund;
        for (uint256 i; i < farms.length; ++i) {
            FarmShare memory share = farms[i];
            if (!due && !(pinned.approved && share.gross == share.price)) {
                farms[kept++] = share;
                continue;
            }
            uint256 fee = Amounts.platformFee(share.gross, pinned.feeBps);
            platform += fee;
            refunded += share.price - share.gross;
            paid[count++] = Payment(share.payTo, 0, uint96(share.gross - fee));
        }
        if (!due && !pinned.approved || kept == farms.length && kept != 0) revert NothingToRelease();
        for (uint256 i; i < pinned.checkers.length; ++i) {
            paid[count++] = Payment(pinned.checkers[i].checker, 1, pinned.checkers[i].amount);
        }
        if (platform != 0) paid[count++] = Payment(pinned.platform, 2, uint96(platform));
        assembly ("memory-safe") {
            mstore(paid, count)
            mstore(farms, kept)
        }
        if (kept == 0) {
            delete batchOf[id][batch];
        } else {
            pinned.checkers = new CheckerShare[](0);
            pinned.feeRefund = 0;
            batchOf[id][batch] = keccak256(abi.encode(pinned));
        }
        _pay(id, batch, pinned.token, pinned.creator, paid, uint96(refunded));
    }

    function _pin(JobRef calldata ref, Tally memory tally, uint40 releaseAt) private pure returns (Pinned memory pinned) {
        Terms calldata terms = ref.terms;
        pinned.token = terms.token;
        pinned.creator = terms.creator;
        pinned.platform = terms.platform;
        pinned.feeBps = terms.platformFeeBps;
        pinned.releaseAt = releaseAt;
        pinned.feeRefund = uint96(tally.checkers.length == 0 ? tally.checkReserve : 0);
        pinned.farms = tally.farms;
        pinned.checkers = tally.checkers;
    }

    function _readBatch(bytes32 id, JobRef calldata ref, bytes calldata blob, bytes calldata proofs, Tally memory tally) private {
        uint256 pos = BatchReader.readTables(blob, _committee(ref), ref.terms.recordMode == 0, tally);
        tally.frameCap = ref.terms.frameCap;
        uint256 proofAt;
        for (uint256 sets = tally.sets; sets != 0; --sets) {
            bytes32[] memory leaves;
            uint256 count;
            (leaves, count, pos) = BatchReader.readSet(blob, pos, tally);
            bytes32 setRoot;
            (setRoot, proofAt) = _setRoot(id, ref, tally.seq, proofs, proofAt);
            bytes32 root;
            (root, proofAt) = FrameProofs.multiRoot(leaves, count, proofs, proofAt);
            if (root != setRoot) revert NotALeaseSet(tally.seq);
            _settle(id, tally, count);
        }
        BatchReader.finish(blob, pos, ref.terms.checkFee, tally);
        if (proofAt != proofs.length) revert FrameProofs.BadProof();
    }

    /// Set 0 was opened with the job; later ones are signed by the leaseKey and recorded here by event.
    function _setRoot(bytes32 id, JobRef calldata ref, uint32 seq, bytes calldata proofs, uint256 pos)
        private
        returns (bytes32 root, uint256)
    {
        if (seq == 0) return (ref.setRoot, pos);
        bytes calldata signature;
        assembly ("memory-safe") {
            let p := add(proofs.offset, pos)
            root := calldataload(p)
            signature.length := shr(240, calldataload(add(p, 32)))
            signature.offset := add(p, 34)
        }
        pos += 34 + signature.length;
        if (pos > proofs.length) revert FrameProofs.BadProof();
        _requireLeaseKey(id, ref, seq, root, signature);
        emit LeaseSetUsed(id, seq, root);
        return (root, pos);
    }

    /// Sets the settled bits of the set's leases; the job's own slot has room for the first forty.
    function _settle(bytes32 id, Tally memory tally, uint256 count) private {
        uint32[] memory ids = tally.ids;
        uint256 word = type(uint256).max;
        uint256 bits;
        for (uint256 i; i < count; ++i) {
            uint32 lease = ids[i];
            if (lease < 40) {
                if (tally.settled >> lease & 1 == 1) revert AlreadySettled(lease);
                tally.settled |= 1 << lease;
                continue;
            }
            if (lease >> 8 != word) {
                if (word != type(uint256).max) _settled[id][word] = bits;
                word = lease >> 8;
                bits = _settled[id][word];
            }
            if (bits >> (lease & 255) & 1 == 1) revert AlreadySettled(lease);
            bits |= 1 << (lease & 255);
        }
        if (word != type(uint256).max) _settled[id][word] = bits;
    }
}
