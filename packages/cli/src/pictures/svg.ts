import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Resvg } from '@resvg/resvg-js'

/** Colours of every picture: dark ground, one hue a farm in order of appearance (colour-blind safe, after Okabe and Ito), red only for refusals. */
export const PALETTE = {
  ground: '#14161a',
  panel: '#1e2127',
  line: '#343943',
  text: '#e8eaee',
  dim: '#9aa1ad',
  accept: '#3fb27f',
  refuse: '#e5484d',
  unsure: '#e2a336',
  farms: ['#56b4e9', '#e69f00', '#cc79a7', '#009e73', '#f0e442', '#0072b2', '#d55e00', '#999999'],
} as const

/** Colour of a farm by its place in the list of farms. */
export function farmColor(farms: readonly string[], farm: string): string {
  const index = farms.indexOf(farm)
  return PALETTE.farms[(index < 0 ? farms.length : index) % PALETTE.farms.length]!
}

/** Text that is safe inside SVG. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
}

export interface TextStyle {
  readonly size?: number
  readonly color?: string
  readonly bold?: boolean
  readonly anchor?: 'start' | 'middle' | 'end'
}

export function text(x: number, y: number, content: string, style: TextStyle = {}): string {
  const { size = 13, color = PALETTE.text, bold = false, anchor = 'start' } = style
  return `<text x="${round(x)}" y="${round(y)}" font-size="${size}" fill="${color}" text-anchor="${anchor}"${bold ? ' font-weight="bold"' : ''}>${escapeXml(content)}</text>`
}

export function rect(x: number, y: number, width: number, height: number, fill: string, extra = ''): string {
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(Math.max(0, width))}" height="${round(Math.max(0, height))}" fill="${fill}" ${extra}/>`
}

export function line(x1: number, y1: number, x2: number, y2: number, color: string = PALETTE.line, extra = ''): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${color}" ${extra}/>`
}

/** A whole picture on the dark ground. */
export function svg(width: number, height: number, content: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${Math.ceil(width)}" height="${Math.ceil(height)}" viewBox="0 0 ${Math.ceil(width)} ${Math.ceil(height)}" font-family="DejaVu Sans">
${rect(0, 0, Math.ceil(width), Math.ceil(height), PALETTE.ground)}
${content.join('\n')}
</svg>
`
}

/** PNG bytes of an SVG. Fonts come with the package, so the picture is the same on every machine. */
export function rasterize(picture: string): Uint8Array {
  const fonts = join(dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json')), 'ttf')
  const files = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'].map((name) => join(fonts, name))
  return new Resvg(picture, { font: { fontFiles: files, loadSystemFonts: false, defaultFontFamily: 'DejaVu Sans' } })
    .render()
    .asPng()
}

function round(n: number): number {
  return Math.round(n * 100) / 100
}
