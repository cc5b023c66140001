// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ICheckerRegistry} from "./interfaces/ICheckerRegistry.sol";
import {JobRef, JobTerms, Terms} from "./lib/JobTerms.sol";
import {SignedRows} from "./lib/SignedRows.sol";

/// Storage, money and signatures that all parts of the escrow share. Messages, order and times: PROTOCOL.md; byte layouts: docs/encodings.md.
abstract contract EscrowBase is EIP712, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// A job in three slots, never cleared. `settled` holds the bits of leases 0..39, later ones are in `_settled`.
    struct Job {
        bytes32 commitment;
        uint96 farmLocked;
        uint96 checkLocked;
        uint16 batches;
        uint8 status;
        uint40 settled;
        bytes32 head;
    }

    /// `owed` is all that the escrow holds of a token for jobs, bonds and credits: it changes only when tokens come in or go out.
    struct Asset {
        uint128 owed;
        uint96 minBond;
        bool allowed;
    }

    struct TopUps {
        uint96 farm;
        uint96 check;
    }

    uint8 internal constant OPEN = 1;
    uint8 internal constant READY = 2;
    uint8 internal constant CANCELED = 4;
    uint8 internal constant FINAL = 8;
    uint8 internal constant CLOSED = 16;
    uint8 internal constant TOPPED = 32;
    uint8 internal constant REKEYED = 64;

    uint8 internal constant KIND_ATTEST = 1;
    uint8 internal constant KIND_RESOLVE = 2;
    uint8 internal constant KIND_RELEASE = 3;
    uint8 internal constant KIND_FINAL = 4;
    uint8 internal constant KIND_REFUND = 5;
    uint8 internal constant KIND_CLAIM = 6;
    uint8 internal constant KIND_LEASE_KEY = 7;

    /// The long window of frames that only a person can judge (Render Network's default of 72 hours).
    uint40 internal constant SLOW_WINDOW = 72 hours;
    uint256 internal constant MAX_COMMITTEE = 32;
    uint256 internal constant MAX_FEE_BPS = 3000;

    mapping(bytes32 job => Job) public jobs;
    mapping(address token => Asset) public assets;
    mapping(address token => mapping(address account => uint256)) public creditOf;
    /// Hash of what a batch still has to release; 0 before and after.
    mapping(bytes32 job => mapping(uint256 batch => bytes32)) public batchOf;
    /// Hash of an objection that waits for the arbiter.
    mapping(bytes32 job => mapping(uint256 batch => mapping(address farm => bytes32))) public objectionOf;
    mapping(bytes32 job => mapping(uint256 word => uint256)) internal _settled;
    mapping(bytes32 job => TopUps) internal _topUps;
    /// keccak256(abi.encode(job, payer, key)) of top-ups that were made.
    mapping(bytes32 once => bool) public toppedUp;
    mapping(bytes32 job => address) internal _leaseKeyOf;
    /// Registry jobs before their draw: block whose hash decides << 64 | seats at open.
    mapping(bytes32 job => uint256) internal _drawOf;
    /// Keys that were replaced: none of them comes back.
    mapping(bytes32 job => mapping(address leaseKey => bool)) internal _retiredKey;

    ICheckerRegistry public immutable registry;
    /// Least time between the steps of a job; small only on development chains.
    uint40 public immutable minGap;

    error UnknownJob();
    error JobStopped();
    error TooLate();
    error TooEarly();
    error NotAllowed();
    error QuorumMissing(uint256 found, uint256 needed);
    error TokenRefused(address token);
    error TransferShort(uint256 expected, uint256 received);

    constructor(ICheckerRegistry registry_, uint40 minGap_) EIP712("Pictor", "1") {
        registry = registry_;
        minGap = minGap_;
    }

    /// Id of the job that `creator` opens, or opened, as its run `runId`: bound to this chain and this deployment.
    function jobIdOf(address creator, bytes32 runId) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), creator, runId));
    }

    /// Whether a lease was attested or claimed.
    function isSettled(bytes32 job, uint32 lease) public view returns (bool) {
        if (lease < 40) return jobs[job].settled >> lease & 1 == 1;
        return _settled[job][lease >> 8] >> (lease & 255) & 1 == 1;
    }

    function digestOf(bytes32 structHash) internal view returns (bytes32) {
        return _hashTypedDataV4(structHash);
    }

    /// The job of `ref`, whose contents must be what the creator opened.
    function _job(JobRef calldata ref) internal view returns (bytes32 id, Job storage job) {
        id = jobIdOf(ref.terms.creator, ref.terms.runId);
        job = jobs[id];
        bytes32 committee = ref.drawn.length == 0 ? bytes32(0) : keccak256(abi.encodePacked(ref.drawn));
        if (job.commitment != _commitment(JobTerms.hash(ref.terms), ref.setRoot, committee)) revert UnknownJob();
    }

    function _commitment(bytes32 terms, bytes32 setRoot, bytes32 committee) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            let p := mload(0x40)
            mstore(p, terms)
            mstore(add(p, 32), setRoot)
            mstore(add(p, 64), committee)
            result := keccak256(p, 96)
        }
    }

    function _committee(JobRef calldata ref) internal pure returns (address[] calldata) {
        return ref.terms.registryDraw == 0 ? ref.terms.checkers : ref.drawn;
    }

    function _isChecker(JobRef calldata ref, address account) internal pure returns (bool) {
        address[] calldata committee = _committee(ref);
        for (uint256 i; i < committee.length; ++i) {
            if (committee[i] == account) return true;
        }
        return false;
    }

    /// Demands q valid signatures of distinct checkers; in registry jobs each must still have its stake at risk.
    function _requireQuorum(JobRef calldata ref, bytes32 digest, bytes calldata rows) internal view {
        address[] calldata committee = _committee(ref);
        bool staked = ref.terms.registryDraw != 0;
        uint256 count;
        uint256 least;
        for (uint256 pos; pos < rows.length; ++count) {
            uint256 index;
            bytes calldata signature;
            (index,, signature, pos) = SignedRows.read(rows, pos, least, false);
            least = index + 1;
            SignedRows.mustBeValid(committee[index], digest, signature);
            if (staked && !registry.isActive(committee[index])) revert NotAllowed();
        }
        if (count < ref.terms.quorum) revert QuorumMissing(count, ref.terms.quorum);
    }

    function _fold(bytes32 id, Job storage job, uint8 kind, bytes32 item) internal {
        bytes32 head = job.head;
        job.head = keccak256(abi.encode(head == 0 ? id : head, kind, item));
    }

    function _credit(address token, address account, uint256 amount) internal {
        if (amount != 0) creditOf[token][account] += amount;
    }

    /// Books tokens that came in; a token that keeps a fee is refused by the difference of balances.
    function _received(address token, uint256 before, uint256 amount) internal {
        uint256 received = IERC20(token).balanceOf(address(this)) - before;
        if (received != amount) revert TransferShort(amount, received);
        assets[token].owed += uint128(amount);
    }

    function _pull(address token, address from, uint256 amount) internal {
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(from, address(this), amount);
        _received(token, before, amount);
    }
}
