import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Destination } from '../src/destinations/destination.ts';
import { createLocal } from '../src/destinations/local/destination.ts';
import { openMemory } from '../src/destinations/memory/destination.ts';
import { createDestination } from '../src/destinations/registry.ts';
import { withFaults } from '../src/destinations/wrap/fault.ts';
import { withLimit } from '../src/destinations/wrap/limit.ts';
import { withRetry } from '../src/destinations/wrap/retry.ts';
import { destinationSuite } from './suites/destination.suite.ts';
import { historySuite } from './suites/history.suite.ts';
import { temporaryFolder } from './support/temp.ts';

const newPath = async () => join(await temporaryFolder(), 'vault', randomBytes(4).toString('hex'));
const local = async () => createLocal({ name: 'disk', path: await newPath() });
const memory = async () => openMemory({ name: 'ram' });

destinationSuite('local', local);
destinationSuite('memory', memory);
destinationSuite('memory with versions and locks', async () =>
  openMemory({ name: 'ram', versions: { lock: { mode: 'governance', forMs: 3_600_000 } } }),
);
destinationSuite('local, as the registry makes it', async () =>
  createDestination('disk', { type: 'local', path: await newPath() }),
);
destinationSuite('memory, one verb at a time', async () => withLimit(await memory(), 1));
destinationSuite('local, failing every third call and tried again', async () => {
  const script = (['put', 'get', 'stat', 'delete', 'freeBytes', 'list'] as const).flatMap((verb) =>
    Array.from({ length: 100 }, (_, n) => ({ verb, nth: 3 * n + 2, kind: 'error-before' }) as const),
  );
  return withRetry(withFaults(await local(), script), { attempts: 20, sleep: async () => {} });
});

const lock = { mode: 'governance', forMs: 86_400_000 } as const;
const overwrite = async (destination: Destination, key: string, body: Uint8Array) => {
  await destination.put(key, body);
};

historySuite('memory', async () => openMemory({ name: 'ram', versions: {} }));
historySuite('memory with locks', async () => openMemory({ name: 'ram', versions: { lock } }), { lock });
historySuite('memory that overwrites', async () => openMemory({ name: 'ram', versions: { overwrites: true } }), {
  overwrite,
});
historySuite(
  'memory that overwrites, with locks, failing every third call and tried again',
  async () => {
    const script = (['versionsOf', 'getVersion', 'lockOf', 'extendLock', 'listVersions', 'delete'] as const).flatMap(
      (verb) => Array.from({ length: 50 }, (_, n) => ({ verb, nth: 3 * n + 2, kind: 'error-before' }) as const),
    );
    const memory = openMemory({ name: 'ram', versions: { lock, overwrites: true } });
    return withLimit(withRetry(withFaults(memory, script), { attempts: 20, sleep: async () => {} }), 2);
  },
  { lock, overwrite },
);
