// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {PictorEscrow} from "../../contracts/PictorEscrow.sol";

/// Keeps one percent of every transfer.
contract FeeToken is ERC20("Fee", "FEE") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (from != address(0) && to != address(0)) {
            super._update(from, address(0xFEE), amount / 100);
            amount -= amount / 100;
        }
        super._update(from, to, amount);
    }
}

/// Says false instead of reverting.
contract FalseToken {
    function balanceOf(address) external pure returns (uint256) {
        return 0;
    }

    function mint(address, uint256) external {}

    function approve(address, uint256) external pure returns (bool) {
        return true;
    }

    function transferFrom(address, address, uint256) external pure returns (bool) {
        return false;
    }
}

/// Takes from a balance, as a rebasing token does when it shrinks.
contract ShrinkingToken is ERC20("Shrinking", "SHR") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function shrink(address account, uint256 amount) external {
        _burn(account, amount);
    }
}

/// Looks at the escrow from inside a token's hook, as a contract that trusts its views would.
contract Onlooker {
    PictorEscrow private immutable escrow;
    address private immutable account;
    uint256 public looked;
    bool public sawCredit;
    bool public sawMoreOwedThanHeld;

    constructor(PictorEscrow escrow_, address account_) {
        (escrow, account) = (escrow_, account_);
    }

    function look(ERC20 token) external {
        ++looked;
        (uint128 owed,,) = escrow.assets(address(token));
        if (escrow.creditOf(address(token), account) != 0) sawCredit = true;
        if (token.balanceOf(address(escrow)) < owed) sawMoreOwedThanHeld = true;
    }
}

/// Calls its sender's hook before and after it moves, like ERC-777.
contract HookToken is ERC20("Hook", "HOOK") {
    address public hook;
    bytes public payload;
    bool public hookSucceeded;

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setHook(address target, bytes calldata data) external {
        (hook, payload) = (target, data);
    }

    function _update(address from, address to, uint256 amount) internal override {
        _callHook();
        super._update(from, to, amount);
        _callHook();
    }

    function _callHook() private {
        if (hook == address(0)) return;
        address target = hook;
        hook = address(0);
        (bool ok,) = target.call(payload);
        hookSucceeded = hookSucceeded || ok;
        hook = target;
    }
}

/// A contract that signs by ERC-1271 until it takes its word back.
contract Wallet1271 {
    bool public willing = true;
    address public reenter;

    function setWilling(bool willing_) external {
        willing = willing_;
    }

    function setReenter(address target) external {
        reenter = target;
    }

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        // A call that changes state fails inside the static call; the attempt must not change the answer.
        if (reenter != address(0)) {
            (bool ok,) = reenter.staticcall(abi.encodeWithSignature("withdraw(address,address)", address(this), address(this)));
            if (ok) return bytes4(0);
        }
        return willing ? bytes4(0x1626ba7e) : bytes4(0);
    }
}
