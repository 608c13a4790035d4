import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { lifeboat, project } from '../cli/lifeboat.ts';

const daily = ['--identity', 'lifeboat-keys/daily.txt'];
const seconds = 300_000;

/** A hundred users, a hundred uploads, backed up and, if asked for, proved. */
async function business({ drill }: { readonly drill: boolean }) {
  const folder = await project();
  const sql = (text: string) => {
    const database = new DatabaseSync(join(folder, 'data/app.db'));
    database.exec(text);
    database.close();
  };
  sql(`WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT INTO users SELECT i, 'user ' || i FROM n;
       CREATE TABLE invoices (id INTEGER PRIMARY KEY); INSERT INTO invoices SELECT id FROM users`);
  for (let at = 0; at < 100; at++) writeFileSync(join(folder, `data/uploads/${at}.txt`), `upload ${at}`);
  for (const command of [['init'], ['backup'], ...(drill ? [['drill', ...daily]] : [])]) {
    const ran = await lifeboat(folder, command);
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
  }
  return { folder, sql };
}

interface Told {
  readonly code: number;
  readonly text: string;
}

async function told(folder: string, ...args: string[]): Promise<Told> {
  const { code, stdout, stderr } = await lifeboat(folder, args);
  return { code, text: stdout + stderr };
}

function emptied(folder: string): void {
  rmSync(join(folder, 'data/app.db'));
  writeFileSync(join(folder, 'data/app.db'), '');
  rmSync(join(folder, 'data/uploads'), { recursive: true });
  mkdirSync(join(folder, 'data/uploads'));
}

/** As on a host whose state folder was lost. */
function forgetCounts(folder: string): void {
  for (const system of readdirSync(join(folder, 'state'))) {
    rmSync(join(folder, 'state', system, 'counts'), { recursive: true });
  }
}

test(
  'M4: an emptied database and emptied uploads are red in backup, status and drill, without a key and until accepted',
  async () => {
    const { folder } = await business({ drill: true });
    emptied(folder);
    const backup = await told(folder, 'backup');
    expect(backup.code, backup.text).toBe(1);
    expect(backup.text).toMatch(/app-db: It is empty, and held 200 rows/);
    expect(backup.text).toMatch(/uploads: It is empty, and held 101 files/);
    const json = JSON.parse((await lifeboat(folder, ['backup', '--json'])).stdout) as { backedUp: { data: string }[] };
    expect(json.backedUp.map(({ data }) => data)).toEqual(['lost', 'lost']);

    const status = await told(folder, 'status');
    expect(status.code).toBe(1);
    expect(status.text).toMatch(/✗ +app-db/);
    expect(status.text).toContain("run: lifeboat accept app-db --reason '…'");
    const drill = await told(folder, 'drill', ...daily);
    expect(drill.code).toBe(1);
    expect(drill.text).toContain('FAILED');
    expect(drill.text).toMatch(/✗ app-db\/history: It is empty, and held 200 rows/);

    const accept = await told(folder, 'accept', 'app-db', '--reason', 'a new beginning');
    expect(accept.code, accept.text).toBe(0);
    const after = JSON.parse((await lifeboat(folder, ['status', '--json'])).stdout) as {
      datasets: { name: string; data: string; accepted: { reason: string }[] }[];
    };
    const db = after.datasets.find(({ name }) => name === 'app-db');
    // Accepted is not proved: there is nothing to compare.
    expect(db).toMatchObject({ data: 'empty', accepted: [{ reason: 'a new beginning' }] });
    expect((await told(folder, 'audit')).text).toContain('app-db: data-lost accepted');
    expect((await told(folder, 'list', 'app-db')).text).toContain('accepted: a new beginning');
    expect((await told(folder, 'accept', 'app-db', '--reason', 'twice')).code).toBe(64);
    expect((await told(folder, 'accept', 'app-db', '--withdraw')).code).toBe(0);
    expect((await told(folder, 'status')).text).toMatch(/✗ app-db: It is empty/);
  },
  seconds,
);

test(
  'M4: what was emptied before the first drill fails too, and a lost state folder does not hide it from status',
  async () => {
    const { folder } = await business({ drill: false });
    emptied(folder);
    forgetCounts(folder);
    const backup = await told(folder, 'backup');
    expect(backup.code, backup.text).toBe(1);
    forgetCounts(folder);
    expect((await told(folder, 'status')).text).toMatch(/✗ app-db: It is empty/);
    const drill = await told(folder, 'drill', ...daily);
    expect(drill.text).toMatch(/✗ app-db\/history: It is empty, and held 200 rows/);
    expect(drill.text).toMatch(/✗ uploads\/history: It is empty, and held 101 files/);
  },
  seconds,
);

test(
  'M4: one table that lost its rows, or vanished, fails though the rest grew; a slow loss fails though no step is large',
  async () => {
    const { folder, sql } = await business({ drill: true });
    sql('DELETE FROM invoices; INSERT INTO users SELECT id + 1000, name FROM users');
    const one = await told(folder, 'backup', 'app-db');
    expect(one.code, one.text).toBe(1);
    expect(one.text).toContain('invoices had 100 rows and has 0');
    expect((await told(folder, 'accept', 'app-db', '--reason', 'moved to another service')).code).toBe(0);
    expect((await told(folder, 'backup', 'app-db')).code).toBe(0);
    const codes: number[] = [];
    for (let left = 200; left > 60; left -= 30) {
      sql(`DELETE FROM users WHERE id NOT IN (SELECT id FROM users LIMIT ${left - 30})`);
      codes.push((await told(folder, 'backup', 'app-db')).code);
    }
    expect(codes.at(0)).toBe(0);
    expect(codes.at(-1)).toBe(1);
  },
  seconds,
);

test(
  'M4: a dataset that never held anything is not proved, unless the configuration says why it may be empty',
  async () => {
    const folder = await project();
    rmSync(join(folder, 'data/uploads/a.txt'));
    const yaml = (more: string) => `version: 1
system: harbor
vault: { recipients: [RECIPIENT] }
destinations: { local: { type: local, path: ./backups } }
datasets: { uploads: { type: files, path: ./data/uploads${more} } }
`;
    await lifeboat(folder, ['keys', 'new', 'key.txt']);
    const { stdout } = await lifeboat(folder, ['keys', 'new', 'other.txt', '--json']);
    const recipient = /age1\w+/.exec(stdout)?.[0] ?? '';
    writeFileSync(join(folder, 'lifeboat.yaml'), yaml('').replace('RECIPIENT', recipient));
    const backup = await told(folder, 'backup');
    expect(backup.code, backup.text).toBe(0);
    expect(backup.text).toContain('nothing to compare');
    const drill = await told(folder, 'drill', '--identity', 'other.txt');
    expect(drill.code).toBe(2);
    expect(drill.text).toContain('INCONCLUSIVE');
    expect(drill.text).toContain('mayBeEmpty');
    expect((await told(folder, 'status')).text).toContain('nothing to compare');
    writeFileSync(
      join(folder, 'lifeboat.yaml'),
      yaml(", mayBeEmpty: 'uploads begin in spring'").replace('RECIPIENT', recipient),
    );
    expect((await told(folder, 'drill', '--identity', 'other.txt')).text).toContain('PROVED');
  },
  seconds,
);

test(
  'M4: a source that is missing, an empty mount point and a link that leads nowhere all end red',
  async () => {
    const { folder } = await business({ drill: false });
    const uploads = join(folder, 'data/uploads');
    rmSync(uploads, { recursive: true });
    expect((await told(folder, 'backup', 'uploads')).code).toBe(2);
    symlinkSync(join(folder, 'nowhere'), uploads);
    expect((await told(folder, 'backup', 'uploads')).code).not.toBe(0);
    rmSync(uploads);
    mkdirSync(uploads);
    expect((await told(folder, 'backup', 'uploads')).code).toBe(1);
  },
  seconds,
);

test(
  'M4: rows and files that are noise are red in backup, status and drill, without a key and until accepted',
  async () => {
    const { folder, sql } = await business({ drill: true });
    sql('UPDATE users SET name = substr(hex(randomblob(9)), 1, length(name))');
    for (let at = 0; at < 100; at++) writeFileSync(join(folder, `data/uploads/${at}.txt`), randomBytes(9));
    const backup = await told(folder, 'backup');
    expect(backup.code, backup.text).toBe(1);
    expect(backup.text).toMatch(/app-db: Most of it was rewritten: users \(name\)/);
    expect(backup.text).toMatch(/uploads: Most of it looks like noise now: files/);
    const status = await told(folder, 'status');
    expect(status.code).toBe(1);
    expect(status.text).toMatch(/✗ app-db: Most of it was rewritten: users/);
    const drill = await told(folder, 'drill', ...daily);
    expect(drill.text).toMatch(/✗ app-db\/history: Most of it was rewritten: users/);
    expect(drill.text).toMatch(/✗ uploads\/history: Most of it looks like noise now/);
    // Whoever has lost the memory of the host has a key.
    forgetCounts(folder);
    expect((await told(folder, 'drill', ...daily)).text).toMatch(/✗ uploads\/history: Most of it looks like noise now/);
    for (const dataset of ['app-db', 'uploads']) {
      const accept = await told(folder, 'accept', dataset, '--reason', 'names are tokens now');
      expect(accept.code, accept.text).toBe(0);
    }
    expect((await told(folder, 'backup')).code).toBe(0);
    expect((await told(folder, 'drill', ...daily)).text).toContain('PROVED');
  },
  seconds,
);
