import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { whyOf } from '../core/errors.ts';
import { type Expandable, outside } from '../core/references.ts';
import { fillTemplate, variablesOf } from '../core/template.ts';
import { parseEnvFile } from './env-file.ts';
import { maskPasswords, secretUnavailable } from './errors.ts';

/** Where references are looked up. */
export interface ReferenceContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `${file:…}` starts and `${command:…}` runs here. */
  readonly root: string;
  /** A `.env` file, absolute, whose variables stand in where the environment has none. */
  readonly envFile?: string;
}

const commandTimeoutMs = 30_000;
const maxSecretBytes = 64 * 1024;

/** @param name the key that holds it: a literal under a name like `SESSION_SECRET` is not shown */
export function expandable(text: string, context: ReferenceContext, name = ''): Expandable {
  return {
    shown: shownOf(text, name),
    expand: (variables = {}) => expandText(text, context, variables),
  };
}

/** A JSON value whose strings may hold references, as JSON text: what is filled in is escaped. */
export function expandableJson(value: unknown, context: ReferenceContext): Expandable {
  return {
    shown: JSON.stringify(mapStrings(value, shownOf)),
    expand: async (variables = {}) => {
      const strings: string[] = [];
      mapStrings(value, (text) => {
        strings.push(text);
        return text;
      });
      const expanded = new Map<string, string>();
      for (const text of new Set(strings)) expanded.set(text, await expandText(text, context, variables));
      return JSON.stringify(mapStrings(value, (text) => expanded.get(text) ?? text));
    },
  };
}

async function expandText(
  text: string,
  context: ReferenceContext,
  variables: Readonly<Record<string, string>>,
): Promise<string> {
  const inFile = await envFileOf(text, context, variables);
  const lookUp = (name: string) => [variables, context.env, inFile].find((place) => Object.hasOwn(place, name))?.[name];
  let result = '';
  let from = 0;
  for (const found of text.matchAll(outside)) {
    const [whole, kind, what = ''] = found;
    if (kind === undefined) continue;
    result += fillTemplate(text.slice(from, found.index), lookUp);
    result += kind === 'file' ? await fromFile(what, context) : await fromCommand(what, context);
    from = found.index + whole.length;
  }
  return result + fillTemplate(text.slice(from), lookUp);
}

/** Read only when a variable is found nowhere else. */
async function envFileOf(
  text: string,
  { env, envFile }: ReferenceContext,
  variables: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, string>>> {
  if (envFile === undefined || variablesOf(text).every((name) => name in variables || name in env)) return {};
  try {
    return parseEnvFile(await readFile(envFile, 'utf8'));
  } catch (cause) {
    throw secretUnavailable({ reference: `envFile: ${envFile}`, why: whyOf(cause) }, { cause });
  }
}

async function fromFile(path: string, context: ReferenceContext): Promise<string> {
  const reference = `\${file:${path}}`;
  let text: string;
  try {
    text = await readFile(resolve(context.root, path), 'utf8');
  } catch (cause) {
    throw secretUnavailable({ reference, why: whyOf(cause) }, { cause });
  }
  return checked(text, reference);
}

function fromCommand(command: string, context: ReferenceContext): Promise<string> {
  const reference = `\${command:${command}}`;
  return new Promise((done, failed) => {
    const options = {
      cwd: context.root,
      // It may need what is in our environment, but not what opens the keys of the vault.
      env: { ...context.env, LIFEBOAT_PASSPHRASE: undefined },
      timeout: commandTimeoutMs,
      maxBuffer: maxSecretBytes,
    };
    execFile('/bin/sh', ['-c', command], options, (error, stdout) => {
      // Neither output nor error text is repeated: either may hold the secret.
      if (error) {
        const why = error.killed
          ? `it took longer than ${commandTimeoutMs / 1000} s`
          : `it failed (${error.code ?? 'signal'})`;
        failed(secretUnavailable({ reference, why }));
        return;
      }
      try {
        done(checked(stdout, reference));
      } catch (cause) {
        failed(cause);
      }
    });
  });
}

/** Without the newline that editors and commands put at the end. */
function checked(text: string, reference: string): string {
  const secret = text.replace(/\r?\n$/, '');
  if (secret === '') throw secretUnavailable({ reference, why: 'it is empty' });
  if (secret.length > maxSecretBytes) throw secretUnavailable({ reference, why: 'it is larger than 64 KiB' });
  return secret;
}

const secretName = /secret|passw|token|key|auth|cookie|credential|private|salt/i;

export function shownOf(text: string, name = ''): string {
  if (secretName.test(name) && !/\$\{/.test(text) && text !== '') return '****';
  return maskPasswords(text);
}

function mapStrings(value: unknown, change: (text: string, name: string) => string, name = ''): unknown {
  if (typeof value === 'string') return change(value, name);
  if (Array.isArray(value)) return value.map((item) => mapStrings(item, change, name));
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapStrings(item, change, key)]));
  }
  return value;
}
