import type { KeyObject } from 'node:crypto';
import { sentenceOf } from '../../core/errors.ts';
import type { Run } from '../../core/run.ts';
import type { Destination } from '../../destinations/destination.ts';
import { noIdentityFits } from '../age/errors.ts';
import { openSmall } from '../age/small-objects.ts';
import { chunkKeyObject } from '../chunking/chunk-id.ts';
import { manifestKey } from '../format/keys.ts';
import { decodeManifest, differsFrom } from '../format/manifest.ts';
import { fetchSound } from '../hold/fetch-sound.ts';
import type { WithNeeds } from '../hold/needs.ts';
import { inParallel } from '../in-parallel.ts';
import type { RestorePoint } from '../vault.ts';

const AT_ONCE = 8;

export interface OpenedManifests {
  /** Of all writers, each once. */
  readonly chunkKeys: readonly KeyObject[];
  /** Restore points whose manifest the identities open: then they open all that it needs. */
  readonly opened: ReadonlySet<WithNeeds<RestorePoint>>;
  /** Restore points whose manifest is whole and not theirs, with the reason. */
  readonly wrong: ReadonlyMap<WithNeeds<RestorePoint>, string>;
}

/** Reads the manifests of restore points. What is missing or damaged everywhere is left out: it is found as an object. */
export async function openManifests(
  points: ReadonlyArray<WithNeeds<RestorePoint>>,
  destinations: readonly Destination[],
  identities: readonly string[],
  run: Run,
): Promise<OpenedManifests> {
  const chunkKeys = new Map<string, KeyObject>();
  const opened = new Set<WithNeeds<RestorePoint>>();
  const wrong = new Map<WithNeeds<RestorePoint>, string>();
  const read = async (point: WithNeeds<RestorePoint>) => {
    const [id, sizeBytes] = point.record.manifest;
    let object: Uint8Array;
    try {
      object = await fetchSound(destinations, manifestKey(id), id, () => {}, { sizeBytes, signal: run.signal });
    } catch {
      run.signal.throwIfAborted();
      return;
    }
    try {
      const manifest = decodeManifest(await openSmall(object, identities));
      opened.add(point);
      const odd = differsFrom(point.record, manifest);
      if (odd !== undefined) wrong.set(point, `it belongs to another restore point, by its ${odd}`);
      const { chunkKey } = manifest;
      const text = Buffer.from(chunkKey).toString('hex');
      if (!chunkKeys.has(text)) chunkKeys.set(text, chunkKeyObject(chunkKey));
    } catch (error) {
      if (!noIdentityFits.is(error)) wrong.set(point, sentenceOf(error));
    }
  };
  await inParallel(points, AT_ONCE, read, run.signal);
  return { chunkKeys: [...chunkKeys.values()], opened, wrong };
}
