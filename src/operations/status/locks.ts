import { type LastKeep, readLastKeeps } from '../../catalog/locks.ts';
import { roughDuration } from '../../core/duration.ts';
import { formatMoment } from '../../core/moment.ts';
import type { OpenSystem } from '../system.ts';
import type { LockStatus, StatusTrouble, SystemStatus } from './status.ts';

/** The same status with what this host knows of locks: from the last keep, without asking anyone. */
export function withLocks(status: SystemStatus, { config }: OpenSystem): SystemStatus {
  const keeps = readLastKeeps(config.stateDir) ?? new Map<string, LastKeep>();
  const nowMs = Date.parse(status.at);
  const locks: LockStatus[] = [];
  const troubles: StatusTrouble[] = [];
  for (const [name, settings] of Object.entries(config.destinations)) {
    const last = keeps.get(name);
    if (last !== undefined) {
      locks.push({ destination: name, until: timeOf(last.untilMs), keptAt: timeOf(last.keptMs)! });
      troubles.push(...troublesOf(name, last, nowMs));
    } else if (settings.type === 's3' && settings.lock !== undefined && status.datasets.some(({ newest }) => newest)) {
      const message = `How long what lies at ${name} is locked is not known here: no keep has run.`;
      troubles.push({ severity: 'warning', code: 'locks-unknown', message, command: 'lifeboat keep' });
    }
  }
  const ok = status.ok && troubles.every(({ severity }) => severity !== 'bad');
  return { ...status, ok, locks, troubles: [...status.troubles, ...troubles] };
}

/** The facts: what ends when, and who must do what about it. */
function troublesOf(name: string, { untilMs, birthMs, keptMs, failed }: LastKeep, nowMs: number): StatusTrouble[] {
  const command = 'lifeboat keep';
  const who = 'with credentials of the role keeper';
  if (failed !== undefined) {
    // New objects are locked when they are stored, so the oldest that are still needed end first.
    const message = `The locks at ${name} were not looked after from here: ${failed} Somebody must do it ${who}, at least every ${roughDuration(birthMs / 2)}.`;
    return [{ severity: 'warning', code: 'locks-not-kept', message, command }];
  }
  if (untilMs === undefined) {
    const message = `Not everything that restore points need at ${name} is there and locked.`;
    return [{ severity: 'bad', code: 'locks-missing', message, command }];
  }
  if (untilMs <= nowMs) {
    const message = `The first locks at ${name} ended ${formatMoment(untilMs, nowMs)}: what restore points need can be deleted there. Extend them ${who}.`;
    return [{ severity: 'bad', code: 'locks-ended', message, command }];
  }
  if (untilMs - nowMs < birthMs / 4) {
    const message = `The first locks at ${name} end ${formatMoment(untilMs, nowMs)}. Extend them ${who}.`;
    return [{ severity: 'warning', code: 'locks-ending', message, command }];
  }
  if (nowMs - keptMs > birthMs / 2) {
    const message = `The locks at ${name} were looked after ${roughDuration(nowMs - keptMs)} ago. Extend them ${who}.`;
    return [{ severity: 'warning', code: 'keep-overdue', message, command }];
  }
  return [];
}

function timeOf(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
