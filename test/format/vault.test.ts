import { randomBytes } from 'node:crypto';
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { generateIdentity } from '../../src/vault/age/identity.ts';
import { lifeboat, project } from '../cli/lifeboat.ts';
import { buildVault, type NewPoint } from '../support/build-vault.ts';
import { temporaryFolder } from '../support/temp.ts';
import { objectsIn } from '../support/vault.ts';
import { ageKeys } from './age-keys.ts';
import { complaints, type Objects } from './vault-check.ts';

const secretsIn = (file: string) => readFileSync(file, 'utf8').match(/AGE-SECRET-KEY-1\w+/g) ?? [];
const fixture = join(import.meta.dirname, '../fixtures/vault-v1');

describe('a whole vault, read from the page alone', () => {
  test('the fixture says nothing against the page, and one object of each kind with a changed byte does', async () => {
    const keys = ageKeys(await temporaryFolder());
    const secrets = secretsIn(join(fixture, 'identity.txt'));
    const objects = objectsIn(join(fixture, 'vault'));
    expect(complaints(objects, secrets, keys)).toEqual([]);
    const kinds = Map.groupBy(objects, ([key]) => `${key.split('/')[0]} ${key.split('.').at(-1)}`);
    for (const [[key, bytes]] of kinds.values() as MapIterator<[[string, Buffer]]>) {
      const changed = Buffer.from(bytes);
      changed[bytes.length >> 1]! ^= 1;
      expect(complaints(new Map([...objects, [key, changed]]), secrets, keys), key).not.toEqual([]);
    }
  });

  test('nor does what the commands write in the life of a system: keys that change, prunes, drills, a second place', async () => {
    const folder = await project();
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await lifeboat(folder, args);
      expect(code, `${args.join(' ')}\n${stdout}${stderr}`).toBe(0);
      return stdout;
    };
    await run('init');
    const config = join(folder, 'lifeboat.yaml');
    const identity = ['--identity', 'lifeboat-keys/daily.txt'];
    for (const text of ['first', 'second', 'third']) {
      appendFileSync(join(folder, 'data/uploads/a.txt'), text);
      writeFileSync(join(folder, `data/uploads/${text} %\t\xff`), randomBytes(300_000));
      await run('backup');
    }
    await run('drill', ...identity);
    await run(
      'pin',
      (JSON.parse(await run('list', '--json')) as Listed).datasets[0]!.restorePoints[0]!.id,
      '--reason',
      'kept',
    );
    rmSync(join(folder, 'data/uploads/a.txt'));
    await run('keys', 'new', 'third.txt');
    const added = /age1\w+/.exec(readFileSync(join(folder, 'third.txt'), 'utf8'))![0];
    writeFileSync(
      config,
      readFileSync(config, 'utf8').replace(/recipients:\n/, (line) => `${line}    - ${added}\n`),
    );
    await run('backup');
    await run('keys', 'admit', ...identity);
    await run('prune');
    await run('verify', '--all', '--deep', ...identity);
    const objects = objectsIn(join(folder, 'backups'));
    const kinds = new Set([...objects.keys()].map((key) => key.split('/')[0]));
    expect([...kinds].sort()).toEqual(expect.arrayContaining(['gc', 'index', 'keys', 'ledger', 'lists', 'snapshots']));
    const secrets = secretsIn(join(folder, 'lifeboat-keys/daily.txt'));
    expect(complaints(objects, secrets, ageKeys(await temporaryFolder()))).toEqual([]);
  });
});

interface Listed {
  readonly datasets: ReadonlyArray<{ readonly restorePoints: ReadonlyArray<{ readonly id: string }> }>;
}

describe('what ties a restore point together is looked at', () => {
  const point: NewPoint = {
    dataset: 'uploads',
    kind: 'files',
    time: '2026-01-01T00:00:00.000Z',
    entries: [
      { type: 'folder', path: 'a', mode: 0o755, uid: 0, gid: 0, mtimeNs: 0n },
      { type: 'file', path: 'a/b', mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n, parts: [Buffer.from('hello')] },
    ],
  };

  async function complaintsOf(
    change: Partial<NewPoint>,
    alter = (objects: Objects): Objects => objects,
  ): Promise<string[]> {
    const { identity, recipient } = generateIdentity();
    const sizes = { chunkSize: 4096, frameSize: 16_384, packSize: 16_000 };
    const rescue = readFileSync(join(fixture, 'vault/rescue.sh'));
    const builder = buildVault({ recipients: [recipient], random: randomBytes, rescue, ...sizes });
    await builder.commit({ ...point, ...change });
    const objects = new Map([...builder.objects].map(([key, bytes]) => [key, Buffer.from(bytes)]));
    return complaints(alter(objects), [identity], ageKeys(await temporaryFolder()));
  }

  test('a sound one has no complaint', async () => {
    expect(await complaintsOf({})).toEqual([]);
  });

  test.each(['vault', 'system', 'dataset', 'kind', 'id', 'time', 'writer', 'previous'])(
    'the manifest’s %s',
    async (line) => {
      const others: Record<string, string> = {
        vault: '01KDVDNA00ABRSDN2EGKZNM9CY',
        id: '01KDVDNA00ABRSDN2EGKZNM9CY',
        time: '2026-01-01T00:00:00.001Z',
        writer: `${'A'.repeat(43)}=`,
        previous: 'a'.repeat(64),
      };
      const amendManifest = (text: string) =>
        text.replace(new RegExp(`^${line}\t.*$`, 'm'), `${line}\t${others[line] ?? 'other'}`);
      const [only, ...more] = await complaintsOf({ amendManifest });
      expect([only, more]).toEqual([expect.stringMatching(/^snapshots\/.*: its manifest/), []]);
    },
  );

  test.each([
    [
      'a chunk key of somebody else',
      { amendManifest: (text) => text.replace(/^chunk-key\t../m, 'chunk-key\tzz'.replace('zz', '00')) },
      /chunk/,
    ],
    [
      'a problem that the record does not count',
      { amendManifest: (text) => text.replace('problems\t[]', 'problems\t[{"code":"x","message":"y"}]') },
      /problems/,
    ],
    ['a size that its extents have not', { amendBody: (body) => body.replace('\t5\t', '\t6\t') }, /extents/],
    [
      'a hash of other bytes',
      { amendBody: (body) => body.replace(/[0-9a-f]{64}\t/, `${'0'.repeat(64)}\t`) },
      /another hash/,
    ],
    [
      'entries out of order',
      { amendBody: (body) => body.split('\n').slice(0, -1).reverse().concat('').join('\n') },
      /order/,
    ],
    ['a path that leads out', { amendBody: (body) => body.replace('\ta/b\t', '\ta/../../b\t') }, /path/],
    ['something within a file', { amendBody: (body) => body.replace('d\ta\t', 'p\ta\t') }, /no folder/],
    [
      'a pack that no list names',
      { amendBody: (body) => body.replace(/[0-9a-f]{64}:/, `${'0'.repeat(64)}:`) },
      /none of its lists/,
    ],
    [
      'another count of entries',
      { amendBody: (body) => `${body}p\tz\t600\t0\t0\t0.000000000\t-\t-\t-\t-\n` },
      /entries/,
    ],
  ] satisfies [string, Partial<NewPoint>, RegExp][])('%s', async (_, change, expected) => {
    expect(await complaintsOf(change)).toEqual([expect.stringMatching(expected)]);
  });

  test.each(['packs/', 'manifests/', 'lists/', 'keys/', 'vault.json', 'rescue.sh'])(
    'what is missing of %s',
    async (prefix) => {
      const without = (objects: Objects) =>
        new Map(
          [...objects].filter(([key]) => !key.startsWith(prefix) || key.endsWith('.json') !== prefix.endsWith('.json')),
        );
      expect(await complaintsOf({}, without)).not.toEqual([]);
    },
  );
});
