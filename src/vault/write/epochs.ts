import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { RandomBytes } from '../../core/clock.ts';
import { sentenceOf } from '../../core/errors.ts';
import { printsOf, shortRecipient } from '../../core/recipient-print.ts';
import type { Run } from '../../core/run.ts';
import { newUlid } from '../../core/ulid.ts';
import type { Destination, Key } from '../../destinations/destination.ts';
import type { Trace } from '../../destinations/first-version.ts';
import { writeStateFile } from '../../host/state-file.ts';
import { inState } from '../../host/state-names.ts';
import { newEpoch } from '../epochs/epoch.ts';
import { keysAt, openersOf, readGrants } from '../epochs/grants.ts';
import { decodeGrant, encodeGrant, type Grant, grantBytes, maxEpochKeyBytes } from '../format/grant.ts';
import { epochKeyKey, grantKey } from '../format/keys.ts';
import type { SnapshotRecord } from '../format/record.ts';
import { sha256Hex } from '../hash.ts';
import { fetchSound } from '../hold/fetch-sound.ts';
import { putConfirmed } from '../hold/put-confirmed.ts';
import type { WriterKeys } from '../writer/keys.ts';
import type { Copies } from './copies.ts';

/** Grants and the key objects that they name, kept here so that every destination can be given them. No secret is among them. */
const shape = z.strictObject({
  format: z.literal(1),
  vault: z.string(),
  writer: z.string(),
  epochs: z.array(
    z.strictObject({
      epoch: z.string(),
      number: z.number().int().min(1),
      speaker: z.string(),
      /** What its objects are sealed to. Absent where this host lost it: nothing more is sealed to that epoch. */
      recipient: z.string().optional(),
      granted: z.array(z.strictObject({ grant: z.base64(), object: z.base64() })),
    }),
  ),
});

interface Granted {
  readonly grant: Grant;
  readonly bytes: Uint8Array;
  readonly object: Uint8Array;
}

/** One of this writer's own. */
interface OwnEpoch {
  readonly epoch: string;
  readonly number: number;
  readonly speaker: string;
  readonly recipient?: string | undefined;
  readonly granted: Granted[];
}

/** What this writer seals to, and which of its packs everybody opens who should. */
export interface SealingEpochs {
  readonly current: { readonly epoch: string; readonly recipient: string };
  /** Epochs that all recipients of now open; with `fresh` those that nobody else does. */
  readonly reusable: ReadonlySet<string>;
  /** What a record names that needs these epochs. */
  keysOf(epochs: Iterable<string>): SnapshotRecord['keys'];
  /** Makes sure that every destination holds the keys of all epochs: a pack means nothing without. */
  store(copies: Copies, signal: AbortSignal): Promise<void>;
}

export interface EpochsRequest {
  readonly stateDir: string;
  readonly keys: WriterKeys;
  readonly recipients: readonly string[];
  readonly fresh: boolean;
  readonly copies: Copies;
  readonly random: RandomBytes;
}

/**
 * The epochs of this writer. The last one goes on as long as exactly the recipients of now open it; else a new one begins. Whom a key
 * object lets in this host cannot see: it knows what it sealed itself, and believes who opens its last epoch.
 */
export async function openOwnEpochs(request: EpochsRequest, run: Run): Promise<SealingEpochs> {
  const { stateDir, keys, recipients, copies } = request;
  const file = inState(stateDir, 'epochs');
  const held = await heldAt(copies);
  const epochs = readState(file, keys);
  const learned = await learn(epochs, held, request, run);
  const wanted = printsOf(recipients);
  const last = newest(epochs);
  let current = last;
  if (last?.recipient === undefined || !isSame(openersOf(grantsOf(last)), wanted)) {
    if (last !== undefined) tellAdded(last, recipients, run);
    current = await begin((last?.number ?? 0) + 1, request, run);
    epochs.push(current);
  }
  if (learned || current !== last) writeState(file, keys, epochs);
  const lets = (one: OwnEpoch) => {
    const openers = openersOf(grantsOf(one));
    return request.fresh ? isSame(openers, wanted) : wanted.every((print) => openers.has(print));
  };
  return {
    current: { epoch: current!.epoch, recipient: current!.recipient! },
    reusable: new Set(epochs.filter(lets).map(({ epoch }) => epoch)),
    keysOf(needed) {
      const named = epochs.filter(({ epoch }) => new Set(needed).has(epoch)).flatMap(grantsOf);
      const objects = new Map(
        named.map(({ epoch, key: [id, sizeBytes] }) => [`${epoch}/${id}`, [epoch, id, sizeBytes]]),
      );
      return [...objects].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object as [string, string, number]);
    },
    store: (to, signal) => storeAll(epochs, held, to, signal),
  };
}

function grantsOf({ granted }: OwnEpoch): Grant[] {
  return granted.map(({ grant }) => grant);
}

function newest(epochs: readonly OwnEpoch[]): OwnEpoch | undefined {
  return epochs.toSorted((a, b) => a.number - b.number).at(-1);
}

function isSame(openers: ReadonlySet<string>, wanted: readonly string[]): boolean {
  return openers.size === wanted.length && wanted.every((print) => openers.has(print));
}

async function begin(number: number, { keys, recipients, random }: EpochsRequest, run: Run): Promise<OwnEpoch> {
  const { epoch, recipient, speaker, keyObject } = newEpoch(recipients);
  const nowMs = run.clock.now();
  const unsigned = {
    vault: keys.vault,
    id: newUlid(nowMs, random),
    time: new Date(nowMs).toISOString(),
    epoch,
    key: [sha256Hex(keyObject), keyObject.length] as const,
    recipients: printsOf(recipients),
    begins: { speaker, number },
  };
  const bytes = encodeGrant(unsigned, keys.signingKey);
  const grant = decodeGrant(bytes, grantKey(epoch, unsigned.id));
  return { epoch, number, speaker, recipient, granted: [{ grant, bytes, object: keyObject }] };
}

/** An added recipient that nobody let in: restore points that use older packs again would open for it in part. */
function tellAdded(last: OwnEpoch, recipients: readonly string[], run: Run): void {
  const openers = openersOf(grantsOf(last));
  const added = recipients.filter((recipient) => !printsOf([recipient]).every((print) => openers.has(print)));
  if (added.length === 0) return;
  const names = added.map(shortRecipient).join(', ');
  const message =
    `${names} does not open what was stored before it was added, so all of that is sent again. To spare that, stop this, let ` +
    "the holder of another key run 'lifeboat keys admit --identity FILE', and begin again.";
  run.problem({ code: 'history-closed', message, urgent: true });
}

type Held = Map<Destination, readonly Trace[]>;

async function heldAt(copies: Copies): Promise<Held> {
  const held: Held = new Map();
  for (const destination of [...copies.active]) {
    try {
      held.set(destination, await keysAt(destination));
    } catch (error) {
      copies.drop(destination, error);
    }
  }
  return held;
}

/** Takes in what was granted since, and after a loss of the state what this writer granted. @returns whether something was taken in */
async function learn(epochs: OwnEpoch[], held: Held, { keys }: EpochsRequest, run: Run): Promise<boolean> {
  const known = new Set(epochs.flatMap(({ epoch, granted }) => granted.map(({ grant }) => grantKey(epoch, grant.id))));
  const own = new Set(epochs.map(({ epoch }) => epoch));
  const grants = await readGrants(held, {
    vault: keys.vault,
    wanted: ({ key, epoch }) => !known.has(key) && (own.size === 0 || own.has(epoch)),
    onSuspect: () => {},
  });
  const before = known.size;
  const accept = async (into: OwnEpoch, grant: Grant) => {
    const object = await objectOf(grant, [...held.keys()], run);
    if (object === undefined) return;
    into.granted.push({ grant, bytes: grantBytes(grant), object });
    known.add(grantKey(grant.epoch, grant.id));
  };
  for (const grant of grants.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    const { epoch, begins, writer } = grant;
    if (own.has(epoch) || begins === undefined || writer !== keys.publicKey) continue;
    const one = { epoch, ...begins, granted: [] };
    await accept(one, grant);
    if (one.granted.length === 0) continue;
    own.add(epoch);
    epochs.push(one);
  }
  const speaker = newest(epochs)?.speaker;
  for (const grant of grants) {
    const one = epochs.find(({ epoch }) => epoch === grant.epoch);
    if (one !== undefined && grant.begins === undefined && grant.writer === speaker) await accept(one, grant);
  }
  return known.size > before;
}

/** What cannot be fetched lets nobody in. */
async function objectOf(grant: Grant, destinations: readonly Destination[], run: Run): Promise<Uint8Array | undefined> {
  const [id, sizeBytes] = grant.key;
  if (sizeBytes > maxEpochKeyBytes) return undefined;
  const key = epochKeyKey(grant.epoch, id);
  const tell = ({ destination, why }: { destination: string; why: string }) =>
    run.problem({ code: 'epoch-key-unread', message: `${destination} ${key}: ${why}` });
  try {
    const object = await fetchSound(destinations, key, id, tell, { signal: run.signal, sizeBytes });
    return object.length === sizeBytes ? object : undefined;
  } catch (error) {
    run.signal.throwIfAborted();
    run.problem({ code: 'epoch-key-unread', message: sentenceOf(error) });
    return undefined;
  }
}

async function storeAll(epochs: readonly OwnEpoch[], held: Held, copies: Copies, signal: AbortSignal): Promise<void> {
  const objects = epochs.flatMap(({ epoch, granted }) =>
    granted.flatMap(({ grant, bytes, object }): [Key, Uint8Array][] => [
      [epochKeyKey(epoch, grant.key[0]), object],
      [grantKey(epoch, grant.id), bytes],
    ]),
  );
  for (const destination of [...copies.active]) {
    const there = new Set((held.get(destination) ?? []).filter(({ hidden }) => !hidden).map(({ key }) => key));
    try {
      for (const [key, body] of objects) {
        if (!there.has(key)) await putConfirmed(destination, key, body, { signal });
      }
    } catch (error) {
      copies.drop(destination, error);
    }
  }
}

/** What was lost, or is another's, is learned from the vault as far as that goes. */
function readState(file: string, { vault, publicKey }: WriterKeys): OwnEpoch[] {
  try {
    const stored = shape.parse(JSON.parse(readFileSync(file, 'utf8')));
    if (stored.vault !== vault || stored.writer !== publicKey) return [];
    return stored.epochs.map(({ granted, ...rest }) => ({ ...rest, granted: granted.map(read) }));
    function read({ grant, object }: { grant: string; object: string }): Granted {
      const bytes = Buffer.from(grant, 'base64');
      const { epoch, id } = JSON.parse(bytes.toString()) as Grant;
      return { grant: decodeGrant(bytes, grantKey(epoch, id)), bytes, object: Buffer.from(object, 'base64') };
    }
  } catch {
    return [];
  }
}

function writeState(file: string, { vault, publicKey: writer }: WriterKeys, epochs: readonly OwnEpoch[]): void {
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
  const stored = epochs.map(({ granted, ...rest }) => ({
    ...rest,
    granted: granted.map(({ bytes, object }) => ({ grant: base64(bytes), object: base64(object) })),
  }));
  writeStateFile(file, { format: 1, vault, writer, epochs: stored });
}
