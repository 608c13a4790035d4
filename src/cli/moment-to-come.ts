import { parseMoment } from '../core/moment.ts';
import { usageWrong } from './errors.ts';

/** What `--until` names, in milliseconds since 1970 UTC; undefined where it was not given. @throws `usage-wrong` */
export function momentToCome(until: string | undefined, nowMs: number, command: string): number | undefined {
  if (until === undefined) return undefined;
  const moment = parseMoment(until, nowMs);
  if (moment === 'latest' || moment <= nowMs)
    throw usageWrong({ what: `--until ${until} is no moment to come.`, command });
  return moment;
}
