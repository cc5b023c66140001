import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { invalid, money, parseFrames, type Money } from '@pictor/core'

/** One shot of a show. */
export interface Shot {
  /** Such as `sq010_sh020`; names the folder of its versions. */
  readonly name: string
  /** Absolute path of the .blend file. */
  readonly scene: string
  /** Left out: the range of the file. */
  readonly frames?: string
}

/** What is to be rendered, and for how much. */
export interface Show {
  readonly name: string
  /** For all shots together, all their versions included. */
  readonly budget: Money
  /** Of each shot, such as `10h`. */
  readonly deadline: string
  readonly shots: readonly Shot[]
}

/** Reads a show's file; scene paths are taken from its folder. @throws invalid-input naming the field */
export async function readShow(path: string): Promise<Show> {
  let parsed: unknown
  try {
    parsed = JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    throw invalid('show', `a JSON file at ${path}`, (cause as Error).message)
  }
  const { name, budget, deadline, shots } = parsed as Record<string, unknown>
  if (!Array.isArray(shots) || shots.length === 0) throw invalid('shots', 'a list of at least one shot', shots)
  const read = shots.map((shot: unknown, i) => readShot(shot, `shots[${i}]`, dirname(resolve(path))))
  const twice = read.find((shot, i) => read.findIndex((other) => other.name === shot.name) !== i)
  if (twice) throw invalid('shots', 'shots of different names', twice.name)
  return {
    name: plainName(name, 'name'),
    budget: money(String(budget), 'USD'),
    deadline: typeof deadline === 'string' ? deadline : '24h',
    shots: read,
  }
}

function readShot(value: unknown, at: string, folder: string): Shot {
  const { name, scene, frames } = (value ?? {}) as Record<string, unknown>
  if (typeof scene !== 'string' || scene === '') throw invalid(`${at}.scene`, 'the path of a .blend file', scene)
  if (frames !== undefined && typeof frames !== 'string') throw invalid(`${at}.frames`, 'a frame range such as 1-48', frames)
  if (frames !== undefined) parseFrames(frames)
  return { name: plainName(name, `${at}.name`), scene: resolve(folder, scene), ...(frames === undefined ? {} : { frames }) }
}

/** Names become folders, so they hold nothing that leads out of one. */
function plainName(value: unknown, at: string): string {
  if (typeof value !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(value))
    throw invalid(at, 'letters, digits, _ and -', value)
  return value
}
