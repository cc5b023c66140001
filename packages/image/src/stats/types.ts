import type { ColorType, ImageFormat, ImageInfo, PixelType } from '../types.ts'
import type { RowPlane } from './accumulate.ts'

/** Statistics of one channel's samples; PNG values are 0 to 1, EXR values as stored. */
export interface PlaneStats {
  readonly name: string
  readonly type: PixelType
  /** Number of samples. */
  readonly samples: number
  /** Of the finite samples; NaN where there is none. */
  readonly min: number
  readonly max: number
  readonly mean: number
  /** Population standard deviation of the finite samples. */
  readonly std: number
  readonly nan: number
  /** Infinite samples of either sign. */
  readonly inf: number
  /** Samples that are exactly zero. */
  readonly zeros: number
  /** How often each of the 256 levels occurs, for channels of 8 bits and fewer. */
  readonly histogram?: Uint32Array
}

/** Statistics of one part. Rows and tiles look at the colour planes of the main layer, never at alpha. */
export interface PartStats {
  readonly name?: string
  readonly width: number
  readonly height: number
  readonly planes: readonly PlaneStats[]
  /** Names of the planes taken as the picture: R, G and B of the beauty layer, or one gray plane. */
  readonly colorPlanes: readonly string[]
  /** Fraction of pixels whose colours are all black: at most 1/255 in PNG (renderers dither), below 1e-3 in EXR. */
  readonly blackFraction: number
  /** Fraction of pixels with R and B above 0.7 (EXR: 0.4) and G below 0.12 (EXR: 0.05): the colour of a missing texture. */
  readonly magentaFraction: number
  /** Rows whose pixels are all the same. */
  readonly constantRows: number
  /** Rows whose colours are all zero. */
  readonly zeroRows: number
  /** Squares of 64 x 64 pixels (cut at the right and bottom edge) whose colours are all zero, of `tiles`. */
  readonly zeroTiles: number
  readonly tiles: number
  /** Rows from the top and from the bottom that hold one and the same pixel value throughout; an unfinished render ends so. */
  readonly unfinishedRows: { readonly top: number; readonly bottom: number }
}

/** Result of one pass over a file that keeps no picture. */
export interface ImageStats {
  readonly format: Exclude<ImageFormat, 'unknown'>
  /** Display size in pixels. */
  readonly width: number
  readonly height: number
  readonly bitDepth: number
  readonly colorType?: ColorType
  readonly info: ImageInfo
  readonly parts: readonly PartStats[]
  /** As {@link pixelHash} of the decoded picture. */
  readonly pixelHash: string
}

/** One row of a part's picture while it is scanned. Its arrays are reused for the next row: copy what must stay. */
export interface PictureRow {
  /** Index of the part. */
  readonly part: number
  /** 0 at the top. Rows come from the top down. */
  readonly y: number
  /** Size of the part, pixels. A subsampled picture has fewer samples and rows. */
  readonly width: number
  readonly height: number
  /** How the colours are stored; halves come as their bits. */
  readonly type: PixelType
  /** The planes named in {@link PartStats.colorPlanes}. */
  readonly colors: readonly RowPlane[]
  /** Alpha of the same layer. */
  readonly alpha?: RowPlane
}
