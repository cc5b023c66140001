import { createHash } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { copyFile, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { formatFrames, isPictorError, PictorError, type Artifacts, type BundleManifest, type Task } from '@pictor/core/contract'
import { manifestSchema } from '../wire.ts'

/** Folders of a human lane: what is staged, what the operator sends, what was accepted. */
export interface ExchangeFolder {
  /** Keeps the files of a bundle by hash. @throws invalid-input for paths that leave the bundle and for wrong bytes */
  stage(manifest: BundleManifest, files: Artifacts, signal: AbortSignal | undefined): Promise<string>
  /** Writes scene, assets and job sheet of a task where the operator finds them. */
  writePackage(name: string, task: Task, sheet: JobSheet): Promise<string>
  removePackage(name: string): Promise<void>
  /** Keeps an accepted frame. @returns path, size and hash */
  keepOutput(name: string, frame: number, source: string): Promise<{ file: string; bytes: number; hash: `0x${string}` }>
  outputPath(name: string, file: string): string
  readonly journal: string
}

/** What the operator reads. */
export interface JobSheet {
  readonly title: string
  readonly steps: readonly string[]
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

/** The exchange folder at a path; nothing is written before the first stage. */
export function exchangeFolder(folder: string): ExchangeFolder {
  const own = join(folder, '.pictor')
  const fileOf = (hash: string): string => join(own, 'files', hash.slice(2))
  const stageOf = (ref: string): string => join(own, 'stages', `${ref}.json`)
  const outputPath = (name: string, file: string): string => join(own, 'outputs', name, file)
  return {
    journal: join(own, 'journal.jsonl'),
    outputPath,
    async stage(manifest, files, signal) {
      const checked = manifestSchema.read(manifest, 'manifest')
      await mkdir(join(own, 'files'), { recursive: true })
      for (const { hash, path } of checked.files) {
        signal?.throwIfAborted()
        if (!(await exists(fileOf(hash)))) await keepFile(files, hash, path, fileOf(hash))
      }
      const json = JSON.stringify(checked)
      // The root is the sender's word; the stage is named by what it holds.
      const ref = createHash('sha256').update(json).digest('hex')
      await mkdir(dirname(stageOf(ref)), { recursive: true })
      await writeFile(stageOf(ref), json)
      return ref
    },
    async writePackage(name, task, sheet) {
      const target = join(folder, name)
      const staged = await readFile(stageOf(task.stage.ref), 'utf8').catch(() => undefined)
      if (staged === undefined)
        throw new PictorError('farm-refused', 'the stage of the task is not known', { details: { path: 'task.stage' } })
      const manifest = manifestSchema.read(JSON.parse(staged), 'stage')
      const part = `${target}.part`
      await rm(part, { recursive: true, force: true })
      for (const file of manifest.files) {
        const path = join(part, 'scene', file.path)
        await mkdir(dirname(path), { recursive: true })
        await copyFile(fileOf(file.hash), path, constants.COPYFILE_FICLONE)
      }
      await mkdir(part, { recursive: true })
      await writeFile(join(part, 'job.json'), `${JSON.stringify(sheetJson(name, task, manifest), undefined, 2)}\n`)
      await writeFile(join(part, 'job.html'), sheetHtml(name, task, manifest, sheet))
      await rm(target, { recursive: true, force: true })
      // The operator sees the package only once it is whole.
      await rename(part, target)
      return target
    },
    removePackage: (name) => rm(join(folder, name), { recursive: true, force: true }),
    async keepOutput(name, frame, source) {
      const file = `${frame}${/\.[A-Za-z0-9]{1,8}$/.exec(source)?.[0].toLowerCase() ?? ''}`
      const target = outputPath(name, file)
      await mkdir(dirname(target), { recursive: true })
      // A copy, because the file in the download folder may be written again.
      await copyFile(source, target, constants.COPYFILE_FICLONE)
      return { file, bytes: (await stat(target)).size, hash: await hashOf(target) }
    },
  }
}

async function hashOf(path: string): Promise<`0x${string}`> {
  const digest = createHash('sha256')
  for await (const chunk of createReadStream(path)) digest.update(chunk as Buffer)
  return `0x${digest.digest('hex')}`
}

async function keepFile(files: Artifacts, hash: `0x${string}`, name: string, target: string): Promise<void> {
  const source = await files.path(hash).catch((error: unknown) => {
    if (isPictorError(error, 'not-found')) throw error
    return undefined
  })
  const part = `${target}.part`
  if (source === undefined) await writeFile(part, await files.read(hash))
  else await copyFile(source, part, constants.COPYFILE_FICLONE)
  const found = await hashOf(part)
  if (found === hash) return rename(part, target)
  await rm(part, { force: true })
  throw new PictorError('invalid-input', `${name}: expected the sha256 ${hash}, found ${found}`, {
    details: { path: 'manifest.files.hash' },
  })
}

function sheetJson(name: string, task: Task, manifest: BundleManifest): Record<string, unknown> {
  const { spec, work } = task
  return {
    job: name,
    scene: `scene/${manifest.entry}`,
    frames: work.kind === 'frames' ? formatFrames(work.frames) : undefined,
    software: `${spec.software} ${spec.softwareVersion}`,
    engine: spec.engine,
    camera: spec.camera,
    samples: spec.samples,
    output: spec.output,
    names: `${name}_####`,
    offer: task.offer,
    files: manifest.files,
  }
}

const escaped = (text: unknown): string => String(text).replaceAll(/[&<>"']/g, (letter) => `&#${letter.codePointAt(0)};`)

function sheetHtml(name: string, task: Task, manifest: BundleManifest, { title, steps }: JobSheet): string {
  const facts = Object.entries(sheetJson(name, task, manifest)).filter(([key]) => key !== 'files')
  const rows = facts.map(([key, value]) => {
    const shown = typeof value === 'object' ? JSON.stringify(value) : value
    return `<tr><th>${escaped(key)}<td>${escaped(shown)}`
  })
  return [
    '<!doctype html><meta charset="utf-8">',
    `<title>${escaped(title)}</title><h1>${escaped(title)}</h1>`,
    `<ol>${steps.map((step) => `<li>${escaped(step)}`).join('')}</ol>`,
    `<table>${rows.join('')}</table>\n`,
  ].join('\n')
}
