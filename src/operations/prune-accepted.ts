import type { Run } from '../core/run.ts';
import { countOf } from '../core/size.ts';
import type { PruneLedger } from '../ledger/decisions.ts';
import { chainGaps } from '../vault/hold/index.ts';
import type { Suspect } from '../vault/index.ts';
import type { PruneFacts } from '../vault/prune/index.ts';

/** So many keys fit into one entry of the ledger with room to spare; what is over waits for the next prune that accepts. */
const mostJunk = 50_000;

/** What a person accepts by `--allow-missing`. The ledger keeps it, so that it is asked for once. */
export interface Accepted {
  /** Hashes of records, and of entries of the ledger, that are missing. */
  readonly missing: ReadonlySet<string>;
  /** Keys under which no record lies. What cannot be read now may be one tomorrow, and is not among them. */
  readonly junk: readonly string[];
}

export const nothingAccepted: Accepted = { missing: new Set(), junk: [] };

export function acceptedOf(facts: PruneFacts, suspect: readonly Suspect[], ledger: PruneLedger): Accepted {
  const links = chainGaps(facts.points, facts.removed).map(({ previous }) => previous);
  const gaps = [...links, ...ledger.suspect.map(({ missing }) => missing)];
  const junk = suspect.filter(({ isJunk }) => isJunk).map(({ key }) => key);
  return { missing: new Set(gaps), junk: junk.slice(0, mostJunk) };
}

/** What of it nobody has accepted yet; the rest is told of, and stops nothing. */
export function notAccepted(suspect: readonly Suspect[], ledger: PruneLedger, run: Run): readonly Suspect[] {
  const [fresh, known]: [Suspect[], Suspect[]] = [[], []];
  for (const one of suspect) (one.isJunk && ledger.junk.has(one.key) ? known : fresh).push(one);
  if (known.length > 0) {
    const message = `${countOf(known.length, 'object')} that ${known.length === 1 ? 'is' : 'are'} no record, the first ${known[0]?.key}, passed over as was accepted.`;
    run.problem({ code: 'junk-accepted', message });
  }
  return fresh;
}
