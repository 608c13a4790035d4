import { join, resolve } from 'node:path';
import type { Run } from '../../core/run.ts';
import type { Source } from '../../sources/source.ts';
import { writerKeys } from '../../vault/writer-keys.ts';
import { recorded } from '../record-run.ts';
import type { OpenSystem } from '../system.ts';
import { scopeOf } from './choose.ts';
import { rehearse } from './drill.ts';
import { appendToLedger } from './ledger.ts';
import type { DrillOptions, DrillOutcome } from './parts.ts';

export interface DrillRequest extends DrillOptions {
  readonly identities: readonly string[];
  /** The files that the identities came from: hidden from what runs in the sandbox. */
  readonly identityFiles: readonly string[];
}

/** A drill of an opened system: its sources, its vault, its ledger. */
export async function runDrill(system: OpenSystem, request: DrillRequest, run: Run): Promise<DrillOutcome> {
  const { config, clock, random, tool } = system;
  const { datasets } = scopeOf(config, request);
  return recorded(system, { operation: 'drill' }, run, async () => {
    const vault = await system.vault(({ destination, key, code, why }) =>
      run.problem({ code, message: `${destination}${key === '' ? '' : ` ${key}`}: ${why}` }),
    );
    const keys = await writerKeys(join(config.stateDir, 'writer.json'), vault.id, random);
    const sources: Record<string, Source> = {};
    for (const dataset of datasets) sources[dataset] = await system.source(dataset);
    const ledger = {
      vault: vault.id,
      destinations: vault.destinations,
      recipients: config.vault.recipients,
      signingKey: keys.signingKey,
      stateDir: config.stateDir,
      clock,
      random,
    };
    const parts = {
      system: config,
      sources,
      vault,
      identities: request.identities,
      hidden: request.identityFiles.map((file) => resolve(file)),
      async appendLedger(kind: 'drill', body: object, details: object) {
        const { key, behind } = await appendToLedger(ledger, kind, body, details);
        for (const { destination, why } of behind)
          run.problem({ code: 'destination-behind', message: `${destination}: ${why}` });
        return { key };
      },
      stateDir: config.stateDir,
      tool,
      random,
    };
    const result = await rehearse(parts, request, run);
    return { result, isNo: result.verdict !== 'proved' || !result.objectivesMet };
  });
}
