// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are written
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Engine, ServerVariables } from '../sources/engine.ts';
import { engines } from '../sources/registry.ts';
import { parseEnvFile } from './env-file.ts';

/** A database that an application's settings name. `address` refers to where its password is; it is absent where this version cannot protect it. */
export interface NamedDatabase {
  /** What it is, for people, and its engine: absent where this version does not protect it. */
  readonly title: string;
  readonly engine?: Engine;
  /** For people: where it is named. */
  readonly at: string;
  readonly address?: Address;
  /** A variable in it that is set nowhere yet. */
  readonly missing?: string;
}

/** Keys of a dataset at a server, with references. */
export type Address = Readonly<Record<string, string>>;

export interface EnvFile {
  /** `.env` */
  readonly name: string;
  readonly variables: Readonly<Record<string, string>>;
}

const mostBytes = 256 * 1024;

/** Those of `folder` that an application reads, the most usual first. */
export function envFilesIn(folder: string): EnvFile[] {
  const names = ['.env', '.env.production', '.env.prod', '.env.production.local', '.env.local'];
  return names
    .filter((name) => existsSync(join(folder, name)))
    .map((name) => ({ name, variables: parseEnvFile(readFileSync(join(folder, name), 'utf8').slice(0, mostBytes)) }));
}

export const otherNames: ReadonlyArray<readonly [RegExp, string]> = [[/^mongo(db)?$/i, 'MongoDB']];

/** Frameworks name a database by parts: which variable holds which. */
const families = [
  {
    engine: 'DB_CLIENT',
    host: 'DB_HOST',
    port: 'DB_PORT',
    user: 'DB_USER',
    password: 'DB_PASSWORD',
    name: 'DB_DATABASE',
  },
  {
    engine: 'DB_CONNECTION',
    host: 'DB_HOST',
    port: 'DB_PORT',
    user: 'DB_USERNAME',
    password: 'DB_PASSWORD',
    name: 'DB_DATABASE',
  },
  { engine: 'DB_ADAPTER', host: 'DB_HOST', port: 'DB_PORT', user: 'DB_USER', password: 'DB_PASSWORD', name: 'DB_NAME' },
  { engine: 'DB_TYPE', host: 'DB_HOST', port: 'DB_PORT', user: 'DB_USER', password: 'DB_PASSWORD', name: 'DB_NAME' },
] as const;

/** What `variables` name by parts, as `DB_HOST` and its like do. */
export function databaseByParts(file: EnvFile): NamedDatabase | undefined {
  for (const { engine: variable, ...family } of families) {
    const named = file.variables[variable] ?? '';
    if (named === '' || file.variables[family.name] === undefined) continue;
    const engine = engines.find(({ server }) => server?.names.test(named));
    if (engine !== undefined) return byParts(engine, family, file);
    const other = otherNames.find(([pattern]) => pattern.test(named))?.[1];
    if (other !== undefined) return { title: other, at: `${family.name} in ${file.name}` };
  }
  for (const engine of engines) {
    const family = engine.server?.variables.find(({ name }) => file.variables[name] !== undefined);
    if (family !== undefined) return byParts(engine, family, file);
  }
  return undefined;
}

function byParts(engine: Engine, family: ServerVariables, { name: file, variables }: EnvFile): NamedDatabase {
  const named = (['host', 'port', 'user', 'password'] as const).filter((part) => variables[family[part]] !== undefined);
  const address = {
    ...{ host: '127.0.0.1', user: engine.server!.user },
    ...Object.fromEntries(named.map((part) => [part, `\${${family[part]}}`])),
    database: `\${${family.name}}`,
  };
  return { title: engine.title, engine, at: `${family.name} in ${file}`, address };
}

/** Of a URL, without the driver that some write behind it: `postgresql+psycopg://…`. */
export function schemeOf(url: string): string | undefined {
  return /^([a-z][a-z0-9]*)(?:\+\w+)?:\/\//.exec(url)?.[1];
}
