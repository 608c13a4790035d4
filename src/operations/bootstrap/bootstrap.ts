import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadSystem } from '../../config/load.ts';
import { locationOf } from '../../config/locations.ts';
import type { DestinationConfig, System } from '../../config/system.ts';
import type { Clock } from '../../core/clock.ts';
import { configurationDataset } from '../../core/configuration-dataset.ts';
import type { Run } from '../../core/run.ts';
import { newestPoint } from '../../vault/newest.ts';
import type { Damage } from '../../vault/read/objects.ts';
import type { Trust } from '../../vault/trust.ts';
import type { VaultReader } from '../../vault/vault.ts';
import type { KeyBody } from '../audit/bodies.ts';
import { rememberWriters } from '../known-writers.ts';
import { keysUsed, noteIfPossible } from '../ledger/audit.ts';
import { openSystem } from '../system.ts';
import { type BroughtBack, bringBack } from './bring-back.ts';
import { type Differences, findDifferences } from './differences.ts';
import { configurationNotKept, systemUnclear, writersUnclear } from './errors.ts';
import { addressed, findVault } from './find-vault.ts';
import { type Survey, type SurveyedSystem, survey } from './survey.ts';

export interface BootstrapRequest {
  /** Where a copy of the vault lies, with its secrets. */
  readonly from: DestinationConfig;
  /** Without any, the vault is looked at and nothing is written. */
  readonly identities: readonly string[];
  readonly system?: string;
  /** Where the configuration goes; to where it was when absent. */
  readonly into?: string;
  /** The newest copy of the configuration not younger than this, milliseconds since 1970 UTC; the newest when absent. */
  readonly atMs?: number;
  /** Public keys of the writers that are believed; needed where several wrote. */
  readonly acceptWriters: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
}

export interface BootstrapOutcome {
  readonly location: string;
  readonly survey: Survey;
  readonly restored?: Restored;
  readonly damage: readonly Damage[];
}

interface Restored extends BroughtBack {
  readonly system: string;
  /** Of the restore point. */
  readonly time: string;
  readonly stateDir: string;
  readonly differences: Differences;
}

/** On a machine that knows nothing: what a vault holds, and with an identity its configuration, brought back. */
export async function bootstrap(request: BootstrapRequest, run: Run): Promise<BootstrapOutcome> {
  const damage: Damage[] = [];
  const { from, acceptWriters } = request;
  const trust: Trust = acceptWriters.length === 0 ? {} : { writers: new Set(acceptWriters) };
  const { vault } = await run.step('find the vault', () => findVault(from, trust, (one) => damage.push(one)));
  const surveyed = await run.step('look at it', () => survey(vault));
  const outcome = { location: locationOf(from), survey: surveyed, damage };
  if (request.identities.length === 0) return outcome;
  const system = chosenSystem(surveyed, request);
  const believed = believedWriters(system, acceptWriters);
  return { ...outcome, restored: await restoreConfiguration(vault, system, believed, request, run) };
}

function chosenSystem({ systems }: Survey, { system: asked }: BootstrapRequest): SurveyedSystem {
  const [only, ...more] = asked === undefined ? systems : systems.filter(({ system }) => system === asked);
  if (only === undefined || more.length > 0) {
    throw systemUnclear({ systems: systems.map(({ system }) => system), ...(asked !== undefined && { asked }) });
  }
  return only;
}

/**
 * Whoever could write to the store may have added restore points under a key of their own, and what a configuration says is
 * done: it names commands. Nothing here tells a stranger from a host that was installed anew, so a person must.
 */
function believedWriters({ system, writers }: SurveyedSystem, accepted: readonly string[]): string[] {
  const believed = writers.filter(({ key }) => accepted.length === 0 || accepted.includes(key));
  if (believed.length === 1 || (accepted.length > 0 && believed.length > 0)) return believed.map(({ key }) => key);
  const words = (one: SurveyedSystem['writers'][number]) =>
    `${one.restorePoints} from ${one.since.slice(0, 16)}Z to ${one.until.slice(0, 16)}Z`;
  throw writersUnclear({ system, writers: writers.map((one) => ({ key: one.key, words: words(one) })) });
}

async function restoreConfiguration(
  vault: VaultReader,
  { system: name, configuration }: SurveyedSystem,
  believed: readonly string[],
  request: BootstrapRequest,
  run: Run,
): Promise<Restored> {
  const { from, identities, into, atMs, env } = request;
  if (configuration === null) throw configurationNotKept({ system: name });
  const { points } = await vault.restorePoints(configurationDataset);
  const own = points.filter(({ record }) => record.system === name && believed.includes(record.writer));
  const point = newestPoint(own, configurationDataset, atMs);
  const brought = await run.step('bring the configuration back', async () =>
    bringBack(await vault.open(point, identities), into),
  );
  const system = loadSystem(brought.file, env);
  prepareState(system, vault.id, believed);
  const differences = await run.step('compare with this machine', () =>
    findDifferences(system, brought, from, vault.id),
  );
  await noteKeyUse(system, vault.id, request, run);
  const { stateDir } = system;
  return { ...brought, system: name, time: point.record.time, stateDir, differences };
}

/** In the ledger of the copy that was addressed: those that the configuration names may be gone with the lost host. */
async function noteKeyUse(config: System, vault: string, { from, identities, clock }: BootstrapRequest, run: Run) {
  using system = openSystem({ ...config, destinations: { [addressed]: from } }, { clock });
  const body: KeyBody = {
    system: config.name,
    environment: config.environment,
    tool: system.tool,
    started: new Date(clock.now()).toISOString(),
    action: 'used',
    by: 'bootstrap',
    keys: await keysUsed(identities),
  };
  await noteIfPossible(system, vault, { kind: 'key', body }, run);
}

/**
 * What the lost host knew: whose restore points to believe, and that its destinations were in use, so that none of them is
 * begun anew where its disk is only not mounted.
 */
function prepareState(system: System, vault: string, writers: readonly string[]): void {
  const used = join(system.stateDir, 'destinations');
  mkdirSync(used, { recursive: true, mode: 0o700 });
  for (const [name, config] of Object.entries(system.destinations)) {
    writeFileSync(join(used, name), `${locationOf(config)}\n`);
  }
  rememberWriters(system, vault, writers);
}
