import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { newUlid } from '../../src/core/ulid.ts';
import { openMemory } from '../../src/destinations/memory/destination.ts';
import { VAULT_KEY } from '../../src/vault/format/keys.ts';
import { vaultFileOf } from '../../src/vault/format/vault-file.ts';
import { pictureOf } from '../support/pictures.ts';
import { smallTree } from '../support/trees.ts';
import { aSystem, expectSame } from '../support/vault.ts';

const otherVault = () => vaultFileOf(newUlid(Date.now(), randomBytes));

for (const [what, attack] of Object.entries({
  'hides vault.json': (bucket: ReturnType<typeof openMemory>) => bucket.delete(VAULT_KEY),
  'puts the file of another vault over it': (bucket: ReturnType<typeof openMemory>) =>
    bucket.put(VAULT_KEY, otherVault()),
})) {
  test(`whoever ${what} in one place stops no backup, there or elsewhere`, async () => {
    const system = await aSystem({ destinations: ['disk', 'usb'] });
    const bucket = openMemory({ name: 'disk', versions: { overwrites: true } });
    const doing = { wrap: (one: { name: string }) => (one.name === 'disk' ? bucket : (one as typeof bucket)) };
    smallTree(system.source());
    await system.backUp(doing);
    await attack(bucket);
    writeFileSync(join(system.source(), 'new'), 'since then');
    const { record, heldBy } = await system.backUp(doing);
    expect(heldBy).toEqual(['disk', 'usb']);
    expectSame(await system.readBack(record.id, [bucket]), pictureOf(system.source()));
  });
}
