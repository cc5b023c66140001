/** Inverts an n x n matrix in row order by Gauss-Jordan elimination with row pivoting; false when it is singular. Destroys `matrix`. */
export function invert(matrix: Float64Array, inverse: Float64Array, n: number): boolean {
  inverse.fill(0)
  for (let r = 0; r < n; r++) inverse[r * n + r] = 1
  for (let c = 0; c < n; c++) {
    let best = c
    for (let r = c + 1; r < n; r++) if (Math.abs(matrix[r * n + c] as number) > Math.abs(matrix[best * n + c] as number)) best = r
    const pivot = matrix[best * n + c] as number
    if (Math.abs(pivot) < 1e-11) return false
    if (best !== c) {
      swapRows(matrix, best, c, n)
      swapRows(inverse, best, c, n)
    }
    for (let k = 0; k < n; k++) {
      matrix[c * n + k] = (matrix[c * n + k] as number) / pivot
      inverse[c * n + k] = (inverse[c * n + k] as number) / pivot
    }
    for (let r = 0; r < n; r++) {
      const factor = matrix[r * n + c] as number
      if (r === c || factor === 0) continue
      for (let k = 0; k < n; k++) {
        matrix[r * n + k] = (matrix[r * n + k] as number) - factor * (matrix[c * n + k] as number)
        inverse[r * n + k] = (inverse[r * n + k] as number) - factor * (inverse[c * n + k] as number)
      }
    }
  }
  return true
}

function swapRows(matrix: Float64Array, a: number, b: number, n: number): void {
  for (let k = 0; k < n; k++) {
    const held = matrix[a * n + k] as number
    matrix[a * n + k] = matrix[b * n + k] as number
    matrix[b * n + k] = held
  }
}
