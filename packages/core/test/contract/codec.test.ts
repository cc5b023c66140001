import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalJson, decodeJournal, encodeJournal, isPictorError } from '../../src/contract/index.ts'

describe('canonicalJson', () => {
  it('prints the example of RFC 8785, section 3.2.3', () => {
    const input = JSON.parse(
      '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}',
    ) as unknown
    expect(canonicalJson(input)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    )
  })
  it('sorts keys by UTF-16 code units, as section 3.2.3 of RFC 8785 lists them', () => {
    const input = { '€': 'Euro', '\r': 'CR', '\ufb33': 'Hebrew', '1': 'One', '😀': 'Emoji', '\u0080': 'Control', ö: 'Latin' }
    expect(Object.values(JSON.parse(canonicalJson(input)) as object)).not.toHaveLength(0)
    expect([...canonicalJson(input).matchAll(/:"(\w+)"/g)].map((match) => match[1])).toEqual([
      'CR',
      'One',
      'Control',
      'Latin',
      'Euro',
      'Emoji',
      'Hebrew',
    ])
  })
  // RFC 8785, appendix B: IEEE 754 bits and their text.
  it.each([
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['8000000000000001', '-5e-324'],
    ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['4340000000000000', '9007199254740992'],
    ['c340000000000000', '-9007199254740992'],
    ['4430000000000000', '295147905179352830000'],
    ['44b52d02c7e14af5', '9.999999999999997e+22'],
    ['44b52d02c7e14af6', '1e+23'],
    ['444b1ae4d6e2ef4e', '999999999999999700000'],
    ['444b1ae4d6e2ef50', '1e+21'],
    ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['41b3de4355555553', '333333333.3333332'],
    ['41b3de4355555557', '333333333.33333343'],
  ])('prints the double %s as %s', (bits, text) => {
    const view = new DataView(new ArrayBuffer(8))
    view.setBigUint64(0, BigInt(`0x${bits}`))
    expect(canonicalJson(view.getFloat64(0))).toBe(text)
  })
  it('does not depend on the order of keys and means what JSON means', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const turned = Object.fromEntries(Object.entries(value).reverse())
        expect(canonicalJson(turned)).toBe(canonicalJson(value))
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })
  it.each([[NaN], [Infinity], [() => 1], [Symbol('s')]])('refuses %s and says where', (value) => {
    try {
      canonicalJson({ a: [1, value] })
      expect.unreachable()
    } catch (error) {
      expect(isPictorError(error, 'invalid-input') && error.details.path).toBe('$.a[1]')
    }
  })
  it('writes bigints as decimal strings and leaves undefined fields out', () => {
    expect(canonicalJson({ b: 12n, a: undefined })).toBe('{"b":"12"}')
  })
})

describe('encodeJournal', () => {
  it('keeps bigints apart from strings', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.bigInt(), fc.string(), fc.integer())),
        (value) => void expect(decodeJournal(encodeJournal({ value }))).toEqual({ value }),
      ),
    )
  })
  it('refuses text that is no JSON', () => {
    expect(() => decodeJournal('{')).toThrowError(expect.objectContaining({ code: 'invalid-input' }))
  })
})
