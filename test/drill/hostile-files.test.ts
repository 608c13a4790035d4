import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ReferencesCheck } from '../../src/config/system.ts';
import { checkReferences } from '../../src/operations/drill/checks/references.ts';
import type { Copy, Finding } from '../../src/operations/drill/parts.ts';
import { openBeneath, openRegular } from '../../src/sources/beneath.ts';
import { temporaryFolder } from '../support/temp.ts';
import { pdf, setStage } from './stage.ts';

const isRoot = process.getuid?.() === 0;

interface Files {
  /** Of this host, as production's own files are: the check must not see it. */
  readonly outside: string;
  /** The restored copy of the dataset `uploads`, /srv/app/uploads in production. */
  readonly uploads: string;
  /** That of `archive`, /srv/archive. */
  readonly archive: string;
}

async function restored(): Promise<Files> {
  const folder = await temporaryFolder();
  const files = {
    outside: join(folder, 'outside'),
    uploads: join(folder, 'uploads'),
    archive: join(folder, 'archive'),
  };
  for (const path of Object.values(files)) {
    mkdirSync(join(path, 'deep'), { recursive: true });
    for (const name of ['one.pdf', 'deep/two.pdf']) writeFileSync(join(path, name), pdf(1));
  }
  return files;
}

interface Asked extends Partial<ReferencesCheck> {
  readonly paths: readonly string[];
  readonly sha256?: string;
  readonly signal?: AbortSignal;
}

async function references(files: Files, { paths, sha256, signal, ...change }: Asked): Promise<Finding> {
  const file = join(await temporaryFolder(), 'db');
  using database = new DatabaseSync(file);
  database.exec('CREATE TABLE u (path TEXT, sha256 TEXT)');
  const insert = database.prepare('INSERT INTO u VALUES (?, ?)');
  for (const path of paths) insert.run(path, sha256 ?? null);
  const check = {
    type: 'references',
    id: 'r',
    in: 'uploads',
    from: { dataset: 'db', query: 'select * from u' },
    timeoutMs: 60_000,
    opens: true,
    mayBeEmpty: false,
    ...change,
  } as const;
  const trees = [
    { dataset: 'uploads', copy: files.uploads, homes: ['/srv/app/uploads', '/mnt/disk/uploads'] },
    { dataset: 'archive', copy: files.archive, homes: ['/srv/archive'] },
  ];
  const copy = { dataset: 'db', kind: 'sqlite', outside: file } as Copy;
  return checkReferences(check, copy, { trees, dataset: 'uploads' }, signal ?? new AbortController().signal);
}

describe('H7: what a row names is looked for in the copy, and nowhere else', () => {
  const links: Readonly<Record<string, (files: Files) => [target: string, path: string]>> = {
    'an absolute link to a folder': ({ outside }) => [outside, 'link/one.pdf'],
    'an absolute link to a file': ({ outside }) => [join(outside, 'one.pdf'), 'link'],
    'a link that climbs': () => ['../outside', 'link/deep/two.pdf'],
    'a link that climbs from within itself': () => ['deep/../../outside/deep', 'link/two.pdf'],
    'a link to the root': ({ outside }) => ['/', `link${outside}/one.pdf`],
    'a link into /proc': ({ outside }) => ['/proc/self/root', `link${outside}/one.pdf`],
    "a link to the checker's working folder": () => ['/proc/self/cwd', 'link/package.json'],
    'a link beside the folder, by a name that begins alike': () => ['../uploads-2', 'link/one.pdf'],
  };
  test.each(Object.entries(links))('%s leads out, and the file behind it is in no backup', async (_, make) => {
    const files = await restored();
    const [target, path] = make(files);
    mkdirSync(`${files.uploads}-2`);
    writeFileSync(`${files.uploads}-2/one.pdf`, pdf(1));
    symlinkSync(target, join(files.uploads, 'link'));
    const finding = await references(files, { paths: [path] });
    expect(finding).toMatchObject({ verdict: 'fail', looked: 1 });
    expect(finding.message).toMatch(/is in no backup: (it|link) is a link that leads out of the dataset, to \//);
  });

  test('a link of a link, deep down, leads out all the same', async () => {
    const files = await restored();
    symlinkSync('hop', join(files.uploads, 'deep', 'first'));
    symlinkSync('../deep/./last', join(files.uploads, 'deep', 'hop'));
    symlinkSync(files.outside, join(files.uploads, 'deep', 'last'));
    const finding = await references(files, { paths: ['deep/first/one.pdf'] });
    expect(finding.message).toContain('deep/last is a link that leads out of the dataset');
  });

  test('links between restored files are followed as production follows them', async () => {
    const files = await restored();
    const made = {
      relative: 'deep/two.pdf',
      absolute: '/srv/app/uploads/deep/two.pdf',
      'by the real path': '/mnt/disk/uploads/one.pdf',
      'out and back': '../uploads/one.pdf',
      'another dataset': '../../archive/deep',
      again: 'absolute',
    };
    for (const [name, target] of Object.entries(made)) symlinkSync(target, join(files.uploads, name));
    const paths = Object.keys(made).map((name) => (name === 'another dataset' ? `${name}/two.pdf` : name));
    const finding = await references(files, { paths });
    expect(finding.message).toContain('6 references exist and open.');
    expect(finding).toMatchObject({ verdict: 'pass', actual: '6 open, 0 files unreferenced' });
  });

  test('what is no file is never opened: fifos, sockets, devices, folders, rings of links', async () => {
    const files = await restored();
    execFileSync('mkfifo', [join(files.uploads, 'fifo'), join(files.outside, 'fifo')]);
    symlinkSync('fifo', join(files.uploads, 'to-fifo'));
    symlinkSync(join(files.outside, 'fifo'), join(files.uploads, 'to-outer-fifo'));
    symlinkSync('ring', join(files.uploads, 'ring'));
    const server = createServer().listen(join(files.uploads, 'socket'));
    onTestFinished(() => void server.close());
    if (isRoot) execFileSync('mknod', [join(files.uploads, 'device'), 'c', '1', '5']);
    const paths = ['fifo', 'to-fifo', 'to-outer-fifo', 'ring', 'socket', 'deep', ...(isRoot ? ['device'] : [])];
    for (const path of paths) {
      const finding = await references(files, { paths: [path] });
      expect(finding, path).toMatchObject({ verdict: 'fail', looked: 1 });
      expect(finding.message).toMatch(/is no file|is in no backup|goes through links without end/);
    }
  });

  test('a folder that is swapped for a link while it is looked at shows nothing of outside', async () => {
    const files = await restored();
    writeFileSync(join(files.outside, 'two.pdf'), pdf(99));
    const swapping = new Worker(
      `const { renameSync, symlinkSync } = require('node:fs');
       const { workerData: at } = require('node:worker_threads');
       symlinkSync(at + '/outside', at + '/link');
       for (;;) {
         renameSync(at + '/uploads/deep', at + '/kept'); renameSync(at + '/link', at + '/uploads/deep');
         renameSync(at + '/uploads/deep', at + '/link'); renameSync(at + '/kept', at + '/uploads/deep');
       }`,
      { eval: true, workerData: join(files.uploads, '..') },
    );
    const seen = { inside: 0, refused: 0 };
    try {
      // As long as it takes to have met both, often.
      while (seen.inside < 200 || seen.refused < 200) {
        using copy = openBeneath(files.uploads);
        try {
          const fd = openRegular(copy.place('deep/two.pdf'));
          if (fd === undefined) throw new Error('no file');
          expect(readFileSync(fd, 'utf8')).toBe(pdf(1));
          closeSync(fd);
          seen.inside++;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code === undefined) throw error;
          seen.refused++;
        }
      }
    } finally {
      await swapping.terminate();
    }
  });
});

describe('H7: looking at files ends when it should', () => {
  /** A file that takes hours to read and no room. */
  async function endless(): Promise<Files> {
    const files = await restored();
    writeFileSync(join(files.uploads, 'endless'), '');
    truncateSync(join(files.uploads, 'endless'), 2 ** 43);
    return files;
  }

  test('an interruption is heard while a file is read', async () => {
    const interrupted = new AbortController();
    const asked = references(await endless(), {
      paths: ['endless'],
      sha256: '0'.repeat(64),
      timeoutMs: 3_600_000,
      signal: interrupted.signal,
    });
    setTimeout(() => interrupted.abort(new Error('interrupted')), 300);
    await expect(asked).rejects.toThrow('interrupted');
  });

  test('what the time of the check is too short for is not known, and no fault; a fault that was found stays one', async () => {
    const files = await endless();
    const soundThenEndless = { sha256: '0'.repeat(64), opens: false, timeoutMs: 8000 };
    const some = Array.from({ length: 500 }, () => 'missing');
    const found = await references(files, { paths: [...some, 'endless'], ...soundThenEndless });
    expect(found).toMatchObject({ verdict: 'fail', looked: 500 });
    writeFileSync(join(files.uploads, 'sound'), '');
    const empty = createHash('sha256').update('').digest('hex');
    const sound = Array.from({ length: 500 }, () => 'sound');
    const unknown = await references(files, { paths: [...sound, 'endless'], ...soundThenEndless, sha256: empty });
    expect(unknown).toMatchObject({ verdict: 'error', looked: 500 });
    expect(unknown.message).toMatch(/^Its time of 8 s was over after 500 references, all of them sound/);
  });
});

describe('a drill', () => {
  const drill = `
  checks:
    uploads open: { type: references, from: { dataset: app-db, query: select path from uploads }, in: uploads }
`;

  test('H7: of uploads behind a link that leads out fails, and the backup has named the link', async () => {
    const folder = await temporaryFolder();
    await using stage = await setStage(folder, {
      drill,
      prepare() {
        const [uploads, elsewhere] = [join(folder, 'data', 'uploads'), join(folder, 'big')];
        mkdirSync(elsewhere);
        for (const at of [1, 2]) {
          rmSync(join(uploads, `${at}.pdf`));
          writeFileSync(join(elsewhere, `${at}.pdf`), pdf(at));
          symlinkSync(join(elsewhere, `${at}.pdf`), join(uploads, `${at}.pdf`));
        }
        symlinkSync('/usr/bin/env', join(uploads, 'a-program-of-the-system'));
        symlinkSync(join(folder, 'data', 'app.db'), join(uploads, 'of-another-dataset'));
        symlinkSync(join(uploads, '3.pdf'), join(uploads, 'inside'));
      },
    });
    const problems = await stage.backUp();
    expect(problems.map(({ code }) => code)).toEqual(['link-leads-out', 'link-leads-out']);
    expect(problems[0]?.message).toBe(
      `1.pdf leads to ${folder}/big/1.pdf, which no dataset holds: what is there was not backed up.`,
    );
    const { outcome } = await stage.drill({ namespaces: false });
    expect(outcome.verdict).toBe('failed');
    expect(outcome.why.join(' ')).toMatch(
      /uploads open: 2 of 20 references fail: 1\.pdf is in no backup: it is a link that leads out of the dataset/,
    );
  });

  test('H7: of a dataset with fifos, devices and sockets is proved: fifos come back, and nothing of it is opened', async () => {
    const folder = await temporaryFolder();
    const odd = Buffer.concat([Buffer.from(join(folder, 'data', 'uploads')), Buffer.from('/odd\n\xff', 'latin1')]);
    const server = createServer();
    onTestFinished(() => void server.close());
    await using stage = await setStage(folder, {
      drill,
      prepare() {
        const uploads = join(folder, 'data', 'uploads');
        execFileSync('mkfifo', [join(uploads, 'queue'), join(uploads, 'other')]);
        execFileSync('sh', ['-c', 'xargs -0 mkfifo'], { input: odd });
        chmodSync(join(uploads, 'queue'), 0o622);
        server.listen(join(uploads, 'socket'));
        if (isRoot) execFileSync('mknod', [join(uploads, 'device'), 'b', '7', '0']);
      },
    });
    await stage.backUp();
    const kinds: string[] = [];
    const { outcome } = await stage.drill({
      namespaces: false,
      restored(dataset, where) {
        if (dataset !== 'uploads') return;
        const { mode } = lstatSync(join(where, 'queue'));
        kinds.push(mode.toString(8));
      },
    });
    expect(kinds).toEqual(['10622']);
    expect(outcome.why).toEqual([]);
    expect(outcome.verdict).toBe('proved');
    const contents = outcome.checks.find(({ id }) => id === 'uploads/contents');
    expect(contents?.message).toContain(isRoot ? '1 device recorded and not made here' : 'as recorded');
  });

  test('H7: sees a copy whose folder became a link to the same files elsewhere', async () => {
    const folder = await temporaryFolder();
    await using stage = await setStage(folder, {
      drill,
      prepare() {
        mkdirSync(join(folder, 'data', 'uploads', 'more'));
        writeFileSync(join(folder, 'data', 'uploads', 'more', 'x'), 'x');
      },
    });
    await stage.backUp();
    const { outcome } = await stage.drill({
      namespaces: false,
      restored(dataset, where) {
        if (dataset !== 'uploads') return;
        rmSync(join(where, 'more'), { recursive: true });
        symlinkSync(join(folder, 'data', 'uploads', 'more'), join(where, 'more'));
        expect(readlinkSync(join(where, 'more'))).toContain(folder);
      },
    });
    const contents = outcome.checks.find(({ id }) => id === 'uploads/contents');
    expect(contents).toMatchObject({ verdict: 'fail' });
    expect(contents?.message).toBe('more is no folder, more/x is missing');
  });
});
