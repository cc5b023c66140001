// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

/// Who runs which farm, with which key and bond. Nothing in the escrow depends on it: creators and apps read it to choose farms.
contract FarmRegistry is ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    struct Farm {
        address key;
        uint96 bond;
        address payTo;
        uint40 leavesAt;
        string uri;
    }

    IERC20 public immutable token;
    uint40 public immutable delay;
    mapping(address owner => Farm) public farms;
    /// The owner that speaks for a farm key; a key belongs to one owner at a time.
    mapping(address key => address) public ownerOf;
    /// Owner that a key is willing to belong to.
    mapping(address key => address owner) public offeredTo;

    error KeyTaken();
    error UnknownFarm();
    error TooEarly();
    error TransferShort();

    event KeyOffered(address indexed key, address indexed owner);
    event FarmSet(address indexed owner, address indexed key, address payTo, string uri);
    event BondAdded(address indexed owner, uint96 bond);
    event BondLeaving(address indexed owner, uint40 leavesAt);
    event BondReturned(address indexed owner, uint96 amount);

    constructor(IERC20 token_, uint40 delay_) {
        token = token_;
        delay = delay_;
    }

    /// Registers the caller's farm, or changes its key, payee or address. The key signs leases; it must agree by a call of its own first (`offerKey`).
    function setFarm(address key, address payTo, string calldata uri) external {
        if (key != msg.sender && offeredTo[key] != msg.sender) revert KeyTaken();
        address owner = ownerOf[key];
        if (owner != address(0) && owner != msg.sender) revert KeyTaken();
        Farm storage farm = farms[msg.sender];
        if (farm.key != address(0)) delete ownerOf[farm.key];
        delete offeredTo[key];
        ownerOf[key] = msg.sender;
        (farm.key, farm.payTo, farm.uri) = (key, payTo, uri);
        emit FarmSet(msg.sender, key, payTo, uri);
    }

    /// The calling key agrees to belong to `owner`, who then names it with `setFarm`. Address 0 takes the offer back.
    function offerKey(address owner) external {
        offeredTo[msg.sender] = owner;
        emit KeyOffered(msg.sender, owner);
    }

    /// Adds to the caller's bond and stops a withdrawal that was announced.
    function addBond(uint96 amount) external nonReentrant {
        Farm storage farm = farms[msg.sender];
        if (farm.key == address(0)) revert UnknownFarm();
        farm.bond += amount;
        farm.leavesAt = 0;
        emit BondAdded(msg.sender, farm.bond);
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        if (token.balanceOf(address(this)) - before != amount) revert TransferShort();
    }

    /// Announces that the bond leaves; it stays in sight of creators until the delay is over.
    function withdrawBond() external {
        Farm storage farm = farms[msg.sender];
        if (farm.bond == 0) revert UnknownFarm();
        farm.leavesAt = uint40(block.timestamp) + delay;
        emit BondLeaving(msg.sender, farm.leavesAt);
    }

    /// Takes the bond out, to any address, once the delay is over.
    function takeBond(address to) external nonReentrant {
        Farm storage farm = farms[msg.sender];
        uint96 amount = farm.bond;
        if (amount == 0 || farm.leavesAt == 0) revert UnknownFarm();
        if (block.timestamp < farm.leavesAt) revert TooEarly();
        farm.bond = 0;
        farm.leavesAt = 0;
        emit BondReturned(msg.sender, amount);
        token.safeTransfer(to, amount);
    }
}
