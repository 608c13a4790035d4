import { combine, split } from 'shamir-secret-sharing';
import type { RandomBytes } from '../core/clock.ts';
import { shareDamaged, sharesMixed, sharesTooFew, sharesUnfit, splitImpossible } from './errors.ts';
import { PRINT_DIGITS, type Share } from './share.ts';

const SECRET_SIZE = 32;
const SET_SIZE = 6;
/** More people than this do not come together. */
const MAX_SHARES = 32;

export interface SplitRequest {
  readonly shares: number;
  readonly threshold: number;
  /** Of the recipient whose secret it is: hex. */
  readonly print: string;
  readonly madeMs: number;
}

/**
 * Splits 32 secret bytes (Shamir, over GF(256), each byte by itself): any `threshold` shares give them back, fewer say nothing.
 * @throws `split-impossible`
 */
export async function splitSecret(secret: Uint8Array, request: SplitRequest, random: RandomBytes): Promise<Share[]> {
  const { shares, threshold, print, madeMs } = request;
  const whole = Number.isInteger(shares) && Number.isInteger(threshold);
  if (!whole || shares > MAX_SHARES) throw splitImpossible({ why: `shares are 2 to ${MAX_SHARES}` });
  if (threshold < 2)
    throw splitImpossible({ why: 'at least 2 shares must be needed; with 1, each would be the whole key' });
  if (threshold > shares) throw splitImpossible({ why: `${threshold} of ${shares} can never come together` });
  if (secret.length !== SECRET_SIZE) throw new RangeError('a secret of 32 bytes is split');
  const set = Buffer.from(random(SET_SIZE)).toString('hex');
  const points = await split(Uint8Array.from(secret), shares, threshold);
  return points.map((bytes, at) => ({
    set,
    number: at + 1,
    total: shares,
    threshold,
    print: print.slice(0, PRINT_DIGITS),
    madeMs,
    points: bytes,
  }));
}

export interface NamedShare {
  /** As the user knows it: a file, `the first share typed`. */
  readonly name: string;
  readonly share: Share;
}

/**
 * The secret of which these are shares; the same one twice counts once. `fits` tells whether a secret is that of the print.
 * @throws `shares-mixed`, `shares-too-few`, `share-damaged`, `shares-unfit`
 */
export async function combineShares(
  given: readonly NamedShare[],
  fits: (secret: Uint8Array, print: string) => Promise<boolean>,
): Promise<Uint8Array> {
  const distinct = distinctOf(given);
  const [first] = distinct;
  if (first === undefined) throw new TypeError('no shares');
  const { set, threshold, total, print } = first.share;
  if (distinct.length < threshold) {
    const numbers = distinct.map(({ share }) => share.number).sort((a, b) => a - b);
    throw sharesTooFew({ given: numbers, threshold, total, set });
  }
  const secretOf = async (chosen: readonly NamedShare[]) => {
    const secret = await combine(chosen.slice(0, threshold).map(({ share }) => Uint8Array.from(share.points)));
    return (await fits(secret, print)) ? secret : undefined;
  };
  const secret = await secretOf(distinct);
  if (secret !== undefined && distinct.length === threshold) return secret;
  if (distinct.length === threshold) throw sharesUnfit({});
  // With more than are needed each one can be tried: a share that somebody changed is named, and none is trusted silently.
  for (const suspect of distinct) {
    const others = distinct.filter((one) => one !== suspect);
    const fromOthers = await secretOf(others);
    if (fromOthers === undefined) continue;
    const withSuspect = await secretOf([suspect, ...others]);
    if (withSuspect === undefined) throw sharesUnfit({ suspect: suspect.name });
  }
  if (secret === undefined) throw sharesUnfit({});
  return secret;
}

function distinctOf(given: readonly NamedShare[]): NamedShare[] {
  const distinct = new Map<number, NamedShare>();
  for (const one of given) {
    const [first = one] = given;
    const { share } = one;
    const isOfSet =
      share.set === first.share.set &&
      share.print === first.share.print &&
      share.threshold === first.share.threshold &&
      share.total === first.share.total;
    if (!isOfSet) throw sharesMixed({ share: one.name, other: first.name });
    const known = distinct.get(share.number);
    if (known !== undefined && Buffer.compare(known.share.points, share.points) !== 0) {
      throw shareDamaged({ share: one.name, why: `it says it is share ${share.number}, as ${known.name} does` });
    }
    distinct.set(share.number, known ?? one);
  }
  return [...distinct.values()];
}
