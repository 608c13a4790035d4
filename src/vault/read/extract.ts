import { mkdirSync } from 'node:fs';
import type { FolderEntry, HardlinkEntry, SpecialEntry, StoredEntry, SymlinkEntry } from '../../core/entry.ts';
import { type BytePath, isInside, isSafePath, showPath, toBytes } from '../../core/paths.ts';
import type { Problem, Run } from '../../core/run.ts';
import { countOf } from '../../core/size.ts';
import { byNumber, type Owners } from '../../metadata/owners.ts';
import { openMetadataSetter, type Target, type Unset } from '../../metadata/set.ts';
import type { Extracted } from '../../sources/source.ts';
import { withinBounds } from '../ahead.ts';
import { targetRefuses, unsafeEntry } from '../errors.ts';
import type { LocatedEntry } from '../format/entries.ts';
import { packKey } from '../format/keys.ts';
import { fetchSound } from '../hold/fetch-sound.ts';
import type { ContentsOptions } from './contents.ts';
import { type ExtractPool, startExtractPool } from './extract-pool.ts';
import { makeHardlink, makeSymlink } from './make-links.ts';
import { makeSpecials, type SpecialToMake } from './make-specials.ts';
import type { FileToWrite, Piece, Written } from './messages.ts';
import { attempt, removeHalf, startRefused } from './refused.ts';
import { makeForParts } from './write-file.ts';

/** Entries taken together: packs are read once a batch, and memory stays bounded however many there are. */
const BATCH_ENTRIES = 20_000;
const BATCH_EXTENTS = 100_000;
/** Packs under way, from the request to the last byte written: a distant place is asked for several at once. */
const MAX_AHEAD = { bytes: 96 * 1024 * 1024, items: 16 };
/** Where its size is not known. */
const USUAL_PACK_BYTES = 17 * 1024 * 1024;

export interface ExtractRequest extends ContentsOptions {
  readonly folder: BytePath;
  readonly stripPrefix: BytePath;
  readonly run: Run | undefined;
  readonly owners?: Owners;
  /** Make devices too. */
  readonly devices: boolean;
  readonly rehearsal: boolean;
  /** Bytes of a pack as stored, where they are known. Throws for one that the restore point must not use. */
  packSize(pack: string): number | undefined;
  isChosen(path: BytePath): boolean;
  /** The entry at `path`, chosen or not: a hard link's other name. */
  locate(path: BytePath): Promise<LocatedEntry>;
}

type StoredFile = Extract<StoredEntry, { type: 'file' }>;

interface FileAt {
  readonly entry: StoredFile;
  readonly target: BytePath;
  readonly extents: LocatedEntry['extents'];
}

interface Batch {
  readonly files: FileAt[];
  readonly links: { entry: SymlinkEntry | HardlinkEntry; target: BytePath }[];
  readonly specials: SpecialToMake[];
  extents: number;
}

/**
 * Writes entries below a folder. Everything is created new: nothing that exists is opened, no link is followed, because links
 * are made after the files of their batch and an entry's parent must be a folder made here. What the place does not take (a name, a
 * size, a kind of entry) ends that entry, and is a problem. @throws `target-full`, `target-refuses` where it takes nothing at all
 */
export async function extractEntries(
  entries: AsyncIterable<LocatedEntry>,
  request: ExtractRequest,
): Promise<Extracted> {
  await using pool = startExtractPool({ identities: request.identities });
  const metadata = await openMetadataSetter(request.owners ?? byNumber, !request.rehearsal);
  const state = {
    folders: new Map<BytePath, FolderEntry | undefined>(),
    /** A hard link whose first name was not chosen: that name → where its file is now. */
    adopted: new Map<BytePath, BytePath>(),
    /** Folders that could not be made. */
    lost: new Set<BytePath>(),
    /** Hard links that became files of their own. */
    copied: new Set<BytePath>(),
    made: 0,
    problems: [] as Problem[],
    files: 0,
    bytes: 0,
  };
  const refused = startRefused();
  let batch = emptyBatch();

  /** Where an entry goes; undefined where the folder that it is in could not be made. */
  const place = (path: BytePath): BytePath | undefined => {
    const rest = request.stripPrefix === '' ? path : path.slice(request.stripPrefix.length + 1);
    if (!isSafePath(rest)) throw unsafeEntry({ path: showPath(path) });
    const parent = rest.lastIndexOf('/');
    if (parent <= 0 || makeFolder(rest.slice(0, parent))) return `${request.folder}/${rest}`;
    refused.addInside(path);
    return undefined;
  };

  function makeFolder(rest: BytePath): boolean {
    if (state.folders.has(rest)) return true;
    if (state.lost.has(rest)) return false;
    const parent = rest.lastIndexOf('/');
    const isInside = parent <= 0 || makeFolder(rest.slice(0, parent));
    const code = isInside ? attempt(() => mkdirSync(toBytes(`${request.folder}/${rest}`), 0o700)) : undefined;
    if (isInside && code === undefined) {
      state.folders.set(rest, undefined);
      return true;
    }
    state.lost.add(rest);
    if (code !== undefined) refused.add(request.stripPrefix === '' ? rest : `${request.stripPrefix}/${rest}`, code);
    return false;
  }

  async function flush(): Promise<void> {
    await makeFiles(batch.files);
    const unmade = new Set(await makeSpecials(batch.specials));
    for (const { entry } of unmade) skipSpecial(entry);
    await setAll(batch.specials.filter((special) => !unmade.has(special)));
    const own: Batch['links'] = [];
    for (const { entry, target } of batch.links) if (await makeLink(entry, target)) own.push({ entry, target });
    await setAll(own);
    batch = emptyBatch();
  }

  async function setAll(
    made: ReadonlyArray<{ readonly entry: StoredEntry; readonly target: BytePath }>,
  ): Promise<void> {
    state.made += made.length;
    await metadata.set(made.map(targetOf), request.run?.signal);
  }

  async function makeFiles(all: readonly FileAt[]): Promise<void> {
    const written = await writeFiles(all, pool, request);
    state.files += written.files;
    state.bytes += written.bytes;
    const codes = new Map(written.refused.map(({ file, code }) => [file, code]));
    for (const { entry, target } of all) if (codes.has(target)) refused.add(entry.path, codes.get(target)!);
    await setAll(all.filter(({ target }) => !codes.has(target)));
  }

  /** Whether it is an entry with metadata of its own. */
  async function makeLink(entry: SymlinkEntry | HardlinkEntry, target: BytePath): Promise<boolean> {
    if (entry.type === 'symlink') {
      const code = makeSymlink(entry, target);
      if (code !== undefined) refused.add(entry.path, code);
      return code === undefined;
    }
    const adopted = state.adopted.get(entry.target);
    if (adopted === undefined && refused.has(entry.target)) {
      await makeFiles([await adopt(entry, target)]);
      if (refused.has(entry.path)) state.adopted.delete(entry.target);
      return false;
    }
    const stripped = request.stripPrefix === '' ? entry.target : entry.target.slice(request.stripPrefix.length + 1);
    const existing = adopted ?? `${request.folder}/${stripped}`;
    const { isCopy, refused: code } = makeHardlink(entry, { existing, target, folder: request.folder });
    if (code !== undefined) refused.add(entry.path, code);
    else {
      state.made++;
      if (isCopy) state.copied.add(entry.path);
    }
    return isCopy && code === undefined;
  }

  /** A name whose first is not there gets the bytes, and further ones are names of it. */
  async function adopt(entry: HardlinkEntry, target: BytePath): Promise<FileAt> {
    const other = await request.locate(entry.target);
    if (other.entry.type !== 'file') throw unsafeEntry({ path: showPath(entry.target) });
    state.adopted.set(entry.target, target);
    return { entry: { ...other.entry, path: entry.path }, target, extents: other.extents };
  }

  for await (const { entry, extents } of entries) {
    request.run?.signal.throwIfAborted();
    const inside =
      request.stripPrefix === '' || (isInside(entry.path, request.stripPrefix) && entry.path !== request.stripPrefix);
    if (!inside) continue;
    const target = place(entry.path);
    if (target === undefined) continue;
    if (entry.type === 'folder') {
      const rest = target.slice(request.folder.length + 1);
      if (!makeFolder(rest)) continue;
      state.folders.set(rest, entry);
      state.made++;
    } else if (entry.type === 'file') {
      addFile(batch, { entry, target, extents });
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
  const [first] = refused.problems();
  if (first !== undefined && state.made === 0) throw targetRefuses({ why: first.message });
  const problems = [...refused.problems(), ...state.problems, ...copies(state.copied), ...metadata.problems()];
  const unset: Unset = {
    has: (path, what) => (what === 'link' ? state.copied.has(path) : metadata.unset.has(path, what)),
  };
  return { files: state.files, bytes: state.bytes, problems, unset, held: metadata.held };

  function skipSpecial(entry: SpecialEntry): void {
    const message = `${showPath(entry.path)} is a ${entry.type} and was not made.`;
    state.problems.push({ code: 'special-file-skipped', message });
  }

  async function addHardlink(entry: HardlinkEntry, target: BytePath): Promise<void> {
    if (request.isChosen(entry.target) || state.adopted.has(entry.target)) {
      batch.links.push({ entry, target });
      return;
    }
    addFile(batch, await adopt(entry, target));
  }

  /** Sets the metadata of folders that nothing more is written into: all but those that hold `current`. Deepest first. */
  async function closeFolders(current: BytePath | undefined): Promise<void> {
    const closed: Target[] = [];
    for (const [rest, entry] of [...state.folders].reverse()) {
      if (current !== undefined && isInside(current, rest)) continue;
      if (entry !== undefined) closed.push(targetOf({ entry, target: `${request.folder}/${rest}` }));
      state.folders.delete(rest);
    }
    for (const layer of layersOf(closed)) await metadata.set(layer, request.run?.signal);
  }
}

const isRoot = process.geteuid?.() === 0;

/**
 * Folders, deepest first, in groups of which none shuts another off from who is not root: each is looked at once more when its group
 * was set, and what is in a folder that we may not enter cannot be.
 */
function layersOf(folders: readonly Target[]): Target[][] {
  const shut = (folder: Target) => !isRoot && (folder.metadata.mode & 0o100) === 0;
  const byDepth = Map.groupBy(folders.filter(shut), ({ path }) => path.split('/').length);
  return [
    folders.filter((folder) => !shut(folder)),
    ...[...byDepth].sort(([a], [b]) => b - a).map(([, layer]) => layer),
  ];
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

function addFile(batch: Batch, file: FileAt): void {
  batch.files.push(file);
  batch.extents += file.extents.length;
}

function copies(paths: ReadonlySet<BytePath>): Problem[] {
  if (paths.size === 0) return [];
  const [first = ''] = paths;
  const message = `${countOf(paths.size, 'further name')} of files came back as files of their own, the first ${showPath(first)}: there can be no hard links here.`;
  return [{ code: 'hardlink-copied', message }];
}

/** Pack by pack, in the order in which they are first needed, so that each is fetched once a batch. */
async function writeFiles(all: readonly FileAt[], pool: ExtractPool, request: ExtractRequest): Promise<Written> {
  const byPack = new Map<string, { target: FileToWrite; pieces: Piece[]; whole: boolean }[]>();
  const toFinish: { target: FileToWrite; isNew: boolean }[] = [];
  const refused = new Map<BytePath, string>();
  for (const { entry, target, extents } of all) {
    const file = fileToWrite(entry, target);
    const pieces = piecesByPack(extents);
    const whole = pieces.size === 1;
    // Once, and by nobody else: two names may be one here.
    const code = pieces.size > 1 ? attempt(() => makeForParts(target)) : undefined;
    if (code !== undefined) {
      refused.set(target, code);
      continue;
    }
    for (const [pack, parts] of pieces) {
      const files = byPack.get(pack);
      const part = { target: file, pieces: parts, whole };
      if (files === undefined) byPack.set(pack, [part]);
      else files.push(part);
    }
    if (!whole) toFinish.push({ target: file, isNew: pieces.size === 0 });
  }
  let files = 0;
  let bytes = 0;
  const inParts = new Set(toFinish.filter(({ isNew }) => !isNew).map(({ target }) => target.file));
  const note = (done: Written) => {
    files += done.files;
    bytes += done.bytes;
    for (const { file, code } of done.refused) refused.set(file, code);
    request.run?.progress({ label: 'files', doneItems: files, doneBytes: bytes });
  };
  const sizes = new Map(byPack.keys().map((pack) => [pack, request.packSize(pack)]));
  await withinBounds(
    byPack,
    ([pack]) => sizes.get(pack) ?? USUAL_PACK_BYTES,
    MAX_AHEAD,
    async ([pack, parts]) => {
      parts.sort((a, b) => a.pieces[0]!.offset - b.pieces[0]!.offset);
      const fetched = async () => {
        const object = await fetchSound(request.destinations, packKey(pack), pack, request.onDamage, {
          signal: request.run?.signal,
          sizeBytes: sizes.get(pack),
        });
        return { type: 'pack' as const, object: exactly(object), files: parts };
      };
      note(await pool.run(fetched));
    },
  );
  for (const file of refused.keys()) if (inParts.has(file)) removeHalf(file);
  const whole = toFinish.filter(({ target }) => !refused.has(target.file));
  const each = { bytes: pool.slots, items: pool.slots };
  await withinBounds(
    inSlices(whole, 64),
    () => 1,
    each,
    async (files) => note(await pool.run(() => ({ type: 'finish', files }))),
  );
  const here = all.filter(({ target }) => !refused.has(target)).flatMap(({ extents }) => extents);
  bytes = here.reduce((sum, { pack, length }) => sum + (pack === null ? 0 : length), 0);
  return { files, bytes, refused: [...refused].map(([file, code]) => ({ file, code })) };
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
