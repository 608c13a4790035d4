// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are what is tested
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from '../../test/support/temp.ts';
import { pathsOf, placeOf } from '../sources/engines.ts';
import { parseUrl } from '../sources/postgres/url.ts';
import { discover } from './discover.ts';
import { loadSystem } from './load.ts';
import { starterConfig } from './starter.ts';

const fixtures = new URL('../../test/fixtures/applications/', import.meta.url).pathname;
const keys = ['q', 'p'].map((letter) => `age1${letter.repeat(58)}`);

/** With keys in the places of those that were taken out. */
function textOf(name: string): string {
  let next = 0;
  return readFileSync(join(fixtures, `${name}.yaml`), 'utf8').replace(/age1…/g, () => keys[next++]!);
}

/** What is no comment and no empty line, each as it stands. */
const linesOf = (text: string) => text.split('\n').filter((line) => !/^\s*(#|$)/.test(line));

describe('apps/configs: what people wrote for three applications', () => {
  const names = ['directus', 'redmine', 'mediawiki'];
  test.each([...names, ...names.map((name) => `${name}-short`)])('%s is a valid configuration', async (name) => {
    const folder = await temporaryFolder();
    writeFileSync(join(folder, 'lifeboat.yaml'), textOf(name));
    writeFileSync(join(folder, '.env'), '');
    const system = loadSystem(join(folder, 'lifeboat.yaml'), {});
    expect(Object.keys(system.datasets).length).toBeGreaterThan(1);
    expect(
      system.warnings.filter(({ code }) => !/^(one-destination|code-not-backed-up|check-weak)$/.test(code)),
    ).toEqual([]);
  });

  test('a dataset of several places holds each once, and no place that lies in another', async () => {
    const folder = await temporaryFolder();
    const placesIn = (paths: string) => {
      const text = textOf('directus-short').replace('[./uploads, ./.env]', paths);
      writeFileSync(join(folder, 'lifeboat.yaml'), text);
      writeFileSync(join(folder, '.env'), '');
      return pathsOf(loadSystem(join(folder, 'lifeboat.yaml'), {}).datasets.files!);
    };
    expect(placesIn('[/etc/x, ./a, /etc/x/, /etc/x/y, /etc/xy]')).toEqual(['/etc/x', join(folder, 'a'), '/etc/xy']);
    expect(placesIn('[./a]')).toEqual([join(folder, 'a')]);
    expect(() => placesIn('[]')).toThrow('needs at least one path');
    expect(() => placesIn('[~/a, /b]')).toThrow('full path instead of ~');
    expect(() => placesIn('[/b, 5]')).toThrow('must be a path, or a list of paths');
    expect(() => placesIn(`[/b, ${folder}]`)).toThrow('backups');
  });
});

test('password-special-characters: a server by its parts, each as it is', async () => {
  const folder = await temporaryFolder();
  const secret = 'a/b#c@d?e%41:f g';
  writeFileSync(join(folder, '.env'), `DB_PASSWORD='${secret}'\n`);
  const addressIn = (keys: string) => {
    const text = textOf('directus-short').replace(/url: ".*"/, keys);
    writeFileSync(join(folder, 'lifeboat.yaml'), text);
    const dataset = loadSystem(join(folder, 'lifeboat.yaml'), {}).datasets['app-db'];
    const place = dataset === undefined ? undefined : placeOf(dataset);
    return place !== undefined && 'url' in place ? place.url : undefined;
  };
  const parts = 'host: db.example, port: 5433, user: a b, password: "${DB_PASSWORD}", database: x/y';
  const address = addressIn(parts);
  expect(address?.shown).toBe('postgres://a b:${DB_PASSWORD}@db.example:5433/x/y');
  expect(parseUrl((await address?.expand()) ?? '')).toMatchObject({
    ...{ host: 'db.example', port: 5433, user: 'a b', password: secret, database: 'x/y' },
  });
  const local = addressIn('host: /var/run/postgresql, database: shop');
  expect(parseUrl((await local?.expand()) ?? '')).toMatchObject({ host: '/var/run/postgresql', database: 'shop' });
  expect(addressIn('user: a, password: in-clear, database: shop')?.shown).toBe('postgres://a:****@/shop');
  expect(() => addressIn(`url: "postgres://a@b/c", ${parts}`)).toThrow('names the server twice');
  expect(() => addressIn('host: db.example')).toThrow('needs a url, or a database');
  expect(() => addressIn('password: x, database: y')).toThrow('has a password for no user');
});

test('Redmine with its database, files, /etc and a sign-in takes at most 30 lines, of which init proposes 20', async () => {
  const root = await temporaryFolder();
  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const home = join(root, 'redmine');
  put('redmine/files/2026/11/261127_plan.pdf', '%PDF-1.4');
  put('redmine/config.ru', 'run RedmineApp::Application\n');
  put('redmine/.env', 'REDMINE_DB_PASSWORD=in-clear\nREDMINE_ADMIN_PASSWORD=x\n');
  put(
    'etc/redmine/default/database.yml',
    'production:\n  adapter: postgresql\n  host: localhost\n  username: redmine\n  password: in-clear\n  database: redmine_default\n',
  );
  put('etc/redmine/default/secret_key.txt', '00');
  symlinkSync(join(root, 'etc/redmine/default'), join(home, 'config'));
  put('etc/cron.d/redmine', `*/5 * * * * www-data cd ${home} && rake redmine:email:receive\n`);
  put('etc/cron.d/other', `* * * * * root cd ${home}-2 && true\n`);
  put('etc/systemd/system/redmine.service', `[Service]\nWorkingDirectory=${home}\n`);
  put('etc/nginx/sites-available/redmine', `server { root ${home}/public; }\n`);
  mkdirSync(join(root, 'etc/nginx/sites-enabled'));
  symlinkSync('../sites-available/redmine', join(root, 'etc/nginx/sites-enabled/redmine'));
  put('etc/nginx/secret', home);
  chmodSync(join(root, 'etc/nginx/secret'), 0);

  const found = discover(home, [], join(root, 'etc'));
  const recipients = keys.map((recipient) => ({ recipient, purpose: 'a key' }));
  const proposed = starterConfig(found, recipients, 's');
  expect(proposed).not.toContain('in-clear');
  writeFileSync(join(home, 'lifeboat.yaml'), proposed);
  expect(Object.keys(loadSystem(join(home, 'lifeboat.yaml'), {}).datasets)).toEqual([
    'app-db',
    'files',
    'settings',
    'host',
  ]);

  // What is written in comments is there for whoever takes the sign off.
  const uncommented = proposed.replace(/^ {2}# (?=app:|checks:| )/gm, '  ');
  const plain = (line: string) =>
    line
      .replace(/ # .*/, '')
      .replaceAll(join(root, 'etc'), '/etc')
      .replace(/\/etc\/nginx\/secret, /, '')
      .trim();
  const offered = new Set(linesOf(uncommented).map(plain));
  const needed = linesOf(textOf('redmine-short')).map(plain);
  expect(needed.length).toBeLessThanOrEqual(30);
  expect(needed.filter((line) => offered.has(line)).length, [...offered].join('\n')).toBeGreaterThanOrEqual(20);
});
