import { join } from 'node:path'
import { selfHosted } from '@pictor/adapter-selfhosted'
import { folderArtifacts, PictorError, usd } from '@pictor/core'
import { sealedFarm, serveFarm, unleasedBudget } from '@pictor/farm-protocol'
import { markedPreview } from '@pictor/image'
import { stateDirOf, type StateOptions } from '../compose.ts'
import { followedChain, type FollowOptions } from '../followed-chain.ts'
import { keyFile } from '../keys.ts'
import { EXIT } from '../terminal/failure.ts'
import type { CommandContext } from './context.ts'
import { drainOnSignal } from './drain.ts'
import { interrupted } from './interrupted.ts'
import { machineLine, machineOf, readyMachine, type MachineOptions } from './machine-options.ts'
import { serviceToken } from './service-token.ts'
import { wholeNumber } from './whole-number.ts'

export interface FarmServeOptions
  extends Pick<StateOptions, 'stateDir' | 'hourPrice' | 'env'>, Omit<FollowOptions, 'relayKeystore'>, MachineOptions {
  readonly id: string
  readonly port: string
  readonly host: string
  readonly hourPrice?: string
  readonly minFramePrice?: string
  readonly maxPlatformFee?: string
  /** How much is rendered without a lease in an hour, in whole frames. */
  readonly unleasedFrames: string
  /** Seal outputs until a checker gives the creator their keys. */
  readonly sealed?: boolean
  readonly keepDays: string
}

/**
 * `pictor farm serve`: this machine as a farm for others, over the farm protocol. Scenes are foreign: each renders in a sandbox. Ends at Ctrl-C, and what was taken goes on at the next
 * start; SIGUSR2 lets it finish first.
 */
export async function farmServe(options: FarmServeOptions, context: CommandContext): Promise<number> {
  const { screen, style } = context
  const machine = machineOf(options, options.env)
  const port = wholeNumber('port', options.port, 0)
  const framesPerHour = wholeNumber('unleased-frames', options.unleasedFrames, 1)
  const keepMs = wholeNumber('keep-days', options.keepDays) * 86_400_000
  const dir = join(stateDirOf(options), 'serve', options.id)
  const keyPath = join(dir, 'keys.json')
  const keys = keyFile(keyPath, 'Signing key of this farm. Whoever has it can commit to frames in its name.')
  const { token, path: tokenPath } = serviceToken(join(dir, 'token'), options.env.PICTOR_FARM_TOKEN)
  const watch = serviceToken(join(dir, 'metrics-token'), options.env.PICTOR_METRICS_TOKEN)
  const chain = await followedChain(options, options.env)
  if (options.sealed && !chain)
    throw new PictorError('invalid-input', '--sealed needs --rpc and --escrow: keys are served for what that ledger attests', {
      details: { path: 'sealed' },
    })
  const drain = drainOnSignal(() => host, context)
  const host = selfHosted({
    id: options.id,
    workDir: join(dir, 'work'),
    ...machine,
    calibrate: true,
    keepMs,
    draining: drain.draining,
    signer: keys.signer('farm'),
    ...(chain ? { ledger: chain.ledger } : {}),
    ...(options.minFramePrice === undefined ? {} : { minFramePrice: usd(options.minFramePrice).amount }),
    ...(options.maxPlatformFee === undefined ? {} : { maxPlatformFeeBps: basisPoints(options.maxPlatformFee) }),
    ...(options.hourPrice === undefined
      ? {}
      : { price: { perHostHour: usd(options.hourPrice).amount, currency: 'USD', source: '--hour-price' } }),
  })
  // Who follows no ledger takes leases on its creators' word, and their probes as well.
  const bounded = chain ? unleasedBudget(host, { framesPerHour }) : host
  const farm = options.sealed
    ? sealedFarm(bounded, {
        secret: Buffer.from(keys.privateKey('seal').slice(2), 'hex'),
        book: join(dir, 'sealed.db'),
        preview: markedPreview,
        ...(chain ? { ledger: chain.ledger } : {}),
      })
    : bounded
  try {
    const info = await readyMachine(farm, options)
    const server = await serveFarm(farm, {
      tokens: [{ token }, { token: watch.token, scopes: ['metrics'] }],
      files: folderArtifacts(join(dir, 'files')),
      uploads: join(dir, 'uploads'),
      keepMs,
      host: options.host,
      port,
    })
    const paidBy = chain?.ledger.label ?? 'none'
    context.emit({ type: 'serving', url: server.url, farm: info.id, key: info.key, slots: info.slots, ledger: paidBy })
    screen.log(`${style.bold(info.name)} serves at ${server.url}: ${machineLine(info)}`)
    screen.log(`  signing key ${info.key} in ${keyPath}: keep a copy, what the farm is owed is paid to it`)
    screen.log(
      `  ${chain ? `works for money that is locked at ${paidBy}` : 'follows no ledger: it takes its runners’ word that money is locked'}`,
    )
    screen.log(
      `  ${options.hourPrice === undefined ? 'free of charge (--hour-price)' : `${options.hourPrice} USD a slot and hour`}`,
    )
    if (options.sealed) screen.log('  outputs are sealed until they are accepted; keep keys.json, it opens them')
    screen.log(`  token for creators ${tokenPath === undefined ? 'from PICTOR_FARM_TOKEN' : `in ${tokenPath}`}`)
    screen.log(
      `  token for ${server.url}/v1/metrics ${watch.path === undefined ? 'from PICTOR_METRICS_TOKEN' : `in ${watch.path}`}`,
    )
    if (port === 0) screen.log('  at any free port: name one (--port) so that creators find it again')
    await interrupted(drain.empty)
    screen.log(drain.empty.aborted ? 'empty: ends' : 'ends; what was taken goes on at the next start (Ctrl-C again: at once)')
    await server.close()
    return EXIT.ok
  } finally {
    drain.end()
    await farm.close?.()
    await chain?.ledger.close?.()
  }
}

function basisPoints(percent: string): number {
  const bps = Math.round(Number(percent) * 100)
  if (/^\d{1,2}(\.\d{1,2})?$/.test(percent) && bps <= 3_000) return bps
  throw new PictorError('invalid-input', `--max-platform-fee: expected 0 to 30 percent, found ${percent}`, {
    details: { path: 'max-platform-fee' },
  })
}
