/** `npm run test:long`: what `npm test` goes a few rounds of may go on for hours. */
export const isLong = process.env.LIFEBOAT_TEST_LONG !== undefined;

/** Of a campaign that may go on for ever: how far `npm test` goes, and how far `npm run test:long`. */
export function rounds({ short, long }: { readonly short: number; readonly long: number }): number {
  return isLong ? long : short;
}
