import { z } from 'zod';
import { sha256Hex } from '../hash.ts';
import type { LedgerRecord } from './ledger.ts';
import { count, publicKey, sha256 } from './signed-json.ts';

export const checkpointKind = 'checkpoint';

/** What an entry `checkpoint` says of one writer's chain: of its first entries only these need be there. */
export interface CheckpointedChain {
  /** Ed25519 public key, base64. */
  readonly writer: string;
  /** The number of the last entry that it is about, and its hash. */
  readonly through: number;
  readonly last: string;
  /** Hash of the hashes of all of them (`rangeOf`): whoever has a copy of those that went can show that it is one. */
  readonly range: string;
  /** Those that stay, `[number, hash]`, ascending. */
  readonly kept: ReadonlyArray<readonly [number, string]>;
}

/** In one entry. */
export const mostKept = 10_000;

const chain = z
  .object({
    writer: publicKey,
    through: count.min(1),
    last: sha256,
    range: sha256,
    kept: z.array(z.tuple([count.min(1), sha256])).max(mostKept),
  })
  .refine(({ kept, through }) =>
    kept.every(([at], index) => at <= through && (index === 0 || kept[index - 1]![0] < at)),
  );
const shape = z.object({
  chains: z
    .array(chain)
    .min(1)
    .max(1000)
    .refine((chains) => chains.every(({ writer }, at) => at === 0 || chains[at - 1]!.writer < writer)),
});

/** A checkpoint that counts. */
export interface Checkpointed extends CheckpointedChain {
  /** The entry that says it. */
  readonly by: LedgerRecord;
  /** The numbers in `kept`. */
  readonly stays: ReadonlySet<number>;
}

/** The chains that a `checkpoint` speaks of; none for what is none, or cannot be read. */
function chainsIn({ kind, body }: LedgerRecord): readonly CheckpointedChain[] {
  return kind === checkpointKind ? (shape.safeParse(body).data?.chains ?? []) : [];
}

/** Of each writer the checkpoint that reaches furthest, among those whose signer `decides`. */
export function checkpointsIn(
  records: Iterable<LedgerRecord>,
  decides: (writer: string) => boolean,
): ReadonlyMap<string, Checkpointed> {
  const furthest = new Map<string, Checkpointed>();
  for (const by of records) {
    for (const one of decides(by.writer) ? chainsIn(by) : []) {
      const known = furthest.get(one.writer);
      const isFurther =
        known === undefined || one.through > known.through || (one.through === known.through && by.id > known.by.id);
      if (isFurther) furthest.set(one.writer, { ...one, by, stays: new Set(one.kept.map(([at]) => at)) });
    }
  }
  return furthest;
}

/** Whether an entry that is not there is missed by nobody. */
export function isUnder({ through, stays }: Checkpointed, sequence: number): boolean {
  return sequence <= through && !stays.has(sequence);
}

/** Of entries from the first on, or from behind those that `before` is of. */
export function rangeOf(hashes: Iterable<string>, before = '0'.repeat(64)): string {
  let range = before;
  for (const hash of hashes) range = sha256Hex(Buffer.from(range + hash, 'hex'));
  return range;
}
