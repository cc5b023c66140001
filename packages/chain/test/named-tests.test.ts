// docs/security.md and docs/rules.md promise a test for each of their rows. A row without one, or with a name that no test has any more, fails here.
import { readFileSync, readdirSync } from 'node:fs'
import { expect, it } from 'vitest'

const root = new URL('../../../', import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')

function sources(folder: string, ending: string): string {
  return readdirSync(new URL(folder, root), { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(ending) && name !== 'named-tests.test.ts')
    .map((name) => read(`${folder}/${name}`))
    .join('\n')
}

const forge = [...sources('packages/chain/test/forge', '.t.sol').matchAll(/function ((?:test|testFuzz)_\w+)/g)].map(
  (match) => match[1]!,
)
const others = [
  'packages/chain/test',
  'packages/core/test',
  'packages/core/src/conformance',
  'packages/checker/test',
  'packages/cli/test',
  'packages/protocol/test',
  'packages/adapters/selfhosted/test',
]
  .map((folder) => sources(folder, '.ts'))
  .join('\n')

function exists(name: string): boolean {
  if (!/^test(Fuzz)?_/.test(name)) return others.includes(name)
  const start = /^(.*?)(?:\.\.\.|\*)$/.exec(name)?.[1]
  return start === undefined ? forge.includes(name) : forge.some((one) => one.startsWith(start))
}

it.each([
  ['docs/security.md', 55],
  ['docs/rules.md', 45],
])('every row of %s names tests that exist', (document, least) => {
  const rows = read(document)
    .split('\n')
    .filter((line, i, lines) => line.startsWith('| ') && !lines[i + 1]?.startsWith('|---'))
  expect(rows.length).toBeGreaterThanOrEqual(least)
  const wrong = rows.flatMap((row) => {
    const last = row.split(' | ').at(-1)!
    const names = [...last.matchAll(/`([^`]+)`/g)].map((match) => match[1]!)
    if (names.length === 0 && !/\bI\d+\b/.test(last)) return [`no test: ${row.slice(0, 60)}`]
    return names.filter((name) => !exists(name)).map((name) => `no such test: ${name}`)
  })
  expect(wrong).toEqual([])
})
