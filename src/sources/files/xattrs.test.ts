import { expect, test } from 'vitest';
import { parseXattrs } from './xattrs.ts';

test('names with line breaks, backslashes and stray bytes, and empty values', () => {
  const text = '# file: /a\\012b\\134c\xff=\xc3\xa9\nuser.a\\075b=0x00ff\nuser.empty=0x\n\n# file: /z\nuser.k=0x31\n\n';
  expect([...parseXattrs(text)]).toEqual([
    ['/a\nb\\c\xff=\xc3\xa9', { 'user.a=b': '\x00\xff', 'user.empty': '' }],
    ['/z', { 'user.k': '1' }],
  ]);
});
