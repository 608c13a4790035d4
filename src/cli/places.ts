import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { whyOf } from '../core/errors.ts';
import { placesUnclear } from './errors.ts';

/**
 * Where each dataset goes in place of where it was: words `dataset=target`, and a file of lines `dataset: target`, which no list of
 * processes shows. All of `datasets` or none: what is left out would go to where it was.
 * @throws `places-unclear`
 */
export function placesOf(
  words: readonly string[],
  file: string | undefined,
  datasets: readonly string[],
): ReadonlyMap<string, string> | undefined {
  if (words.length === 0 && file === undefined) return undefined;
  const places = new Map(file === undefined ? [] : Object.entries(placesIn(file)));
  for (const word of words) {
    const split = word.indexOf('=');
    if (split <= 0 || split === word.length - 1) throw placesUnclear({ why: `'${word}' is not DATASET=TARGET` });
    places.set(word.slice(0, split), word.slice(split + 1));
  }
  for (const name of places.keys()) {
    if (!datasets.includes(name)) throw placesUnclear({ why: `${name} is none of the datasets that come back` });
  }
  const missing = datasets.filter((name) => !places.has(name));
  if (missing.length > 0) throw placesUnclear({ why: `it is not said where to for ${missing.join(', ')}` });
  return places;
}

function placesIn(file: string): Record<string, string> {
  let found: unknown;
  try {
    found = parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw placesUnclear({ why: `${file} cannot be read: ${whyOf(error)}` }, { cause: error });
  }
  const isMap = typeof found === 'object' && found !== null && !Array.isArray(found);
  if (isMap && Object.values(found!).every((target) => typeof target === 'string' && target !== '')) {
    return found as Record<string, string>;
  }
  throw placesUnclear({ why: `${file} is no list of lines 'dataset: target'` });
}
