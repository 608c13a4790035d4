import { randomBytes } from 'node:crypto';
import { newUlid } from '../../src/core/ulid.ts';
import { generationBytes, signGeneration } from '../../src/vault/format/generation.ts';
import { epochKeyKey, generationKey, isHashed, ledgerKey, parseKey } from '../../src/vault/format/keys.ts';
import { encodeLedgerEntry } from '../../src/vault/format/ledger.ts';
import { recordBytes, recordKey, type SnapshotRecord } from '../../src/vault/format/record.ts';
import type { Seeded } from '../support/seeded.ts';
import type { HostilePlace } from './hostile-place.ts';

/** What the attacker of a mix knows and holds. */
export interface Attack {
  readonly random: Seeded;
  /** Theirs, to do anything with. */
  readonly hostile: HostilePlace;
  /** Somebody else's, where they may add. */
  readonly honest: HostilePlace;
  /** Of the protected dataset, oldest first. */
  readonly points: readonly SnapshotRecord[];
  /** Private keys: of the host that was taken over, of a host of another system, of who may prune, of nobody. */
  readonly keys: Readonly<Record<'host' | 'blog' | 'pruner' | 'stranger', string>>;
  /** To whom the vault is sealed: public. */
  readonly recipient: string;
  /** A folder of the machine that restores. */
  readonly victim: string;
}

/** What must show afterwards. */
export interface Planted {
  /** Texts of which each must be told, where what they are about can be seen. */
  readonly told?: readonly string[];
  /** The same, of what is at the hostile place alone. */
  readonly toldThere?: readonly string[];
  /** Ids of records that a restore of the newest must say that it passed over. */
  readonly passedOver?: readonly string[];
  /** Files at the hostile place that nobody may remove. */
  readonly stays?: readonly string[];
  /** Beginnings of keys that cannot be seen at the hostile place any more. */
  readonly blinds?: readonly string[];
}

export type Plant = (attack: Attack) => Promise<Planted>;

export const dataset = 'uploads';
/** Kinds of what a vault is made of, besides its own file. */
export const objects = ['pack', 'list', 'manifest', 'snapshot', 'index', 'ledger', 'epoch-key', 'grant'] as const;

/** Added at one of the places, or at both. */
export async function add(attack: Attack, key: string, bytes: Uint8Array, storedMs?: number): Promise<boolean> {
  const where = attack.random.pick([['hostile'], ['honest'], ['hostile', 'honest']]) as ('hostile' | 'honest')[];
  for (const place of where) await attack[place].put(key, bytes, storedMs);
  return where.includes('honest');
}

export async function addRecord(
  attack: Attack,
  record: SnapshotRecord,
  newer: boolean,
  storedMs?: number,
): Promise<Planted> {
  const seen = await add(attack, recordKey(record), recordBytes(record), storedMs);
  // What only the hostile place holds may be hidden by another trick of the mix.
  return { [seen ? 'told' : 'toldThere']: [record.id], ...(newer && seen && { passedOver: [record.id] }) };
}

export async function addEntry(
  attack: Attack,
  key: keyof Attack['keys'],
  kind: string,
  body: object,
  timeMs: number,
): Promise<Planted> {
  const id = newUlid(timeMs, randomBytes);
  const time = new Date(timeMs).toISOString();
  const { vault } = attack.points[0]!;
  const chain = { previous: null, sequence: 1 } as const;
  const entry = { format: 1, vault, id, kind, time, ...chain, body: { ...body }, sealed: null } as const;
  const seen = await add(attack, ledgerKey(id), encodeLedgerEntry(entry, attack.keys[key]));
  return { [seen ? 'told' : 'toldThere']: [id] };
}

async function allNames({ honest }: Attack): Promise<string[]> {
  return (await honest.keys())
    .map(parseKey)
    .filter(isHashed)
    .map(({ id }) => id)
    .sort();
}

export async function addGeneration(attack: Attack, key: keyof Attack['keys'], number: number): Promise<boolean> {
  const { points, keys } = attack;
  const created = new Date().toISOString();
  const marks = { tombstones: await allNames(attack), sparse: [] };
  const generation = { format: 1, vault: points[0]!.vault, generation: number, created, ...marks } as const;
  return await add(attack, generationKey(number), generationBytes(signGeneration(generation, keys[key])));
}

/** Of what is true: rubbish that another plant of the mix left there is nobody's loss. */
export async function keysOf(attack: Attack, ...types: string[]): Promise<string[]> {
  const needed = new Set(attack.points.flatMap(({ keys }) => keys.map(([epoch, id]) => epochKeyKey(epoch, id))));
  const keys = await attack.hostile.keys();
  return keys.filter((key) => {
    const type = parseKey(key)?.type ?? '';
    return types.includes(type) && (type !== 'epoch-key' || needed.has(key));
  });
}
