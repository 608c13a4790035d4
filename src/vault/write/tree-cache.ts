import { closeSync, existsSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { type BytePath, comparePaths } from '../../core/paths.ts';
import { makeStateFolder } from '../../host/state-folder.ts';
import type { Extent } from '../format/manifest.ts';
import { compress, decompress } from '../zstd.ts';

/**
 * What the last backup of a dataset found, kept on the writing host: path, fingerprint and where the content lies. It lets an
 * unchanged file be taken over without reading it, though the host cannot read its own manifests. It is in the order of
 * `comparePaths`, as a walk is, so both are read side by side in bounded memory. Losing it costs one full read.
 */
export interface CachedFile {
  readonly path: BytePath;
  readonly fingerprint: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly extents: readonly Extent[];
}

export interface TreeCacheReader {
  /** The file at `path`, when the last backup had it. Paths must be asked for in order. */
  find(path: BytePath): CachedFile | undefined;
  close(): void;
}

export interface TreeCacheWriter {
  add(file: CachedFile): void;
  /** Replaces the last backup's cache. Only after the restore point was committed. */
  keep(): void;
  discard(): void;
}

const BLOCK_BYTES = 512 * 1024;
const MAX_BLOCK_BYTES = 64 * 1024 * 1024;
const HEADER = Buffer.from('lifeboat tree cache 1\n');

export function readTreeCache(file: string): TreeCacheReader {
  const lines = cachedFiles(file);
  let next: CachedFile | undefined = lines.next().value ?? undefined;
  return {
    find(path) {
      while (next !== undefined && comparePaths(next.path, path) < 0) next = lines.next().value ?? undefined;
      return next?.path === path ? next : undefined;
    },
    close: () => void lines.return(undefined),
  };
}

/** Anything unreadable ends the cache: what is missing is read from the source again. */
function* cachedFiles(file: string): Generator<CachedFile, undefined, undefined> {
  if (!existsSync(file)) return undefined;
  const handle = openSync(file, 'r');
  try {
    const header = Buffer.alloc(HEADER.length);
    if (readSync(handle, header) !== header.length || !header.equals(HEADER)) return undefined;
    const sizes = Buffer.alloc(8);
    while (readSync(handle, sizes) === sizes.length) {
      const [stored, raw] = [sizes.readUInt32LE(0), sizes.readUInt32LE(4)];
      if (stored > MAX_BLOCK_BYTES || raw > MAX_BLOCK_BYTES) return undefined;
      const block = Buffer.alloc(stored);
      if (readSync(handle, block) !== stored) return undefined;
      for (const line of decompress(block, raw).toString('latin1').split('\n')) {
        const found = line === '' ? undefined : parseLine(line);
        if (found !== undefined) yield found;
      }
    }
    return undefined;
  } catch {
    return undefined;
  } finally {
    closeSync(handle);
  }
}

/** What cannot be written, on a full disk say, is left: then the next run reads every file, and this one goes on. */
export function writeTreeCache(file: string): TreeCacheWriter {
  makeStateFolder(dirname(file));
  const temporary = `${file}.new`;
  const handle = openSync(temporary, 'w', 0o600);
  writeSync(handle, HEADER);
  let lines: string[] = [];
  let sizeBytes = 0;
  let failed = false;

  function flush(): void {
    if (lines.length === 0 || failed) return;
    const raw = Buffer.from(lines.join(''), 'latin1');
    const stored = compress(raw);
    const sizes = Buffer.alloc(8);
    sizes.writeUInt32LE(stored.length, 0);
    sizes.writeUInt32LE(raw.length, 4);
    try {
      failed = writeSync(handle, sizes) < sizes.length || writeSync(handle, stored) < stored.length;
    } catch {
      failed = true;
    }
    lines = [];
    sizeBytes = 0;
  }

  return {
    add(cached) {
      const line = printLine(cached);
      lines.push(line);
      sizeBytes += line.length;
      if (sizeBytes >= BLOCK_BYTES) flush();
    },
    keep() {
      flush();
      closeSync(handle);
      if (failed) rmSync(temporary, { force: true });
      else renameSync(temporary, file);
    },
    discard() {
      closeSync(handle);
      rmSync(temporary, { force: true });
    },
  };
}

function printLine({ path, fingerprint, sizeBytes, sha256, extents }: CachedFile): string {
  const places = extents.map(({ pack, offset, length }) => `${pack ?? '-'}:${offset}:${length}`).join(',');
  const escaped = path.replace(/[\\\n\t]/g, (byte) => (byte === '\n' ? '\\n' : byte === '\t' ? '\\t' : '\\\\'));
  return `${fingerprint}\t${sizeBytes}\t${sha256}\t${places}\t${escaped}\n`;
}

function parseLine(line: string): CachedFile | undefined {
  const [fingerprint, size, sha256, places, escaped] = line.split('\t');
  if (!fingerprint || size === undefined || sha256 === undefined || places === undefined || !escaped) return undefined;
  const extents = places === '' ? [] : places.split(',').map(parseExtent);
  const path = escaped.replace(/\\(.)/g, (_match, byte: string) => (byte === 'n' ? '\n' : byte === 't' ? '\t' : '\\'));
  return { path, fingerprint, sizeBytes: Number(size), sha256, extents };
}

function parseExtent(text: string): Extent {
  const [pack, offset, length] = text.split(':');
  return { pack: pack === '-' ? null : pack!, offset: Number(offset), length: Number(length) };
}
