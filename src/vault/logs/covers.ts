import type { Destination, Key } from '../../destinations/destination.ts';
import { isOfTheDestination } from '../../destinations/errors.ts';
import { firstSound, type Trace } from '../../destinations/first-version.ts';
import { withinBounds } from '../ahead.ts';
import { type Cover, decodeCover, maxCoverBytes } from '../format/cover.ts';
import { folders, type LogSpan } from '../format/keys.ts';
import { sha256Hex } from '../hash.ts';
import { listHeld } from '../hold/listing.ts';
import { isKnownWriter, knownById, type Trust } from '../trust.ts';

/** A cover that a known writer of its system signed. */
export interface FoundCover {
  readonly key: Key;
  /** SHA-256 (hex) as stored: the cover after it names it. */
  readonly hash: string;
  readonly cover: Cover;
}

export interface CoverReading {
  readonly vault: string;
  readonly trust: Trust;
  /** A destination that cannot be asked; what others hold counts all the same. */
  readonly onFailure: (destination: Destination, error: unknown) => void;
}

interface Copies {
  readonly key: Key;
  readonly span: LogSpan;
  readonly copies: ReadonlyArray<{ readonly destination: Destination; readonly trace: Trace }>;
}

const together = { items: 16, bytes: 16 * 1024 * 1024 };

/** All that count at any of the destinations, by key. What is damaged, or a stranger's, counts for nothing. */
export async function believedCovers(
  destinations: readonly Destination[],
  reading: CoverReading,
): Promise<FoundCover[]> {
  const found: FoundCover[] = [];
  const sizeOf = ({ copies }: Copies) => copies[0]!.trace.sizeBytes;
  await withinBounds(await listCovers(destinations, folders.cover, reading), sizeOf, together, async (one) => {
    const cover = await believed(one, reading);
    if (cover !== undefined) found.push(cover);
  });
  return found.sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** Of each timeline of each writer the one that reaches furthest: to know that, all others need not be read. */
export async function newestCovers(
  destinations: readonly Destination[],
  reading: CoverReading,
  prefix: string = folders.cover,
): Promise<FoundCover[]> {
  const folders = Map.groupBy(await listCovers(destinations, prefix, reading), ({ key }) =>
    key.slice(0, key.lastIndexOf('/')),
  );
  const newest: FoundCover[] = [];
  for (const covers of folders.values()) {
    for (const one of covers.sort((a, b) => (a.span.end > b.span.end ? -1 : 1))) {
      const cover = await believed(one, reading);
      if (cover === undefined) continue;
      newest.push(cover);
      break;
    }
  }
  return newest;
}

/** In the folders of writers that are known; who else filled others is not asked for. */
async function listCovers(
  destinations: readonly Destination[],
  prefix: string,
  { trust, onFailure }: CoverReading,
): Promise<Copies[]> {
  const isKnown = knownById(trust);
  const found = new Map<Key, Copies & { readonly copies: { destination: Destination; trace: Trace }[] }>();
  for (const destination of destinations) {
    try {
      for await (const [span, trace] of listHeld(destination, ['cover'], { under: prefix })) {
        const { key } = trace;
        if (!isKnown(span.writer, span.system) || trace.sizeBytes > maxCoverBytes) continue;
        const known = found.get(key);
        if (known === undefined) found.set(key, { key, span, copies: [{ destination, trace }] });
        else known.copies.push({ destination, trace });
      }
    } catch (error) {
      onFailure(destination, error);
    }
  }
  return [...found.values()];
}

async function believed(
  { key, copies }: Copies,
  { vault, trust, onFailure }: CoverReading,
): Promise<FoundCover | undefined> {
  for (const { destination, trace } of copies) {
    try {
      const { value: cover, bytes } = await firstSound(destination, trace, (body) => decodeCover(body, key));
      if (cover.vault !== vault || !isKnownWriter(trust, cover.writer, cover.system)) continue;
      return { key, hash: sha256Hex(bytes), cover };
    } catch (error) {
      // Another copy may be sound.
      if (isOfTheDestination(error)) onFailure(destination, error);
    }
  }
  return undefined;
}
