import { createHash } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson } from '../../core/canonical-json.ts';
import { countOf } from '../../core/size.ts';
import { type Checkpointed, checkpointsIn, isUnder, rangeOf } from './checkpoint.ts';
import { ledgerDamaged } from './errors.ts';
import { ledgerKey, parseKey } from './keys.ts';
import { algorithm, count, jsonBytes, publicKey, readJson, sha256, signature, time, ulid } from './signed-json.ts';
import { publicKeyOf, sign, verify, writerId } from './signing.ts';

/**
 * One entry of the ledger: what was proved, restored, deleted. Stored as a DSSE envelope whose payload is the canonical JSON
 * of this record. docs/vault-format.md specifies it.
 */
export interface LedgerRecord {
  /** Of the signature. */
  readonly algorithm: 'ed25519';
  readonly format: 1;
  readonly vault: string;
  /** ULID; the key's last part. */
  readonly id: string;
  /** `drill` … */
  readonly kind: string;
  readonly time: string;
  /** SHA-256 (hex) of this writer's previous entry as stored; null for its first. */
  readonly previous: string | null;
  /** 1 for the writer's first entry, then one more than that of the one before. */
  readonly sequence: number;
  /** The writer's Ed25519 public key, base64. */
  readonly writer: string;
  /** Readable by everyone who can list the vault. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Base64 of zstd in age, to the vault's recipients: names and values. Null when there is nothing to hide. */
  readonly sealed: string | null;
}

const ledgerPayloadType = 'application/vnd.lifeboat.ledger+json';

const recordShape = z.looseObject({
  algorithm,
  format: z.literal(1),
  vault: ulid,
  id: ulid,
  kind: z.string().regex(/^[a-z][a-z-]{0,39}$/),
  time,
  previous: sha256.nullable(),
  sequence: count.min(1),
  writer: publicKey,
  body: z.record(z.string(), z.unknown()),
  sealed: z.base64().nullable(),
});

const envelopeShape = z.strictObject({
  payloadType: z.literal(ledgerPayloadType),
  payload: z.base64(),
  signatures: z.tuple([z.strictObject({ keyid: z.string(), sig: signature })]),
});

/** Signs and wraps a record. @returns the object's bytes; their SHA-256 is the next entry's `previous`. */
export function encodeLedgerEntry(record: Omit<LedgerRecord, 'algorithm' | 'writer'>, privateKey: string): Uint8Array {
  const writer = publicKeyOf(privateKey);
  const payload = Buffer.from(canonicalJson({ ...record, algorithm: 'ed25519', writer }));
  return jsonBytes({
    payloadType: ledgerPayloadType,
    payload: payload.toString('base64'),
    signatures: [{ keyid: writerId(writer), sig: sign(preAuthentication(payload), privateKey) }],
  });
}

/**
 * Reads an entry whose signature fits its own writer. Whether that writer is one of ours is for the caller to say.
 * @throws `ledger-damaged`
 */
export function decodeLedgerEntry(bytes: Uint8Array, key: string): LedgerRecord {
  const damaged = ({ field }: { field: string }) => ledgerDamaged({ key, why: `${field} cannot be read` });
  const envelope = readJson(bytes, envelopeShape, damaged) as z.infer<typeof envelopeShape>;
  const payload = Buffer.from(envelope.payload, 'base64');
  // Base64 has bits at its end that mean nothing; an entry whose hash the next one names must have one form only.
  if (payload.toString('base64') !== envelope.payload) throw damaged({ field: 'its payload' });
  // readJson wants the newline that stored objects end with; a payload has none.
  const record = readJson(Buffer.concat([payload, Buffer.from('\n')]), recordShape, damaged) as LedgerRecord;
  if ((record.previous === null) !== (record.sequence === 1)) throw damaged({ field: 'sequence' });
  const [{ keyid, sig }] = envelope.signatures;
  if (keyid !== writerId(record.writer) || !verify(preAuthentication(payload), sig, record.writer)) {
    throw ledgerDamaged({ key, why: 'its signature does not fit: it was changed after it was written, or forged' });
  }
  const parsed = parseKey(key);
  if (parsed?.type !== 'ledger' || parsed.id !== record.id) {
    throw ledgerDamaged({ key, why: `it is entry ${record.id} under another name` });
  }
  return record;
}

export function hashOfEntry(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** DSSE's pre-authentication encoding: what is really signed. */
function preAuthentication(payload: Uint8Array): Uint8Array {
  const head = `DSSEv1 ${ledgerPayloadType.length} ${ledgerPayloadType} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

interface LedgerProblem {
  readonly key: string;
  readonly code: 'damaged' | 'gap' | 'fork' | 'order' | 'stranger' | 'other-vault';
  readonly message: string;
  /** Of a gap: hash of the entry that is not there. */
  readonly missing?: string;
}

export interface LedgerVerdict {
  readonly ok: boolean;
  readonly entries: number;
  /** Public keys, with how many entries each signed. */
  readonly writers: ReadonlyArray<{ readonly writer: string; readonly entries: number; readonly newest: string }>;
  /** Who signed entries and is not known: they say nothing for the ledger, and nothing against it. */
  readonly strangers: LedgerVerdict['writers'];
  readonly problems: readonly LedgerProblem[];
  /** Chains whose first entries are under a checkpoint: what of these is not there is missed by nobody. */
  readonly under: ReadonlyArray<{
    readonly writer: string;
    /** The number of the last of them. */
    readonly through: number;
    /** How many are not there. */
    readonly gone: number;
    readonly time: string;
    /** Who signed it. */
    readonly by: string;
  }>;
}

export interface LedgerObject {
  readonly key: string;
  readonly bytes: Uint8Array;
}

/**
 * Checks a whole ledger without any network or key: signatures, and each writer's chain. Entries that were cut off at the
 * chain's very end leave no trace here; the newest id is given so that it can be compared with what was seen before.
 */
export function verifyLedger(
  objects: readonly LedgerObject[],
  trust: {
    readonly vault?: string;
    readonly writers?: readonly string[];
    /** Whose entries are judged; others' are counted apart. Everyone's when absent. */
    readonly isOurs?: (writer: string) => boolean;
    /** Whose checkpoints count. Everyone's when absent. */
    readonly decides?: (writer: string) => boolean;
  } = {},
): LedgerVerdict {
  const problems: LedgerProblem[] = [];
  const chains = new Map<string, Link[]>();
  for (const { key, bytes } of objects) {
    const record = tryDecode(key, bytes, problems);
    if (record === undefined) continue;
    if (trust.vault !== undefined && record.vault !== trust.vault && (trust.isOurs?.(record.writer) ?? true)) {
      problems.push({ key, code: 'other-vault', message: `${key} belongs to vault ${record.vault}.` });
    }
    const links = chains.get(record.writer) ?? [];
    links.push({ key, hash: hashOfEntry(bytes), record });
    chains.set(record.writer, links);
  }
  const isOurs = trust.isOurs ?? (() => true);
  const { vault, writers: named, decides = (writer) => named?.includes(writer) ?? true } = trust;
  const records = [...chains.values()].flat().map(({ record }) => record);
  const checkpoints = checkpointsIn(
    records.filter((record) => vault === undefined || record.vault === vault),
    decides,
  );
  const told = [...chains].map(([writer, links]) => {
    if (trust.writers !== undefined && !trust.writers.includes(writer)) {
      const message = `${countOf(links.length, 'entry is', 'entries are')} signed by ${writer}, which is not a known writer.`;
      problems.push({ key: links[0]?.key ?? '', code: 'stranger', message });
    }
    if (isOurs(writer)) problems.push(...chainProblems(links, checkpoints.get(writer)));
    const newest =
      links
        .map(({ record }) => record.id)
        .sort()
        .at(-1) ?? '';
    return { writer, entries: links.length, newest };
  });
  const writers = told.filter(({ writer }) => isOurs(writer));
  const strangers = told.filter(({ writer }) => !isOurs(writer));
  const under = [...checkpoints.values()]
    .filter(({ writer }) => isOurs(writer))
    .map(({ writer, through, by: { time, writer: by } }) => {
      const there = new Set((chains.get(writer) ?? []).map(({ record }) => record.sequence));
      const gone = through - [...there].filter((sequence) => sequence <= through).length;
      return { writer, through, gone, time, by };
    });
  return { ok: problems.length === 0, entries: objects.length, writers, strangers, problems, under };
}

interface Link {
  readonly key: string;
  readonly hash: string;
  readonly record: LedgerRecord;
}

function tryDecode(key: string, bytes: Uint8Array, problems: LedgerProblem[]): LedgerRecord | undefined {
  try {
    return decodeLedgerEntry(bytes, key);
  } catch (error) {
    problems.push({ key, code: 'damaged', message: error instanceof Error ? error.message : String(error) });
    return undefined;
  }
}

function chainProblems(links: readonly Link[], checkpoint: Checkpointed | undefined): LedgerProblem[] {
  const byHash = new Map(links.map((link) => [link.hash, link]));
  const problems = checkpoint === undefined ? [] : checkpointProblems(checkpoint, links, byHash);
  const followers = new Map<string | null, Link>();
  for (const link of [...links].sort((a, b) => (a.record.id < b.record.id ? -1 : 1))) {
    const { key, record } = link;
    const rival = followers.get(record.previous);
    if (rival !== undefined) {
      const what = record.previous === null ? 'begin the chain' : 'follow the same entry';
      problems.push({ key, code: 'fork', message: `${rival.key} and ${key} both ${what}.` });
    }
    followers.set(record.previous, link);
    if (record.previous === null) continue;
    const before = byHash.get(record.previous);
    if (before === undefined && checkpoint !== undefined && explains(checkpoint, record)) continue;
    if (before === undefined) {
      const message = `The entry before ${key} is missing or was changed.`;
      problems.push({ key, code: 'gap', message, missing: record.previous });
    } else if (before.record.id >= record.id) {
      problems.push({ key, code: 'order', message: `${key} follows ${before.key}, which says that it is newer.` });
    } else if (before.record.sequence + 1 !== record.sequence) {
      problems.push({ key, code: 'order', message: `${key} follows ${before.key}, and its number does not.` });
    }
  }
  return problems;
}

/** Whether the entry before this one may have gone. */
function explains(checkpoint: Checkpointed, { sequence, previous }: LedgerRecord): boolean {
  const isLast = sequence - 1 === checkpoint.through;
  return isUnder(checkpoint, sequence - 1) && (!isLast || previous === checkpoint.last);
}

/** What stays must be there, and where all is there it must be what the checkpoint was made of. */
function checkpointProblems(
  { through, range, kept, by }: Checkpointed,
  links: readonly Link[],
  byHash: ReadonlyMap<string, Link>,
): LedgerProblem[] {
  const key = ledgerKey(by.id);
  const problems: LedgerProblem[] = kept.flatMap(([at, hash]) =>
    byHash.has(hash)
      ? []
      : [{ key, code: 'gap', message: `Entry ${at}, which the checkpoint ${key} keeps, is missing.`, missing: hash }],
  );
  const first = new Map(links.map(({ record, hash }) => [record.sequence, hash]));
  const hashes = Array.from({ length: Math.min(through, links.length) }, (_, at) => first.get(at + 1));
  const isWhole = hashes.length === through && hashes.every((hash) => hash !== undefined);
  if (isWhole && rangeOf(hashes as string[]) !== range) {
    problems.push({ key, code: 'order', message: `${key} was made of other entries than are there.` });
  }
  return problems;
}
