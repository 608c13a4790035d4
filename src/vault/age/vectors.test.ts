import { createHash } from 'node:crypto';
import { inflateSync } from 'node:zlib';
import * as vectors from 'cctv-age';
import { describe, expect, test } from 'vitest';
import { LifeboatError } from '../../core/errors.ts';
import { openHeader } from './header.ts';
import { openProtected } from './passphrase.ts';
import { NONCE_SIZE, openAll, openChunk, payloadKey, SEALED_CHUNK_SIZE } from './stream.ts';

// C2SP's test vectors for age. What each expects, and the code that we give for it.
const CODES: Record<string, string> = {
  'no match': 'no-identity-fits',
  'HMAC failure': 'header-damaged',
  'header failure': 'header-damaged',
  'payload failure': 'stream-damaged',
};

interface Vector {
  readonly name: string;
  readonly expect: string;
  readonly payload: string | undefined;
  readonly identities: readonly string[];
  readonly passphrases: readonly string[];
  readonly file: Uint8Array;
  /** The kind of file that a vault never holds, if it is one. */
  readonly skip: string | undefined;
}

function readVector(name: string, bytes: Uint8Array): Vector {
  const buffer = Buffer.from(bytes);
  const end = buffer.indexOf('\n\n');
  const fields = buffer
    .toString('utf8', 0, end)
    .split('\n')
    .map((line) => line.split(': ', 2) as [string, string]);
  const all = (key: string) => fields.filter(([name]) => name === key).map(([, value]) => value);
  const body = buffer.subarray(end + 2);
  const identities = all('identity');
  return {
    name,
    expect: all('expect')[0] ?? '',
    payload: all('payload')[0],
    identities,
    passphrases: all('passphrase'),
    file: all('compressed')[0] === 'zlib' ? inflateSync(body) : body,
    skip: skipReason(all('armored').length > 0, all('passphrase').length > 0, identities),
  };
}

function skipReason(armored: boolean, passphrase: boolean, identities: readonly string[]): string | undefined {
  if (armored) return 'armor: a vault holds binary files only';
  if (passphrase) return 'scrypt: a vault is never encrypted to a passphrase';
  const x25519 = identities.every((identity) => identity.startsWith('AGE-SECRET-KEY-1'));
  return x25519 ? undefined : 'post-quantum identity: not in format 1';
}

const all = Object.entries(vectors).map(([name, bytes]) => readVector(name, bytes));
const ours = all.filter((vector) => vector.skip === undefined);

describe('the age test vectors of C2SP', () => {
  test('are known by kind: every one is run or left out for a stated reason', () => {
    const skipped: Record<string, number> = {};
    for (const { skip } of all) if (skip !== undefined) skipped[skip] = (skipped[skip] ?? 0) + 1;
    console.log(`age vectors: ${ours.length} run; left out:`, skipped);
    const left = Object.values(skipped).reduce((sum, number) => sum + number, 0);
    expect(ours.length + left).toBe(Object.keys(vectors).length);
    expect(ours.length).toBeGreaterThanOrEqual(60);
  });

  test.for(ours.map((vector) => [vector.name, vector] as const))('%s', async ([, vector]) => {
    const code = CODES[vector.expect];
    if (code === undefined) {
      expect(vector.expect).toBe('success');
      const plain = await openAll(vector.file, vector.identities);
      expect(createHash('sha256').update(plain).digest('hex')).toBe(vector.payload);
      return;
    }
    const error = await openAll(vector.file, vector.identities).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LifeboatError);
    // The vectors count the nonce as part of the header, we as part of the payload.
    expect((error as LifeboatError).code).toBe(vector.name.endsWith('_nonce') ? 'stream-damaged' : code);
    if (vector.payload !== undefined) expect(await released(vector)).toBe(vector.payload);
  });
});

describe('the age test vectors of C2SP for passphrases, which identity files may have', () => {
  const passphrase = all.filter(({ passphrases, identities }) => passphrases.length > 0 && identities.length === 0);
  const codes: Record<string, string> = { ...CODES, 'no match': 'passphrase-wrong', 'armor failure': 'header-damaged' };

  test.for(passphrase.map((vector) => [vector.name, vector] as const))('%s', async ([, vector]) => {
    const opened = openProtected(vector.file, vector.passphrases[0]!, 'it');
    if (vector.expect !== 'success') await expect(opened).rejects.toMatchObject({ code: codes[vector.expect] });
    else
      expect(
        createHash('sha256')
          .update(await opened)
          .digest('hex'),
      ).toBe(vector.payload);
  });

  test('are not few', () => expect(passphrase.length).toBeGreaterThanOrEqual(15));
});

/**
 * Hash of all plaintext that a reader which does not know the file's size hands out before it fails: the vectors state it for
 * such readers. Ours knows the size and hands out nothing of these files.
 */
async function released(vector: Vector): Promise<string> {
  const { fileKey, headerSize } = await openHeader(vector.file, vector.identities);
  const start = headerSize + NONCE_SIZE;
  const key = payloadKey(fileKey, vector.file.subarray(headerSize, start));
  const hash = createHash('sha256');
  for (let index = 0, at = start; at < vector.file.length; index++, at += SEALED_CHUNK_SIZE) {
    const sealed = vector.file.subarray(at, at + SEALED_CHUNK_SIZE);
    const middle = tryOpen(() => openChunk(key, index, false, sealed));
    const plain = middle ?? tryOpen(() => openChunk(key, index, true, sealed));
    if (plain !== undefined) hash.update(plain);
    if (middle === undefined) break;
  }
  return hash.digest('hex');
}

function tryOpen(open: () => Uint8Array): Uint8Array | undefined {
  try {
    return open();
  } catch (error) {
    expect(error).toMatchObject({ code: 'stream-damaged' });
    return undefined;
  }
}
