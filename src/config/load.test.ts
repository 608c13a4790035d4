// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are what is tested
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LifeboatError } from '../core/errors.ts';
import { placeOf } from '../sources/engines.ts';
import { loadSystem } from './load.ts';

const daily = `age1${'q'.repeat(58)}`;
const offline = `age1${'p'.repeat(58)}`;
let folder: string;
let file: string;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'lifeboat-config-')));
  file = join(folder, 'lifeboat.yaml');
});
afterEach(() => rmSync(folder, { recursive: true }));

const minimal = `version: 1
system: harbor
vault:
  recipients: [${daily}, ${offline}]
destinations:
  local: { type: local, path: ./backups }
  second: { type: local, path: /mnt/second }
datasets:
  app-db: { type: sqlite, path: ./data/app.db, rpo: 15m, rto: 10m }
  uploads: { type: files, path: ./data/uploads }
`;

const code = 'accepted: { code-not-backed-up: in Git }\n';

function load(text: string, env: Record<string, string> = {}) {
  writeFileSync(file, text);
  return loadSystem(file, env);
}

/** The error's sentence with the folder's name taken out. */
function mistake(text: string): string {
  try {
    load(text);
  } catch (error) {
    if (error instanceof LifeboatError) return error.message.replaceAll(`${folder}/`, '');
    throw error;
  }
  throw new Error('the configuration was accepted');
}

describe('a good configuration', () => {
  test('gets the defaults of a careful operator', () => {
    const system = load(minimal, { LIFEBOAT_STATE_DIR: '/state' });
    expect(system.datasets['app-db']).toEqual({
      name: 'app-db',
      type: 'sqlite',
      mayShrink: [],
      path: join(folder, 'data/app.db'),
      rpoMs: 900_000,
      rtoMs: 600_000,
      retention: { last: 3, hourly: 24, daily: 7, weekly: 4, monthly: 12, yearly: 0 },
    });
    expect(system.datasets.uploads).toMatchObject({
      exclude: [],
      defaultExcludes: false,
      oneFileSystem: true,
      xattrs: true,
    });
    expect(system.datasets.uploads).toMatchObject({ rpoMs: 3_600_000, rtoMs: 3_600_000 });
    expect(system.destinations.local).toMatchObject({ type: 'local', path: join(folder, 'backups') });
    expect(system.drill).toEqual({ everyMs: 7 * 86_400_000, writers: [], limits: {}, checks: [], skip: [] });
    expect(system).toMatchObject({ name: 'harbor', environment: 'production', root: folder, file, warnings: [] });
    expect(system.stateDir).toMatch(/^\/state\/harbor-[0-9a-f]{8}$/);
    expect(system.digest).toMatch(/^[0-9a-f]{64}$/);
  });

  test('warns of a single recipient and a single destination', () => {
    const text = minimal.replace(`, ${offline}`, '').replace(/ {2}second.*\n/, '');
    expect(load(text).warnings.map((warning) => warning.code)).toEqual(['one-recipient', 'one-destination']);
  });

  test('names code that is in no backup before it is missed, and no warning that a person accepted with a reason', () => {
    const app = (directory: string) =>
      `drill: { app: { start: x, ready: "http://127.0.0.1:1/", directory: ${directory} } }\n`;
    const codes = (text: string) => load(text).warnings.map(({ code }) => code);
    expect(codes(minimal + app('/usr/share/app'))).toEqual(['code-not-backed-up']);
    const { datasets } = load(minimal);
    const uploads = datasets.uploads?.type === 'files' ? datasets.uploads.path : '';
    expect(codes(minimal + app(`${uploads}/code`))).toEqual([]);
    const accepted = 'accepted: { code-not-backed-up: Debian package app }\n';
    expect(codes(minimal + app('/usr/share/app') + accepted)).toEqual([]);
    expect(load(minimal + accepted).accepted).toEqual([{ what: 'code-not-backed-up', reason: 'Debian package app' }]);
    expect(() => load(`${minimal}accepted: { one-destination: "" }\n`)).toThrow();
  });

  test.each([
    ['{ type: sql, dataset: app-db, query: "select count(*) from invoices where 0", expect: not empty }', '0 meets'],
    ['{ type: sql, dataset: app-db, query: select count(*) from invoices, expect: ">= 0" }', '0 meets'],
    ['{ type: sql, dataset: app-db, query: select 1, expect: "= 1" }', 'reads no table'],
    ['{ type: sql, dataset: app-db, query: select null, expect: empty }', 'reads no table'],
    ['{ type: sql, dataset: app-db, query: "select count(\'from x\')", expect: ">= 1" }', 'reads no table'],
    ['{ type: sql, dataset: app-db, query: select name from users, expect: matches /.*/ }', 'nothing meets'],
    ['{ type: freshness, dataset: app-db, query: "select now()", within: 1h }', 'reads no table'],
    ['{ type: command, run: false | cat }', 'only the last part decides'],
    ['{ type: command, run: "./verify.sh || true" }', 'its last word'],
    ['{ type: http, steps: [{ path: / }, { path: /x, expect: { status: 200 } }] }', 'something went wrong would pass'],
  ])('drill-05: warns of a check that hardly anything could fail: %s', (check, why) => {
    const app = 'app: { start: x, ready: "http://127.0.0.1:${PORT}/" }';
    const { warnings } = load(`${minimal}${code}drill:\n  ${app}\n  checks:\n    weak one: ${check}\n`);
    expect(warnings).toEqual([{ code: 'check-weak', message: expect.stringMatching(`'weak one'.*${why}`) }]);
  });

  test.each([
    '{ type: sql, dataset: app-db, query: select count(*) from invoices, expect: ">= 1" }',
    '{ type: sql, dataset: app-db, query: select count(*) from invoices where total < 0, expect: "= 0" }',
    '{ type: sql, dataset: app-db, query: select name from users limit 1, expect: not empty }',
    '{ type: sql, dataset: app-db, query: select check_ledger(), expect: "= ok" }',
    '{ type: command, run: "grep -c . log | grep -q 12" }',
    '{ type: command, run: "set -o pipefail; ./verify.sh | tail -3" }',
    '{ type: command, run: "test -s a || exit 1" }',
    '{ type: http, steps: [{ path: /login, method: POST, expect: { status: 303 } }, { path: /x }] }',
  ])('drill-05: and not of one that asks for something: %s', (check) => {
    const app = 'app: { start: x, ready: "http://127.0.0.1:${PORT}/" }';
    expect(load(`${minimal}${code}drill:\n  ${app}\n  checks:\n    it: ${check}\n`).warnings).toEqual([]);
  });

  test('warns of plain http to a host that is not this one', () => {
    const at = (endpoint: string) => {
      const s3 = `  bucket: { type: s3, bucket: harbor, endpoint: "${endpoint}" }\n`;
      return load(minimal.replace('destinations:\n', `destinations:\n${s3}`)).warnings;
    };
    for (const endpoint of ['http://s3.example.org', 'http://10.0.0.7:9000', 'http://127.example.org']) {
      expect(at(endpoint), endpoint).toMatchObject([
        { code: 'endpoint-unencrypted', message: expect.stringContaining('Write https:// in its endpoint') },
      ]);
    }
    for (const endpoint of [
      'https://s3.example.org',
      'http://localhost:9000',
      'http://127.0.0.1',
      'http://[::1]:9000',
    ]) {
      expect(at(endpoint), endpoint).toEqual([]);
    }
  });

  test('two files share no state before a backup has shown that both lead to one vault', () => {
    const one = load(minimal).stateDir;
    file = join(folder, 'other.yaml');
    expect(load(minimal).stateDir).not.toBe(one);
  });

  test('says how to sign in and open an upload', async () => {
    const system = load(
      `${minimal}drill:
  app:
    start: node server.js
    ready: http://127.0.0.1:\${PORT}/health
    env: { DATABASE_FILE: "\${RESTORED_APP_DB}", SESSION_SECRET: plain-secret }
  checks:
    invoices: { type: sql, dataset: app-db, query: SELECT count(*) FROM invoices, expect: ">= 1" }
    invoices open: { type: references, from: { dataset: app-db, query: SELECT path FROM invoices }, in: uploads }
    sign in:
      type: http
      steps:
        - method: POST
          path: /login
          form: { email: a@example.org, password: "\${DEMO_PASSWORD}" }
          expect: { status: 303 }
        - path: /api/invoices
          expect: { json: { "0.id": ">= 1" } }
          capture: { invoice: { json: 0.id } }
        - path: "/invoices/\${invoice}/upload"
          json: { note: "say \${quote}" }
          expect: { contentType: application/pdf, minBytes: 100 }
    mail: { type: command, run: ./check.sh }
    fresh: { type: freshness, dataset: app-db, query: SELECT max(created) FROM invoices, within: 1h }
  skip: { mail: no mail server in a drill }
  limits: { memory: 2 GiB, processes: 500, files: 1000 }
`,
      { DEMO_PASSWORD: 'open "sesame"' },
    );
    const { app, checks, skip, limits } = system.drill;
    expect(limits).toEqual({ memoryBytes: 2 * 2 ** 30, processes: 500, files: 1000 });
    expect(await app?.ready.expand({ PORT: '81' })).toBe('http://127.0.0.1:81/health');
    expect(app?.directory).toBe(folder);
    expect(app?.env.SESSION_SECRET?.shown).toBe('****');
    expect(await app?.env.DATABASE_FILE?.expand({ RESTORED_APP_DB: '/r/app.db' })).toBe('/r/app.db');
    expect(skip).toEqual([{ what: 'mail', reason: 'no mail server in a drill' }]);
    expect(checks.map((check) => [check.id, check.type, check.timeoutMs])).toEqual([
      ['invoices', 'sql', 60_000],
      ['invoices open', 'references', 600_000],
      ['sign in', 'http', 60_000],
      ['mail', 'command', 300_000],
      ['fresh', 'freshness', 60_000],
    ]);
    const steps = checks[2]?.type === 'http' ? checks[2].steps : [];
    expect(steps[0]).toMatchObject({ method: 'POST', followRedirects: false, expect: { status: [303] } });
    const form = steps[0]?.body?.kind === 'form' ? steps[0].body.fields : {};
    expect(await form.password?.expand()).toBe('open "sesame"');
    expect(form.password?.shown).toBe('${DEMO_PASSWORD}');
    expect(steps[1]?.capture).toEqual({ invoice: { from: 'json', path: ['0', 'id'] } });
    expect(await steps[2]?.path.expand({ invoice: '7' })).toBe('/invoices/7/upload');
    const json = steps[2]?.body?.kind === 'json' ? steps[2].body.text : undefined;
    expect(JSON.parse((await json?.expand({ quote: '"hi"\n' })) ?? '')).toEqual({ note: 'say "hi"\n' });
  });
});

describe('references', () => {
  const withUrl = (url: string, env = {}) => {
    const dataset = load(`${minimal}  pg: { type: postgres, url: '${url}' }\n`, env).datasets.pg;
    const place = placeOf(dataset!);
    if (!('url' in place)) throw new Error('no server');
    return place.url;
  };

  test('come from the environment, a file or a command, and only when they are needed', async () => {
    writeFileSync(join(folder, 'password'), 's3cret\n');
    const url = withUrl('postgres://${PGUSER:-app}:${file:password}@${HOST}/${command:printf harbor}', { HOST: 'db' });
    expect(url.shown).toBe('postgres://${PGUSER:-app}:${file:password}@${HOST}/${command:printf harbor}');
    expect(await url.expand()).toBe('postgres://app:s3cret@db/harbor');
    await expect(withUrl('${DATABASE_URL}').expand()).rejects.toThrow(/\$\{DATABASE_URL\} is not set/);
  });

  test('that fail never repeat what the command printed', async () => {
    const url = withUrl('${command:echo s3cret; echo s3cret >&2; exit 3}');
    const error = await url.expand().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'secret-unavailable' });
    expect(String(error).replace(url.shown, '')).not.toContain('s3cret');
    await expect(withUrl('${file:nowhere}').expand()).rejects.toThrow(/nowhere.*cannot be had/);
    await expect(withUrl('${command:true}').expand()).rejects.toThrow(/it is empty/);
  });

  test('a password in clear is used, and never shown', async () => {
    const url = withUrl('postgres://app:hunter2@db/harbor?sslpassword=hunter3&x=1');
    expect(url.shown).toBe('postgres://app:****@db/harbor?sslpassword=****&x=1');
    expect(await url.expand()).toBe('postgres://app:hunter2@db/harbor?sslpassword=hunter3&x=1');
  });

  test('$${ is a plain ${', async () => expect(await withUrl('a $${file:x} $${B}').expand()).toBe('a ${file:x} ${B}'));
});

describe('a mistake is shown with its line, its column and what to write instead', () => {
  const broken: [string, string, string][] = [
    ['Q23: an unknown key', minimal.replace('sqlite, path', 'sqlite, pth'), 'unknown'],
    ['a missing key', minimal.replace(', path: ./data/app.db', ''), 'missing'],
    ['an unknown type', minimal.replace('type: files', 'type: bucket'), 'type'],
    ['a missing type', minimal.replace('type: files, ', ''), 'no type'],
    ['a bad duration', minimal.replace('15m', 'a while'), 'duration'],
    ['a duration without unit', minimal.replace('15m', '15'), 'unit'],
    ['a key that is there twice', minimal.replace('  uploads', '  app-db'), 'twice'],
    ['a tab', minimal.replace('  uploads', '\tuploads'), 'tab'],
    ['a bad name', minimal.replace('uploads:', 'Up_loads:'), 'name'],
    ['no recipient', minimal.replace(/\[age.*\]/, '[]'), 'recipient'],
    ['a wrong recipient', minimal.replace(daily, 'ssh-ed25519'), 'ssh'],
    ['another version', minimal.replace('version: 1', 'version: 2'), 'version'],
    ['an exclusion without reason', minimal.replace('uploads }', 'uploads, exclude: { tmp: } }'), 'reason'],
    ['a home folder', minimal.replace('./backups', '~/backups'), 'home'],
    ['a broken reference', `${minimal}  pg: { type: postgres, url: '\${DATABASE URL}' }\n`, 'reference'],
    [
      'an unknown dataset',
      `${minimal}drill: { checks: { a: { type: sql, dataset: app-bd, query: q, expect: "= 1" } } }\n`,
      'dataset',
    ],
    [
      'a dataset of the wrong kind',
      `${minimal}drill: { checks: { a: { type: sql, dataset: uploads, query: q, expect: "= 1" } } }\n`,
      'kind',
    ],
    [
      'a bad condition',
      `${minimal}drill: { checks: { a: { type: sql, dataset: app-db, query: q, expect: many } } }\n`,
      'condition',
    ],
    [
      'a variable of no dataset',
      `${minimal}drill: { app: { start: x, ready: "http://x/", env: { A: "\${RESTORED_APP}" } } }\n`,
      'restored',
    ],
    [
      'requests to no application',
      `${minimal}drill: { checks: { a: { type: http, steps: [{ path: / }] } } }\n`,
      'http',
    ],
    ['a skip of nothing', `${minimal}drill: { skip: { mails: why } }\n`, 'skip'],
    ['an empty file', '', 'empty'],
  ];
  test.each(broken)('%s', (name, text) => expect(mistake(text)).toMatchSnapshot(name));

  test('several at once, in the order of the file', () => {
    const text = minimal.replace('system:', 'sytem:').replace('rto:', 'rot:').replace('./backups', '""');
    expect(mistake(text)).toMatchSnapshot();
  });

  test('yaml-comma-in-query: a text that a comma or a reference breaks off is to be put in quotes', () => {
    const query = 'select name, size as size_bytes from files';
    const check = `{ type: references, from: { dataset: app-db, query: ${query} }, in: uploads }`;
    const comma = mistake(`${minimal}drill: { checks: { f: ${check} } }\n`);
    expect(comma).toContain("the text of 'query' ends at the comma before this");
    expect(comma).toContain('Put the whole text in quotes: query: "…, size as size_bytes from files"');
    expect(mistake(minimal.replace('./data/uploads', './up, loads'))).toContain("the text of 'path' ends at the comma");
    const reference = mistake(minimal.replace('./data/uploads', '${HOME}/uploads'));
    expect(reference).toMatch(/one mistake.\n.*a value with \$\{…\} between \{ and \} must be in quotes/);
    const list = mistake(minimal.replace('./data/uploads', "./data/uploads, exclude: ['*.log']"));
    expect(list).toContain("{ '*.log': rotated daily }");
  });

  test('a password in the offending line is not repeated', () => {
    const said = mistake(`${minimal}  pg: { type: postgres, url: 'postgres://app:hunter2@db/x', prot: 1 }\n`);
    expect(said).toContain("'prot' is not a known key");
    expect(said).not.toContain('hunter2');
  });
});

describe('what is refused', () => {
  const code = (text: string) => {
    try {
      load(text);
    } catch (error) {
      return error instanceof LifeboatError ? error.code : error;
    }
    return undefined;
  };

  test('a private key anywhere, and its text is not repeated', () => {
    expect(code(`# AGE-SECRET-KEY-1ABCDEF\n${minimal}`)).toBe('identity-in-config');
    expect(() => load(`${minimal}# age-secret-key-1abcdef\n`)).not.toThrow(/1abcdef/);
  });

  test('aliases that multiply', () => {
    const bomb = Array.from({ length: 9 }, (_, n) => `  a${n}: &a${n} [${`*a${n - 1},`.repeat(9)}]`)
      .slice(1)
      .join('\n');
    expect(code(`${minimal}x:\n  a0: &a0 [1]\n${bomb}\n`)).toBe('config-invalid');
  });

  test('a second document, a huge file, and no file', () => {
    expect(code(`${minimal}---\n${minimal}`)).toBe('config-invalid');
    expect(code(`${minimal}#${'x'.repeat(1 << 20)}`)).toBe('config-invalid');
    expect(() => loadSystem(join(folder, 'none.yaml'), {})).toThrow(/There is no configuration/);
    expect(() => loadSystem(folder, {})).toThrow(/it is a folder/);
  });

  test('a destination inside a source, also through a symbolic link', () => {
    expect(code(minimal.replace('./backups', './data/uploads/backups'))).toBe('destination-inside-source');
    expect(code(minimal.replace('./backups', './data/uploads'))).toBe('destination-inside-source');
    mkdirSync(join(folder, 'data/uploads'), { recursive: true });
    symlinkSync(join(folder, 'data/uploads'), join(folder, 'elsewhere'));
    expect(code(minimal.replace('./backups', './elsewhere/not/yet'))).toBe('destination-inside-source');
  });

  test('a source inside a destination', () => {
    expect(code(minimal.replace('./backups', '.'))).toBe('source-inside-destination');
    expect(code(minimal.replace('./backups', './data-backups'))).toBeUndefined();
  });

  test('destinations that share a folder', () => {
    expect(code(minimal.replace('/mnt/second', './backups/second'))).toBe('destinations-overlap');
    expect(code(minimal.replace('./backups', '/mnt/second/deeper'))).toBe('destinations-overlap');
  });
});
