import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lifeboat, project } from '../cli/lifeboat.ts';
import { readCode } from '../support/qr.ts';

test('the codes of printed sheets, read by a reader of QR codes and saved as files, give the key back', async () => {
  const folder = await project();
  await lifeboat(folder, ['init', '--quiet']);
  const key = join(folder, 'lifeboat-keys/offline.txt');
  const split = ['keys', 'split', '--identity', key, '--into', 'sheets', '--shares', '5', '--threshold', '3'];
  const made = await lifeboat(folder, [...split, '--holder', 'Ada <ada@example> & "Co"']);
  expect(made.code, made.stderr).toBe(0);

  const sheet = (number: number, form: string) =>
    readFileSync(join(folder, `sheets/share-${number}-of-5.${form}`), 'utf8');
  const codes = await Promise.all([1, 2, 3, 4, 5].map((number) => readCode(sheet(number, 'html'))));
  for (const [at, code] of codes.entries()) {
    const lines = [...sheet(at + 1, 'txt').matchAll(/^ {2}\d: (.*)$/gm)].map(([, line]) => line);
    expect(code).toBe(`LIFEBOAT-SHARE-1:${lines.join('').replaceAll(' ', '')}`);
  }

  const secretIn = (file: string) => /^AGE-SECRET-KEY-1\w+$/m.exec(readFileSync(file, 'utf8'))?.[0];
  for (const [at, three] of [codes.slice(0, 3), codes.slice(2)].entries()) {
    const files = three.map((code, index) => {
      const file = join(folder, `code-${at}-${index}.txt`);
      writeFileSync(file, code);
      return file;
    });
    const back = join(folder, `back-${at}.txt`);
    const combined = await lifeboat(folder, ['keys', 'combine', '--into', back, ...files]);
    expect(combined.code, combined.stderr).toBe(0);
    expect(secretIn(back)).toBe(secretIn(key));
  }
});
