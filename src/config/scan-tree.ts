import { type Dirent, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { engines } from '../sources/registry.ts';

interface FoundFile {
  readonly path: string;
  readonly kind: string;
}

export interface Tree {
  /** Files that an engine knows by their first bytes, whatever their name. */
  readonly databases: readonly FoundFile[];
  readonly uploads: readonly string[];
  /** More entries than were looked at. */
  readonly cut: boolean;
}

const skipped = new Set(
  'node_modules .git .hg .svn vendor dist build target .next .nuxt .cache .venv venv __pycache__ tmp temp backups lifeboat-keys'.split(
    ' ',
  ),
);
const uploadNames = new Set(
  'uploads upload storage media attachments avatars user-files userfiles user_files'.split(' '),
);
/** Names that hold uploads in one application and a part of the program in another: only at the top, and by what is in them. */
const topNames = new Set('files images documents'.split(' '));
/** What a program is made of, and not what people upload. */
const code =
  /\.(erb|haml|slim|rb|py|php|phtml|twig|html?|css|s[ac]ss|less|[cm]?[jt]sx?|vue|svelte|go|java|kt|rs|ya?ml|json|po|pot|md|lock)$/i;
/** So many files below are looked at. */
const mostLooked = 200;
const maxDepth = 5;
const maxEntries = 50_000;

/** Breadth first, so that what lies near the top is seen before a huge folder uses up the look. Links are not followed. */
export function scanTree(root: string): Tree {
  const databases: FoundFile[] = [];
  const uploads: string[] = [];
  let entries = 0;
  let folders: { path: string; inUploads: boolean }[] = [{ path: '.', inUploads: false }];
  for (let depth = 0; depth < maxDepth && folders.length > 0; depth++) {
    const next: typeof folders = [];
    for (const { path: folder, inUploads } of folders) {
      for (const entry of list(join(root, folder))) {
        if (++entries > maxEntries) return { databases, uploads, cut: true };
        const path = `${folder}/${entry.name}`;
        if (entry.isDirectory() && !skipped.has(entry.name)) {
          const holdsUploads = isUploads(root, path, entry.name.toLowerCase());
          if (holdsUploads && !inUploads) uploads.push(path);
          next.push({ path, inUploads: inUploads || holdsUploads });
        } else if (entry.isFile()) {
          const engine = engines.find(({ recognises }) => recognises?.(join(root, path)));
          if (engine !== undefined) databases.push({ path, kind: engine.kind });
        }
      }
    }
    folders = next;
  }
  return { databases, uploads, cut: false };
}

function isUploads(root: string, path: string, name: string): boolean {
  const isTop = path.split('/').length === 2;
  if (!uploadNames.has(name) && !(isTop && topNames.has(name))) return false;
  const { files, ofCode } = lookInto(join(root, path));
  // An empty one of a name that tells waits for its first upload.
  if (files === 0) return uploadNames.has(name);
  return uploadNames.has(name) ? ofCode < files : ofCode === 0;
}

function lookInto(folder: string): { files: number; ofCode: number } {
  const counts = { files: 0, ofCode: 0 };
  const folders = [folder];
  for (let next = folders.shift(); next !== undefined && counts.files < mostLooked; next = folders.shift()) {
    for (const entry of list(next).slice(0, mostLooked)) {
      if (entry.isDirectory()) {
        if (folders.length < mostLooked) folders.push(join(next, entry.name));
        continue;
      }
      // A file that holds a folder in a repository says nothing.
      if (!entry.isFile() || entry.name.startsWith('.')) continue;
      counts.files++;
      if (code.test(entry.name)) counts.ofCode++;
    }
  }
  return counts;
}

function list(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch {
    // A folder that this user may not enter holds nothing that this user's backup could read.
    return [];
  }
}
