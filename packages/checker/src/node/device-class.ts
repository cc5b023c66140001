import type { RenderSpec, SoftwareBuild } from '@pictor/core/contract'

/**
 * Whether two farms make the same noise from the same seed, as far as they say: one build of the job's software each, of the same version, on the same one kind of device
 * (`CPU`, `OPTIX`, ...). What is not said is not the same: frames are then judged by statistics, never by their pixels.
 */
export function sameDeviceClass(
  own: readonly SoftwareBuild[],
  farm: readonly SoftwareBuild[] | undefined,
  spec: Pick<RenderSpec, 'software' | 'softwareVersion'>,
): boolean {
  const [a, b] = [kindsOf(own, spec), kindsOf(farm ?? [], spec)]
  return a.size === 1 && b.size === 1 && [...a][0] === [...b][0]
}

/** Version and device of every build that may have rendered the job. */
function kindsOf(
  builds: readonly SoftwareBuild[],
  { software, softwareVersion }: Pick<RenderSpec, 'software' | 'softwareVersion'>,
): Set<string> {
  const named = builds.filter((build) => build.name === software)
  const family = named.filter((build) => familyOf(build.version) === familyOf(softwareVersion))
  const fitting = family.length > 0 ? family : named
  return new Set(fitting.flatMap(({ version, devices }) => devices.map((device) => `${version} ${device}`)))
}

/** Major and minor version: farms choose among builds of one family. */
const familyOf = (version: string): string => version.split('.').slice(0, 2).join('.')
