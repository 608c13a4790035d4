import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { canonicalJson } from '../../src/core/canonical-json.ts';
import { newUlid } from '../../src/core/ulid.ts';
import { decodeAnnouncement } from '../../src/vault/format/announcement.ts';
import { decodeCover } from '../../src/vault/format/cover.ts';
import { decodeEndorsement } from '../../src/vault/format/endorsement.ts';
import { decodeGeneration } from '../../src/vault/format/generation.ts';
import { decodeGrant } from '../../src/vault/format/grant.ts';
import { decodeLedgerEntry, encodeLedgerEntry } from '../../src/vault/format/ledger.ts';
import { decodeRecord, recordKey } from '../../src/vault/format/record.ts';
import { newSigningKey, sign, writerId } from '../../src/vault/format/signing.ts';
import { decodeVaultFile } from '../../src/vault/format/vault-file.ts';
import { changesOf } from './mutations.ts';
import {
  readAnnouncement,
  readCover,
  readEndorsement,
  readGeneration,
  readGrant,
  readLedgerEntry,
  readRecord,
  readVaultFile,
} from './signed-objects.ts';
import { compare, refusal } from './two-readings.ts';

// The page, read twice: by the product and by a checker that shares nothing with it. Where one refuses a change that the other takes, one of them is
// wrong, or the page is silent.

type Json = Record<string, unknown>;
interface Kind {
  /** A sound one, and where it lies. */
  readonly sound: () => Json;
  readonly encode: (value: Json) => Buffer;
  readonly keyOf: (value: Json) => string;
  readonly product: (bytes: Buffer, key: string) => unknown;
  readonly checker: (bytes: Buffer, key: string) => unknown;
  /** At least so many changes are refused. */
  readonly refused: number;
}

const { privateKey, publicKey } = newSigningKey();
const time = '2026-01-02T03:04:05.678Z';
const vault = newUlid(Date.parse(time) - 1000, randomBytes);
const id = newUlid(Date.parse(time), randomBytes);
const digest = (digit: string) => digit.repeat(64);

const signed = (context: string) => (value: Json) => {
  const { signature: _, ...rest } = value;
  const whole = { ...rest, signature: sign(Buffer.from(`lifeboat ${context}\n${canonicalJson(rest)}`), privateKey) };
  // A signature that was changed on purpose stays as it is.
  return Buffer.from(`${canonicalJson('signature' in value ? value : whole)}\n`);
};

const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
const printOf = (key: unknown) => {
  try {
    return writerId(text(key) ?? '');
  } catch {
    return 'none';
  }
};

const common = { algorithm: 'ed25519', format: 1, vault, writer: publicKey };

const kinds: Readonly<Record<string, Kind>> = {
  record: {
    sound: () => ({
      ...common,
      requires: [],
      kind: 'postgres',
      tool: 'lifeboat 0.1.0',
      system: 'example',
      dataset: 'app-db',
      id,
      time,
      committed: '2026-01-02T03:04:06.000Z',
      versions: { postgres: '15.4' },
      sizes: { logical: 10, added: 8, stored: 10, entries: 3 },
      lists: [
        [digest('b'), 2, 400],
        [digest('a'), 1, 200],
      ],
      keys: [
        [digest('1'), digest('2'), 300],
        [digest('1'), digest('3'), 300],
      ],
      manifest: [digest('c'), 500],
      position: { lsn: '0/16B3748', timeline: '74500-1', log: '00000000016b3748' },
      problems: { 'file-changed': 2 },
      retention: { class: 'standard', until: '2027-01-02T03:04:05.678Z' },
      generation: 4,
      previous: digest('d'),
      sequence: 7,
    }),
    encode: signed('record'),
    keyOf: ({ system, dataset, time, id }) =>
      `snapshots/${system}/${dataset}/${String(time).replaceAll('-', '').replaceAll(':', '')}-${id}.json`,
    product: (bytes, key) => {
      if (recordKey(decodeRecord(bytes)) !== key) throw new Error('another key');
    },
    checker: readRecord,
    refused: 400,
  },
  generation: {
    sound: () => ({
      ...common,
      requires: [],
      generation: 12,
      created: time,
      tombstones: [digest('a'), digest('b')],
      sparse: [digest('c')],
      logs: [
        ['example', 'app-db', '74500', '00000000016b3748'],
        ['example', 'app-db', '74501', '00000000016b3748'],
      ],
    }),
    encode: signed('generation'),
    keyOf: ({ generation }) => `gc/${generation}.json`,
    product: decodeGeneration,
    checker: readGeneration,
    refused: 100,
  },
  endorsement: {
    sound: () => {
      const { writer: endorser, ...rest } = common;
      const writers = [publicKey, newSigningKey().publicKey].sort().map((key) => ({ key, systems: ['a', 'b'] }));
      return { ...rest, id, sequence: 3, time, writers, endorser };
    },
    encode: signed('endorsement'),
    keyOf: ({ endorser, id }) => `endorsements/${printOf(endorser)}/${id}.json`,
    product: decodeEndorsement,
    checker: readEndorsement,
    refused: 100,
  },
  announcement: {
    sound: () => ({ ...common, requires: [], id }),
    encode: signed('announcement'),
    keyOf: ({ writer }) => `format/${printOf(writer)}/${id}.json`,
    product: (bytes, key) => {
      const { needs } = decodeAnnouncement(bytes, key);
      if (needs !== undefined) throw new Error(needs);
    },
    checker: readAnnouncement,
    refused: 40,
  },
  grant: {
    sound: () => ({
      ...common,
      id,
      time,
      epoch: digest('e'),
      key: [digest('a'), 300],
      recipients: ['1'.repeat(32), '2'.repeat(32)],
      begins: { speaker: publicKey, number: 1 },
    }),
    encode: signed('grant'),
    keyOf: ({ epoch, id }) => `keys/${epoch}/${id}.json`,
    product: decodeGrant,
    checker: readGrant,
    refused: 100,
  },
  cover: {
    sound: () => ({
      ...common,
      system: 'example',
      dataset: 'app-db',
      timeline: '74500-1',
      id,
      time,
      first: `${'0'.repeat(15)}a`,
      last: `${'0'.repeat(15)}f`,
      pieces: [
        [`${'0'.repeat(15)}a`, `${'0'.repeat(15)}c`, digest('a'), 300],
        [`${'0'.repeat(15)}c`, `${'0'.repeat(15)}f`, digest('b'), 400],
      ],
      keys: [[digest('1'), digest('2'), 300]],
      previous: digest('d'),
      after: `${'0'.repeat(15)}b`,
      sequence: 7,
    }),
    encode: signed('cover'),
    keyOf: ({ system, dataset, writer, timeline, first, last, id }) =>
      `covers/${system}/${dataset}/${printOf(writer)}/${timeline}/${first}-${last}-${id}.json`,
    product: decodeCover,
    checker: readCover,
    refused: 200,
  },
  'ledger entry': {
    sound: () => ({
      ...common,
      id,
      kind: 'backup',
      time,
      previous: digest('a'),
      sequence: 2,
      body: { restorePoints: [] },
      sealed: 'AAAA',
    }),
    encode: (value) => Buffer.from(encodeLedgerEntry(value as never, privateKey)),
    keyOf: ({ id }) => `ledger/${id}.json`,
    product: decodeLedgerEntry,
    checker: readLedgerEntry,
    refused: 100,
  },
  'vault.json': {
    sound: () => ({ created: new Date(Date.parse(time) - 1000).toISOString(), format: 1, vault }),
    encode: (value) => Buffer.from(`${canonicalJson(value)}\n`),
    keyOf: () => 'vault.json',
    product: decodeVaultFile,
    checker: readVaultFile,
    refused: 40,
  },
};

describe.each(Object.entries(kinds))(
  'each changed field of a %s',
  (_, { sound, encode, keyOf, product, checker, refused }) => {
    test('a sound one is taken by both', () => {
      const [bytes, key] = [encode(sound()), keyOf(sound())];
      expect([refusal(product, bytes, key), refusal(checker, bytes, key)]).toEqual([undefined, undefined]);
    });

    test('is refused by both or by neither, though it is signed', () => {
      const { split, refused: both } = compare(product, checker, changes());
      expect(split).toEqual([]);
      expect(both).toBeGreaterThan(refused);

      function* changes() {
        for (const { what, changed } of changesOf(sound())) {
          if (typeof changed !== 'object' || changed === null || Array.isArray(changed)) continue;
          const value = changed as Json;
          yield { what, of: [encode(value), keyOf(value)] as [Buffer, string] };
        }
      }
    });

    test('is refused by both where its bytes are not canonical, and where nobody signed it', () => {
      const text = encode(sound()).toString();
      const odd = [
        text.slice(0, -1),
        `${text}\n`,
        ` ${text}`,
        text.replace(',', ', '),
        `\ufeff${text}`,
        text.replace('{', '{"a":1,"a":1,'),
        text.replace('"', '"\\u0061'),
      ];
      for (const one of odd) {
        const of = [Buffer.from(one), keyOf(sound())] as const;
        expect([refusal(product, ...of), refusal(checker, ...of)], one).toEqual([
          expect.any(String),
          expect.any(String),
        ]);
      }
    });
  },
);

test('B20: a signature with another second half, that would fit as well, is refused by both readings', () => {
  const { sound, encode, keyOf, product, checker } = kinds.generation!;
  const bytes = encode(sound());
  const { signature } = JSON.parse(bytes.toString()) as { signature: string };
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const raw = Buffer.from(signature, 'base64');
  const second = BigInt(`0x${Buffer.from(raw.subarray(32)).reverse().toString('hex')}`) + order;
  const other = Buffer.concat([
    raw.subarray(0, 32),
    Buffer.from(second.toString(16).padStart(64, '0'), 'hex').reverse(),
  ]);
  const changed = Buffer.from(bytes.toString().replace(signature, other.toString('base64')));
  expect([refusal(product, bytes, keyOf(sound())), refusal(product, changed, keyOf(sound()))]).toEqual([
    undefined,
    expect.any(String),
  ]);
  expect(refusal(checker, changed, keyOf(sound()))).toEqual(expect.any(String));
});
