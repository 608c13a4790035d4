import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';

export interface Settings {
  /** 0 picks a free port. */
  readonly port: number;
  /** A SQLite file, or a `postgres://` URL. */
  readonly database: { readonly file: string } | { readonly url: string };
  readonly uploadsDir: string;
  readonly sessionSecret: string;
}

/**
 * Settings come from the file that HARBOR_CONFIG names (default config/harbor.env), and the environment wins over the file.
 * Paths are relative to the working directory.
 */
export function readSettings(environment: NodeJS.ProcessEnv = process.env): Settings {
  const file = resolve(environment.HARBOR_CONFIG ?? 'config/harbor.env');
  const fromFile = existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {};
  // A database given in the environment replaces the file's whole choice, also when it is of the other engine.
  const chosen = environment.DATABASE || environment.DATABASE_URL ? environment : fromFile;
  const need = (name: string) => {
    const value = environment[name] || fromFile[name];
    if (!value) throw new Error(`${name} is not set. Put it in ${file} or in the environment.`);
    return value;
  };

  const sessionSecret = need('SESSION_SECRET');
  if (sessionSecret.length < 32) throw new Error('SESSION_SECRET is too short: 32 characters or more.');
  const port = Number(environment.PORT ?? fromFile.PORT ?? '4000');
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error('PORT is not a port number.');

  return {
    port,
    database: chosen.DATABASE_URL
      ? { url: chosen.DATABASE_URL }
      : { file: resolve(chosen.DATABASE || 'data/harbor.db') },
    uploadsDir: resolve(need('UPLOADS_DIR')),
    sessionSecret,
  };
}
