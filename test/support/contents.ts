import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Entry, FileEntry, StoredEntry } from '../../src/core/entry.ts';
import type { BytePath } from '../../src/core/paths.ts';
import { isInside, toBytes } from '../../src/core/paths.ts';
import type { Capture, CaptureFacts, Contents } from '../../src/sources/source.ts';
import { extractEntries } from './extract.ts';
import { temporaryFolder } from './temp.ts';

/** What a vault made of a capture, and what it could not read. */
export interface KeptContents extends Contents {
  readonly stored: readonly StoredEntry[];
  readonly captured: CaptureFacts;
  readonly leftOut: readonly BytePath[];
}

/**
 * Takes a capture in and hands it out again, as a vault does, without one: the bytes lie in a temporary folder until the
 * test ends. The plainest thing that keeps the contract of `Contents`: no threads, no chunks.
 */
export async function contentsOf(capture: Capture): Promise<KeptContents> {
  await using held = capture;
  const folder = await temporaryFolder();
  const stored: StoredEntry[] = [];
  const kept = new Map<BytePath, string>();
  const leftOut: BytePath[] = [];
  for await (const entry of held.entries) {
    if (entry.type !== 'file') {
      if (entry.type !== 'hardlink' || kept.has(entry.target)) stored.push(entry);
      else leftOut.push(entry.path);
      continue;
    }
    const file = join(folder, String(kept.size));
    const written = await keep(entry, file);
    if (written === undefined) {
      leftOut.push(entry.path);
      continue;
    }
    const { content: _, ...rest } = entry;
    stored.push({ ...rest, ...written });
    kept.set(entry.path, file);
  }
  const captured = await held.finish(leftOut);

  const read = (path: BytePath) => {
    const file = kept.get(path);
    if (file === undefined) throw new Error(`no file entry: ${path}`);
    return createReadStream(file) as AsyncIterable<Uint8Array>;
  };
  return {
    stored,
    captured,
    leftOut,
    // Through JSON, as a manifest would carry them.
    facts: JSON.parse(JSON.stringify(captured.facts)) as Record<string, unknown>,
    ...(captured.expectations && { expectations: captured.expectations }),
    async *entries() {
      yield* stored;
    },
    read,
    extract(into, options = {}) {
      const { paths, stripPrefix = '' } = options;
      const chosen =
        paths === undefined ? stored : stored.filter((entry) => paths.some((path) => isInside(entry.path, path)));
      return extractEntries({ chosen, all: stored, read, into, stripPrefix });
    },
  };
}

async function keep(entry: FileEntry, file: string): Promise<{ sizeBytes: number; sha256: string } | undefined> {
  const sha256 = createHash('sha256');
  const fd = openSync(file, 'w');
  let sizeBytes = 0;
  try {
    for await (const piece of bytesOf(entry.content)) {
      sha256.update(piece);
      writeSync(fd, piece);
      sizeBytes += piece.length;
    }
  } catch (error) {
    // A file that cannot be read is left out and reported. A stream that breaks off fails the whole capture.
    if (entry.content.from !== 'file') throw error;
    return undefined;
  } finally {
    closeSync(fd);
  }
  return { sizeBytes, sha256: sha256.digest('hex') };
}

async function* bytesOf(content: Extract<Entry, { type: 'file' }>['content']): AsyncGenerator<Uint8Array> {
  if (content.from === 'bytes') yield content.bytes;
  else if (content.from === 'stream') yield* content.stream();
  else {
    const fd = openSync(toBytes(content.file), 'r');
    try {
      const buffer = Buffer.allocUnsafe(1 << 20);
      for (let count = readSync(fd, buffer); count > 0; count = readSync(fd, buffer)) yield buffer.subarray(0, count);
    } finally {
      closeSync(fd);
    }
  }
}
