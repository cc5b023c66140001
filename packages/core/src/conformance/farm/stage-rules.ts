import assert from 'node:assert/strict'
import type { Artifacts } from '../../contract/artifacts.ts'
import { failure, type Bench } from './bench.ts'
import type { Rule } from './rule.ts'

/** Counts how often the farm reads a file, and may spoil the reads. */
function watched(files: Artifacts, spoil?: (reads: number) => void): { files: Artifacts; reads: () => number } {
  let reads = 0
  const count = <T>(call: () => Promise<T>): Promise<T> => {
    reads++
    return Promise.resolve()
      .then(() => spoil?.(reads))
      .then(call)
  }
  return {
    reads: () => reads,
    files: {
      put: (source) => files.put(source),
      has: (hash) => files.has(hash),
      read: (hash) => count(() => files.read(hash)),
      path: (hash) => count(() => files.path(hash)),
    },
  }
}

/** An error as a second copy of core in the same tree would throw it: the brand is the same, the class is not. */
class ForeignError extends Error {
  readonly '~pictor' = 'error' as const
  readonly code = 'not-found'
  readonly details = { path: 'hash' }
  readonly retryable = false
}

const stage = (bench: Bench, files: Artifacts, name: string, manifest = bench.subject.job.bundle) =>
  bench.farm.stage(manifest, files, bench.ctx(name))

/** Sending files. */
export const stageRules: readonly Rule[] = [
  {
    name: 'staging the same files again gives the same reference and reads nothing',
    change: 'address staged files by their hash and ask which are missing before reading any',
    skip: (supports) => (supports.contentAddressed === false ? 'supports.contentAddressed is false' : undefined),
    async check(bench) {
      const first = watched(bench.subject.files)
      const ref = await stage(bench, first.files, 'stage-1')
      const again = watched(bench.subject.files)
      assert.deepEqual(await stage(bench, again.files, 'stage-2'), ref)
      assert.equal(again.reads(), 0, `${again.reads()} files were read again`)
      assert.equal(ref.farm, bench.farm.id)
    },
  },
  {
    name: 'a staging that broke off can be repeated',
    change: 'keep what arrived and let stage() be called again after a failed read',
    async check(bench) {
      const last = bench.subject.job.bundle.files.length
      const broken = watched(bench.subject.files, (reads) => {
        if (reads === last) throw new Error('the disk went away')
      })
      await assert.rejects(stage(bench, broken.files, 'stage'))
      const ref = await stage(bench, bench.subject.files, 'stage')
      assert.equal(ref.farm, bench.farm.id)
    },
  },
  {
    name: 'a file whose bytes do not match its hash is refused',
    change: 'hash what is sent and throw invalid-input or farm-refused when it differs from the manifest',
    async check(bench) {
      const { files } = bench.subject
      const spoiled: Artifacts = {
        ...watched(files).files,
        read: async (hash) => (await files.read(hash)).map((byte) => byte ^ 1),
        path: () => Promise.reject(new ForeignError('no local path')),
      }
      await failure(stage(bench, spoiled, 'stage'))
    },
  },
  {
    name: 'a path that leaves the bundle is refused',
    change: 'throw invalid-input for manifest paths that are absolute or contain `..` or a backslash',
    async check(bench) {
      const { job, files } = bench.subject
      const { bundle } = job
      for (const path of ['../outside.blend', '/etc/passwd', 'a/../../b', '..\\b']) {
        const escaped = { ...bundle, files: bundle.files.map((file, i) => (i === 0 ? { ...file, path } : file)) }
        await failure(stage(bench, files, `stage ${path}`, escaped), ['invalid-input', 'farm-refused'])
      }
    },
  },
  {
    name: 'a missing file is reported as such, also when another copy of core says so',
    change: 'tell errors apart by isPictorError(error, code), never by instanceof, and let not-found pass through',
    async check(bench) {
      const { files } = bench.subject
      const gone: Artifacts = {
        ...files,
        has: async () => false,
        read: () => Promise.reject(new ForeignError('not there')),
        path: () => Promise.reject(new ForeignError('not there')),
      }
      await failure(stage(bench, gone, 'stage'), ['not-found', 'asset-missing', 'farm-refused'])
    },
  },
]
