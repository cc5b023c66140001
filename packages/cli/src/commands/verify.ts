import { readFileSync } from 'node:fs'
import { PictorError, type Address, type Bytes32 } from '@pictor/core'
import { verifyReceipt, type AnchorPoint, type ReceiptTrust, type ReceiptVerdict } from '@pictor/core/proof'
import { EXIT } from '../terminal/failure.ts'
import type { CommandContext } from './context.ts'

export interface VerifyOptions {
  readonly blockHash?: string
  readonly escrow?: string
  readonly codeHash?: string
  readonly chainId?: string
  readonly ledger?: string
  readonly rpc?: string
}

/** `pictor verify`: exit code 0 anchored or consistent, 4 when something does not hold; says which and where, and what was vouched for and what was not. */
export async function verify(path: string, options: VerifyOptions, context: CommandContext): Promise<number> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new PictorError('not-found', `${path} cannot be read`, {
      details: { path: 'receipt', hint: 'receipts are named receipt.json in the output folder' },
      cause,
    })
  }
  const verdict = verifyReceipt(text, await trustOf(text, options))
  context.emit({
    type: 'verdict',
    answer: verdict.answer,
    checks: verdict.checks,
    ...(verdict.broken ? { broken: verdict.broken } : {}),
    ...(verdict.anchors ? { anchors: verdict.anchors } : {}),
  })
  for (const line of verdictLines(verdict, context)) context.screen.log(line)
  return verdict.answer === 'broken' ? EXIT.input : EXIT.ok
}

function hexOf<T extends string>(
  options: VerifyOptions,
  name: 'blockHash' | 'escrow' | 'codeHash' | 'ledger',
  digits: 40 | 64,
): T | undefined {
  const value = options[name]
  if (value === undefined) return undefined
  const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  if (!new RegExp(`^0x[0-9a-fA-F]{${digits}}$`).test(value))
    throw new PictorError('invalid-input', `--${flag}: expected 0x and ${digits} hex digits`, { details: { path: flag } })
  return value.toLowerCase() as T
}

/** What the caller vouches for. With `--rpc` it trusts a node to know its chain's blocks and its chain's id. */
async function trustOf(text: string, options: VerifyOptions): Promise<ReceiptTrust> {
  const node = options.rpc === undefined ? {} : await nodeSays(text, options.rpc)
  const chainId = options.chainId === undefined ? node.trustedChainId : Number(options.chainId)
  if (chainId !== undefined && !(Number.isSafeInteger(chainId) && chainId > 0))
    throw new PictorError('invalid-input', '--chain-id: expected a number', { details: { path: 'chain-id' } })
  const all: { [K in keyof ReceiptTrust]: ReceiptTrust[K] | undefined } = {
    trustedBlockHash: hexOf<Bytes32>(options, 'blockHash', 64) ?? node.trustedBlockHash,
    trustedEscrow: hexOf<Address>(options, 'escrow', 40),
    trustedCodeHash: hexOf<Bytes32>(options, 'codeHash', 64),
    trustedLedger: hexOf<Address>(options, 'ledger', 40),
    trustedChainId: chainId,
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

/** The block of the receipt as this node knows it, and the node's chain. */
async function nodeSays(text: string, rpc: string): Promise<ReceiptTrust> {
  const anchor = anchorIn(text)
  if (anchor?.kind !== 'evm') return {}
  const block = await ask<{ hash?: string } | null>(rpc, 'eth_getBlockByHash', [anchor.blockHash, false])
  if (!block?.hash)
    throw new PictorError('invalid-input', `the node at ${rpc} knows no block ${anchor.blockHash}`, {
      details: { path: 'anchor.blockHash', hint: 'the receipt is of another chain, or its block was never part of this one' },
    })
  return {
    trustedBlockHash: block.hash.toLowerCase() as Bytes32,
    trustedChainId: Number(await ask<string>(rpc, 'eth_chainId', [])),
  }
}

/** The anchor of a text that may be anything: what is no receipt is named by the verifier. */
function anchorIn(text: string): { readonly kind?: string; readonly blockHash?: string } | undefined {
  try {
    return (JSON.parse(text) as { anchor?: { kind?: string; blockHash?: string } } | null)?.anchor
  } catch {
    return undefined
  }
}

async function ask<T>(rpc: string, method: string, params: readonly unknown[]): Promise<T> {
  try {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
    const response = await fetch(rpc, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      signal: AbortSignal.timeout(15_000),
    })
    return ((await response.json()) as { result: T }).result
  } catch (cause) {
    throw new PictorError('ledger-unreachable', `no answer from ${rpc}`, { details: { path: 'rpc' }, cause })
  }
}

/** What an option would vouch for that was not given. */
const OPTION_OF: Readonly<Record<AnchorPoint['name'], string>> = {
  block: '--block-hash or --rpc',
  chain: '--chain-id or --rpc',
  escrow: '--escrow',
  code: '--code-hash',
  ledger: '--ledger',
}

function verdictLines(verdict: ReceiptVerdict, { style }: CommandContext): string[] {
  const lines = verdict.checks.map((check) =>
    check.ok
      ? `  ${style.green('✓')} ${check.name}`
      : `  ${style.red('✕')} ${check.name}${check.path ? ` at ${check.path}` : ''}: ${check.message ?? ''}`,
  )
  const { receipt } = verdict
  if (receipt && verdict.answer !== 'broken') {
    const records = receipt.steps.flatMap((step) =>
      step.kind === 'attest' ? step.results.flatMap((result) => result.records) : [],
    )
    const count = (word: string) => records.filter((record) => record.verdict === word).length
    lines.push(
      `  ${count('accept')} frames accepted, ${count('refuse')} refused, ${count('unsure')} unsure; custody: ${receipt.custody}`,
    )
  }
  for (const { name, value, trusted } of verdict.anchors ?? [])
    lines.push(
      trusted
        ? `  ${style.green('✓')} ${name} ${value}: as given`
        : `  ${style.dim('·')} ${name} ${value}: taken from the receipt (${OPTION_OF[name]} would check it)`,
    )
  const paint = verdict.answer === 'broken' ? style.red : verdict.answer === 'anchored' ? style.green : style.yellow
  return [...lines, `  ${paint(style.bold(verdict.answer))}`]
}
