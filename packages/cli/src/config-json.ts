import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PictorError, usd, type DigestSigner, type Ledger, type RateSource } from '@pictor/core'
import { reachCheckers, type CheckerEntry, type FilesEntry } from './config-checkers.ts'
import { ratesFrom } from './rates.ts'

/** One farm of `pictor.config.json`: a package (or a file beside the config), the factory it exports, and the factory's options. */
interface FarmEntry {
  readonly use: string
  readonly factory: string
  readonly options?: Readonly<Record<string, unknown>>
}

/** Where values come from that do not stand in the file. */
export interface JsonSources {
  readonly env: Readonly<Record<string, string | undefined>>
  /** The key of this name in the folder's `keys.json`; made when there is none. */
  readonly signer: (name: string) => DigestSigner
  /** The chain of --rpc and --escrow, where there is one. */
  readonly ledger?: Ledger
}

/**
 * Reads `pictor.config.json`, makes its farms and reaches its checkers; config.schema.json says what it may hold. In options `{ "$env": "NAME" }` stands for an environment variable,
 * `{ "$key": "NAME" }` for a signing key of this folder, `{ "$ledger": "escrow" }` for the chain of --rpc and --escrow, and `{ "$usd": "0.25" }` for an amount, so that no secret and no count of micro-dollars is written there.
 * @throws invalid-input naming the field
 */
export async function readConfigJson(file: string, sources: JsonSources): Promise<unknown> {
  let parsed: unknown
  try {
    parsed = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw refuse(file, 'config', `no JSON: ${(cause as Error).message}`)
  }
  const { $schema: _schema, ...config } = objectAt(file, 'config', parsed)
  for (const key of Object.keys(config))
    if (!['farms', 'checkers', 'files', 'rates'].includes(key))
      throw refuse(file, key, 'no such field', 'a JSON config has the fields $schema, farms, checkers, files and rates')
  const { farms, checkers, rates } = config
  if (farms === undefined && checkers === undefined && rates === undefined)
    throw refuse(file, 'farms', 'expected a list, or checkers, or rates')
  return {
    ...(rates === undefined ? {} : { rates: readRates(file, objectAt(file, 'rates', rates)) }),
    ...(farms === undefined
      ? {}
      : {
          farms: await Promise.all(
            listAt(file, 'farms', farms).map((entry, i) =>
              makeFarm(file, entryAt(file, `farms[${i}]`, entry), `farms[${i}]`, sources),
            ),
          ),
        }),
    ...(checkers === undefined ? {} : { checkers: await makeCheckers(file, config, sources) }),
  }
}

/** A file is looked for beside the config. */
function readRates(file: string, { from, quoter }: Record<string, unknown>): RateSource {
  if (typeof from !== 'string' || from === '') throw refuse(file, 'rates.from', 'expected a URL or a file')
  if (typeof quoter !== 'string') throw refuse(file, 'rates.quoter', 'expected the address whose rates are trusted')
  return ratesFrom({ from: /^https?:\/\//.test(from) ? from : resolve(dirname(file), from), quoter })
}

async function makeCheckers(file: string, config: Record<string, unknown>, sources: JsonSources): Promise<unknown> {
  const entries = listAt(file, 'checkers', config.checkers).map((value, i) => {
    const at = `checkers[${i}]`
    const entry = objectAt(file, at, filledIn(file, at, value, sources))
    for (const key of ['url', 'token', 'address'] as const)
      if (typeof entry[key] !== 'string') throw refuse(file, `${at}.${key}`, 'expected a text')
    return entry as unknown as CheckerEntry
  })
  try {
    return await reachCheckers(entries, objectAt(file, 'files', config.files ?? {}) as FilesEntry)
  } catch (cause) {
    throw refuse(file, 'checkers', (cause as Error).message, undefined, cause)
  }
}

function listAt(file: string, at: string, value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw refuse(file, at, 'expected a list')
  return value
}

function entryAt(file: string, at: string, value: unknown): FarmEntry {
  const entry = objectAt(file, at, value)
  for (const key of Object.keys(entry))
    if (key !== 'use' && key !== 'factory' && key !== 'options')
      throw refuse(file, `${at}.${key}`, 'no such field', 'a farm has the fields use, factory and options')
  for (const key of ['use', 'factory'] as const)
    if (typeof entry[key] !== 'string' || entry[key] === '') throw refuse(file, `${at}.${key}`, 'expected a name')
  const options = entry.options === undefined ? {} : objectAt(file, `${at}.options`, entry.options)
  return { use: entry.use as string, factory: entry.factory as string, options }
}

async function makeFarm(file: string, entry: FarmEntry, at: string, sources: JsonSources): Promise<unknown> {
  let module: Record<string, unknown>
  try {
    module = (await import(pathToFileURL(createRequire(file).resolve(entry.use)).href)) as Record<string, unknown>
  } catch (cause) {
    throw refuse(
      file,
      `${at}.use`,
      `${entry.use} cannot be loaded: ${(cause as Error).message.split('\n')[0]}`,
      `npm install ${entry.use}`,
      cause,
    )
  }
  const factory = module[entry.factory]
  if (typeof factory !== 'function')
    throw refuse(
      file,
      `${at}.factory`,
      `${entry.use} exports no function ${entry.factory}`,
      `it exports ${Object.keys(module).join(', ')}`,
    )
  const options = filledIn(file, `${at}.options`, entry.options, sources)
  try {
    return await (factory as (options: unknown) => unknown)(options)
  } catch (cause) {
    throw refuse(file, `${at}.options`, (cause as Error).message, undefined, cause)
  }
}

/** Puts values in place of `{ "$env": … }`, `{ "$key": … }` and `{ "$usd": … }`. */
function filledIn(file: string, at: string, value: unknown, sources: JsonSources): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((one, i) => filledIn(file, `${at}[${i}]`, one, sources))
  const entries = Object.entries(value)
  const [word, name] = entries[0] ?? []
  if (entries.length !== 1 || !word!.startsWith('$'))
    return Object.fromEntries(entries.map(([key, one]) => [key, filledIn(file, `${at}.${key}`, one, sources)]))
  if (typeof name !== 'string' || name === '') throw refuse(file, `${at}.${word}`, 'expected a text')
  if (word === '$key') return sources.signer(name)
  if (word === '$ledger') return sources.ledger
  if (word === '$usd') {
    if (!/^\d+(\.\d{1,6})?$/.test(name)) throw refuse(file, `${at}.$usd`, 'expected an amount such as "0.25"')
    return usd(name).amount
  }
  if (word !== '$env') throw refuse(file, `${at}.${word}`, 'no such word', '$env, $key, $ledger and $usd stand for values')
  const found = sources.env[name]
  if (found === undefined || found === '') throw refuse(file, at, `the environment variable ${name} is not set`)
  return found
}

function objectAt(file: string, at: string, value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refuse(file, at, 'expected an object')
  return value as Record<string, unknown>
}

function refuse(file: string, path: string, message: string, hint?: string, cause?: unknown): PictorError {
  return new PictorError('invalid-input', `${file}: ${path}: ${message}`, {
    details: { path, hint: hint ?? 'config.schema.json of @pictor/cli says what the file may hold' },
    ...(cause === undefined ? {} : { cause }),
  })
}
