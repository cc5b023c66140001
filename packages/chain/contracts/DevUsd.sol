// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// A US dollar for development chains, shaped like USDC: 6 decimals, EIP-2612 permits, ERC-3009 authorizations. Anybody may mint.
contract DevUsd is ERC20Permit, ERC3009 {
    constructor() ERC20("Development US Dollar", "USD") ERC20Permit("Development US Dollar") {}

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}
