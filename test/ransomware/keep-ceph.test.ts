import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { S3Destination } from '../../src/config/system.ts';
import { systemClock } from '../../src/core/clock.ts';
import { dayMs, hourMs } from '../../src/core/duration.ts';
import type { Expandable } from '../../src/core/references.ts';
import { startRun } from '../../src/core/run.ts';
import { openS3 } from '../../src/destinations/s3/destination.ts';
import { keep } from '../../src/operations/keep.ts';
import { makeBucket } from '../support/rgw.ts';
import { systemOver } from '../support/system.ts';
import { aSystem, clockOff, noise } from '../support/vault.ts';
import { deleteAll, removeVersions, shortenBucket } from './attacks.ts';

const literal = (text: string): Expandable => ({ shown: text, expand: async () => text });

describe('after keep, on a Ceph bucket whose owner tries', () => {
  for (const Mode of ['GOVERNANCE', 'COMPLIANCE'] as const) {
    test(`${Mode.toLowerCase()}: no version is removed, and no lock becomes shorter`, async () => {
      await using bucket = await makeBucket({ lock: { mode: Mode, days: 1 } });
      const bare = await aSystem();
      const { accessKeyId, secretAccessKey } = bucket.keys;
      const ceph: S3Destination = {
        type: 's3',
        bucket: bucket.bucket,
        endpoint: bucket.endpoint,
        region: 'us-east-1',
        credentials: { accessKeyId: literal(accessKeyId), secretAccessKey: literal(secretAccessKey) },
        ...{ required: true, where: {}, price: {}, roles: {} },
      };
      const system = systemOver({ ...bare, config: { ...bare.config, destinations: { ceph } } });
      mkdirSync(system.source(), { recursive: true });
      writeFileSync(join(system.source(), 'file'), noise(90_000));
      await system.backUp();

      // Thirteen hours later by the keeper's clock: less than half of every lock is left.
      const clock = clockOff(13 * hourMs);
      using open = system.open({ clock });
      const [kept] = (await keep(open, { dryRun: false }, startRun({ clock }))).locks;
      expect(kept).toMatchObject({ missing: 0, unlocked: 0, failed: undefined });
      expect(kept!.extended).toBeGreaterThan(5);
      expect(kept!.untilMs).toBeGreaterThan(systemClock.now() + 1.4 * dayMs);
      expect(kept!.requests).toMatchObject({ PutObjectRetention: kept!.extended });

      const owner = await openS3({ name: 'ceph', ...bucket.options });
      expect(await shortenBucket(bucket, owner, systemClock.now() + hourMs)).toEqual([]);
      expect(await removeVersions(owner)).toEqual([]);
      await deleteAll(owner);
      expect(await removeVersions(owner)).toEqual([]);
    });
  }
});
