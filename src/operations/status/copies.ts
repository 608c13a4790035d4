import type { DestinationHealth } from '../../catalog/catalog.ts';
import { locationOf } from '../../config/locations.ts';
import type { System } from '../../config/system.ts';
import { roughDuration } from '../../core/duration.ts';
import { formatMoment } from '../../core/moment.ts';
import { countOf, formatSize } from '../../core/size.ts';
import type { Lag } from '../../retention/index.ts';
import type { RestorePoint } from '../../vault/index.ts';
import { copiesLagging } from '../copy/errors.ts';
import type { DestinationStatus, StatusTrouble } from './status.ts';

interface CopyFacts {
  readonly nowMs: number;
  readonly points: readonly RestorePoint[];
  readonly reachable: ReadonlyArray<{ readonly name: string; readonly location: string }>;
  readonly health: readonly DestinationHealth[];
  readonly lags: readonly Lag[];
}

/** Every destination of the system: whether it answers, since when it does not, and what it lacks. */
export function assessDestinations(system: System, facts: CopyFacts): DestinationStatus[] {
  const { reachable, health, lags, nowMs } = facts;
  return Object.entries(system.destinations).map(([name, config]) => {
    const found = reachable.find((destination) => destination.name === name);
    const known = health.find((one) => one.name === name);
    const lag = lags.find(({ destination }) => destination === name);
    return {
      name,
      location: found?.location ?? locationOf(config),
      reachable: found !== undefined,
      required: config.required,
      lastGood: moment(known?.goodMs),
      troubleSince: moment(known?.trouble?.sinceMs),
      lag: lag === undefined ? null : lagStatus(lag, nowMs),
    };
  });
}

function lagStatus({ restorePoints, objects, bytes, sinceMs }: Lag, nowMs: number) {
  const ms = sinceMs === undefined ? null : Math.max(0, nowMs - sinceMs);
  return { restorePoints, objects, bytes, since: moment(sinceMs), ms };
}

/** Copies that lag, and places where storing fails though they answer. */
export function copyTroubles(system: System, facts: CopyFacts): StatusTrouble[] {
  const { nowMs } = facts;
  const troubles: StatusTrouble[] = [];
  for (const { name, reachable, required, lag } of assessDestinations(system, facts)) {
    if (!reachable) continue;
    const failing = facts.health.find((one) => one.name === name)?.trouble;
    if (failing !== undefined && failing.code !== copiesLagging.code) {
      const message = `Storing at ${name} fails ${since(failing.sinceMs, nowMs)}: ${failing.message}`;
      troubles.push({
        severity: required ? 'bad' : 'warning',
        code: 'upload-failing',
        message,
        command: 'lifeboat check',
      });
    }
    if (lag === null) continue;
    const sinceMs = lag.since === null ? undefined : Date.parse(lag.since);
    const when = sinceMs === undefined ? '' : `, ${since(sinceMs, nowMs)}`;
    const what = `${countOf(lag.restorePoints, 'restore point')} (at most ${formatSize(lag.bytes)} in ${countOf(lag.objects, 'object')})`;
    const means = required ? 'not protected until it has them' : 'it is not required';
    const late = required && Object.values(system.datasets).some((one) => lateFor(name, one, facts));
    const severity = late ? 'bad' : 'warning';
    const message = `${name} lacks ${what}${when}: ${means}.`;
    troubles.push({ severity, code: copiesLagging.code, message, command: `lifeboat copy --to ${name}` });
  }
  return troubles;
}

/** Whether more than the objective would be lost if only this destination were left. */
function lateFor(
  destination: string,
  { name, rpoMs }: { readonly name: string; readonly rpoMs: number },
  { points, nowMs }: CopyFacts,
): boolean {
  const own = points.filter(({ record, doubts }) => record.dataset === name && doubts.length === 0);
  const newestThere = own.findLast(({ destinations }) => destinations.includes(destination))?.record.time ?? '';
  const missed = own.find(({ record }) => record.time > newestThere);
  return missed !== undefined && nowMs - Date.parse(missed.record.time) > rpoMs;
}

/** `since Fri 20 Nov 07:16 UTC (3 h)`, for what a destination that does not answer is told with. */
export function since(sinceMs: number, nowMs: number): string {
  return `since ${formatMoment(sinceMs, nowMs)} (${roughDuration(Math.max(0, nowMs - sinceMs))})`;
}

function moment(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
