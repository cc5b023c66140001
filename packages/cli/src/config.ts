import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PictorError, type Checker, type Farm } from '@pictor/core'

/** What a config file gives. Left out: the default of this machine. */
export interface Config {
  readonly farms?: readonly Farm[]
  readonly checkers?: readonly Checker[]
}

/** What a config module may export: farms and checkers, or a function that makes them. */
interface ConfigModule {
  readonly config?: Config | ((context: { readonly stateDir: string }) => Config | Promise<Config>)
}

/** One farm in a JSON config: a package that the user named, the factory it exports, and the factory's options. */
interface FarmEntry {
  readonly use: string
  readonly factory: string
  readonly options?: Record<string, unknown>
}

const NAMES = ['pictor.config.ts', 'pictor.config.js', 'pictor.config.json']

/** Loads `pictor.config.ts|js|json` (or the named file). Only packages that the file names are loaded. @throws invalid-input naming the field */
export async function loadConfig(path: string | undefined, context: { readonly stateDir: string }): Promise<Config | undefined> {
  const file = path === undefined ? NAMES.map((name) => resolve(name)).find((name) => existsSync(name)) : resolve(path)
  if (file === undefined) return undefined
  if (!existsSync(file)) throw new PictorError('invalid-input', `config: ${file} does not exist`, { details: { path: 'config' } })
  if (file.endsWith('.json')) return fromJson(file)
  const { config } = (await import(pathToFileURL(file).href)) as ConfigModule
  if (config === undefined)
    throw new PictorError('invalid-input', `${file} exports no \`config\``, {
      details: { path: 'config', hint: 'export const config = { farms: [...] }' },
    })
  return typeof config === 'function' ? config(context) : config
}

async function fromJson(file: string): Promise<Config> {
  let parsed: { farms?: readonly FarmEntry[] }
  try {
    parsed = JSON.parse(readFileSync(file, 'utf8')) as typeof parsed
  } catch (cause) {
    throw new PictorError('invalid-input', `${file} is no JSON: ${(cause as Error).message}`, {
      details: { path: 'config' },
      cause,
    })
  }
  if (!Array.isArray(parsed.farms))
    throw new PictorError('invalid-input', `${file}: farms: expected a list`, { details: { path: 'farms' } })
  return { farms: await Promise.all(parsed.farms.map((entry: FarmEntry, i) => makeFarm(file, entry, `farms[${i}]`))) }
}

async function makeFarm(file: string, entry: FarmEntry, at: string): Promise<Farm> {
  if (typeof entry?.use !== 'string' || typeof entry.factory !== 'string')
    throw new PictorError('invalid-input', `${file}: ${at}: expected { "use": package, "factory": name, "options": {…} }`, {
      details: { path: at },
    })
  let module: Record<string, unknown>
  try {
    module = (await import(pathToFileURL(createRequire(file).resolve(entry.use)).href)) as Record<string, unknown>
  } catch (cause) {
    throw new PictorError('invalid-input', `${file}: ${at}.use: package ${entry.use} cannot be loaded`, {
      details: { path: `${at}.use`, hint: `npm install ${entry.use}` },
      cause,
    })
  }
  const factory = module[entry.factory]
  if (typeof factory !== 'function')
    throw new PictorError('invalid-input', `${file}: ${at}.factory: ${entry.use} exports no function ${entry.factory}`, {
      details: { path: `${at}.factory`, hint: `it exports ${Object.keys(module).join(', ')}` },
    })
  return (factory as (options: unknown) => Farm)(entry.options ?? {})
}
