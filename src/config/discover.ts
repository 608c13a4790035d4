// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are written
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type ComposeService, readCompose } from './compose.ts';
import {
  type Address,
  databaseByParts,
  databaseOfRails,
  type EnvFile,
  envFilesIn,
  type NamedDatabase,
} from './env-databases.ts';
import { scanTree } from './scan-tree.ts';
import { hostSettings, settingsIn } from './settings-files.ts';

/** What `lifeboat init` found in a project folder. */
export interface Discovery {
  /** A name for the system, fit for the configuration. */
  readonly system: string;
  readonly datasets: readonly Proposal[];
  /** What is there, and what this version cannot protect or cannot reach. */
  readonly unprotected: readonly Unprotected[];
  /** `./.env` or its like, when a proposal refers to a variable in it. */
  readonly envFile?: string;
  /** How the application starts, as its folder tells. */
  readonly app?: ProposedApp;
}

export interface ProposedApp {
  readonly start: string;
  /** What it needs besides the restored places, and under which name it knows the database's URL. */
  readonly env: Readonly<Record<string, string>>;
  readonly databaseUrl?: string;
}

/** Paths are relative to the folder and begin with `./`. */
export type Proposal = { readonly name: string; readonly why: string } & (
  | { readonly type: 'sqlite'; readonly path: string }
  | {
      readonly type: 'files';
      readonly path: string | readonly string[];
      readonly exclude: Readonly<Record<string, string>>;
    }
  | { readonly type: 'postgres'; readonly address: Address }
);

interface Unprotected {
  readonly what: string;
  readonly why: string;
  /** The dataset that it would be. */
  readonly proposal?: Proposal;
}

const engines: ReadonlyArray<readonly [RegExp, string]> = [
  [/^(mysql|mariadb)/, 'MySQL or MariaDB'],
  [/^mongodb/, 'MongoDB'],
  [/^(redis|rediss|valkey)/, 'Redis or Valkey'],
  [/^amqps?/, 'RabbitMQ'],
];
const notYet = 'this version protects SQLite, PostgreSQL and files';

/**
 * Looks at `folder` and below; reads no more than names, headers, `.env` and its like, package.json, database.yml and compose files,
 * and which files of this host's settings name the folder.
 * @param localPostgres where a server of this host answers, if one does
 */
export function discover(folder: string, localPostgres?: string, etc = '/etc'): Discovery {
  const unprotected: Unprotected[] = [];
  const names = new Set<string>();
  const named = (wish: string) => uniqueName(wish, names);

  const envFiles = envFilesIn(folder);
  const found = envFiles.map((file) => ({ file, postgres: findInEnv(file, unprotected, named) }));
  // A configuration has one file for its variables: the first that names a database.
  const used = found.find(({ postgres }) => postgres.length > 0);
  const postgres = used?.postgres ?? findInRails(folder, envFiles, unprotected, named);
  const tree = scanTree(folder);
  if (tree.cut) unprotected.push({ what: 'folders beyond the first 50,000 entries', why: 'they were not looked at' });
  const sqlite: Proposal[] = tree.databases.map((path) => ({
    name: named(tree.databases.length === 1 ? 'app-db' : basename(path).replace(/\.[^.]*$/, '')),
    why: 'a SQLite database',
    type: 'sqlite',
    path,
  }));
  const uploads: Proposal[] = tree.uploads.map((path) => ({
    name: named(basename(path)),
    why: 'an upload folder',
    type: 'files',
    path,
    exclude: Object.fromEntries(sqlite.flatMap((one) => (one.type === 'sqlite' ? insideExclusion(one, path) : []))),
  }));
  const ofApp = [...envFiles.map(({ name }) => `./${name}`), ...settingsIn(folder)];
  const settings = filesAt(ofApp, 'settings', 'settings and secrets of the application', named);
  const ofHost = hostSettings(folder, etc).filter((path) => !ofApp.includes(path));
  const host = filesAt(ofHost, 'host', "this host's settings that name the folder", named);
  const compose = findInCompose(folder, postgres.length > 0, unprotected, named);

  if (localPostgres !== undefined && postgres.length + compose.length === 0) {
    const why = 'which of its databases is yours cannot be told: add a dataset of type postgres with its url';
    unprotected.push({ what: `PostgreSQL on this host (${localPostgres})`, why });
  }

  const app = startOf(folder);
  const envFile = used?.file ?? envFiles[0];
  return {
    system: systemName(folder),
    datasets: [...postgres, ...compose, ...sqlite, ...uploads, ...settings, ...host],
    unprotected,
    ...(envFile !== undefined && [...postgres, ...compose].length > 0 && { envFile: `./${envFile.name}` }),
    ...(app !== undefined && { app }),
  };
}

type Named = (wish: string) => string;

/** One dataset, of one place or of several. */
function filesAt(paths: readonly string[], wish: string, why: string, named: Named): Proposal[] {
  const [first, ...others] = paths;
  if (first === undefined) return [];
  return [{ name: named(wish), why, type: 'files', path: others.length === 0 ? first : paths, exclude: {} }];
}

function findInEnv(file: EnvFile, unprotected: Unprotected[], named: Named): Proposal[] {
  const found: Proposal[] = [];
  const seen = new Set<string>();
  for (const [key, value] of Object.entries(file.variables)) {
    const scheme = /^([a-z][a-z0-9+]*):\/\//.exec(value)?.[1];
    if (scheme === undefined || seen.has(value)) continue;
    seen.add(value);
    if (/^(postgres|postgresql|postgis|pgsql|psql)(\+\w+)?$/.test(scheme)) {
      found.push({
        name: named('app-db'),
        why: `PostgreSQL, ${key} in ${file.name}`,
        type: 'postgres',
        address: { url: `\${${key}}` },
      });
    }
    const engine = engines.find(([pattern]) => pattern.test(scheme))?.[1];
    if (engine) unprotected.push({ what: `${engine} (${key} in ${file.name})`, why: notYet });
  }
  if (found.length === 0) found.push(...proposed(databaseByParts(file), unprotected, named));
  return found;
}

function findInRails(
  folder: string,
  envFiles: readonly EnvFile[],
  unprotected: Unprotected[],
  named: Named,
): Proposal[] {
  return proposed(databaseOfRails(folder, envFiles[0]), unprotected, named);
}

function proposed(database: NamedDatabase | undefined, unprotected: Unprotected[], named: Named): Proposal[] {
  if (database === undefined) return [];
  const { engine, at, address, missing } = database;
  const what = `${engine} (${at})`;
  if (address === undefined) unprotected.push({ what, why: notYet });
  else {
    const proposal: Proposal = { name: named('app-db'), why: `${engine}, ${at}`, type: 'postgres', address };
    if (missing === undefined) return [proposal];
    const why = `its password is in that file alone: put it into .env as ${missing}, and say envFile: ./.env`;
    unprotected.push({ what, why, proposal });
  }
  return [];
}

function findInCompose(folder: string, hasPostgres: boolean, unprotected: Unprotected[], named: Named): Proposal[] {
  const found: Proposal[] = [];
  for (const service of readCompose(folder)) {
    if (service.kind === 'postgres') {
      const address = composeAddress(service);
      if (hasPostgres) continue;
      if (address)
        found.push({
          name: named(service.name),
          why: `PostgreSQL, service ${service.name} in ${service.file}`,
          type: 'postgres',
          address,
        });
      else
        unprotected.push({
          what: `PostgreSQL (service ${service.name} in ${service.file})`,
          why: 'it publishes no port to reach it by',
        });
    } else if (service.kind !== undefined) {
      unprotected.push({ what: `${service.kind} (service ${service.name} in ${service.file})`, why: notYet });
    } else {
      for (const volume of service.volumes) {
        unprotected.push({
          what: `volume ${volume} (service ${service.name} in ${service.file})`,
          why: 'container volumes are not looked into',
        });
      }
    }
  }
  return found;
}

function composeAddress({ publishedPort }: ComposeService): Address | undefined {
  if (publishedPort === undefined) return undefined;
  return {
    host: '127.0.0.1',
    port: String(publishedPort),
    user: '${POSTGRES_USER:-postgres}',
    // It stays where it is: the configuration holds references only.
    password: '${POSTGRES_PASSWORD}',
    database: '${POSTGRES_DB:-postgres}',
  };
}

/** A database that lives in an upload folder is protected as a database: a copy of its file may be torn. */
function insideExclusion(database: { name: string; path: string }, folder: string): [string, string][] {
  if (!database.path.startsWith(`${folder}/`)) return [];
  const inside = database.path.slice(folder.length).replace(/[*?\\[\]]/g, '\\$&');
  const reason = `protected as ${database.name}`;
  return ['', '-wal', '-shm', '-journal'].map((suffix) => [inside + suffix, reason]);
}

/** Of the kinds of programs whose folder alone tells how they start. */
function startOf(folder: string): ProposedApp | undefined {
  const start = readPackage(folder).start;
  if (start !== undefined) return { start, env: {} };
  const has = (name: string) => existsSync(join(folder, name));
  if (has('config.ru') || has('config/database.yml')) {
    const server = 'exec puma -e production -b tcp://127.0.0.1:$PORT config.ru';
    return { start: server, env: { RAILS_ENV: 'production' }, databaseUrl: 'DATABASE_URL' };
  }
  if (has('manage.py')) return { start: 'exec python3 manage.py runserver --noreload 127.0.0.1:$PORT', env: {} };
  return has('index.php') ? { start: 'exec php -S 127.0.0.1:$PORT -t .', env: {} } : undefined;
}

function readPackage(folder: string): { name?: string; start?: string } {
  try {
    const document: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    if (document === null || typeof document !== 'object') return {};
    const name = 'name' in document && typeof document.name === 'string' ? { name: document.name } : {};
    const scripts = 'scripts' in document ? document.scripts : undefined;
    const starts = scripts !== null && typeof scripts === 'object' && 'start' in scripts;
    return { ...name, ...(starts && { start: 'npm start' }) };
  } catch {
    // No package.json, or one that is not JSON: then it says nothing.
    return {};
  }
}

function systemName(folder: string): string {
  const name = readPackage(folder).name?.replace(/^@.*\//, '') ?? basename(folder);
  return cleanName(name) || cleanName(basename(dirname(folder))) || 'system';
}

function uniqueName(wish: string, taken: Set<string>): string {
  const base = cleanName(wish) || 'data';
  let name = base;
  for (let count = 2; taken.has(name); count++) name = `${base.slice(0, 36)}-${count}`;
  taken.add(name);
  return name;
}

function cleanName(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40)
    .replace(/-+$/, '');
}
