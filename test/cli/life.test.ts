import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lifeboat, project } from './lifeboat.ts';

const daily = ['--identity', 'lifeboat-keys/daily.txt'];

/** A project with one backup and one drill. */
async function proved(): Promise<string> {
  const folder = await project();
  for (const command of [['init'], ['backup'], ['drill', ...daily]]) {
    const ran = await lifeboat(folder, command);
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
  }
  return folder;
}

test('evidence is listed, shown with what is sealed only to who has a key, and verified without one', async () => {
  const folder = await proved();
  const list = await lifeboat(folder, ['evidence', 'list']);
  expect(list).toMatchObject({ code: 0, stdout: expect.stringMatching(/proved +\d+ of \d+ checks .*app-db, uploads/) });

  const closed = await lifeboat(folder, ['evidence', 'show']);
  expect(closed.stdout).toContain('Values are sealed: pass --identity to see them.');
  expect(closed.stdout).not.toContain('1 row in 1 table');
  const open = await lifeboat(folder, ['evidence', 'show', ...daily]);
  expect(open).toMatchObject({ code: 0, stdout: expect.stringContaining('As recorded: 1 row in 1 table') });

  const good = await lifeboat(folder, ['evidence', 'verify', '--json']);
  expect(good.code, good.stdout).toBe(0);
  const { writers } = JSON.parse(good.stdout) as { writers: { writer: string }[] };
  const ours = await lifeboat(folder, ['evidence', 'verify', '--writer', writers[0]?.writer ?? '']);
  expect(ours).toMatchObject({ code: 0, stdout: expect.stringContaining('The ledger holds: 3 entries.') });
  const stranger = await lifeboat(folder, ['evidence', 'verify', '--writer', `${'A'.repeat(43)}=`]);
  expect(stranger).toMatchObject({ code: 1, stdout: expect.stringContaining('3 entries are signed by') });
});

test('evidence that was changed is no evidence: verify and status say so', async () => {
  const folder = await proved();
  const ledger = join(folder, 'backups/ledger');
  // The backup and the first sight of the configuration are noted before it.
  const name = readdirSync(ledger).sort().at(-1) ?? '';
  const envelope = JSON.parse(readFileSync(join(ledger, name), 'utf8')) as { payload: string };
  const payload = Buffer.from(envelope.payload, 'base64')
    .toString()
    .replace(/"rtoMs":\d+/, '"rtoMs":1');
  const changed = { ...envelope, payload: Buffer.from(payload).toString('base64') };
  rmSync(join(ledger, name));
  writeFileSync(join(ledger, name), `${JSON.stringify(changed)}\n`);
  const verify = await lifeboat(folder, ['evidence', 'verify']);
  expect(verify).toMatchObject({ code: 1, stdout: expect.stringContaining('The ledger does not hold') });
  const status = await lifeboat(folder, ['status']);
  expect(status.code).toBe(1);
  expect(status.stdout).toContain('1 ledger entry cannot be believed');
  expect(status.stdout).toContain('nobody has proved that you would be back at all');
});

test('--at brings back an older moment, by time or by id', async () => {
  const folder = await project();
  await lifeboat(folder, ['init']);
  const points: { id: string; time: string }[] = [];
  for (const text of ['first', 'second']) {
    writeFileSync(join(folder, 'data/uploads/a.txt'), text);
    const backup = await lifeboat(folder, ['backup', 'uploads', '--json']);
    expect(backup.code, backup.stdout + backup.stderr).toBe(0);
    const listed = await lifeboat(folder, ['list', 'uploads', '--json']);
    const { datasets } = JSON.parse(listed.stdout) as { datasets: { restorePoints: typeof points }[] };
    const newest = datasets[0]?.restorePoints[0];
    if (newest) points.push(newest);
  }
  for (const [into, at] of [
    ['by-id', points[0]?.id],
    ['by-time', points[0]?.time],
  ] as const) {
    const ran = await lifeboat(folder, ['restore', 'uploads', '--at', at ?? '', '--into', into, ...daily]);
    expect(ran.code, ran.stderr).toBe(0);
    expect(readFileSync(join(folder, into, 'a.txt'), 'utf8')).toBe('first');
  }
  // What `restore --at` takes is what `list` shows.
  const listed = async (...more: string[]) => (await lifeboat(folder, ['list', 'uploads', ...more])).stdout;
  expect(await listed()).toMatch(new RegExp(`${points[1]?.id}[^]*${points[0]?.id}`));
  expect(await listed('--at', points[0]?.time ?? '')).not.toContain(points[1]?.id);
  expect(await lifeboat(folder, ['list', 'uploads', '--at', 'yesterday'])).toMatchObject({ code: 64 });
  // A date that was mistaken says nothing about a backup: no verdict, and none in the ledger.
  const drill = await lifeboat(folder, ['drill', '--at', '2020-01-01T00:00:00Z', ...daily]);
  expect(drill).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/There is no restore point of .* for 2020.*lifeboat list/s),
  });
  expect(drill.stdout + drill.stderr).not.toMatch(/FAILED|verify/);
  const evidence = await lifeboat(folder, ['evidence', 'list', '--json']);
  expect(evidence.stdout).not.toMatch(/"kind": "drill"/);
  expect(evidence.stdout).toContain('"entries"');
});

test('a destination that came back empty is filled anew only when told so', async () => {
  const folder = await project();
  await lifeboat(folder, ['init']);
  await lifeboat(folder, ['backup']);
  rmSync(join(folder, 'backups'), { recursive: true });
  const cautious = await lifeboat(folder, ['backup']);
  expect(cautious.code).toBe(2);
  expect(cautious.stderr).toContain('its disk may not be mounted');
  const told = await lifeboat(folder, ['backup', '--refill']);
  expect(told.code, told.stderr).toBe(0);
  const back = await lifeboat(folder, ['restore', 'uploads', '--into', 'back', ...daily]);
  expect(back.code, back.stderr).toBe(0);
  expect(readFileSync(join(folder, 'back/a.txt'), 'utf8')).toBe('hello');
});

test('keys list says which recipient a given key belongs to, and which it does not', async () => {
  const folder = await project();
  await lifeboat(folder, ['init']);
  await lifeboat(folder, ['keys', 'new', 'stray.txt']);
  const list = await lifeboat(folder, ['keys', 'list', ...daily, '--identity', 'stray.txt']);
  expect(list.code, list.stderr).toBe(0);
  expect(list.stdout).toMatch(/age1\w{58} +given +.*daily\.txt\n/);
  expect(list.stdout).toContain('new backups are not made for it');
});
