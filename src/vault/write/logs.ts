import type { Clock, RandomBytes } from '../../core/clock.ts';
import { newUlid } from '../../core/ulid.ts';
import { sealSmall } from '../age/small-objects.ts';
import { logPieceInvalid } from '../errors.ts';
import { type CoveredPiece, encodeCover, mostPieces, spanOf } from '../format/cover.ts';
import { isPosition, logKey } from '../format/keys.ts';
import { publicKeyOf, writerId } from '../format/signing.ts';
import { sha256Hex } from '../hash.ts';
import { newestCovers } from '../logs/covers.ts';
import type { Copies } from './copies.ts';
import type { SealingEpochs } from './epochs.ts';

export interface LogParts {
  readonly vault: string;
  readonly system: string;
  readonly dataset: string;
  /** `<history>-<number>`. Positions are compared within a history. */
  readonly timeline: string;
  /** The writer's Ed25519 key, base64. */
  readonly signingKey: string;
  readonly epochs: Pick<SealingEpochs, 'current' | 'keysOf'>;
  readonly copies: Copies;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

/** What a server wrote to its log from `start` up to `end`, without `end`: 16 hex digits each. */
export interface LogPiece {
  readonly start: string;
  readonly end: string;
  readonly bytes: Uint8Array;
}

/** More in one piece would be held in memory at once by whoever reads it. */
export const mostPieceBytes = 64 * 1024 * 1024;

export interface LogWriter {
  /**
   * Stores pieces that follow one another, and then the cover that names them: from then on they are stored, at the places of
   * `copies` that took all of it, and not before. They may begin before what is `reached`, and end behind it. Whoever is stopped in between sends them again. @returns where
   * @throws `log-piece-invalid`, `no-destination-left`
   */
  append(pieces: readonly LogPiece[]): Promise<readonly string[]>;
  /** Up to where the log is covered; null before the first cover. */
  readonly reached: string | null;
}

/** Goes on after the newest cover of this writer that any of the places shows. */
export async function openLogWriter(parts: LogParts): Promise<LogWriter> {
  const { vault, system, dataset, timeline, signingKey, epochs, copies, clock, random } = parts;
  const writer = publicKeyOf(signingKey);
  const of = { system, dataset, timeline, writer };
  const folder = `covers/${system}/${dataset}/${writerId(writer)}/${timeline}/`;
  const trust = { writers: new Map([[writer, new Set([system])]]) };
  const reading = { vault, trust, onFailure: copies.drop };
  const [newest] = await newestCovers(copies.active, reading, folder);
  let last = newest && { hash: newest.hash, position: newest.cover.last, sequence: newest.cover.sequence };

  async function store({ start, end, bytes }: LogPiece): Promise<CoveredPiece> {
    const object = sealSmall(bytes, [epochs.current.recipient]);
    const id = sha256Hex(object);
    await copies.put(logKey(spanOf(of, start, end), id), object, id);
    return [start, end, id, object.length];
  }

  return {
    get reached() {
      return last?.position ?? null;
    },
    async append(pieces) {
      requireJoined(pieces, last?.position);
      const covered: CoveredPiece[] = [];
      for (const piece of pieces) covered.push(await store(piece));
      const nowMs = clock.now();
      const { key, bytes } = encodeCover(
        {
          ...{ vault, system, dataset, timeline },
          id: newUlid(nowMs, random),
          time: new Date(nowMs).toISOString(),
          pieces: covered,
          keys: epochs.keysOf([epochs.current.epoch]),
          previous: last?.hash ?? null,
          after: last?.position ?? null,
          sequence: (last?.sequence ?? 0) + 1,
        },
        signingKey,
      );
      const hash = sha256Hex(bytes);
      const holders = await copies.put(key, bytes, hash);
      last = { hash, position: covered.at(-1)![1], sequence: (last?.sequence ?? 0) + 1 };
      return holders;
    },
  };
}

function requireJoined(pieces: readonly LogPiece[], reached = ''): void {
  if (pieces.length === 0 || pieces.length > mostPieces) {
    throw logPieceInvalid({ start: pieces[0]?.start ?? '', why: `${pieces.length} of them at once` });
  }
  for (const [at, { start, end, bytes }] of pieces.entries()) {
    const before = pieces[at - 1];
    const invalid = (why: string) => logPieceInvalid({ start, why });
    if (!isPosition(start) || !isPosition(end) || start >= end) throw invalid('it does not end behind where it begins');
    if (before !== undefined && before.end !== start) throw invalid(`the one before ends at ${before.end}`);
    if (at === pieces.length - 1 && end <= reached) throw invalid(`all up to ${reached} is stored`);
    if (bytes.length === 0 || bytes.length > mostPieceBytes) throw invalid('it has no bytes, or more than 64 MiB');
  }
}
