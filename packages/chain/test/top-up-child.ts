// Sends one top-up and waits for its receipt; client.test.ts kills it before there is one.
import type { Address, Terms } from '@pictor/core/contract'
import { Wallet } from 'ethers'
import { evmLedger } from '../src/index.ts'

const given = JSON.parse(process.env['TOP_UP']!, (_key, value: unknown) =>
  typeof value === 'string' && /^\d+n$/.test(value) ? BigInt(value.slice(0, -1)) : value,
) as { rpcUrl: string; escrow: Address; key: string; terms: Terms }
const ledger = evmLedger({ rpcUrl: given.rpcUrl, escrow: given.escrow, signer: new Wallet(given.key) })
await ledger.send({ kind: 'top-up', terms: given.terms, farmBudget: 7n, checkBudget: 0n }, { key: 'the one top-up' })
