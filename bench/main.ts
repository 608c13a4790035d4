/** `npm run bench -- --help` */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startPostgres } from '../examples/private-postgres.ts';
import { parseSize } from '../src/core/size.ts';
import { type Comparison, compare, folderTargets } from './compare.ts';
import { readConditions } from './conditions.ts';
import type { MakeContender, Subject } from './contender.ts';
import { borgContender } from './contenders/borg.ts';
import { lifeboatContender } from './contenders/lifeboat.ts';
import { pipeContender } from './contenders/pipe.ts';
import { resticContender } from './contenders/restic.ts';
import { changeDatabase, databaseBytes, databaseTargets, makeDatabase, postgresPlaces } from './databases.ts';
import {
  changeMariadbDatabase,
  makeMariadbDatabase,
  mariadbBytes,
  mariadbPlaces,
  startBenchMariadb,
} from './mariadb.ts';
import { requirePrograms } from './packages.ts';
import { rowsOf, showComparison, showConditions } from './report.ts';
import { measureS3, showS3 } from './s3.ts';
import { measureScale, showScale } from './scale.ts';
import { measureStartUp, showStartUp } from './start-up.ts';
import { changeTree, makeTree, type TreeKind, treeKinds, treeStats, treeTitles, warm } from './trees.ts';
import { measureVault, showVault } from './vault.ts';

const databaseKinds = ['postgres', 'mariadb'];
const usage = `Compares Lifeboat with restic, borg and plain pipes, in one run.

  npm run bench                              generated trees and generated databases of PostgreSQL and MariaDB
  npm run bench -- /usr/lib                  a copy of this tree instead
  npm run bench -- --only small --size 1GiB

  --only WHAT[,WHAT]      ${[...treeKinds, ...databaseKinds].join(', ')} (default: all)
  --tools NAME[,NAME]     lifeboat, restic, borg, pipe (default: all)
  --size SIZE             of each generated subject (default 256MiB)
  --runs N                paired runs (default 3)
  --work DIR              where everything is made and removed again (default: the temporary folder)
  --start-up              only measure how long help and status take to start
  --vault                 only measure the steps of the vault, each in one thread
  --scale                 only measure how commands grow with a long history (two million inodes and 8 GB in --work; --only TEXT for some)
  --s3                    only measure Lifeboat on a Ceph RGW of this machine (--size, --runs)
  --apart                 with --s3: a core for the server and one for the commands, as if the server were elsewhere
  --install               install missing Debian packages (as root)
`;

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    tools: { type: 'string', default: 'lifeboat,restic,borg,pipe' },
    size: { type: 'string', default: '256MiB' },
    runs: { type: 'string', default: '3' },
    work: { type: 'string', default: tmpdir() },
    'start-up': { type: 'boolean', default: false },
    vault: { type: 'boolean', default: false },
    scale: { type: 'boolean', default: false },
    s3: { type: 'boolean', default: false },
    apart: { type: 'boolean', default: false },
    install: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const fileTools: Readonly<Record<string, MakeContender>> = {
  lifeboat: lifeboatContender,
  restic: resticContender,
  borg: borgContender,
  pipe: pipeContender,
};
const programsOf: Readonly<Record<string, readonly string[]>> = {
  lifeboat: [],
  restic: ['restic'],
  borg: ['borg'],
  pipe: ['tar', 'zstd', 'age'],
  postgres: ['postgres', 'pg_dump'],
  mariadb: ['mariadbd', 'mariadb', 'mariadb-dump'],
};

// The measured commands are process groups of their own, so an interrupt has to be handed on to them.
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());

const { signal } = interrupted;
const say = (line: string) => process.stderr.write(`${line}\n`);

try {
  if (flags.help) process.stdout.write(usage);
  else if (flags.vault) process.stdout.write(`${showVault(measureVault())}\n`);
  else
    process.exitCode = await inWorkFolder(
      flags['start-up'] ? benchStartUp : flags.scale ? benchScale : flags.s3 ? benchS3 : bench,
    );
} catch (error) {
  say(`bench: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}

async function inWorkFolder(work: (folder: string) => Promise<number>): Promise<number> {
  const folder = mkdtempSync(join(resolve(flags.work), 'lifeboat-bench-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function benchStartUp(work: string): Promise<number> {
  const found = await measureStartUp(work);
  process.stdout.write(`${showStartUp(found)}\n`);
  return found.every(({ medianMs, limitMs }) => medianMs <= limitMs) ? 0 : 1;
}

async function benchScale(work: string): Promise<number> {
  const conditions = readConditions(work, []);
  const taken = await measureScale(work, flags.only ?? '', say, signal);
  process.stdout.write(`\n${showConditions(conditions, 1)}\n\n${showScale(taken)}\n`);
  return 0;
}

async function benchS3(work: string): Promise<number> {
  const conditions = readConditions(work, []);
  const runs = Number(flags.runs);
  const { apart } = flags;
  const figures = await measureS3(work, { sizeBytes: parseSize(flags.size), runs, apart, say, signal });
  process.stdout.write(`\n${showConditions(conditions, runs)}\n\n${showS3(figures)}\n`);
  return 0;
}

async function bench(work: string): Promise<number> {
  const tools = chosen(flags.tools, Object.keys(fileTools), '--tools');
  const path = positionals[0];
  const what = path ? [] : chosen(flags.only, [...treeKinds, ...databaseKinds], '--only');
  const runs = Number(flags.runs);
  if (!Number.isInteger(runs) || runs < 1) throw new Error('--runs takes a number from 1 on.');
  const sizeBytes = parseSize(flags.size);
  const needed = [...tools, ...what.filter(isDatabase)].flatMap((name) => programsOf[name]!);
  requirePrograms(needed, flags.install);

  const conditions = readConditions(work, needed);
  const comparisons: Comparison[] = [];
  const trees = path ? [resolve(path)] : what.filter((name) => !isDatabase(name));
  const makers = tools.map((name) => fileTools[name]!);
  for (const tree of trees) comparisons.push(await benchTree(tree, work, sizeBytes, runs, makers));
  const pair = makers.filter((make) => make === lifeboatContender || make === pipeContender);
  for (const [name, benchDatabase] of [
    ['postgres', benchPostgres],
    ['mariadb', benchMariadb],
  ] as const)
    if (what.includes(name) && pair.length > 0) comparisons.push(await benchDatabase(work, sizeBytes, runs, pair));
  process.stdout.write(`\n${showConditions(conditions, runs)}\n`);
  for (const comparison of comparisons) process.stdout.write(`\n${showComparison(comparison)}\n`);
  process.stdout.write(`\nWritten to ${writeResults({ conditions, runs, comparisons })}\n`);
  return 0;
}

async function benchTree(tree: string, work: string, sizeBytes: number, runs: number, make: readonly MakeContender[]) {
  const generated = treeKinds.find((kind): kind is TreeKind => kind === tree);
  const where = join(work, 'tree', basename(tree));
  say(`\n${tree}: ${generated ? 'making' : 'copying'} the tree …`);
  if (generated) makeTree(generated, where, sizeBytes);
  else copyTree(tree, where);
  await warm(where);
  const subject: Subject = {
    id: basename(tree),
    title: generated ? treeTitles[generated] : tree,
    kind: 'files',
    where,
    ...(await treeStats(where)),
  };
  const place = join(work, 'files');
  try {
    const change = (round: number) => changeTree(where, round);
    return await compare({ subject, make, runs, work: place, change, ...folderTargets(subject, work), say, signal });
  } finally {
    for (const folder of [join(work, 'tree'), place]) rmSync(folder, { recursive: true, force: true });
  }
}

/** The tree is changed by 1 % in each run, so the user's own is not touched. */
function copyTree(from: string, to: string): void {
  mkdirSync(join(to, '..'), { recursive: true });
  cpSync(from, to, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
}

async function benchPostgres(work: string, sizeBytes: number, runs: number, make: readonly MakeContender[]) {
  say('\npostgres: making the database …');
  const server = await startPostgres(work);
  try {
    await makeDatabase(server, 'bench', sizeBytes);
    const subject: Subject = {
      id: 'postgres',
      title: `PostgreSQL ${server.version}, tables like pgbench's and one of JSON`,
      kind: 'postgres',
      where: server.url('bench'),
      bytes: await databaseBytes(server, 'bench'),
    };
    const change = (round: number) => changeDatabase(server, 'bench', round);
    const targets = databaseTargets(postgresPlaces(server), subject.where);
    return await compare({ subject, make, runs, work: join(work, 'databases'), change, ...targets, say, signal });
  } finally {
    await server.stop();
  }
}

async function benchMariadb(work: string, sizeBytes: number, runs: number, make: readonly MakeContender[]) {
  say('\nmariadb: making the database …');
  await using server = await startBenchMariadb();
  await makeMariadbDatabase(server, 'bench', sizeBytes);
  const [[version = ''] = []] = await server.query('SELECT VERSION()');
  const subject: Subject = {
    id: 'mariadb',
    title: `MariaDB ${version}, tables like pgbench's and one of JSON`,
    kind: 'mysql',
    where: server.urlOf('bench'),
    bytes: await mariadbBytes(server, 'bench'),
  };
  const change = (round: number) => changeMariadbDatabase(server, 'bench', round);
  const targets = databaseTargets(mariadbPlaces(server), subject.where);
  return await compare({ subject, make, runs, work: join(work, 'mariadb'), change, ...targets, say, signal });
}

function isDatabase(name: string): boolean {
  return databaseKinds.includes(name);
}

function chosen(words: string | undefined, known: readonly string[], flag: string): string[] {
  const some = words === undefined ? [...known] : words.split(',').map((word) => word.trim());
  const strange = some.find((word) => !known.includes(word));
  if (strange !== undefined) throw new Error(`${flag} does not know '${strange}'. It knows: ${known.join(', ')}.`);
  return some;
}

function writeResults(results: { conditions: unknown; runs: number; comparisons: readonly Comparison[] }): string {
  const folder = join(import.meta.dirname, 'results');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${new Date().toISOString().replace(/[:.]/g, '-')}.json`);
  const comparisons = results.comparisons.map((comparison) => {
    const { where: _, ...subject } = comparison.subject;
    return { ...comparison, subject, rows: rowsOf(comparison) };
  });
  writeFileSync(file, `${JSON.stringify({ ...results, comparisons }, null, 2)}\n`);
  return file;
}
