// A creator whose key lives in a wallet that this process can only ask: any EIP-1193 provider.
import type { CallContext, FundingRequest } from '@pictor/core/contract'
import { Wallet } from 'ethers'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { devAccounts, evmLedger, fundWith, signFunding, type EvmProvider } from '../src/index.ts'
import { devWorld, type DevWorld } from './dev-world.ts'
import { PERMIT2, permit2Code } from './permit2-code.ts'
import { makeScenario, type Scenario } from './scenario.ts'
import { tokenAbi } from '../src/wire.ts'

const creator = devAccounts[1]!
const relayer = devAccounts[2]!
const CHAIN = 31_337

let world: DevWorld
beforeAll(async () => {
  world = await devWorld()
})
afterAll(() => world.stop())
beforeEach(async () => {
  await world.reset()
  await world.fund(creator.address)
})

let keys = 0
const ctx = (): CallContext => ({ key: `wallet ${++keys}` })

interface TinyWallet extends EvmProvider {
  readonly asked: string[]
}

/**
 * The least that EIP-1193 asks of a wallet: it holds one key, confirms everything, and hands reading to the chain. `on` is the chain that it starts on, `no` a
 * method that its person refuses.
 */
function tinyWallet(options: { readonly key?: string; readonly on?: number; readonly no?: string } = {}): TinyWallet {
  const wallet = new Wallet(options.key ?? creator.privateKey)
  const sender = world.senderOf(wallet.privateKey)
  let chain = options.on ?? CHAIN
  const asked: string[] = []
  return {
    asked,
    async request({ method, params = [] }) {
      asked.push(method)
      if (method === options.no) throw Object.assign(new Error('User rejected the request.'), { code: 4001 })
      switch (method) {
        case 'eth_requestAccounts':
          return [wallet.address]
        case 'eth_chainId':
          return `0x${chain.toString(16)}`
        case 'wallet_switchEthereumChain':
          chain = Number((params[0] as { chainId: string }).chainId)
          return null
        case 'eth_sendTransaction': {
          const { to, data } = params[0] as { to: string; data: string }
          return (await sender.send({ to, data })).transactionHash
        }
        case 'eth_signTypedData_v4': {
          const { domain, types, message } = JSON.parse(params[1] as string) as {
            domain: object
            types: Record<string, { name: string; type: string }[]>
            message: Record<string, unknown>
          }
          const { EIP712Domain: _ours, ...rest } = types
          return wallet.signTypedData(domain, rest, message)
        }
        default:
          return world.rpc.call(method, params)
      }
    },
  }
}

const ledgerOf = (key?: string) =>
  evmLedger({
    rpcUrl: world.rpcUrl,
    escrow: world.deployment.escrow,
    timeoutMs: 120_000,
    ...(key ? { signer: new Wallet(key) } : {}),
  })

async function scenario(run: string): Promise<Scenario> {
  const { escrow, token } = world.deployment
  const domain = { name: 'Pictor', version: '1', chainId: CHAIN, verifyingContract: escrow } as const
  return makeScenario({ domain, token, creator: creator.address, nowS: await world.nowS(), run, tasks: 1, terms: {} })
}

async function awaiting(s: Scenario): Promise<FundingRequest> {
  const opened = await ledgerOf().open(s.terms, s.setRoot, ctx())
  return JSON.parse(JSON.stringify(opened.awaiting)) as FundingRequest
}

describe('funding from a wallet', () => {
  it('a request that went through JSON is paid by any EIP-1193 provider, and repeating it asks for no second allowance', async () => {
    const s = await scenario('wallet')
    const request = await awaiting(s)
    const wallet = tinyWallet({ on: 1 })
    const hashes = await fundWith(wallet, request)
    expect(hashes.length).toBe(2)
    expect(wallet.asked.filter((method) => method.startsWith('wallet_'))).toEqual(['wallet_switchEthereumChain'])
    expect((await ledgerOf().open(s.terms, s.setRoot, ctx())).awaiting).toBeUndefined()
    expect((await ledgerOf().money(s.job, ctx())).status).toBe('open')
  })

  it('goes on where it was cut off: an allowance that was given is not asked for again', async () => {
    const request = await awaiting(await scenario('cut off'))
    const { transactions } = request.payload as { transactions: { to: string; data: string }[] }
    await world.senderOf(creator.privateKey).send(transactions[0]!)
    expect((await fundWith(tinyWallet(), request)).length).toBe(1)
  })

  it('stops with the reason when the person says no, or the wallet holds another account', async () => {
    const request = await awaiting(await scenario('no'))
    await expect(fundWith(tinyWallet({ no: 'eth_sendTransaction' }), request)).rejects.toMatchObject({
      code: 'ledger-refused',
      details: { reason: 'not-allowed' },
    })
    await expect(fundWith(tinyWallet({ key: relayer.privateKey }), request)).rejects.toMatchObject({
      details: { reason: 'not-allowed' },
    })
    await expect(fundWith(tinyWallet({ on: 1, no: 'wallet_switchEthereumChain' }), request)).rejects.toMatchObject({
      details: { reason: 'not-allowed' },
    })
  })

  it.each(['permit', 'authorization', 'permit2'] as const)(
    'by %s a creator without ether signs and somebody else opens',
    async (way) => {
      if (way === 'permit2') {
        // What a person does once a token, long before: let Permit2 move it.
        await world.rpc.call('anvil_setCode', [PERMIT2, permit2Code(CHAIN)])
        const data = tokenAbi.encodeFunctionData('approve', [PERMIT2, 2n ** 256n - 1n])
        await world.senderOf(creator.privateKey).send({ to: world.deployment.token, data })
      }
      await world.rpc.call('anvil_setBalance', [creator.address, '0x0'])
      const s = await scenario(way)
      const { domain } = ledgerOf()
      const validUntilS = (await world.nowS()) + 3600
      const request = { domain, terms: s.terms, setRoot: s.setRoot, way, validUntilS, permit2: PERMIT2 }
      const signed = await signFunding(tinyWallet(), request)
      const ledger = ledgerOf(relayer.privateKey)
      // Worth nothing for other terms or another set.
      const other = { ...s.terms, frameCap: s.terms.frameCap + 1n }
      await expect(ledger.openSigned(other, s.setRoot, signed, ctx())).rejects.toMatchObject({ code: 'ledger-refused' })
      await expect(ledger.openSigned(s.terms, s.job, signed, ctx())).rejects.toMatchObject({ code: 'ledger-refused' })
      await ledger.openSigned(s.terms, s.setRoot, signed, ctx())
      await ledger.openSigned(s.terms, s.setRoot, signed, ctx())
      expect((await ledger.money(s.job, ctx())).deposited).toBe(s.terms.farmBudget + s.terms.checkBudget)
    },
  )

  it('a permit that somebody else sent first still opens the job', async () => {
    const s = await scenario('front-run')
    const { domain } = ledgerOf()
    const validUntilS = (await world.nowS()) + 3600
    const signed = await signFunding(tinyWallet(), { domain, terms: s.terms, setRoot: s.setRoot, way: 'permit', validUntilS })
    const { AbiCoder, Interface } = await import('ethers')
    const parts = AbiCoder.defaultAbiCoder().decode(['uint256', 'uint256', 'uint8', 'bytes32', 'bytes32'], signed.data)
    const permit = new Interface(['function permit(address,address,uint256,uint256,uint8,bytes32,bytes32)'])
    const data = permit.encodeFunctionData('permit', [creator.address, domain.verifyingContract, ...parts])
    await world.senderOf(devAccounts[5]!.privateKey).send({ to: world.deployment.token, data })
    await ledgerOf(relayer.privateKey).openSigned(s.terms, s.setRoot, signed, ctx())
    expect((await ledgerOf().money(s.job, ctx())).status).toBe('open')
  })
})
