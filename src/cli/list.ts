import { configurationDataset } from '../core/configuration-dataset.ts';
import type { StoredEntry } from '../core/entry.ts';
import { type LeftOut, leftOutIn } from '../core/left-out.ts';
import { formatMoment, parseMoment } from '../core/moment.ts';
import { showPath } from '../core/paths.ts';
import { formatCount, formatSize } from '../core/size.ts';
import { readAcceptances } from '../ledger/acceptances.ts';
import { readCounts } from '../operations/anomalies/known-counts.ts';
import { noSuchDataset } from '../operations/errors.ts';
import { hearingOf } from '../operations/hearing.ts';
import { readPruneLedger } from '../operations/pins.ts';
import { type DatasetPlan, missingFor, planFor, reasonText } from '../retention/index.ts';
import { choiceOrNone, chooseNewest, foundOf, type PassedOver, tellPassedOver } from '../vault/index.ts';
import { defineCommand, flag, value } from './command.ts';
import { noteDamage } from './damage-note.ts';
import { usageWrong } from './errors.ts';
import { exitCodes } from './exit.ts';
import { leftOutLines } from './left-out-text.ts';
import { type Style, tableWithin } from './output.ts';

interface Listing {
  readonly datasets: readonly ListedDataset[];
  readonly suspect: ReadonlyArray<{ readonly key: string; readonly why: string }>;
}

interface ListedDataset {
  readonly dataset: string;
  /** Newer restore points than the newest that is believed: a restore passes them over. */
  readonly passedOver: readonly PassedOver[];
  /** Newest first. */
  readonly restorePoints: ReadonlyArray<{
    readonly id: string;
    readonly time: string;
    readonly sizeBytes: number;
    readonly addedBytes: number;
    readonly entries: number;
    readonly destinations: readonly string[];
    /** Required destinations that answer and do not hold it yet, though a rule keeps it. */
    readonly missingAt: readonly string[];
    readonly problems: Readonly<Record<string, number>>;
    /** What which rule kept out of it; null where this machine did not take it. An identity opens the newest. */
    readonly leftOut: readonly LeftOut[] | null;
    /** Why a person said that what is missing from it is right; null where nobody had to. */
    readonly accepted: string | null;
    /** Why it is not believed; empty when it is. Such a one is restored by its id only. */
    readonly doubts: readonly string[];
    /** The retention rules that keep it; empty when none does. */
    readonly keptBy: readonly string[];
    /** About when it goes if backups go on; null when nobody knows. */
    readonly goes: string | null;
  }>;
}

export const list = defineCommand({
  words: '[dataset...]',
  description: `The restore points, newest first: when, how large, what was new, where, which rule keeps each, and what which rule left out of the
newest. Needs no key; on a machine that does not back up, what was left out does.
With --files, what one restore point of one dataset holds; that needs a key.`,
  options: {
    files: flag('list what is inside (needs --identity)'),
    at: value('<moment>', 'only restore points at or before it; with --files, the newest of them'),
  },
  async run({ words, options, common, system, identities, clock, run, out }) {
    const open = await system();
    const known = [...Object.keys(open.config.datasets), configurationDataset];
    for (const dataset of words) if (!known.includes(dataset)) throw noSuchDataset({ dataset, known });
    const moment = parseMoment(options.at ?? 'latest', clock.now());
    const untilMs = moment === 'latest' ? undefined : moment;
    const vault = await open.vault(noteDamage(out));
    if (options.files) {
      if (words.length !== 1)
        throw usageWrong({ what: '--files takes exactly one dataset.', command: 'lifeboat list' });
      const own = await vault.of(open.config.name).restorePoints();
      const { point, passedOver } = chooseNewest(own, words[0]!, untilMs);
      tellPassedOver(passedOver, run);
      const contents = await vault.open(point, await identities());
      await out.stream(contents.entries(), entryDocument, entryLine);
      return exitCodes.ok;
    }
    const found = await vault.pointsOfAll();
    const plan = planFor(open.config, found, { ledger: await readPruneLedger(vault) });
    const own = foundOf(open.config.name, found);
    const wanted = plan.datasets.filter(({ dataset }) => words.length === 0 || words.includes(dataset));
    const acceptances = await readAcceptances(vault.destinations, await hearingOf(open, vault), open.config.stateDir);
    const accepted = new Map(acceptances.map(({ point, reason }) => [point, reason]));
    const answering = vault.destinations.map(({ name }) => name);
    const missingAt = (held: readonly string[]) =>
      missingFor(open.config.destinations, held).filter((name) => answering.includes(name));
    const keys = common.identity.length === 0 ? [] : await identities();
    const datasets: ListedDataset[] = [];
    for (const one of wanted) {
      const passedOver = choiceOrNone(own, one.dataset, untilMs)?.passedOver ?? [];
      tellPassedOver(passedOver, run);
      const leftOut = leftOutKnown(open.config.stateDir, vault.id, one.dataset);
      const newest = one.points[0]?.point;
      if (newest !== undefined && keys.length > 0) {
        leftOut.set(newest.record.id, leftOutIn((await vault.open(newest, keys)).facts));
      }
      const { restorePoints, ...told } = listed(one, { missingAt, accepted, leftOut });
      const asked = restorePoints.filter(({ time }) => untilMs === undefined || Date.parse(time) <= untilMs);
      datasets.push({ ...told, restorePoints: asked, passedOver });
    }
    out.answer<Listing>({ datasets, suspect: plan.suspect }, (listing, style) =>
      listingText(listing, clock.now(), style, out.columns),
    );
    return plan.suspect.length === 0 ? exitCodes.ok : exitCodes.no;
  },
});

interface KnownBesides {
  readonly missingAt: (held: readonly string[]) => readonly string[];
  /** By restore point. */
  readonly accepted: ReadonlyMap<string, string>;
  readonly leftOut: ReadonlyMap<string, readonly LeftOut[]>;
}

function leftOutKnown(stateDir: string, vault: string, dataset: string): Map<string, readonly LeftOut[]> {
  const { points } = readCounts(stateDir, vault, dataset);
  return new Map(points.flatMap(({ id, leftOut }) => (leftOut === undefined ? [] : [[id, leftOut]])));
}

function listed(
  { dataset, points }: DatasetPlan,
  { missingAt, accepted, leftOut }: KnownBesides,
): Omit<ListedDataset, 'passedOver'> {
  return {
    dataset,
    restorePoints: points.map(({ point: { record, destinations, doubts }, reasons, goesMs }) => ({
      id: record.id,
      time: record.time,
      sizeBytes: record.sizes.logical,
      addedBytes: record.sizes.added,
      entries: record.sizes.entries,
      destinations,
      missingAt: reasons.length > 0 ? missingAt(destinations) : [],
      problems: record.problems,
      leftOut: leftOut.get(record.id) ?? null,
      accepted: accepted.get(record.id) ?? null,
      doubts: doubts.map(({ why }) => why),
      keptBy: reasons.map(reasonText),
      goes: goesMs === undefined ? null : new Date(goesMs).toISOString(),
    })),
  };
}

function listingText({ datasets, suspect }: Listing, nowMs: number, style: Style, columns: number): string {
  const blocks = datasets.map(({ dataset, restorePoints }) => {
    if (restorePoints.length === 0) return `${style.bold(dataset)}\n  no restore point`;
    const rows = restorePoints.map((point) => [
      `  ${formatMoment(Date.parse(point.time), nowMs)}`,
      style.dim(point.id),
      formatSize(point.sizeBytes),
      `+${formatSize(point.addedBytes)}`,
      whereText(point, style),
      keptText(point, style),
      oddText(point, style),
    ]);
    const leftOut = leftOutLines(restorePoints[0]?.leftOut ?? []).map((line) =>
      style.dim(`  – left out of the newest by ${line}`),
    );
    return [style.bold(dataset), tableWithin(rows, columns), ...leftOut].join('\n');
  });
  for (const { key, why } of suspect) blocks.push(`${style.bad('✗')} ${key} cannot be believed: ${why}`);
  return blocks.join('\n\n');
}

function oddText({ problems, doubts, accepted }: ListedDataset['restorePoints'][number], style: Style): string {
  const counts = Object.entries(problems).map(([code, count]) => `${code} ${formatCount(count)}`);
  const doubt = doubts.length === 0 ? [] : [style.bad(`doubtful: ${doubts.join(', ')}`)];
  const meant = accepted === null ? [] : [style.dim(`accepted: ${accepted}`)];
  return [...doubt, ...meant, ...(counts.length === 0 ? [] : [style.warn(counts.join(', '))])].join(' ');
}

function whereText({ destinations, missingAt }: ListedDataset['restorePoints'][number], style: Style): string {
  const held = destinations.join(', ');
  return missingAt.length === 0 ? held : `${held} ${style.warn(`(not yet at ${missingAt.join(', ')})`)}`;
}

function keptText({ keptBy, goes }: ListedDataset['restorePoints'][number], style: Style): string {
  if (keptBy.length === 0) return style.dim('kept by no rule');
  const reasons = keptBy.join(', ');
  const isTold = goes === null || reasons.endsWith(`until ${goes.slice(0, 10)}`);
  return `kept: ${reasons}${isTold ? '' : style.dim(`, until about ${goes.slice(0, 10)}`)}`;
}

function entryDocument(entry: StoredEntry): object {
  return {
    path: showPath(entry.path),
    type: entry.type,
    mode: entry.mode.toString(8),
    modified: isoOf(entry.mtimeNs),
    ...(entry.type === 'file' && { sizeBytes: entry.sizeBytes, sha256: entry.sha256 }),
  };
}

/** Null for a time that ISO 8601 has no four digits for, and Date no number. */
function isoOf(timeNs: bigint): string | null {
  const date = new Date(Number(timeNs / 1_000_000n));
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

function entryLine(entry: StoredEntry): string {
  const size = entry.type === 'file' ? formatSize(entry.sizeBytes) : entry.type;
  return `${entry.mode.toString(8).padStart(5)}  ${size.padStart(10)}  ${showPath(entry.path)}`;
}
