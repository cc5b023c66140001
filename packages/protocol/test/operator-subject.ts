import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FarmSubject, SubjectWish } from '@pictor/core/conformance'
import type { Task, TaskRef } from '@pictor/core/contract'
import { smallJob } from '../../core/test/conformance/small-farm.ts'
import type { OperatorFarm } from '../src/operator/index.ts'

/** How a human-lane farm is made for a test: folders, times that suit a test, and a picture of the ordered size. */
export interface OperatorParts {
  readonly make: (options: { folder: string; downloads: string; stableMs: number; scanMs: number }) => OperatorFarm
  readonly picture: (width: number, height: number, frame: number) => Uint8Array
}

/**
 * An operator and his farm's app, simulated: he answers tickets, and the app writes one frame into the download folder each time that time passes, in two steps, as
 * downloads do.
 */
export async function operatorSubject({ scenario }: SubjectWish, { make, picture }: OperatorParts): Promise<FarmSubject> {
  const root = await mkdtemp(join(tmpdir(), 'pictor-operator-'))
  const folder = join(root, 'exchange')
  const downloads = join(root, 'app', 'downloads')
  const { job, files } = await smallJob()
  const farm = make({ folder, downloads, stableMs: 5, scanMs: 1 })
  const tasks = new Map<string, Task>()
  const sending = new Map<string, { frames: number[]; half?: { path: string; bytes: Uint8Array } }>()
  const { width, height } = job.render.output

  const write = async (ref: string): Promise<void> => {
    const state = sending.get(ref)
    if (!state) return
    if (state.half) {
      await writeFile(state.half.path, state.half.bytes)
      delete state.half
      return
    }
    const frame = state.frames.shift()
    if (frame === undefined) return
    const dir = join(downloads, ref)
    await mkdir(dir, { recursive: true })
    const path = join(dir, `${ref}_${String(frame).padStart(4, '0')}.png`)
    const whole = picture(width, height, frame)
    const bytes = scenario === 'failing-frame' && frame === 3 ? whole.subarray(0, 60) : whole
    await writeFile(path, bytes.subarray(0, 20))
    state.half = { path, bytes }
  }
  return {
    farm: {
      ...farm,
      async submit(task, ctx) {
        const ref = await farm.submit(task, ctx)
        tasks.set(ref.ref, task)
        return ref
      },
    },
    job: { ...job, allowHumanLanes: true },
    files,
    failingFrame: 3,
    async advance() {
      for (const ref of sending.keys()) await write(ref)
      await new Promise((resolve) => setTimeout(resolve, 6))
    },
    async answer(ticket, { ref }: TaskRef) {
      if (ticket.id.startsWith('send-')) {
        const { work } = tasks.get(ref)!
        sending.set(ref, { frames: work.kind === 'frames' ? [...work.frames] : [] })
        return { job: 'J-1001', price: '12.50' }
      }
      if (ticket.id.startsWith('cancel-')) {
        sending.delete(ref)
        return { price: '3.20' }
      }
      if (ticket.id.startsWith('frame-')) return scenario === 'failing-frame' ? { 'give-up': 'yes' } : undefined
      return {}
    },
    close: () => rm(root, { recursive: true, force: true }),
  }
}
