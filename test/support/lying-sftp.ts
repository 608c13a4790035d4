import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import ssh2, { type Attributes, type Connection, type FileEntry, type SFTPWrapper } from 'ssh2';
import type { SftpOptions } from '../../src/destinations/options.ts';

const { STATUS_CODE } = ssh2.utils.sftp;

export type Verb = 'OPEN' | 'CLOSE' | 'READ' | 'STAT' | 'LSTAT' | 'OPENDIR' | 'READDIR' | 'REMOVE' | 'MKDIR';

export interface Asked {
  readonly verb: Verb;
  /** The number that the answer must bear. */
  readonly id: number;
  /** Of a read and of a page of names: which the handle was opened for. */
  readonly path: string;
  /** In a read. */
  readonly offset: number;
  readonly length: number;
}

/** @returns whether it answered; or left it without an answer on purpose */
export type SftpLie = (asked: Asked, sftp: SFTPWrapper) => boolean;

export interface LyingSftp extends AsyncDisposable {
  /** How to sign in to its folder `/vault`. */
  readonly options: SftpOptions & { readonly name: string };
  /** What is true, by key. */
  readonly files: Map<string, Buffer>;
  /** What was asked about so far. */
  readonly asked: Asked[];
  /** From now on, in place of the lie before; without one it tells the truth. */
  tell(lie?: SftpLie): void;
}

const root = '/vault';
const modes = { file: 0o100400, folder: 0o40700, link: 0o120777 } as const;
const storedSeconds = 1_700_000_000;

export function attributes(kind: keyof typeof modes, size: number): Attributes {
  return { mode: modes[kind], size, uid: 0, gid: 0, atime: storedSeconds, mtime: storedSeconds };
}

export function named(filename: string, attrs: Attributes): FileEntry {
  return { filename, longname: filename, attrs };
}

/** An SSH server with a few files, that answers any request otherwise when it is told to. */
export async function lyingSftp(): Promise<LyingSftp> {
  const keys = ssh2.utils.generateKeyPairSync('ed25519');
  const files = new Map<string, Buffer>();
  const asked: Asked[] = [];
  const clients = new Set<Connection>();
  let lie: SftpLie | undefined;
  const server = new ssh2.Server({ hostKeys: [keys.private] }, (client) => {
    clients.add(client);
    client.on('error', () => {}).on('close', () => clients.delete(client));
    client.on('authentication', (context) =>
      context.method === 'password' ? context.accept() : context.reject(['password']),
    );
    client.on('session', (accept) => accept().on('sftp', (open) => serve(open())));
  });

  function serve(sftp: SFTPWrapper): void {
    const handles = new Map<string, { readonly path: string; isRead: boolean }>();
    const at = (handle: Buffer) => handles.get(handle.toString())?.path ?? '';
    const open = (id: number, path: string) => {
      const handle = `${handles.size}`;
      handles.set(handle, { path, isRead: false });
      sftp.handle(id, Buffer.from(handle));
    };
    const meet = (about: Pick<Asked, 'verb' | 'id' | 'path'> & Partial<Asked>, truth: () => void) => {
      const one = { offset: 0, length: 0, ...about };
      asked.push(one);
      if (lie?.(one, sftp) !== true) truth();
    };
    const no = (id: number) => sftp.status(id, STATUS_CODE.NO_SUCH_FILE);
    for (const verb of ['STAT', 'LSTAT'] as const) {
      sftp.on(verb, (id: number, path: string) =>
        meet({ verb, id, path }, () => {
          const found = attributesOf(path);
          if (found === undefined) no(id);
          else sftp.attrs(id, found);
        }),
      );
    }
    sftp.on('OPEN', (id, path) => meet({ verb: 'OPEN', id, path }, () => (fileAt(path) ? open(id, path) : no(id))));
    sftp.on('OPENDIR', (id, path) =>
      meet({ verb: 'OPENDIR', id, path }, () => (namesIn(path).length > 0 ? open(id, path) : no(id))),
    );
    sftp.on('READ', (id, handle, offset, length) =>
      meet({ verb: 'READ', id, path: at(handle), offset, length }, () => {
        const bytes = fileAt(at(handle))?.subarray(offset, offset + length);
        if (bytes === undefined || bytes.length === 0) sftp.status(id, STATUS_CODE.EOF);
        else sftp.data(id, bytes);
      }),
    );
    sftp.on('READDIR', (id, handle) =>
      meet({ verb: 'READDIR', id, path: at(handle) }, () => {
        const opened = handles.get(handle.toString());
        if (opened === undefined || opened.isRead) return sftp.status(id, STATUS_CODE.EOF);
        opened.isRead = true;
        sftp.name(
          id,
          namesIn(opened.path).map((name) => named(name, attributesOf(`${opened.path}/${name}`)!)),
        );
      }),
    );
    sftp.on('CLOSE', (id, handle) =>
      meet({ verb: 'CLOSE', id, path: at(handle) }, () => sftp.status(id, STATUS_CODE.OK)),
    );
    sftp.on('MKDIR', (id, path) => meet({ verb: 'MKDIR', id, path }, () => sftp.status(id, STATUS_CODE.FAILURE)));
    sftp.on('REMOVE', (id, path) =>
      meet({ verb: 'REMOVE', id, path }, () => {
        if (files.delete(path.slice(root.length + 1))) sftp.status(id, STATUS_CODE.OK);
        else no(id);
      }),
    );
  }

  const fileAt = (path: string) => files.get(path.slice(root.length + 1));

  function namesIn(folder: string): string[] {
    const below = [...files.keys(), '.incoming/.'].map((key) => `${root}/${key}`);
    const inside = below.filter((path) => path.startsWith(`${folder}/`));
    return [...new Set(inside.map((path) => path.slice(folder.length + 1).split('/')[0]!))];
  }

  function attributesOf(path: string): Attributes | undefined {
    const file = fileAt(path);
    if (file !== undefined) return attributes('file', file.length);
    return namesIn(path).length > 0 ? attributes('folder', 4096) : undefined;
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    options: {
      ...{ name: 'box', type: 'sftp', host: '127.0.0.1', user: 'backup', password: 'of a test', agent: false },
      port: (server.address() as AddressInfo).port,
      path: root,
      hostKeys: [keys.public],
    },
    files,
    asked,
    tell: (told) => {
      lie = told;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      for (const client of clients) client.end();
      await once(server, 'close');
    },
  };
}
