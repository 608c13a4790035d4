import type { Socket } from 'node:net';
import type { Client, SFTPWrapper, Stats } from 'ssh2';
import { type Fits, isCountUpTo, isDone, isHandle, isPage, isStats, isStatvfs } from './answers.ts';
import { ConnectionLost, Refusal } from './failure.ts';
import { pieceTurns, type Turns } from './pieces.ts';

export type Handle = Buffer;

/** A name in a folder. `attrs` describes a symbolic link, not what it leads to. */
export interface FolderEntry {
  readonly filename: string;
  readonly attrs: Stats;
}

/** State of the file system that a path lies on. */
export interface Disk {
  readonly freeBytes: number;
  readonly freeFiles: number | undefined;
  readonly readOnly: boolean;
}

/**
 * One connection with SFTP on it. Every request rejects with a `Refusal` when the server says no, and with `ConnectionLost`
 * when no answer comes. What the server does not offer is absent.
 */
export interface Session {
  readonly alive: boolean;
  /** The largest piece of a file that one request may carry. */
  readonly readBytes: number;
  readonly writeBytes: number;
  /** For pieces of files, in both directions. */
  readonly inTurn: Turns;
  openToRead(path: string): Promise<Handle>;
  /** Makes a file that nobody may write to afterwards; fails when there is one. */
  create(path: string): Promise<Handle>;
  close(handle: Handle): Promise<void>;
  /** Fills `length` bytes of `into` from `at`; gives how many there were, 0 at the end of the file. */
  read(handle: Handle, into: Buffer, at: number, length: number, position: number): Promise<number>;
  write(handle: Handle, bytes: Buffer, position: number): Promise<void>;
  stat(path: string): Promise<Stats>;
  lstat(path: string): Promise<Stats>;
  openFolder(path: string): Promise<Handle>;
  /** Undefined when there are no more. */
  readFolder(handle: Handle): Promise<FolderEntry[] | undefined>;
  makeFolder(path: string): Promise<void>;
  remove(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Gives a file a second name; fails when that is taken. */
  readonly link?: (from: string, to: string) => Promise<void>;
  readonly fsync?: (handle: Handle) => Promise<void>;
  readonly statvfs?: (path: string) => Promise<Disk>;
  /** Gives the connection up; whatever still waits is lost. */
  abandon(why: string): void;
}

export interface SessionTimes {
  /** From the first packet to the end of signing in. */
  readonly connectMs: number;
  /** While something was asked, at least one answer comes within this time. */
  readonly answerMs: number;
  /** A connection that nobody uses for so long is closed. */
  readonly idleMs: number;
}

/** What ssh2 knows and does not tell: the extensions that the server named, and the sizes that it takes. */
interface Untold {
  readonly _extensions?: Readonly<Record<string, string>>;
  readonly _maxReadLen?: number;
  readonly _maxWriteLen?: number;
}

const endOfFile = 1;
/** What every server takes. */
const usualPieceBytes = 32 << 10;

/** What a server says it takes, within reason: pieces of a byte each would fill our memory with requests. */
function pieceOf(saidBytes: number | undefined): number {
  if (saidBytes === undefined || !Number.isSafeInteger(saidBytes)) return usualPieceBytes;
  return Math.min(Math.max(saidBytes, 4 << 10), 256 << 10);
}

type Done<T> = (error?: Error | null, value?: T) => void;

/**
 * Takes over a client that is signed in. The connection keeps this process alive only while an answer is awaited: a
 * destination is never closed, and nothing may hang at the end because of it.
 */
export function sessionOver(client: Client, socket: Socket, sftp: SFTPWrapper, times: SessionTimes): Session {
  const untold = sftp as unknown as Untold;
  const { _extensions: extensions = {} } = untold;
  const readBytes = pieceOf(untold._maxReadLen);
  const writeBytes = pieceOf(untold._maxWriteLen);
  const waiting = new Set<(error: Error) => void>();
  let lost: ConnectionLost | undefined;
  let stalled: NodeJS.Timeout | undefined;
  let idle: NodeJS.Timeout | undefined;

  const fail = (why: string) => {
    lost ??= new ConnectionLost(why);
    clearTimeout(stalled);
    clearTimeout(idle);
    for (const reject of waiting) reject(lost);
    waiting.clear();
    socket.destroy();
  };
  for (const event of ['close', 'end']) sftp.on(event, () => fail('the connection was closed'));
  sftp.on('error', (error: Error) => fail(`what it sends is not SFTP (${error.message})`));
  client.on('close', () => fail('the connection was lost'));
  client.on('error', (error) => fail(`the connection was lost (${error.message})`));

  const rest = () => {
    clearTimeout(stalled);
    socket.unref();
    idle = setTimeout(() => fail('it was idle'), times.idleMs).unref();
  };
  rest();

  function ask<T>(request: string, fits: Fits<T>, send: (done: Done<unknown>) => void): Promise<T> {
    if (lost !== undefined) return Promise.reject(lost);
    return new Promise<T>((resolve, reject) => {
      if (waiting.size === 0) {
        clearTimeout(idle);
        socket.ref();
        const why = `the server gave no answer for ${times.answerMs / 1000} s`;
        stalled = setTimeout(() => fail(why), times.answerMs);
      }
      waiting.add(reject);
      send((error, value) => {
        if (!waiting.delete(reject)) return;
        if (waiting.size === 0) rest();
        else stalled?.refresh();
        if (!error && fits(value)) resolve(value);
        else if (!error) {
          fail(`the server's answer is none to what was asked (${request})`);
          reject(lost);
        } else if ('code' in error && typeof error.code === 'number') {
          reject(new Refusal(request, error.code, error.message));
        } else reject(new ConnectionLost('the connection was lost'));
      });
    });
  }

  return {
    get alive() {
      return lost === undefined;
    },
    readBytes,
    writeBytes,
    inTurn: pieceTurns(Math.min(readBytes, writeBytes)),
    openToRead: (path) => ask('read', isHandle, (done) => sftp.open(path, 'r', done)),
    create: (path) => ask('make a file', isHandle, (done) => sftp.open(path, 'wx', 0o400, done)),
    close: (handle) => ask('close a file', isDone, (done) => sftp.close(handle, done)),
    read: (handle, into, at, length, position) =>
      ask('read', isCountUpTo(length), (done) => sftp.read(handle, into, at, length, position, done)),
    async write(handle, bytes, position) {
      // The client counts what it sent; the server says done or not.
      await ask('write', isCountUpTo(bytes.length), (done) =>
        sftp.write(handle, bytes, 0, bytes.length, position, done),
      );
    },
    stat: (path) => ask('look at a file', isStats, (done) => sftp.stat(path, done)),
    lstat: (path) => ask('look at a file', isStats, (done) => sftp.lstat(path, done)),
    openFolder: (path) => ask('list a folder', isHandle, (done) => sftp.opendir(path, done)),
    readFolder: (handle) =>
      ask('list a folder', isPage, (done) => {
        // By handle, which the types do not know: by path it would take the whole folder into memory.
        (sftp as unknown as { readdir(handle: Handle, done: Done<unknown>): void }).readdir(handle, done);
      }).catch((error: unknown) => {
        if (error instanceof Refusal && error.status === endOfFile) return undefined;
        throw error;
      }),
    makeFolder: (path) => ask('make a folder', isDone, (done) => sftp.mkdir(path, { mode: 0o700 }, done)),
    remove: (path) => ask('remove a file', isDone, (done) => sftp.unlink(path, done)),
    rename: (from, to) => ask('rename a file', isDone, (done) => sftp.rename(from, to, done)),
    ...(extensions['hardlink@openssh.com'] === '1' && {
      link: (from: string, to: string) =>
        ask('link a file', isDone, (done) => sftp.ext_openssh_hardlink(from, to, done)),
    }),
    ...(extensions['fsync@openssh.com'] === '1' && {
      fsync: (handle: Handle) =>
        ask('have a file written to the disk', isDone, (done) => sftp.ext_openssh_fsync(handle, done)),
    }),
    ...(extensions['statvfs@openssh.com'] === '2' && {
      statvfs: async (path: string) =>
        diskOf(await ask('look at the disk', isStatvfs, (done) => sftp.ext_openssh_statvfs(path, done))),
    }),
    abandon: fail,
  };
}

export interface Statvfs {
  readonly f_frsize: number;
  readonly f_bavail: number;
  readonly f_files: number;
  readonly f_favail: number;
  readonly f_flag: number;
}

function diskOf({ f_frsize, f_bavail, f_files, f_favail, f_flag }: Statvfs): Disk {
  return {
    freeBytes: f_frsize * f_bavail,
    // Some file systems have no fixed number of files, and say 0 of 0.
    freeFiles: f_files === 0 ? undefined : f_favail,
    readOnly: (f_flag & 1) === 1,
  };
}
