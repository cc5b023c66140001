import { join } from 'node:path'
import ts from 'typescript'

/** What TypeScript says about files of a consumer's folder, as `file: message`. Resolves with `nodenext` unless told otherwise. */
export function errorsOf(folder: string, files: readonly string[], options: ts.CompilerOptions = {}): string[] {
  const program = ts.createProgram(files, {
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.asynciterable.d.ts'],
    types: ['node'],
    typeRoots: [join(folder, 'node_modules/@types')],
    ...options,
  })
  return ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const line = file && start !== undefined ? `:${file.getLineAndCharacterOfPosition(start).line + 1}` : ''
    return `${file?.fileName.slice(folder.length + 1)}${line}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
  })
}
