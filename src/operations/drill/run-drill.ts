import { resolve } from 'node:path';
import type { Run } from '../../core/run.ts';
import { inState } from '../../host/state-names.ts';
import type { Source } from '../../sources/source.ts';
import { fingerprintOf, writerKeys } from '../../vault/writer/index.ts';
import { endorseWriters } from '../endorse.ts';
import { noteInLedger } from '../note-in-ledger.ts';
import type { OpenSystem } from '../system.ts';
import { scopeOf } from './choose.ts';
import { rehearse } from './drill.ts';
import type { DrillOptions, DrillOutcome, DrillParts } from './parts.ts';
import { rehearseSabotage, type SabotageOutcome } from './sabotage.ts';

export interface DrillRequest extends DrillOptions {
  readonly identities: readonly string[];
  /** `daily` when absent. */
  readonly identityKind?: 'daily' | 'escrow';
  /** The files that the identities came from: hidden from what runs in the sandbox. */
  readonly identityFiles: readonly string[];
}

/** A drill of an opened system: its sources, its vault, its ledger. */
export async function runDrill(system: OpenSystem, request: DrillRequest, run: Run): Promise<DrillOutcome> {
  scopeOf(system.config, request);
  const parts = await partsOf(system, request, run);
  const outcome = await rehearse(parts, request, run);
  await endorseWriters(system, parts.vault.id, { identities: request.identities }, run);
  return outcome;
}

/**
 * Breaks what a drill would bring back, to see that its checks tell. It says nothing of the restore points: the ledger, the status and
 * the catalog hear nothing of it.
 */
export async function runSabotage(system: OpenSystem, request: DrillRequest, run: Run): Promise<SabotageOutcome> {
  scopeOf(system.config, request);
  return rehearseSabotage(await partsOf(system, request, run), request, run);
}

/** @throws `dataset-unknown` */
async function partsOf(system: OpenSystem, request: DrillRequest, run: Run): Promise<DrillParts> {
  const { config, random, tool } = system;
  const vault = await system.vault(({ destination, key, code, why }) =>
    run.problem({ code, message: `${destination}${key === '' ? '' : ` ${key}`}: ${why}` }),
  );
  const sources: Record<string, Source> = {};
  for (const dataset of scopeOf(config, request).datasets) sources[dataset] = await system.source(dataset);
  const keys = await writerKeys(inState(config.stateDir, 'writerKeys'), vault.id, random);
  return {
    system: config,
    sources,
    vault,
    identities: request.identities,
    identityKind: request.identityKind ?? 'daily',
    hidden: request.identityFiles.map((file) => resolve(file)),
    fingerprint: (text: string) => fingerprintOf(keys, text),
    appendLedger: (kind: 'drill', body: object, details: object) =>
      noteInLedger(system, vault.id, { kind, body, details }, run),
    stateDir: config.stateDir,
    tool,
    random,
  };
}
