import { parentPort } from 'node:worker_threads'
import { checkFileAt, type FileTask } from './file-task.ts'

parentPort?.on('message', async (task: FileTask) => parentPort?.postMessage(await checkFileAt(task)))
