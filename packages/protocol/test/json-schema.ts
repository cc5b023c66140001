/** The part of JSON Schema 2020-12 that openapi.json uses; an unknown keyword fails, so that nothing is left unchecked. */
type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
type Node = Record<string, Json>

const KNOWN = new Set(
  '$ref type properties required items maxItems minItems enum const pattern maxLength minimum maximum anyOf oneOf allOf additionalProperties maxProperties not description format'.split(
    ' ',
  ),
)

export function check(document: Node, schema: Node, value: unknown, path = '$'): string[] {
  for (const key of Object.keys(schema)) if (!KNOWN.has(key)) return [`${path}: the schema uses ${key}`]
  if (typeof schema['$ref'] === 'string') return check(document, resolve(document, schema['$ref']), value, path)
  const all = (schema['allOf'] as Node[] | undefined)?.flatMap((part) => check(document, part, value, path)) ?? []
  const fits = (part: Node): boolean => check(document, part, value, path).length === 0
  const any = schema['anyOf'] as Node[] | undefined
  const one = schema['oneOf'] as Node[] | undefined
  if (any && !any.some(fits)) all.push(`${path}: fits none of anyOf`)
  if (one && one.filter(fits).length !== 1) all.push(`${path}: fits ${one.filter(fits).length} of oneOf`)
  if (schema['not'] && fits(schema['not'] as Node)) all.push(`${path}: fits what it must not`)
  const words = schema['enum'] as Json[] | undefined
  if (words && !words.includes(value as Json)) all.push(`${path}: ${String(value)} is not in the enum`)
  if ('const' in schema && schema['const'] !== value) all.push(`${path}: is not ${String(schema['const'])}`)
  if (schema['type'] !== undefined && !isType(schema['type'] as string, value))
    return [...all, `${path}: is no ${String(schema['type'])}`]
  if (typeof value === 'string') all.push(...checkText(schema, value, path))
  if (typeof value === 'number') {
    if (value < ((schema['minimum'] as number | undefined) ?? -Infinity)) all.push(`${path}: below the minimum`)
    if (value > ((schema['maximum'] as number | undefined) ?? Infinity)) all.push(`${path}: above the maximum`)
  }
  if (Array.isArray(value)) all.push(...checkList(document, schema, value, path))
  else if (typeof value === 'object' && value !== null) all.push(...checkObject(document, schema, value as Node, path))
  return all
}

export function resolve(document: Node, pointer: string): Node {
  let at: Json = document
  for (const part of pointer.replace(/^#\//, '').split('/')) at = (at as Node)[part]!
  if (typeof at !== 'object' || at === null) throw new Error(`${pointer} leads nowhere`)
  return at as Node
}

function isType(type: string, value: unknown): boolean {
  if (type === 'array') return Array.isArray(value)
  if (type === 'integer') return Number.isInteger(value)
  if (type === 'null') return value === null
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value)
  return typeof value === type
}

function checkText(schema: Node, value: string, path: string): string[] {
  const problems: string[] = []
  if (value.length > ((schema['maxLength'] as number | undefined) ?? Infinity)) problems.push(`${path}: too long`)
  if (schema['pattern'] !== undefined && !new RegExp(schema['pattern'] as string, 'u').test(value))
    problems.push(`${path}: breaks the pattern`)
  return problems
}

function checkList(document: Node, schema: Node, value: unknown[], path: string): string[] {
  const problems = value.flatMap((item, i) =>
    schema['items'] ? check(document, schema['items'] as Node, item, `${path}[${i}]`) : [],
  )
  if (value.length > ((schema['maxItems'] as number | undefined) ?? Infinity)) problems.push(`${path}: too many items`)
  if (value.length < ((schema['minItems'] as number | undefined) ?? 0)) problems.push(`${path}: too few items`)
  return problems
}

function checkObject(document: Node, schema: Node, value: Node, path: string): string[] {
  const properties = (schema['properties'] ?? {}) as Record<string, Node>
  const problems = ((schema['required'] ?? []) as string[])
    .filter((key) => !(key in value))
    .map((key) => `${path}.${key}: is missing`)
  for (const [key, item] of Object.entries(value)) {
    const part = properties[key] ?? (schema['additionalProperties'] as Node | undefined)
    if (part) problems.push(...check(document, part, item, `${path}.${key}`))
  }
  return problems
}
