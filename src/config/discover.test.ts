// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are what is tested
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { engineOf, placeOf } from '../sources/engines.ts';
import { discover } from './discover.ts';
import { parseEnvFile } from './env-file.ts';
import { jsonSchema, schemaFile } from './json-schema.ts';
import { loadSystem } from './load.ts';
import { starterConfig } from './starter.ts';

let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'lifeboat-discover-')));
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(path: string, text = '') {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

function database(path: string) {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  const made = new DatabaseSync(join(folder, path));
  made.exec('CREATE TABLE a (x)');
  made.close();
}

const recipients = ['q', 'p'].map((letter) => ({ recipient: `age1${letter.repeat(58)}`, purpose: 'a key' }));

describe('what init finds', () => {
  test('in a project with everything: databases by their bytes, uploads, settings, services, and what it cannot protect', () => {
    put('package.json', '{"name":"@acme/Harbor App","scripts":{"start":"node ."}}');
    put(
      '.env',
      'export DATABASE_URL="postgres://app:hunter2@localhost/app" # main\nREDIS_URL=redis://localhost\nSMTP=smtp://x\n',
    );
    database('data/looks-like-nothing');
    put('data/only-a-name.db', 'hello');
    database('node_modules/dependency/cache.sqlite');
    put('public/uploads/a.png', 'x');
    database('storage/prod[1].sqlite3');
    put(
      'compose.yml',
      `services:
  db: { image: "docker.io/library/postgres:16", ports: ["5433:5432"] }
  cache: { image: "redis:7" }
  app: { build: ., volumes: ["appdata:/data", "./x:/y"] }
`,
    );
    const found = discover(folder, [{ engine: engineOf('postgres'), at: '/var/run/postgresql' }]);
    expect(found).toMatchObject({ system: 'harbor-app', envFile: './.env', app: { start: 'npm start' } });
    expect(found.datasets.map(({ why: _, ...dataset }) => dataset)).toEqual([
      { name: 'app-db', type: 'postgres', keys: { url: '${DATABASE_URL}' } },
      { name: 'looks-like-nothing', type: 'sqlite', keys: { path: './data/looks-like-nothing' } },
      { name: 'prod-1', type: 'sqlite', keys: { path: './storage/prod[1].sqlite3' } },
      {
        name: 'storage',
        type: 'files',
        keys: { path: './storage' },
        exclude: Object.fromEntries(
          ['', '-wal', '-shm', '-journal'].map((end) => [`/prod\\[1\\].sqlite3${end}`, 'protected as prod-1']),
        ),
      },
      { name: 'uploads', type: 'files', keys: { path: './public/uploads' }, exclude: {} },
      { name: 'settings', type: 'files', keys: { path: './.env' } },
    ]);
    expect(found.unprotected.map(({ what }) => what)).toEqual([
      'Redis or Valkey (REDIS_URL in .env)',
      'Redis or Valkey (service cache in compose.yml)',
      'volume appdata (service app in compose.yml)',
    ]);

    const text = starterConfig(found, recipients, '/schema.json');
    expect(text).not.toContain('hunter2');
    put('lifeboat.yaml', text);
    const system = loadSystem(join(folder, 'lifeboat.yaml'), {});
    expect(Object.keys(system.datasets)).toEqual(found.datasets.map(({ name }) => name));
    const place = placeOf(system.datasets['app-db']!);
    return expect('url' in place && place.url.expand()).resolves.toBe('postgres://app:hunter2@localhost/app');
  });

  test('the proposed drill is valid once its comment signs are taken off', () => {
    database('app.db');
    put('uploads/a', '');
    const text = starterConfig(discover(folder), recipients, '/schema.json');
    const [head, drill = ''] = text.split('\ndrill:\n');
    put('lifeboat.yaml', `${head}\ndrill:\n${drill.replace(/^ {2}# (?=app:|checks:| )/gm, '  ')}`);
    const { app, checks } = loadSystem(join(folder, 'lifeboat.yaml'), {}).drill;
    expect(app?.env).toHaveProperty('UPLOADS');
    expect(checks.map((check) => check.id)).toEqual(['there are users', 'sign in']);
  });

  test('a compose service with a published port is reached through references, one without is named', () => {
    put(
      'compose.yaml',
      'services: { pg: { image: "postgis/postgis", ports: [{ target: 5432, published: "5499" }] }, other: { image: postgres } }',
    );
    const found = discover(folder);
    expect(found.datasets).toMatchObject([
      {
        name: 'pg',
        keys: {
          host: '127.0.0.1',
          port: '5499',
          user: '${POSTGRES_USER:-postgres}',
          password: '${POSTGRES_PASSWORD}',
          database: '${POSTGRES_DB:-postgres}',
        },
      },
    ]);
    expect(found.unprotected).toMatchObject([{ what: 'PostgreSQL (service other in compose.yaml)' }]);
  });

  test('an empty folder, and a server on this host of which nothing is known', () => {
    const found = discover(folder, [{ engine: engineOf('postgres'), at: '127.0.0.1:5432' }]);
    expect(found.datasets).toEqual([]);
    expect(found.unprotected).toMatchObject([{ what: 'PostgreSQL on this host (127.0.0.1:5432)' }]);
    expect(starterConfig(found, recipients, 's')).toContain('Nothing was found');
  });

  test('names from outside cannot break out of the comments', () => {
    put('compose.yml', 'services: { "x\\ninjected: true": { image: redis } }');
    put('lifeboat.yaml', starterConfig(discover(folder), recipients, 's'));
    expect(readFileSync(join(folder, 'lifeboat.yaml'), 'utf8')).toContain('x?injected: true');
  });
});

test('an env file is read as its users write it', () => {
  const text = `# comment\nA=1\nexport B = "two # words\\nnext"\nC='$literal'\nD=with spaces # note\nE=\nnot a line\n`;
  expect(parseEnvFile(text)).toEqual({ A: '1', B: 'two # words\nnext', C: '$literal', D: 'with spaces', E: '' });
});

test('the published JSON Schema is the one that the schema makes', () => {
  const file = new URL(`../../${schemaFile}`, import.meta.url);
  expect(readFileSync(file, 'utf8')).toBe(jsonSchema());
});

test.each(['lifeboat.yaml', 'lifeboat.postgres.yaml'])("Harbor's %s is valid", (name) => {
  const file = new URL(`../../examples/harbor/${name}`, import.meta.url).pathname;
  expect(loadSystem(file, {}).name).toBe('harbor');
});

describe('init-misses: what frameworks and other names hold', () => {
  const urls = () =>
    discover(folder).datasets.flatMap((one) => (one.type === 'postgres' ? [Object.values(one.keys).join(' ')] : []));
  const paths = () => discover(folder).datasets.flatMap((one) => (one.type === 'files' ? [one.keys.path] : []));

  test('a database by its parts in .env, as Directus, Laravel and the client of PostgreSQL name them', () => {
    const parts = 'DB_HOST=10.0.0.2\nDB_PORT=5433\nDB_DATABASE=cms\nDB_PASSWORD=x\n';
    put('.env', `DB_CLIENT=pg\n${parts}DB_USER=cms\n`);
    expect(urls()).toEqual(['${DB_HOST} ${DB_USER} ${DB_PORT} ${DB_PASSWORD} ${DB_DATABASE}']);
    put('.env', `DB_CONNECTION=pgsql\n${parts}DB_USERNAME=cms\n`);
    expect(urls()).toEqual(['${DB_HOST} ${DB_USERNAME} ${DB_PORT} ${DB_PASSWORD} ${DB_DATABASE}']);
    put('.env', 'PGDATABASE=shop\nPGUSER=shop\n');
    expect(urls()).toEqual(['127.0.0.1 ${PGUSER} ${PGDATABASE}']);
    put('.env', `DB_CONNECTION=mysql\n${parts}DB_USERNAME=cms\n`);
    expect(discover(folder).datasets[0]).toMatchObject({
      ...{ type: 'mysql', why: 'MariaDB, DB_DATABASE in .env' },
      keys: { host: '${DB_HOST}', port: '${DB_PORT}', user: '${DB_USERNAME}', password: '${DB_PASSWORD}' },
    });
    put('.env', `DB_CONNECTION=mongodb\n${parts}`);
    expect(discover(folder).unprotected).toMatchObject([{ what: 'MongoDB (DB_DATABASE in .env)' }]);
  });

  test('.env.production, and Rails, whose password may be anywhere', () => {
    put('.env.production', 'DATABASE_URL=postgres://a:b@127.0.0.1/a\n');
    expect(discover(folder)).toMatchObject({ envFile: './.env.production' });
    expect(urls()).toEqual(['${DATABASE_URL}']);
    rmSync(join(folder, '.env.production'));
    put('config/database.yml', 'production:\n  adapter: postgresql\n  database: shop\n');
    expect(urls()).toEqual(['shop']);
    const rails = (password: string) =>
      `default: &default\n  adapter: postgresql\n  host: db\nproduction:\n  <<: *default\n  database: shop\n  username: shop\n  password: ${password}\n`;
    put('config/database.yml', rails('<%= ENV["SHOP_PASSWORD"] %>'));
    expect(urls()).toEqual(['db shop ${SHOP_PASSWORD} shop']);
    put('config/database.yml', rails('in-clear'));
    const found = discover(folder);
    expect(found.datasets).toMatchObject([{ name: 'settings', keys: { path: './config/database.yml' } }]);
    const proposal = { type: 'postgres', keys: { host: 'db', password: '${DB_PASSWORD}' } };
    expect(found.unprotected).toMatchObject([{ what: 'PostgreSQL (config/database.yml)', proposal }]);
    expect(JSON.stringify(found)).not.toContain('in-clear');
  });

  test('WordPress, MediaWiki, Nextcloud and Django, as each writes it; a password that stands there goes nowhere', () => {
    const named = (file: string, text: string) => {
      put(file, text);
      const found = discover(folder);
      expect(JSON.stringify(found)).not.toContain('in-clear');
      rmSync(join(folder, file));
      const [server] = found.datasets.filter(({ type }) => engineOf(type).server !== undefined);
      const [other] = found.unprotected;
      return server?.keys ?? other?.proposal?.keys ?? other?.what;
    };
    const wordpress = (host: string) =>
      `<?php\ndefine( 'DB_NAME', 'shop' );\ndefine('DB_USER', "shop");\ndefine('DB_PASSWORD', 'in-clear');\ndefine('DB_HOST', '${host}');\n`;
    const keys = { user: 'shop', password: '${DB_PASSWORD}', database: 'shop' };
    expect(named('wp-config.php', wordpress('localhost'))).toEqual({ ...keys, host: 'localhost' });
    expect(named('wp-config.php', wordpress('db:3307'))).toEqual({ ...keys, host: 'db', port: '3307' });
    expect(named('wp-config.php', wordpress('localhost:/run/my.sock'))).toEqual({ ...keys, host: '/run/my.sock' });
    const fromDocker = "define('DB_NAME', getenv_docker('WORDPRESS_DB_NAME', 'wordpress'));";
    expect(named('wp-config.php', fromDocker)).toEqual({ database: '${WORDPRESS_DB_NAME}' });
    const wiki =
      '<?php\n$wgDBtype = "postgres";\n$wgDBserver = "/run/postgresql";\n$wgDBname = "wiki";\n$wgDBuser = "wiki";\n$wgDBpassword = "in-clear";\n';
    expect(named('LocalSettings.php', wiki)).toMatchObject({ host: '/run/postgresql', user: 'wiki', database: 'wiki' });
    const cloud =
      "<?php $CONFIG = array('dbtype' => 'mysql', 'dbname' => 'nc', 'dbhost' => '10.0.0.3', 'dbuser' => 'nc', 'dbpassword' => 'in-clear');";
    expect(named('config/config.php', cloud)).toMatchObject({ host: '10.0.0.3', user: 'nc', database: 'nc' });
    put('manage.py');
    const django = `DATABASES = {
    'default': {
        'ENGINE': 'django.db.backends.mysql',
        'NAME': 'site',
        'USER': os.environ['SITE_DB_USER'],
        'PASSWORD': os.environ.get("SITE_DB_PASSWORD"),
        'HOST': '127.0.0.1',
    }
}
`;
    expect(named('site/settings.py', django)).toEqual({
      ...{ host: '127.0.0.1', user: '${SITE_DB_USER}', password: '${SITE_DB_PASSWORD}', database: 'site' },
    });
    // What is not written plainly is not guessed at.
    expect(named('wp-config.php', "define('DB_NAME', $site . '_db');")).toBeUndefined();
    expect(named('config/config.php', '<?php return [];')).toBeUndefined();
  });

  test('uploads in files/ and images/, and no views of that name', () => {
    put('files/2026/11/a.png', 'x');
    put('images/a/ab/Logo.png', 'x');
    put('app/views/attachments/show.erb', '<%= x %>');
    put('src/images/icon.png', 'x');
    expect(paths()).toEqual(['./files', './images']);
    put('images/index.php', 'x');
    expect(paths()).toEqual(['./files']);
  });

  test('init-folder-of-digits: names that YAML would read as something else are quoted', () => {
    database('other.sqlite');
    for (const name of ['20261126', 'true', 'null', '1e5', '0x1f', 'no']) {
      put(`package.json`, JSON.stringify({ name }));
      database(`${name}.sqlite`);
      const text = starterConfig(discover(folder), recipients, 's');
      put('lifeboat.yaml', text);
      const system = loadSystem(join(folder, 'lifeboat.yaml'), {});
      expect(system.name).toBe(name);
      expect(Object.keys(system.datasets)).toContain(name);
      rmSync(join(folder, `${name}.sqlite`));
    }
  });
});
