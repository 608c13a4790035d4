import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lifeboat, project } from '../cli/lifeboat.ts';
import { type Openssh, startOpenssh } from '../support/openssh.ts';
import { temporaryFolder } from '../support/temp.ts';
import { atTerminal } from '../support/terminal.ts';
import { secondCommand } from './bare-machine.ts';

let server: Openssh;
beforeAll(async () => {
  server = await startOpenssh();
});
afterAll(() => server?.[Symbol.asyncDispose]());

test('B3: over SFTP a server is used only when its key is named, and everything is back with two commands', async () => {
  const lost = await project();
  await lifeboat(lost, ['init']);
  writeFileSync(join(lost, 'sftp-key'), server.key, { mode: 0o600 });
  const { path } = server.options('bootstrap');
  const { fingerprint } = server.hostKeys.ed25519!;
  const destinations = `destinations:
  box:
    { type: sftp, host: 127.0.0.1, port: ${server.port}, user: ${server.user}, path: ${path},
      key: "\${file:sftp-key}", hostKeys: ["${fingerprint}"] }
`;
  const file = join(lost, 'lifeboat.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^destinations:\n(?: .*\n)+/m, destinations));
  const backup = await lifeboat(lost, ['backup']);
  expect(backup.code, backup.stderr).toBe(0);

  const safe = await temporaryFolder();
  const bare = join(safe, 'bare');
  mkdirSync(bare);
  renameSync(join(lost, 'lifeboat-keys/offline.txt'), join(safe, 'offline.txt'));
  rmSync(lost, { recursive: true });
  const address = `sftp://${server.user}@127.0.0.1:${server.port}${path}`;
  const words = ['bootstrap', address, '--identity', '../offline.txt', '--ssh-key', server.keyFile];
  const unknown = await lifeboat(bare, words, { HOME: bare });
  expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining('host-key-unknown') });
  expect(existsSync(lost)).toBe(false);

  // At a terminal the person is asked; only a whole yes goes on.
  for (const [type, code, said] of [
    ['y\r', 2, 'host-key-unknown'],
    ['\x03', 130, 'interrupted'],
  ] as const) {
    const refused = await atTerminal(bare, words, [{ after: /holds your backups\? \(yes\/no\) /, type }]);
    expect(refused, refused.shown).toMatchObject({ code, modesKept: true });
    expect(refused.shown).toContain(`[${said}]`);
    expect(refused.shown).toContain(fingerprint);
  }
  expect(existsSync(lost)).toBe(false);

  const first = await lifeboat(bare, [...words, '--host-key', fingerprint, '--trust'], { HOME: bare });
  expect(first.code, first.stderr).toBe(0);
  // The configuration came back with its own key file, so it leads to the server itself.
  const second = secondCommand(first.stdout);
  expect(second).not.toContain('--from');
  const recovered = await lifeboat(bare, second, { HOME: bare });
  expect(recovered.code, recovered.stderr).toBe(0);
  expect(readFileSync(join(lost, 'data/uploads/a.txt'), 'utf8')).toBe('hello');

  const from = ['recover', '--config', file, '--from', address, '--identity', '../offline.txt'];
  const given = ['--host-key', fingerprint, '--ssh-key', server.keyFile];
  const again = await lifeboat(bare, [...from, ...given, '--again'], { HOME: bare });
  expect(again.code, again.stderr).toBe(0);
});
