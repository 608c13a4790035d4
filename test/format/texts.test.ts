import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { newHeader } from '../../src/vault/age/header.ts';
import { generateIdentity } from '../../src/vault/age/identity.ts';
import { sealAll } from '../../src/vault/age/stream.ts';
import { newEntryReader } from '../../src/vault/format/entry-lines.ts';
import { createIds } from '../../src/vault/format/ids.ts';
import { decodeIndexDelta, encodeIndexDelta } from '../../src/vault/format/index-delta.ts';
import { decodeManifest, encodeManifest } from '../../src/vault/format/manifest.ts';
import { decodePackList, encodePackList } from '../../src/vault/format/pack-list.ts';
import { newSigningKey, sign, writerId } from '../../src/vault/format/signing.ts';
import { openPackObject } from '../../src/vault/read/pack.ts';
import { packPlain } from '../support/build-vault.ts';
import { readIndexDelta, readList, readPack } from './binary-objects.ts';
import { readBody } from './body-lines.ts';
import { readManifest } from './manifest-text.ts';
import { changesOf } from './mutations.ts';
import { compare, refusal } from './two-readings.ts';

const digest = (digit: string) => digit.repeat(64);
const { privateKey, publicKey } = newSigningKey();
const vault = '01KDVDNA00ABRSDN2EGKZNM9CY';

/** A text with one of its fields changed, or a line gone, twice there or before the one before it. */
function* changedTexts(text: string): Generator<{ what: string; of: [Buffer] }> {
  const lines = text.split('\n').slice(0, -1);
  const whole = (changed: readonly string[]): [Buffer] => [Buffer.from(`${changed.join('\n')}\n`, 'latin1')];
  for (const [at, line] of lines.entries()) {
    yield { what: `without ${line}`, of: whole(lines.toSpliced(at, 1)) };
    yield { what: `twice ${line}`, of: whole(lines.toSpliced(at, 0, line)) };
    yield { what: `earlier ${line}`, of: whole(lines.toSpliced(at, 1).toSpliced(Math.max(0, at - 1), 0, line)) };
    const fields = line.split('\t');
    const with_ = (changed: readonly string[]) => whole(lines.with(at, changed.join('\t')));
    yield { what: `one field less: ${line}`, of: with_(fields.slice(0, -1)) };
    yield { what: `one field more: ${line}`, of: with_([...fields, 'x']) };
    for (const [number, field] of fields.entries()) {
      for (const { what, changed } of changesOf(field)) {
        if (typeof changed === 'string')
          yield { what: `${line}: ${field} as ${what}`, of: with_(fields.with(number, changed)) };
      }
      // Inside a field: parts are parted by commas, colons and the like.
      for (const part of new Set(field.split(/[,:=]/))) {
        for (const other of [
          '',
          '0',
          '-1',
          '01',
          '1.5',
          '9007199254740992',
          '-',
          'x',
          '%',
          '%41',
          '%2',
          '%C3',
          '%c3%a9',
          '\u00e9',
        ]) {
          if (part !== '')
            yield { what: `${line}: ${part} as ${other}`, of: with_(fields.with(number, field.replace(part, other))) };
        }
      }
    }
  }
  yield { what: 'without its last newline', of: [Buffer.from(text.slice(0, -1), 'latin1')] };
  yield { what: 'with one more newline', of: [Buffer.from(`${text}\n`, 'latin1')] };
}

test('each changed line of a manifest is refused by both readings or by neither', () => {
  const text = Buffer.from(
    encodeManifest({
      ...{ vault, system: 'example', dataset: 'app-db', kind: 'files', id: vault, time: '2026-01-02T00:00:01.500Z' },
      ...{ writer: publicKey, previous: digest('1'), chunkKey: Buffer.alloc(32, 7) },
      sizes: { logical: 9, added: 9, entries: 3 },
      body: {
        sizeBytes: 30,
        sha256: digest('2'),
        extents: [
          { pack: digest('3'), offset: 0, length: 10, first: { at: 0, path: 'a b' } },
          { pack: digest('4'), offset: 5, length: 10 },
          { pack: digest('4'), offset: 20, length: 10, first: { at: 3, path: 'b\xff' } },
        ],
      },
      facts: { path: '/srv' },
      expectations: {
        algorithm: 'files-1',
        tables: [
          {
            ...{ table: 'files', rows: 3, checksum: '42' },
            sample: {
              ...{ key: ['path'], columns: ['size', 'content'], until: '0000000b' },
              rows: ['00000001000-0fffw1', '0000000a01dd20a0z3'],
            },
          },
          { table: 'odd', rows: 0, reason: 'it has no order' },
        ],
      },
      problems: [{ code: 'file-changed', message: 'a changed' }],
    }),
  ).toString();
  expect([refusal(decodeManifest, Buffer.from(text)), refusal(readManifest, Buffer.from(text))]).toEqual([
    undefined,
    undefined,
  ]);
  const { split, refused } = compare(decodeManifest, readManifest, changedTexts(text));
  expect(split).toEqual([]);
  expect(refused).toBeGreaterThan(500);
});

function readByProduct(bytes: Buffer): void {
  const reader = newEntryReader();
  reader.push(bytes);
  reader.end();
}

test.each([
  [
    'file',
    `f\tuploads/%dc 100%25\t4755\t33\t33\t-0.000000001\t12\t${digest('5')}\t${digest('a')}:7:5,-:0:7\tsparse,x:user.a=%00,x:user.b=\n`,
  ],
  ['file with long attributes', `f\ta\t644\t0\t0\t1.000000000\t0\t${digest('5')}\t-\t-\nx\tuser.a=1\nx\tuser.b=%2c\n`],
  ['folder', 'd\tuploads\t2750\t1000\t4294967295\t1767225600.123456789\t-\t-\t-\tx:system.posix_acl_default=%02\n'],
  ['symbolic link', 'l\tlink\t777\t0\t0\t0.000000000\t-\t-\t../else where\t-\n'],
  ['device', 'c\tnull\t666\t0\t0\t0.000000000\t-\t-\t1:3\t-\n'],
  ['fifo', 'p\tpipe\t600\t0\t0\t0.000000000\t-\t-\t-\t-\n'],
  ['socket', 's\tsocket\t0\t0\t0\t0.000000000\t-\t-\t-\t-\n'],
])('each changed field of a %s’s entry is refused by both readings or by neither', (_, text) => {
  expect([refusal(readByProduct, Buffer.from(text)), refusal(readBody, Buffer.from(text))]).toEqual([
    undefined,
    undefined,
  ]);
  // Order is a thing of the whole list: entries that were moved are not among these.
  const changed = [...changedTexts(text)].filter(
    ({ what }) => !what.startsWith('twice') && !what.startsWith('earlier'),
  );
  const { split, refused } = compare(readByProduct, readBody, changed);
  expect(split).toEqual([]);
  expect(refused).toBeGreaterThan(50);
});

test('each changed byte of a list of packs is refused by both readings or by neither', () => {
  const bytes = Buffer.from(
    encodePackList(
      [
        [digest('a'), 300],
        [digest('b'), 400],
      ],
      Buffer.alloc(8, 9),
    ),
  );
  const product = (changed: Buffer) => decodePackList(changed, createIds());
  const { split, refused } = compare(product, readList, changedBytes(bytes));
  expect(split).toEqual([]);
  expect(refused).toBeGreaterThan(30);
});

/** Every byte with a bit flipped, at its least and its greatest; and every shorter one, and a longer. */
function* changedBytes(bytes: Buffer): Generator<{ what: string; of: [Buffer] }> {
  for (let at = 0; at < bytes.length; at++) {
    for (const value of new Set([bytes[at]! ^ 1, bytes[at]! ^ 0x80, 0, 255])) {
      const changed = Buffer.from(bytes);
      changed[at] = value;
      if (!changed.equals(bytes)) yield { what: `byte ${at} of ${bytes.length} is ${value}`, of: [changed] };
    }
    yield { what: `${at} bytes alone`, of: [bytes.subarray(0, at)] };
  }
  yield { what: 'one byte more', of: [Buffer.concat([bytes, Buffer.alloc(1)])] };
}

function smallPack() {
  const chunks = ['first', 'second', 'third'].map((text, at) => ({
    id: createHash('sha256').update(`${at}`).digest('hex').slice(0, 40),
    bytes: Buffer.from(text.repeat(20)),
  }));
  return packPlain(chunks, 150);
}

test('each changed byte of an index delta, signed again, is refused by both readings or by neither', () => {
  const { toc } = smallPack();
  const pack = { id: digest('a'), sizeBytes: 700, kind: 'data', toc } as const;
  const bytes = Buffer.from(encodeIndexDelta({ vault, packs: [pack], epoch: digest('e') }, privateKey));
  const product = (changed: Buffer) => {
    const { vault: of, writer } = decodeIndexDelta(changed);
    if (of !== vault || writer !== publicKey) throw new Error('of another vault or writer');
  };
  const checker = (changed: Buffer) => readIndexDelta(changed, vault, writerId(publicKey));
  expect([refusal(product, bytes), refusal(checker, bytes)]).toEqual([undefined, undefined]);
  const { split, refused } = compare(product, checker, signedAgain());
  expect(split).toEqual([]);
  expect(refused).toBeGreaterThan(300);

  function* signedAgain(): Generator<{ what: string; of: [Buffer] }> {
    for (const { what, of } of changedBytes(bytes.subarray(0, -64))) {
      const signature = sign(Buffer.concat([Buffer.from('lifeboat index\n'), ...of]), privateKey);
      yield { what, of: [Buffer.concat([...of, Buffer.from(signature, 'base64')])] };
    }
    yield { what: 'another signature', of: [Buffer.concat([bytes.subarray(0, -1), Buffer.from([bytes.at(-1)! ^ 1])])] };
  }
});

test('each changed byte of a pack, sealed again, is refused by both readings or by neither', async () => {
  const { identity, recipient } = generateIdentity();
  const plain = Buffer.from(smallPack().plain);
  const product = async (changed: Buffer) => {
    const { header, fileKey } = newHeader([recipient]);
    const object = sealAll(header, fileKey, Buffer.alloc(16, 3), changed);
    const opened = await openPackObject(object, [identity]);
    for (const _ of opened.read(0, opened.rawBytes));
  };
  expect(await product(plain)).toBeUndefined();
  expect(refusal(readPack, plain)).toBeUndefined();
  const split: string[] = [];
  let refused = 0;
  for (const { what, of } of changedBytes(plain)) {
    const ours = refusal(readPack, ...of);
    const theirs = await product(...of).then(
      () => undefined,
      (error: Error) => error.message,
    );
    if (theirs !== undefined && ours !== undefined) refused++;
    else if (theirs !== ours)
      split.push(`${what}: ${theirs ?? 'the product takes it'}; ${ours ?? 'the checker takes it'}`);
  }
  expect(split).toEqual([]);
  expect(refused).toBeGreaterThan(500);
});
