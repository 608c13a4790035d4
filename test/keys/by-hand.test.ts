import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sheetText } from '../../src/keys/sheet.ts';
import { splitSecret } from '../../src/keys/split.ts';
import { temporaryFolder } from '../support/temp.ts';

test('the program in docs/keys.md puts a key together from sheets without any code of ours', async () => {
  const folder = await temporaryFolder();
  const docs = readFileSync(new URL('../../docs/keys.md', import.meta.url), 'utf8');
  const program = join(folder, 'combine.py');
  writeFileSync(program, /```python\n(.*?)```/s.exec(docs)![1]!);
  for (const [shares, threshold] of [
    [2, 2],
    [5, 3],
    [9, 7],
  ] as const) {
    const secret = randomBytes(32);
    const split = await splitSecret(secret, { shares, threshold, print: 'ab'.repeat(16), madeMs: 0 }, randomBytes);
    const files = split.slice(-threshold).map((share) => {
      const file = join(folder, `${shares}-${share.number}.txt`);
      writeFileSync(file, sheetText(share, { system: 'harbor', recipient: 'age1example', vouched: [] }));
      return file;
    });
    expect(execFileSync('python3', [program, ...files], { encoding: 'utf8' }).trim()).toBe(secret.toString('hex'));
  }
});
