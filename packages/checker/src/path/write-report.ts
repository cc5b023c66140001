import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Area, Picture } from '../compare/picture.ts'
import { pictureOf } from '../node/file-check.ts'
import { differencePicture, type Marks } from '../verdict/difference-picture.ts'
import { reportPage, type ReportRow } from '../verdict/report-page.ts'
import { thumbnail } from '../verdict/thumbnail.ts'
import { REPORT_MARK, sequenceOf } from './folder.ts'
import { checkPath, readCheckSet, type CheckLine, type CheckPathOptions } from './check-path.ts'

/** Options of {@link writeReport}. */
export interface WriteReportOptions extends CheckPathOptions {
  readonly title?: string
  /** Lines that were made already; the files are checked when left out. */
  readonly lines?: readonly CheckLine[]
  /** Milliseconds since 1970 for the page's date; the machine's clock when left out. */
  readonly now?: number
}

/**
 * Writes `index.html` with a thumbnail, verdict and reasons for every frame of a manifest or folder into `folder`, which is made when it is not there. Frames that were not
 * accepted and have a reference render get a difference picture.
 * @throws not-found, invalid-input as {@link checkPath}
 */
export async function writeReport(
  folder: string,
  path: string,
  options: WriteReportOptions = {},
): Promise<{ readonly page: string; readonly lines: readonly CheckLine[] }> {
  const set = await readCheckSet(path, options.spec)
  const lines: CheckLine[] = [...(options.lines ?? [])]
  if (!options.lines) for await (const line of checkPath(path, options)) lines.push(line)
  await mkdir(join(folder, 'frames'), { recursive: true })
  await writeFile(join(folder, REPORT_MARK), '')
  const entries = new Map(set.frames.map((entry) => [entry.file, entry]))
  const rows: ReportRow[] = []
  for (const [i, line] of lines.entries()) {
    options.signal?.throwIfAborted()
    const entry = entries.get(line.file)
    const picture = entry ? await pictureAt(entry.path) : undefined
    if (!entry || !picture) {
      // A frame that is missing has the name it would have, in its sequence.
      const sequence = entry?.sequence ?? (line.file ? sequenceOf(line.file) : undefined)
      rows.push({ ...line, ...(sequence === undefined ? {} : { sequence }) })
      continue
    }
    const name = String(i).padStart(5, '0')
    await writeFile(join(folder, 'frames', `${name}.png`), thumbnail(picture))
    const references = set.references.find((one) => one.sequence === entry.sequence && one.frame === entry.frame)
    const reference = references?.checkers[0]
    const own = line.verdict !== 'accept' && reference ? await pictureAt(reference) : undefined
    const comparable = own && own.width === picture.width && own.height === picture.height
    if (comparable)
      await writeFile(
        join(folder, 'frames', `${name}-difference.png`),
        differencePicture(picture, own, marksOf(line, references?.crops.map(({ area }) => area) ?? [])),
      )
    rows.push({
      ...line,
      sequence: entry.sequence,
      thumbnail: `frames/${name}.png`,
      ...(comparable ? { difference: `frames/${name}-difference.png` } : {}),
    })
  }
  const page = join(folder, 'index.html')
  const references = options.references === false ? 0 : set.references.length
  const basis = [
    set.basis,
    references > 0 ? `Reference renders for ${references} frames` : 'No reference renders: files and sequences only',
  ]
  await writeFile(page, reportPage({ title: options.title ?? 'Frame check', basis, madeAtMs: options.now ?? Date.now() }, rows))
  return { page, lines }
}

function marksOf({ findings }: CheckLine, places: readonly Area[]): Marks {
  const alarm = findings.find((found) => found.region)?.region
  return { places, ...(alarm ? { alarm } : {}) }
}

async function pictureAt(path: string): Promise<Picture | undefined> {
  try {
    return await pictureOf(await readFile(path))
  } catch {
    // Its row says what is wrong with the file.
    return undefined
  }
}
