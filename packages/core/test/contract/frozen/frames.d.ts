export declare const MAX_FRAMES = 10000000
export declare function parseFrames(expression: string): number[]
export declare function formatFrames(list: readonly number[]): string
