import { z } from 'zod';
import { generationDamaged, generationForged } from './errors.ts';
import { historyOf } from './keys.ts';
import { idListBytes, joinLists, readIdList, readParted } from './parted.ts';
import {
  algorithm,
  count,
  jsonBytes,
  name,
  position,
  publicKey,
  readSigned,
  requires,
  sha256,
  signature,
  signedBytes,
  time,
  ulid,
} from './signed-json.ts';
import { publicKeyOf, sign } from './signing.ts';

/** `gc/<generation>.json`: what a prune decided. Writers read the newest before they reuse a pack. */
export interface Generation {
  /** Of the signature. */
  readonly algorithm: 'ed25519';
  readonly format: 1;
  /** What a program must know that heeds this one, or deletes anything in its vault. */
  readonly requires: readonly string[];
  readonly vault: string;
  /** 1 for the first prune; each adds one. A vault without any is at generation 0. */
  readonly generation: number;
  /** UTC, ISO 8601 with milliseconds. */
  readonly created: string;
  /** Ids of packs that will be deleted after the grace: absent, for a writer. */
  readonly tombstones: readonly string[];
  /** Ids of packs that are mostly dead: a writer stores their live chunks anew. */
  readonly sparse: readonly string[];
  /** How far logs are let go of, sorted. */
  readonly logs?: readonly LogFloor[];
  /** Ed25519 public key of who pruned, base64. */
  readonly writer: string;
  readonly signature: string;
}

/** What of this history ends at or before the position is needed by no kept restore point. */
export type LogFloor = readonly [system: string, dataset: string, history: string, position: string];

/** A key has at most 15 digits. */
const maxGeneration = 999_999_999_999_999;
/** Sorted, each once. */
const idList = z.array(sha256).refine((ids) => ids.every((id, at) => at === 0 || ids[at - 1]! < id));

const floor = z.tuple([name, name, z.string().refine((text) => historyOf(`${text}-0`) === text), position]);
const floors = z
  .array(floor)
  .min(1)
  .refine((all) => all.every((one, at) => at === 0 || floorName(all[at - 1]!) < floorName(one)));

/** Names have no space. */
export function floorName([system, dataset, history]: LogFloor): string {
  return `${system} ${dataset} ${history}`;
}

const shape = z.looseObject({
  algorithm,
  format: z.literal(1),
  requires,
  vault: ulid,
  generation: count.min(1).max(maxGeneration),
  created: time,
  tombstones: idList,
  sparse: idList,
  logs: floors.exactOptional(),
  writer: publicKey,
  signature,
});
const reading = { kind: 'generation', shape, damaged: generationDamaged, forged: generationForged } as const;

/** There may be a million ids in each: they are written and read as bytes, apart from the rest. */
const longLists = [
  { name: 'sparse', end: ']' },
  { name: 'tombstones', end: ']' },
] as const;

export function signGeneration(
  unsigned: Omit<Generation, 'algorithm' | 'requires' | 'writer' | 'signature'>,
  privateKey: string,
): Generation {
  const whole = { requires: [], ...unsigned, algorithm: 'ed25519', writer: publicKeyOf(privateKey) } as const;
  const signed = withLists((value) => signedBytes('generation', value), whole);
  return { ...whole, signature: sign(signed, privateKey) };
}

export function generationBytes(generation: Generation): Uint8Array {
  return withLists(jsonBytes, generation);
}

/** What `write` makes of the generation. */
function withLists(write: (value: object) => Uint8Array, generation: Omit<Generation, 'signature'>): Uint8Array {
  const rest = write({ ...generation, sparse: [], tombstones: [] });
  const names = longLists.map(({ name }) => name);
  return joinLists(rest, names, [idListBytes(generation.sparse), idListBytes(generation.tombstones)]);
}

/** Errors: `generation-damaged`, `generation-forged`, `format-newer`. Whether the writer may prune is for the caller to judge. */
export function decodeGeneration(bytes: Uint8Array): Generation {
  const read = readParted(bytes, reading, longLists);
  const [sparse, tombstones] = read?.lists.map(readIdList) ?? [];
  if (sparse && tombstones) return { ...(read!.value as Generation), sparse, tombstones };
  // It is not sound, or it is odd: read as a whole, it shows what is wrong.
  return readSigned(bytes, reading) as Generation;
}
