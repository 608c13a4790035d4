import { globSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { errorsPage, writeErrorsPage } from './support/errors-doc.ts';
import { jobSchemas, schemaFolder } from './support/job-schemas.ts';

const root = resolve(import.meta.dirname, '..');
const isTest = (file: string) => file.endsWith('.test.ts');

interface SourceFile {
  /** Relative to the root. */
  readonly path: string;
  readonly text: string;
}

const files: SourceFile[] = await Promise.all(
  globSync('{src,test,bench,examples}/**/*.ts', { cwd: root })
    .filter((path) => !/node_modules|test\/fixtures/.test(path))
    .map(async (path) => ({ path, text: await readFile(join(root, path), 'utf8') })),
);
const product = files.filter(({ path }) => path.startsWith('src/') && !isTest(path));

const parts = [
  'host',
  'ledger',
  'retention',
  'config',
  'vault',
  'keys',
  'destinations',
  'sources',
  'process',
  'metadata',
  'sandbox',
  'catalog',
];

/** The layers of CONTRIBUTING.md: what the files of a folder may import besides their own folder. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  host: ['core/'],
  // Of sources, what is known of a kind before any is looked at.
  config: ['core/', 'host/', ...['engine', 'engines', 'registry'].map((file) => `sources/${file}.ts`)],
  // Ports and what works over any of them, never an adapter. `Contents` of the source port is what the vault hands out.
  vault: [
    'core/',
    'host/',
    'metadata/',
    ...['destination', 'errors', 'first-version'].map((file) => `destinations/${file}.ts`),
    'sources/source.ts',
  ],
  destinations: ['core/', 'host/', 'process/'],
  metadata: ['core/', 'process/'],
  sources: ['core/', 'host/', 'metadata/', 'process/', 'sandbox/'],
  process: ['core/', 'host/'],
  keys: ['core/'],
  sandbox: ['core/', 'host/', 'process/'],
  catalog: ['core/', 'host/'],
  ledger: [
    'core/',
    'host/',
    'vault/',
    ...['destination', 'errors', 'first-version'].map((file) => `destinations/${file}.ts`),
  ],
  retention: ['core/', 'config/', 'ledger/', 'sources/engines.ts', 'vault/'],
  operations: ['core/', '../package.json', ...parts.map((part) => `${part}/`)],
  jobs: ['core/', ...parts.map((part) => `${part}/`), 'operations/'],
  cli: ['core/', '../package.json', ...parts.map((part) => `${part}/`), 'operations/', 'jobs/'],
  'main.ts': ['core/', 'cli/'],
};

/** Folders of one adapter each, which only the registry of their port names. */
const adapters = [
  'destinations/local',
  'destinations/memory',
  'destinations/s3',
  'destinations/sftp',
  'sources/command',
  'sources/files',
  'sources/mysql',
  'sources/postgres',
  'sources/sqlite',
];

/** What a file imports from the project, relative to src/. Types count: a layer that knows a type knows the other layer. */
function importsOf({ path, text }: SourceFile): string[] {
  const specifiers = text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"](\.[^'"]+)['"]/g);
  return [...specifiers].map(([, specifier]) =>
    relative(join(root, 'src'), join(root, dirname(path), specifier as string)),
  );
}

const inSource = (path: string) => relative('src', path);
const folderOf = (path: string) => path.split('/')[0] as string;

test('imports point one way', () => {
  const wrong = product.flatMap((file) => {
    const us = folderOf(inSource(file.path));
    const allowed = mayImport[us] ?? [];
    return importsOf(file)
      .filter((target) => folderOf(target) !== us && !allowed.some((prefix) => target.startsWith(prefix)))
      .map((target) => `${file.path} imports ${target}`);
  });
  expect(wrong).toEqual([]);
});

/** Rooms of the vault that only have callers: its other rooms, too, enter them by their faces, and name the files of all others. */
const closed = ['copy', 'generations', 'keep', 'verify'].map((room) => `vault/${room}`);

test('a room with a face is entered by it, and none hands out what nobody takes', () => {
  const faces = globSync('src/**/index.ts', { cwd: root }).map(inSource);
  const rooms = faces.map((face) => dirname(face));
  expect(rooms).toEqual(expect.arrayContaining(['retention', 'vault', ...closed]));
  const wrong = files.flatMap((file) => {
    const us = inSource(file.path);
    // A test may look inside a room of the vault; nobody else does.
    const isFree = (room: string) => !product.includes(file) && room.startsWith('vault');
    const isWithin = (room: string) =>
      us.startsWith(`${room}/`) || (folderOf(us) === folderOf(room) && !closed.includes(room));
    return importsOf(file)
      .filter((target) => !faces.includes(target))
      .filter((target) => rooms.some((room) => target.startsWith(`${room}/`) && !isFree(room) && !isWithin(room)))
      .map((target) => `${file.path} imports ${target}`);
  });
  expect(wrong).toEqual([]);

  const idle = faces.flatMap((face) => {
    const [text] = product.filter(({ path }) => inSource(path) === face).map(({ text }) => text);
    const given = namesIn(text ?? '', /export (?:type )?\{([^}]*)\}/g);
    const takers = product.filter((file) => importsOf(file).includes(face));
    const taken = new Set(
      takers.flatMap((file) => namesIn(file.text, /import (?:type )?\{([^}]*)\} from '[^']*index\.ts'/g)),
    );
    return given.filter((name) => !taken.has(name)).map((name) => `${face}: ${name}`);
  });
  expect(idle).toEqual([]);
});

test('no circle runs through a folder: each room can be read without the one that calls it', () => {
  expect(circlesOf(product)).toEqual([]);
});

test('only its registry names an adapter', () => {
  const wrong = product.flatMap((file) => {
    const us = inSource(file.path);
    return importsOf(file).flatMap((target) => {
      const adapter = adapters.find((folder) => target.startsWith(`${folder}/`));
      if (adapter === undefined || us.startsWith(`${adapter}/`)) return [];
      return us === `${folderOf(adapter)}/registry.ts` ? [] : [`${file.path} imports ${target}`];
    });
  });
  expect(wrong).toEqual([]);
});

/** Those who mean files of a host, whatever datasets there are: the configuration itself, and folders that `init` finds. */
const meanFiles = ['src/config/discover.ts', 'src/operations/configuration/keep.ts', 'src/operations/system.ts'];

test('house-M4: no kind of dataset is named outside its folder and the registry', () => {
  const folders = adapters.filter((folder) => folder.startsWith('sources/')).map((folder) => basename(folder));
  // Checks, too, have a kind of that name.
  const kinds = folders.filter((kind) => kind !== 'command');
  const named = new RegExp(`(?:type|kind)(?: [!=]==|:) '(?:${kinds.join('|')})'|case '(?:${kinds.join('|')})'`);
  const ofTables = new RegExp(`'(?:${kinds.filter((kind) => kind !== 'files').join('|')})'`);
  const found = product.filter(({ path, text }) => {
    if (kinds.some((kind) => path.startsWith(`src/sources/${kind}/`))) return false;
    // Names of programs: whose package is which.
    const code = withoutComments(text).replace(/\['postgresql', \[.*\]\],/, '');
    return named.test(code) || ofTables.test(code);
  });
  expect(found.map(({ path }) => path).filter((path) => !meanFiles.includes(path))).toEqual([]);
});

test('docs/adding-a-destination.md names every file that speaks of a type of destination, and no other', async () => {
  const page = await readFile(join(root, 'docs/adding-a-destination.md'), 'utf8');
  const named = [...page.matchAll(/`(src\/[\w/-]+\.ts)`/g)].map(([, path]) => path);
  const speak = product.filter(
    ({ path, text }) => /'(?:s3|sftp)'/.test(text) && !/^src\/destinations\/\w+\//.test(path),
  );
  expect(speak.map(({ path }) => path).filter((path) => !named.includes(path))).toEqual([]);
  expect(named.filter((path) => !product.some((file) => file.path === path))).toEqual([]);
});

test('CONTRIBUTING: a command is its file and a line in commands.ts, and is named in docs/command-line.md', async () => {
  const commands = product.filter(({ path, text }) => path.startsWith('src/cli/') && /= defineCommand\(/.test(text));
  const page = await readFile(join(root, 'docs/command-line.md'), 'utf8');
  const wrong = commands.flatMap(({ path }) => {
    const users = product.filter((file) => importsOf(file).includes(inSource(path))).map((file) => file.path);
    const words = basename(path, '.ts').replace('-', ' ');
    return users.join() === 'src/cli/commands.ts' && page.includes(`\`${words}`) ? [] : [`${path}: ${users}`];
  });
  expect(commands.length).toBeGreaterThan(30);
  expect(wrong).toEqual([]);
});

test('every adapter is known to this test', () => {
  const notAdapters = ['destinations/wrap'];
  const found = ['destinations', 'sources'].flatMap((port) =>
    readdirSync(join(root, 'src', port), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `${port}/${entry.name}`),
  );
  expect(found.filter((folder) => !notAdapters.includes(folder)).sort()).toEqual(adapters);
});

test('there is no folder that the layout does not name', () => {
  const folders = (path: string) =>
    readdirSync(join(root, path), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  const known = ['.ci', '.git', 'bench', 'bin', 'docs', 'examples', 'node_modules', 'rescue', 'schema', 'src', 'test'];
  const ignored = ['.lifeboat-demo'];
  expect(folders('.').filter((name) => !known.includes(name) && !ignored.includes(name))).toEqual([]);
  expect(folders('src').filter((name) => mayImport[name] === undefined)).toEqual([]);
});

test('a file fits a head: at most 400 lines', () => {
  const long = files.map(({ path, text }) => [path, text.split('\n').length - 1] as const);
  expect(long.filter(([, lines]) => lines > 400)).toEqual([]);
});

test('a file is named after what it is about', () => {
  const empty = /^(utils?|helpers?|common|managers?|misc|stuff)$/;
  const wordsOf = (path: string) => path.split('/').flatMap((name) => basename(name, '.ts').split(/[-.]/));
  expect(files.map(({ path }) => path).filter((path) => wordsOf(path).some((word) => empty.test(word)))).toEqual([]);
});

test('the time of day and chance come from src/core/clock.ts alone', () => {
  const impure = /\bDate\.now\(|\bMath\.random\(|\bnew Date\(\s*\)/;
  const wrong = product.filter(({ path, text }) => path !== 'src/core/clock.ts' && impure.test(withoutComments(text)));
  expect(wrong.map(({ path }) => path)).toEqual([]);
});

test('`npm test` tries the same cases each time: fast-check comes from test/support/fast-check.ts alone', () => {
  const takers = files.filter(({ text }) => /from ['"]fast-check['"]/.test(text)).map(({ path }) => path);
  expect(takers).toEqual(['test/support/fast-check.ts']);
});

test('docs/architecture.md: each of its questions is answered in one room, and whoever asks goes there', async () => {
  const page = await readFile(join(root, 'docs/architecture.md'), 'utf8');
  const rows = [...page.matchAll(/^\| [^|]+\? \| `([^`]+)` \| `(\w+)` \|$/gm)];
  expect(rows).toHaveLength(26);
  const wrong = rows.flatMap(([, room = '', name = '']) => {
    const defines = new RegExp(`\\b(?:function\\*?|const|let) ${name}\\b`);
    const asks = new RegExp(`(?<![.\\w])${name}\\b(?!:)`);
    const face = join(dirname(room), 'index.ts');
    const isRight = (file: SourceFile) =>
      [...file.text.matchAll(new RegExp(`(?:import|export) [^;]*\\b${name}\\b[^;]*from '([^']+)'`, 'g'))].some(
        ([, from = '']) => [room, face].includes(join(dirname(file.path), from)),
      );
    return product
      .filter((file) => {
        const code = withoutComments(file.text);
        if (file.path === room) return !defines.test(code) || !new RegExp(`^export .*\\b${name}\\b`, 'm').test(code);
        return defines.test(code) || (asks.test(code) && !isRight(file));
      })
      .map(({ path }) => `${name}: ${path}`);
  });
  expect(wrong).toEqual([]);
});

/** What only the room may do that answers for it: docs/architecture.md lists the others by name. */
const onlyThere: ReadonlyArray<readonly [what: string, room: string, sign: RegExp]> = [
  ['tell whether a process runs', 'src/host/identity.ts', /process\.kill\([^,]+, 0\)|boot_id/],
  ['lock against other processes', 'src/host/locks.ts', /BEGIN EXCLUSIVE/],
  ['name what lies in a state folder', 'src/host/state-names.ts', /join\((?:\w+\.)*stateDir, (?:['`]|names)/],
  ['replace a small file of the state', 'src/host/state-file.ts', /renameSync\(`[^`]*\.new|\.new-\$/],
  ["tell a system's restore points from its neighbours'", 'src/vault/of-system.ts', /record\.system [!=]==/],
  ['make an error by hand', 'src/core/errors.ts', /new LifeboatError\(/],
  ['import a public key of a writer', 'src/vault/format/signing.ts', /302a300506032b6570032100/],
];

test.each(onlyThere)('house-M2: one room alone may %s', (_, room, sign) => {
  const found = product.filter(({ text }) => sign.test(withoutComments(text))).map(({ path }) => path);
  expect(found).toEqual([room]);
});

test('nothing is left for later, and no check is switched off', () => {
  const later = new RegExp(
    `\\b(${['TO', 'FIX', 'X'].map((start, at) => start + ['DO', 'ME', 'XX'][at]).join('|')})\\b`,
  );
  const off = /@ts-(ignore|expect-error|nocheck)|\b(test|it|describe)\.(skip|only|todo|fails)\b/;
  const found = files.filter(({ path, text }) => path !== 'test/tidy.test.ts' && (later.test(text) || off.test(text)));
  expect(found.map(({ path }) => path)).toEqual([]);
});

/** Where the words are another program's, which has no codes for it. */
const readsForeignWords = [
  'src/config/explain.ts', // zod
  'src/destinations/sftp/connect.ts', // ssh2
  'src/sources/postgres/connection.ts', // pg
  'src/sources/postgres/databases.ts', // PostgreSQL: which of many properties it refused
  'src/sources/sqlite/integrity.ts', // SQLite: what only the application registers
];

test('house-4: no code reads what is written for people, and none knows an error by how its code begins or ends', () => {
  const words = String.raw`(?:[\w.]*\.(?:message|hint)|sentenceOf\([^()]*\))`;
  const verbs = '(?:match|matchAll|includes|startsWith|endsWith|indexOf|search|split)';
  const reads = new RegExp(String.raw`\.(?:test|exec)\(\s*${words}|${words}\s*\.\s*${verbs}\(`);
  const knows = /\bcode\)?\s*\.\s*(?:startsWith|endsWith|includes|match)\(/;
  const found = product.filter(({ path, text }) => {
    const code = withoutComments(text);
    return knows.test(code) || (reads.test(code) && !readsForeignWords.includes(path));
  });
  expect(found.map(({ path }) => path)).toEqual([]);
});

test('docs/errors.md lists every error', async () => {
  const page = await readFile(errorsPage, 'utf8').catch(() => '');
  expect(page === (await writeErrorsPage()), 'run: npm run errors').toBe(true);
});

test('schema/jobs holds what each job is asked and answers', async () => {
  const wanted = await jobSchemas();
  const found = await Promise.all(
    readdirSync(schemaFolder).map(async (name) => [name, await readFile(join(schemaFolder, name), 'utf8')] as const),
  );
  expect(Object.fromEntries(found), 'run: npm run schemas').toEqual(Object.fromEntries(wanted));
});

/**
 * Folders and files that import one another, over however many steps. At each level, the parts of a folder are its folders, each as one, and its
 * files; files that know each other within one folder are its own affair.
 */
function circlesOf(all: readonly SourceFile[]): string[][] {
  const graph = new Map<string, Set<string>>();
  for (const file of all) {
    for (const target of importsOf(file)) {
      const [from, to] = [inSource(file.path).split('/'), target.split('/')];
      let at = 0;
      while (at < from.length - 1 && at < to.length - 1 && from[at] === to[at]) at++;
      const [one, other] = [from.slice(0, at + 1).join('/'), to.slice(0, at + 1).join('/')];
      if (one !== other && !other.startsWith('..')) graph.set(one, (graph.get(one) ?? new Set()).add(other));
    }
  }
  const reached = new Map([...graph.keys()].map((part) => [part, reachedFrom(part, graph)]));
  const circles = new Map<string, string[]>();
  for (const [part, parts] of reached) {
    if (!parts.has(part)) continue;
    const circle = [...parts].filter((other) => reached.get(other)?.has(part)).sort();
    if (circle.some((one) => !one.endsWith('.ts'))) circles.set(circle.join(' '), circle);
  }
  return [...circles.values()];
}

function reachedFrom(part: string, graph: ReadonlyMap<string, ReadonlySet<string>>): ReadonlySet<string> {
  const found = new Set<string>();
  const next = [part];
  for (let one = next.pop(); one !== undefined; one = next.pop()) {
    for (const other of graph.get(one) ?? []) {
      if (!found.has(other)) next.push(other);
      found.add(other);
    }
  }
  return found;
}

/** The names within the braces of imports or exports, as their own file calls them. */
function namesIn(text: string, lists: RegExp): string[] {
  return [...text.matchAll(lists)]
    .flatMap(([, list = '']) => list.split(','))
    .map((name) =>
      name
        .trim()
        .replace(/^type /, '')
        .replace(/ as .*/, ''),
    )
    .filter((name) => name !== '');
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '');
}
