import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A planted bug: a piece of a source file that becomes another. */
export interface Mutant {
  readonly name: string
  /** Under the folder that is hunted in. */
  readonly file: string
  /** Must occur exactly once, or the hunt fails: a mutant that no longer applies proves nothing. */
  readonly find: string
  readonly put: string
}

/** Lends a copy of some parts of a package to break things in, with the package's dependencies. */
export async function inCopy<T>(source: string, parts: readonly string[], work: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'pictor-mutants-'))
  try {
    for (const part of parts) await cp(join(source, part), join(dir, part), { recursive: true })
    await symlink(join(source, 'node_modules'), join(dir, 'node_modules'))
    return await work(dir)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** Plants the mutants into a folder, one after the other, and prints what caught each: `trial` says what failed, or undefined when everything passed. Whether all were caught. */
export async function hunt(mutants: readonly Mutant[], dir: string, trial: () => Promise<string | undefined>): Promise<boolean> {
  let survivors = 0
  for (const { name, file, find, put } of mutants) {
    const path = join(dir, file)
    const text = await readFile(path, 'utf8')
    if (text.split(find).length !== 2) throw new Error(`${name}: its text is not exactly once in ${file}`)
    await writeFile(
      path,
      text.replace(find, () => put),
    )
    const caught = await trial().catch((cause: unknown) => {
      throw new Error(`${name}: ${(cause as Error).message}`, { cause })
    })
    await writeFile(path, text)
    if (caught === undefined) survivors++
    console.log(`${caught === undefined ? 'SURVIVED' : 'caught  '} ${name}${caught === undefined ? '' : ` (${caught})`}`)
  }
  console.log(`${mutants.length - survivors} of ${mutants.length} planted bugs caught`)
  return survivors === 0
}
