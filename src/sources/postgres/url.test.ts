import { describe, expect, test, vi } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import { unverified } from './inspect.ts';
import { parseUrl, showAddress, toolEnvironment } from './url.ts';

describe('a connection URL', () => {
  test.each([
    [
      'postgres://app:pw@db.example.org:5433/harbor',
      { host: 'db.example.org', port: 5433, user: 'app', password: 'pw', database: 'harbor' },
    ],
    ['postgresql://app@db/harbor?sslmode=verify-full', { host: 'db', port: 5432, user: 'app', database: 'harbor' }],
    ['postgres://app@[::1]:5433/harbor', { host: '::1', port: 5433 }],
    ['postgres://app@/harbor?host=/run/pg&port=6000', { host: '/run/pg', port: 6000, user: 'app' }],
    ['postgres://app@%2Frun%2Fpg/harbor', { host: '/run/pg' }],
    ['postgres:///harbor', { host: '/var/run/postgresql', database: 'harbor' }],
    ['postgres://app@db', { host: 'db', database: 'app' }],
    ['postgres://a%40b:p%2F%40%3A@db/x%20y', { user: 'a@b', password: 'p/@:', database: 'x y' }],
  ])('%s', (url, address) => {
    expect(parseUrl(url)).toMatchObject(address);
  });

  test.each([
    'postgres://app@a,b/harbor',
    'postgres://app@db:no/x',
    'postgres://%zz@db/x',
    'postgres://db/x?sslmode=sure',
    'postgres://db/x?sslcrl=a',
    'postgres://db/x?service=prod',
    'postgres://db/x?gssencmode=require',
    'http://db/x',
  ])('%s is refused', (url) => {
    expect(() => parseUrl(url)).toThrow(expect.objectContaining({ code: 'postgres-url-wrong' }));
  });

  test.each([
    ['postgresql://u@h/db?schema=public', {}, ['schema']],
    ['postgresql://u@h/db?pgbouncer=true&connection_limit=1', {}, ['pgbouncer', 'connection_limit']],
    ['postgres://u@h/db?pool=5&search_path=app', {}, ['pool', 'search_path']],
    ['postgres://u@h/db?options=-c%20search_path%3Dapp', { options: '-c search_path=app' }, []],
    ['postgres://u@h/db?sslmode=require&channel_binding=require', { tls: { mode: 'require' } }, []],
    ['postgres://u@h/db?keepalives=1&keepalives_idle=30&gssencmode=disable', {}, []],
    ['postgres://u@h/db?sslmode=no-verify&uselibpqcompat=true', { tls: { mode: 'require' } }, ['uselibpqcompat']],
    ['postgres://u@h/db?ssl=true', { tls: { mode: 'require' } }, []],
    ['postgresql+asyncpg://u@h/db?ssl=verify-full', { tls: { mode: 'verify-full' } }, []],
    ['ecto://u@h/db?prepare=named', { host: 'h', database: 'db' }, ['prepare']],
    ['POSTGRES://u@h/db?loginTimeout=5&tcpKeepAlive=true', { host: 'h' }, ['loginTimeout', 'tcpKeepAlive']],
    ['postgresql+asyncpg://u@h/db', {}, []],
    ['postgis://u@h/db', {}, []],
  ])('url-01: is taken as providers and ORMs print it: %s', (url, found, ignored) => {
    const address = parseUrl(url);
    expect(address).toMatchObject({ user: 'u', host: 'h', database: 'db', ...found, ignored });
    const { env } = toolEnvironment(address, { direct: true });
    // What we fix ourselves comes last, and wins.
    expect(env.PGOPTIONS).toMatch(/-c search_path=pg_catalog(?!.*-c search_path=app)/);
    expect(env.PGCHANNELBINDING).toBe(url.includes('channel_binding') ? 'require' : undefined);
  });

  test('url-01: one that cannot be taken names what to remove, and another way', () => {
    expect(() => parseUrl('postgres://u:geheim@h/db?sslcrl=x')).toThrow(
      expect.objectContaining({ hint: expect.stringMatching(/^Remove sslcrl from it.*BACKUP_DATABASE_URL/) }),
    );
  });

  test('url-01: encryption that is asked for in words nobody knows is not passed over, and of several hosts one is asked for', () => {
    expect(() => parseUrl('postgresql+asyncpg://u@h/db?ssl=strict')).toThrow(/sslmode must be one of/);
    for (const url of ['postgres://u:p,w@a:1,b:2/db', 'postgres://a,b', 'postgres://u@h/db?host=a,b'])
      expect(() => parseUrl(url), url).toThrow(/must name one host and one port/);
  });

  test.each(['p@ss/w#rd', 'p@ss/word', 'a#b', 'a/b', 'a?b@c'])(
    'password-special-characters: %s as it is is refused, with how it is written',
    (password) => {
      const read = () => parseUrl(`postgres://shop:${password}@localhost/shop`);
      expect(read).toThrow(
        expect.objectContaining({ code: 'postgres-url-wrong', hint: expect.stringContaining('%2F') }),
      );
      expect(read).toThrow(/seems to hold '.', which must be written as %[0-9A-F]{2}/);
      expect(read).not.toThrow(password);
      const written = `postgres://shop:${encodeURIComponent(password)}@localhost/shop`;
      expect(parseUrl(written)).toMatchObject({ password, host: 'localhost', database: 'shop' });
    },
  );

  test('pg-15: a password of the environment reaches the programs as it reaches us', () => {
    vi.stubEnv('PGPASSWORD', 'from outside');
    vi.stubEnv('PGPASSFILE', '/etc/pass');
    const { env, secretEnv } = toolEnvironment(parseUrl('postgres://app@db/harbor'), { direct: true });
    expect(secretEnv).toEqual({ PGPASSWORD: 'from outside' });
    expect(env.PGPASSFILE).toBe('/etc/pass');
    vi.unstubAllEnvs();
  });

  test('is shown without its password, so that it can be read again', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }),
        fc.string({ minLength: 1 }),
        fc.constantFrom('db', '/run/pg', '::1'),
        (user, database, host) => {
          fc.pre(user.isWellFormed() && database.isWellFormed());
          const place = host.startsWith('/') ? '' : host.includes(':') ? `[${host}]` : host;
          const query = host.startsWith('/') ? `?host=${host}` : '';
          const [who, what] = [encodeURIComponent(user), encodeURIComponent(database)];
          const address = parseUrl(`postgres://${who}:geheim123@${place}/${what}${query}`);
          expect(showAddress(address)).not.toContain('geheim123');
          const { password, ...rest } = address;
          expect(password).toBe('geheim123');
          expect(parseUrl(showAddress(address))).toEqual(rest);
        },
      ),
    );
  });

  test('gives the tools the password only as a secret', () => {
    const { env, secretEnv } = toolEnvironment(parseUrl('postgres://app:geheim123@db:5433/harbor'), { direct: true });
    expect(secretEnv).toEqual({ PGPASSWORD: 'geheim123' });
    expect(JSON.stringify(env)).not.toContain('geheim123');
    expect(env).toMatchObject({ PGHOST: 'db', PGPORT: '5433', PGUSER: 'app', PGDATABASE: 'harbor', PGTZ: 'UTC' });
  });
});

test('L: a server that is not on this host and shows no certificate is warned of, with what mends it', () => {
  const warned = (url: string) => unverified(parseUrl(url)).map(({ message }) => message);
  for (const mode of ['', '?sslmode=disable', '?sslmode=allow', '?sslmode=prefer', '?sslmode=require']) {
    expect(warned(`postgres://app:secret@db.example.org/shop${mode}`), mode).toEqual([
      expect.stringMatching(/db\.example\.org.*sslmode=verify-full&sslrootcert=FILE/),
    ]);
  }
  expect(warned('postgres://app:secret@db.example.org/shop').join()).not.toContain('secret');
  for (const url of [
    'postgres://app@db.example.org/shop?sslmode=verify-full',
    'postgres://app@db.example.org/shop?sslmode=require&sslrootcert=/etc/ca.pem',
    ...['postgres://app@/shop', 'postgres://localhost/shop', 'postgres://127.0.0.1/shop', 'postgres://[::1]/shop'],
  ]) {
    expect(warned(url), url).toEqual([]);
  }
});
