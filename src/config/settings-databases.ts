// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are written
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { engines } from '../sources/registry.ts';
import { type EnvFile, type NamedDatabase, otherNames, schemeOf } from './env-databases.ts';

/** What a framework's settings say of its database. A value that they take from the environment is a reference. */
interface Said {
  /** As the framework calls the kind of database. */
  readonly adapter?: string;
  readonly url?: string;
  readonly host?: string;
  readonly port?: string;
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
}

const readers: ReadonlyArray<readonly [file: string, read: (text: string) => Said]> = [
  ['config/database.yml', saidByRails],
  ['wp-config.php', saidByWordPress],
  ['LocalSettings.php', saidByMediaWiki],
  ['config/config.php', saidByNextcloud],
];

const mostBytes = 256 * 1024;

/**
 * The database that an application's own settings name: those of Rails, WordPress, MediaWiki, Nextcloud and Django. A password that stands in them
 * stays there: a variable of `envFile` that has the same is referred to.
 */
export function databaseInSettings(folder: string, envFile?: EnvFile): NamedDatabase | undefined {
  const known = [...readers, ...djangoSettings(folder).map((file) => [file, saidByDjango] as const)];
  for (const [file, read] of known) {
    if (!existsSync(join(folder, file))) continue;
    const found = named(read(readFileSync(join(folder, file), 'utf8').slice(0, mostBytes)), file, envFile);
    if (found !== undefined) return found;
  }
  return undefined;
}

function named(
  { adapter = '', url, host, port, user, password, database }: Said,
  at: string,
  envFile: EnvFile | undefined,
): NamedDatabase | undefined {
  const scheme = schemeOf(url ?? '');
  const engine = engines.find(
    ({ server }) => server?.names.test(adapter) || (scheme !== undefined && server?.scheme.test(scheme)),
  );
  if (engine === undefined) {
    const other = otherNames.find(([pattern]) => pattern.test(adapter))?.[1];
    return other === undefined ? undefined : { title: other, at };
  }
  const { title } = engine;
  if (url?.startsWith('${')) return { title, engine, at, address: { url } };
  if (database === undefined) return undefined;
  const isReference = password === undefined || password.startsWith('${');
  const same = Object.entries(envFile?.variables ?? {}).find(([, value]) => value === password)?.[0];
  const reference = isReference ? password : `\${${same ?? unnamed}}`;
  const all = { host, port, user, password: user === undefined ? undefined : reference, database };
  return {
    ...{ title, engine, at, address: present(all) },
    ...(!isReference && same === undefined && { missing: unnamed }),
  };
}

const unnamed = 'DB_PASSWORD';

function present(all: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(all).flatMap(([key, text]) => (text ? [[key, text]] : [])));
}

/** Of `production`, `<%= ENV["NAME"] %>` as a reference. Says nothing where it is no such file. */
function saidByRails(text: string): Said {
  const referring = text
    .replace(/<%=\s*ENV(?:\.fetch\(|\[)\s*["']([A-Z][A-Z0-9_]*)["'][^%]*%>/g, '${$1}')
    .replace(/<%.*?%>/g, '');
  try {
    const document: unknown = parse(referring, { maxAliasCount: 100, logLevel: 'silent', merge: true });
    const production = entriesOf(document).production;
    const { username, ...said } = entriesOf(entriesOf(production).primary ?? production);
    return present(
      Object.fromEntries(
        Object.entries({ ...said, user: username }).map(([key, value]) => [
          key,
          typeof value === 'string' || typeof value === 'number' ? String(value) : undefined,
        ]),
      ),
    );
  } catch {
    return {};
  }
}

function entriesOf(value: unknown): Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

/** `define('DB_NAME', 'shop')`, or from the environment. */
function saidByWordPress(text: string): Said {
  const of = (name: string) => valueAfter(text, `define\\(\\s*['"]${name}['"]\\s*,`);
  const database = of('DB_NAME');
  if (database === undefined) return {};
  const said = { user: of('DB_USER'), password: of('DB_PASSWORD'), database };
  return { adapter: 'mysqli', ...present(said), ...hostOf(of('DB_HOST')) };
}

/** `$wgDBname = "wiki";` */
function saidByMediaWiki(text: string): Said {
  return saidByName((name) => valueAfter(text, `^\\s*\\$wgDB${name}\\s*=`), 'server');
}

/** `'dbname' => 'nextcloud',` */
function saidByNextcloud(text: string): Said {
  return saidByName((name) => valueAfter(text, `['"]db${name}['"]\\s*=>`), 'host');
}

/** Of settings that call its parts type, name, user, password and port. */
function saidByName(of: (name: string) => string | undefined, server: string): Said {
  const [adapter, database, user, password, port] = ['type', 'name', 'user', 'password', 'port'].map(of);
  return { ...present({ adapter, database, user, password, port }), ...hostOf(of(server)) };
}

/** `'NAME': os.environ['DB_NAME']`, of the first database that a Django project names. */
function saidByDjango(text: string): Said {
  const [, databases = ''] = /^DATABASES\s*=\s*\{([\s\S]*)/m.exec(text) ?? [];
  const of = (name: string) => valueAfter(databases, `['"]${name}['"]\\s*:`);
  const said = { user: of('USER'), password: of('PASSWORD'), database: of('NAME'), host: of('HOST'), port: of('PORT') };
  return present({ adapter: of('ENGINE')?.split('.').at(-1), ...said });
}

/** Where Django keeps them: in the package that is named as the project is, which nothing but its content tells. */
function djangoSettings(folder: string): string[] {
  if (!existsSync(join(folder, 'manage.py'))) return [];
  const packages = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return packages.flatMap(({ name }) =>
    ['settings.py', 'settings/production.py', 'settings/base.py'].map((file) => `${name}/${file}`),
  );
}

/** A literal that follows `before`, or a variable of the environment as a reference. Escapes are not looked at: what has one is not said. */
function valueAfter(text: string, before: string): string | undefined {
  const value = new RegExp(`${before}\\s*(?:(['"])((?:(?!\\1)[^\\\\\\n])*)\\1|${fromEnvironment})`, 'm').exec(text);
  const [, , literal, called, indexed] = value ?? [];
  const variable = called ?? indexed;
  if (variable !== undefined) return `\${${variable}}`;
  return literal?.includes('${') ? undefined : literal;
}

/** Of PHP and Python. */
const fromEnvironment = `(?:getenv|getenv_docker|os\\.environ\\.get|os\\.getenv|env|config)\\(\\s*['"](\\w+)['"]|(?:\\$_ENV|os\\.environ)\\[\\s*['"](\\w+)['"]`;

/** `localhost:3307`; behind a colon may also be a socket. */
function hostOf(text: string | undefined): Said {
  const [, host = '', behind] = /^([^:]*)(?::(.*))?$/.exec(text ?? '') ?? [];
  if (behind?.startsWith('/')) return { host: behind };
  return present({ host, port: behind });
}
