// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EscrowBooks} from "./EscrowBooks.sol";
import {IPermit2, IReceiveWithAuthorization} from "./interfaces/IFunding.sol";
import {JobRef, JobTerms, MAX_WAIT, Terms} from "./lib/JobTerms.sol";
import {SignedRows} from "./lib/SignedRows.sol";

/// Money in and out: open, top-up, withdraw. Money is taken on the creator's own call, or on a signature that covers hash(terms) and set 0.
abstract contract EscrowFunding is EscrowBooks {
    using SafeERC20 for IERC20;

    /// allowance: of a plain `approve` · permit: data = (value, deadline, v, r, s), EIP-2612 · permit2: data = (nonce, deadline, signature) with the Open
    /// struct as witness · authorization: data = (validAfter, validBefore, v, r, s), ERC-3009 with the Open struct hash as nonce.
    enum Funding {
        allowance,
        permit,
        permit2,
        authorization
    }

    /// `data` of permit, (value, deadline), and of authorization, (validAfter, validBefore); then the signature.
    struct SignedTransfer {
        uint256 first;
        uint256 second;
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    bytes32 internal constant OPEN_TYPEHASH = keccak256("Open(bytes32 terms,bytes32 setRoot)");
    string internal constant WITNESS_TYPE =
        "Open witness)Open(bytes32 terms,bytes32 setRoot)TokenPermissions(address token,uint256 amount)";
    IPermit2 public immutable permit2;

    error AlreadyOpen();
    error AlreadyToppedUp();
    error BadTerms(string field);

    /// `terms` is the tuple's own ABI encoding (JobTerms.encode).
    event JobOpened(bytes32 indexed job, address indexed creator, bytes32 setRoot, bytes terms);
    event ToppedUp(bytes32 indexed job, uint96 farmBudget, uint96 checkBudget);
    event Withdrawn(address indexed token, address indexed account, address to, uint256 amount);

    constructor(IPermit2 permit2_) {
        permit2 = permit2_;
    }

    /// Opens a job and locks its budgets. Others than the creator need `signature`, the creator's over Open(terms, setRoot); Permit2 and ERC-3009
    /// signatures cover the same hash themselves.
    function openJob(
        Terms calldata terms,
        bytes32 setRoot,
        Funding funding,
        bytes calldata data,
        bytes calldata signature
    ) external nonReentrant returns (bytes32 id) {
        _checkTerms(terms);
        id = jobIdOf(terms.creator, terms.runId);
        Job storage job = jobs[id];
        if (job.commitment != 0) revert AlreadyOpen();
        bytes32 termsHash = JobTerms.hash(terms);
        bytes32 openHash = keccak256(abi.encode(OPEN_TYPEHASH, termsHash, setRoot));
        if (msg.sender != terms.creator && funding <= Funding.permit) {
            SignedRows.mustBeValid(terms.creator, digestOf(openHash), signature);
        }
        job.commitment = _commitment(termsHash, setRoot, 0);
        job.farmLocked = terms.farmBudget;
        job.checkLocked = terms.checkBudget;
        job.status = OPEN;
        if (terms.registryDraw != 0) _drawOf[id] = (block.number + 1) << 64 | registry.seats();
        emit JobOpened(id, terms.creator, setRoot, JobTerms.encode(terms));
        _fund(terms, openHash, funding, data);
    }

    /// Adds to the budgets of a running job, from the caller's allowance. The same `key` of the same caller pays once, however often it is sent.
    function topUp(JobRef calldata ref, uint96 farmBudget, uint96 checkBudget, bytes32 key) external nonReentrant {
        (bytes32 id, Job storage job) = _job(ref);
        bytes32 once = keccak256(abi.encode(id, msg.sender, key));
        if (toppedUp[once]) revert AlreadyToppedUp();
        toppedUp[once] = true;
        if (job.status & (CANCELED | FINAL | CLOSED) != 0) revert JobStopped();
        if (block.timestamp > ref.terms.deadline) revert TooLate();
        TopUps storage sums = _topUps[id];
        uint256 all = uint256(ref.terms.farmBudget) + ref.terms.checkBudget + sums.farm + sums.check;
        if (all + farmBudget + checkBudget > type(uint96).max) revert BadTerms("farmBudget");
        sums.farm += farmBudget;
        sums.check += checkBudget;
        job.farmLocked += farmBudget;
        job.checkLocked += checkBudget;
        job.status |= TOPPED;
        emit ToppedUp(id, farmBudget, checkBudget);
        _pull(ref.terms.token, msg.sender, uint256(farmBudget) + checkBudget);
    }

    /// Pays out the caller's whole credit of a token to an address of its choice.
    function withdraw(address token, address to) external nonReentrant returns (uint256 amount) {
        amount = creditOf[token][msg.sender];
        creditOf[token][msg.sender] = 0;
        assets[token].owed -= uint128(amount);
        emit Withdrawn(token, msg.sender, to, amount);
        IERC20(token).safeTransfer(to, amount);
    }

    function _fund(Terms calldata terms, bytes32 openHash, Funding funding, bytes calldata data) private {
        IERC20 token = IERC20(terms.token);
        uint256 amount = uint256(terms.farmBudget) + terms.checkBudget;
        uint256 before = token.balanceOf(address(this));
        if (funding == Funding.permit2) {
            _takeByPermit2(terms.creator, token, amount, openHash, data);
        } else if (funding == Funding.authorization) {
            SignedTransfer memory a = abi.decode(data, (SignedTransfer));
            IReceiveWithAuthorization(address(token)).receiveWithAuthorization(
                terms.creator, address(this), amount, a.first, a.second, openHash, a.v, a.r, a.s
            );
        } else {
            if (funding == Funding.permit) {
                SignedTransfer memory p = abi.decode(data, (SignedTransfer));
                // A permit that somebody else sent first has already done its work; the transfer below decides.
                try IERC20Permit(address(token)).permit(terms.creator, address(this), p.first, p.second, p.v, p.r, p.s) {} catch {}
            }
            token.safeTransferFrom(terms.creator, address(this), amount);
        }
        _received(address(token), before, amount);
    }

    function _takeByPermit2(address creator, IERC20 token, uint256 amount, bytes32 openHash, bytes calldata data) private {
        (uint256 nonce, uint256 deadline, bytes memory signature) = abi.decode(data, (uint256, uint256, bytes));
        permit2.permitWitnessTransferFrom(
            IPermit2.PermitTransferFrom(IPermit2.TokenPermissions(address(token), amount), nonce, deadline),
            IPermit2.SignatureTransferDetails(address(this), amount),
            creator,
            openHash,
            WITNESS_TYPE,
            signature
        );
    }

    /// Refuses terms under which money could be stuck, or somebody could be cheated by arithmetic.
    function _checkTerms(Terms calldata t) private view {
        if (!assets[t.token].allowed) revert TokenRefused(t.token);
        uint256 total = uint256(t.farmBudget) + t.checkBudget;
        if (total == 0 || total > type(uint96).max) revert BadTerms("farmBudget");
        if (t.creator == address(0)) revert BadTerms("creator");
        if (t.arbiter == address(0)) revert BadTerms("arbiter");
        if (t.leaseKey == address(0)) revert BadTerms("leaseKey");
        if (t.platformFeeBps > MAX_FEE_BPS || (t.platformFeeBps != 0 && t.platform == address(0))) {
            revert BadTerms("platformFeeBps");
        }
        if (t.recordMode > 1) revert BadTerms("recordMode");
        _checkCommittee(t);
        _checkTimes(t);
        _readRest(t);
    }

    /// Reads the fields that opening has no other use for, so that the decoder refuses words with bits above their type. `JobTerms.hash` covers raw words: a
    /// job opened with such a word could never be attested, since the decoder would stop `attest`, but it could be refunded after its farms had worked.
    function _readRest(Terms calldata t) private pure returns (uint256) {
        return uint256(t.frameCap) | t.checkFee | uint160(t.platform);
    }

    function _checkCommittee(Terms calldata t) private view {
        uint256 members = t.checkers.length;
        if (t.registryDraw != 0) {
            if (members != 0 || address(registry) == address(0)) revert BadTerms("registryDraw");
            members = t.registryDraw;
        }
        if (members > MAX_COMMITTEE) revert BadTerms("checkers");
        if (t.quorum > members || uint256(t.quorum) * 2 <= members) revert BadTerms("quorum");
        for (uint256 i; i < t.checkers.length; ++i) {
            if (t.checkers[i] <= (i == 0 ? address(0) : t.checkers[i - 1])) revert BadTerms("checkers");
        }
    }

    function _checkTimes(Terms calldata t) private view {
        uint256 gap = minGap;
        if (t.deadline < block.timestamp + gap || t.deadline > block.timestamp + 730 days) revert BadTerms("deadline");
        if (t.attestBy < t.deadline + gap || t.attestBy > t.deadline + 365 days) revert BadTerms("attestBy");
        if (t.claimTime < gap || t.claimTime > MAX_WAIT) revert BadTerms("claimTime");
        if (t.disputeWindow > MAX_WAIT) revert BadTerms("disputeWindow");
        if (t.resolveBy < gap || t.resolveBy > MAX_WAIT) revert BadTerms("resolveBy");
        uint256 lastWindow = t.attestBy + _window(t, true);
        if (t.refundAfter < t.attestBy + t.claimTime + gap || t.refundAfter < lastWindow || t.refundAfter > lastWindow + 365 days)
        {
            revert BadTerms("refundAfter");
        }
    }

    /// Time between attestation and release; a job without a window (development) has none for slow batches either.
    function _window(Terms calldata t, bool slow) internal pure returns (uint40) {
        return slow && t.disputeWindow != 0 && t.disputeWindow < SLOW_WINDOW ? SLOW_WINDOW : t.disputeWindow;
    }
}
