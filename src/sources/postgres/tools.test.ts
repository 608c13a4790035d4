import * as fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../../test/support/temp.ts';
import { findClient } from './tools.ts';

async function clientsOf(...versions: string[]): Promise<string[]> {
  const place = await temporaryFolder();
  return versions.map((version) => {
    const folder = join(place, version);
    fs.mkdirSync(folder);
    fs.writeFileSync(join(folder, 'pg_thing'), `#!/bin/sh\necho 'pg_thing (PostgreSQL) ${version}'\n`, { mode: 0o755 });
    return folder;
  });
}

test.each(['12.22', '13.21', '14.18', '15.13', '16.9', '17.5'])('M5: a client %s is refused', async (version) => {
  const folders = await clientsOf(version);
  const server = { text: '12.1', major: 12 };
  await expect(findClient('pg_thing', server, { folders })).rejects.toMatchObject({
    code: 'postgres-client-unpatched',
  });
});

test('M5: a later one that is mended is taken instead', async () => {
  const folders = await clientsOf('15.13', '16.10', '18.0');
  const found = await findClient('pg_thing', { text: '15.1', major: 15 }, { folders });
  expect(found.version).toBe('16.10');
});
