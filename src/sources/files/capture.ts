import { lstatSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import type { Entry } from '../../core/entry.ts';
import type { LeftOut } from '../../core/left-out.ts';
import { type BytePath, pathFromText, showPath } from '../../core/paths.ts';
import type { Run } from '../../core/run.ts';
import { listedIds } from '../../metadata/acl.ts';
import { namesHere } from '../../metadata/owners.ts';
import { openXattrReader, type ReadXattrs, type XattrReader } from '../../metadata/read-xattrs.ts';
import { onDisk } from '../file-system.ts';
import type { Capture } from '../source.ts';
import { entryOf } from './entry-of.ts';
import { compileExcludes } from './excludes.ts';
import { type CaptureRule, startLeftOut } from './left-out.ts';
import { expectedMounts, mountPoints } from './mounts.ts';
import { startNamesChecksum } from './names-checksum.ts';
import { type Link, leadsOut } from './outward-links.ts';
import { startProblems } from './problems.ts';
import { settle } from './settled.ts';
import { type MutableEntry, type WalkEvents, walk } from './walk.ts';

export interface CaptureOptions {
  /** As configured, for the facts. */
  readonly path: string;
  /** The folder, absolute, with no symbolic link in it. For a single file, the folder that it is in. */
  readonly root: BytePath;
  /** The single file's name. */
  readonly only?: BytePath;
  /** Of several places, their paths in the folder. */
  readonly places?: readonly BytePath[];
  /** What other datasets bring back, absolute: a link to it leads to nothing that is missing. */
  readonly elsewhere: readonly string[];
  readonly rules: readonly CaptureRule[];
  readonly cacheFolders: boolean;
  readonly oneFileSystem: boolean;
  readonly xattrs: boolean;
  /** What each rule left out of the last restore point, where that is known. */
  readonly leftOutBefore?: readonly LeftOut[];
}

/** The metadata of the dataset's own folder, which is no entry. Numbers that JSON cannot hold are text. */
export interface RootFacts {
  readonly type: 'folder' | 'file';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: string;
  readonly xattrs?: Readonly<Record<string, string>>;
}

/** Entries whose attributes are looked at together: enough to be worth a process, little to hold. */
const XATTR_BATCH = 4096;
/** More owners than this are not named. */
const MAX_OWNERS = 10_000;

export async function captureFiles(options: CaptureOptions, run: Run): Promise<Capture> {
  const { path, root, only, places, rules } = options;
  const dataset = only === undefined ? root : `${root}/${only}`;
  const problems = startProblems();
  const leftOut = startLeftOut(rules);
  let vanished = 0;
  let captured = 0;
  const names = startNamesChecksum();
  const found = lstatSync(onDisk(dataset), { bigint: true });
  const readXattrs = options.xattrs ? await openXattrReader() : undefined;
  if (options.xattrs && readXattrs === undefined) {
    problems.add(
      'xattrs-not-captured',
      'ACLs and extended attributes were not backed up: perl is missing (apt-get install perl-base).',
    );
  }
  const owners = { uids: new Set<number>(), gids: new Set<number>() };
  const noteOwners = ({ uid, gid, xattrs }: Pick<Entry, 'uid' | 'gid' | 'xattrs'>) => {
    const listed = xattrs === undefined ? { uids: [], gids: [] } : listedIds(xattrs);
    for (const one of [uid, ...listed.uids]) if (owners.uids.size < MAX_OWNERS) owners.uids.add(one);
    for (const one of [gid, ...listed.gids]) if (owners.gids.size < MAX_OWNERS) owners.gids.add(one);
  };
  const noteUnread = ({ failed }: Pick<ReadXattrs, 'failed'>) => {
    for (const { path: file, name, code } of failed) {
      const what = name === '' ? 'The attributes' : `The attribute ${showPath(name)}`;
      const message = `${what} of ${showPath(file.slice(root.length + 1))} could not be read: ${code}.`;
      problems.add('xattrs-not-captured', message);
    }
  };
  const events: WalkEvents = {
    leftOut: leftOut.add,
    spelled: leftOut.spelled,
    vanished: () => void vanished++,
    problem: problems.add,
  };
  const own = places?.map((place) => `/${place}`) ?? [root, pathFromText(path)];
  const homes = [...own, ...options.elsewhere.map(pathFromText)];
  const noteLink = (link: Link) => {
    const target = leadsOut(root, link, homes);
    if (target === undefined) return;
    const message = `${showPath(link.path)} leads to ${showPath(target)}, which no dataset holds: what is there was not backed up.`;
    problems.add('link-leads-out', message);
  };
  const folders = places === undefined ? [root] : own;
  const settledUntil = await settle(folders, options.oneFileSystem, run.clock, run.signal);
  const mounts = new Set([...(await mountPoints())].map(pathFromText));
  if (!options.oneFileSystem && mounts.size > 0) {
    for (const one of await expectedMounts()) {
      const at = pathFromText(one);
      if (mounts.has(at) || !folders.some((folder) => at.startsWith(`${folder}/`)) || only !== undefined) continue;
      problems.add(
        'mount-missing',
        `${one} is not mounted, though /etc/fstab names it: what is on it was not backed up.`,
      );
    }
  }
  const within = only === undefined ? places : [only];
  const part = within === undefined ? {} : { within };
  const batches = () => walk({ ...options, ...part, excludes: compileExcludes(rules), mounts, settledUntil, events });

  async function* entries(): AsyncGenerator<Entry, void, undefined> {
    for await (const batch of readXattrs === undefined ? paced(batches()) : withXattrs(batches(), root, attributesOf)) {
      run.signal.throwIfAborted();
      for (const entry of batch) {
        noteOwners(entry);
        names.add(only === undefined ? entry : { type: 'file', path: '' });
        if (entry.type === 'symlink') noteLink(entry);
        yield entry;
      }
      captured += batch.length;
      run.progress({ label: 'entries', doneItems: captured });
    }
  }

  const attributesOf = async (paths: readonly BytePath[]) => {
    const read = await readXattrs!(paths, run.signal);
    noteUnread(read);
    return read;
  };
  const rootXattrs = readXattrs === undefined ? undefined : (await attributesOf([dataset])).found.get(dataset);
  return {
    entries: entries(),
    async finish(unread = []) {
      for (const file of unread) names.remove(only === undefined ? file : '');
      const { mode, uid, gid, mtimeNs } = entryOf('', found);
      const xattrs = rootXattrs;
      noteOwners({ uid, gid, ...(xattrs && { xattrs }) });
      const type = only === undefined ? 'folder' : 'file';
      const rootFacts: RootFacts = { type, mode, uid, gid, mtimeNs: String(mtimeNs), ...(xattrs && { xattrs }) };
      return {
        facts: {
          path,
          // Links may name the folder by the path that it really has.
          ...(root !== pathFromText(path) && only === undefined && { realPath: root }),
          root: rootFacts,
          ...(places && { places }),
          owners: await namesHere(owners),
          leftOut: leftOut.list(),
          vanished,
        },
        expectations: names.expectations(dataset),
        problems: [...problems.list(), ...leftOut.problems(options.leftOutBefore, captured)],
      };
    },
    async [Symbol.asyncDispose]() {
      // Nothing is held: the walk ends with its reader.
    },
  };
}

/** Gives way between batches, so that the threads that read the files are answered meanwhile. */
async function* paced(batches: Iterable<MutableEntry[]>): AsyncGenerator<MutableEntry[], void, undefined> {
  for (const batch of batches) {
    yield batch;
    await breathe();
  }
}

/** Adds the attributes. While those of one group of entries are read, the walk lists the next. */
async function* withXattrs(
  batches: Iterable<MutableEntry[]>,
  root: BytePath,
  read: XattrReader,
): AsyncGenerator<MutableEntry[], void, undefined> {
  const begin = (group: MutableEntry[]) => {
    const attributes = read(group.map((entry) => `${root}/${entry.path}`));
    // It is awaited one group later; a failure must wait for that without ending the process.
    attributes.catch(() => {});
    return { group, attributes };
  };
  // Where they are many, they come in several parts.
  async function* complete({ group, attributes }: ReturnType<typeof begin>) {
    let { found, done } = await attributes;
    for (let rest = group; ; ) {
      const part = rest.slice(0, done);
      for (const entry of part) {
        const xattrs = found.get(`${root}/${entry.path}`);
        if (xattrs !== undefined) entry.xattrs = xattrs;
      }
      yield part;
      rest = rest.slice(done);
      if (rest.length === 0) return;
      ({ found, done } = await begin(rest).attributes);
    }
  }

  let before: ReturnType<typeof begin> | undefined;
  let group: MutableEntry[] = [];
  for await (const batch of paced(batches)) {
    group.push(...batch);
    if (group.length < XATTR_BATCH) continue;
    const started = begin(group);
    group = [];
    if (before !== undefined) yield* complete(before);
    before = started;
  }
  const last = group.length > 0 ? begin(group) : undefined;
  if (before !== undefined) yield* complete(before);
  if (last !== undefined) yield* complete(last);
}
