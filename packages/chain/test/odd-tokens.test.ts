// A job in a token that is as USDT is, through the client and a real chain: no return values, an allowance that changes to and from zero only, a pause, a blocklist, a fee.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Address, CallContext } from '@pictor/core/contract'
import { Interface, Wallet } from 'ethers'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { devAccounts, evmLedger, fundWith } from '../src/index.ts'
import { faultOf } from '../src/rpc.ts'
import { escrowAbi } from '../src/wire.ts'
import { devWorld, type DevWorld } from './dev-world.ts'
import { makeScenario, type Scenario } from './scenario.ts'

const [creator, owner] = [devAccounts[0]!, devAccounts[9]!]
const FIRST = 10n ** 12n
const NAME = 'NoReturnToken'

/** Compiles a token that imports nothing. */
function compiled(): { readonly abi: Interface; readonly code: string } {
  type Solc = { compile(input: string): string }
  const solc = createRequire(import.meta.url)('solc') as Solc
  const content = readFileSync(new URL(`forge/${NAME}.sol`, import.meta.url), 'utf8')
  const outputSelection = { '*': { [NAME]: ['abi', 'evm.bytecode.object'] } }
  const input = { language: 'Solidity', sources: { token: { content } }, settings: { evmVersion: 'cancun', outputSelection } }
  type Output = { contracts: { token: Record<string, { abi: []; evm: { bytecode: { object: string } } }> } }
  const { contracts } = JSON.parse(solc.compile(JSON.stringify(input))) as Output
  const { abi, evm } = contracts.token[NAME]!
  return { abi: new Interface(abi), code: `0x${evm.bytecode.object}` }
}

let world: DevWorld
let usdt: { readonly abi: Interface; readonly code: string }
let token: Address
beforeAll(async () => {
  usdt = compiled()
  world = await devWorld()
})
afterAll(() => world.stop())
beforeEach(async () => {
  await world.reset()
  await world.fund(creator.address)
  const sender = world.senderOf(owner.privateKey)
  token = (await sender.send({ to: null, data: usdt.code })).contractAddress as Address
  const { escrow } = world.deployment
  await sender.send({ to: escrow, data: escrowAbi.encodeFunctionData('setAsset', [token, true, 1_000n]) })
  await tell('mint', creator.address, FIRST)
})

let keys = 0
const ctx = (key = `odd ${++keys}`): CallContext => ({ key })
const tell = (method: string, ...args: unknown[]) =>
  world.senderOf(owner.privateKey).send({ to: token, data: usdt.abi.encodeFunctionData(method, args) })
const read = async (method: string, ...args: unknown[]): Promise<bigint> =>
  BigInt(await world.rpc.call<string>('eth_call', [{ to: token, data: usdt.abi.encodeFunctionData(method, args) }, 'latest']))
const ledgerOn = (signs = true) =>
  evmLedger({
    rpcUrl: world.rpcUrl,
    escrow: world.deployment.escrow,
    ...(signs ? { signer: new Wallet(creator.privateKey) } : {}),
  })

async function scenario(run: string): Promise<Scenario> {
  const domain = { name: 'Pictor', version: '1', chainId: 31_337, verifyingContract: world.deployment.escrow } as const
  return makeScenario({ domain, token, creator: creator.address, nowS: await world.nowS(), run, tasks: 1, terms: {} })
}
const lockOf = ({ terms }: Scenario): bigint => terms.farmBudget + terms.checkBudget
const leftOver = (amount: bigint) =>
  world.senderOf(creator.privateKey).send({
    to: token,
    data: usdt.abi.encodeFunctionData('approve', [world.deployment.escrow, amount]),
  })

describe('a token like USDT', () => {
  it('is approved from zero where an allowance is left over, by the client and by a wallet, and locked once', async () => {
    const s = await scenario('left over')
    await leftOver(5n)
    await ledgerOn().open(s.terms, s.setRoot, ctx('open'))
    await ledgerOn().open(s.terms, s.setRoot, ctx('open'))
    expect([await read('balanceOf', creator.address), await read('balanceOf', world.deployment.escrow)]).toEqual([
      FIRST - lockOf(s),
      lockOf(s),
    ])
    expect(await read('allowance', creator.address, world.deployment.escrow)).toBe(0n)

    const other = await scenario('by wallet')
    await leftOver(5n)
    const { awaiting } = await ledgerOn(false).open(other.terms, other.setRoot, ctx())
    const sender = world.senderOf(creator.privateKey)
    const provider = {
      async request({ method, params = [] }: { readonly method: string; readonly params?: readonly unknown[] }) {
        if (method === 'eth_requestAccounts') return [creator.address]
        if (method !== 'eth_sendTransaction')
          return world.rpc.call(method, params).catch((error: unknown) => {
            // EIP-1193: what the node refuses is an error with its code.
            throw Object.assign(new Error('refused'), faultOf(error))
          })
        const { to, data } = params[0] as { to: string; data: string }
        return (await sender.send({ to, data })).transactionHash
      },
    }
    expect(await fundWith(provider, awaiting!)).toHaveLength(3)
    expect((await ledgerOn().money(other.job, ctx())).status).toBe('open')
  })

  it('that is paused refuses with a typed error, and once it goes on the same call opens the job once', async () => {
    const s = await scenario('paused')
    await tell('setPaused', true)
    await expect(ledgerOn().open(s.terms, s.setRoot, ctx('open'))).rejects.toMatchObject({ code: 'ledger-refused' })
    expect((await ledgerOn().money(s.job, ctx())).status).toBe('none')
    await tell('setPaused', false)
    await ledgerOn().open(s.terms, s.setRoot, ctx('open'))
    expect(await read('balanceOf', world.deployment.escrow)).toBe(lockOf(s))
  })

  it('that keeps a part of what is moved is refused as short of money, and nothing is locked', async () => {
    const s = await scenario('fee')
    await tell('setFee', 10)
    await expect(ledgerOn().open(s.terms, s.setRoot, ctx())).rejects.toMatchObject({
      code: 'ledger-refused',
      details: { reason: 'funding', error: `TransferShort(${lockOf(s)}, ${lockOf(s) - lockOf(s) / 1_000n})` },
    })
    expect(await read('balanceOf', creator.address)).toBe(FIRST)
  })

  it('that blocks its payee pays to another address, once, and keeps the credit until then', async () => {
    const s = await scenario('blocked')
    const ledger = ledgerOn()
    await ledger.open(s.terms, s.setRoot, ctx())
    await world.advance(s.terms.refundAfterS - (await world.nowS()) + 1)
    await ledger.send({ kind: 'refund', terms: s.terms }, ctx())
    await tell('setBlocked', creator.address, true)
    const withdraw = (to: Address) => ledger.send({ kind: 'withdraw', token, to }, ctx(`withdraw ${to}`))
    await expect(withdraw(creator.address)).rejects.toMatchObject({ code: 'ledger-refused' })
    expect(await ledger.credit(token, creator.address, ctx())).toBe(lockOf(s))
    const elsewhere: Address = `0x${'ca'.repeat(20)}`
    await withdraw(elsewhere)
    await withdraw(elsewhere)
    expect([await read('balanceOf', elsewhere), await ledger.credit(token, creator.address, ctx())]).toEqual([lockOf(s), 0n])
    expect(await read('balanceOf', world.deployment.escrow)).toBe(0n)
  })
})
