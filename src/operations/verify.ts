import { existsSync } from 'node:fs';
import type { Run } from '../core/run.ts';
import { inState } from '../host/state-names.ts';
import { foldLedger } from '../ledger/decisions.ts';
import { readLedger } from '../ledger/read.ts';
import { isHashed, parseKey } from '../vault/format/index.ts';
import { type GenerationView, readView } from '../vault/generations/index.ts';
import type { Damage } from '../vault/hold/index.ts';
import { distrustPacks, forgetObjects } from '../vault/index/index.ts';
import { backupRunning, isOurs, type VaultReader } from '../vault/index.ts';
import { type DamagedObject, type Healers, type Verified, verifyVault } from '../vault/verify/index.ts';
import { lastRecordOf } from '../vault/write/index.ts';
import { type WriterKeys, writerKeys } from '../vault/writer/index.ts';
import { meetWriters } from './known-writers.ts';
import type { OpenSystem } from './system.ts';

/** Runs of `verify` after which every pack was read once, when nothing else is asked for. */
const DEFAULT_PARTS = 7;

export interface VerifyRequest {
  /** Read everything. */
  readonly all: boolean;
  /** Read this part; the next in turn when absent. */
  readonly part?: { readonly part: number; readonly parts: number };
  /** With identities: every file too. */
  readonly deep?: boolean;
  /** When given, what is read is also decrypted and decompressed, and each chunk compared with its id. */
  readonly identities: readonly string[];
}

export interface VerifyOutcome extends Verified {
  readonly vault: string;
  readonly part: { readonly part: number; readonly parts: number } | 'all';
  /** Destinations that could not be looked at. */
  readonly unreachable: ReadonlyArray<{ readonly destination: string; readonly why: string }>;
  /** Nothing is damaged, missing or suspect that was not healed. */
  readonly sound: boolean;
}

/** Compares all destinations with the records, reads a part of the packs, heals what another copy can heal. */
export async function verify(system: OpenSystem, request: VerifyRequest, run: Run): Promise<VerifyOutcome> {
  const unreachable: Damage[] = [];
  const vault = await run.step('open', () => system.vault((damage) => unreachable.push(damage)));
  const catalog = system.catalog();
  const part = request.part ?? { part: catalog.nextPart(vault.id, DEFAULT_PARTS), parts: DEFAULT_PARTS };
  const keys = await ownKeys(system, vault.id);
  const lastRecord = keys && lastRecordOf(system.config.stateDir, keys);
  const verified = await verifyVault(vault, {
    depth: request.all ? 'all' : part,
    files: request.deep ?? false,
    identities: request.identities,
    ...(keys && { ownIndex: { writer: keys.writer, identity: keys.indexIdentity } }),
    ...(lastRecord !== undefined && { lastRecord }),
    ...(await run.step('prunes', () => prunesOf(vault))),
    rescue: system.rescue(),
    healers: () => healersOf(system),
    run,
  });
  await meetWriters(system.config, vault.id, () => vault);
  const opened = new Set(vault.destinations.map(({ name }) => name));
  const missing = Object.keys(system.config.destinations).filter((name) => !opened.has(name));
  const { suspect, wrong, spoiled } = verified;
  const isRight = suspect.length === 0 && wrong.length === 0 && spoiled.length === 0;
  const sound = missing.length === 0 && isRight && verified.findings.every(isHarmless);
  if (keys !== undefined) tellWriter(system, keys, verified, run);
  for (const done of request.all ? allParts() : [part]) {
    catalog.verified({ vault: vault.id, ...done, verifiedMs: system.clock.now(), ok: sound });
  }
  return {
    ...verified,
    vault: vault.id,
    part: request.all ? 'all' : part,
    unreachable: missing.map((destination) => ({
      destination,
      why: unreachable.find((damage) => damage.destination === destination)?.why ?? 'it holds no vault',
    })),
    sound,
  };
}

/** The places that are healed, with the credentials that it takes. Who has none of them only reports. */
async function healersOf(system: OpenSystem): Promise<Healers> {
  const byName = async (role: 'writer' | 'pruner') => {
    const { opened } = await system.destinations({ create: false, role });
    return new Map(opened.map((destination) => [destination.name, destination]));
  };
  return { writers: await byName('writer'), pruners: await byName('pruner') };
}

/** What prunes have removed and are about to remove. */
async function prunesOf(vault: VaultReader): Promise<{ removed: ReadonlySet<string>; pruned: GenerationView }> {
  const { id, trust, destinations } = vault;
  const { points } = await vault.pointsOfAll();
  const { objects } = await readLedger(destinations, (writer) => isOurs(trust, writer));
  const { removed } = foldLedger(objects, id, trust, points);
  const passOver = () => {};
  const pruned = await readView(destinations, { vault: id, trust, onFailure: passOver, onSuspect: passOver });
  return { removed, pruned };
}

function allParts(): { part: number; parts: number }[] {
  return Array.from({ length: DEFAULT_PARTS }, (_, index) => ({ part: index + 1, parts: DEFAULT_PARTS }));
}

/** An object that is none of ours takes nothing away from any restore point. */
function isHarmless({ kind, healed }: DamagedObject): boolean {
  return kind === 'unknown' || healed;
}

/** Packs and lists that this host's writer must not count on any more. */
function lostObjects(findings: readonly DamagedObject[]): { destination: string; id: string }[] {
  return findings.flatMap(({ destination, key, kind, healed }) => {
    const parsed = parseKey(key);
    const lost = (kind === 'missing' || kind === 'damaged') && !healed;
    return lost && isHashed(parsed) ? [{ destination, id: parsed.id }] : [];
  });
}

/** What was found must be told, also while a backup holds the index. */
function tellWriter({ config }: OpenSystem, keys: WriterKeys, { findings, wrong }: Verified, run: Run): void {
  try {
    forgetObjects(config.stateDir, keys, lostObjects(findings));
    distrustPacks(
      config.stateDir,
      keys,
      wrong.map(({ pack }) => pack),
    );
  } catch (error) {
    if (!backupRunning.is(error)) throw error;
    const message = 'A backup is running, so it may still rely on what is lost. Verify again when it has ended.';
    run.problem({ code: 'loss-not-noted', message });
  }
}

/** This host's writer keys, when it ever wrote to this vault. */
async function ownKeys(system: OpenSystem, vault: string): Promise<WriterKeys | undefined> {
  const file = inState(system.config.stateDir, 'writerKeys');
  return existsSync(file) ? await writerKeys(file, vault, system.random) : undefined;
}
