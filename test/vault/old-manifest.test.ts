import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { dayMs } from '../../src/core/duration.ts';
import { recordHash, recordKey, type SnapshotRecord, signRecord } from '../../src/vault/format/record.ts';
import { newSigningKey } from '../../src/vault/format/signing.ts';
import { stolenKey } from '../ransomware/forgeries.ts';
import { smallTree } from '../support/trees.ts';
import { aSystem } from '../support/vault.ts';

test('an old manifest is no new restore point, whoever signs a record for it: not even with the original out of sight', async () => {
  const system = await aSystem();
  smallTree(system.source());
  const { record: old } = await system.backUp();
  writeFileSync(join(system.source(), 'new'), 'new');
  const { record: last } = await system.backUp();
  const own = stolenKey(system.config.stateDir);
  const { writer: _, signature: __, ...unsigned } = old;
  const time = new Date(Date.parse(old.time) + dayMs).toISOString();
  const changes: [Partial<SnapshotRecord>, string, string][] = [
    [{ time, committed: time }, own, 'time'],
    [{ previous: recordHash(last), sequence: 3 }, own, 'previous'],
    [{ system: 'other' }, own, 'system'],
    [{}, newSigningKey().privateKey, 'writer'],
  ];
  using open = system.open();
  const vault = await open.vault(() => {});
  for (const [change, key, by] of changes) {
    const record = signRecord({ ...unsigned, ...change }, key);
    const [point] = await system.points();
    const forged = { ...point!, record, key: recordKey(record) };
    await expect(vault.open(forged, [system.identity])).rejects.toMatchObject({
      code: 'content-damaged',
      message: expect.stringContaining(`it belongs to another restore point, by its ${by}`),
    });
  }
  const points = await system.points();
  await expect(vault.open(points.at(-1)!, [system.identity])).resolves.toBeDefined();
});
