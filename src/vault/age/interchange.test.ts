import { execFileSync } from 'node:child_process';
import { createCipheriv, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import { temporaryFolder } from '../../../test/support/temp.ts';
import { findHeaderSize, MAX_HEADER_SIZE, newHeader, openHeader } from './header.ts';
import { generateIdentity, isRecipient, parseIdentityFile, recipientOf } from './identity.ts';
import { chunkSpan, openSpan } from './span.ts';
import { CHUNK_SIZE, openAll, openChunk, payloadKey, plainSize, sealAll, sealChunk, sealedSize } from './stream.ts';

const SIZES = [0, 1, 65_535, 65_536, 65_537, 5_000_000];

async function seal(plain: Uint8Array, recipients: readonly string[]): Promise<Uint8Array> {
  const { header, fileKey } = newHeader(recipients);
  return sealAll(header, fileKey, randomBytes(16), plain);
}

describe("Debian's age", () => {
  test.for(SIZES)('opens what we seal for two recipients: %d bytes', async (size) => {
    const folder = await temporaryFolder();
    const pairs = [generateIdentity(), generateIdentity()];
    const plain = randomBytes(size);
    const file = join(folder, 'object.age');
    writeFileSync(
      file,
      await seal(
        plain,
        pairs.map((pair) => pair.recipient),
      ),
    );
    for (const [number, { identity }] of pairs.entries()) {
      const key = join(folder, `key${number}`);
      writeFileSync(key, `# comment\n${identity}\n`);
      const opened = execFileSync('age', ['-d', '-i', key, file], { maxBuffer: 1 << 24 });
      expect(opened.equals(plain)).toBe(true);
    }
  });

  test.for(SIZES)('seals what we open, with a key that it made: %d bytes', async (size) => {
    const folder = await temporaryFolder();
    const key = join(folder, 'key');
    execFileSync('age-keygen', ['-o', key], { stdio: 'ignore' });
    const [identity = ''] = parseIdentityFile(readFileSync(key, 'utf8'));
    const other = generateIdentity();
    const plain = randomBytes(size);
    const recipients = ['-r', other.recipient, '-r', recipientOf(identity)];
    const file = execFileSync('age', ['-e', ...recipients], { input: plain, maxBuffer: 1 << 24 });
    for (const one of [identity, other.identity]) {
      expect(Buffer.compare(await openAll(file, [one]), plain)).toBe(0);
    }
  });
});

describe('a range of an age file', () => {
  test('is read from no more than the chunks that hold it, whatever the range', async () => {
    const pair = generateIdentity();
    const plain = randomBytes(3 * CHUNK_SIZE + 10);
    const files = await Promise.all(
      [0, 1, CHUNK_SIZE, 2 * CHUNK_SIZE, plain.length].map(async (size) => {
        const file = await seal(plain.subarray(0, size), [pair.recipient]);
        const { fileKey, headerSize } = await openHeader(file, [pair.identity]);
        return { size, file, headerSize, key: payloadKey(fileKey, file.subarray(headerSize, headerSize + 16)) };
      }),
    );
    const ranges = fc.tuple(fc.constantFrom(...files), fc.nat(plain.length), fc.nat(plain.length));
    fc.assert(
      fc.property(ranges, ([{ size, file, headerSize, key }, from, to]) => {
        const offset = Math.min(from, size);
        const length = Math.min(to, size - offset);
        const span = chunkSpan({ headerSize, fileSize: file.length, offset, length });
        const fetched = file.subarray(span.fileOffset, span.fileOffset + span.fileLength);
        expect(Buffer.compare(openSpan(key, span, fetched), plain.subarray(offset, offset + length))).toBe(0);
        expect(span.fileLength).toBeLessThanOrEqual(length + 2 * (CHUNK_SIZE + 16) + 16 * (length / CHUNK_SIZE));
      }),
      { examples: [[[files[4]!, CHUNK_SIZE, CHUNK_SIZE]], [[files[3]!, 2 * CHUNK_SIZE, 0]], [[files[0]!, 0, 0]]] },
    );
  });

  test('outside the file, or of a file that was cut, is stream-damaged', () => {
    const damaged = expect.objectContaining({ code: 'stream-damaged' });
    const fileSize = 200 + 16 + sealedSize(100_000);
    expect(() => chunkSpan({ headerSize: 200, fileSize, offset: 99_999, length: 2 })).toThrow(damaged);
    expect(() => chunkSpan({ headerSize: 200, fileSize, offset: -1, length: 2 })).toThrow(damaged);
    expect(() => chunkSpan({ headerSize: 200, fileSize: 210, offset: 0, length: 0 })).toThrow(damaged);
    expect(() => chunkSpan({ headerSize: 200, fileSize: 216 + 65_552 + 16, offset: 0, length: 0 })).toThrow(damaged);
  });

  test('cannot be moved, and a file cut between chunks is noticed at its end', async () => {
    const pair = generateIdentity();
    const file = await seal(randomBytes(3 * CHUNK_SIZE), [pair.recipient]);
    const { fileKey, headerSize } = await openHeader(file, [pair.identity]);
    const key = payloadKey(fileKey, file.subarray(headerSize, headerSize + 16));
    const second = chunkSpan({ headerSize, fileSize: file.length, offset: CHUNK_SIZE, length: 10 });
    const first = file.subarray(headerSize + 16, headerSize + 16 + second.fileLength);
    const damaged = expect.objectContaining({ code: 'stream-damaged' });
    expect(() => openSpan(key, second, first)).toThrow(damaged);
    await expect(openAll(file.subarray(0, file.length - CHUNK_SIZE - 16), [pair.identity])).rejects.toThrow(damaged);
  });
});

describe('sizes', () => {
  test('sealed and plain are each the other’s reverse', () => {
    fc.assert(fc.property(fc.nat(2 ** 40), (size) => plainSize(sealedSize(size)) === size));
    for (const size of SIZES) expect(plainSize(sealedSize(size))).toBe(size);
  });

  test('an empty last chunk after others is damage, though its seal is sound', () => {
    const key = new Uint8Array(32);
    const sealed = new Uint8Array(16);
    sealChunk(key, 0, true, new Uint8Array(0), sealed, 0);
    expect(openChunk(key, 0, true, sealed).length).toBe(0);
    const nonce = Buffer.from('000000000000000000000101', 'hex');
    const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 });
    cipher.final();
    expect(() => openChunk(key, 1, true, cipher.getAuthTag())).toThrow(/last chunk is empty/);
  });

  test('a chunk that age would not write is refused', () => {
    const into = new Uint8Array(CHUNK_SIZE + 100);
    const key = new Uint8Array(32);
    expect(() => sealChunk(key, 0, false, new Uint8Array(10), into, 0)).toThrow(RangeError);
    expect(() => sealChunk(key, 1, true, new Uint8Array(0), into, 0)).toThrow(RangeError);
    expect(() => sealChunk(key, 0, true, new Uint8Array(CHUNK_SIZE + 1), into, 0)).toThrow(RangeError);
  });
});

describe('headers', () => {
  test('another identity is no-identity-fits; damage anywhere in the header is header-damaged', async () => {
    const pair = generateIdentity();
    const stranger = generateIdentity();
    const { header, fileKey } = newHeader([pair.recipient, stranger.recipient]);
    const opened = await openHeader(Buffer.concat([header, randomBytes(99)]), [pair.identity]);
    expect(Buffer.compare(opened.fileKey, fileKey)).toBe(0);
    expect(opened.headerSize).toBe(header.length);

    const others = [generateIdentity().identity];
    await expect(openHeader(header, others)).rejects.toMatchObject({ code: 'no-identity-fits' });
    await expect(openHeader(header, [])).rejects.toMatchObject({ code: 'no-identity-fits' });
    for (let at = 0; at < header.length; at++) {
      const bad = Uint8Array.from(header);
      bad[at]! ^= 1 << (at % 7);
      // A flipped stanza of the other recipient leaves ours readable, but not the MAC over both.
      await expect(openHeader(bad, [pair.identity])).rejects.toMatchObject({
        code: expect.stringMatching(/^(header-damaged|no-identity-fits)$/),
      });
    }
  });

  test('never take more than they may, whatever the bytes', async () => {
    const damaged = expect.objectContaining({ code: 'header-damaged' });
    const endless = Buffer.concat([Buffer.from('age-encryption.org/v1\n'), Buffer.alloc(MAX_HEADER_SIZE, 'a')]);
    expect(() => findHeaderSize(endless)).toThrow(damaged);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        const intro = Buffer.from('age-encryption.org/v1\n-> X25519 ');
        await expect(openHeader(bytes, [])).rejects.toThrow(damaged);
        await expect(openHeader(Buffer.concat([intro, bytes]), [])).rejects.toThrow(damaged);
      }),
    );
  });
});

describe('recipients and identities', () => {
  test('what no vault can be sealed to is refused, and the refusal says what it is', async () => {
    const { recipient, identity } = generateIdentity();
    expect(isRecipient(recipient)).toBe(true);
    const cases: [string, RegExp][] = [
      [recipient.toUpperCase(), /mistyped/],
      [`${recipient.slice(0, -1)}${recipient.endsWith('q') ? 'p' : 'q'}`, /mistyped/],
      [`age1pq1${'q'.repeat(1900)}`, /post-quantum/],
      ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA', /cut short/],
      ['age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t', /plugin/],
      ['', /mistyped/],
    ];
    for (const [text, why] of cases) {
      expect(isRecipient(text)).toBe(false);
      const refused = expect.objectContaining({ code: 'recipient-invalid', message: expect.stringMatching(why) });
      expect(() => newHeader([text])).toThrow(refused);
    }
    const unquoted = expect.objectContaining({ message: expect.not.stringContaining(identity) });
    expect(() => newHeader([identity])).toThrow(unquoted);
  });

  test('an identity file is read as age reads it, and never quoted', async () => {
    const a = generateIdentity();
    const b = generateIdentity();
    expect(parseIdentityFile(`# created\r\n\n ${a.identity}\r\n# other\n${b.identity}`)).toEqual([
      a.identity,
      b.identity,
    ]);
    const broken = a.identity.slice(0, -1);
    for (const text of [broken, `${b.identity}\nAGE-PLUGIN-X`, 'age-encryption.org/v1', '# none\n', b.recipient]) {
      try {
        parseIdentityFile(text);
        expect.unreachable();
      } catch (error) {
        expect(error).toMatchObject({ code: 'identity-invalid' });
        expect(String(error)).not.toContain(broken.slice(20));
      }
    }
    expect(() => recipientOf('AGE-SECRET-KEY-1')).toThrow(expect.objectContaining({ code: 'identity-invalid' }));
  });
});
