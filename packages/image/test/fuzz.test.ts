import { expect, it } from 'vitest'
import { fuzz } from './fuzz.ts'

// `pnpm campaign image-fuzz` runs 100,000 of them.
it('answers 2,000 damaged files with a typed error or consistent pixels, fast', () => {
  const report = fuzz(2000)
  expect(report.failures).toEqual([])
  // The damage reaches all stages: headers, structure, and compressed data.
  for (const code of ['bad-header', 'truncated', 'bad-data', 'bad-length', 'limit', 'unsupported'])
    expect(report.codes[code], code).toBeGreaterThan(0)
  expect(report.decoded).toBeGreaterThan(50)
})
