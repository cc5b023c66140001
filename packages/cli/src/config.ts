import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import {
  checkContract,
  PictorError,
  type Checker,
  type DigestSigner,
  type Farm,
  type Ledger,
  type RateSource,
} from '@pictor/core'
import { readConfigJson } from './config-json.ts'

/** What a config file gives. Left out: the default of this machine. */
export interface Config {
  readonly farms?: readonly Farm[]
  readonly checkers?: readonly Checker[]
  /** Signed rates, for budgets in other currencies than USD. */
  readonly rates?: RateSource
}

/** What a config that is a function is given. */
export interface ConfigContext {
  /** Folder of jobs, keys and files (`--state-dir`), absolute. */
  readonly stateDir: string
  /** The key of this name in the folder's `keys.json`; made when there is none. A farm needs one to take leases. */
  readonly signer: (name: string) => DigestSigner
  /** The chain of --rpc and --escrow: a farm that follows it works for locked money only, and takes leases of jobs whose checkers are drawn. */
  readonly ledger?: Ledger
}

/** A config, or a function that makes one (for keys out of a vault, or farms by place). */
export type ConfigSource = Config | ((context: ConfigContext) => Config | Promise<Config>)

/**
 * Types a config in an editor; returns it unchanged.
 *
 * @example
 * export const config = defineConfig(({ signer }) => ({
 *   farms: [selfHosted({ id: 'studio', workDir: '/srv/pictor/studio', signer: signer('farm:studio') })],
 * }))
 */
export function defineConfig<const T extends ConfigSource>(config: T): T {
  return config
}

const NAMES = ['pictor.config.ts', 'pictor.config.js', 'pictor.config.json']
const VERBS = {
  farms: ['describe', 'quote', 'stage', 'submit', 'poll', 'set', 'open'],
  checkers: ['send', 'poll'],
} as const

/**
 * Loads `pictor.config.ts|js|json` of the working folder, or the named file. Only packages that the file names are loaded.
 * @throws invalid-input naming the field; unsupported when a farm or checker speaks another contract
 */
export async function loadConfig(
  path: string | undefined,
  context: ConfigContext,
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<Config | undefined> {
  const file = path === undefined ? NAMES.map((name) => resolve(name)).find((name) => existsSync(name)) : resolve(path)
  if (file === undefined) return undefined
  if (!existsSync(file)) throw new PictorError('invalid-input', `config: ${file} does not exist`, { details: { path: 'config' } })
  const config = file.endsWith('.json') ? await readConfigJson(file, { env, ...context }) : await fromModule(file, context)
  return checked(file, config)
}

async function fromModule(file: string, context: ConfigContext): Promise<unknown> {
  let module: { readonly config?: ConfigSource }
  try {
    module = (await import(pathToFileURL(file).href)) as typeof module
  } catch (cause) {
    throw new PictorError('invalid-input', `${file} cannot be loaded: ${(cause as Error).message}`, {
      details: { path: 'config' },
      cause,
    })
  }
  if (module.config === undefined)
    throw new PictorError('invalid-input', `${file} exports no \`config\``, {
      details: { path: 'config', hint: 'export const config = defineConfig({ farms: [...] })' },
    })
  return typeof module.config === 'function' ? module.config(context) : module.config
}

/** Whether a config holds what its type says: a file is written by hand, and often in JavaScript. */
function checked(file: string, config: unknown): Config {
  const refuse = (path: string, message: string, hint?: string) =>
    new PictorError('invalid-input', `${file}: ${path}: ${message}`, { details: { path, ...(hint ? { hint } : {}) } })
  if (typeof config !== 'object' || config === null) throw refuse('config', 'expected { farms, checkers, rates }')
  for (const key of Object.keys(config))
    if (!['farms', 'checkers', 'rates'].includes(key))
      throw refuse(key, 'no such field', 'a config has the fields farms, checkers and rates')
  const { rates } = config as { readonly rates?: Partial<RateSource> }
  if (rates !== undefined && (typeof rates?.quote !== 'function' || typeof rates.quoter !== 'string'))
    throw refuse('rates', 'expected { quoter, quote }', 'signedRates of @pictor/core makes one')
  for (const key of ['farms', 'checkers'] as const) {
    const list: unknown = (config as Record<string, unknown>)[key]
    if (list === undefined) continue
    if (!Array.isArray(list) || list.length === 0) throw refuse(key, 'expected a list with at least one entry')
    const ids = new Set<string>()
    list.forEach((part: Record<string, unknown> | null, i) => {
      const at = `${key}[${i}]`
      if (typeof part !== 'object' || part === null || typeof part.id !== 'string')
        throw refuse(at, `expected ${key === 'farms' ? 'a farm' : 'a checker'}`, 'did you forget to call its factory?')
      checkContract(part as { contract: unknown; id: string }, at)
      for (const verb of VERBS[key]) if (typeof part[verb] !== 'function') throw refuse(`${at}.${verb}`, 'expected a function')
      if (ids.has(part.id)) throw refuse(`${at}.id`, `${part.id} is the name of another one`, 'give each an id of its own')
      ids.add(part.id)
    })
  }
  return config
}
