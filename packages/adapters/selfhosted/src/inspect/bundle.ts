import { createHash } from 'node:crypto'
import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, relative, sep } from 'node:path'
import { PictorError, invalid } from '@pictor/core/contract'
import type { Artifacts, BundleFile, BundleManifest, Inspection } from '@pictor/core/contract'
import { bundleRoot } from '@pictor/core/proof'
import { isPlainPath, plainName } from '../paths.ts'
import { LINKS_FILE } from '../tasks/stage.ts'
import type { BlendFacts } from './inspector.ts'
import type { ExternalEntry } from './report.ts'

/** Endings of files that a scene may rightly need from outside its own folder. A scene of a stranger must not carry off keys or letters as "textures". */
const SCENE_FILES =
  /\.(blend\d*|png|jpe?g|exr|hdr|tiff?|tga|bmp|webp|dpx|cin|jp2|psd|sgi|rgb|gif|avi|mov|mp4|mkv|webm|ogv|mpe?g|wav|mp3|flac|ogg|aac|m4a|aiff?|ttf|otf|ttc|woff2?|pfb|abc|usd[acz]?|vdb|mdd|pc2|btx|obj|ply|stl|bphys|uni|raw|gz|ies|cube|osl|oso)$/i

/** Which file of the bundle a stored path means: same formula as `link_key` in python/scene_links.py. */
export function linkKey(library: string, stored: string): string {
  return createHash('sha256').update(`${library}\0${stored}`).digest('hex')
}

/**
 * Puts a scene and every file it needs among the artifacts. Files in the scene's folder keep their place; others go to `_external/<number>/`, and
 * `_external/links.json` tells workers which stored path is meant. Symbolic links are followed and bundled as what they point to.
 * @throws asset-missing with details.files, invalid-input when the scene asks for a file outside its folder that no scene needs
 */
export async function bundleScene(
  inspection: Inspection,
  artifacts: Artifacts,
  options: { readonly signal?: AbortSignal } = {},
): Promise<BundleManifest> {
  const facts = inspection.ext?.['blend'] as BlendFacts | undefined
  if (!facts) throw invalid('inspection.ext.blend', 'an inspection made by blendInspector', facts)
  const missing = inspection.external.filter((one) => one.missing)
  if (missing.length > 0)
    throw new PictorError(
      'asset-missing',
      `the scene needs ${missing.length} file${missing.length === 1 ? '' : 's'} that are not there: ${missing
        .map((one) => one.path)
        .slice(0, 5)
        .join(', ')}`,
      {
        details: {
          path: 'scene',
          files: missing.map((one) => one.path),
          hint: 'put them back, pack them into the .blend, or remove what uses them',
        },
      },
    )
  const sceneFolder = dirname(inspection.path)
  const entry = plainName(basename(inspection.path))
  const places = new Map<string, string>([[entry, inspection.path]])
  const links: Record<string, string> = {}
  for (const one of facts.report.external) {
    if (one.files.length === 0 || one.kind === 'sound') continue // frames have no sound
    placeEntry(one, sceneFolder, places, links)
  }
  const files: BundleFile[] = []
  for (const [path, source] of places) {
    options.signal?.throwIfAborted()
    files.push({ path, ...(await artifacts.put({ path: await plainFile(source, sceneFolder) })) })
  }
  if (Object.keys(links).length > 0)
    files.push({ path: LINKS_FILE, ...(await artifacts.put(Buffer.from(JSON.stringify(links, Object.keys(links).sort())))) })
  files.sort((a, b) => (a.path < b.path ? -1 : 1))
  return { root: bundleRoot(files), entry, files }
}

const isInside = (path: string): boolean => path !== '' && !path.startsWith('..') && !isAbsolute(path)

/** Kinds that stand for a folder and all that lies in it. */
const FOLDERS: ReadonlySet<string> = new Set(['cache-folder', 'disk-cache'])

/**
 * Files in the scene's folder keep their place; others get one by the folder that they lie in, so that what lies side by side (the tiles of a texture, a library and its
 * caches) still does.
 */
function placeEntry(one: ExternalEntry, sceneFolder: string, places: Map<string, string>, links: Record<string, string>): void {
  if (FOLDERS.has(one.kind)) requirePlainNames(one)
  const inside = relative(sceneFolder, one.absolute)
  const plainNames = one.files.every((file) => isPlainPath(slashed(relative(sceneFolder, file.path))))
  if (isInside(inside) && plainNames) {
    const path = slashed(inside)
    for (const file of one.files) put(places, slashed(relative(sceneFolder, file.path)), file.path, one)
    if (one.library !== '' || one.stored !== `//${path}`) links[linkKey(one.library, one.stored)] = path
    return
  }
  const base = dirname(one.absolute)
  const folder = `_external/${createHash('sha256').update(base).digest('hex').slice(0, 12)}`
  for (const file of one.files) {
    if (!SCENE_FILES.test(file.path))
      throw invalid(`scene.${one.kind}[${one.owner}]`, 'a file that scenes are made of, or one beside the scene', one.stored)
    const name = slashed(relative(base, file.path)).split('/').map(plainName).join('/')
    put(places, `${folder}/${name}`, file.path, one)
  }
  links[linkKey(one.library, one.stored)] = `${folder}/${plainName(basename(one.absolute))}`
}

const slashed = (path: string): string => path.split(sep).join('/')

function put(places: Map<string, string>, path: string, source: string, one: ExternalEntry): void {
  if ((places.get(path) ?? source) !== source)
    throw invalid(
      `scene.${one.kind}[${one.owner}]`,
      `a name that differs from that of ${places.get(path)} in more than characters that not every system can store (: * ? " < > | \\)`,
      source,
    )
  places.set(path, source)
}

/** Simulations find the files of their folder by names of their own, and their folder by the name of the .blend: neither can be renamed. */
function requirePlainNames(one: ExternalEntry): void {
  const base = dirname(one.absolute)
  const odd = [one.absolute, ...one.files.map((file) => file.path)].find((path) => !isPlainPath(slashed(relative(base, path))))
  if (odd === undefined) return
  throw invalid(
    `scene.${one.kind}[${one.owner}]`,
    'a folder, and files in it, whose names every system can store (without : * ? " < > | \\): save the .blend under such a name and bake again',
    odd,
  )
}

/** Where a file really lies. A link from the scene's folder to elsewhere must lead to a file that scenes are made of, too. */
export async function plainFile(path: string, sceneFolder: string): Promise<string> {
  const real = await realpath(path)
  if (!(await stat(real)).isFile()) throw invalid('scene.external', 'a plain file', path)
  const inside = relative(await realpath(sceneFolder), real)
  if ((inside.startsWith('..') || isAbsolute(inside)) && !SCENE_FILES.test(real))
    throw invalid('scene.external', 'a file that scenes are made of, or one beside the scene', path)
  return real
}
