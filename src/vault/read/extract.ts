import { linkSync, mkdirSync, realpathSync, symlinkSync } from 'node:fs';
import type { FolderEntry, HardlinkEntry, SpecialEntry, StoredEntry, SymlinkEntry } from '../../core/entry.ts';
import { type BytePath, isInside, isSafePath, showPath, toBytes } from '../../core/paths.ts';
import type { Problem, Run } from '../../core/run.ts';
import { byNumber, type Owners } from '../../metadata/owners.ts';
import { openMetadataSetter, type Target } from '../../metadata/set.ts';
import type { Extracted } from '../../sources/source.ts';
import { unsafeEntry } from '../errors.ts';
import type { LocatedEntry } from '../format/entries.ts';
import { packKey } from '../format/keys.ts';
import { withinBounds } from './ahead.ts';
import type { ContentsOptions } from './contents.ts';
import { type ExtractPool, startExtractPool } from './extract-pool.ts';
import { makeSpecials, type SpecialToMake } from './make-specials.ts';
import type { FileToWrite, Piece } from './messages.ts';
import { fetchSound } from './objects.ts';

/** Entries taken together: packs are read once a batch, and memory stays bounded however many there are. */
const BATCH_ENTRIES = 20_000;
const BATCH_EXTENTS = 100_000;
/** Packs under way, from the request to the last byte written, hold as much as one of these for each job of the pool. */
const USUAL_PACK_BYTES = 17 * 1024 * 1024;
const MAX_GETS = 16;

export interface ExtractRequest extends ContentsOptions {
  readonly folder: BytePath;
  readonly stripPrefix: BytePath;
  readonly run: Run | undefined;
  readonly owners?: Owners;
  /** Make devices too. */
  readonly devices: boolean;
  /** Bytes of a pack as stored, where they are known. Throws for one that the restore point must not use. */
  packSize(pack: string): number | undefined;
  isChosen(path: BytePath): boolean;
  /** The entry at `path`, chosen or not: a hard link's other name. */
  locate(path: BytePath): Promise<LocatedEntry>;
}

type StoredFile = Extract<StoredEntry, { type: 'file' }>;

interface Batch {
  readonly files: { entry: StoredFile; target: BytePath; extents: LocatedEntry['extents'] }[];
  readonly links: { entry: SymlinkEntry | HardlinkEntry; target: BytePath }[];
  readonly specials: SpecialToMake[];
  extents: number;
}

/**
 * Writes entries below a folder. Everything is created new: nothing that exists is opened, no link is followed, because links
 * are made after the files of their batch and an entry's parent must be a folder made here.
 */
export async function extractEntries(
  entries: AsyncIterable<LocatedEntry>,
  request: ExtractRequest,
): Promise<Extracted> {
  await using pool = startExtractPool({ identities: request.identities });
  const metadata = await openMetadataSetter(request.owners ?? byNumber);
  const state = {
    folders: new Map<BytePath, FolderEntry | undefined>(),
    /** A hard link whose first name was not chosen: that name → where its file is now. */
    adopted: new Map<BytePath, BytePath>(),
    problems: [] as Problem[],
    files: 0,
    bytes: 0,
  };
  let batch = emptyBatch();

  const place = (path: BytePath): BytePath => {
    const rest = request.stripPrefix === '' ? path : path.slice(request.stripPrefix.length + 1);
    if (!isSafePath(rest)) throw unsafeEntry({ path: showPath(path) });
    const parent = rest.lastIndexOf('/');
    if (parent > 0) makeFolder(rest.slice(0, parent));
    return `${request.folder}/${rest}`;
  };

  function makeFolder(rest: BytePath): void {
    if (state.folders.has(rest)) return;
    const parent = rest.lastIndexOf('/');
    if (parent > 0) makeFolder(rest.slice(0, parent));
    mkdirSync(toBytes(`${request.folder}/${rest}`), 0o700);
    state.folders.set(rest, undefined);
  }

  async function flush(): Promise<void> {
    const { files, bytes } = await writeFiles(batch, pool, request);
    state.files += files;
    state.bytes += bytes;
    const unmade = new Set(await makeSpecials(batch.specials));
    for (const { entry } of unmade) skipSpecial(entry);
    const made = [...batch.files, ...batch.specials.filter((special) => !unmade.has(special))];
    await metadata.set(made.map(targetOf), request.run?.signal);
    for (const { entry, target } of batch.links) makeLink(entry, target, request, state.adopted);
    await metadata.set(batch.links.filter(({ entry }) => entry.type === 'symlink').map(targetOf), request.run?.signal);
    batch = emptyBatch();
  }

  for await (const { entry, extents } of entries) {
    request.run?.signal.throwIfAborted();
    const inside =
      request.stripPrefix === '' || (isInside(entry.path, request.stripPrefix) && entry.path !== request.stripPrefix);
    if (!inside) continue;
    const target = place(entry.path);
    if (entry.type === 'folder') {
      const rest = target.slice(request.folder.length + 1);
      makeFolder(rest);
      state.folders.set(rest, entry);
    } else if (entry.type === 'file') {
      addFile(batch, entry, target, extents);
    } else if (entry.type === 'symlink') {
      batch.links.push({ entry, target });
    } else if (entry.type === 'hardlink') {
      await addHardlink(entry, target);
    } else if (entry.type === 'fifo' || (entry.type !== 'socket' && request.devices)) {
      batch.specials.push({ entry, target });
    } else if (entry.type !== 'socket') skipSpecial(entry);
    if (isFull(batch)) {
      await flush();
      await closeFolders(target.slice(request.folder.length + 1));
    }
  }
  await flush();
  await closeFolders(undefined);
  const problems = [...state.problems, ...metadata.problems()];
  return { files: state.files, bytes: state.bytes, problems, unset: metadata.unset };

  function skipSpecial(entry: SpecialEntry): void {
    const message = `${showPath(entry.path)} is a ${entry.type} and was not made.`;
    state.problems.push({ code: 'special-file-skipped', message });
  }

  async function addHardlink(entry: HardlinkEntry, target: BytePath): Promise<void> {
    if (request.isChosen(entry.target) || state.adopted.has(entry.target)) {
      batch.links.push({ entry, target });
      return;
    }
    const other = await request.locate(entry.target);
    if (other.entry.type !== 'file') throw unsafeEntry({ path: showPath(entry.target) });
    state.adopted.set(entry.target, target);
    addFile(batch, other.entry, target, other.extents);
  }

  /** Sets the metadata of folders that nothing more is written into: all but those that hold `current`. Deepest first. */
  async function closeFolders(current: BytePath | undefined): Promise<void> {
    const closed: Target[] = [];
    for (const [rest, entry] of [...state.folders].reverse()) {
      if (current !== undefined && isInside(current, rest)) continue;
      if (entry !== undefined) closed.push(targetOf({ entry, target: `${request.folder}/${rest}` }));
      state.folders.delete(rest);
    }
    await metadata.set(closed, request.run?.signal);
  }
}

function targetOf({ entry, target }: { readonly entry: StoredEntry; readonly target: BytePath }): Target {
  return { place: target, path: entry.path, isLink: entry.type === 'symlink', metadata: entry };
}

function emptyBatch(): Batch {
  return { files: [], links: [], specials: [], extents: 0 };
}

function isFull({ files, links, specials, extents }: Batch): boolean {
  return files.length + links.length + specials.length >= BATCH_ENTRIES || extents >= BATCH_EXTENTS;
}

function addFile(batch: Batch, entry: StoredFile, target: BytePath, extents: LocatedEntry['extents']): void {
  batch.files.push({ entry, target, extents });
  batch.extents += extents.length;
}

/** Pack by pack, in the order in which they are first needed, so that each is fetched once a batch. */
async function writeFiles(
  batch: Batch,
  pool: ExtractPool,
  request: ExtractRequest,
): Promise<{ files: number; bytes: number }> {
  const byPack = new Map<string, { target: FileToWrite; pieces: Piece[]; whole: boolean }[]>();
  const toFinish: FileToWrite[] = [];
  for (const { entry, target, extents } of batch.files) {
    const file = fileToWrite(entry, target);
    const pieces = piecesByPack(extents);
    const whole = pieces.size === 1;
    for (const [pack, parts] of pieces) {
      const files = byPack.get(pack);
      const part = { target: file, pieces: parts, whole };
      if (files === undefined) byPack.set(pack, [part]);
      else files.push(part);
    }
    if (!whole) toFinish.push(file);
  }
  let files = 0;
  let bytes = 0;
  const note = (done: { files: number; bytes: number }) => {
    files += done.files;
    bytes += done.bytes;
    request.run?.progress({ label: 'files', doneItems: files, doneBytes: bytes });
  };
  const sizes = new Map(byPack.keys().map((pack) => [pack, request.packSize(pack)]));
  const ahead = { bytes: pool.slots * USUAL_PACK_BYTES, items: MAX_GETS };
  await withinBounds(
    byPack,
    ([pack]) => sizes.get(pack) ?? USUAL_PACK_BYTES,
    ahead,
    async ([pack, parts]) => {
      const object = await fetchSound(request.destinations, packKey(pack), pack, request.onDamage, {
        signal: request.run?.signal,
        sizeBytes: sizes.get(pack),
      });
      parts.sort((a, b) => a.pieces[0]!.offset - b.pieces[0]!.offset);
      note(await pool.run({ type: 'pack', object: exactly(object), files: parts }));
    },
  );
  const each = { bytes: pool.slots, items: pool.slots };
  await withinBounds(
    inSlices(toFinish, 64),
    () => 1,
    each,
    async (files) => note(await pool.run({ type: 'finish', files })),
  );
  return { files, bytes };
}

function fileToWrite(entry: StoredFile, file: BytePath): FileToWrite {
  const { sizeBytes, sha256 } = entry;
  return { file, sizeBytes, sha256 };
}

function piecesByPack(extents: LocatedEntry['extents']): Map<string, Piece[]> {
  const pieces = new Map<string, Piece[]>();
  let at = 0;
  for (const { pack, offset, length } of extents) {
    if (pack !== null) {
      const piece = { at, offset, length };
      const known = pieces.get(pack);
      if (known === undefined) pieces.set(pack, [piece]);
      else known.push(piece);
    }
    at += length;
  }
  return pieces;
}

function* inSlices<T>(items: readonly T[], size: number): Generator<T[]> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size);
}

function exactly(bytes: Uint8Array): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = bytes;
  if (byteOffset === 0 && byteLength === buffer.byteLength && buffer instanceof ArrayBuffer) return buffer;
  return bytes.slice().buffer as ArrayBuffer;
}

function makeLink(
  entry: SymlinkEntry | HardlinkEntry,
  target: BytePath,
  request: ExtractRequest,
  adopted: ReadonlyMap<BytePath, BytePath>,
): void {
  const at = toBytes(target);
  if (entry.type === 'hardlink') {
    if (!isSafePath(entry.target)) throw unsafeEntry({ path: showPath(entry.target) });
    const stripped = request.stripPrefix === '' ? entry.target : entry.target.slice(request.stripPrefix.length + 1);
    const existing = adopted.get(entry.target) ?? `${request.folder}/${stripped}`;
    if (leadsElsewhere(existing, request.folder)) throw unsafeEntry({ path: showPath(entry.target) });
    linkSync(toBytes(existing), at);
    return;
  }
  symlinkSync(toBytes(entry.target), at);
}

/** Whether a symbolic link, made from a forged entry, stands on the way from `folder` to `file`. */
function leadsElsewhere(file: BytePath, folder: BytePath): boolean {
  const real = (path: BytePath) => realpathSync.native(toBytes(path), { encoding: 'latin1' });
  const parent = file.slice(0, file.lastIndexOf('/'));
  return real(parent) !== real(folder) + parent.slice(folder.length);
}
