import { expect, it } from 'vitest'
import { SMT_BUGS, hasZ3, prove } from '../scripts/smt.ts'

const missing = !hasZ3()
if (missing)
  console.warn('skipped: z3 is not installed (Debian package z3), the arithmetic of the escrow is not proven in this run')

it.skipIf(missing)(
  'the arithmetic of a share is proven for all amounts, and a planted bug is found',
  { timeout: 300_000 },
  () => {
    expect(prove('ShareProof')).toEqual({ proven: 5, open: [] })
    expect(
      prove(
        'ShareProof',
        SMT_BUGS.find(({ proof }) => proof === 'ShareProof'),
      ).open.length,
    ).toBeGreaterThan(0)
  },
)

it.skipIf(missing)(
  'a job’s deposit is locked, pending, released or refunded after every sequence of calls: proven',
  { timeout: 300_000 },
  () => {
    expect(prove('JobProof')).toEqual({ proven: 2, open: [] })
  },
)
