import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { SystemStatus } from '../../src/operations/status/status.ts';
import { decodeRecord, recordKey } from '../../src/vault/format/record.ts';
import type { Measured } from '../cli/measured.ts';
import { seeded } from '../support/seeded.ts';
import type { Planted } from './hostile-attack.ts';
import { type PlantName, plantOf, plants } from './hostile-plants.ts';
import { type Kind, type Machine, pictureOf, runOn, type TrueVault } from './hostile-store.ts';

export interface Mix {
  readonly seed: number;
  readonly kind: Kind;
  /** In the order in which they are planted. */
  readonly names: readonly PlantName[];
}

/** The same for the same seed: two or three things that anybody could leave, one or two that the owner of a place does. */
export function mixOf(seed: number, kind: Kind): Mix {
  const random = seeded(seed);
  const namesOf = (group: object) => Object.keys(group) as PlantName[];
  const own = kind === 'local' || kind === 'sftp' ? plants.disks : plants.servers;
  const some = [
    ...random.some(namesOf(plants.destructions), random.below(2)),
    ...random.some(namesOf(plants.additions), 2 + random.below(2)),
    ...random.some(namesOf(own), 1 + random.below(2)),
  ];
  return { seed, kind, names: some };
}

export function titleOf({ seed, kind, names }: Mix): string {
  return `mix ${seed} over ${kind}: ${names.join('; ')}`;
}

export interface Asking {
  /** The command; ours when absent. */
  readonly command?: string;
  /** Asks all that there is to ask; else the questions that matter most. */
  readonly all: boolean;
  /** Enough is known once a complaint is like this. */
  readonly until?: RegExp;
  /** Told of every command that was run. */
  readonly onRan?: (what: string, ran: Measured) => void;
}

const mostMb = 500;

interface Named extends Planted {
  readonly name: PlantName;
}

/** Plants a mix and asks every question of it. @returns what went wrong, each begun by a word for its kind; none where all held */
export async function complaintsOf(
  truth: TrueVault,
  mix: Mix,
  { command, all, until, onRan }: Asking,
): Promise<string[]> {
  await using store = await truth.layOut(mix.kind);
  const random = seeded(mix.seed);
  const { hostile, honest, victim, folder } = store;
  const { points, keys, recipient } = truth;
  const planted: Named[] = [];
  for (const name of mix.names) {
    planted.push({ name, ...(await plantOf(name)({ random, hostile, honest, points, keys, recipient, victim })) });
  }
  const complaints: string[] = [];
  const said: string[] = [];
  const complain = (word: string, what: string) => void complaints.push(`${word}: ${what}`);
  const victimBefore = pictureOf(victim);

  const run = async (machine: Machine, ...args: string[]): Promise<Measured> => {
    const ran = await runOn(machine, folder, args, command);
    const what = `lifeboat ${args.join(' ')}`;
    onRan?.(what, ran);
    said.push(ran.stdout, ran.stderr);
    if (ran.hung) complain('hung', what);
    else if (!(ran.peakMb < mostMb)) complain('memory', `${what}: ${Math.round(ran.peakMb)} MB`);
    if (/unforeseen|node:internal|TypeError/.test(ran.stdout + ran.stderr))
      complain('unforeseen', `${what}: ${ran.stderr}`);
    return ran;
  };
  const json = <Document>({ stdout, stderr }: Measured, what: string): Document | undefined => {
    try {
      return JSON.parse(stdout) as Document;
    } catch {
      complain('no answer', `${what}: ${stderr}`);
      return undefined;
    }
  };
  const restore = async (id: string | undefined): Promise<void> => {
    const into = id ?? 'newest';
    const at = id === undefined ? [] : ['--at', id];
    const ran = await run('reader', 'restore', 'uploads', ...at, '--into', into, '--identity', 'key.txt', '--json');
    const expected = id ?? points.at(-1)!.id;
    const isBack = ran.code === 0 && existsSync(join(folder, into));
    if (!isBack) return complain('not restored', `${expected}: ${ran.stderr}`);
    if (JSON.stringify(pictureOf(join(folder, into))) !== JSON.stringify(truth.pictures.get(expected))) {
      complain(id === undefined ? 'rolled back' : 'other bytes', expected);
    }
    if (id !== undefined) return;
    for (const passed of planted.flatMap((one) => one.passedOver ?? [])) {
      if (!ran.stdout.includes(passed))
        complain('silent', `restore does not say in its JSON that it passed over ${passed}`);
      if (!/passed over/.test(ran.stderr)) complain('silent', `restore says nothing of what it passed over: ${passed}`);
    }
  };

  const older = points.slice(0, -1).map(({ id }) => id);
  const chosen = all ? [undefined, ...older] : [random.pick([undefined, undefined, ...older])];
  const isAboutEvidence = mix.names.some((name) => /^(H10|M1)/.test(name));
  const questions: readonly (() => Promise<void>)[] = [
    askStatus,
    ...(all ? [askPruner] : []),
    ...chosen.map((id) => () => restore(id)),
    async () => void json(await run('reader', 'verify', '--all', '--identity', 'key.txt', '--json'), 'verify'),
    ...(all || isAboutEvidence ? [askEvidence] : []),
    // What is backed up now is newer than what was there: last.
    ...(all ? [askCopy, askBackup] : []),
  ];
  for (const ask of questions) {
    await ask();
    await lookAround();
    if (until !== undefined && complaints.some((one) => until.test(one))) return complaints;
  }
  tellWhatWasNotTold(planted, said.join('\n'), complain);
  return complaints;

  /** What is wrong whenever it is. */
  async function lookAround(): Promise<void> {
    if (JSON.stringify(pictureOf(victim)) !== JSON.stringify(victimBefore)) {
      complain('victim', 'files of this machine changed');
    }
    for (const key of planted.flatMap(({ stays = [] }) => stays)) {
      await hostile.get(key).catch(() => complain('removed', key));
    }
    if (hostile.lies?.heardOut()) complain('heard out', 'the liar was listened to for longer than is said');
  }

  async function askStatus(): Promise<void> {
    const before = hostile.disk?.look();
    const found = json<SystemStatus>(await run('reader', 'status', '--json'), 'status');
    if (before !== hostile.disk?.look()) complain('changed', 'who only reads changed something at the hostile place');
    if (found === undefined) return;
    // A failure has an answer of its own.
    if (found.datasets === undefined) return complain('no answer', JSON.stringify(found));
    if (found.proof?.id !== truth.drill) complain('proof', `status believes ${found.proof?.id ?? 'no drill at all'}`);
    // What is not looked at shows nothing: a mix that meant to be seen must be.
    const unseen = found.troubles.find(({ code, message }) => /unreach|left-out/.test(code) && /hostile/.test(message));
    if (unseen !== undefined && !planted.some(isBlinding)) complain('unseen', unseen.message);
    const [dataset] = found.datasets;
    if (dataset?.newest?.id !== points.at(-1)!.id) complain('rolled back', `status: ${dataset?.newest?.id}`);
  }

  async function askPruner(): Promise<void> {
    const ran = await run('pruner', 'prune', '--dry-run', '--json');
    interface Report {
      readonly suspect: ReadonlyArray<{ readonly key: string; readonly why: string }>;
      readonly datasets: ReadonlyArray<{ readonly dropped: ReadonlyArray<{ readonly id: string }> }>;
    }
    const report = json<Report>(ran, 'prune');
    const dropped = new Set(report?.datasets.flatMap((one) => one.dropped.map(({ id }) => id)));
    for (const { id } of points) if (dropped.has(id)) complain('pruned', id);
    // What lies where a record should be and is none stops a prune until a person accepts it; a stranger’s record does not.
    for (const { key, why } of report?.suspect ?? []) {
      if (await isRecordSomewhere(key)) complain('prune stopped', `${key}: ${why}`);
    }
  }

  async function isRecordSomewhere(key: string): Promise<boolean> {
    // What a server that lies gives nobody is no record there.
    const isGiven = hostile.lies === undefined || !planted.some(isBlinding);
    for (const place of isGiven ? [hostile, honest] : [honest]) {
      try {
        if (recordKey(decodeRecord(await place.get(key))) === key) return true;
      } catch {
        // Not there.
      }
    }
    return false;
  }

  async function askEvidence(): Promise<void> {
    json(await run('reader', 'evidence', 'list', '--json'), 'evidence list');
  }

  async function askBackup(): Promise<void> {
    const backedUp = await run('host', 'backup');
    if (!/honest/.test(backedUp.stdout)) complain('not backed up', backedUp.stdout + backedUp.stderr);
  }

  async function askCopy(): Promise<void> {
    await run('reader', 'copy', '--to', 'third', '--config', 'with-third.yaml', '--json');
    const third = existsSync(join(folder, 'third')) ? Object.keys(pictureOf(join(folder, 'third'))) : [];
    for (const { id } of points) if (!third.some((key) => key.includes(id))) complain('not copied', id);
  }
}

function isBlinding({ blinds = [] }: Planted): boolean {
  return blinds.length > 0;
}

/** What lies at the hostile place alone need not be told where the place itself cannot be seen any more, and that was told. */
function tellWhatWasNotTold(
  planted: readonly Named[],
  said: string,
  complain: (word: string, what: string) => void,
): void {
  const isBlind = planted.some(isBlinding) && /hostile/.test(said);
  for (const { name, told = [], toldThere = [] } of planted) {
    for (const text of [...told, ...(isBlind ? [] : toldThere)]) {
      if (!said.includes(text)) complain('silent', `nobody names ${text} (${name})`);
    }
  }
}
