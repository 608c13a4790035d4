import { type Dirent, existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isBelow } from '../core/below.ts';

/** What an application's own folder has besides `.env`: settings and keys that are in no repository, and without which data is of little use. */
const settings = [
  ...['database.yml', 'master.key', 'secrets.yml', 'secret_key.txt', 'configuration.yml', 'credentials.yml.enc'],
  ...['config.php', 'parameters.yml', 'app.php'],
]
  .map((name) => `config/${name}`)
  .concat('LocalSettings.php', 'wp-config.php', 'storage/oauth-private.key');

/** Those that are there, relative to `folder` where they lie in it, by their real path where a link leads out. */
export function settingsIn(folder: string): string[] {
  const home = realpathSync(folder);
  return settings.flatMap((name) => {
    const file = join(folder, name);
    if (!existsSync(file) || !statSync(file).isFile()) return [];
    const real = realpathSync(file);
    return [isBelow(real, home) ? `.${real.slice(home.length)}` : real];
  });
}

/** Where a host says how an application is started, served and looked after. */
const ofHost = ['cron.d', 'systemd/system', 'nginx', 'apache2', 'caddy', 'php', 'supervisor', 'logrotate.d', 'default'];
const mostFiles = 2000;
const mostBytes = 64 * 1024;

/** Files below `etc` that name `folder`, or where it really lies, by their real paths. Links are followed where they lead to a file. */
export function hostSettings(folder: string, etc: string): string[] {
  const names = [...new Set([folder, realpathSync(folder)])].filter((path) => path !== '/');
  const found = new Set<string>();
  let looked = 0;
  const folders = ofHost.map((name) => join(etc, name));
  for (let at = folders.shift(); at !== undefined; at = folders.shift()) {
    for (const entry of list(at)) {
      if (++looked > mostFiles) return [...found].sort();
      const path = join(at, entry.name);
      if (entry.isDirectory()) folders.push(path);
      else if (saysSomethingOf(path, names)) found.add(realpathSync(path));
    }
  }
  return [...found].sort();
}

function saysSomethingOf(file: string, names: readonly string[]): boolean {
  try {
    const found = statSync(file);
    if (!found.isFile() || found.size > mostBytes) return false;
    const text = readFileSync(file, 'utf8');
    return names.some((name) => new RegExp(`${name.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}(?![\\w.-])`).test(text));
  } catch {
    // What this user may not read, this user's backup could not read either.
    return false;
  }
}

function list(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}
