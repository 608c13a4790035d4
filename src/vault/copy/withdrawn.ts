import { decodeGeneration, type Generation } from '../format/generation.ts';
import { generationKey, parseKey } from '../format/keys.ts';
import type { Holdings } from './holdings.ts';

/**
 * The packs and manifests that the newest prune has marked: they are on their way out, and what is copied would only have to be removed
 * again. What cannot be read withdraws nothing: then too much is copied, never too little.
 */
export async function withdrawnAt(vault: string, all: readonly Holdings[]): Promise<ReadonlySet<string>> {
  let newest: Generation | undefined;
  for (const { destination, sizes } of all) {
    const numbers = [...sizes.keys()].flatMap((key) => {
      const parsed = parseKey(key);
      return parsed?.type === 'generation' ? [parsed.generation] : [];
    });
    const number = Math.max(0, ...numbers);
    if (number <= (newest?.generation ?? 0)) continue;
    const generation = await destination.get(generationKey(number)).then(decodeGeneration, () => undefined);
    if (generation?.vault === vault) newest = generation;
  }
  return new Set(newest?.tombstones);
}
