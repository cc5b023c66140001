import assert from 'node:assert/strict'
import { isPictorError } from '../../contract/error.ts'
import type { LedgerRefusal, LedgerSupports } from '../../contract/ledger.ts'
import type { LedgerScenario } from './scenario.ts'
import type { MakeLedger } from './subject.ts'

/** One rule of every ledger, as data. `needs` names what a ledger must support for it to apply. */
export interface LedgerCase {
  readonly name: string
  readonly needs?: keyof LedgerSupports
  run(make: MakeLedger): Promise<void>
}

/** Demands a `ledger-refused` with one of these reasons, and that the money stays where it was. */
export async function refuses(
  scenario: LedgerScenario,
  reason: LedgerRefusal | readonly LedgerRefusal[],
  act: () => Promise<unknown>,
): Promise<void> {
  const { ledger } = scenario.subject
  const before = await ledger.money(scenario.job, scenario.ctx())
  const reasons = typeof reason === 'string' ? [reason] : reason
  await assert.rejects(act, (error: unknown) => {
    assert.ok(isPictorError(error, 'ledger-refused'), `expected ledger-refused (${reasons.join(' or ')}), found ${String(error)}`)
    assert.ok(
      reasons.includes(error.details['reason'] as LedgerRefusal),
      `expected the reason ${reasons.join(' or ')}, found ${String(error.details['reason'])}: ${error.message}`,
    )
    return true
  })
  assert.deepEqual(await ledger.money(scenario.job, scenario.ctx()), before, 'a refused action moves no money')
}

/** Demands that nothing was lost or made: locked + pending + released + refunded = deposited. */
export async function conserves(scenario: LedgerScenario): Promise<void> {
  const { deposited, locked, pending, released, refunded } = await scenario.subject.ledger.money(scenario.job, scenario.ctx())
  assert.equal(locked + pending + released + refunded, deposited, 'locked + pending + released + refunded = deposited')
}

/** What the ledger owes an account. */
export function creditOf(scenario: LedgerScenario, account: `0x${string}`): Promise<bigint> {
  return scenario.subject.ledger.credit(scenario.terms.token, account, scenario.ctx())
}
