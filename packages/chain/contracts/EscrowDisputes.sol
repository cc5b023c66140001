// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {EscrowBooks} from "./EscrowBooks.sol";
import {IArbitrable} from "./interfaces/IArbiter.sol";
import {Amounts} from "./lib/Amounts.sol";
import {FarmShare, JobRef, JobTerms, LeaseData, Objection, Payment, Pinned, Terms} from "./lib/JobTerms.sol";
import {SignedRows} from "./lib/SignedRows.sol";

/// Bonded objections to one farm's share of a batch, and claims of farms whose leases nobody attested. The loser pays; a silent arbiter changes nothing.
abstract contract EscrowDisputes is EscrowBooks, IArbitrable {
    bytes32 internal constant HELD_TYPEHASH = keccak256("Held(bytes32 job,uint32 lease,bytes32 outputRoot)");
    bytes32 internal constant DISPUTE_TYPEHASH =
        keccak256("Dispute(bytes32 job,uint32 batch,address farm,bytes32 reasonHash)");
    /// What `Resolved` says when the arbiter was silent.
    uint16 internal constant SILENT = type(uint16).max;

    error NoSuchObjection();
    error NotPerMille();

    event Disputed(bytes32 indexed job, uint32 batch, address indexed farm, bytes32 reasonHash, Objection objection);
    event Claimed(bytes32 indexed job, uint32 batch, address indexed farm, uint32 lease, bytes32 outputRoot, Objection objection);
    event Resolved(bytes32 indexed job, uint32 batch, address indexed farm, uint16 acceptedPerMille, address bondTo, uint96 bond);

    /// Bond of an objection to `price`: a twentieth of it, at least the token's own minimum, but never more than the price: whoever sets the minimum cannot
    /// make objections impossible.
    function bondFor(address token, uint96 price) public view returns (uint96) {
        uint96 least = assets[token].minBond;
        if (least > price) least = price;
        return price / 20 > least ? price / 20 : least;
    }

    /// Takes one farm's share out of a batch and holds it for the arbiter. Open to the creator, that farm and the job's checkers; somebody else may send
    /// it with their signature, and pays the bond.
    function dispute(
        JobRef calldata ref,
        uint32 batch,
        Pinned memory pinned,
        uint256 index,
        bytes32 reasonHash,
        address by,
        bytes calldata signature
    ) external nonReentrant {
        (bytes32 id,) = _job(ref);
        _requirePinned(id, batch, pinned);
        if (block.timestamp >= pinned.releaseAt) revert TooLate();
        FarmShare memory share = _take(pinned, index);
        if (by != ref.terms.creator && by != share.farm && by != share.payTo && !_isChecker(ref, by)) revert NotAllowed();
        if (msg.sender != by) {
            bytes32 structHash = keccak256(abi.encode(DISPUTE_TYPEHASH, id, batch, share.farm, reasonHash));
            SignedRows.mustBeValid(by, digestOf(structHash), signature);
        }
        // A batch without farms still holds its check fees.
        batchOf[id][batch] = keccak256(abi.encode(pinned));
        Objection memory objection = _object(ref.terms, id, batch, share, by, false);
        emit Disputed(id, batch, share.farm, reasonHash, objection);
        _pull(ref.terms.token, msg.sender, objection.bond);
    }

    /// A farm whose committed lease was not attested asks the arbiter: q checkers held its frames. Reserves the price; unanswered it pays nothing.
    function claim(
        JobRef calldata ref,
        LeaseData calldata lease,
        uint32 seq,
        bytes32 setRoot,
        bytes calldata setSignature,
        bytes32[] calldata proof,
        bytes32 outputRoot,
        bytes calldata held
    ) external nonReentrant {
        (bytes32 id, Job storage job) = _job(ref);
        if (job.status & CLOSED != 0) revert JobStopped();
        _requireClaimable(id, ref, lease, seq, setRoot, setSignature, proof);
        _requireHeld(id, ref, lease.id, outputRoot, held);
        if (isSettled(id, lease.id)) revert AlreadySettled(lease.id);
        _bookClaim(id, job, ref, lease, outputRoot);
    }

    /// By whom, when and for what a claim is allowed: the lease must lie in a set of the leaseKey and keep to the cap.
    function _requireClaimable(
        bytes32 id,
        JobRef calldata ref,
        LeaseData calldata lease,
        uint32 seq,
        bytes32 setRoot,
        bytes calldata setSignature,
        bytes32[] calldata proof
    ) private view {
        if (msg.sender != lease.farm && msg.sender != lease.payTo) revert NotAllowed();
        if (block.timestamp <= lease.commitBy) revert TooEarly();
        if (block.timestamp > uint256(ref.terms.attestBy) + ref.terms.claimTime) revert TooLate();
        if (lease.price > uint256(ref.terms.frameCap) * lease.frames) revert OverFrameCap(lease.id);
        if (seq == 0) {
            if (setRoot != ref.setRoot) revert NotALeaseSet(seq);
        } else {
            _requireLeaseKey(id, ref, seq, setRoot, setSignature);
        }
        if (!MerkleProof.verifyCalldata(proof, setRoot, JobTerms.leaf(lease))) revert NotALeaseSet(seq);
    }

    function _requireHeld(bytes32 id, JobRef calldata ref, uint32 lease, bytes32 outputRoot, bytes calldata held) private view {
        _requireQuorum(ref, digestOf(keccak256(abi.encode(HELD_TYPEHASH, id, lease, outputRoot))), held);
    }

    function _bookClaim(bytes32 id, Job storage job, JobRef calldata ref, LeaseData calldata lease, bytes32 outputRoot) private {
        uint256 settled = job.settled;
        if (lease.id < 40) settled |= 1 << lease.id;
        else _settled[id][lease.id >> 8] |= 1 << (lease.id & 255);
        uint32 batch = _reserve(job, lease.price, 0, settled);
        FarmShare memory share = FarmShare(lease.farm, lease.payTo, lease.price, 0);
        Objection memory objection = _object(ref.terms, id, batch, share, msg.sender, true);
        emit Claimed(id, batch, lease.farm, lease.id, outputRoot, objection);
        _fold(id, job, KIND_CLAIM, keccak256(abi.encode(batch, lease.id, lease.farm, lease.price, outputRoot)));
        _pull(ref.terms.token, msg.sender, objection.bond);
    }

    /// The arbiter's word: thousandths of the farm's full price. Paid at once; the bond goes to who was right.
    function resolve(JobRef calldata ref, uint32 batch, Objection calldata objection, uint16 acceptedPerMille) external {
        (bytes32 id,) = _job(ref);
        _requireObjection(id, batch, objection);
        if (msg.sender != ref.terms.arbiter) revert NotAllowed();
        if (block.timestamp > objection.until) revert TooLate();
        if (acceptedPerMille > 1000) revert NotPerMille();
        uint96 gross = uint96(Amounts.earned(objection.share.price, acceptedPerMille, 1000));
        address bondTo = objection.payer;
        if (!_won(ref.terms, objection, gross)) {
            bool byFarm = objection.by == objection.share.farm || objection.by == objection.share.payTo;
            bondTo = byFarm ? ref.terms.creator : objection.share.payTo;
        }
        _conclude(ref.terms, id, batch, objection, gross, acceptedPerMille, bondTo);
    }

    /// Past its time an objection ends with the quorum's verdict (a claim: with nothing) and the bond returns. Anyone may call.
    function lapse(JobRef calldata ref, uint32 batch, Objection calldata objection) external {
        (bytes32 id,) = _job(ref);
        _requireObjection(id, batch, objection);
        if (block.timestamp <= objection.until) revert TooEarly();
        _conclude(ref.terms, id, batch, objection, objection.share.gross, SILENT, objection.payer);
    }

    function _won(Terms calldata terms, Objection calldata objection, uint96 gross) private pure returns (bool) {
        uint96 quorum = objection.share.gross;
        if (objection.by == objection.share.farm || objection.by == objection.share.payTo) return gross > quorum;
        if (objection.by == terms.creator) return gross < quorum;
        return gross != quorum;
    }

    function _conclude(
        Terms calldata terms,
        bytes32 id,
        uint32 batch,
        Objection calldata objection,
        uint96 gross,
        uint16 acceptedPerMille,
        address bondTo
    ) private {
        FarmShare calldata share = objection.share;
        delete objectionOf[id][batch][share.farm];
        emit Resolved(id, batch, share.farm, acceptedPerMille, bondTo, objection.bond);
        _fold(id, jobs[id], KIND_RESOLVE, keccak256(abi.encode(batch, share.farm, acceptedPerMille)));
        _credit(terms.token, bondTo, objection.bond);
        uint96 fee = uint96(Amounts.platformFee(gross, terms.platformFeeBps));
        Payment[] memory paid = new Payment[](fee == 0 ? 1 : 2);
        paid[0] = Payment(share.payTo, 0, gross - fee);
        if (fee != 0) paid[1] = Payment(terms.platform, 2, fee);
        _pay(id, batch, terms.token, terms.creator, paid, share.price - gross);
    }

    function _object(Terms calldata terms, bytes32 id, uint32 batch, FarmShare memory share, address by, bool isClaim)
        private
        returns (Objection memory objection)
    {
        objection = Objection(
            share,
            by,
            msg.sender,
            bondFor(terms.token, share.price),
            uint40(block.timestamp) + terms.resolveBy,
            isClaim
        );
        objectionOf[id][batch][share.farm] = keccak256(abi.encode(objection));
    }

    function _requireObjection(bytes32 id, uint32 batch, Objection calldata objection) private view {
        if (objectionOf[id][batch][objection.share.farm] != keccak256(abi.encode(objection))) revert NoSuchObjection();
    }

    /// Removes one farm, keeping the others in order.
    function _take(Pinned memory pinned, uint256 index) private pure returns (FarmShare memory share) {
        FarmShare[] memory farms = pinned.farms;
        share = farms[index];
        uint256 last = farms.length - 1;
        for (uint256 i = index; i < last; ++i) farms[i] = farms[i + 1];
        assembly ("memory-safe") {
            mstore(farms, last)
        }
    }
}
