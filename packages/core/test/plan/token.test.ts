import { expect, it } from 'vitest'
import type { Address } from '../../src/contract/index.ts'
import { requireToken } from '../../src/plan/index.ts'

const TOKEN: Address = `0x${'ee'.repeat(20)}`
const check = (currency: string, decimals: number | undefined): Promise<void> =>
  requireToken({ decimals: async () => decimals }, TOKEN, currency, { key: 'k' })

it('a budget is in the currency of its token, by the decimals that each counts in', async () => {
  await check('USD', 6)
  await check('PICTOR', 18)
  for (const decimals of [0, 5, 7, 8, 18, 27, 255, undefined])
    await expect(check('USD', decimals)).rejects.toMatchObject({ code: 'invalid-input', details: { path: 'token' } })
  for (const decimals of [0, 6, 27, undefined])
    await expect(check('PICTOR', decimals)).rejects.toMatchObject({ code: 'invalid-input' })
  // A ledger without tokens has nothing to compare.
  await requireToken({}, TOKEN, 'USD', { key: 'k' })
})
