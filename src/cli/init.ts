import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { appendFile, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Discovery, discover, localServers } from '../config/discover.ts';
import { loadSystem } from '../config/load.ts';
import { realPath } from '../config/nesting.ts';
import { type StarterRecipient, starterConfig } from '../config/starter.ts';
import { whyOf } from '../core/errors.ts';
import { newUlid } from '../core/ulid.ts';
import { stateUnusable } from '../host/errors.ts';
import { stateFolderOf } from '../host/state-folder.ts';
import { inState } from '../host/state-names.ts';
import type { Vouched } from '../keys/vouched.ts';
import { generateIdentity } from '../vault/age/index.ts';
import { planWriter } from '../vault/writer/index.ts';
import { defineCommand, flag } from './command.ts';
import { configExists, configUnwritable } from './errors.ts';
import { exitCodes } from './exit.ts';
import { dailyKey, keysFolder, offlineKey } from './identities.ts';
import { recipientInFile, writeKeyFile } from './key-files.ts';
import type { Style } from './output.ts';

interface Initiated {
  readonly written: boolean;
  readonly config: string;
  /** Key files that were made. */
  readonly keys: readonly string[];
  readonly found: Discovery;
  /** The configuration's text. */
  readonly text: string;
}

export const init = defineCommand({
  description: `Finds SQLite databases, upload folders, what .env and its like name, the settings of Rails, Django, WordPress, MediaWiki and
Nextcloud, compose services, database servers of this host and its settings that name the folder, in the current folder and below. Writes a
commented lifeboat.yaml without secrets, and two key pairs.`,
  options: {
    dryRun: flag('print the configuration, write nothing'),
    force: flag('write the configuration anew; its keys are kept, the old file becomes .old'),
  },
  async run({ options, common, env, clock, out }) {
    const file = resolve(common.config);
    const folder = dirname(file);
    const schema = fileURLToPath(new URL('../../schema/lifeboat.schema.json', import.meta.url));
    if (existsSync(file) && !options.force && !options.dryRun) throw configExists({ file: common.config });

    const found = discover(folder, await localServers());
    if (options.dryRun) {
      const text = starterConfig(found, [{ recipient: '(two, made by lifeboat init)' }], schema);
      out.answer<Initiated>({ written: false, config: file, keys: [], found, text }, (document) => document.text);
      return exitCodes.ok;
    }
    // Before the keys: their files name the vault and the writer, so that a bare machine can tell them from others.
    const stateDir = stateFor(found.system, file, env);
    const planned = await planWriter(inState(stateDir, 'writerKeys'), newUlid(clock.now(), randomBytes), randomBytes);
    const vouched = { vault: planned.vault, writer: planned.publicKey, system: found.system };
    const { recipients, keys } = await obtainKeys(file, folder, env, clock.now(), vouched);
    const text = starterConfig(found, recipients, schema);
    await writeConfig(file, text, options.force);
    await ignoreInGit(folder);
    out.answer<Initiated>({ written: true, config: file, keys, found, text }, (document, style) =>
      describe(document, common.config, folder, style),
    );
    return found.datasets.length === 0 ? exitCodes.no : exitCodes.ok;
  },
});

interface Obtained {
  readonly recipients: readonly StarterRecipient[];
  /** Key files that were made. */
  readonly keys: readonly string[];
}

/** Recipients of a configuration that is there are kept, whatever else is written anew: its backups must stay readable. */
async function obtainKeys(
  file: string,
  folder: string,
  env: Readonly<Record<string, string | undefined>>,
  nowMs: number,
  vouched: Vouched,
): Promise<Obtained> {
  const earlier = (existsSync(file) ? earlierRecipients(file, env) : []).map((recipient) => ({ recipient }));
  if (earlier.length >= 2) return { recipients: earlier, keys: [] };

  const keys: string[] = [];
  const obtain = async (name: string, purpose: string): Promise<StarterRecipient> => {
    const keyFile = join(folder, keysFolder, name);
    const existing = await recipientInFile(keyFile);
    if (existing) return { recipient: existing, purpose };
    const pair = generateIdentity();
    await writeKeyFile(keyFile, pair, { purpose, nowMs, vouched: [vouched] });
    keys.push(keyFile);
    return { recipient: pair.recipient, purpose };
  };
  const daily = earlier[0] ?? (await obtain(dailyKey, 'daily: for restores and drills'));
  const offline = await obtain(offlineKey, 'offline: keep its private key away from this machine');
  return { recipients: [daily, offline], keys };
}

/** That of the configuration which is replaced; of a new one that of its first destination, should there be a vault already. */
function stateFor(system: string, file: string, env: Readonly<Record<string, string | undefined>>): string {
  try {
    return loadSystem(file, env).stateDir;
  } catch (error) {
    if (stateUnusable.is(error)) throw error;
    const backups = realPath(join(dirname(file), 'backups'));
    return stateFolderOf({ system, file: realPath(file), places: [{ at: backups, folder: backups }], env });
  }
}

function earlierRecipients(file: string, env: Readonly<Record<string, string | undefined>>): readonly string[] {
  try {
    return loadSystem(file, env).vault.recipients;
  } catch {
    // With --force a configuration that cannot be read is replaced; its keys are files and are found there.
    return [];
  }
}

async function writeConfig(file: string, text: string, force: boolean): Promise<void> {
  try {
    if (!force) return await writeFile(file, text, { flag: 'wx' });
    await writeFile(`${file}.new`, text);
    if (existsSync(file)) await rename(file, `${file}.old`);
    await rename(`${file}.new`, file);
  } catch (cause) {
    throw configUnwritable({ file, why: whyOf(cause) }, { cause });
  }
}

/** Private keys and backups are not for a repository. */
async function ignoreInGit(folder: string): Promise<void> {
  if (!isInGit(folder)) return;
  const file = join(folder, '.gitignore');
  const text = await readFile(file, 'utf8').catch(() => '');
  const present = new Set(text.split(/\r?\n/).map((line) => line.trim()));
  const missing = [`/${keysFolder}/`, '/backups/'].filter((line) => !present.has(line));
  if (missing.length > 0)
    await appendFile(file, `${text === '' || text.endsWith('\n') ? '' : '\n'}${missing.join('\n')}\n`);
}

function isInGit(folder: string): boolean {
  for (let here = folder; ; here = dirname(here)) {
    if (existsSync(join(here, '.git'))) return true;
    if (here === dirname(here)) return false;
  }
}

function describe({ found, keys }: Initiated, config: string, folder: string, style: Style): string {
  const shown = (path: string) => relative(process.cwd(), path) || path;
  const offline = keys.find((key) => key.endsWith(offlineKey));
  const lines = [`${style.good('✓')} Wrote ${config}.`];
  for (const { name, why } of found.datasets) lines.push(`  ${style.bold(name)}: ${why}`);
  for (const { what, why } of found.unprotected) lines.push(`${style.warn('!')} Not protected yet: ${what}: ${why}.`);
  if (keys.length > 0) lines.push(`${style.good('✓')} Made ${keys.map(shown).join(' and ')}.`);
  if (offline) {
    lines.push(
      '',
      style.bold(`Move ${shown(offline)} away from this machine now: a USB stick in a safe, a password manager.`),
    );
    lines.push('Without one of these two keys nobody can restore, not even you.');
  }
  const identity = shown(join(folder, keysFolder, dailyKey));
  if (found.datasets.length === 0) {
    const what = 'Found nothing to protect. No command takes the file before its datasets name something.';
    lines.push(
      '',
      `${style.bad('✗')} ${what}`,
      '',
      'Next:',
      `  name it under datasets in ${config}`,
      '  lifeboat check',
    );
    return lines.join('\n');
  }
  lines.push('', 'Next:', '  lifeboat check', '  lifeboat backup', `  lifeboat drill --identity ${identity}`);
  return lines.join('\n');
}
