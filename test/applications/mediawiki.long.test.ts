import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { crc32, deflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { secondCommand } from '../bootstrap/bare-machine.ts';
import { applicationPackages } from '../support/packages.ts';
import { freePort } from '../support/postgres.ts';
import { ensurePackages } from '../support/setup.ts';
import { temporaryFolder } from '../support/temp.ts';
import { describeTree } from '../support/tree.ts';
import { browser, completed, serve, told, webUser } from './serve.ts';

const isRoot = process.getuid?.() === 0;
const code = '/usr/share/mediawiki';
const password = 'Secret/pass #7';
const images = 12;

/** A picture of eight by eight points, of one colour each. */
function picture(colour: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const named = Buffer.concat([Buffer.from(type), data]);
    const [size, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    size.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(named));
    return Buffer.concat([size, named, sum]);
  };
  const row = Buffer.concat([Buffer.alloc(1), Buffer.alloc(24, colour)]);
  const head = Buffer.from('00000008000000080802000000', 'hex');
  const data = deflateSync(Buffer.concat(Array.from({ length: 8 }, () => row)));
  const signature = Buffer.from('89504e470d0a1a0a', 'hex');
  return Buffer.concat([signature, chunk('IHDR', head), chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))]);
}

/** A wiki whose data and settings are its own, in the folders that Debian's package has one of. */
async function installed() {
  const place = await temporaryFolder({ open: true });
  const [home, etc, given] = ['wiki', 'etc', 'given'].map((name) => join(place, name)) as [string, string, string];
  for (const path of [home, join(home, 'data'), join(home, 'images'), etc, given]) {
    fs.mkdirSync(path);
    fs.chownSync(path, webUser.uid, webUser.gid);
  }
  const settings = join(etc, 'LocalSettings.php');
  const php = (script: string, ...words: string[]) => {
    const env = { PATH: process.env.PATH, ...(fs.existsSync(settings) && { MW_CONFIG_FILE: settings }) };
    execFileSync('php', [join(code, 'maintenance', script), ...words], { ...webUser, env, stdio: 'pipe' });
  };
  fs.writeFileSync(join(place, 'pass'), password);
  const database = ['--dbtype', 'sqlite', '--dbname', 'acmewiki', '--dbpath', join(home, 'data')];
  const where = ['--scriptpath', '', '--server', 'http://127.0.0.1', '--confpath', etc];
  php('install.php', ...database, ...where, '--passfile', join(place, 'pass'), 'AcmeWiki', 'Ada');
  const more = `$wgServer = 'http://' . ( $_SERVER['HTTP_HOST'] ?? 'localhost' );
$wgEnableUploads = true;
$wgUploadDirectory = '${home}/images';
`;
  fs.appendFileSync(settings, more);
  fs.symlinkSync(settings, join(home, 'LocalSettings.php'));
  for (let number = 0; number < images; number++) fs.writeFileSync(join(given, `Img${number}.png`), picture(number));
  php('importImages.php', given);
  const texts = Array.from({ length: 20 }, (_, number) => join(given, `Page${number}.txt`));
  for (const [number, file] of texts.entries()) fs.writeFileSync(file, `What is to be known of boat ${number}`);
  php('importTextFiles.php', '--prefix', 'Boat', ...texts);
  return { place, home, settings };
}

const drill = (settings: string) => `drill:
  app:
    start: exec php -S 127.0.0.1:$PORT -t ${code}
    ready: "http://127.0.0.1:\${PORT}/index.php?title=Main_Page"
    readyTimeout: 5m
    directory: ${code}
    env: { MW_CONFIG_FILE: ${settings} }
  checks:
    there are pages: { type: sql, dataset: acmewiki, query: select count(*) from page, expect: ">= 20" }
    sign in and read:
      type: http
      timeout: 5m
      steps:
        - { path: "/index.php?title=Special:UserLogin", capture: { token: { regex: 'name="wpLoginToken" type="hidden" value="([^"]+)"' } } }
        - { method: POST, path: "/index.php?title=Special:UserLogin", form: { wpName: Ada, wpPassword: "\${WIKI_PASSWORD}", wpLoginToken: "\${token}", authAction: login, wploginattempt: Log in }, expect: { status: 302 } }
        - { path: "/index.php?title=Special:Preferences", expect: { contains: Ada } }
        - { path: "/index.php?title=BoatPage7", expect: { contains: What is to be known of boat 7 } }
`;

async function signedIn(settings: string, jar: string): Promise<void> {
  const origin = `http://127.0.0.1:${await freePort()}`;
  const url = `${origin}/index.php?title=Main_Page`;
  const words = ['php', '-S', origin.slice('http://'.length), '-t', code] as const;
  await serve([...words], { env: { MW_CONFIG_FILE: settings }, cwd: code, url });
  const { get, post } = browser(origin, jar);
  const page = '/index.php?title=Special:UserLogin';
  const token = /name="wpLoginToken" type="hidden" value="([^"]+)"/.exec(get(page))?.[1] ?? '';
  const fields = {
    wpName: 'Ada',
    wpPassword: password,
    wpLoginToken: token,
    authAction: 'login',
    wploginattempt: 'Log in',
  };
  expect(post(page, fields)).toBe('302');
  expect(get('/index.php?title=Special:Preferences')).toContain('Ada');
  // What is restored can be written to, by who it belongs to.
  const { query } = JSON.parse(get('/api.php?action=query&meta=tokens&format=json'));
  post('/api.php', { action: 'edit', title: 'New boat', text: 'launched', token: query.tokens.csrftoken });
  expect(get('/index.php?title=New_boat')).toContain('launched');
}

test.runIf(isRoot)(
  'MediaWiki of Debian: protected as init proposes, proved by a sign-in, lost with its host, and back on a new one',
  async () => {
    await ensurePackages(applicationPackages);
    const { place, home, settings } = await installed();
    const bare = await temporaryFolder();
    fs.writeFileSync(join(home, '.env'), `WIKI_PASSWORD="${password}"\n`, { mode: 0o600 });
    await told(home, ['init']);
    const file = join(home, 'lifeboat.yaml');
    const second = join(place, 'second');
    const proposed = fs.readFileSync(file, 'utf8').replace(/^vault:$/m, 'envFile: ./.env\n$&');
    // A cache that the wiki makes anew may have nothing in it.
    const text = completed(proposed, second, drill(settings)).replace(/(l10n_cache.sqlite)/, '$1, mayBeEmpty: a cache');
    fs.writeFileSync(file, text);
    await told(home, ['backup', '--quiet']);
    expect(await told(home, ['drill', '--identity', 'lifeboat-keys/daily.txt'])).toMatch(/^PROVED/);

    const counted = () => {
      using database = new DatabaseSync(join(home, 'data/acmewiki.sqlite'), { readOnly: true });
      const all = 'SELECT (SELECT count(*) FROM page) AS pages, (SELECT count(*) FROM image) AS images';
      return database.prepare(all).all();
    };
    const trees = () => [`${home}/images`, settings].flatMap((path) => describeTree(path));
    const [rows, before] = [counted(), trees()];
    expect(rows).toEqual([{ pages: expect.any(Number), images }]);
    const key = join(place, 'offline.txt');
    fs.renameSync(join(home, 'lifeboat-keys/offline.txt'), key);
    for (const path of [home, join(place, 'etc')]) fs.rmSync(path, { recursive: true });

    const next = secondCommand(await told(bare, ['bootstrap', second, '--identity', key, '--trust']));
    await told(bare, [...next, '--trust']);
    expect(counted()).toEqual(rows);
    expect(trees()).toEqual(before);
    await signedIn(settings, join(place, 'jar'));
    expect(await told(home, ['backup', '--quiet'])).toBe('');
  },
);
