import { createHash } from 'node:crypto';
import { z } from 'zod';
import {
  algorithm,
  broken,
  canonical,
  canonicalObject,
  checkSignature,
  format,
  hex,
  isRising,
  isRound,
  momentOf,
  name,
  parsed,
  positive,
  publicKey,
  requires,
  rising,
  sha256Hex,
  shaped,
  signature,
  signedObject,
  time,
  ulid,
  utf8,
  whole,
} from './strict-json.ts';

const signed = { algorithm, format, vault: ulid, writer: publicKey, signature };

const text = z.string().max(1000);
const once = (rows: ReadonlyArray<readonly [string, ...unknown[]]>) =>
  new Set(rows.map(([id]) => id)).size === rows.length;

const timeline = z.string().regex(/^[a-z0-9]{1,64}-(0|[1-9][0-9]{0,9})$/);
const position = hex(16);
const keysShape = z
  .array(z.tuple([sha256Hex, sha256Hex, positive.max(64 * 1024)]))
  .refine((rows) => isRising(rows.map(([epoch, id]) => `${epoch} ${id}`)), 'not sorted');

const round = whole.refine(isRound, 'not rounded');
const recordShape = z
  .looseObject({
    ...signed,
    requires,
    kind: z.string().regex(/^[ -~]{1,200}$/),
    tool: text,
    system: name,
    dataset: name,
    id: ulid,
    time,
    committed: time,
    versions: z.record(text, text),
    sizes: z.looseObject({ logical: round, added: round, stored: round, entries: round }),
    lists: z
      .array(z.tuple([sha256Hex, positive.max(4096), positive]))
      .max(16_384)
      .refine(once, 'a list twice'),
    keys: keysShape,
    manifest: z.tuple([sha256Hex, positive]),
    position: z
      .record(text, text)
      .refine(({ timeline: of, log }) => {
        if (of === undefined && log === undefined) return true;
        return timeline.safeParse(of).success && position.safeParse(log).success;
      }, 'half of a place in a log')
      .optional(),
    problems: z.record(text, positive),
    retention: z.looseObject({ class: text, until: time.optional() }),
    generation: whole,
    previous: sha256Hex.nullable(),
    sequence: positive,
  })
  .refine(({ previous, sequence }) => (previous === null) === (sequence === 1), 'its number is not that of its place')
  .refine(({ id, committed }) => momentOf(id) <= Date.parse(committed), 'written before its id was');
export type Record = z.infer<typeof recordShape>;

export function readRecord(bytes: Uint8Array, key: string): Record {
  if (bytes.length > 2 * 1024 * 1024) broken('it is too long');
  const record = signedObject(bytes, 'record', recordShape);
  const stem = record.time.replaceAll('-', '').replaceAll(':', '');
  if (key !== `snapshots/${record.system}/${record.dataset}/${stem}-${record.id}.json`)
    broken('it lies under another key');
  return record;
}

const generationShape = z.looseObject({
  ...signed,
  requires,
  generation: positive.max(999_999_999_999_999),
  created: time,
  tombstones: rising(sha256Hex),
  sparse: rising(sha256Hex),
  logs: z
    .array(z.tuple([name, name, z.string().regex(/^[a-z0-9]{1,64}$/), position]))
    .min(1)
    .refine((rows) => isRising(rows.map((row) => row.slice(0, 3).join(' '))), 'not sorted')
    .optional(),
});

export function readGeneration(bytes: Uint8Array, key: string): z.infer<typeof generationShape> {
  const generation = signedObject(bytes, 'generation', generationShape);
  if (key !== `gc/${generation.generation}.json`) broken('it lies under another key');
  return generation;
}

const coverShape = z
  .looseObject({
    ...signed,
    system: name,
    dataset: name,
    timeline,
    id: ulid,
    time,
    first: position,
    last: position,
    pieces: z
      .array(z.tuple([position, position, sha256Hex, positive]))
      .min(1)
      .max(4096),
    keys: keysShape.min(1),
    previous: sha256Hex.nullable(),
    after: position.nullable(),
    sequence: positive,
  })
  .refine(({ previous, sequence }) => (previous === null) === (sequence === 1), 'its number is not that of its place')
  .refine(({ previous, after }) => (previous === null) === (after === null), 'it goes on from nothing')
  .refine(({ after, last }) => after === null || after < last, 'it ends where the one before it did');
export type Cover = z.infer<typeof coverShape>;

export function readCover(bytes: Uint8Array, key: string): Cover {
  if (bytes.length > 1024 * 1024) broken('it is too long');
  const cover = signedObject(bytes, 'cover', coverShape);
  const { first, last, pieces, id } = cover;
  let reached = first;
  for (const [start, end] of pieces) {
    if (start !== reached || end <= start) broken('its pieces do not follow one another');
    reached = end;
  }
  if (reached !== last) broken('it ends elsewhere than its last piece');
  if (key !== `covers/${folderOf(cover)}/${first}-${last}-${id}.json`) broken('it lies under another key');
  return cover;
}

/** Below `logs/` and `covers/`. */
export function folderOf({
  system,
  dataset,
  writer,
  timeline,
}: Pick<Cover, 'system' | 'dataset' | 'writer' | 'timeline'>) {
  return `${system}/${dataset}/${idOf(writer)}/${timeline}`;
}

const endorsementShape = z.looseObject({
  algorithm,
  format,
  vault: ulid,
  id: ulid,
  sequence: positive,
  time,
  writers: z
    .array(z.looseObject({ key: publicKey, systems: rising(name).min(1).max(100) }))
    .max(100)
    .refine((writers) => rising(z.string()).safeParse(writers.map(({ key }) => key)).success, 'not sorted'),
  endorser: publicKey,
  signature,
});

export function readEndorsement(bytes: Uint8Array, key: string): void {
  if (bytes.length > 1024 * 1024) broken('it is too long');
  const { endorser, id } = signedObject(bytes, 'endorsement', endorsementShape);
  if (key !== `endorsements/${idOf(endorser)}/${id}.json`) broken('it lies under another key');
}

const announcementShape = z.looseObject({ ...signed, requires: requires.optional() });

export function readAnnouncement(bytes: Uint8Array, key: string): void {
  const { writer } = signedObject(bytes, 'announcement', announcementShape);
  if (!key.startsWith(`format/${idOf(writer)}/`)) broken('it lies under another key');
}

const grantShape = z.looseObject({
  ...signed,
  id: ulid,
  time,
  epoch: sha256Hex,
  key: z.tuple([sha256Hex, positive.max(64 * 1024)]),
  recipients: rising(hex(32)).min(1).max(100),
  begins: z.looseObject({ speaker: publicKey, number: positive }).optional(),
});
export type Grant = z.infer<typeof grantShape>;

export function readGrant(bytes: Uint8Array, key: string): Grant {
  if (bytes.length > 16 * 1024) broken('it is too long');
  const grant = signedObject(bytes, 'grant', grantShape);
  if (key !== `keys/${grant.epoch}/${grant.id}.json`) broken('it lies under another key');
  return grant;
}

const payloadType = 'application/vnd.lifeboat.ledger+json';
const envelopeShape = z.looseObject({
  payloadType: z.literal(payloadType),
  payload: z.string(),
  signatures: z.tuple([z.looseObject({ keyid: hex(32), sig: signature })]),
});
const entryShape = z
  .looseObject({
    algorithm,
    format,
    vault: ulid,
    id: ulid,
    kind: z.string().regex(/^[a-z][a-z-]{0,39}$/),
    time,
    previous: sha256Hex.nullable(),
    sequence: positive,
    writer: publicKey,
    body: z.record(z.string(), z.unknown()),
    sealed: z.base64().nullable(),
  })
  .refine(({ previous, sequence }) => (previous === null) === (sequence === 1), 'its number is not that of its place');
export type LedgerEntry = z.infer<typeof entryShape>;

const checkpointShape = z.looseObject({
  chains: z
    .array(
      z
        .looseObject({
          writer: publicKey,
          through: positive,
          last: sha256Hex,
          range: sha256Hex,
          kept: z.array(z.tuple([positive, sha256Hex])).max(10_000),
        })
        .refine(({ kept, through }) => isRising(kept.map(([at]) => at)) && (kept.at(-1)?.[0] ?? 1) <= through),
    )
    .min(1)
    .max(1000)
    .refine((chains) => isRising(chains.map(({ writer }) => writer))),
});

/** The body of an entry `checkpoint`. */
export function readCheckpoint(body: unknown): z.infer<typeof checkpointShape> {
  return shaped(body, checkpointShape);
}

export function readLedgerEntry(bytes: Uint8Array, key: string): LedgerEntry {
  const { fields } = canonicalObject(bytes, envelopeShape);
  const payload = Buffer.from(fields.payload, 'base64');
  if (payload.toString('base64') !== fields.payload) broken('its payload is no base64');
  const value = parsed(utf8(payload));
  if (canonical(value) !== payload.toString()) broken('its payload is not in canonical form');
  const entry = shaped(value, entryShape);
  const [{ keyid, sig }] = fields.signatures;
  if (keyid !== idOf(entry.writer)) broken('another key is named');
  checkSignature(
    Buffer.concat([Buffer.from(`DSSEv1 36 ${payloadType} ${payload.length} `), payload]),
    sig,
    entry.writer,
  );
  if (key !== `ledger/${entry.id}.json`) broken('it lies under another key');
  return entry;
}

const vaultShape = z.strictObject({ created: time, format, vault: ulid });

export function readVaultFile(bytes: Uint8Array): string {
  const { created, vault } = canonicalObject(bytes, vaultShape).fields;
  if (Date.parse(created) !== momentOf(vault)) broken('it was made at another moment than its id');
  return vault;
}

/** Of a writer or an endorser. */
export function idOf(key: string): string {
  return createHash('sha256').update(Buffer.from(key, 'base64')).digest('hex').slice(0, 32);
}
