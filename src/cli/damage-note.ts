import type { Output } from './output.ts';

interface Unusable {
  readonly destination: string;
  /** Empty when the whole destination is meant. */
  readonly key: string;
  readonly why: string;
}

/** Says on the way that a copy could not be used; the answer comes from the others. */
export function noteDamage(out: Output): (damage: Unusable) => void {
  return ({ destination, key, why }) =>
    out.note(`${out.style.warn('!')} ${destination}${key === '' ? '' : ` ${key}`}: ${why}`);
}
