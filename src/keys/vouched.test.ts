import { expect, test } from 'vitest';
import { vouchedIn, vouchedLine } from './vouched.ts';

const one = { vault: '01KDVDNA00R8GDY8VMGXHZRMVA', writer: `${'A'.repeat(43)}=`, system: 'shop' };

test('what is written beside a key is read from a key file, a sheet and its HTML, each once', () => {
  const line = vouchedLine(one);
  expect(vouchedIn(`# Lifeboat\n# ${line}\nAGE-SECRET-KEY-1X\n`)).toEqual([one]);
  expect(vouchedIn(`Kept by: Ada\n${line}\r\n${line}\n`)).toEqual([one]);
  expect(vouchedIn(`<p>${line}</p>\n`)).toEqual([one]);
});

test('a line that is not whole says nothing', () => {
  const whole = vouchedLine(one);
  for (const text of [`${whole} and more`, whole.slice(0, -5), `x ${whole}`, whole.replace('01K', '81K')]) {
    expect(vouchedIn(text), text).toEqual([]);
  }
});
