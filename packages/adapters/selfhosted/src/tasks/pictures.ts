import { PictorError } from '@pictor/core/contract'
import type { Task } from '@pictor/core/contract'
import { endingOf, orderFor } from '../blender/order.ts'
import type { RenderOrder } from '../blender/order.ts'
import { layersFrom } from './noisy-layers.ts'

/** One file that a task owes: a frame, or a part of one. */
export interface Picture {
  readonly frame: number
  /** 0 is the whole frame. */
  readonly part: number
  readonly order: RenderOrder
  /** Name of the delivered file. */
  readonly name: string
  /** Name of the file with the layers before denoising and compositing, which is delivered beside it in check class `sidecar`. */
  readonly layersName?: string
  /** Path in the bundle of layers that are composited again instead of rendering. */
  readonly layersFrom?: string
}

/** Name of the file of a frame: `frame_0012.png`, `frame_-0003.png`, `frame_0012.part2.exr`. */
export function pictureName(frame: number, part: number, format: string): string {
  const number = `${frame < 0 ? '-' : ''}${String(Math.abs(frame)).padStart(4, '0')}`
  return `frame_${number}${part > 0 ? `.part${part}` : ''}.${endingOf(format)}`
}

/**
 * Everything that a task owes, in order. Parts of a split frame are numbered from the lease's part (1 when there is no lease) on.
 * @throws farm-refused on work that this farm does not do, invalid-input on a spec or window that cannot be rendered
 */
export function picturesOf(task: Task, device: 'CPU' | 'GPU', samplesFactor: number): Picture[] {
  const { work, spec, window } = task
  const cheat = (order: RenderOrder): RenderOrder =>
    samplesFactor === 1 ? order : { ...order, samples: Math.max(1, Math.round(order.samples * samplesFactor)) }
  const picture = (frame: number, part: number, order: RenderOrder): Picture => ({
    frame,
    part,
    order: cheat(order),
    name: pictureName(frame, part, order.format),
  })
  const first = Math.max(1, task.lease?.lease.part ?? 1)
  switch (work.kind) {
    case 'frames': {
      const part = task.lease?.lease.part ?? 0
      const from = layersFrom(task)
      const withLayers = spec.checkClass === 'sidecar' && task.purpose === 'render' && !window
      return work.frames.map((frame) => ({
        ...picture(frame, part, orderFor(spec, window, frame, device)),
        ...(withLayers ? { layersName: pictureName(frame, part, 'OPEN_EXR_MULTILAYER').replace(/exr$/, 'noisy.exr') } : {}),
        ...(from === undefined ? {} : { layersFrom: from }),
      }))
    }
    case 'tiles':
      return work.tiles.map((region, i) =>
        picture(work.frame, first + i, orderFor(spec, { ...window, region }, work.frame, device)),
      )
    case 'samples':
      if (spec.engine !== 'CYCLES' || spec.adaptive || spec.denoise)
        throw refusedWork('only Cycles without adaptive sampling and denoising can be split by samples')
      return work.ranges.map(({ offset, samples }, i) => {
        const order = orderFor(spec, { ...window, samples }, work.frame, device)
        // Sums need the linear floats; 8-bit pictures of sample ranges cannot be merged exactly.
        const exact = { format: 'OPEN_EXR_MULTILAYER', colorMode: 'RGBA', bitDepth: 32 } as const
        return picture(work.frame, first + i, { ...order, ...exact, sampleOffset: offset })
      })
    default:
      throw refusedWork(`work of the kind ${JSON.stringify((work as { kind: string }).kind)} is not done here`)
  }
}

function refusedWork(message: string): PictorError {
  return new PictorError('farm-refused', `task.work: ${message}`, { details: { path: 'task.work', reason: 'work' } })
}
