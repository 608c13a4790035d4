import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PlantName } from './hostile-plants.ts';
import type { Kind } from './hostile-store.ts';

/** What keeps one kind of attack out, and how to take it away. */
export interface Mend {
  readonly name: string;
  /** Each text stands in its file exactly once: who changes it there changes it here. */
  readonly edits: ReadonlyArray<{ readonly file: string; readonly from: string; readonly to: string }>;
  /** What is planted in the mixes that then fail, over which kinds of places. */
  readonly by: PlantName;
  readonly over: readonly Kind[];
  /** The word that a complaint begins with. */
  readonly shows: RegExp;
}

const disks = ['local', 'sftp'] as const;
const buckets = ['s3', 'versioned s3'] as const;
const all = [...disks, ...buckets] as const;

const trust = 'src/vault/trust.ts';
const standing = 'src/ledger/standing.ts';
const localDestination = 'src/destinations/local/destination.ts';

export const mends: readonly Mend[] = [
  {
    name: 'H1: no link is followed on a disk',
    edits: [
      {
        file: 'src/destinations/local/open-folder.ts',
        from: 'O_PATH | O_DIRECTORY | O_NOFOLLOW)',
        to: 'O_PATH | O_DIRECTORY)',
      },
    ],
    by: 'H1: .incoming is a link',
    over: ['local'],
    shows: /^victim/,
  },
  {
    name: 'H1: no link is followed on an SSH server',
    edits: [
      {
        file: 'src/destinations/sftp/session.ts',
        from: 'sftp.lstat(path, done)',
        to: 'sftp.stat(path, done)',
      },
    ],
    by: 'H1: .incoming is a link',
    over: ['sftp'],
    shows: /^victim/,
  },
  {
    name: 'H1: who reads removes nothing',
    edits: [
      {
        file: localDestination,
        from: 'await guard(() => requirePresence(root, place));\n  const proveAbsent',
        to: 'await guard(() => requirePresence(root, place));\n  await removeLeftovers(name, root, clock).catch(() => {});\n  const proveAbsent',
      },
    ],
    by: 'H1: what a killed writer left, and what is none of ours beside it',
    over: ['local'],
    shows: /^changed/,
  },
  {
    name: 'H1: only what has our names is removed',
    edits: [
      {
        file: 'src/destinations/incoming.ts',
        from: 'if (host === undefined) return false;',
        to: 'if (host === undefined) return nowMs - modifiedMs > day;',
      },
    ],
    by: 'H1: what a killed writer left, and what is none of ours beside it',
    over: disks,
    shows: /^removed/,
  },
  {
    name: 'H2: who may not prune is not heard',
    edits: [
      {
        file: trust,
        from: 'return pruners === undefined ? isKnownWriter(trust, writer, system) : pruners.get(writer)?.has(system) === true;',
        to: 'return isKnownWriter(trust, writer, system);',
      },
      {
        file: trust,
        from: 'return trust.pruners === undefined ? isKnownKey(trust, writer) : trust.pruners.has(writer);',
        to: 'return isKnownKey(trust, writer);',
      },
    ],
    by: 'H2: a prune by who may not, and everything gone that it names',
    over: all,
    shows: /^(silent|not copied)/,
  },
  {
    name: 'H3: known writers are judged among themselves',
    edits: [{ file: trust, from: 'chainOf(timed.filter(isKnown))', to: 'chainOf(timed)' }],
    by: 'H3: a stranger’s record that names the newest manifest first',
    over: disks,
    shows: /^rolled back/,
  },
  {
    name: 'H3: what was passed over is said',
    edits: [
      {
        file: 'src/vault/newest.ts',
        from: 'for (const message of passedOverWords(passedOver)) run.problem',
        to: 'for (const message of passedOverWords([])) run.problem',
      },
    ],
    by: 'H4: a record by another system’s writer',
    over: all,
    shows: /^silent: restore says nothing/,
  },
  {
    name: 'H4: a writer speaks for its own systems',
    edits: [
      {
        file: trust,
        from: 'return writers === undefined || writers.get(writer)?.has(system) === true;',
        to: 'return writers === undefined || writers.has(writer);',
      },
    ],
    by: 'H4: a record by another system’s writer',
    over: all,
    shows: /^(rolled back|not restored)/,
  },
  {
    name: 'H9: a record is ahead only of every clock',
    edits: [{ file: trust, from: 'nowMs : Math.max(...believed.map', to: 'nowMs : Math.min(...believed.map' }],
    by: 'H9: a clock that shows true records before they were made',
    over: disks,
    shows: /^rolled back/,
  },
  {
    name: 'H9: the same where a bucket’s clock lies',
    edits: [{ file: trust, from: 'nowMs : Math.max(...believed.map', to: 'nowMs : Math.min(...believed.map' }],
    by: 'H9: a clock of a bucket that shows true records before they were made',
    over: buckets,
    shows: /^rolled back/,
  },
  {
    name: 'H9: clocks that disagree are named',
    edits: [
      {
        file: 'src/vault/clocks.ts',
        from: 'for (const early of earlyAt) {',
        to: 'for (const early of [] as string[]) {',
      },
    ],
    by: 'H9: a clock that shows true records before they were made',
    over: disks,
    shows: /^silent/,
  },
  {
    name: 'H10: a stranger proves nothing',
    edits: [
      {
        file: standing,
        from: "if (record.vault !== vault || !counts) return 'stranger';",
        to: "if (record.vault !== vault) return 'stranger';",
      },
    ],
    by: 'H10: a stranger’s proof',
    over: all,
    shows: /^proof/,
  },
  {
    name: 'H10: the future proves nothing',
    edits: [
      {
        file: standing,
        from: 'return statedMs(record) > latestMs + aheadToleranceMs',
        to: 'return statedMs(record) > latestMs + Number.POSITIVE_INFINITY',
      },
    ],
    by: 'H10: a proof from the future, by the host’s stolen key',
    over: all,
    shows: /^proof/,
  },
  {
    name: 'M1: evidence has a shape',
    edits: [
      {
        file: 'src/ledger/evidence-shape.ts',
        from: 'return drill.safeParse(body).success ? (body as DrillEvidence) : undefined;',
        to: 'return body as DrillEvidence;',
      },
    ],
    by: 'M1: evidence without a shape',
    over: all,
    shows: /^(unforeseen|no answer)/,
  },
  {
    name: 'M1: strangers’ evidence is not counted',
    edits: [
      {
        file: 'src/ledger/proofs.ts',
        from: "if (standing !== 'believed') {",
        to: "if (seen++ >= mostDrills) break;\n    if (standing !== 'believed') {",
      },
    ],
    by: 'M1: sixty strangers’ proofs, and one of the year 2121',
    over: all,
    shows: /^proof/,
  },
  {
    name: 'M2: strangers stop no prune',
    edits: [
      {
        file: 'src/operations/prune-plan.ts',
        from: 'const suspect = [...unread, ',
        to: "const suspect = [...survey.points.filter(isStrange).map(({ key }) => ({ key, why: 'strange' })), ...unread, ",
      },
    ],
    by: 'a stranger’s record',
    over: all,
    shows: /^prune stopped/,
  },
  {
    name: 'M3: objects have a size that they can have',
    edits: [
      { file: 'src/destinations/object-sizes.ts', from: 'if (sizeBytes <= most) return;', to: 'if (most > 0) return;' },
    ],
    by: 'M3: giants in the place of vault.json and of every record',
    over: disks,
    shows: /^(memory|unforeseen|hung)/,
  },
  {
    name: 'M3: the same of a bucket, which may say nothing of the size',
    edits: [
      { file: 'src/destinations/object-sizes.ts', from: 'if (sizeBytes <= most) return;', to: 'if (most > 0) return;' },
    ],
    by: 'M3: an object without end',
    over: buckets,
    shows: /^(memory|unforeseen|hung|heard out)/,
  },
  {
    name: 'M3: one place whose vault.json is none, or of a later format, is left out',
    edits: [
      { file: 'src/vault/open.ts', from: 'failures.push(error);\n', to: 'failures.push(error);\n      throw error;\n' },
      {
        file: 'src/vault/open.ts',
        from: 'if (vault === undefined && !objectMissing.is(error)) throw error;',
        to: 'throw error;',
      },
    ],
    by: 'M3: vault.json of a later format, of another vault, of noise, or gone',
    over: all,
    shows: /^(not restored|no answer)/,
  },
  {
    name: 'M3: listings end',
    edits: [
      { file: 'src/destinations/listing-bounds.ts', from: 'if (names > mostNames) throw', to: 'if (names < 0) throw' },
      { file: 'src/destinations/s3/list.ts', from: 'if (key <= before) throw', to: 'if (key === before) throw' },
      {
        file: 'src/destinations/s3/list.ts',
        from: "if (next === '' || (next !== undefined && next === token)) throw",
        to: "if (next === '') throw",
      },
      {
        file: 'src/destinations/s3/list.ts',
        from: 'if (next !== undefined && next.KeyMarker === from.KeyMarker && next.VersionIdMarker === from.VersionIdMarker) {',
        to: "if (next?.KeyMarker === '') {",
      },
    ],
    by: 'M3: a listing that comes again and again',
    over: buckets,
    shows: /^(heard out|memory|hung)/,
  },
  {
    name: 'M3: a page of a listing has an end',
    edits: [
      { file: 'src/destinations/s3/client.ts', from: 'if (sizeBytes > mostAnswerBytes) throw notAStore();', to: '' },
    ],
    by: 'M3: a page of a listing without end',
    over: buckets,
    shows: /^(memory|hung|unforeseen)/,
  },
];

const top = new URL('../../', import.meta.url).pathname;

/** A copy of the product without a mend. @returns the path of its command */
export function without({ name, edits }: Mend, folder: string): string {
  const copy = join(folder, 'product');
  mkdirSync(copy, { recursive: true });
  for (const part of ['bin', 'src', 'rescue', 'schema', 'package.json']) {
    cpSync(join(top, part), join(copy, part), { recursive: true });
  }
  symlinkSync(join(top, 'node_modules'), join(copy, 'node_modules'));
  for (const { file, from, to } of edits) {
    const text = readFileSync(join(copy, file), 'utf8');
    const found = text.split(from).length - 1;
    if (found !== 1) throw new Error(`${name}: ${file} holds ${found} times: ${from}`);
    writeFileSync(
      join(copy, file),
      text.replace(from, () => to),
    );
  }
  return join(copy, 'bin/lifeboat');
}
