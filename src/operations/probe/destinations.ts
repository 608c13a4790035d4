import { accessSync, constants } from 'node:fs';
import { dirname } from 'node:path';
import { sentenceOf } from '../../core/errors.ts';
import type { Role } from '../../core/roles.ts';
import type { Run } from '../../core/run.ts';
import type { Destination } from '../../destinations/destination.ts';
import { destinationUnreachable } from '../../destinations/errors.ts';
import { hasOwnCredentials } from '../destination-options.ts';
import type { OpenSystem } from '../system.ts';
import { wasUsed } from '../used-destinations.ts';
import { type Checked, troubled } from './checked.ts';
import { type Probed, probe } from './probe.ts';

/** Tries every destination with the credentials of each role, and says how far it protects. */
export async function checkDestinations(system: OpenSystem, run: Run): Promise<Checked[]> {
  const { opened, failed } = await openedForTrial(system);
  const [readers, pruners] = [await openedAs(system, 'reader'), await openedAs(system, 'pruner')];
  const checked = failed.map(({ name, error }) => failure(system, name, error));
  const probed: (Probed & { readonly name: string })[] = [];
  for (const writer of opened) {
    const { name } = writer;
    const [reader, pruner] = [readers.opened.get(name) ?? writer, pruners.opened.get(name) ?? writer];
    probed.push({
      name,
      ...(await probe({ writer, reader, pruner }, system, run)),
    });
  }
  // One copy that is out of reach is enough; the others may be as handy as they are.
  const isSafe = probed.some(({ protection }) => protection !== undefined && protection.level !== 'none');
  for (const { name, checked: found, protection } of probed) {
    checked.push(...found);
    if (protection === undefined) continue;
    const { level, message, hint } = protection;
    const result = protection.result === 'warning' && level === 'none' && isSafe ? 'good' : protection.result;
    checked.push({ area: 'protection', name, result, message, ...(hint !== undefined && { hint }), facts: { level } });
  }
  return [...checked, ...readers.failed, ...pruners.failed];
}

/**
 * With the folders on servers that the first backup would make: an account that may not write, and a clock that is wrong, show only
 * where something is written. A folder of this host is not made: its disk may not be mounted.
 */
async function openedForTrial(system: OpenSystem): ReturnType<OpenSystem['destinations']> {
  const { opened, failed } = await system.destinations({ create: false });
  const { config } = system;
  const only = failed
    .filter(({ name, error }) => destinationUnreachable.is(error) && config.destinations[name]?.type === 'sftp')
    .map(({ name }) => name)
    .filter((name) => !wasUsed(config.stateDir, name));
  if (only.length === 0) return { opened, failed };
  const made = await system.destinations({ create: true, only });
  return {
    opened: [...opened, ...made.opened],
    failed: [...failed.filter(({ name }) => !only.includes(name)), ...made.failed],
  };
}

/** A destination that was never used and whose folder is not there yet is no trouble. */
function failure({ config }: OpenSystem, name: string, error: unknown): Checked {
  const destination = config.destinations[name];
  if (!destinationUnreachable.is(error) || wasUsed(config.stateDir, name) || destination?.type !== 'local') {
    return troubled('destination', name, error);
  }
  const about = { area: 'destination', name } as const;
  const why = whyNotMade(destination.path);
  if (why === undefined)
    return { ...about, result: 'warning', message: `${sentenceOf(error)} The first backup makes it.` };
  return { ...about, result: 'bad', message: `${sentenceOf(error)} The first backup could not make it: ${why}.` };
}

/** A folder that is to be made needs one above it that can be written to. */
function whyNotMade(path: string): string | undefined {
  const above = dirname(path);
  try {
    accessSync(above, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' && above !== path ? whyNotMade(above) : `${above} cannot be written to (${code})`;
  }
}

interface OpenedAs {
  readonly opened: ReadonlyMap<string, Destination>;
  readonly failed: readonly Checked[];
}

/** Only those that have credentials of their own for the role. */
async function openedAs(system: OpenSystem, role: Exclude<Role, 'writer'>): Promise<OpenedAs> {
  const { destinations } = system.config;
  const own = new Set(Object.keys(destinations).filter((name) => hasOwnCredentials(destinations[name]!, role)));
  if (own.size === 0) return { opened: new Map(), failed: [] };
  const { opened, failed } = await system.destinations({ create: false, role });
  return {
    opened: new Map(opened.filter(({ name }) => own.has(name)).map((one) => [one.name, one])),
    failed: failed
      .filter(({ name }) => own.has(name))
      .map(({ name, error }) => troubled('destination', `${name} (${role})`, error)),
  };
}
