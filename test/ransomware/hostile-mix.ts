import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { SystemStatus } from '../../src/operations/status/status.ts';
import type { Measured } from '../cli/measured.ts';
import { seeded } from '../support/seeded.ts';
import { type Planted, type PlantName, plantOf, plants } from './hostile-plants.ts';
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
}

const mostMb = 500;

/** Plants a mix and asks every question of it. @returns what went wrong, each begun by a word for its kind; none where all held */
export async function complaintsOf(truth: TrueVault, mix: Mix, { command, all }: Asking): Promise<string[]> {
  await using store = await truth.layOut(mix.kind);
  const random = seeded(mix.seed);
  const { hostile, honest, victim, folder } = store;
  const { points, keys } = truth;
  const planted: Planted[] = [];
  for (const name of mix.names) planted.push(await plantOf(name)({ random, hostile, honest, points, keys, victim }));
  const complaints: string[] = [];
  const said: string[] = [];
  const complain = (word: string, what: string) => void complaints.push(`${word}: ${what}`);
  const victimBefore = pictureOf(victim);

  const run = async (machine: Machine, ...args: string[]): Promise<Measured> => {
    const ran = await runOn(machine, folder, args, command);
    const what = `lifeboat ${args.join(' ')}`;
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

  const before = hostile.disk?.look();
  await askStatus();
  if (before !== hostile.disk?.look()) complain('changed', 'who only reads changed something at the hostile place');
  const older = points.slice(0, -1).map(({ id }) => id);
  const some = [random.pick([undefined, undefined, ...older])];
  for (const id of all ? [undefined, ...older] : some) await restore(id);
  const verified = await run('reader', 'verify', '--all', '--identity', 'key.txt', '--json');
  json(verified, 'verify');
  if (all || mix.names.some((name) => /^(H10|M1)/.test(name))) {
    json(await run('reader', 'evidence', 'list', '--json'), 'evidence list');
  }
  if (all) {
    await askPruner();
    await askCopy();
    const backedUp = await run('host', 'backup');
    if (!/honest/.test(backedUp.stdout)) complain('not backed up', backedUp.stdout + backedUp.stderr);
  }
  if (JSON.stringify(pictureOf(victim)) !== JSON.stringify(victimBefore))
    complain('victim', 'files of this machine changed');
  if (hostile.lies?.heardOut()) complain('heard out', 'the liar was listened to for longer than is said');
  tellWhatWasNotTold(planted, said.join('\n'), complain);
  return complaints;

  async function askStatus(): Promise<void> {
    const found = json<SystemStatus>(await run('reader', 'status', '--json'), 'status');
    if (found === undefined) return;
    if (found.proof?.id !== truth.drill) complain('proof', `status believes ${found.proof?.id ?? 'no drill at all'}`);
    const [dataset] = found.datasets;
    if (dataset?.newest?.id !== points.at(-1)!.id) complain('rolled back', `status: ${dataset?.newest?.id}`);
  }

  async function askPruner(): Promise<void> {
    const ran = await run('pruner', 'prune', '--dry-run', '--json');
    interface Report {
      readonly datasets: ReadonlyArray<{ readonly dropped: ReadonlyArray<{ readonly id: string }> }>;
    }
    const report = json<Report>(ran, 'prune');
    const dropped = new Set(report?.datasets.flatMap((one) => one.dropped.map(({ id }) => id)));
    for (const { id } of points) if (dropped.has(id)) complain('pruned', id);
  }

  async function askCopy(): Promise<void> {
    await run('reader', 'copy', '--to', 'third', '--config', 'with-third.yaml', '--json');
    const third = existsSync(join(folder, 'third')) ? Object.keys(pictureOf(join(folder, 'third'))) : [];
    for (const { id } of points) if (!third.some((key) => key.includes(id))) complain('not copied', id);
  }
}

/** What lies at the hostile place alone need not be told where the place itself cannot be seen any more, and that was told. */
function tellWhatWasNotTold(
  planted: readonly Planted[],
  said: string,
  complain: (word: string, what: string) => void,
): void {
  const blind = planted.flatMap(({ blinds = [] }) => blinds);
  for (const text of planted.flatMap(({ told = [] }) => told)) {
    if (!said.includes(text)) complain('silent', `nobody names ${text}`);
  }
  for (const text of planted.flatMap(({ toldThere = [] }) => toldThere)) {
    if (!said.includes(text) && !(blind.length > 0 && /hostile/.test(said))) complain('silent', `nobody names ${text}`);
  }
}
