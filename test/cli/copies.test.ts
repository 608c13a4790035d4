import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lifeboat, project } from './lifeboat.ts';

/** Three destinations; the last one is not required. */
async function three(): Promise<string> {
  const folder = await project();
  await lifeboat(folder, ['init']);
  const file = join(folder, 'lifeboat.yaml');
  const text = readFileSync(file, 'utf8').replace(
    /^destinations:\n(?: +.*\n)+/m,
    `destinations:
  disk: { type: local, path: ./disk }
  nas: { type: local, path: ./nas }
  usb: { type: local, path: ./usb, required: false }
`,
  );
  writeFileSync(file, text);
  return folder;
}

test('what is not protected yet is said by backup, list and status, and copy protects it', async () => {
  const folder = await three();
  const first = await lifeboat(folder, ['backup', '--json']);
  expect(first.code, first.stdout + first.stderr).toBe(0);
  for (const name of ['nas', 'usb']) renameSync(join(folder, name), join(folder, `${name}.away`));

  writeFileSync(join(folder, 'data/uploads/b.txt'), 'more');
  const partial = await lifeboat(folder, ['backup', 'uploads']);
  expect(partial.code).toBe(1);
  expect(partial.stdout).toMatch(/! nas does not hold all of this: .*cannot be reached/);
  expect(partial.stdout).toContain('Not protected yet: uploads must also be at nas.');

  for (const name of ['nas', 'usb']) renameSync(join(folder, `${name}.away`), join(folder, name));
  expect((await lifeboat(folder, ['list', 'uploads'])).stdout).toMatch(/disk \(not yet at nas\) +kept: /);
  const status = await lifeboat(folder, ['status']);
  expect(status.stdout).toContain('1 copy, not at nas');
  expect(status.stdout).toMatch(
    /nas lacks 1 restore point \(at most .* objects\), since .*: not protected until it has them\./,
  );
  expect(status.stdout).toMatch(/usb lacks 1 restore point .*: it is not required\./);
  expect(status.stdout).toContain('Storing at nas fails since');

  const copied = await lifeboat(folder, ['copy', '--to', 'nas']);
  expect(copied.code, copied.stdout + copied.stderr).toBe(0);
  expect(copied.stdout).toMatch(/✓ nas is up to date: \d objects copied/);
  expect(copied.stdout).toMatch(/requests\n +disk +read +get \d+, list \d/);
  const after = JSON.parse((await lifeboat(folder, ['list', 'uploads', '--json'])).stdout);
  expect(after.datasets[0].restorePoints[0]).toMatchObject({ destinations: ['disk', 'nas'], missingAt: [] });
  expect((await lifeboat(folder, ['status'])).stdout).not.toContain('Storing at nas fails');

  // What is not required keeps no backup from being well.
  renameSync(join(folder, 'usb'), join(folder, 'usb.away'));
  const enough = await lifeboat(folder, ['backup', 'uploads', '--json']);
  expect(enough.code, enough.stdout).toBe(0);
  expect(JSON.parse(enough.stdout)).toMatchObject({
    backedUp: [{ destinations: ['disk', 'nas'], missingAt: [] }],
    behind: [{ destination: 'usb' }],
  });
  expect(await lifeboat(folder, ['copy', '--to', 'usb'])).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('usb is not up to date'),
  });
  expect(existsSync(join(folder, 'usb'))).toBe(false);
});

test('what cannot be meant is refused', async () => {
  const folder = await three();
  await lifeboat(folder, ['backup', '--quiet']);
  expect(await lifeboat(folder, ['copy', '--to', 'nsa'])).toMatchObject({
    code: 64,
    stderr: expect.stringContaining('There are: disk, nas, usb.'),
  });
  expect(await lifeboat(folder, ['copy', '--to', 'nas', '--from', 'nas'])).toMatchObject({ code: 64 });
});

test('copies that would be lost together are called out, and destination list --check says so to a script', async () => {
  const folder = await project();
  await lifeboat(folder, ['init']);
  await lifeboat(folder, ['backup', '--quiet']);
  const list = await lifeboat(folder, ['destination', 'list']);
  expect(list.code, list.stderr).toBe(0);
  expect(list.stdout).toMatch(/✗ Not 3-2-1: 2 copies, 1 medium, 0 elsewhere, 0 locked\./);
  expect(list.stdout).toMatch(
    /2 of 2 copies \(production, local\) lie on this machine's disk .+: one broken disk takes both\./,
  );
  expect((await lifeboat(folder, ['status'])).stdout).toMatch(
    /Copies: not 3-2-1 \(lifeboat destination list\)\. 2 of 2 copies .* one broken disk takes both\./,
  );
  expect((await lifeboat(folder, ['destination', 'list', '--check'])).code).toBe(1);

  const file = join(folder, 'lifeboat.yaml');
  const more = `destinations:
  aws: { type: s3, bucket: backups, region: eu-central-1, endpoint: 'http://127.0.0.1:9', credentials: { accessKeyId: AKIASP2TPHJSQH3FJRUX, secretAccessKey: 'file:none' }, where: { provider: AWS, region: eu-central-1, site: Frankfurt } }
  box: { type: sftp, host: u1.your-storagebox.de, user: u1, path: backups, hostKeys: ['SHA256:x'], where: { site: barn } }
`;
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^destinations:\n/m, more));
  const { facts, unreachable } = JSON.parse((await lifeboat(folder, ['destination', 'list', '--json'])).stdout);
  expect(unreachable.map(({ destination }: { destination: string }) => destination)).toEqual(['aws', 'box']);
  expect(facts.slice(1, 3)).toMatchObject([
    { name: 'aws', medium: 'object storage', machine: 'this machine', provider: 'AWS', site: 'Frankfurt' },
    { name: 'box', medium: 'server', provider: 'Hetzner', account: 'u1', site: 'barn', immutable: 'unknown' },
  ]);
});

test('cost says what lies where and what it costs; policy prints a document and nothing beside it', async () => {
  const folder = await three();
  const file = join(folder, 'lifeboat.yaml');
  const text = readFileSync(file, 'utf8').replace(
    'path: ./nas }',
    'path: ./nas, price: { storage: 1000, retrieval: 90 } }',
  );
  writeFileSync(file, text);
  await lifeboat(folder, ['backup', '--quiet']);
  const cost = await lifeboat(folder, ['cost', '--restore']);
  expect(cost.code, cost.stderr).toBe(0);
  expect(cost.stdout).toMatch(/nas .*\n +\S+ +[\d.]+ KiB/);
  expect(cost.stdout).toMatch(/now .* in \d+ objects: (about|under) \$\d+\.\d\d a month/);
  expect(cost.stdout).toMatch(/reading the newest of each dataset back: .*, (about|under) \$\d+\.\d\d/);
  expect(cost.stdout).toMatch(/In all (about|under) \$\d+\.\d\d a month/);
  expect(await lifeboat(folder, ['cost', '--class', 'frozen'])).toMatchObject({ code: 64 });

  const more = `destinations:
  aws: { type: s3, bucket: backups, region: eu-central-1, storageClass: GLACIER }
`;
  writeFileSync(file, text.replace(/^destinations:\n/m, more));
  const policy = await lifeboat(folder, ['destination', 'policy', 'aws', '--role', 'writer']);
  expect(policy.code, policy.stderr).toBe(0);
  expect(JSON.parse(policy.stdout)).toMatchObject({ Version: '2012-10-17' });
  expect(policy.stderr).toContain('Attach it to a user of its own for the writer');
  expect(await lifeboat(folder, ['destination', 'policy', 'aws', '--role', 'admin'])).toMatchObject({ code: 64 });
  expect(await lifeboat(folder, ['destination', 'policy', 'nas', '--role', 'writer'])).toMatchObject({ code: 64 });
  const validate = await lifeboat(folder, ['config', 'validate']);
  expect(validate.stdout + validate.stderr).toMatch(/destinations\.aws: GLACIER is paid for at least 90 days/);
  expect(validate.stdout + validate.stderr).toMatch(/thawed for 5 to 12 hours/);
});
