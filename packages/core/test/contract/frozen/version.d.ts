export declare const CONTRACT_VERSIONS: readonly number[]
export declare function checkContract(
  part: {
    readonly contract: unknown
    readonly id?: string
  },
  path: string,
): void
