import { Option } from 'commander';
import type { CommonOptions, OptionShape } from './command.ts';
import { flag, many, value } from './command.ts';
import { usageWrong } from './errors.ts';

type Env = Readonly<Record<string, string | undefined>>;
type Shapes = Readonly<Record<string, OptionShape<unknown>>>;

/** Those that every command takes, before or after its name. */
export const commonOptions = {
  config: value('<file>', 'the configuration (default: lifeboat.yaml in the current folder)'),
  identity: many('<file>', "a private key file, a share, or 'command:WORDS' that prints one; repeat for several"),
  json: flag('print one JSON document'),
  jsonEvents: flag('print what happens as JSON, one event a line'),
  quiet: flag('print only answers and errors'),
  noColor: flag('no colours'),
};

/** `dryRun` → `--dry-run` */
export function flagName(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `dryRun` → `LIFEBOAT_DRY_RUN` */
function environmentName(name: string): string {
  return `LIFEBOAT_${flagName(name).slice(2).replaceAll('-', '_').toUpperCase()}`;
}

export function commanderOption(name: string, shape: OptionShape<unknown>): Option {
  const option = new Option(`${flagName(name)} ${shape.placeholder}`.trim(), shape.summary);
  if (shape.kind === 'many')
    option.argParser((text: string, earlier: string[] | undefined) => [...(earlier ?? []), text]);
  return option;
}

/** The command line goes before the environment; every text is parsed by its option. @throws `usage-wrong` */
export function readOptions(
  shapes: Shapes,
  given: Readonly<Record<string, unknown>>,
  env: Env,
  command: string,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const fromEnv = env[environmentName(name)] || undefined;
      if (shape.kind === 'flag') return [name, isGiven(name, given) || readFlag(name, fromEnv, command)];
      if (shape.kind === 'many') {
        const texts = given[name] ?? listOf(fromEnv ?? '');
        return [name, [texts].flat().map((text) => shape.parse(String(text)))];
      }
      const text = given[name] ?? fromEnv;
      return [name, text === undefined ? undefined : shape.parse(String(text))];
    }),
  );
}

/** Parts separated by colons. The words of a `command:` have colons too: it takes the rest. */
function listOf(text: string): string[] {
  const [, before = text, command] = /^(.*?)(?:^|:)(command:.*)$/s.exec(text) ?? [];
  return [...before.split(':').filter((part) => part !== ''), ...(command === undefined ? [] : [command])];
}

export function readCommonOptions(given: Readonly<Record<string, unknown>>, env: Env, command: string): CommonOptions {
  const values = readOptions(commonOptions, given, env, command);
  const identity = Array.isArray(values.identity) ? values.identity.map(String) : [];
  const on = (name: keyof typeof commonOptions) => values[name] === true;
  return {
    config: typeof values.config === 'string' ? values.config : 'lifeboat.yaml',
    identity,
    json: on('json'),
    jsonEvents: on('jsonEvents'),
    quiet: on('quiet'),
    color: !on('noColor') && !env.NO_COLOR && env.TERM !== 'dumb',
  };
}

/** Commander keeps `--no-color` as `color: false`. */
function isGiven(name: string, given: Readonly<Record<string, unknown>>): boolean {
  if (/^no[A-Z]/.test(name)) return given[name.charAt(2).toLowerCase() + name.slice(3)] === false;
  return given[name] === true;
}

function readFlag(name: string, text: string | undefined, command: string): boolean {
  if (text === undefined || /^(0|false|no|off)$/i.test(text)) return false;
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  throw usageWrong({ what: `${environmentName(name)} is '${text}': it must be 1 or 0.`, command });
}
