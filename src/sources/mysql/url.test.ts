import { expect, test } from 'vitest';
import { parseUrl, showAddress, verifiesServer } from './url.ts';

test.each([
  [
    'mysql://app:p%40ss@db.example.com:3307/shop',
    { host: 'db.example.com', port: 3307, user: 'app', password: 'p@ss', database: 'shop' },
  ],
  ['mariadb://app@[2001:db8::1]/shop', { host: '2001:db8::1', port: 3306 }],
  ['mysql2://app@localhost/shop?pool=5&encoding=utf8mb4', { host: 'localhost', ignored: ['pool', 'encoding'] }],
  ['mysql+pymysql://app@localhost/shop?charset=utf8mb4', { host: 'localhost', database: 'shop' }],
  ['jdbc:mariadb://db/shop?useUnicode=true', { host: 'db', database: 'shop' }],
  ['mysql://app@/shop?socket=/run/my.sock', { socket: '/run/my.sock', database: 'shop' }],
  ['mysql://app@localhost/shop?unix_socket=%2Frun%2Fmy.sock', { socket: '/run/my.sock' }],
  ['mysql:///shop', { socket: '/run/mysqld/mysqld.sock' }],
  ['mysql://a:b@db/shop?ssl-mode=VERIFY_IDENTITY&ssl-ca=/ca.pem', { tls: { mode: 'verify_identity', ca: '/ca.pem' } }],
  ['mysql://a:b@db/shop?sslmode=require', { tls: { mode: 'required' } }],
  ['mysql://a:b@db/shop?ssl=false', { tls: { mode: 'disabled' } }],
  ['mysql://a:b@db/shop', { tls: { mode: 'preferred' } }],
])('%s is understood', (url, expected) => {
  expect(parseUrl(url)).toMatchObject(expected);
});

test.each([
  ['postgres://a:b@db/shop', 'does not begin with mysql://'],
  ['mysql://a:hunter2@db', 'names no database'],
  ['mysql://a:hunter2@db/', 'names no database'],
  ['mysql://a:hunt/er2@db/shop', "'/', which must be written as %2F"],
  ['mysql://a:hunt@er2@db/shop', "'@', which must be written as %40"],
  ['mysql://a:hunter2@db/shop?tsl=true', 'tsl is not known'],
  ['mysql://a:hunter2@db/shop?ssl-mode=MAYBE', 'ssl-mode must be one of'],
  ['mysql://a:hunter2%@db/shop', 'a % in it'],
])('%s is refused, and the password is not told', (url, why) => {
  expect(() => parseUrl(url)).toThrow(why);
  expect(() => parseUrl(url)).not.toThrow(/hunt/);
});

test('an address is shown without its password', () => {
  expect(showAddress(parseUrl('mysql://a:hunter2@db/shop'))).toBe('mysql://a@db:3306/shop');
  expect(showAddress(parseUrl('mysql://a:hunter2@/shop?socket=/s'))).toBe('mysql://a@/shop?socket=/s');
});

test('who asks for encryption has it, and who names an authority has the server checked', () => {
  const verifies = (settings: string) => verifiesServer(parseUrl(`mysql://a@db/shop?${settings}`));
  expect(['ssl-mode=REQUIRED', 'ssl-mode=REQUIRED&ssl-ca=/ca', 'ssl-mode=VERIFY_CA', 'ssl=true'].map(verifies)).toEqual(
    [...[false, true, true, false]],
  );
});
