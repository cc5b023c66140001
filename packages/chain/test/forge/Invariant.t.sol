// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EscrowFunding} from "../../contracts/EscrowFunding.sol";
import {FarmShare, JobRef, Objection, Pinned, Terms} from "../../contracts/lib/JobTerms.sol";
import {Kit, TestLease, vm} from "./Kit.sol";

/// Drives random jobs through every call and keeps its own books beside the contract's. A rule that breaks is named in `broken`, because a revert inside a
/// handler would go unnoticed.
contract Handler is Kit {
    struct Ghost {
        JobRef ref;
        uint256 deposited;
        uint256 pending;
        uint256 released;
        uint256 refunded;
        bytes32 head;
        uint32 batches;
        uint256 leases;
    }

    bytes32[] public ids;
    mapping(bytes32 => Ghost) internal ghosts;
    mapping(bytes32 => mapping(address => bool)) internal hadKey;
    mapping(bytes32 => mapping(uint256 => TestLease)) internal leaseOf;
    mapping(bytes32 => mapping(uint256 => uint256)) public settledTimes;
    /// Encoded, because lists of structs cannot be copied to storage without via-IR.
    mapping(bytes32 => mapping(uint256 => bytes)) internal pinnedIn;
    mapping(bytes32 => mapping(uint256 => bool)) internal hasPinned;
    mapping(bytes32 => mapping(uint256 => mapping(uint256 => Objection))) internal objections;
    mapping(bytes32 => mapping(uint256 => mapping(uint256 => bool))) internal hasObjection;
    uint256 public bonds;
    uint256 public deposits;
    uint256 public withdrawn;
    string public broken;
    uint256 public calls;
    mapping(bytes32 => uint256) public succeeded;
    mapping(address => uint256) internal creditBefore;

    constructor() {
        _setUpKit(address(0));
    }

    function accounts() public view returns (address[] memory list) {
        list = new address[](12);
        (list[0], list[1], list[2]) = (CREATOR, PLATFORM, ARBITER);
        for (uint256 i; i < 3; ++i) list[3 + i] = payeeOf(i);
        for (uint256 i; i < 5; ++i) list[6 + i] = vm.addr(keys[i]);
        list[11] = farmOf(0);
    }

    function check(bool ok, string memory rule) internal {
        if (!ok && bytes(broken).length == 0) broken = rule;
    }

    /// I12: credit falls only by its owner's withdrawal.
    modifier watched() {
        ++calls;
        address[] memory list = accounts();
        for (uint256 i; i < list.length; ++i) creditBefore[list[i]] = escrow.creditOf(address(token), list[i]);
        _;
        for (uint256 i; i < list.length; ++i) {
            check(escrow.creditOf(address(token), list[i]) >= creditBefore[list[i]], "I12 credit fell");
        }
    }

    function _pick(uint256 seed) internal view returns (bytes32 id) {
        return ids[seed % ids.length];
    }

    function _fold(bytes32 id, uint8 kind, bytes32 item) internal {
        Ghost storage g = ghosts[id];
        g.head = keccak256(abi.encode(g.head == 0 ? id : g.head, kind, item));
    }

    function open(uint96 farmBudget, uint96 checkBudget, uint16 bps, uint96 fee, uint256 seed) external watched {
        if (ids.length == 6) return;
        Terms memory t = defaultTerms(bytes32(ids.length));
        t.farmBudget = 20e6 + farmBudget % 400e6;
        t.checkBudget = checkBudget % 4e6;
        t.platformFeeBps = bps % 3001;
        t.checkFee = fee % 30_000;
        t.disputeWindow = seed % 4 == 0 ? 0 : t.disputeWindow;
        TestLease[] memory list = new TestLease[](3);
        for (uint256 i; i < 3; ++i) {
            uint256 word = uint256(keccak256(abi.encode(seed, i)));
            list[i] = TestLease(
                uint32(1 + i + (seed % 2) * 38),
                uint8(word % 3),
                uint96((word >> 8) % 60e6),
                uint32(1 + (word >> 40) % 5000),
                0,
                uint16(5 + (word >> 80) % 20),
                uint40(block.timestamp) + HOUR
            );
            list[i].accepted = uint32((word >> 100) % (uint256(list[i].weightSum) + 1));
        }
        (bytes32 id, JobRef memory ref) = openAs(CREATOR, t, tree(list)[0]);
        ids.push(id);
        Ghost storage g = ghosts[id];
        g.ref = ref;
        g.deposited = uint256(t.farmBudget) + t.checkBudget;
        g.leases = 3;
        deposits += g.deposited;
        for (uint256 i; i < 3; ++i) leaseOf[id][i] = list[i];
        ++succeeded["open"];
    }

    function _leases(bytes32 id) internal view returns (TestLease[] memory list) {
        list = new TestLease[](3);
        for (uint256 i; i < 3; ++i) list[i] = leaseOf[id][i];
    }

    function attestSome(uint256 seed, uint8 mask, bool slow, uint32[3] memory votes) external watched {
        if (ids.length == 0) return;
        bytes32 id = _pick(seed);
        Ghost storage g = ghosts[id];
        uint256 count;
        for (uint256 i; i < 3; ++i) if (mask >> i & 1 == 1) ++count;
        if (count == 0) return;
        uint256[] memory which = new uint256[](count);
        count = 0;
        for (uint256 i; i < 3; ++i) if (mask >> i & 1 == 1) which[count++] = i;
        for (uint256 i; i < 3; ++i) votes[i] %= 100;
        TestLease[] memory list = _leases(id);
        bytes memory blob = blobOf(pick(list, which), 0, slow, votes);
        if (!_send(g.ref, id, blob, setProof(list, which))) return;
        ++succeeded["attest"];
        for (uint256 i; i < which.length; ++i) {
            check(++settledTimes[id][which[i]] == 1, "I6 settled twice");
            check(escrow.isSettled(id, list[which[i]].id), "settled bit");
        }
        Terms memory t = g.ref.terms;
        check(block.timestamp <= t.attestBy, "attested too late");
        uint40 window = slow && t.disputeWindow != 0 ? 72 * HOUR : t.disputeWindow;
        _attested(id, pinnedOf(t, pick(list, which), uint40(block.timestamp) + window, votes), keccak256(blob));
    }

    function _attested(bytes32 id, Pinned memory p, bytes32 batchHash) internal {
        Ghost storage g = ghosts[id];
        uint32 batch = ++g.batches;
        pinnedIn[id][batch] = abi.encode(p);
        hasPinned[id][batch] = true;
        g.pending += _worth(p);
        check(escrow.batchOf(id, batch) == keccak256(abi.encode(p)), "pinned as computed here");
        _fold(id, 1, keccak256(abi.encode(batch, batchHash)));
    }

    function _send(JobRef memory ref, bytes32 id, bytes memory blob, bytes memory proof) internal returns (bool ok) {
        uint40 until = uint40(block.timestamp) + HOUR;
        bytes memory signatures = rows(batchDigest(id, blob, until), 3);
        (ok,) = address(escrow).call(abi.encodeCall(escrow.attest, (ref, blob, proof, until, signatures)));
    }

    function _pinned(bytes32 id, uint32 batch) internal view returns (Pinned memory p) {
        if (pinnedIn[id][batch].length > 0) p = abi.decode(pinnedIn[id][batch], (Pinned));
    }

    function _worth(Pinned memory p) internal pure returns (uint256 sum) {
        sum = p.feeRefund;
        for (uint256 i; i < p.farms.length; ++i) sum += p.farms[i].price;
        for (uint256 i; i < p.checkers.length; ++i) sum += p.checkers[i].amount;
    }

    function release(uint256 seed, uint32 batch) external watched {
        if (ids.length == 0) return;
        bytes32 id = _pick(seed);
        Ghost storage g = ghosts[id];
        if (g.batches == 0) return;
        batch = batch % g.batches + 1;
        if (!hasPinned[id][batch]) return;
        _release(id, batch);
    }

    function _release(bytes32 id, uint32 batch) internal {
        Pinned memory p = _pinned(id, batch);
        (bool ok,) = address(escrow).call(abi.encodeCall(escrow.release, (id, batch, p)));
        if (!ok) return;
        ++succeeded["release"];
        check(block.timestamp >= p.releaseAt || p.approved, "I8 released too early");
        uint256 kept;
        uint256 sum;
        uint256 back = p.feeRefund;
        for (uint256 i; i < p.farms.length; ++i) {
            FarmShare memory s = p.farms[i];
            if (block.timestamp < p.releaseAt && s.gross != s.price) {
                p.farms[kept++] = s;
                continue;
            }
            sum += s.gross;
            back += s.price - s.gross;
        }
        for (uint256 i; i < p.checkers.length; ++i) sum += p.checkers[i].amount;
        _moved(id, batch, sum, back);
        FarmShare[] memory farms = new FarmShare[](kept);
        for (uint256 i; i < kept; ++i) farms[i] = p.farms[i];
        p.farms = farms;
        p.feeRefund = 0;
        delete p.checkers;
        hasPinned[id][batch] = kept > 0;
        pinnedIn[id][batch] = abi.encode(p);
    }

    /// I7 over all: what a release adds to the credits is exactly what it takes from pending.
    function _moved(bytes32 id, uint32 batch, uint256 sum, uint256 back) internal {
        Ghost storage g = ghosts[id];
        check(g.pending >= sum + back, "I10 pending");
        g.pending -= sum + back;
        g.released += sum;
        g.refunded += back;
        _fold(id, 3, keccak256(abi.encode(batch, sum, uint96(back))));
    }

    function approve(uint256 seed, uint32 batch) external watched {
        if (ids.length == 0) return;
        bytes32 id = _pick(seed);
        if (ghosts[id].batches == 0) return;
        batch = batch % ghosts[id].batches + 1;
        if (!hasPinned[id][batch]) return;
        Pinned memory p = _pinned(id, batch);
        vm.prank(CREATOR);
        escrow.approveEarly(ghosts[id].ref, batch, p, "");
        p.approved = true;
        pinnedIn[id][batch] = abi.encode(p);
        ++succeeded["approve"];
    }

    function dispute(uint256 seed, uint32 batch, uint256 index, uint8 who) external watched {
        if (ids.length == 0) return;
        bytes32 id = _pick(seed);
        Ghost storage g = ghosts[id];
        if (g.batches == 0) return;
        batch = batch % g.batches + 1;
        Pinned memory p = _pinned(id, batch);
        if (p.farms.length == 0) return;
        index %= p.farms.length;
        FarmShare memory s = p.farms[index];
        address by = who % 3 == 0 ? CREATOR : who % 3 == 1 ? s.payTo : vm.addr(keys[0]);
        Objection memory o = objectionOf(g.ref, s, by, by, false);
        token.mint(by, o.bond);
        vm.startPrank(by);
        token.approve(address(escrow), o.bond);
        (bool ok,) = address(escrow).call(abi.encodeCall(court.dispute, (g.ref, batch, p, index, 0, by, "")));
        vm.stopPrank();
        if (!ok) return;
        ++succeeded["dispute"];
        check(block.timestamp < p.releaseAt, "I8 disputed too late");
        bonds += o.bond;
        deposits += o.bond;
        FarmShare[] memory others = new FarmShare[](p.farms.length - 1);
        for (uint256 i; i < others.length; ++i) others[i] = p.farms[i < index ? i : i + 1];
        p.farms = others;
        pinnedIn[id][batch] = abi.encode(p);
        uint256 farm = uint160(s.farm) - 0xF000;
        objections[id][batch][farm] = o;
        hasObjection[id][batch][farm] = true;
    }

    function claim(uint256 seed, uint256 index) external watched {
        if (ids.length == 0) return;
        bytes32 id = _pick(seed);
        Ghost storage g = ghosts[id];
        index %= 3;
        TestLease[] memory list = _leases(id);
        TestLease memory l = list[index];
        Objection memory o =
            objectionOf(g.ref, FarmShare(farmOf(l.farm), payeeOf(l.farm), l.price, 0), payeeOf(l.farm), payeeOf(l.farm), true);
        token.mint(payeeOf(l.farm), o.bond);
        bytes memory data = _claimData(id, g.ref, l, _path(list, index));
        vm.startPrank(payeeOf(l.farm));
        token.approve(address(escrow), o.bond);
        (bool ok,) = address(escrow).call(data);
        vm.stopPrank();
        if (!ok) return;
        ++succeeded["claim"];
        check(++settledTimes[id][index] == 1, "I6 claimed twice");
        check(block.timestamp > l.commitBy && block.timestamp <= g.ref.terms.attestBy + g.ref.terms.claimTime, "claim time");
        uint32 batch = ++g.batches;
        g.pending += l.price;
        bonds += o.bond;
        deposits += o.bond;
        objections[id][batch][l.farm] = o;
        hasObjection[id][batch][l.farm] = true;
        _fold(id, 6, keccak256(abi.encode(batch, l.id, farmOf(l.farm), l.price, bytes32("root"))));
    }

    function _claimData(bytes32 id, JobRef memory ref, TestLease memory l, bytes32[] memory path) internal view returns (bytes memory) {
        bytes memory held = rows(heldDigest(id, l.id, "root"), 3);
        return abi.encodeCall(court.claim, (ref, leaseData(l), 0, ref.setRoot, "", path, "root", held));
    }

    function _path(TestLease[] memory list, uint256 index) internal pure returns (bytes32[] memory path) {
        bytes32[] memory nodes = tree(list);
        uint256 node = nodes.length - 1 - index;
        uint256 depth;
        for (uint256 n = node; n > 0; n = (n - 1) / 2) ++depth;
        path = new bytes32[](depth);
        for (uint256 d; node > 0; node = (node - 1) / 2) path[d++] = nodes[node % 2 == 1 ? node + 1 : node - 1];
    }

    function conclude(uint256 seed, uint32 batch, uint256 farm, uint16 perMille, bool silent) external watched {
        if (ids.length == 0) return;
        bytes32 id = _pick(seed);
        if (ghosts[id].batches == 0) return;
        batch = batch % ghosts[id].batches + 1;
        farm %= 3;
        if (!hasObjection[id][batch][farm]) return;
        _conclude(id, batch, farm, perMille % 1001, silent);
    }

    function _conclude(bytes32 id, uint32 batch, uint256 farm, uint16 perMille, bool silent) internal {
        Ghost storage g = ghosts[id];
        Objection memory o = objections[id][batch][farm];
        bytes memory data = silent
            ? abi.encodeCall(court.lapse, (g.ref, batch, o))
            : abi.encodeCall(court.resolve, (g.ref, batch, o, perMille));
        vm.prank(silent ? address(0x51) : ARBITER);
        (bool ok,) = address(escrow).call(data);
        if (!ok) return;
        ++succeeded[silent ? bytes32("lapse") : bytes32("resolve")];
        check((block.timestamp > o.until) == silent, "resolved in time or lapsed after it");
        hasObjection[id][batch][farm] = false;
        bonds -= o.bond;
        uint256 gross = silent ? o.share.gross : uint256(o.share.price) * perMille / 1000;
        _fold(id, 2, keccak256(abi.encode(batch, o.share.farm, silent ? type(uint16).max : perMille)));
        _moved(id, batch, gross, o.share.price - gross);
    }

    function finalize(uint256 seed, uint96 more) external watched {
        if (ids.length == 0) return;
        bytes32 id = _pick(seed);
        Ghost storage g = ghosts[id];
        (, uint96 farm, uint96 check_,,,,) = escrow.jobs(id);
        uint256 locked = uint256(farm) + check_;
        uint96 keep = uint96(g.pending + g.released + g.refunded + more % (locked + 1));
        (bool ok,) = address(escrow).call(abi.encodeCall(court.finalize, (g.ref, keep, rows(finalDigest(id, keep), 3))));
        if (!ok) return;
        ++succeeded["final"];
        uint256 back = g.deposited - keep;
        g.refunded += back;
        _fold(id, 4, keccak256(abi.encode(keep, uint96(back))));
    }

    function refund(uint256 seed) external watched {
        if (ids.length == 0) return;
        _refund(_pick(seed));
    }

    function _refund(bytes32 id) internal {
        Ghost storage g = ghosts[id];
        (, uint96 farm, uint96 check_,,,,) = escrow.jobs(id);
        uint256 before = g.pending;
        (bool ok,) = address(escrow).call(abi.encodeCall(court.refund, (g.ref)));
        if (!ok) return;
        ++succeeded["refund"];
        check(block.timestamp >= g.ref.terms.refundAfter, "refunded too early");
        check(g.pending == before, "I10 a refund takes from pending");
        g.refunded += uint256(farm) + check_;
        _fold(id, 5, keccak256(abi.encode(farm + check_)));
    }

    function cancel(uint256 seed) external watched {
        if (ids.length == 0 || seed % 5 != 0) return;
        vm.prank(CREATOR);
        court.cancel(ghosts[_pick(seed)].ref, "");
        ++succeeded["cancel"];
    }

    function rekey(uint256 seed, address key) external watched {
        if (ids.length == 0 || seed % 5 != 1) return;
        bytes32 id = _pick(seed);
        // A key is in force once; the fuzzer likes to repeat addresses.
        if (hadKey[id][key] || key == ghosts[id].ref.terms.leaseKey) return;
        hadKey[id][key] = true;
        vm.prank(CREATOR);
        court.setLeaseKey(ghosts[id].ref, key, "");
        _fold(id, 7, keccak256(abi.encode(key)));
        ++succeeded["rekey"];
    }

    function topUp(uint256 seed, uint96 farm, uint96 check_) external watched {
        if (ids.length == 0) return;
        bytes32 id = _pick(seed);
        (farm, check_) = (farm % 100e6, check_ % 1e6);
        token.mint(CREATOR, uint256(farm) + check_);
        vm.startPrank(CREATOR);
        token.approve(address(escrow), uint256(farm) + check_);
        (bool ok,) = address(escrow).call(abi.encodeCall(escrow.topUp, (ghosts[id].ref, farm, check_, keccak256(abi.encode(calls)))));
        vm.stopPrank();
        if (!ok) return;
        ++succeeded["topUp"];
        ghosts[id].deposited += uint256(farm) + check_;
        deposits += uint256(farm) + check_;
    }

    function withdraw(uint256 who) external {
        ++calls;
        address[] memory list = accounts();
        _withdraw(list[who % list.length]);
    }

    function _withdraw(address account) internal {
        uint256 due = escrow.creditOf(address(token), account);
        uint256 before = token.balanceOf(account);
        vm.prank(account);
        escrow.withdraw(address(token), account);
        check(token.balanceOf(account) - before == due, "withdrew another sum");
        withdrawn += due;
        if (due > 0) ++succeeded["withdraw"];
    }

    function warp(uint32 seconds_) external {
        // Mostly small steps, so that windows are met from both sides; now and then a leap over them.
        vm.warp(block.timestamp + (seconds_ % 8 == 0 ? seconds_ % 100 hours : seconds_ % 90 minutes));
    }

    /// I11: after all times a fixed sequence of calls that anyone may make empties every job.
    function drain() external {
        vm.warp(block.timestamp + 1000 days);
        for (uint256 j; j < ids.length; ++j) {
            bytes32 id = ids[j];
            for (uint32 b = 1; b <= ghosts[id].batches; ++b) {
                for (uint256 f; f < 3; ++f) if (hasObjection[id][b][f]) _conclude(id, b, f, 0, true);
                if (hasPinned[id][b]) _release(id, b);
            }
            _refund(id);
            check(ghosts[id].pending == 0, "I11 pending is left");
            check(
                ghosts[id].released + ghosts[id].refunded == ghosts[id].deposited, "I11 all was released or refunded"
            );
        }
        check(bonds == 0, "I11 bonds are left");
        address[] memory list = accounts();
        for (uint256 i; i < list.length; ++i) _withdraw(list[i]);
        check(token.balanceOf(address(escrow)) == 0, "I11 the escrow is empty");
    }

    function sums() external view returns (uint256 locked, uint256 pending, uint256 credits, uint256 owed, uint256 balance) {
        for (uint256 i; i < ids.length; ++i) {
            (, uint96 farm, uint96 check_,,,,) = escrow.jobs(ids[i]);
            locked += uint256(farm) + check_;
            pending += ghosts[ids[i]].pending;
        }
        address[] memory list = accounts();
        for (uint256 i; i < list.length; ++i) credits += escrow.creditOf(address(token), list[i]);
        (uint128 due,,) = escrow.assets(address(token));
        return (locked, pending, credits, due, token.balanceOf(address(escrow)));
    }

    function jobHolds(uint256 i) external view returns (bool balanced, bool headed) {
        bytes32 id = ids[i];
        Ghost storage g = ghosts[id];
        (, uint96 farm, uint96 check_,,,, bytes32 head) = escrow.jobs(id);
        balanced = uint256(farm) + check_ + g.pending + g.released + g.refunded == g.deposited;
        headed = head == g.head;
    }

    function jobCount() external view returns (uint256) {
        return ids.length;
    }
}

contract EscrowInvariants {
    Handler internal handler;

    function setUp() public {
        handler = new Handler();
    }

    function targetContracts() public view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(handler);
    }

    function excludeSelectors() public view returns (FuzzSelector[] memory list) {
        list = new FuzzSelector[](1);
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = Handler.drain.selector;
        list[0] = FuzzSelector(address(handler), selectors);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    /// All rules in one run each: separate runs would only repeat the same calls.
    function invariant_I1_to_I12() public view {
        // I1, I2, I3, I5: the escrow owns exactly what jobs, bonds and credits add up to, and what came in less what went out.
        (uint256 locked, uint256 pending, uint256 credits, uint256 owed, uint256 balance) = handler.sums();
        require(balance == owed, "I1");
        require(owed == locked + pending + credits + handler.bonds(), "I2 I3");
        require(balance + handler.withdrawn() == handler.deposits(), "I5");
        // I4: each job's deposit is locked, pending, released or refunded. I9: its head is the fold of what happened.
        for (uint256 i; i < handler.jobCount(); ++i) {
            (bool balanced, bool headed) = handler.jobHolds(i);
            require(balanced, "I4");
            require(headed, "I9");
        }
        // I6, I7, I8, I10, I12 are checked at each call.
        require(bytes(handler.broken()).length == 0, handler.broken());
    }

    /// I11: at the end of each run everything can be drained.
    function afterInvariant() public {
        handler.drain();
        require(bytes(handler.broken()).length == 0, handler.broken());
        (uint256 locked, uint256 pending, uint256 credits, uint256 owed, uint256 balance) = handler.sums();
        require(locked + pending + credits + owed + balance == 0, "I11");
    }
}

/// The random runs above prove nothing about calls that never succeed, so this one counts.
contract HandlerReachTest {
    function test_the_handler_makes_every_call_succeed() public {
        bytes32[14] memory names = [
            bytes32("open"), "attest", "release", "approve", "dispute", "claim", "resolve", "lapse", "final", "refund", "cancel", "topUp",
            "withdraw", "rekey"
        ];
        uint256[14] memory sums;
        for (uint256 round; round < 16; ++round) {
            Handler handler = new Handler();
            for (uint256 i; i < 150; ++i) _step(handler, uint256(keccak256(abi.encode(round, i))));
            handler.drain();
            for (uint256 k; k < 14; ++k) sums[k] += handler.succeeded(names[k]);
            require(bytes(handler.broken()).length == 0, handler.broken());
        }
        for (uint256 k; k < 14; ++k) require(sums[k] > 0, string(abi.encodePacked(names[k])));
    }

    function _step(Handler handler, uint256 r) private {
        uint256 a = r >> 16;
        uint32 b = uint32(r >> 200);
        uint256 kind = r % 15;
        bytes memory data;
        if (kind == 0) data = abi.encodeCall(handler.open, (uint96(a), uint96(a >> 8), uint16(a), uint96(a >> 9), a));
        if (kind == 1) data = abi.encodeCall(handler.attestSome, (a, uint8(a >> 90), a % 2 == 0, [b, b / 2, b / 3]));
        if (kind == 2) data = abi.encodeCall(handler.release, (a, b));
        if (kind == 3) data = abi.encodeCall(handler.approve, (a, b));
        if (kind == 4) data = abi.encodeCall(handler.dispute, (a, b, a >> 3, uint8(a >> 50)));
        if (kind == 5) data = abi.encodeCall(handler.claim, (a, a >> 40));
        if (kind == 6 || kind == 7) data = abi.encodeCall(handler.conclude, (a, b, a >> 60, uint16(a >> 70), a >> 80 & 1 == 0));
        if (kind == 8) data = abi.encodeCall(handler.finalize, (a, uint96(a >> 20)));
        if (kind == 9) data = abi.encodeCall(handler.refund, (a));
        if (kind == 10) data = abi.encodeCall(handler.cancel, (a));
        if (kind == 11) data = abi.encodeCall(handler.topUp, (a, uint96(a), uint96(a >> 7)));
        if (kind == 12) data = abi.encodeCall(handler.withdraw, (a));
        if (kind == 13) data = abi.encodeCall(handler.warp, (b));
        if (kind == 14) data = abi.encodeCall(handler.rekey, (a, address(uint160(a >> 5))));
        (bool ok,) = address(handler).call(data);
        ok;
    }
}
