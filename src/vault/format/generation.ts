import { z } from 'zod';
import { generationDamaged, generationForged } from './errors.ts';
import { idListBytes, joinLists, readIdList, readParted } from './parted.ts';
import {
  count,
  isSigned,
  jsonBytes,
  publicKey,
  readJson,
  sha256,
  signature,
  signedBytes,
  time,
  ulid,
} from './signed-json.ts';
import { publicKeyOf, sign } from './signing.ts';

/** `gc/<generation>.json`: what a prune decided. Writers read the newest before they reuse a pack. */
export interface Generation {
  readonly format: 1;
  readonly vault: string;
  /** 1 for the first prune; each adds one. A vault without any is at generation 0. */
  readonly generation: number;
  /** UTC, ISO 8601 with milliseconds. */
  readonly created: string;
  /** Ids of packs that will be deleted after the grace: absent, for a writer. */
  readonly tombstones: readonly string[];
  /** Ids of packs that are mostly dead: a writer stores their live chunks anew. */
  readonly sparse: readonly string[];
  /** Ed25519 public key of who pruned, base64. */
  readonly writer: string;
  readonly signature: string;
}

const shape = z.strictObject({
  format: z.literal(1),
  vault: ulid,
  generation: count.min(1),
  created: time,
  tombstones: z.array(sha256),
  sparse: z.array(sha256),
  writer: publicKey,
  signature,
});

/** There may be a million ids in each: they are written and read as bytes, apart from the rest. */
const longLists = [
  { name: 'sparse', end: ']' },
  { name: 'tombstones', end: ']' },
] as const;

export function signGeneration(unsigned: Omit<Generation, 'writer' | 'signature'>, privateKey: string): Generation {
  const whole = { ...unsigned, writer: publicKeyOf(privateKey) };
  return { ...whole, signature: sign(withLists(signedBytes, whole), privateKey) };
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

/** Errors: `generation-damaged`, `generation-forged`. Whether the writer may prune is for the caller to judge. */
export function decodeGeneration(bytes: Uint8Array): Generation {
  const read = readParted(bytes, shape, longLists);
  const [sparse, tombstones] = read?.lists.map(readIdList) ?? [];
  if (sparse && tombstones) return { ...(read!.value as z.infer<typeof shape>), sparse, tombstones };
  // It is not sound: read as a whole, it shows what is wrong.
  const generation = readJson(bytes, shape, generationDamaged) as z.infer<typeof shape>;
  if (!isSigned(generation)) throw generationForged({ writer: generation.writer });
  return generation;
}
