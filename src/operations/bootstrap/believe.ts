import type { Vouched } from '../../keys/vouched.ts';
import { endorsingKey } from '../../vault/age/index.ts';
import { publicKeyOf } from '../../vault/format/index.ts';
import type { Damage } from '../../vault/hold/index.ts';
import { newestEndorsement, type VaultReader } from '../../vault/index.ts';
import { keyOfAnotherVault, writersUnclear } from './errors.ts';
import type { SurveyedSystem, SurveyedWriter } from './survey.ts';

export interface BeliefRequest {
  readonly identities: readonly string[];
  /** What is written beside them, by source. */
  readonly vouched: ReadonlyArray<{ readonly source: string; readonly lines: readonly Vouched[] }>;
  /** Public keys that a person named: then these alone. */
  readonly acceptWriters: readonly string[];
  /** Asks a person whether this writer is one of theirs; false where nobody is there. */
  readonly askWriter: (writer: SurveyedWriter, system: string) => Promise<boolean>;
}

export interface Believed {
  readonly key: string;
  readonly because: 'named' | 'written beside the key' | 'endorsed by the key' | 'confirmed';
}

/** So many strangers are asked about, one by one; where there are more, a person names the right one. */
const mostAsked = 5;

/**
 * What is written beside a key says which vault it opens. @throws `key-of-another-vault`
 */
export function checkVault(vault: string, { vouched }: Pick<BeliefRequest, 'vouched'>): void {
  for (const { source, lines } of vouched) {
    const named = [...new Set(lines.map((line) => line.vault))];
    if (!named.includes(vault)) throw keyOfAnotherVault({ source, named, found: vault });
  }
}

/**
 * The writers of a system whose restore points count. Whoever can write to the store, and knows one public key, can make a whole
 * vault: so that a writer is there says nothing, also where it is the only one. It counts when a person named it, when the key's own
 * file or sheet does, or when the key itself endorsed it; else a person is asked.
 * @throws `writers-unclear`, `key-of-another-vault`
 */
export async function believedWriters(
  vault: VaultReader,
  { system, writers }: Pick<SurveyedSystem, 'system' | 'writers'>,
  request: BeliefRequest,
  onDamage: (damage: Damage) => void,
): Promise<Believed[]> {
  checkVault(vault.id, request);
  const { acceptWriters, askWriter } = request;
  const signed = (one: { readonly key: string }) => writers.some(({ key }) => key === one.key);
  const named = acceptWriters.map((key): Believed => ({ key, because: 'named' }));
  const believed = named.length > 0 ? named : await vouchedFor(vault, system, request, onDamage);
  if (believed.some(signed)) return believed;
  const confirmed: Believed[] = [];
  if (named.length === 0 && writers.length <= mostAsked) {
    for (const writer of writers) {
      if (await askWriter(writer, system)) confirmed.push({ key: writer.key, because: 'confirmed' });
    }
  }
  if (confirmed.length > 0) return [...believed, ...confirmed];
  const words = (one: SurveyedWriter) =>
    `${one.restorePoints} from ${one.since.slice(0, 16)}Z to ${one.until.slice(0, 16)}Z`;
  throw writersUnclear({ system, writers: writers.map((one) => ({ key: one.key, words: words(one) })) });
}

async function vouchedFor(
  vault: VaultReader,
  system: string,
  { identities, vouched }: BeliefRequest,
  onDamage: (damage: Damage) => void,
): Promise<Believed[]> {
  const believed = new Map<string, Believed>();
  const believe = (key: string, because: Believed['because']) => {
    if (!believed.has(key)) believed.set(key, { key, because });
  };
  for (const line of vouched.flatMap(({ lines }) => lines)) {
    if (line.vault === vault.id && line.system === system) believe(line.writer, 'written beside the key');
  }
  for (const identity of identities) {
    const endorser = publicKeyOf(endorsingKey(identity));
    const suspect = (key: string, why: string) =>
      onDamage({ destination: '', key, code: 'endorsement-suspect', why: `it counts for nothing: ${why}` });
    const endorsed = await newestEndorsement(vault.destinations, vault.id, endorser, suspect);
    for (const { key, systems } of endorsed?.writers ?? []) {
      if (systems.includes(system)) believe(key, 'endorsed by the key');
    }
  }
  return [...believed.values()];
}
