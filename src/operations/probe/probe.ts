import { formatDuration, minuteMs } from '../../core/duration.ts';
import type { Run } from '../../core/run.ts';
import { formatSize } from '../../core/size.ts';
import { newUlid } from '../../core/ulid.ts';
import { allowed } from '../../destinations/allowed.ts';
import type { Capabilities, Destination, Examination, Key } from '../../destinations/destination.ts';
import { destinationDenied, objectExists, objectLocked } from '../../destinations/errors.ts';
import type { OpenSystem } from '../system.ts';
import { type Checked, troubled } from './checked.ts';
import { type Protection, protectionOf } from './protection.ts';

/** A destination as each role sees it; the same three times where one has all rights. */
export interface Parties {
  readonly writer: Destination;
  readonly reader: Destination;
  readonly pruner: Destination;
}

export interface Probed {
  readonly checked: readonly Checked[];
  /** Absent where it could not be tried. */
  readonly protection?: Protection;
}

/** Clocks that differ by more than this make times of restore points misleading. */
const clockToleranceMs = 2 * minuteMs;

/**
 * Does with small objects below `probe/` what a backup, a restore and a prune do, and what an intruder would; the answers of
 * the place itself count, not its name or its papers.
 */
export async function probe(parties: Parties, system: OpenSystem, run: Run): Promise<Probed> {
  const { writer } = parties;
  const { clock, random } = system;
  const key = `probe/${newUlid(clock.now(), random)}`;
  try {
    const tried = await tryContract(parties, `${key}-a`, random(1024));
    const examination = await writer.examine?.(key, run.signal);
    if (parties.pruner !== writer) await removeTrials(parties.pruner);
    const protection = protectionOf({ removes: tried.writerRemoves, examination });
    const free = await writer.freeBytes();
    const room = free === undefined ? '' : `, ${formatSize(free)} free`;
    const can = capable(writer.capabilities);
    const good: Checked = {
      area: 'destination',
      name: writer.name,
      result: 'good',
      message: `${writer.location}: ${deedsOf(tried)}${room}${can === '' ? '' : `; ${can}`}`,
      ...(examination && { facts: factsOf(examination) }),
    };
    const clocks = tried.storedMs === undefined ? [] : clockCheck(writer.name, clock.now() - tried.storedMs);
    return { checked: [good, ...clocks], protection };
  } catch (error) {
    if (run.signal.aborted) throw error;
    return { checked: [troubled('destination', writer.name, error)] };
  }
}

interface Tried {
  /** False where these credentials may not. */
  readonly read: boolean;
  readonly removed: boolean;
  /** Without the pruner's credentials. */
  readonly writerRemoves: boolean;
  /** By the destination's clock. */
  readonly storedMs: number | undefined;
}

async function tryContract({ writer, reader, pruner }: Parties, key: Key, body: Uint8Array): Promise<Tried> {
  let writerRemoves: boolean | undefined;
  let removed: boolean | undefined;
  const remove = async () => {
    writerRemoves ??= (await allowed(() => writer.delete(key).then(() => true))) ?? false;
    removed ??= writerRemoves || ((await allowed(() => pruner.delete(key).then(() => true))) ?? false);
  };
  await writer.put(key, body);
  try {
    const read = await allowed(() => tryReading(reader, key, body));
    if (read) await trySecondPut(writer, key, body);
    const stat = await allowed(() => reader.stat(key));
    await remove();
    return { read: read ?? false, removed: removed!, writerRemoves: writerRemoves!, storedMs: stat?.modifiedMs };
  } finally {
    await remove();
  }
}

async function tryReading(reader: Destination, key: Key, body: Uint8Array): Promise<true> {
  if (Buffer.compare(await reader.get(key), body) !== 0) throw new Error('what was read back is not what was written');
  const range = { offset: 100, length: 300 };
  if (Buffer.compare(await reader.get(key, range), body.subarray(100, 400)) !== 0) {
    throw new Error('a part that was read back is not that part of what was written');
  }
  return true;
}

/** The same bytes again are no error, other bytes are one, and the first stay. */
async function trySecondPut(writer: Destination, key: Key, body: Uint8Array): Promise<void> {
  await writer.put(key, body);
  const other = await writer.put(key, body.subarray(1)).catch((error: unknown) => error);
  if (!objectExists.is(other) && !destinationDenied.is(other)) {
    throw new Error('an object could be stored over another one');
  }
}

/** Trials that are left are few: one of each run that could not remove its own. */
const mostRemoved = 100;

/** What the writer's credentials could not take away, now or earlier; what is still locked stays for the next time. */
async function removeTrials(pruner: Destination): Promise<void> {
  if (pruner.history === undefined) return;
  await allowed(async () => {
    let seen = 0;
    for await (const { key, version } of pruner.history!.listVersions('probe/')) {
      if (++seen > mostRemoved) return;
      await pruner.delete(key, version).catch((error: unknown) => {
        if (!objectLocked.is(error)) throw error;
      });
    }
  });
}

function deedsOf({ read, removed }: Tried): string {
  if (read && removed) return 'written, read back and removed';
  if (read) return 'written and read back; this account cannot remove anything';
  return removed
    ? 'written and removed; this account cannot read'
    : 'written; this account can neither read nor remove';
}

function clockCheck(destination: string, aheadMs: number): Checked[] {
  if (Math.abs(aheadMs) <= clockToleranceMs) return [];
  const message = `this host's clock is ${formatDuration(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead of' : 'behind'} the destination's`;
  return [
    { area: 'clock', name: destination, result: 'bad', message, hint: 'Set it by NTP: timedatectl set-ntp true.' },
  ];
}

function capable(can: Capabilities): string {
  const words = [
    ...(can.conditionalCreate ? ['never overwrites'] : []),
    ...(can.checksums ? ['checks what it receives'] : []),
    ...(can.objectLock === 'none' ? [] : [`object lock (${can.objectLock})`]),
    ...(can.versions ? ['keeps versions'] : []),
  ];
  return words.join(', ');
}

function factsOf({ lock, ...rest }: Examination): NonNullable<Checked['facts']> {
  const all = {
    ...rest,
    ...Object.fromEntries(Object.entries(lock ?? {}).map(([name, value]) => [`lock.${name}`, value])),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Record<string, boolean>;
}
