import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { canonicalJson } from '../core/canonical-json.ts';
import { sentenceOf } from '../core/errors.ts';
import type { Run } from '../core/run.ts';
import { newUlid } from '../core/ulid.ts';
import type { Destination } from '../destinations/destination.ts';
import { writeStateFile } from '../host/state-file.ts';
import { inState } from '../host/state-names.ts';
import { endorsingKey } from '../vault/age/index.ts';
import {
  type EndorsedWriter,
  endorsementBytes,
  endorsementKey,
  maxEndorsedWriters,
  publicKeyOf,
  signEndorsement,
  writerId,
} from '../vault/format/index.ts';
import { putConfirmed } from '../vault/hold/index.ts';
import { isKnownWriter, newestEndorsement } from '../vault/index.ts';
import { namedByPeople } from './confirmed.ts';
import { publicKeyHere } from './known-writers.ts';
import type { OpenSystem } from './system.ts';

const shape = z.strictObject({
  format: z.literal(1),
  vault: z.string(),
  /** By endorser: the greatest that was seen. */
  sequences: z.record(z.string(), z.number().int().min(0)),
});

/**
 * Lets each identity vouch for this machine's own writer and for those that people named: `vault.writers` of the configuration,
 * and `accepted`. Never for one that was merely met in the vault: the vault may be a stranger's. Where the configuration lists
 * writers, its list is all of its system; else who was vouched for before stays. Nothing is written where nothing changes.
 */
export async function endorseWriters(
  system: OpenSystem,
  vault: string,
  { identities, accepted = [] }: { readonly identities: readonly string[]; readonly accepted?: readonly string[] },
  run: Run,
): Promise<void> {
  try {
    const { opened } = await system.destinations({ create: false });
    const named = await namedWriters(system, vault);
    for (const identity of identities) await endorseWith(identity, { system, vault, named, accepted, opened, run });
  } catch (error) {
    run.signal.throwIfAborted();
    unwritten(run, sentenceOf(error));
  }
}

interface Endorsing {
  readonly system: OpenSystem;
  readonly vault: string;
  /** Undefined where the configuration lists nobody. */
  readonly named: readonly string[] | undefined;
  readonly accepted: readonly string[];
  readonly opened: readonly Destination[];
  readonly run: Run;
}

/** Whom people list for this system, but for a key that turned out to be another's. */
async function namedWriters({ config, vault: open }: OpenSystem, vault: string): Promise<string[] | undefined> {
  const listed = config.vault.writers.filter(({ systems }) => systems.includes(config.name));
  const named = new Set(
    namedByPeople(
      config.stateDir,
      listed.map(({ key }) => key),
    ),
  );
  if (named.size === 0) return undefined;
  const own = publicKeyHere(config, vault);
  if (!listed.some(({ key, isBare }) => isBare && key !== own && named.has(key))) return [...named];
  const { trust } = await open(() => {});
  return [...named].filter((key) => isKnownWriter(trust, key, config.name));
}

async function endorseWith(
  identity: string,
  { system, vault, named, accepted, opened, run }: Endorsing,
): Promise<void> {
  const { config, clock, random } = system;
  const key = endorsingKey(identity);
  const endorser = writerId(publicKeyOf(key));
  const suspect = (of: string, why: string) => run.problem({ code: 'endorsement-suspect', message: `${of} ${why}` });
  const found = await newestEndorsement(opened, vault, publicKeyOf(key), suspect);
  const seen = Math.max(found?.sequence ?? 0, sequenceSeen(config.stateDir, vault, endorser));
  // An older one than this machine saw already may name who was left out since.
  const before = found?.sequence === seen ? found : undefined;
  const writers = writersNow(system, vault, before?.writers ?? [], { named, accepted });
  const isSame = before !== undefined && canonicalJson({ of: before.writers }) === canonicalJson({ of: writers });
  if (writers.length === 0 || isSame) return;
  if (writers.length > maxEndorsedWriters) {
    return unwritten(
      run,
      `${writers.length} writers are more than the ${maxEndorsedWriters} that one key vouches for.`,
    );
  }
  const nowMs = clock.now();
  const id = newUlid(nowMs, random);
  const time = new Date(nowMs).toISOString();
  const endorsement = signEndorsement({ vault, id, sequence: seen + 1, time, writers }, key);
  const failed: string[] = [];
  for (const destination of opened) {
    try {
      await putConfirmed(destination, endorsementKey(endorser, id), endorsementBytes(endorsement));
    } catch (error) {
      failed.push(`${destination.name}: ${sentenceOf(error)}`);
    }
  }
  if (failed.length > 0) unwritten(run, failed.join(' '));
  if (failed.length < opened.length) rememberSequence(config.stateDir, vault, endorser, seen + 1);
}

function writersNow(
  { config }: OpenSystem,
  vault: string,
  before: readonly EndorsedWriter[],
  { named, accepted }: Pick<Endorsing, 'named' | 'accepted'>,
): EndorsedWriter[] {
  const own = publicKeyHere(config, vault);
  const systems = new Map(before.map(({ key, systems }) => [key, new Set(systems)]));
  // What people list is all: who is not in it any more is not vouched for any more.
  if (named !== undefined) for (const of of systems.values()) of.delete(config.name);
  for (const key of [...(named ?? []), ...accepted, ...(own === undefined ? [] : [own])]) {
    systems.set(key, (systems.get(key) ?? new Set()).add(config.name));
  }
  return [...systems]
    .filter(([, of]) => of.size > 0)
    .map(([key, of]) => ({ key, systems: [...of].sort() }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}

function unwritten(run: Run, why: string): void {
  run.problem({ code: 'endorsement-unwritten', message: `The key does not vouch for this host's writers yet: ${why}` });
}

/** What a place shows may be older than what this machine saw: then the next one goes above both. */
export function sequenceSeen(stateDir: string, vault: string, endorser: string): number {
  return read(stateDir, vault)[endorser] ?? 0;
}

export function rememberSequence(stateDir: string, vault: string, endorser: string, sequence: number): void {
  const sequences = { ...read(stateDir, vault), [endorser]: sequence };
  writeStateFile(inState(stateDir, 'endorsed'), { format: 1, vault, sequences });
}

/** Of another vault, or unreadable: nothing was seen. It only tells more than the vault does. */
function read(stateDir: string, vault: string): Readonly<Record<string, number>> {
  try {
    const found = shape.parse(JSON.parse(readFileSync(inState(stateDir, 'endorsed'), 'utf8')));
    return found.vault === vault ? found.sequences : {};
  } catch {
    return {};
  }
}
