import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const NODE = ['--conditions=source', '--disable-warning=ExperimentalWarning', MAIN]

/** Blender for tests, or why there is none. */
export const blender: string | undefined = [process.env.PICTOR_BLENDER, 'blender'].find(
  (name) => name && spawnSync(name, ['--version']).status === 0,
)
export const blenderReason = 'Blender is not installed (apt-get install blender)'

/** What a finished `pictor` printed. */
export interface Finished {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  /** The objects of `--json`. */
  readonly objects: readonly { readonly type?: string; readonly [key: string]: unknown }[]
}

/** A `pictor` under way. */
export interface Started {
  readonly pid: number
  readonly finished: Promise<Finished>
  /** Resolves with the first line of stdout that matches, also one that came before; rejects with what it printed when it ends without one. */
  seen(pattern: RegExp): Promise<string>
  kill(signal: NodeJS.Signals): void
}

export function startPictor(
  args: readonly string[],
  options: { readonly cwd: string; readonly env?: Record<string, string> },
): Started {
  const child = spawn(process.execPath, [...NODE, ...args], {
    cwd: options.cwd,
    env: { ...process.env, NO_COLOR: '1', ...options.env },
  })
  let stdout = ''
  let stderr = ''
  let ended: Error | undefined
  const looks = new Set<() => void>()
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
    for (const look of looks) look()
  })
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const finished = new Promise<Finished>((resolve) =>
    child.on('close', (code, signal) => {
      ended = new Error(`pictor ${args[0]} ended (${signal ?? code}): ${stdout.slice(-3000)}${stderr}`)
      for (const look of looks) look()
      resolve({ code, signal, stdout, stderr, objects: parse(stdout) })
    }),
  )
  const seen = (pattern: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        // The last line may still be coming.
        const found = stdout
          .split('\n')
          .slice(0, -1)
          .find((line) => pattern.test(line))
        if (found !== undefined) resolve(found)
        else if (ended) reject(ended)
        else return void looks.add(look)
        looks.delete(look)
      }
      look()
    })
  return {
    pid: child.pid!,
    finished,
    seen,
    kill: (signal) => child.kill(signal),
  }
}

/** Runs `pictor` to its end. */
export function pictor(
  args: readonly string[],
  options: { readonly cwd: string; readonly env?: Record<string, string> },
): Promise<Finished> {
  return startPictor(args, options).finished
}

function parse(stdout: string): Finished['objects'] {
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .flatMap((line) => {
      try {
        return [JSON.parse(line) as Finished['objects'][number]]
      } catch {
        return [] // the last line of a killed process may be cut
      }
    })
}

/** Makes a small scene with Blender: `script` is Python after `import bpy` on the factory scene (cube, camera, light; 64x36, 4 samples, Cycles). */
export function makeScene(path: string, script = ''): void {
  const setup = [
    'import bpy',
    's = bpy.context.scene',
    "s.render.engine = 'CYCLES'",
    's.render.resolution_x, s.render.resolution_y, s.cycles.samples = 96, 64, 8',
    's.cycles.use_adaptive_sampling = s.cycles.use_denoising = False',
    's.render.use_compositing = False',
    "s.render.image_settings.file_format = 'PNG'",
    "s.render.image_settings.color_mode = 'RGB'",
    's.frame_start, s.frame_end = 1, 12',
    "bpy.data.objects['Cube'].rotation_euler = (0, 0, 0)",
    "bpy.data.objects['Cube'].keyframe_insert('rotation_euler', frame=1)",
    "bpy.data.objects['Cube'].rotation_euler = (0, 0, 2)",
    "bpy.data.objects['Cube'].keyframe_insert('rotation_euler', frame=12)",
    script,
    `bpy.ops.wm.save_as_mainfile(filepath=${JSON.stringify(path)}, compress=False)`,
  ].join('\n')
  const made = spawnSync(blender!, ['-b', '--factory-startup', '-Y', '--python-exit-code', '42', '--python-expr', setup], {
    encoding: 'utf8',
  })
  if (made.status !== 0) throw new Error(`Blender could not make ${path}: ${made.stdout.slice(-800)}`)
}

export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'pictor-cli-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) }
}
