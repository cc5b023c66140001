import type { Bytes32, JobSummary } from '@pictor/core'
import { expect, it } from 'vitest'
import { findRun } from '../src/find-run.ts'

const id = (start: string): Bytes32 => `0x${start.padEnd(64, '0')}`

async function* jobs() {
  yield { run: id('ab12'), name: 'shot' } as JobSummary
  yield { run: id('ab34'), name: 'shot' } as JobSummary
  yield { run: id('cd56'), name: 'title' } as JobSummary
}

it('finds a run by its id, by a beginning that fits no other, or by the name of its job', async () => {
  expect(await findRun({ jobs }, id('ab12'))).toBe(id('ab12'))
  expect(await findRun({ jobs }, '0xAB3')).toBe(id('ab34'))
  expect(await findRun({ jobs }, 'title')).toBe(id('cd56'))
})

it('names the runs where several fit, and says where runs are listed when none does', async () => {
  await expect(findRun({ jobs }, '0xab')).rejects.toMatchObject({
    code: 'invalid-input',
    message: expect.stringContaining('0xab12000000, 0xab34000000') as string,
  })
  await expect(findRun({ jobs }, 'shot')).rejects.toMatchObject({ code: 'invalid-input' })
  for (const text of ['0xef', 'teaser', 'ab12', ''])
    await expect(findRun({ jobs }, text)).rejects.toMatchObject({
      code: 'not-found',
      details: { hint: expect.anything() as string },
    })
})
