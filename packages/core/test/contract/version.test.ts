import { describe, expect, it } from 'vitest'
import { checkContract, CONTRACT_VERSIONS } from '../../src/contract/index.ts'

describe('versions of the contract', () => {
  it('takes every version that it lists', () => {
    for (const contract of CONTRACT_VERSIONS) expect(() => checkContract({ contract, id: 'a' }, 'farms[0]')).not.toThrow()
  })
  it.each([0, 2, '1', undefined])('refuses %s, naming the place, the supported versions and what to update', (contract) => {
    let error: unknown
    try {
      checkContract({ contract, id: 'studio' }, 'farms[0]')
    } catch (caught) {
      error = caught
    }
    const newer = contract === 2
    expect(error).toMatchObject({
      code: 'unsupported',
      message: `farms[0] (studio): contract ${String(contract)}; this core speaks 1`,
      details: { path: 'farms[0].contract', supported: [1] },
    })
    expect((error as { details: { hint: string } }).details.hint).toContain(newer ? 'update @pictor/core' : 'the package')
  })
})
