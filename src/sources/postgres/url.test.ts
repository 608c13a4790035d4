import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
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
    'postgres://db/x?options=-c',
    'http://db/x',
  ])('%s is refused', (url) => {
    expect(() => parseUrl(url)).toThrow(expect.objectContaining({ code: 'postgres-url-wrong' }));
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
