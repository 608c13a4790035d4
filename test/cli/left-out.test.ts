import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { LeftOut } from '../../src/core/left-out.ts';
import { lifeboat, project } from './lifeboat.ts';

const daily = ['--identity', 'lifeboat-keys/daily.txt'];
const seconds = 300_000;

/** As in the case: a customer's files that look like rubbish to somebody who does not know them. */
async function uploads() {
  const folder = await project();
  const init = await lifeboat(folder, ['init']);
  expect(init.code, init.stderr).toBe(0);
  const file = join(folder, 'lifeboat.yaml');
  const yaml = readFileSync(file, 'utf8').split('\n');
  const configure = (more: string) => {
    const at = yaml.findIndex((line) => line.startsWith('datasets:'));
    const datasets = ['datasets:', `  uploads: { type: files, path: ./data/uploads, mayBeEmpty: a test${more} }`];
    const end = yaml.findIndex((line, index) => index > at && /^\S/.test(line));
    writeFileSync(file, [...yaml.slice(0, at), ...datasets, ...yaml.slice(end < 0 ? yaml.length : end)].join('\n'));
  };
  const put = (name: string, text: string) => {
    mkdirSync(join(folder, 'data/uploads', name, '..'), { recursive: true });
    writeFileSync(join(folder, 'data/uploads', name), text);
  };
  put('customer/CACHEDIR.TAG', 'Signature: 8a477f597d28d172789f06886806bc55\n');
  put('customer/letter.txt', 'letter');
  put('contract.tmp', 'signed');
  put('Thumbs.db', 'x');
  put('src/node_modules/own/index.js', 'own');
  const told = async (...args: string[]) => {
    const { code, stdout, stderr } = await lifeboat(folder, args);
    return { code, text: stdout + stderr, stdout };
  };
  const json = async <T>(...args: string[]) => JSON.parse((await told(...args, '--json')).stdout) as T;
  return { folder, configure, put, told, json };
}

interface Amounts {
  readonly leftOut: readonly LeftOut[];
}

test(
  'files/07: what customers upload is kept whatever its name; each rule says what it leaves out, everywhere and in the evidence',
  async () => {
    const { folder, configure, put, told, json } = await uploads();
    configure('');
    const first = await told('backup');
    expect(first.code, first.text).toBe(0);
    expect(first.text).not.toContain('left out');
    const files = (await told('list', 'uploads', '--files', ...daily)).text;
    for (const name of ['customer/letter.txt', 'contract.tmp', 'Thumbs.db', 'src/node_modules/own/index.js']) {
      expect(files).toContain(name);
    }

    configure(', exclude: { "*.tmp": made by the scanner, thumbs/: made again }, defaultExcludes: true');
    const second = await told('backup', 'uploads');
    expect(second.code, second.text).toBe(0);
    expect(second.text).toContain("uploads: left out by '*.tmp' (made by the scanner): 1 file, 6 B");
    expect(second.text).toContain("left out by 'thumbs/' (made again): nothing");
    expect(second.text).toContain("left out by 'Thumbs.db' (thumbnails of a file manager): 1 file, 1 B");
    expect(second.text).toContain("left out by 'CACHEDIR.TAG' (a program marked its folder as a cache): 1 file, 6 B");
    const listed = await told('list', 'uploads');
    expect(listed.text).toContain("left out of the newest by '*.tmp' (made by the scanner): 1 file, 6 B");

    const drill = await told('drill', ...daily);
    expect(drill.text).toContain("uploads is backed up without what is left out by 'CACHEDIR.TAG'");
    const evidence = await told('evidence', 'show', 'latest');
    expect(evidence.text).toMatch(/"leftOut": \{\s+"bytes": 16,\s+"files": 4,\s+"rules": 4\s+\}/);
    expect(evidence.text).not.toContain('.tmp');
    expect((await told('evidence', 'show', 'latest', ...daily)).text).toContain("left out by '*.tmp'");

    const shown = await json<{ datasets: { uploads: { leavesOut: LeftOut[] } } }>('config', 'show');
    const { leavesOut } = shown.datasets.uploads;
    expect(leavesOut).toContainEqual(expect.objectContaining({ rule: '*.tmp', by: 'exclude', files: 1, bytes: 6 }));
    // Also what never took anything is a rule.
    expect(leavesOut).toContainEqual({ rule: '.tox/', by: 'defaultExcludes', reason: 'build output' });

    for (let at = 0; at < 30; at++) put(`${at}.tmp`, 'y');
    const third = await json<{ backedUp: (Amounts & { problems: { code: string }[] })[] }>('backup', 'uploads');
    expect(third.backedUp[0]).toMatchObject({
      leftOut: expect.arrayContaining([expect.objectContaining({ rule: '*.tmp', files: 31, bytes: 36 })]),
      problems: [{ code: 'exclude-takes-more' }],
    });
    expect((await told('status')).text).toContain('exclude-takes-more');

    // On another machine the amounts are in the vault, for who has a key.
    for (const system of readdirSync(join(folder, 'state')))
      rmSync(join(folder, 'state', system, 'counts'), { recursive: true });
    const newestOf = async (...args: string[]) => {
      const { datasets } = await json<{ datasets: { dataset: string; restorePoints: Amounts[] }[] }>(
        'list',
        'uploads',
        ...args,
      );
      return datasets[0]!.restorePoints[0]!.leftOut;
    };
    expect(await newestOf()).toBe(null);
    expect(await newestOf(...daily)).toContainEqual(expect.objectContaining({ rule: '*.tmp', files: 31 }));
  },
  seconds,
);

test(
  'files/19: rules that leave nothing over end with exit code 1, also in the first backup',
  async () => {
    const { configure, told } = await uploads();
    configure(', exclude: { "*": all }');
    const { code, text } = await told('backup');
    expect(text).toContain('Everything in it is left out, by *.');
    expect(code).toBe(1);
  },
  seconds,
);
