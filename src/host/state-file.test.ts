import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../test/support/temp.ts';
import { ourTag } from './identity.ts';
import { writeStateFile } from './state-file.ts';

test('house-2: what a killed process had begun goes, and another that writes the same file is not disturbed', async () => {
  const folder = await temporaryFolder();
  const file = join(folder, 'some.json');
  const other = ourTag().replace(String(process.pid), '1').replace(/-.*/, '-unknown');
  for (const owner of [`${process.pid}-1`, other]) writeFileSync(`${file}.new-${owner}`, 'half');
  writeStateFile(file, { a: 1 });
  expect(readFileSync(file, 'utf8')).toBe('{"a":1}\n');
  expect(readdirSync(folder).sort()).toEqual(['some.json', `some.json.new-${other}`]);
});
