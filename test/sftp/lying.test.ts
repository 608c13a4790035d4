import ssh2, { type Attributes, type SFTPWrapper } from 'ssh2';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { LifeboatError } from '../../src/core/errors.ts';
import type { Destination } from '../../src/destinations/destination.ts';
import type { ListingBounds } from '../../src/destinations/listing-bounds.ts';
import { openSftp } from '../../src/destinations/sftp/destination.ts';
import { listAll } from '../suites/destination.suite.ts';
import { attributes, type LyingSftp, lyingSftp, named, type SftpLie, type Verb } from '../support/lying-sftp.ts';

const { STATUS_CODE } = ssh2.utils.sftp;
const record = 'snapshots/harbor/uploads/one';
const pack = 'packs/ab/cd.age';

let server: LyingSftp;
let box: Destination;
beforeAll(async () => {
  server = await lyingSftp();
  server.files.set('vault.json', Buffer.from('{}'));
  server.files.set(record, Buffer.from('a record'));
  server.files.set(pack, Buffer.alloc(300_000, 'sealed'));
  box = await openSftp(server.options);
});
afterAll(() => server?.[Symbol.asyncDispose]());
beforeEach(() => {
  server.tell();
  server.asked.length = 0;
});

const keysOf = async () => (await listAll(box)).map(({ key }) => key);
const unreachable = { code: 'destination-unreachable' };
const damaged = { code: 'object-damaged' };
/** Of one object, or of the folder of all; everything else is as it is. */
const about = (key: string, verbs: readonly Verb[], answer: (sftp: SFTPWrapper, id: number) => void): SftpLie => {
  return ({ verb, id, path }, sftp) => {
    if (path !== (key === '' ? '/vault' : `/vault/${key}`) || !verbs.includes(verb)) return false;
    answer(sftp, id);
    return true;
  };
};

function once(lie: SftpLie): SftpLie {
  let isTold = false;
  return (asked, sftp) => {
    if (isTold) return false;
    isTold = lie(asked, sftp);
    return isTold;
  };
}

async function expectWell(): Promise<void> {
  server.tell();
  expect(await keysOf()).toEqual([pack, record, 'vault.json']);
  expect(Buffer.compare(await box.get(pack), server.files.get(pack)!)).toBe(0);
}

test('M3: of a file whose size is a lie no more is taken than it can have, and what it lacks is damage', async () => {
  const says = (size: number) => about(pack, ['LSTAT'], (sftp, id) => sftp.attrs(id, attributes('file', size)));
  server.tell(says(300_001));
  await expect(box.get(pack)).rejects.toMatchObject({ ...damaged, message: expect.stringContaining('it ends after') });
  for (const size of [65 << 20, 2 ** 40, 2 ** 63]) {
    server.tell(says(size));
    await expect(box.get(pack)).rejects.toMatchObject({ ...damaged, message: expect.stringContaining('at most') });
    await expect(box.get(pack, { offset: 290_000, length: 20_000 })).rejects.toMatchObject(damaged);
  }
  server.tell(says(100));
  expect(await box.get(pack)).toHaveLength(100);
  await expect(box.get(pack, { offset: 90, length: 20 })).rejects.toMatchObject(damaged);
  await expectWell();
});

test('M3: a server that says nothing of size, kind or time is left out: nothing is reckoned with what is not known', async () => {
  const { mode, size, mtime, atime } = attributes('file', 8);
  const some: Partial<Attributes>[] = [{}, { mode }, { mode, size }, { mode, mtime, atime }, { size, mtime, atime }];
  for (const untold of some as Attributes[]) {
    server.tell(about(record, ['LSTAT'], (sftp, id) => sftp.attrs(id, untold)));
    await expect(box.stat(record)).rejects.toMatchObject(unreachable);
    await expect(box.get(record)).rejects.toMatchObject(unreachable);
    server.tell(
      once(about('snapshots/harbor/uploads', ['READDIR'], (sftp, id) => sftp.name(id, [named('one', untold)]))),
    );
    await expect(listAll(box, 'snapshots/')).rejects.toMatchObject(unreachable);
  }
  await expectWell();
});

test('M3: data past the end of what was asked for is not taken', async () => {
  const bytes = server.files.get(pack)!;
  server.tell(({ verb, id, offset, length }, sftp) => {
    if (verb !== 'READ') return false;
    const asked = bytes.subarray(offset, offset + length);
    sftp.data(id, Buffer.concat([asked, Buffer.alloc(1000, 'beyond')]));
    return true;
  });
  expect(Buffer.compare(await box.get(pack), bytes)).toBe(0);
  expect(Buffer.compare(await box.get(pack, { offset: 3, length: 5 }), bytes.subarray(3, 8))).toBe(0);
  await expectWell();
});

test('M3: who stops in the middle of a file, or answers what nobody asked, is given up', async () => {
  const hasty = await openSftp(server.options, { times: { answerMs: 500 } });
  const late = { ...unreachable, message: expect.stringContaining('no answer for 0.5 s') };
  server.tell(({ verb, offset }) => verb === 'READ' && offset > 100_000);
  await expect(hasty.get(pack)).rejects.toMatchObject(late);
  // Answers to what nobody asked are none.
  server.tell(({ verb }, sftp) => {
    for (let n = 0; n < 100; n++) sftp.status(4_000_000_000 + n, STATUS_CODE.OK);
    return verb === 'READ';
  });
  await expect(hasty.get(pack)).rejects.toMatchObject(late);
  await expectWell();
});

test('M3: who gives names without end is given up, and a name that comes again and again is one', async () => {
  const usual = { firstMs: 60_000, namesPerSecond: 100, folderMs: 2000, mostNames: 3000 };
  const of = (listing: ListingBounds) => openSftp(server.options, { listing });
  let count = 0;
  const pages = {
    'others again and again': () => Array.from({ length: 100 }, () => named(`e${count++}`, attributes('file', 1))),
    'one again and again': () => Array.from({ length: 100 }, () => named('e', attributes('file', 1))),
    'folders in folders': () => Array.from({ length: 100 }, () => named(`d${count++}`, attributes('folder', 1))),
    'none at all, and not the end either': () => [],
  };
  for (const [name, page] of Object.entries(pages)) {
    const lied = await of(page().length > 0 ? usual : { ...usual, firstMs: 200, folderMs: 0 });
    server.tell(({ verb, id, path }, sftp) => {
      if (verb === 'READDIR') sftp.name(id, page());
      else if (verb === 'OPENDIR') sftp.handle(id, Buffer.from('any'));
      else if (verb === 'LSTAT' && !path.endsWith('.incoming')) sftp.attrs(id, attributes('folder', 1));
      else return false;
      return true;
    });
    const listed: string[] = [];
    const listing = async () => {
      for await (const { key } of lied.list('ledger/')) listed.push(key);
    };
    await expect(listing(), name).rejects.toMatchObject({
      ...unreachable,
      message: expect.stringContaining('given up'),
    });
    expect(new Set(listed).size, name).toBe(listed.length);
  }
  await expectWell();
});

test('M3: names that lead elsewhere are no objects, and nothing outside is asked for', async () => {
  const names = ['..', '.', '', '../../etc/passwd', '/etc/passwd', 'a/b', 'a\0b', 'a\nb', '\x1b[2J', 'x'.repeat(300)];
  for (const kind of ['file', 'folder', 'link'] as const) {
    server.asked.length = 0;
    const entries = ['vault.json', ...names].map((name) => named(name, attributes(kind, 2)));
    server.tell(once(about('', ['READDIR'], (sftp, id) => sftp.name(id, entries))));
    expect(await keysOf(), kind).not.toContainEqual(expect.stringMatching(/\.\.|passwd|^a|^$|xxx/));
    for (const { path } of server.asked) expect(path).toMatch(/^(\/vault(\/[\w.-]+)*)?$/);
    for (const { path } of server.asked) expect(path).not.toMatch(/\.\.|passwd/);
  }
  await expectWell();
});

test('M3: what is a folder by one answer and a file by the next is no object, and holds nobody up', async () => {
  server.tell(about(record, ['LSTAT'], (sftp, id) => sftp.attrs(id, attributes('folder', 8))));
  await expect(box.get(record)).rejects.toMatchObject({ code: 'object-missing' });
  await expect(box.stat(record)).rejects.toMatchObject({ code: 'object-missing' });
  server.tell(about(record, ['LSTAT'], (sftp, id) => sftp.attrs(id, attributes('link', 8))));
  await expect(box.get(record)).rejects.toMatchObject(damaged);
  server.tell(about('snapshots', ['LSTAT'], (sftp, id) => sftp.attrs(id, attributes('file', 8))));
  expect(Buffer.from(await box.get(record)).toString()).toBe('a record');
  server.tell(about('snapshots', ['LSTAT'], (sftp, id) => sftp.attrs(id, attributes('link', 8))));
  await expect(box.get(record)).rejects.toMatchObject(damaged);
  const folder = 'snapshots/harbor/uploads';
  server.tell(once(about(folder, ['READDIR'], (sftp, id) => sftp.name(id, [named('one', attributes('folder', 8))]))));
  expect(await listAll(box, 'snapshots/')).toEqual([]);
  await expectWell();
});

/** Of every kind that the protocol has. */
const answers: Readonly<Record<string, (sftp: SFTPWrapper, id: number) => void>> = {
  done: (sftp, id) => sftp.status(id, STATUS_CODE.OK),
  'the end': (sftp, id) => sftp.status(id, STATUS_CODE.EOF),
  data: (sftp, id) => sftp.data(id, Buffer.alloc(3)),
  'a handle': (sftp, id) => sftp.handle(id, Buffer.from('h')),
  names: (sftp, id) => sftp.name(id, [named('n', attributes('file', 1))]),
  attributes: (sftp, id) => sftp.attrs(id, attributes('folder', 1)),
  'a length below nothing': (sftp) => sendRaw(sftp, Buffer.from([0x80, 0, 0, 0, 101, 0, 0, 0, 0])),
  'half a packet': (sftp, id) => sendRaw(sftp, Buffer.from([0, 0, 0, 6, 104, 0, 0, 0, id, 0xff])),
};

function sendRaw(sftp: SFTPWrapper, bytes: Buffer): void {
  const inside = sftp as unknown as {
    outgoing: { id: number };
    _protocol: { channelData(id: number, bytes: Buffer): void };
  };
  inside._protocol.channelData(inside.outgoing.id, bytes);
}

test('M3: an answer of another kind than what was asked for ends in an error of the destination, for every request', async () => {
  const get = () => box.get(record);
  const list = () => listAll(box, 'snapshots/');
  const asks: Partial<Record<Verb, readonly (() => Promise<unknown>)[]>> = {
    ...{ OPEN: [get], READ: [get], CLOSE: [get], OPENDIR: [list], READDIR: [list] },
    LSTAT: [get, () => box.stat(record), () => box.delete(record)],
    REMOVE: [() => box.delete('packs/none')],
  };
  for (const [lied, uses] of Object.entries(asks)) {
    for (const [name, answer] of Object.entries(answers)) {
      for (const use of uses) {
        // A listing that never ends is another promise.
        let left = 20;
        server.tell(({ verb, id }, sftp) => {
          if (verb !== lied || left-- <= 0) return false;
          answer(sftp, id);
          return true;
        });
        const failure = await use().then(
          () => undefined,
          (error: unknown) => error,
        );
        if (failure !== undefined) expect(failure, `${name} to ${lied}`).toBeInstanceOf(LifeboatError);
        server.files.set(record, Buffer.from('a record'));
      }
    }
  }
  await expectWell();
});
