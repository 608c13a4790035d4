import { expect, test } from 'vitest';
import { accountOfKey, bucketProvider, serverProvider } from './providers.ts';

test.each([
  [undefined, 'eu-west-1', { provider: 'AWS', region: 'eu-west-1' }],
  ['https://s3.eu-central-1.amazonaws.com', undefined, { provider: 'AWS', region: 'eu-central-1' }],
  ['https://s3.dualstack.us-gov-west-1.amazonaws.com', undefined, { provider: 'AWS', region: 'us-gov-west-1' }],
  ['https://s3.amazonaws.com', undefined, { provider: 'AWS', region: 'us-east-1' }],
  ['https://s3.eu-central-003.backblazeb2.com', undefined, { provider: 'Backblaze B2', region: 'eu-central-003' }],
  [
    `https://${'0123456789abcdef'.repeat(2)}.r2.cloudflarestorage.com`,
    'auto',
    { provider: 'Cloudflare R2', region: 'auto', account: '0123456789abcdef'.repeat(2) },
  ],
  [
    `https://${'0123456789abcdef'.repeat(2)}.eu.r2.cloudflarestorage.com`,
    'auto',
    { provider: 'Cloudflare R2', region: 'eu', account: '0123456789abcdef'.repeat(2) },
  ],
  ['https://s3.eu-central-2.wasabisys.com', undefined, { provider: 'Wasabi', region: 'eu-central-2' }],
  ['https://s3.wasabisys.com', undefined, { provider: 'Wasabi', region: 'us-east-1' }],
  ['https://fsn1.your-objectstorage.com', undefined, { provider: 'Hetzner', region: 'fsn1' }],
  ['https://s3.fr-par.scw.cloud', undefined, { provider: 'Scaleway', region: 'fr-par' }],
  ['https://minio.example.com:9000', 'us-east-1', {}],
  ['https://s3.amazonaws.com.example.com', undefined, {}],
])('the endpoint %s with region %s', (endpoint, region, facts) => {
  expect(bucketProvider(endpoint, region)).toEqual(facts);
});

test('servers of known providers', () => {
  expect(serverProvider('u12345.your-storagebox.de')).toEqual({ provider: 'Hetzner', account: 'u12345' });
  expect(serverProvider('u12345-sub1.your-storagebox.de')).toEqual({ provider: 'Hetzner', account: 'u12345' });
  expect(serverProvider('fm1234.rsync.net')).toEqual({ provider: 'rsync.net' });
  expect(serverProvider('nas.example.com')).toEqual({});
});

test('keys of one account are known to be so, without asking anybody', () => {
  expect(accountOfKey('AWS', 'ASIAQNZGKIQY56JQ7WML')).toBe('029608264753');
  expect(accountOfKey('AWS', 'AKIASP2TPHJSQH3FJRUX')).toBe('171436882533');
  expect(accountOfKey('Backblaze B2', '0031a2b3c4d5e6f0000000001')).toBe('1a2b3c4d5e6f');
  expect(accountOfKey(undefined, 'minioadmin')).toBe('key …dmin');
});
