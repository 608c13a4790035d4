import { type Clock, systemClock } from '../../core/clock.ts';
import type { Destination } from '../destination.ts';
import { objectMissing } from '../errors.ts';
import { incomingName } from '../incoming.ts';
import { requireKey, requirePrefix } from '../key.ts';
import { type ListingBounds, listingGuard } from '../listing-bounds.ts';
import type { SftpOptions } from '../options.ts';
import { connect } from './connect.ts';
import { reconnecting, stoppable } from './connection.ts';
import { failureOf, isAbsence, Refusal } from './failure.ts';
import { flushFolder, folderOf, foldersBelow, makeFolder } from './folders.ts';
import { readKnownKeys } from './host-keys.ts';
import { putObject, type Writing } from './put.ts';
import {
  absenceOr,
  linkInstead,
  type Root,
  readObject,
  requirePresence,
  requireRealFolders,
  statOrAbsent,
} from './read.ts';
import type { Session, SessionTimes } from './session.ts';
import { signingIn } from './signing-in.ts';
import { walk } from './walk.ts';

export interface SftpParts {
  readonly clock?: Clock;
  readonly times?: Partial<SessionTimes>;
  readonly listing?: ListingBounds;
}

type Named = SftpOptions & { readonly name: string };

const usualTimes: SessionTimes = { connectMs: 15_000, answerMs: 30_000, idleMs: 60_000 };

/**
 * Makes the folder of a new destination, or takes an existing one, and opens it. Only this creates it: whoever merely opens a
 * destination must never fill the empty mount point of a disk that is not there.
 */
export async function createSftp(options: Named, parts: SftpParts = {}): Promise<Destination> {
  const server = await reach(options, parts);
  await server.use(async (session) => {
    await makeRoot(session, server.root, server.root.path);
    await makeFolder(session, server.root.at(incomingName), server.root);
    await flushFolder(session, server.root.path);
  });
  return openOn(server, parts);
}

/**
 * Opens a folder on an SSH server that is a destination.
 * @throws `destination-unreachable`, `destination-denied`, `host-key-unknown`, `host-key-changed`, `host-keys-unusable`,
 * `signing-in-impossible`
 */
export async function openSftp(options: Named, parts: SftpParts = {}): Promise<Destination> {
  return openOn(await reach(options, parts), parts);
}

interface Server {
  readonly root: Root;
  /** Whether the server can give a file a second name, which never replaces another. */
  readonly links: boolean;
  /** Does `work` on a connection that lives, and says what its failure means. */
  use<T>(work: (session: Session) => Promise<T>, signal?: AbortSignal): Promise<T>;
}

async function reach(options: Named, { times = {} }: SftpParts): Promise<Server> {
  const root = rootOf(options);
  const target = {
    options,
    place: root.place,
    known: await readKnownKeys(options),
    signIn: signingIn(options),
    times: { ...usualTimes, ...times },
  };
  const connection = reconnecting(() => connect(target));
  const use: Server['use'] = async (work, signal) => {
    let session: Session | undefined;
    try {
      session = await connection.session(signal);
      return await stoppable(session, work(session), signal);
    } catch (error) {
      throw await failureOf(error, root.place, { root: root.path, ...(session && { session }) });
    }
  };
  return { root, use, links: await use(async (session) => session.link !== undefined) };
}

function rootOf({ name, user, host, port, path }: Named): Root {
  const folder = path === '/' ? '' : path.replace(/\/+$/, '');
  const location = `sftp://${user}@${host}:${port}/${path.replace(/^\//, '')}`;
  return {
    path: folder || '/',
    place: { name, location },
    at: (key) => (key === '' ? folder || '/' : `${folder}/${key}`),
  };
}

async function makeRoot(session: Session, root: Root, path: string): Promise<void> {
  // Links above the folder, and the folder itself, are the user's own word.
  const found = await session.stat(path).catch(undefinedIfAbsent);
  if (found?.isDirectory()) return;
  const above = folderOf(path);
  if (above !== '') await makeRoot(session, root, above);
  await makeFolder(session, path, root);
  await flushFolder(session, above || (path.startsWith('/') ? '/' : '.'));
}

function undefinedIfAbsent(error: unknown): undefined {
  if (!isAbsence(error)) throw error;
}

async function openOn({ root, use, links }: Server, { clock = systemClock, listing }: SftpParts): Promise<Destination> {
  const { name, location } = root.place;
  const writing: Writing = { root, folders: foldersBelow(root), mayRemove: true, isClean: false, clock };
  await use((session) => requirePresence(session, root));

  return {
    name,
    location,
    type: 'sftp',
    capabilities: { conditionalCreate: links, checksums: false, objectLock: 'none', versions: false },

    async put(key, body, { signal } = {}) {
      requireKey(name, key);
      return use((session) => putObject(session, writing, key, { body, signal }), signal);
    },

    async get(key, range, options = {}) {
      requireKey(name, key);
      return use((session) => readObject(session, root, key, { ...options, range }), options.signal);
    },

    async stat(key) {
      requireKey(name, key);
      return use(async (session) => {
        await requireRealFolders(session, root, key);
        const found = await session.lstat(root.at(key)).catch(async (error: unknown) => {
          throw await absenceOr(session, root, key, error);
        });
        if (found.isSymbolicLink()) throw linkInstead(root, key);
        if (!found.isFile()) throw objectMissing({ destination: name, key });
        return { key, sizeBytes: found.size, modifiedMs: found.mtime * 1000 };
      });
    },

    async *list(prefix) {
      requirePrefix(name, prefix);
      // One connection for all of it: a listing that goes on after a loss could leave something out.
      const session = await use(async (opened) => {
        await requirePresence(opened, root);
        return opened;
      });
      const guard = listingGuard(root.place, prefix, listing);
      try {
        for await (const page of walk(session, root, guard, prefix.slice(0, -1))) yield* page;
        // A disk that went away meanwhile leaves a listing that merely looks complete.
        await requirePresence(session, root);
      } catch (error) {
        throw await failureOf(error, root.place, { session, root: root.path });
      }
    },

    async delete(key) {
      requireKey(name, key);
      await use(async (session) => {
        try {
          await requireRealFolders(session, root, key);
          await session.remove(root.at(key));
        } catch (error) {
          if (!(error instanceof Refusal)) throw error;
          // That it is a folder, or that this account may remove nothing at all, says nothing about whether it is there.
          const found = isAbsence(error) ? undefined : await statOrAbsent(session, root.at(key));
          if (found !== undefined && !found.isDirectory()) throw error;
          await requirePresence(session, root);
          return;
        }
        await flushFolder(session, root.at(folderOf(key)));
      });
    },

    async freeBytes() {
      return use(async (session) => {
        await requirePresence(session, root);
        return (await session.statvfs?.(root.path))?.freeBytes;
      });
    },
  };
}
