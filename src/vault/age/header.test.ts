import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as vectors from 'cctv-age';
import { expect, test } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import { temporaryFolder } from '../../../test/support/temp.ts';
import { bech32 } from './bech32.ts';
import { newHeader, openHeader } from './header.ts';
import { generateIdentity, isRecipient, recipientOf } from './identity.ts';
import { openProtected } from './passphrase.ts';
import { secretOf } from './secret-bytes.ts';
import { derivedKey, unpadded } from './stanza.ts';
import { sealAll } from './stream.ts';

const pair = generateIdentity();

/** A file whose MAC is right, with `more` behind the stanza that is for us. */
function fileWith(more: string): { header: Uint8Array; file: Uint8Array } {
  const { header, fileKey } = newHeader([pair.recipient]);
  const text = Buffer.from(header).toString('latin1');
  const signed = `${text.slice(0, text.indexOf('---'))}${more}---`;
  const key = derivedKey(fileKey, new Uint8Array(0), 'header');
  const mac = createHmac('sha256', key).update(signed, 'latin1').digest();
  const whole = Buffer.from(`${signed} ${unpadded(mac)}\n`, 'latin1');
  return { header: whole, file: sealAll(whole, fileKey, Buffer.alloc(16, 7), Buffer.from('text')) };
}

const line = 'A'.repeat(64);

test.for([
  ['another kind, without a body', '-> grease\n\n', true],
  ['a body of one short line', '-> grease a b\nAAAA\n', true],
  ['a body of one whole line, and the empty one that ends it', `-> grease\n${line}\n\n`, true],
  ['a body of two lines', `-> grease\n${line}\nAAAA\n`, true],
  ['a whole line that nothing ends', `-> grease\n${line}\n`, false],
  ['a line that is longer than 64', `-> grease\n${line}AAAA\n`, false],
  ['a line that is longer than 64 behind a whole one', `-> grease\n${line}\n${line}AAAA\n`, false],
  ['a short line inside', `-> grease\nAAAA\n${line}\n\n`, false],
  ['padding', '-> grease\nAA==\n', false],
  ['bits that say nothing', '-> grease\nAB\n', false],
  ['another alphabet', '-> grease\n-_-_\n', false],
  ['white space in a body', '-> grease\nAA AA\n', false],
  ['an argument that is empty', '-> grease  a\n\n', false],
  ['a space at the end', '-> grease \n\n', false],
  ['no argument', '-> \n\n', false],
  ['a sign that is not printable', '-> gre\x01ase\n\n', false],
  ['a sign beyond ASCII', '-> gre\xe9ase\n\n', false],
  ['a line that is no stanza', 'grease\n', false],
  ['an empty line', '\n', false],
] as const)('%2$s for us as for age: %0$s', async ([, more, opens]) => {
  const folder = await temporaryFolder();
  const { header, file } = fileWith(more);
  const ours = await openHeader(header, [pair.identity]).then(
    () => true,
    (error: unknown) => {
      expect(error).toMatchObject({ code: 'header-damaged' });
      return false;
    },
  );
  writeFileSync(join(folder, 'key'), pair.identity);
  const age = () => execFileSync('age', ['-d', '-i', join(folder, 'key')], { input: file, stdio: 'pipe' }).toString();
  expect(ours).toBe(opens);
  if (opens) expect(age()).toBe('text');
  else expect(age).toThrow();
});

test('a header with one byte more, less or another opens nothing', async () => {
  const { header, fileKey } = newHeader([pair.recipient, generateIdentity().recipient]);
  expect(Buffer.from((await openHeader(header, [pair.identity])).fileKey)).toEqual(Buffer.from(fileKey));
  const change = fc.record({
    at: fc.nat(header.length - 2),
    how: fc.constantFrom('more', 'less', 'another'),
    byte: fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('\n\r -=>Aa'))),
  });
  await fc.assert(
    fc.asyncProperty(change, async ({ at, how, byte }) => {
      fc.pre(how !== 'another' || header[at] !== byte);
      const [before, after] = [header.subarray(0, at), header.subarray(how === 'more' ? at : at + 1)];
      const changed = Buffer.concat(
        [before, how === 'less' ? '' : Buffer.of(byte), after].map((one) => Buffer.from(one)),
      );
      fc.pre(!changed.equals(header));
      await expect(openHeader(changed, [pair.identity])).rejects.toMatchObject({
        code: expect.stringMatching(/^(header-damaged|no-identity-fits)$/),
      });
    }),
    { numRuns: 500 },
  );
});

test('a header for nobody is damaged', async () => {
  const header = Buffer.from(`age-encryption.org/v1\n--- ${unpadded(Buffer.alloc(32))}\n`);
  await expect(openHeader(header, [pair.identity])).rejects.toMatchObject({ code: 'header-damaged' });
});

/** Its checksum is right, and a bit is set that belongs to no byte. */
const looseBits = 'age1pyysjzgfpyysjzgfpyysjzgfpyysjzgfpyysjzgfpyysjzgfpyy39sttt0';

test('a key is written in one way only', () => {
  const { identity, recipient } = pair;
  const mixed = `${identity.slice(0, -1)}${identity.at(-1)!.toLowerCase()}`;
  const longer = bech32('age', Buffer.concat([secretOf(identity), Buffer.of(0)])).toString();
  expect(isRecipient(recipient)).toBe(true);
  for (const text of [recipient.toUpperCase(), longer, recipient.slice(0, -1), `${recipient}q`, looseBits])
    expect(isRecipient(text)).toBe(false);
  for (const text of mixed === identity ? [identity.toLowerCase()] : [mixed, identity.toLowerCase()])
    expect(() => recipientOf(text)).toThrow(expect.objectContaining({ code: 'identity-invalid' }));
});

test('of armor nothing is passed over', async () => {
  const { scrypt } = vectors as unknown as Record<string, Uint8Array>;
  const bytes = Buffer.from(scrypt!);
  const file = bytes.subarray(bytes.indexOf('\n\n') + 2);
  const base64 = file.toString('base64');
  const lines = (size: number) => base64.match(new RegExp(`.{1,${size}}`, 'g'))!.join('\n');
  const armored = (body: string, end = '-----END AGE ENCRYPTED FILE-----') =>
    Buffer.from(`-----BEGIN AGE ENCRYPTED FILE-----\n${body}\n${end}\n`);
  const opened = (text: Uint8Array) => openProtected(text, 'password', 'it');
  await expect(opened(armored(lines(64)))).resolves.toBeDefined();
  await expect(opened(Buffer.from(armored(lines(64)).toString().replaceAll('\n', '\r\n')))).resolves.toBeDefined();
  const wrong = [
    armored(lines(76)),
    armored(lines(60)),
    armored(lines(64).replace('\n', '\n\n')),
    armored(`${lines(64)}\n`),
    armored(lines(64).replace(/=*$/, '')),
    armored(lines(64).replaceAll('\n', ' \n')),
    armored(lines(64), '-----END AGE-----'),
    armored(lines(64), ''),
    Buffer.concat([armored(lines(64)), Buffer.from('more')]),
  ];
  for (const text of wrong) await expect(opened(text)).rejects.toMatchObject({ code: 'header-damaged' });
});
