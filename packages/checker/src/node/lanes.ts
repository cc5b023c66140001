/** Runs jobs one after another; a failed job does not stop the next. */
export interface Lane {
  run(job: () => Promise<void>): Promise<void>
  readonly busy: boolean
  idle(): Promise<void>
}

/** Makes a lane. */
export function createLane(): Lane {
  let tail: Promise<void> = Promise.resolve()
  let waiting = 0
  return {
    run(job) {
      waiting++
      const result = tail.then(job).finally(() => {
        waiting--
      })
      tail = result.catch(() => undefined)
      return result
    },
    get busy() {
      return waiting > 0
    },
    idle: () => tail,
  }
}
