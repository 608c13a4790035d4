import { expect, test } from 'vitest';
import type { Expandable } from '../../src/core/references.ts';
import { packKey } from '../../src/vault/format/keys.ts';
import { faultProxy } from '../support/fault-proxy.ts';
import { pictureOf } from '../support/pictures.ts';
import { bucket } from '../support/rgw.ts';
import { systemOver } from '../support/system.ts';
import { smallTree } from '../support/trees.ts';
import { aSystem, expectSame } from '../support/vault.ts';

const literal = (text: string): Expandable => ({ shown: text, expand: async () => text });

/** Ceph has no archive classes: a proxy answers for it as Amazon does for an object that is not thawed. */
test('a frozen pack is said to be frozen, not missing nor damaged, and another copy serves at once', async () => {
  const made = await bucket();
  const proxy = await faultProxy(made.endpoint);
  const base = await aSystem({ destinations: ['cold', 'disk'] });
  const { accessKeyId, secretAccessKey } = made.keys;
  const credentials = { accessKeyId: literal(accessKeyId), secretAccessKey: literal(secretAccessKey) };
  const of = { required: true, where: {}, price: {}, roles: {}, region: 'us-east-1' };
  const cold = { type: 's3', bucket: made.bucket, endpoint: proxy.endpoint, credentials, ...of } as const;
  const system = systemOver({
    ...base,
    config: { ...base.config, destinations: { cold, disk: base.config.destinations.disk! } },
  });
  smallTree(system.source());
  const { record, needs } = await system.backUp();
  proxy.play([
    { method: 'GET', path: /\/packs\/[0-9a-f]{2}\//, kind: 'refuse', status: 403, code: 'InvalidObjectState' },
  ]);

  using open = system.open();
  const { opened } = await open.destinations({ create: false });
  const [frozen, disk] = [opened.find(({ name }) => name === 'cold')!, opened.find(({ name }) => name === 'disk')!];
  await expect(frozen.get(packKey([...needs.packs][0]![0]))).rejects.toMatchObject({
    code: 'object-frozen',
    hint: expect.stringContaining('lifeboat cost --restore'),
  });
  await expect(system.readBack(record.id, [frozen])).rejects.toMatchObject({ code: 'object-frozen' });
  expectSame(await system.readBack(record.id, [frozen, disk]), pictureOf(system.source()));
  expect(proxy.unreached()).toEqual([]);
});
