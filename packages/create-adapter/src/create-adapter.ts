import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What a new adapter package is called. */
export interface NewAdapter {
  /** Package name, such as `pictor-adapter-acme` or `@acme/pictor-adapter`. */
  readonly name: string
  /** The farm's name for people, such as `Acme Render`. Default: made from the package name. */
  readonly title?: string
  /** Folder to create; must be empty or absent. Default: the last part of the package name. */
  readonly folder?: string
}

/** A refusal that names what to change. */
export class CreateAdapterError extends Error {
  override readonly name: string = 'CreateAdapterError'
}

/** Words that stand for the farm in the template. */
export interface Words {
  readonly __PACKAGE__: string
  readonly __TITLE__: string
  readonly __ID__: string
  readonly __FUNCTION__: string
}

const PACKAGE_NAME = /^(?:@[a-z0-9][a-z0-9._-]*\/)?[a-z0-9][a-z0-9._-]*$/

/** The names that a package name gives rise to. @throws CreateAdapterError for names that npm refuses */
export function wordsOf({ name, title }: NewAdapter): Words {
  if (!PACKAGE_NAME.test(name) || name.length > 214)
    throw new CreateAdapterError(`name: expected an npm package name such as pictor-adapter-acme, found ${JSON.stringify(name)}`)
  const id = name
    .replace(/^@/, '')
    .replace(/\/?pictor-adapter-?/, '')
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
  const parts = (id === '' ? 'my' : id).split('-')
  // A function cannot begin with a digit.
  const camel = parts
    .map((part, i) => (i === 0 ? part : part[0]!.toUpperCase() + part.slice(1)))
    .join('')
    .replace(/^\d/, 'farm$&')
  const spoken = parts.map((part) => part[0]!.toUpperCase() + part.slice(1)).join(' ')
  return {
    __PACKAGE__: name,
    __TITLE__: cleanTitle(title ?? spoken),
    __ID__: parts.join('-'),
    __FUNCTION__: camel.endsWith('farm') || camel.endsWith('Farm') ? camel : `${camel}Farm`,
  }
}

function cleanTitle(title: string): string {
  const clean = title.trim()
  if (clean === '' || clean.length > 80 || /['"`\\\n\r*<>$]/.test(clean))
    throw new CreateAdapterError(`title: expected 1 to 80 characters without quotes, found ${JSON.stringify(title)}`)
  return clean
}

/**
 * Writes a new adapter package that builds and keeps every conformance rule from the first run.
 * @returns the files written, relative to the folder
 * @throws CreateAdapterError when a name is not usable or the folder is not empty
 */
export async function createAdapter(
  adapter: NewAdapter,
): Promise<{ readonly folder: string; readonly files: readonly string[] }> {
  const words = wordsOf(adapter)
  const folder = resolve(adapter.folder ?? basename(adapter.name))
  const there = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new CreateAdapterError(`folder: ${folder} cannot be read (${error.code})`)
  })
  if (there.length > 0)
    throw new CreateAdapterError(`folder: expected an empty folder, found ${there.length} entries in ${folder}`)
  const template = fileURLToPath(new URL('../template', import.meta.url))
  const files: string[] = []
  for (const entry of await readdir(template, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const source = join(entry.parentPath, entry.name)
    // npm leaves out .gitignore and reads a nested package.json as its own: both travel under another name.
    const name = source
      .slice(template.length + 1)
      .replace(/(^|[\\/])_(package\.json|gitignore)$/, (_all, at: string, plain: string) =>
        plain === 'gitignore' ? `${at}.gitignore` : `${at}${plain}`,
      )
    const text = await readFile(source, 'utf8')
    const filled = Object.entries(words).reduce((result, [word, value]) => result.replaceAll(word, value), text)
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), filled)
    files.push(name)
  }
  return { folder, files: files.sort() }
}
