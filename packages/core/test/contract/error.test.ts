import { describe, expect, it } from 'vitest'
import { invalid, isPictorError, PictorError } from '../../src/contract/index.ts'

describe('PictorError', () => {
  it('is recognised by its brand, also when another copy of core made it', async () => {
    const path = '../../src/contract/error.ts?copy'
    const copy = (await import(/* @vite-ignore */ path)) as typeof import('../../src/contract/error.ts')
    const foreign = new copy.PictorError('not-found', 'gone')
    expect(foreign instanceof PictorError).toBe(false)
    expect(isPictorError(foreign)).toBe(true)
    expect(isPictorError(foreign, 'not-found')).toBe(true)
    expect(isPictorError(foreign, 'conflict')).toBe(false)
  })
  it.each([null, undefined, 1, 'not-found', new Error('x'), { code: 'not-found' }])('does not recognise %s', (value) => {
    expect(isPictorError(value)).toBe(false)
  })
  it('says by its code whether a repeat may help', () => {
    expect(new PictorError('timeout', 't').retryable).toBe(true)
    expect(new PictorError('conflict', 'c').retryable).toBe(false)
  })
  it('keeps cause and details', () => {
    const cause = new Error('disk')
    const error = new PictorError('store-failed', 'full', { details: { path: 'db' }, cause })
    expect([error.cause, error.details.path, error.name]).toEqual([cause, 'db', 'PictorError'])
    expect('cause' in new PictorError('internal', 'x')).toBe(false)
  })
  it('describes what was found without printing it all', () => {
    expect(invalid('a.b', 'a number', 'x'.repeat(500)).message.length).toBeLessThan(150)
    expect(invalid('a', 'a number', [1, 2]).message).toBe('a: expected a number, found a list of 2')
    expect(invalid('a', 'a number', { p: 1 }).message).toBe('a: expected a number, found an object with the fields p')
    expect(invalid('a', 'a number', 5n).message).toContain('found 5')
  })
})
