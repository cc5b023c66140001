export { decodeImage, readImageInfo } from './decode.ts'
export { ImageError, isImageError, type ImageErrorCode, type ImageErrorWhere } from './error.ts'
export { decodeWithSharp, type ForeignImage, type Sharp, type SharpInfo, type SharpPipeline } from './foreign.ts'
export { pixelHash } from './hash.ts'
export { encodeExr, type EncodeExrOptions, type ExrPlane } from './exr/encode.ts'
export { encodePng, type EncodePngOptions } from './png/encode.ts'
export { scanImage } from './scan.ts'
export { scanFiles, type ScanFilesOptions, type ScanResult } from './scan-files.ts'
export { sniffFormat } from './sniff.ts'
export type { ImageStats, PartStats, PlaneStats } from './stats/types.ts'
export type {
  Box,
  ChannelInfo,
  ColorSpaceTags,
  ColorType,
  DecodeLimits,
  ImageFile,
  ImageFormat,
  ImageInfo,
  ImagePart,
  ImageWarning,
  PartInfo,
  PixelType,
  Plane,
} from './types.ts'
