import { formatDuration, roughDuration } from '../core/duration.ts';
import { formatMoment } from '../core/moment.ts';
import { shortRecipient } from '../core/recipient-print.ts';
import { countOf, formatSize } from '../core/size.ts';
import { isBond } from '../core/three-two-one.ts';
import type {
  DatasetStatus,
  FailureStatus,
  KeyStatus,
  StatusTrouble,
  SystemStatus,
} from '../operations/status/status.ts';
import { type Style, table } from './output.ts';

/** The one answer, its proof, each trouble with the command that mends it, a line per dataset (worst first), and the rest. */
export function statusText(status: SystemStatus, style: Style): string {
  const nowMs = Date.parse(status.at);
  const troubles = [
    ...status.datasets.flatMap((dataset) =>
      dataset.troubles.map((trouble) => ({ ...trouble, message: `${dataset.name}: ${trouble.message}` })),
    ),
    ...status.troubles,
  ].sort((a, b) => (a.severity === b.severity ? 0 : a.severity === 'bad' ? -1 : 1));
  const rest = [
    verification(status, nowMs),
    copies(status),
    ...accepted(status, nowMs),
    configuration(status, nowMs),
    ...safety(status, nowMs),
    ...(status.keys ?? []).map((key) => keyLine(key, nowMs)),
  ];
  return [
    [style.bold(answer(status)), ...proof(status, nowMs, style)],
    troubles.map((trouble) => troubleLines(trouble, style)),
    [table(status.datasets.map((dataset) => datasetRow(dataset, status.answer.known, nowMs, style)))],
    rest.filter((line) => line !== '').map((line) => style.dim(line)),
  ]
    .filter((part) => part.length > 0)
    .map((part) => part.join('\n'))
    .join('\n\n');
}

/** What a person said is right as it is. */
function accepted({ datasets, acceptedWarnings }: SystemStatus, nowMs: number): string[] {
  const lines = acceptedWarnings.map(({ what, reason }) => `Accepted: ${what} (${reason}).`);
  const losses = datasets.flatMap(({ name, accepted }) =>
    accepted.map(({ code, reason, at, until }) => {
      const end = until === null ? '' : ` until ${formatMoment(Date.parse(until), nowMs)}`;
      return `${name}: ${code} accepted ${formatMoment(Date.parse(at), nowMs)}${end}: ${reason}`;
    }),
  );
  return [...lines, ...losses];
}

/** How long locks hold, and who signed, where that is not settled. */
function safety({ locks = [], writers = [] }: SystemStatus, nowMs: number): string[] {
  const held = locks.flatMap(({ destination, until }) =>
    until === null ? [] : [`${destination} until ${formatMoment(Date.parse(until), nowMs)}`],
  );
  const strangers = writers.filter(({ known }) => known === null);
  const signed = strangers.map(({ writer, restorePoints }) => `${writer} (${countOf(restorePoints, 'restore point')})`);
  return [
    ...(held.length > 0 ? [`Locked: ${held.join(', ')}.`] : []),
    ...(signed.length > 0 ? [`Signed by ${list(signed)}; this machine knows no writer of this vault yet.`] : []),
  ];
}

function answer({ system, environment, datasets, answer, failure }: SystemStatus): string {
  const { known, lossMs, withoutRestorePoint, recoveryMs, unproved } = answer;
  if (!known) return 'No destination can be reached: what would be lost, and whether it would come back, is not known.';
  const place = environment === 'production' ? 'production' : environment;
  const loss =
    lossMs === null ? `everything in ${list(withoutRestorePoint)}` : `at most ${roughDuration(lossMs)} of data`;
  const back =
    failure !== null
      ? 'it would not come back as it should: a drill failed'
      : recoveryMs === null
        ? `nobody has proved that ${notProved(unproved, datasets.length)}`
        : `be back in about ${roughDuration(recoveryMs)}`;
  return `If ${system}'s ${place} disappeared now, you would lose ${loss}${recoveryMs === null ? ', and' : ' and'} ${back}.`;
}

function notProved(unproved: readonly string[], all: number): string {
  if (unproved.length === all) return 'you would be back at all';
  return unproved.length > 0 ? `${list(unproved)} would be back` : 'all of it would be back together';
}

function proof({ proof, failure, lastDrill, answer, datasets }: SystemStatus, nowMs: number, style: Style): string[] {
  if (!answer.known) return ['Proofs are kept with the backups, so they cannot be read either.'];
  const failed = failure === null ? [] : [style.bad(failureLine(failure, nowMs))];
  if (!proof && answer.unproved.length < datasets.length)
    return [...failed, 'Never proved as a whole: drills proved parts only.'];
  if (!proof)
    return [
      ...failed,
      lastDrill ? 'Never proved: no drill has succeeded yet.' : 'Never proved: there was no drill yet.',
    ];
  const { id, at, checksPassed, checksTotal, rtoMs, rtoObjectiveMs, left } = proof;
  const without = left.length === 0 ? '' : ` without ${list(left)}`;
  const when = formatMoment(Date.parse(at), nowMs);
  const age = roughDuration(Math.max(0, nowMs - Date.parse(at)));
  if (failure !== null) return [...failed, `Last proved${without} ${when} by drill ${id} (${age} ago).`];
  return [
    `Proved${without} ${when} by drill ${id} (${age} ago): ${checksPassed} of ${countOf(checksTotal, 'check')}, RTO ${formatDuration(rtoMs)} of ${formatDuration(rtoObjectiveMs)}.`,
  ];
}

function failureLine({ drill, at }: FailureStatus, nowMs: number): string {
  const age = roughDuration(Math.max(0, nowMs - Date.parse(at)));
  return `Failed ${formatMoment(Date.parse(at), nowMs)} in drill ${drill} (${age} ago), and was not drilled again since.`;
}

function verification({ verification: known }: SystemStatus, nowMs: number): string {
  if (!known) return 'Stored data not verified yet: lifeboat verify.';
  const { soundParts, parts, completeSince } = known;
  const since = completeSince
    ? `, each in the last ${roughDuration(Math.max(0, nowMs - Date.parse(completeSince)))}`
    : '';
  return `Stored data verified: ${soundParts} of ${countOf(parts, 'part')} sound${since}.`;
}

function configuration({ configuration: kept, answer }: SystemStatus, nowMs: number): string {
  if (!answer.known) return '';
  if (kept === null) return 'lifeboat.yaml is not kept with the backups yet; the next backup does it.';
  return `lifeboat.yaml as of ${formatMoment(Date.parse(kept.time), nowMs)} is kept with them, at ${kept.destinations.join(', ')}.`;
}

/** The worst of what could be lost together; all of it is in `destination list`. */
function copies({ placement }: SystemStatus): string {
  const { ok, copies, media, elsewhere, locked, findings } = placement;
  const worst = findings.find(isBond);
  const tie = worst === undefined ? '' : ` ${worst.message}`;
  if (!ok) return `Copies: not 3-2-1 (lifeboat destination list).${tie}`;
  return `Copies: ${copies} on ${countOf(media.length, 'medium', 'media')}, ${elsewhere.length} elsewhere, ${locked.length} locked.${tie}`;
}

function keyLine({ recipient, label, since, proved }: KeyStatus, nowMs: number): string {
  const age = since === null ? 'age not known' : `${roughDuration(Math.max(0, nowMs - Date.parse(since)))} old`;
  const proof =
    proved === null
      ? 'never used by a drill'
      : `last proved ${formatMoment(Date.parse(proved.at), nowMs)} by ${proved.kind === 'escrow' ? 'a drill with its shares' : 'a drill'}`;
  return `Key ${shortRecipient(recipient)}${label === null ? '' : ` (${label})`}: ${age}, ${proof}.`;
}

/** Fits into 80 columns where the name is not long: what `list` says better stays there. */
function datasetRow(dataset: DatasetStatus, known: boolean, nowMs: number, style: Style): string[] {
  const { name, newest, lossMs, rpoMs } = dataset;
  const worst = dataset.failedAt !== null ? 'bad' : dataset.troubles[0]?.severity;
  const mark = worst === 'bad' ? style.bad('✗') : worst === 'warning' ? style.warn('!') : style.good('✓');
  if (!newest || lossMs === null) return [mark, style.bold(name), known ? 'no restore point' : 'not known'];
  const copies = countOf(newest.destinations.length, 'copy', 'copies');
  return [
    mark,
    style.bold(name),
    `${roughDuration(lossMs)} old (of ${formatDuration(rpoMs)})`,
    formatSize(newest.sizeBytes),
    newest.missingAt.length === 0 ? copies : style.warn(`${copies}, not at ${newest.missingAt.join(', ')}`),
    provedWords(dataset, nowMs, style),
  ];
}

function provedWords({ provedAt, failedAt }: DatasetStatus, nowMs: number, style: Style): string {
  const ago = (at: string) => `${roughDuration(Math.max(0, nowMs - Date.parse(at)))} ago`;
  if (failedAt !== null) return style.bad(`failed ${ago(failedAt)}`);
  return provedAt ? `proved ${ago(provedAt)}` : 'never proved';
}

function troubleLines(trouble: StatusTrouble, style: Style): string {
  const mark = trouble.severity === 'bad' ? style.bad('✗') : style.warn('!');
  return `${mark} ${trouble.message}\n    ${style.dim('run:')} ${trouble.command}`;
}

function list(names: readonly string[]): string {
  return names.length <= 1 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
