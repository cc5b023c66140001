// A renderer for tests: node tiny-renderer.mjs SCENE OUTPUT WIDTH HEIGHT FRAME SEED [X Y REGION_WIDTH REGION_HEIGHT]. The scene is JSON: { "color": [r, g, b], "do"?: misdeed }.
// Writes a real PNG whose pixels depend on colour, place, frame and seed.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { crc32, deflateSync } from 'node:zlib'

const [scene, output, ...numbers] = process.argv.slice(2)
const [width, height, frame, seed, x = 0, y = 0, regionWidth = width, regionHeight = height] = numbers.map(Number)
const { color, do: misdeed = '', outside = '' } = JSON.parse(readFileSync(scene, 'utf8'))
if (misdeed === 'scene-fault') {
  console.error('cannot make sense of this scene')
  process.exit(1)
}
if (misdeed === 'crash') process.kill(process.pid, 'SIGSEGV')
if (misdeed === 'hang') await new Promise((resolve) => setTimeout(resolve, 1e9, resolve))
if (misdeed === 'nothing') process.exit(0)
const found = misdeed === 'look around' ? { secret: existsSync(outside), environment: Object.keys(process.env).sort() } : {}
if (misdeed === 'write outside')
  try {
    writeFileSync(outside, 'x')
  } catch (error) {
    found.error = error.code
  }

const w = misdeed === 'wrong size' ? regionWidth - 1 : regionWidth
const rows = Buffer.alloc((w * 3 + 1) * regionHeight)
for (let row = 0; row < regionHeight; row++)
  for (let column = 0; column < w; column++)
    for (let c = 0; c < 3; c++)
      rows[row * (w * 3 + 1) + 1 + column * 3 + c] = color[c] + (column + x) * 3 + (row + y) * 5 + frame * 7 + seed
const chunk = (type, body) => {
  const typed = Buffer.concat([Buffer.from(type, 'latin1'), body])
  const made = Buffer.alloc(typed.length + 8)
  made.writeUInt32BE(body.length)
  typed.copy(made, 4)
  made.writeUInt32BE(crc32(typed), typed.length + 4)
  return made
}
const header = Buffer.alloc(13)
header.writeUInt32BE(w)
header.writeUInt32BE(regionHeight, 4)
header.set([8, 2, 0, 0, 0], 8)
const text = chunk('tEXt', Buffer.from(`found\0${JSON.stringify(found)}`, 'latin1'))
writeFileSync(
  output,
  Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    text,
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]),
)
