import { execFile, execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { exfatDisk } from '../support/exfat-disk.ts';
import { bin, lifeboat, project } from './lifeboat.ts';

const daily = ['--identity', 'lifeboat-keys/daily.txt'];
const seconds = 300_000;
const isRoot = process.getuid?.() === 0;

interface Report {
  readonly files: number;
  readonly problems: ReadonlyArray<{ readonly code: string; readonly message: string }>;
}

/** A project of uploads alone, backed up. */
async function backedUp(fill: (put: (name: string | Buffer, bytes: string | Buffer) => void, at: string) => void) {
  const folder = await project();
  const at = join(folder, 'data/uploads');
  fs.rmSync(join(folder, 'data/app.db'));
  fill((name, bytes) => {
    const file = Buffer.concat([Buffer.from(`${at}/`), Buffer.from(name)]);
    fs.mkdirSync(file.subarray(0, file.lastIndexOf('/')), { recursive: true });
    fs.writeFileSync(file, bytes);
  }, at);
  for (const command of ['init', 'backup']) {
    const ran = await lifeboat(folder, [command]);
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
  }
  return { folder };
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describe.runIf(isRoot)('what a file system does not take', () => {
  test(
    'files/08: ends one entry, named, not the restore; names that are one there overwrite nothing; links become files',
    async () => {
      const [upper, lower] = [randomBytes(20 << 20), randomBytes(20 << 20)];
      const { folder } = await backedUp((put, root) => {
        put('BIG', upper);
        put('big', lower);
        put('README', 'upper');
        put('Readme', 'lower');
        put('Docs/one', '1');
        put('docs/two', '2');
        put('what?/deep/inside', 'x');
        put(Buffer.from('names/\xff\xfe', 'latin1'), 'bytes');
        put('names/good', 'good');
        put('links/a|first', 'three names');
        fs.linkSync(join(root, 'links/a|first'), join(root, 'links/second'));
        fs.linkSync(join(root, 'links/a|first'), join(root, 'links/third'));
        fs.symlinkSync('second', join(root, 'links/soft'));
        execFileSync('mkfifo', [join(root, 'links/fifo')]);
      });
      const disk = await exfatDisk(128);
      const into = join(disk, 'back');
      const ran = await lifeboat(folder, ['restore', 'uploads', '--into', into, '--json', ...daily]);
      expect(ran.code, ran.stdout + ran.stderr).toBe(1);
      const { problems } = JSON.parse(ran.stdout) as Report;
      const refused = problems.filter(({ code }) => code === 'entry-not-restored').map(({ message }) => message);
      expect(refused.map((message) => message.split(' was not ')[0])).toEqual(
        expect.arrayContaining([
          'Readme',
          'big',
          'docs',
          'docs/two',
          'what?',
          'names/\\xff\\xfe',
          'links/a|first',
          'links/soft',
        ]),
      );
      expect(refused).toContain('big was not restored: another name in its folder counts as the same here (EEXIST).');
      expect(problems.map(({ code }) => code)).toEqual(
        expect.arrayContaining(['hardlink-copied', 'special-file-skipped']),
      );
      expect(sha256(fs.readFileSync(join(into, 'BIG')))).toBe(sha256(upper));
      const texts = { README: 'upper', 'Docs/one': '1', 'names/good': 'good', a: 'hello' };
      for (const [name, text] of Object.entries({
        ...texts,
        'links/second': 'three names',
        'links/third': 'three names',
      })) {
        expect(fs.readFileSync(join(into, name === 'a' ? 'a.txt' : name), 'utf8')).toBe(text);
      }
      const all = fs.readdirSync(into, { recursive: true, encoding: 'utf8' }).sort();
      expect(all).toEqual(
        [
          'BIG',
          'Docs',
          'Docs/one',
          'README',
          'a.txt',
          'links',
          'links/second',
          'links/third',
          'names',
          'names/good',
        ].sort(),
      );
      expect(fs.readdirSync(disk)).toEqual(['back']);

      // In words, with what stays missing below; chosen paths that cannot be there take nothing's place.
      const chosen = await lifeboat(folder, [
        'restore',
        'uploads',
        'Readme',
        'names',
        '--into',
        into,
        '--force',
        ...daily,
      ]);
      expect(chosen.code, chosen.stdout + chosen.stderr).toBe(1);
      expect(chosen.stdout + chosen.stderr).toContain('is back at');
      expect(fs.readFileSync(join(into, 'names/good'), 'utf8')).toBe('good');
      expect(fs.readFileSync(join(into, 'README'), 'utf8')).toBe('upper');
      const onlyBad = await lifeboat(folder, [
        'restore',
        'uploads',
        'links/soft',
        '--into',
        join(disk, 'none'),
        ...daily,
      ]);
      expect(onlyBad.code).toBe(2);
      expect(onlyBad.stderr).toContain('links/soft was not restored');
      expect(fs.readdirSync(disk)).toEqual(['back']);
    },
    seconds,
  );
});

test(
  'files/08: files beyond the limit of the account are named, nothing of them is left, and everything else is back',
  async () => {
    const { folder } = await backedUp((put) => {
      put('small', 'small');
      put('one pack', randomBytes(9 << 20));
      put('many packs', randomBytes(40 << 20));
      put('zeros', '');
    });
    fs.truncateSync(join(folder, 'data/uploads/zeros'), 12 << 20);
    expect((await lifeboat(folder, ['backup'])).code).toBe(0);
    const script = `ulimit -f 16384; exec "${bin}" restore uploads --into ./back --json ${daily.join(' ')}`;
    const ran = await new Promise<{ code: number; stdout: string }>((done) => {
      const { PATH = '', HOME = folder } = process.env;
      const env = { PATH, HOME, LIFEBOAT_STATE_DIR: join(folder, 'state') };
      execFile('sh', ['-c', script], { cwd: folder, env }, (error, stdout) =>
        done({ code: error ? Number(error.code) : 0, stdout }),
      );
    });
    expect(ran.code, ran.stdout).toBe(1);
    const { problems } = JSON.parse(ran.stdout) as Report;
    expect(problems.map(({ message }) => message).sort()).toEqual(
      ['many packs', 'one pack', 'zeros'].map(
        (name) => `${name} was not restored: it is larger than a file may be here (EFBIG).`,
      ),
    );
    expect(fs.readdirSync(join(folder, 'back')).sort()).toEqual(['a.txt', 'small']);
  },
  seconds,
);
