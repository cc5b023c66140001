import { Worker } from 'node:worker_threads'
import { finding } from '../verdict/finding.ts'
import { checkFileAt, type FileResult, type FileTask } from './file-task.ts'

/** Checks files, several at a time. */
export interface FilePool {
  /** Never rejects, but for the signal's reason: a file that takes too long or ends its thread is a doubt. */
  check(task: FileTask): Promise<FileResult>
  close(): Promise<void>
}

/** How a pool works. */
export interface FilePoolOptions {
  readonly threads: number
  /** Longest time for one file, milliseconds; its thread is then ended. Default 60,000. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** A pool of worker threads, each of which holds one file at a time; one thread means this one. */
export function filePool({ threads, timeoutMs = 60_000, signal }: FilePoolOptions): FilePool {
  if (threads <= 1) return { check: checkFileAt, close: async () => {} }
  const idle: Worker[] = []
  const all = new Set<Worker>()
  const waiting: (() => void)[] = []
  let busy = 0
  const run = async (task: FileTask): Promise<FileResult> => {
    if (busy >= threads) await new Promise<void>((go) => waiting.push(go))
    busy++
    try {
      signal?.throwIfAborted()
      const worker = idle.pop() ?? startWorker()
      all.add(worker)
      const answer = await ask(worker, task, timeoutMs, signal)
      if (typeof answer !== 'string') {
        idle.push(worker)
        return answer
      }
      all.delete(worker)
      await worker.terminate()
      return { findings: [finding('doubt', 'unreadable', answer)], ms: 0 }
    } finally {
      busy--
      waiting.shift()?.()
    }
  }
  return {
    check: run,
    close: async () => {
      await Promise.all([...all].map((worker) => worker.terminate()))
    },
  }
}

/** The worker lies beside this file in the source tree, and beside the bundle in the built package. */
function startWorker(): Worker {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  return new Worker(new URL(`./file-worker.${extension}`, import.meta.url))
}

/** The answer, or in words why there is none. */
function ask(worker: Worker, task: FileTask, timeoutMs: number, signal?: AbortSignal): Promise<FileResult | string> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      clearTimeout(timer)
      worker.off('message', onMessage).off('error', onError).off('exit', onExit)
      signal?.removeEventListener('abort', onAbort)
      act()
    }
    const onMessage = (answer: FileResult): void => settle(() => resolve(answer))
    const onError = (error: Error): void => settle(() => resolve(`reading the file ended its thread: ${error.message}`))
    const onExit = (): void => settle(() => resolve('reading the file ended its thread'))
    const onAbort = (): void => settle(() => reject(signal!.reason as Error))
    const timer = setTimeout(() => settle(() => resolve(`the file was not read within ${timeoutMs} ms`)), timeoutMs)
    worker.on('message', onMessage).on('error', onError).on('exit', onExit)
    signal?.addEventListener('abort', onAbort)
    worker.postMessage(task)
  })
}
