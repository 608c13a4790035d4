import { countOf } from '../../core/size.ts';
import { spoiledCodes } from '../../vault/hold/index.ts';
import { clockDisputes, type Doubt, type RestorePoint } from '../../vault/index.ts';
import type { Trouble } from '../reach.ts';
import type { StatusTrouble } from './status.ts';

/** What to say of doubtful restore points, by the reason. */
const sayings: Readonly<Record<Doubt['code'], (count: number, first: string) => string>> = {
  'writer-unknown': (count, first) =>
    `${points(count)} signed by a key that this host does not know (${first}): a new host of yours, or someone who forges them.`,
  'time-ahead': (count, first) =>
    `${points(count)} dated after the moment of being stored (${first}): a clock was wrong, or someone made them up.`,
  'stored-late': (count, first) =>
    `${points(count)} stored long after the time stated (${first}): copied there later, or made up for a day that was past.`,
  'chain-forked': (count, first) =>
    `${points(count)} beside the writer's own chain (${first}): two hosts write with the same key, a host was set back, or a key was stolen.`,
  replayed: (count, first) =>
    `${points(count)} with the contents of another one (${first}): someone repeats old records.`,
};

function points(count: number): string {
  return `${countOf(count, 'restore point is', 'restore points are')}`;
}

/** Restore points that are not believed, and objects that somebody hid or overwrote. None of it takes anything away. */
export function tamperTroubles(points: readonly RestorePoint[], troubles: readonly Trouble[]): StatusTrouble[] {
  const result: StatusTrouble[] = [];
  const byCode = new Map<Doubt['code'], RestorePoint[]>();
  for (const point of points) {
    // Every reason of one record is shown by `list`; here each record counts once, for its gravest.
    const [doubt] = point.doubts;
    if (doubt !== undefined) byCode.set(doubt.code, [...(byCode.get(doubt.code) ?? []), point]);
  }
  for (const [code, doubtful] of byCode) {
    const [first] = doubtful;
    const name = `the first ${first?.record.dataset} ${first?.record.time}`;
    const kept = ' Kept, but never taken for the newest.';
    const severity = code === 'stored-late' ? 'warning' : 'bad';
    const message = `${sayings[code](doubtful.length, name)}${kept}`;
    result.push({ severity, code: `restore-points-${code}`, message, command: 'lifeboat list' });
  }
  for (const { early, other, count } of clockDisputes(points)) {
    const message = `The clocks of ${early} and ${other} disagree about ${countOf(count, 'restore point')}: ${early} shows them stored before they were made. They are believed by the other one; look at who may set times at ${early}.`;
    result.push({ severity: 'warning', code: 'clocks-disagree', message, command: 'lifeboat check' });
  }
  const spoiled = troubles.filter(({ code }) => spoiledCodes.includes(code));
  for (const code of spoiledCodes) {
    const of = spoiled.filter((trouble) => trouble.code === code);
    const [first] = of;
    if (first === undefined) continue;
    const what = code === 'object-hidden' ? 'hidden behind a delete marker' : 'overwritten';
    const message = `${countOf(of.length, 'object was', 'objects were')} ${what}, the first ${first.key} at ${first.destination}. The first versions are still there and are read. Someone has credentials that they should not have, or a program is broken.`;
    result.push({ severity: 'bad', code, message, command: 'lifeboat verify' });
  }
  return result;
}
