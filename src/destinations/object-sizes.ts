import type { GetOptions, Key } from './destination.ts';
import { objectDamaged } from './errors.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

/** The most that an object of each kind may have. Nothing that a vault writes comes near it; what is larger is a stranger's. */
const mostByKind: Readonly<Record<string, number>> = {
  'vault.json': 4 * KiB,
  'rescue.sh': MiB,
  endorsements: 64 * KiB,
  format: 64 * KiB,
  keys: 64 * KiB,
  ledger: 16 * MiB,
  packs: 64 * MiB,
  lists: 160 * KiB,
  snapshots: 2 * MiB,
  // It names every pack that goes: a million is about so much.
  gc: 128 * MiB,
  index: 256 * MiB,
  manifests: 256 * MiB,
};

const mostOfOthers = 64 * MiB;

/** As many bytes as may be read of an object in one piece: what its kind allows, and what the reader knows of it. */
export function mostBytesOf(key: Key, { mostBytes = Number.POSITIVE_INFINITY }: GetOptions = {}): number {
  const [kind = ''] = key.split('/', 1);
  return Math.min(Object.hasOwn(mostByKind, kind) ? mostByKind[kind]! : mostOfOthers, mostBytes);
}

/** Throws `object-damaged` where an object is larger than it can be: before memory is taken for it. */
export function requireSize(destination: string, key: Key, sizeBytes: number, options?: GetOptions): void {
  const most = mostBytesOf(key, options);
  if (sizeBytes <= most) return;
  throw objectDamaged({ destination, key, why: `it has ${sizeBytes} bytes, and can have ${most} at most` });
}
