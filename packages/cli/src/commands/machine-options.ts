import type { SelfHostedOptions } from '@pictor/adapter-selfhosted'
import { PictorError, type Farm, type FarmInfo } from '@pictor/core'
import { wholeNumber } from './whole-number.ts'

/** What a person says about the machine that renders: the same for `pictor farm serve` and `pictor checker serve`. */
export interface MachineOptions {
  readonly slots?: string
  readonly devices?: string
  readonly threads?: string
  readonly blender?: readonly string[]
  readonly memoryMib?: string
  readonly recycleFrames?: string
  readonly recycleHours?: string
  readonly recycleMib?: string
  readonly unsafeNoSandbox?: boolean
}

/** What the options say, for scenes of others. @throws invalid-input naming the option */
export function machineOf(
  options: MachineOptions,
  env: { readonly PICTOR_BLENDER?: string | undefined },
): Omit<SelfHostedOptions, 'id' | 'workDir'> {
  const { devices = 'cpu', blender = env.PICTOR_BLENDER } = options
  if (devices !== 'auto' && devices !== 'gpu' && devices !== 'cpu')
    throw new PictorError('invalid-input', `--devices: expected auto, gpu or cpu, found ${devices}`, {
      details: { path: 'devices' },
    })
  const number = (name: string, text: string | undefined) => (text === undefined ? undefined : wholeNumber(name, text))
  const threadsPerSlot = number('threads', options.threads)
  const memoryMiB = number('memory-mib', options.memoryMib)
  const frames = number('recycle-frames', options.recycleFrames)
  const hours = number('recycle-hours', options.recycleHours)
  const rssMiB = number('recycle-mib', options.recycleMib)
  return {
    trust: 'foreign',
    devices,
    slots: number('slots', options.slots) ?? 1,
    recycle: { ...(frames && { frames }), ...(hours && { ageMs: hours * 3_600_000 }), ...(rssMiB && { rssMiB }) },
    ...(threadsPerSlot && { threadsPerSlot }),
    ...(memoryMiB && { memoryMiB }),
    ...(blender && { blender }),
    ...(options.unsafeNoSandbox ? { unsafeNoSandbox: true } : {}),
  }
}

/**
 * What a machine is before it serves anybody: it takes its folder and goes on with what an earlier process left unfinished.
 * @throws software-missing, sandbox-missing where it could only refuse; conflict where another process has the folder
 */
export async function readyMachine(machine: Farm, options: MachineOptions): Promise<FarmInfo> {
  const info = await machine.describe({ key: 'describe' })
  if (info.software.length === 0)
    throw new PictorError(
      'software-missing',
      `no Blender was found${options.blender ? ` at ${options.blender.join(', ')}` : ' on PATH'}`,
      {
        details: { path: 'blender', hint: 'install one, or name it: --blender /opt/blender-3.4/blender' },
      },
    )
  if (info.slots === 0)
    throw new PictorError('unsupported', '--devices gpu: Cycles finds no GPU on this machine', {
      details: { path: 'devices', hint: 'look at nvidia-smi or rocm-smi, or take --devices auto' },
    })
  if (info.ext?.['sandbox'] === 'missing')
    throw new PictorError('sandbox-missing', 'bubblewrap does not work here, so no scene of anybody else can be opened', {
      details: { hint: 'install bubblewrap and allow user namespaces (docs/selfhosted.md), or take --unsafe-no-sandbox' },
    })
  await machine.poll({}, { key: 'resume' })
  return info
}

/** `3 slots (CPU, 2 threads each), Blender 3.4.1 and 4.2.0`. */
export function machineLine({ slots = 1, software, ext }: FarmInfo): string {
  const names = ((ext?.['devices'] ?? []) as { readonly name?: unknown }[]).map((device) => String(device.name))
  const versions = software.map(({ name, version }) => `${name} ${version}`).join(', ')
  return `${slots} slot${slots === 1 ? '' : 's'} (${[...new Set(names)].join(', ')}), ${versions}, sandbox ${String(ext?.['sandbox'])}`
}
