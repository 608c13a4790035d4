import { z } from 'zod';
import { coverDamaged } from './errors.ts';
import { coverKey, type LogSpan } from './keys.ts';
import { epochKeys, type SnapshotRecord } from './record.ts';
import {
  algorithm,
  count,
  jsonBytes,
  name,
  position,
  publicKey,
  readSigned,
  sha256,
  signature,
  signedBytes,
  time,
  timeline,
  ulid,
} from './signed-json.ts';
import { publicKeyOf, sign, writerId } from './signing.ts';

/**
 * `covers/…`: which pieces of a log its writer stored, signed and chained: the commit of those pieces. Needs no key. docs/vault-format.md
 * specifies it.
 */
export interface Cover {
  /** Of the signature. */
  readonly algorithm: 'ed25519';
  readonly format: 1;
  readonly vault: string;
  readonly system: string;
  readonly dataset: string;
  /** A history and its branch: `<history>-<number>`. */
  readonly timeline: string;
  /** ULID; the key's last part. */
  readonly id: string;
  /** When it was written. */
  readonly time: string;
  /** Where the first piece begins, and where the last one ends. */
  readonly first: string;
  readonly last: string;
  /** In order, each from where the one before ends. */
  readonly pieces: readonly CoveredPiece[];
  /** What holds the keys of the epochs that the pieces are sealed to, as in a record. */
  readonly keys: SnapshotRecord['keys'];
  /** SHA-256 (hex) of this writer's cover before it on this timeline, as stored; null for the first. */
  readonly previous: string | null;
  /** The `last` of that one, before this one's: what lies between that and `first` was never stored. */
  readonly after: string | null;
  /** 1 for the first, then one more than that of the one before. */
  readonly sequence: number;
  /** The writer's Ed25519 public key, base64. */
  readonly writer: string;
  readonly signature: string;
}

/** `end` itself is not in it; `sizeBytes` as stored. */
export type CoveredPiece = readonly [start: string, end: string, id: string, sizeBytes: number];

export const mostPieces = 4096;
/** A longer one is read by nobody: whoever can write to the store decides how long an object is. */
export const maxCoverBytes = 1024 * 1024;

const piece = z.tuple([position, position, sha256, count.min(1)]);
const shape = z
  .looseObject({
    algorithm,
    format: z.literal(1),
    vault: ulid,
    system: name,
    dataset: name,
    timeline,
    id: ulid,
    time,
    first: position,
    last: position,
    pieces: z.array(piece).min(1).max(mostPieces).refine(areJoined),
    keys: epochKeys,
    previous: sha256.nullable(),
    after: position.nullable(),
    sequence: count.min(1),
    writer: publicKey,
    signature,
  })
  .refine(({ pieces, first, last }) => pieces[0]?.[0] === first && pieces.at(-1)?.[1] === last)
  .refine(({ keys, after, last }) => keys.length > 0 && (after === null || after < last))
  .refine(({ previous, after, sequence }) => {
    return (previous === null) === (sequence === 1) && (after === null) === (sequence === 1);
  });

function areJoined(pieces: ReadonlyArray<readonly [string, string, ...unknown[]]>): boolean {
  return pieces.every(([start, end], at) => start < end && (at === 0 || pieces[at - 1]![1] === start));
}

/** The pieces' keys and the cover's own have it. */
export function spanOf(
  { system, dataset, writer, timeline }: Pick<Cover, 'system' | 'dataset' | 'writer' | 'timeline'>,
  start: string,
  end: string,
): LogSpan {
  return { system, dataset, writer: writerId(writer), timeline, start, end };
}

export type UnsignedCover = Omit<Cover, 'algorithm' | 'format' | 'first' | 'last' | 'writer' | 'signature'>;

/** As stored, and where. Throws `cover-damaged` for one that no reader would take. */
export function encodeCover(
  unsigned: UnsignedCover,
  privateKey: string,
): { readonly key: string; readonly bytes: Uint8Array } {
  const { pieces, id } = unsigned;
  const [first, last] = [pieces[0]?.[0] ?? '', pieces.at(-1)?.[1] ?? ''];
  const writer = publicKeyOf(privateKey);
  const whole = { ...unsigned, first, last, algorithm: 'ed25519', format: 1, writer } as const;
  const bytes = jsonBytes({ ...whole, signature: sign(signedBytes('cover', whole), privateKey) });
  const key = coverKey(spanOf(whole, first, last), id);
  decodeCover(bytes, key);
  return { key, bytes };
}

/** The same bytes as were read: JSON of a cover is canonical. */
export function coverBytes(cover: Cover): Uint8Array {
  return jsonBytes(cover);
}

/** Reads one whose signature fits. Whether its signer is a known writer of the system is for the caller to judge. @throws `cover-damaged`, `format-newer` */
export function decodeCover(bytes: Uint8Array, key: string): Cover {
  const damaged = (why: string) => coverDamaged({ key, why });
  if (bytes.length > maxCoverBytes) throw damaged('it is larger than 1 MiB');
  const cover = readSigned(bytes, {
    kind: 'cover',
    shape,
    damaged: ({ field }) => damaged(`${field} cannot be read`),
    forged: () => damaged('its signature does not fit: it was changed after it was written, or forged'),
  }) as Cover;
  if (key !== coverKey(spanOf(cover, cover.first, cover.last), cover.id))
    throw damaged('it lies under the name of another');
  return cover;
}
