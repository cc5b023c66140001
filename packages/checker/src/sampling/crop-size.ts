/** Size of a re-rendered crop in pixels. */
export interface CropSize {
  readonly width: number
  readonly height: number
}

/** Never smaller, where the picture is not: a quarter-sample frame escaped 7.4 % of 32 px crops and none of 48 or 64 (frame-validation study). */
const LEAST: CropSize = { width: 64, height: 48 }
/** Never larger by default: it tells samples and settings as well as the whole frame does. */
const MOST = 128
/** Share of the picture that a crop costs by default, where the picture is large enough to be probed as a whole too. */
const SHARE = 0.06

/** Frames narrower or lower than this are not probed: a crop covers enough of them, and a probe of them shows too little. */
const PROBE_LEAST: CropSize = { width: 256, height: 128 }

/** Whether small renders of the whole are made of pictures of this size. */
export function isProbed({ width, height }: CropSize): boolean {
  return width >= PROBE_LEAST.width && height >= PROBE_LEAST.height
}

/**
 * The crop of a picture, as anyone must repeat it who replays a draw: `asked`, else a square of {@link SHARE} of the picture's area, at most 128 pixels a side; all of 128 pixels where nothing
 * but the crop is rendered. Within the picture, and not below 64 x 48.
 */
export function cropSizeOf(picture: CropSize, asked?: CropSize): CropSize {
  const side = isProbed(picture) ? Math.min(MOST, Math.round(Math.sqrt(SHARE * picture.width * picture.height))) : MOST
  const { width, height } = asked ?? { width: side, height: side }
  return {
    width: Math.min(picture.width, Math.max(LEAST.width, width)),
    height: Math.min(picture.height, Math.max(LEAST.height, height)),
  }
}
