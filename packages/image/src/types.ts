/** How a sample is stored in the file. PNG: `uint8` (depths 1 to 8) or `uint16`; EXR: `half`, `float` or `uint32`. */
export type PixelType = 'uint8' | 'uint16' | 'half' | 'float' | 'uint32'

/** Formats told apart by their first bytes. */
export type ImageFormat = 'png' | 'exr' | 'jpeg' | 'webp' | 'tiff' | 'unknown'

/** PNG colour types 0, 2, 3, 4 and 6. */
export type ColorType = 'gray' | 'rgb' | 'palette' | 'gray-alpha' | 'rgba'

/** A rectangle of pixels, all four bounds inside it, y downwards, as in OpenEXR's box2i. */
export interface Box {
  readonly xMin: number
  readonly yMin: number
  readonly xMax: number
  readonly yMax: number
}

/** A channel as the header declares it. */
export interface ChannelInfo {
  /** 'R', 'G', 'B', 'A', 'Y', or the full EXR name such as 'ViewLayer.Combined.R'. */
  readonly name: string
  readonly type: PixelType
  /** One sample every so many columns (1 where not subsampled). */
  readonly xSampling: number
  /** One sample every so many rows (1 where not subsampled). */
  readonly ySampling: number
}

/** Tags that say what the numbers mean; only those found in the file. */
export interface ColorSpaceTags {
  /** PNG sRGB chunk: rendering intent 0 to 3. */
  readonly srgbIntent?: number
  /** PNG gAMA: the encoding exponent, 0.45455 for 1/2.2. */
  readonly gamma?: number
  /** PNG cHRM or EXR chromaticities: x and y of red, green, blue and white. */
  readonly chromaticities?: readonly number[]
  /** PNG iCCP: profile name, and the sha256 of the profile (hex) where it inflates within bounds. */
  readonly iccName?: string
  readonly iccSha256?: string
  /** PNG cICP: primaries, transfer, matrix, full range flag (ITU-T H.273). */
  readonly cicp?: readonly number[]
  /** A name given by the writer, such as OpenImageIO's `oiio:ColorSpace` or EXR's `colorInteropID`. */
  readonly name?: string
}

/** Something odd that does not stop decoding, such as bytes after the end. */
export interface ImageWarning {
  readonly code: 'trailing-bytes' | 'unused-bytes' | 'extra-compressed-data' | 'bad-metadata' | 'palette-index' | 'animation'
  readonly message: string
}

/** Header facts of one part: PNG has one, EXR one or more. */
export interface PartInfo {
  readonly name?: string
  readonly kind: 'scanline' | 'tiled'
  /** Pixels of the data window. */
  readonly width: number
  readonly height: number
  readonly dataWindow: Box
  readonly displayWindow: Box
  readonly channels: readonly ChannelInfo[]
  /** EXR compression in lower case, such as 'zip' or 'dwaa'; 'deflate' for PNG. */
  readonly compression: string
  /** Compressed blocks that hold this part: EXR chunks over all levels, PNG IDAT chunks. */
  readonly chunkCount: number
  /** Tile size, for tiled parts. */
  readonly tile?: { readonly width: number; readonly height: number; readonly levels: 'one' | 'mipmap' | 'ripmap' }
  /** EXR view name of a stereo part. */
  readonly view?: string
}

/** What a structural walk finds, without decoding pixels. `readImageInfo` tells of PNG and EXR, `scanWithSharp` of the others. */
export interface ImageInfo {
  readonly format: Exclude<ImageFormat, 'unknown'>
  /** Display size in pixels. */
  readonly width: number
  readonly height: number
  /** Bits of a sample as stored: PNG 1 to 16; EXR 16 (half) or 32, the largest of the main part. */
  readonly bitDepth: number
  readonly colorType?: ColorType
  /** PNG Adam7. */
  readonly interlaced?: boolean
  /** PNG text chunks and EXR attributes; values longer than 4096 characters are cut. */
  readonly metadata: Readonly<Record<string, string | number>>
  readonly colorSpace: ColorSpaceTags
  readonly parts: readonly PartInfo[]
  /** Bytes of all samples once decoded in their own type. */
  readonly decodedBytes: number
  readonly warnings: readonly ImageWarning[]
}

/** The samples of one channel, row by row. */
export interface Plane {
  /** 'R', 'G', 'B', 'A', 'Y', or the full EXR name such as 'ViewLayer.Combined.R'. */
  readonly name: string
  readonly type: PixelType
  /** PNG: 0 to 1; EXR: the linear value. Length: samples per row times rows, see the sampling fields. */
  readonly data: Float32Array
  /** The exact integers of a `uint32` channel, which a float rounds above 2^24. */
  readonly uint?: Uint32Array
  /** Present when above 1: the plane has a sample only where x (of the data window's own coordinates) is a multiple. */
  readonly xSampling?: number
  readonly ySampling?: number
}

/** One decoded part. */
export interface ImagePart {
  readonly name?: string
  /** Pixels of the data window. */
  readonly width: number
  readonly height: number
  readonly dataWindow: Box
  readonly displayWindow: Box
  readonly planes: readonly Plane[]
  readonly compression?: string
}

/** A decoded picture. */
export interface ImageFile {
  readonly format: 'png' | 'exr'
  /** Display size in pixels. */
  readonly width: number
  readonly height: number
  readonly bitDepth: number
  readonly colorType?: ColorType
  /** PNG text chunks and EXR attributes. */
  readonly metadata: Readonly<Record<string, string | number>>
  readonly parts: readonly ImagePart[]
  readonly colorSpace: ColorSpaceTags
  readonly warnings: readonly ImageWarning[]
}

/** Bounds checked before anything of that size is allocated. */
export interface DecodeLimits {
  /** Pixels of any one part's data window, and of the display window; default 2^28 (16384 x 16384). */
  readonly maxPixels?: number
  /** Bytes of all samples in their own type, all parts together; default 2^31. `decodeImage` needs up to four times that for its floats. */
  readonly maxBytes?: number
  /** Channels of all parts together; default 1024. */
  readonly maxChannels?: number
  /** The ordered display size in pixels; another size throws `size-mismatch` before pixels are decoded. */
  readonly expected?: { readonly width: number; readonly height: number }
}
