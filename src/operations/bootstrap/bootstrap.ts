import { parseSystem } from '../../config/load.ts';
import { locationOf } from '../../config/locations.ts';
import { realPath } from '../../config/nesting.ts';
import type { DestinationConfig, System } from '../../config/system.ts';
import type { Clock } from '../../core/clock.ts';
import { configurationDataset } from '../../core/configuration-dataset.ts';
import type { Run } from '../../core/run.ts';
import { ownStateFolder } from '../../host/state-folder.ts';
import type { KeyBody } from '../../ledger/bodies.ts';
import { recipientOf } from '../../vault/age/index.ts';
import type { Damage } from '../../vault/hold/index.ts';
import {
  type Choice,
  chooseNewest,
  keysOf,
  type RestorePoint,
  tellPassedOver,
  type VaultReader,
} from '../../vault/index.ts';
import { readConfiguration } from '../configuration/read-back.ts';
import { confirmConfiguration, noteRestored } from '../confirmed.ts';
import { endorseWriters } from '../endorse.ts';
import { addressed, findVault } from '../find-vault.ts';
import { rememberWriters } from '../known-writers.ts';
import { keysUsed, noteIfPossible } from '../note-in-ledger.ts';
import { openSystem } from '../system.ts';
import { noteUsed } from '../used-destinations.ts';
import { type BeliefRequest, type Believed, believedWriters, checkVault } from './believe.ts';
import { type PlacePlan, planPlaces, writePlaces } from './bring-back.ts';
import { type Changes, changesSince } from './changes.ts';
import { type Differences, findDifferences, lookHere } from './differences.ts';
import { configurationNotKept, systemUnclear } from './errors.ts';
import { type Survey, type SurveyedSystem, type SurveyedWriter, survey } from './survey.ts';

export interface BootstrapRequest extends BeliefRequest {
  /** Where a copy of the vault lies, with its secrets. Without any identity it is looked at and nothing is written. */
  readonly from: DestinationConfig;
  readonly system?: string;
  /** The folder that the configuration goes to; to where it was when absent. */
  readonly into?: string;
  /** The newest copy of the configuration not younger than this, milliseconds since 1970 UTC; the newest when absent. */
  readonly atMs?: number;
  /** Shows a person what the configuration would do here; whether they say yes. */
  readonly confirm: (offer: Offer) => Promise<boolean>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
}

export interface BootstrapOutcome {
  readonly location: string;
  readonly survey: Survey;
  readonly offer?: Offer;
  /** Absent: nothing was written. */
  readonly restored?: Restored;
  readonly damage: readonly Damage[];
}

/** What the vault holds for this machine: nothing of it was looked up, run, connected to or written yet. */
export interface Offer {
  readonly system: string;
  /** Of the restore point. */
  readonly time: string;
  readonly believed: readonly Believed[];
  /** Others that signed restore points of this system: not believed. */
  readonly strangers: readonly SurveyedWriter[];
  readonly passedOver: Choice['passedOver'];
  readonly uses: System['uses'];
  readonly places: ReadonlyArray<Omit<PlacePlan['files'][number], 'bytes'>>;
  readonly changes?: Changes;
  /** Earlier copies of the configuration that are believed, the newest first: for `--at`. */
  readonly earlier: readonly string[];
}

interface Restored {
  readonly system: string;
  /** The configuration's file, absolute. */
  readonly file: string;
  readonly folder: string;
  readonly original: string;
  /** Somebody said yes: commands use it without a question. */
  readonly confirmed: boolean;
  readonly stateDir: string;
  readonly differences: Differences;
}

/** So many earlier copies are named. */
const mostEarlier = 5;

/**
 * On a machine that knows nothing: what a vault holds, and with an identity its configuration. It goes to a folder that a person
 * named, or anywhere else once they said yes to all that it does; before that nothing in it is looked up, run or connected to.
 */
export async function bootstrap(request: BootstrapRequest, run: Run): Promise<BootstrapOutcome> {
  const damage: Damage[] = [];
  const onDamage = (one: Damage) => void damage.push(one);
  const { from, identities } = request;
  const { vault } = await run.step('find the vault', () => findVault(from, {}, onDamage));
  const surveyed = await run.step('look at it', () => survey(vault));
  const outcome = { location: locationOf(from), survey: surveyed, damage };
  if (identities.length === 0) return outcome;
  checkVault(vault.id, request);
  const system = chosenSystem(surveyed, request);
  const believed = await believedWriters(vault, system, request, onDamage);
  // Judged anew: what strangers put there must not make a true restore point doubtful.
  const writers = keysOf(believed.map(({ key }) => ({ key, systems: [system.system] })));
  const trusted = vault.judgedBy({ writers });
  return { ...outcome, ...(await offerAndRestore(trusted, system, believed, request, run)) };
}

function chosenSystem({ systems }: Survey, { system: asked }: BootstrapRequest): SurveyedSystem {
  const [only, ...more] = asked === undefined ? systems : systems.filter(({ system }) => system === asked);
  if (only === undefined || more.length > 0) {
    throw systemUnclear({ systems: systems.map(({ system }) => system), ...(asked !== undefined && { asked }) });
  }
  return only;
}

async function offerAndRestore(
  vault: VaultReader,
  system: SurveyedSystem,
  believed: readonly Believed[],
  request: BootstrapRequest,
  run: Run,
): Promise<Pick<BootstrapOutcome, 'offer' | 'restored'>> {
  const { identities, into, env } = request;
  const { point, passedOver, earlier } = await chosenConfiguration(vault, system.system, believed, request);
  tellPassedOver(passedOver, run);
  const stored = await run.step('read the configuration', async () =>
    readConfiguration(await vault.open(point, identities)),
  );
  const places = await planPlaces(stored, into);
  const parsed = parseSystem(places.own.bytes, places.own.path, env);
  // A rehearsal beside the living system, or somebody else's vault: it is given nothing of what this machine keeps.
  const own = ownStateFolder({ system: parsed.name, file: realPath(places.own.path), env });
  const config = { ...parsed, stateDir: own };
  const changes = await changesSince(stored, earlier, vault, identities);
  const offer: Offer = {
    system: system.system,
    time: point.record.time,
    believed,
    strangers: system.writers.filter((one) => !believed.some(({ key }) => key === one.key)),
    passedOver,
    uses: config.uses,
    places: places.files.map(({ bytes: _, ...place }) => place),
    ...(changes && { changes }),
    earlier: earlier
      .map(({ record }) => record.time)
      .reverse()
      .slice(0, mostEarlier),
  };
  const confirmed = await request.confirm(offer);
  if (!confirmed && into === undefined) return { offer };
  await run.step('bring the configuration back', () => writePlaces(places));
  prepareState(config, vault.id, believed, confirmed);
  const differences = await run.step('compare with this machine', async () =>
    confirmed ? findDifferences(config, places, request.from, vault.id) : lookHere(config, places),
  );
  await noteKeyUse(config, vault.id, request, run);
  const { folder, original } = places;
  const { name, stateDir } = config;
  return {
    offer,
    restored: { system: name, file: places.own.path, folder, original, confirmed, stateDir, differences },
  };
}

async function chosenConfiguration(
  vault: VaultReader,
  system: string,
  believed: readonly Believed[],
  { atMs }: BootstrapRequest,
): Promise<Choice & { readonly earlier: readonly RestorePoint[] }> {
  const own = await vault.of(system).restorePoints(configurationDataset);
  if (own.points.length === 0) throw configurationNotKept({ system });
  const choice = chooseNewest(own, configurationDataset, atMs);
  const keys = new Set(believed.map(({ key }) => key));
  const before = own.points.slice(0, own.points.indexOf(choice.point));
  return { ...choice, earlier: before.filter(({ record }) => keys.has(record.writer)) };
}

/**
 * In the ledger of the copy that was addressed: those that the configuration names may be gone with the lost host. What is sealed
 * there is sealed to the given keys: whom the configuration names nobody has looked at yet. Then the keys vouch for whom a person named;
 * who looks at the past says nothing about who writes now.
 */
async function noteKeyUse(config: System, vault: string, request: BootstrapRequest, run: Run): Promise<void> {
  const { from, identities, acceptWriters, atMs, clock } = request;
  const recipients = identities.map(recipientOf);
  const here = { ...config, destinations: { [addressed]: from }, vault: { ...config.vault, recipients } };
  using system = openSystem(here, { clock });
  const body: KeyBody = {
    system: config.name,
    environment: config.environment,
    tool: system.tool,
    started: new Date(clock.now()).toISOString(),
    action: 'used',
    by: 'bootstrap',
    keys: keysUsed(identities),
  };
  await noteIfPossible(system, vault, { kind: 'key', body }, run);
  await endorseWriters(system, vault, { identities, accepted: atMs === undefined ? acceptWriters : [] }, run);
}

/**
 * What the lost host knew: whose restore points to believe, and that its destinations were in use, so that none of them is
 * begun anew where its disk is only not mounted. And what it did not: that its configuration came out of a vault.
 */
function prepareState(system: System, vault: string, believed: readonly Believed[], confirmed: boolean): void {
  noteRestored(system);
  const places = Object.entries(system.destinations).map(([name, config]) => ({ name, location: locationOf(config) }));
  noteUsed(system.stateDir, places);
  rememberWriters(
    system,
    vault,
    believed.map(({ key }) => ({ key, systems: [system.name] })),
  );
  if (confirmed) confirmConfiguration(system);
}
