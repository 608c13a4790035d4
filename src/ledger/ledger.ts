import { statSync } from 'node:fs';
import { uptime } from 'node:os';
import type { Clock, RandomBytes } from '../core/clock.ts';
import { minuteMs } from '../core/duration.ts';
import { sentenceOf } from '../core/errors.ts';
import { newUlid, ulidTime } from '../core/ulid.ts';
import type { Destination } from '../destinations/destination.ts';
import { inState } from '../host/state-names.ts';
import { sealSmall } from '../vault/age/index.ts';
import { encodeLedgerEntry, hashOfEntry, ledgerKey, parseKey, publicKeyOf } from '../vault/format/index.ts';
import { listHeld, putConfirmed } from '../vault/hold/index.ts';
import { isOurs, type Trust } from '../vault/index.ts';
import { type LedgerCache, openLedgerCache } from './cache.ts';
import { ledgerUnwritten } from './errors.ts';
import { lockLedger } from './lock.ts';
import { newestEntries, readable, readLedger } from './read.ts';

export interface LedgerParts {
  readonly vault: string;
  readonly destinations: readonly Destination[];
  /** Names of all that are to hold it, also of those that are not among `destinations` now. */
  readonly expected: readonly string[];
  /** age recipients of the vault: they can read the sealed part. */
  readonly recipients: readonly string[];
  /** The writer's Ed25519 key, base64. */
  readonly signingKey: string;
  /** Whose entries a destination that was away is given; everyone's when absent. */
  readonly trust?: Trust;
  readonly stateDir: string;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

export interface Appended {
  readonly key: string;
  /** Destinations that do not hold it, and why. */
  readonly behind: ReadonlyArray<{ readonly destination: string; readonly why: string }>;
}

/**
 * What is remembered of this writer's newest entry is believed without looking for a newer one only while it is this young, and
 * this is the machine and the state folder that remembered it: a host that was set back to an older state of its own remembers
 * an old one.
 */
const youngMs = 60 * minuteMs;

/**
 * Adds an entry after this writer's newest, to every destination. One that is down gets it with the next one, also where no
 * other holds it by then: until then what it lacks is a gap there. `details` are sealed to the vault's recipients.
 * @throws `ledger-busy`, `ledger-unwritten` when no destination took it
 */
export async function appendToLedger(
  parts: LedgerParts,
  kind: string,
  body: object,
  details: object,
): Promise<Appended> {
  const sealed = sealSmall(Buffer.from(JSON.stringify(details)), parts.recipients);
  using _ = await lockLedger(parts.stateDir);
  using cache = openLedgerCache(parts.stateDir, { create: true });
  const previous = await newestOf(parts, cache);
  await giveKept(parts, cache);
  await fillGaps(parts, cache);
  const nowMs = parts.clock.now();
  // The order is the id's, also after a clock that once ran ahead; what is proved at this moment must not look like a later one's.
  const id = newUlid(Math.max(nowMs, previous === undefined ? 0 : idMsOf(previous.key) + 1), parts.random);
  const record = {
    format: 1,
    vault: parts.vault,
    id,
    kind,
    time: new Date(nowMs).toISOString(),
    previous: previous?.hash ?? null,
    sequence: (previous?.sequence ?? 0) + 1,
    body: body as Readonly<Record<string, unknown>>,
    sealed: Buffer.from(sealed).toString('base64'),
  } as const;
  const bytes = encodeLedgerEntry(record, parts.signingKey);
  const key = ledgerKey(id);
  const behind: { destination: string; why: string }[] = [];
  // Until this one is remembered the newest is looked for: whoever is killed in between must not fork the chain.
  if (previous !== undefined) cache.set(nameOf(parts), previous.key);
  for (const destination of parts.destinations) {
    try {
      await putConfirmed(destination, key, bytes);
    } catch (error) {
      behind.push({ destination: destination.name, why: sentenceOf(error) });
    }
  }
  if (behind.length === parts.destinations.length) {
    throw ledgerUnwritten({ why: behind.map(({ destination, why }) => `${destination}: ${why}`).join(' ') });
  }
  remember(parts, cache, { key, hash: hashOfEntry(bytes), time: record.time, sequence: record.sequence });
  cache.noteKind(id, kind);
  const late = behind.map(({ destination }) => destination);
  const reached = parts.destinations.map(({ name }) => name).filter((name) => !late.includes(name));
  cache.keep({ key, bytes, lacking: parts.expected.filter((name) => !reached.includes(name)) });
  noteBehind(cache, late);
  return { key, behind };
}

interface Newest {
  readonly key: string;
  /** SHA-256 of it as stored. */
  readonly hash: string;
  readonly time: string;
  readonly sequence: number;
}

function nameOf({ vault, signingKey }: LedgerParts): string {
  return `newest ${vault} ${publicKeyOf(signingKey)}`;
}

function remember(parts: LedgerParts, cache: LedgerCache, { key, hash, time, sequence }: Newest): void {
  cache.set(nameOf(parts), `${key} ${hash} ${time} ${sequence} ${stateOf(parts.stateDir)} ${bootMsOf(parts.clock)}`);
}

/** Changes when the state folder is put in the place of another. */
function stateOf(stateDir: string): string {
  const found = statSync(inState(stateDir, 'writerKeys'), { bigint: true, throwIfNoEntry: false });
  return found === undefined ? 'none' : `${found.ino}-${found.ctimeNs}`;
}

/** Another one by this much: the machine was started anew, set back with its memory, or its clock was. */
const bootToleranceMs = 5000;

function bootMsOf(clock: Clock): number {
  return Math.round(clock.now() - uptime() * 1000);
}

/** The key of the newest entry that this host wrote to `vault`, as far as it remembers. */
export function rememberedNewest(cache: LedgerCache, vault: string, writer: string): string | undefined {
  return cache.get(`newest ${vault} ${writer}`)?.split(' ')[0];
}

/** This writer's newest entry: the one that is remembered, looked at in one place; else looked for from the newest on. */
async function newestOf(parts: LedgerParts, cache: LedgerCache): Promise<Newest | undefined> {
  const [key, hash, time, number, state, bootMs] = cache.get(nameOf(parts))?.split(' ') ?? [];
  if (key !== undefined && hash !== undefined && time !== undefined && number !== undefined) {
    const ageMs = parts.clock.now() - Date.parse(time);
    const isYoung = ageMs >= 0 && ageMs < youngMs;
    const isHere =
      state === stateOf(parts.stateDir) && Math.abs(Number(bootMs) - bootMsOf(parts.clock)) < bootToleranceMs;
    if (isYoung && isHere && (await isHeld(parts.destinations, key, hash)))
      return { key, hash, time, sequence: Number(number) };
  }
  return await searchNewest(parts, key);
}

async function isHeld(destinations: readonly Destination[], key: string, hash: string): Promise<boolean> {
  for (const destination of destinations) {
    const bytes = await destination.get(key).catch(() => undefined);
    if (bytes !== undefined && hashOfEntry(bytes) === hash) return true;
  }
  return false;
}

/** From the newest on: down to the remembered one, which is the answer at the latest; where that is lost, through all of them. */
async function searchNewest(
  { destinations, signingKey, vault }: LedgerParts,
  remembered: string | undefined,
): Promise<Newest | undefined> {
  const writer = publicKeyOf(signingKey);
  const sinceMs = remembered === undefined ? 0 : idMsOf(remembered);
  for (const since of new Set([sinceMs, 0])) {
    for await (const { key, bytes, record } of newestEntries(destinations, { sinceMs: since })) {
      if (bytes === undefined || record?.writer !== writer || record.vault !== vault) continue;
      return { key, hash: hashOfEntry(bytes), time: record.time, sequence: record.sequence };
    }
  }
  return undefined;
}

/** The time in the id of an entry; 0 for what is none's key. */
function idMsOf(key: string): number {
  const parsed = parseKey(key);
  return parsed?.type === 'ledger' ? ulidTime(parsed.id) : 0;
}

const behindFact = 'behind';

function behindOf(cache: LedgerCache): string[] {
  return (cache.get(behindFact) ?? '').split('\n').filter((name) => name !== '');
}

/** Remembers destinations that lack entries: the next time that they can be reached they are given them. */
export function noteBehind(cache: LedgerCache, names: readonly string[]): void {
  const all = new Set([...behindOf(cache), ...names]);
  if (names.length > 0) cache.set(behindFact, [...all].join('\n'));
}

/** Gives destinations what this host noted while they were away, or while it worked with another copy. What fails is tried again. */
async function giveKept({ destinations }: LedgerParts, cache: LedgerCache): Promise<void> {
  for (const entry of cache.kept()) {
    const lacking: string[] = [];
    for (const name of entry.lacking) {
      const destination = destinations.find((one) => one.name === name);
      const isGiven =
        destination !== undefined &&
        (await putConfirmed(destination, entry.key, entry.bytes).then(
          () => true,
          () => false,
        ));
      if (!isGiven) lacking.push(name);
    }
    if (lacking.length < entry.lacking.length) cache.keep({ ...entry, lacking });
  }
}

/** Gives destinations that were away what the others hold. What fails is tried again with the next entry. */
async function fillGaps({ destinations, trust = {} }: LedgerParts, cache: LedgerCache): Promise<void> {
  const names = behindOf(cache);
  const lagging = destinations.filter(({ name }) => names.includes(name));
  if (lagging.length === 0 || destinations.length < 2) return;
  const { objects } = await readLedger(destinations, (writer) => isOurs(trust, writer));
  const still = new Set(names);
  for (const destination of lagging) {
    try {
      const held = new Set<string>();
      // Who may only write lists no versions.
      for await (const [, { key }] of listHeld(destination, ['ledger'], { plain: true })) held.add(key);
      for (const { key, bytes } of objects) {
        // What is damaged everywhere is not spread, nor what strangers signed.
        const entry = held.has(key) ? undefined : readable(bytes, key);
        if (entry !== undefined && isOurs(trust, entry.writer)) await putConfirmed(destination, key, bytes);
      }
      still.delete(destination.name);
    } catch {
      // It stays behind.
    }
  }
  cache.set(behindFact, [...still].join('\n'));
}
