import { encodePng } from '@pictor/image'
import type { Area, Picture } from '../compare/picture.ts'

/** Pictures for people need no more than this width. */
const MAX_WIDTH = 960

/** What is framed in a difference picture. */
export interface Marks {
  /** Where something was found, in yellow. */
  readonly alarm?: Area
  /** What was compared before the whole: crops and strips, in blue. */
  readonly places?: readonly Area[]
}

/**
 * A PNG for a wrangler: the farm's frame, the checker's own, and their difference (8 times, in red on grey), side by side, with marks.
 * Large frames are shrunk by whole factors.
 */
export function differencePicture(farm: Picture, own: Picture, { alarm, places = [] }: Marks = {}): Uint8Array {
  const step = Math.max(1, Math.ceil(farm.width / MAX_WIDTH))
  const width = Math.floor(farm.width / step)
  const height = Math.floor(farm.height / step)
  const gap = 4
  const total = 3 * width + 2 * gap
  const out = new Uint8Array(total * height * 3).fill(24)
  const put = (x: number, y: number, r: number, g: number, b: number): void =>
    out.set([byte(r), byte(g), byte(b)], (y * total + x) * 3)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [fr, fg, fb] = mean(farm, x * step, y * step, step)
      const [or, og, ob] = mean(own, x * step, y * step, step)
      put(x, y, fr, fg, fb)
      put(x + width + gap, y, or, og, ob)
      const grey = 0.25 * (0.3 * or + 0.59 * og + 0.11 * ob)
      const off = 8 * Math.max(Math.abs(fr - or), Math.abs(fg - og), Math.abs(fb - ob))
      put(x + 2 * (width + gap), y, grey + off, grey, grey)
    }
  }
  const panels = [0, width + gap, 2 * (width + gap)]
  const outline = (area: Area, r: number, g: number, b: number): void => {
    const box = {
      x0: Math.floor(area.x / step),
      y0: Math.floor(area.y / step),
      x1: Math.ceil((area.x + area.width) / step) - 1,
      y1: Math.ceil((area.y + area.height) / step) - 1,
    }
    for (const left of panels) frameBox(box, left, width, height, (x, y) => put(x, y, r, g, b))
  }
  for (const place of places) outline(place, 0.25, 0.65, 1)
  if (alarm) outline(alarm, 1, 0.85, 0)
  return encodePng(total, height, 3, out)
}

/** Draws the outline of a box, clipped to the panel that starts at `left`. */
function frameBox(
  box: { x0: number; y0: number; x1: number; y1: number },
  left: number,
  width: number,
  height: number,
  dot: (x: number, y: number) => void,
): void {
  const inside = (x: number, y: number): void => {
    if (x >= 0 && x < width && y >= 0 && y < height) dot(left + x, y)
  }
  for (let x = box.x0; x <= box.x1; x++) {
    inside(x, box.y0)
    inside(x, box.y1)
  }
  for (let y = box.y0; y <= box.y1; y++) {
    inside(box.x0, y)
    inside(box.x1, y)
  }
}

function mean(picture: Picture, x0: number, y0: number, step: number): [number, number, number] {
  const sums: [number, number, number] = [0, 0, 0]
  for (let c = 0; c < 3; c++) {
    const plane = picture.colour[Math.min(c, picture.colour.length - 1)]!
    let sum = 0
    for (let y = y0; y < y0 + step; y++) for (let x = x0; x < x0 + step; x++) sum += plane[y * picture.width + x]!
    sums[c] = sum / (step * step)
  }
  return sums
}

const byte = (v: number): number => Math.max(0, Math.min(255, Math.round(v * 255)))
