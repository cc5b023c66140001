// pnpm bench seal [-- MiB]: a farm seals an output of 1 GiB, a checker or creator opens it, each from file to file, beside the same file copied with its sha256.
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { folderArtifacts } from '../packages/core/src/artifacts/index.ts'
import { storeStream, streamOf, type Bytes32, type SealKey } from '../packages/core/src/contract/index.ts'
import {
  fileKeyOf,
  leaseSecretOf,
  readLeaseSecret,
  sealedFile,
  sealHead,
  sealPublicKey,
  unseal,
} from '../packages/core/src/sealing/index.ts'
import type { Bench } from '../scripts/bench.ts'

const JOB: Bytes32 = `0x${'11'.repeat(32)}`

/** CPU seconds of this process while `work` runs. */
async function cpuSeconds(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}

const peakMiB = (): number => process.resourceUsage().maxRSS / 1024

async function* output(mebibytes: number): AsyncGenerator<Uint8Array> {
  const block = createHash('shake256', { outputLength: 2 ** 20 })
    .update('block')
    .digest()
  for (let i = 0; i < mebibytes; i++) {
    block.writeUInt32BE(i)
    yield block
  }
}

export const bench: Bench = async (report, [size = '1024']) => {
  const mebibytes = Number(size)
  const dir = await mkdtemp(join(tmpdir(), 'pictor-seal-'))
  try {
    const [farm, runner, checker] = ['farm', 'runner', 'checker'].map((name) => folderArtifacts(join(dir, name)))
    const [farmSecret, checkerSecret] = [randomBytes(32), randomBytes(32)]
    const key: SealKey = { checker: `0x${'22'.repeat(20)}`, publicKey: sealPublicKey(checkerSecret), signature: '0x' }
    const { hash } = await storeStream(farm!, output(mebibytes))
    const copying = await cpuSeconds(() => storeStream(runner!, streamOf(farm!, hash)))
    const before = peakMiB()
    const peer = { peer: 'copied with sha256', peerValue: copying }

    let sealedHash = hash
    const sealing = await cpuSeconds(async () => {
      const fileKey = fileKeyOf(leaseSecretOf(farmSecret, JOB, 1), hash)
      const sealed = sealedFile(sealHead(farmSecret, JOB, 1, [key]), fileKey, streamOf(farm!, hash))
      sealedHash = (await storeStream(runner!, sealed)).hash
    })
    report({ name: `sealing ${mebibytes} MiB, CPU`, value: sealing, unit: 's', ...peer })
    const opening = await cpuSeconds(async () => {
      const about = { job: JOB, lease: 1, checker: key.checker }
      const keyOf = (head: Buffer): Uint8Array => fileKeyOf(readLeaseSecret(head, about, checkerSecret), hash)
      const opened = await storeStream(checker!, unseal(streamOf(runner!, sealedHash), keyOf, hash))
      if (opened.hash !== hash) throw new Error('it opened to something else')
    })
    report({ name: `opening it, CPU`, value: opening, unit: 's', ...peer })
    report({
      name: 'memory that this took beyond copying, peak',
      value: peakMiB() - before,
      unit: 'MiB',
      note: `${before.toFixed(0)} MiB before`,
    })
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
