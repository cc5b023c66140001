// iExec PoCo, the nearest peer, run from its own artifacts on the same kind of chain: one task with one and with three workers, a bag of tasks at its best.
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { promisify } from 'node:util'
import { Interface, Wallet, getBytes, id, solidityPackedKeccak256, type InterfaceAbi } from 'ethers'
import { devAccounts, startAnvil } from '../src/index.ts'
import { httpRpc, type Rpc } from '../src/rpc.ts'

const VERSION = '6.1.0'
const ZERO = `0x${'0'.repeat(40)}`
const ZERO32 = `0x${'0'.repeat(64)}`
const PRICE = 1_000_000_000n
const run = promisify(execFile)

interface Artifact {
  readonly abi: InterfaceAbi
  readonly bytecode: string
  readonly linkReferences?: Readonly<Record<string, Readonly<Record<string, readonly { readonly start: number }[]>>>>
}

/** Gas of one deal from matching its orders to its last task's end, by call. */
export interface PocoGas {
  readonly tasks: number
  readonly workers: number
  readonly total: number
}

/** Gets the published package, without its dependencies, and hands its artifacts to `use`. @throws Error when the registry cannot be reached */
async function withPackage<T>(use: (artifact: (path: string) => Promise<Artifact>) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(`${tmpdir()}/pictor-poco-`)
  try {
    await run('npm', ['pack', `@iexec/poco@${VERSION}`, '--pack-destination', dir, '--silent'], { cwd: dir })
    await run('tar', ['xzf', `iexec-poco-${VERSION}.tgz`], { cwd: dir })
    return await use(async (path) => {
      const name = path.split('/').at(-1)!.replace(/\.v8$/, '')
      return JSON.parse(await readFile(`${dir}/package/artifacts/contracts/${path}.sol/${name}.json`, 'utf8')) as Artifact
    })
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

interface Mined {
  readonly gasUsed: number
  readonly contractAddress: string
  readonly logs: readonly { readonly topics: readonly string[]; readonly data: string }[]
}

/** Sends from one of anvil's own accounts. */
async function send(rpc: Rpc, from: string, to: string | null, data: string): Promise<Mined> {
  const gas = '0xf00000'
  const hash = await rpc.call<string>('eth_sendTransaction', [{ from, data, gas, ...(to ? { to } : {}) }])
  for (let i = 0; i < 2000; i++) {
    const receipt = await rpc.call<{ status: string; gasUsed: string; contractAddress: string; logs: Mined['logs'] } | null>(
      'eth_getTransactionReceipt',
      [hash],
    )
    if (receipt && BigInt(receipt.status) !== 1n) throw new Error(`PoCo: a call was reverted (${data.slice(0, 10)})`)
    if (receipt) return { gasUsed: Number(receipt.gasUsed), contractAddress: receipt.contractAddress, logs: receipt.logs }
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error('PoCo: not mined')
}

const FACETS = [
  'IexecConfigurationFacet',
  'IexecCategoryManagerFacet',
  'IexecEscrowTokenFacet',
  'IexecPoco1Facet',
  'IexecPoco2Facet',
] as const
const [requester, appOwner, scheduler, ...workers] = devAccounts
const owner = requester!.address

interface World {
  readonly rpc: Rpc
  readonly hub: string
  readonly abi: Interface
  readonly app: string
  readonly pool: string
}

/** Deploys the diamond with the facets that a deal needs; its owner facet, of a package that is not shipped with it, is replaced by code that only answers `owner()`. */
async function deployPoco(rpc: Rpc, artifact: (path: string) => Promise<Artifact>, token: string): Promise<World> {
  const create = async (code: string) => (await send(rpc, owner, null, code)).contractAddress
  const orders = (await create((await artifact('libs/IexecLibOrders_v5')).bytecode)).slice(2)
  const linked = ({ bytecode, linkReferences }: Artifact): string => {
    let code = bytecode.slice(2)
    for (const places of Object.values(linkReferences ?? {}).flatMap((libraries) => Object.values(libraries)))
      for (const { start } of places) code = code.slice(0, 2 * start) + orders + code.slice(2 * start + 40)
    return `0x${code}`
  }
  const cuts: unknown[] = []
  const fragments: unknown[] = []
  const taken = new Set<string>()
  for (const name of FACETS) {
    const facet = await artifact(`facets/${name}`)
    const selectors: string[] = []
    for (const fragment of new Interface(facet.abi).fragments)
      if (fragment.type === 'function') {
        const selector = id(fragment.format('sighash')).slice(0, 10)
        if (!taken.has(selector)) selectors.push(selector)
        taken.add(selector)
      }
    fragments.push(...(facet.abi as unknown[]))
    cuts.push([await create(linked(facet)), 0, selectors])
  }
  const ownerCode = `73${owner.slice(2)}60005260206000f3`
  const length = (ownerCode.length / 2).toString(16)
  cuts.push([await create(`0x60${length}600c60003960${length}6000f3${ownerCode}`), 0, [id('owner()').slice(0, 10)]])
  const diamond = await artifact('Diamond')
  const deployArgs = new Interface(diamond.abi).encodeDeploy([cuts, [owner, ZERO, '0x']])
  const hub = await create(linked(diamond) + deployArgs.slice(2))
  const abi = new Interface(fragments as InterfaceAbi)
  const registry = async (path: string) => {
    const found = await artifact(path)
    const address = await create(linked(found))
    const face = new Interface(found.abi)
    await send(rpc, owner, address, face.encodeFunctionData('initialize', [ZERO]))
    return { address, face }
  }
  const apps = await registry('registries/apps/AppRegistry')
  const datasets = await registry('registries/datasets/DatasetRegistry')
  const pools = await registry('registries/workerpools/WorkerpoolRegistry')
  const names = [token, 'Staked', 'S', 9, apps.address, datasets.address, pools.address, ZERO]
  await send(rpc, owner, hub, abi.encodeFunctionData('configure', names))
  await send(rpc, owner, hub, abi.encodeFunctionData('createCategory', ['render', '', 100_000]))
  const made = async ({ address, face }: typeof apps, name: string, args: readonly unknown[]) => {
    const mined = await send(rpc, owner, address, face.encodeFunctionData(name, args))
    // ERC-721: the token's number is the entry's address.
    const transfer = mined.logs.find(({ topics }) => topics[0] === id('Transfer(address,address,uint256)'))!
    return `0x${transfer.topics[3]!.slice(26)}`
  }
  const app = await made(apps, 'createApp', [appOwner!.address, 'app', 'DOCKER', '0x00', ZERO32, '0x'])
  const pool = await made(pools, 'createWorkerpool', [scheduler!.address, 'pool'])
  return { rpc, hub, abi, app, pool }
}

const ORDER_TYPES = {
  app: 'address app,uint256 appprice,uint256 volume,bytes32 tag,address datasetrestrict,address workerpoolrestrict,address requesterrestrict,bytes32 salt',
  pool: 'address workerpool,uint256 workerpoolprice,uint256 volume,bytes32 tag,uint256 category,uint256 trust,address apprestrict,address datasetrestrict,address requesterrestrict,bytes32 salt',
  request:
    'address app,uint256 appmaxprice,address dataset,uint256 datasetmaxprice,address workerpool,uint256 workerpoolmaxprice,address requester,uint256 volume,bytes32 tag,uint256 category,uint256 trust,address beneficiary,address callback,string params,bytes32 salt',
} as const

async function signedOrder(
  world: World,
  key: string,
  [name, fields]: readonly [name: string, fields: string],
  order: Readonly<Record<string, unknown>>,
): Promise<Record<string, unknown>> {
  const types = { [name]: fields.split(',').map((one) => ({ type: one.split(' ')[0]!, name: one.split(' ')[1]! })) }
  const answer = await world.rpc.call<string>('eth_call', [
    { to: world.hub, data: world.abi.encodeFunctionData('domain') },
    'latest',
  ])
  const [[title, version, chainId, verifyingContract]] = world.abi.decodeFunctionResult('domain', answer) as unknown as [
    [string, string, bigint, string],
  ]
  const sign = await new Wallet(key).signTypedData({ name: title, version, chainId, verifyingContract }, types, order)
  return { ...order, sign }
}

/** Matches the orders of a deal of `tasks` tasks and returns its id and the gas of it. */
async function match(world: World, tasks: number, trust: number, salt: string): Promise<{ deal: string; gas: number }> {
  const free = { tag: ZERO32, salt: id(salt), volume: tasks }
  const app = await signedOrder(world, appOwner!.privateKey, ['AppOrder', ORDER_TYPES.app], {
    ...free,
    app: world.app,
    appprice: 0,
    datasetrestrict: ZERO,
    workerpoolrestrict: ZERO,
    requesterrestrict: ZERO,
  })
  const pool = await signedOrder(world, scheduler!.privateKey, ['WorkerpoolOrder', ORDER_TYPES.pool], {
    ...free,
    workerpool: world.pool,
    workerpoolprice: PRICE,
    category: 0,
    trust,
    apprestrict: ZERO,
    datasetrestrict: ZERO,
    requesterrestrict: ZERO,
  })
  const request = await signedOrder(world, requester!.privateKey, ['RequestOrder', ORDER_TYPES.request], {
    ...free,
    app: world.app,
    appmaxprice: 0,
    dataset: ZERO,
    datasetmaxprice: 0,
    workerpool: world.pool,
    workerpoolmaxprice: PRICE,
    requester: requester!.address,
    category: 0,
    trust,
    beneficiary: requester!.address,
    callback: ZERO,
    params: '{"frames":"1-100"}',
  })
  const dataset = {
    dataset: ZERO,
    datasetprice: 0,
    volume: 0,
    tag: ZERO32,
    apprestrict: ZERO,
    workerpoolrestrict: ZERO,
    requesterrestrict: ZERO,
    salt: ZERO32,
    sign: '0x',
  }
  const data = world.abi.encodeFunctionData('matchOrders', [app, dataset, pool, request])
  const mined = await send(world.rpc, requester!.address, world.hub, data)
  const notice = mined.logs.find(({ topics }) => topics[0] === id('SchedulerNotice(address,bytes32)'))!
  return { deal: notice.data, gas: mined.gasUsed }
}

/** One deal to its end. `fast`: the worker contributes and finalizes in one call, which PoCo allows where nobody else is asked. */
async function deal(world: World, tasks: number, crowd: number, fast: boolean, salt = 'measured'): Promise<PocoGas> {
  const { rpc, hub, abi } = world
  const trust = [0, 1, 4, 8][crowd]!
  const matched = await match(world, tasks, trust, `${salt}/${tasks}/${crowd}/${fast}`)
  let total = matched.gas
  const call = async (from: string, name: string, args: readonly unknown[]): Promise<void> => {
    total += (await send(rpc, from, hub, abi.encodeFunctionData(name, args))).gasUsed
  }
  const digest = id('result')
  for (let i = 0; i < tasks; i++) {
    const task = solidityPackedKeccak256(['bytes32', 'uint256'], [matched.deal, i])
    await call(scheduler!.address, 'initialize', [matched.deal, i])
    const result = solidityPackedKeccak256(['bytes32', 'bytes32'], [task, digest])
    for (const worker of workers.slice(0, crowd)) {
      const seal = solidityPackedKeccak256(['address', 'bytes32', 'bytes32'], [worker.address, task, digest])
      const permit = solidityPackedKeccak256(['address', 'bytes32', 'address'], [worker.address, task, ZERO])
      const authorized = await new Wallet(scheduler!.privateKey).signMessage(getBytes(permit))
      if (fast) await call(worker.address, 'contributeAndFinalize', [task, digest, '0x', '0x', ZERO, '0x', authorized])
      else await call(worker.address, 'contribute', [task, result, seal, ZERO, '0x', authorized])
    }
    if (fast) continue
    for (const worker of workers.slice(0, crowd)) await call(worker.address, 'reveal', [task, digest])
    await call(scheduler!.address, 'finalize', [task, '0x', '0x'])
  }
  return { tasks, workers: crowd, total }
}

/** Measures PoCo. `tokenCode` creates an ERC-20 whose `mint(address,uint256)` anybody may call. @throws Error when the package cannot be had */
export async function measurePoco(tokenCode: string): Promise<Readonly<Record<'one' | 'three' | 'bag' | 'bagFast', PocoGas>>> {
  const chain = await startAnvil()
  try {
    const rpc = httpRpc([chain.rpcUrl])
    return await withPackage(async (artifact) => {
      const token = (await send(rpc, owner, null, tokenCode)).contractAddress
      const world = await deployPoco(rpc, artifact, token)
      const erc20 = new Interface(['function mint(address,uint256)', 'function approve(address,uint256)'])
      for (const { address } of [requester!, scheduler!, ...workers]) {
        await send(rpc, owner, token, erc20.encodeFunctionData('mint', [address, 10n ** 15n]))
        await send(rpc, address, token, erc20.encodeFunctionData('approve', [world.hub, 10n ** 15n]))
        await send(rpc, address, world.hub, world.abi.encodeFunctionData('deposit', [10n ** 14n]))
      }
      // The first deal writes slots that later ones find written, as ours does.
      await deal(world, 1, 3, false, 'first')
      return {
        one: await deal(world, 1, 1, false),
        three: await deal(world, 1, 3, false),
        bag: await deal(world, 10, 1, false),
        bagFast: await deal(world, 10, 1, true),
      }
    })
  } finally {
    await chain.stop()
  }
}
