import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { formatDuration, minuteMs } from '../core/duration.ts';
import { LifeboatError, sentenceOf } from '../core/errors.ts';
import type { Run } from '../core/run.ts';
import { formatSize } from '../core/size.ts';
import { newUlid } from '../core/ulid.ts';
import type { Capabilities, Destination } from '../destinations/destination.ts';
import { destinationDenied, destinationUnreachable } from '../destinations/errors.ts';
import { isRecipient, recipientOf, refused } from '../vault/age/identity.ts';
import { shortRecipient } from '../vault/age/recipient-print.ts';
import type { OpenSystem } from './system.ts';

/** One thing that was looked at. */
export interface Checked {
  /** `configuration`, `key`, `destination`, `dataset`. */
  readonly area: string;
  readonly name: string;
  readonly result: 'good' | 'warning' | 'bad';
  readonly message: string;
  /** What mends it; absent when nothing is to be done. */
  readonly hint?: string;
}

/** Clocks that differ by more than this make times of restore points misleading. */
const clockToleranceMs = 2 * minuteMs;

/**
 * Looks at all that a backup and a restore need, with a small object written, read back and removed at each destination.
 * What is wrong is a result, not an error.
 */
export async function checkSystem(
  system: OpenSystem,
  identities: readonly string[],
  run: Run,
): Promise<readonly Checked[]> {
  const { name, file, warnings, vault, datasets } = system.config;
  const configuration: Checked[] = [
    { area: 'configuration', name, result: 'good', message: `${file} is valid` },
    ...warnings.map(({ message }): Checked => ({ area: 'configuration', name, result: 'warning', message })),
  ];
  const keys = await run.step('keys', () => checkKeys(vault.recipients, identities));
  const destinations = await run.step('destinations', () => checkDestinations(system));
  const sources: Checked[] = [];
  for (const dataset of Object.keys(datasets)) {
    sources.push(...(await run.step(dataset, () => checkDataset(system, dataset, run))));
  }
  return [...configuration, ...keys, ...destinations, ...sources];
}

async function checkKeys(recipients: readonly string[], identities: readonly string[]): Promise<Checked[]> {
  const checked: Checked[] = recipients.map((recipient) => {
    const name = shortRecipient(recipient);
    return isRecipient(recipient)
      ? { area: 'key', name, result: 'good', message: 'well-formed recipient' }
      : {
          area: 'key',
          name,
          result: 'bad',
          message: sentenceOf(refused(recipient)),
          hint: "Copy it again from its key file's line '# public key:', or from the .pub file.",
        };
  });
  for (const identity of identities) {
    const recipient = await recipientOf(identity);
    if (recipients.includes(recipient)) continue;
    checked.push({
      area: 'key',
      name: shortRecipient(recipient),
      result: 'warning',
      message: 'the identity given opens no new backup: its recipient is not in vault.recipients',
      hint: "Add it there, or give another. 'lifeboat keys check' tries it on what is stored.",
    });
  }
  return checked;
}

async function checkDestinations(system: OpenSystem): Promise<Checked[]> {
  const { opened, failed } = await system.destinations({ create: false });
  const checked: Checked[] = [];
  for (const { name, error } of failed) {
    const used = existsSync(join(system.config.stateDir, 'destinations', name));
    checked.push(
      destinationUnreachable.is(error) && !used
        ? {
            area: 'destination',
            name,
            result: 'warning',
            message: `${sentenceOf(error)} The first backup makes it.`,
          }
        : troubled('destination', name, error),
    );
  }
  for (const destination of opened) checked.push(...(await probe(destination, system)));
  return checked;
}

/** Writes a small object, reads it back, removes it; an account that may not remove is as it should be. */
async function probe(destination: Destination, { clock, random }: OpenSystem): Promise<Checked[]> {
  const { name, capabilities } = destination;
  const key = `probe/${newUlid(clock.now(), random)}`;
  const body = random(1024);
  let removed: boolean | undefined;
  const remove = async () => {
    removed ??= await destination.delete(key).then(
      () => true,
      (error: unknown) => {
        if (destinationDenied.is(error)) return false;
        throw error;
      },
    );
    return removed;
  };
  try {
    await destination.put(key, body);
    try {
      const back = await destination.get(key);
      if (Buffer.compare(back, body) !== 0) throw new Error('what was read back is not what was written');
      const { modifiedMs } = await destination.stat(key);
      const free = await destination.freeBytes();
      const room = free === undefined ? '' : `, ${formatSize(free)} free`;
      const can = capable(capabilities);
      const done = (await remove())
        ? 'written, read back and removed'
        : 'written and read back; this account cannot remove anything';
      const good: Checked = {
        area: 'destination',
        name,
        result: 'good',
        message: `${destination.location}: ${done}${room}${can === '' ? '' : `; ${can}`}`,
      };
      return [good, ...clockCheck(name, clock.now() - modifiedMs)];
    } finally {
      await remove();
    }
  } catch (error) {
    return [troubled('destination', name, error)];
  }
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
    ...(can.objectLock === 'none' ? ['no object lock'] : [`object lock (${can.objectLock})`]),
    ...(can.versions ? ['keeps versions'] : []),
  ];
  return words.join(', ');
}

async function checkDataset(system: OpenSystem, name: string, run: Run): Promise<Checked[]> {
  try {
    const source = await system.source(name);
    const { versions, sizeBytes, problems } = await source.inspect(run);
    const facts = [
      source.location,
      ...(sizeBytes === undefined ? [] : [`about ${formatSize(sizeBytes)}`]),
      ...Object.entries(versions).map(([what, version]) => `${what} ${version}`),
    ];
    return [
      { area: 'dataset', name, result: 'good', message: facts.join(', ') },
      ...problems.map(({ message }): Checked => ({ area: 'dataset', name, result: 'warning', message })),
    ];
  } catch (error) {
    if (run.signal.aborted) throw error;
    return [troubled('dataset', name, error)];
  }
}

function troubled(area: string, name: string, error: unknown): Checked {
  const hint = error instanceof LifeboatError ? { hint: error.hint } : {};
  return { area, name, result: 'bad', message: sentenceOf(error), ...hint };
}
