// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CheckerRegistry} from "../../contracts/CheckerRegistry.sol";
import {DevUsd} from "../../contracts/DevUsd.sol";
import {EscrowCourt} from "../../contracts/EscrowCourt.sol";
import {EscrowFunding} from "../../contracts/EscrowFunding.sol";
import {FarmRegistry} from "../../contracts/FarmRegistry.sol";
import {
    CheckerShare, FarmShare, JobRef, LeaseData, Objection, Pinned, Terms
} from "../../contracts/lib/JobTerms.sol";
import {PictorEscrow} from "../../contracts/PictorEscrow.sol";

/// The cheatcodes that are used. The npm copy of forge-std is unofficial and old, so they are declared here.
interface Vm {
    function sign(uint256 key, bytes32 digest) external pure returns (uint8, bytes32, bytes32);
    function addr(uint256 key) external pure returns (address);
    function prank(address) external;
    function startPrank(address) external;
    function stopPrank() external;
    function warp(uint256) external;
    function roll(uint256) external;
    function chainId(uint256) external;
    function etch(address, bytes calldata) external;
    function assume(bool) external pure;
    function expectRevert(bytes4) external;
    function expectRevert() external;
    function expectRevert(bytes calldata) external;
    function setBlockhash(uint256, bytes32) external;
    function load(address, bytes32) external view returns (bytes32);
    function store(address, bytes32, bytes32) external;
    function readFile(string calldata) external view returns (string memory);
    function parseJsonBytes(string calldata, string calldata) external pure returns (bytes memory);
    function getCode(string calldata) external view returns (bytes memory);
    function envOr(string calldata, bool) external view returns (bool);
}

Vm constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

/// One lease of a test batch. `farm` is an index; `accepted` is of `weightSum`.
struct TestLease {
    uint32 id;
    uint8 farm;
    uint96 price;
    uint32 weightSum;
    uint32 accepted;
    uint16 frames;
    uint40 commitBy;
}

/// Builds jobs, batches and signatures as the TypeScript side does (docs/encodings.md), independently of it.
contract Kit {
    DevUsd internal token;
    PictorEscrow internal escrow;
    /// The escrow again, with the court's calls.
    EscrowCourt internal court;
    CheckerRegistry internal registry;
    uint256[] internal keys;
    address internal constant CREATOR = address(0xC0FFEE);
    address internal constant PLATFORM = address(0x91A7F0);
    address internal constant ARBITER = address(0xA4B1);
    uint256 internal constant LEASE_KEY = 0x1EA5E;
    uint40 internal constant HOUR = 3600;
    address internal constant PERMIT2 = 0x000000000022D473030F116dDEE9F6B43aC78BA3;

    function _setUpKit(address asset) internal {
        vm.warp(1_800_000_000);
        vm.roll(1000);
        token = DevUsd(asset == address(0) ? deploy("DevUsd", "") : asset);
        registry = deployRegistry(address(token), 1000e6, 90 days);
        escrow = deployEscrow(PERMIT2);
        court = EscrowCourt(address(escrow));
        escrow.setAsset(address(token), true, 1e6);
        for (uint256 i; i < 5; ++i) keys.push(uint256(keccak256(abi.encode("checker", i))));
        for (uint256 i; i < 5; ++i) {
            for (uint256 k = i + 1; k < 5; ++k) {
                if (vm.addr(keys[k]) < vm.addr(keys[i])) (keys[i], keys[k]) = (keys[k], keys[i]);
            }
        }
    }

    /// Deploys the code that ships (abi/NAME.json), not a compilation of its own, so that what is tested is what runs. PICTOR_TEST_BUILD takes the code that
    /// forge built instead: coverage has to instrument it and mutants to change it.
    function deploy(string memory name, bytes memory args) internal returns (address deployed) {
        bytes memory code = vm.envOr("PICTOR_TEST_BUILD", false)
            ? vm.getCode(string.concat(name, ".sol:", name))
            : vm.parseJsonBytes(vm.readFile(string.concat("abi/", name, ".json")), ".bytecode");
        code = bytes.concat(code, args);
        assembly ("memory-safe") {
            deployed := create(0, add(code, 32), mload(code))
            if iszero(deployed) {
                returndatacopy(0, 0, returndatasize())
                revert(0, returndatasize())
            }
        }
    }

    function deployRegistry(address asset, uint96 stake, uint40 delay) internal returns (CheckerRegistry) {
        return CheckerRegistry(deploy("CheckerRegistry", abi.encode(address(this), asset, stake, delay, ARBITER)));
    }

    function deployEscrow(address permit2) internal returns (PictorEscrow) {
        address court_ = deploy("EscrowCourt", abi.encode(registry, uint40(60)));
        return PictorEscrow(deploy("PictorEscrow", abi.encode(address(this), court_, permit2)));
    }

    function deployFarms(address asset) internal returns (FarmRegistry) {
        return FarmRegistry(deploy("FarmRegistry", abi.encode(asset, uint40(1 days))));
    }

    /// Farms ascending by address, as batches want them.
    function farmOf(uint256 i) internal pure returns (address) {
        return address(uint160(0xF000 + i));
    }

    function payeeOf(uint256 i) internal pure returns (address) {
        return address(uint160(0xAA000 + i));
    }

    function defaultTerms(bytes32 run) internal view returns (Terms memory t) {
        t.creator = CREATOR;
        t.runId = run;
        t.token = address(token);
        t.farmBudget = 1000e6;
        t.checkBudget = 100e6;
        t.frameCap = 10e6;
        t.checkFee = 10_001;
        t.specHash = keccak256("spec");
        t.bundleRoot = keccak256("bundle");
        t.quoteHash = keccak256("quote");
        t.checkers = new address[](5);
        for (uint256 i; i < 5; ++i) t.checkers[i] = vm.addr(keys[i]);
        t.quorum = 3;
        t.arbiter = ARBITER;
        t.leaseKey = vm.addr(LEASE_KEY);
        t.platform = PLATFORM;
        t.platformFeeBps = 500;
        t.recordMode = 1;
        t.deadline = uint40(block.timestamp) + 10 * HOUR;
        t.attestBy = t.deadline + 10 * HOUR;
        t.claimTime = 10 * HOUR;
        t.refundAfter = t.attestBy + 100 * HOUR;
        t.disputeWindow = 2 * HOUR;
        t.resolveBy = 24 * HOUR;
    }

    function lease(uint32 id, uint8 farm, uint96 price, uint32 accepted) internal view returns (TestLease memory) {
        return TestLease(id, farm, price, 1000, accepted, 10, uint40(block.timestamp) + HOUR);
    }

    function restHash(TestLease memory l) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(keccak256(abi.encode("chunk", l.id)), keccak256("weights"), uint32(0), uint8(0), l.commitBy, uint32(0))
        );
    }

    function leaf(TestLease memory l) internal pure returns (bytes32) {
        return keccak256(
            abi.encodePacked(
                uint8(0), l.id, farmOf(l.farm), payeeOf(l.farm), l.price, l.weightSum, uint32(l.frames), restHash(l)
            )
        );
    }

    function leaseData(TestLease memory l) internal pure returns (LeaseData memory d) {
        d = LeaseData(
            l.id,
            farmOf(l.farm),
            payeeOf(l.farm),
            l.price,
            l.weightSum,
            l.frames,
            keccak256(abi.encode("chunk", l.id)),
            keccak256("weights"),
            0,
            0,
            l.commitBy,
            0
        );
    }

    /// OpenZeppelin's complete tree in an array.
    function tree(TestLease[] memory leases) internal pure returns (bytes32[] memory nodes) {
        uint256 n = leases.length;
        nodes = new bytes32[](2 * n - 1);
        for (uint256 i; i < n; ++i) nodes[2 * n - 2 - i] = leaf(leases[i]);
        for (uint256 i = n - 1; i > 0; --i) nodes[i - 1] = pair(nodes[2 * i - 1], nodes[2 * i]);
    }

    function pair(bytes32 a, bytes32 b) internal pure returns (bytes32) {
        return a < b ? keccak256(abi.encode(a, b)) : keccak256(abi.encode(b, a));
    }

    /// Proof of the leases where ascending positions `where`: nodes and flags as `attest` reads them.
    function setProof(TestLease[] memory leases, uint256[] memory where) internal pure returns (bytes memory) {
        bytes32[] memory nodes = tree(leases);
        uint256[] memory queue = new uint256[](2 * nodes.length);
        uint256 tail;
        for (uint256 i; i < where.length; ++i) queue[tail++] = nodes.length - 1 - where[i];
        bytes memory proof;
        uint256 proofs;
        uint256 flags;
        bytes memory bits = new bytes((nodes.length + 7) / 8 + 1);
        for (uint256 head; queue[head] > 0; ++flags) {
            uint256 node = queue[head++];
            uint256 sibling = node % 2 == 1 ? node + 1 : node - 1;
            if (head < tail && queue[head] == sibling) {
                ++head;
                bits[flags / 8] |= bytes1(uint8(0x80 >> (flags % 8)));
            } else {
                proof = bytes.concat(proof, nodes[sibling]);
                ++proofs;
            }
            queue[tail++] = (node - 1) / 2;
        }
        bytes memory used = new bytes((flags + 7) / 8);
        for (uint256 i; i < used.length; ++i) used[i] = bits[i];
        return abi.encodePacked(uint16(proofs), proof, uint16(flags), used);
    }

    function all(uint256 n) internal pure returns (uint256[] memory where) {
        where = new uint256[](n);
        for (uint256 i; i < n; ++i) where[i] = i;
    }

    function packLeases(TestLease[] memory leases, uint8[] memory farms) internal pure returns (bytes memory out) {
        for (uint256 i; i < leases.length; ++i) {
            TestLease memory l = leases[i];
            uint8 index;
            while (farms[index] != l.farm) ++index;
            out = bytes.concat(
                out, abi.encodePacked(l.id, index, l.price, l.weightSum, l.accepted, l.frames, restHash(l))
            );
        }
    }

    function farmsIn(TestLease[] memory leases) internal pure returns (uint8[] memory farms) {
        bool[256] memory used;
        uint256 count;
        for (uint256 i; i < leases.length; ++i) {
            if (!used[leases[i].farm]) ++count;
            used[leases[i].farm] = true;
        }
        farms = new uint8[](count);
        count = 0;
        for (uint256 i; i < 256; ++i) if (used[i]) farms[count++] = uint8(i);
    }

    /// A batch of set `seq` in root mode; `votes` of checkers 0, 1, 2.
    function blobOf(TestLease[] memory leases, uint32 seq, bool slow, uint32[3] memory votes)
        internal
        pure
        returns (bytes memory)
    {
        uint8[] memory farms = farmsIn(leases);
        bytes memory table;
        for (uint256 i; i < farms.length; ++i) table = abi.encodePacked(table, farmOf(farms[i]), payeeOf(farms[i]));
        bytes memory voters;
        uint8 count;
        for (uint8 i; i < 3; ++i) {
            if (votes[i] == 0) continue;
            voters = abi.encodePacked(voters, i, votes[i]);
            ++count;
        }
        return abi.encodePacked(
            abi.encodePacked(uint8(1), slow ? uint8(1) : uint8(0), uint48(0), keccak256("records"), uint8(farms.length), table),
            abi.encodePacked(count, voters, uint8(1), seq, uint16(leases.length)),
            packLeases(leases, farms)
        );
    }

    function pick(TestLease[] memory leases, uint256[] memory where) internal pure returns (TestLease[] memory some) {
        some = new TestLease[](where.length);
        for (uint256 i; i < where.length; ++i) some[i] = leases[where[i]];
    }

    function digest(bytes32 structHash) internal view returns (bytes32) {
        return digestAt(structHash, block.chainid, address(escrow));
    }

    function digestAt(bytes32 structHash, uint256 chain, address contract_) internal pure returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Pictor"),
                keccak256("1"),
                chain,
                contract_
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function sign(uint256 key, bytes32 d) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, d);
        return abi.encodePacked(r, s, v);
    }

    /// Rows of the first `count` checkers over a digest.
    function rows(bytes32 d, uint256 count) internal view returns (bytes memory out) {
        for (uint8 i; i < count; ++i) out = abi.encodePacked(out, i, uint16(65), sign(keys[i], d));
    }

    function batchDigest(bytes32 id, bytes memory blob, uint40 validUntil) internal view returns (bytes32) {
        return digest(
            keccak256(
                abi.encode(keccak256("Batch(bytes32 job,bytes32 batchHash,uint40 validUntil)"), id, keccak256(blob), validUntil)
            )
        );
    }

    function finalDigest(bytes32 id, uint96 keep) internal view returns (bytes32) {
        return digest(keccak256(abi.encode(keccak256("Final(bytes32 job,uint96 keep)"), id, keep)));
    }

    function heldDigest(bytes32 id, uint32 leaseId, bytes32 root) internal view returns (bytes32) {
        return digest(keccak256(abi.encode(keccak256("Held(bytes32 job,uint32 lease,bytes32 outputRoot)"), id, leaseId, root)));
    }

    function openAs(address creator, Terms memory t, bytes32 setRoot) internal returns (bytes32 id, JobRef memory ref) {
        uint256 amount = uint256(t.farmBudget) + t.checkBudget;
        token.mint(creator, amount);
        vm.startPrank(creator);
        token.approve(address(escrow), amount);
        id = escrow.openJob(t, setRoot, EscrowFunding.Funding.allowance, "", "");
        vm.stopPrank();
        ref = JobRef(t, setRoot, new address[](0));
    }

    /// What the contract should pin, computed here from the leases.
    function pinnedOf(Terms memory t, TestLease[] memory leases, uint40 releaseAt, uint32[3] memory votes)
        internal
        view
        returns (Pinned memory p)
    {
        p.token = t.token;
        p.creator = t.creator;
        p.platform = t.platform;
        p.feeBps = t.platformFeeBps;
        p.releaseAt = releaseAt;
        uint8[] memory farms = farmsIn(leases);
        p.farms = new FarmShare[](farms.length);
        uint256 frames;
        for (uint256 i; i < farms.length; ++i) {
            p.farms[i].farm = farmOf(farms[i]);
            p.farms[i].payTo = payeeOf(farms[i]);
            for (uint256 k; k < leases.length; ++k) {
                if (leases[k].farm != farms[i]) continue;
                p.farms[i].price += leases[k].price;
                p.farms[i].gross += uint96(uint256(leases[k].price) * leases[k].accepted / leases[k].weightSum);
            }
        }
        for (uint256 k; k < leases.length; ++k) frames += leases[k].frames;
        uint256 fee = t.checkFee * frames;
        uint256 sum = uint256(votes[0]) + votes[1] + votes[2];
        if (sum == 0) {
            p.feeRefund = uint96(fee);
            return p;
        }
        uint256 count = (votes[0] > 0 ? 1 : 0) + (votes[1] > 0 ? 1 : 0) + (votes[2] > 0 ? 1 : 0);
        p.checkers = new CheckerShare[](count);
        uint256 rest = fee;
        uint256 n;
        for (uint256 i; i < 3; ++i) {
            if (votes[i] == 0) continue;
            p.checkers[n] = CheckerShare(vm.addr(keys[i]), uint96(fee * votes[i] / sum));
            rest -= p.checkers[n++].amount;
        }
        p.checkers[0].amount += uint96(rest);
    }

    function attest(JobRef memory ref, bytes32 id, TestLease[] memory leases, uint256[] memory where, bool slow, uint32[3] memory votes)
        internal
        returns (Pinned memory p)
    {
        TestLease[] memory some = pick(leases, where);
        _attest(ref, id, blobOf(some, 0, slow, votes), setProof(leases, where));
        uint40 window = slow && ref.terms.disputeWindow < 72 * HOUR ? 72 * HOUR : ref.terms.disputeWindow;
        return pinnedOf(ref.terms, some, uint40(block.timestamp) + window, votes);
    }

    function _attest(JobRef memory ref, bytes32 id, bytes memory blob, bytes memory proof) private {
        uint40 until = uint40(block.timestamp) + HOUR;
        escrow.attest(ref, blob, proof, until, rows(batchDigest(id, blob, until), 3));
    }

    function objectionOf(JobRef memory ref, FarmShare memory share, address by, address payer, bool isClaim)
        internal
        view
        returns (Objection memory)
    {
        uint96 bond = court.bondFor(ref.terms.token, share.price);
        return Objection(share, by, payer, bond, uint40(block.timestamp) + ref.terms.resolveBy, isClaim);
    }
}
