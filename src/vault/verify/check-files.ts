import { createHash } from 'node:crypto';
import { sentenceOf } from '../../core/errors.ts';
import { showPath } from '../../core/paths.ts';
import type { Run } from '../../core/run.ts';
import type { Destination } from '../../destinations/destination.ts';
import { isOfTheDestination, objectDamaged, objectMissing } from '../../destinations/errors.ts';
import type { LocatedEntry } from '../format/entries.ts';
import type { Extent } from '../format/manifest.ts';
import type { WithNeeds } from '../hold/needs.ts';
import { openPoint, type PackReader, readExtents } from '../read/contents.ts';
import type { RestorePoint } from '../vault.ts';

/** Files that are known to be right are held as so many hashes at most; then some are read once more. */
const MOST_KNOWN = 2_000_000;
/** Of one restore point so many are told by name. */
const MOST_NAMED = 20;

/** A restore point of which something does not come back as it was recorded. */
export interface SpoiledPoint {
  readonly point: RestorePoint;
  /** Paths of files, the first of them; empty: its list of entries. */
  readonly files: readonly string[];
  readonly count: number;
  readonly why: string;
}

interface FilesRequest {
  /** Those whose manifests open. */
  readonly points: Iterable<WithNeeds<RestorePoint>>;
  readonly destinations: readonly Destination[];
  readonly identities: readonly string[];
  /** Known to be wrong already: what lies in them needs no other reason. */
  readonly wrong: { has(pack: string): boolean };
  readonly run: Run;
}

/**
 * Reads every file of restore points and compares its SHA-256; one that several share, once.
 * @returns also packs that must be wrong, or named wrongly, although they look right: a file that lies in them does not come back
 */
export async function checkFiles(
  request: FilesRequest,
): Promise<{ readonly spoiled: SpoiledPoint[]; readonly packs: ReadonlyMap<string, string> }> {
  const { wrong, run } = request;
  const spoiled: SpoiledPoint[] = [];
  const packs = new Map<string, string>();
  const known = new Map<string, string | undefined>();
  /** Whoever made it recorded one thing and stored another. */
  const blame = (extents: readonly Extent[], why: string) => {
    const lies = extents.flatMap(({ pack }) => pack ?? []);
    if (!lies.some((pack) => wrong.has(pack))) for (const pack of lies) packs.set(pack, why);
  };
  let doneItems = 0;
  for (const point of request.points) {
    const files: string[] = [];
    let count = 0;
    let first = '';
    const note = (why: string, path?: string) => {
      first ||= why;
      count++;
      if (path !== undefined && files.length < MOST_NAMED) files.push(showPath(path));
    };
    const options = { ...request, onDamage: () => {} };
    let body: readonly Extent[] = [];
    try {
      const opened = await openPoint(point, options);
      body = opened.manifest.body.extents;
      for await (const { entry, extents } of opened.located()) {
        run.signal.throwIfAborted();
        if (entry.type !== 'file') continue;
        const name = nameOf(entry, extents);
        let why = known.get(name);
        if (!known.has(name)) {
          if (known.size >= MOST_KNOWN) known.clear();
          why = await whyWrong(entry, extents, opened.packs);
          known.set(name, why);
          if (why !== undefined) blame(extents, why);
          run.progress({ label: 'files', doneItems: ++doneItems });
        }
        if (why !== undefined) note(why, entry.path);
      }
    } catch (error) {
      run.signal.throwIfAborted();
      if (isUnread(error)) continue;
      const why = sentenceOf(error);
      note(why);
      blame(body, why);
    }
    if (count > 0) spoiled.push({ point, files, count, why: first });
  }
  return { spoiled, packs };
}

type StoredFile = Extract<LocatedEntry['entry'], { type: 'file' }>;

function nameOf({ sha256, sizeBytes }: StoredFile, extents: readonly Extent[]): string {
  const hash = createHash('sha256').update(`${sha256} ${sizeBytes}`);
  for (const { pack, offset, length } of extents) hash.update(` ${pack} ${offset} ${length}`);
  return hash.digest('base64');
}

/** Undefined for what is right, or could not be read: that is found as an object. */
async function whyWrong(
  { sha256, sizeBytes }: StoredFile,
  extents: readonly Extent[],
  packs: PackReader,
): Promise<string | undefined> {
  const hash = createHash('sha256');
  let read = 0;
  try {
    for await (const piece of readExtents(extents, packs)) {
      hash.update(piece);
      read += piece.length;
    }
  } catch (error) {
    return isUnread(error) ? undefined : sentenceOf(error);
  }
  const isRight = read === sizeBytes && hash.digest('hex') === sha256;
  return isRight ? undefined : 'its SHA-256 is not the recorded one';
}

/** Missing, damaged, or out of reach: nothing that is said of what was made. */
function isUnread(error: unknown): boolean {
  return isOfTheDestination(error) || objectMissing.is(error) || objectDamaged.is(error);
}
