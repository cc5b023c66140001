import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { selfHosted } from '@pictor/adapter-selfhosted'
import { checkerMetrics, createChecker, settleAlone, socketSigner } from '@pictor/checker'
import { folderArtifacts, PictorError, type Artifacts, type Bytes32 } from '@pictor/core'
import { serveChecker } from '@pictor/farm-protocol/checker'
import { chainIdOf, stateDirOf, type StateOptions } from '../compose.ts'
import { followedChain, type FollowOptions } from '../followed-chain.ts'
import { lockService } from '../service-lock.ts'
import { EXIT } from '../terminal/failure.ts'
import type { CommandContext } from './context.ts'
import { followNamings } from './checker-namings.ts'
import { peerOf, readPeers } from './checker-peers.ts'
import { interrupted } from './interrupted.ts'
import { machineLine, machineOf, readyMachine, type MachineOptions } from './machine-options.ts'
import { serviceToken } from './service-token.ts'
import { wholeNumber } from './whole-number.ts'

export interface CheckerServeOptions extends Omit<StateOptions, 'keystore'>, FollowOptions, MachineOptions {
  readonly id?: string
  readonly host: string
  readonly port: string
  /** Socket of a signer process; or `keystore`, for which one is started. */
  readonly signer?: string
  readonly keystore?: string
  /** File of the other checkers of its jobs; with them it settles jobs whose runner vanished. */
  readonly peers?: string
  readonly runnerSilentS: string
  readonly keepDays: string
  readonly allowInsecure?: boolean
}

/**
 * `pictor checker serve`: this machine as a checker for others. Keys stay in the signer process; scenes are foreign and render in a sandbox. Ends at Ctrl-C; what was
 * taken is gone on with at the next start, also after kill -9.
 */
export async function checkerServe(options: CheckerServeOptions, context: CommandContext): Promise<number> {
  const { screen, style, env } = context
  const machine = machineOf(options, env)
  const port = wholeNumber('port', options.port, 0)
  const dir = join(stateDirOf(options), 'checker')
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const lock = lockService(join(dir, 'service.lock'))
  const peers = options.peers === undefined ? [] : readPeers(options.peers)
  const keepMs = wholeNumber('keep-days', options.keepDays, 0) * 86_400_000
  const silentMs = wholeNumber('runner-silent-s', options.runnerSilentS) * 1_000
  const { token, path: tokenPath } = serviceToken(join(dir, 'token'), env.PICTOR_CHECKER_TOKEN)
  const signer = await socketSigner(options.signer ?? startSigner(options, dir))
  const chain = await followedChain(options, env)
  if (peers.length > 0 && !chain) throw needsLedger()
  const renderer = selfHosted({
    id: 'checker-renderer',
    workDir: join(dir, 'renderer'),
    ...machine,
    price: { perHostHour: 0n, currency: 'USD' },
  })
  const metrics = checkerMetrics()
  const files = folderArtifacts(join(dir, 'files'))
  const asked = new Set<string>()
  const checker = createChecker({
    signer,
    renderer,
    artifacts: files,
    store: join(dir, 'checker.db'),
    ...(options.id === undefined ? {} : { id: options.id }),
    ...(chain ? { ledger: chain.ledger } : {}),
    onEvent(job, event) {
      asked.add(job)
      metrics.note(event)
      context.emit({ job, ...event })
    },
  })
  const draw = chain && options.relayKeystore !== undefined ? chain.ledger.draw : undefined
  const namings = chain ? followNamings(chain, signer.address, asked, context, draw) : undefined
  const settling =
    chain && options.peers !== undefined
      ? settleAlone({
          checker,
          files,
          peers: peers.map((peer) => peerOf(peer, options.allowInsecure ?? false)),
          ledger: chain.ledger,
          canPost: options.relayKeystore !== undefined,
          silentMs,
          log: (message) => {
            context.emit({ type: 'settling', message })
            screen.log(message)
          },
        })
      : undefined
  const sweeping = sweepEvery(() => checker.sweep(keepMs, (hash) => removeFile(files, hash)), context)
  try {
    const info = await readyMachine(renderer, options)
    const server = await serveChecker(checker, {
      tokens: [{ token, scopes: ['read', 'submit', 'metrics'] }],
      files,
      peers: peers.map(({ address, accept }) => ({ address, token: accept })),
      drawn: (job) => checker.jobs().find((one) => one.job === job)?.drawn,
      onRunner: (job) => settling?.heard(job),
      partial: join(dir, 'partial'),
      inbox: join(dir, 'inbox.db'),
      host: options.host,
      port,
      allowInsecure: options.allowInsecure ?? false,
      health: () => healthOf(signer, chain?.rpcUrl),
      metrics: () => metrics.text() + (namings?.text() ?? ''),
    })
    context.emit({ type: 'serving', url: server.url, address: checker.address, ledger: chain?.ledger.label ?? 'none' })
    screen.log(`checker ${style.bold(checker.address)} serves at ${server.url}: ${machineLine(info)}`)
    screen.log(
      `  ${chain ? `follows ${chain.ledger.label}` : 'follows no ledger: it takes its runners’ word that money is locked'}`,
    )
    screen.log(`  token ${tokenPath === undefined ? 'from PICTOR_CHECKER_TOKEN' : `in ${tokenPath}`}`)
    await interrupted()
    await server.close()
    return EXIT.ok
  } finally {
    clearInterval(sweeping)
    settling?.close()
    namings?.close()
    await checker.close?.()
    await renderer.close?.()
    await chain?.ledger.close?.()
    signer.close()
    lock.release()
  }
}

const SWEEP_MS = 60 * 60_000

/** Frees the disk now and then; a file that cannot be removed is tried again. */
function sweepEvery(sweep: () => Promise<number>, { emit }: CommandContext): NodeJS.Timeout {
  const run = (): void =>
    void sweep()
      .then((removed) => removed > 0 && emit({ type: 'swept', files: removed }))
      .catch((error: Error) => emit({ type: 'swept', files: 0, message: error.message }))
  run()
  return setInterval(run, SWEEP_MS).unref()
}

async function removeFile(files: Artifacts, hash: Bytes32): Promise<void> {
  if (await files.has(hash)) await rm(await files.path(hash), { force: true })
}

const needsLedger = (): PictorError =>
  new PictorError('invalid-input', '--peers needs a ledger: --rpc URL and --escrow ADDRESS', { details: { path: 'peers' } })

/** A signer process of this checker's own, which ends with it. Only its environment holds the password. */
function startSigner({ keystore }: CheckerServeOptions, dir: string): string {
  if (keystore === undefined)
    throw new PictorError('invalid-input', 'a checker needs --signer SOCKET or --keystore FILE', {
      details: { path: 'signer', hint: 'pictor checker key --keystore checker.json makes one' },
    })
  const socket = join(dir, `signer-${process.pid}.sock`)
  const args = ['checker', 'signer', '--keystore', keystore, '--state-dir', dir, '--socket', socket, '--with-parent']
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...args], {
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  child.once('exit', (code) => {
    // Without its signer a checker can promise nothing: whoever keeps services running starts both again.
    process.stderr.write(`the signer ended with ${code}\n`)
    process.kill(process.pid, 'SIGTERM')
  })
  process.once('exit', () => child.kill())
  child.unref()
  const pipe = child.stdin as Socket
  pipe.unref()
  return socket
}

async function healthOf(signer: { ping(): Promise<void> }, rpc: string | undefined): Promise<Record<string, string>> {
  const state = (check: Promise<unknown>): Promise<string> =>
    check.then(
      () => 'ok',
      (error: Error) => error.message,
    )
  return {
    signer: await state(signer.ping()),
    ...(rpc === undefined ? {} : { ledger: await state(chainIdOf(rpc)) }),
  }
}
