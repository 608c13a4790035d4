import { type Measured, rowsOf, samplesOf } from '../../core/anomalies.ts';
import type { RestorePoint, VaultReader } from '../../vault/index.ts';

/** Manifests that are opened: the first, the newest, and the largest by what the vault shows. */
const mostOpened = 12;

/**
 * How many rows earlier restore points hold, of those since the settled one that this host does not remember; with their keys only.
 * The last of `points` is not among them. What a key does not open stays known by its size.
 */
export async function openCounts(
  vault: VaultReader,
  points: readonly RestorePoint[],
  measured: readonly Measured[],
  { settled, identities, signal }: { settled: string | undefined; identities: readonly string[]; signal: AbortSignal },
): Promise<Measured[]> {
  const opened: Measured[] = [];
  for (const one of toOpen(measured, settled)) {
    signal.throwIfAborted();
    const point = points.find(({ record }) => record.id === one.id);
    const expectations = point && (await vault.open(point, identities).catch(() => undefined))?.expectations;
    if (expectations !== undefined) {
      opened.push({ ...one, rows: rowsOf(expectations), samples: samplesOf(expectations) });
    }
  }
  return opened;
}

function toOpen(points: readonly Measured[], settled: string | undefined): Measured[] {
  const from = Math.max(
    0,
    points.findIndex(({ id }) => id === settled),
  );
  // What all is held against is known by more than its counts.
  const unknown = points.slice(from, -1).filter(({ rows, samples }, at) => !rows || (at === 0 && !samples));
  const newest = unknown.slice(-mostOpened / 2);
  const largest = [...unknown].sort((a, b) => b.bytes - a.bytes);
  return [...new Set([...unknown.slice(0, 1), ...newest, ...largest])].slice(0, mostOpened);
}

/** The same restore points, with the rows that are known of some. */
export function withCounts(measured: readonly Measured[], opened: readonly Measured[]): Measured[] {
  const counted = new Map(opened.map((one) => [one.id, one]));
  return measured.map((one) => counted.get(one.id) ?? one);
}
