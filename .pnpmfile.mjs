/**
 * What a package says of itself once it is published. The `source` condition is for this repository: Node runs no TypeScript below node_modules, so an installed
 * package must not offer it. The catalog names exact versions, so that we test what we lock; users get patches of them.
 */
function beforePacking(manifest) {
  const { devDependencies, scripts, ...published } = manifest
  for (const target of Object.values(published.exports ?? {})) if (typeof target === 'object') delete target.source
  for (const [name, range] of Object.entries(published.dependencies ?? {}))
    if (/^\d/.test(range)) published.dependencies[name] = `^${range}`
  return published
}

export const hooks = { beforePacking }
