// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CheckerRegistry, Vote} from "../../contracts/CheckerRegistry.sol";
import {EscrowBase} from "../../contracts/EscrowBase.sol";
import {EscrowCourt} from "../../contracts/EscrowCourt.sol";
import {FarmRegistry} from "../../contracts/FarmRegistry.sol";
import {JobRef, Terms} from "../../contracts/lib/JobTerms.sol";
import {SignedRows} from "../../contracts/lib/SignedRows.sol";
import {Kit, TestLease, vm} from "./Kit.sol";

/// Stakes, committees, slashing, and the farms' register.
contract RegistryTest is Kit {
    uint256 internal constant SEATS = 12;

    function setUp() public {
        _setUpKit(address(0));
        for (uint256 i; i < SEATS; ++i) _stake(_key(i));
    }

    function _key(uint256 i) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode("seat", i)));
    }

    function _stake(uint256 key) internal {
        token.mint(vm.addr(key), 1000e6);
        vm.startPrank(vm.addr(key));
        token.approve(address(registry), 1000e6);
        registry.stake();
        vm.stopPrank();
    }

    function _openDrawn(bytes32 run) internal returns (bytes32 id, JobRef memory ref, TestLease[] memory leases) {
        leases = new TestLease[](1);
        leases[0] = lease(1, 0, 50e6, 1000);
        Terms memory t = defaultTerms(run);
        t.checkers = new address[](0);
        t.registryDraw = 5;
        (id, ref) = openAs(CREATOR, t, tree(leases)[0]);
    }

    function test_a_committee_is_drawn_after_the_opening_and_signs() public {
        (bytes32 id, JobRef memory ref, TestLease[] memory leases) = _openDrawn("drawn");
        vm.expectRevert(EscrowBase.TooEarly.selector);
        court.drawCommittee(ref);
        vm.roll(block.number + 2);
        vm.setBlockhash(block.number - 1, keccak256("decides"));
        address[] memory committee = court.drawCommittee(ref);
        for (uint256 i; i < 5; ++i) {
            require(registry.isActive(committee[i]), "staked");
            require(i == 0 || committee[i] > committee[i - 1], "ascending");
        }
        // Before the draw is passed along nobody can sign, afterwards only the drawn.
        vm.expectRevert(EscrowBase.UnknownJob.selector);
        court.cancel(ref, "");
        ref.drawn = committee;
        bytes memory blob = blobOf(leases, 0, false, [uint32(1), 1, 1]);
        uint40 until = uint40(block.timestamp) + HOUR;
        bytes32 d = batchDigest(id, blob, until);
        bytes memory signatures;
        for (uint8 i; i < 3; ++i) signatures = abi.encodePacked(signatures, i, uint16(65), sign(_keyOf(committee[i]), d));
        bytes memory proof = setProof(leases, all(1));
        bytes memory strangers = rows(d, 3);
        vm.expectRevert(abi.encodeWithSelector(SignedRows.BadSignature.selector, committee[0]));
        escrow.attest(ref, blob, proof, until, strangers);
        escrow.attest(ref, blob, proof, until, signatures);
        vm.expectRevert(EscrowCourt.AlreadyDone.selector);
        court.drawCommittee(ref);
    }

    function test_a_checker_that_lost_its_stake_signs_no_more() public {
        (bytes32 id, JobRef memory ref, TestLease[] memory leases) = _openDrawn("slashed");
        vm.roll(block.number + 2);
        vm.setBlockhash(block.number - 1, keccak256("decides"));
        ref.drawn = court.drawCommittee(ref);
        vm.prank(ARBITER);
        registry.slashByArbiter(ref.drawn[1], id, CREATOR);
        bytes memory blob = blobOf(leases, 0, false, [uint32(1), 1, 1]);
        uint40 until = uint40(block.timestamp) + HOUR;
        bytes memory signatures;
        for (uint8 i; i < 3; ++i) {
            signatures = abi.encodePacked(signatures, i, uint16(65), sign(_keyOf(ref.drawn[i]), batchDigest(id, blob, until)));
        }
        bytes memory proof = setProof(leases, all(1));
        vm.expectRevert(EscrowBase.NotAllowed.selector);
        escrow.attest(ref, blob, proof, until, signatures);
    }

    function test_an_opener_cannot_see_the_draw_and_undo_the_opening() public {
        (, JobRef memory ref,) = _openDrawn("grind");
        // In the block of the opening and the next there is no draw to look at.
        vm.roll(block.number + 1);
        vm.expectRevert(EscrowBase.TooEarly.selector);
        court.drawCommittee(ref);
    }

    function test_a_draw_that_nobody_made_in_time_is_made_by_a_later_block() public {
        (, JobRef memory ref,) = _openDrawn("late");
        vm.roll(block.number + 300);
        require(court.drawCommittee(ref).length == 0, "too old: put off");
        vm.roll(block.number + 2);
        vm.setBlockhash(block.number - 1, keccak256("later"));
        require(court.drawCommittee(ref).length == 5, "drawn");
    }

    function test_joining_or_leaving_after_the_opening_shifts_no_draw() public {
        bytes32 seed = keccak256("seed");
        address[] memory before = registry.draw(seed, SEATS, 5);
        _stake(_key(SEATS));
        address[] memory joined = registry.draw(seed, SEATS, 5);
        for (uint256 i; i < 5; ++i) require(joined[i] == before[i], "a newcomer changes nothing");
        address leaver = before[2];
        vm.prank(leaver);
        registry.requestUnstake();
        address[] memory left = registry.draw(seed, SEATS, 5);
        uint256 same;
        for (uint256 i; i < 5; ++i) {
            for (uint256 k; k < 5; ++k) if (left[i] == before[k]) ++same;
            require(left[i] != leaver, "gone");
        }
        require(same == 4, "the others stay");
    }

    function testFuzz_a_draw_is_distinct_ascending_and_staked(bytes32 seed, uint8 count) public view {
        count = count % 9;
        address[] memory drawn = registry.draw(seed, SEATS, count);
        for (uint256 i; i < count; ++i) {
            require(registry.isActive(drawn[i]) && (i == 0 || drawn[i] > drawn[i - 1]), "draw");
        }
    }

    function test_a_stake_stays_at_risk_until_the_delay_is_over() public {
        address checker = vm.addr(_key(0));
        vm.startPrank(checker);
        vm.expectRevert(CheckerRegistry.NotStaked.selector);
        registry.unstake(checker);
        registry.requestUnstake();
        vm.expectRevert(CheckerRegistry.TooEarly.selector);
        registry.unstake(checker);
        vm.stopPrank();
        vm.warp(block.timestamp + 89 days);
        vm.prank(ARBITER);
        registry.slashByArbiter(checker, 0, CREATOR);
        vm.warp(block.timestamp + 60 days);
        vm.prank(checker);
        vm.expectRevert(CheckerRegistry.NotStaked.selector);
        registry.unstake(checker);
    }

    function test_a_leaver_signs_only_while_its_stake_outlives_the_disputes_of_what_it_signs() public {
        address checker = vm.addr(_key(0));
        vm.prank(checker);
        registry.requestUnstake();
        // 90 days in all: window and resolveBy may take 60 of them.
        vm.warp(block.timestamp + 30 days);
        require(registry.isActive(checker), "still answers for what it signs now");
        vm.warp(block.timestamp + 1);
        require(!registry.isActive(checker), "could be gone before a dispute ends");
    }

    function test_a_registry_needs_a_delay_longer_than_window_and_resolve_by() public {
        for (uint40 delay = 0; delay <= 60 days; delay += 30 days) {
            vm.expectRevert(abi.encodeWithSelector(CheckerRegistry.DelayTooShort.selector, 60 days + 1));
            this.tryRegistry(delay);
        }
        require(deployRegistry(address(token), 1, 60 days + 1).unstakeDelay() == 60 days + 1, "longer");
    }

    function tryRegistry(uint40 delay) external {
        deployRegistry(address(token), 1, delay);
    }

    function test_unstake_after_the_delay_returns_the_stake() public {
        address checker = vm.addr(_key(0));
        vm.prank(checker);
        registry.requestUnstake();
        vm.warp(block.timestamp + 90 days);
        vm.prank(checker);
        registry.unstake(checker);
        require(token.balanceOf(checker) == 1000e6, "returned");
    }

    function test_checker_signs_two_verdicts_for_one_frame() public {
        address checker = vm.addr(_key(3));
        Vote memory a = Vote("job", 1, 7, 0, keccak256("bytes"), true, 0, 990, 0);
        Vote memory b = Vote("job", 1, 7, 0, keccak256("bytes"), true, 1, 10, 0);
        bytes memory signatureA = sign(_key(3), _voteDigest(a));
        bytes memory signatureB = sign(_key(3), _voteDigest(b));
        address reporter = address(0x4E9);
        vm.prank(reporter);
        registry.slashEquivocation(address(escrow), checker, a, b, signatureA, signatureB);
        require(token.balanceOf(reporter) == 500e6, "half to the reporter");
        require(token.balanceOf(0x000000000000000000000000000000000000dEaD) == 500e6, "half burned");
        require(!registry.isActive(checker), "out");
        vm.expectRevert(CheckerRegistry.NotStaked.selector);
        registry.slashEquivocation(address(escrow), checker, a, b, signatureA, signatureB);
    }

    function test_votes_that_do_not_contradict_each_other_slash_nobody() public {
        address checker = vm.addr(_key(3));
        Vote memory a = Vote("job", 1, 7, 0, keccak256("bytes"), true, 0, 990, 0);
        for (uint256 i; i < 7; ++i) {
            Vote memory b = Vote("job", 1, 7, 0, keccak256("bytes"), true, 1, 10, 0);
            if (i == 0) b.verdict = 0;
            if (i == 1) b.isChecked = false;
            if (i == 2) b.outputHash = keccak256("other bytes");
            if (i == 3) b.frame = 8;
            if (i == 4) b.part = 1;
            if (i == 5) b.lease = 2;
            if (i == 6) b.job = "other job";
            bytes memory signatureA = sign(_key(3), _voteDigest(a));
            bytes memory signatureB = sign(_key(3), _voteDigest(b));
            vm.expectRevert(CheckerRegistry.SameVote.selector);
            registry.slashEquivocation(address(escrow), checker, a, b, signatureA, signatureB);
        }
        Vote memory c = Vote("job", 1, 7, 0, keccak256("bytes"), true, 1, 10, 0);
        bytes memory mine = sign(_key(3), _voteDigest(a));
        bytes memory forged = sign(_key(4), _voteDigest(c));
        vm.expectRevert(abi.encodeWithSelector(SignedRows.BadSignature.selector, checker));
        registry.slashEquivocation(address(escrow), checker, a, c, mine, forged);
        vm.expectRevert(CheckerRegistry.NotAllowed.selector);
        registry.slashByArbiter(checker, 0, address(this));
    }

    function test_a_new_arbiter_has_no_word_before_checkers_could_leave_with_their_stake() public {
        address checker = vm.addr(_key(0));
        address next = address(0xA4B2);
        vm.prank(next);
        vm.expectRevert();
        registry.setArbiter(next);
        registry.setArbiter(next);
        vm.prank(checker);
        registry.requestUnstake();
        vm.warp(block.timestamp + 90 days);
        vm.prank(next);
        vm.expectRevert(CheckerRegistry.NotAllowed.selector);
        registry.slashByArbiter(checker, 0, next);
        vm.prank(checker);
        registry.unstake(checker);
        require(registry.arbiter() == ARBITER, "not yet");
        vm.warp(block.timestamp + 30 days);
        require(registry.arbiter() == next, "now");
        vm.prank(next);
        registry.slashByArbiter(vm.addr(_key(1)), 0, next);
        registry.setArbiter(address(0));
        require(registry.arbiter() == address(0), "nobody, at once");
    }

    function test_farm_registry_keys_and_bonds() public {
        FarmRegistry farms = deployFarms(address(token));
        address owner = address(0x0EA);
        address key = address(0xCE4);
        token.mint(owner, 50e6);
        vm.prank(owner);
        vm.expectRevert(FarmRegistry.KeyTaken.selector);
        farms.setFarm(key, owner, "https://farm.example");
        vm.prank(key);
        farms.offerKey(owner);
        vm.startPrank(owner);
        farms.setFarm(key, owner, "https://farm.example");
        require(farms.ownerOf(key) == owner, "owner");
        token.approve(address(farms), 50e6);
        farms.addBond(50e6);
        farms.withdrawBond();
        vm.expectRevert(FarmRegistry.TooEarly.selector);
        farms.takeBond(owner);
        vm.warp(block.timestamp + 1 days);
        farms.takeBond(owner);
        require(token.balanceOf(owner) == 50e6, "bond");
    }

    function _keyOf(address account) internal pure returns (uint256) {
        for (uint256 i; i <= SEATS; ++i) if (vm.addr(_key(i)) == account) return _key(i);
        revert("no such key");
    }

    function _voteDigest(Vote memory vote) internal view returns (bytes32) {
        return digest(
            keccak256(
                abi.encode(
                    keccak256(
                        "Vote(bytes32 job,uint32 lease,int32 frame,uint32 part,bytes32 outputHash,bool checked,uint8 verdict,uint16 score,bytes32 cropsHash)"
                    ),
                    vote
                )
            )
        );
    }
}
