import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { secondCommand } from '../bootstrap/bare-machine.ts';
import { applicationPackages } from '../support/packages.ts';
import { freePort, type Postgres, startPostgres } from '../support/postgres.ts';
import { ensurePackages } from '../support/setup.ts';
import { temporaryFolder } from '../support/temp.ts';
import { describeTree } from '../support/tree.ts';
import { browser, completed, linesOf, serve, told, webUser } from './serve.ts';

const isRoot = process.getuid?.() === 0;
const code = '/usr/share/redmine';
const password = "it's/a #1 p@ss%41";
/** Of its own, beside one that a host may have. */
const instance = `lifeboat-test-${process.pid}`;
const home = `/var/lib/redmine/${instance}`;
const settings = `/etc/redmine/${instance}`;
const folders = ['etc', 'var/lib', 'var/log', 'var/cache'].map((folder) => `/${folder}/redmine/${instance}`);

const seed = `
require '${code}/config/environment'
admin = User.find_by_login('admin')
admin.password = admin.password_confirmation = ENV['ADMIN_PASSWORD']
admin.must_change_passwd = false
admin.save!
project = Project.create!(name: 'Boats', identifier: 'boats', trackers: Tracker.all, enabled_module_names: ['issue_tracking'])
300.times do |number|
  issue = Issue.create!(project: project, tracker: Tracker.first, author: admin, subject: "Leak #{number}", priority: IssuePriority.first, status: IssueStatus.first)
  next unless number < 30
  Attachment.create!(container: issue, author: admin, filename: "seen #{number}.txt", content_type: 'text/plain', file: "what was seen, #{number}\\n" * (50 + number))
end
`;

function makeInstance(): void {
  const env = { ...process.env, REDMINE_INSTANCES_FOLLOW_FHS: 'yes' };
  execFileSync(`${code}/bin/redmine-instances`, ['create', instance], { env });
}

function asRedmine(words: readonly [string, ...string[]], more: Record<string, string> = {}): void {
  const env = { PATH: process.env.PATH, RAILS_ENV: 'production', REDMINE_INSTANCE: instance, SCHEMA: '/dev/null' };
  execFileSync(words[0], words.slice(1), { ...webUser, cwd: code, env: { ...env, ...more }, stdio: 'pipe' });
}

async function installed(server: Postgres): Promise<void> {
  onTestFinished(() => {
    for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true });
  });
  makeInstance();
  await server.query(`CREATE ROLE redmine LOGIN PASSWORD '${password.replaceAll("'", "''")}'`);
  await server.createDatabase('redmine', 'OWNER redmine');
  const { port } = server;
  const database = {
    adapter: 'postgresql',
    database: 'redmine',
    host: '127.0.0.1',
    port,
    username: 'redmine',
    password,
  };
  // JSON is YAML.
  fs.writeFileSync(join(settings, 'database.yml'), JSON.stringify({ production: database }));
  fs.writeFileSync(join(settings, 'secret_key.txt'), 'a'.repeat(32), { mode: 0o640 });
  fs.chownSync(join(settings, 'secret_key.txt'), 0, webUser.gid);
  asRedmine(['bundle', 'exec', 'rake', 'db:migrate']);
  asRedmine(['bundle', 'exec', 'rake', 'redmine:load_default_data'], { REDMINE_LANG: 'en' });
  const script = join(await temporaryFolder({ open: true }), 'seed.rb');
  fs.writeFileSync(script, seed);
  asRedmine(['bundle', 'exec', 'ruby', script], { ADMIN_PASSWORD: password });
}

const drill = `drill:
  app:
    start: exec puma -e production -b tcp://127.0.0.1:$PORT config.ru
    directory: ${code}
    ready: "http://127.0.0.1:\${PORT}/"
    readyTimeout: 5m
    env: { RAILS_ENV: production, REDMINE_INSTANCE: ${instance}, DATABASE_URL: "\${RESTORED_APP_DB}" }
  checks:
    every attachment opens:
      type: references
      from: { dataset: app-db, query: "select disk_directory, disk_filename, filesize as size_bytes, digest as sha256 from attachments" }
      in: files
      path: "\${disk_directory}/\${disk_filename}"
    sign in:
      type: http
      timeout: 5m
      steps:
        - { path: /login, capture: { csrf: { regex: 'name="authenticity_token" value="([^"]+)"' } } }
        - { method: POST, path: /login, form: { username: admin, password: "\${ADMIN_PASSWORD}", authenticity_token: "\${csrf}" }, expect: { status: 302 } }
        - { path: /my/page, expect: { contains: Logged in as } }
        - { path: /issues/1, expect: { contains: [Leak 0, seen 0.txt] } }
`;

async function signedIn(jar: string): Promise<void> {
  const origin = `http://127.0.0.1:${await freePort()}`;
  const words = ['puma', '-e', 'production', '-b', origin.replace('http', 'tcp'), 'config.ru'] as const;
  await serve([...words], { env: { RAILS_ENV: 'production', REDMINE_INSTANCE: instance }, cwd: code, url: origin });
  const { get, post } = browser(origin, jar);
  const token = /name="authenticity_token" value="([^"]+)"/.exec(get('/login'))?.[1] ?? '';
  expect(post('/login', { username: 'admin', password, authenticity_token: token })).toBe('302');
  expect(get('/my/page')).toContain('Logged in as');
  const attachment = /href="\/attachments\/(?:download\/)?(\d+)/.exec(get('/issues/1'))?.[1];
  expect(get(`/attachments/download/${attachment}`)).toContain('what was seen, 0');
}

test.runIf(isRoot)(
  'Redmine of Debian: protected as init proposes, proved by a sign-in, lost with its host, and back on a new one',
  async () => {
    await ensurePackages(applicationPackages);
    const [place, bare] = [await temporaryFolder(), await temporaryFolder()];
    await using old = await startPostgres({ tcp: true });
    await installed(old);
    fs.writeFileSync(join(home, '.env'), `DB_PASSWORD="${password}"\nADMIN_PASSWORD="${password}"\n`, { mode: 0o600 });
    const unit = `/etc/cron.d/${instance}`;
    onTestFinished(() => fs.rmSync(unit, { force: true }));
    fs.writeFileSync(unit, `*/5 * * * * www-data cd ${home} && true\n`);

    await told(home, ['init']);
    const file = join(home, 'lifeboat.yaml');
    const second = join(place, 'second');
    fs.writeFileSync(file, completed(fs.readFileSync(file, 'utf8'), second, drill));
    expect(linesOf(fs.readFileSync(file, 'utf8')).length).toBeLessThanOrEqual(37);
    await told(home, ['backup', '--quiet']);
    const daily = ['--identity', 'lifeboat-keys/daily.txt'];
    expect(await told(home, ['drill', ...daily])).toMatch(/^PROVED/);

    const counted = async (server: Postgres) =>
      server.query(
        'SELECT (SELECT count(*) FROM issues) AS issues, (SELECT count(*) FROM attachments) AS attachments',
        'redmine',
      );
    const kept = [`${home}/files`, `${settings}/database.yml`, `${settings}/secret_key.txt`, unit];
    const trees = () => kept.flatMap((path) => describeTree(path));
    const [rows, before] = [await counted(old), trees()];
    const key = join(place, 'offline.txt');
    fs.renameSync(join(home, 'lifeboat-keys/offline.txt'), key);
    // The host is gone: its server, its packages' settings, its data.
    for (const path of [...folders, unit]) fs.rmSync(path, { recursive: true });
    await old.stop();

    await using server = await startPostgres({ tcp: true, port: old.port });
    makeInstance();
    fs.rmSync(`${home}/files`, { recursive: true });
    const next = secondCommand(await told(bare, ['bootstrap', second, '--identity', key, '--trust']));
    // The new server knows no role yet, and only its superuser may make one.
    const refused = await told(bare, [...next, '--trust'], 2);
    expect(refused).toContain('a new one does not');
    await told(home, ['restore', 'app-db', '--into', server.urlOf('redmine'), '--identity', key]);
    await server.query(`ALTER ROLE redmine PASSWORD '${password.replaceAll("'", "''")}'`);
    expect(await counted(server)).toEqual(rows);
    expect(trees()).toEqual(before);
    await signedIn(join(place, 'jar'));
    expect(await told(home, ['backup', '--quiet'])).toBe('');
  },
);
