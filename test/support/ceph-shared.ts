import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { TestProject } from 'vitest/node';
import { type Ceph, startCeph } from './ceph.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A socket that gives the run's Ceph as a line of JSON, and starts it for the first who asks. */
    readonly cephSocket: string;
  }
}

/** Vitest's global set-up: one Ceph for all test files of a run, started when the first needs it, ended with the run. */
export default async function shareCeph(project: TestProject): Promise<() => Promise<void>> {
  // A name without a file (Linux), so that a run that is killed leaves nothing.
  const path = `\0lifeboat-ceph-${randomBytes(8).toString('hex')}`;
  let started: Promise<Ceph> | undefined;
  const server = createServer((caller) => {
    caller.on('error', () => {});
    started ??= startCeph();
    started.then(
      ({ endpoint, admin }) => caller.end(JSON.stringify({ endpoint, admin })),
      (error: unknown) => caller.end(JSON.stringify({ error: String(error) })),
    );
  });
  server.listen(path);
  await once(server, 'listening');
  project.provide('cephSocket', path);
  return async () => {
    server.close();
    await started?.then((ceph) => ceph.stop()).catch(() => {});
  };
}
