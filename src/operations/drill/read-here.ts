import { isAccepted } from '../../core/accepted.ts';
import { isBelow } from '../../core/below.ts';
import { pathFromText, showPath } from '../../core/paths.ts';
import { countOf } from '../../core/size.ts';
import { pathsOf } from '../../sources/engines.ts';
import type { Drill } from './parts.ts';

/** Places that are named; further ones are only counted. */
const NAMED = 5;

/**
 * What the application read of this host that no dataset brings back: another host has it not. Its own folder is not told where somebody
 * said where its code comes from.
 */
export async function readHereSentence({ parts, sandbox }: Drill): Promise<string | undefined> {
  const { drill, datasets, accepted } = parts.system;
  const known = Object.values(datasets).flatMap(pathsOf);
  if (drill.app !== undefined && isAccepted(accepted, 'code-not-backed-up')) known.push(drill.app.directory);
  const files = (await sandbox.readHere()).filter((file) => !known.some((place) => isBelow(file, place)));
  if (files.length === 0 || isAccepted(accepted, 'read-from-this-host')) return undefined;
  const places = groupsOf(files, drill.app?.directory ?? '/');
  const named = [...places].slice(0, NAMED).map(([place, count]) => {
    const path = showPath(pathFromText(place));
    return count === undefined ? path : `${path} (${countOf(count, 'file')})`;
  });
  const more = places.size > NAMED ? ` and ${countOf(places.size - NAMED, 'more place', 'more places')}` : '';
  return `The application read what no backup holds: ${named.join(', ')}${more}. A new server has it not: make it a dataset, or accept read-from-this-host and say where it comes from.`;
}

/** Files by what they lie in: of the application's folder the folders in it, else their own. A single one by its name. */
function groupsOf(files: readonly string[], folder: string): Map<string, number | undefined> {
  const placed = new Map<string, string[]>();
  for (const file of files) {
    const inside = isBelow(file, folder) ? file.slice(folder.length).split('/') : undefined;
    const place =
      inside === undefined
        ? file.slice(0, file.lastIndexOf('/'))
        : inside.length <= 2
          ? file
          : `${folder}/${inside[1]}`;
    placed.set(place, [...(placed.get(place) ?? []), file]);
  }
  return new Map(
    [...placed].map(([place, within]) => (within.length === 1 ? [within[0]!, undefined] : [place, within.length])),
  );
}
