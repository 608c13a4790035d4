import { createHash } from 'node:crypto';
import type { StoredEntry } from '../../core/entry.ts';
import { type BytePath, isInside, showPath } from '../../core/paths.ts';
import type { Contents } from '../../sources/source.ts';
import { openSmall } from '../age/small-objects.ts';
import { type OpenEpochs, openEpochsOf } from '../epochs/open.ts';
import { contentDamaged, entryMissing } from '../errors.ts';
import type { LocatedEntry } from '../format/entries.ts';
import { manifestKey, packKey } from '../format/keys.ts';
import { decodeManifest, differsFrom, type Extent, type Manifest } from '../format/manifest.ts';
import { fetchSound } from '../hold/fetch-sound.ts';
import { packSizes, type WithNeeds } from '../hold/needs.ts';
import type { RestorePoint } from '../vault.ts';
import { allEntries, entriesAround } from './body.ts';
import { extractEntries } from './extract.ts';
import { type OpenedPack, openPackObject } from './pack.ts';

/** Decrypted packs kept while a stream is read: content that was deduplicated comes back to the same few. */
const KEPT_PACKS = 2;
const ZEROS = new Uint8Array(64 * 1024);

export type ContentsOptions = OpenEpochs;

/** One restore point, opened: where everything in it lies. */
export interface OpenedPoint {
  readonly manifest: Manifest;
  readonly packs: PackReader;
  /** Bytes of a pack as stored, where they are known. Throws for one that the restore point must not use. */
  packSize(pack: string): number | undefined;
  /** Of the epochs that its objects are sealed to. */
  readonly identities: readonly string[];
  /** All entries, or with `paths` some of them: at least those that are or lie in one of these. */
  located(paths?: readonly BytePath[]): AsyncGenerator<LocatedEntry>;
}

export async function openPoint(point: WithNeeds<RestorePoint>, options: ContentsOptions): Promise<OpenedPoint> {
  const [manifestId, sizeBytes] = point.record.manifest;
  const { destinations, onDamage } = options;
  const identities = await openEpochsOf(point.record, options);
  const object = await fetchSound(destinations, manifestKey(manifestId), manifestId, onDamage, { sizeBytes });
  const manifest = decodeManifest(await openSmall(object, identities));
  const odd = differsFrom(point.record, manifest);
  if (odd !== undefined) {
    const why = `it belongs to another restore point, by its ${odd}`;
    throw contentDamaged({ what: `The manifest of ${point.record.dataset}`, why });
  }
  const packSize = listedSizes(point);
  const packs = packReader({ ...options, identities }, packSize);
  const located = (paths?: readonly BytePath[]) =>
    paths === undefined ? allEntries(manifest, packs) : entriesAround(manifest, paths, packs);
  return { manifest, packs, packSize, identities, located };
}

/** Opens one restore point. Every object's hash is compared, and every content's SHA-256 when it was read to its end. */
export async function openContents(point: WithNeeds<RestorePoint>, options: ContentsOptions): Promise<Contents> {
  const { manifest, packs, packSize, identities, located } = await openPoint(point, options);
  return {
    facts: manifest.facts,
    ...(manifest.expectations && { expectations: manifest.expectations }),
    async *entries(): AsyncGenerator<StoredEntry> {
      for await (const { entry } of located()) yield entry;
    },
    read: (path) => readFile(path, located, packs),
    extract: (folder, extractOptions = {}) =>
      extractEntries(chosen(located(extractOptions.paths), extractOptions.paths), {
        folder,
        stripPrefix: extractOptions.stripPrefix ?? '',
        run: extractOptions.run,
        ...(extractOptions.owners && { owners: extractOptions.owners }),
        devices: extractOptions.devices ?? false,
        rehearsal: extractOptions.rehearsal ?? false,
        isChosen: (path) => extractOptions.paths?.some((chosenPath) => isInside(path, chosenPath)) ?? true,
        destinations: options.destinations,
        identities,
        onDamage: options.onDamage,
        packSize,
        locate: (path) => find(path, located),
      }),
  };
}

/**
 * The size of a pack by the lists of its record. One that they do not name is refused: nobody keeps it for this restore point. Where
 * a list could not be read, what it names is told by nobody, and does not hold up a restore. @throws `content-damaged`
 */
function listedSizes({ record, needs: { packs } }: WithNeeds<RestorePoint>): (pack: string) => number | undefined {
  const sizeOf = packSizes(packs);
  return (pack) => {
    const sizeBytes = sizeOf(pack);
    if (sizeBytes === undefined && packs.unread.length === 0) {
      const why = `it uses pack ${pack}, which its record does not list`;
      throw contentDamaged({ what: `The restore point of ${record.dataset}`, why });
    }
    return sizeBytes;
  };
}

export interface PackReader {
  get(pack: string): Promise<OpenedPack>;
}

/** Packs on demand, the newest few kept. */
export function packReader(
  { destinations, identities, onDamage }: ContentsOptions,
  sizeOf: (pack: string) => number | undefined,
): PackReader {
  const kept = new Map<string, Promise<OpenedPack>>();
  const open = async (pack: string) => {
    const object = await fetchSound(destinations, packKey(pack), pack, onDamage, { sizeBytes: sizeOf(pack) });
    return openPackObject(object, identities);
  };
  return {
    get(pack) {
      const known = kept.get(pack);
      kept.delete(pack);
      const opened = known ?? open(pack);
      kept.set(pack, opened);
      for (const [oldest] of kept) {
        if (kept.size <= KEPT_PACKS) break;
        kept.delete(oldest);
      }
      return opened;
    },
  };
}

export async function* readExtents(extents: readonly Extent[], packs: PackReader): AsyncGenerator<Uint8Array> {
  for (const [index, extent] of extents.entries()) {
    if (extent.pack === null) {
      for (let left = extent.length; left > 0; left -= ZEROS.length)
        yield ZEROS.subarray(0, Math.min(left, ZEROS.length));
      continue;
    }
    const pack = await packs.get(extent.pack);
    const following = extents[index + 1]?.pack;
    // The next pack is on its way while this one is written out; a failure is met when its turn comes.
    if (following && following !== extent.pack) packs.get(following).catch(() => {});
    yield* pack.read(extent.offset, extent.length);
  }
}

async function find(path: BytePath, located: OpenedPoint['located']): Promise<LocatedEntry> {
  for await (const found of located([path])) if (found.entry.path === path) return found;
  throw entryMissing({ path: showPath(path) });
}

async function* readFile(
  path: BytePath,
  located: OpenedPoint['located'],
  packs: PackReader,
  isNamed = false,
): AsyncGenerator<Uint8Array> {
  const found = await find(path, located);
  if (found.entry.type === 'hardlink') {
    const why = 'it is another name of another name';
    if (isNamed) throw contentDamaged({ what: showPath(path), why });
    yield* readFile(found.entry.target, located, packs, true);
    return;
  }
  if (found.entry.type !== 'file') throw entryMissing({ path: showPath(path) });
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const piece of readExtents(found.extents, packs)) {
    hash.update(piece);
    sizeBytes += piece.length;
    yield piece;
  }
  if (sizeBytes !== found.entry.sizeBytes || hash.digest('hex') !== found.entry.sha256) {
    throw contentDamaged({ what: showPath(path), why: 'its SHA-256 is not the recorded one' });
  }
}

/** The entries that are, or lie in, one of `paths`; a path that nothing is at fails with `entry-missing`. */
async function* chosen(
  located: AsyncIterable<LocatedEntry>,
  paths: readonly BytePath[] | undefined,
): AsyncGenerator<LocatedEntry> {
  if (paths === undefined) {
    yield* located;
    return;
  }
  const unseen = new Set(paths);
  for await (const found of located) {
    const holders = paths.filter((path) => isInside(found.entry.path, path));
    for (const path of holders) unseen.delete(path);
    if (holders.length > 0) yield found;
  }
  const [missing] = unseen;
  if (missing !== undefined) throw entryMissing({ path: showPath(missing) });
}
