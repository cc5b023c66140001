import { fileURLToPath } from 'node:url'

/** Folder of the Python programs that Blender runs for us. Sources and build both lie one folder below the package, beside `python/`. */
export function programFolder(): string {
  return fileURLToPath(new URL('../python', import.meta.url))
}

/** Path of the program of a warm Blender. */
export function workerProgram(): string {
  return `${programFolder()}/worker.py`
}
