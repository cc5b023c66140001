// Writes the declarations of one package beside its JavaScript: one .d.ts a source file. `isolatedDeclarations` lets TypeScript do this without a type check
// (which `pnpm typecheck` does), so that a build takes a second instead of ten.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import ts from 'typescript'

const compilerOptions: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  isolatedDeclarations: true,
  declaration: true,
  declarationMap: true,
}

/** Writes `dist/**.d.ts` (and maps that lead to `src`) for every file of `src`. @throws Error naming a declaration that cannot be written without its neighbours */
export async function writeDeclarations(packageDir: string): Promise<void> {
  const source = join(packageDir, 'src')
  for (const entry of await readdir(source, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.ts')) continue
    const path = join(entry.parentPath, entry.name)
    const target = join(packageDir, 'dist', relative(source, path).replace(/\.ts$/, '.d.ts'))
    const fileName = basename(path)
    const { outputText, sourceMapText, diagnostics } = ts.transpileDeclaration(await readFile(path, 'utf8'), {
      fileName,
      compilerOptions,
      reportDiagnostics: true,
    })
    const [wrong] = diagnostics ?? []
    if (wrong) throw new Error(`${path}: ${ts.flattenDiagnosticMessageText(wrong.messageText, '\n')}`)
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, withJsPaths(outputText))
    const map = { ...(JSON.parse(sourceMapText!) as object), sources: [relative(dirname(target), path)] }
    await writeFile(`${target}.map`, JSON.stringify(map))
  }
}

/** Relative imports as they are called once built: `./money.ts` becomes `./money.js`. Same length, so that maps stay right. */
function withJsPaths(declarations: string): string {
  return declarations.replaceAll(/(\bfrom\s+['"]|\bimport\(\s*['"])(\.[^'"]*)\.ts(?=['"])/g, '$1$2.js')
}
