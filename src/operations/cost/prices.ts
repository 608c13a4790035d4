import type { Price } from '../../config/system.ts';

/** In US dollars, of the first tier, without tax and free allowances. */
export interface Prices {
  /** Per GB (10⁹ bytes) and month. */
  readonly storage: number;
  /** Per 1,000 objects stored. */
  readonly requests: number;
  /** Per GB read back, traffic to the internet included. */
  readonly retrieval: number;
  /** Per 1,000 objects thawed; absent where nothing has to be. */
  readonly thaw?: number;
}

/** Where the numbers below come from, and from when. They are estimates: `price:` of a destination goes before them. */
export const pricesFrom = "public price lists as reported in May 2026 (AWS: us-east-1); check your provider's";

type Table = Readonly<Record<string, Readonly<Record<string, Prices>>>>;

const traffic = 0.09;

const table: Table = {
  AWS: {
    STANDARD: { storage: 0.023, requests: 0.005, retrieval: traffic },
    STANDARD_IA: { storage: 0.0125, requests: 0.01, retrieval: 0.01 + traffic },
    ONEZONE_IA: { storage: 0.01, requests: 0.01, retrieval: 0.01 + traffic },
    GLACIER_IR: { storage: 0.004, requests: 0.02, retrieval: 0.03 + traffic },
    GLACIER: { storage: 0.0036, requests: 0.03, retrieval: 0.01 + traffic, thaw: 0.05 },
    DEEP_ARCHIVE: { storage: 0.00099, requests: 0.05, retrieval: 0.02 + traffic, thaw: 0.1 },
  },
  'Backblaze B2': { STANDARD: { storage: 0.006, requests: 0, retrieval: 0.01 } },
  'Cloudflare R2': {
    STANDARD: { storage: 0.015, requests: 0.0045, retrieval: 0 },
    STANDARD_IA: { storage: 0.01, requests: 0.009, retrieval: 0.01 },
  },
  Wasabi: { STANDARD: { storage: 0.007, requests: 0, retrieval: 0 } },
};

/** Undefined where neither the table nor the configuration knows what it costs; a disk of one's own costs nothing more. */
export function pricesOf(provider: string | undefined, className: string, own: Price): Prices | undefined {
  const known = table[provider ?? '']?.[className];
  const base = known ?? (own.storage === undefined ? undefined : { storage: 0, requests: 0, retrieval: 0 });
  if (base === undefined) return undefined;
  // Who names a price means it for the class in use.
  return { ...base, ...own };
}
