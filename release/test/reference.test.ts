import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { REPOSITORY } from '../pack.ts'

const run = promisify(execFile)

/** A node of typedoc's JSON, as far as it is read here. */
interface Reflection {
  readonly name?: string
  readonly kind?: number
  readonly type?: unknown
  /** A type parameter of the signature itself, such as the key of a mapped type. */
  readonly refersToTypeParameter?: boolean
  readonly target?: number | { readonly packageName: string; readonly packagePath: string }
}

/** Types of our own that signatures name although no entry point exports them: a user could not write them down. */
function unexported(node: unknown, path: string, found: Map<string, string>): Map<string, string> {
  if (Array.isArray(node)) for (const one of node) unexported(one, path, found)
  else if (typeof node === 'object' && node !== null) {
    const { name, kind, type, target, refersToTypeParameter } = node as Reflection
    // `typeof` of a function: the value that a user has in hand already.
    if (type === 'query') return found
    const refers = type === 'reference' && refersToTypeParameter !== true
    if (refers && typeof target === 'object' && /^(@pictor\/|create-pictor)/.test(target.packageName))
      found.set(`${name} of ${target.packageName}/${target.packagePath}`, path)
    const here = kind === undefined ? path : `${path}.${name}`
    for (const value of Object.values(node)) unexported(value, here, found)
  }
  return found
}

describe('the reference', () => {
  it('is made without a warning, and every type that a signature names can be imported', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'pictor-reference-'))
    try {
      const file = join(folder, 'reference.json')
      await run('pnpm', ['exec', 'typedoc', '--json', file], { cwd: REPOSITORY }).catch(
        (error: { stdout: string; stderr: string }) => {
          throw new Error(error.stdout + error.stderr)
        },
      )
      const project: unknown = JSON.parse(await readFile(file, 'utf8'))
      expect(JSON.stringify(project)).toContain('"createPictor"')
      expect(Object.fromEntries(unexported(project, '', new Map()))).toEqual({})
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})
