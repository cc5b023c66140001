import type { CallContext } from '../contract/context.ts'
import { PictorError } from '../contract/error.ts'
import type { Ledger } from '../contract/ledger.ts'
import type { Address } from '../contract/messages.ts'
import { decimalsOf } from '../contract/money.ts'

/**
 * Makes sure that the ledger's token counts as the budget does: USD in 6 decimals, PICTOR in 18. In another token the same number would be another sum of money, such as
 * a millionth of a millionth of every price.
 * @throws invalid-input at `token`, ledger-unreachable
 */
export async function requireToken(
  ledger: Pick<Ledger, 'decimals'>,
  token: Address,
  currency: string,
  ctx: CallContext,
): Promise<void> {
  if (!ledger.decimals) return
  const decimals = await ledger.decimals(token, ctx)
  if (decimals === decimalsOf(currency)) return
  const found = decimals === undefined ? 'says none' : `has ${decimals}`
  throw new PictorError(
    'invalid-input',
    `token ${token}: ${currency} is counted in ${decimalsOf(currency)} decimals, this token ${found}`,
    {
      details: { path: 'token', hint: "name the ERC-20 of the budget's currency; nothing was locked" },
    },
  )
}
