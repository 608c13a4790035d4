import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { recordBytes, recordKey, type SnapshotRecord } from '../../src/vault/format/record.ts';
import { newSigningKey } from '../../src/vault/format/signing.ts';
import type { NewEntry } from '../support/build-vault.ts';
import { file, metadata, signed, stage } from './stage.ts';

describe('3.1: what nobody signed whose key counts', () => {
  /** Two restore points, and what somebody without keys of the host put beside them, dated later. */
  async function forged(forge: (newest: SnapshotRecord, own: ReturnType<typeof newSigningKey>) => SnapshotRecord) {
    const at = await stage();
    const commit = (day: number) =>
      at.builder.commit({
        ...{ dataset: 'd', kind: 'files', time: `2026-01-0${day}T00:00:00.000Z` },
        entries: [file('of', Buffer.from(`day ${day}`))],
      });
    const [old] = [await commit(2), await commit(3)];
    const own = newSigningKey();
    const record = forge({ ...old, time: '2026-01-09T00:00:00.000Z' }, own);
    at.save();
    fs.writeFileSync(join(at.vault, recordKey(record)), recordBytes(record));
    return { ...at, own, key: at.builder.signingKey.publicKey };
  }
  const restored = (at: { target: string }) => fs.readFileSync(join(at.target, 'of'), 'utf8');

  test('a record that was changed is passed over and named, and the true newest is restored', async () => {
    const at = await forged((record) => record);
    const run = at.restore('d');
    expect(run.stdout).toMatch(/Passed over: \S+20260109\S+: it is not signed by the writer that it names/);
    expect(run.stdout).toContain(`The record is signed by ${at.key}. Compare that`);
    expect([run.status, restored(at)]).toEqual([0, 'day 3']);
    expect(at.list().stdout).toMatch(/20260109T000000\.000Z .*IT IS NOT SIGNED BY/);
  });

  test('one by a key of their own: rescue.sh asks who is meant, and --writer takes no other', async () => {
    const at = await forged((record, { publicKey, privateKey }) =>
      signed({ ...record, writer: publicKey, id: '01KDZZZZZZZZZZZZZZZZZZZZZZ' }, privateKey),
    );
    const asked = at.restore('d');
    expect(asked.stderr).toMatch(
      /not all records of example\/d are signed by .*Name the writer that is yours with --writer/,
    );
    expect([asked.status, fs.readdirSync(at.target)]).toEqual([2, []]);
    const run = at.restore('d', at.target, '--writer', at.key);
    expect(run.stdout).toContain(`is signed by ${at.own.publicKey}`);
    expect([run.status, restored(at)]).toEqual([0, 'day 3']);
    const list = at.list('--writer', at.key).stdout;
    expect(list).not.toContain('20260109');
    expect(list).toContain(`Signed by ${at.key}: 2`);
  });

  test('without openssl it says that it did not look, and --writer is refused', async () => {
    const at = await forged((record) => record);
    at.without('openssl');
    expect(at.restore('d@2026-01-03').stdout).toContain('was not checked: openssl is missing');
    const refused = at.restore('d', join(at.folder, 'other'), '--writer', at.key);
    expect(refused).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('these programs are missing: openssl'),
    });
  });

  test.for([
    ['format', { format: 2 }],
    ['requires', { requires: ['trees'] }],
  ] as const)('shows none that needs something newer (%s) as an ordinary one', async ([, change]) => {
    const at = await stage();
    const record = await at.builder.commit({
      dataset: 'd',
      kind: 'files',
      time: '2026-01-02T00:00:00.000Z',
      entries: [],
    });
    at.save();
    const newer = signed({ ...record, ...change } as unknown as SnapshotRecord, at.builder.signingKey.privateKey);
    fs.writeFileSync(join(at.vault, recordKey(record)), recordBytes(newer));
    expect(at.list().stdout).toContain('NEEDS A NEWER RESCUE.SH');
    expect(at.restore('d')).toMatchObject({ status: 2, stderr: expect.stringContaining('needs a newer rescue.sh') });
  });
});

describe('what a list of files or a manifest may not say', () => {
  const entries = [
    file('a', Buffer.from('x')),
    file('b', Buffer.from('y'.repeat(16))),
    { type: 'folder', path: 'c', ...metadata } as const,
  ];
  const swap = (body: string) => body.replace(/^(.*\n)(.*\n)/, '$2$1');
  const bodies: [string, (body: string) => string][] = [
    ['a path twice', (body) => body.replace('\tb\t', '\ta\t')],
    ['an order of its own', swap],
    ['a mode of five digits', (body) => body.replace('\t644\t', '\t10000\t')],
    ['a type that is none', (body) => body.replace(/^d/m, 'q')],
    ['a raw byte', (body) => body.replace('\tb\t', '\tb\xff\t')],
    ['an escape that need not be', (body) => body.replace('\tb\t', '\t%62\t')],
    ['a path in a file', (body) => body.replace('\tb\t', '\ta/b\t')],
    ['a hard link to nothing before it', (body) => body.replace(/^d\tc(.*)-\t-\t-\t-$/m, 'h\tc$1-\t-\td\t-')],
    [
      'extents that touch',
      (body) => body.replace(/([0-9a-f]{64}):0:1(?=\t)/, '$1:0:1,$1:1:1').replace('\t1\t', '\t2\t'),
    ],
    ['a size that is not that of its extents', (body) => body.replace('\t1\t', '\t2\t')],
    ['more extents after a line that is not full', (body) => body.replace(/\n/, '\n+\t-:0:1\n')],
    ['a time of three digits', (body) => body.replace('.123456789', '.123')],
    ['an owner with a leading zero', (body) => body.replace('\t1000\t', '\t01000\t')],
    ['attributes that are none', (body) => body.replace(/-$/m, 'y:user.a=b')],
  ];
  const manifests: [string, (text: string) => string][] = [
    ['text after its end', (text) => `${text}more\n`],
    ['a line missing', (text) => text.replace(/chunk-key.*\n/, '')],
    ['a line in another place', (text) => text.replace(/(problems.*\n)/, 'extra\tline\n$1')],
    ['another dataset', (text) => text.replace('dataset\td', 'dataset\te')],
    ['another time', (text) => text.replace('time\t2026', 'time\t2027')],
    ['a body of another size', (text) => text.replace(/(body\t\w+\t)(\d+)/, '$19')],
    ['another first entry in a piece of its list', (text) => text.replace(/(extent.*)\ta$/m, '$1\tb')],
    ['a first entry that begins elsewhere', (text) => text.replace(/(extent.*)\t0\ta$/m, '$1\t1\ta')],
    ['no first entry', (text) => text.replace(/(extent.*)\t0\ta$/m, '$1')],
    ['sizes that are not those of its record', (text) => text.replace(/sizes\t17/, 'sizes\t19')],
    ['sizes that the list does not add up to', (text) => text.replace(/sizes\t17/, 'sizes\t18')],
    ['no newline at its end', (text) => text.slice(0, -1)],
  ];

  test('rescue.sh writes nothing where it finds it', async () => {
    const at = await stage();
    const all = [
      ...bodies.map(([why, amendBody]) => ({ why, amendBody })),
      ...manifests.map(([why, amendManifest]) => ({ why, amendManifest })),
    ];
    for (const [number, { why: _, ...amend }] of all.entries()) {
      await at.builder.commit({
        dataset: `d${number}`,
        kind: 'files',
        time: '2026-01-02T00:00:00.000Z',
        entries,
        ...amend,
      });
    }
    at.save();
    const took = all.filter((_, number) => {
      const target = join(at.folder, String(number));
      const { status } = at.restore(`d${number}`, target);
      return status !== 2 || fs.readdirSync(target).length > 0;
    });
    expect(took.map(({ why }) => why)).toEqual([]);
  });

  test('a line that a later program put into a manifest is no reason to refuse it', async () => {
    const at = await stage();
    const amendManifest = (text: string) => text.replace(/end\n$/, 'later\tof a later program\nend\n');
    await at.builder.commit({ dataset: 'd', kind: 'files', time: '2026-01-02T00:00:00.000Z', entries, amendManifest });
    at.save();
    expect(at.restore('d').status).toBe(0);
  });
});

test('extended attributes and the folder itself come back with setfattr, and what is left out is said', async () => {
  const at = await stage();
  const xattrs = { 'user.a': '\0=,%\xff', 'user.empty': '', 'user.with,comma=': 'x' };
  const root = { type: 'folder', mode: 0o2751, uid: 1000, gid: 1001, mtimeNs: '-5250000001' };
  const entries: NewEntry[] = [
    { ...file('closed', Buffer.from('x')), mode: 0o400, xattrs } as NewEntry,
    { type: 'folder', path: 'folder', ...metadata, mode: 0o500, xattrs },
  ];
  await at.builder.commit({
    dataset: 'd',
    kind: 'files',
    time: '2026-01-02T00:00:00.000Z',
    entries,
    facts: { path: '/x', root },
  });
  at.save();
  const run = at.restore('d');
  expect([run.status, run.stderr]).toEqual([0, '']);
  expect(run.stdout).not.toContain('could not be done');
  for (const name of ['closed', 'folder']) {
    const dump = execFileSync('getfattr', ['-d', '-e', 'hex', '--absolute-names', join(at.target, name)], {
      encoding: 'utf8',
    });
    expect(dump).toContain('user.a=0x003d2c25ff\n');
    expect(dump).toContain('user.empty=0x\n');
    expect(dump).toMatch(/^user\.with\S+=0x78$/m);
  }
  const found = fs.statSync(at.target, { bigint: true });
  expect([found.mode & 0o7777n, found.mtimeNs]).toEqual([0o2751n, -5_250_000_001n]);
  at.without('setfattr');
  expect(at.restore('d', join(at.folder, 'other')).stdout).toContain(
    '6 extended attributes and ACLs were left out: setfattr',
  );
});
