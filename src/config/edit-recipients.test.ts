import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { editRecipients } from './edit-recipients.ts';

const [a, b, c] = ['q', 'p', 'z'].map((sign) => `age1${sign.repeat(58)}`) as [string, string, string];
const ssh = `ssh-ed25519 ${'A'.repeat(68)}`;

const block = `# The system.
version: 1
vault:
  # Who can read:
  recipients:
    - ${a}   # daily
    - "${b}" # offline,   in a safe
    - ${ssh} me@host

destinations:   { local: { type: local, path: ./x } }   # odd   spaces stay
`;

test('one recipient a line: only that line goes or comes, every other byte stays', () => {
  const edited = editRecipients(block, { add: [{ recipient: c, comment: 'escrow' }], remove: [b] });
  expect(edited).toBe(
    block.replace(`    - "${b}" # offline,   in a safe\n`, '').replace('me@host\n', `me@host\n    - ${c} # escrow\n`),
  );
});

test('the last one and an SSH key with a comment can go too', () => {
  const edited = editRecipients(block, { add: [{ recipient: c }], remove: [ssh] });
  expect(parse(edited).vault.recipients).toEqual([a, b, c]);
  expect(edited).toContain('# odd   spaces stay');
});

test.for([
  `vault: { recipients: [${a}, ${b}] } # both\nsystem: x\n`,
  `vault:\n  recipients: [ ${a}, # daily\n    ${b} ]\nsystem: x # name\n`,
])('a list in brackets is changed, and comments stay: %#', (text) => {
  const edited = editRecipients(text, { add: [{ recipient: c, comment: 'new' }], remove: [a] });
  expect(parse(edited)).toEqual({ vault: { recipients: [b, c] }, system: 'x' });
  expect(edited.match(/#/g)?.length ?? 0).toBeGreaterThanOrEqual(text.includes('both') ? 1 : 1);
});

test('lines that end as on Windows stay so', () => {
  const edited = editRecipients(block.replaceAll('\n', '\r\n'), { add: [{ recipient: c }], remove: [] });
  expect(
    edited
      .split('\n')
      .slice(0, -1)
      .every((line) => line.endsWith('\r')),
  ).toBe(true);
});
