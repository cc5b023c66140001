// What a node may answer to each method that is used. An answer of another shape counts as a failure of that node, like silence: it must never end up as a
// block number NaN or a balance of 0.

type Check = (value: unknown) => boolean

const matches =
  (pattern: RegExp): Check =>
  (value) =>
    typeof value === 'string' && pattern.test(value)
const quantity = matches(/^0x[0-9a-f]{1,64}$/i)
/** A block number, time or count: small enough to be exact as a number. */
const count = matches(/^0x[0-9a-f]{1,13}$/i)
const bytes = matches(/^0x([0-9a-f]{2})*$/i)
const word = matches(/^0x[0-9a-f]{64}$/i)
const account = matches(/^0x[0-9a-f]{40}$/i)
const listOf =
  (item: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every((one) => item(one))
const shape =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(fields).every(([name, check]) => check((value as Readonly<Record<string, unknown>>)[name]))
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value)
const orAbsent =
  (check: Check): Check =>
  (value) =>
    value === undefined || value === null || check(value)

const log = shape({
  address: account,
  topics: listOf(word),
  data: bytes,
  blockNumber: count,
  blockHash: word,
  transactionHash: word,
  logIndex: count,
  blockTimestamp: orAbsent(count),
})
const transaction = shape({ hash: word, from: account, input: bytes })
const block = shape({
  timestamp: count,
  baseFeePerGas: orAbsent(quantity),
  transactions: listOf((one) => word(one) || transaction(one)),
})
const receipt = shape({ transactionHash: word, blockNumber: count, gasUsed: quantity, status: matches(/^0x[01]$/) })
const proof = shape({
  accountProof: listOf(bytes),
  storageProof: listOf(shape({ key: quantity, value: quantity, proof: listOf(bytes) })),
})

const ANSWERS: Readonly<Record<string, Check>> = {
  eth_chainId: count,
  eth_blockNumber: count,
  eth_getTransactionCount: count,
  eth_estimateGas: quantity,
  eth_maxPriorityFeePerGas: quantity,
  eth_call: bytes,
  eth_getCode: bytes,
  eth_sendRawTransaction: word,
  eth_getLogs: listOf(log),
  eth_getBlockByNumber: orNull(block),
  eth_getBlockByHash: orNull(block),
  eth_getTransactionByHash: orNull(transaction),
  eth_getTransactionReceipt: orNull(receipt),
  eth_getProof: proof,
}

/** Whether an answer has the shape that the method's answers have; methods that are not listed answer anything. */
export function isAnswer(method: string, value: unknown): boolean {
  return ANSWERS[method]?.(value) ?? true
}
