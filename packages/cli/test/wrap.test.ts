import { expect, it } from 'vitest'
import { wrap } from '../src/terminal/wrap.ts'

it('breaks between words and hangs what follows behind the label', () => {
  expect(wrap('  checks: a third of all frames is rendered again', 24).split('\n')).toEqual([
    '  checks: a third of all',
    '        frames is',
    '        rendered again',
  ])
  expect(wrap('locked    5.00 USD', 30)).toBe('locked    5.00 USD')
  expect(wrap('paid      one to a, two to b', 22)).toBe('paid      one to a,\n       two to b')
})

it('counts no colours, keeps every character, and leaves what cannot be broken whole', () => {
  const text = `\u001B[2m  estimate: one two ${'x'.repeat(30)} three\u001B[22m`
  expect(wrap(text, 20).replace(/\s+/g, ' ')).toBe(text.replace(/\s+/g, ' '))
  expect(wrap('x'.repeat(50), 20)).toBe('x'.repeat(50))
  expect(wrap('\u001B[1mfive\u001B[22m six', 8)).toBe('\u001B[1mfive\u001B[22m six')
})
