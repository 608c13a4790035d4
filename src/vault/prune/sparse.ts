import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import * as z from 'zod';
import { makeStateFolder } from '../../host/state-folder.ts';

const MiB = 1024 * 1024;

export interface SparseLimits {
  /** A pack is sparse when the newest restore points use less than this share of it. */
  readonly share: number;
  /** Packs with less content are left alone: storing them anew frees nothing to speak of. */
  readonly leastRawBytes: number;
  /** The next backup stores at most so much anew because of it. */
  readonly mostAnewBytes: number;
}

export const usualSparseLimits: SparseLimits = { share: 0.25, leastRawBytes: MiB, mostAnewBytes: 256 * MiB };

const shape = z.record(z.string(), z.number());

/** Remembers on the writing host how much of each pack the newest restore point of a dataset uses: only it can know. */
export function keepUse(stateDir: string, dataset: string, used: ReadonlyMap<string, number>): void {
  const folder = join(stateDir, 'use');
  makeStateFolder(folder);
  const file = join(folder, `${dataset}.json`);
  writeFileSync(`${file}.new`, JSON.stringify(Object.fromEntries(used)), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** Over all datasets of this host. A file that cannot be read says nothing: then no pack of its dataset is known. */
function readUse(stateDir: string): Map<string, number> {
  const used = new Map<string, number>();
  const folder = join(stateDir, 'use');
  for (const name of listed(folder)) {
    try {
      const all = shape.parse(JSON.parse(readFileSync(join(folder, name), 'utf8')));
      for (const [pack, bytes] of Object.entries(all)) used.set(pack, (used.get(pack) ?? 0) + bytes);
    } catch {
      // The next backup of that dataset writes it anew.
    }
  }
  return used;
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.json'));
  } catch {
    return [];
  }
}

/**
 * The packs of this host's writer that its newest restore points hardly use any more. Whole packs go, so a few living chunks
 * would keep a pack for ever: the next backup stores them anew. Empty on a host that does not write.
 */
export function sparsePacks(stateDir: string, limits: SparseLimits = usualSparseLimits): Set<string> {
  const used = readUse(stateDir);
  if (used.size === 0) return new Set();
  const raw = rawBytesOf(join(stateDir, 'index.sqlite'));
  const candidates = [...used]
    .map(([pack, bytes]) => ({ pack, bytes, rawBytes: raw.get(pack) ?? 0 }))
    .filter(({ bytes, rawBytes }) => rawBytes >= limits.leastRawBytes && bytes < rawBytes * limits.share)
    .sort((a, b) => a.bytes / a.rawBytes - b.bytes / b.rawBytes);
  const sparse = new Set<string>();
  let anewBytes = 0;
  for (const { pack, bytes } of candidates) {
    anewBytes += bytes;
    if (anewBytes > limits.mostAnewBytes) break;
    sparse.add(pack);
  }
  return sparse;
}

/** Raw bytes by pack, from the index of this host's writer, read beside a backup that may be running. */
function rawBytesOf(file: string): Map<string, number> {
  try {
    using db = new DatabaseSync(file, { readOnly: true });
    const text =
      'SELECT p.id AS id, SUM(c.length) AS bytes FROM chunks c JOIN packs p ON p.number = c.pack GROUP BY c.pack';
    return new Map(
      db
        .prepare(text)
        .all()
        .map(({ id, bytes }) => [String(id), Number(bytes)] as const),
    );
  } catch {
    // Without the index nothing is known to be sparse.
    return new Map();
  }
}
