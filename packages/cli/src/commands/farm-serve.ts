import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { selfHosted, type SelfHostedOptions } from '@pictor/adapter-selfhosted'
import { folderArtifacts, PictorError, usd } from '@pictor/core'
import { sealedFarm, serveFarm } from '@pictor/farm-protocol'
import { markedPreview } from '@pictor/image'
import { stateDirOf, type StateOptions } from '../compose.ts'
import { followedChain, type FollowOptions } from '../followed-chain.ts'
import { keyFile } from '../keys.ts'
import { EXIT } from '../terminal/failure.ts'
import type { CommandContext } from './context.ts'
import { interrupted } from './interrupted.ts'
import { wholeNumber } from './whole-number.ts'

export interface FarmServeOptions
  extends Pick<StateOptions, 'stateDir' | 'hourPrice' | 'env'>, Omit<FollowOptions, 'relayKeystore'> {
  readonly id: string
  readonly port: string
  readonly host: string
  readonly slots?: string
  readonly devices?: string
  readonly threads?: string
  readonly blender?: readonly string[]
  readonly memoryMib?: string
  readonly recycleFrames?: string
  readonly recycleHours?: string
  readonly recycleMib?: string
  readonly hourPrice?: string
  /** Seal outputs until a checker gives the creator their keys. */
  readonly sealed?: boolean
  readonly unsafeNoSandbox?: boolean
}

/** `pictor farm serve`: this machine as a farm for others, over the farm protocol. Scenes are foreign: each renders in a sandbox. Ends at Ctrl-C; tasks go on at the next start. */
export async function farmServe(options: FarmServeOptions, context: CommandContext): Promise<number> {
  const machine = machineOf(options)
  const dir = join(stateDirOf(options), 'serve', options.id)
  const keys = keyFile(join(dir, 'keys.json'), 'Signing key of this farm. Whoever has it can commit to frames in its name.')
  const token = options.env.PICTOR_FARM_TOKEN ?? randomBytes(24).toString('base64url')
  const chain = await followedChain(options, options.env)
  if (options.sealed && !chain)
    throw new PictorError('invalid-input', '--sealed needs --rpc and --escrow: keys are served for what that ledger attests', {
      details: { path: 'sealed' },
    })
  const host = selfHosted({
    id: options.id,
    workDir: join(dir, 'work'),
    ...machine,
    trust: 'foreign',
    calibrate: true,
    signer: keys.signer('farm'),
    ...(chain ? { ledger: chain.ledger } : {}),
    ...(options.hourPrice === undefined
      ? {}
      : { price: { perHostHour: usd(options.hourPrice).amount, currency: 'USD', source: '--hour-price' } }),
    ...(options.unsafeNoSandbox ? { unsafeNoSandbox: true } : {}),
  })
  const farm = options.sealed
    ? sealedFarm(host, {
        secret: Buffer.from(keys.privateKey('seal').slice(2), 'hex'),
        book: join(dir, 'sealed.db'),
        preview: markedPreview,
      })
    : host
  try {
    const info = await farm.describe({ key: 'describe' })
    const { slots = 1 } = info
    const server = await serveFarm(farm, {
      tokens: [{ token }],
      files: folderArtifacts(join(dir, 'files')),
      uploads: join(dir, 'uploads'),
      host: options.host,
      port: wholeNumber('port', options.port, 0),
    })
    const paidBy = chain?.ledger.label ?? 'none'
    context.emit({ type: 'serving', url: server.url, farm: info.id, key: info.key, slots, ledger: paidBy })
    context.screen.log(
      `${context.style.bold(info.name)} serves ${slots} slot${slots === 1 ? '' : 's'} at ${server.url}, signing key ${info.key}`,
    )
    context.screen.log(
      `  ${chain ? `works for money that is locked at ${paidBy}` : 'follows no ledger: it takes its runners’ word that money is locked'}`,
    )
    if (options.sealed) context.screen.log('  outputs are sealed until they are accepted; keep keys.json, it opens them')
    if (!options.env.PICTOR_FARM_TOKEN) context.screen.log(`  token ${token} (set PICTOR_FARM_TOKEN to keep one)`)
    await interrupted()
    await server.close()
    return EXIT.ok
  } finally {
    await farm.close?.()
    await chain?.ledger.close?.()
  }
}

/** What the options say about this machine. @throws invalid-input naming the option */
function machineOf(options: FarmServeOptions): Omit<SelfHostedOptions, 'id' | 'workDir'> {
  const { devices = 'cpu', blender = options.env.PICTOR_BLENDER } = options
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
    devices,
    slots: number('slots', options.slots) ?? 1,
    recycle: { ...(frames && { frames }), ...(hours && { ageMs: hours * 3_600_000 }), ...(rssMiB && { rssMiB }) },
    ...(threadsPerSlot && { threadsPerSlot }),
    ...(memoryMiB && { memoryMiB }),
    ...(blender && { blender }),
  }
}
