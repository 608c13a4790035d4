import type { RandomBytes } from '../../core/clock.ts';
import { sentenceOf } from '../../core/errors.ts';
import { plainRecipient, printOf } from '../../core/recipient-print.ts';
import type { Run } from '../../core/run.ts';
import { newUlid } from '../../core/ulid.ts';
import type { Destination } from '../../destinations/destination.ts';
import { secretOf } from '../../vault/age/index.ts';
import {
  believedEpochs,
  type GrantedEpoch,
  newestOf,
  openEpochs,
  openersOf,
  sealEpochKey,
  speakingKeyOf,
} from '../../vault/epochs/index.ts';
import { encodeGrant, epochKeyKey, grantKey } from '../../vault/format/index.ts';
import { putConfirmed } from '../../vault/hold/index.ts';
import { isKnownWriter, sha256Hex, type VaultReader } from '../../vault/index.ts';
import { noteIfPossible } from '../note-in-ledger.ts';
import type { OpenSystem } from '../system.ts';

/** Whom `keys admit` let in. */
export interface Admission {
  /** Epochs of this system's writers. */
  readonly epochs: number;
  /** For each recipient that did not open all of them: how many it was let in to now. */
  readonly admitted: ReadonlyArray<{ readonly recipient: string; readonly epochs: number }>;
  /** Epochs that a recipient lacks and the given identities do not open. */
  readonly closed: number;
  /** Destinations that did not take it, and why: the next backup brings it there. */
  readonly behind: ReadonlyArray<{ readonly destination: string; readonly why: string }>;
}

/**
 * Lets every recipient of the configuration open all that was stored before it was added: one small object for each epoch, and
 * what says so, signed as only who opens the writer's last epoch can. No pack is touched.
 */
export async function admit(
  system: OpenSystem,
  vault: VaultReader,
  identities: readonly string[],
  run: Run,
): Promise<Admission> {
  const { config, tool, random } = system;
  const recipients = config.vault.recipients.map(plainRecipient);
  const { opened, failed } = await system.destinations({ create: false });
  const behind = new Map(failed.map(({ name, error }) => [name, sentenceOf(error)]));
  const holders = new Set(vault.destinations.map(({ name }) => name));
  const places = opened.filter(({ name }) => holders.has(name));
  const epochs = await epochsOfSystem(vault, config.name);
  const open = secretsOf(vault.destinations, identities, run);
  const admitted = new Map<string, number>();
  let closed = 0;
  for (const epoch of epochs) {
    const openers = openersOf(epoch.grants);
    const lacking = recipients.filter((recipient) => !openers.has(printOf(recipient)));
    if (lacking.length === 0) continue;
    const [identity, speaker] = [await open(epoch), await open(newestOf(epochs, epoch.maker)!)];
    if (identity === undefined || speaker === undefined) {
      closed++;
      continue;
    }
    const objects = await admission(vault.id, epoch, lacking, { identity, speaker, nowMs: system.clock.now(), random });
    if ((await storeAt(places, objects, behind, run)) === 0) continue;
    for (const recipient of lacking) admitted.set(recipient, (admitted.get(recipient) ?? 0) + 1);
  }
  const result = {
    epochs: epochs.length,
    admitted: [...admitted].map(([recipient, count]) => ({ recipient, epochs: count })),
    closed,
    behind: [...behind].map(([destination, why]) => ({ destination, why })),
  };
  if (admitted.size > 0) {
    const prints = [...admitted.keys()].map(printOf).sort();
    const body = { system: config.name, environment: config.environment, tool, action: 'admitted', admitted: prints };
    await noteIfPossible(system, vault.id, { kind: 'key', body }, run);
  }
  return result;
}

/** What another system's writer sealed is for the recipients of that system, also where this machine believes everyone. */
async function epochsOfSystem(vault: VaultReader, system: string): Promise<GrantedEpoch[]> {
  const { points } = await vault.of(system).restorePoints();
  const makers = new Set(points.map(({ record }) => record.writer));
  const epochs = await believedEpochs(vault.destinations, vault.id, vault.trust);
  const isOwn = ({ maker }: GrantedEpoch) => makers.has(maker) && isKnownWriter(vault.trust, maker, system);
  return [...epochs.values()].filter(isOwn);
}

/** Opens each epoch once. */
function secretsOf(destinations: readonly Destination[], identities: readonly string[], run: Run) {
  const known = new Map<string, Promise<string | undefined>>();
  const open = async ({ grants }: GrantedEpoch) => {
    const keys = grants.map(({ epoch, key: [id, sizeBytes] }) => [epoch, id, sizeBytes] as const);
    const onDamage = ({
      destination,
      key,
      code,
      why,
    }: {
      destination: string;
      key: string;
      code: string;
      why: string;
    }) => run.problem({ code, message: `${destination} ${key}: ${why}` });
    return (await openEpochs(keys, { destinations, identities, onDamage, signal: run.signal })).identities[0];
  };
  return (epoch: GrantedEpoch) => {
    const opened = known.get(epoch.epoch) ?? open(epoch);
    known.set(epoch.epoch, opened);
    return opened;
  };
}

/** The epoch's key for these recipients, then what says so. */
async function admission(
  vault: string,
  { epoch }: GrantedEpoch,
  recipients: readonly string[],
  by: { readonly identity: string; readonly speaker: string; readonly nowMs: number; readonly random: RandomBytes },
): Promise<ReadonlyArray<readonly [string, Uint8Array]>> {
  const secret = secretOf(by.identity);
  const object = sealEpochKey(secret, recipients);
  secret.fill(0);
  const hash = sha256Hex(object);
  const id = newUlid(by.nowMs, by.random);
  const time = new Date(by.nowMs).toISOString();
  const unsigned = { vault, id, time, epoch, key: [hash, object.length] as const, recipients: recipients.map(printOf) };
  const grant = encodeGrant(unsigned, speakingKeyOf(by.speaker));
  return [
    [epochKeyKey(epoch, hash), object],
    [grantKey(epoch, id), grant],
  ];
}

/** How many places took all of it. One that failed is left alone from then on. */
async function storeAt(
  places: readonly Destination[],
  objects: ReadonlyArray<readonly [string, Uint8Array]>,
  behind: Map<string, string>,
  run: Run,
): Promise<number> {
  let stored = 0;
  for (const place of places) {
    if (behind.has(place.name)) continue;
    try {
      for (const [key, body] of objects) await putConfirmed(place, key, body, { signal: run.signal });
      stored++;
    } catch (error) {
      run.signal.throwIfAborted();
      behind.set(place.name, sentenceOf(error));
    }
  }
  return stored;
}
