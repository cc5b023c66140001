import { createHash } from 'node:crypto'
import { constants, createReadStream, utimesSync } from 'node:fs'
import { chmod, copyFile, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { PictorError, invalid, isPictorError } from '@pictor/core/contract'
import type { Artifacts, BundleFile, BundleManifest } from '@pictor/core/contract'
import { bundleRoot } from '@pictor/core/proof'
import { isPlainPath, tilesOf } from '../paths.ts'
import type { SceneFile } from '../blender/worker.ts'

/** Name of the file in a bundle that says where the scene's odd paths lie; see `bundleScene`. */
export const LINKS_FILE = '_external/links.json'

const HASH = /^0x[0-9a-f]{64}$/

/** Refuses a manifest that could write outside its folder or is not what its root says. @throws invalid-input naming the field */
export function checkManifest(manifest: BundleManifest, maxBytes: number): void {
  if (!HASH.test(manifest.root)) throw invalid('bundle.root', 'a 0x sha256', manifest.root)
  let total = 0
  for (const [i, file] of manifest.files.entries()) {
    const path = `bundle.files[${i}].path`
    if (!isPlainPath(file.path) || file.path.length > 1000) throw invalid(path, 'a plain relative path without ..', file.path)
    if (!Number.isSafeInteger(file.bytes) || file.bytes < 0)
      throw invalid(`bundle.files[${i}].bytes`, 'a size in bytes', file.bytes)
    total += file.bytes
  }
  if (total > maxBytes) throw invalid('bundle.files', `at most ${maxBytes} bytes in all`, total)
  const root = bundleRoot(manifest.files)
  if (root !== manifest.root) throw invalid('bundle.root', `${root}, the root of its files`, manifest.root)
  if (!manifest.files.some((file) => file.path === manifest.entry))
    throw invalid('bundle.entry', 'one of its files', manifest.entry)
}

/** Folder of a staged bundle. */
export function sceneFolder(workDir: string, root: string): string {
  return join(workDir, 'scenes', root.slice(2))
}

/** Whether a bundle is staged; says so too that it is used, by the time of its folder: `sweep.ts` removes what nobody used for long. In one step, so that nothing is removed in between. */
function use(folder: string): boolean {
  try {
    utimesSync(folder, new Date(), new Date())
    return true
  } catch {
    return false
  }
}

/** Whether somebody is staging into a folder. */
export function beingStaged(folder: string): boolean {
  return staging.has(folder)
}

/** Stagings under way in this process, by folder; `workDir` belongs to one process. */
const staging = new Map<string, Promise<void>>()

/**
 * Puts the files of a bundle under `workDir/scenes/<root>`, read-only and each checked against its hash. Appears whole or not at all; files of an interrupted
 * staging are kept and not fetched again. Callers that stage the same bundle at once take turns: the first one fetches, the others find it there, or go on where it failed.
 * @throws invalid-input on a bad manifest, asset-missing when the artifacts lack a file or hold another one
 */
export async function stageBundle(
  workDir: string,
  manifest: BundleManifest,
  files: Artifacts,
  options: { readonly maxBytes: number; readonly signal?: AbortSignal | undefined },
): Promise<string> {
  checkManifest(manifest, options.maxBytes)
  const folder = sceneFolder(workDir, manifest.root)
  const before = staging.get(folder) ?? Promise.resolve()
  const mine = before.catch(() => {}).then(() => fetchBundle(folder, manifest, files, options.signal))
  staging.set(folder, mine)
  try {
    await mine
  } finally {
    if (staging.get(folder) === mine) staging.delete(folder)
  }
  return folder
}

async function fetchBundle(
  folder: string,
  manifest: BundleManifest,
  files: Artifacts,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (use(folder)) return
  const partial = `${folder}.partial`
  for (const file of manifest.files) {
    signal?.throwIfAborted()
    const target = join(partial, file.path)
    if ((await hashOf(target)) === file.hash) continue
    await mkdir(dirname(target), { recursive: true })
    await rm(target, { force: true })
    await fetchFile(files, file, target)
    if ((await hashOf(target)) !== file.hash || (await stat(target)).size !== file.bytes)
      throw new PictorError('asset-missing', `the bundle's file ${file.path} is not the one that its hash names`, {
        details: { files: [file.path], hash: file.hash },
      })
    await chmod(target, 0o444)
  }
  await rename(partial, folder)
}

/** Copies one file from the artifacts: from a local path where they have one (a clone where the file system can), else through memory. */
async function fetchFile(files: Artifacts, file: BundleFile, target: string): Promise<void> {
  try {
    const local = await files.path(file.hash).catch((error: unknown) => {
      if (isPictorError(error, 'not-found')) return undefined // a store without local paths
      throw error
    })
    if (local !== undefined) await copyFile(local, target, constants.COPYFILE_FICLONE)
    else await writeFile(target, await files.read(file.hash))
  } catch (cause) {
    if (!isPictorError(cause, 'not-found')) throw cause
    throw new PictorError('asset-missing', `the bundle's file ${file.path} is not among the artifacts`, {
      details: { files: [file.path], hash: file.hash },
      cause,
    })
  }
}

/** The scene of a staged bundle as a worker loads it. @throws not-found when it was never staged */
export async function stagedScene(workDir: string, manifest: BundleManifest): Promise<SceneFile> {
  const folder = sceneFolder(workDir, manifest.root)
  const file = join(folder, manifest.entry)
  if (!use(folder))
    throw new PictorError('not-found', `bundle ${manifest.root} is not staged on this farm`, { details: { path: 'task.stage' } })
  if (!manifest.files.some((one) => one.path === LINKS_FILE)) return { file }
  const links = JSON.parse(await readFile(join(folder, LINKS_FILE), 'utf8')) as Record<string, string>
  const names = new Set(manifest.files.map((one) => one.path))
  const holds = (path: string): boolean => {
    const isTile = tilesOf(path)
    return names.has(path) || [...names].some((name) => (isTile ? isTile(name) : name.startsWith(`${path}/`)))
  }
  // A bundle from elsewhere must not make a scene read files of this machine.
  const inside = Object.entries(links).filter(([, path]) => typeof path === 'string' && holds(path))
  return { file, links: Object.fromEntries(inside) }
}

async function hashOf(path: string): Promise<string | undefined> {
  const digest = createHash('sha256')
  try {
    for await (const chunk of createReadStream(path)) digest.update(chunk as Buffer)
  } catch {
    return undefined
  }
  return `0x${digest.digest('hex')}`
}
