export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | {
      readonly [key: string]: Json | undefined
    }
export declare function canonicalJson(value: unknown, path?: string): string
export declare function encodeJournal(value: unknown): string
export declare function decodeJournal<T>(text: string): T
