import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const NAME = /^export (?:declare )?(?:abstract )?(?:const|function|class|type|interface) (\w+)/gm

function namesIn(folder: string): string[] {
  const url = new URL(folder, import.meta.url)
  return readdirSync(url)
    .flatMap((file) => [...readFileSync(new URL(file, url), 'utf8').matchAll(NAME)].map((match) => match[1]!))
    .sort()
}

describe('names of the contract', () => {
  it('may be added and never go away (docs/decisions/0003-contract-freeze.md)', () => {
    const frozen = namesIn('frozen/')
    expect(frozen.length).toBeGreaterThan(80)
    expect(namesIn('../../src/contract/')).toEqual(expect.arrayContaining(frozen))
  })
})
