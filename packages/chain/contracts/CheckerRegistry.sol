// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Ownable2Step, Ownable} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ICheckerRegistry} from "./interfaces/ICheckerRegistry.sol";
import {MAX_WAIT} from "./lib/JobTerms.sol";
import {SignedRows} from "./lib/SignedRows.sol";

/// One vote of a checker on one frame, as it is signed off chain (docs/encodings.md).
struct Vote {
    bytes32 job;
    uint32 lease;
    int32 frame;
    uint32 part;
    bytes32 outputHash;
    bool isChecked;
    uint8 verdict;
    uint16 score;
    bytes32 cropsHash;
}

/// Checkers put a fixed stake at risk and are drawn into committees. Slashed for two different checked verdicts on the same frame, which two plain
/// signatures prove, or by the arbiter for crops that its own seed drew and nobody can reproduce. Half of a slash is burned, so that nobody slashes its
/// own second key to save the stake.
contract CheckerRegistry is ICheckerRegistry, Ownable2Step, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// 1 slot. `seat` counts from 1; 0: never joined. `leavesAt` 0 while active.
    struct Member {
        uint96 stake;
        uint40 leavesAt;
        uint32 seat;
    }

    bytes32 private constant VOTE_TYPEHASH = keccak256(
        "Vote(bytes32 job,uint32 lease,int32 frame,uint32 part,bytes32 outputHash,bool checked,uint8 verdict,uint16 score,bytes32 cropsHash)"
    );
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    address private constant BURN = 0x000000000000000000000000000000000000dEaD;
    uint256 private constant MAX_TRIES = 256;

    IERC20 public immutable token;
    uint96 public immutable seatStake;
    /// Longest time from an attestation to the end of its disputes: window and resolveBy.
    uint40 private constant AT_RISK = 2 * MAX_WAIT;
    /// Longer than `AT_RISK`. What is beyond it is the time for which a leaving checker may still sign.
    uint40 public immutable unstakeDelay;
    /// Time that a named arbiter waits beyond `unstakeDelay`, so that checkers have a month to decide whether they trust it.
    uint40 public constant ARBITER_NOTICE = 30 days;

    address private _arbiter;
    address public nextArbiter;
    uint40 public arbiterChangesAt;
    mapping(address checker => Member) public members;
    /// Seats are only ever appended; a seat that was left stays empty, so a draw over the seats of an earlier block cannot be shifted afterwards.
    address[] private _seats;

    error AlreadyStaked();
    error NotStaked();
    error TooEarly();
    error NotAllowed();
    error SameVote();
    error TooFewCheckers();
    error DelayTooShort(uint40 atLeast);

    event Staked(address indexed checker, uint32 seat, uint96 amount);
    event Leaving(address indexed checker, uint40 leavesAt);
    event Unstaked(address indexed checker, uint96 amount);
    event Slashed(address indexed checker, bytes32 indexed job, uint96 burned, uint96 reward, address reporter);
    event ArbiterNamed(address arbiter, uint40 changesAt);

    constructor(address owner_, IERC20 token_, uint96 stake_, uint40 unstakeDelay_, address arbiter_) Ownable(owner_) {
        if (unstakeDelay_ <= AT_RISK) revert DelayTooShort(AT_RISK + 1);
        token = token_;
        seatStake = stake_;
        unstakeDelay = unstakeDelay_;
        _arbiter = arbiter_;
    }

    /// Who may slash for crops that cannot be reproduced.
    function arbiter() public view returns (address) {
        return arbiterChangesAt != 0 && block.timestamp >= arbiterChangesAt ? nextArbiter : _arbiter;
    }

    /// Names the next arbiter. It has the word only after notice and unstake delay: a checker that does not trust it leaves with its stake before. Nobody
    /// (address 0) follows at once, since that puts no stake at risk.
    function setArbiter(address next) external onlyOwner {
        if (next == address(0)) (_arbiter, arbiterChangesAt) = (next, 0);
        else (_arbiter, arbiterChangesAt) = (arbiter(), uint40(block.timestamp) + unstakeDelay + ARBITER_NOTICE);
        nextArbiter = next;
        emit ArbiterNamed(next, arbiterChangesAt);
    }

    /// Joins with the one stake that all checkers have; a larger operator stakes several keys.
    function stake() external nonReentrant {
        Member storage member = members[msg.sender];
        if (member.stake != 0) revert AlreadyStaked();
        _seats.push(msg.sender);
        member.stake = seatStake;
        member.leavesAt = 0;
        member.seat = uint32(_seats.length);
        emit Staked(msg.sender, member.seat, seatStake);
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), seatStake);
        if (token.balanceOf(address(this)) - before != seatStake) revert NotAllowed();
    }

    /// Leaves the draws at once; the stake stays at risk until the delay is over.
    function requestUnstake() external {
        Member storage member = members[msg.sender];
        if (member.stake == 0) revert NotStaked();
        if (member.leavesAt != 0) revert AlreadyStaked();
        member.leavesAt = uint40(block.timestamp) + unstakeDelay;
        delete _seats[member.seat - 1];
        emit Leaving(msg.sender, member.leavesAt);
    }

    /// Takes the stake out, to any address, once the delay is over.
    function unstake(address to) external nonReentrant {
        Member storage member = members[msg.sender];
        uint96 amount = member.stake;
        if (amount == 0 || member.leavesAt == 0) revert NotStaked();
        if (block.timestamp < member.leavesAt) revert TooEarly();
        member.stake = 0;
        emit Unstaked(msg.sender, amount);
        token.safeTransfer(to, amount);
    }

    /// Two checked votes of one checker on the same frame and file with different verdicts. Anyone may report, for half of the stake.
    function slashEquivocation(
        address escrow,
        address checker,
        Vote calldata a,
        Vote calldata b,
        bytes calldata signatureA,
        bytes calldata signatureB
    ) external nonReentrant {
        if (
            a.job != b.job || a.lease != b.lease || a.frame != b.frame || a.part != b.part || a.outputHash != b.outputHash
                || !a.isChecked || !b.isChecked || a.verdict == b.verdict
        ) revert SameVote();
        SignedRows.mustBeValid(checker, _digest(escrow, a), signatureA);
        SignedRows.mustBeValid(checker, _digest(escrow, b), signatureB);
        _slash(checker, a.job, msg.sender);
    }

    /// For crops that the checker's own seed drew and that the arbiter cannot reproduce.
    function slashByArbiter(address checker, bytes32 job, address reporter) external nonReentrant {
        if (msg.sender != arbiter()) revert NotAllowed();
        _slash(checker, job, reporter);
    }

    /// @inheritdoc ICheckerRegistry
    function seats() external view returns (uint256) {
        return _seats.length;
    }

    /// @inheritdoc ICheckerRegistry
    function isActive(address checker) external view returns (bool) {
        Member storage member = members[checker];
        return member.stake != 0 && (member.leavesAt == 0 || block.timestamp + AT_RISK <= member.leavesAt);
    }

    /// @inheritdoc ICheckerRegistry
    /// @dev Walks through hashes of the seed, skipping empty seats and repetitions.
    function draw(bytes32 seed, uint256 seats_, uint256 count) external view returns (address[] memory committee) {
        committee = new address[](count);
        uint256 found;
        for (uint256 i; found < count; ++i) {
            if (i == MAX_TRIES || seats_ == 0) revert TooFewCheckers();
            address member = _seats[uint256(keccak256(abi.encode(seed, i))) % seats_];
            if (member == address(0)) continue;
            uint256 place = found;
            while (place != 0 && committee[place - 1] > member) --place;
            if (place != 0 && committee[place - 1] == member) continue;
            for (uint256 k = found; k > place; --k) committee[k] = committee[k - 1];
            committee[place] = member;
            ++found;
        }
    }

    function _slash(address checker, bytes32 job, address reporter) private {
        Member storage member = members[checker];
        uint96 amount = member.stake;
        if (amount == 0) revert NotStaked();
        member.stake = 0;
        if (member.leavesAt == 0) {
            delete _seats[member.seat - 1];
            member.leavesAt = uint40(block.timestamp);
        }
        uint96 burned = amount - amount / 2;
        emit Slashed(checker, job, burned, amount / 2, reporter);
        token.safeTransfer(BURN, burned);
        token.safeTransfer(reporter, amount / 2);
    }

    function _digest(address escrow, Vote calldata vote) private view returns (bytes32) {
        bytes32 domain =
            keccak256(abi.encode(DOMAIN_TYPEHASH, keccak256("Pictor"), keccak256("1"), block.chainid, escrow));
        return keccak256(abi.encodePacked(hex"1901", domain, keccak256(abi.encode(VOTE_TYPEHASH, vote))));
    }
}
