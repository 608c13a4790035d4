/** Opens a sandbox, starts a server and a stray process in it, says where, and waits to be killed. */
import { randomBytes } from 'node:crypto';
import { newUlid } from '../../src/core/ulid.ts';
import { openSandbox } from '../../src/sandbox/sandbox.ts';
import { startPostgres } from '../../src/sources/postgres/sandbox-server.ts';

const [stateDir = '', namespaces = ''] = process.argv.slice(2);
const id = newUlid(Date.now(), randomBytes);
const box = await openSandbox({
  stateDir,
  id,
  made: new Date().toISOString(),
  needsBytes: 0,
  needsFiles: 0,
  limits: { timeMs: 3_600_000 },
  workFolders: [],
  hidden: [stateDir],
  ...(namespaces === 'without' && { footings: [] }),
});
await startPostgres(box, { name: 'app-db', major: 9, facts: {}, port: 5432, signal: new AbortController().signal });
const words = ['/bin/sh', '-c', `sleep 1000; : ${id}`];
const agent = await box.application([]);
await agent.call('start', { name: 'stray', words, env: { PATH: process.env.PATH ?? '' }, directory: '/' });
process.stdout.write(`${JSON.stringify({ id, folder: box.folder, link: box.sockets.ours })}\n`);
setInterval(() => {}, 1000);
