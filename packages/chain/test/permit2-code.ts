import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Address } from '@pictor/core/contract'
import { TypedDataEncoder } from 'ethers'

export const PERMIT2: Address = '0x000000000022d473030f116ddee9f6b43ac78ba3'

/** The code of the deployed Permit2 on a chain: chain id and domain separator lie in it at two places. From the preinstalls of OP Stack chains (Preinstalls.sol). */
export function permit2Code(chainId: number): string {
  const path = createRequire(import.meta.url).resolve('@eth-optimism/contracts-bedrock/src/libraries/Preinstalls.sol')
  const source = readFileSync(path, 'utf8')
  const template = /Permit2TemplateCode\s*=\s*hex"([0-9a-f]+)"/.exec(source)![1]!
  const places = [...source.matchAll(/mstore\(add\(add\(out_, 0x20\), (\d+)\), (_chainID|domainSeparator)\)/g)]
  const separator = TypedDataEncoder.hashDomain({ name: 'Permit2', chainId, verifyingContract: PERMIT2 })
  const code = Buffer.from(template, 'hex')
  for (const [, at, what] of places)
    code.write(what === '_chainID' ? chainId.toString(16).padStart(64, '0') : separator.slice(2), Number(at), 'hex')
  return `0x${code.toString('hex')}`
}
