import { readFileSync } from 'node:fs'
import { PictorError, type Bytes32 } from '@pictor/core'
import { verifyReceipt, type ReceiptVerdict } from '@pictor/core/proof'
import { EXIT } from '../terminal/failure.ts'
import type { CommandContext } from './context.ts'

export interface VerifyOptions {
  readonly blockHash?: string
  readonly rpc?: string
}

/** `pictor verify`: exit code 0 anchored or consistent, 4 when something does not hold; says which and where. */
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
  if (options.blockHash !== undefined && !/^0x[0-9a-fA-F]{64}$/.test(options.blockHash))
    throw new PictorError('invalid-input', '--block-hash: expected 0x and 64 hex digits', { details: { path: 'block-hash' } })
  const trusted = options.blockHash ?? (options.rpc === undefined ? undefined : await blockOf(text, options.rpc))
  const verdict = verifyReceipt(text, trusted === undefined ? {} : { trustedBlockHash: trusted.toLowerCase() as Bytes32 })
  context.emit({
    type: 'verdict',
    answer: verdict.answer,
    checks: verdict.checks,
    ...(verdict.broken ? { broken: verdict.broken } : {}),
  })
  for (const line of verdictLines(verdict, context)) context.screen.log(line)
  return verdict.answer === 'broken' ? EXIT.input : EXIT.ok
}

/** What the node says is the block at the receipt's height: the verifier trusts this node. */
async function blockOf(text: string, rpc: string): Promise<string | undefined> {
  const anchor = (JSON.parse(text) as { anchor?: { kind?: string; blockHash?: string } }).anchor
  if (anchor?.kind !== 'evm') return undefined
  let answer: { result?: { hash?: string } | null }
  try {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_getBlockByHash', params: [anchor.blockHash, false] })
    const response = await fetch(rpc, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      signal: AbortSignal.timeout(15_000),
    })
    answer = (await response.json()) as typeof answer
  } catch (cause) {
    throw new PictorError('ledger-unreachable', `no answer from ${rpc}`, { details: { path: 'rpc' }, cause })
  }
  if (!answer.result?.hash)
    throw new PictorError('invalid-input', `the node at ${rpc} knows no block ${anchor.blockHash}`, {
      details: { path: 'anchor.blockHash', hint: 'the receipt is of another chain, or its block was never part of this one' },
    })
  return answer.result.hash
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
  const paint = verdict.answer === 'broken' ? style.red : verdict.answer === 'anchored' ? style.green : style.yellow
  return [...lines, `  ${paint(style.bold(verdict.answer))}`]
}
