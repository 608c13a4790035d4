import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { printOf } from '../../src/core/recipient-print.ts';
import { newHeader } from '../../src/vault/age/header.ts';
import { generateIdentity, isRecipient, recipientOf } from '../../src/vault/age/identity.ts';
import { openIdentityFile } from '../../src/vault/age/identity-file.ts';
import { bcryptKey } from '../../src/vault/age/ssh/bcrypt.ts';
import { openAll, sealAll } from '../../src/vault/age/stream.ts';
import { temporaryFolder } from '../support/temp.ts';

const noPassphrase = async () => expect.unreachable('no passphrase is needed');
const PASSPHRASE = 'korrekt Pferd ☂';

const kinds = [
  ['ed25519', ['-t', 'ed25519']],
  ['rsa 2048', ['-t', 'rsa', '-b', '2048']],
  ['rsa 3072', ['-t', 'rsa', '-b', '3072']],
  ['rsa 2048 in PEM', ['-t', 'rsa', '-b', '2048', '-m', 'PEM']],
  ['rsa 2048 in PKCS8', ['-t', 'rsa', '-b', '2048', '-m', 'PKCS8']],
] as const;

async function sshKey(args: readonly string[], passphrase = ''): Promise<{ file: string; recipient: string }> {
  const file = join(await temporaryFolder(), 'id');
  execFileSync('ssh-keygen', ['-q', ...args, '-N', passphrase, '-C', 'me@host', '-f', file]);
  return { file, recipient: readFileSync(`${file}.pub`, 'utf8').trim() };
}

const open = async (file: string) => (await openIdentityFile(readFileSync(file), 'id', noPassphrase)).identities;

async function seal(plain: Uint8Array, recipients: readonly string[]): Promise<Uint8Array> {
  const { header, fileKey } = newHeader(recipients);
  return sealAll(header, fileKey, randomBytes(16), plain);
}

describe.for(kinds)("an SSH key (%s) and Debian's age", ([, args]) => {
  async function aKey() {
    const key = await sshKey(args);
    const [identity = ''] = await open(key.file);
    return { key, identity };
  }

  test('age opens what is sealed to it, beside another recipient', async () => {
    const { key } = await aKey();
    const plain = randomBytes(100_000);
    const folder = await temporaryFolder();
    const sealed = join(folder, 'sealed.age');
    writeFileSync(sealed, await seal(plain, [generateIdentity().recipient, key.recipient]));
    const opened = execFileSync('age', ['-d', '-i', key.file, sealed], { maxBuffer: 1 << 24 });
    expect(opened.equals(plain)).toBe(true);
  });

  test('what age sealed to it is opened, and by no other key', async () => {
    const { key, identity } = await aKey();
    const plain = randomBytes(100_000);
    const file = execFileSync('age', ['-R', `${key.file}.pub`], { input: plain, maxBuffer: 1 << 24 });
    expect(Buffer.compare(await openAll(file, [generateIdentity().identity, identity]), plain)).toBe(0);
    const other = await open((await sshKey(args)).file);
    await expect(openAll(file, other)).rejects.toMatchObject({ code: 'no-identity-fits' });
  });

  test('its public half is known by its line, whatever the comment', async () => {
    const { key, identity } = await aKey();
    expect(`${recipientOf(identity)} me@host`).toBe(key.recipient);
    expect(isRecipient(key.recipient)).toBe(true);
    expect(printOf(key.recipient)).toBe(printOf(recipientOf(identity)));
  });

  test('any changed byte of a header to it is refused, never opened as something else', async () => {
    const { key, identity } = await aKey();
    const plain = randomBytes(10);
    const file = await seal(plain, [key.recipient]);
    const end = file.length - 16 - 26;
    for (let at = 0; at < end; at += 7) {
      const other = Uint8Array.from(file);
      other[at]! ^= 1;
      await expect(openAll(other, [identity])).rejects.toMatchObject({
        code: expect.stringMatching(/^(header-damaged|no-identity-fits)$/),
      });
    }
  });
});

describe('a private key with a passphrase', () => {
  test.for([
    ...kinds,
    ['ed25519, aes256-cbc, 3 rounds', ['-t', 'ed25519', '-Z', 'aes256-cbc', '-a', '3']],
    ['ed25519, aes128-ctr', ['-t', 'ed25519', '-Z', 'aes128-ctr']],
  ] as const)('is opened with it and with no other: %s', async ([, args]) => {
    const { file, recipient } = await sshKey(args, PASSPHRASE);
    const bytes = readFileSync(file);
    const [identity = ''] = (await openIdentityFile(bytes, 'id', async () => PASSPHRASE)).identities;
    expect(recipient.startsWith(recipientOf(identity))).toBe(true);
    await expect(openIdentityFile(bytes, 'my key', async () => 'other')).rejects.toMatchObject({
      code: 'passphrase-wrong',
      message: 'The passphrase does not open my key.',
    });
  });

  test('with a protection that is not known here says how to change it', async () => {
    const { file } = await sshKey(['-t', 'ed25519', '-Z', 'aes256-gcm@openssh.com'], PASSPHRASE);
    await expect(openIdentityFile(readFileSync(file), 'id', async () => PASSPHRASE)).rejects.toMatchObject({
      code: 'identity-invalid',
      message: expect.stringContaining('ssh-keygen -p -Z aes256-ctr'),
    });
  });

  test('derives keys as OpenBSD does, more than one block at a time', () => {
    // From bcrypt_pbkdf's test of OpenBSD: regress/lib/libutil/bcrypt_pbkdf.
    const key = bcryptKey('password', Buffer.from('salt'), 4, 32);
    expect(key.toString('hex')).toBe('5bbf0cc293587f1c3635555c27796598d47e579071bf427e9d8fbe842aba34d9');
    expect(bcryptKey('password', Buffer.from('salt'), 8, 64).toString('hex')).toBe(
      'e1367ec5151a33faac4cc1c144cd23fa15d5548493ecc99b9b5d9c0d3b27bec76227ea66088b849b20ab7aa478010246e74bba51723fefa9f9474d6508845e8d',
    );
  });
});

describe('an identity file made by age -p', () => {
  // age asks a terminal for the passphrase only: script gives it one.
  async function protectedFile(text: string, flags: string): Promise<string> {
    const folder = await temporaryFolder();
    const [plain, file] = [join(folder, 'plain'), join(folder, 'key.age')];
    writeFileSync(plain, text);
    const input = `${PASSPHRASE}\n${PASSPHRASE}\n`;
    execFileSync('script', ['-qec', `age ${flags} -p -o ${file} ${plain}`, '/dev/null'], { input, stdio: 'pipe' });
    return file;
  }

  test.for(['', '-a'])('is opened with its passphrase and with no other (age %s -p)', async (flags) => {
    const a = generateIdentity();
    const b = generateIdentity();
    const file = await protectedFile(`# two keys\n${a.identity}\n${b.identity}\n`, flags);
    const bytes = readFileSync(file);
    const { identities, text } = await openIdentityFile(bytes, 'key', async () => PASSPHRASE);
    expect(identities).toEqual([a.identity, b.identity]);
    expect(text).toContain('# two keys');
    await expect(openIdentityFile(bytes, 'key', async () => 'no')).rejects.toMatchObject({ code: 'passphrase-wrong' });
  });

  test('that is damaged is told as damaged, and asks for nothing that would not help', async () => {
    const { recipient } = generateIdentity();
    const toKey = await seal(Buffer.from('x'), [recipient]);
    await expect(openIdentityFile(toKey, 'key', async () => 'x')).rejects.toMatchObject({ code: 'passphrase-wrong' });
    for (const text of ['age-encryption.org/v1\n-> scrypt AAAA 99\n', '-----BEGIN AGE ENCRYPTED FILE-----\nAAA']) {
      const opening = openIdentityFile(Buffer.from(text), 'key', async () => 'x');
      await expect(opening).rejects.toMatchObject({ code: 'header-damaged' });
    }
  });
});

describe('what is no recipient', () => {
  test('says why: kinds of SSH keys that age cannot encrypt to, short and damaged ones', async () => {
    const ecdsa = (await sshKey(['-t', 'ecdsa'])).recipient;
    const short = (await sshKey(['-t', 'rsa', '-b', '1024'])).recipient;
    const { recipient } = await sshKey(['-t', 'ed25519']);
    const cases: [string, RegExp][] = [
      [ecdsa, /only ssh-ed25519 and ssh-rsa/],
      [short, /1024 bits/],
      [recipient.replace('ssh-ed25519', 'ssh-rsa'), /one type and holds another/],
      [recipient.slice(0, 60), /mistyped/],
      ['ssh-ed25519', /mistyped/],
      ['sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29t', /only ssh-ed25519/],
      [`age1yubikey1${'q'.repeat(59)}`, /keys on a device/],
    ];
    for (const [text, why] of cases) {
      expect(isRecipient(text)).toBe(false);
      const refused = expect.objectContaining({ code: 'recipient-invalid', message: expect.stringMatching(why) });
      expect(() => newHeader([text])).toThrow(refused);
    }
  });

  test('a damaged private key is refused without a word of it', async () => {
    const { file } = await sshKey(['-t', 'ed25519']);
    const text = readFileSync(file, 'utf8');
    const lines = text.split('\n');
    for (let at = 1; at < lines.length - 2; at++) {
      const other = lines.with(at, lines[at]!.slice(0, -9)).join('\n');
      const error = await openIdentityFile(Buffer.from(other), 'id', noPassphrase).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'identity-invalid' });
      expect(String(error)).not.toContain(lines[at]!.slice(0, 20));
    }
  });
});
