import { describe, expect, it } from 'vitest'
import { farmConformance, runCases, type FarmConformanceOptions } from '../../src/conformance/index.ts'
import { FLAWS, type Flaw } from './broken.ts'
import { smallFarm, supports } from './small-farm.ts'

const broken = (flaw: Flaw): FarmConformanceOptions => ({
  supports,
  patienceMs: 600,
  make: async (wish) => {
    const subject = await smallFarm(wish)
    return { ...subject, farm: { ...subject.farm, ...flaw.spoil(subject.farm) } }
  },
})

describe('every rule can fail', () => {
  it.each(FLAWS.map((flaw) => [flaw.what, flaw] as const))('an adapter that %s fails', async (_what, flaw) => {
    const named = farmConformance(broken(flaw)).filter(({ name }) => name.startsWith(flaw.rule))
    expect(named, `no rule begins with ${flaw.rule}`).toHaveLength(1)
    const [result] = await runCases(named)
    expect(result).toMatchObject({ outcome: 'failed' })
    expect(result!.message).toContain('To change: ')
  })

  it('covers each rule that applies to a farm without HTTP', () => {
    const applying = farmConformance({ supports, make: smallFarm }).filter(({ skip }) => skip === undefined)
    const uncovered = applying.filter(({ name }) => !FLAWS.some(({ rule }) => name.startsWith(rule)))
    expect(uncovered.map(({ name }) => name)).toEqual([])
  })

  it('says why a rule is skipped', async () => {
    const skipped = (await runCases(farmConformance({ supports, make: smallFarm }))).filter(
      ({ outcome }) => outcome === 'skipped',
    )
    expect(skipped.length).toBeGreaterThan(0)
    for (const { message } of skipped) expect(message).toMatch(/supports|lane|hold/)
  })
})
