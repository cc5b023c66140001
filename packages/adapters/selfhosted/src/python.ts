import { fileURLToPath } from 'node:url'

/** Path of a Python program that Blender runs for us. Sources and build both lie one folder below the package, beside `python/`. */
export function pythonProgram(name: 'worker'): string {
  return fileURLToPath(new URL(`../python/${name}.py`, import.meta.url))
}
