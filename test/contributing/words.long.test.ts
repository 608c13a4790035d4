import { type ExecFileException, execFile } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/temp.ts';

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);

/** The project, as somebody has it who is about to add something. */
async function aCopy() {
  const folder = await temporaryFolder();
  const left = ['.git', 'node_modules', '.lifeboat-demo'];
  for (const name of readdirSync(root)) {
    if (!left.includes(name)) cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const touched = new Set<string>();
  const read = (path: string) => readFileSync(join(folder, path), 'utf8');
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
    touched.add(path);
  };
  return {
    touched,
    read,
    write,
    /** Puts `more` before what is found: who follows the words writes a line beside its neighbours. */
    add(path: string, before: string, more: string) {
      const text = read(path);
      const at = text.indexOf(before);
      expect(at, `${path} has no '${before}'`).toBeGreaterThanOrEqual(0);
      write(path, `${text.slice(0, at)}${more}${text.slice(at)}`);
    },
    /** What a program of the copy says, and its exit code. */
    async says(...words: readonly string[]): Promise<{ readonly code: number; readonly said: string }> {
      const options = { cwd: folder, maxBuffer: 16 << 20 };
      try {
        const { stdout } = await run(join(folder, 'bin/node'), words, options);
        return { code: 0, said: stdout };
      } catch (error) {
        const { code, stdout = '', stderr = '' } = error as ExecFileException;
        return { code: Number(code), said: stdout + stderr };
      }
    },
  };
}

type Copy = Awaited<ReturnType<typeof aCopy>>;

async function expectRight(copy: Copy, ...tests: readonly string[]): Promise<void> {
  expect(await copy.says('node_modules/typescript/bin/tsc', '--noEmit')).toEqual({ code: 0, said: '' });
  const vitest = await copy.says('node_modules/vitest/vitest.mjs', 'run', '--maxWorkers=1', ...tests);
  expect(vitest.code, vitest.said).toBe(0);
}

/** The files of the project that a page names. */
function namedIn(page: string): string[] {
  return [...page.matchAll(/\b((?:src|test|docs|schema)\/[\w./-]+\.\w+)/g)].map(([, path]) => path!);
}

const shelf = `import { systemClock } from '../../core/clock.ts';
import type { Destination } from '../destination.ts';
import { objectDamaged, objectExists, objectMissing } from '../errors.ts';
import { requireKey, requirePrefix } from '../key.ts';

interface Kept {
  readonly bytes: Uint8Array;
  readonly modifiedMs: number;
}

/** A shelf in this process: nothing on it outlives the process. */
export async function openShelf({ name, path }: { readonly name: string; readonly path: string }): Promise<Destination> {
  const objects = new Map<string, Kept>();
  const find = (key: string) => {
    requireKey(name, key);
    const found = objects.get(key);
    if (found === undefined) throw objectMissing({ destination: name, key });
    return found;
  };
  const listed = (key: string, { bytes, modifiedMs }: Kept) => ({ key, sizeBytes: bytes.length, modifiedMs });
  return {
    name,
    type: 'shelf',
    location: \`shelf:\${path}\`,
    capabilities: { conditionalCreate: true, checksums: true, objectLock: 'none', versions: false },
    async put(key, body, options) {
      requireKey(name, key);
      options?.signal?.throwIfAborted();
      const known = objects.get(key);
      if (known !== undefined && Buffer.compare(known.bytes, body) !== 0) throw objectExists({ destination: name, key });
      if (known === undefined) objects.set(key, { bytes: Uint8Array.from(body), modifiedMs: systemClock.now() });
      return { sizeBytes: body.length, existed: known !== undefined };
    },
    async get(key, range, options) {
      options?.signal?.throwIfAborted();
      const { bytes } = find(key);
      if (range === undefined) return bytes.slice();
      if (range.offset < 0 || range.length < 0) throw new RangeError('no range of bytes');
      const end = range.offset + range.length;
      if (end > bytes.length) throw objectDamaged({ destination: name, key, why: 'it ends before the range' });
      return bytes.slice(range.offset, end);
    },
    async stat(key) {
      return listed(key, find(key));
    },
    async *list(prefix) {
      requirePrefix(name, prefix);
      for (const [key, kept] of [...objects]) if (key.startsWith(prefix)) yield listed(key, kept);
    },
    async delete(key) {
      requireKey(name, key);
      objects.delete(key);
    },
    freeBytes: async () => undefined,
  };
}
`;

test('docs/adding-a-destination.md: who follows its words has a destination, and touches no file that it does not name', async () => {
  const copy = await aCopy();
  const { add, write } = copy;
  write('src/destinations/shelf/destination.ts', shelf);
  add('src/destinations/options.ts', 'LocalOptions | S3Options', 'ShelfOptions | ');
  add(
    'src/destinations/options.ts',
    'export interface S3Options',
    "export interface ShelfOptions {\n  readonly type: 'shelf';\n  readonly path: string;\n}\n\n",
  );
  const registry = 'src/destinations/registry.ts';
  const opens =
    "case 'shelf':\n      return (await import('./shelf/destination.ts')).openShelf({ ...options, name });\n    ";
  add(registry, "case 's3':\n      return (await import", opens);
  add(registry, "case 's3':\n      return opened", "case 'shelf':\n    ");
  add(
    'src/config/destination-schema.ts',
    "object({\n      type: z.literal('s3')",
    "object({ type: z.literal('shelf'), path: text, ...common }),\n    ",
  );
  add('src/config/build-destination.ts', "case 's3':", "case 'shelf':\n      return { ...rest, price };\n    ");
  add('src/config/system.ts', 'LocalDestination | S3Destination', 'ShelfDestination | ');
  add(
    'src/config/system.ts',
    'export interface LocalDestination',
    "export interface ShelfDestination extends AnyDestination {\n  readonly type: 'shelf';\n  readonly path: string;\n}\n\n",
  );
  add('src/config/locations.ts', "case 's3':", "case 'shelf':\n      return destination.path;\n    ");
  add('src/config/uses.ts', "case 's3':", "case 'shelf':\n      return place;\n    ");
  add(
    'src/operations/destination-options.ts',
    "case 's3':",
    "case 'shelf':\n      return { type: 'shelf', path: config.path };\n    ",
  );
  add(
    'src/operations/bootstrap/address.ts',
    "case 's3':",
    "case 'shelf':\n      return { type: 'shelf', path: url.pathname, ...common };\n    ",
  );
  add(
    'src/operations/bootstrap/open-address.ts',
    "if (bare.type === 's3')",
    "if (bare.type === 'shelf') return { config: bare, hostKeys };\n  ",
  );
  add(
    'src/operations/three-two-one/facts.ts',
    "case 's3':",
    "case 'shelf':\n      return { medium: 'memory', machine: thisMachine };\n    ",
  );
  const policy = 'src/operations/policy/policy.ts';
  add(policy, "if (config.type === 'sftp') return 'sshd'", "if (config.type === 'shelf') return undefined;\n  ");
  add('test/tidy.test.ts', "  'sources/command',", "  'destinations/shelf',\n");
  write('schema/lifeboat.schema.json', (await copy.says('src/main.ts', 'config', 'schema')).said);

  const words = namedIn(copy.read('docs/adding-a-destination.md'));
  const isNamed = (path: string) => words.includes(path) || path.startsWith('src/destinations/shelf/');
  expect([...copy.touched].filter((path) => !isNamed(path))).toEqual([]);
  expect(copy.touched.size).toBeLessThanOrEqual(15);

  write(
    'src/destinations/shelf/destination.test.ts',
    "import { destinationSuite } from '../../../test/suites/destination.suite.ts';\nimport { openShelf } from './destination.ts';\n\ndestinationSuite('shelf', () => openShelf({ name: 'shelf', path: 'top' }));\n",
  );
  await expectRight(copy, 'test/tidy.test.ts', 'src/destinations/shelf');
});

test('CONTRIBUTING: who follows its words has a command with its job, in six files', async () => {
  const copy = await aCopy();
  const { add, write } = copy;
  write(
    'src/jobs/recipients.ts',
    `import { defineJob, okOrNo } from './job.ts';
import * as shapes from './shapes.ts';

const { object, count } = shapes;

/** How many keys open the backups. \`no\`: one alone. */
export const recipientsJob = defineJob({
  name: 'recipients',
  request: object({}),
  document: object({ recipients: count }),
  async run({ system }) {
    const recipients = system.config.vault.recipients.length;
    return { document: { recipients }, answer: okOrNo(recipients > 1) };
  },
});
`,
  );
  add(
    'src/jobs/registry.ts',
    '  restore: async',
    "  recipients: async () => (await import('./recipients.ts')).recipientsJob,\n",
  );
  write(
    'src/cli/recipients.ts',
    `import { recipientsJob } from '../jobs/recipients.ts';
import { defineCommand } from './command.ts';
import { exitCodes } from './exit.ts';

export const recipients = defineCommand({
  description: 'How many keys open the backups.',
  options: {},
  async run({ job, out }) {
    const { document, answer } = await job(recipientsJob, {});
    out.answer(document, ({ recipients }) => \`\${recipients} keys open the backups.\`);
    return exitCodes[answer];
  },
});
`,
  );
  const entry = `{
    name: 'recipients',
    summary: 'Say how many keys open the backups',
    load: async () => (await import('./recipients.ts')).recipients,
  },
  `;
  add('src/cli/commands.ts', "{\n    name: 'restore',", entry);
  add('docs/command-line.md', '| `destination list', '| `recipients` | How many keys open the backups. |\n');
  expect([...copy.touched].sort()).toEqual([
    'docs/command-line.md',
    'src/cli/commands.ts',
    'src/cli/recipients.ts',
    'src/jobs/recipients.ts',
    'src/jobs/registry.ts',
  ]);
  // `npm run schemas` writes the sixth.
  expect(await copy.says('test/support/job-schemas.ts')).toMatchObject({ code: 0 });
  const schema = JSON.parse(copy.read('schema/jobs/recipients.json')) as object;
  expect(schema).toBeTypeOf('object');

  write(
    'lifeboat.yaml',
    `version: 1\nsystem: harbor\nvault: { recipients: [age1${'q'.repeat(58)}, age1${'p'.repeat(58)}] }\ndestinations: { disk: { type: local, path: store } }\ndatasets: { uploads: { type: files, path: docs, rpo: 1h, rto: 1h } }\n`,
  );
  const { said, code } = await copy.says('src/main.ts', 'recipients', '--json');
  expect(JSON.parse(said)).toMatchObject({ recipients: 2 });
  expect(code).toBe(0);
  await expectRight(copy, 'test/tidy.test.ts');
});
