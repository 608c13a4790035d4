import type { DestinationHealth, Rotation, RunRecord } from '../../catalog/catalog.ts';
import type { DatasetConfig, System } from '../../config/system.ts';
import { isAccepted } from '../../core/accepted.ts';
import type { Weighed } from '../../core/anomalies.ts';
import { configurationDataset } from '../../core/configuration-dataset.ts';
import { formatDuration, minuteMs, roughDuration } from '../../core/duration.ts';
import { gapWords, isGap } from '../../core/gaps.ts';
import { formatMoment } from '../../core/moment.ts';
import { standing } from '../../core/objectives.ts';
import { countOf } from '../../core/size.ts';
import { type CopyFacts, judgePlacement } from '../../core/three-two-one.ts';
import { type Acceptance, dataLost } from '../../ledger/acceptances.ts';
import type { Proofs } from '../../ledger/proofs.ts';
import type { Lag } from '../../retention/index.ts';
import { missingFor } from '../../retention/index.ts';
import { spoiledCodes } from '../../vault/hold/index.ts';
import {
  choiceOrNone,
  countsAgainst,
  isStrange,
  newestOrNone,
  type PassedOver,
  passedOverWords,
  type RestorePoint,
} from '../../vault/index.ts';
import { lossHelp, lossSentence, nothingToCompare } from '../anomalies/words.ts';
import { destinationNew, type Trouble } from '../reach.ts';
import { assessDestinations, copyTroubles, since } from './copies.ts';
import { drillTroubles, failureOf, proofOf, proofTroubles } from './drills.ts';
import type { DatasetStatus, StatusTrouble, SystemStatus } from './status.ts';
import { tamperTroubles } from './tampering.ts';
import { bad, warning } from './trouble.ts';

export interface StatusFacts {
  readonly nowMs: number;
  /** Oldest first, of all datasets. */
  readonly points: readonly RestorePoint[];
  readonly suspect: ReadonlyArray<{ readonly key: string; readonly why: string }>;
  readonly proofs: Proofs;
  /** By dataset: what its newest restore point holds beside those before it. */
  readonly weighed: ReadonlyMap<string, Weighed>;
  readonly acceptances: readonly Acceptance[];
  readonly troubles: readonly Trouble[];
  readonly reachable: ReadonlyArray<{ readonly name: string; readonly location: string }>;
  /** Newest first. */
  readonly runs: readonly RunRecord[];
  readonly rotation?: Rotation | undefined;
  /** How work on this host found each destination. */
  readonly health: readonly DestinationHealth[];
  /** What each place lacks of what the others hold. */
  readonly lags: readonly Lag[];
  /** Where every copy lies, production first. */
  readonly placement: readonly CopyFacts[];
}

/** A point this much ahead of this clock is not just two clocks that disagree a little. */
const clockToleranceMs = 2 * minuteMs;

/** How things stand, from facts alone. */
export function assess(system: System, facts: StatusFacts): SystemStatus {
  const datasets = Object.values(system.datasets).map((config) => assessDataset(system, config, facts));
  datasets.sort((a, b) => gravity(b) - gravity(a));
  const troubles = systemTroubles(system, facts)
    .filter((trouble) => isOpen(system, trouble))
    .sort((a, b) => weight(b) - weight(a));
  const without = datasets.filter((dataset) => dataset.newest === null).map((dataset) => dataset.name);
  const { proved, last } = facts.proofs;
  const failure = failureOf(facts.proofs);
  const all = [...troubles, ...datasets.flatMap((dataset) => dataset.troubles)];
  return {
    system: system.name,
    environment: system.environment,
    at: new Date(facts.nowMs).toISOString(),
    ok: all.every((trouble) => trouble.severity !== 'bad'),
    answer: {
      known: !isBlind(facts),
      lossMs: without.length > 0 ? null : Math.max(...datasets.map((dataset) => dataset.lossMs ?? 0)),
      withoutRestorePoint: without,
      recoveryMs: proved && proved.scope.left.length === 0 && failure === null ? proved.rtoMs : null,
      unproved: Object.keys(system.datasets).filter((name) => !facts.proofs.byDataset.has(name)),
    },
    proof: proved ? proofOf(system, proved) : null,
    failure,
    lastDrill:
      last && last !== proved ? { id: last.drill.id, at: last.drill.started, verdict: last.outcome.verdict } : null,
    verification: facts.rotation ? verificationOf(facts.rotation) : null,
    configuration: configurationOf(facts),
    datasets,
    destinations: assessDestinations(system, facts),
    placement: judgePlacement(facts.placement),
    acceptedWarnings: system.accepted,
    troubles,
  };
}

/** What is bad stays so, whatever anybody accepts. */
function isOpen({ accepted }: System, { severity, code }: StatusTrouble, dataset?: string): boolean {
  return severity === 'bad' || !isAccepted(accepted, code, dataset);
}

function verificationOf({ sound, parts, completeSinceMs }: Rotation) {
  const completeSince = completeSinceMs === undefined ? null : new Date(completeSinceMs).toISOString();
  return { soundParts: sound, parts, completeSince };
}

/** Kept when it changes, so its age says nothing: there is no objective to miss. */
function configurationOf({ points }: StatusFacts): SystemStatus['configuration'] {
  const newest = newestOrNone(points, configurationDataset);
  if (newest === undefined) return null;
  const { record, destinations } = newest;
  return { id: record.id, time: record.time, destinations };
}

function assessDataset(system: System, config: DatasetConfig, facts: StatusFacts): DatasetStatus {
  const { name, type, rpoMs, rtoMs } = config;
  const points = facts.points.filter((point) => point.record.dataset === name);
  const choice = choiceOrNone({ points: facts.points, suspect: facts.suspect }, name);
  const newest = choice?.point;
  const passedOver = choice?.passedOver ?? [];
  const stands = standing(newest && Date.parse(newest.record.time), rpoMs, facts.nowMs);
  const proof = facts.proofs.byDataset.get(name);
  const weighed = facts.weighed.get(name) ?? { state: 'sound' };
  const accepted = facts.acceptances
    .filter((one) => one.dataset === name)
    .map(({ dataset: _, system: __, ...one }) => one);
  const troubles = [
    ...ageTroubles(config, newest, facts),
    ...contentTroubles(system, config, newest),
    ...dataTroubles(config, newest, weighed),
    ...newerTroubles(config, passedOver),
    ...proofTroubles(system, config, proof, facts),
  ];
  return {
    name,
    type,
    rpoMs,
    rtoMs,
    newest: newest
      ? {
          id: newest.record.id,
          time: newest.record.time,
          sizeBytes: newest.record.sizes.logical,
          destinations: newest.destinations,
          missingAt: missingFor(system.destinations, newest.destinations),
        }
      : null,
    restorePoints: points.length,
    passedOver,
    lossMs: stands.kind === 'nothing' ? null : stands.lossMs,
    provedAt: proof?.drill.started ?? null,
    failedAt: facts.proofs.failed.get(name)?.drill.started ?? null,
    data: weighed.state,
    accepted,
    troubles: troubles.filter((trouble) => isOpen(system, trouble, name)).sort((a, b) => weight(b) - weight(a)),
  };
}

function ageTroubles(config: DatasetConfig, newest: RestorePoint | undefined, facts: StatusFacts): StatusTrouble[] {
  const { name, rpoMs } = config;
  const { nowMs } = facts;
  const command = `lifeboat backup ${name}`;
  const lastBackup = facts.runs.find((run) => run.operation === 'backup' && run.dataset === name);
  const failure =
    lastBackup?.state === 'failed' && lastBackup.errorMessage
      ? ` The last backup failed ${ago(lastBackup.startedMs, nowMs)}: ${lastBackup.errorMessage}`
      : lastBackup?.state === 'vanished'
        ? ` The last backup, begun ${ago(lastBackup.startedMs, nowMs)}, was cut off.`
        : '';
  const stands = standing(newest && Date.parse(newest.record.time), rpoMs, nowMs);
  if (newest === undefined || stands.kind === 'nothing') {
    if (isBlind(facts)) {
      return [
        bad('restore-points-unknown', 'No destination answers, so its restore points are not known.', 'lifeboat check'),
      ];
    }
    return [bad('no-restore-point', `There is no restore point: everything would be lost.${failure}`, command)];
  }
  const timeMs = Date.parse(newest.record.time);
  const troubles: StatusTrouble[] = [];
  if (timeMs > nowMs + clockToleranceMs) {
    const message = `The newest restore point is dated ${formatDuration(timeMs - nowMs)} ahead: a clock is or was wrong, so its age is not known.`;
    troubles.push(bad('clock-wrong', message, 'lifeboat check'));
  }
  if (stands.kind === 'missed') {
    const message = `Everything since ${formatMoment(timeMs, nowMs)} would be lost (${roughDuration(stands.lossMs)}; the objective is ${formatDuration(rpoMs)}).${failure}`;
    troubles.push(bad('rpo-missed', message, command));
  } else if (failure !== '' && (lastBackup?.startedMs ?? 0) > timeMs) {
    troubles.push(warning('backup-failed', failure.trim(), command));
  }
  return troubles;
}

/** By a known writer: what a restore brings back is not what there is. Of strangers', and of damage, the system's troubles tell. */
function newerTroubles({ name }: DatasetConfig, passedOver: readonly PassedOver[]): StatusTrouble[] {
  return passedOverWords(passedOver.filter(countsAgainst)).map((message) =>
    bad('newer-passed-over', message, `lifeboat list ${name}`),
  );
}

function contentTroubles(
  { accepted }: System,
  config: DatasetConfig,
  newest: RestorePoint | undefined,
): StatusTrouble[] {
  const problems = Object.entries(newest?.record.problems ?? {}).filter(
    ([code]) => !isAccepted(accepted, code, config.name),
  );
  if (problems.length === 0) return [];
  // The code is what `accepted` names.
  const words = problems.map(([code, count]) =>
    isGap(code) ? `${gapWords({ [code]: count })} (${code})` : `${code} ${count}`,
  );
  const message = `The newest restore point is not without gaps: ${words.join(', ')}.`;
  return [warning('restore-point-has-problems', message, `lifeboat list ${config.name}`)];
}

/** Nothing is proved by nothing: neither that it is empty now, nor that it always was. */
function dataTroubles({ name }: DatasetConfig, newest: RestorePoint | undefined, weighed: Weighed): StatusTrouble[] {
  if (newest === undefined) return [];
  if (weighed.state === 'empty') return [warning('nothing-to-compare', nothingToCompare, 'lifeboat config show')];
  if (weighed.state !== 'lost') return [];
  const [restore] = lossHelp(name, newest.record.id, weighed.since.id);
  return [
    bad(
      dataLost,
      `${lossSentence(weighed)} ${restore}. If it was meant, accept it:`,
      `lifeboat accept ${name} --reason '…'`,
    ),
  ];
}

function systemTroubles(system: System, facts: StatusFacts): StatusTrouble[] {
  const { nowMs, proofs } = facts;
  const troubles: StatusTrouble[] = [];
  const out = facts.troubles.filter(
    ({ key, code }) => (key === undefined || key === 'vault.json') && !spoiledCodes.includes(code),
  );
  for (const { destination, code, message } of out) {
    if (code === destinationNew) {
      const message = `Destination ${destination} is not there yet: the first backup makes it.`;
      troubles.push(warning(code, message, 'lifeboat backup'));
    } else if (code === 'object-missing') {
      troubles.push(
        bad('destination-empty', `Destination ${destination} holds no copy of the vault.`, 'lifeboat backup'),
      );
    } else {
      const known = facts.health.find((one) => one.name === destination)?.trouble;
      const when = known === undefined ? '' : ` So it is ${since(known.sinceMs, nowMs)}.`;
      troubles.push(bad(code, `${message}${when}`, 'lifeboat check'));
    }
  }
  troubles.push(...copyTroubles(system, facts));
  const spoiled = facts.troubles.filter((trouble) => spoiledCodes.includes(trouble.code) && !out.includes(trouble));
  const damaged = facts.troubles.length - out.length - spoiled.length + facts.suspect.length;
  if (damaged > 0) {
    const first =
      facts.suspect[0]?.key ??
      facts.troubles.find((trouble) => !out.includes(trouble) && !spoiled.includes(trouble))?.key ??
      '';
    const message = `${countOf(damaged, 'record')} could not be read or believed, the first ${first}.`;
    troubles.push(bad('records-damaged', message, 'lifeboat verify'));
  }
  troubles.push(...tamperTroubles(facts.points, facts.troubles));
  if (proofs.doubtful.length > 0) {
    const message = `${countOf(proofs.doubtful.length, 'ledger entry', 'ledger entries')} cannot be believed (damaged, or dated ahead of the clocks), the first ${proofs.doubtful[0]}.`;
    troubles.push(bad('evidence-doubtful', message, 'lifeboat evidence verify'));
  }
  if (proofs.strange.length > 0) {
    const message = `${countOf(proofs.strange.length, 'drill', 'drills')} in the ledger ${proofs.strange.length === 1 ? 'is' : 'are'} signed by nobody whose drills count here, the first ${proofs.strange[0]}: they prove nothing.`;
    troubles.push(warning('evidence-strange', message, 'lifeboat evidence list'));
  }
  if (!isBlind(facts)) troubles.push(...drillTroubles(system, facts));
  const known = new Set([...Object.keys(system.datasets), configurationDataset]);
  const believed = facts.points.filter((point) => !isStrange(point));
  const strange = new Set(believed.map(({ record }) => record.dataset).filter((name) => !known.has(name)));
  for (const name of strange) {
    const message = `The vault has restore points of ${name}, which the configuration does not name: nothing new is taken of it.`;
    troubles.push(warning('dataset-not-configured', message, `lifeboat list ${name}`));
  }
  for (const { code, message } of system.warnings) troubles.push(warning(code, message, 'lifeboat config validate'));
  const verified = facts.runs.find((run) => run.operation === 'verify' && run.state !== 'running');
  if (verified?.state === 'no') {
    const message = `The last verification (${formatMoment(verified.startedMs, nowMs)}) found damage.`;
    troubles.push(bad('verification-failed', message, 'lifeboat verify --all'));
  }
  return troubles;
}

/** Whether no destination answers, though there are some: those that the first backup makes are known to be empty. */
function isBlind({ reachable, troubles }: StatusFacts): boolean {
  const silent = troubles.some(({ code, key }) => key === undefined && code !== destinationNew);
  return reachable.length === 0 && silent;
}

function ago(ms: number, nowMs: number): string {
  return `${roughDuration(Math.max(0, nowMs - ms))} ago`;
}

function weight(trouble: StatusTrouble): number {
  return trouble.severity === 'bad' ? 1 : 0;
}

/** Everything lost, then objectives missed, then the rest; among equals the one whose loss is the largest part of its RPO. */
function gravity(dataset: DatasetStatus): number {
  if (dataset.lossMs === null) return Number.POSITIVE_INFINITY;
  const badness =
    dataset.failedAt !== null || dataset.troubles.some((trouble) => trouble.severity === 'bad')
      ? 1e9
      : dataset.troubles.length > 0
        ? 1e6
        : 0;
  return badness + Math.min(1e5, dataset.lossMs / dataset.rpoMs);
}
