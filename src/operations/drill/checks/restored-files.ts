import { lstatSync, readdirSync, readlinkSync } from 'node:fs';
import type { BytePath } from '../../../core/paths.ts';
import { type Beneath, openBeneath } from '../../../sources/beneath.ts';
import { onDisk } from '../../../sources/file-system.ts';

/** The copy of a files dataset, and the absolute paths that it has in production: links and references may name it by them. */
export interface RestoredTree {
  readonly dataset: string;
  readonly copy: BytePath;
  readonly homes: readonly BytePath[];
}

export interface RestoredFiles extends Disposable {
  /** The dataset and the path in it, without links, that `path` of `dataset` leads to; or what is wrong with it. */
  find(dataset: string, path: BytePath): FoundFile | { readonly trouble: string };
  /** Every regular file of a dataset, no link followed. */
  list(dataset: string): Generator<BytePath>;
}

export interface FoundFile {
  readonly dataset: string;
  readonly path: BytePath;
  /** For one call; see `Beneath.place`. */
  readonly place: BytePath;
}

/** As many as Linux follows. */
const maxLinks = 40;

/**
 * Looks paths up in what a drill brought back, and nowhere else. A link is followed as it would be in production: to the copy
 * where its target came back, of this dataset or another, and out of the backup where it did not. It never reads production.
 */
export function openRestoredFiles(trees: readonly RestoredTree[]): RestoredFiles {
  const opened = new Map<string, Beneath>();
  const folderOf = (dataset: string): Beneath => {
    const tree = trees.find((one) => one.dataset === dataset);
    if (tree === undefined) throw new Error(`${dataset} did not come back`);
    const known = opened.get(dataset) ?? openBeneath(tree.copy);
    opened.set(dataset, known);
    return known;
  };
  const homes = trees.flatMap(({ dataset, homes }) => homes.map((home) => ({ dataset, names: namesOf(home) })));

  function find(dataset: string, path: BytePath): FoundFile | { readonly trouble: string } {
    const home = homes.find((one) => one.dataset === dataset)?.names ?? [];
    // Where we are, as names of production's absolute path.
    const at = [...home];
    // The names still to go, the next one last.
    const ahead = path.split('/').reverse();
    let links = 0;
    let lastLink = '';
    for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
      if (name === '' || name === '.') continue;
      if (name === '..') {
        at.pop();
        continue;
      }
      at.push(name);
      const here = inHome(homes, at);
      // Out of what came back nothing is looked at. A target may lead through there and back.
      if (here === undefined || here.path === '') continue;
      const folder = folderOf(here.dataset);
      const found = lstatSync(onDisk(folder.place(here.path)));
      if (!found.isSymbolicLink()) continue;
      if (++links > maxLinks) return { trouble: 'goes through links without end' };
      lastLink = here.path;
      const target = readlinkSync(onDisk(folder.place(here.path)), 'latin1');
      if (target.startsWith('/')) at.length = 0;
      else at.pop();
      ahead.push(...target.split('/').reverse());
    }
    const here = inHome(homes, at);
    if (here !== undefined) return { ...here, place: folderOf(here.dataset).place(here.path) };
    const which = lastLink === path ? 'it is a link' : `${lastLink} is a link`;
    return { trouble: `is in no backup: ${which} that leads out of the dataset, to /${at.join('/')}` };
  }

  function* list(dataset: string): Generator<BytePath> {
    const folders: BytePath[] = [''];
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      const place = folderOf(dataset).folder(folder);
      for (const entry of readdirSync(onDisk(place), { withFileTypes: true, encoding: 'latin1' })) {
        const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
        if (entry.isDirectory()) folders.push(path);
        else if (entry.isFile()) yield path;
      }
    }
  }

  return {
    find,
    list,
    [Symbol.dispose]() {
      for (const folder of opened.values()) folder[Symbol.dispose]();
    },
  };
}

interface Home {
  readonly dataset: string;
  readonly names: readonly BytePath[];
}

/** The dataset that has this path in production, the innermost first, and the path in it. */
function inHome(homes: readonly Home[], at: readonly BytePath[]): { dataset: string; path: BytePath } | undefined {
  let best: Home | undefined;
  for (const home of homes) {
    const isLonger = home.names.length > (best?.names.length ?? -1);
    if (isLonger && home.names.every((name, index) => at[index] === name)) best = home;
  }
  return best && { dataset: best.dataset, path: at.slice(best.names.length).join('/') };
}

function namesOf(path: BytePath): BytePath[] {
  return path.split('/').filter((name) => name !== '');
}
