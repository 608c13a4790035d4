import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../test/support/temp.ts';
import { postgresFolders } from '../sources/postgres/tools.ts';
import { compareVersions, findTool, findTools, parseVersion } from './find-tool.ts';

test.each([
  ['pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)', '15.18'],
  ['pg_dump (PostgreSQL) 18devel', '18'],
  ['*** Zstandard CLI (64-bit) v1.5.4, by Yann Collet ***', '1.5.4'],
  ['v1.1.1', '1.1.1'],
  ['setpriv from util-linux 2.38.1', '2.38.1'],
  ['no version here', undefined],
])('the version in %j is %s', (text, version) => {
  expect(parseVersion(text)).toBe(version);
});

test('versions compare by number, not by letter', () => {
  expect(['9.6', '15.2', '15.18', '15'].sort(compareVersions)).toEqual(['9.6', '15', '15.2', '15.18']);
});

test('the newest version is found, an unfit one is passed over, and none at all is tool-missing', async () => {
  const folder = await temporaryFolder();
  for (const version of ['9.6', '15.2', '16.1']) {
    await mkdir(join(folder, version));
    const path = join(folder, version, 'pg_thing');
    await writeFile(path, `#!/bin/sh\necho "pg_thing (PostgreSQL) ${version}"\n`);
    await chmod(path, 0o755);
  }
  const folders = [`${folder}/*`];
  expect((await findTools('pg_thing', { folders })).map((tool) => tool.version)).toEqual(['16.1', '15.2', '9.6']);
  expect(await findTool('pg_thing', { folders, accept: (tool) => tool.major <= 15 })).toEqual({
    path: join(folder, '15.2', 'pg_thing'),
    version: '15.2',
    major: 15,
  });
  const unfit = findTool('pg_thing', { folders, accept: (tool) => tool.major > 16, debianPackage: 'thing-client' });
  await expect(unfit).rejects.toMatchObject({ code: 'tool-missing', hint: expect.stringContaining('thing-client') });
});

test('the real pg_dump is found, not the wrapper on PATH', async () => {
  const tool = await findTool('pg_dump', { folders: postgresFolders });
  expect(tool.path).toMatch(/^\/usr\/lib\/postgresql\/\d+\/bin\/pg_dump$/);
  expect(tool.major).toBeGreaterThanOrEqual(13);
});
