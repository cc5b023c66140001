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

test('accepted frames of which nothing is to be said are small tiles below the others, to which their squares lead too', () => {
  const page = reportPage({ title: 't', basis: [], madeAtMs: 0 }, [
    { ...row(1, 'accept'), findings: [], thumbnail: 'frames/1.png' },
    row(2, 'accept', 'not-drawn'),
    row(3, 'refuse'),
  ])
  expect(page).toContain('<figure id="f0" title="f_1.png"><img loading="lazy" src="frames/1.png"')
  expect(page).toContain('<article id="f1" class="accept">')
  expect(page.indexOf('<figure')).toBeGreaterThan(page.lastIndexOf('<article'))
})

test('several sequences have a strip each, and frame numbers say of which', () => {
  const rows = [
    { ...row(1, 'refuse'), sequence: 'a' },
    { ...row(1, 'accept'), sequence: 'b' },
    { ...row(2, 'unsure'), sequence: 'b' },
  ]
  const page = reportPage({ title: 't', basis: [], madeAtMs: 0 }, [...rows, row(7, 'refuse', 'missing-frame')])
  expect(page).toContain('Render again: <code>1</code> of a, <code>7</code> of frames of no file')
  expect(page).toContain('Look at: <code>2</code> of b')
  expect(page.match(/<nav>/g)).toHaveLength(3)
  const single = reportPage({ title: 't', basis: [], madeAtMs: 0 }, [rows[0]!, row(7, 'refuse', 'missing-frame')])
  expect(single).toContain('Render again: <code>1,7</code>')
})

test('three findings are shown, the others are folded away; numbers have three digits; the difference is a picture', () => {
  const findings = [1, 2, 3, 4, 5].map((n) => ({ code: `c${n}`, message: 'm', value: n / 3, threshold: n }))
  const page = reportPage({ title: 't', basis: [], madeAtMs: 0 }, [{ ...row(1, 'refuse'), findings, difference: 'frames/d.png' }])
  expect(page).toContain('<summary>2 more</summary>')
  expect(page).toContain('(measured 0.333, limit 1)')
  expect(page).toContain('src="frames/d.png"')
})
