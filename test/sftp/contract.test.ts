import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import { createDestination } from '../../src/destinations/registry.ts';
import { createSftp } from '../../src/destinations/sftp/destination.ts';
import { withFaults } from '../../src/destinations/wrap/fault.ts';
import { withRetry } from '../../src/destinations/wrap/retry.ts';
import { destinationSuite } from '../suites/destination.suite.ts';
import { type Openssh, startOpenssh } from '../support/openssh.ts';

let server: Openssh;
let withoutLinks: Openssh;
beforeAll(async () => {
  server = await startOpenssh({ hostKeyTypes: ['ed25519'] });
  withoutLinks = await startOpenssh({ hostKeyTypes: ['ed25519'], sftpArguments: '-P hardlink,fsync,statvfs,limits' });
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await withoutLinks?.[Symbol.asyncDispose]();
});

const newName = () => `vaults/${randomBytes(4).toString('hex')}`;

destinationSuite('sftp on OpenSSH', async () => createSftp(server.options(newName())));
destinationSuite('sftp, as the registry makes it', async () => createDestination('box', server.options(newName())));
destinationSuite('sftp on a server without hard links, fsync and large packets', async () =>
  createSftp(withoutLinks.options(newName())),
);
destinationSuite('sftp, failing every third call and tried again', async () => {
  const script = (['put', 'get', 'stat', 'delete', 'freeBytes', 'list'] as const).flatMap((verb) =>
    Array.from({ length: 100 }, (_, n) => ({ verb, nth: 3 * n + 2, kind: 'error-before' }) as const),
  );
  const real = await createSftp(server.options(newName()));
  return withRetry(withFaults(real, script), { attempts: 20, sleep: async () => {} });
});
