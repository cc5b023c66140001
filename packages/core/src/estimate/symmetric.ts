/**
 * Inverse and logarithm of the determinant of a symmetric positive definite matrix, row by row in one array, by its Cholesky factor. O(size^3).
 * @throws RangeError when the matrix is not positive definite
 */
export function invertPositive(
  matrix: Float64Array,
  size: number,
): { readonly inverse: Float64Array; readonly logDeterminant: number } {
  const factor = new Float64Array(size * size)
  for (let row = 0; row < size; row++)
    for (let column = 0; column <= row; column++) {
      let rest = matrix[row * size + column]!
      for (let k = 0; k < column; k++) rest -= factor[row * size + k]! * factor[column * size + k]!
      if (row === column && !(rest > 0)) throw new RangeError(`the matrix is not positive definite (row ${row})`)
      factor[row * size + column] = row === column ? Math.sqrt(rest) : rest / factor[column * size + column]!
    }
  // Columns of the lower factor's inverse, then the product of its transpose with itself.
  const inverse = new Float64Array(size * size)
  for (let column = 0; column < size; column++)
    for (let row = column; row < size; row++) {
      let rest = row === column ? 1 : 0
      for (let k = column; k < row; k++) rest -= factor[row * size + k]! * inverse[k * size + column]!
      inverse[row * size + column] = rest / factor[row * size + row]!
    }
  const result = new Float64Array(size * size)
  for (let row = 0; row < size; row++)
    for (let column = 0; column <= row; column++) {
      let sum = 0
      for (let k = row; k < size; k++) sum += inverse[k * size + row]! * inverse[k * size + column]!
      result[row * size + column] = sum
      result[column * size + row] = sum
    }
  let logDeterminant = 0
  for (let row = 0; row < size; row++) logDeterminant += 2 * Math.log(factor[row * size + row]!)
  return { inverse: result, logDeterminant }
}
