import { expect, it } from 'vitest'
import { patientFarm } from '../../src/plan/patient-farm.ts'
import { simulatedFarm, virtualClock } from '../../src/simulate/index.ts'

it('a farm that puts calls off while it is planned with is asked again when it said, not declined as unreachable', async () => {
  const clock = virtualClock()
  const farm = simulatedFarm({ id: 'busy', clock, limit: { perSecond: 2, burst: 1 } })
  const ctx = { key: 'describe' }
  await farm.describe(ctx)
  await expect(farm.describe(ctx)).rejects.toMatchObject({ details: { status: 429 } })
  let known: string | undefined
  void patientFarm(farm, clock)
    .describe(ctx)
    .then(({ id }) => (known = id))
  await clock.run(() => known !== undefined, { untilMs: clock.now() + 10_000 })
  expect(known).toBe('busy')
})

it('one that asks for a rest of an hour is not waited for', async () => {
  const clock = virtualClock()
  const farm = simulatedFarm({ id: 'closed', clock, limit: { perSecond: 1 / 3_600, burst: 0 } })
  await expect(patientFarm(farm, clock).describe({ key: 'describe' })).rejects.toMatchObject({ code: 'farm-unreachable' })
})
