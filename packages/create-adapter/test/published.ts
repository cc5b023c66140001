import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url))
const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  rewriteRelativeImportExtensions: true,
  verbatimModuleSyntax: true,
  isolatedDeclarations: true,
  declaration: true,
}

/**
 * Puts packages of this repository into a node_modules folder as npm would install them: JavaScript and declarations, no sources. One file is transpiled at a time
 * (isolatedDeclarations allows it), which takes seconds less than the real build.
 */
export async function publishInto(nodeModules: string): Promise<void> {
  for (const [name, folder] of [
    ['core', 'core'],
    ['farm-protocol', 'protocol'],
    ['image', 'image'],
  ] as const) {
    const source = join(REPOSITORY, 'packages', folder)
    const target = join(nodeModules, '@pictor', name)
    await publish(source, target)
    await linkDependencies(join(source, 'node_modules'), nodeModules)
  }
  for (const name of ['typescript', 'oxlint', '@types/node'])
    await link(join(REPOSITORY, 'node_modules', name), join(nodeModules, name))
  await link(join(REPOSITORY, 'node_modules/typescript/bin/tsc'), join(nodeModules, '.bin/tsc'))
  await link(join(REPOSITORY, 'node_modules/oxlint/bin/oxlint'), join(nodeModules, '.bin/oxlint'))
}

async function publish(source: string, target: string): Promise<void> {
  for (const entry of await readdir(join(source, 'src'), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.ts')) continue
    const path = join(entry.parentPath, entry.name)
    const text = await readFile(path, 'utf8')
    const base = join(target, 'dist', path.slice(join(source, 'src').length + 1).replace(/\.ts$/, ''))
    await mkdir(dirname(base), { recursive: true })
    const run = { fileName: path, compilerOptions: options }
    // Relative imports keep `.ts` in declarations, which TypeScript reads as `.d.ts` only after this change.
    const declarations = ts.transpileDeclaration(text, run).outputText.replaceAll(/(from\s+['"]\.[^'"]*)\.ts(['"])/g, '$1.js$2')
    await writeFile(`${base}.js`, ts.transpileModule(text, run).outputText)
    await writeFile(`${base}.d.ts`, declarations)
  }
  const manifest = await readFile(join(source, 'package.json'), 'utf8')
  // Sources are not published: without them the `source` condition leads nowhere, as it should.
  await writeFile(join(target, 'package.json'), manifest)
}

async function linkDependencies(from: string, to: string): Promise<void> {
  if (!existsSync(from)) return
  for (const name of await readdir(from)) {
    if (name.startsWith('.') || name === '@pictor') continue
    if (name.startsWith('@'))
      for (const inner of await readdir(join(from, name))) await link(join(from, name, inner), join(to, name, inner))
    else await link(join(from, name), join(to, name))
  }
}

async function link(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true })
  await symlink(from, to).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
}
