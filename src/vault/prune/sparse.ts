import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import * as z from 'zod';
import { writeStateFile } from '../../host/state-file.ts';
import { inState } from '../../host/state-names.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

export interface SparseLimits {
  /** A pack is sparse when the newest restore points use less than this share of it. */
  readonly share: number;
  /** Packs with less content are left alone: storing them anew frees nothing to speak of. */
  readonly leastRawBytes: number;
  /** The next backup stores at most so much anew because of it. */
  readonly mostAnewBytes: number;
  /**
   * Small packs by size as stored: up to the first of these, up to the second …; of each kind, a dataset may use `mostSmall` of each size. All
   * of that size go when there are more, and make one that is larger. So a byte is stored anew at most a few times because of it.
   */
  readonly smallBytes: readonly number[];
  readonly mostSmall: number;
}

export const usualSparseLimits: SparseLimits = {
  share: 0.25,
  leastRawBytes: MiB,
  mostAnewBytes: 256 * MiB,
  smallBytes: [32 * KiB, 256 * KiB, 2 * MiB],
  mostSmall: 16,
};

const shape = z.record(z.string(), z.number());

/** Remembers on the writing host how much of each pack the newest restore point of a dataset uses: only it can know. */
export function keepUse(stateDir: string, dataset: string, used: ReadonlyMap<string, number>): void {
  writeStateFile(join(inState(stateDir, 'use'), `${dataset}.json`), Object.fromEntries(used));
}

/** By dataset of this host. A file that cannot be read says nothing: then no pack of its dataset is known. */
function readUse(stateDir: string): Map<string, number>[] {
  const folder = inState(stateDir, 'use');
  return listed(folder).flatMap((name) => {
    try {
      return new Map(Object.entries(shape.parse(JSON.parse(readFileSync(join(folder, name), 'utf8')))));
    } catch {
      // The next backup of that dataset writes it anew.
      return [];
    }
  });
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.json'));
  } catch {
    return [];
  }
}

interface KnownPack {
  readonly kind: string;
  readonly sizeBytes: number;
  readonly rawBytes: number;
}

/**
 * The packs of this host's writer that its newest restore points hardly use any more, and small ones where a dataset uses many. Whole
 * packs go, so a few living chunks would keep a pack for ever, and every small backup adds some: the next backup stores what lives in them
 * anew, together. Empty on a host that does not write.
 */
export function sparsePacks(stateDir: string, limits: SparseLimits = usualSparseLimits): Set<string> {
  const datasets = readUse(stateDir);
  if (datasets.length === 0) return new Set();
  const known = knownPacks(inState(stateDir, 'index'));
  const used = new Map<string, number>();
  for (const packs of datasets) for (const [pack, bytes] of packs) used.set(pack, (used.get(pack) ?? 0) + bytes);
  const sparse = new Set<string>();
  let anewBytes = 0;
  for (const packs of [
    ...mostlyDead(used, known, limits),
    ...datasets.flatMap((one) => manySmall(one, known, limits)),
  ]) {
    const bytes = packs.reduce((sum, pack) => sum + (sparse.has(pack) ? 0 : used.get(pack)!), 0);
    if (anewBytes + bytes > limits.mostAnewBytes) continue;
    anewBytes += bytes;
    for (const pack of packs) sparse.add(pack);
  }
  return sparse;
}

/** One by one, those first of which the least lives. */
function mostlyDead(used: ReadonlyMap<string, number>, known: ReadonlyMap<string, KnownPack>, limits: SparseLimits) {
  return [...used]
    .map(([pack, bytes]) => ({ pack, bytes, rawBytes: known.get(pack)?.rawBytes ?? 0 }))
    .filter(({ bytes, rawBytes }) => rawBytes >= limits.leastRawBytes && bytes < rawBytes * limits.share)
    .sort((a, b) => a.bytes / a.rawBytes - b.bytes / b.rawBytes)
    .map(({ pack }) => [pack]);
}

/** The small packs of a dataset, together those of about one size and one kind, where there are too many. */
function manySmall(
  used: ReadonlyMap<string, number>,
  known: ReadonlyMap<string, KnownPack>,
  { smallBytes, mostSmall }: SparseLimits,
): string[][] {
  const bySize = Map.groupBy(used.keys(), (pack) => {
    const { kind, sizeBytes } = known.get(pack) ?? { kind: '', sizeBytes: Number.POSITIVE_INFINITY };
    const size = smallBytes.findIndex((bytes) => sizeBytes <= bytes);
    return size < 0 ? 'large' : `${kind} ${size}`;
  });
  bySize.delete('large');
  return [...bySize]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, packs]) => (packs.length > mostSmall ? [packs] : []));
}

/** From the index of this host's writer, read beside a backup that may be running. */
function knownPacks(file: string): Map<string, KnownPack> {
  try {
    using db = new DatabaseSync(file, { readOnly: true });
    const text = `SELECT p.id AS id, p.kind AS kind, p.size AS size, SUM(c.length) AS raw
      FROM chunks c JOIN packs p ON p.number = c.pack GROUP BY c.pack`;
    return new Map(
      db
        .prepare(text)
        .all()
        .map(({ id, kind, size, raw }) => [
          String(id),
          { kind: String(kind), sizeBytes: Number(size), rawBytes: Number(raw) },
        ]),
    );
  } catch {
    // Without the index nothing is known to be sparse.
    return new Map();
  }
}
