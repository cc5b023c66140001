import { openApi, PROTOCOL, type Operation } from '../document.ts'
import { errorSchema } from '../wire.ts'
import {
  actionSchema,
  checkerInfoSchema,
  keyAnswerSchema,
  keyRequestSchema,
  pageSchema,
  sealKeyAskSchema,
  sealKeySchema,
} from './wire.ts'

const key = { 'Idempotency-Key': { required: true, description: 'the same key with the same content has its effect once' } }
const cursor = { schema: { type: 'string', maxLength: 4_096 }, description: 'cursor of the last page; left out: from the start' }

/** Every operation of the checker protocol. */
export const CHECKER_OPERATIONS: readonly Operation[] = [
  {
    id: 'describe',
    method: 'get',
    path: `/${PROTOCOL}/checker`,
    scope: 'read',
    summary: 'Name and signing address of the checker',
    answers: { 200: { description: 'the checker', schema: checkerInfoSchema } },
  },
  {
    id: 'act',
    method: 'post',
    path: `/${PROTOCOL}/actions`,
    scope: 'submit',
    summary:
      'Asks for Ready, Held, a check, a reveal, or a signature. Kept on disk before the answer; the effect comes as an event',
    body: actionSchema,
    headers: key,
    answers: { 202: { description: 'taken' } },
  },
  {
    id: 'events',
    method: 'get',
    path: `/${PROTOCOL}/jobs/{job}/events`,
    scope: 'read',
    summary: 'What the checker said about a job since the cursor',
    query: { cursor },
    answers: { 200: { description: 'a page', schema: pageSchema } },
  },
  {
    id: 'picture',
    method: 'get',
    path: `/${PROTOCOL}/jobs/{job}/pictures/{hash}`,
    scope: 'read',
    summary: 'A difference picture that a report of the job names; Range: bytes=N- resumes',
    answers: {
      200: { description: 'the whole file', type: 'application/octet-stream' },
      206: { description: 'the rest of the file', type: 'application/octet-stream' },
      416: { description: 'the range begins behind the end', schema: errorSchema },
    },
  },
  {
    id: 'sealKey',
    method: 'post',
    path: `/${PROTOCOL}/seal-key`,
    scope: 'read',
    summary: 'The key that farms may seal outputs to, signed by the checker; 501 from one that opens no sealed files',
    body: sealKeyAskSchema,
    answers: { 200: { description: 'the key', schema: sealKeySchema } },
  },
  {
    id: 'keys',
    method: 'post',
    path: `/${PROTOCOL}/jobs/{job}/keys`,
    scope: 'read',
    summary:
      'Keys of the accepted sealed files of a lease, once a batch with it is final on the ledger, for who signs as the creator',
    body: keyRequestSchema,
    answers: { 200: { description: 'the keys, encrypted to the recipient that the request names', schema: keyAnswerSchema } },
  },
  {
    id: 'health',
    method: 'get',
    path: `/${PROTOCOL}/health`,
    summary: 'Whether the checker, its signer and its ledger answer; needs no token',
    answers: {
      200: { description: 'they do', type: 'application/json' },
      503: { description: 'one does not', type: 'application/json' },
    },
  },
  {
    id: 'metrics',
    method: 'get',
    path: `/${PROTOCOL}/metrics`,
    scope: 'metrics',
    summary: 'Counters in the Prometheus text format',
    answers: { 200: { description: 'metrics', type: 'text/plain' } },
  },
]

/** The OpenAPI 3.1 document of the checker protocol, made from the table that the server serves. */
export function checkerProtocolDocument(): Record<string, unknown> {
  return openApi(
    CHECKER_OPERATIONS,
    {
      title: 'Pictor checker protocol',
      summary: 'A checker over HTTP',
      description:
        'A runner asks, the checker answers by events of a job. Bearer tokens authorise; what binds a checker is signed with its key. The checker fetches scenes and outputs by sha256 from where the action says that the files of the job lie. Integers that may pass 2^53 (money) are decimal strings. Readers ignore fields and event types that they do not know.',
    },
    { url: 'https://checker.example', description: 'a checker' },
    ['read', 'submit', 'metrics'],
  )
}
