import { nameOf, type JsonSchema, type Schema } from './schema.ts'
import { MAX_PACK_BYTES, MAX_PACK_FILES, MAX_PACKED_FILE } from './pack.ts'
import * as wire from './wire.ts'

/** Version of the protocol; the first part of every path. */
export const PROTOCOL = 'v1'

/** What a bearer token may do. */
export const SCOPES = ['read', 'quote', 'stage', 'submit', 'change', 'metrics'] as const
/** One of the {@link SCOPES}. */
export type Scope = (typeof SCOPES)[number]

/** One operation: routes of the server and paths of the document come from the same table. */
export interface Operation {
  readonly id: string
  readonly method: 'get' | 'post' | 'put' | 'head'
  /** OpenAPI path template below the base url. */
  readonly path: string
  readonly scope?: Scope
  readonly summary: string
  readonly body?: Schema<unknown>
  /** The body is bytes, described in `summary`. */
  readonly binary?: true
  readonly query?: Readonly<
    Record<string, { readonly required?: boolean; readonly schema: JsonSchema; readonly description: string }>
  >
  readonly headers?: Readonly<Record<string, { readonly required?: boolean; readonly description: string }>>
  readonly answers: Readonly<
    Record<string, { readonly description: string; readonly schema?: Schema<unknown>; readonly type?: string }>
  >
}

const integer = { type: 'integer', minimum: 0 }
const key = { 'Idempotency-Key': { required: true, description: 'the same key with the same content has its effect once' } }

/** Every operation of the farm protocol. */
export const OPERATIONS: readonly Operation[] = [
  {
    id: 'describe',
    method: 'get',
    path: `/${PROTOCOL}/farm`,
    scope: 'read',
    summary: 'Lane, capabilities, software and signing key of the farm',
    answers: { 200: { description: 'the farm', schema: wire.farmInfoSchema } },
  },
  {
    id: 'quote',
    method: 'post',
    path: `/${PROTOCOL}/quotes`,
    scope: 'quote',
    summary: 'Prices for any share of the frames, or a decline with its reason',
    body: wire.quoteRequestSchema,
    answers: { 200: { description: 'a quote or a decline', schema: wire.quoteSchema } },
  },
  {
    id: 'missing',
    method: 'post',
    path: `/${PROTOCOL}/stages/missing`,
    scope: 'stage',
    summary: 'Which files of a bundle the farm does not hold yet',
    body: wire.manifestSchema,
    answers: { 200: { description: 'hashes to send', schema: wire.missingSchema } },
  },
  {
    id: 'fileState',
    method: 'head',
    path: `/${PROTOCOL}/files/{hash}`,
    scope: 'stage',
    summary: 'How many bytes of a file have arrived (Upload-Offset, Upload-Complete)',
    answers: { 200: { description: 'see the headers' } },
  },
  {
    id: 'putFile',
    method: 'put',
    path: `/${PROTOCOL}/files/{hash}`,
    scope: 'stage',
    summary: 'Sends the bytes of a file from Upload-Offset on; the whole is checked against its sha256',
    binary: true,
    query: { bytes: { required: true, schema: integer, description: 'size of the whole file' } },
    headers: { 'Upload-Offset': { required: true, description: 'position of the first byte of this body' } },
    answers: {
      201: { description: 'the file is complete and its hash is right' },
      202: { description: 'the part was kept, more is expected (Upload-Offset)' },
      409: { description: 'another offset is expected (Upload-Offset)', schema: wire.errorSchema },
      422: { description: 'the bytes do not match the hash; what had arrived is dropped', schema: wire.errorSchema },
    },
  },
  {
    id: 'putPack',
    method: 'post',
    path: `/${PROTOCOL}/packs`,
    scope: 'stage',
    summary: `Sends many small files in one body: four bytes length (big-endian), that much JSON {"files":[{"hash","bytes"}]}, then their bytes in order. At most ${MAX_PACK_FILES} files of ${MAX_PACKED_FILE} bytes, ${MAX_PACK_BYTES} in all. Those that had arrived when a body breaks off are kept; ask for the missing ones again`,
    binary: true,
    answers: {
      201: { description: 'all files are kept' },
      422: { description: 'the bytes of a file do not match its hash; those before it are kept', schema: wire.errorSchema },
    },
  },
  {
    id: 'stage',
    method: 'post',
    path: `/${PROTOCOL}/stages`,
    scope: 'stage',
    summary: 'Makes a stage of files that the farm holds',
    body: wire.manifestSchema,
    headers: key,
    answers: {
      200: { description: 'the handle for tasks', schema: wire.stageRefSchema },
      424: { description: 'files are missing', schema: wire.errorSchema },
    },
  },
  {
    id: 'submit',
    method: 'post',
    path: `/${PROTOCOL}/tasks`,
    scope: 'submit',
    summary: 'Finds or creates the task of this key',
    body: wire.taskSchema,
    headers: key,
    answers: { 200: { description: 'the task', schema: wire.taskRefSchema } },
  },
  {
    id: 'poll',
    method: 'get',
    path: `/${PROTOCOL}/events`,
    scope: 'read',
    summary: 'Everything new since the cursor; without one a full reconcile. With Accept: text/event-stream a stream of pages',
    query: {
      cursor: { schema: { type: 'string', maxLength: 4_096 }, description: 'cursor of the last page' },
      task: { schema: { type: 'array', items: { type: 'string' } }, description: 'only these tasks (repeat the parameter)' },
    },
    answers: { 200: { description: 'a page, or a stream whose events carry pages', schema: wire.pollSchema } },
  },
  {
    id: 'change',
    method: 'post',
    path: `/${PROTOCOL}/tasks/{ref}/changes`,
    scope: 'change',
    summary: 'Changes what is wanted of a task, or answers a ticket',
    body: wire.changeSchema,
    headers: key,
    answers: { 200: { description: 'done, accepted, manual or a refusal', schema: wire.changeAnswerSchema } },
  },
  {
    id: 'open',
    method: 'get',
    path: `/${PROTOCOL}/tasks/{ref}/output`,
    scope: 'read',
    summary: 'Bytes of one output; Range: bytes=N- resumes. ETag and Repr-Digest carry the sha256',
    query: {
      name: { required: true, schema: { type: 'string' }, description: 'name of the output' },
      frame: { required: true, schema: { type: 'integer' }, description: 'its frame' },
      part: { required: true, schema: integer, description: 'its part' },
      layer: { required: true, schema: { type: 'string' }, description: 'its layer' },
    },
    answers: {
      200: { description: 'the whole file', type: 'application/octet-stream' },
      206: { description: 'the rest of the file', type: 'application/octet-stream' },
      402: { description: 'locked until it is paid', schema: wire.unavailableSchema },
      410: { description: 'no longer kept', schema: wire.unavailableSchema },
      416: { description: 'the range begins behind the end', schema: wire.errorSchema },
      425: { description: 'not yet there', schema: wire.unavailableSchema },
    },
  },
  {
    id: 'health',
    method: 'get',
    path: `/${PROTOCOL}/health`,
    summary: 'Whether the farm answers; needs no token',
    answers: {
      200: { description: 'it does', type: 'application/json' },
      503: { description: 'it does not', type: 'application/json' },
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

const COMMON: Readonly<Record<string, string>> = {
  400: 'a value broke a rule; details.path names it',
  401: 'no valid token',
  403: 'the token lacks the scope',
  404: 'not found',
  409: 'the key was used for other content',
  413: 'the body is too large',
  422: 'the farm refused',
  429: 'too many requests; see Retry-After',
  500: 'a fault of the server',
  503: 'the farm cannot be reached',
}

/** The OpenAPI 3.1 document of the farm protocol, made from the table that the server serves. */
export function farmProtocolDocument(): Record<string, unknown> {
  return openApi(
    OPERATIONS,
    {
      title: 'Pictor farm protocol',
      summary: 'A render farm over HTTP',
      description:
        'Bearer tokens authorise; what binds a farm (acceptance of a lease, commitments, cancels) is signed with its key. Integers that may pass 2^53 (money) are decimal strings. Readers ignore fields and event types that they do not know.',
    },
    { url: 'https://farm.example', description: 'a farm' },
    SCOPES,
  )
}

/** An OpenAPI 3.1 document of a table of operations, its named schemas collected. */
export function openApi(
  operations: readonly Operation[],
  info: { readonly title: string; readonly summary: string; readonly description: string },
  server: { readonly url: string; readonly description: string },
  scopes: readonly Scope[],
): Record<string, unknown> {
  const components: Record<string, unknown> = {}
  const errorRef = refs(wire.errorSchema.json, components)
  const paths: Record<string, Record<string, unknown>> = {}
  for (const operation of operations) {
    paths[operation.path] ??= {}
    paths[operation.path]![operation.method] = describeOperation(operation, components, errorRef)
  }
  const { title, ...words } = info
  return {
    openapi: '3.1.1',
    info: { title, version: '1.0.0', ...words, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [server],
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer', description: `scopes: ${scopes.join(', ')}` } },
      schemas: components,
    },
  }
}

function describeOperation(
  operation: Operation,
  components: Record<string, unknown>,
  errorRef: unknown,
): Record<string, unknown> {
  const { id, summary, scope, body, query = {}, headers = {}, answers, path } = operation
  const parameters = [
    ...[...path.matchAll(/\{(\w+)\}/g)].map((match) => ({
      name: match[1],
      in: 'path',
      required: true,
      schema: match[1] === 'hash' ? wire.hashSchema.json : { type: 'string', maxLength: 1_024 },
    })),
    ...Object.entries(query).map(([name, { required = false, schema, description }]) => ({
      name,
      in: 'query',
      required,
      schema,
      description,
    })),
    ...Object.entries(headers).map(([name, { required = false, description }]) => ({
      name,
      in: 'header',
      required,
      schema: { type: 'string', maxLength: 256 },
      description,
    })),
  ]
  const content = (schema?: Schema<unknown>, type = 'application/json') =>
    schema
      ? { content: { [type]: { schema: refs(schema.json, components) } } }
      : type === 'application/json'
        ? {}
        : { content: { [type]: {} } }
  const errors = Object.entries(COMMON).filter(
    ([status]) => !(status in answers) && (scope !== undefined || Number(status) >= 429),
  )
  return {
    operationId: id,
    summary,
    ...(scope ? { description: `Scope: ${scope}.` } : { security: [] }),
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: { required: true, ...content(body) } }),
    ...(operation.binary && {
      requestBody: { required: true, content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } } },
    }),
    responses: Object.fromEntries([
      ...Object.entries(answers).map(([status, { description, schema, type }]) => [
        status,
        {
          description,
          ...content(schema, type),
          ...(id === 'poll' && {
            content: { 'application/json': { schema: refs(wire.pollSchema.json, components) }, 'text/event-stream': {} },
          }),
        },
      ]),
      ...errors.map(([status, description]) => [status, { description, content: { 'application/json': { schema: errorRef } } }]),
    ]),
  }
}

/** Replaces named schemas by references and collects them. */
function refs(json: unknown, components: Record<string, unknown>): unknown {
  if (Array.isArray(json)) return json.map((item) => refs(item, components))
  if (typeof json !== 'object' || json === null) return json
  const name = nameOf(json as JsonSchema)
  const plain = () => Object.fromEntries(Object.entries(json).map(([key, item]) => [key, refs(item, components)]))
  if (name === undefined) return plain()
  if (!(name in components)) {
    components[name] = {}
    components[name] = plain()
  }
  return { $ref: `#/components/schemas/${name}` }
}
