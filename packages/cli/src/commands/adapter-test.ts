import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PictorError } from '@pictor/core'
import { farmConformance, runCases, type FarmConformanceOptions } from '@pictor/core/conformance'
import { EXIT } from '../terminal/failure.ts'
import type { CommandContext } from './context.ts'

/** `pictor adapter test MODULE`: the conformance kit over what the module exports as `conformance`. Exit code 1 when a case fails. */
export async function adapterTest(path: string, context: CommandContext): Promise<number> {
  const file = resolve(path)
  if (!existsSync(file)) throw new PictorError('not-found', `${path} does not exist`, { details: { path: 'module' } })
  const { conformance } = (await import(pathToFileURL(file).href)) as { conformance?: FarmConformanceOptions }
  if (conformance === undefined)
    throw new PictorError('invalid-input', `${path} exports no \`conformance\``, {
      details: { path: 'module', hint: 'export const conformance = { supports, make }; see docs/guides/write-an-adapter.md' },
    })
  const { style, screen } = context
  let failed = 0
  let passed = 0
  for (const single of farmConformance(conformance)) {
    const [result] = await runCases([single])
    context.emit({ type: 'case', ...result })
    if (result!.outcome === 'failed') failed++
    if (result!.outcome === 'passed') passed++
    const mark = { passed: style.green('✓'), failed: style.red('✕'), skipped: style.dim('-') }[result!.outcome]
    screen.log(`${mark} ${result!.name}${result!.message ? style.dim(`\n    ${result!.message}`) : ''}`)
  }
  screen.log(`${passed} passed, ${failed} failed`)
  return failed === 0 ? EXIT.ok : EXIT.failed
}
