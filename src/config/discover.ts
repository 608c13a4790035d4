// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are written
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Engine } from '../sources/engine.ts';
import { engineOf } from '../sources/engines.ts';
import { engines } from '../sources/registry.ts';
import { type ComposeService, readCompose } from './compose.ts';
import {
  type Address,
  databaseByParts,
  type EnvFile,
  envFilesIn,
  type NamedDatabase,
  schemeOf,
} from './env-databases.ts';
import { scanTree } from './scan-tree.ts';
import { databaseInSettings } from './settings-databases.ts';
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

/** A dataset that could be. Paths are relative to the folder and begin with `./`. */
export interface Proposal {
  readonly name: string;
  readonly why: string;
  readonly type: string;
  /** The keys that its engine wants, with references. */
  readonly keys: Readonly<Record<string, string | readonly string[]>>;
  readonly exclude?: Readonly<Record<string, string>>;
}

export interface LocalServer {
  readonly engine: Engine;
  readonly at: string;
}

/** Servers of this host, at their usual places. */
export async function localServers(): Promise<LocalServer[]> {
  const all = engines.map(async (engine) => {
    const at = await engine.server?.findLocal();
    return at === undefined ? [] : [{ engine, at }];
  });
  return (await Promise.all(all)).flat();
}

interface Unprotected {
  readonly what: string;
  readonly why: string;
  /** The dataset that it would be. */
  readonly proposal?: Proposal;
}

const others: ReadonlyArray<readonly [RegExp, string]> = [
  [/^mongodb/, 'MongoDB'],
  [/^(redis|rediss|valkey)/, 'Redis or Valkey'],
  [/^amqps?/, 'RabbitMQ'],
];
const titles = engines.map(({ title }) => title);
const notYet = `this version protects ${titles.join(', ').replace(/, ([^,]*)$/, ' and $1')}`;

/**
 * Looks at `folder` and below; reads no more than names, headers, `.env` and its like, package.json, the settings of common frameworks and compose files,
 * and which files of this host's settings name the folder.
 * @param local servers of this host that answer
 */
export function discover(folder: string, local: readonly LocalServer[] = [], etc = '/etc'): Discovery {
  const unprotected: Unprotected[] = [];
  const names = new Set<string>();
  const named = (wish: string) => uniqueName(wish, names);

  const envFiles = envFilesIn(folder);
  const found = envFiles.map((file) => ({ file, servers: findInEnv(file, unprotected, named) }));
  // A configuration has one file for its variables: the first that names a database.
  const used = found.find(({ servers }) => servers.length > 0);
  const servers = used?.servers ?? proposed(databaseInSettings(folder, envFiles[0]), unprotected, named);
  const tree = scanTree(folder);
  if (tree.cut) unprotected.push({ what: 'folders beyond the first 50,000 entries', why: 'they were not looked at' });
  const databases: Proposal[] = tree.databases.map(({ path, kind }) => ({
    name: named(tree.databases.length === 1 ? 'app-db' : basename(path).replace(/\.[^.]*$/, '')),
    why: `a ${engineOf(kind).title} database`,
    type: kind,
    keys: { path },
  }));
  const uploads: Proposal[] = tree.uploads.map((path) => ({
    name: named(basename(path)),
    why: 'an upload folder',
    type: 'files',
    keys: { path },
    exclude: Object.fromEntries(databases.flatMap((one) => insideExclusion(one, path))),
  }));
  const ofApp = [...envFiles.map(({ name }) => `./${name}`), ...settingsIn(folder)];
  const settings = filesAt(ofApp, 'settings', 'settings and secrets of the application', named);
  const ofHost = hostSettings(folder, etc).filter((path) => !ofApp.includes(path));
  const host = filesAt(ofHost, 'host', "this host's settings that name the folder", named);
  const compose = findInCompose(folder, servers.length > 0, unprotected, named);

  for (const { engine, at } of local) {
    if ([...servers, ...compose].some(({ type }) => type === engine.kind)) continue;
    const why = `which of its databases is yours cannot be told: add a dataset of type ${engine.kind} with its url`;
    unprotected.push({ what: `${engine.title} on this host (${at})`, why });
  }

  const app = startOf(folder);
  const envFile = used?.file ?? envFiles[0];
  return {
    system: systemName(folder),
    datasets: [...servers, ...compose, ...databases, ...uploads, ...settings, ...host],
    unprotected,
    ...(envFile !== undefined && [...servers, ...compose].length > 0 && { envFile: `./${envFile.name}` }),
    ...(app !== undefined && { app }),
  };
}

type Named = (wish: string) => string;

/** One dataset, of one place or of several. */
function filesAt(paths: readonly string[], wish: string, why: string, named: Named): Proposal[] {
  const [first, ...others] = paths;
  if (first === undefined) return [];
  return [{ name: named(wish), why, type: 'files', keys: { path: others.length === 0 ? first : paths } }];
}

function findInEnv(file: EnvFile, unprotected: Unprotected[], named: Named): Proposal[] {
  const found: Proposal[] = [];
  const seen = new Set<string>();
  for (const [key, value] of Object.entries(file.variables)) {
    const scheme = schemeOf(value);
    if (scheme === undefined || seen.has(value)) continue;
    seen.add(value);
    const at = `${key} in ${file.name}`;
    const engine = engines.find(({ server }) => server?.scheme.test(scheme));
    const other = engine === undefined ? others.find(([pattern]) => pattern.test(scheme))?.[1] : undefined;
    if (engine !== undefined) found.push(atServer(named('app-db'), engine, at, { url: `\${${key}}` }));
    if (other !== undefined) unprotected.push({ what: `${other} (${at})`, why: notYet });
  }
  if (found.length === 0) found.push(...proposed(databaseByParts(file), unprotected, named));
  return found;
}

function proposed(database: NamedDatabase | undefined, unprotected: Unprotected[], named: Named): Proposal[] {
  if (database === undefined) return [];
  const { engine, title, at, address, missing } = database;
  const what = `${title} (${at})`;
  if (engine === undefined || address === undefined) unprotected.push({ what, why: notYet });
  else {
    const proposal = atServer(named('app-db'), engine, at, address);
    if (missing === undefined) return [proposal];
    const why = `its password is in that file alone: put it into .env as ${missing}, and say envFile: ./.env`;
    unprotected.push({ what, why, proposal });
  }
  return [];
}

function atServer(name: string, { kind, title }: Engine, at: string, address: Address): Proposal {
  return { name, why: `${title}, ${at}`, type: kind, keys: address };
}

function findInCompose(folder: string, hasServer: boolean, unprotected: Unprotected[], named: Named): Proposal[] {
  const found: Proposal[] = [];
  for (const service of readCompose(folder)) {
    const { engine, other, name, file } = service;
    const at = `service ${name} in ${file}`;
    if (engine !== undefined) {
      const address = composeAddress(service);
      if (hasServer) continue;
      if (address !== undefined) found.push(atServer(named(name), engine, at, address));
      else unprotected.push({ what: `${engine.title} (${at})`, why: 'it publishes no port to reach it by' });
    } else if (other !== undefined) {
      unprotected.push({ what: `${other} (${at})`, why: notYet });
    } else {
      for (const volume of service.volumes) {
        unprotected.push({ what: `volume ${volume} (${at})`, why: 'container volumes are not looked into' });
      }
    }
  }
  return found;
}

function composeAddress({ engine, publishedPort }: ComposeService): Address | undefined {
  if (publishedPort === undefined || engine?.server === undefined) return undefined;
  return { host: '127.0.0.1', port: String(publishedPort), ...engine.server.container };
}

/** A database that lives in an upload folder is protected as a database: a copy of its file may be torn. */
function insideExclusion({ name, type, keys }: Proposal, folder: string): [string, string][] {
  const path = String(keys.path);
  if (!path.startsWith(`${folder}/`)) return [];
  const inside = path.slice(folder.length).replace(/[*?\\[\]]/g, '\\$&');
  const reason = `protected as ${name}`;
  return ['', ...(engineOf(type).companions ?? [])].map((suffix) => [inside + suffix, reason]);
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
