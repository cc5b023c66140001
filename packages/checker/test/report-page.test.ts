import { expect, test } from 'vitest'
import { reportPage, type ReportRow } from '../src/index.ts'

const row = (frame: number, verdict: ReportRow['verdict'], code = 'x'): ReportRow => ({
  file: `f_${frame}.png`,
  frame,
  verdict,
  findings: [{ code, message: `<b>${code}</b>` }],
  ms: 1,
})

test('says which frames to render again and to look at, shows the shot as a strip, and links each square to its frame', () => {
  const rows = [
    row(1, 'accept'),
    row(3, 'refuse', 'black'),
    row(4, 'refuse', 'black'),
    row(5, 'refuse', 'nan'),
    row(9, 'unsure', 'jump'),
  ]
  const page = reportPage({ title: 'a <shot>', basis: [], madeAtMs: 0 }, rows)
  expect(page).toContain('Render again: <code>3-5</code>')
  expect(page).toContain('Look at: <code>9</code>')
  expect(page).toContain('black 2 · nan 1 · jump 1')
  const links = [...page.matchAll(/<a class="(\w+)" href="#(f\d+)"/g)].map(([, verdict, id]) => [verdict, id])
  expect(links).toEqual([
    ['accept', 'f0'],
    ['refuse', 'f1'],
    ['refuse', 'f2'],
    ['refuse', 'f3'],
    ['unsure', 'f4'],
  ])
  for (const [verdict, id] of links) expect(page).toContain(`<article id="${id}" class="${verdict}">`)
  expect(page).not.toContain('<b>black</b></b>')
  expect(page).not.toContain('a <shot>')
})

test('an honest shot asks for nothing', () => {
  const page = reportPage({ title: 't', basis: [], madeAtMs: 0 }, [row(1, 'accept'), row(2, 'accept')])
  expect(page).not.toMatch(/Render again|Look at|First reasons/)
})
