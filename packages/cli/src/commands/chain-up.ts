import { deploy, devAccounts, startAnvil } from '@pictor/chain'
import { PictorError } from '@pictor/core'
import { Wallet } from 'ethers'
import { EXIT } from '../terminal/failure.ts'
import type { CommandContext } from './context.ts'
import { interrupted } from './interrupted.ts'
import { wholeNumber } from './whole-number.ts'

/** `pictor chain up`: a local chain with the escrow and a development dollar on it; ends at Ctrl-C. */
export async function chainUp(
  options: { readonly port?: string; readonly state?: string; readonly token?: string; readonly blockTime?: string },
  context: CommandContext,
): Promise<number> {
  const port = options.port === undefined ? 8545 : Number(options.port)
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new PictorError('invalid-input', `--port: expected 0 to 65535, found ${options.port}`, { details: { path: 'port' } })
  const { token = 'usd' } = options
  if (token !== 'usd' && token !== 'pictor')
    throw new PictorError('invalid-input', `--token: expected usd or pictor, found ${token}`, { details: { path: 'token' } })
  const blockTimeS = options.blockTime === undefined ? undefined : wholeNumber('block-time', options.blockTime)
  const chain = await startAnvil({
    port,
    ...(options.state ? { statePath: options.state } : {}),
    ...(blockTimeS === undefined ? {} : { blockTimeS }),
  })
  try {
    const deployment = await deploy({
      rpcUrl: chain.rpcUrl,
      signer: new Wallet(devAccounts[0]!.privateKey),
      token,
      minGapS: 1,
    })
    context.emit({ type: 'chain', rpcUrl: chain.rpcUrl, ...deployment })
    context.screen.log(`${context.style.bold('chain')} ${chain.chainId} at ${chain.rpcUrl}`)
    for (const [name, address] of Object.entries(deployment))
      if (typeof address === 'string') context.screen.log(`  ${name.padEnd(10)} ${address}`)
    context.screen.log(
      `  render on it: pictor render SCENE --rpc ${chain.rpcUrl} --escrow ${deployment.escrow} --token ${deployment.token} --keystore FILE`,
    )
    await interrupted()
    return EXIT.ok
  } finally {
    await chain.stop()
  }
}
