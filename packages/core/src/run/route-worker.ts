import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import type { RouteAnswer } from '../route/plan.ts'
import type { RouteProblem } from '../route/problem.ts'
import { replan, type Replan, type RouteProgress } from '../route/replan.ts'
import { solveRoute } from '../route/solve.ts'
import { PictorError, type PictorErrorCode, type PictorErrorDetails } from '../contract/error.ts'

/** A pure function of the router, and what it is called with. */
type Task =
  | { readonly kind: 'solve'; readonly problem: RouteProblem }
  | { readonly kind: 'replan'; readonly problem: RouteProblem; readonly progress: RouteProgress }

type Reply =
  | { readonly answer: RouteAnswer | Replan }
  | { readonly error: { readonly code: PictorErrorCode; readonly message: string; readonly details: PictorErrorDetails } }

/** Marks the data of our own workers, so that a host's worker that loads this module is left alone. */
const MARK = 'pictor-route-worker'

/**
 * Solves a routing problem in a worker thread, so that the caller's event loop stays free.
 *
 * @param signal - ends the worker; the promise then rejects with the signal's reason.
 * @throws PictorError `invalid-input` as {@link solveRoute} does.
 */
export async function solveInWorker(problem: RouteProblem, signal?: AbortSignal): Promise<RouteAnswer> {
  return (await inWorker({ kind: 'solve', problem }, signal)) as RouteAnswer
}

/**
 * Plans again what is left of a job, in a worker thread.
 *
 * @param signal - ends the worker; the promise then rejects with the signal's reason.
 * @throws PictorError `invalid-input` as {@link replan} does.
 */
export async function replanInWorker(problem: RouteProblem, progress: RouteProgress, signal?: AbortSignal): Promise<Replan> {
  return (await inWorker({ kind: 'replan', problem, progress }, signal)) as Replan
}

async function inWorker(task: Task, signal?: AbortSignal): Promise<RouteAnswer | Replan> {
  signal?.throwIfAborted()
  // The frames are copied, not transferred: the caller keeps its arrays.
  const worker = new Worker(new URL(import.meta.url), { workerData: { mark: MARK, task } })
  let abort = () => {}
  try {
    const reply = await new Promise<Reply>((resolve, reject) => {
      abort = () => reject(signal?.reason)
      signal?.addEventListener('abort', abort, { once: true })
      worker.once('message', resolve)
      worker.once('error', reject)
      worker.once('exit', (code) => reject(new PictorError('internal', `the routing worker ended with ${code}`)))
    })
    if ('error' in reply) throw new PictorError(reply.error.code, reply.error.message, { details: reply.error.details })
    return reply.answer
  } finally {
    signal?.removeEventListener('abort', abort)
    await worker.terminate()
  }
}

function answer(task: Task): Reply {
  try {
    return { answer: task.kind === 'solve' ? solveRoute(task.problem) : replan(task.problem, task.progress) }
  } catch (error) {
    if (error instanceof PictorError) return { error: { code: error.code, message: error.message, details: error.details } }
    throw error
  }
}

const data = workerData as { mark?: unknown; task?: Task } | null
if (!isMainThread && data?.mark === MARK && data.task !== undefined) parentPort?.postMessage(answer(data.task))
